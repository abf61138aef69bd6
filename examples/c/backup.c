/* Backs a folder up, restores it, and shows how progress, cancelling and errors work.
 *
 *   cc backup.c $(pkg-config --cflags --libs seaworthy) -o backup && ./backup FOLDER WORK
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seaworthy.h>

/* Prints the error and frees it. */
static int32_t failed(const char *what, int32_t code, sw_error *error) {
    const char *message = "", *remedy = "";
    sw_error_message(error, &message, NULL);
    sw_error_remedy(error, &remedy, NULL);
    printf("%s: error %" PRId32 ": %s\n", what, code, message);
    if (*remedy) printf("  help: %s\n", remedy);
    sw_error_free(error);
    return code;
}

/* Runs a command and discards its document. */
static int32_t run(const char *what, sw_ctx *ctx, const char *request, const sw_call *call,
                   int32_t (*command)(const sw_ctx *, const char *, size_t, const sw_call *,
                                      sw_string **, sw_error **)) {
    sw_string *document = NULL;
    sw_error *error = NULL;
    int32_t code = command(ctx, request, strlen(request), call, &document, &error);
    sw_string_free(document);
    if (code != SW_OK) return failed(what, code, error);
    printf("%s: done\n", what);
    return code;
}

static int32_t show(void *user_data, const char *json, size_t len) {
    (void)len;
    ++*(int *)user_data;
    printf("  %s\n", json);
    return 0; /* anything else would cancel */
}

int main(int argc, char **argv) {
    char config[4096], request[4096];
    sw_ctx *ctx = NULL;
    sw_error *error = NULL;
    sw_cancel *cancel = NULL;
    int events = 0;
    int32_t code;
    sw_callback progress = {sizeof progress, 0, show, &events, NULL};
    sw_call call = {sizeof call, 0, NULL, &progress, NULL};

    if (argc != 3) return fprintf(stderr, "usage: backup FOLDER WORK\n"), 2;
    snprintf(config, sizeof config,
             "state = \"state\"\n[sink.local]\ntype = \"local\"\npath = \"sink\"\n"
             "[backup.nightly]\nsinks = [\"local\"]\n"
             "[backup.nightly.sources.data]\ntype = \"files\"\npaths = [\"%s\"]\n",
             argv[1]);
    code = sw_ctx_open_text(config, strlen(config), argv[2], strlen(argv[2]), NULL, &ctx, &error);
    if (code != SW_OK) return failed("open", code, error), 1;

    if (run("backup", ctx, "{}", &call, sw_backup) != SW_OK || events == 0) return 1;

    snprintf(request, sizeof request, "{\"snapshot\":\"nightly\",\"to\":\"%s/restored\"}", argv[2]);
    if (run("restore", ctx, request, NULL, sw_restore) != SW_OK) return 1;

    /* Any thread may pull the trigger; here it is pulled before the call begins. */
    if (sw_cancel_new(&cancel, NULL) != SW_OK) return 1;
    sw_cancel_trigger(cancel);
    call.cancel = cancel;
    if (run("cancelled backup", ctx, "{}", &call, sw_backup) != SW_E_CANCELLED) return 1;
    sw_cancel_free(cancel);

    if (run("no such job", ctx, "{\"jobs\":[\"nihgtly\"]}", NULL, sw_backup) == SW_OK) return 1;
    sw_ctx_free(ctx);
    return 0;
}
