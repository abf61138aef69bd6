/* Seaworthy from C and everything that speaks it. Generated from crates/ffi/src: do not edit.
 *
 * Handles are opaque; whoever got one frees it; sw_…_free(NULL) does nothing. Every function but those, sw_version
 * and sw_abi_version answers 0 or one of SW_E_*. Text that goes in is a pointer and a length; text that comes out has a
 * NUL behind it too. A `const` handle may be used by several threads at once, another one by one only. */

#ifndef SEAWORTHY_H
#define SEAWORTHY_H

#include <stddef.h>
#include <stdint.h>

/**
 * It worked. Losses, if there are any, are named in the document's `outcome`.
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
 * Something is there already that must not be replaced.
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
 * A part does not offer what was asked of it.
 */
#define SW_E_UNSUPPORTED -7

/**
 * Stored bytes are not what was written: truncated, flipped, missing.
 */
#define SW_E_DAMAGED -8

/**
 * Stored bytes are whole but not signed by whom we trust.
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
 * A service cannot be reached or answers with a passing failure.
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
 * A short name fits more than one thing.
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
 * Text is no UTF-8.
 */
#define SW_E_UTF8 -1001

/**
 * A defect made the library panic; the context refuses further work.
 */
#define SW_E_PANIC -1002

/**
 * Called from inside a callback, where it is not allowed.
 */
#define SW_E_REENTRANT -1003

/**
 * The `size` of a struct is none that this version can read.
 */
#define SW_E_STRUCT_SIZE -1004

/**
 * A length is larger than any object can be.
 */
#define SW_E_LENGTH -1005

/**
 * A request is no JSON, or has unknown or wrong members.
 */
#define SW_E_REQUEST -1006

/**
 * The context was made before this process was forked off.
 */
#define SW_E_FORKED -1007

/**
 * It ran and failed, and no single error says why: the document does.
 */
#define SW_E_FAILED -1008

/**
 * It ran, and something is not as it should be: the document says what.
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
 * In `sw_solver.kind`: a special certificate on port 443.
 */
#define SW_CHALLENGE_TLS_ALPN_01 3

/**
 * The version of this header. It grows when something that was there changes; what is only added leaves
 * it as it is. A library fits a program when `sw_abi_version()` gives this number.
 */
#define SW_ABI_VERSION 1

/**
 * A trigger that stops the calls which it is given to. Once pulled, it stays so: make a new one for
 * the next call.
 */
typedef struct sw_cancel sw_cancel;

/**
 * A configuration, ready to be worked with. Several threads may make calls on it at once.
 */
typedef struct sw_ctx sw_ctx;

/**
 * What went wrong: a code, a message for people, the operation, what can be done about it, and facts
 * as JSON. Owned by whoever got it, until `sw_error_free`.
 */
typedef struct sw_error sw_error;

/**
 * Text that the library made. Owned by whoever got it, until `sw_string_free`.
 */
typedef struct sw_string sw_string;

/**
 * A function of the host that is told something as JSON.
 *
 * It is called on the thread that made the call, and only while the call lasts. What it is given is
 * borrowed until it returns. Anything but 0 cancels the call. Inside it only `sw_cancel_trigger`,
 * `sw_error_*` and `sw_string_*` may be used. It must return: no exception, no longjmp.
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
   * What the function is given back.
   */
  void *user_data;
  /**
   * Called once with `user_data`, on the same thread, before the call returns, whatever it answers,
   * if this struct could be read. May be NULL.
   */
  void (*finalizer)(void *user_data);
} sw_callback;

/**
 * How a call is to run. NULL in its place, and zero in each member, leave it unwatched.
 */
typedef struct sw_call {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * How much `log` is told: 0 warnings and errors, 1 errors, 2 warnings, 3 information, 4 debugging,
   * 5 everything.
   */
  uint32_t log_level;
  /**
   * Stops the call when it is triggered. Borrowed while the call begins. May be NULL.
   */
  const struct sw_cancel *cancel;
  /**
   * Told what happens: `{"schema":1,"time":…,"event":"started","task":…,"total_bytes":…}`, with
   * `"event":"advanced","bytes":…,"items":…` (added up, at most 20 a second),
   * `"event":"finished","task":…,"seconds":…`, `"event":"warning","message":…` and those that
   * docs/events.md lists; in later versions others, which are to be passed over. Borrowed while
   * the call begins. May be NULL.
   */
  const struct sw_callback *progress;
  /**
   * Told what the library logs: `{"level":"warn","target":…,"message":…,"fields":{…}}`. Where several
   * calls of a context run at once, each is told everything. Borrowed while the call begins. May
   * be NULL.
   */
  const struct sw_callback *log;
} sw_call;

/**
 * How a context is made. NULL in its place, and zero in each member, leave the usual.
 */
typedef struct sw_options {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * How many threads move data; 0 for one per core. Reading and compressing has threads of its own, as
   * many as the file says.
   */
  uint32_t threads;
} sw_options;

/**
 * Somebody who can be told what happened, implemented by the host.
 *
 * `send` is called on a thread that is inside a call of the library, so on several at once where several calls
 * run; it may block, but not for longer than the file lets a notification take. What it is given is borrowed
 * until it returns. Inside it only `sw_cancel_trigger`, `sw_error_*` and `sw_string_*` may be used. It must
 * return: no exception, no longjmp.
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
   * What the function is given back.
   */
  void *user_data;
  /**
   * Called once with `user_data` when the notifier is used no more: when its context is freed, also if it was
   * replaced before, or when it was not taken. May be NULL.
   */
  void (*finalizer)(void *user_data);
  /**
   * Tells it, once: `notice` is NUL-terminated JSON, what `type = "webhook"` posts, such as
   * `{"schema":1,"occasion":"failure","subject":{"kind":"backup","name":…},"title":…,"text":…}`. Answers 0
   * or one of SW_E_*, and may say more by putting an error made with `sw_error_new` where `error` points
   * to; the library frees it. What is retryable, such as SW_E_UNAVAILABLE, is tried again.
   */
  int32_t (*send)(void *user_data, const char *notice, size_t notice_len, struct sw_error **error);
} sw_notifier;

/**
 * How an object is to be written. The library fills it.
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
   * The object's size in bytes; UINT64_MAX where it is not known yet.
   */
  uint64_t length;
} sw_put_options;

/**
 * What a sink knows of an object. The library sets `size`, the sink the rest.
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
 * Every function answers 0 or one of SW_E_*, and may say more by putting an error made with
 * `sw_error_new` where `error` points to; the library frees it. Functions are called on a thread that is
 * inside a call of the library, so on several at once where several calls run; they may block. What
 * they are given is borrowed until they return. Inside them only `sw_cancel_trigger`, `sw_error_*` and
 * `sw_string_*` may be used. They must return: no exception, no longjmp.
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
   * What it can do: SW_SINK_DELETE, SW_SINK_IF_ABSENT. What is not claimed is never asked for.
   */
  uint32_t capabilities;
  /**
   * What the functions are given back.
   */
  void *user_data;
  /**
   * Called once with `user_data` when the sink is used no more: when its context is freed, also if it was
   * replaced before, or when it was not taken. May be NULL.
   */
  void (*finalizer)(void *user_data);
  /**
   * Begins to write the object `key`, and gives a number for it, of the sink's choice. Nothing is
   * visible before `commit`.
   */
  int32_t (*begin)(void *user_data,
                   const char *key,
                   size_t key_len,
                   const struct sw_put_options *options,
                   uint64_t *upload,
                   struct sw_error **error);
  /**
   * Adds `len` bytes at the end of what is written.
   */
  int32_t (*write)(void *user_data,
                   uint64_t upload,
                   const uint8_t *data,
                   size_t len,
                   struct sw_error **error);
  /**
   * Makes the object visible, whole and durable, and fills `info`. The upload is over, whatever is
   * answered. SW_E_ALREADY_EXISTS where `if_absent` was wanted and the object is there.
   */
  int32_t (*commit)(void *user_data,
                    uint64_t upload,
                    struct sw_object_info *info,
                    struct sw_error **error);
  /**
   * Gives an upload up and frees what was stored of it. The upload is over, whatever is answered.
   */
  int32_t (*abort)(void *user_data, uint64_t upload, struct sw_error **error);
  /**
   * Reads the object `key` from byte `offset` on: fills `buffer` (`capacity` bytes) and says in `*filled`
   * how much that was. Less than `capacity` only at the end of the object. SW_E_NOT_FOUND where it is
   * absent.
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
   * Fills `info` about the object `key`. SW_E_NOT_FOUND where it is absent, as a folder is.
   */
  int32_t (*stat)(void *user_data,
                  const char *key,
                  size_t key_len,
                  struct sw_object_info *info,
                  struct sw_error **error);
  /**
   * Every object below `prefix` (empty: all), at any depth, in any order, as JSON:
   * `[{"key":…,"length":…,"modified":…}]`, in a string made with `sw_string_new`, which the library
   * frees. `ab` is not below `a`, and neither is `a` itself. What does not exist is empty.
   */
  int32_t (*list)(void *user_data,
                  const char *prefix,
                  size_t prefix_len,
                  struct sw_string **listing,
                  struct sw_error **error);
  /**
   * Deletes the object `key`, durably. An absent one is fine. NULL without SW_SINK_DELETE.
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
 * What answers an authority's challenges, implemented by the host.
 *
 * Every function is given a challenge as NUL-terminated JSON: `{"kind","identifier","token",
 * "key_authorization","http_path","dns_name","dns_value"}`, where `http_path` is the path that must show
 * `key_authorization`, `dns_name` (without a dot at its end) is where a TXT record must have the value
 * `dns_value`, and `dns_value` is the base64url of the SHA-256 that a certificate for tls-alpn-01 carries.
 * It answers 0 or one of SW_E_*, and may say more by putting an error made with `sw_error_new` where
 * `error` points to; the library frees it. Several challenges may be open at once, also for one name.
 *
 * Functions are called on a thread that is inside a call of the library, so on several at once where several
 * calls run; they may block. What they are given is borrowed until they return. Inside them only
 * `sw_cancel_trigger`, `sw_error_*` and `sw_string_*` may be used. They must return: no exception, no longjmp.
 */
typedef struct sw_solver {
  /**
   * The size of this struct, in bytes.
   */
  uint32_t size;
  /**
   * What it answers: one of SW_CHALLENGE_*.
   */
  uint32_t kind;
  /**
   * What the functions are given back.
   */
  void *user_data;
  /**
   * Called once with `user_data` when the solver is used no more: when its context is freed, also if it was
   * replaced before, or when it was not taken. May be NULL.
   */
  void (*finalizer)(void *user_data);
  /**
   * Makes the answer available. Twice for one challenge is no failure.
   */
  int32_t (*present)(void *user_data,
                     const char *challenge,
                     size_t challenge_len,
                     struct sw_error **error);
  /**
   * Returns when the authority can see the answer, such as when DNS has spread. NULL: at once.
   */
  int32_t (*ready)(void *user_data,
                   const char *challenge,
                   size_t challenge_len,
                   struct sw_error **error);
  /**
   * Takes the answer away. What is not there is no failure.
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
 * `request` (JSON, `request_len` bytes; NULL with 0 is `{}`) has `jobs`, a list of names, all of them where
 * it is empty; `dry_run`; `accept`, which takes a suspect result as good. `call` may be NULL.
 * `*document` is the document that `seaworthy backup --json` prints, there also when a job failed, and owned
 * by the caller, until `sw_string_free`; it stays NULL where the call could not begin. `document` and
 * `error` may be NULL; what is put there is the caller's to free.
 *
 * Any thread, several at once, but not inside a callback. Blocks until all its work has ended. Answers 0
 * for success, also with losses, which the document's `outcome` says; SW_E_CANCELLED after a trigger;
 * the kind of the first error; SW_E_FAILED or SW_E_FINDINGS where only the document says what is
 * wrong; SW_E_REQUEST, SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_STRUCT_SIZE, SW_E_REENTRANT,
 * SW_E_FORKED, SW_E_PANIC.
 *
 * The contract:
 * `ctx` is NULL or a living context; pointers are valid for what is said above.
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
 * `request` has `jobs`, as with `sw_backup`, and `host`, another machine, by its name or id, whose snapshots
 * are meant in place of this one's. The document is that of `seaworthy snapshots --json`. Ownership,
 * threads and errors are those of `sw_backup`.
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
 * Shows what one snapshot holds.
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
 * `request` has `snapshots`, a list of `"JOB"` or `"JOB@ID"`, the latest of each job where it is empty;
 * `sink`, to look in that one only; `sample`, the part of the frames to read, above 0 and at most 1; or
 * `rebuild_index`; `identity`, as with `sw_show`; and `host`, as with `sw_snapshots`. The document is that of `seaworthy verify --json`. Ownership, threads and errors are
 * those of `sw_backup`; SW_E_FINDINGS where something is damaged.
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
 * Copies snapshots that other sinks of the jobs still lack.
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
 * `request` has `command` and what belongs to it; the document is that of `seaworthy cert COMMAND --json`:
 * `issue` and `renew` with `names`, all of them where it is empty, `dry_run`, `staging`, `force`, `strict`,
 * `skip_checks`; `list`; `show` with `names`; `check` with `targets`, certificates or `"HOST:PORT"`;
 * `revoke` with `names` and `reason`; `import-certbot` with `from`, certbot's folder, `names`, `dry_run`
 * and `roll_over`; `cleanup` with `dry_run` and `look_in`. Where nothing had to be done the document's
 * `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`; SW_E_FINDINGS where a
 * certificate is not as it should be, SW_E_FAILED where one was issued and is not being served.
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
 * Tries each part of the configuration for real, and says what to do about what does not work.
 *
 * `request` has `notify`: whether each notifier is sent a test message. The document is that of
 * `seaworthy doctor --json`; its `outcome` is `findings` where a check failed. Nothing that is made
 * is left behind. Ownership, threads and errors are those of `sw_backup`.
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
 * Restores snapshots into a place that is thrown away, compares it with what was backed up, and records
 * what came of it.
 *
 * `request` has `snapshots`, a list of `"JOB"` or `"JOB@ID"`, the latest of each job where it is empty; `sink`,
 * to take them from that one; `identity`, files with private keys, those that SEAWORTHY_IDENTITY
 * names where there are none; and `host`, as with `sw_snapshots`. The document is that of `seaworthy drill --json`. Ownership, threads and
 * errors are those of `sw_backup`; SW_E_FINDINGS where something differs.
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
 * Takes a snapshot's protection from prune away.
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
 * `request` has `command` and what belongs to it; the document is that of `seaworthy proxy COMMAND --json`:
 * `render` with `out`, a folder that the files are written to, too; `check`, which lints and lets nginx
 * try; `diff`; `apply` with `dry_run` and `keep_going`; `switch` with `site` and `to`, a pool of servers.
 * Where nothing had to be done the document's `outcome` is `nothing_to_do`. Ownership, threads and
 * errors are those of `sw_backup`; SW_E_FINDINGS where what is installed differs.
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
 * `request` has `snapshot`, `"JOB"` or `"JOB@ID"`; `to`, a folder or a database's URL, or `in_place`; `source`, to restore only
 * that one; `sink`, to take it from that one; `only`, a list of paths or tables; `force`, for one that is not trusted;
 * `identity` and `host`, as with `sw_show`. A restore in place also needs
 * `yes`: without it SW_E_INVALID_INPUT is answered, with `places` and `before` in the error's context,
 * and nothing is touched. The document is that of `seaworthy restore --json`. Ownership, threads and
 * errors are those of `sw_backup`.
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
 * Renders, checks, compares, installs and runs services, and brings new versions of them into use.
 *
 * `request` has `command` and what belongs to it; the document is that of `seaworthy service COMMAND --json`:
 * `render` with `type` (`"systemd"`, which is the usual one, `"pm2"`, `"cron"` or `"github-actions"`) and
 * `out`, a folder that the files are written to; `check` with `type` and `folder`, where systemd or cron
 * looks; `diff` with `type`, `out` and `folder`; `apply` with `type`, `dry_run` and `folder`; `start`, `stop`
 * and `restart` with `name`; `status` with `names`, all of them where it is empty; and `deploy`, as
 * `seaworthy deploy`, with `service` and `from`, a folder or an archive, the release before this one
 * where nothing is said. Where nothing had to be done the document's `outcome` is `nothing_to_do`.
 * Ownership, threads and errors are those of `sw_backup`; SW_E_FINDINGS where something differs, or is
 * not well.
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
 * Says how backups, certificates, sites, services and disks do, as they themselves say.
 *
 * `request` has `all_hosts`: whether the backups of other machines in the same sinks are told too.
 * The document is that of `seaworthy status --json`; its `outcome` is `findings` where something is
 * wrong. Ownership, threads and errors are those of `sw_backup`.
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
 * `request` has `dry_run`, which only says what is due. The document is that of `seaworthy run --json`; where
 * nothing was due its `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`.
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
 * Brings certificates, the proxy and services to what the file says, in order, or leaves all of it as it was.
 *
 * `request` has `dry_run`, which changes nothing and says every file and command; `type` and `folder`, as
 * `sw_service` with `apply`. The document is that of `seaworthy apply --json`; where nothing had to be done its
 * `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`.
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
 * Makes a trigger that nobody has pulled.
 *
 * `*out` is owned by the caller, until `sw_cancel_free`. `error` may be NULL; what is put there is the
 * caller's to free. Any thread, but not inside a callback. Answers SW_E_NULL, SW_E_REENTRANT.
 *
 * The contract:
 * Pointers are NULL or may be written to.
 */
int32_t sw_cancel_new(struct sw_cancel **out,
                      struct sw_error **error);

/**
 * Asks every call that `cancel` was given to to stop. More than once does nothing more. The call
 * itself then answers SW_E_CANCELLED, unless it was done before.
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
 * Frees `cancel`. NULL does nothing. A call that it was given to goes on and can no longer be stopped.
 *
 * Any thread, but only one.
 *
 * The contract:
 * `cancel` is NULL or a living trigger, and nobody uses it any more.
 */
void sw_cancel_free(struct sw_cancel *cancel);

/**
 * Checks the file at `path` (UTF-8, `path_len` bytes; NULL with 0 looks where the program does) without
 * opening anything that it names.
 *
 * `*document` is that of `seaworthy config check --json`, owned by the caller. `document` and `error` may
 * be NULL; what is put there is the caller's to free. Any thread, but not inside a callback. Answers
 * SW_E_CONFIG for a file that is wrong, the codes of one that cannot be read, SW_E_NULL, SW_E_UTF8,
 * SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid for what is said above.
 */
int32_t sw_config_check(const char *path,
                        size_t path_len,
                        struct sw_string **document,
                        struct sw_error **error);

/**
 * The JSON Schema of the file (SW_SCHEMA_CONFIG) or of the documents (SW_SCHEMA_DOCUMENT).
 *
 * `*schema` is owned by the caller. `error` may be NULL; what is put there is the caller's to free. Any
 * thread, but not inside a callback. Answers SW_E_INVALID_INPUT for an unknown number, SW_E_NULL,
 * SW_E_REENTRANT, SW_E_PANIC.
 *
 * The contract:
 * Pointers are NULL or may be written to.
 */
int32_t sw_schema(uint32_t which,
                  struct sw_string **schema,
                  struct sw_error **error);

/**
 * Decides which snapshots a policy would keep, and why. Touches nothing and needs no context.
 *
 * `request` (JSON, `request_len` bytes) has `keep`, as in the file; `time_zone`, UTC where nothing is said;
 * `now`, such as `"2026-11-22T02:30:00Z"`; `snapshots`, each with its `id`, and where it matters `pinned`,
 * `kind`, `state` and `host`, as `sw_snapshots` lists them; and `host`, whose snapshots it is about, the
 * first one's where nothing is said. `*document` is owned by the caller:
 * `{"result":{"decisions":[{"id","keep","reasons","text"}]}}` among the usual members. `document` and
 * `error` may be NULL; what is put there is the caller's to free.
 *
 * Any thread, but not inside a callback. Answers SW_E_REQUEST, also for rules that would keep nothing,
 * SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid for what is said above.
 */
int32_t sw_plan_retention(const char *request,
                          size_t request_len,
                          struct sw_string **document,
                          struct sw_error **error);

/**
 * Makes a key pair. Needs no context.
 *
 * `request` (JSON, `request_len` bytes) has `kind`, `"age"` to encrypt or `"sign"` to sign, and `out`, the
 * new file that the secret half is written to; one that is there is never replaced. Without `out` the secret
 * half is in the document, which is that of `seaworthy keygen --json` and owned by the caller. `document` and
 * `error` may be NULL; what is put there is the caller's to free.
 *
 * Any thread, but not inside a callback. Answers SW_E_REQUEST, SW_E_ALREADY_EXISTS, the codes of a file that
 * cannot be written, SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid for what is said above.
 */
int32_t sw_keygen(const char *request,
                  size_t request_len,
                  struct sw_string **document,
                  struct sw_error **error);

/**
 * Opens the file at `path` (UTF-8, `path_len` bytes). NULL with a length of 0 looks where the program
 * does: SEAWORTHY_CONFIG, then ./seaworthy.toml, then /etc/seaworthy/seaworthy.toml.
 *
 * The process environment is read, now and only now: for the place of state, and for secrets that the
 * file says to be there. `options` may be NULL. `*out` is owned by the caller, until `sw_ctx_free`.
 * `error` may be NULL; what is put there is the caller's to free. Any thread, but not inside a callback.
 * After fork(2) open contexts anew. Answers SW_E_CONFIG for a file that is wrong, with `line` and
 * `column` in the error's context, the codes of what cannot be read, SW_E_NULL, SW_E_UTF8,
 * SW_E_STRUCT_SIZE, SW_E_INVALID_INPUT, SW_E_REENTRANT.
 *
 * The contract:
 * Pointers are valid for what is said above.
 */
int32_t sw_ctx_open_file(const char *path,
                         size_t path_len,
                         const struct sw_options *options,
                         struct sw_ctx **out,
                         struct sw_error **error);

/**
 * Opens the configuration that `toml` (UTF-8, `toml_len` bytes) is, as if it stood in a file
 * `seaworthy.toml` in the folder `base`: relative paths are relative to that. A `base` of NULL with a
 * length of 0 is the present folder.
 *
 * Everything else is as with `sw_ctx_open_file`.
 *
 * The contract:
 * Pointers are valid for what is said above.
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
 * Any thread, but only one. It is refused, and does nothing, inside a callback and while a call runs on
 * `ctx`: that is a mistake of the caller's; free it again when the call has returned.
 *
 * The contract:
 * `ctx` is NULL or a living context, and nobody uses it any more.
 */
void sw_ctx_free(struct sw_ctx *ctx);

/**
 * Makes an error, for a callback to answer with.
 *
 * `code` is what the callback answers, one of SW_E_*; `message` (UTF-8, `message_len` bytes) says what
 * happened, for people. `*out` is owned by the caller, who hands it over by putting it where the
 * callback's `error` points to, or frees it with `sw_error_free`.
 *
 * Any thread; also inside a callback. Answers SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, and
 * SW_E_INVALID_INPUT for a code that is not negative.
 *
 * The contract:
 * Pointers are valid for what is said above.
 */
int32_t sw_error_new(int32_t code,
                     const char *message,
                     size_t message_len,
                     struct sw_error **out);

/**
 * The code of `error`, the number that the call answered with.
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
 * The operation that met `error`, such as `sink.read`.
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
 * What the user can do about `error`; empty where that is not known.
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
 * `error` is NULL or a living error, and nobody uses it any more.
 */
void sw_error_free(struct sw_error *error);

/**
 * Fills the notifier `name` (UTF-8, `name_len` bytes) of the file, which has `[notify.NAME]` with
 * `type = "custom"`, with the function of `notifier`. One that was there is replaced.
 *
 * `*notifier` is copied; its finalizer runs when `ctx` is freed, or at once when this call fails, if the struct
 * could be read. `error` may be NULL; what is put there is the caller's to free. Any thread, but not
 * inside a callback; calls that run meanwhile go on with what was there. Answers SW_E_INVALID_INPUT
 * where the file has no such custom notifier, SW_E_NULL for a function that is missing, SW_E_UTF8,
 * SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid for what is said above.
 */
int32_t sw_ctx_add_notifier(struct sw_ctx *ctx,
                            const char *name,
                            size_t name_len,
                            const struct sw_notifier *notifier,
                            struct sw_error **error);

/**
 * Fills the sink `name` (UTF-8, `name_len` bytes) of the file, which has `[sink.NAME]` with
 * `type = "custom"`, with the functions of `sink`. One that was there is replaced.
 *
 * `*sink` is copied; its finalizer runs when `ctx` is freed, or at once when this call fails, if the struct
 * could be read. `error` may be NULL; what is put there is the caller's to free. Any thread, but not
 * inside a callback; calls that run meanwhile go on with what was there. Answers SW_E_INVALID_INPUT
 * where the file has no such custom sink or a capability is unknown, SW_E_NULL for a function that is
 * missing, SW_E_UTF8, SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid for what is said above.
 */
int32_t sw_ctx_add_sink(struct sw_ctx *ctx,
                        const char *name,
                        size_t name_len,
                        const struct sw_sink *sink,
                        struct sw_error **error);

/**
 * Proves the functions of `sink` with the suite that Seaworthy's own sinks pass: one case after another,
 * each below a random prefix of its own. It writes some 300 MB.
 *
 * `*document` is owned by the caller: `{"result":{"cases":[{"name","passed","message"}]}}` among the usual
 * members. `call` may be NULL. `error` may be NULL; what is put there is the caller's to free. The
 * finalizer runs before this returns, if the struct could be read. Any thread, but not inside a callback.
 * Answers SW_E_FINDINGS where a case failed, else as `sw_ctx_add_sink`.
 *
 * The contract:
 * Pointers are valid for what is said above.
 */
int32_t sw_sink_conformance(const struct sw_sink *sink,
                            const struct sw_call *call,
                            struct sw_string **document,
                            struct sw_error **error);

/**
 * Answers challenges of certificates whose `challenge` has `custom` with `name` (UTF-8, `name_len` bytes),
 * such as `challenge = { type = "dns-01", custom = "zone" }`, with the functions of `solver`. One that was
 * there is replaced.
 *
 * `*solver` is copied; its finalizer runs when `ctx` is freed, or at once when this call fails, if the struct
 * could be read. `error` may be NULL; what is put there is the caller's to free. Any thread, but not
 * inside a callback; calls that run meanwhile go on with what was there. Answers SW_E_INVALID_INPUT
 * where the file names no such solver, or for another kind of challenge, SW_E_NULL for a function
 * that is missing, SW_E_UTF8, SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
 *
 * The contract:
 * Pointers are valid for what is said above.
 */
int32_t sw_ctx_add_solver(struct sw_ctx *ctx,
                          const char *name,
                          size_t name_len,
                          const struct sw_solver *solver,
                          struct sw_error **error);

/**
 * Makes a string, for a callback to answer with.
 *
 * `text` (UTF-8, `text_len` bytes) is copied. `*out` is owned by the caller, who hands it over as the
 * callback's answer, or frees it with `sw_string_free`.
 *
 * Any thread; also inside a callback. Answers SW_E_NULL, SW_E_UTF8, SW_E_LENGTH.
 *
 * The contract:
 * Pointers are valid for what is said above.
 */
int32_t sw_string_new(const char *text,
                      size_t text_len,
                      struct sw_string **out);

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
 * `string` is NULL or a living string, and nobody uses it any more.
 */
void sw_string_free(struct sw_string *string);

/**
 * The version of the interface that the library has; see SW_ABI_VERSION. Any thread, at any time.
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
