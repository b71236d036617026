/* A walk over the credits of one fund, for its tests: pages that the test answers, rows that are an array, and claims that nobody sends. */
#pragma once

#include "fake_client.h"

#include "../../base/memory_ends.h"
#include "discount/settle/walk.h"
#include "discount/tables.h"

#define POOL 8u
#define ROWS 20u
#define FUND "http://wallet/v1/funds/01000000-0000-0000-0000-000000000000/transactions?limit=200"
#define AT   "2026-01-02T03:04:05.000000Z"
#define LONGEST                                                        \
    "0123456789012345678901234567890123456789012345678901234567890123" \
    "0123456789012345678901234567890123456789012345678901234567890123"

static struct board *board;
static struct campaign campaign, second;
static struct calls calls;
static struct delivery delivery;
static struct claims claims;
static struct walk walk;

/* ---- the database: answered by the trip ---- */

static struct redemption rows[ROWS];
static size_t row_count, trips;
static struct result read_outcome;
static struct {
    struct id ids[8];
    struct found_redemption *found[8];
    size_t count;
    row_visitor *visit;
    void *context;
    int64_t after, before, limit;
} asked;

void ask_redemption(struct batch *batch, struct id id, row_visitor *visit, void *context) {
    (void)batch;
    assert_ptr_equal(visit, redemption_found);
    assert_true(asked.count < 8 && !id_is_zero(id));
    asked.ids[asked.count] = id;
    asked.found[asked.count++] = context;
}

void ask_redemptions(struct batch *batch, int64_t after, int64_t before, int64_t limit, row_visitor *visit, void *context) {
    (void)batch;
    assert_true(limit > 0);
    asked.visit = visit;
    asked.context = context;
    asked.after = after;
    asked.before = before;
    asked.limit = limit;
}

struct result redemption_found(void *found, const struct row *row) {
    (void)found;
    (void)row;
    fail();
    return result_ok();
}

void ask_unsettled(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    (void)batch, (void)after, (void)limit, (void)visit, (void)context;
    fail();
}

struct result sound_redemption_of_row(const struct row *row, int first_column, struct redemption *ret_redemption) {
    assert_int_equal(first_column, 0);
    *ret_redemption = *(const struct redemption *)row;
    return result_ok();
}

static inline struct result visit_rows(void) {
    for (size_t i = 0; i < row_count && asked.limit > 0; i++) {
        int64_t key = redemption_key(rows[i].campaign_number, rows[i].position);
        if (key <= asked.after || key >= asked.before) continue;
        struct result outcome = asked.visit(asked.context, (const struct row *)&rows[i]);
        if (!result_is_ok(outcome)) return outcome;
        asked.limit--;
    }
    return result_ok();
}

struct result batch_run(struct batch *batch) {
    (void)batch;
    trips++;
    struct result outcome = read_outcome;
    for (size_t i = 0; i < asked.count && result_is_ok(outcome); i++) {
        for (size_t row = 0; row < row_count; row++) {
            bool is_it = id_equal(rows[row].id, asked.ids[i]) || id_equal(rows[row].claimed_as, asked.ids[i]);
            if (is_it) *asked.found[i] = (struct found_redemption){true, rows[row]};
        }
    }
    if (asked.visit != NULL && result_is_ok(outcome)) outcome = visit_rows();
    memset(&asked, 0, sizeof asked);
    return outcome;
}

/* ---- who hears of it ---- */

static size_t ends, reads;
static bool was_done;
static struct {
    bool refuses_begin, refuses_credit;
    size_t begins, ends, give_ups, count;
    struct unknown_credit credits[4];
} taken;

static inline void ended(void *context, uint32_t campaign_number, bool is_done) {
    assert_ptr_equal(context, &walk);
    assert_int_equal(campaign_number, 1);
    assert_int_equal(walk.state, WALK_IDLE);
    ends++;
    was_done = is_done;
}

static inline void note_read(void *context, uint32_t campaign_number) {
    assert_ptr_equal(context, &walk);
    assert_int_equal(campaign_number, 1);
    assert_int_equal(taken.ends, 0);
    reads++;
}

static inline bool take_begin(void *context, uint32_t campaign_number) {
    assert_ptr_equal(context, &taken);
    assert_int_equal(campaign_number, 1);
    taken.begins++;
    return !taken.refuses_begin;
}

static inline bool take_credit(void *context, const struct unknown_credit *credit) {
    assert_ptr_equal(context, &taken);
    if (taken.refuses_credit) return false;
    taken.credits[taken.count++] = *credit;
    return true;
}

static inline void take_end(void *context, uint32_t campaign_number) {
    assert_ptr_equal(context, &taken);
    assert_int_equal(campaign_number, 1);
    taken.ends++;
}

static inline void take_give_up(void *context, uint32_t campaign_number) {
    assert_ptr_equal(context, &taken);
    assert_int_equal(campaign_number, 1);
    taken.give_ups++;
}

static const struct unknown_taker taker = {&taken, take_begin, take_credit, take_end, take_give_up};

/* ---- life ---- */

static inline struct id id_with(uint8_t first, uint8_t second_byte) {
    struct id id = {.bytes = {first, second_byte}};
    id.bytes[15] = 1;
    return id;
}

/* The first `credited` are credited, those behind them claimed. */
static inline void fill(int64_t places, int64_t credited) {
    for (int64_t i = 0; i < places; i++) {
        rows[i] = (struct redemption){.id = id_with(1, (uint8_t)(i + 1)),
                                      .campaign_number = 1,
                                      .position = i + 1,
                                      .user_id = id_with(0x22, (uint8_t)(i + 1)),
                                      .status = i < credited ? REDEMPTION_CREDITED : REDEMPTION_CLAIMED,
                                      .claimed_at_us = 1};
        if (i < credited) rows[i].transaction_id = id_with(0xAA, (uint8_t)(i + 1));
    }
    row_count = (size_t)places;
    campaign.redeemed = places;
    campaign.credited = credited;
    board_publish(board, &campaign, 0);
}

static inline int set_up(void **state) {
    static const struct delivery_kind kind = {.items_name = "claims"};
    (void)state;
    fake_calls_init(&calls);
    memset(&delivery, 0, sizeof delivery);
    memset(&asked, 0, sizeof asked);
    memset(&taken, 0, sizeof taken);
    delivery_init(&delivery, &kind, NULL, &calls, &fake_clock);
    assert_true(result_is_ok(board_create(4, &board)));
    campaign =
        (struct campaign){.number = 1, .id = {{1}}, .credit = {1000, CURRENCY_IRT}, .max_redemptions = 100, .version = 1, .sequence = 1};
    campaign.fund_confirmed_minor = 100000;
    second = campaign;
    second.number = 2;
    second.id.bytes[0] = 2;
    assert_true(result_is_ok(code_parse(TEXT("FIRST"), &campaign.code)));
    assert_true(result_is_ok(code_parse(TEXT("SECOND"), &second.code)));
    board_reserve(board, &campaign);
    board_publish(board, &campaign, 0);
    board_reserve(board, &second);
    board_publish(board, &second, 0);
    row_count = trips = ends = reads = 0;
    read_outcome = result_ok();
    claims = (struct claims){0};
    assert_true(result_is_ok(claims_init(&claims, POOL, board, NULL, &delivery)));
    memset(&walk, 0, sizeof walk);
    walk.board = board;
    walk.calls = &calls;
    walk.claims = &claims;
    walk.ended = ended;
    walk.read = note_read;
    walk.context = &walk;
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    walk_free(&walk);
    claims_free(&claims);
    delivery_free(&delivery);
    board_free(board);
    return 0;
}

/* ---- pages ---- */

static char page[16384];

/* Credits of these rows (their numbers from 1, one digit each), then the next page's cursor, or none. */
static inline const char *page_of(const char *positions, const char *next) {
    size_t size = (size_t)snprintf(page, sizeof page, "{\"data\":[");
    for (size_t i = 0; positions[i] != '\0'; i++) {
        char reference[ID_TEXT_BYTES], user[ID_TEXT_BYTES], transaction[ID_TEXT_BYTES];
        uint8_t position = (uint8_t)(positions[i] - '0');
        id_format(id_with(1, position), reference);
        id_format(id_with(0x22, position), user);
        id_format(id_with(0xAA, position), transaction);
        size += (size_t)snprintf(page + size, sizeof page - size,
                                 "%s{\"reference\":\"%.*s\",\"user_id\":\"%.*s\",\"transaction_id\":\"%.*s\",\"amount\":1000,"
                                 "\"created_at\":\"" AT "\"}",
                                 i == 0 ? "" : ",", ID_TEXT_BYTES, reference, ID_TEXT_BYTES, user, ID_TEXT_BYTES, transaction);
    }
    snprintf(page + size, sizeof page - size, next == NULL ? "],\"next_cursor\":null}" : "],\"next_cursor\":\"%s\"}", next);
    return page;
}

static inline void run(void) { walk_run(&walk, fake_now_us); }

static inline void answer(int status, const char *body) {
    run();
    assert_int_equal(fake_client.count, 1);
    assert_int_equal(walk_next_us(&walk, fake_now_us), INT64_MAX);
    run(); /* one at a time */
    assert_int_equal(fake_client.count, 1);
    size_t cleared = fake_client.cleared;
    fake_answer(0, status, body);
    assert_int_equal(fake_client.cleared, cleared + 1);
}

static inline void expect_end(bool is_done) {
    assert_int_equal(ends, 1);
    assert_int_equal(was_done, is_done);
    assert_int_equal(walk_next_us(&walk, fake_now_us), INT64_MAX);
    ends = 0;
}

static inline void begin(void) {
    assert_true(walk_begin(&walk, 1));
    assert_true(walk_is_of(&walk, 1));
    assert_int_equal(walk_next_us(&walk, fake_now_us), fake_now_us);
}
