/* What one user does in each phase, and what the answers mean to it. A request that is sent again is the same to the byte. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "crowd/crowd.h"

#define ANSWER_ARENA_BYTES (1024u * 1024)

const struct json_value *answer_open(struct arena *arena, const struct http_call *call, struct json_document **ret_document) {
    struct faults faults;
    faults_init(&faults, arena);
    *ret_document = NULL;
    if (!result_is_ok(json_open(arena, call->reply, &faults, ret_document))) return NULL;
    const struct json_value *root = json_root(*ret_document);
    return json_is_object(root) ? root : NULL;
}

char *keep_token(struct text token) {
    char *kept = malloc(token.size + 1);
    CHECK(kept != NULL);
    memcpy(kept, token.data, token.size);
    kept[token.size] = '\0';
    return kept;
}

bool is_passing(int status) { return status == 429 || status >= 500; }

static void set_request(struct user *user, const char *method, const char *base, const char *path) {
    snprintf(user->url, sizeof(user->url), "%s%s", base, path);
    user->call.method = method;
    user->call.bearer = user->token;
}

static void set_body(struct user *user) { user->call.body = text_of(user->body); }

/* ---- register, log in, open a connection ---- */

static bool prepare_register(struct crowd *crowd, struct user *user) {
    set_request(user, "POST", crowd->options->wallet_url, "/v1/users");
    user->call.idempotency_key = user->idempotency_key;
    snprintf(user->body, sizeof(user->body), "{\"username\":\"%s\",\"password\":\"%s\",\"phone\":\"%.*s\"}", user->username,
             crowd->password, (int)user->phone.size, user->phone.e164);
    set_body(user);
    return true;
}

static enum step conclude_register(struct crowd *crowd, struct user *user) {
    (void)crowd;
    if (is_passing(user->call.status)) return STEP_AGAIN;
    if (user->call.status != 201) return STEP_FAILED;
    struct arena arena;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &user->call, &document);
    bool has_id = root != NULL && result_is_ok(id_parse(json_get_text(root, "id"), &user->id));
    json_close(document);
    arena_release(&arena);
    return has_id ? STEP_DONE : STEP_FAILED;
}

static bool prepare_login(struct crowd *crowd, struct user *user) {
    set_request(user, "POST", crowd->options->wallet_url, "/v1/sessions");
    snprintf(user->body, sizeof(user->body), "{\"username\":\"%s\",\"password\":\"%s\"}", user->username, crowd->password);
    set_body(user);
    return true;
}

static enum step conclude_login(struct crowd *crowd, struct user *user) {
    (void)crowd;
    if (is_passing(user->call.status)) return STEP_AGAIN;
    if (user->call.status != 201) return STEP_FAILED;
    struct arena arena;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &user->call, &document);
    struct text token = root == NULL ? (struct text){0} : json_get_text(root, "access_token");
    if (token.size > 0) user->token = keep_token(token);
    json_close(document);
    arena_release(&arena);
    return token.size > 0 ? STEP_DONE : STEP_FAILED;
}

/* So that the instant itself is spent on redemptions and not on connecting. */
static bool prepare_connect(struct crowd *crowd, struct user *user) {
    if (user->index >= (size_t)crowd->options->connections) return false;
    set_request(user, "GET", crowd->options->discount_url, "/healthz");
    return true;
}

static enum step conclude_connect(struct crowd *crowd, struct user *user) {
    (void)crowd;
    return is_passing(user->call.status) ? STEP_AGAIN : user->call.status == 200 ? STEP_DONE : STEP_FAILED;
}

/* ---- redeem, and follow a claim until it is paid ---- */

void user_type_phone(const struct user *user, char typed[TYPED_PHONE_BYTES]) {
    size_t capacity = TYPED_PHONE_BYTES;
    const char *digits = user->phone.e164 + 3; /* after +98 */
    int digit_count = user->phone.size - 3;
    if (user->index % 3 == 0) {
        snprintf(typed, capacity, "%.*s", (int)user->phone.size, user->phone.e164);
    } else if (user->index % 3 == 1) {
        snprintf(typed, capacity, "0%.3s %.3s %.*s", digits, digits + 3, digit_count - 6, digits + 6);
    } else {
        size_t size = (size_t)snprintf(typed, capacity, "\u06F0");
        for (int i = 0; i < digit_count && size + 3 < capacity; i++) {
            size += (size_t)snprintf(typed + size, capacity - size, "\xDB%c", '\xB0' + (digits[i] - '0'));
        }
    }
}

static bool prepare_redeem(struct crowd *crowd, struct user *user) {
    char typed[TYPED_PHONE_BYTES], order[ORDER_BYTES];
    user_type_phone(user, typed);
    user_write_order(user, order);
    set_request(user, "POST", crowd->options->discount_url, "/v1/redemptions");
    const char *code = user->code[0] != '\0' ? user->code : crowd->options->code;
    int size = snprintf(user->body, sizeof(user->body), "{\"code\":\"%s\",\"phone\":\"%s\"%s}", code, typed, order);
    CHECK(size > 0 && (size_t)size < sizeof(user->body));
    set_body(user);
    return true;
}

enum step user_take_redemption(struct user *user) {
    struct arena arena;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &user->call, &document);
    enum step step = STEP_FAILED;
    if (root != NULL) {
        struct text id = json_get_text(root, "id"), status = json_get_text(root, "status");
        int64_t position = json_get_integer(root, "position", 0);
        bool is_new = user->redemption_id[0] == '\0';
        bool is_same = text_equal(id, text_of(user->redemption_id)) && position == user->position;
        const struct json_value *discount = json_get(root, "discount");
        bool is_credited = text_equal(status, TEXT("credited")), is_applied = text_equal(status, TEXT("applied"));
        bool has_place = is_credited || is_applied || text_equal(status, TEXT("claimed"));
        if (id.size == ID_TEXT_BYTES && position > 0 && has_place && (is_new || is_same)) {
            memcpy(user->redemption_id, id.data, ID_TEXT_BYTES);
            user->position = position;
            user->state = is_applied ? USER_APPLIED : is_credited ? USER_CREDITED : USER_CLAIMED;
            user->discount = discount == NULL ? -1 : json_get_integer(discount, "amount", -1);
            user->final_amount = discount == NULL ? -1 : json_get_integer(discount, "final_amount", -1);
            step = STEP_DONE;
        }
    }
    json_close(document);
    arena_release(&arena);
    return step;
}

static enum step conclude_redeem(struct crowd *crowd, struct user *user) {
    (void)crowd;
    int status = user->call.status;
    enum step step = STEP_FAILED;
    if (is_passing(status)) return STEP_AGAIN;
    if (status == 200 || status == 201 || status == 202) step = user_take_redemption(user);
    if (status == 201 && user->state != USER_CREDITED && user->state != USER_APPLIED) step = STEP_FAILED;
    if (status >= 400 && user->redemption_id[0] == '\0') {
        user->state = USER_REFUSED;
        user->refused_status = status;
        step = STEP_DONE;
    }
    if (step == STEP_FAILED) user->state = USER_STRANDED;
    return step;
}

/* The same request once more, until it is answered with the money. */
static bool prepare_follow(struct crowd *crowd, struct user *user) { return user->state == USER_CLAIMED && prepare_redeem(crowd, user); }

static enum step conclude_follow(struct crowd *crowd, struct user *user) {
    enum step step = conclude_redeem(crowd, user);
    return step == STEP_DONE && user->state == USER_CLAIMED ? STEP_AGAIN : step;
}

/* ---- what the wallet says afterwards ---- */

static bool prepare_balance(struct crowd *crowd, struct user *user) {
    set_request(user, "GET", crowd->options->wallet_url, "/v1/wallet");
    return true;
}

static enum step conclude_balance(struct crowd *crowd, struct user *user) {
    (void)crowd;
    if (is_passing(user->call.status)) return STEP_AGAIN;
    struct arena arena;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &user->call, &document);
    if (user->call.status == 200 && root != NULL) user->balance = json_get_integer(root, "balance", -1);
    json_close(document);
    arena_release(&arena);
    return user->balance >= 0 ? STEP_DONE : STEP_FAILED;
}

static bool prepare_history(struct crowd *crowd, struct user *user) {
    set_request(user, "GET", crowd->options->wallet_url, "/v1/wallet/transactions?limit=200");
    return user->redemption_id[0] != '\0';
}

static enum step conclude_history(struct crowd *crowd, struct user *user) {
    (void)crowd;
    if (is_passing(user->call.status)) return STEP_AGAIN;
    struct arena arena;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    struct json_document *document;
    const struct json_value *root = answer_open(&arena, &user->call, &document);
    const struct json_value *data = root == NULL ? NULL : json_get(root, "data");
    user->credit_count = 0;
    for (size_t i = 0; data != NULL && i < json_array_count(data); i++) {
        struct text reference = json_get_text(json_array_item(data, i), "reference");
        if (text_equal(reference, text_of(user->redemption_id))) user->credit_count++;
    }
    json_close(document);
    arena_release(&arena);
    return data != NULL ? STEP_DONE : STEP_FAILED;
}

const struct phase phase_register = {"register", prepare_register, conclude_register, .tallied = false};
const struct phase phase_login = {"log in", prepare_login, conclude_login, .tallied = false};
const struct phase phase_connect = {"connect", prepare_connect, conclude_connect, .tallied = false};
const struct phase phase_redeem = {"redeem", prepare_redeem, conclude_redeem, .tallied = true, .paced = true, .watched = true};
const struct phase phase_follow = {"follow", prepare_follow, conclude_follow, .tallied = false, .watched = true};
const struct phase phase_balance = {"balances", prepare_balance, conclude_balance, .tallied = false};
const struct phase phase_history = {"history", prepare_history, conclude_history, .tallied = false};
