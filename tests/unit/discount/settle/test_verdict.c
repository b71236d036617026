/* What two counts and a fund's sums say about who has lost what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json/json.h"
#include "discount/settle/verdict.h"

#define CREDIT 1000

/* A fund of 100 credits, of which `there` were paid; here `credited` and `failed` of `redeemed`. */
static struct books_seen seen_with(int64_t redeemed, int64_t credited, int64_t failed, int64_t there) {
    struct books_seen seen = {.before = {.redeemed = redeemed,
                                         .credited = credited,
                                         .failed = failed,
                                         .credit_minor = CREDIT,
                                         .fund_confirmed_minor = 100 * CREDIT},
                              .credit = {CREDIT, CURRENCY_IRT},
                              .there = {.funded_minor = 100 * CREDIT, .credited_minor = there * CREDIT}};
    seen.after = seen.before;
    return seen;
}

static void expect(const struct books_seen *seen, int64_t missing, int64_t unknown, bool must_walk, bool must_adopt) {
    struct books_verdict verdict = books_judge(seen);
    assert_int_equal(verdict.missing, missing);
    assert_int_equal(verdict.unknown, unknown);
    assert_int_equal(verdict.must_walk, must_walk);
    assert_int_equal(verdict.must_adopt, must_adopt);
}

static void expect_agreement(const struct books_seen *seen) { expect(seen, 0, 0, false, false); }

static void test_what_is_between_the_two_looks_agrees(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 5, 2, 5);
    expect_agreement(&seen);
    seen = seen_with(10, 5, 2, 8); /* three are paid and not marked yet */
    expect_agreement(&seen);
    seen = seen_with(10, 5, 2, 9);
    expect(&seen, 0, 1, true, false);
    seen = seen_with(10, 5, 2, 4);
    expect(&seen, 1, 0, true, false);
    seen = seen_with(10, 5, 2, 0);
    seen.there.credited_minor = 3 * CREDIT - 1; /* a part counts as a whole */
    expect(&seen, 3, 0, true, false);
    seen.there.credited_minor = 9 * CREDIT + 1;
    expect(&seen, 0, 2, true, false);
}

/* What was credited while Wallet was asked counts only for the most, what was before only for the least. */
static void test_each_bound_is_of_its_own_look(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 5, 0, 6);
    seen.after.credited = 9;
    expect_agreement(&seen);
    seen = seen_with(5, 5, 0, 7);
    seen.after.redeemed = 7;
    expect_agreement(&seen);
    seen.after.failed = 1;
    expect(&seen, 0, 1, true, false);
}

static void test_what_is_on_its_way_again_is_not_missing(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 8, 0, 5);
    seen.again = 3;
    expect_agreement(&seen);
    seen.again = 2;
    expect(&seen, 1, 0, true, false);
}

/* Credits that we have lost may hide behind claims that we have never sent. */
static void test_the_first_look_walks_when_wallet_has_more(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 5, 0, 6);
    seen.is_first = true;
    expect(&seen, 0, 0, true, false);
    seen.there.credited_minor = 5 * CREDIT;
    expect_agreement(&seen);
}

/* Counts that agree may hide that as many were lost here as there. */
static void test_where_something_is_lost_all_that_was_paid_is_walked(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 5, 0, 5);
    seen.is_suspect = true;
    expect(&seen, 0, 0, true, false);
    seen = seen_with(10, 0, 0, 1);
    seen.is_suspect = true;
    expect(&seen, 0, 0, true, false);
    seen.there.credited_minor = 0;
    expect_agreement(&seen);
}

static void test_a_fund_has_what_was_confirmed_and_at_most_a_step_more(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 5, 0, 5);
    seen.there.funded_minor--;
    expect(&seen, 0, 0, false, true);
    seen.there.funded_minor += 2;
    expect(&seen, 0, 0, false, true);
    seen.after.fund_step_minor = 1; /* it is there, and we have not heard it */
    expect_agreement(&seen);
    seen.there.funded_minor++;
    expect(&seen, 0, 0, false, true);
    seen.after.fund_step_minor = 2;
    seen.after.fund_is_refused = 1; /* then nothing of it is there */
    expect(&seen, 0, 0, false, true);
    seen.there.funded_minor = seen.after.fund_confirmed_minor + 1; /* not even the smallest part */
    expect(&seen, 0, 0, false, true);
    seen = seen_with(10, 5, 0, 5);
    seen.after.fund_confirmed_minor += 7; /* confirmed since */
    expect_agreement(&seen);
    seen = seen_with(0, 0, 0, 0);
    seen.before.fund_confirmed_minor = seen.after.fund_confirmed_minor = 0;
    seen.after.fund_step_minor = 100 * CREDIT;
    seen.there.funded_minor = 0; /* not opened yet */
    expect_agreement(&seen);
}

static void test_only_what_has_ended_here_is_released_there(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 10, 0, 10);
    seen.there.is_released = true;
    expect(&seen, 0, 0, false, true);
    seen.after.ended_at_us = 1; /* our own release, which we have not heard of */
    expect_agreement(&seen);
}

static void test_what_was_released_here_is_released_there(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 10, 0, 10);
    seen.before.ended_at_us = seen.after.ended_at_us = 1;
    seen.after.fund_is_released = 1; /* since Wallet was asked */
    expect_agreement(&seen);
    seen.before.fund_is_released = 1;
    expect(&seen, 0, 0, false, true);
    seen.there.is_released = true;
    expect_agreement(&seen);
    seen = seen_with(0, 0, 0, 0); /* it was never opened */
    seen.before.fund_is_released = seen.after.fund_is_released = 1;
    seen.before.fund_confirmed_minor = seen.after.fund_confirmed_minor = seen.there.funded_minor = 0;
    expect_agreement(&seen);
}

static int64_t count_in(const char *text) {
    struct arena arena;
    struct faults faults;
    struct json_document *document = NULL;
    arena_init(&arena, SIZE_MAX);
    faults_init(&faults, &arena);
    assert_true(result_is_ok(json_open(&arena, text_of(text), &faults, &document)));
    int64_t count = verdict_count_credited(json_root(document));
    json_close(document);
    arena_release(&arena);
    return count;
}

static void test_what_was_taken_back_was_credited_all_the_same(void **state) {
    (void)state;
    assert_int_equal(count_in("{\"credited\":5,\"reversed\":7}"), 12);
    assert_int_equal(count_in("{\"credited\":5}"), 5);
    assert_int_equal(count_in("{\"reversed\":7}"), -1);
    assert_int_equal(count_in("{\"credited\":5,\"reversed\":-1}"), -1);
    assert_int_equal(count_in("{\"credited\":9007199254740991,\"reversed\":9007199254740991}"), 2 * MONEY_AMOUNT_MAX);
    assert_int_equal(count_in("{\"credited\":9007199254740992}"), -1);
    assert_int_equal(count_in("{\"credited\":1,\"reversed\":9007199254740992}"), -1);
}

/* Of ten credits here two are reversed; Wallet has what it must, or has lost one of the two kinds, or both, or was asked by somebody else. */
static void test_what_was_taken_back(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 8, 0, 8);
    seen.before.reversed = seen.after.reversed = 2;
    seen.there.reversed_minor = 2 * CREDIT;
    expect_agreement(&seen);
    seen.there = (struct fund_document){.funded_minor = 100 * CREDIT, .credited_minor = 9 * CREDIT, .reversed_minor = CREDIT};
    expect(&seen, 0, 1, true, false); /* it has lost a reversal: somebody has the money */
    assert_int_equal(books_judge(&seen).odd_minor, -CREDIT);
    seen.there.credited_minor = 8 * CREDIT;
    expect(&seen, 0, 0, true, false); /* with its credit: nobody is owed for it */
    seen.explained_minor = -CREDIT;
    expect_agreement(&seen); /* known by now */
    seen.explained_minor = 0;
    seen.there = (struct fund_document){.funded_minor = 100 * CREDIT, .credited_minor = 7 * CREDIT, .reversed_minor = 3 * CREDIT};
    expect(&seen, 0, 0, true, false); /* ours is lost, or it was done there: given it was */
    assert_int_equal(books_judge(&seen).odd_minor, CREDIT);
    seen.explained_minor = CREDIT;
    expect_agreement(&seen);
    seen.explained_minor = 0;
    seen.after.reversing = 1; /* it was ours, and is on its way */
    expect_agreement(&seen);
    seen.there = (struct fund_document){.funded_minor = 100 * CREDIT, .credited_minor = 7 * CREDIT, .reversed_minor = 2 * CREDIT};
    expect(&seen, 1, 0, true, false); /* a credit is lost, whatever is on its way */
}

/* Those that were taken back between the two looks were credited at the first, and are not there at the second. */
static void test_what_was_taken_back_meanwhile(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 10, 0, 8);
    seen.after.credited = 9;
    seen.after.reversed = 1;
    seen.after.reversing = 1;
    for (int64_t back = 0; back <= 2; back++) {
        seen.there.credited_minor = (10 - back) * CREDIT;
        seen.there.reversed_minor = back * CREDIT;
        expect_agreement(&seen);
    }
    seen.there.credited_minor = 7 * CREDIT;
    expect(&seen, 1, 0, true, false);
}

/* What came back there so far is what was under way between the two looks, all of it at most. */
static void test_so_many_must_be_there_less_what_came_back_meanwhile(void **state) {
    (void)state;
    const struct campaign_view before = {.redeemed = 12, .credited = 10, .reversed = 2};
    const struct campaign_view after = {.redeemed = 12, .credited = 9, .reversed = 3, .reversing = 1};
    static const int64_t least[] = {10, 10, 10, 9, 8, 8, 8};
    for (int64_t there = 0; there < (int64_t)(sizeof least / sizeof least[0]); there++) {
        const struct credits_due due = credits_due(&before, &after, there);
        assert_int_equal(due.least, least[there]);
        assert_int_equal(due.most, 10);
        assert_true(due.reversed_least == 2 && due.reversed_most == 4);
    }
}

static void test_what_came_back_is_odd_by_the_smallest_amount(void **state) {
    (void)state;
    const struct credits_due due = {.reversed_least = 2, .reversed_most = 4};
    static const int64_t odd[] = {-2, -1, 0, 0, 0, 1, 2};
    for (int64_t there = 0; there < (int64_t)(sizeof odd / sizeof odd[0]); there++)
        assert_int_equal(reversed_odd_minor(&due, there, (struct money){1, CURRENCY_IRT}), odd[there]);
}

/* Be it the smallest amount. */
static void test_what_is_odd_was_given(void **state) {
    (void)state;
    struct books_seen seen = seen_with(10, 8, 0, 7);
    seen.credit.amount_minor = seen.before.credit_minor = seen.after.credit_minor = 1;
    seen.there = (struct fund_document){.funded_minor = 100 * CREDIT, .credited_minor = 7, .reversed_minor = 1};
    assert_int_equal(books_judge(&seen).odd_minor, 1);
    expect(&seen, 0, 0, true, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_between_the_two_looks_agrees),
        cmocka_unit_test(test_each_bound_is_of_its_own_look),
        cmocka_unit_test(test_what_is_on_its_way_again_is_not_missing),
        cmocka_unit_test(test_the_first_look_walks_when_wallet_has_more),
        cmocka_unit_test(test_where_something_is_lost_all_that_was_paid_is_walked),
        cmocka_unit_test(test_a_fund_has_what_was_confirmed_and_at_most_a_step_more),
        cmocka_unit_test(test_only_what_has_ended_here_is_released_there),
        cmocka_unit_test(test_what_was_released_here_is_released_there),
        cmocka_unit_test(test_what_was_taken_back_was_credited_all_the_same),
        cmocka_unit_test(test_what_was_taken_back),
        cmocka_unit_test(test_what_was_taken_back_meanwhile),
        cmocka_unit_test(test_so_many_must_be_there_less_what_came_back_meanwhile),
        cmocka_unit_test(test_what_came_back_is_odd_by_the_smallest_amount),
        cmocka_unit_test(test_what_is_odd_was_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
