//! The commands: each reads its request as JSON and returns the facade's document.

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
            unsafe { command::<$request>(arguments, stringify!($name)) }
        }
    )+};
}

commands! {
    /// Runs backup jobs, one after another.
    ///
    /// `request` (JSON, `request_len` bytes; NULL with 0 is `{}`) has `jobs`, a list of names,
    /// empty for all of them; `dry_run`; `accept`, which accepts a suspect result as good. `call`
    /// may be NULL. `*document` is the document that `seaworthy backup --json` prints, also if a
    /// job failed. It is owned by the caller, until `sw_string_free`; it stays NULL if the call
    /// could not start. `document` and `error` may be NULL; the caller must free what is put there.
    ///
    /// Any thread, several at once, but not inside a callback. Blocks until all of its work has
    /// ended. Returns 0 for success, also with losses (see the document's `outcome`);
    /// SW_E_CANCELLED after a trigger; the kind of the first error; SW_E_FAILED or SW_E_FINDINGS if
    /// only the document says what is wrong; SW_E_REQUEST, SW_E_NULL, SW_E_UTF8, SW_E_LENGTH,
    /// SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
    ///
    /// # Safety
    /// `ctx` is NULL or a living context; pointers are valid as described above.
    sw_backup => BackupRequest;

    /// Lists snapshots, newest first, per job and sink.
    ///
    /// `request` has `jobs`, as with `sw_backup`, and `host`, another machine, by its name or id,
    /// whose snapshots are used instead of this one's. The document is that of `seaworthy snapshots
    /// --json`. Ownership, threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_snapshots => SnapshotsRequest;

    /// Shows the contents of one snapshot.
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
    /// `request` has `snapshots`, a list of `"JOB"` or `"JOB@ID"`, empty for the latest of each
    /// job; `sink`, to check only that one; `sample`, the fraction of the frames to read, above 0
    /// and at most 1; or `rebuild_index`; `identity`, as with `sw_show`; and `host`, as with
    /// `sw_snapshots`. The document is that of `seaworthy verify --json`. Ownership, threads and
    /// errors are those of `sw_backup`; SW_E_FINDINGS if something is damaged.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_verify => VerifyRequest;

    /// Copies snapshots that other sinks of the jobs do not have yet.
    ///
    /// `request` has `jobs`, as with `sw_backup`. The document is that of `seaworthy sync --json`. Ownership,
    /// threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_sync => SyncRequest;

    /// Issues, renews, lists and checks certificates.
    ///
    /// `request` has `command` and its options; the document is that of `seaworthy cert COMMAND
    /// --json`: `issue` and `renew` with `names` (empty for all), `dry_run`, `staging`, `force`,
    /// `strict`, `skip_checks`; `list`; `show` with `names`; `check` with `targets`, certificates
    /// or `"HOST:PORT"`; `revoke` with `names` and `reason`; `import-certbot` with `from`,
    /// certbot's folder, `names`, `dry_run` and `roll_over`; `cleanup` with `dry_run` and
    /// `look_in`. If nothing had to be done the document's `outcome` is `nothing_to_do`. Ownership,
    /// threads and errors are those of `sw_backup`; SW_E_FINDINGS if a check found problems,
    /// SW_E_FAILED if a certificate was issued but is not served.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_cert => CertCommand;

    /// Really tries each part of the configuration, and says how to fix what does not work.
    ///
    /// `request` has `notify`: whether each notifier is sent a test message. The document is that
    /// of `seaworthy doctor --json`; its `outcome` is `findings` if a check failed. Nothing is left
    /// behind. Ownership, threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_doctor => DoctorRequest;

    /// Restores snapshots into a temporary place, compares them with what was backed up, and
    /// records the results.
    ///
    /// `request` has `snapshots`, a list of `"JOB"` or `"JOB@ID"`, empty for the latest of each
    /// job; `sink`, to take them from that one; `identity`, files with private keys, those that
    /// SEAWORTHY_IDENTITY names where there are none; and `host`, as with `sw_snapshots`. The
    /// document is that of `seaworthy drill --json`. Ownership, threads and errors are those of
    /// `sw_backup`; SW_E_FINDINGS if something differs.
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

    /// Removes a snapshot's protection from prune.
    ///
    /// Everything is as with `sw_pin`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_unpin => UnpinRequest;

    /// Renders, checks, compares and installs nginx's configuration.
    ///
    /// `request` has `command` and its options; the document is that of `seaworthy proxy COMMAND
    /// --json`: `render` with `out`, a folder that the files are also written to; `check`, which
    /// lints and lets nginx check the files; `diff`; `apply` with `dry_run` and `keep_going`;
    /// `switch` with `site` and `to`, a pool of servers. If nothing had to be done the document's
    /// `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`;
    /// SW_E_FINDINGS if the installed files differ.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_proxy => ProxyCommand;

    /// Restores a snapshot, or a part of it, to a new or empty folder or in place.
    ///
    /// `request` has `snapshot`, `"JOB"` or `"JOB@ID"`; `to`, a folder or a database's URL, or
    /// `in_place`; `source`, to restore only that one; `sink`, to read it from that one; `only`, a
    /// list of paths or tables; `force`, for an untrusted one; `identity` and `host`, as with
    /// `sw_show`. A restore in place also needs `yes`: without it SW_E_INVALID_INPUT is returned,
    /// with `places` and `before` in the error's context, and nothing is changed. The document is
    /// that of `seaworthy restore --json`. Ownership, threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_restore => RestoreRequest;

    /// Renders, checks, compares, installs and runs services, and deploys new versions of them.
    ///
    /// `request` has `command` and its options; the document is that of `seaworthy service COMMAND
    /// --json`: `render` with `type` (`"systemd"`, the default, `"pm2"`, `"cron"` or
    /// `"github-actions"`) and `out`, a folder that the files are written to; `check` with `type`
    /// and `folder`, which systemd or cron reads; `diff` with `type`, `out` and `folder`; `apply`
    /// with `type`, `dry_run` and `folder`; `start`, `stop` and `restart` with `name`; `status`
    /// with `names` (empty for all); and `deploy`, as `seaworthy deploy`, with `service` and
    /// `from`, a folder or an archive (default: go back to the previous release). If
    /// nothing had to be done the document's `outcome` is `nothing_to_do`. Ownership, threads and
    /// errors are those of `sw_backup`; SW_E_FINDINGS if something differs, or is not healthy.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_service => ServiceCommand;

    /// Returns the status of backups, certificates, sites, services and disks, as reported by
    /// themselves.
    ///
    /// `request` has `all_hosts`: whether to include the backups of other machines in the same
    /// sinks. The document is that of `seaworthy status --json`; its `outcome` is `findings` if
    /// something is wrong. Ownership, threads and errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_status => StatusRequest;

    /// Does everything that is due now: backups, copies, retention, drills, certificates.
    ///
    /// `request` has `dry_run`, which only reports what is due. The document is that of `seaworthy
    /// run --json`; if nothing was due its `outcome` is `nothing_to_do`. Ownership, threads and
    /// errors are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_run => RunRequest;

    /// Brings certificates, the proxy and services to the state in the file, step by step, or rolls
    /// everything back.
    ///
    /// `request` has `dry_run`, which changes nothing and lists every file and command; `type` and
    /// `folder`, as in `sw_service` with `apply`. The document is that of `seaworthy apply --json`;
    /// if nothing had to be done its `outcome` is `nothing_to_do`. Ownership, threads and errors
    /// are those of `sw_backup`.
    ///
    /// # Safety
    /// That of `sw_backup`.
    sw_apply => ApplyRequest;
}
