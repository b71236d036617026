/* A walk over the credits of one fund: pages that the test answers, rows that are an array, and claims that nobody sends. */
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
    assert_true(asked.count < 8);
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

static struct result visit_rows(void) {
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
            if (id_equal(rows[row].id, asked.ids[i])) *asked.found[i] = (struct found_redemption){true, rows[row]};
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

static void ended(void *context, uint32_t campaign_number, bool is_done) {
    assert_ptr_equal(context, &walk);
    assert_int_equal(campaign_number, 1);
    assert_int_equal(walk.state, WALK_IDLE);
    ends++;
    was_done = is_done;
}

static void note_read(void *context, uint32_t campaign_number) {
    assert_ptr_equal(context, &walk);
    assert_int_equal(campaign_number, 1);
    assert_int_equal(taken.ends, 0);
    reads++;
}

static bool take_begin(void *context, uint32_t campaign_number) {
    assert_ptr_equal(context, &taken);
    assert_int_equal(campaign_number, 1);
    taken.begins++;
    return !taken.refuses_begin;
}

static bool take_credit(void *context, const struct unknown_credit *credit) {
    assert_ptr_equal(context, &taken);
    if (taken.refuses_credit) return false;
    taken.credits[taken.count++] = *credit;
    return true;
}

static void take_end(void *context, uint32_t campaign_number) {
    assert_ptr_equal(context, &taken);
    assert_int_equal(campaign_number, 1);
    taken.ends++;
}

static void take_give_up(void *context, uint32_t campaign_number) {
    assert_ptr_equal(context, &taken);
    assert_int_equal(campaign_number, 1);
    taken.give_ups++;
}

static const struct unknown_taker taker = {&taken, take_begin, take_credit, take_end, take_give_up};

/* ---- life ---- */

static struct id id_with(uint8_t first, uint8_t second_byte) {
    struct id id = {.bytes = {first, second_byte}};
    id.bytes[15] = 1;
    return id;
}

/* The first `credited` are credited, those behind them claimed. */
static void fill(int64_t places, int64_t credited) {
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

static int set_up(void **state) {
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

static int tear_down(void **state) {
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
static const char *page_of(const char *positions, const char *next) {
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

static void run(void) { walk_run(&walk, fake_now_us); }

static void answer(int status, const char *body) {
    run();
    assert_int_equal(fake_client.count, 1);
    assert_int_equal(walk_next_us(&walk, fake_now_us), INT64_MAX);
    run(); /* one at a time */
    assert_int_equal(fake_client.count, 1);
    size_t cleared = fake_client.cleared;
    fake_answer(0, status, body);
    assert_int_equal(fake_client.cleared, cleared + 1);
}

static void expect_end(bool is_done) {
    assert_int_equal(ends, 1);
    assert_int_equal(was_done, is_done);
    assert_int_equal(walk_next_us(&walk, fake_now_us), INT64_MAX);
    ends = 0;
}

static void begin(void) {
    assert_true(walk_begin(&walk, 1));
    assert_true(walk_is_of(&walk, 1));
    assert_int_equal(walk_next_us(&walk, fake_now_us), fake_now_us);
}

/* ---- tests ---- */

static void test_what_both_have_is_left_alone(void **state) {
    (void)state;
    fill(4, 3);
    assert_int_equal(walk_next_us(&walk, fake_now_us), INT64_MAX);
    run();
    begin();
    run();
    assert_string_equal(fake_client.calls[0]->method, "GET");
    assert_string_equal(fake_client.calls[0]->url, FUND);
    answer(200, page_of("12", "a"));
    assert_int_equal(walk_next_us(&walk, fake_now_us), fake_now_us);
    run();
    assert_string_equal(fake_client.calls[0]->url, FUND "&cursor=a");
    answer(200, page_of("3", LONGEST));
    assert_int_equal(reads, 0);
    run();
    assert_string_equal(fake_client.calls[0]->url, FUND "&cursor=" LONGEST);
    answer(200, page_of("4", NULL)); /* paid, and not known here as such yet */
    assert_int_equal(reads, 1);
    assert_int_equal(walk_next_us(&walk, fake_now_us), fake_now_us);
    size_t before = trips;
    run();
    expect_end(true);
    assert_int_equal(trips, before); /* no row need be read */
    assert_int_equal(walk.counts.seen, 4);
    assert_int_equal(walk.counts.unknown, 0);
    assert_int_equal(walk.counts.again, 0);
    assert_int_equal(claims_count(&claims), 0);
    begin(); /* another time, from the beginning */
    run();
    assert_string_equal(fake_client.calls[0]->url, FUND);
    assert_int_equal(walk.counts.seen, 0);
}

static void expect_again(const char *positions) {
    assert_int_equal(claims_count(&claims), strlen(positions));
    assert_int_equal(walk.counts.again, strlen(positions));
    assert_int_equal(claims_again(&claims, 1), strlen(positions));
    for (size_t i = 0; positions[i] != '\0'; i++) {
        struct id id = id_with(1, (uint8_t)(positions[i] - '0'));
        const struct claim *claim = map_get(&claims.by_id, (struct text){(const char *)id.bytes, sizeof id.bytes});
        assert_non_null(claim);
        assert_true(claim->is_again);
    }
}

static void test_what_wallet_has_lost_is_sent_again(void **state) {
    (void)state;
    fill(9, 8);
    rows[6].status = REDEMPTION_FAILED;
    rows[6].transaction_id = (struct id){{0}};
    begin();
    answer(200, page_of("2346", NULL));
    run();
    assert_int_equal(ends, 0); /* no more rows than there is room for */
    run();
    expect_end(true);
    expect_again("158");
}

static void test_what_wallet_says_otherwise_is_sent_again(void **state) {
    (void)state;
    fill(4, 3);
    rows[1].status = REDEMPTION_FAILED;
    rows[2].transaction_id.bytes[3] = 7;
    campaign.credited = 2;
    campaign.failed = 1;
    board_publish(board, &campaign, 0);
    begin();
    answer(200, page_of("1234", NULL));
    run();
    expect_end(true);
    expect_again("23");
}

/* As many there as here, but not the same: each is looked at. */
static void test_another_instead_of_one_that_is_lost(void **state) {
    (void)state;
    fill(3, 2);
    rows[2].status = REDEMPTION_FAILED;
    begin();
    answer(200, page_of("13", NULL));
    run();
    expect_end(true);
    expect_again("23");
}

/* What was claimed after the walk began is not its concern, whatever became of it meanwhile. */
static void test_who_came_after_it_began(void **state) {
    (void)state;
    fill(1, 1);
    begin();
    fill(3, 3);
    answer(200, page_of("2", NULL));
    run();
    expect_end(true);
    expect_again("1");
}

static void test_a_credit_of_another_is_told(void **state) {
    (void)state;
    fill(2, 2);
    rows[0].user_id = id_with(9, 9);
    begin();
    answer(200, page_of("1", "a"));
    expect_logged(LOG_ERROR, "credit_is_of_another");
    assert_int_equal(walk.paid_count + walk.other_count, 0);
    rows[1].campaign_number = 2;
    answer(200, page_of("2", NULL));
    expect_logged(LOG_ERROR, "credit_is_of_another");
    assert_int_equal(walk.paid_count + walk.other_count, 0);
    assert_int_equal(walk.counts.unknown, 0);
}

/* ---- credits that are not here ---- */

#define UNKNOWN_WITH(metadata)                                                                                                 \
    "{\"data\":[{\"reference\":\"019aab20-4c00-7a31-9f00-5b1e2c3d4e01\",\"user_id\":\"019aab20-4c00-7a31-9f00-5b1e2c3d4e02\"," \
    "\"transaction_id\":\"019aab20-4c00-7a31-9f00-5b1e2c3d4e03\",\"amount\":1,\"created_at\":\"" AT "\"" metadata              \
    "}],\"next_cursor\":null}"
#define CAMPAIGN "\"campaign\":\"01000000-0000-0000-0000-000000000000\""
#define PHONE    "\"phone\":\"+989120000001\""
#define CODE     "\"code\":\"FIRST\""

static void test_a_credit_that_is_not_here_is_handed_over(void **state) {
    (void)state;
    fill(1, 1);
    walk.taker = &taker;
    begin();
    answer(200, page_of("156", "a"));
    assert_int_equal(taken.begins, 1);
    assert_int_equal(taken.count, 2);
    assert_int_equal(taken.ends, 0);
    assert_true(id_equal(taken.credits[0].reference, id_with(1, 5)));
    assert_true(id_equal(taken.credits[0].user_id, id_with(0x22, 5)));
    assert_true(id_equal(taken.credits[0].transaction_id, id_with(0xAA, 5)));
    assert_int_equal(taken.credits[0].amount_minor, 1000);
    int64_t at_us;
    assert_true(result_is_ok(clock_parse(TEXT(AT), &at_us)));
    assert_int_equal(taken.credits[0].created_at_us, at_us);
    answer(200, page_of("7", NULL));
    assert_int_equal(taken.begins, 1);
    assert_int_equal(taken.count, 3);
    assert_int_equal(taken.ends, 1);
    assert_int_equal(walk.counts.unknown, 3);
    run();
    expect_end(true);
    assert_int_equal(taken.give_ups, 0);
}

static void test_what_its_description_says(void **state) {
    (void)state;
    static const struct {
        const char *page;
        int64_t position;
    } cases[] = {{UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":1," PHONE "," CODE "}"), 1},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":0," PHONE "," CODE "}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN "," PHONE "," CODE "}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":9223372036854775807," PHONE "," CODE "}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":2,\"phone\":\"x\"," CODE "}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":2," PHONE ",\"code\":\"\"}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":{\"campaign\":\"02000000-0000-0000-0000-000000000000\",\"position\":2," PHONE "," CODE "}"),
                  0},
                 {UNKNOWN_WITH(",\"metadata\":{\"position\":2," PHONE "," CODE "}"), 0},
                 {UNKNOWN_WITH(",\"metadata\":[]"), 0},
                 {UNKNOWN_WITH(""), 0}};
    walk.taker = &taker;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        taken.count = taken.ends = 0;
        begin();
        answer(200, cases[i].page);
        assert_int_equal(taken.count, 1);
        const struct unknown_credit *credit = &taken.credits[0];
        assert_int_equal(credit->is_described, cases[i].position != 0);
        assert_int_equal(credit->position, cases[i].position);
        assert_int_equal(credit->phone.size, cases[i].position != 0 ? 13 : 0);
        assert_true(text_equal(code_text(&credit->code), cases[i].position != 0 ? TEXT("FIRST") : TEXT("")));
        assert_int_equal(credit->amount_minor, 1);
        run();
        expect_end(true);
    }
}

static void test_the_last_place_may_be_described(void **state) {
    (void)state;
    char text[1024];
    walk.taker = &taker;
    for (int64_t more = 0; more < 2; more++) {
        snprintf(text, sizeof text, UNKNOWN_WITH(",\"metadata\":{" CAMPAIGN ",\"position\":%lld," PHONE "," CODE "}"),
                 (long long)(LIMIT_CAMPAIGN_PLACES + more));
        taken.ends = 0;
        begin();
        answer(200, text);
        assert_int_equal(taken.credits[taken.count - 1].is_described, more == 0);
        run();
        expect_end(true);
    }
}

static void test_nobody_takes_what_is_not_here(void **state) {
    (void)state;
    begin();
    answer(200, page_of("5", NULL));
    assert_int_equal(walk.counts.unknown, 1);
    run();
    expect_end(true);
}

static void test_who_has_no_room_ends_the_walk(void **state) {
    (void)state;
    walk.taker = &taker;
    taken.refuses_begin = true;
    begin();
    answer(200, page_of("5", NULL));
    expect_end(false);
    assert_int_equal(taken.give_ups, 0);
    assert_int_equal(reads, 0);
    taken.refuses_begin = false;
    taken.refuses_credit = true;
    begin();
    answer(200, page_of("5", NULL));
    expect_end(false);
    assert_int_equal(taken.give_ups, 1);
    assert_int_equal(taken.ends, 0);
    taken.refuses_credit = false;
    begin();
    answer(200, page_of("5", "a"));
    answer(404, "{}"); /* in the middle */
    expect_end(false);
    assert_int_equal(taken.give_ups, 2);
}

/* ---- what goes wrong ---- */

#define ITEM(reference, user, transaction, amount, at)                                                                               \
    "{\"data\":[{\"reference\":\"" reference "\",\"user_id\":\"" user "\",\"transaction_id\":\"" transaction "\",\"amount\":" amount \
    ",\"created_at\":\"" at "\"}],\"next_cursor\":null}"
#define ONE  "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"
#define ZERO "00000000-0000-0000-0000-000000000000"

static void test_a_page_of_no_use_ends_the_walk(void **state) {
    (void)state;
    static const char *const bodies[] = {"",
                                         "[]",
                                         "{}",
                                         "null",
                                         "{\"data\":1}",
                                         "{\"data\":[1],\"next_cursor\":null}",
                                         "{\"data\":[],\"next_cursor\":\"a\"}",
                                         "{\"data\":[],\"data\":[]}",
                                         ITEM("x", ONE, ONE, "1", AT),
                                         ITEM(ONE, "x", ONE, "1", AT),
                                         ITEM(ONE, ONE, "x", "1", AT),
                                         ITEM(ONE, ONE, ONE, "0", AT),
                                         ITEM(ONE, ONE, ONE, "\"1\"", AT),
                                         ITEM(ONE, ONE, ONE, "1", "x"),
                                         ITEM(ZERO, ONE, ONE, "1", AT),
                                         ITEM(ONE, ONE, ZERO, "1", AT)};
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        int64_t errors = atomic_load(&calls_metric_errors.value);
        begin();
        answer(200, bodies[i]);
        expect_logged(LOG_WARN, "credits_not_read");
        expect_end(false);
        assert_int_equal(atomic_load(&calls_metric_errors.value), errors + 1);
        assert_int_equal(walk.counts.seen, 0);
    }
    begin();
    answer(200, page_of("1", LONGEST "9"));
    expect_end(false);
    begin();
    answer(200, ITEM(ONE, ONE, ONE, "1", AT)); /* and with all of it right */
    run();
    expect_end(true);
    assert_int_equal(reads, 1);
}

static void test_a_database_that_does_not_answer_ends_the_walk(void **state) {
    (void)state;
    fill(1, 1);
    begin();
    read_outcome = result_error(RESULT_IO);
    answer(200, page_of("1", NULL));
    expect_end(false);
}

static void test_what_may_pass_is_asked_again(void **state) {
    (void)state;
    static const struct {
        struct result outcome;
        int status;
        bool ends;
    } cases[] = {{{RESULT_IO}, 0, false},   {{RESULT_OK}, 500, false}, {{RESULT_OK}, 503, false}, {{RESULT_OK}, 429, false},
                 {{RESULT_IO}, 200, false}, {{RESULT_OK}, 499, true},  {{RESULT_OK}, 428, true},  {{RESULT_OK}, 430, true}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin();
        answer(200, page_of("1", "a"));
        run();
        fake_end(0, cases[i].outcome, cases[i].status, page_of("", NULL));
        if (cases[i].ends) {
            expect_end(false);
            continue;
        }
        assert_int_equal(ends, 0);
        assert_in_range(walk_next_us(&walk, fake_now_us), fake_now_us + 1, fake_now_us + BACKOFF_FIRST_US);
        run(); /* not at once */
        assert_int_equal(fake_client.count, 0);
        fake_now_us = walk_next_us(&walk, fake_now_us);
        run();
        assert_string_equal(fake_client.calls[0]->url, FUND "&cursor=a"); /* the same page */
        assert_int_equal(walk.backoff.attempts, 1);
        answer(200, page_of("", NULL));
        assert_int_equal(walk.backoff.attempts, 0);
        run();
        expect_end(true);
    }
}

static void test_a_stranger_is_not_believed(void **state) {
    (void)state;
    calls.instance.ours = id_with(7, 7);
    begin();
    run();
    snprintf(fake_client.calls[0]->header, sizeof fake_client.calls[0]->header, ONE);
    fake_answer(0, 200, page_of("", NULL));
    assert_int_equal(reads, 0);
}

static void test_a_page_is_asked_for_six_times_at_most(void **state) {
    (void)state;
    begin();
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(ends, 0);
        fake_now_us = walk_next_us(&walk, fake_now_us);
        run();
        fake_client.calls[0]->retry_after_ms = i == 2 ? 5000 : 0;
        fake_answer(0, 503, "");
        if (i == 2) assert_int_equal(walk_next_us(&walk, fake_now_us), fake_now_us + 5000000);
    }
    expect_end(false);
    begin(); /* and the next one anew */
    assert_int_equal(walk.backoff.attempts, 0);
}

static void test_what_cannot_be_asked_ends_the_walk(void **state) {
    (void)state;
    fake_client.refuses = true;
    begin();
    run();
    expect_end(false);
}

/* ---- room ---- */

static void settle_all(void) {
    struct delivery_item *item;
    while ((item = TAILQ_FIRST(&delivery.ready)) != NULL) {
        TAILQ_REMOVE(&delivery.ready, item, link);
        delivery.ready_count--;
        item->state = DELIVERY_IDLE;
        claims_forget(&claims, claim_of(item));
    }
}

static void test_it_waits_for_room(void **state) {
    (void)state;
    fill(2 * POOL + 1, 2 * POOL + 1);
    begin();
    answer(200, page_of("", NULL));
    run();
    assert_int_equal(ends, 0);
    assert_int_equal(claims_count(&claims), POOL);
    assert_int_equal(walk_next_us(&walk, fake_now_us), INT64_MAX);
    for (unsigned i = 0; i < 2; i++) {
        settle_all();
        assert_int_equal(walk_next_us(&walk, fake_now_us), fake_now_us);
        run();
        assert_int_equal(claims_count(&claims), i == 0 ? POOL : 1);
    }
    expect_end(true);
    assert_int_equal(walk.counts.again, 2 * POOL + 1);
}

static void test_half_of_the_room_is_enough(void **state) {
    (void)state;
    fill(POOL, POOL);
    for (unsigned i = 0; i <= POOL / 2; i++) assert_true(claims_take_again(&claims, &rows[i]));
    begin();
    answer(200, page_of("", NULL));
    assert_int_equal(walk_next_us(&walk, fake_now_us), INT64_MAX);
    struct delivery_item *item = TAILQ_FIRST(&delivery.ready);
    TAILQ_REMOVE(&delivery.ready, item, link);
    delivery.ready_count--;
    item->state = DELIVERY_IDLE;
    claims_forget(&claims, claim_of(item));
    assert_int_equal(walk_next_us(&walk, fake_now_us), fake_now_us);
}

/* A row that is away ends it as well: there is nothing behind it. */
static void test_rows_end_before_the_last_place(void **state) {
    (void)state;
    fill(3, 3);
    row_count = 2;
    begin();
    answer(200, page_of("12", NULL));
    run();
    assert_int_equal(ends, 0);
    run();
    expect_end(true);
    assert_int_equal(claims_count(&claims), 0);
}

static void test_rows_that_cannot_be_read_are_read_later(void **state) {
    (void)state;
    fill(1, 1);
    begin();
    answer(200, page_of("", NULL));
    read_outcome = result_error(RESULT_IO);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(ends, 0);
        fake_now_us = walk_next_us(&walk, fake_now_us);
        run();
        expect_logged(LOG_ERROR, "rows_not_read");
        if (i == 0) assert_true(walk_next_us(&walk, fake_now_us) > fake_now_us);
    }
    expect_end(false);
    assert_int_equal(claims_count(&claims), 0);
}

static void test_without_memory_it_does_not_begin(void **state) {
    (void)state;
    for (size_t objects = 0; objects < 2; objects++) {
        objects_left = objects;
        assert_false(walk_begin(&walk, 1));
        assert_int_equal(walk.state, WALK_IDLE);
        assert_false(walk_is_of(&walk, 1));
    }
    begin();
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_what_both_have_is_left_alone),
        TEST(test_what_wallet_has_lost_is_sent_again),
        TEST(test_what_wallet_says_otherwise_is_sent_again),
        TEST(test_another_instead_of_one_that_is_lost),
        TEST(test_who_came_after_it_began),
        TEST(test_a_credit_of_another_is_told),
        TEST(test_a_credit_that_is_not_here_is_handed_over),
        TEST(test_what_its_description_says),
        TEST(test_the_last_place_may_be_described),
        TEST(test_nobody_takes_what_is_not_here),
        TEST(test_who_has_no_room_ends_the_walk),
        TEST(test_a_page_of_no_use_ends_the_walk),
        TEST(test_a_database_that_does_not_answer_ends_the_walk),
        TEST(test_what_may_pass_is_asked_again),
        TEST(test_a_stranger_is_not_believed),
        TEST(test_a_page_is_asked_for_six_times_at_most),
        TEST(test_what_cannot_be_asked_ends_the_walk),
        TEST(test_it_waits_for_room),
        TEST(test_half_of_the_room_is_enough),
        TEST(test_rows_end_before_the_last_place),
        TEST(test_rows_that_cannot_be_read_are_read_later),
        TEST(test_without_memory_it_does_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
