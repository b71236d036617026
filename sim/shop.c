#include "sim/shop.h"

#include <stdio.h>
#include <string.h>

#include "auth/keys.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "sim/judge.h"
#include "sim/oracle.h"
#include "sim/signatures.h"
#include "sim/world.h"

#define WORLDS_EACH       3 /* of so many has one a shop: the others are as they would be without it */
#define AMOUNT_MOST       1200
#define SHORT_HOLD_MOST_S 8
#define LONG_HOLD_S       3600
#define NOBODY            "\"00000000-0000-0000-0000-000000000000\"" /* of whom nothing is known yet */
#define TOKEN_LIFE_S      300
#define BACKDATED_US      (30 * CLOCK_SECOND_US)
#define LATE_US           (5 * CLOCK_SECOND_US) /* an expiry that waited for nothing but its turn */

enum { STATE_HELD = 1, STATE_RELEASED = 3 }; /* of a row of holds */

static char key_id[64]; /* of Discount's key, the same in all worlds */

void shop_prepare(void) {
    struct key_ring *ring;
    struct key_description keys[LIMIT_KEYS];
    CHECK(result_is_ok(key_ring_load("1/keys", &ring)) && key_ring_describe(ring, keys) == 1 && keys[0].id.size < sizeof key_id);
    memcpy(key_id, keys[0].id.data, keys[0].id.size);
    key_ring_free(ring);
}

bool shop_is_in_world(void) { return world.seed % WORLDS_EACH == 0; }

/* Returns where the token ends then. */
static size_t append(struct actor *actor, size_t at, const void *data, size_t size) {
    CHECK(at + crypto_base64url_size(size) < sizeof actor->token);
    crypto_base64url(data, size, actor->token + at);
    return at + crypto_base64url_size(size);
}

void shop_take_token(struct actor *actor) {
    char head[128], claims[320];
    int64_t issued_s = (PROCESS_EPOCH_US + world.now_us - BACKDATED_US) / CLOCK_SECOND_US;
    int head_size = snprintf(head, sizeof head, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", key_id);
    int claims_size = snprintf(
        claims, sizeof claims,
        "{\"iss\":\"discount\",\"aud\":\"wallet\",\"sub\":\"discount\",\"scope\":\"holds:write reversals:write\",\"iat\":%lld,\"nbf\":%lld,"
        "\"exp\":%lld,\"jti\":\"%08llx-0000-7000-8000-000000000000\"}",
        (long long)issued_s, (long long)issued_s, (long long)issued_s + TOKEN_LIFE_S, (unsigned long long)world.step);
    CHECK(head_size > 0 && head_size < (int)sizeof head && claims_size > 0 && claims_size < (int)sizeof claims);
    size_t size = append(actor, 0, head, (size_t)head_size);
    actor->token[size++] = '.';
    size = append(actor, size, claims, (size_t)claims_size);
    uint8_t signature[SIGNATURES_BYTES];
    signatures_sign_as(PROCESS_DISCOUNT, (struct text){actor->token, size}, signature);
    actor->token[size++] = '.';
    actor->token_size = append(actor, size, signature, sizeof signature);
    actor->token_at_us = world.now_us;
}

/* ---- what it wants ---- */

/* One of the holds or captures that were made. */
static struct intent *some(enum intent_kind kind) {
    uint32_t first = people.intent_count == 0 ? 0 : (uint32_t)random_below(&world.random, people.intent_count);
    for (uint32_t i = 0; i < people.intent_count; i++) {
        struct intent *intent = people.intents[(first + i) % people.intent_count];
        if (intent->kind == kind && !id_is_zero(intent->made)) return intent;
    }
    return NULL;
}

/* Who has an account already, if there is such a one. */
static struct actor *somebody(void) {
    uint32_t first = (uint32_t)random_below(&world.random, people.user_count);
    for (uint32_t i = 0; i < people.user_count; i++) {
        struct actor *actor = &people.actors[(first + i) % people.user_count];
        if (!id_is_zero(actor->user_id)) return actor;
    }
    return &people.actors[first];
}

static void want_hold(struct intent *intent) {
    intent->kind = INTENT_HOLD;
    intent->recipient = somebody();
    intent->amount = random_between(&world.random, 1, AMOUNT_MOST);
    int64_t expires_in_s = random_below(&world.random, 2) == 0 ? LONG_HOLD_S : random_between(&world.random, 1, SHORT_HOLD_MOST_S);
    char user[ID_TEXT_BYTES];
    id_format(intent->recipient->user_id, user);
    snprintf(intent->method, sizeof intent->method, "POST");
    snprintf(intent->target, sizeof intent->target, "/v1/holds");
    snprintf(intent->body, sizeof intent->body,
             "{\"reference\":\"hold %u\",\"user_id\":\"%.*s\",\"amount\":%lld,\"currency\":\"IRT\",\"expires_in\":%lld}", intent->number,
             ID_TEXT_BYTES, user, (long long)intent->amount, (long long)expires_in_s);
}

/* With a key each: without one a repeat of what ended the hold would be refused. */
static void want_end(struct intent *intent, struct intent *hold) {
    bool is_capture = people.has_merchant && random_below(&world.random, 3) > 0;
    char id[ID_TEXT_BYTES];
    id_format(hold->made, id);
    intent->kind = is_capture ? INTENT_CAPTURE : INTENT_RELEASE;
    intent->other = hold;
    intent->recipient = hold->recipient;
    snprintf(intent->method, sizeof intent->method, "POST");
    snprintf(intent->target, sizeof intent->target, "/v1/holds/%.*s/%s", ID_TEXT_BYTES, id, is_capture ? "capture" : "release");
    snprintf(intent->key, sizeof intent->key, "shop-%u", intent->number);
    if (!is_capture) return;
    intent->amount = random_between(&world.random, 1, hold->amount);
    snprintf(intent->body, sizeof intent->body, "{\"amount\":%lld,\"final\":%s,\"merchant\":\"" SHOP_NAME "\"}", (long long)intent->amount,
             random_below(&world.random, 2) == 0 ? "true" : "false");
}

/* A part of a capture, or a unit more than all of it. */
static void want_reversal(struct intent *intent, struct intent *capture) {
    char id[ID_TEXT_BYTES];
    id_format(capture->made, id);
    intent->kind = INTENT_REVERSE;
    intent->other = capture;
    intent->recipient = capture->recipient;
    intent->amount = random_between(&world.random, 1, capture->amount + 1);
    snprintf(intent->method, sizeof intent->method, "POST");
    snprintf(intent->target, sizeof intent->target, "/v1/transactions/%.*s/reversal", ID_TEXT_BYTES, id);
    snprintf(intent->body, sizeof intent->body, "{\"amount\":%lld,\"reason\":\"Damaged\",\"reference\":\"reversal %u\"}",
             (long long)intent->amount, intent->number);
}

void shop_want(struct intent *intent) {
    uint64_t what = random_below(&world.random, 10);
    struct intent *hold = what < 4 ? NULL : some(INTENT_HOLD), *capture = what < 8 ? NULL : some(INTENT_CAPTURE);
    if (capture != NULL)
        want_reversal(intent, capture);
    else if (hold != NULL)
        want_end(intent, hold);
    else
        want_hold(intent);
}

/* ---- whether the answers are right ---- */

static void wrong(const struct intent *intent, const char *invariant, const char *what) {
    world_fail(invariant, "intent %u of the shop, %s: %s", intent->number, intent_kind_name(intent->kind), what);
}

/* What a restored Wallet has lost may be gone. */
static bool may_be_gone(const struct intent *intent) {
    const struct intent *first = intent->kind == INTENT_HOLD || intent->other == NULL ? intent : intent->other;
    return first->first_sent_us <= world.restored_us[PROCESS_WALLET] && world.restored_us[PROCESS_WALLET] != 0;
}

struct hold_row {
    bool is_known, is_there;
    int64_t amount, state, captured, remaining;
};

static struct hold_row read_hold(struct id id) {
    struct hold_row row = {0};
    struct statement *statement = oracle_query(
        PROCESS_WALLET,
        "SELECT t.amount, h.state, h.captured, h.remaining FROM holds h JOIN transfers t ON t.sequence = h.transfer WHERE t.id = ?1");
    if (statement == NULL) return row;
    statement_bind_id(statement, 1, id);
    struct result stepped = statement_step(statement, &row.is_there);
    row.is_known = result_is_ok(stepped);
    if (row.is_known && row.is_there) {
        row.amount = statement_integer(statement, 0);
        row.state = statement_integer(statement, 1);
        row.captured = statement_integer(statement, 2);
        row.remaining = statement_integer(statement, 3);
    }
    statement_reset(statement);
    return row;
}

/* Of one row about the transfer with this id. -1: there is none; -2: nobody can say now. */
static int64_t read_amount(const char *sql, struct id id) {
    struct statement *statement = oracle_query(PROCESS_WALLET, sql);
    if (statement == NULL) return -2;
    bool is_row = false;
    statement_bind_id(statement, 1, id);
    struct result stepped = statement_step(statement, &is_row);
    int64_t amount = !result_is_ok(stepped) ? -2 : is_row ? statement_integer(statement, 0) : -1;
    statement_reset(statement);
    return amount;
}

static const char captured_sql[] = "SELECT amount FROM transfers WHERE id = ?1 AND kind = 8";
static const char reversed_sql[] = "SELECT amount FROM transfers WHERE id = ?1 AND kind = 11";
static const char left_sql[] = "SELECT o.amount - ifnull(sum(r.amount), 0) FROM transfers o LEFT JOIN transfers r ON r.origin = o.sequence "
                               "WHERE o.id = ?1 GROUP BY o.sequence";

/* What the intent's 2xx said, against what is on disk. */
static void judge_there(const struct intent *intent) {
    if (intent->kind == INTENT_CAPTURE || intent->kind == INTENT_REVERSE) {
        int64_t amount = read_amount(intent->kind == INTENT_CAPTURE ? captured_sql : reversed_sql, intent->made);
        if (amount != -2 && amount != intent->amount) wrong(intent, "5 what a 2xx said is on disk", "the transfer is not there, or not so");
        return;
    }
    struct hold_row row = read_hold(intent->kind == INTENT_HOLD ? intent->made : intent->other->made);
    if (!row.is_known) return;
    if (!row.is_there) {
        wrong(intent, "5 what a 2xx said is on disk", "the hold is not there");
    } else if (intent->kind == INTENT_HOLD && row.amount != intent->amount) {
        wrong(intent, "5 what a 2xx said is on disk", "the hold is another one");
    } else if (intent->kind == INTENT_RELEASE && row.state != STATE_RELEASED) {
        wrong(intent, "a hold ends in exactly one way", "it was released, and is not");
    }
}

void shop_judge_success(struct intent *intent, const struct json_value *root) {
    struct id id = {{0}};
    const char *name = intent->kind == INTENT_CAPTURE ? "transaction_id" : "id";
    struct result parsed = id_parse(json_get_text(root, name), &id);
    if (!result_is_ok(parsed)) {
        wrong(intent, "5 what a 2xx said is on disk", "it names nothing");
        return;
    }
    bool may_differ = may_be_gone(intent); /* what was lost is made anew by a repeat */
    if (!id_is_zero(intent->made) && !id_equal(intent->made, id) && !may_differ)
        wrong(intent, "the same again is the same", "it was done twice");
    intent->made = id;
    judge_there(intent);
}

/* Whatever else they may have asked for of this hold was committed before its refusal was sent: a hold only shrinks. */
void shop_judge_refusal(struct intent *intent, struct text code) {
    if (may_be_gone(intent) || world.restored_us[PROCESS_WALLET] != 0) return;
    if (intent->kind == INTENT_HOLD) {
        bool is_nobody = text_equal(code, TEXT("user_not_found")) && strstr(intent->body, NOBODY) != NULL;
        if (!is_nobody && !text_equal(code, TEXT("insufficient_funds")))
            wrong(intent, "every refusal was right", "an answer that nothing explains");
        return;
    }
    if (intent->kind == INTENT_REVERSE) {
        bool is_too_much = read_amount(left_sql, intent->other->made) < intent->amount;
        if (!text_equal(code, TEXT("reversal_exceeds_original")) || !is_too_much) wrong(intent, "every refusal was right", "reversal");
        return;
    }
    struct hold_row row = read_hold(intent->other->made);
    if (text_equal(code, TEXT("hold_closed"))) {
        if (row.is_known && row.state == STATE_HELD) wrong(intent, "every refusal was right", "hold_closed");
    } else if (text_equal(code, TEXT("hold_exceeded"))) {
        if (row.is_known && row.state == STATE_HELD && row.remaining >= intent->amount)
            wrong(intent, "every refusal was right", "hold_exceeded");
    } else {
        wrong(intent, "every refusal was right", "an answer that nothing explains");
    }
}

static void judge_due(void) {
    struct statement *due = oracle_query(PROCESS_WALLET, "SELECT count(*) FROM holds WHERE state = 1 AND expires_at < ?1");
    if (due == NULL) return;
    bool is_row = false;
    statement_bind_integer(due, 1, PROCESS_EPOCH_US + world.now_us - LATE_US);
    struct result stepped = statement_step(due, &is_row);
    int64_t count = result_is_ok(stepped) && is_row ? statement_integer(due, 0) : 0;
    statement_reset(due);
    if (count > 0) world_fail("a hold expires at its time", "%lld are due", (long long)count);
}

void shop_judge_end(void) {
    for (uint32_t i = 0; i < people.intent_count && !world.has_failed; i++) {
        const struct intent *intent = people.intents[i];
        bool is_ours = intent->kind == INTENT_HOLD || intent->kind == INTENT_CAPTURE || intent->kind == INTENT_RELEASE ||
                       intent->kind == INTENT_REVERSE;
        if (is_ours && intent->status >= 200 && intent->status < 300 && world.restored_us[PROCESS_WALLET] == 0) judge_there(intent);
    }
    judge_due();
}
