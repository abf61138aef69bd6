//! Proves that new workers serve the new files, and that every site responds.

use std::time::{Duration, Instant};

use seaworthy_core::{Context, Error, ErrorKind, Result, StagedFiles};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::{NginxInstaller, Served};
use crate::render::{PROOF_HOST, mark};

/// How long new workers may take to start.
const PATIENCE: Duration = Duration::from_secs(15);
/// A site whose servers take longer than this counts as served.
const PATIENCE_WITH_SITES: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(50);
/// If the workers cannot be inspected, old ones may accept a connection or two after the reload:
/// the result must be right this many times in a row.
const IN_A_ROW: usize = 3;
const MOST_OF_ANSWER: u64 = 16 << 10;

impl NginxInstaller {
    pub(super) async fn prove_staged(&self, staged: &StagedFiles, cx: &Context) -> Result<()> {
        let Some(mark) = mark(&staged.files) else {
            return Err(Error::new(ErrorKind::Internal, "proxy.prove", "the files have no mark"));
        };
        let begun = Instant::now();
        let mut right = 0;
        while right < IN_A_ROW {
            let seen = self.ask(PROOF_HOST, PATIENCE).await;
            let is_new = seen.as_ref().is_ok_and(|answer| answer.ends_with(&mark));
            if is_new && !self.old_workers_accept() {
                right += 1;
                continue;
            }
            right = 0;
            cx.check("proxy.prove")?;
            if begun.elapsed() > PATIENCE {
                let message = "nginx does not serve the new files";
                let error = Error::new(ErrorKind::TimedOut, "proxy.prove", message)
                    .with("asked", self.ask)
                    .remedy_is("nginx's error log says why; another program may be using the port");
                return Err(match seen {
                    Ok(_) => error,
                    Err(cause) => error.caused_by(cause),
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
        for served in &self.served {
            let answer = self.ask(&served.host, PATIENCE_WITH_SITES).await;
            must_be_its_site(served, answer)?;
            cx.check("proxy.prove")?;
            #[cfg(feature = "tls")]
            if let Some(chain) = &served.chain {
                let answer = self.shake_hands(served, chain, PATIENCE_WITH_SITES).await;
                must_be_its_site(served, answer)?;
                cx.check("proxy.prove")?;
            }
        }
        Ok(())
    }

    /// The beginning of nginx's response for `host` on plain HTTP.
    pub(super) async fn ask(&self, host: &str, limit: Duration) -> Result<String> {
        let work = async {
            let stream = TcpStream::connect(self.ask).await?;
            first_of_answer(stream, host).await
        };
        let answer = match tokio::time::timeout(limit, work).await {
            Ok(answer) => answer,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        };
        answer.map_err(|e| {
            Error::io("proxy.prove", format!("{host} does not answer on {}", self.ask), e)
        })
    }
}

/// Requests `/` of `host`, and reads the beginning of the response.
pub(super) async fn first_of_answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
) -> std::io::Result<String> {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST_OF_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Fails unless the site itself responded. A site that takes too long is still working on the
/// request: that is not a failure.
fn must_be_its_site(served: &Served, answer: Result<String>) -> Result<()> {
    let field = || format!("site.{}.hosts", served.site);
    let answer = match answer {
        Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(()),
        Err(error) => return Err(error.at(field())),
        Ok(answer) => answer,
    };
    if answer.starts_with("HTTP/1.1 ") && !answer.starts_with("HTTP/1.1 421") {
        return Ok(());
    }
    let first = answer.lines().next().unwrap_or("nothing").to_owned();
    let message = format!("another server answers for {}: {first}", served.host);
    Err(Error::new(ErrorKind::Unavailable, "proxy.prove", message).at(field()))
}
