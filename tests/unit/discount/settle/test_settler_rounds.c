/* When the settler wakes, and how it stops. */
#include "rounds.h"

static void test_it_wakes_for_each_that_asks_now_and_then(void **state) {
    (void)state;
    options.readiness = &fake_readiness;
    options.revocations = revocations;
    begin();
    assert_string_equal(fake_said[CONCERN_WALLET_REACH], "unknown");
    assert_int_equal(fake_client.count, 0);
    expect_wait(250);
    go_after(SECOND_US / 4);
    assert_string_equal(thread_name, "settler");
    assert_int_equal(calls_to(GREETING) + calls_to(ENDED), 2);
    expect_wait(MOST_MS);
    answer(GREETING, OURS, 200, "");
    go();
    assert_string_equal(fake_said[CONCERN_WALLET_REACH], "ok");
    expect_wait(2000); /* who is there */
    go_after(2 * SECOND_US);
    assert_int_equal(calls_to(GREETING), 1);
    expect_wait(MOST_MS); /* all are asked */
    answer(ENDED, OURS, 200, "{\"data\":[],\"next_cursor\":\"x\"}");
    go();
    expect_wait(1000); /* what has ended */
    go_after(SECOND_US);
    assert_int_equal(calls_to(ENDED), 1);
    end();
}

static void test_it_wakes_for_claims_and_who_waits_for_them(void **state) {
    (void)state;
    begin();
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    expect_wait(MOST_MS);
    submit();
    go();
    assert_int_equal(calls_to(CREDITS), 1);
    expect_wait(700); /* the request's time */
    go_after(SECOND_US * 7 / 10);
    assert_true(is_returned(&request));
    expect_wait(300); /* to be counted as unsettled */
    go_after(SECOND_US * 3 / 10);
    expect_wait(MOST_MS);
    answer(CREDITS, OURS, 500, "");
    go();
    assert_in_range(fake_client.waited_ms, 1, BACKOFF_FIRST_US / 1000);
    go_after(fake_client.waited_ms * 1000);
    assert_int_equal(calls_to(CREDITS), 1);
    answer(CREDITS, OURS, 500, "");
    end();
}

static void test_it_wakes_to_read_what_it_could_not_read(void **state) {
    (void)state;
    read_outcome = result_error(RESULT_IO);
    begin();
    assert_int_equal(reads, 1);
    expect_logged(LOG_ERROR, "refill_failed");
    assert_in_range(fake_client.waited_ms, 1, BACKOFF_FIRST_US / 1000);
    read_outcome = result_ok();
    for (int i = 0; i < 2 && reads < 2; i++)
        go_after(fake_client.waited_ms * 1000); /* reversals that are owed have a back-off of their own */
    assert_int_equal(reads, 2);
    end();
}

static void test_who_cannot_be_paid_yet_waits_for_nothing(void **state) {
    (void)state;
    campaigns[0].fund_confirmed_minor = 0;
    show(0);
    begin();
    submit();
    go();
    assert_true(is_returned(&request) && calls_to(CREDITS) == 0);
    end();
}

static void test_who_waits_for_a_place_is_answered_at_once(void **state) {
    (void)state;
    request.operation.redemption.status = REDEMPTION_WAITING;
    begin();
    submit();
    go();
    assert_true(is_returned(&request) && calls_to(CREDITS) == 0);
    end();
}

static void test_it_looks_at_funds_when_it_is_poked(void **state) {
    (void)state;
    begin();
    want_fund(0);
    go();
    assert_int_equal(calls_to(FUND), 0); /* nobody has said so */
    settler_poke(settler);
    assert_true(waker_wait(fake_client.waker, 0));
    go();
    assert_int_equal(calls_to(FUND), 1);
    answer(FUND, OURS, 500, "");
    end();
}

static void test_it_wakes_to_let_go_of_what_is_over(void **state) {
    (void)state;
    struct campaign *over = &campaigns[0];
    over->redeemed = over->credited = 1;
    over->first_redeemed_at_us = over->last_redeemed_at_us = 1;
    over->ended_at_us = fake_now_us;
    over->fund_is_released = true;
    show(0);
    board_set_books(board_slot(board, 0), BOOKS_AGREE);
    options.archives = true;
    options.archive_after_us = 10 * SECOND_US;
    begin();
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    assert_int_equal(fake_store.count, 0);
    expect_wait(9750);
    go_after(9750 * SECOND_US / 1000);
    assert_int_equal(fake_store.count, 1);
    assert_ptr_equal(fake_store_action(0), &archive_action);
    assert_int_equal(fake_store_request(0)->archive.numbers[0], 1);
    fake_store_end(0, result_ok());
    end();
}

static void test_a_stop_waits_for_nothing_that_moves_no_money(void **state) {
    (void)state;
    options.readiness = &fake_readiness;
    options.revocations = revocations;
    begin();
    go_after(SECOND_US / 4);
    assert_int_equal(fake_client.count, 3);
    end();
    settler_stop(settler); /* once is enough */
}

static void expect_patience(void) {
    begin_to_stop();
    go();
    expect_wait(3000);
    go_after(3 * SECOND_US - 1);
    expect_wait(1);
    fake_now_us++;
    sem_post(&goes);
}

static void test_a_stop_waits_for_credits_and_then_gives_up(void **state) {
    (void)state;
    begin();
    submit();
    go();
    assert_int_equal(calls_to(CREDITS), 1);
    expect_patience();
    expect_stopped();
    assert_true(is_returned(&request));
    assert_int_equal(fake_client.count, 0);
}

static void test_a_stop_waits_for_a_fund_and_then_gives_up(void **state) {
    (void)state;
    begin();
    want_fund(0);
    settler_poke(settler);
    go();
    assert_int_equal(calls_to(FUND), 1);
    expect_patience();
    expect_stopped();
    assert_int_equal(fake_client.count, 0);
}

/* Whoever turns in a circle never sleeps. */

static void wait_until_asleep(void) {
    char path[64], line[128];
    struct timespec begun, now;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread_id);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do {
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_non_null(fgets(line, sizeof line, file));
        fclose(file);
        if (strstr(line, ") S ") != NULL) return;
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begun.tv_sec < PATIENCE_S);
    fail_msg("it does not sleep: %s", line);
}

static void test_a_stop_waits_asleep_for_what_is_in_the_store(void **state) {
    (void)state;
    options.wallet_instance = (struct id){{0}};
    begin();
    go_after(SECOND_US / 4);
    answer(GREETING, OURS, 200, "");
    go();
    assert_ptr_equal(fake_store_action(0), &instance_action);
    expect_patience();
    wait_until_asleep();
    fake_store_end(0, result_ok());
    expect_stopped();
}

#define FOR_NOW(id)  "{\"reference\":\"" id "\",\"status\":\"rejected\",\"code\":\"fund_exhausted\"}"
#define BOTH_FOR_NOW "{\"items\":[" FOR_NOW("01010000-0000-0000-0000-000000000001") "," FOR_NOW("01020000-0000-0000-0000-000000000001") "]}"

/* A campaign whose fund has no more keeps those of the others out of memory for some seconds, and no longer. */
static void test_what_is_refused_for_long_makes_room_for_what_waits_in_the_database(void **state) {
    (void)state;
    static struct test_request second, late;
    request_init(&second, 1, 2, NULL);
    request_init(&late, 2, 1, NULL);
    options.claims_max = 2;
    begin();
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    submit();
    submit_this(&second);
    go();
    submit_this(&late);
    go();
    assert_true(is_returned(&late)); /* there is no room */
    for (unsigned refusals = 1; refusals <= 6; refusals++) {
        assert_int_equal(calls_to(CREDITS), 1);
        assert_int_equal(reads, 1); /* at the start */
        answer(CREDITS, OURS, 200, BOTH_FOR_NOW);
        go();
        go_after(BACKOFF_MOST_US);
    }
    assert_true(reads > 1);
    answer(CREDITS, OURS, 500, ""); /* half of the room is enough: the other one is sent again */
    end();
    request_clear(&second);
    request_clear(&late);
}

static void test_without_a_token_wallet_is_not_called(void **state) {
    (void)state;
    has_token = false;
    begin();
    go_after(SECOND_US / 4);
    assert_int_equal(fake_client.started, 0);
    has_token = true;
    go_after(2 * SECOND_US);
    assert_int_equal(calls_to(GREETING), 1);
    end();
}

static void test_without_memory_there_is_no_settler(void **state) {
    (void)state;
    struct result outcome = result_error(RESULT_FULL);
    size_t objects = 0;
    for (; !result_is_ok(outcome); objects++) {
        objects_left = objects;
        outcome = settler_create(&options, &settler);
        if (!result_is_ok(outcome)) assert_int_equal(outcome.code, RESULT_FULL);
    }
    objects_left = SIZE_MAX;
    assert_true(objects > 3); /* itself, the claims, the funds */
    assert_true(result_is_ok(settler_start(settler, NULL)));
    is_running = true;
    wait_for(&waits);
    end();
}

static void test_its_metrics(void **state) {
    (void)state;
    begin();
    submit();
    go();
    settler_register_metrics();
    struct arena arena;
    arena_init(&arena, LIMIT_ARENA_BYTES);
    struct buffer buffer;
    buffer_init(&buffer, &arena, 4096);
    metrics_write(&buffer);
    struct text written = buffer_text(&buffer);
    static const char *const lines[] = {"\ndiscountd_credits_total{outcome=\"credited\"} ", "\ndiscountd_settle_claims_in_memory 1\n",
                                        "\ndiscountd_wallet_is_another 0\n"};
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) assert_non_null(memmem(written.data, written.size, lines[i], strlen(lines[i])));
    arena_release(&arena);
    answer(CREDITS, OURS, 500, "");
    end();
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_wakes_for_each_that_asks_now_and_then, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_wakes_for_claims_and_who_waits_for_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_wakes_to_read_what_it_could_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_cannot_be_paid_yet_waits_for_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_for_a_place_is_answered_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_looks_at_funds_when_it_is_poked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_wakes_to_let_go_of_what_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_for_nothing_that_moves_no_money, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_for_credits_and_then_gives_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_for_a_fund_and_then_gives_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_asleep_for_what_is_in_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_refused_for_long_makes_room_for_what_waits_in_the_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_token_wallet_is_not_called, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_memory_there_is_no_settler, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_its_metrics, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
