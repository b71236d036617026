/* What becomes of what differs. */
#include "compared.h"

static int64_t metric(struct metric *of) { return atomic_load(&of->value); }

static void test_sums_are_adopted(void **state) {
    (void)state;
    answer(200, PAGE(FUND(FIRST_ID, "99000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    expect_logged(LOG_WARN, "books_differ");
    assert_int_equal(told.adopts, 1);
    assert_int_equal(told.said.funded_minor, 99000);
    assert_false(told.said.is_released);
    assert_int_equal(metric(&comparison_metric_sums), 1);
    assert_int_equal(metric(&comparison_metric_missing), 0);
    answer(200, PAGE(FUND(FIRST_ID, "100000", "0", "released") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    expect_nothing_logged(); /* it has been said */
    assert_int_equal(told.adopts, 2);
    assert_true(told.said.is_released);
    answer(200, PAGE(FUND(SECOND_ID, "100000", "0", "open"), "null")); /* it has none */
    assert_int_equal(told.adopts, 3);
    assert_int_equal(told.said.funded_minor, 0);
    answer(200, BOTH);
    assert_int_equal(metric(&comparison_metric_sums), 0);
    answer(200, PAGE(FUND(SECOND_ID, "100000", "0", "open"), "null"));
    expect_logged(LOG_WARN, "books_differ"); /* anew */
    assert_int_equal(told.walks, 0);
}

static void credit_here(int64_t count) {
    campaigns[0].redeemed = campaigns[0].credited = count;
    campaigns[0].first_redeemed_at_us = campaigns[0].last_redeemed_at_us = fake_now_us;
    show(0);
}

static void test_lost_credits_are_walked_after(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    credit_here(3);
    told.is_behind = true;
    answer(200, PAGE(FUND(FIRST_ID, "100000", "1000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    assert_int_equal(metric(&comparison_metric_missing), 2);
    assert_int_equal(metric(&comparison_metric_unknown), 0);
    assert_int_equal(books(0), BOOKS_WALKING);
    assert_int_equal(told.held[1], 1);
    assert_int_equal(told.compared, 0);
    run();
    assert_int_equal(told.walks, 0); /* its fund is to be put right first */
    assert_int_equal(next(), fake_now_us + 2 * SECOND_US);
    told.is_behind = false;
    assert_int_equal(next(), fake_now_us);
    told.refuses_walk = true;
    run();
    assert_int_equal(told.walks, 1);
    told.refuses_walk = false;
    run(); /* again */
    assert_int_equal(told.walked, 1);
    assert_int_equal(told.walks, 2);
    run();
    assert_int_equal(told.walks, 2);
    answer(200, PAGE(FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    assert_int_equal(told.held[1], 1); /* the walk that is under way will do */
    assert_int_equal(metric(&comparison_metric_missing), 3);
    comparison.walk.counts.again = 2;
    comparison.walk.read(comparison.walk.context, 1);
    expect_logged(LOG_INFO, "credits_compared");
    assert_int_equal(books(0), BOOKS_AGREE);
    end_walk(true);
    expect_logged(LOG_WARN, "credits_sent_again");
    assert_int_equal(told.held[1], 0);
    assert_int_equal(told.compared, 1);
    run();
    assert_int_equal(told.walks, 2); /* once is enough */
}

/* Wallet may have become an older copy meanwhile, without the fund: the walk would wait for it for ever. */
static void test_a_walk_that_waits_has_its_fund_put_right(void **state) {
    (void)state;
    credit_here(1);
    told.is_behind = true;
    answer(200, BOTH);
    assert_int_equal(told.held[1], 1);
    assert_int_equal(told.adopts, 0);
    answer(200, PAGE(FUND(SECOND_ID, "100000", "0", "open"), "null"));
    assert_int_equal(told.adopts, 1);
    assert_int_equal(told.said.funded_minor, 0);
    assert_int_equal(told.held[1], 1);
    told.is_behind = false;
    run();
    assert_int_equal(told.walks, 1);
    answer(200, PAGE(FUND(SECOND_ID, "100000", "0", "open"), "null"));
    assert_int_equal(told.adopts, 1); /* not under its feet: the next look says it again */
    end_walk(false);
    answer(200, PAGE(FUND(SECOND_ID, "100000", "0", "open"), "null"));
    assert_int_equal(told.adopts, 2);
}

/* While it waits to be walked it is not asked for twice. */
static void test_a_walk_that_waits_is_held_once(void **state) {
    (void)state;
    credit_here(1);
    told.is_behind = true;
    for (unsigned i = 0; i < 2; i++) answer(200, BOTH);
    assert_int_equal(told.held[1], 1);
    assert_int_equal(books(0), BOOKS_AGREE); /* it was before, and goes on meanwhile */
}

static void test_a_walk_that_was_given_up_is_repeated(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    credit_here(1);
    answer(200, BOTH);
    run();
    assert_int_equal(told.walks, 1);
    assert_int_equal(books(0), BOOKS_WALKING);
    end_walk(false);
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    assert_int_equal(told.held[1], 0);
    assert_int_equal(told.compared, 0);
    assert_in_range(next(), fake_now_us + 1, fake_now_us + BACKOFF_FIRST_US);
    fake_now_us = next();
    run();
    assert_int_equal(fake_client.count, 1);
    fake_answer(0, 200, BOTH);
    assert_int_equal(books(0), BOOKS_WALKING);
    run();
    assert_int_equal(told.walks, 2);
    set_books(0, BOOKS_AGREE);
    fake_log_event[0] = '\0';
    end_walk(false);
    assert_int_equal(books(0), BOOKS_AGREE);
    expect_nothing_logged(); /* nothing was sent */
}

#define TWO PAGE(FUND(FIRST_ID, "100000", "2000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null")

static void walk_to_unknown_ones(void) {
    size_t walks = told.walks;
    answer(200, TWO);
    assert_int_equal(metric(&comparison_metric_unknown), 2);
    run();
    assert_int_equal(told.walks, walks + 1);
    comparison.walk.counts.unknown = 1;
    comparison.walk.read(comparison.walk.context, 1);
    expect_logged(LOG_WARN, "credits_compared");
    assert_int_equal(books(0), BOOKS_RECOVERING);
    rebuild.state = REBUILD_MAKING;
    end_walk(true);
}

static void end_rebuild(enum rebuild_end how) {
    rebuild.state = REBUILD_IDLE;
    rebuild.ended(rebuild.context, 1, how);
}

static void test_unknown_credits_are_made_anew(void **state) {
    (void)state;
    assert_ptr_equal(comparison.walk.taker, &rebuild.taker);
    set_books(0, BOOKS_NOT_COMPARED);
    walk_to_unknown_ones();
    assert_int_equal(told.compared, 0);
    size_t walks = told.walks;
    answer(200, PAGE(FUND(FIRST_ID, "99000", "2000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    run();
    assert_int_equal(told.walks, walks); /* one thing at a time */
    assert_int_equal(told.held[1], 0);
    assert_int_equal(told.adopts, 1); /* its sums are adopted all the same */
    assert_int_equal(books(0), BOOKS_RECOVERING);
    end_rebuild(REBUILD_WHOLE);
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_int_equal(told.compared, 1);
    assert_int_equal(told.claims_looks, 1);
    run();
    assert_int_equal(told.walks, walks);
}

static void test_what_was_cut_is_walked_again(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    walk_to_unknown_ones();
    end_rebuild(REBUILD_CUT);
    assert_int_equal(books(0), BOOKS_RECOVERING);
    assert_int_equal(told.compared, 0);
    size_t walks = told.walks;
    run();
    assert_int_equal(told.walks, walks + 1);
    comparison.walk.read(comparison.walk.context, 1); /* nothing is unknown any more */
    assert_int_equal(books(0), BOOKS_AGREE);
    end_walk(true);
    assert_int_equal(told.compared, 1);
}

static void test_conflicts_hold_nobody_up_and_are_looked_at_again(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    walk_to_unknown_ones();
    size_t looks = told.claims_looks;
    rebuild.conflict_minor = 1000;
    end_rebuild(REBUILD_CONFLICTED);
    assert_int_equal(books(0), BOOKS_CONFLICTED);
    assert_int_equal(told.claims_looks, looks + 1); /* whom it does not concern is paid */
    assert_int_equal(fund_memory[0].conflict_minor, 1000);
    assert_int_equal(told.compared, 1);
    size_t walks = told.walks;
    run();
    assert_int_equal(told.walks, walks); /* not at once */
    answer(200, BOTH);
    run();
    assert_int_equal(told.walks, walks + 1); /* though both say the same by now */
    end_walk(false);
    assert_int_equal(books(0), BOOKS_CONFLICTED);
    fake_now_us = next();
    answer(200, BOTH);
    run();
    comparison.walk.read(comparison.walk.context, 1); /* nothing is unknown any more */
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_int_equal(fund_memory[0].conflict_minor, 0);
    end_walk(true);
}

static void test_too_many_conflicts_hold_their_campaign_up_and_no_other(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    walk_to_unknown_ones();
    end_rebuild(REBUILD_BLOCKED);
    assert_int_equal(books(0), BOOKS_RECOVERING);
    assert_int_equal(told.claims_looks, 0);
    assert_int_equal(told.compared, 1);
    answer(200, BOTH);
    run();
    assert_int_equal(told.walks, 2);
}

static void test_no_walk_begins_while_redemptions_are_made_anew(void **state) {
    (void)state;
    credit_here(1);
    rebuild.state = REBUILD_MAKING;
    answer(200, BOTH);
    run();
    assert_int_equal(told.walks, 0);
    rebuild.state = REBUILD_IDLE;
    run();
    assert_int_equal(told.walks, 1);
}

/* What hides behind claims that were never sent shows at the first look only. */
static void test_the_first_look_looks_behind_claims(void **state) {
    (void)state;
    campaigns[0].redeemed = 2;
    campaigns[0].first_redeemed_at_us = campaigns[0].last_redeemed_at_us = fake_now_us;
    show(0);
    const char *one = PAGE(FUND(FIRST_ID, "100000", "1000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null");
    answer(200, one);
    run();
    assert_int_equal(told.walks, 0);
    set_books(0, BOOKS_NOT_COMPARED);
    answer(200, one);
    expect_nothing_logged(); /* there may be no difference */
    run();
    assert_int_equal(told.walks, 1);
}

/* What is on its way once more, when Wallet was asked or since, need not be there yet. */
static void test_what_is_sent_again_is_not_missed_twice(void **state) {
    (void)state;
    credit_here(2);
    const char *one = PAGE(FUND(FIRST_ID, "100000", "1000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null");
    for (unsigned i = 0; i < 2; i++) {
        again[0] = i == 0 ? 1 : 0;
        fake_now_us = next() > fake_now_us ? next() : fake_now_us;
        run();
        if (fake_client.count == 0) {
            fake_now_us = next();
            run();
        }
        again[0] = i == 0 ? 0 : 1;
        fake_answer(0, 200, one);
        assert_int_equal(metric(&comparison_metric_missing), 0);
    }
    again[0] = 0;
    answer(200, one);
    assert_int_equal(metric(&comparison_metric_missing), 1);
}

static void test_funds_of_nobody_are_told_once_each(void **state) {
    (void)state;
    static const char *const pages[] = {
        PAGE(FUND("x", "5", "5", "open") "," FUND(THIRD_ID, "5", "5", "open") "," FUND(FIRST_ID, "100000", "0",
                                                                                       "open") "," FUND(SECOND_ID, "100000", "0", "open"),
             "null")};
    size_t lines = fake_log_count;
    answer(200, pages[0]);
    expect_logged(LOG_WARN, "fund_without_campaign");
    assert_int_equal(fake_log_count, lines + 2);
    assert_int_equal(metric(&comparison_metric_strangers), 2);
    answer(200, pages[0]);
    expect_nothing_logged();
    run();
    fake_now_us = next();
    run();
    fake_answer(0, 200, PAGE(FUND("x", "5", "5", "open") "," FUND(THIRD_ID, "5", "5", "open") "," FUND("y", "5", "5", "open"), "\"a\""));
    expect_logged(LOG_WARN, "fund_without_campaign"); /* the third */
    assert_int_equal(fake_log_count, lines + 3);
    fake_answer(0, 503, "");
    expect_logged(LOG_INFO, "books_not_compared");
    answer(200, PAGE(FUND("x", "5", "5", "open") "," FUND(THIRD_ID, "5", "5", "open") "," FUND("y", "5", "5", "open"), "\"a\""));
    expect_nothing_logged(); /* it has been told, though that look was never over */
    answer(200, BOTH);
    assert_int_equal(metric(&comparison_metric_strangers), 3);
    answer(200, BOTH);
    assert_int_equal(metric(&comparison_metric_strangers), 0);
    answer(200, pages[0]);
    expect_logged(LOG_WARN, "fund_without_campaign"); /* anew */
    assert_int_equal(told.adopts, 0);
}

static void test_twenty_funds_of_nobody_are_told(void **state) {
    (void)state;
    static const char stranger[] = FUND("x", "5", "5", "open") ",";
    static const char ours[] = FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open") "],\"next_cursor\":null}";
    char page[4096];
    size_t size = (size_t)snprintf(page, sizeof page, "{\"data\":[");
    for (size_t i = 0; i < 21; i++) size += (size_t)snprintf(page + size, sizeof page - size, "%s", stranger);
    snprintf(page + size, sizeof page - size, "%s", ours);
    size_t lines = fake_log_count;
    answer(200, page);
    assert_int_equal(fake_log_count, lines + 20);
    assert_int_equal(metric(&comparison_metric_strangers), 21);
}

/* ---- the last credit that Wallet has of us ---- */

#define LAST_ID      "07000000-0000-0000-0000-000000000000"
#define LAST_OF_OURS "{\"caller\":{\"credits\":1,\"last_reference\":\"" LAST_ID "\"}}"

/* As many lost here as there: the counts are the same. */
static void begin_with_equal_counts(void) {
    set_books(0, BOOKS_NOT_COMPARED);
    set_books(1, BOOKS_NOT_COMPARED);
    credit_here(2);
    last_answer = NULL;
    run();
    assert_int_equal(fake_client.count, 1);
    assert_string_equal(fake_client.calls[0]->url, LAST);
}

static void test_a_last_credit_that_is_unknown_has_all_paid_ones_walked(void **state) {
    (void)state;
    begin_with_equal_counts();
    end_call(200, LAST_OF_OURS);
    expect_logged(LOG_WARN, "last_credit_unknown");
    assert_int_equal(database.asks, 1);
    assert_string_equal(fake_client.calls[0]->url, LIST);
    end_call(200, TWO);
    assert_int_equal(metric(&comparison_metric_missing) + metric(&comparison_metric_unknown), 0);
    assert_int_equal(books(0), BOOKS_WALKING);
    assert_int_equal(books(1), BOOKS_AGREE); /* Wallet has paid nothing of it */
    run();
    assert_int_equal(told.walked, 1);
    comparison.walk.read(comparison.walk.context, 1);
    end_walk(true);
    assert_int_equal(books(0), BOOKS_AGREE);
    answer(200, TWO);
    run();
    assert_int_equal(told.walks, 1);    /* by then counts are enough */
    assert_int_equal(database.asks, 1); /* and it is not asked for again */
}

static void test_one_that_is_known_has_none_walked(void **state) {
    (void)state;
    begin_with_equal_counts();
    assert_true(result_is_ok(id_parse(TEXT(LAST_ID), &database.there)));
    end_call(200, LAST_OF_OURS);
    end_call(200, TWO);
    assert_int_equal(books(0), BOOKS_AGREE);
    run();
    assert_int_equal(told.walks, 0);
    expect_nothing_logged();
}

static void test_a_last_credit_by_another_name_is_unknown(void **state) {
    (void)state;
    begin_with_equal_counts();
    end_call(200, "{\"caller\":{\"credits\":1,\"last_reference\":\"gift-7\"}}");
    expect_logged(LOG_WARN, "last_credit_unknown");
    assert_int_equal(database.asks, 0);
    end_call(200, TWO);
    assert_int_equal(books(0), BOOKS_WALKING);
    set_books(1, BOOKS_NOT_COMPARED);
    comparison.due_us = fake_now_us;
    fake_log_event[0] = '\0';
    comparison_run(&comparison, fake_now_us);
    end_call(200, "{\"caller\":{\"credits\":1,\"last_reference\":\"gift-7\"}}");
    expect_nothing_logged(); /* it has been said */
}

static void test_a_wallet_that_does_not_say_its_last_is_compared_all_the_same(void **state) {
    (void)state;
    static const char *const bodies[] = {NOTHING_LAST, "{}", "{\"caller\":7}", "[]"};
    for (size_t i = 0; i <= ARRAY_COUNT(bodies); i++) {
        begin_with_equal_counts();
        end_call(i == 0 ? 404 : 200, i == 0 ? "{}" : bodies[i - 1]);
        end_call(200, TWO);
        assert_int_equal(books(0), BOOKS_AGREE);
        comparison.due_us = fake_now_us;
    }
    assert_int_equal(database.asks, 0);
}

static void test_nothing_is_compared_before_the_last_is_known(void **state) {
    (void)state;
    static const struct {
        struct result outcome;
        int status;
        const char *body;
    } cases[] = {{{RESULT_IO}, 200, LAST_OF_OURS},
                 {{RESULT_IO}, 404, "{}"},
                 {{RESULT_OK}, 503, LAST_OF_OURS},
                 {{RESULT_OK}, 200, "no JSON"},
                 {{RESULT_OK}, 200, ""}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin_with_equal_counts();
        fake_end(0, cases[i].outcome, cases[i].status, cases[i].body);
        assert_int_equal(fake_client.count, 0);
        assert_int_equal(books(0), BOOKS_NOT_COMPARED);
        assert_true(next() > fake_now_us); /* not at once */
        fake_now_us = next();
    }
    begin_with_equal_counts();
    database.outcome = result_error(RESULT_IO);
    end_call(200, LAST_OF_OURS);
    assert_int_equal(fake_client.count, 0);
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    database.outcome = result_ok();
    fake_now_us = next();
    calls.instance.ours.bytes[0] = 1;
    run();
    fake_answer(0, 404, "{}"); /* of nobody by name */
    assert_int_equal(fake_client.count, 0);
}

/* Whatever was there before: what is not wiped by who uses it is found out. */
static void __attribute__((noinline)) soil_the_stack(void) {
    volatile uint8_t soil[16384];
    for (size_t i = 0; i < sizeof soil; i++) soil[i] = 0xa5;
}

static void test_what_is_wrong_with_the_last_is_noted_in_a_clean_place(void **state) {
    (void)state;
    begin_with_equal_counts();
    soil_the_stack();
    end_call(200, "{\"caller\":1,\"caller\":1}");
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
}

/* A question that could not be asked is not asked in place of the next page. */
static void test_the_last_is_asked_for_only_when_something_waits(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    fake_client.refuses = true;
    run();
    fake_client.refuses = false;
    set_books(0, BOOKS_AGREE);
    fake_now_us = next();
    last_answer = NULL;
    run();
    assert_string_equal(fake_client.calls[0]->url, LIST);
}

/* ---- credits of nobody ---- */

static void test_the_smallest_part_beside_what_is_nobodys_counts(void **state) {
    (void)state;
    fund_memory[0].foreign_minor = 1000;
    answer(200, PAGE(FUND(FIRST_ID, "100000", "1001", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    assert_int_equal(metric(&comparison_metric_unknown), 1);
}

static void test_what_belongs_to_nobody_is_none_of_a_campaigns_credits(void **state) {
    (void)state;
    credit_here(1);
    answer(200, TWO);
    assert_int_equal(metric(&comparison_metric_unknown), 1);
    assert_int_equal(metric(&comparison_metric_foreign), 0);
    run();
    assert_int_equal(told.walks, 1);
    assert_int_equal(comparison.walk.foreign_told, 0);
    comparison.walk.counts.foreign = 1;
    comparison.walk.counts.foreign_minor = 1000;
    comparison.walk.read(comparison.walk.context, 1);
    end_walk(true);
    for (unsigned i = 0; i < 2; i++) {
        answer(200, TWO);
        run();
        assert_int_equal(told.walks, 1); /* it is known for what it is, and not walked for again */
        assert_int_equal(metric(&comparison_metric_unknown) + metric(&comparison_metric_missing), 0);
        assert_int_equal(metric(&comparison_metric_foreign), 1);
    }
    answer(200, PAGE(FUND(FIRST_ID, "100000", "1000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    assert_int_equal(metric(&comparison_metric_missing), 1); /* and hides nothing */
    answer(200, BOTH);
    assert_int_equal(metric(&comparison_metric_missing), 1); /* nor is anything below nothing */
    run();
    assert_int_equal(comparison.walk.foreign_told, 1);
}

/* A campaign of after the look began is not judged by it. */
static void test_a_new_campaign_waits_for_the_next_look(void **state) {
    (void)state;
    fake_now_us += SECOND_US;
    run();
    fake_now_us = next();
    run();
    reserve(2);
    set_books(2, BOOKS_NOT_COMPARED);
    fake_answer(0, 200,
                PAGE(FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open") "," FUND(THIRD_ID, "100000", "0",
                                                                                                               "open"),
                     "null"));
    assert_int_equal(books(2), BOOKS_NOT_COMPARED);
    assert_int_equal(told.compared, 0);
    assert_int_equal(metric(&comparison_metric_strangers), 0);
    answer(200,
           PAGE(FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open") "," FUND(THIRD_ID, "100000", "0", "open"),
                "null"));
    assert_int_equal(books(2), BOOKS_AGREE);
    assert_int_equal(told.compared, 1);
}

static void test_nobody_need_wait_for_it(void **state) {
    (void)state;
    comparison.is_compared = NULL;
    answer(200, BOTH);
    assert_true(comparison.is_first_over);
}

static void test_without_memory_there_is_none(void **state) {
    (void)state;
    for (size_t left = 0; left < 2; left++) {
        struct comparison none = {.rebuild = &rebuild};
        objects_left = left;
        assert_int_equal(comparison_init(&none).code, RESULT_FULL);
        free(none.memory);
        free(none.before);
    }
}

static void test_the_smallest_difference_is_said(void **state) {
    (void)state;
    answer(200,
           PAGE(FUND("x", "0", "0", "open") "," FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    expect_logged(LOG_WARN, "fund_without_campaign");
    answer(200,
           PAGE(FUND("x", "5", "5", "open") "," FUND(FIRST_ID, "100000", "0", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    expect_nothing_logged();
    credit_here(1);
    told.is_behind = true;
    answer(200, BOTH);
    expect_logged(LOG_WARN, "books_differ"); /* one is missing */
    answer(200, PAGE(FUND(FIRST_ID, "100000", "1000", "open") "," FUND(SECOND_ID, "100000", "0", "open"), "null"));
    expect_nothing_logged();
    answer(200, TWO);
    expect_logged(LOG_WARN, "books_differ"); /* one is unknown */
    assert_int_equal(metric(&comparison_metric_unknown), 1);
}

/* What is taken off an order is paid by nobody, and may be nothing at all: there is no credit to count. */
static void test_a_campaign_of_orders_has_no_fund_to_compare(void **state) {
    (void)state;
    campaigns[2] = (struct campaign){.number = 3,
                                     .credit = {0, CURRENCY_IRT},
                                     .rules = {.kind = GIFT_PERCENT_OFF, .percent = 1},
                                     .max_redemptions = 100,
                                     .redeemed = 2,
                                     .first_redeemed_at_us = fake_now_us,
                                     .last_redeemed_at_us = fake_now_us,
                                     .version = 1,
                                     .sequence = 1};
    campaigns[2].id.bytes[0] = 3;
    assert_true(result_is_ok(code_parse(TEXT("THIRD"), &campaigns[2].code)));
    board_reserve(board, &campaigns[2]);
    show(2);
    set_books(2, BOOKS_AGREE);
    answer(200, BOTH);
    expect_nothing_logged();
    assert_int_equal(books(2), BOOKS_AGREE);
    assert_int_equal(told.walks + told.adopts, 0);
}

static void test_one_walk_at_a_time(void **state) {
    (void)state;
    credit_here(1);
    campaigns[1].redeemed = campaigns[1].credited = 1;
    campaigns[1].first_redeemed_at_us = campaigns[1].last_redeemed_at_us = fake_now_us;
    show(1);
    answer(200, BOTH);
    for (unsigned i = 0; i < 3; i++) run();
    assert_int_equal(told.walks, 1);
    assert_int_equal(told.asked_of, 1);
    end_walk(true);
    run();
    assert_int_equal(told.walks, 2);
    assert_int_equal(told.walked, 2);
    assert_int_equal(told.asked_of, 2);
    assert_true(told.held[1] == 0 && told.held[2] == 1);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_sums_are_adopted),
        TEST(test_lost_credits_are_walked_after),
        TEST(test_a_walk_that_waits_has_its_fund_put_right),
        TEST(test_a_walk_that_waits_is_held_once),
        TEST(test_a_walk_that_was_given_up_is_repeated),
        TEST(test_unknown_credits_are_made_anew),
        TEST(test_what_was_cut_is_walked_again),
        TEST(test_conflicts_hold_nobody_up_and_are_looked_at_again),
        TEST(test_too_many_conflicts_hold_their_campaign_up_and_no_other),
        TEST(test_no_walk_begins_while_redemptions_are_made_anew),
        TEST(test_the_first_look_looks_behind_claims),
        TEST(test_what_is_sent_again_is_not_missed_twice),
        TEST(test_funds_of_nobody_are_told_once_each),
        TEST(test_twenty_funds_of_nobody_are_told),
        TEST(test_a_last_credit_that_is_unknown_has_all_paid_ones_walked),
        TEST(test_one_that_is_known_has_none_walked),
        TEST(test_a_last_credit_by_another_name_is_unknown),
        TEST(test_a_wallet_that_does_not_say_its_last_is_compared_all_the_same),
        TEST(test_nothing_is_compared_before_the_last_is_known),
        TEST(test_what_is_wrong_with_the_last_is_noted_in_a_clean_place),
        TEST(test_the_last_is_asked_for_only_when_something_waits),
        TEST(test_the_smallest_part_beside_what_is_nobodys_counts),
        TEST(test_what_belongs_to_nobody_is_none_of_a_campaigns_credits),
        TEST(test_a_new_campaign_waits_for_the_next_look),
        TEST(test_nobody_need_wait_for_it),
        TEST(test_without_memory_there_is_none),
        TEST(test_the_smallest_difference_is_said),
        TEST(test_one_walk_at_a_time),
        TEST(test_a_campaign_of_orders_has_no_fund_to_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
