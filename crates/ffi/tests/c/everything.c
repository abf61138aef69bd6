/* Calls every function of the library at least once, rightly and wrongly. Run under valgrind. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "memory_sink.h"
#include "task_count.h"

static const char *CONFIG =
    "state = \"state\"\n"
    "[sink.local]\ntype = \"local\"\npath = \"sink\"\n"
    "[sink.memory]\ntype = \"custom\"\n"
    "[backup.nightly]\nsinks = [\"memory\", \"local\"]\nkeep = { last = 2 }\n"
    "[backup.nightly.sources.data]\ntype = \"files\"\npaths = [\"data\"]\n"
    "[backup.nightly.sources.said]\ntype = \"command\"\ncommand = [\"echo\", \"hello\"]\n"
    "[tls]\nstore = \"tls\"\n"
    "[ca.own]\ntype = \"self-signed\"\n"
    "[certificate.site]\nnames = [\"site.example\"]\nca = [\"own\"]\nprove = false\n"
    "[proxy]\ntype = \"nginx\"\nroot = \"nginx\"\nown_root = true\n"
    "[site.main]\nhosts = [\"site.example\"]\n"
    "[[site.main.routes]]\npath = \"/\"\nproxy = { to = [\"127.0.0.1:1081\"] }\n"
    "[service.api]\ncommand = [\"/bin/sleep\", \"9\"]\n";

static int finalized;
static void count_final(void *user_data) {
    (void)user_data;
    finalized++;
}

struct watcher {
    const sw_ctx *ctx;
    pthread_t thread;
    int events, advanced, refused;
    int32_t answer;
};

/* Is told what happens, on the thread that made the call, and may call nearly nothing. */
static int32_t watch(void *user_data, const char *json, size_t len) {
    struct watcher *w = (struct watcher *)user_data;
    sw_string *string = NULL;
    sw_error *error = NULL, *made = NULL;
    sw_cancel *cancel = NULL;
    int32_t number;
    CHECK(pthread_equal(w->thread, pthread_self()));
    CHECK(strlen(json) == len && json[0] == '{');
    w->events++;
    if (strstr(json, "\"advanced\"")) w->advanced++;
    if (sw_snapshots(w->ctx, NULL, 0, NULL, &string, &error) == SW_E_REENTRANT) w->refused++;
    CHECK(string == NULL && sw_error_code(error, &number) == SW_OK && number == SW_E_REENTRANT);
    sw_error_free(error);
    CHECK(sw_cancel_new(&cancel, NULL) == SW_E_REENTRANT && cancel == NULL);
    sw_ctx_free((sw_ctx *)w->ctx); /* refused */
    CHECK(sw_string_new("x", 1, &string) == SW_OK);
    sw_string_free(string);
    CHECK(sw_error_new(SW_E_IO, "x", 1, &made) == SW_OK);
    sw_error_free(made);
    return w->answer;
}

static sw_callback callback(int32_t (*call)(void *, const char *, size_t), void *user_data) {
    sw_callback table;
    memset(&table, 0, sizeof table);
    table.size = sizeof table;
    table.call = call;
    table.user_data = user_data;
    table.finalizer = count_final;
    return table;
}

static void write_file(const char *path, const char *text, size_t times) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    while (times--) fputs(text, file);
    CHECK(fclose(file) == 0);
}

typedef void (*handler)(int);

static void handlers(handler *all) {
    struct sigaction action;
    int signal;
    for (signal = 1; signal < 32; signal++) {
        CHECK(sigaction(signal, NULL, &action) == 0);
        all[signal] = action.sa_handler;
    }
}

static sw_ctx *open_text(const char *config) {
    sw_ctx *ctx = NULL;
    sw_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.threads = 2;
    EXPECT(SW_OK, sw_ctx_open_text(config, strlen(config), NULL, 0, &options, &ctx, &error));
    CHECK(ctx != NULL);
    return ctx;
}

static void strings_and_errors(void) {
    sw_string *string = NULL;
    sw_error *made = NULL;
    const char *text;
    size_t len;
    int32_t number;
    CHECK(sw_abi_version() == SW_ABI_VERSION && strlen(sw_version()) >= 5);
    CHECK(sw_string_new("a\0b", 3, &string) == SW_OK);
    CHECK(sw_string_data(string, &text, &len) == SW_OK && len == 3 && memcmp(text, "a\0b", 4) == 0);
    CHECK(sw_string_data(string, NULL, &len) == SW_E_NULL);
    CHECK(sw_string_data(NULL, &text, &len) == SW_E_NULL);
    sw_string_free(string);
    CHECK(sw_string_new(NULL, 0, &string) == SW_E_NULL);
    CHECK(sw_string_new("\xff", 1, &string) == SW_E_UTF8);
    CHECK(sw_string_new("x", (size_t)-1, &string) == SW_E_LENGTH);
    CHECK(sw_string_new("x", 1, NULL) == SW_E_NULL);
    CHECK(sw_error_new(SW_E_IO, "why", 3, &made) == SW_OK);
    CHECK(sw_error_code(made, &number) == SW_OK && number == SW_E_IO);
    CHECK(sw_error_retryable(made, &number) == SW_OK && number == 0);
    CHECK(sw_error_message(made, &text, &len) == SW_OK && len == 3 && strcmp(text, "why") == 0);
    CHECK(sw_error_operation(made, &text, NULL) == SW_OK && strcmp(text, "callback") == 0);
    CHECK(sw_error_remedy(made, &text, &len) == SW_OK && len == 0);
    CHECK(sw_error_context(made, &text, &len) == SW_OK && strcmp(text, "{}") == 0);
    CHECK(sw_error_code(NULL, &number) == SW_E_NULL && sw_error_code(made, NULL) == SW_E_NULL);
    CHECK(sw_error_retryable(NULL, &number) == SW_E_NULL);
    CHECK(sw_error_message(NULL, &text, &len) == SW_E_NULL);
    CHECK(sw_error_operation(made, NULL, &len) == SW_E_NULL);
    CHECK(sw_error_remedy(NULL, NULL, NULL) == SW_E_NULL);
    CHECK(sw_error_context(NULL, &text, &len) == SW_E_NULL);
    sw_error_free(made);
    CHECK(sw_error_new(0, "x", 1, &made) == SW_E_INVALID_INPUT);
    CHECK(sw_error_new(SW_E_IO, NULL, 1, &made) == SW_E_NULL);
    CHECK(sw_error_new(SW_E_IO, "x", 1, NULL) == SW_E_NULL);
    sw_string_free(NULL);
    sw_error_free(NULL);
    sw_cancel_free(NULL);
    sw_ctx_free(NULL);
}

static void opening(void) {
    sw_ctx *ctx = NULL;
    sw_error *wrong = NULL;
    const char *context, *bad = "state = 3\n";
    sw_options options;
    size_t len;
    CHECK(sw_ctx_open_text(bad, strlen(bad), NULL, 0, NULL, &ctx, &wrong) == SW_E_CONFIG);
    CHECK(ctx == NULL && sw_error_context(wrong, &context, &len) == SW_OK);
    CHECK(strstr(context, "\"line\":\"1\"") != NULL);
    sw_error_free(wrong);
    EXPECT(SW_E_NULL, sw_ctx_open_text(NULL, 0, NULL, 0, NULL, &ctx, &error));
    EXPECT(SW_E_NULL, sw_ctx_open_text(CONFIG, strlen(CONFIG), NULL, 1, NULL, &ctx, &error));
    EXPECT(SW_E_NULL, sw_ctx_open_text(CONFIG, strlen(CONFIG), NULL, 0, NULL, NULL, &error));
    EXPECT(SW_E_UTF8, sw_ctx_open_text("\xc3(", 2, NULL, 0, NULL, &ctx, &error));
    EXPECT(SW_E_LENGTH, sw_ctx_open_text(CONFIG, (size_t)-1, NULL, 0, NULL, &ctx, &error));
    EXPECT(SW_E_NOT_FOUND, sw_ctx_open_file("none.toml", 9, NULL, &ctx, &error));
    memset(&options, 0, sizeof options);
    EXPECT(SW_E_STRUCT_SIZE, sw_ctx_open_text(CONFIG, strlen(CONFIG), NULL, 0, &options, &ctx, &error));
    options.size = sizeof options;
    options.threads = 100000;
    EXPECT(SW_E_INVALID_INPUT,
           sw_ctx_open_text(CONFIG, strlen(CONFIG), NULL, 0, &options, &ctx, &error));
    CHECK(sw_ctx_open_text("x", 1, NULL, 0, NULL, &ctx, NULL) == SW_E_CONFIG);
    write_file("seaworthy.toml", CONFIG, 1);
    EXPECT(SW_OK, sw_ctx_open_file(NULL, 0, NULL, &ctx, &error));
    sw_ctx_free(ctx);
    EXPECT(SW_OK, sw_ctx_open_file("seaworthy.toml", 14, NULL, &ctx, &error));
    sw_ctx_free(ctx);
}

static void without_a_context(void) {
    const char *plan =
        "{\"keep\":{\"daily\":2},\"now\":\"2026-11-22T12:00:00Z\",\"snapshots\":["
        "{\"id\":\"20261120T020000Z-aaaaaa\"},{\"id\":\"20261121T020000Z-aaaaaa\"},"
        "{\"id\":\"20261119T020000Z-aaaaaa\",\"pinned\":true},{\"id\":\"20261118T020000Z-aaaaaa\"}]}";
    sw_string *out = NULL;
    EXPECT(SW_OK, sw_plan_retention(plan, strlen(plan), &out, &error));
    CHECK(says(out, "\"id\":\"20261118T020000Z-aaaaaa\",\"keep\":false"));
    EXPECT(SW_OK, sw_plan_retention(plan, strlen(plan), NULL, &error));
    EXPECT(SW_E_REQUEST, sw_plan_retention(NULL, 0, &out, &error));
    EXPECT(SW_E_REQUEST, sw_plan_retention("[", 1, &out, &error));
    EXPECT(SW_OK, sw_schema(SW_SCHEMA_CONFIG, &out, &error));
    CHECK(says(out, "\"title\":\"seaworthy.toml\""));
    EXPECT(SW_OK, sw_schema(SW_SCHEMA_DOCUMENT, &out, &error));
    CHECK(says(out, "exit_code"));
    EXPECT(SW_E_INVALID_INPUT, sw_schema(77, &out, &error));
    EXPECT(SW_E_NULL, sw_schema(SW_SCHEMA_CONFIG, NULL, &error));
    EXPECT(SW_OK, sw_config_check("seaworthy.toml", 14, &out, &error));
    CHECK(says(out, "\"jobs\":1"));
    EXPECT(SW_E_NOT_FOUND, sw_config_check("none", 4, &out, &error));
    CHECK(says(out, "\"outcome\":\"wrong\""));
}

static void sinks(sw_ctx *ctx, memory *m) {
    sw_sink sink = memory_sink(m), bad = sink;
    EXPECT(SW_E_INVALID_INPUT, sw_ctx_add_sink(ctx, "local", 5, &sink, &error));
    EXPECT(SW_E_INVALID_INPUT, sw_ctx_add_sink(ctx, "none", 4, &sink, &error));
    EXPECT(SW_E_NULL, sw_ctx_add_sink(ctx, NULL, 0, &sink, &error));
    EXPECT(SW_E_NULL, sw_ctx_add_sink(NULL, "memory", 6, &sink, &error));
    bad.capabilities = 64;
    EXPECT(SW_E_INVALID_INPUT, sw_ctx_add_sink(ctx, "memory", 6, &bad, &error));
    CHECK(m->finalized == 5);
    EXPECT(SW_E_NULL, sw_ctx_add_sink(ctx, "memory", 6, NULL, &error));
    bad.size = 8;
    EXPECT(SW_E_STRUCT_SIZE, sw_ctx_add_sink(ctx, "memory", 6, &bad, &error));
    CHECK(m->finalized == 5);
    bad = sink;
    bad.list = NULL;
    EXPECT(SW_E_NULL, sw_ctx_add_sink(ctx, "memory", 6, &bad, &error));
    m->finalized = 0;
    EXPECT(SW_OK, sw_ctx_add_sink(ctx, "memory", 6, &sink, &error));
}

static void commands(sw_ctx *ctx, memory *m) {
    struct watcher w;
    sw_callback progress = callback(watch, &w), log = callback(watch, &w);
    sw_call call;
    sw_cancel *cancel = NULL;
    sw_string *document = NULL;
    int32_t number;
    struct stat st;
    memset(&w, 0, sizeof w);
    w.ctx = ctx;
    w.thread = pthread_self();
    memset(&call, 0, sizeof call);
    call.size = sizeof call;
    call.log_level = 5;
    call.progress = &progress;
    call.log = &log;

    RUN(sw_backup, ctx, "{\"jobs\":[\"nightly\"]}", &call, SW_OK, "\"outcome\":\"done\"");
    CHECK(w.events >= 3 && w.advanced >= 1 && w.refused == w.events && finalized == 2);
    CHECK(m->objects != NULL && m->uploads == 0);
    RUN(sw_backup, ctx, "{\"dry_run\":true}", NULL, SW_OK, "\"dry_run\"");
    RUN(sw_snapshots, ctx, "{}", &call, SW_OK, "\"place\":\"the custom sink memory\"");
    RUN(sw_show, ctx, "{\"snapshot\":\"nightly\",\"files\":true}", &call, SW_OK, "a.txt");
    RUN(sw_show, ctx, "{\"snapshot\":\"nightly@2099\"}", NULL, SW_E_NOT_FOUND, "\"result\":null");
    RUN(sw_show, ctx, "{\"snapshot\":\"../x\"}", NULL, SW_E_INVALID_INPUT, "\"outcome\":\"wrong\"");
    RUN(sw_verify, ctx, "{}", &call, SW_OK, "\"outcome\":\"done\"");
    RUN(sw_verify, ctx, "{\"sample\":0.5,\"sink\":\"memory\"}", NULL, SW_OK, "\"done\"");
    RUN(sw_verify, ctx, "{\"sample\":2}", NULL, SW_E_INVALID_INPUT, "\"wrong\"");
    /* An index that is whole is not made anew. */
    RUN(sw_verify, ctx, "{\"rebuild_index\":true,\"sink\":\"memory\"}", NULL, SW_E_INVALID_INPUT,
        "\"wrong\"");
    RUN(sw_pin, ctx, "{\"snapshot\":\"nightly\"}", NULL, SW_OK, "\"pinned\"");
    RUN(sw_unpin, ctx, "{\"snapshot\":\"nightly@latest\"}", NULL, SW_OK, "\"unpinned\"");
    RUN(sw_prune, ctx, "{\"dry_run\":true}", &call, SW_OK, "\"pruned\"");
    RUN(sw_sync, ctx, "{}", &call, SW_OK, "\"synced\"");
    /* The site of the file is not served here, and its certificate is not issued yet. */
    RUN(sw_status, ctx, "{\"all_hosts\":true}", &call, SW_E_FINDINGS, "\"last_good\"");
    RUN(sw_restore, ctx, "{\"snapshot\":\"nightly\",\"to\":\"out\",\"source\":\"data\"}", &call, SW_OK,
        "\"restored\"");
    CHECK(system("diff -r data \"out$PWD/data\"") == 0);
    RUN(sw_restore, ctx, "{\"snapshot\":\"nightly\",\"to\":\"out\"}", NULL, SW_E_NOT_EMPTY, "\"wrong\"");
    RUN(sw_restore, ctx, "{\"snapshot\":\"nightly\"}", NULL, SW_E_INVALID_INPUT, "\"wrong\"");
    RUN(sw_restore, ctx, "{\"snapshot\":\"nightly\",\"in_place\":true,\"source\":\"data\"}", NULL,
        SW_E_INVALID_INPUT, "\"places\"");
    CHECK(stat("data/a.txt", &st) == 0);

    /* Wrong arguments: each is answered, and each finalizer runs. */
    finalized = 0;
    EXPECT(SW_E_NULL, sw_backup(NULL, NULL, 0, &call, &document, &error));
    CHECK(finalized == 2 && document == NULL);
    EXPECT(SW_E_REQUEST, sw_backup(ctx, "{\"job\":1}", 9, &call, &document, &error));
    EXPECT(SW_E_NULL, sw_backup(ctx, NULL, 2, NULL, &document, &error));
    EXPECT(SW_E_UTF8, sw_backup(ctx, "\xff\xff", 2, NULL, &document, &error));
    EXPECT(SW_OK, sw_snapshots(ctx, NULL, 0, NULL, NULL, &error));
    CHECK(sw_snapshots(ctx, NULL, 0, NULL, NULL, NULL) == SW_OK);
    call.log_level = 9;
    EXPECT(SW_E_INVALID_INPUT, sw_snapshots(ctx, NULL, 0, &call, NULL, &error));
    CHECK(finalized == 6);
    call.log_level = 0;
    progress.size = 3;
    EXPECT(SW_E_STRUCT_SIZE, sw_snapshots(ctx, NULL, 0, &call, NULL, &error));
    CHECK(finalized == 7);
    progress.size = sizeof progress;
    progress.call = NULL;
    EXPECT(SW_E_NULL, sw_snapshots(ctx, NULL, 0, &call, NULL, &error));
    progress.call = watch;
    call.size = 2000;
    EXPECT(SW_E_STRUCT_SIZE, sw_snapshots(ctx, NULL, 0, &call, NULL, &error));
    call.size = sizeof call;

    /* A callback that fails, and a trigger. */
    w.answer = 1;
    RUN(sw_backup, ctx, "{}", &call, SW_E_CANCELLED, "\"outcome\":\"interrupted\"");
    w.answer = 0;
    EXPECT(SW_OK, sw_cancel_new(&cancel, &error));
    EXPECT(SW_E_NULL, sw_cancel_new(NULL, &error));
    CHECK(sw_cancel_is_triggered(cancel, &number) == SW_OK && number == 0);
    CHECK(sw_cancel_trigger(cancel) == SW_OK && sw_cancel_trigger(NULL) == SW_E_NULL);
    CHECK(sw_cancel_is_triggered(cancel, &number) == SW_OK && number == 1);
    CHECK(sw_cancel_is_triggered(NULL, &number) == SW_E_NULL);
    call.cancel = cancel;
    RUN(sw_backup, ctx, "{}", &call, SW_E_CANCELLED, "\"outcome\":\"interrupted\"");
    sw_cancel_free(cancel);
    CHECK(m->uploads == 0);

    /* A sink that fails says why. */
    m->full = 1;
    RUN(sw_backup, ctx, "{}", NULL, SW_E_NO_SPACE, "the memory is full");
    m->full = 0;
    CHECK(m->uploads == 0);
}

/* Each part is tried for real, whichever are here. */
static void examined(void) {
    static const char *well =
        "state = \"state\"\n[sink.local]\ntype = \"local\"\npath = \"sink\"\n"
        "[notify.ops]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", \"cat > notice\"]\n";
    static const char *ill = "state = \"state\"\n[sink.memory]\ntype = \"custom\"\n";
    sw_ctx *ctx = open_text(well);
    struct stat st;
    CHECK(stat("notice", &st) != 0);
    RUN(sw_doctor, ctx, "{}", NULL, SW_OK, "\"part\":\"sink local\",\"name\":\"delete\",\"state\":\"ok\"");
    CHECK(stat("notice", &st) != 0);
    RUN(sw_doctor, ctx, "{\"notify\":true}", NULL, SW_OK, "\"name\":\"send\",\"state\":\"ok\"");
    CHECK(stat("notice", &st) == 0);
    sw_ctx_free(ctx);
    ctx = open_text(ill);
    RUN(sw_doctor, ctx, "{}", NULL, SW_E_FINDINGS, "no implementation is registered for the custom sink");
    sw_ctx_free(ctx);
}

/* Certificates, the proxy and services: each function has its commands, and says what it does not know. */
static void webs(sw_ctx *ctx) {
    static const command all[] = {sw_cert, sw_proxy, sw_service, sw_drill, sw_run, sw_apply, sw_doctor};
    sw_string *document = NULL;
    size_t i;
    RUN(sw_cert, ctx, "{\"command\":\"list\"}", NULL, SW_OK, "\"command\":\"cert list\"");
    RUN(sw_cert, ctx, "{\"command\":\"issue\",\"names\":[\"site\"]}", NULL, SW_OK, "\"outcome\":\"done\"");
    RUN(sw_cert, ctx, "{\"command\":\"renew\"}", NULL, SW_OK, "\"outcome\":\"nothing_to_do\"");
    RUN(sw_cert, ctx, "{\"command\":\"show\",\"names\":[\"site\"]}", NULL, SW_OK, "site.example");
    RUN(sw_cert, ctx, "{\"command\":\"show\",\"names\":[\"none\"]}", NULL, SW_E_INVALID_INPUT, "\"wrong\"");
    RUN(sw_cert, ctx, "{\"command\":\"check\",\"targets\":[\"127.0.0.1:1\"]}", NULL, SW_E_FINDINGS,
        "\"cert check\"");
    RUN(sw_cert, ctx, "{\"command\":\"check\",\"targets\":[\"x:y\"]}", NULL, SW_E_INVALID_INPUT, "\"wrong\"");
    RUN(sw_cert, ctx, "{\"command\":\"revoke\",\"names\":[\"site\"],\"reason\":\"superseded\"}", NULL,
        SW_E_UNSUPPORTED, "cert revoke");
    RUN(sw_cert, ctx, "{\"command\":\"import-certbot\",\"from\":\"none\"}", NULL, SW_E_NOT_FOUND,
        "import-certbot");
    RUN(sw_cert, ctx, "{\"command\":\"cleanup\",\"dry_run\":true,\"look_in\":[\"nginx\"]}", NULL, SW_OK,
        "\"removed\":[]");
    RUN(sw_proxy, ctx, "{\"command\":\"render\",\"out\":\"rendered\"}", NULL, SW_OK, "server_name");
    RUN(sw_proxy, ctx, "{\"command\":\"diff\"}", NULL, SW_E_FINDINGS, "\"changes\":[{");
    RUN(sw_proxy, ctx, "{\"command\":\"switch\",\"site\":\"main\",\"to\":\"blue\"}", NULL, SW_E_INVALID_INPUT,
        "proxy switch");
    RUN(sw_service, ctx, "{\"command\":\"render\",\"type\":\"pm2\"}", NULL, SW_OK, "ecosystem");
    RUN(sw_service, ctx, "{\"command\":\"diff\",\"type\":\"cron\",\"folder\":\"cron\"}", NULL, SW_E_FINDINGS,
        "service diff");
    RUN(sw_service, ctx, "{\"command\":\"start\",\"name\":\"none\"}", NULL, SW_E_NOT_FOUND, "service start");
    RUN(sw_service, ctx, "{\"command\":\"deploy\",\"service\":\"none\"}", NULL, SW_E_NOT_FOUND, "\"deploy\"");
    RUN(sw_drill, ctx, "{\"snapshots\":[\"nightly\"],\"sink\":\"memory\"}", NULL, SW_OK, "\"drill\"");
    RUN(sw_drill, ctx, "{\"snapshots\":[\"../x\"]}", NULL, SW_E_INVALID_INPUT, "\"wrong\"");
    RUN(sw_drill, ctx, "{\"identity\":[\"none.key\"]}", NULL, SW_E_NOT_FOUND, "none.key");
    RUN(sw_run, ctx, "{\"dry_run\":true}", NULL, SW_OK, "\"command\":\"run\"");
    RUN(sw_run, ctx, "{}", NULL, SW_OK, "\"nothing_to_do\"");
    RUN(sw_apply, ctx, "{\"dry_run\":true,\"type\":\"cron\",\"folder\":\"cron\"}", NULL, SW_OK,
        "\"dry_run\":true");
    for (i = 0; i < sizeof all / sizeof *all; i++) {
        EXPECT(SW_E_NULL, all[i](NULL, NULL, 0, NULL, &document, &error));
        EXPECT(SW_E_NULL, all[i](ctx, NULL, 1, NULL, &document, &error));
        EXPECT(SW_E_UTF8, all[i](ctx, "\xc3(", 2, NULL, &document, &error));
        EXPECT(SW_E_LENGTH, all[i](ctx, "{}", (size_t)-1, NULL, &document, &error));
        EXPECT(SW_E_REQUEST, all[i](ctx, "{\"command\":\"fly\"}", 17, NULL, &document, &error));
        EXPECT(SW_E_REQUEST, all[i](ctx, "{\"command\":\"diff\",\"x\":1}", 24, NULL, &document, &error));
        CHECK(document == NULL);
    }
}

static void keys(void) {
    const char *to_file = "{\"kind\":\"sign\",\"out\":\"sign.key\"}";
    sw_string *document = NULL;
    struct stat st;
    EXPECT(SW_OK, sw_keygen("{\"kind\":\"age\"}", 14, &document, &error));
    CHECK(says(document, "AGE-SECRET-KEY-"));
    EXPECT(SW_OK, sw_keygen(to_file, strlen(to_file), &document, &error));
    CHECK(says(document, "\"secret\":null"));
    CHECK(stat("sign.key", &st) == 0 && (st.st_mode & 077) == 0);
    EXPECT(SW_E_ALREADY_EXISTS, sw_keygen(to_file, strlen(to_file), NULL, &error));
    EXPECT(SW_E_REQUEST, sw_keygen(NULL, 0, &document, &error));
    EXPECT(SW_E_REQUEST, sw_keygen("{\"kind\":\"rot13\"}", 16, &document, &error));
    EXPECT(SW_E_NULL, sw_keygen(NULL, 1, &document, &error));
    EXPECT(SW_E_UTF8, sw_keygen("\xff", 1, &document, &error));
    EXPECT(SW_E_LENGTH, sw_keygen("{}", (size_t)-1, &document, &error));
    CHECK(document == NULL);
}

static void conformance(int whole) {
    memory m;
    sw_sink sink = memory_sink(&m);
    sw_string *document = NULL;
    sw_cancel *cancel = NULL;
    sw_call call;
    if (whole) {
        EXPECT(SW_OK, sw_sink_conformance(&sink, NULL, &document, &error));
        CHECK(says(document, "\"name\":\"unusual_names\",\"passed\":true"));
        CHECK(m.finalized == 1 && m.uploads == 0);
        sink.stat = NULL;
        EXPECT(SW_E_NULL, sw_sink_conformance(&sink, NULL, &document, &error));
        sink = memory_sink(&m);
        m.full = 1;
        EXPECT(SW_E_FINDINGS, sw_sink_conformance(&sink, NULL, &document, &error));
        CHECK(says(document, "the memory is full"));
        return;
    }
    memset(&call, 0, sizeof call);
    call.size = sizeof call;
    EXPECT(SW_OK, sw_cancel_new(&cancel, &error));
    call.cancel = cancel;
    sw_cancel_trigger(cancel);
    EXPECT(SW_E_CANCELLED, sw_sink_conformance(&sink, &call, &document, &error));
    sw_string_free(document);
    sw_cancel_free(cancel);
    CHECK(m.finalized == 1);
}

static void forked(sw_ctx *ctx) {
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int32_t code = sw_snapshots(ctx, NULL, 0, NULL, NULL, NULL);
        _exit(code == SW_E_FORKED ? 0 : 1);
    }
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv) {
    handler before[32], after[32];
    int i;
    memory m;
    sw_ctx *ctx;
    int quick = argc > 2 && strcmp(argv[2], "quick") == 0;
    CHECK(argc > 1 && chdir(argv[1]) == 0 && mkdir("data", 0755) == 0);
    setenv("PWD", argv[1], 1);
    write_file("data/a.txt", "hello\n", 1);
    write_file("data/b.txt", "the same line again and again\n", 20000);
    handlers(before);
    CHECK(task_count() == 1);
    strings_and_errors();
    opening();
    without_a_context();
    ctx = open_text(CONFIG);
    RUN(sw_backup, ctx, "{}", NULL, SW_E_UNSUPPORTED, "no implementation is registered");
    sinks(ctx, &m);
    commands(ctx, &m);
    webs(ctx);
    examined();
    keys();
    if (!quick) forked(ctx);
    sw_ctx_free(ctx);
    CHECK(m.finalized == 1);
    conformance(!quick);
    CHECK(task_count() == 1);
    if (quick) {
        /* Valgrind lacks pidfd_open(2), without which a SIGCHLD handler waits for commands. */
        puts("everything holds");
        return 0;
    }
    handlers(after);
    for (i = 1; i < 32; i++) {
        if (before[i] != after[i]) fprintf(stderr, "signal %d has a new handler\n", i);
        CHECK(before[i] == after[i]);
    }
    puts("everything holds");
    return 0;
}
