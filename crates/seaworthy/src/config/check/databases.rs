//! PostgreSQL sources of a job, and the questions of its drills.

use seaworthy_backup::{
    config::{JobConfig, SourceConfig},
    sources::postgres::PostgresGlobals,
};

use super::section;
use crate::database;

/// Takes where in the job's section something is wrong, what, and what to do.
type Say<'a> = dyn FnMut(&[&str], String, Option<String>) + 'a;

/// Says what is wrong in `job`, whose section is called `this`.
pub(super) fn check(job: &JobConfig, this: &str, problem: &mut Say<'_>) {
    let mut databases = Vec::new();
    for (name, source) in job.sources.iter() {
        let SourceConfig::Postgres(postgres) = source else {
            if matches!(source, SourceConfig::Sqlite(_)) {
                databases.push(name);
            }
            continue;
        };
        databases.push(name);
        for (key, message, remedy) in database::check(postgres) {
            let place = ["sources", name.as_str(), key];
            let place = if key.is_empty() { &place[..2] } else { &place[..] };
            let own = section(&["sources", name.as_str()]);
            problem(place, format!("{message} in {own} of {this}"), Some(remedy));
        }
        if postgres.globals == Some(false) {
            continue;
        }
        let globals = PostgresGlobals::name_beside(name);
        let taken = globals.as_ref().ok().filter(|name| job.sources.get(name.as_str()).is_some());
        if let Some(taken) = taken {
            let message = format!(
                "{this} has a source {taken}, which is what the roles of the server of {name} are \
                 stored as"
            );
            let remedy = format!("give it another name, or say `globals = false` for {name}");
            problem(&["sources", taken.as_str()], message, Some(remedy));
        } else if let Err(error) = globals {
            let remedy = "give the source a shorter name, or say `globals = false`";
            problem(&["sources", name.as_str()], error.to_string(), Some(remedy.to_owned()));
        }
    }
    let known = || databases.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    for (n, check) in job.drill.checks.iter().enumerate() {
        let place: &[&str] = &["drill", "checks", &n.to_string()];
        let (source, sql) = check.parts();
        match source {
            _ if sql.trim().is_empty() => {
                let remedy = "write SQL that answers with true or false";
                problem(place, format!("a check of {this} is empty"), Some(remedy.into()));
            }
            _ if databases.is_empty() => {
                let remedy = "leave the checks out";
                problem(place, format!("{this} has no database to ask"), Some(remedy.into()));
            }
            Some(source) if !databases.contains(&source) => {
                let message = format!("{this} has no database {:?} to ask", source.as_str());
                problem(place, message, Some(format!("its databases are {}", known())));
            }
            None if databases.len() > 1 => {
                let message = format!("{this} has several databases, and a check names none");
                let remedy =
                    format!("write {{ source = \"…\", sql = \"…\" }} with one of {}", known());
                problem(place, message, Some(remedy));
            }
            _ => {}
        }
    }
}
