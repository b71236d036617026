/* What Wallet says of a fund when one of the two is an older copy of itself. */
#include "funds.h"

/* A copy of us that is older than the end of its campaign asks again for what was released since: it gives no places. */
static void test_a_released_fund_is_adopted(void **state) {
    (void)state;
    static const int64_t confirmed_minor[] = {0, 100000, 100000};
    static const char released[] = "{\"funded\":102000,\"state\":\"released\"}";
    for (size_t i = 0; i < ARRAY_COUNT(confirmed_minor); i++) { /* opened, looked at, topped up */
        want_step(confirmed_minor[i], 2000);
        run();
        if (i == 2) fake_answer(0, 200, "{\"funded\":100000,\"state\":\"open\"}");
        fake_answer(0, 200, released);
        assert_int_equal(fake_client.count, 0);
        assert_ptr_equal(fake_store_action(0), &fund_adopted_action);
        const struct own_request *told = fake_store_request(0);
        assert_true(id_equal(told->campaign_id, campaigns[0].id));
        assert_int_equal(told->fund_said.funded_minor, 102000);
        assert_true(told->fund_said.is_released);
        confirm();
    }
}

/* Also one that nothing was left of, or came to. */
static void test_a_released_fund_may_be_empty(void **state) {
    (void)state;
    want_step(0, 2000);
    run();
    fake_answer(0, 200, "{\"funded\":0,\"state\":\"released\"}");
    assert_ptr_equal(fake_store_action(0), &fund_adopted_action);
    assert_int_equal(fake_store_request(0)->fund_said.funded_minor, 0);
    confirm();
}

static void test_a_fund_that_does_not_say_that_it_is_released_is_not(void **state) {
    (void)state;
    static const char *const bodies[] = {"{\"funded\":2000,\"state\":\"open\"}", "{\"funded\":2000}", "{\"state\":\"released\"}",
                                         "{\"funded\":-1,\"state\":\"released\"}", "nonsense"};
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        want_step(0, 2000);
        run();
        fake_answer(0, 201, bodies[i]);
        assert_ptr_equal(fake_store_action(0), &fund_confirmed_action);
        confirm();
    }
}

/* It is an older copy, which is told by a comparison; what nobody by name has not got says nothing. */
static void test_a_fund_that_is_not_there_asks_for_a_comparison(void **state) {
    (void)state;
    static const struct {
        struct result outcome;
        int status;
        bool is_named, must_compare;
    } rows[] = {{{RESULT_OK}, 404, true, true},
                {{RESULT_OK}, 404, false, false},
                {{RESULT_OK}, 403, true, false},
                {{RESULT_OK}, 500, true, false},
                {{RESULT_IO}, 404, true, true}}; /* it was not there: calls_note_failure */
    char name[HTTP_CALL_HEADER_BYTES];
    know_wallet(name);
    want_step(100000, 2000);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (calls.token.text == NULL) calls.token.text = strdup("token");
        calls.must_compare = false;
        run();
        if (rows[i].is_named) memcpy(fake_client.calls[0]->header, name, sizeof name);
        fake_end(0, rows[i].outcome, rows[i].status, "");
        assert_int_equal(calls.must_compare, rows[i].must_compare);
        assert_int_equal(fake_store.count, 0);
        run();
        fake_now_us = funds_next_us(&funds);
    }
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_released_fund_is_adopted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_released_fund_may_be_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_fund_that_does_not_say_that_it_is_released_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_fund_that_is_not_there_asks_for_a_comparison, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
