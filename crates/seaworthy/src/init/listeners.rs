//! Which programs listen on which ports, from `/proc`.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::Found;

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Listener {
    /// Where.
    pub address: SocketAddr,
    /// Its process, if that is readable.
    pub process: Option<Process>,
}

/// A running program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Process {
    /// Its process id.
    pub id: u32,
    /// Its name in the kernel.
    pub name: String,
    /// Its command line up to the first option: the rest may be secret.
    pub command: Vec<String>,
    /// Whether there was more.
    pub cut: bool,
    /// Its working directory.
    pub directory: Option<PathBuf>,
    /// The user that it runs as.
    pub user: Option<String>,
}

/// Programs that the system starts.
const KNOWN: &[&str] = &[
    "nginx",
    "sshd",
    "postgres",
    "mysqld",
    "mariadbd",
    "redis-server",
    "systemd",
    "systemd-resolve",
    "docker-proxy",
    "containerd",
    "dockerd",
    "named",
    "master",
    "exim4",
    "cupsd",
    "apache2",
    "memcached",
    "chronyd",
    "rpcbind",
    "dnsmasq",
    "seaworthy",
    "prometheus",
];

impl Found {
    /// The programs that could become services: a name, a port and the process.
    pub(super) fn programs(&self) -> impl Iterator<Item = (String, u16, &Process)> {
        let mut seen = std::collections::BTreeSet::new();
        self.listeners.iter().filter_map(move |listener| {
            let process = listener.process.as_ref()?;
            let foreign = KNOWN.contains(&process.name.as_str()) || process.name.starts_with("PM2");
            let port = listener.address.port();
            (!foreign && seen.insert(port)).then(|| (process.name.clone(), port, process))
        })
    }
}

/// All listening sockets, by port.
pub(super) fn read(root: &Path) -> Vec<Listener> {
    let proc = root.join("proc");
    let owners = owners(&proc, &users(root));
    let mut all = Vec::new();
    for file in ["net/tcp", "net/tcp6"] {
        let text = fs::read_to_string(proc.join(file)).unwrap_or_default();
        for line in text.lines().skip(1) {
            let Some((address, inode)) = listening(line) else { continue };
            all.push(Listener { address, process: owners.get(&inode).cloned() });
        }
    }
    all.sort_by_key(|listener| (listener.address.port(), listener.address.ip()));
    all.dedup_by_key(|listener| listener.address);
    all
}

/// The address and the inode in a line of /proc/net/tcp, if it is listening.
fn listening(line: &str) -> Option<(SocketAddr, u64)> {
    const LISTEN: &str = "0A";
    let fields: Vec<_> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    if *state != LISTEN {
        return None;
    }
    let (ip, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // Each group of four bytes is in the machine's byte order.
    let groups: Vec<[u8; 4]> = (0..ip.len() / 8)
        .map(|i| Some(u32::from_str_radix(ip.get(i * 8..i * 8 + 8)?, 16).ok()?.to_ne_bytes()))
        .collect::<Option<_>>()?;
    let ip: IpAddr = match groups.as_slice() {
        [four] => Ipv4Addr::from(*four).into(),
        [..] if groups.len() == 4 => {
            Ipv6Addr::from(<[u8; 16]>::try_from(groups.concat()).ok()?).to_canonical()
        }
        _ => return None,
    };
    Some((SocketAddr::new(ip, port), inode.parse().ok()?))
}

/// The processes of these sockets, by inode.
fn owners(proc: &Path, users: &BTreeMap<u32, String>) -> BTreeMap<u64, Process> {
    let mut all = BTreeMap::new();
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    for entry in entries {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let folder = entry.path();
        let mut process = None;
        for descriptor in fs::read_dir(folder.join("fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            let target = target.to_string_lossy();
            let inode = target.strip_prefix("socket:[").and_then(|t| t.strip_suffix(']'));
            let Some(inode) = inode.and_then(|inode| inode.parse::<u64>().ok()) else { continue };
            let process = process.get_or_insert_with(|| read_process(id, &folder, users));
            // The first one is the parent of those that share it.
            all.entry(inode).or_insert_with(|| process.clone());
        }
    }
    all
}

fn read_process(id: u32, folder: &Path, users: &BTreeMap<u32, String>) -> Process {
    let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let line = text("cmdline");
    let words: Vec<_> = line.split('\0').filter(|word| !word.is_empty()).collect();
    let plain = |word: &&&str| {
        !word.starts_with('-')
            && !word.contains('=')
            && !word.contains("://")
            && !word.contains('@')
    };
    let command: Vec<_> = words.iter().take_while(plain).map(ToString::to_string).collect();
    let owner = fs::metadata(folder).ok().map(|metadata| metadata.uid());
    Process {
        id,
        name: text("comm").trim().to_owned(),
        cut: command.len() < words.len(),
        command,
        directory: fs::read_link(folder.join("cwd")).ok(),
        user: owner.and_then(|uid| users.get(&uid).cloned()),
    }
}

/// The names of users.
fn users(root: &Path) -> BTreeMap<u32, String> {
    let text = fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let users = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
        Some((uid.parse().ok()?, name.to_owned()))
    });
    users.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let four = "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0";
        let (address, inode) = listening(four).unwrap();
        assert_eq!((address.to_string().as_str(), inode), ("127.0.0.1:3000", 4242));
        let six = "   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 7 1 0";
        assert_eq!(listening(six).unwrap().0.to_string(), "[::]:80");
        // A connection, and nonsense.
        assert_eq!(listening(&four.replace(" 0A ", " 01 ")), None);
        assert_eq!(listening("  sl  local_address rem_address   st"), None);
    }

    #[test]
    fn this_process_is_found_and_its_options_are_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let all = read(Path::new("/"));
        let ours = all.iter().find(|l| l.address.port() == port).unwrap();
        let process = ours.process.as_ref().unwrap();
        assert_eq!(process.id, std::process::id());
        assert!(process.command.iter().all(|word| !word.starts_with('-')), "{process:?}");
        assert!(
            !process.command.is_empty() && process.directory.is_some() && process.user.is_some()
        );
    }
}
