//! Modules from packages: nginx itself does not list them, its main file loads them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::NginxInstaller;
use crate::syntax::parse;

/// Where packages put the lines that load modules, relative to nginx's folder.
const ENABLED: &str = "modules-enabled";

impl NginxInstaller {
    /// The files of the modules that are loaded.
    pub(super) fn loaded_modules(&self) -> Vec<String> {
        let enabled = self.root.join(ENABLED);
        if self.own_root {
            return loaded_in_folder(&enabled);
        }
        let main = fs::read_to_string(self.main_file()).unwrap_or_default();
        let mut modules = Vec::new();
        for directive in parse(&main).unwrap_or_default() {
            match (directive.name(), directive.arguments()) {
                ("load_module", [file]) => modules.push(file.clone()),
                ("include", [path]) => {
                    let path = self.root.join(path);
                    // All files of a folder, or one of them.
                    if path.ends_with("*.conf") {
                        modules.extend(loaded_in_folder(path.parent().unwrap_or(&enabled)));
                    } else {
                        modules.extend(loaded_in(&path));
                    }
                }
                _ => {}
            }
        }
        modules
    }
}

fn loaded_in_folder(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
    files.sort();
    files.iter().flat_map(|path| loaded_in(path)).collect()
}

/// A file that cannot be read loads no module that we can rely on.
fn loaded_in(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let directives = parse(&text).unwrap_or_default().into_iter();
    let loads = directives.filter(|directive| directive.name() == "load_module");
    loads.filter_map(|directive| directive.arguments().first().cloned()).collect()
}
