//! An empty server: a root of its own over this machine's programs, with a network and processes of
//! its own. What is done there touches nothing here, and ends with it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::program;

/// Makes the root at `$1`, with the program `$2` in it: everything written lands in memory.
const PREPARE: &str = r#"
set -e
mount -t tmpfs none "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
mount --rbind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
mount -t tmpfs none "$1/root/run"
mount -t tmpfs none "$1/root/tmp"
# The program may be below /tmp or on another disk: none of that is seen in here.
touch "$1/root/run/program"
mount --bind "$2" "$1/root/run/program"
ip link set lo up
"#;

/// What a fresh Debian has, with the supervisor that plays systemd's part and the program.
const SETTLE: &str = r#"
umask 022
export HOME=/root TERM=dumb LC_ALL=C.UTF-8
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset SEAWORTHY_CONFIG RUST_BACKTRACE
rm -rf /etc/seaworthy /var/lib/seaworthy /var/backups /opt /srv /var/www /etc/systemd/seaworthy
rm -rf /usr/local/bin/*
mkdir -p /opt /srv /var/www /var/log/nginx /var/lib/units /usr/local/bin /root
printf '127.0.0.1 localhost\n' > /etc/hosts
# Packages are there: what is asked for costs nothing.
printf '#!/bin/sh\nexit 0\n' > /usr/local/bin/apt-get
cat > /usr/local/bin/systemctl <<'END'
#!/bin/sh
case "$*" in
  'reload nginx') exec nginx -s reload ;;
  *) exec python3 /usr/local/lib/systemctl.py /etc/systemd/system /var/lib/units "$@" ;;
esac
END
chmod 755 /usr/local/bin/*
install -m 755 /run/program /usr/local/bin/seaworthy
umount /run/program
rm /run/program
cd /root
"#;

/// What process 1 of a server is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Init {
    /// A shell, which also runs the test's commands. A small supervisor plays systemd's part.
    Shell,
}

impl Init {
    /// How a shell that has made the root becomes process 1.
    fn exec(self) -> &'static str {
        match self {
            Self::Shell => r#"exec chroot "$1/root" /bin/bash"#,
        }
    }
}

/// A server that lives as long as this.
#[derive(Debug)]
pub struct Server {
    shell: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// An empty one with `init` as process 1: packages are installed, nothing is set up.
    pub fn start(init: Init) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child"])
            .args(["/bin/bash", "-c", &format!("{PREPARE}{}", init.exec()), "prepare"])
            .arg(folder.path())
            .arg(program())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cannot run unshare: apt-get install util-linux");
        let stdin = shell.stdin.take().unwrap();
        let stdout = BufReader::new(shell.stdout.take().unwrap());
        let mut server = Self { shell, stdin, stdout, _folder: folder };
        let (code, said) = server.raw(SETTLE);
        assert_eq!(code, 0, "this test makes namespaces: run it as root\n{said}");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let supervisor = root.join("crates/service-config/tests/support/systemctl.py");
        server.copy(&supervisor, "/usr/local/lib/systemctl.py");
        server
    }

    /// Runs `script`: its exit code, and all it says.
    pub fn sh(&mut self, script: &str) -> (i32, String) {
        self.raw(&format!("(\nset -euo pipefail\n{script}\n)"))
    }

    /// Runs `script`, which must succeed; gives what it says.
    #[track_caller]
    pub fn ok(&mut self, script: &str) -> String {
        let (code, said) = self.sh(script);
        assert_eq!(code, 0, "{script}\n{said}");
        said
    }

    /// Writes a file there.
    pub fn write(&mut self, path: &str, text: &str) {
        let end = "end-of-the-file-of-a-test";
        assert!(!text.contains(end));
        let newline = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        self.ok(&format!(
            "mkdir -p \"$(dirname '{path}')\"\ncat > '{path}' <<'{end}'\n{text}{newline}{end}"
        ));
    }

    /// Copies a file of text there.
    pub fn copy(&mut self, from: &Path, to: &str) {
        self.write(to, &fs::read_to_string(from).unwrap());
    }

    fn raw(&mut self, script: &str) -> (i32, String) {
        let mark = "that-was-all-and-the-code-is";
        // Whoever stays behind must not hold our pipe.
        let file = "/tmp/said-by-a-test";
        let script = format!(
            "{{ {script}\n}} > {file} 2>&1 </dev/null\ncode=$?\ncat {file}\nprintf '\\n{mark} %d\\n' $code\n"
        );
        self.stdin.write_all(script.as_bytes()).unwrap();
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).unwrap() == 0 {
                return (-1, said + "\nthe shell has ended");
            }
            match line.strip_prefix(mark) {
                Some(code) => return (code.trim().parse().unwrap(), said),
                None => said.push_str(&line),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Process 1 of that server: everything in it ends too.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
