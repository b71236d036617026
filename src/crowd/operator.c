/* What the operator does before the crowd comes: logs in, makes the campaign, finds it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/crypto.h"
#include "crowd/crowd.h"

#define ADMIN_ARENA_BYTES  (4u * 1024 * 1024)
#define ADMIN_TRIES        20
#define PASSWORD_BYTES_MAX 512
#define PAUSE_US           INT64_C(250000)

struct result crowd_pause(void) {
    struct waker pause;
    TRY(waker_init(&pause));
    waker_wait(&pause, PAUSE_US);
    waker_close(&pause);
    return result_ok();
}

/* An admin's GET or POST, patient with a service that is just starting again. The answer is the call's. */
struct result crowd_call_operator(struct crowd *crowd, const char *method, const char *url, struct text body, struct http_call *ret_call) {
    char key[ID_TEXT_BYTES + 1] = ""; /* so that what is made is made once */
    struct id_source ids;
    id_source_init_system(&ids);
    id_format(id_make(&ids, clock_now_us(crowd->clock)), key);
    for (int attempt = 0;; attempt++) {
        *ret_call = (struct http_call){.method = method, .url = url, .body = body, .bearer = crowd->admin_token, .timeout_ms = 10000};
        if (body.size > 0) ret_call->idempotency_key = key;
        struct result waited = http_call_wait(ret_call);
        bool is_answer = result_is_ok(waited) && result_is_ok(ret_call->outcome) && ret_call->status < 500 && ret_call->status != 429;
        if (is_answer) return result_ok();
        http_call_clear(ret_call);
        if (attempt == ADMIN_TRIES) return result_error(RESULT_UNAVAILABLE);
        TRY(crowd_pause());
    }
}

static struct result read_password(const char *path, char *password, size_t capacity) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "crowd: --admin-password-file: %s cannot be read\n", path);
        return result_error(RESULT_IO);
    }
    size_t size = fread(password, 1, capacity - 1, file);
    fclose(file);
    while (size > 0 && (password[size - 1] == '\n' || password[size - 1] == '\r')) size--;
    password[size] = '\0';
    return size > 0 ? result_ok() : result_error(RESULT_INVALID);
}

struct result crowd_login_admin(struct crowd *crowd) {
    char password[PASSWORD_BYTES_MAX], url[CROWD_URL_BYTES];
    TRY(read_password(crowd->options->admin_password_file, password, sizeof(password)));
    snprintf(url, sizeof(url), "%s/v1/sessions", crowd->options->wallet_url);
    struct arena arena;
    arena_init(&arena, ADMIN_ARENA_BYTES);
    struct buffer body;
    buffer_init(&body, &arena, 1024);
    struct json_writer writer = {.buffer = &body};
    json_begin_object(&writer);
    json_text_member(&writer, "username", text_of(crowd->options->admin_name));
    json_text_member(&writer, "password", text_of(password));
    json_end_object(&writer);
    struct http_call call;
    struct result result = crowd_call_operator(crowd, "POST", url, buffer_text(&body), &call);
    crypto_wipe(password, sizeof(password));
    if (result_is_ok(result)) {
        struct json_document *document;
        const struct json_value *root = answer_open(&arena, &call, &document);
        struct text token = root == NULL ? (struct text){0} : json_get_text(root, "access_token");
        if (token.size > 0) crowd->admin_token = keep_token(token);
        json_close(document);
        http_call_clear(&call);
        if (crowd->admin_token == NULL) result = result_error(RESULT_DENIED);
    }
    arena_release(&arena);
    return result;
}

/* Of a credit to each; with orders, of a share of each that ends at as much. */
static int write_gift(const struct crowd_options *options, char *gift, size_t capacity) {
    const char *before = options->has_orders ? "\"kind\":\"percent_off\",\"discount\":{\"percent\":\"12.5\",\"max\":{"
                                             : "\"kind\":\"wallet_credit\",\"credit\":{";
    return snprintf(gift, capacity, "%s\"amount\":%" PRId64 ",\"currency\":\"IRT\"}%s", before, options->credit,
                    options->has_orders ? "}" : "");
}

struct result crowd_create_campaign(struct crowd *crowd) {
    const struct crowd_options *options = crowd->options;
    char url[CROWD_URL_BYTES], gift[CROWD_BODY_BYTES], body[2 * CROWD_BODY_BYTES];
    snprintf(url, sizeof(url), "%s/v1/campaigns", options->discount_url);
    int gift_size = write_gift(options, gift, sizeof(gift));
    int size = snprintf(body, sizeof(body), "{\"name\":\"A crowd of %" PRId64 "\",\"code\":\"%s\",%s,\"max_redemptions\":%" PRId64 "}",
                        options->users, options->code, gift, options->places);
    CHECK(gift_size > 0 && (size_t)gift_size < sizeof(gift) && size > 0 && (size_t)size < sizeof(body));
    struct http_call call;
    TRY(crowd_call_operator(crowd, "POST", url, (struct text){body, (size_t)size}, &call));
    bool is_made = call.status == 201;
    if (!is_made) fprintf(stderr, "crowd: POST %s: %d %.*s\n", url, call.status, (int)call.reply.size, call.reply.data);
    http_call_clear(&call);
    return is_made ? result_ok() : result_error(RESULT_DENIED);
}

/* One page of campaigns; RESULT_NOT_FOUND when the code is not on it and `cursor` is set to where to go on (empty: nowhere). */
static struct result search_page(struct crowd *crowd, const char *url, char *cursor, size_t capacity) {
    struct http_call call;
    TRY(crowd_call_operator(crowd, "GET", url, (struct text){0}, &call));
    struct arena arena;
    arena_init(&arena, ADMIN_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &call, &document);
    const struct json_value *data = root == NULL || call.status != 200 ? NULL : json_get(root, "data");
    struct result result = result_error(data == NULL ? RESULT_DENIED : RESULT_NOT_FOUND);
    for (size_t i = 0; data != NULL && i < json_array_count(data); i++) {
        const struct json_value *campaign = json_array_item(data, i);
        if (!text_equal_ignoring_case(json_get_text(campaign, "code"), text_of(crowd->options->code))) continue;
        struct text id = json_get_text(campaign, "id");
        if (id.size != ID_TEXT_BYTES) continue;
        memcpy(crowd->campaign_id, id.data, ID_TEXT_BYTES);
        crowd->redeemed_before = json_get_integer(campaign, "redeemed", 0);
        result = terms_read(campaign, &crowd->terms) ? result_ok() : result_error(RESULT_INVALID);
    }
    snprintf(cursor, capacity, "%.*s", (int)json_get_text(root, "next_cursor").size, json_get_text(root, "next_cursor").data);
    json_close(document);
    arena_release(&arena);
    http_call_clear(&call);
    return result;
}

struct result crowd_find_campaign(struct crowd *crowd) {
    char cursor[160] = "", url[CROWD_URL_BYTES + 256];
    do {
        snprintf(url, sizeof(url), "%s/v1/campaigns?limit=200%s%s", crowd->options->discount_url, cursor[0] ? "&cursor=" : "", cursor);
        struct result found = search_page(crowd, url, cursor, sizeof(cursor));
        if (found.code != RESULT_NOT_FOUND) return found;
    } while (cursor[0] != '\0');
    return result_error(RESULT_NOT_FOUND);
}
