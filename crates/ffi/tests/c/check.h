/* What the test programs share: checks that end the program, and short ways to call the library. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seaworthy.h"

#define CHECK(holds)                                                            \
    do {                                                                        \
        if (!(holds)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds); \
            exit(1);                                                            \
        }                                                                       \
    } while (0)

/* Frees the error of a call that was to answer `wanted`, and says what it was if it did not. */
static void expect_at(int line, int32_t wanted, int32_t got, sw_error *error) {
    if (got != wanted) {
        const char *message = "no error";
        if (error) sw_error_message(error, &message, NULL);
        fprintf(stderr, "line %d: %d instead of %d: %s\n", line, (int)got, (int)wanted, message);
        exit(1);
    }
    CHECK((got == SW_OK) == (error == NULL));
    sw_error_free(error);
}
#define EXPECT(wanted, call)                       \
    do {                                           \
        sw_error *error = NULL;                    \
        int32_t got_ = (call);                     \
        expect_at(__LINE__, (wanted), got_, error); \
    } while (0)

/* Whether a document contains `part`; frees it. */
static int says(sw_string *document, const char *part) {
    const char *text = NULL;
    size_t len = 0;
    int found;
    CHECK(sw_string_data(document, &text, &len) == SW_OK && strlen(text) == len);
    found = strstr(text, part) != NULL;
    if (!found) fprintf(stderr, "no %s in %s\n", part, text);
    sw_string_free(document);
    return found;
}

typedef int32_t (*command)(const sw_ctx *, const char *, size_t, const sw_call *, sw_string **,
                           sw_error **);

/* Runs a command whose document must contain `part`. */
static void run_at(int line, command run, const sw_ctx *ctx, const char *request,
                   const sw_call *call, int32_t wanted, const char *part) {
    sw_string *document = NULL;
    sw_error *error = NULL;
    int32_t code = run(ctx, request, strlen(request), call, &document, &error);
    expect_at(line, wanted, code, error);
    CHECK(document != NULL && says(document, part));
}
#define RUN(run, ctx, request, call, wanted, part) \
    run_at(__LINE__, (run), (ctx), (request), (call), (wanted), (part))

#endif
