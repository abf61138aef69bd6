/* Gets a certificate from a real authority with a challenge solver of its own, which tells a name server by
 * its management port: solver CONFIG URL. */
#define _GNU_SOURCE
#include "check.h"

struct zone {
    const char *url;
    int presented, ready, cleaned, finalized, closed;
};

/* The text of the member `name` of `json`, whose values need no unescaping. */
static void member(const char *json, const char *name, char *into, size_t capacity) {
    char wanted[64];
    const char *begin, *end;
    snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
    CHECK((begin = strstr(json, wanted)) != NULL);
    begin += strlen(wanted);
    CHECK((end = strchr(begin, '"')) != NULL && (size_t)(end - begin) < capacity);
    memcpy(into, begin, (size_t)(end - begin));
    into[end - begin] = 0;
}

static int32_t tell(struct zone *z, const char *what, const char *json, size_t len, int with_value) {
    char name[300], value[300] = "", request[1000], line[1300];
    CHECK(strlen(json) == len && strstr(json, "\"kind\":\"dns-01\"") != NULL);
    member(json, "dns_name", name, sizeof name);
    if (with_value) member(json, "dns_value", value, sizeof value);
    snprintf(request, sizeof request, with_value ? "{\"host\":\"%s.\",\"value\":\"%s\"}" : "{\"host\":\"%s.\"}", name,
             value);
    snprintf(line, sizeof line, "curl -sf --noproxy '*' -d '%s' %s/%s", request, z->url, what);
    return system(line) == 0 ? SW_OK : SW_E_IO;
}

static int32_t present(void *user_data, const char *json, size_t len, sw_error **error) {
    struct zone *z = (struct zone *)user_data;
    sw_cancel *cancel = NULL;
    z->presented++;
    CHECK(sw_cancel_new(&cancel, NULL) == SW_E_REENTRANT);
    if (z->closed) {
        CHECK(sw_error_new(SW_E_PERMISSION_DENIED, "the zone is closed", 18, error) == SW_OK);
        return SW_E_PERMISSION_DENIED;
    }
    return tell(z, "set-txt", json, len, 1);
}

static int32_t ready(void *user_data, const char *json, size_t len, sw_error **error) {
    (void)json, (void)len, (void)error;
    ((struct zone *)user_data)->ready++;
    return SW_OK;
}

static int32_t cleanup(void *user_data, const char *json, size_t len, sw_error **error) {
    struct zone *z = (struct zone *)user_data;
    (void)error;
    z->cleaned++;
    return tell(z, "clear-txt", json, len, 0);
}

static void finalizer(void *user_data) { ((struct zone *)user_data)->finalized++; }

int main(int argc, char **argv) {
    struct zone z;
    sw_solver solver, bad;
    sw_ctx *ctx = NULL;
    const char *issue = "{\"command\":\"issue\",\"skip_checks\":true}";
    CHECK(argc == 3);
    memset(&z, 0, sizeof z);
    z.url = argv[2];
    memset(&solver, 0, sizeof solver);
    solver.size = sizeof solver;
    solver.kind = SW_CHALLENGE_DNS_01;
    solver.user_data = &z;
    solver.finalizer = finalizer;
    solver.present = present;
    solver.ready = ready;
    solver.cleanup = cleanup;
    EXPECT(SW_OK, sw_ctx_open_file(argv[1], strlen(argv[1]), NULL, &ctx, &error));
    RUN(sw_cert, ctx, issue, NULL, SW_E_UNSUPPORTED, "nobody has brought the solver");

    /* What is wrong is refused, and finalized all the same where it could be read. */
    EXPECT(SW_E_INVALID_INPUT, sw_ctx_add_solver(ctx, "none", 4, &solver, &error));
    EXPECT(SW_E_NULL, sw_ctx_add_solver(NULL, "zone", 4, &solver, &error));
    EXPECT(SW_E_NULL, sw_ctx_add_solver(ctx, NULL, 0, &solver, &error));
    EXPECT(SW_E_UTF8, sw_ctx_add_solver(ctx, "\xff", 1, &solver, &error));
    bad = solver;
    bad.kind = SW_CHALLENGE_HTTP_01;
    EXPECT(SW_E_INVALID_INPUT, sw_ctx_add_solver(ctx, "zone", 4, &bad, &error));
    bad.kind = 9;
    EXPECT(SW_E_INVALID_INPUT, sw_ctx_add_solver(ctx, "zone", 4, &bad, &error));
    bad = solver;
    bad.present = NULL;
    EXPECT(SW_E_NULL, sw_ctx_add_solver(ctx, "zone", 4, &bad, &error));
    CHECK(z.finalized == 7);
    bad.size = 4;
    EXPECT(SW_E_STRUCT_SIZE, sw_ctx_add_solver(ctx, "zone", 4, &bad, &error));
    EXPECT(SW_E_NULL, sw_ctx_add_solver(ctx, "zone", 4, NULL, &error));
    CHECK(z.finalized == 7);
    z.finalized = 0;

    EXPECT(SW_OK, sw_ctx_add_solver(ctx, "zone", 4, &solver, &error));
    z.closed = 1;
    RUN(sw_cert, ctx, issue, NULL, SW_E_PERMISSION_DENIED, "the zone is closed");
    CHECK(z.presented == 1 && z.ready == 0);
    z.closed = 0;
    RUN(sw_cert, ctx, issue, NULL, SW_OK, "\"outcome\":\"done\"");
    CHECK(z.presented == 2 && z.ready == 1 && z.cleaned >= 1);
    RUN(sw_cert, ctx, "{\"command\":\"list\"}", NULL, SW_OK, "*.ffi.example");
    sw_ctx_free(ctx);
    CHECK(z.finalized == 1);
    puts("the authority believes us");
    return 0;
}
