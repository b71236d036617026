#include "discount/settle/greeting.h"

#include <string.h>
#include <unistd.h>

#include "auth/file.h"
#include "base/json/json.h"
#include "base/log.h"

#define ASK_FIRST_US (CLOCK_SECOND_US / 4) /* after the start: who does not know our keys yet asks our listener for them */
#define ASK_US       (2 * CLOCK_SECOND_US)
#define TIMEOUT_MS   2000
#define ARENA_BYTES  (16u * 1024)
#define WORD_BYTES   (ID_TEXT_BYTES + 1) /* with the end of its line */

/* ---- the operator's word ---- */

struct result greeting_read_word(const char *path, struct id *ret_id) {
    struct arena arena;
    struct text content;
    arena_init(&arena, 1024);
    struct result outcome = file_read(path, WORD_BYTES, true, &arena, &content);
    if (result_is_ok(outcome)) {
        if (content.size > 0 && content.data[content.size - 1] == '\n') content.size--;
        outcome = id_parse(content, ret_id);
    }
    arena_release(&arena);
    return outcome;
}

struct result greeting_write_word(const char *path, struct id id) {
    char line[WORD_BYTES];
    id_format(id, line);
    line[WORD_BYTES - 1] = '\n';
    return file_replace(path, (struct text){line, sizeof line});
}

static void hear_word(struct greeting *greeting) {
    struct instance *instance = &greeting->calls->instance;
    struct id id = {{0}}; /* nobody */
    if (greeting->trust_path == NULL || !instance_is_another(instance)) return;
    struct result outcome = greeting_read_word(greeting->trust_path, &id);
    if (id_equal(id, instance->other)) {
        greeting->left = instance->ours;
        instance_trust(instance, id);
        calls_say_instance(greeting->calls);
        greeting->has_word = true;
    } else if (!result_is_ok(outcome) && outcome.code != RESULT_NOT_FOUND) {
        LOG(LOG_WARN, "trust_file_not_read", LOG_STRING("path", greeting->trust_path), LOG_STRING("reason", result_name(outcome)));
    }
}

/* ---- keeping ---- */

static void kept(struct own_operation *own, struct result outcome) {
    struct greeting *greeting = CONTAINER_OF(own, struct greeting, own);
    struct instance *instance = &greeting->calls->instance;
    greeting->is_keeping = false;
    if (!result_is_ok(outcome)) {
        backoff_fail(&greeting->backoff, clock_monotonic_us(greeting->calls->clock), 0);
        return;
    }
    backoff_clear(&greeting->backoff);
    if (!id_equal(own->request.wallet_instance, instance->ours)) return; /* another one meanwhile: that is kept next */
    instance->must_keep = false;
    if (greeting->has_word) (void)unlink(greeting->trust_path);
    greeting->has_word = false;
}

static void keep(struct greeting *greeting, int64_t now_us) {
    const struct instance *instance = &greeting->calls->instance;
    if (!instance->must_keep || greeting->is_keeping || now_us < greeting->backoff.retry_at_us) return;
    greeting->own.request.wallet_instance = instance->ours;
    greeting->own.request.wallet_left = greeting->has_word ? greeting->left : (struct id){{0}};
    greeting->own.request.base.operation.store.weight = 1;
    greeting->own.returned = kept;
    greeting->is_keeping = true;
    if (!own_submit(greeting->messages, &greeting->own, &instance_action)) kept(&greeting->own, result_error(RESULT_UNAVAILABLE));
}

/* ---- what it says ---- */

/* A ledger only grows. What can't be read says nothing. */
static void read_sequence(struct greeting *greeting) {
    struct faults faults;
    struct json_document *document = NULL;
    faults_init(&faults, &greeting->arena);
    if (!result_is_ok(json_open(&greeting->arena, greeting->call.reply, &faults, &document))) return;
    const struct json_value *ledger = json_get(json_root(document), "ledger");
    int64_t sequence = json_is_object(ledger) ? json_get_integer(ledger, "sequence", -1) : -1;
    json_close(document);
    if (sequence < 0) return;
    if (sequence < greeting->sequence) {
        LOG(LOG_WARN, "wallet_is_older", LOG_INTEGER("sequence", sequence), LOG_INTEGER("before", greeting->sequence));
        greeting->calls->must_compare = true;
    }
    greeting->sequence = sequence;
}

/* ---- asking ---- */

static void answered(struct http_call *call) {
    struct greeting *greeting = call->context;
    if (!calls_is_heard(call)) calls_say_reach(greeting->calls, call);
    calls_judge(greeting->calls, call);
    greeting->is_asking = false;
    bool is_known = result_is_ok(call->outcome) && call->status == 200;
    if (is_known)
        read_sequence(greeting);
    else
        calls_note_failure(greeting->calls, call);
    http_call_clear(call);
    hear_word(greeting);
    greeting->due_us = clock_monotonic_us(greeting->calls->clock) + ASK_US;
}

static void ask(struct greeting *greeting, int64_t now_us) {
    if (greeting->due_us == 0) greeting->due_us = now_us + ASK_FIRST_US;
    if (greeting->is_asking || now_us < greeting->due_us || greeting->calls->client == NULL) return;
    arena_release(&greeting->arena);
    arena_init(&greeting->arena, ARENA_BYTES);
    greeting->call = (struct http_call){.method = "GET", .timeout_ms = TIMEOUT_MS, .done = answered, .context = greeting};
    greeting->is_asking = result_is_ok(calls_start(greeting->calls, &greeting->call, TEXT("/v1/instance"), &greeting->arena));
    greeting->due_us = now_us + ASK_US;
}

void greeting_run(struct greeting *greeting, int64_t now_us) {
    ask(greeting, now_us);
    keep(greeting, now_us);
}

int64_t greeting_next_us(const struct greeting *greeting) {
    int64_t at_us = greeting->is_asking ? INT64_MAX : greeting->due_us;
    bool must_keep = greeting->calls->instance.must_keep && !greeting->is_keeping;
    return must_keep && greeting->backoff.retry_at_us < at_us ? greeting->backoff.retry_at_us : at_us;
}

void greeting_free(struct greeting *greeting) {
    CHECK(!greeting->is_asking);
    arena_release(&greeting->arena);
}
