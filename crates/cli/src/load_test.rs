//! The command `load-test`.

use std::{io, path::PathBuf, sync::Arc, thread, time::Duration};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use seaworthy::{
    Outcome, Reply,
    core::{Context, Error, ErrorKind, Result, Secret, SecretRef, durable},
    find_secret,
};
use seaworthy_load_test::{
    HeaderConfig, HttpVersion, LoadConfig, LoadTest, Report as LoadReport, Time, Verdict,
};

use crate::{finish::Finish, output::LoadTestReport, terminal::Terminal};

#[derive(Debug, Args)]
pub(crate) struct LoadTestArguments {
    /// A URL, or a TOML file that describes the test
    #[arg(value_name = "URL|FILE")]
    target: String,
    /// Requests per second, whatever the server does (the open model)
    #[arg(long, value_name = "R")]
    rate: Option<f64>,
    /// How many requests may be in flight at once
    #[arg(short, long, value_name = "N")]
    concurrency: Option<u32>,
    /// How many requests are measured
    #[arg(long, value_name = "N")]
    requests: Option<u64>,
    /// How long is measured [default: 10s without --requests]
    #[arg(long, value_name = "TIME")]
    duration: Option<Time>,
    /// How long requests are sent before anything is measured
    #[arg(long, value_name = "TIME")]
    warm_up: Option<Time>,
    /// How long the rate or the concurrency rises from zero
    #[arg(long, value_name = "TIME")]
    ramp: Option<Time>,
    /// How long a request may take [default: 30s]
    #[arg(long, value_name = "TIME")]
    timeout: Option<Time>,
    /// A header, such as "Accept: text/html"; others can see it in the list of processes
    #[arg(short = 'H', long, value_name = "H", value_parser = header)]
    header: Vec<(String, String)>,
    /// The place of a bearer token: env:NAME or file:PATH
    #[arg(long, value_name = "PLACE", value_parser = place)]
    token: Option<SecretRef>,
    /// The method, with a URL
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// The request body, with a URL
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// Speak HTTP/2
    #[arg(long)]
    http2: bool,
    /// A PEM file with roots to trust instead of the machine's
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// Write the report as a page with charts, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Treat warnings as failures
    #[arg(long)]
    strict: bool,
    /// The server is not this machine, and you are allowed to load it
    #[arg(long)]
    yes_i_own_it: bool,
}

/// Runs the command line.
pub(crate) async fn run(
    arguments: LoadTestArguments,
    finish: &Finish<'_>,
    cx: &Context,
) -> Outcome {
    let reply = match test(&arguments, finish.terminal, cx).await {
        Ok(report) => {
            let mut outcome = match report.verdict {
                Verdict::Pass => Outcome::Done,
                Verdict::Warning if !arguments.strict => Outcome::Done,
                _ => Outcome::Findings,
            };
            if cx.cancel().is_triggered() {
                outcome = outcome.and(Outcome::Interrupted);
            }
            Reply::new(LoadTestReport(report), outcome)
        }
        Err(error) => error.into(),
    };
    finish.with(reply)
}

async fn test(
    arguments: &LoadTestArguments,
    terminal: &Terminal,
    cx: &Context,
) -> Result<LoadReport> {
    let config = config(arguments)?;
    let base = match is_url(&arguments.target) {
        true => PathBuf::new(),
        false => PathBuf::from(&arguments.target).parent().map(PathBuf::from).unwrap_or_default(),
    };
    let variable = |name: &str| std::env::var_os(name);
    let mut secrets: Vec<(SecretRef, Secret)> = Vec::new();
    for place in config.secrets() {
        let secret = find_secret(&place, &variable, &base, cx).await?;
        secrets.push((place, secret));
    }
    let find = |place: &SecretRef| {
        secrets.iter().find(|(known, _)| known == place).map(|(_, secret)| secret.clone())
    };
    let processors = thread::available_parallelism().map_or(1, |n| n.get());
    let test = LoadTest::new(&config, &find, arguments.yes_i_own_it, processors)
        .await
        .map_err(own_words)?;
    let test = Arc::new(test);
    run_shards(&test, terminal, cx).await?;
    let report = test.report();
    if let Some(path) = &arguments.html {
        durable::write_file(path, report.html(&arguments.target).as_bytes(), 0o644)?;
    }
    Ok(report)
}

/// Names the flag of this program where the library names its parameter.
fn own_words(error: Error) -> Error {
    if error.context().any(|fact| fact == ("needs", "anywhere")) {
        return error.remedy_is("use --yes-i-own-it, if you are allowed to load this server");
    }
    error
}

/// Runs each part on its own thread and runtime, and shows live figures.
async fn run_shards(test: &Arc<LoadTest>, terminal: &Terminal, cx: &Context) -> Result<()> {
    let mut running = Vec::new();
    for shard in 0..test.shards() {
        let (test, cx) = (test.clone(), cx.clone());
        let (send, ended) = tokio::sync::oneshot::channel();
        let fail = |e| Error::io("load_test.run", "cannot start a thread", e);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(fail)?;
        let work = move || {
            // The receiver may be gone, then the result is not needed.
            let _ = send.send(runtime.block_on(test.run_shard(shard, &cx)));
        };
        thread::Builder::new().name("load".into()).spawn(work).map_err(fail)?;
        running.push(ended);
    }
    let bar = terminal.progress.then(spinner);
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    for mut ended in running {
        loop {
            tokio::select! {
                ended = &mut ended => {
                    let lost = |_| Error::new(ErrorKind::Internal, "load_test.run", "a part has failed");
                    ended.map_err(lost)??;
                    break;
                }
                _ = tick.tick() => if let Some(bar) = &bar {
                    let live = test.live();
                    bar.set_message(format!(
                        "{} requests, {} bad, p50 {:.1} ms, p99 {:.1} ms",
                        live.requests, live.bad, live.p50, live.p99
                    ));
                },
            }
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(())
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // An invalid template falls back to the default look.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// The file or the URL, with the options of the command line on top.
fn config(arguments: &LoadTestArguments) -> Result<LoadConfig> {
    let mut config = if is_url(&arguments.target) {
        LoadConfig::of_url(&arguments.target)
    } else {
        let path = PathBuf::from(&arguments.target);
        let text = std::fs::read_to_string(&path).map_err(|e| {
            let missing = e.kind() == io::ErrorKind::NotFound;
            let error = Error::io("load_test.config", format!("cannot read {}", path.display()), e);
            if missing {
                error.remedy_is("use a file, or a URL that begins with http://")
            } else {
                error
            }
        })?;
        let mut config = LoadConfig::from_toml(&text, &path)?;
        if let (Some(roots), Some(folder)) = (&mut config.roots, path.parent()) {
            *roots = folder.join(&roots);
        }
        config
    };
    config.rate = arguments.rate.or(config.rate);
    config.concurrency = arguments.concurrency.or(config.concurrency);
    config.requests = arguments.requests.or(config.requests);
    config.duration = arguments.duration.or(config.duration);
    config.warm_up = arguments.warm_up.or(config.warm_up);
    config.ramp = arguments.ramp.or(config.ramp);
    config.timeout = arguments.timeout.or(config.timeout);
    config.token = arguments.token.clone().or(config.token);
    config.roots = arguments.roots.clone().or(config.roots);
    if arguments.http2 {
        config.http = HttpVersion::Http2;
    }
    for (name, value) in &arguments.header {
        config.headers.insert(name.clone(), HeaderConfig::Text(value.clone()));
    }
    if is_url(&arguments.target) {
        for endpoint in &mut config.endpoints {
            endpoint.method.clone_from(&arguments.method);
            endpoint.body.clone_from(&arguments.body);
        }
    } else if arguments.method.is_some() || arguments.body.is_some() {
        let message = "--method and --body only work with a URL: in a file they are set for each \
                 endpoint";
        return Err(Error::new(ErrorKind::InvalidInput, "load_test.config", message));
    }
    Ok(config)
}

fn is_url(target: &str) -> bool {
    target.contains("://")
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it like \"Name: value\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn place(text: &str) -> Result<SecretRef, String> {
    match text.split_once(':') {
        Some(("env", name)) if !name.is_empty() => Ok(SecretRef::Env(name.into())),
        Some(("file", path)) if !path.is_empty() => {
            // On the command line, not in the file that describes the test.
            std::path::absolute(path).map(SecretRef::File).map_err(|e| e.to_string())
        }
        _ => {
            Err("write env:NAME or file:PATH: a secret does not belong on the command line".into())
        }
    }
}
