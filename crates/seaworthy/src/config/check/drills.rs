//! The questions of a job's drills.

use seaworthy_backup::config::JobConfig;

/// Takes where in the job's section something is wrong, what, and what to do.
type Say<'a> = dyn FnMut(&[&str], String, Option<String>) + 'a;

/// Says what is wrong in `job`, whose section is called `this`.
pub(super) fn check(job: &JobConfig, this: &str, problem: &mut Say<'_>) {
    let databases = job.sources.iter().filter(|(_, source)| source.as_kind().answers_sql());
    let databases: Vec<_> = databases.map(|(name, _)| name).collect();
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
