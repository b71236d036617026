/* A comparison, for its tests; funds, claims and the walk only note what they are told. */
#pragma once

#include "fake_client.h"

#include "../../base/memory_ends.h"
#include "discount/settle/comparison.h"
#include "discount/tables.h"

#define FIRST_ID  "01000000-0000-0000-0000-000000000000"
#define SECOND_ID "02000000-0000-0000-0000-000000000000"
#define THIRD_ID  "03000000-0000-0000-0000-000000000000"
#define LIST      "http://wallet/v1/funds?limit=200"
#define LAST      "http://wallet/v1/instance"
#define LONGEST                                                        \
    "0123456789012345678901234567890123456789012345678901234567890123" \
    "0123456789012345678901234567890123456789012345678901234567890123"
#define FUND(id, funded, credited, state) \
    "{\"reference\":\"" id "\",\"funded\":" funded ",\"credited\":" credited ",\"released\":0,\"state\":\"" state "\"}"
#define PAGE(items, next) "{\"data\":[" items "],\"next_cursor\":" next "}"
#define BOTH              PAGE(FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null")
#define SECOND_US         CLOCK_SECOND_US

static struct board *board;
static struct campaign campaigns[3];
static struct calls calls;
static struct claims claims;
static struct funds funds;
static struct rebuild rebuild;
static uint32_t again[4];
static struct comparison comparison;
static struct fund fund_memory[4];

/* ---- the database: which redemption is there ---- */

static struct {
    struct id there, asked;
    size_t asks;
    struct found_redemption *found;
    struct result outcome;
} database;

void ask_redemption(struct batch *batch, struct id id, row_visitor *visit, void *context) {
    (void)batch;
    assert_ptr_equal(visit, redemption_found);
    database.asked = id;
    database.found = context;
    database.asks++;
}

struct result redemption_found(void *found, const struct row *row) {
    (void)found;
    (void)row;
    fail();
    return result_ok();
}

struct result batch_run(struct batch *batch) {
    (void)batch;
    assert_non_null(database.found);
    if (result_is_ok(database.outcome)) database.found->is_found = id_equal(database.asked, database.there);
    database.found = NULL;
    return database.outcome;
}

/* ---- who is told ---- */

static struct {
    size_t claims_looks, funds_looks, adopts, compared;
    struct fund_said said;
    int held[4]; /* of each campaign: holds less releases */
    bool is_behind, refuses_walk;
    size_t walk_runs, walks;
    uint32_t walked, asked_of;
    int64_t walk_next_us;
} told;

void claims_look(struct claims *looked) {
    assert_ptr_equal(looked, &claims);
    told.claims_looks++;
}
void funds_look(struct funds *looked) {
    assert_ptr_equal(looked, &funds);
    told.funds_looks++;
}
void funds_adopt(struct funds *of, uint32_t campaign_number, const struct fund_said *said) {
    assert_ptr_equal(of, &funds);
    assert_int_equal(campaign_number, 1);
    told.said = *said;
    told.adopts++;
}
bool funds_is_behind(const struct funds *of, uint32_t campaign_number) {
    assert_ptr_equal(of, &funds);
    told.asked_of = campaign_number;
    return told.is_behind;
}
void funds_hold(struct funds *of, uint32_t campaign_number, bool is_held) {
    assert_ptr_equal(of, &funds);
    told.held[campaign_number] += is_held ? 1 : -1;
}

void funds_note_foreign(struct funds *of, uint32_t campaign_number, int64_t foreign_minor) {
    assert_ptr_equal(of, &funds);
    fund_memory[campaign_number - 1].foreign_minor = foreign_minor;
}

void funds_note_conflicts(struct funds *of, uint32_t campaign_number, int64_t conflict_minor) {
    assert_ptr_equal(of, &funds);
    fund_memory[campaign_number - 1].conflict_minor = conflict_minor;
}

bool walk_begin(struct walk *walk, uint32_t campaign_number) {
    assert_ptr_equal(walk, &comparison.walk);
    assert_int_equal(walk->state, WALK_IDLE);
    told.walks++;
    if (told.refuses_walk) return false;
    told.walked = campaign_number;
    walk->state = WALK_READING;
    walk->campaign_number = campaign_number;
    walk->counts = (struct walk_counts){0};
    return true;
}
void walk_run(struct walk *walk, int64_t now_us) {
    assert_ptr_equal(walk, &comparison.walk);
    assert_int_equal(now_us, fake_now_us);
    told.walk_runs++;
}
int64_t walk_next_us(const struct walk *walk, int64_t now_us) {
    assert_ptr_equal(walk, &comparison.walk);
    (void)now_us;
    return told.walk_next_us;
}
void walk_free(struct walk *walk) { assert_ptr_equal(walk, &comparison.walk); }

static inline void end_walk(bool is_done) {
    comparison.walk.state = WALK_IDLE;
    comparison.walk.ended(comparison.walk.context, comparison.walk.campaign_number, is_done);
}

static inline void note_compared(void *context) {
    assert_ptr_equal(context, &told);
    told.compared++;
}

/* What Wallet says of the last credit that it has of us, before each first look; NULL: the test answers it. */
#define NOTHING_LAST "{\"caller\":{\"credits\":0,\"last_reference\":null}}"
static const char *last_answer;

/* ---- life ---- */

static inline void show(size_t index) { board_publish(board, &campaigns[index], 0); }

static inline void reserve(size_t index) {
    static const char *const codes[] = {"FIRST", "SECOND", "THIRD"};
    campaigns[index] = (struct campaign){.number = (uint32_t)index + 1,
                                         .credit = {1000, CURRENCY_IRT},
                                         .max_redemptions = 100,
                                         .fund_confirmed_minor = 100000,
                                         .version = 1,
                                         .sequence = 1};
    campaigns[index].id.bytes[0] = (uint8_t)(index + 1);
    assert_true(result_is_ok(code_parse(text_of(codes[index]), &campaigns[index].code)));
    board_reserve(board, &campaigns[index]);
    show(index);
}

static inline enum books books(size_t index) { return board_books(board_slot(board, index)); }
static inline void set_books(size_t index, enum books to) { board_set_books(board_slot(board, index), to); }

static inline int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    memset(&told, 0, sizeof told);
    memset(again, 0, sizeof again);
    told.walk_next_us = INT64_MAX;
    assert_true(result_is_ok(board_create(4, &board)));
    for (size_t i = 0; i < 2; i++) {
        reserve(i);
        set_books(i, BOOKS_AGREE);
    }
    memset(fund_memory, 0, sizeof fund_memory);
    memset(&database, 0, sizeof database);
    last_answer = NOTHING_LAST;
    claims.again = again;
    funds.memory = fund_memory;
    rebuild = (struct rebuild){.state = REBUILD_IDLE};
    comparison = (struct comparison){.board = board,
                                     .calls = &calls,
                                     .funds = &funds,
                                     .claims = &claims,
                                     .rebuild = &rebuild,
                                     .is_compared = note_compared,
                                     .context = &told};
    assert_true(result_is_ok(comparison_init(&comparison)));
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    comparison_free(&comparison);
    board_free(board);
    return 0;
}

static inline int64_t next(void) { return comparison_next_us(&comparison, fake_now_us); }

/* Ours answers, by its name if it has one. */
static inline void end_call(int status, const char *body) {
    char name[ID_TEXT_BYTES + 1] = "";
    if (!id_is_zero(calls.instance.ours)) id_format(calls.instance.ours, name);
    snprintf(fake_client.calls[0]->header, sizeof fake_client.calls[0]->header, "%s", name);
    fake_answer(0, status, body);
}

static inline bool is_asked_for_last(void) { return fake_client.count > 0 && strcmp(fake_client.calls[0]->url, LAST) == 0; }

static inline void run(void) {
    comparison_run(&comparison, fake_now_us);
    if (last_answer != NULL && is_asked_for_last()) end_call(200, last_answer);
}

/* It asks when it is due. */
static inline void let_ask(void) {
    run();
    if (fake_client.count == 0) {
        fake_now_us = next();
        run();
    }
    assert_int_equal(fake_client.count, 1);
}

/* And is answered like this. */
static inline void answer(int status, const char *body) {
    let_ask();
    size_t cleared = fake_client.cleared;
    end_call(status, body);
    assert_int_equal(fake_client.cleared, cleared + 1);
}
