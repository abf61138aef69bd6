//! A command's standard output as a kind of source.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{
    CommandLine, Context, Environment, Error, ErrorKind, Name, Result, Secret, Section,
};

use super::{CommandConfig, CommandSource, EnvironmentValue};
use crate::{
    format::SnapshotKind,
    paths::resolve,
    sources::{OpenedSource, Place, PlacedTarget, SourceKind},
};

#[async_trait]
impl SourceKind for CommandConfig {
    fn resolve(&mut self, base: &Path) {
        self.directory.iter_mut().for_each(|path| resolve(path, base));
    }

    fn check(&self, _: &[&Name], section: &mut Section) {
        if let Err(error) = CommandSource::new(self.command.clone(), self.output_name()) {
            section.error(&["name"], &error);
        }
    }

    fn programs(&self) -> Vec<&CommandLine> {
        vec![&self.command]
    }

    async fn expand(
        &self,
        name: &Name,
        _: SnapshotKind,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Vec<OpenedSource>> {
        let mut source = CommandSource::new(self.command.clone(), self.output_name())?;
        if let Some(directory) = &self.directory {
            source = source.directory(directory);
        }
        if let Some(limit) = &self.timeout {
            source = source.time_limit(limit.as_duration());
        }
        for (name, value) in &self.environment {
            let value = match value {
                EnvironmentValue::Secret(secret) => environment.secret(secret, cx).await?,
                EnvironmentValue::Plain(text) => Secret::new(text),
            };
            source = source.environment(name, value);
        }
        Ok(vec![OpenedSource::new(name.clone(), Arc::new(source), Place::default())])
    }

    async fn in_place(
        &self,
        _: Option<&str>,
        _: &str,
        _: &Environment,
        _: &Context,
    ) -> Result<PlacedTarget> {
        let message = "nothing says where a command's output belongs";
        Err(Error::new(ErrorKind::InvalidInput, "restore.choose", message)
            .remedy_with("restore it `to` a folder", &["to"]))
    }
}
