//! Connection settings as libpq users expect them, for our own connections and for the programs
//! that we start.

use std::{
    collections::BTreeMap,
    fmt, fs,
    net::IpAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use seaworthy_core::{Error, ErrorKind, Result, Secret};
use tokio_postgres::config::{ChannelBinding, TargetSessionAttrs};

use super::{
    channel::{self, Channel, Place},
    conninfo::{self, Keywords},
    tls::{self, SslMode},
};

/// The default of `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// libpq's environment variables, and the keyword of each.
const VARIABLES: [(&str, &str); 19] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSERVICE", "service"),
    ("PGOPTIONS", "options"),
    ("PGAPPNAME", "application_name"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGKRBSRVNAME", "krbsrvname"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
];

/// Variables that would change what a program of ours connects to, or its output.
const FOREIGN_VARIABLES: [&str; 8] = [
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGCLIENTENCODING",
    "PGDATESTYLE",
    "PGTZ",
    "PGREQUIREAUTH",
    "PGREQUIRESSL",
    "PGLOADBALANCEHOSTS",
];

/// The environment that libpq would read. Only a frontend reads the real one; with an empty
/// environment a connection depends on its URL alone.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// An empty environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps libpq's variables, `HOME`, `USER` and `LOGNAME` of `variables`.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let wanted =
            |name: &str| name.starts_with("PG") || ["HOME", "USER", "LOGNAME"].contains(&name);
        Self(variables.into_iter().filter(|(name, _)| wanted(name)).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn home(&self, file: &str) -> Option<PathBuf> {
        Some(Path::new(self.get("HOME")?).join(file))
    }
}

/// Only names: a value may be a password.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// How a database is reached. Everything is resolved: service file, environment, password file.
#[derive(Clone)]
pub struct ConnectOptions {
    keywords: Keywords,
    password: Option<Secret>,
    ssl_mode: SslMode,
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectOptions").field(&self.to_string()).finish()
    }
}

/// Without the password: `host:port/database`.
impl fmt::Display for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.keyword("host"), self.keyword("port"), self.database())
    }
}

impl ConnectOptions {
    /// Reads a URL (`postgresql://…`) or `keyword = value` pairs; settings that are missing come
    /// from the service file, `environment` and the password file, as with libpq.
    ///
    /// Fails with [`ErrorKind::InvalidInput`] and never repeats the string, which may contain a
    /// password.
    pub fn parse(text: &str, environment: &Environment) -> Result<Self> {
        let mut keywords = conninfo::parse(text)?;
        fill_from_service(&mut keywords, environment)?;
        for (variable, keyword) in VARIABLES {
            if let Some(value) = environment.get(variable) {
                keywords.entry(keyword.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        let address = keywords.get("hostaddr").cloned();
        let mut default = |key: &str, value: &str| {
            keywords.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        };
        default("application_name", "seaworthy");
        default("port", "5432");
        let user = environment.get("USER").or(environment.get("LOGNAME"));
        default("user", user.unwrap_or("postgres"));
        let socket = "/var/run/postgresql";
        // An address is used as the host, if there is no host name.
        default(
            "host",
            match &address {
                Some(address) => address,
                None if Path::new(socket).is_dir() => socket,
                None => "localhost",
            },
        );
        for (key, file) in [
            ("sslrootcert", ".postgresql/root.crt"),
            ("sslcert", ".postgresql/postgresql.crt"),
            ("sslkey", ".postgresql/postgresql.key"),
        ] {
            if let Some(path) = environment.home(file).filter(|path| path.exists()) {
                let path = path.to_string_lossy().into_owned();
                keywords.entry(key.to_owned()).or_insert(path);
            }
        }
        let user = keywords["user"].clone();
        keywords.entry("dbname".to_owned()).or_insert(user);
        let ssl_mode = SslMode::parse(
            keywords.get("sslmode").map_or("prefer", String::as_str),
            keywords.contains_key("sslrootcert"),
        )?;
        let mut password = keywords.remove("password").map(Secret::new);
        if password.is_none() {
            password = from_password_file(&keywords, environment)?;
        }
        Ok(Self { keywords, password, ssl_mode })
    }

    /// Whether `text`, a URL or pairs, contains a password, so that a frontend can refuse it where
    /// others could read it.
    pub fn holds_password(text: &str) -> Result<bool> {
        Ok(conninfo::parse(text)?.contains_key("password"))
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        self.keyword("dbname")
    }

    /// The same server and user, but the database `name`.
    #[must_use]
    pub fn with_database(mut self, name: impl Into<String>) -> Self {
        self.keywords.insert("dbname".to_owned(), name.into());
        self
    }

    /// Sets the application name of our sessions.
    #[must_use]
    pub fn with_application_name(mut self, name: impl Into<String>) -> Self {
        self.keywords.insert("application_name".to_owned(), name.into());
        self
    }

    /// Uses `password`, whatever is set elsewhere.
    #[must_use]
    pub fn with_password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// The application name of our sessions. Default: `seaworthy`.
    pub fn application_name(&self) -> &str {
        self.keyword("application_name")
    }

    /// Whether the server runs on this machine.
    pub(crate) fn is_local(&self) -> bool {
        let host = self.keyword("host");
        host.starts_with('/') || ["localhost", "127.0.0.1", "::1"].contains(&host)
    }

    fn keyword(&self, name: &str) -> &str {
        self.keywords.get(name).map_or("", String::as_str)
    }

    /// The variables for a program that should connect to the same database; `None` removes one.
    pub(crate) fn child_environment(&self) -> Vec<(&'static str, Option<String>)> {
        let mut variables: Vec<_> = FOREIGN_VARIABLES.iter().map(|name| (*name, None)).collect();
        for (variable, keyword) in VARIABLES {
            // The result of these two is in the others.
            let resolved = ["service", "passfile"].contains(&keyword);
            let value = self.keywords.get(keyword).filter(|_| !resolved).cloned();
            variables.push((variable, value));
        }
        if let Some(password) = &self.password {
            variables.retain(|(name, _)| *name != "PGPASSWORD");
            variables.push(("PGPASSWORD", Some(password.expose().to_owned())));
        }
        variables
    }

    /// Opens a connection to the first host that can be reached and is of the requested kind.
    pub(crate) async fn open(&self, operation: &'static str) -> Result<Channel> {
        let tls = tls::connector(
            self.ssl_mode,
            self.keywords.get("sslrootcert").map(String::as_str),
            self.keywords.get("sslcert").zip(self.keywords.get("sslkey")),
        )?;
        let mut last = None;
        for place in self.places()? {
            match channel::open(&place, self.ssl_mode, &tls).await {
                Ok(channel) => return Ok(channel),
                Err(error) => last = Some(error),
            }
        }
        let user = self.keyword("user");
        let message = format!("cannot connect to {self} as {user}");
        Err(match last {
            Some(refusal) => refusal.explain(operation, message),
            None => Error::new(ErrorKind::InvalidInput, operation, message),
        })
    }

    /// How each host is reached, in their order.
    fn places(&self) -> Result<Vec<Place>> {
        let hosts: Vec<&str> = self.keyword("host").split(',').collect();
        let ports: Vec<&str> = self.keyword("port").split(',').collect();
        let addresses =
            self.keywords.get("hostaddr").map(|list| list.split(',').collect::<Vec<_>>());
        if ports.len() > 1 && ports.len() != hosts.len() {
            return Err(self.invalid("port"));
        }
        if addresses.as_ref().is_some_and(|addresses| addresses.len() != hosts.len()) {
            return Err(self.invalid("hostaddr"));
        }
        let place = |(n, host): (usize, &&str)| {
            let port = ports.get(n).or(ports.first()).and_then(|port| port.parse().ok());
            let port: u16 = port.ok_or_else(|| self.invalid("port"))?;
            let mut config = self.driver_config()?;
            config.host(*host).port(port);
            if let Some(address) = addresses.as_ref().and_then(|addresses| addresses.get(n)) {
                config.hostaddr(address.parse::<IpAddr>().map_err(|_| self.invalid("hostaddr"))?);
            }
            let socket =
                host.starts_with('/').then(|| Path::new(host).join(format!(".s.PGSQL.{port}")));
            Ok(Place { config, socket })
        };
        hosts.iter().enumerate().map(place).collect()
    }

    fn invalid(&self, keyword: &str) -> Error {
        let message = format!("{} is not a value for {keyword}", self.keyword(keyword));
        Error::new(ErrorKind::InvalidInput, "postgres.url", message)
    }

    /// Everything except the host.
    fn driver_config(&self) -> Result<tokio_postgres::Config> {
        let mut config = tokio_postgres::Config::new();
        config.user(self.keyword("user"));
        config.dbname(self.database());
        config.application_name(self.application_name());
        if let Some(password) = &self.password {
            config.password(password.expose());
        }
        if let Some(options) = self.keywords.get("options") {
            config.options(options.as_str());
        }
        let timeout = match self.keywords.get("connect_timeout") {
            None => Some(CONNECT_TIMEOUT),
            Some(text) => {
                let seconds: i64 = text.parse().map_err(|_| self.invalid("connect_timeout"))?;
                u64::try_from(seconds).ok().filter(|n| *n > 0).map(Duration::from_secs)
            }
        };
        if let Some(timeout) = timeout {
            config.connect_timeout(timeout);
        }
        config.target_session_attrs(match self.keyword("target_session_attrs") {
            "" | "any" => TargetSessionAttrs::Any,
            "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
            "read-only" | "standby" => TargetSessionAttrs::ReadOnly,
            "prefer-standby" => TargetSessionAttrs::Any,
            _ => return Err(self.invalid("target_session_attrs")),
        });
        config.channel_binding(match self.keyword("channel_binding") {
            "" | "prefer" => ChannelBinding::Prefer,
            "disable" => ChannelBinding::Disable,
            "require" => ChannelBinding::Require,
            _ => return Err(self.invalid("channel_binding")),
        });
        Ok(config)
    }
}

fn fill_from_service(keywords: &mut Keywords, environment: &Environment) -> Result<()> {
    let named = keywords.remove("service");
    let Some(name) = named.or_else(|| environment.get("PGSERVICE").map(str::to_owned)) else {
        return Ok(());
    };
    let own = match environment.get("PGSERVICEFILE") {
        Some(path) => Some(PathBuf::from(path)),
        None => environment.home(".pg_service.conf"),
    };
    let system = environment.get("PGSYSCONFDIR").unwrap_or("/etc/postgresql-common");
    let files = [own, Some(Path::new(system).join("pg_service.conf"))];
    for path in files.into_iter().flatten() {
        let Ok(text) = fs::read_to_string(path) else { continue };
        if let Some(service) = conninfo::service(&text, &name) {
            for (key, value) in service {
                keywords.entry(key).or_insert(value);
            }
            return Ok(());
        }
    }
    let message = format!("no service file defines the service {name}");
    Err(Error::new(ErrorKind::InvalidInput, "postgres.url", message)
        .remedy_is("define it in ~/.pg_service.conf, or set PGSERVICEFILE to its file"))
}

fn from_password_file(keywords: &Keywords, environment: &Environment) -> Result<Option<Secret>> {
    let path = match keywords.get("passfile") {
        Some(path) => Some(PathBuf::from(path)),
        None => environment.home(".pgpass"),
    };
    let Some(path) = path else { return Ok(None) };
    let Ok(metadata) = fs::metadata(&path) else { return Ok(None) };
    let text = fs::read_to_string(&path).map_err(|e| {
        Error::io("postgres.url", format!("cannot read the password file {}", path.display()), e)
    })?;
    let get = |key: &str| keywords.get(key).map_or("", String::as_str);
    let host = match get("host") {
        "/var/run/postgresql" | "/tmp" => "localhost",
        host => host,
    };
    let found = conninfo::password(&text, host, get("port"), get("dbname"), get("user"));
    // libpq ignores such a file; that it would have been needed is worth an error.
    if found.is_some() && metadata.mode() & 0o077 != 0 {
        let message = format!("the password file {} can be read by others", path.display());
        return Err(Error::new(ErrorKind::InvalidInput, "postgres.url", message)
            .remedy_is(format!("chmod 0600 {}", path.display())));
    }
    Ok(found.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_variables(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())))
    }

    #[test]
    fn what_the_url_leaves_open_comes_from_elsewhere_and_nothing_shows_the_password() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::write(at(".pg_service.conf"), "[prod]\nhost=db\nport=6000\nuser=svc\n").unwrap();
        fs::write(at(".pgpass"), "db:6000:app:svc:hunter2\n").unwrap();
        fs::set_permissions(at(".pgpass"), fs::Permissions::from_mode(0o600)).unwrap();
        let home = home.path().to_str().unwrap();
        let env = environment(&[("HOME", home), ("PGUSER", "other"), ("PGDATABASE", "app")]);
        let options = ConnectOptions::parse("service=prod", &env).unwrap();
        assert_eq!(options.to_string(), "db:6000/app");
        assert_eq!(options.keyword("user"), "svc");
        assert_eq!(options.password.as_ref().unwrap().expose(), "hunter2");
        assert!(!format!("{options:?}").contains("hunter2"));
        let child = options.child_environment();
        assert!(child.contains(&("PGPASSWORD", Some("hunter2".into()))));
        assert!(child.contains(&("PGSERVICE", None)));
        assert!(ConnectOptions::parse("service=none", &env).is_err());

        fs::set_permissions(at(".pgpass"), fs::Permissions::from_mode(0o644)).unwrap();
        let error = ConnectOptions::parse("service=prod", &env).unwrap_err();
        assert!(error.remedy().unwrap().contains("chmod 0600"));
    }

    #[test]
    fn an_address_without_a_name_is_not_taken_for_the_local_socket() {
        let env = environment(&[("PGHOSTADDR", "192.0.2.7")]);
        let options = ConnectOptions::parse("dbname=app", &env).unwrap();
        assert_eq!(options.to_string(), "192.0.2.7:5432/app");
        let [place] = &options.places().unwrap()[..] else { panic!("one host") };
        assert_eq!(place.socket, None);
        let named = ConnectOptions::parse("host=db hostaddr=192.0.2.7", &env).unwrap();
        assert_eq!(named.to_string(), "db:5432/postgres");
    }

    #[test]
    fn the_database_is_named_like_the_user_by_default() {
        let env = environment(&[("USER", "me")]);
        let options = ConnectOptions::parse("postgresql://h/", &env).unwrap();
        assert_eq!(options.to_string(), "h:5432/me");
        assert!(ConnectOptions::parse("host=h sslmode=verify", &env).is_err());
        assert!(ConnectOptions::holds_password("postgresql://me:x@h/d").unwrap());
        assert!(!ConnectOptions::holds_password("postgresql://me@h/d").unwrap());
    }
}
