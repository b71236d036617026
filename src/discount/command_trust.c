/* trust-wallet: the operator's word that the Wallet at the address is the right one. */
#include <stdio.h>

#include "base/json/json.h"
#include "discount/program.h"
#include "discount/said.h"
#include "discount/settle/greeting.h"
#include "discount/settle/token.h"
#include "service/keys.h"

#define ARENA_BYTES (64u * 1024)
#define TIMEOUT_MS  10000

struct stranger {
    struct id id;
    int64_t created_at_us;
};

static struct result read_stranger(struct arena *arena, const struct http_call *call, struct stranger *ret_stranger) {
    struct json_document *document = NULL;
    struct faults faults;
    faults_init(&faults, arena);
    TRY(json_open(arena, call->reply, &faults, &document));
    const struct json_value *root = json_root(document);
    struct result outcome = id_parse(json_get_text(root, "instance_id"), &ret_stranger->id);
    if (result_is_ok(outcome)) outcome = clock_parse(json_get_text(root, "created_at"), &ret_stranger->created_at_us);
    json_close(document);
    return outcome;
}

/* Says on standard error why not. */
static struct result ask(const char *url, struct service_token *token, struct arena *arena, struct stranger *ret_stranger) {
    struct http_call call = {.method = "GET", .timeout_ms = TIMEOUT_MS};
    call.url = arena_print(arena, "%s/v1/instance", url).data;
    call.bearer = service_token_get(token, &clock_system);
    if (call.url == NULL || call.bearer == NULL) return result_error(RESULT_FULL);
    struct result outcome = http_call_wait(&call);
    if (result_is_ok(outcome)) outcome = call.status == 200 ? read_stranger(arena, &call, ret_stranger) : result_error(RESULT_DENIED);
    if (!result_is_ok(outcome)) {
        char said[SAID_BYTES];
        said_describe(&call, outcome, said);
        fprintf(stderr, "discountd: %s\n", said);
    }
    http_call_clear(&call);
    return outcome;
}

static struct result trust(const char *url, const struct key_ring *ring, const char *path) {
    struct arena arena;
    struct service_token token = {.keys = ring};
    struct stranger stranger;
    char id[ID_TEXT_BYTES], time[CLOCK_TEXT_BYTES];
    arena_init(&arena, ARENA_BYTES);
    struct result outcome = ask(url, &token, &arena, &stranger);
    if (result_is_ok(outcome)) outcome = greeting_write_word(path, stranger.id);
    if (result_is_ok(outcome)) {
        id_format(stranger.id, id);
        clock_format(stranger.created_at_us, time);
        printf("Wallet %.*s, made at %.*s, will be taken for the right one: at once if discountd is running, else when it starts\n",
               (int)sizeof id, id, (int)sizeof time, time);
    }
    service_token_drop(&token);
    arena_release(&arena);
    return outcome;
}

int command_trust_wallet(const char **positional, size_t count) {
    char path[PATH_BYTES], keys[PATH_BYTES];
    struct key_ring *ring;
    (void)positional;
    (void)count;
    const char *url = program_wallet_url();
    if (url == NULL) return 2;
    if (!result_is_ok(service_check_folder(settings.data, stderr))) return 1;
    if (!result_is_ok(program_path(settings.data, TRUST_FILE_NAME, path)) || !result_is_ok(program_path(settings.data, "keys", keys)))
        return 1;
    if (!result_is_ok(keys_load("discountd", keys, &ring))) return 1;
    struct result outcome = trust(url, ring, path);
    key_ring_free(ring);
    return result_is_ok(outcome) ? 0 : 1;
}
