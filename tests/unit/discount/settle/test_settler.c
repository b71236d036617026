/* The settler against a Wallet that drops, cuts, lies and sleeps: whatever it does, each claim is credited once. */
#include "../world.h"

#include "discount/settle/funds.h"

#include "fake_wallet.h"

static struct world world;
static struct fake_wallet *wallet;

static int set_up(void **state) {
    (void)state;
    wallet = calloc(1, sizeof *wallet);
    assert_non_null(wallet);
    fake_start(wallet);
    world = (struct world){.settle_wait_ms = 15000};
    world_create(&world, wallet->port);
    world_start(&world);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    world_stop(&world);
    world_delete(&world);
    fake_stop(wallet);
    free(wallet);
    return 0;
}

static void expect(struct test_exchange *test, int status) {
    int got = exchange_wait(test);
    if (got != status)
        fail_msg("answered %d, not %d: %.*s", got, status, (int)test->exchange.reply_body.size, test->exchange.reply_body.data);
}

static void open_campaign(const char *code, int64_t places) {
    struct test_exchange *made = world_create_campaign(&world, code, places, NULL);
    expect(made, 201);
    assert_true(body_has(made, "\"state\":\"open\""));
    exchange_delete(made);
}

/* Redeems for `count` users at once and expects `status` for each. */
static void redeem_all(const char *code, unsigned first, unsigned count, int status) {
    struct test_exchange **tests = calloc(count, sizeof(struct test_exchange *));
    assert_non_null(tests);
    for (unsigned i = 0; i < count; i++) tests[i] = world_redeem(&world, code, first + i, NULL);
    for (unsigned i = 0; i < count; i++) {
        expect(tests[i], status);
        exchange_delete(tests[i]);
    }
    free(tests);
}

static void wait_until_settled(const char *code, int64_t credited, int64_t failed) {
    for (int i = 0; i < 2000; i++) {
        struct campaign_view view = world_view(&world, code);
        if (view.credited == credited && view.failed == failed) return;
        usleep(10000); /* until a state is reached, at most 20 s; not to order anything */
    }
    fail_msg("not settled");
}

static void test_every_misbehaviour_ends_in_one_credit(void **state) {
    (void)state;
    static const enum fake_act acts[] = {FAKE_GOOD,    FAKE_DROP,     FAKE_CUT,   FAKE_ERROR, FAKE_BUSY,  FAKE_TOKEN,
                                         FAKE_GARBAGE, FAKE_STRANGER, FAKE_TWICE, FAKE_TYPES, FAKE_SHORT, FAKE_BACKWARDS};
    open_campaign("GIFT", 1000);
    unsigned user = 1;
    for (size_t i = 0; i < ARRAY_COUNT(acts); i++) {
        /* The error first: while it is waited out, the claims gather into one batch. */
        const enum fake_act script[] = {FAKE_ERROR, acts[i]};
        fake_script(wallet, script, ARRAY_COUNT(script));
        redeem_all("GIFT", user, 5, 201);
        user += 5;
        assert_int_equal(wallet->credit_count, user - 1);
    }
    struct campaign_view view = world_view(&world, "GIFT");
    assert_int_equal(view.credited, user - 1);
    assert_int_equal(view.redeemed, user - 1);
}

static void test_a_batch_too_large_is_halved(void **state) {
    (void)state;
    open_campaign("GIFT", 1000);
    static const enum fake_act act = FAKE_TOO_LARGE;
    fake_script(wallet, &act, 1);
    redeem_all("GIFT", 1, 30, 201);
    assert_int_equal(wallet->credit_count, 30);
}

static void test_refusals(void **state) {
    (void)state;
    open_campaign("GIFT", 1000);
    static const enum fake_act exhausted[] = {FAKE_EXHAUSTED, FAKE_EXHAUSTED};
    fake_script(wallet, exhausted, 2);
    redeem_all("GIFT", 1, 1, 201); /* tried until it is paid */
    static const enum fake_act frozen = FAKE_FROZEN;
    fake_script(wallet, &frozen, 1);
    struct test_exchange *test = world_redeem(&world, "GIFT", 2, NULL);
    expect(test, 409);
    assert_true(body_has(test, "\"code\":\"credit_failed\"") && body_has(test, "\"wallet_code\":\"account_frozen\""));
    exchange_delete(test);
    test = world_redeem(&world, "GIFT", 2, NULL);
    expect(test, 200);
    assert_true(body_has(test, "\"status\":\"failed\""));
    exchange_delete(test);
    assert_int_equal(world_view(&world, "GIFT").failed, 1);
}

static void test_a_kept_answer_is_the_same_to_the_byte(void **state) {
    (void)state;
    open_campaign("GIFT", 1000);
    struct test_exchange *first[3], *again;
    for (size_t i = 0; i < 3; i++) first[i] = world_redeem(&world, "GIFT", 1, "key");
    for (size_t i = 0; i < 3; i++) expect(first[i], 201);
    again = world_redeem(&world, "GIFT", 1, "key");
    expect(again, 201);
    for (size_t i = 0; i < 3; i++) {
        assert_true(text_equal(first[i]->exchange.reply_body, again->exchange.reply_body));
        exchange_delete(first[i]);
    }
    exchange_delete(again);
    assert_int_equal(world_view(&world, "GIFT").redeemed, 1);
    assert_int_equal(wallet->credit_count, 1);
}

/* Wallet is away: everybody is answered in time, memory is bounded (8 claims), and everything is paid when it is back. */
static void test_an_outage_is_survived_in_bounded_memory(void **state) {
    (void)state;
    open_campaign("GIFT", 1000);
    world_stop(&world);
    world.claims_max = 8;
    world.settle_wait_ms = 100;
    world_start(&world);
    atomic_store(&wallet->is_down, true);
    redeem_all("GIFT", 1, 100, 202);
    struct test_exchange *keyed = world_redeem(&world, "GIFT", 200, "key"), *again;
    expect(keyed, 202);
    for (int i = 0; i < 2000 && atomic_load(&funds_metric_unsettled.value) != 101; i++) usleep(10000); /* until it is told, at most 20 s */
    assert_int_equal(atomic_load(&funds_metric_unsettled.value), 101);
    atomic_store(&wallet->is_down, false);
    wait_until_settled("GIFT", 101, 0);
    assert_int_equal(wallet->credit_count, 101);
    again = world_redeem(&world, "GIFT", 200, "key"); /* as it stands now: a 202 was not final */
    expect(again, 201);
    assert_true(body_has(again, "\"status\":\"credited\""));
    exchange_delete(keyed);
    exchange_delete(again);
}

static void test_a_restart_picks_up_what_was_claimed(void **state) {
    (void)state;
    open_campaign("GIFT", 1000);
    world_stop(&world);
    world.settle_wait_ms = 0;
    world_start(&world);
    atomic_store(&wallet->is_down, true);
    redeem_all("GIFT", 1, 50, 202);
    world_stop(&world);
    atomic_store(&wallet->is_down, false);
    world_start(&world);
    wait_until_settled("GIFT", 50, 0);
    assert_int_equal(wallet->credit_count, 50);
}

/* What is on its way to Wallet when we stop may come back, but is not waited for as long as it likes. */
static void expect_stop_in_time(void) {
    for (int i = 0; i < 2000 && atomic_load(&wallet->unanswered) == 0; i++) usleep(10000); /* until it is on its way, at most 20 s */
    assert_int_equal(atomic_load(&wallet->unanswered), 1);
    int64_t before_us = clock_monotonic_us(&clock_system);
    settler_stop(world.discount.settler);
    settler_stop(world.discount.settler); /* once is enough */
    int64_t took_us = clock_monotonic_us(&clock_system) - before_us;
    assert_true(took_us > 2900000 && took_us < 8 * CLOCK_SECOND_US);
}

static void test_a_stop_waits_for_a_credit_but_not_for_ever(void **state) {
    (void)state;
    open_campaign("GIFT", 5);
    atomic_store(&wallet->is_silent, true);
    struct test_exchange *test = world_redeem(&world, "GIFT", 1, NULL);
    expect_stop_in_time();
    expect(test, 202);
    exchange_delete(test);
}

static void test_a_stop_waits_for_a_fund_but_not_for_ever(void **state) {
    (void)state;
    atomic_store(&wallet->is_silent, true);
    struct test_exchange *made = world_create_campaign(&world, "GIFT", 5, NULL);
    expect_stop_in_time();
    expect(made, 201);
    assert_true(body_has(made, "\"state\":\"pending\""));
    exchange_delete(made);
}

static void test_its_metrics_are_there(void **state) {
    (void)state;
    open_campaign("GIFT", 5);
    redeem_all("GIFT", 1, 1, 201);
    settler_register_metrics();
    struct arena arena;
    arena_init(&arena, LIMIT_ARENA_BYTES);
    struct buffer buffer;
    buffer_init(&buffer, &arena, 4096);
    metrics_write(&buffer);
    struct text written = buffer_text(&buffer);
    static const char *const names[] = {"\ndiscountd_credits_total{outcome=\"credited\"} ", "\ndiscountd_settle_claims_in_memory "};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) assert_non_null(memmem(written.data, written.size, names[i], strlen(names[i])));
    arena_release(&arena);
}

/* No place is given out before the fund is open, and a top-up whose answer is lost is not applied twice. */
static void test_funds(void **state) {
    (void)state;
    world_stop(&world);
    world.settle_wait_ms = 100;
    world_start(&world);
    atomic_store(&wallet->is_down, true);
    struct test_exchange *made = world_create_campaign(&world, "GIFT", 5, "create");
    expect(made, 201);
    assert_true(body_has(made, "\"state\":\"pending\""));
    redeem_all("GIFT", 1, 5, 409);
    atomic_store(&wallet->is_down, false);
    for (int i = 0; i < 2000 && world_view(&world, "GIFT").fund_step_minor != 0; i++) usleep(10000); /* until it is open, at most 20 s */
    redeem_all("GIFT", 1, 5, 201);
    assert_int_equal(wallet->funded, 5000);
    struct test_exchange *again = world_create_campaign(&world, "GIFT", 5, "create");
    expect(again, 201);
    assert_true(text_equal(made->exchange.reply_body, again->exchange.reply_body));
    exchange_delete(made);
    exchange_delete(again);

    struct code code = test_code("GIFT");
    struct id id = board_find_code(world.discount.board, &code)->id;
    pthread_mutex_lock(&wallet->lock);
    wallet->funded = 7000; /* as if an earlier top-up to 7 places had been applied and its answer lost */
    pthread_mutex_unlock(&wallet->lock);
    struct test_exchange *patch = exchange_new(&world.discount, test_user(1));
    struct campaign_change *change = discount_begin(&patch->exchange, &patch_action, sizeof *change);
    change->id = id;
    change->patch = (struct campaign_patch){.has_max_redemptions = true, .max_redemptions = 7};
    operation_submit(&change->base.operation);
    expect(patch, 200);
    exchange_delete(patch);
    struct test_exchange *sixth = world_redeem(&world, "GIFT", 6, NULL);
    expect(sixth, 201); /* the change was answered when the fund had more */
    exchange_delete(sixth);
    wait_until_settled("GIFT", 6, 0);
    assert_int_equal(wallet->topups, 0);
    assert_int_equal(wallet->funded, 7000);
}

int main(void) {
    crypto_init();
    log_init("test", LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_misbehaviour_ends_in_one_credit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_batch_too_large_is_halved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_kept_answer_is_the_same_to_the_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_outage_is_survived_in_bounded_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_restart_picks_up_what_was_claimed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_for_a_credit_but_not_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_for_a_fund_but_not_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_its_metrics_are_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_funds, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
