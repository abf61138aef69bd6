//! Properties of this machine: its identity, and where its state is.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use seaworthy_backup::HostId;
use seaworthy_core::{Error, ErrorKind, Result, durable};

/// The environment variables for the state folder, as read by a frontend.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateVariables<'a> {
    /// `STATE_DIRECTORY`, which systemd sets.
    pub state_directory: Option<&'a OsStr>,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<&'a OsStr>,
    /// `HOME`.
    pub home: Option<&'a OsStr>,
}

/// The default state folder: that of systemd, else `/var/lib/seaworthy` for root, else `seaworthy`
/// below the user's state folder.
///
/// # Errors
/// [`ErrorKind::Config`] for a user without a home.
pub fn default_state_folder(variables: StateVariables<'_>) -> Result<PathBuf> {
    let is_root = rustix::process::geteuid().is_root();
    state_folder_for(is_root, variables).ok_or_else(|| {
        let message = "there is no place for state: neither XDG_STATE_HOME nor HOME is set";
        Error::new(ErrorKind::Config, "state.find", message)
            .remedy_is("set `state` in the file to a folder")
    })
}

fn state_folder_for(is_root: bool, variables: StateVariables<'_>) -> Option<PathBuf> {
    // A relative path in such a variable is invalid and ignored, as in their specification.
    let absolute = |path: Option<&OsStr>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    let systemd = variables.state_directory.map(OsStr::as_encoded_bytes).and_then(|folders| {
        use std::os::unix::ffi::OsStrExt as _;
        // Several are separated by colons; the first is ours.
        folders.split(|byte| *byte == b':').next().map(OsStr::from_bytes)
    });
    if let Some(folder) = absolute(systemd) {
        return Some(folder);
    }
    if is_root {
        return Some("/var/lib/seaworthy".into());
    }
    absolute(variables.xdg_state_home)
        .or_else(|| Some(absolute(variables.home)?.join(".local/state")))
        .map(|folder| folder.join("seaworthy"))
}

/// The host name of this machine; `None` if unknown.
pub(crate) fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty() && name != "(none)").then(|| name.to_owned())
}

/// `path`, or the nearest folder above it that exists.
pub(crate) fn nearest_that_exists(path: &Path) -> &Path {
    // The folder of a relative path is the current one.
    let named = |path: &&Path| !path.as_os_str().is_empty() && path.exists();
    let last = Path::new(if path.is_absolute() { "/" } else { "." });
    path.ancestors().find(named).unwrap_or(last)
}

/// The space on a disk, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// The free space for us.
    pub(crate) free: u64,
    /// The total space.
    pub(crate) total: u64,
}

/// The space on the disk of `path`, which may not exist yet.
pub(crate) fn room(path: &Path) -> Result<Room> {
    let told = rustix::fs::statvfs(nearest_that_exists(path)).map_err(|e| {
        Error::io(
            "disk",
            format!("cannot read the free space on the disk of {}", path.display()),
            e.into(),
        )
    })?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Ok(Room { free: bytes(told.f_bavail), total: bytes(told.f_blocks) })
}

/// How many processors we can use.
pub(crate) fn processors() -> u16 {
    std::thread::available_parallelism()
        .map_or(1, |processors| u16::try_from(processors.get()).unwrap_or(u16::MAX))
}

/// The identity of this machine: its machine-id(5), or, if it has none, a random one that is stored
/// in `state`.
pub fn host_id(state: &Path) -> Result<HostId> {
    host_id_from(Path::new("/etc/machine-id"), state)
}

fn host_id_from(machine_id: &Path, state: &Path) -> Result<HostId> {
    let is_id = |text: &str| text.len() == 32 && text.bytes().all(|c| c.is_ascii_hexdigit());
    if let Some(id) = fs::read_to_string(machine_id).ok().filter(|text| is_id(text.trim())) {
        return Ok(HostId::from_machine_id(id.trim()));
    }
    let kept = state.join("machine-id");
    match fs::read_to_string(&kept) {
        Ok(id) if is_id(id.trim()) => return Ok(HostId::from_machine_id(id.trim())),
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("host.read", format!("cannot read {}", kept.display()), e));
        }
        _ => {}
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|source| {
        let message = "the operating system gives no random numbers";
        Error::new(ErrorKind::Io, "host.make", message).caused_by(source)
    })?;
    let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    durable::create_private_folder(state)?;
    durable::write_file(&kept, format!("{id}\n").as_bytes(), 0o600)?;
    Ok(HostId::from_machine_id(&id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_lies_where_the_first_that_speaks_says() {
        let all = StateVariables {
            state_directory: Some(OsStr::new("/run/a:/run/b")),
            xdg_state_home: Some(OsStr::new("/x")),
            home: Some(OsStr::new("/home/u")),
        };
        let place = |root, variables| state_folder_for(root, variables);
        assert_eq!(place(true, all), Some("/run/a".into()));
        let all = StateVariables { state_directory: None, ..all };
        assert_eq!(place(true, all), Some("/var/lib/seaworthy".into()));
        assert_eq!(place(false, all), Some("/x/seaworthy".into()));
        let all = StateVariables { xdg_state_home: Some(OsStr::new("relative")), ..all };
        assert_eq!(place(false, all), Some("/home/u/.local/state/seaworthy".into()));
        assert_eq!(place(false, StateVariables::default()), None);
    }

    #[test]
    fn a_machine_without_an_id_gets_one_and_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let (etc, state) = (folder.path().join("machine-id"), folder.path().join("state"));
        let made = host_id_from(&etc, &state).unwrap();
        assert_eq!(host_id_from(&etc, &state).unwrap(), made);
        let id = "0123456789abcdef0123456789abcdef";
        fs::write(&etc, format!("{id}\n")).unwrap();
        assert_eq!(host_id_from(&etc, &state).unwrap(), HostId::from_machine_id(id));
    }
}
