#include "discount/settle/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define FIRST  "0190f5fe-7c00-7a00-8000-000000000001"
#define SECOND "0190f5fe-7c00-7a00-8000-000000000002"
#define OTHER  "0190f5fe-7c00-7a00-8000-00000000000f"
#define MONEY  "0190f5fe-7c00-7a00-8000-0000000000aa"

static struct delivery_batch batch;
static struct delivery_item items[2];

static struct id id_of(const char *text) {
    struct id id;
    assert_true(result_is_ok(id_parse(text_of(text), &id)));
    return id;
}

static int set_up(void **state) {
    (void)state;
    batch = (struct delivery_batch){.item_count = 2};
    arena_init(&batch.arena, LIMIT_BATCH_ARENA_BYTES);
    items[0].id = id_of(FIRST);
    items[1].id = id_of(SECOND);
    batch.items[0] = &items[0];
    batch.items[1] = &items[1];
    batch.outcomes = ARENA_NEW_ARRAY(&batch.arena, struct delivery_outcome, 3); /* one more, where a stranger's might go unseen */
    assert_non_null(batch.outcomes);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_release(&batch.arena);
    return 0;
}

#define DONE(reference)           "{\"reference\":\"" reference "\",\"status\":\"applied\",\"transaction_id\":\"" MONEY "\"}"
#define REJECTED(reference, code) "{\"reference\":\"" reference "\",\"status\":\"rejected\",\"code\":\"" code "\"}"
#define ITEMS(first, second)      "{\"items\":[" first "," second "]}"

static void test_each_item_hears_its_own(void **state) {
    (void)state;
    const char *reply = ITEMS("{\"reference\":\"" FIRST "\",\"status\":\"replayed\",\"transaction_id\":\"" MONEY
                              "\",\"created_at\":\"2026-01-02T03:04:05.678901Z\"}",
                              REJECTED(SECOND, "fund_exhausted"));
    assert_true(result_is_ok(reply_read(&batch, text_of(reply))));
    assert_int_equal(batch.outcomes[0].verdict, DELIVERY_DONE);
    assert_true(id_equal(batch.outcomes[0].transaction_id, id_of(MONEY)));
    int64_t created_at_us;
    assert_true(result_is_ok(clock_parse(TEXT("2026-01-02T03:04:05.678901Z"), &created_at_us)));
    assert_int_equal(batch.outcomes[0].created_at_us, created_at_us);
    assert_int_equal(batch.outcomes[1].verdict, DELIVERY_LATER);
    assert_true(text_equal(batch.outcomes[1].code, TEXT("fund_exhausted")));
}

static void test_the_order_does_not_matter(void **state) {
    (void)state;
    assert_true(result_is_ok(reply_read(&batch, TEXT(ITEMS(REJECTED(SECOND, "account_frozen"), DONE(FIRST))))));
    assert_int_equal(batch.outcomes[0].verdict, DELIVERY_DONE);
    assert_int_equal(batch.outcomes[0].created_at_us, 0); /* not said */
    assert_int_equal(batch.outcomes[1].verdict, DELIVERY_REFUSED);
}

static void test_any_order_will_do(void **state) {
    (void)state;
    static struct delivery_item third;
    struct delivery_outcome outcomes[3];
    third.id = id_of(OTHER);
    batch.items[2] = &third;
    batch.item_count = 3;
    batch.outcomes = outcomes;
    assert_true(result_is_ok(
        reply_read(&batch, TEXT("{\"items\":[" REJECTED(SECOND, "b") "," REJECTED(OTHER, "c") "," REJECTED(FIRST, "a") "]}"))));
    for (size_t i = 0; i < 3; i++) assert_int_equal(outcomes[i].code.data[0], "abc"[i]);
}

static void test_without_room_nothing_is_read(void **state) {
    (void)state;
    batch.arena.limit_bytes = batch.arena.used_bytes;
    assert_int_equal(reply_read(&batch, TEXT(ITEMS(DONE(FIRST), DONE(SECOND)))).code, RESULT_FULL);
}

static void test_which_refusals_are_final(void **state) {
    (void)state;
    static const struct {
        const char *code;
        enum delivery_verdict verdict;
    } rows[] = {{"account_frozen", DELIVERY_REFUSED},
                {"user_not_found", DELIVERY_REFUSED},
                {"currency_mismatch", DELIVERY_REFUSED},
                {"balance_limit", DELIVERY_REFUSED},
                {"balance_too_large", DELIVERY_REFUSED},
                {"reference_conflict", DELIVERY_REFUSED},
                {"fund_not_found", DELIVERY_LATER},
                {"fund_exhausted", DELIVERY_LATER},
                {"fund_released", DELIVERY_LATER},
                {"what nobody knows", DELIVERY_LATER},
                {"x", DELIVERY_LATER}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char reply[512];
        snprintf(reply, sizeof reply,
                 "{\"items\":[" DONE(FIRST) ",{\"reference\":\"" SECOND "\",\"status\":\"rejected\",\"code\":\"%s\"}]}", rows[i].code);
        assert_true(result_is_ok(reply_read(&batch, text_of(reply))));
        assert_int_equal(batch.outcomes[1].verdict, rows[i].verdict);
    }
}

static void test_what_does_not_fit_is_not_believed(void **state) {
    (void)state;
    static const char *const replies[] = {
        "",
        "<html>",
        "[]",
        "{}",
        "{\"items\":7}",
        "{\"items\":[" DONE(FIRST) "]}",                                                                     /* one too few, */
        "{\"items\":[" DONE(FIRST) "," DONE(SECOND) "," DONE(FIRST) "]}",                                    /* or too many */
        ITEMS(DONE(FIRST), "7"),                                                                             /* no object */
        ITEMS(DONE(FIRST), DONE(OTHER)),                                                                     /* a stranger's */
        ITEMS(DONE(FIRST), DONE(FIRST)),                                                                     /* one twice */
        ITEMS(DONE(FIRST), "{\"reference\":7,\"status\":\"applied\",\"transaction_id\":\"" MONEY "\"}"),     /* types */
        ITEMS(DONE(FIRST), "{\"reference\":\"" SECOND "\",\"status\":\"applied\"}"),                         /* done by what? */
        ITEMS(DONE(FIRST), "{\"reference\":\"" SECOND "\",\"status\":\"applied\",\"transaction_id\":\"\"}"), /* the same */
        ITEMS(DONE(FIRST), "{\"reference\":\"" SECOND "\",\"status\":\"rejected\"}"),                        /* why? */
        ITEMS(DONE(FIRST), "{\"reference\":\"" SECOND "\",\"status\":\"maybe\",\"code\":\"account_frozen\"}"),
        "{\"items\":[],\"items\":[" DONE(FIRST) "," DONE(SECOND) "]}", /* which of them? */
        ITEMS(DONE(FIRST), "{\"reference\":\"" SECOND "\",\"status\":\"maybe\",\"transaction_id\":\"" MONEY "\"}"),
        ITEMS(DONE(FIRST),
              "{\"reference\":\"" SECOND "\",\"status\":\"applied\",\"transaction_id\":\"00000000-0000-0000-0000-000000000000\"}"),
    };
    for (size_t i = 0; i < ARRAY_COUNT(replies); i++) {
        struct result outcome = reply_read(&batch, text_of(replies[i]));
        if (result_is_ok(outcome)) fail_msg("believed: %s", replies[i]);
    }
}

/* The answer's memory is gone before the outcome is written down. */
static void test_the_code_outlives_the_answer(void **state) {
    (void)state;
    char reply[] = ITEMS(DONE(FIRST), REJECTED(SECOND, "account_frozen"));
    assert_true(result_is_ok(reply_read(&batch, text_of(reply))));
    memset(reply, 'x', sizeof reply - 1);
    struct delivery_batch next = batch; /* and another answer is read where the first one was */
    struct delivery_outcome outcomes[2];
    next.outcomes = outcomes;
    for (int i = 0; i < 4; i++) assert_true(result_is_ok(reply_read(&next, TEXT(ITEMS(DONE(FIRST), REJECTED(SECOND, "user_not_found"))))));
    batch.arena = next.arena;
    assert_true(text_equal(batch.outcomes[1].code, TEXT("account_frozen")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_item_hears_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_order_does_not_matter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_order_will_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_room_nothing_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_which_refusals_are_final, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_is_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_code_outlives_the_answer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
