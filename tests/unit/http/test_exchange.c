/* From hand to hand: each move that the drawing in exchange.h has, and that every other ends the program. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether it ends by a CHECK; what that says is not for the log of the tests. */
static bool aborts(void (*act)(struct exchange *exchange), struct exchange *exchange) {
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        assert_non_null(freopen("/dev/null", "w", stderr));
        act(exchange);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void give_to_store(struct exchange *exchange) { exchange_give(exchange, EXCHANGE_OF_STORE); }
static void give_to_loop(struct exchange *exchange) { exchange_give(exchange, EXCHANGE_OF_LOOP); }
static void take_for_store(struct exchange *exchange) { exchange_take(exchange, EXCHANGE_OF_STORE); }
static void take_for_settler(struct exchange *exchange) { exchange_take(exchange, EXCHANGE_OF_SETTLER); }
static void answered(struct exchange *exchange) { reply_json(exchange, 200, TEXT("{}")); }
static void finish(struct exchange *exchange) {
    answered(exchange);
    exchange_finish(exchange);
}
static void finish_without_an_answer(struct exchange *exchange) { exchange_finish(exchange); }
static void go_on(struct exchange *exchange) { exchange_continue(exchange, finish); }
static void resume(struct exchange *exchange) { exchange_resume(exchange); }

/* Bit by bit of what may be done in a state. */
enum { MAY_GIVE = 1, MAY_TAKE = 2, MAY_FINISH = 4, MAY_GO_ON = 8, MAY_RESUME = 16 };

static void expect_moves(struct exchange *exchange, unsigned moves) {
    assert_int_equal(aborts(give_to_store, exchange), (moves & MAY_GIVE) == 0);
    assert_int_equal(aborts(take_for_store, exchange), (moves & MAY_TAKE) == 0);
    assert_int_equal(aborts(finish, exchange), (moves & MAY_FINISH) == 0);
    assert_int_equal(aborts(go_on, exchange), (moves & MAY_GO_ON) == 0);
    assert_int_equal(aborts(resume, exchange), (moves & MAY_RESUME) == 0);
    assert_true(aborts(give_to_loop, exchange)); /* that is what finish and continue are for */
    assert_true(aborts(finish_without_an_answer, exchange));
}

static void each_state_has_its_moves(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    struct exchange *exchange = &fixture.exchange;
    expect_moves(exchange, MAY_GIVE | MAY_FINISH | MAY_GO_ON); /* HEAD */
    exchange->state = EXCHANGE_BODY;
    expect_moves(exchange, 0);
    exchange->state = EXCHANGE_HANDLING;
    expect_moves(exchange, MAY_GIVE | MAY_FINISH | MAY_GO_ON);
    exchange_give(exchange, EXCHANGE_OF_STORE);
    expect_moves(exchange, MAY_TAKE);
    assert_true(aborts(take_for_settler, exchange)); /* not the one to whom it was given */
    exchange_take(exchange, EXCHANGE_OF_STORE);
    expect_moves(exchange, MAY_GIVE | MAY_FINISH | MAY_GO_ON);
    exchange_give(exchange, EXCHANGE_OF_SETTLER); /* from hand to hand, not by way of the loop */
    expect_moves(exchange, 0);
    exchange_take(exchange, EXCHANGE_OF_SETTLER);
    exchange_continue(exchange, finish);
    expect_moves(exchange, MAY_RESUME);
    assert_int_equal(fixture.delivered, 1);
    exchange_resume(exchange);
    assert_int_equal(fixture.delivered, 2);
    assert_int_equal(exchange->state, EXCHANGE_FINISHED);
    expect_moves(exchange, 0);
    fixture_clear(&fixture);
}

static enum exchange_state resumed_state;
static void remember_state(struct exchange *exchange) { resumed_state = exchange->state; }

static void it_goes_on_in_the_state_that_it_left_the_loop_in(void **state) {
    (void)state;
    const enum exchange_state states[] = {EXCHANGE_HEAD, EXCHANGE_HANDLING};
    for (size_t i = 0; i < ARRAY_COUNT(states); i++) {
        struct fixture fixture;
        fixture_init(&fixture, NULL);
        fixture.exchange.state = states[i];
        exchange_give(&fixture.exchange, EXCHANGE_OF_KEY_FETCHER);
        exchange_take(&fixture.exchange, EXCHANGE_OF_KEY_FETCHER);
        exchange_continue(&fixture.exchange, remember_state);
        exchange_resume(&fixture.exchange);
        assert_int_equal(resumed_state, states[i]);
        fixture_clear(&fixture);
    }
}

static void answered_twice_is_given_to_nobody(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    fixture.exchange.state = EXCHANGE_HANDLING;
    answered(&fixture.exchange);
    assert_true(aborts(answered, &fixture.exchange));
    assert_true(aborts(give_to_store, &fixture.exchange));
    fixture_clear(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_its_moves),
        cmocka_unit_test(it_goes_on_in_the_state_that_it_left_the_loop_in),
        cmocka_unit_test(answered_twice_is_given_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
