/* What no caller should do, and a later or an earlier one might: structs of other sizes, calls from
 * inside callbacks, and a context that is freed at once after a call that was stopped. */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "memory_sink.h"
#include "task_count.h"

static const char *CONFIG =
    "state = \"state\"\n[sink.memory]\ntype = \"custom\"\n"
    "[backup.nightly]\nsinks = [\"memory\"]\n"
    "[backup.nightly.sources.data]\ntype = \"files\"\npaths = [\"data\"]\n";

static const command COMMANDS[] = {sw_backup, sw_snapshots, sw_show,  sw_verify, sw_drill,  sw_restore,
                                   sw_prune,  sw_sync,      sw_pin,   sw_unpin,  sw_run,    sw_apply,
                                   sw_status, sw_doctor,    sw_cert,  sw_proxy,  sw_service};

static sw_ctx *ctx;
static sw_cancel *trigger;
/* How often everything was tried from inside a callback, and where. */
static int from_progress, from_sink, from_finalizer;

static int32_t nothing_told(void *user_data, const char *json, size_t len, sw_error **error) {
    (void)user_data;
    (void)json;
    (void)len;
    (void)error;
    return SW_OK;
}

/* Good tables, which own nothing. */
static sw_sink good_sink(memory *m) {
    sw_sink sink = memory_sink(m);
    sink.finalizer = NULL;
    return sink;
}
static sw_solver good_solver(void) {
    sw_solver solver;
    memset(&solver, 0, sizeof solver);
    solver.size = sizeof solver;
    solver.kind = SW_CHALLENGE_DNS_01;
    solver.present = nothing_told;
    solver.cleanup = nothing_told;
    return solver;
}
static sw_notifier good_notifier(void) {
    sw_notifier notifier;
    memset(&notifier, 0, sizeof notifier);
    notifier.size = sizeof notifier;
    notifier.send = nothing_told;
    return notifier;
}

/* Calls all that is not allowed here, and a little that is. */
static void try_everything(void) {
    sw_string *string = NULL;
    sw_ctx *other = NULL;
    sw_cancel *cancel = NULL;
    sw_error *made = NULL;
    memory m;
    sw_sink sink = good_sink(&m);
    sw_solver solver = good_solver();
    sw_notifier notifier = good_notifier();
    size_t i;
    int32_t number;
    for (i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        EXPECT(SW_E_REENTRANT, COMMANDS[i](ctx, "{}", 2, NULL, &string, &error));
    }
    EXPECT(SW_E_REENTRANT, sw_keygen("{}", 2, &string, &error));
    EXPECT(SW_E_REENTRANT, sw_plan_retention("{}", 2, &string, &error));
    EXPECT(SW_E_REENTRANT, sw_config_check("x", 1, &string, &error));
    EXPECT(SW_E_REENTRANT, sw_schema(SW_SCHEMA_CONFIG, &string, &error));
    EXPECT(SW_E_REENTRANT, sw_sink_conformance(&sink, NULL, &string, &error));
    EXPECT(SW_E_REENTRANT, sw_ctx_open_text("", 0, NULL, 0, NULL, &other, &error));
    EXPECT(SW_E_REENTRANT, sw_ctx_open_file("x", 1, NULL, &other, &error));
    EXPECT(SW_E_REENTRANT, sw_ctx_add_sink(ctx, "memory", 6, &sink, &error));
    EXPECT(SW_E_REENTRANT, sw_ctx_add_solver(ctx, "x", 1, &solver, &error));
    EXPECT(SW_E_REENTRANT, sw_ctx_add_notifier(ctx, "x", 1, &notifier, &error));
    EXPECT(SW_E_REENTRANT, sw_cancel_new(&cancel, &error));
    CHECK(sw_cancel_is_triggered(trigger, &number) == SW_E_REENTRANT);
    CHECK(string == NULL && other == NULL && cancel == NULL);
    sw_ctx_free(ctx); /* refused, or all that follows would not be there */
    CHECK(sw_string_new("x", 1, &string) == SW_OK && sw_error_new(SW_E_IO, "x", 1, &made) == SW_OK);
    CHECK(sw_error_code(made, &number) == SW_OK && number == SW_E_IO);
    sw_string_free(string);
    sw_error_free(made);
}

static int32_t on_progress(void *user_data, const char *json, size_t len) {
    (void)user_data;
    (void)json;
    (void)len;
    try_everything();
    from_progress++;
    return 0;
}

static void on_final(void *user_data) {
    (void)user_data;
    try_everything();
    from_finalizer++;
}

static int32_t (*real_begin)(void *, const char *, size_t, const sw_put_options *, uint64_t *,
                             sw_error **);
static int32_t hostile_begin(void *user_data, const char *key, size_t len,
                             const sw_put_options *options, uint64_t *upload, sw_error **error) {
    try_everything();
    from_sink++;
    return real_begin(user_data, key, len, options, upload, error);
}

static sw_callback progress(void) {
    sw_callback table;
    memset(&table, 0, sizeof table);
    table.size = sizeof table;
    table.call = on_progress;
    table.finalizer = on_final;
    return table;
}

/* A struct as a later version could have it: what we do not know has to be zero. */
#define LATER(type) \
    struct {        \
        type known; \
        char more[48]; \
    }

/* Answers like a call: to be tried with sizes of every kind. */
typedef int32_t (*sized)(void *table, sw_error **error);

static int32_t with_call(void *table, sw_error **error) {
    return sw_snapshots(ctx, NULL, 0, (const sw_call *)table, NULL, error);
}
static int32_t with_callback(void *table, sw_error **error) {
    sw_call call;
    memset(&call, 0, sizeof call);
    call.size = sizeof call;
    call.progress = (const sw_callback *)table;
    return sw_snapshots(ctx, NULL, 0, &call, NULL, error);
}
static int32_t with_options(void *table, sw_error **error) {
    sw_ctx *other = NULL;
    int32_t code = sw_ctx_open_text(CONFIG, strlen(CONFIG), NULL, 0, (const sw_options *)table,
                                    &other, error);
    sw_ctx_free(other);
    return code;
}
static int32_t with_sink(void *table, sw_error **error) {
    return sw_ctx_add_sink(ctx, "memory", 6, (const sw_sink *)table, error);
}
static int32_t with_solver(void *table, sw_error **error) {
    return sw_ctx_add_solver(ctx, "none", 4, (const sw_solver *)table, error);
}
static int32_t with_notifier(void *table, sw_error **error) {
    return sw_ctx_add_notifier(ctx, "none", 4, (const sw_notifier *)table, error);
}

/* `table` is `ours` bytes of a good struct with 48 more behind it; it answers `good` as it is. */
static void sizes(sized try, void *table, uint32_t ours, int32_t good) {
    uint32_t *size = (uint32_t *)table;
    char *more = (char *)table + ours;
    uint32_t wrong[] = {0, 1, 3, 4, 7, 2000, 0x7fffffffu, 0xffffffffu};
    size_t i;
    CHECK(*size == ours);
    EXPECT(good, try(table, &error));
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        *size = wrong[i];
        EXPECT(SW_E_STRUCT_SIZE, try(table, &error));
    }
    *size = ours - 1;
    EXPECT(SW_E_STRUCT_SIZE, try(table, &error));
    /* A later one is taken as long as it asks for nothing that we do not know. */
    *size = ours + 48;
    EXPECT(good, try(table, &error));
    more[47] = 1;
    EXPECT(SW_E_STRUCT_SIZE, try(table, &error));
    more[47] = 0;
    *size = ours;
}

static void all_sizes(memory *m) {
    LATER(sw_call) call;
    LATER(sw_callback) callback;
    LATER(sw_options) options;
    LATER(sw_sink) sink;
    LATER(sw_solver) solver;
    LATER(sw_notifier) notifier;
    memset(&call, 0, sizeof call);
    memset(&callback, 0, sizeof callback);
    memset(&options, 0, sizeof options);
    memset(&sink, 0, sizeof sink);
    memset(&solver, 0, sizeof solver);
    memset(&notifier, 0, sizeof notifier);
    sink.known = good_sink(m);
    sizes(with_sink, &sink, sizeof sink.known, SW_OK);
    call.known.size = sizeof call.known;
    sizes(with_call, &call, sizeof call.known, SW_OK);
    callback.known.size = sizeof callback.known;
    callback.known.call = on_progress;
    sizes(with_callback, &callback, sizeof callback.known, SW_OK);
    options.known.size = sizeof options.known;
    sizes(with_options, &options, sizeof options.known, SW_OK);
    /* The file has none of that name. */
    solver.known = good_solver();
    sizes(with_solver, &solver, sizeof solver.known, SW_E_INVALID_INPUT);
    notifier.known = good_notifier();
    sizes(with_notifier, &notifier, sizeof notifier.known, SW_E_INVALID_INPUT);
}

/* Stops after so many events. */
static int32_t stop(void *user_data, const char *json, size_t len) {
    int *left = (int *)user_data;
    (void)json;
    (void)len;
    return (*left)-- <= 0;
}

/* A call that is stopped at its first event, its second, …: the context is freed at once. */
static void stopped_and_freed(void) {
    int events, stopped = 0;
    for (events = 0; events < 12; events++) {
        memory m;
        sw_sink sink = memory_sink(&m);
        sw_callback told;
        sw_call call;
        sw_string *document = NULL;
        int left = events;
        int32_t code;
        memset(&told, 0, sizeof told);
        told.size = sizeof told;
        told.call = stop;
        told.user_data = &left;
        memset(&call, 0, sizeof call);
        call.size = sizeof call;
        call.progress = &told;
        EXPECT(SW_OK, sw_ctx_open_text(CONFIG, strlen(CONFIG), NULL, 0, NULL, &ctx, &error));
        CHECK(task_count() > 1);
        EXPECT(SW_OK, sw_ctx_add_sink(ctx, "memory", 6, &sink, &error));
        code = sw_backup(ctx, NULL, 0, &call, &document, NULL);
        CHECK(code == SW_OK || code == SW_E_CANCELLED);
        stopped += code == SW_E_CANCELLED;
        CHECK(document != NULL);
        sw_string_free(document);
        sw_ctx_free(ctx);
        CHECK(task_count() == 1);
        CHECK(m.finalized == 1 && m.uploads == 0);
    }
    CHECK(stopped > 0);
}

int main(int argc, char **argv) {
    memory m;
    sw_sink sink = memory_sink(&m);
    sw_callback told = progress();
    sw_call call;
    FILE *file;
    CHECK(argc > 1 && chdir(argv[1]) == 0 && mkdir("data", 0755) == 0);
    CHECK((file = fopen("data/x", "w")) != NULL);
    CHECK(fputs("hello\n", file) >= 0 && fclose(file) == 0);
    stopped_and_freed();

    EXPECT(SW_OK, sw_ctx_open_text(CONFIG, strlen(CONFIG), NULL, 0, NULL, &ctx, &error));
    EXPECT(SW_OK, sw_cancel_new(&trigger, &error));
    all_sizes(&m);
    real_begin = sink.begin;
    sink.begin = hostile_begin;
    EXPECT(SW_OK, sw_ctx_add_sink(ctx, "memory", 6, &sink, &error));
    memset(&call, 0, sizeof call);
    call.size = sizeof call;
    call.progress = &told;
    call.cancel = trigger;
    from_progress = from_sink = from_finalizer = 0;
    RUN(sw_backup, ctx, "{}", &call, SW_OK, "\"outcome\":\"done\"");
    CHECK(from_progress > 2 && from_sink >= 3 && from_finalizer == 1);
    sw_cancel_free(trigger);
    sw_ctx_free(ctx);
    CHECK(m.finalized == 1);
    CHECK(task_count() == 1);
    puts("nothing gave way");
    return 0;
}
