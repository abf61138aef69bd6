//! Email, sent to a server over SMTP.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use seaworthy_core::{Error, ErrorKind, Result, Secret};

use super::{EmailConfig, SmtpTls};
use crate::notify::{Notice, Notifier};

/// How long the server may take for one response.
const ANSWER: Duration = Duration::from_secs(15);

/// A mail server, and the recipients.
pub(super) struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    server: String,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Email {
    pub(super) fn new(config: &EmailConfig, password: Option<Secret>) -> Result<Self> {
        let wrong = |message: String| Error::new(ErrorKind::InvalidInput, "notify.open", message);
        let mailbox = |address: &String| {
            address.parse::<Mailbox>().map_err(|source| {
                wrong(format!("{address:?} is not an email address")).caused_by(source)
            })
        };
        let secured = || -> Result<TlsParameters> {
            let mut tls = TlsParameters::builder(config.server.clone());
            if let Some(path) = &config.roots {
                let fail = || format!("cannot read the authorities in {}", path.display());
                let pem = std::fs::read(path).map_err(|e| Error::io("notify.open", fail(), e))?;
                for block in pem_blocks(&String::from_utf8_lossy(&pem)) {
                    let root = Certificate::from_pem(block.as_bytes());
                    tls = tls.add_root_certificate(root.map_err(|e| wrong(fail()).caused_by(e))?);
                }
            }
            tls.build_rustls().map_err(|e| wrong("TLS cannot be set up".into()).caused_by(e))
        };
        let (tls, port) = match config.tls {
            SmtpTls::Starttls => (Tls::Required(secured()?), 587),
            SmtpTls::Implicit => (Tls::Wrapper(secured()?), 465),
            SmtpTls::None => (Tls::None, 25),
        };
        // This is not dangerous: how to secure it is set.
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.server)
            .port(config.port.unwrap_or(port))
            .tls(tls)
            .timeout(Some(ANSWER));
        if let (Some(name), Some(password)) = (&config.username, password) {
            let password = password.expose().to_owned();
            transport = transport.credentials(Credentials::new(name.clone(), password));
        }
        Ok(Self {
            transport: transport.build(),
            server: config.server.clone(),
            from: mailbox(&config.from)?,
            to: config.to.iter().map(mailbox).collect::<Result<_>>()?,
        })
    }

    fn message(&self, notice: &Notice) -> Result<Message> {
        let domain = self.from.email.domain();
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(notice.title.replace(char::is_control, " "))
            .message_id(Some(format!("<{}.{}@{domain}>", notice.run, notice.occasion)))
            .header(ContentType::TEXT_PLAIN)
            // So that automatic replies are suppressed.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for to in &self.to {
            message = message.to(to.clone());
        }
        message = message.date(std::time::UNIX_EPOCH + since_1970(notice));
        let text = format!(
            "{}\n\n{}\n\n{} at {}\n",
            notice.title,
            notice.body(),
            notice.host,
            notice.time
        );
        message.body(text).map_err(|source| {
            Error::new(ErrorKind::Internal, "notify.send", "cannot build the message")
                .caused_by(source)
        })
    }
}

#[async_trait]
impl Notifier for Email {
    async fn send(&self, notice: &Notice) -> Result<()> {
        let message = self.message(notice)?;
        let sent = self.transport.send(message).await;
        sent.map(drop).map_err(|source| {
            let server = &self.server;
            let error = if source.is_permanent() {
                let message = format!("{server} rejects the message");
                Error::new(ErrorKind::PermissionDenied, "notify.send", message)
                    .remedy_is("check the user name, the password and the addresses")
            } else if is_tls(&source) {
                let message = format!("cannot make a secure connection to {server}");
                Error::new(ErrorKind::Unavailable, "notify.send", message)
                    .retryable_is(false)
                    .remedy_is(
                        "set `roots` for a private authority; `tls` says how the \
                             connection is secured",
                    )
            } else {
                let message = format!("{server} cannot be reached, or is busy");
                Error::new(ErrorKind::Unavailable, "notify.send", message)
            };
            error.caused_by(source)
        })
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Whether the secure connection failed: also for STARTTLS.
fn is_tls(error: &lettre::transport::smtp::Error) -> bool {
    let mut next = std::error::Error::source(error);
    // A client error means that the server does not offer it.
    let mut rejected = error.is_tls() || error.is_client();
    while let Some(cause) = next {
        let io = cause.downcast_ref::<std::io::Error>();
        rejected |= io.is_some_and(|e| e.kind() == std::io::ErrorKind::InvalidData);
        next = cause.source();
    }
    rejected
}

fn since_1970(notice: &Notice) -> Duration {
    Duration::from_secs(u64::try_from(notice.time.as_unix()).unwrap_or_default())
}

/// Each certificate of a file separately: otherwise only the first would be read.
fn pem_blocks(text: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = text.split_inclusive(END).filter(|block| block.contains(END));
    blocks.map(|block| block.trim_start().to_owned() + "\n").collect()
}
