//! What activating units would run.

use std::collections::BTreeSet;

use seaworthy_core::{FileSet, Result};

use super::{Running, SystemdInstaller};
use crate::systemd::Units;

impl SystemdInstaller {
    /// The commands that installing would run, in order. Touches nothing.
    pub fn commands(&self) -> Result<Vec<String>> {
        let (old, new) = (self.running()?.files, &self.files);
        if old.len() == new.len() && new.iter().all(|(path, _)| is_same(&old, new, path)) {
            return Ok(Vec::new());
        }
        let (before, after) = (Running::of(&old), Running::of(new));
        let mut all = vec!["systemd-analyze verify".to_owned()];
        let gone = before.installed.difference(&after.installed);
        let gone = gone.chain(before.processes.difference(&after.processes));
        let gone: BTreeSet<_> = gone.collect();
        all.extend(gone.into_iter().map(|unit| format!("systemctl stop {unit}")));
        all.push("systemctl daemon-reload".to_owned());
        for timer in after.installed.iter().filter(|unit| unit.ends_with(".timer")) {
            let verb = if is_same(&old, new, timer) { "start" } else { "restart" };
            all.push(format!("systemctl {verb} {timer}"));
        }
        for (name, service) in self.model.services.iter() {
            if self.model.control(name, &self.systemctl)?.lacks_release() {
                continue;
            }
            let units = Units::of(name, service, self.model.processors);
            let file = units.file();
            if old.get(&file).is_some() && !is_same(&old, new, &file) {
                let each = units.instances.iter();
                all.extend(each.map(|unit| format!("systemctl restart {unit}")));
            } else {
                all.push(format!("systemctl start {}", units.whole()));
            }
        }
        Ok(all)
    }
}

fn is_same(old: &FileSet, new: &FileSet, path: &str) -> bool {
    old.get(path).map(|file| &file.bytes) == new.get(path).map(|file| &file.bytes)
}
