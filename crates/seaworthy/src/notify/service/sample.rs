//! Notices that the services are tried with.

use seaworthy_core::{Name, Timestamp};

use crate::notify::{Notice, Occasion, Subject, SubjectKind};

/// An ordinary one.
pub(super) fn short() -> Notice {
    let subject = Subject::new(SubjectKind::Backup, Name::new("nightly").unwrap());
    let now = Timestamp::from_unix(1_790_000_000);
    let mut notice = Notice::new(Occasion::Failure, subject, "web1 <!channel>", now)
        .line("cannot write *x* \"y\" & @everyone")
        .fact("size", "12 MiB");
    notice.remedy = Some("is the disk full?".into());
    notice
}

/// One with too much of everything.
pub(super) fn long() -> Notice {
    let mut notice = short().line("😀_*".repeat(60_000));
    for i in 0..60 {
        notice = notice.fact(&format!("{i}{}", "n".repeat(400)), "v".repeat(3000));
        notice.warnings.push("w".repeat(4000));
    }
    notice.title = "<t>".repeat(500);
    notice
}
