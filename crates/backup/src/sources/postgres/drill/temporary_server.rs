//! A temporary server: created with initdb in a scratch folder, reached through a socket in it,
//! stopped and removed afterwards.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use seaworthy_core::{Context, Error, ErrorKind, Result};
use tokio::process::{Child, Command};

use crate::sources::postgres::{
    connect::{
        options::{ConnectOptions, Environment},
        session::{Session, literal, quote},
    },
    dump::pg_dump,
};

/// How long a new server may take to start, and the pause between two attempts.
const START_LIMIT: Duration = Duration::from_secs(120);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The longest path of a socket's folder: with the socket's own name, the system allows 107 bytes.
const LONGEST_FOLDER: usize = 90;

/// Runs the server and stops it as soon as its standard input is closed: also if we are killed.
/// `$1` is the server program, `$2` its data, `$3` the folder for its socket, `$4` its log.
const KEEPER: &str = r#"
"$1" -D "$2" -p 5432 -c listen_addresses= -c unix_socket_directories="$3" \
  -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c autovacuum=off \
  -c wal_level=minimal -c max_wal_senders=0 -c max_locks_per_transaction=1024 \
  -c logging_collector=off -c lc_messages=C > "$4" 2>&1 < /dev/null &
server=$!
cat > /dev/null
kill -QUIT "$server"
wait "$server"
rm -rf "$2"
"#;

/// A server that is created when it is needed, with `initdb` and `postgres` of this machine.
#[derive(Clone, Debug, Default)]
pub struct TemporaryServer {
    programs: Option<PathBuf>,
    user: Option<String>,
}

impl TemporaryServer {
    /// With the server programs of the snapshot's major version, or the next later one, in the
    /// folders of Debian's and PostgreSQL's own packages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses the server programs in this folder.
    #[must_use]
    pub fn programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs = Some(folder.into());
        self
    }

    /// Runs it as this user if we are root, which PostgreSQL refuses. Default: `postgres`, else
    /// `nobody`.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Creates one in `folder`, of the major version `major` or a later one.
    pub(crate) async fn start(
        &self,
        folder: &Path,
        major: u32,
        cx: &Context,
    ) -> Result<RunningServer> {
        let given = self.programs.as_ref().map(|programs| programs.join("initdb"));
        let initdb = pg_dump::find(given.as_deref(), "initdb", major * 10_000).await;
        let initdb = initdb.map(|program| program.path).map_err(|error| {
            error.remedy_is(format!(
                "install it (`apt-get install postgresql-{major}`) or set its folder with \
                 `programs` in [backup.NAME.drill]"
            ))
        })?;
        let owner = self.owner()?;
        let home = folder.join("server");
        let fail = |e| Error::io("drill", format!("cannot make {}", home.display()), e);
        fs::create_dir(&home).map_err(fail)?;
        if let Some(owner) = &owner {
            check_way_to(folder, owner)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).map_err(fail)?;
            chown(&home, Some(owner.uid), Some(owner.gid)).map_err(fail)?;
        }
        let data = home.join("data");
        let mut making = command(&initdb, owner.as_ref());
        making.args(["-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C", "-D"]);
        let made = making.arg(&data).stdout(Stdio::null()).stderr(Stdio::piped()).output();
        let made = tokio::select! {
            made = made => made.map_err(|e| {
                Error::io("drill", format!("cannot start {}", initdb.display()), e)
            })?,
            () = cx.cancel().triggered() => return Err(Error::cancelled("drill")),
        };
        if !made.status.success() {
            let why = String::from_utf8_lossy(&made.stderr).trim().replace('\n', "; ");
            let message = format!("{} failed: {why}", initdb.display());
            return Err(Error::new(ErrorKind::Command, "drill", message));
        }
        RunningServer::start(&initdb.with_file_name("postgres"), &home, owner.as_ref(), cx).await
    }

    /// Its owner, if it cannot be ours.
    fn owner(&self) -> Result<Option<Owner>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let known = fs::read_to_string("/etc/passwd")
            .map_err(|e| Error::io("drill", "cannot read /etc/passwd", e))?;
        let wanted = self.user.as_deref();
        let names = wanted.map_or(vec!["postgres", "nobody"], |wanted| vec![wanted]);
        let found = names.iter().find_map(|name| Owner::find(&known, name));
        found.map(Some).ok_or_else(|| {
            let message = format!("there is no user {} on this machine", names.join(" or "));
            Error::new(ErrorKind::Unsupported, "drill", message)
                .remedy_is("set `user` in [backup.NAME.drill] to an existing one")
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Owner {
    name: String,
    uid: u32,
    gid: u32,
}

impl Owner {
    /// The user `name` in /etc/passwd; `None` for root.
    fn find(passwd: &str, name: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            let (&user, uid, gid) = (fields.first()?, fields.get(2)?, fields.get(3)?);
            let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
            (user == name && uid != 0).then(|| Self { name: name.to_owned(), uid, gid })
        })
    }
}

/// Fails if `owner` cannot enter a folder on the path to `folder`.
fn check_way_to(folder: &Path, owner: &Owner) -> Result<()> {
    for above in folder.ancestors().skip(1) {
        let mode = fs::metadata(above).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o001 == 0 && !above.as_os_str().is_empty() {
            let message = format!("the user {} cannot enter {}", owner.name, above.display());
            return Err(Error::new(ErrorKind::PermissionDenied, "drill", message)
                .remedy_is("set `limit.temp` to a folder below /var/tmp"));
        }
    }
    Ok(())
}

fn command(program: &Path, owner: Option<&Owner>) -> Command {
    let mut command = Command::new(program);
    // Only English messages are parsed, and our own folder may not be readable for its user.
    command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    if let Some(owner) = owner {
        command.uid(owner.uid).gid(owner.gid);
    }
    command
}

/// A running temporary server. It is stopped when this is dropped, and when this process ends.
#[derive(Debug)]
pub(crate) struct RunningServer {
    home: PathBuf,
    owner: Option<(u32, u32)>,
    /// A separate folder for the socket, if the path of the other one is too long.
    _sockets: Option<tempfile::TempDir>,
    options: ConnectOptions,
    keeper: Child,
}

impl RunningServer {
    async fn start(
        postgres: &Path,
        home: &Path,
        owner: Option<&Owner>,
        cx: &Context,
    ) -> Result<Self> {
        let fail = |e| Error::io("drill", "cannot make a folder for the server's socket", e);
        let mut sockets = None;
        let mut at = home.to_owned();
        if at.as_os_str().len() > LONGEST_FOLDER {
            let folder = tempfile::Builder::new().prefix("seaworthy-").tempdir().map_err(fail)?;
            if let Some(owner) = owner {
                chown(folder.path(), Some(owner.uid), Some(owner.gid)).map_err(fail)?;
            }
            at = folder.path().to_owned();
            sockets = Some(folder);
        }
        let log = home.join("log");
        let mut keeper = command(Path::new("/bin/sh"), owner);
        // The server must stop first: dropping its input stops it.
        keeper.args(["-c", KEEPER, "sh"]).stdin(Stdio::piped()).kill_on_drop(false);
        keeper.arg(postgres).arg(home.join("data")).arg(&at).arg(&log);
        let keeper = keeper.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let keeper = keeper.map_err(|e| Error::io("drill", "cannot start the server", e))?;
        let url = format!(
            "host={} port=5432 user=postgres dbname=postgres",
            conninfo_value(&at.to_string_lossy())
        );
        let options = ConnectOptions::parse(&url, &Environment::new())?;
        let owner = owner.map(|owner| (owner.uid, owner.gid));
        let server = Self { home: home.to_owned(), owner, _sockets: sockets, options, keeper };
        let waited = tokio::select! {
            waited = tokio::time::timeout(START_LIMIT, server.answers()) => waited,
            () = cx.cancel().triggered() => {
                server.stop().await;
                return Err(Error::cancelled("drill"));
            }
        };
        if waited.is_ok() {
            return Ok(server);
        }
        let log = fs::read_to_string(&log).unwrap_or_default();
        server.stop().await;
        let last = log.lines().last().unwrap_or("it produced no output").to_owned();
        let message = format!("the temporary server did not start: {last}");
        Err(Error::new(ErrorKind::Unavailable, "drill", message))
    }

    async fn answers(&self) {
        while Session::open(&self.options, "drill").await.is_err() {
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// The options to connect to it as a superuser.
    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// Creates a superuser role.
    pub(crate) async fn make_role(&self, name: &str) -> Result<()> {
        let session = Session::open(&self.options, "drill").await?;
        let sql = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
        if !session.row(sql, &[&name]).await?.get::<_, bool>(0) {
            session.run(&format!("CREATE ROLE {} SUPERUSER LOGIN", quote(name))).await?;
        }
        session.close().await;
        Ok(())
    }

    /// Creates a tablespace, in a folder next to the server's data.
    pub(crate) async fn make_tablespace(&self, name: &str) -> Result<()> {
        let used = fs::read_dir(&self.home).map_or(0, Iterator::count);
        let folder = self.home.join(format!("tablespace-{used}"));
        let fail = |e| Error::io("drill", format!("cannot make {}", folder.display()), e);
        fs::create_dir(&folder).map_err(fail)?;
        if let Some((uid, gid)) = self.owner {
            chown(&folder, Some(uid), Some(gid)).map_err(fail)?;
        }
        let session = Session::open(&self.options, "drill").await?;
        let location = literal(&folder.to_string_lossy());
        session.run(&format!("CREATE TABLESPACE {} LOCATION {location}", quote(name))).await?;
        session.close().await;
        Ok(())
    }

    /// Stops it and waits until it has stopped.
    pub(crate) async fn stop(mut self) {
        drop(self.keeper.stdin.take());
        // In the worst case its folder cannot be removed, which is reported.
        let _ = self.keeper.wait().await;
    }
}

/// A value quoted for `keyword = value` pairs.
fn conninfo_value(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_and_root_is_not() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104::/var/lib:/bin/sh\n";
        let found = Owner::find(passwd, "postgres").unwrap();
        assert_eq!((found.uid, found.gid), (101, 104));
        assert_eq!(Owner::find(passwd, "root"), None);
        assert_eq!(Owner::find(passwd, "nobody"), None);
    }
}
