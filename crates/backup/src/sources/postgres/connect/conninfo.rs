//! Connection strings, service files and password files, read as libpq reads them
//! (<https://www.postgresql.org/docs/current/libpq-connect.html>).

use std::collections::BTreeMap;

use seaworthy_core::{Error, ErrorKind, Result};

/// Keywords of a connection and their values, by libpq's names: `host`, `port`, ….
pub(crate) type Keywords = BTreeMap<String, String>;

/// Reads a URL (`postgresql://…`) or `keyword = value` pairs.
pub(crate) fn parse(text: &str) -> Result<Keywords> {
    let scheme = ["postgresql://", "postgres://"].iter().find_map(|s| text.strip_prefix(s));
    match scheme {
        Some(rest) => parse_url(rest),
        None if text.contains('=') => parse_pairs(text),
        None if text.trim().is_empty() => Ok(Keywords::new()),
        None => Ok(Keywords::from([("dbname".to_owned(), text.trim().to_owned())])),
    }
}

fn invalid(why: &str) -> Error {
    // The string is not repeated: it may contain a password.
    Error::new(ErrorKind::InvalidInput, "postgres.url", format!("the connection string {why}"))
        .remedy_is("write postgresql://user@host:5432/database, or host=… dbname=…")
}

fn parse_url(rest: &str) -> Result<Keywords> {
    let mut keywords = Keywords::new();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (user, hosts),
        None => ("", authority),
    };
    let (user, password) = user.split_once(':').map_or((user, None), |(u, p)| (u, Some(p)));
    let mut set = |key: &str, value: &str| -> Result<()> {
        let value = percent_decode(value)?;
        if !value.is_empty() {
            keywords.insert(key.to_owned(), value);
        }
        Ok(())
    };
    set("user", user)?;
    set("password", password.unwrap_or_default())?;
    set("dbname", database)?;
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = if let Some(rest) = host.strip_prefix('[') {
            let (name, port) = rest.split_once(']').ok_or_else(|| invalid("lacks a ]"))?;
            (name, port.strip_prefix(':').unwrap_or_default())
        } else {
            host.split_once(':').unwrap_or((host, ""))
        };
        names.push(name);
        ports.push(port);
    }
    set("host", &names.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        let ports: Vec<_> =
            ports.iter().map(|port| if port.is_empty() { "5432" } else { port }).collect();
        set("port", &ports.join(","))?;
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| invalid("lacks a = after ?"))?;
        let key = percent_decode(key)?;
        match (key.as_str(), value) {
            ("ssl", "true") => set("sslmode", "require")?,
            _ => {
                known(&key)?;
                set(&key, value)?;
            }
        }
    }
    Ok(keywords)
}

fn percent_decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or_else(|| invalid("has a % without two hexadecimal digits"))?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| invalid("is not UTF-8"))
}

fn parse_pairs(text: &str) -> Result<Keywords> {
    let mut keywords = Keywords::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(keywords);
        }
        let mut key = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next() != Some('=') {
            return Err(invalid("has a keyword without ="));
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => value.extend(chars.next()),
                Some('\'') if quoted => break,
                Some(c) if !quoted && c.is_whitespace() => break,
                Some(c) => value.push(c),
                None if quoted => return Err(invalid("has a quote that does not end")),
                None => break,
            }
        }
        known(&key)?;
        keywords.insert(key, value);
    }
}

/// What we support or pass on to `pg_dump`. An unknown word may be a misspelt `sslmode`.
const KNOWN: [&str; 29] = [
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "options",
    "passfile",
    "password",
    "port",
    "require_auth",
    "service",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

fn known(key: &str) -> Result<()> {
    if KNOWN.contains(&key) {
        return Ok(());
    }
    Err(invalid(&format!("has an unknown keyword `{key}`")))
}

/// The section `[service]` of a service file, if it has one.
pub(crate) fn service(file: &str, service: &str) -> Option<Keywords> {
    let mut found: Option<Keywords> = None;
    for line in file.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            found = (name == service).then(Keywords::new);
        } else if let (Some(found), Some((key, value))) = (&mut found, line.split_once('=')) {
            found.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    found
}

/// The password that the password file `file` has for a connection, if any.
pub(crate) fn password(
    file: &str,
    host: &str,
    port: &str,
    database: &str,
    user: &str,
) -> Option<String> {
    file.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line)?;
        let fits = |at: usize, value: &str| fields[at] == "*" || fields[at] == value;
        let fits = fits(0, host) && fits(1, port) && fits(2, database) && fits(3, user);
        fits.then(|| fields[4].clone())
    })
}

/// The five fields of a line: colons and backslashes within one are escaped.
fn fields(line: &str) -> Option<[String; 5]> {
    let mut fields: [String; 5] = Default::default();
    let (mut at, mut chars) = (0, line.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => fields[at].extend(chars.next()),
            ':' if at < 4 => at += 1,
            c => fields[at].push(c),
        }
    }
    (at == 4).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        assert_eq!(
            keywords("postgresql://me:p%40ss@db.example:5433/my%20db?sslmode=verify-full"),
            pairs(&[
                ("dbname", "my db"),
                ("host", "db.example"),
                ("password", "p@ss"),
                ("port", "5433"),
                ("sslmode", "verify-full"),
                ("user", "me")
            ])
        );
        assert_eq!(
            keywords("postgres://%2Frun%2Fpg/app"),
            pairs(&[("dbname", "app"), ("host", "/run/pg")])
        );
        assert_eq!(
            keywords("postgresql:///app?host=/tmp&port=5499"),
            pairs(&[("dbname", "app"), ("host", "/tmp"), ("port", "5499")])
        );
        assert_eq!(
            keywords("postgresql://[::1]:5433,b/app"),
            pairs(&[("dbname", "app"), ("host", "::1,b"), ("port", "5433,5432")])
        );
    }

    #[test]
    fn pairs_may_be_quoted() {
        assert_eq!(
            keywords(r"host = /tmp  dbname='it\'s \\ mine' user=me"),
            pairs(&[("dbname", r"it's \ mine"), ("host", "/tmp"), ("user", "me")])
        );
        assert_eq!(keywords("app"), pairs(&[("dbname", "app")]));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for wrong in [
            "postgresql://me:hunter2@h/d?sslmod=verify-full",
            "postgresql://me:hunter2%zz@h/d",
            "host=h password='hunter2",
            "host=h password=hunter2 nonsense",
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(!error.chain().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_service_file_and_a_password_file_are_read() {
        let file = "# mine\n[a]\nhost=x\n\n[b]\nhost = y\ndbname=z\n[c]\nhost=w\n";
        assert_eq!(
            service(file, "b").unwrap().into_iter().collect::<Vec<_>>(),
            pairs(&[("dbname", "z"), ("host", "y")])
        );
        assert_eq!(service(file, "d"), None);
        let file = "#x:*:*:*:no\nlocalhost:5432:*:me:a\\:b\n*:*:*:me:c\n";
        assert_eq!(password(file, "localhost", "5432", "db", "me").unwrap(), "a:b");
        assert_eq!(password(file, "other", "5432", "db", "me").unwrap(), "c");
        assert_eq!(password(file, "other", "5432", "db", "you"), None);
    }
}
