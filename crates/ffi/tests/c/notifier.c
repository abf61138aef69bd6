/* Is told what happens by a notifier of its own: notifier FOLDER. */
#define _GNU_SOURCE
#include <unistd.h>

#include "check.h"

static const char *CONFIG =
    "state = \"state\"\n"
    "[sink.local]\ntype = \"local\"\npath = \"sink\"\n"
    "[notify.own]\ntype = \"custom\"\non = [\"failure\", \"recovery\"]\n"
    "[backup.nightly]\nsinks = [\"local\"]\nnotify = [\"own\"]\n"
    "[backup.nightly.sources.data]\ntype = \"files\"\npaths = [\"data.txt\"]\n";

struct ear {
    int told, finalized, refused;
    char last[4096];
};

static int32_t hear(void *user_data, const char *notice, size_t len, sw_error **error) {
    struct ear *ear = (struct ear *)user_data;
    sw_cancel *cancel = NULL;
    CHECK(strlen(notice) == len && len < sizeof ear->last && notice[0] == '{');
    CHECK(sw_cancel_new(&cancel, NULL) == SW_E_REENTRANT);
    ear->told++;
    memcpy(ear->last, notice, len + 1);
    if (ear->refused) {
        CHECK(sw_error_new(SW_E_PERMISSION_DENIED, "nobody listens", 14, error) == SW_OK);
        return SW_E_PERMISSION_DENIED;
    }
    return SW_OK;
}

static void finalizer(void *user_data) { ((struct ear *)user_data)->finalized++; }

static int32_t keep(void *user_data, const char *json, size_t len) {
    if (strstr(json, "\"warning\"") && strstr(json, "nobody listens")) (*(int *)user_data)++;
    (void)len;
    return 0;
}

static void appear(void) {
    FILE *file = fopen("data.txt", "w");
    CHECK(file != NULL && fputs("hello\n", file) >= 0 && fclose(file) == 0);
}

int main(int argc, char **argv) {
    struct ear ear;
    sw_notifier notifier, bad;
    sw_callback progress;
    sw_call call;
    sw_ctx *ctx = NULL;
    int warned = 0;
    CHECK(argc == 2 && chdir(argv[1]) == 0);
    memset(&ear, 0, sizeof ear);
    memset(&notifier, 0, sizeof notifier);
    notifier.size = sizeof notifier;
    notifier.user_data = &ear;
    notifier.finalizer = finalizer;
    notifier.send = hear;
    EXPECT(SW_OK, sw_ctx_open_text(CONFIG, strlen(CONFIG), NULL, 0, NULL, &ctx, &error));
    EXPECT(SW_E_INVALID_INPUT, sw_ctx_add_notifier(ctx, "none", 4, &notifier, &error));
    EXPECT(SW_E_NULL, sw_ctx_add_notifier(NULL, "own", 3, &notifier, &error));
    EXPECT(SW_E_NULL, sw_ctx_add_notifier(ctx, NULL, 0, &notifier, &error));
    EXPECT(SW_E_UTF8, sw_ctx_add_notifier(ctx, "\xff", 1, &notifier, &error));
    bad = notifier;
    bad.send = NULL;
    EXPECT(SW_E_NULL, sw_ctx_add_notifier(ctx, "own", 3, &bad, &error));
    CHECK(ear.finalized == 5);
    bad.size = 4;
    EXPECT(SW_E_STRUCT_SIZE, sw_ctx_add_notifier(ctx, "own", 3, &bad, &error));
    EXPECT(SW_E_NULL, sw_ctx_add_notifier(ctx, "own", 3, NULL, &error));
    CHECK(ear.finalized == 5);
    ear.finalized = 0;
    EXPECT(SW_OK, sw_ctx_add_notifier(ctx, "own", 3, &notifier, &error));

    /* What fails is told, and then that it works again. */
    RUN(sw_backup, ctx, "{}", NULL, SW_E_NOT_FOUND, "\"outcome\":\"failed\"");
    CHECK(ear.told == 1 && strstr(ear.last, "\"occasion\":\"failure\"") && strstr(ear.last, "\"nightly\""));
    appear();
    RUN(sw_backup, ctx, "{}", NULL, SW_OK, "\"outcome\":\"done\"");
    CHECK(ear.told == 2 && strstr(ear.last, "\"occasion\":\"recovery\""));
    RUN(sw_backup, ctx, "{}", NULL, SW_OK, "\"outcome\":\"done\"");
    CHECK(ear.told == 2);

    /* Who cannot be told makes nothing fail. */
    ear.refused = 1;
    CHECK(remove("data.txt") == 0);
    memset(&progress, 0, sizeof progress);
    progress.size = sizeof progress;
    progress.call = keep;
    progress.user_data = &warned;
    memset(&call, 0, sizeof call);
    call.size = sizeof call;
    call.progress = &progress;
    RUN(sw_backup, ctx, "{}", &call, SW_E_NOT_FOUND, "\"outcome\":\"failed\"");
    CHECK(ear.told == 3 && warned == 1);
    sw_ctx_free(ctx);
    CHECK(ear.finalized == 1);
    puts("everything was heard");
    return 0;
}
