//! What a service may not do: everything that it does not need.

use seaworthy_core::Origin;

use super::syntax::Entry;
use crate::model::{Line, Relax, Runner};

/// The protections of a service, except those that it removes with a reason.
pub(super) fn of_service(relax: &Relax, root: bool, origin: &Origin) -> Vec<Entry> {
    let origin = origin.field("relax");
    let mut guard = Guard { entries: Vec::new(), origin };
    guard.set("UMask", "0077");
    guard.capabilities(relax);
    guard.unless("NoNewPrivileges", "yes", &[("privileges", &relax.privileges)], None);
    guard.unless("ProtectSystem", "strict", &[("file-system", &relax.file_system)], Some("full"));
    match (&relax.home, &relax.home_read_only) {
        (Some(_), _) => guard.unless("ProtectHome", "yes", &[("home", &relax.home)], Some("no")),
        (None, other) => {
            let lesser = Some("read-only");
            guard.unless("ProtectHome", "yes", &[("home-read-only", other)], lesser);
        }
    }
    guard.unless("PrivateTmp", "yes", &[("tmp", &relax.tmp)], Some("no"));
    guard.unless("PrivateDevices", "yes", &[("devices", &relax.devices)], Some("no"));
    guard.unless("DevicePolicy", "closed", &[("devices", &relax.devices)], Some("auto"));
    if !root {
        // In a private user namespace it cannot become another user, nor use a low port of the
        // machine.
        let reasons = [
            ("users", &relax.users),
            ("privileges", &relax.privileges),
            ("low-ports", &relax.low_ports),
        ];
        guard.unless("PrivateUsers", "yes", &reasons, Some("no"));
    }
    for key in [
        "ProtectClock",
        "ProtectHostname",
        "ProtectKernelTunables",
        "ProtectKernelModules",
        "ProtectKernelLogs",
        "ProtectControlGroups",
    ] {
        guard.set(key, "yes");
    }
    guard.unless("ProtectProc", "invisible", &[("proc", &relax.proc)], Some("default"));
    guard.unless("ProcSubset", "pid", &[("proc", &relax.proc)], Some("all"));
    let families = [("netlink", &relax.netlink)];
    let more = "AF_UNIX AF_INET AF_INET6 AF_NETLINK";
    guard.unless("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6", &families, Some(more));
    guard.unless("RestrictNamespaces", "yes", &[("namespaces", &relax.namespaces)], Some("no"));
    guard.set("RestrictRealtime", "yes");
    guard.set("RestrictSUIDSGID", "yes");
    guard.set("LockPersonality", "yes");
    guard.set("RemoveIPC", "yes");
    guard.set("KeyringMode", "private");
    guard.set("SystemCallArchitectures", "native");
    guard.set("SystemCallFilter", "@system-service");
    let calls = match (&relax.privileges, &relax.resources) {
        (None, None) => Some("~@privileged @resources"),
        (None, Some(_)) => Some("~@privileged"),
        (Some(_), None) => Some("~@resources"),
        (Some(_), Some(_)) => None,
    };
    if let Some(calls) = calls {
        let reasons = [("privileges", &relax.privileges), ("resources", &relax.resources)];
        guard.unless("SystemCallFilter", "~@privileged @resources", &reasons, Some(calls));
    }
    guard.set("SystemCallErrorNumber", "EPERM");
    guard.entries
}

/// The protections of the job that runs what is due. It runs as root, because it reads what all
/// users own and makes other services read new files: each relaxed protection has its reason.
pub(super) fn of_runner(runner: &Runner, root: &Origin) -> Vec<Entry> {
    let mut guard = Guard { entries: Vec::new(), origin: root.clone() };
    if runner.low_ports {
        guard.with(
            "CapabilityBoundingSet",
            "CAP_NET_BIND_SERVICE",
            "Certificates are asked for whose challenges are answered on ports 80 and 443.",
        );
    }
    guard.with(
        "CapabilityBoundingSet",
        "CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_FOWNER CAP_CHOWN CAP_KILL CAP_SETUID CAP_SETGID",
        "Backups read the files of all users and restore drills give them back to their owners; \
         keys get the owner that reads them; web servers are sent a signal to read new files; \
         database programs are run as their own user.",
    );
    guard.with("ProtectHome", "read-only", "Folders below /home are backed up too.");
    guard.with(
        "RestrictAddressFamilies",
        "AF_UNIX AF_INET AF_INET6",
        "Stores, certificate authorities and databases are reached over the network; \
         AF_UNIX leads to systemd and to local databases.",
    );
    guard.of_ours();
    guard.with(
        "SystemCallFilter",
        "~@resources",
        "@privileged stays: files are given owners, and commands are run as other users.",
    );
    guard.set("SystemCallErrorNumber", "EPERM");
    guard.entries
}

/// The protections of the job that restarts a service.
pub(super) fn of_restart(root: &Origin) -> Vec<Entry> {
    let mut guard = Guard { entries: Vec::new(), origin: root.clone() };
    guard.set("CapabilityBoundingSet", "");
    guard.set("ProtectHome", "yes");
    guard.with(
        "RestrictAddressFamilies",
        "AF_UNIX AF_INET AF_INET6",
        "AF_UNIX leads to systemd; the instances are asked for their health over the network.",
    );
    guard.of_ours();
    guard.set("SystemCallFilter", "~@privileged @resources");
    guard.set("SystemCallErrorNumber", "EPERM");
    guard.entries
}

struct Guard {
    entries: Vec<Entry>,
    origin: Origin,
}

impl Guard {
    fn set(&mut self, key: &'static str, value: &'static str) {
        self.entries.push(Entry::new(key, value));
    }

    /// The settings of all our own jobs.
    fn of_ours(&mut self) {
        self.set("UMask", "0077");
        self.set("ProtectSystem", "strict");
        self.set("DevicePolicy", "closed");
        for key in [
            "NoNewPrivileges",
            "PrivateTmp",
            "PrivateDevices",
            "ProtectClock",
            "ProtectHostname",
            "ProtectKernelTunables",
            "ProtectKernelModules",
            "ProtectKernelLogs",
            "ProtectControlGroups",
            "RestrictNamespaces",
            "RestrictRealtime",
            "RestrictSUIDSGID",
            "LockPersonality",
        ] {
            self.set(key, "yes");
        }
        self.set("KeyringMode", "private");
        self.set("SystemCallArchitectures", "native");
        self.set("SystemCallFilter", "@system-service");
    }

    fn with(&mut self, key: &'static str, value: &'static str, reason: &'static str) {
        self.entries.push(Entry::new(key, value).because(reason));
    }

    /// Sets `value`, or `lesser` with the first given reason.
    fn unless(
        &mut self,
        key: &'static str,
        value: &'static str,
        reasons: &[(&str, &Option<Line>)],
        lesser: Option<&'static str>,
    ) {
        let given = reasons.iter().find_map(|(name, reason)| Some((name, reason.as_ref()?)));
        let entry = match given {
            None => Entry::new(key, value),
            Some((name, reason)) => {
                let value = lesser.unwrap_or("no");
                Entry::new(key, value).because(reason.to_string()).of(self.origin.field(name))
            }
        };
        self.entries.push(entry);
    }

    fn capabilities(&mut self, relax: &Relax) {
        let low = relax.low_ports.as_ref();
        let become_other = relax.privileges.as_ref();
        let mut names = Vec::new();
        let mut reasons = Vec::new();
        if let Some(reason) = low {
            names.push("CAP_NET_BIND_SERVICE");
            reasons.push(reason.as_str());
        }
        if let Some(reason) = become_other {
            names.extend([
                "CAP_SETUID",
                "CAP_SETGID",
                "CAP_CHOWN",
                "CAP_FOWNER",
                "CAP_DAC_OVERRIDE",
            ]);
            reasons.push(reason.as_str());
        }
        for key in ["CapabilityBoundingSet", "AmbientCapabilities"] {
            let entry = Entry::new(key, names.join(" "));
            self.entries.push(if reasons.is_empty() {
                entry
            } else {
                entry.because(reasons.join("; ")).of(self.origin.clone())
            });
        }
    }
}
