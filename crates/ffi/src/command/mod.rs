//! The commands: each reads its request as JSON and answers with the facade's document.

mod alone;

pub use alone::{
    SW_SCHEMA_CONFIG, SW_SCHEMA_DOCUMENT, sw_config_check, sw_keygen, sw_plan_retention, sw_schema,
};

use std::ffi::c_char;

use seaworthy::{
    StatusRequest,
    command::{
        ApplyRequest, BackupRequest, CertCommand, DrillRequest, PinRequest, ProxyCommand,
        PruneRequest, RestoreRequest, RunRequest, ServiceCommand, ShowRequest, SnapshotsRequest,
        SyncRequest, UnpinRequest, VerifyRequest,
    },
    doctor::DoctorRequest,
};

use crate::{
    callback::CallTable,
    context::ContextHandle,
    error::ErrorHandle,
    run::{Arguments, command},
    string::StringHandle,
};

/// Defines the function of each command: it reads its request, or one of several, and runs it. The
/// test of the header reads this table, since cbindgen expands no macros.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident => $request:ty;)+) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            ctx: *const ContextHandle,
            request: *const c_char,
            request_len: usize,
            call: *const CallTable,
            document: *mut *mut StringHandle,
            error: *mut *mut ErrorHandle,
        ) -> i32 {
            let arguments = Arguments { ctx, request, request_len, call, document, error };
            // SAFETY: as this function's.
            unsafe { command::<$request>(arguments) }
        }
    )+};
}

commands! {
    /// Runs backup jobs, one after another.
    ///
    /// `request` (JSON, `request_len` bytes; NULL with 0 is `{}`) has `jobs`, a list of names, all of them where
    /// it is empty; `dry_run`; `accept`, which takes a suspect result as good. `call` may be NULL.
    /// `*document` is the document that `seaworthy backup --json` prints, there also when a job failed, and owned
    /// by the caller, until `sw_string_free`; it stays NULL where the call could not begin. `document` and
    /// `error` may be NULL; what is put there is the caller's to free.
    ///
    /// Any thread, several at once, but not inside a callback. Blocks until all its work has ended. Answers 0
    /// for success, also with losses, which the document's `outcome` says; SW_E_CANCELLED after a trigger;
    /// the kind of the first error; SW_E_FAILED or SW_E_FINDINGS where only the document says what is
    /// wrong; SW_E_REQUEST, SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_STRUCT_SIZE, SW_E_REENTRANT,
    /// SW_E_FORKED, SW_E_PANIC.
    ///
    /// # Safety
    /// `ctx` is NULL or a living context; pointers are valid for what is said above.
    sw_backup => BackupRequest;

    /// Lists snapshots, newest first, per job and sink.
    ///
    /// `request` has `jobs`, as with `sw_backup`, and `host`, another machine, by its name or id, whose snapshots
    /// are meant in place of this one's. The document is that of `seaworthy snapshots --json`. Ownership,
    /// threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_snapshots => SnapshotsRequest;

    /// Shows what one snapshot holds.
    ///
    /// `request` has `snapshot`, `"JOB"` or `"JOB@ID"`, `files` and `tables`, which list what is in it, and
    /// `identity`, files with private keys, those that SEAWORTHY_IDENTITY names where there are none, and `host`, as with `sw_snapshots`. The document is
    /// that of `seaworthy show --json`. Ownership, threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_show => ShowRequest;

    /// Reads snapshots back and checks every byte, in each of their sinks.
    ///
    /// `request` has `snapshots`, a list of `"JOB"` or `"JOB@ID"`, the latest of each job where it is empty;
    /// `sink`, to look in that one only; `sample`, the part of the frames to read, above 0 and at most 1; or
    /// `rebuild_index`; `identity`, as with `sw_show`; and `host`, as with `sw_snapshots`. The document is that of `seaworthy verify --json`. Ownership, threads and errors are
    /// those of `sw_backup`; SW_E_FINDINGS where something is damaged.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_verify => VerifyRequest;

    /// Copies snapshots that other sinks of the jobs still lack.
    ///
    /// `request` has `jobs`, as with `sw_backup`. The document is that of `seaworthy sync --json`. Ownership,
    /// threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_sync => SyncRequest;

    /// Issues, renews, lists and checks certificates.
    ///
    /// `request` has `command` and what belongs to it; the document is that of `seaworthy cert COMMAND --json`:
    /// `issue` and `renew` with `names`, all of them where it is empty, `dry_run`, `staging`, `force`, `strict`,
    /// `skip_checks`; `list`; `show` with `names`; `check` with `targets`, certificates or `"HOST:PORT"`;
    /// `revoke` with `names` and `reason`; `import-certbot` with `from`, certbot's folder, `names`, `dry_run`
    /// and `roll_over`; `cleanup` with `dry_run` and `look_in`. Where nothing had to be done the document's
    /// `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`; SW_E_FINDINGS where a
    /// certificate is not as it should be, SW_E_FAILED where one was issued and is not being served.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_cert => CertCommand;

    /// Tries each part of the configuration for real, and says what to do about what does not work.
    ///
    /// `request` has `notify`: whether each notifier is sent a test message. The document is that of
    /// `seaworthy doctor --json`; its `outcome` is `findings` where a check failed. Nothing that is made
    /// is left behind. Ownership, threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_doctor => DoctorRequest;

    /// Restores snapshots into a place that is thrown away, compares it with what was backed up, and records
    /// what came of it.
    ///
    /// `request` has `snapshots`, a list of `"JOB"` or `"JOB@ID"`, the latest of each job where it is empty; `sink`,
    /// to take them from that one; `identity`, files with private keys, those that SEAWORTHY_IDENTITY
    /// names where there are none; and `host`, as with `sw_snapshots`. The document is that of `seaworthy drill --json`. Ownership, threads and
    /// errors are those of `sw_backup`; SW_E_FINDINGS where something differs.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_drill => DrillRequest;

    /// Applies the retention policy of jobs, in each of their sinks, with a reason for each decision.
    ///
    /// `request` has `jobs`, as with `sw_backup`, `dry_run`, and `host`, as with `sw_snapshots`. The document is that of
    /// `seaworthy prune --json`. Ownership, threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_prune => PruneRequest;

    /// Protects a snapshot from prune, in every sink that has it.
    ///
    /// `request` has `snapshot`, `"JOB"` or `"JOB@ID"`. The document is that of `seaworthy pin --json`. Ownership,
    /// threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_pin => PinRequest;

    /// Takes a snapshot's protection from prune away.
    ///
    /// Everything is as with `sw_pin`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_unpin => UnpinRequest;

    /// Renders, checks, compares and installs nginx's configuration.
    ///
    /// `request` has `command` and what belongs to it; the document is that of `seaworthy proxy COMMAND --json`:
    /// `render` with `out`, a folder that the files are written to, too; `check`, which lints and lets nginx
    /// try; `diff`; `apply` with `dry_run` and `keep_going`; `switch` with `site` and `to`, a pool of servers.
    /// Where nothing had to be done the document's `outcome` is `nothing_to_do`. Ownership, threads and
    /// errors are those of `sw_backup`; SW_E_FINDINGS where what is installed differs.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_proxy => ProxyCommand;

    /// Restores a snapshot, or a part of it, to a new or empty folder or in place.
    ///
    /// `request` has `snapshot`, `"JOB"` or `"JOB@ID"`; `to`, a folder or a database's URL, or `in_place`; `source`, to restore only
    /// that one; `sink`, to take it from that one; `only`, a list of paths or tables; `force`, for one that is not trusted;
    /// `identity` and `host`, as with `sw_show`. A restore in place also needs
    /// `yes`: without it SW_E_INVALID_INPUT is answered, with `places` and `before` in the error's context,
    /// and nothing is touched. The document is that of `seaworthy restore --json`. Ownership, threads and
    /// errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_restore => RestoreRequest;

    /// Renders, checks, compares, installs and runs services, and brings new versions of them into use.
    ///
    /// `request` has `command` and what belongs to it; the document is that of `seaworthy service COMMAND --json`:
    /// `render` with `type` (`"systemd"`, which is the usual one, `"pm2"`, `"cron"` or `"github-actions"`) and
    /// `out`, a folder that the files are written to; `check` with `type` and `folder`, where systemd or cron
    /// looks; `diff` with `type`, `out` and `folder`; `apply` with `type`, `dry_run` and `folder`; `start`, `stop`
    /// and `restart` with `name`; `status` with `names`, all of them where it is empty; and `deploy`, as
    /// `seaworthy deploy`, with `service` and `from`, a folder or an archive, the release before this one
    /// where nothing is said. Where nothing had to be done the document's `outcome` is `nothing_to_do`.
    /// Ownership, threads and errors are those of `sw_backup`; SW_E_FINDINGS where something differs, or is
    /// not well.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_service => ServiceCommand;

    /// Says how backups, certificates, sites, services and disks do, as they themselves say.
    ///
    /// `request` has `all_hosts`: whether the backups of other machines in the same sinks are told too.
    /// The document is that of `seaworthy status --json`; its `outcome` is `findings` where something is
    /// wrong. Ownership, threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_status => StatusRequest;

    /// Does everything that is due now: backups, copies, retention, drills, certificates.
    ///
    /// `request` has `dry_run`, which only says what is due. The document is that of `seaworthy run --json`; where
    /// nothing was due its `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_run => RunRequest;

    /// Brings certificates, the proxy and services to what the file says, in order, or leaves all of it as it was.
    ///
    /// `request` has `dry_run`, which changes nothing and says every file and command; `type` and `folder`, as
    /// `sw_service` with `apply`. The document is that of `seaworthy apply --json`; where nothing had to be done its
    /// `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_apply => ApplyRequest;
}
