// Backs a folder up, restores it, and shows how progress, cancelling and errors work.
//
//	go run . FOLDER WORK
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"seaworthy.example/backup/seaworthy"
)

const config = `
state = "state"
[sink.local]
type = "local"
path = "sink"
[backup.nightly]
sinks = ["local"]
[backup.nightly.sources.data]
type = "files"
paths = [%q]
`

type request map[string]any

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: backup FOLDER WORK")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(folder, work string) error {
	harbour, err := seaworthy.OpenText(fmt.Sprintf(config, folder), work)
	if err != nil {
		return err
	}
	defer harbour.Close()
	ctx := context.Background()

	events := 0
	_, err = harbour.Run(ctx, seaworthy.Backup, request{}, func(event seaworthy.Event) bool {
		events++
		fmt.Println(" ", event.Event, event.Task, event.Bytes)
		return true
	})
	if err != nil {
		return err
	}
	fmt.Println("backup: done")
	if events == 0 {
		return errors.New("no progress was shown")
	}

	to := request{"snapshot": "nightly", "to": work + "/restored"}
	if _, err = harbour.Run(ctx, seaworthy.Restore, to, nil); err != nil {
		return err
	}
	fmt.Println("restore: done")

	stopped, cancel := context.WithCancel(ctx)
	_, err = harbour.Run(stopped, seaworthy.Backup, request{}, func(seaworthy.Event) bool {
		cancel()
		return false
	})
	var failed *seaworthy.Error
	if !errors.As(err, &failed) || failed.Code != seaworthy.Cancelled {
		return fmt.Errorf("it was cancelled, not: %v", err)
	}
	fmt.Println("cancelled backup:", failed)

	_, err = harbour.Run(ctx, seaworthy.Backup, request{"jobs": []string{"nihgtly"}}, nil)
	if !errors.As(err, &failed) || failed.Code != seaworthy.InvalidInput {
		return fmt.Errorf("there is no such job, not: %v", err)
	}
	fmt.Printf("no such job: %v; help: %s\n", failed, failed.Remedy)
	return nil
}
