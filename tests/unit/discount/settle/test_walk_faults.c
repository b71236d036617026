/* What goes wrong on a walk, and how much it takes at once. */
#include "walk.h"

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
                                         ITEM("", ONE, ONE, "1", AT),
                                         ITEM(ONE, "x", ONE, "1", AT),
                                         ITEM(ONE, ONE, "x", "1", AT),
                                         ITEM(ONE, ONE, ONE, "0", AT),
                                         ITEM(ONE, ONE, ONE, "\"1\"", AT),
                                         ITEM(ONE, ONE, ONE, "1", "x"),
                                         ITEM("x", ONE, "x", "1", AT),
                                         ITEM(ONE, ONE, ONE, "9007199254740992", AT),
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
        assert_true(walk.paid == NULL && walk.other == NULL); /* what there was has gone back */
    }
    begin();
}

static void test_a_page_that_finds_no_room_ends_the_walk(void **state) {
    (void)state;
    fill(1, 1);
    bool is_taken = false;
    for (size_t room = 0; !is_taken; room += 64) {
        begin();
        run();
        walk.arena.limit_bytes = walk.arena.used_bytes + room;
        fake_answer(0, 200, page_of("1", NULL));
        is_taken = ends == 0;
        if (!is_taken) expect_end(false);
    }
    run();
    expect_end(true);
}

static void test_without_memory_nothing_is_asked(void **state) {
    (void)state;
    begin();
    for (size_t chunks = 0; fake_client.started == 0; chunks++) { /* some are kept from before */
        chunks_left = chunks;
        run();
        if (fake_client.started > 0) break;
        expect_end(false);
        begin();
    }
    chunks_left = SIZE_MAX;
    assert_string_equal(fake_client.calls[0]->url, FUND);
}

static void test_each_walk_begins_anew(void **state) {
    (void)state;
    fill(3, 3);
    begin();
    answer(200, page_of("12", "a"));
    answer(404, "{}");
    expect_end(false);
    for (unsigned i = 0; i < 2; i++) {
        begin();
        run();
        assert_string_equal(fake_client.calls[0]->url, FUND);
        answer(200, page_of("", NULL));
        run();
        expect_end(true);
        assert_int_equal(walk.counts.again, 3);
        assert_int_equal(claims_count(&claims), 3);
        settle_all();
    }
    rows[0].transaction_id.bytes[3] = 7;
    begin();
    answer(200, page_of("123", NULL));
    run();
    expect_end(true);
    assert_int_equal(walk.counts.again, 1);
    settle_all();
    rows[0].transaction_id.bytes[3] = 0;
    begin();
    answer(200, page_of("123", NULL));
    size_t before = trips;
    run();
    expect_end(true);
    assert_int_equal(trips, before); /* nothing is left of what was different */
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
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
        TEST(test_a_page_that_finds_no_room_ends_the_walk),
        TEST(test_without_memory_nothing_is_asked),
        TEST(test_each_walk_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
