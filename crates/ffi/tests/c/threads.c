/* Many threads on one context, cancelled at moments that a seed picks; callbacks that fail. */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "memory_sink.h"

enum { THREADS = 6, ROUNDS = 12 };

static sw_ctx *ctx;

struct worker {
    pthread_t thread;
    unsigned seed;
    int cancelled, done;
    sw_cancel *cancel;
    int events_left;
};

/* Pulls the trigger, or fails, after so many events. */
static int32_t watch(void *user_data, const char *json, size_t len) {
    struct worker *w = (struct worker *)user_data;
    (void)json;
    (void)len;
    if (w->events_left-- > 0) return 0;
    if (rand_r(&w->seed) % 2) return 1;
    CHECK(sw_cancel_trigger(w->cancel) == SW_OK);
    return 0;
}

/* Pulls the trigger from another thread. */
static void *pull(void *cancel) {
    sw_cancel_trigger((sw_cancel *)cancel);
    return NULL;
}

static void *work(void *argument) {
    struct worker *w = (struct worker *)argument;
    static const command COMMANDS[] = {sw_backup, sw_snapshots, sw_verify, sw_prune, sw_sync};
    int round;
    for (round = 0; round < ROUNDS; round++) {
        command run = COMMANDS[rand_r(&w->seed) % 5];
        sw_string *document = NULL;
        sw_error *error = NULL;
        sw_callback progress;
        sw_call call;
        pthread_t puller;
        int pulls = rand_r(&w->seed) % 3 == 0;
        int32_t code;
        memset(&progress, 0, sizeof progress);
        progress.size = sizeof progress;
        progress.call = watch;
        progress.user_data = w;
        memset(&call, 0, sizeof call);
        call.size = sizeof call;
        call.progress = &progress;
        call.log = rand_r(&w->seed) % 2 ? &progress : NULL;
        w->events_left = rand_r(&w->seed) % 12;
        CHECK(sw_cancel_new(&w->cancel, NULL) == SW_OK);
        call.cancel = w->cancel;
        if (pulls) CHECK(pthread_create(&puller, NULL, pull, w->cancel) == 0);
        code = run(ctx, NULL, 0, &call, &document, &error);
        if (pulls) pthread_join(puller, NULL);
        /* Only one of the threads may run the job at a time. */
        if (code == SW_OK) {
            w->done++;
        } else if (code == SW_E_CANCELLED) {
            w->cancelled++;
        } else if (code != SW_E_LOCKED && code != SW_E_NOT_FOUND && code != SW_E_FAILED) {
            const char *message = "";
            sw_error_message(error, &message, NULL);
            fprintf(stderr, "%d: %s\n", (int)code, message);
            exit(1);
        }
        CHECK(document != NULL);
        sw_string_free(document);
        sw_error_free(error);
        sw_cancel_free(w->cancel);
    }
    return NULL;
}

int main(int argc, char **argv) {
    const char *config =
        "state = \"state\"\n[sink.local]\ntype = \"local\"\npath = \"sink\"\n"
        "[sink.memory]\ntype = \"custom\"\n"
        "[backup.a]\nsinks = [\"memory\", \"local\"]\nkeep = { last = 2 }\n"
        "[backup.a.sources.data]\ntype = \"files\"\npaths = [\"data\"]\n";
    struct worker workers[THREADS];
    memory m;
    sw_sink sink = memory_sink(&m);
    unsigned seed = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    int i, done = 0, cancelled = 0;
    FILE *file;
    CHECK(argc > 1 && chdir(argv[1]) == 0 && mkdir("data", 0755) == 0);
    CHECK((file = fopen("data/x", "w")) != NULL);
    for (i = 0; i < 300000; i++) fputs("some words to compress\n", file);
    CHECK(fclose(file) == 0);
    EXPECT(SW_OK, sw_ctx_open_text(config, strlen(config), NULL, 0, NULL, &ctx, &error));
    EXPECT(SW_OK, sw_ctx_add_sink(ctx, "memory", 6, &sink, &error));
    memset(workers, 0, sizeof workers);
    for (i = 0; i < THREADS; i++) {
        workers[i].seed = seed * 1000 + (unsigned)i;
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        done += workers[i].done;
        cancelled += workers[i].cancelled;
    }
    CHECK(done > 0 && cancelled > 0);
    /* What was interrupted left nothing behind that is in the way. */
    RUN(sw_backup, ctx, "{}", NULL, SW_OK, "\"outcome\":\"done\"");
    RUN(sw_verify, ctx, "{}", NULL, SW_OK, "\"outcome\":\"done\"");
    CHECK(m.uploads == 0);
    sw_ctx_free(ctx);
    CHECK(m.finalized == 1);
    puts("all threads agree");
    return 0;
}
