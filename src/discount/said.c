#include "discount/said.h"

#include <stdio.h>

#include "base/json/json.h"

#define ARENA_BYTES (64u * 1024)
#define REPLY_MAX   (16u * 1024) /* of a problem; what is longer is none */
#define DETAIL_MAX  300u

static void describe_status(const struct http_call *call, struct text code, struct text detail, char *sentence) {
    const char *hint = "";
    if (call->status == 401 || call->status == 403)
        hint = " (does its --trust-service name this service's keys and scopes, and do the clocks agree?)";
    detail = text_cut(detail, DETAIL_MAX);
    snprintf(sentence, SAID_BYTES, "Wallet answers %d%s%.*s to %s %s%s%.*s%s", call->status, code.size > 0 ? " " : "",
             (int)text_cut(code, 64).size, code.size > 0 ? code.data : "", call->method, call->url, detail.size > 0 ? ": " : "",
             (int)detail.size, detail.size > 0 ? detail.data : "", hint);
}

static void describe_refusal(const struct http_call *call, char *sentence) {
    struct arena arena;
    struct faults faults;
    struct json_document *document = NULL;
    arena_init(&arena, ARENA_BYTES);
    faults_init(&faults, &arena);
    struct text code = {0}, detail = {0};
    if (call->reply.size <= REPLY_MAX && result_is_ok(json_open(&arena, call->reply, &faults, &document)) &&
        json_is_object(json_root(document))) {
        code = json_get_text(json_root(document), "code");
        detail = json_get_text(json_root(document), "detail");
    }
    describe_status(call, code, detail, sentence);
    json_close(document);
    arena_release(&arena);
}

/* Whoever answered: nothing of it rules the operator's terminal. */
static void make_printable(char *sentence) {
    for (; *sentence != '\0'; sentence++) {
        if ((unsigned char)*sentence < 0x20 || *sentence == 0x7f) *sentence = '?';
    }
}

void said_describe(const struct http_call *call, struct result outcome, char ret_sentence[SAID_BYTES]) {
    if (!result_is_ok(call->outcome) || call->status == 0)
        snprintf(ret_sentence, SAID_BYTES, "Wallet does not answer %s: %s", call->url,
                 call->cause[0] != '\0' ? call->cause : result_name(outcome));
    else if (call->status != 200)
        describe_refusal(call, ret_sentence);
    else
        snprintf(ret_sentence, SAID_BYTES, "What answers %s is no Wallet: %s", call->url, result_name(outcome));
    make_printable(ret_sentence);
}
