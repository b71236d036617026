/* What a listener is given next: changes in their order, the newest report behind those that it holds, and what is lost when it is too slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "discount/channel.h"

static struct events events;
static struct channel *channel;
static struct exchange exchange;
static struct listener listener;

static int begin(void **state) {
    (void)state;
    memset(&events, 0, sizeof events);
    channel = channel_find(&events, (struct board_slot *)&exchange);
    assert_ptr_equal(channel_find(&events, (struct board_slot *)&exchange), channel);
    listener = (struct listener){.exchange = &exchange, .events = &events, .channel = channel};
    LIST_INSERT_HEAD(&channel->listeners, &listener, link);
    return 0;
}

static int end(void **state) {
    (void)state;
    while (events.channels != NULL) {
        struct channel *next = events.channels->next;
        for (size_t i = 0; i < CHANGES_KEPT; i++) event_release(events.channels->changes[i]);
        event_release(events.channels->report);
        free(events.channels);
        events.channels = next;
    }
    return 0;
}

static void add_change(int64_t sequence) { channel_add_change(channel, event_make("change", sequence, TEXT("{}"))); }
static void set_report(int64_t sequence) { channel_set_report(channel, event_make("report", sequence, TEXT("{}")), true); }

static void expect(const char *bytes) {
    struct event *event = listener_take(&listener);
    assert_non_null(event);
    assert_int_equal(event->size, strlen(bytes));
    assert_memory_equal(event->bytes, bytes, event->size);
    event_release(event);
}

static void expect_nothing(void) { assert_null(listener_take(&listener)); }

static void test_a_report_is_behind_the_changes_that_it_holds(void **state) {
    (void)state;
    set_report(2);
    expect("id: 2\nevent: report\ndata: {}\n\n");
    expect_nothing();
    add_change(3);
    add_change(4);
    expect("id: 3\nevent: change\ndata: {}\n\n");
    set_report(5);
    expect("id: 4\nevent: change\ndata: {}\n\n");
    expect("id: 5\nevent: report\ndata: {}\n\n");
    expect_nothing();
    assert_int_equal(listener.given_id, 5);
    listener_leave(&listener);
}

static void test_an_older_report_waits_until_there_is_a_newer_one(void **state) {
    (void)state;
    set_report(2);
    add_change(7);
    expect("id: 7\nevent: change\ndata: {}\n\n");
    expect_nothing();
    set_report(7);
    expect("id: 7\nevent: report\ndata: {}\n\n");
    listener_leave(&listener);
}

static void test_who_is_slow_gets_the_newest_report_alone(void **state) {
    (void)state;
    for (int64_t i = 1; i <= 9; i++) set_report(i);
    expect("id: 9\nevent: report\ndata: {}\n\n");
    expect_nothing();
    listener_leave(&listener);
}

static void test_who_is_too_slow_is_told_what_is_lost(void **state) {
    (void)state;
    listener.given_id = 1;
    for (int64_t i = 2; i <= 2 + (int64_t)CHANGES_KEPT; i++) add_change(i);
    expect("id: 2\nevent: lost\ndata: {\"from\":1,\"to\":2}\n\n");
    expect("id: 3\nevent: change\ndata: {}\n\n");
    for (size_t i = 1; i < CHANGES_KEPT; i++) event_release(listener_take(&listener));
    expect_nothing();
    listener_leave(&listener);
}

static void test_who_enters_is_given_nothing_yet(void **state) {
    (void)state;
    listener.is_entering = true;
    set_report(2);
    add_change(3);
    expect_nothing();
    listener_leave(&listener);
}

static void test_who_leaves_and_comes_back_is_known(void **state) {
    (void)state;
    set_report(2);
    struct event *report = channel->report;
    event_hold(report);
    expect("id: 2\nevent: report\ndata: {}\n\n");
    listener_leave(&listener);
    assert_null(channel->report); /* nobody listens */
    channel_set_report(channel, report, false);
    struct listener again = {.exchange = &exchange, .channel = channel, .given_id = 2};
    assert_true(channel_knows(channel, &again));
    again.given_id = 1;
    assert_false(channel_knows(channel, &again));
    again.given_id = 2;
    exchange.caller.user_id.bytes[0] = 1; /* another administrator */
    assert_false(channel_knows(channel, &again));
    exchange.caller.user_id.bytes[0] = 0;
    set_report(2); /* more was refused */
    assert_false(channel_knows(channel, &again));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_report_is_behind_the_changes_that_it_holds, begin, end),
        cmocka_unit_test_setup_teardown(test_an_older_report_waits_until_there_is_a_newer_one, begin, end),
        cmocka_unit_test_setup_teardown(test_who_is_slow_gets_the_newest_report_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_who_is_too_slow_is_told_what_is_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_who_enters_is_given_nothing_yet, begin, end),
        cmocka_unit_test_setup_teardown(test_who_leaves_and_comes_back_is_known, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
