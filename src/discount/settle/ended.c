#include "discount/settle/ended.h"

#include <string.h>

#include "base/check.h"
#include "base/json/json.h"
#include "base/limits.h"
#include "base/log.h"

#define ASK_FIRST_US (CLOCK_SECOND_US / 4) /* after the start: who does not know our keys yet asks our listener for them */
#define ASK_US       CLOCK_SECOND_US
#define ARENA_BYTES  (1024u * 1024)
#define PATH         "/v1/revocations?limit=200"

/* An absent or null id is zero. */
static bool read_id(const struct json_value *item, const char *name, struct id *ret_id) {
    struct text text = json_get_text(item, name);
    *ret_id = (struct id){{0}};
    return text.size == 0 || result_is_ok(id_parse(text, ret_id));
}

static bool read_revocation(const struct json_value *item, int64_t leeway_us, struct revocation *ret_revocation) {
    struct id session_id, user_id;
    bool is_read = read_id(item, "session_id", &session_id) && read_id(item, "user_id", &user_id) &&
                   read_id(item, "sessions_before", &ret_revocation->cutoff) && read_id(item, "kept_session_id", &ret_revocation->kept);
    is_read = is_read && result_is_ok(clock_parse(json_get_text(item, "expires_at"), &ret_revocation->expires_at_us));
    if (!is_read || id_is_zero(session_id) != !id_is_zero(user_id) || id_is_zero(user_id) != id_is_zero(ret_revocation->cutoff))
        return false;
    ret_revocation->id = id_is_zero(user_id) ? session_id : user_id;
    /* By Wallet's clock, which may be ahead by as much as a token may be late. */
    ret_revocation->expires_at_us += 2 * leeway_us;
    return true;
}

/* False: that is no page of revocations. What was read of it is remembered all the same, and read again. */
static bool read_page(struct ended *ended, const struct json_value *root, bool *ret_has_any) {
    const struct json_value *data = json_get(root, "data");
    struct text cursor = json_get_text(root, "next_cursor");
    if (!json_is_array(data) || cursor.size == 0 || cursor.size > sizeof ended->cursor) return false;
    int64_t now_us = clock_now_us(ended->calls->clock);
    size_t count = json_array_count(data);
    for (size_t i = 0; i < count; i++) {
        struct revocation revocation = {0};
        if (!read_revocation(json_array_item(data, i), ended->clock_leeway_us, &revocation)) return false;
        revocations_add(ended->revocations, &revocation, now_us);
    }
    memcpy(ended->cursor, cursor.data, cursor.size);
    ended->cursor_size = cursor.size;
    *ret_has_any = count > 0;
    return true;
}

static bool read_reply(struct ended *ended, bool *ret_has_any) {
    struct faults faults;
    struct json_document *document = NULL;
    faults_init(&faults, &ended->arena);
    if (!result_is_ok(json_open(&ended->arena, ended->call.reply, &faults, &document))) return false;
    bool is_read = read_page(ended, json_root(document), ret_has_any);
    json_close(document);
    return is_read;
}

static void note_failure(struct ended *ended) {
    const struct http_call *call = &ended->call;
    calls_note_failure(ended->calls, call);
    if (!ended->is_failing)
        LOG(LOG_INFO, "revocations_not_read", LOG_STRING("reason", result_name(call->outcome)), LOG_INTEGER("status", call->status));
    ended->is_failing = true;
    if (call->status == 422) ended->cursor_size = 0; /* it knows nothing of our place: from the beginning */
}

static void answered(struct http_call *call) {
    struct ended *ended = call->context;
    bool has_any = false;
    calls_judge(ended->calls, call);
    ended->is_asking = false;
    bool is_read = result_is_ok(call->outcome) && call->status == 200 && read_reply(ended, &has_any);
    if (is_read) {
        if (ended->is_failing) LOG(LOG_INFO, "revocations_read_again");
        ended->is_failing = false;
    } else {
        note_failure(ended);
    }
    http_call_clear(call);
    ended->due_us = clock_monotonic_us(ended->calls->clock) + (has_any ? 0 : ASK_US); /* there may be more */
}

void ended_ask(struct ended *ended, int64_t now_us) {
    if (ended->revocations == NULL) return;
    if (ended->due_us == 0) ended->due_us = now_us + ASK_FIRST_US;
    if (ended->is_asking || now_us < ended->due_us || ended->calls->client == NULL) return;
    arena_release(&ended->arena);
    arena_init(&ended->arena, ARENA_BYTES);
    struct text path = TEXT(PATH);
    if (ended->cursor_size > 0) path = arena_print(&ended->arena, PATH "&cursor=%.*s", (int)ended->cursor_size, ended->cursor);
    ended->call = (struct http_call){.method = "GET", .done = answered, .context = ended};
    ended->is_asking = result_is_ok(calls_start(ended->calls, &ended->call, path, &ended->arena));
    ended->due_us = now_us + ASK_US;
}

int64_t ended_next_us(const struct ended *ended) { return ended->is_asking || ended->revocations == NULL ? INT64_MAX : ended->due_us; }

void ended_free(struct ended *ended) {
    CHECK(!ended->is_asking);
    arena_release(&ended->arena);
}
