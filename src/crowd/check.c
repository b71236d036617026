/* The check after the crowd: what the operator's view says, what the users were told, and what their wallets hold must be the same story. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/crypto.h"
#include "base/map.h"
#include "crowd/crowd.h"

#define ADMIN_ARENA_BYTES  (4u * 1024 * 1024)
#define ADMIN_TRIES        20
#define PASSWORD_BYTES_MAX 512
#define FAULTS_PRINTED     20u
#define STATUS_SOLD_OUT    410 /* the one good reason to send a user of this crowd away */
#define PAUSE_US           INT64_C(250000)

/* The list of winners as it is read, page by page. */
struct winners {
    struct crowd *crowd;
    struct map users;      /* user id → struct user */
    struct map phones;     /* phone → the text itself */
    int64_t next_position; /* must come next */
    int64_t ours;          /* winners out of this crowd */
    int64_t credited;
    size_t faults;
    FILE *out;
};

static struct result pause_a_little(void) {
    struct waker pause;
    TRY(waker_init(&pause));
    waker_wait(&pause, PAUSE_US);
    waker_close(&pause);
    return result_ok();
}

/* An admin's GET or POST, patient with a service that is just starting again. The answer is the call's. */
static struct result call_admin(struct crowd *crowd, const char *method, const char *url, struct text body, struct http_call *ret_call) {
    for (int attempt = 0;; attempt++) {
        *ret_call = (struct http_call){.method = method, .url = url, .body = body, .bearer = crowd->admin_token, .timeout_ms = 10000};
        struct result waited = http_call_wait(ret_call);
        bool is_answer = result_is_ok(waited) && result_is_ok(ret_call->outcome) && ret_call->status < 500 && ret_call->status != 429;
        if (is_answer) return result_ok();
        http_call_clear(ret_call);
        if (attempt == ADMIN_TRIES) return result_error(RESULT_UNAVAILABLE);
        TRY(pause_a_little());
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
    struct result result = call_admin(crowd, "POST", url, buffer_text(&body), &call);
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

struct result crowd_create_campaign(struct crowd *crowd) {
    const struct crowd_options *options = crowd->options;
    char url[CROWD_URL_BYTES], body[2 * CROWD_BODY_BYTES];
    snprintf(url, sizeof(url), "%s/v1/campaigns", options->discount_url);
    int size = snprintf(body, sizeof(body),
                        "{\"name\":\"A crowd of %" PRId64 "\",\"kind\":\"wallet_credit\",\"code\":\"%s\",\"credit\":{\"amount\":%" PRId64
                        ",\"currency\":\"IRT\"},\"max_redemptions\":%" PRId64 "}",
                        options->users, options->code, options->credit, options->places);
    CHECK(size > 0 && (size_t)size < sizeof(body));
    struct http_call call;
    TRY(call_admin(crowd, "POST", url, (struct text){body, (size_t)size}, &call));
    bool is_made = call.status == 201;
    if (!is_made) fprintf(stderr, "crowd: POST %s: %d %.*s\n", url, call.status, (int)call.reply.size, call.reply.data);
    http_call_clear(&call);
    return is_made ? result_ok() : result_error(RESULT_DENIED);
}

/* One page of campaigns; RESULT_NOT_FOUND when the code is not on it and `cursor` is set to where to go on (empty: nowhere). */
static struct result search_page(struct crowd *crowd, const char *url, char *cursor, size_t capacity) {
    struct http_call call;
    TRY(call_admin(crowd, "GET", url, (struct text){0}, &call));
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
        result = result_ok();
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

static void __attribute__((format(printf, 2, 3))) fault(struct winners *winners, const char *format, ...) {
    winners->faults++;
    if (winners->faults > FAULTS_PRINTED) return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(winners->out, "  FAULT: ");
    vfprintf(winners->out, format, arguments);
    fputc('\n', winners->out);
    va_end(arguments);
}

static void check_winner(struct winners *winners, const struct json_value *winner, struct arena *kept) {
    int64_t position = json_get_integer(winner, "position", 0);
    struct text phone = arena_copy(kept, json_get_text(winner, "phone"));
    struct text status = json_get_text(winner, "status"), id = json_get_text(winner, "id");
    if (position != winners->next_position) {
        fault(winners, "position %" PRId64 " stands where %" PRId64 " is due", position, winners->next_position);
    }
    winners->next_position = position + 1;
    if (map_get(&winners->phones, phone) != NULL) fault(winners, "the phone of position %" PRId64 " has won twice", position);
    if (!result_is_ok(map_put(&winners->phones, phone, (void *)(uintptr_t)phone.data))) fault(winners, "too many winners to check");
    if (text_equal(status, TEXT("credited")))
        winners->credited++;
    else
        fault(winners, "position %" PRId64 " is %.*s", position, (int)status.size, status.data);
    struct id user_id;
    if (!result_is_ok(id_parse(json_get_text(winner, "user_id"), &user_id))) {
        fault(winners, "position %" PRId64 " has no user", position);
        return;
    }
    struct user *user = map_get(&winners->users, (struct text){(const char *)user_id.bytes, sizeof(user_id.bytes)});
    if (user == NULL) return; /* of an earlier crowd */
    winners->ours++;
    if (user->is_listed) fault(winners, "user %s has won twice", user->username);
    user->is_listed = true;
    if (user->redemption_id[0] == '\0') {
        fault(winners, "user %s has place %" PRId64 " and was told no", user->username, position);
    } else if (!text_equal(id, text_of(user->redemption_id)) || position != user->position) {
        fault(winners, "user %s was told place %" PRId64 " and has %" PRId64, user->username, user->position, position);
    }
}

static struct result read_winners(struct winners *winners, struct arena *kept) {
    struct crowd *crowd = winners->crowd;
    int64_t page = 0;
    char cursor[160] = "", url[CROWD_URL_BYTES + 256];
    do {
        snprintf(url, sizeof(url), "%s/v1/campaigns/%s/redemptions?limit=200%s%s", crowd->options->discount_url, crowd->campaign_id,
                 cursor[0] ? "&cursor=" : "", cursor);
        struct http_call call;
        TRY(call_admin(crowd, "GET", url, (struct text){0}, &call));
        struct arena arena;
        arena_init(&arena, ADMIN_ARENA_BYTES);
        struct json_document *document;
        const struct json_value *root = answer_open(&arena, &call, &document);
        const struct json_value *data = root == NULL ? NULL : json_get(root, "data");
        for (size_t i = 0; data != NULL && i < json_array_count(data); i++) check_winner(winners, json_array_item(data, i), kept);
        struct text next = root == NULL ? (struct text){0} : json_get_text(root, "next_cursor");
        snprintf(cursor, sizeof(cursor), "%.*s", (int)next.size, next.size > 0 ? next.data : "");
        json_close(document);
        arena_release(&arena);
        http_call_clear(&call);
        if (data == NULL || page++ > crowd->options->places) return result_error(RESULT_INVALID);
    } while (cursor[0] != '\0');
    return result_ok();
}

/* Each user's wallet against what the user was told. Returns Σ balances. */
static int64_t check_users(struct winners *winners) {
    struct crowd *crowd = winners->crowd;
    int64_t sum = 0;
    for (size_t i = 0; i < (size_t)crowd->options->users; i++) {
        const struct user *user = &crowd->users[i];
        bool has_place = user->redemption_id[0] != '\0';
        int64_t due = has_place ? crowd->options->credit : 0;
        sum += user->balance;
        if (user->state == USER_STRANDED || user->state == USER_WAITING) fault(winners, "user %s has no good answer", user->username);
        if (user->state == USER_REFUSED && user->refused_status != STATUS_SOLD_OUT) {
            fault(winners, "user %s was refused with %d", user->username, user->refused_status);
        }
        if (user->state == USER_CLAIMED) fault(winners, "user %s still waits for the credit", user->username);
        if (user->balance != due) fault(winners, "user %s holds %" PRId64 " and is due %" PRId64, user->username, user->balance, due);
        if (has_place && !user->is_listed)
            fault(winners, "user %s was told place %" PRId64 " and is not listed", user->username, user->position);
        if (has_place && user->credit_count != 1) {
            fault(winners, "user %s has %" PRId64 " credits for one place", user->username, user->credit_count);
        }
    }
    return sum;
}

struct report {
    int64_t redeemed, remaining, credited, pending, failed;
};

static struct result read_report(struct crowd *crowd, struct report *ret_report) {
    char url[CROWD_URL_BYTES + 64];
    snprintf(url, sizeof(url), "%s/v1/campaigns/%s/report", crowd->options->discount_url, crowd->campaign_id);
    struct http_call call;
    TRY(call_admin(crowd, "GET", url, (struct text){0}, &call));
    struct arena arena;
    arena_init(&arena, ADMIN_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &call, &document);
    bool is_report = root != NULL && call.status == 200;
    if (is_report) {
        *ret_report = (struct report){
            .redeemed = json_get_integer(root, "redeemed", -1),
            .remaining = json_get_integer(root, "remaining", -1),
            .credited = json_get_integer(root, "credited", -1),
            .pending = json_get_integer(root, "pending", -1),
            .failed = json_get_integer(root, "failed", -1),
        };
    }
    json_close(document);
    arena_release(&arena);
    http_call_clear(&call);
    return is_report ? result_ok() : result_error(RESULT_INVALID);
}

/* After a crash what has been paid is marked as such a little later. */
static struct result wait_settled(struct crowd *crowd) {
    int64_t deadline_us = clock_monotonic_us(crowd->clock) + crowd->options->give_up_after_s * CLOCK_SECOND_US;
    struct report report = {0};
    do {
        TRY(read_report(crowd, &report));
        if (report.pending == 0) return result_ok();
        TRY(pause_a_little());
    } while (clock_monotonic_us(crowd->clock) < deadline_us);
    return result_error(RESULT_TIMEOUT);
}

static void check_report(struct winners *winners) {
    struct report report;
    if (!result_is_ok(read_report(winners->crowd, &report))) {
        fault(winners, "the report cannot be read");
        return;
    }
    int64_t listed = winners->next_position - 1, places = winners->crowd->options->places;
    if (listed > places) fault(winners, "%" PRId64 " winners in %" PRId64 " places", listed, places);
    if (report.redeemed != listed) fault(winners, "the report says %" PRId64 " redeemed, the list %" PRId64, report.redeemed, listed);
    if (report.redeemed + report.remaining != places) {
        fault(winners, "%" PRId64 " redeemed and %" PRId64 " remaining are not %" PRId64, report.redeemed, report.remaining, places);
    }
    if (report.credited != winners->credited) {
        fault(winners, "the report says %" PRId64 " credited, the list %" PRId64, report.credited, winners->credited);
    }
    if (report.pending != 0) fault(winners, "%" PRId64 " credits are still pending", report.pending);
    if (report.failed != 0) fault(winners, "%" PRId64 " credits have failed", report.failed);
}

static void print_verdict(const struct winners *winners, int64_t expected, int64_t sum) {
    const struct crowd *crowd = winners->crowd;
    fprintf(winners->out, "check\n");
    fprintf(winners->out, "  winners   %8" PRId64 " of %" PRId64 " expected\n", winners->ours, expected);
    fprintf(winners->out, "  credited  %8" PRId64 " of %" PRId64 " places\n", winners->credited, crowd->options->places);
    fprintf(winners->out, "  positions 1..%" PRId64 "\n", winners->next_position - 1);
    fprintf(winners->out, "  balances  %" PRId64 " in the wallets of %" PRId64 " users\n", sum, crowd->options->users);
    fprintf(winners->out, "  %s\n", winners->faults == 0 ? "exactly right" : "NOT RIGHT");
}

size_t crowd_check(struct crowd *crowd, FILE *out) {
    size_t user_count = (size_t)crowd->options->users;
    struct winners winners = {.crowd = crowd, .next_position = 1, .out = out};
    struct arena kept;
    arena_init(&kept, (size_t)crowd->options->places * 256 + ADMIN_ARENA_BYTES);
    CHECK(result_is_ok(map_init(&winners.users, user_count)));
    CHECK(result_is_ok(map_init(&winners.phones, (size_t)crowd->options->places + 1)));
    for (size_t i = 0; i < user_count; i++) {
        struct user *user = &crowd->users[i];
        CHECK(result_is_ok(map_put(&winners.users, (struct text){(const char *)user->id.bytes, sizeof(user->id.bytes)}, user)));
    }
    struct result settled = wait_settled(crowd);
    if (!result_is_ok(settled)) fault(&winners, "the report tells of no end of the settling: %s", result_name(settled));
    if (!result_is_ok(read_winners(&winners, &kept))) fault(&winners, "the list of winners cannot be read");
    int64_t sum = check_users(&winners);
    check_report(&winners);
    int64_t places_left = crowd->options->places - crowd->redeemed_before;
    int64_t expected = crowd->options->users < places_left ? crowd->options->users : places_left;
    if (winners.ours != expected) fault(&winners, "%" PRId64 " winners where %" PRId64 " are due", winners.ours, expected);
    if (sum != expected * crowd->options->credit) fault(&winners, "the wallets hold %" PRId64 " in all", sum);
    if (winners.faults > FAULTS_PRINTED) fprintf(out, "  and %zu more faults\n", winners.faults - FAULTS_PRINTED);
    print_verdict(&winners, expected, sum);
    map_free(&winners.users);
    map_free(&winners.phones);
    arena_release(&kept);
    return winners.faults;
}
