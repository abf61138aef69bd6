module seaworthy.example/backup

go 1.19
