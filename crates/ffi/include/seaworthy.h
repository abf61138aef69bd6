/* Seaworthy from C and everything that speaks it. Generated from crates/ffi/src: do not edit.
 *
 * Handles are opaque; the caller frees them; sw_…_free(NULL) does nothing. Every function except those, sw_version
 * and sw_abi_version returns 0 or one of SW_E_*. Text that goes in is a pointer and a length; text that comes out has a
 * NUL behind it too. A `const` handle may be used by several threads at once, another one by one only. */

#ifndef SEAWORTHY_H
#define SEAWORTHY_H

#include <stddef.h>
#include <stdint.h>

/**
 * Success. If there were losses, the document's `outcome` says so.
 */
#define SW_OK 0

/**
 * An argument is wrong: a name, a key, a number out of range.
 */
#define SW_E_INVALID_INPUT -1

/**
 * The configuration file is wrong.
 */
#define SW_E_CONFIG -2

/**
 * A snapshot, an object, a file or a source does not exist.
 */
#define SW_E_NOT_FOUND -3

/**
 * Something already exists that must not be replaced.
 */
#define SW_E_ALREADY_EXISTS -4

/**
 * The operating system or a store refused.
 */
#define SW_E_PERMISSION_DENIED -5

/**
 * A disk, a quota or a bucket is full.
 */
#define SW_E_NO_SPACE -6

/**
 * A part does not support what was asked of it.
 */
#define SW_E_UNSUPPORTED -7

/**
 * Stored bytes are not what was written: truncated, flipped, missing.
 */
#define SW_E_DAMAGED -8

/**
 * Stored bytes are complete but not signed by a trusted key.
 */
#define SW_E_UNTRUSTED -9

/**
 * Written by a newer version of Seaworthy.
 */
#define SW_E_NEWER_FORMAT -10

/**
 * Another process holds the lock.
 */
#define SW_E_LOCKED -11

/**
 * The caller cancelled.
 */
#define SW_E_CANCELLED -12

/**
 * A time limit passed.
 */
#define SW_E_TIMED_OUT -13

/**
 * A service cannot be reached or reports a temporary failure.
 */
#define SW_E_UNAVAILABLE -14

/**
 * Any other failure of input or output.
 */
#define SW_E_IO -15

/**
 * The data to back up is itself wrong, such as a corrupt database.
 */
#define SW_E_SOURCE -16

/**
 * A command that was run failed.
 */
#define SW_E_COMMAND -17

/**
 * A target that must be empty is not.
 */
#define SW_E_NOT_EMPTY -18

/**
 * A short name matches more than one thing.
 */
#define SW_E_AMBIGUOUS -19

/**
 * A defect in Seaworthy itself.
 */
#define SW_E_INTERNAL -20

/**
 * A pointer that must not be NULL is.
 */
#define SW_E_NULL -1000

/**
 * Text is not UTF-8.
 */
#define SW_E_UTF8 -1001

/**
 * A bug made the library panic; the context refuses further calls.
 */
#define SW_E_PANIC -1002

/**
 * Called from inside a callback, where it is not allowed.
 */
#define SW_E_REENTRANT -1003

/**
 * The `size` of a struct is not one that this version can read.
 */
#define SW_E_STRUCT_SIZE -1004

/**
 * A length is larger than any object can be.
 */
#define SW_E_LENGTH -1005

/**
 * A request is not JSON, or has unknown or wrong members.
 */
#define SW_E_REQUEST -1006

/**
 * The context was created before this process was forked.
 */
#define SW_E_FORKED -1007

/**
 * It ran and failed, but there is no single error: see the document.
 */
#define SW_E_FAILED -1008

/**
 * It ran and found problems: see the document.
 */
#define SW_E_FINDINGS -1009

/**
 * For `sw_schema`: the schema of `seaworthy.toml`.
 */
#define SW_SCHEMA_CONFIG 0

/**
 * For `sw_schema`: the schema of the documents.
 */
#define SW_SCHEMA_DOCUMENT 1

/**
 * In `sw_sink.capabilities`: `delete_object` works.
 */
#define SW_SINK_DELETE 1

/**
 * In `sw_sink.capabilities`: `sw_put_options.if_absent` is honoured, also against other processes.
 */
#define SW_SINK_IF_ABSENT 2

/**
 * In `sw_solver.kind`: a file on port 80.
 */
#define SW_CHALLENGE_HTTP_01 1

/**
 * In `sw_solver.kind`: a TXT record.
 */
#define SW_CHALLENGE_DNS_01 2

/**
 * In `sw_solver.kind`: a challenge certificate on port 443.
 */
#define SW_CHALLENGE_TLS_ALPN_01 3

/**
 * The version of this header. It changes when something existing changes; additions do not change
 * it. A library is compatible with a program if `sw_abi_version()` returns this number.
 */
#define SW_ABI_VERSION 1

/**
 * A trigger that stops the calls which it is passed to. It cannot be reset: create a new one for
 * the next call.
 */
typedef struct sw_cancel sw_cancel;

/**
 * An open configuration. Several threads may make calls on it at the same time.
 */
typedef struct sw_ctx sw_ctx;

/**
 * An error: a code, a message for people, the operation, what to do about it, and facts as JSON.
 * Owned by the caller, until `sw_error_free`.
 */
typedef struct sw_error sw_error;

/**
 * Text from the library. Owned by the caller, until `sw_string_free`.
 */
typedef struct sw_string sw_string;

/**
 * A function of the host that gets JSON.
 *
 * It is called on the thread that made the call, and only during the call. Its arguments are
 * borrowed until it returns. Any result other than 0 cancels the call. Inside it only
 * `sw_cancel_trigger`, `sw_error_*` and `sw_string_*` may be used. It must return: no exception,
 * no longjmp.
 */
typedef struct sw_callback {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * Zero.
   */
  uint32_t reserved;
  /**
   * The function: its own data, and `json_len` bytes of NUL-terminated JSON.
   */
  int32_t (*call)(void *user_data, const char *json, size_t json_len);
  /**
   * Passed to the function unchanged.
   */
  void *user_data;
  /**
   * Called once with `user_data`, on the same thread, before the call returns, whatever its
   * result, if this struct could be read. May be NULL.
   */
  void (*finalizer)(void *user_data);
} sw_callback;

/**
 * Options of a call. NULL, or zero in a member, means the default: no callbacks.
 */
typedef struct sw_call {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * The log level of `log`: 0 warnings and errors, 1 errors, 2 warnings, 3 information, 4
   * debugging, 5 everything.
   */
  uint32_t log_level;
  /**
   * Stops the call when it is triggered. Borrowed while the call starts. May be NULL.
   */
  const struct sw_cancel *cancel;
  /**
   * Called with events: `{"schema":1,"time":…,"event":"started","task":…,"total_bytes":…}`, with
   * `"event":"advanced","bytes":…,"items":…` (combined, at most 20 per second),
   * `"event":"finished","task":…,"seconds":…`, `"event":"warning","message":…` and those that
   * docs/events.md lists; in later versions others, which must be ignored. Borrowed while
   * the call starts. May be NULL.
   */
  const struct sw_callback *progress;
  /**
   * Called with log records of the library:
   * `{"level":"warn","target":…,"message":…,"fields":{…}}`. If several calls of a context run at
   * the same time, each gets all records. Borrowed while the call starts. May be NULL.
   */
  const struct sw_callback *log;
} sw_call;

/**
 * Options of a context. NULL, or zero in a member, means the default.
 */
typedef struct sw_options {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * How many threads move data; 0 for one per core. Reading and compressing has its own threads,
   * as many as configured in the file.
   */
  uint32_t threads;
} sw_options;

/**
 * A notifier, implemented by the host.
 *
 * `send` is called on a thread that is inside a call of the library, so on several at the same
 * time if several calls run; it may block, but not longer than the time limit of notifications in
 * the file. Its arguments are borrowed until it returns. Inside it only `sw_cancel_trigger`,
 * `sw_error_*` and `sw_string_*` may be used. It must return: no exception, no longjmp.
 */
typedef struct sw_notifier {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * Zero.
   */
  uint32_t reserved;
  /**
   * Passed to the function unchanged.
   */
  void *user_data;
  /**
   * Called once with `user_data` when the notifier is no longer used: when its context is freed,
   * also if it was replaced before, or when it was not accepted. May be NULL.
   */
  void (*finalizer)(void *user_data);
  /**
   * Sends it, once: `notice` is NUL-terminated JSON, the same as with `type = "webhook"`, such
   * as
   * `{"schema":1,"occasion":"failure","subject":{"kind":"backup","name":…},"title":…,"text":…}`.
   * Returns 0 or one of SW_E_*, and may give details by putting an error made with
   * `sw_error_new` where `error` points to; the library frees it. A retryable error, such as
   * SW_E_UNAVAILABLE, is tried again.
   */
  int32_t (*send)(void *user_data, const char *notice, size_t notice_len, struct sw_error **error);
} sw_notifier;

/**
 * How to write an object. The library fills it.
 */
typedef struct sw_put_options {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * 1: `commit` fails with SW_E_ALREADY_EXISTS when the object exists by then. Else 0.
   */
  uint32_t if_absent;
  /**
   * The object's size in bytes; UINT64_MAX if it is not known yet.
   */
  uint64_t length;
} sw_put_options;

/**
 * Facts about an object. The library sets `size`, the sink the rest.
 */
typedef struct sw_object_info {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * Zero.
   */
  uint32_t reserved;
  /**
   * The object's size in bytes.
   */
  uint64_t length;
  /**
   * When it was written, in seconds since 1970.
   */
  int64_t modified;
} sw_object_info;

/**
 * A place for snapshots that the host implements.
 *
 * Every function returns 0 or one of SW_E_*, and may give details by putting an error made with
 * `sw_error_new` where `error` points to; the library frees it. Functions are called on a thread
 * that is inside a call of the library, so on several at the same time if several calls run; they
 * may block. Their arguments are borrowed until they return. Inside them only `sw_cancel_trigger`,
 * `sw_error_*` and `sw_string_*` may be used. They must return: no exception, no longjmp.
 *
 * A key is names joined by `/`, each of letters, digits, `.`, `_`, `-`, and begins and ends without a slash.
 * Keys and prefixes are NUL-terminated too.
 */
typedef struct sw_sink {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * What it can do: SW_SINK_DELETE, SW_SINK_IF_ABSENT. What is not claimed is never used.
   */
  uint32_t capabilities;
  /**
   * Passed to the functions unchanged.
   */
  void *user_data;
  /**
   * Called once with `user_data` when the sink is no longer used: when its context is freed,
   * also if it was replaced before, or when it was not accepted. May be NULL.
   */
  void (*finalizer)(void *user_data);
  /**
   * Starts writing the object `key`, and returns a number for it, chosen by the sink. Nothing is
   * visible before `commit`.
   */
  int32_t (*begin)(void *user_data,
                   const char *key,
                   size_t key_len,
                   const struct sw_put_options *options,
                   uint64_t *upload,
                   struct sw_error **error);
  /**
   * Appends `len` bytes to the object.
   */
  int32_t (*write)(void *user_data,
                   uint64_t upload,
                   const uint8_t *data,
                   size_t len,
                   struct sw_error **error);
  /**
   * Makes the object visible, complete and durable, and fills `info`. The upload is over,
   * whatever the result. SW_E_ALREADY_EXISTS if `if_absent` was set and the object exists.
   */
  int32_t (*commit)(void *user_data,
                    uint64_t upload,
                    struct sw_object_info *info,
                    struct sw_error **error);
  /**
   * Aborts an upload and frees what was stored of it. The upload is over, whatever the result.
   */
  int32_t (*abort)(void *user_data, uint64_t upload, struct sw_error **error);
  /**
   * Reads the object `key` from byte `offset` on: fills `buffer` (`capacity` bytes) and sets
   * `*filled` to the number of bytes. Less than `capacity` only at the end of the object.
   * SW_E_NOT_FOUND if it does not exist.
   */
  int32_t (*read)(void *user_data,
                  const char *key,
                  size_t key_len,
                  uint64_t offset,
                  uint8_t *buffer,
                  size_t capacity,
                  size_t *filled,
                  struct sw_error **error);
  /**
   * Fills `info` about the object `key`. SW_E_NOT_FOUND if it does not exist; a folder is not an
   * object.
   */
  int32_t (*stat)(void *user_data,
                  const char *key,
                  size_t key_len,
                  struct sw_object_info *info,
                  struct sw_error **error);
  /**
   * Every object below `prefix` (empty: all), at any depth, in any order, as JSON:
   * `[{"key":…,"length":…,"modified":…}]`, in a string made with `sw_string_new`, which the library
   * frees. `ab` is not below `a`, and neither is `a` itself. Empty if it does not exist.
   */
  int32_t (*list)(void *user_data,
                  const char *prefix,
                  size_t prefix_len,
                  struct sw_string **listing,
                  struct sw_error **error);
  /**
   * Deletes the object `key`, durably. It is not an error if it does not exist. NULL without
   * SW_SINK_DELETE.
   */
  int32_t (*delete_object)(void *user_data, const char *key, size_t key_len, struct sw_error **error);
  /**
   * Frees what unfinished uploads below `prefix` left behind, such as those of a process that was killed,
   * and counts them. May be NULL.
   */
  int32_t (*discard_unfinished)(void *user_data,
                                const char *prefix,
                                size_t prefix_len,
                                uint64_t *discarded,
                                struct sw_error **error);
} sw_sink;

/**
 * A solver of an authority's challenges, implemented by the host.
 *
 * Every function gets a challenge as NUL-terminated JSON: `{"kind","identifier","token",
 * "key_authorization","http_path","dns_name","dns_value"}`, where `http_path` is the path that
 * must return `key_authorization`, `dns_name` (without a trailing dot) is the name of a TXT record
 * that must have the value `dns_value`, and `dns_value` is the base64url of the SHA-256 that a
 * certificate for tls-alpn-01 contains. It returns 0 or one of SW_E_*, and may give details by
 * putting an error made with `sw_error_new` where `error` points to; the library frees it. Several
 * challenges may be open at once, also for one name.
 *
 * Functions are called on a thread that is inside a call of the library, so on several at the same
 * time if several calls run; they may block. Their arguments are borrowed until they return.
 * Inside them only `sw_cancel_trigger`, `sw_error_*` and `sw_string_*` may be used. They must
 * return: no exception, no longjmp.
 */
typedef struct sw_solver {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * The kind of challenge that it answers: one of SW_CHALLENGE_*.
   */
  uint32_t kind;
  /**
   * Passed to the functions unchanged.
   */
  void *user_data;
  /**
   * Called once with `user_data` when the solver is no longer used: when its context is freed,
   * also if it was replaced before, or when it was not accepted. May be NULL.
   */
  void (*finalizer)(void *user_data);
  /**
   * Makes the answer available. Calling it twice for one challenge is not an error.
   */
  int32_t (*present)(void *user_data,
                     const char *challenge,
                     size_t challenge_len,
                     struct sw_error **error);
  /**
   * Returns when the authority can see the answer, such as when DNS has propagated. NULL:
   * immediately.
   */
  int32_t (*ready)(void *user_data,
                   const char *challenge,
                   size_t challenge_len,
                   struct sw_error **error);
  /**
   * Removes the answer. It is not an error if there is none.
   */
  int32_t (*cleanup)(void *user_data,
                     const char *challenge,
                     size_t challenge_len,
                     struct sw_error **error);
} sw_solver;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Runs backup jobs, one after another.
 *
 * `request` (JSON, `request_len` bytes; NULL with 0 is `{}`) has `jobs`, a list of names,
 * empty for all of them; `dry_run`; `accept`, which accepts a suspect result as good. `call`
 * may be NULL. `*document` is the document that `seaworthy backup --json` prints, also if a
 * job failed. It is owned by the caller, until `sw_string_free`; it stays NULL if the call
 * could not start. `document` and `error` may be NULL; the caller must free what is put there.
 *
 * Any thread, several at once, but not inside a callback. Blocks until all of its work has
 * ended. Returns 0 for success, also with losses (see the document's `outcome`);
 * SW_E_CANCELLED after a trigger; the kind of the first error; SW_E_FAILED or SW_E_FINDINGS if
 * only the document says what is wrong; SW_E_REQUEST, SW_E_NULL, SW_E_UTF8, SW_E_LENGTH,
 * SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
 *
 * The contract:
 * `ctx` is NULL or a living context; pointers are valid as described above.
 */
int32_t sw_backup(const struct sw_ctx *ctx,
                  const char *request,
                  size_t request_len,
                  const struct sw_call *call,
                  struct sw_string **document,
                  struct sw_error **error);

/**
 * Lists snapshots, newest first, per job and sink.
 *
 * `request` has `jobs`, as with `sw_backup`, and `host`, another machine, by its name or id,
 * whose snapshots are used instead of this one's. The document is that of `seaworthy snapshots
 * --json`. Ownership, threads and errors are those of `sw_backup`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_snapshots(const struct sw_ctx *ctx,
                     const char *request,
                     size_t request_len,
                     const struct sw_call *call,
                     struct sw_string **document,
                     struct sw_error **error);

/**
 * Shows the contents of one snapshot.
 *
 * `request` has `snapshot`, `"JOB"` or `"JOB@ID"`, `files` and `tables`, which list what is in it, and
 * `identity`, files with private keys, those that SEAWORTHY_IDENTITY names where there are none, and `host`, as with `sw_snapshots`. The document is
 * that of `seaworthy show --json`. Ownership, threads and errors are those of `sw_backup`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_show(const struct sw_ctx *ctx,
                const char *request,
                size_t request_len,
                const struct sw_call *call,
                struct sw_string **document,
                struct sw_error **error);

/**
 * Reads snapshots back and checks every byte, in each of their sinks.
 *
 * `request` has `snapshots`, a list of `"JOB"` or `"JOB@ID"`, empty for the latest of each
 * job; `sink`, to check only that one; `sample`, the fraction of the frames to read, above 0
 * and at most 1; or `rebuild_index`; `identity`, as with `sw_show`; and `host`, as with
 * `sw_snapshots`. The document is that of `seaworthy verify --json`. Ownership, threads and
 * errors are those of `sw_backup`; SW_E_FINDINGS if something is damaged.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_verify(const struct sw_ctx *ctx,
                  const char *request,
                  size_t request_len,
                  const struct sw_call *call,
                  struct sw_string **document,
                  struct sw_error **error);

/**
 * Copies snapshots that other sinks of the jobs do not have yet.
 *
 * `request` has `jobs`, as with `sw_backup`. The document is that of `seaworthy sync --json`. Ownership,
 * threads and errors are those of `sw_backup`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_sync(const struct sw_ctx *ctx,
                const char *request,
                size_t request_len,
                const struct sw_call *call,
                struct sw_string **document,
                struct sw_error **error);

/**
 * Issues, renews, lists and checks certificates.
 *
 * `request` has `command` and its options; the document is that of `seaworthy cert COMMAND
 * --json`: `issue` and `renew` with `names` (empty for all), `dry_run`, `staging`, `force`,
 * `strict`, `skip_checks`; `list`; `show` with `names`; `check` with `targets`, certificates
 * or `"HOST:PORT"`; `revoke` with `names` and `reason`; `import-certbot` with `from`,
 * certbot's folder, `names`, `dry_run` and `roll_over`; `cleanup` with `dry_run` and
 * `look_in`. If nothing had to be done the document's `outcome` is `nothing_to_do`. Ownership,
 * threads and errors are those of `sw_backup`; SW_E_FINDINGS if a check found problems,
 * SW_E_FAILED if a certificate was issued but is not served.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_cert(const struct sw_ctx *ctx,
                const char *request,
                size_t request_len,
                const struct sw_call *call,
                struct sw_string **document,
                struct sw_error **error);

/**
 * Really tries each part of the configuration, and says how to fix what does not work.
 *
 * `request` has `notify`: whether each notifier is sent a test message. The document is that
 * of `seaworthy doctor --json`; its `outcome` is `findings` if a check failed. Nothing is left
 * behind. Ownership, threads and errors are those of `sw_backup`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_doctor(const struct sw_ctx *ctx,
                  const char *request,
                  size_t request_len,
                  const struct sw_call *call,
                  struct sw_string **document,
                  struct sw_error **error);

/**
 * Restores snapshots into a temporary place, compares them with what was backed up, and
 * records the results.
 *
 * `request` has `snapshots`, a list of `"JOB"` or `"JOB@ID"`, empty for the latest of each
 * job; `sink`, to take them from that one; `identity`, files with private keys, those that
 * SEAWORTHY_IDENTITY names where there are none; and `host`, as with `sw_snapshots`. The
 * document is that of `seaworthy drill --json`. Ownership, threads and errors are those of
 * `sw_backup`; SW_E_FINDINGS if something differs.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_drill(const struct sw_ctx *ctx,
                 const char *request,
                 size_t request_len,
                 const struct sw_call *call,
                 struct sw_string **document,
                 struct sw_error **error);

/**
 * Applies the retention policy of jobs, in each of their sinks, with a reason for each decision.
 *
 * `request` has `jobs`, as with `sw_backup`, `dry_run`, and `host`, as with `sw_snapshots`. The document is that of
 * `seaworthy prune --json`. Ownership, threads and errors are those of `sw_backup`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_prune(const struct sw_ctx *ctx,
                 const char *request,
                 size_t request_len,
                 const struct sw_call *call,
                 struct sw_string **document,
                 struct sw_error **error);

/**
 * Protects a snapshot from prune, in every sink that has it.
 *
 * `request` has `snapshot`, `"JOB"` or `"JOB@ID"`. The document is that of `seaworthy pin --json`. Ownership,
 * threads and errors are those of `sw_backup`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_pin(const struct sw_ctx *ctx,
               const char *request,
               size_t request_len,
               const struct sw_call *call,
               struct sw_string **document,
               struct sw_error **error);

/**
 * Removes a snapshot's protection from prune.
 *
 * Everything is as with `sw_pin`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_unpin(const struct sw_ctx *ctx,
                 const char *request,
                 size_t request_len,
                 const struct sw_call *call,
                 struct sw_string **document,
                 struct sw_error **error);

/**
 * Renders, checks, compares and installs nginx's configuration.
 *
 * `request` has `command` and its options; the document is that of `seaworthy proxy COMMAND
 * --json`: `render` with `out`, a folder that the files are also written to; `check`, which
 * lints and lets nginx check the files; `diff`; `apply` with `dry_run` and `keep_going`;
 * `switch` with `site` and `to`, a pool of servers. If nothing had to be done the document's
 * `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`;
 * SW_E_FINDINGS if the installed files differ.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_proxy(const struct sw_ctx *ctx,
                 const char *request,
                 size_t request_len,
                 const struct sw_call *call,
                 struct sw_string **document,
                 struct sw_error **error);

/**
 * Restores a snapshot, or a part of it, to a new or empty folder or in place.
 *
 * `request` has `snapshot`, `"JOB"` or `"JOB@ID"`; `to`, a folder or a database's URL, or
 * `in_place`; `source`, to restore only that one; `sink`, to read it from that one; `only`, a
 * list of paths or tables; `force`, for an untrusted one; `identity` and `host`, as with
 * `sw_show`. A restore in place also needs `yes`: without it SW_E_INVALID_INPUT is returned,
 * with `places` and `before` in the error's context, and nothing is changed. The document is
 * that of `seaworthy restore --json`. Ownership, threads and errors are those of `sw_backup`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_restore(const struct sw_ctx *ctx,
                   const char *request,
                   size_t request_len,
                   const struct sw_call *call,
                   struct sw_string **document,
                   struct sw_error **error);

/**
 * Renders, checks, compares, installs and runs services, and deploys new versions of them.
 *
 * `request` has `command` and its options; the document is that of `seaworthy service COMMAND
 * --json`: `render` with `type` (`"systemd"`, the default, `"pm2"`, `"cron"` or
 * `"github-actions"`) and `out`, a folder that the files are written to; `check` with `type`
 * and `folder`, which systemd or cron reads; `diff` with `type`, `out` and `folder`; `apply`
 * with `type`, `dry_run` and `folder`; `start`, `stop` and `restart` with `name`; `status`
 * with `names` (empty for all); and `deploy`, as `seaworthy deploy`, with `service` and
 * `from`, a folder or an archive (default: go back to the previous release). If
 * nothing had to be done the document's `outcome` is `nothing_to_do`. Ownership, threads and
 * errors are those of `sw_backup`; SW_E_FINDINGS if something differs, or is not healthy.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_service(const struct sw_ctx *ctx,
                   const char *request,
                   size_t request_len,
                   const struct sw_call *call,
                   struct sw_string **document,
                   struct sw_error **error);

/**
 * Returns the status of backups, certificates, sites, services and disks, as reported by
 * themselves.
 *
 * `request` has `all_hosts`: whether to include the backups of other machines in the same
 * sinks. The document is that of `seaworthy status --json`; its `outcome` is `findings` if
 * something is wrong. Ownership, threads and errors are those of `sw_backup`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_status(const struct sw_ctx *ctx,
                  const char *request,
                  size_t request_len,
                  const struct sw_call *call,
                  struct sw_string **document,
                  struct sw_error **error);

/**
 * Does everything that is due now: backups, copies, retention, drills, certificates.
 *
 * `request` has `dry_run`, which only reports what is due. The document is that of `seaworthy
 * run --json`; if nothing was due its `outcome` is `nothing_to_do`. Ownership, threads and
 * errors are those of `sw_backup`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_run(const struct sw_ctx *ctx,
               const char *request,
               size_t request_len,
               const struct sw_call *call,
               struct sw_string **document,
               struct sw_error **error);

/**
 * Brings certificates, the proxy and services to the state in the file, step by step, or rolls
 * everything back.
 *
 * `request` has `dry_run`, which changes nothing and lists every file and command; `type` and
 * `folder`, as in `sw_service` with `apply`. The document is that of `seaworthy apply --json`;
 * if nothing had to be done its `outcome` is `nothing_to_do`. Ownership, threads and errors
 * are those of `sw_backup`.
 *
 * The contract:
 * That of `sw_backup`.
 */
int32_t sw_apply(const struct sw_ctx *ctx,
                 const char *request,
                 size_t request_len,
                 const struct sw_call *call,
                 struct sw_string **document,
                 struct sw_error **error);

/**
 * Creates a trigger.
 *
 * `*out` is owned by the caller, until `sw_cancel_free`. `error` may be NULL; the caller must free
 * what is put there. Any thread, but not inside a callback. Answers SW_E_NULL, SW_E_REENTRANT.
 *
 * The contract:
 * Pointers are NULL or may be written to.
 */
int32_t sw_cancel_new(struct sw_cancel **out, struct sw_error **error);

/**
 * Asks every call with `cancel` to stop. Further calls have no effect. The stopped call returns
 * SW_E_CANCELLED, unless it was already done.
 *
 * Any thread, at any time; also inside a callback. Not from a signal handler. Answers SW_E_NULL.
 *
 * The contract:
 * `cancel` is NULL or a living trigger.
 */
int32_t sw_cancel_trigger(const struct sw_cancel *cancel);

/**
 * Whether `cancel` was triggered: 1 or 0.
 *
 * Any thread; not inside a callback. Answers SW_E_NULL, SW_E_REENTRANT.
 *
 * The contract:
 * `cancel` is NULL or a living trigger; `out` is NULL or may be written to.
 */
int32_t sw_cancel_is_triggered(const struct sw_cancel *cancel, int32_t *out);

/**
 * Frees `cancel`. NULL does nothing. A call with it continues and can no longer be stopped.
 *
 * Any thread, but only one.
 *
 * The contract:
 * `cancel` is NULL or a living trigger that is no longer used.
 */
void sw_cancel_free(struct sw_cancel *cancel);

/**
 * Checks the file at `path` (UTF-8, `path_len` bytes; NULL with 0 searches the same places as the
 * program) without opening anything in it.
 *
 * `*document` is that of `seaworthy config check --json`, owned by the caller. `document` and `error` may
 * be NULL; the caller must free what is put there. Any thread, but not inside a callback. Answers
 * SW_E_CONFIG for an invalid file, the codes of one that cannot be read, SW_E_NULL, SW_E_UTF8,
 * SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_config_check(const char *path,
                        size_t path_len,
                        struct sw_string **document,
                        struct sw_error **error);

/**
 * The JSON Schema of the file (SW_SCHEMA_CONFIG) or of the documents (SW_SCHEMA_DOCUMENT).
 *
 * `*schema` is owned by the caller. `error` may be NULL; the caller must free what is put there.
 * Any thread, but not inside a callback. Answers SW_E_INVALID_INPUT for an unknown number,
 * SW_E_NULL, SW_E_REENTRANT, SW_E_PANIC.
 *
 * The contract:
 * Pointers are NULL or may be written to.
 */
int32_t sw_schema(uint32_t which, struct sw_string **schema, struct sw_error **error);

/**
 * Decides which snapshots a policy would keep, and why. Changes nothing and needs no context.
 *
 * `request` (JSON, `request_len` bytes) has `keep`, as in the file; `time_zone` (default: UTC);
 * `now`, such as `"2026-11-22T02:30:00Z"`; `snapshots`, each with its `id`, and if relevant
 * `pinned`, `kind`, `state` and `host`, as listed by `sw_snapshots`; and `host`, the machine whose
 * snapshots are planned (default: that of the first one). `*document` is owned by the caller:
 * `{"result":{"decisions":[{"id","keep","reasons","text"}]}}` with the usual members. `document`
 * and `error` may be NULL; the caller must free what is put there.
 *
 * Any thread, but not inside a callback. Answers SW_E_REQUEST, also for rules that would keep nothing,
 * SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_plan_retention(const char *request,
                          size_t request_len,
                          struct sw_string **document,
                          struct sw_error **error);

/**
 * Makes a key pair. Needs no context.
 *
 * `request` (JSON, `request_len` bytes) has `kind`, `"age"` to encrypt or `"sign"` to sign, and
 * `out`, the new file for the secret key; an existing file is never replaced. Without `out` the
 * secret key is in the document, which is that of `seaworthy keygen --json` and owned by the
 * caller. `document` and `error` may be NULL; the caller must free what is put there.
 *
 * Any thread, but not inside a callback. Answers SW_E_REQUEST, SW_E_ALREADY_EXISTS, the codes of a file that
 * cannot be written, SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_keygen(const char *request,
                  size_t request_len,
                  struct sw_string **document,
                  struct sw_error **error);

/**
 * Opens the file at `path` (UTF-8, `path_len` bytes). NULL with a length of 0 searches the same
 * places as the program: SEAWORTHY_CONFIG, then ./seaworthy.toml, then
 * /etc/seaworthy/seaworthy.toml.
 *
 * The process environment is read now, and only now: for the state folder, and for secrets that
 * the file takes from it. `options` may be NULL. `*out` is owned by the caller, until
 * `sw_ctx_free`. `error` may be NULL; the caller must free what is put there. Any thread, but not
 * inside a callback. After fork(2) open new contexts. Answers SW_E_CONFIG for an invalid file,
 * with `line` and `column` in the error's context, the codes of one that cannot be read,
 * SW_E_NULL, SW_E_UTF8, SW_E_STRUCT_SIZE, SW_E_INVALID_INPUT, SW_E_REENTRANT.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_ctx_open_file(const char *path,
                         size_t path_len,
                         const struct sw_options *options,
                         struct sw_ctx **out,
                         struct sw_error **error);

/**
 * Opens the configuration in `toml` (UTF-8, `toml_len` bytes), like a file `seaworthy.toml` in the
 * folder `base`: relative paths are relative to that. A `base` of NULL with a length of 0 is the
 * current folder.
 *
 * Everything else is as with `sw_ctx_open_file`.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_ctx_open_text(const char *toml,
                         size_t toml_len,
                         const char *base,
                         size_t base_len,
                         const struct sw_options *options,
                         struct sw_ctx **out,
                         struct sw_error **error);

/**
 * Frees `ctx`: ends its threads and waits for them (at most 30 s), then runs the finalizers of its sinks,
 * solvers and notifiers.
 * NULL does nothing.
 *
 * Any thread, but only one. Inside a callback and while a call runs on `ctx` it does nothing: that
 * is an error of the caller; free it again when the call has returned.
 *
 * The contract:
 * `ctx` is NULL or a living context, that is no longer used.
 */
void sw_ctx_free(struct sw_ctx *ctx);

/**
 * Makes an error, to be returned by a callback.
 *
 * `code` is the result of the callback, one of SW_E_*; `message` (UTF-8, `message_len` bytes) says
 * what happened, for people. `*out` is owned by the caller, who passes it on by putting it where
 * the callback's `error` points to, or frees it with `sw_error_free`.
 *
 * Any thread; also inside a callback. Answers SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, and
 * SW_E_INVALID_INPUT for a code that is not negative.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_error_new(int32_t code, const char *message, size_t message_len, struct sw_error **out);

/**
 * The code of `error`, which is the result of the call.
 *
 * Any thread; also inside a callback. Answers SW_E_NULL.
 *
 * The contract:
 * `error` is NULL or a living error; `out` is NULL or may be written to.
 */
int32_t sw_error_code(const struct sw_error *error, int32_t *out);

/**
 * Whether trying again may help: 1 or 0.
 *
 * Any thread; also inside a callback. Answers SW_E_NULL.
 *
 * The contract:
 * `error` is NULL or a living error; `out` is NULL or may be written to.
 */
int32_t sw_error_retryable(const struct sw_error *error, int32_t *out);

/**
 * The message of `error` with those of its causes, for people.
 *
 * `*data` is NUL-terminated UTF-8 of `*len` bytes without the NUL, borrowed from `error` until that is
 * freed. `len` may be NULL. Any thread; also inside a callback. Answers SW_E_NULL.
 *
 * The contract:
 * `error` is NULL or a living error; the others are NULL or may be written to.
 */
int32_t sw_error_message(const struct sw_error *error,
                         const char **data,
                         size_t *len);

/**
 * The operation that failed with `error`, such as `sink.read`.
 *
 * `*data` is NUL-terminated UTF-8 of `*len` bytes without the NUL, borrowed from `error` until that is
 * freed. `len` may be NULL. Any thread; also inside a callback. Answers SW_E_NULL.
 *
 * The contract:
 * `error` is NULL or a living error; the others are NULL or may be written to.
 */
int32_t sw_error_operation(const struct sw_error *error,
                           const char **data,
                           size_t *len);

/**
 * What the user can do about `error`; empty if that is not known.
 *
 * `*data` is NUL-terminated UTF-8 of `*len` bytes without the NUL, borrowed from `error` until that is
 * freed. `len` may be NULL. Any thread; also inside a callback. Answers SW_E_NULL.
 *
 * The contract:
 * `error` is NULL or a living error; the others are NULL or may be written to.
 */
int32_t sw_error_remedy(const struct sw_error *error,
                        const char **data,
                        size_t *len);

/**
 * The facts about `error` as a JSON object of strings, such as `{"line":"3","column":"7"}`.
 *
 * `*data` is NUL-terminated UTF-8 of `*len` bytes without the NUL, borrowed from `error` until that is
 * freed. `len` may be NULL. Any thread; also inside a callback. Answers SW_E_NULL.
 *
 * The contract:
 * `error` is NULL or a living error; the others are NULL or may be written to.
 */
int32_t sw_error_context(const struct sw_error *error,
                         const char **data,
                         size_t *len);

/**
 * Frees `error`, and with it everything that was borrowed from it. NULL does nothing.
 *
 * Any thread, but only one; also inside a callback.
 *
 * The contract:
 * `error` is NULL or a living error, that is no longer used.
 */
void sw_error_free(struct sw_error *error);

/**
 * Registers `notifier` as the implementation of the notifier `name` (UTF-8, `name_len` bytes),
 * which has `[notify.NAME]` with `type = "custom"` in the file. An earlier one is replaced.
 *
 * `*notifier` is copied; its finalizer runs when `ctx` is freed, or immediately if this call
 * fails, if the struct could be read. `error` may be NULL; the caller must free what is put there.
 * Any thread, but not inside a callback; running calls continue with the earlier one. Answers
 * SW_E_INVALID_INPUT if the file has no such custom notifier, SW_E_NULL for a missing function,
 * SW_E_UTF8, SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_ctx_add_notifier(struct sw_ctx *ctx,
                            const char *name,
                            size_t name_len,
                            const struct sw_notifier *notifier,
                            struct sw_error **error);

/**
 * Registers `sink` as the implementation of the sink `name` (UTF-8, `name_len` bytes), which has
 * `[sink.NAME]` with `type = "custom"` in the file. An earlier one is replaced.
 *
 * `*sink` is copied; its finalizer runs when `ctx` is freed, or immediately if this call fails, if
 * the struct could be read. `error` may be NULL; the caller must free what is put there. Any
 * thread, but not inside a callback; running calls continue with the earlier one. Answers
 * SW_E_INVALID_INPUT if the file has no such custom sink or a capability is unknown, SW_E_NULL for
 * a missing function, SW_E_UTF8, SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_ctx_add_sink(struct sw_ctx *ctx,
                        const char *name,
                        size_t name_len,
                        const struct sw_sink *sink,
                        struct sw_error **error);

/**
 * Tests the functions of `sink` with the suite that Seaworthy's own sinks pass: one case after
 * another, each below its own random prefix. It writes about 300 MB.
 *
 * `*document` is owned by the caller: `{"result":{"cases":[{"name","passed","message"}]}}` with
 * the usual members. `call` may be NULL. `error` may be NULL; the caller must free what is put
 * there. The finalizer runs before this returns, if the struct could be read. Any thread, but not
 * inside a callback. Answers SW_E_FINDINGS if a case failed, else the same as `sw_ctx_add_sink`.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_sink_conformance(const struct sw_sink *sink,
                            const struct sw_call *call,
                            struct sw_string **document,
                            struct sw_error **error);

/**
 * Registers `solver` for challenges of certificates with the `custom` name `name` (UTF-8,
 * `name_len` bytes), such as `challenge = { type = "dns-01", custom = "zone" }`. An earlier one is
 * replaced.
 *
 * `*solver` is copied; its finalizer runs when `ctx` is freed, or immediately if this call fails,
 * if the struct could be read. `error` may be NULL; the caller must free what is put there. Any
 * thread, but not inside a callback; running calls continue with the earlier one. Answers
 * SW_E_INVALID_INPUT if the file has no such solver, or for another kind of challenge, SW_E_NULL
 * for a missing function, SW_E_UTF8, SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_ctx_add_solver(struct sw_ctx *ctx,
                          const char *name,
                          size_t name_len,
                          const struct sw_solver *solver,
                          struct sw_error **error);

/**
 * Makes a string, to be returned by a callback.
 *
 * `text` (UTF-8, `text_len` bytes) is copied. `*out` is owned by the caller, who returns it from
 * the callback, or frees it with `sw_string_free`.
 *
 * Any thread; also inside a callback. Answers SW_E_NULL, SW_E_UTF8, SW_E_LENGTH.
 *
 * The contract:
 * Pointers are valid as described above.
 */
int32_t sw_string_new(const char *text, size_t text_len, struct sw_string **out);

/**
 * The bytes of `string`.
 *
 * `*data` is NUL-terminated UTF-8 of `*len` bytes without the NUL, borrowed from `string` until that is
 * freed. `len` may be NULL. Any thread; also inside a callback. Answers SW_E_NULL.
 *
 * The contract:
 * `string` is NULL or a living string; the others are NULL or may be written to.
 */
int32_t sw_string_data(const struct sw_string *string,
                       const char **data,
                       size_t *len);

/**
 * Frees `string`, and with it everything that was borrowed from it. NULL does nothing.
 *
 * Any thread, but only one; also inside a callback.
 *
 * The contract:
 * `string` is NULL or a living string, that is no longer used.
 */
void sw_string_free(struct sw_string *string);

/**
 * The interface version of the library; see SW_ABI_VERSION. Any thread, at any time.
 */
uint32_t sw_abi_version(void);

/**
 * The version of Seaworthy, such as `1.2.3`: NUL-terminated, never freed. Any thread, at any time.
 */
const char *sw_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SEAWORTHY_H */
