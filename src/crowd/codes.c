/* A code for each user: a batch that the crowd has made and takes away by the API, as an operator does who prints them; and afterwards what the
 * service knows of each. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "crowd/crowd.h"

#define ANSWER_ARENA_BYTES (1024u * 1024)
#define PAGE_ITEMS         200
/* 14 symbols and their check: so many that no number of runs makes it too weak. */
#define CROWD_PATTERN "CROWD-####-####-####-####"

static struct result make_batch(struct crowd *crowd) {
    char url[CROWD_URL_BYTES + 64], body[CROWD_BODY_BYTES];
    snprintf(url, sizeof url, "%s/v1/campaigns/%s/code-batches", crowd->options->discount_url, crowd->campaign_id);
    int size = snprintf(body, sizeof body, "{\"count\":%" PRId64 ",\"pattern\":\"" CROWD_PATTERN "\",\"note\":\"crowd %s\"}",
                        crowd->options->users, crowd->run);
    CHECK(size > 0 && (size_t)size < sizeof body);
    struct http_call call;
    TRY(crowd_call_operator(crowd, "POST", url, (struct text){body, (size_t)size}, &call));
    struct arena arena;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &call, &document);
    struct text id = root == NULL ? (struct text){0} : json_get_text(root, "id");
    bool is_made = call.status == 201 && id.size == ID_TEXT_BYTES;
    if (is_made) memcpy(crowd->batch_id, id.data, ID_TEXT_BYTES);
    if (!is_made) fprintf(stderr, "crowd: POST %s: %d %.*s\n", url, call.status, (int)call.reply.size, call.reply.data);
    json_close(document);
    arena_release(&arena);
    http_call_clear(&call);
    return is_made ? result_ok() : result_error(RESULT_DENIED);
}

/* The codes behind the first `taken`; *ret_count of them, none when there are no more. */
static struct result take_page(struct crowd *crowd, size_t taken, size_t *ret_count) {
    char url[CROWD_URL_BYTES + 128];
    snprintf(url, sizeof url, "%s/v1/campaigns/%s/code-batches/%s/codes?limit=%d&after=%zu", crowd->options->discount_url,
             crowd->campaign_id, crowd->batch_id, PAGE_ITEMS, taken);
    struct http_call call;
    TRY(crowd_call_operator(crowd, "GET", url, (struct text){0}, &call));
    struct arena arena;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &call, &document);
    const struct json_value *data = root == NULL || call.status != 200 ? NULL : json_get(root, "data");
    struct result result = result_error(data == NULL ? RESULT_DENIED : RESULT_OK);
    *ret_count = 0;
    for (size_t i = 0; data != NULL && i < json_array_count(data) && taken + i < (size_t)crowd->options->users; i++) {
        struct text code = json_get_text(json_array_item(data, i), "code");
        if (code.size != strlen(CROWD_PATTERN)) {
            result = result_error(RESULT_INVALID);
            break;
        }
        memcpy(crowd->users[taken + i].code, code.data, code.size);
        (*ret_count)++;
    }
    json_close(document);
    arena_release(&arena);
    http_call_clear(&call);
    return result;
}

struct result crowd_make_codes(struct crowd *crowd) {
    _Static_assert(sizeof CROWD_PATTERN <= sizeof crowd->users->code, "a code fits, with its end");
    TRY(make_batch(crowd));
    size_t taken = 0, count = 1;
    while (taken < (size_t)crowd->options->users && count > 0) {
        TRY(take_page(crowd, taken, &count));
        taken += count;
    }
    return taken == (size_t)crowd->options->users ? result_ok() : result_error(RESULT_INVALID);
}

/* ---- what the service knows of each code afterwards ---- */

static bool prepare_look_up(struct crowd *crowd, struct user *user) {
    snprintf(user->url, sizeof user->url, "%s/v1/codes/lookup", crowd->options->discount_url);
    snprintf(user->body, sizeof user->body, "{\"code\":\"%s\"}", user->code);
    user->call.method = "POST";
    user->call.bearer = crowd->admin_token;
    user->call.body = text_of(user->body);
    return true;
}

/* A winner's code was used once, by the winner, for that place; any other by nobody, and it still can be. */
bool code_is_as_told(const struct user *user, const struct json_value *known) {
    bool has_place = user->redemption_id[0] != '\0';
    const struct json_value *redemptions = json_get(known, "redemptions");
    struct text batch = json_get_text(known, "batch"), state = json_get_text(known, "state");
    size_t count = redemptions == NULL ? 0 : json_array_count(redemptions);
    if (!text_equal(batch, text_of(user->crowd->batch_id)) || json_get_integer(known, "uses", -1) != (int64_t)count) return false;
    if (!has_place) return count == 0 && text_equal(state, TEXT("active"));
    if (count != 1 || !text_equal(state, TEXT("used"))) return false;
    struct id user_id;
    const struct json_value *redemption = json_array_item(redemptions, 0);
    return text_equal(json_get_text(redemption, "id"), text_of(user->redemption_id)) &&
           result_is_ok(id_parse(json_get_text(redemption, "user_id"), &user_id)) && id_equal(user_id, user->id);
}

static enum step conclude_look_up(struct crowd *crowd, struct user *user) {
    (void)crowd;
    if (is_passing(user->call.status)) return STEP_AGAIN;
    struct arena arena;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &user->call, &document);
    if (user->call.status == 200 && root != NULL) user->is_code_right = code_is_as_told(user, root);
    json_close(document);
    arena_release(&arena);
    return user->call.status == 200 ? STEP_DONE : STEP_FAILED;
}

const struct phase phase_look_up = {"codes", prepare_look_up, conclude_look_up, .tallied = false};
