/* Campaigns that are archived and recalled while everybody counts, reads and asks: no refusal is lost or counted twice, and no winner missed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "discount/board.h"

#define CROWD    2
#define REFUSALS 20000 /* of each */
#define SECONDS  200   /* in which they come */
#define PLACES   50    /* claimed and credited in the first of them */

static struct board *board;
static struct campaign campaign;
static struct board_slot *slot;

static struct campaign make_campaign(uint32_t number) {
    struct campaign made = {.number = number, .credit = {1000, CURRENCY_IRT}, .max_redemptions = 1000, .version = 1, .sequence = 1};
    memcpy(made.id.bytes, &number, sizeof number);
    return made;
}

static int begin(void **state) {
    (void)state;
    assert_true(result_is_ok(board_create(200, &board)));
    campaign = make_campaign(1);
    board_reserve(board, &campaign);
    board_publish(board, &campaign, 0);
    slot = board_slot(board, 0);
    return 0;
}

static int end(void **state) {
    (void)state;
    board_free(board);
    return 0;
}

/* ---- what the database would hold ---- */

static struct {
    struct refusal_counts refusals;
    struct second_counts seconds[SECONDS + 1];
} disk;

static void save(bool is_committed) {
    struct board_snapshot unsaved;
    (void)atomic_exchange(&slot->is_dirty, false);
    board_take_unsaved(slot, &unsaved);
    board_end_saving(slot, is_committed);
    if (!is_committed) return;
    for (size_t i = 0; i < REFUSAL_COUNT; i++) disk.refusals.counts[i] += unsaved.rejected.counts[i];
    for (size_t i = 0; i < unsaved.second_count; i++) disk.seconds[unsaved.seconds[i].second].rejected += unsaved.seconds[i].rejected;
}

static void recall(void) {
    static struct board_history history;
    history.minute_count = history.second_count = 0;
    for (int64_t second = 0; second <= SECONDS; second++) {
        struct second_counts counts = disk.seconds[second];
        counts.second = second;
        if (counts.claimed + counts.credited + counts.rejected > 0) history.seconds[history.second_count++] = counts;
    }
    board_recall(slot, &history);
}

static int64_t sum_of(const struct refusal_counts *counts) {
    int64_t sum = 0;
    for (size_t i = 0; i < REFUSAL_COUNT; i++) sum += counts->counts[i];
    return sum;
}

/* ---- all at once ---- */

static atomic_int counting, wrong;
static atomic_long looks;

static void *count_refusals(void *context) {
    (void)context;
    for (int64_t i = 0; i < REFUSALS; i++)
        board_count_refusal(slot, i % 3 == 0 ? REFUSED_ENDED : REFUSED_SOLD_OUT, (1 + i * SECONDS / REFUSALS) * CLOCK_SECOND_US);
    atomic_fetch_sub(&counting, 1);
    return NULL;
}

/* Who holds it finds all of its history; who does not finds its sums. */
static void *read_reports(void *context) {
    (void)context;
    static struct board_snapshot snapshot;
    static struct board_minutes minutes;
    int64_t refusals = 0;
    while (atomic_load(&counting) > 0) {
        int64_t claimed = 0, credited = 0, rejected = 0;
        bool is_here = board_hold(slot);
        board_read_all(slot, &snapshot, &minutes);
        board_let_go(slot);
        for (size_t i = 0; i < minutes.count; i++) {
            claimed += minutes.minutes[i].claimed;
            credited += minutes.minutes[i].credited;
            rejected += minutes.minutes[i].rejected;
        }
        int64_t now = sum_of(&snapshot.rejected);
        bool is_exact = claimed == PLACES && credited == PLACES && rejected == now;
        if ((is_here && !is_exact) || now < refusals || snapshot.view.redeemed != PLACES) atomic_fetch_add(&wrong, 1);
        refusals = now;
    }
    return NULL;
}

static void test_no_refusal_is_lost_between_archive_and_recall(void **state) {
    (void)state;
    pthread_t crowd[CROWD], reader;
    memset(&disk, 0, sizeof disk);
    campaign.redeemed = campaign.credited = PLACES;
    board_publish(board, &campaign, board_begin_second(slot, CLOCK_SECOND_US));
    disk.seconds[1] = (struct second_counts){.claimed = PLACES, .credited = PLACES};
    atomic_store(&counting, CROWD);
    for (size_t i = 0; i < CROWD; i++) assert_int_equal(pthread_create(&crowd[i], NULL, count_refusals, NULL), 0);
    assert_int_equal(pthread_create(&reader, NULL, read_reports, NULL), 0);
    size_t archived = 0;
    for (size_t i = 0; atomic_load(&counting) > 0 || archived == 0; i++) { /* the store's thread */
        if (i % 3 == 0) save(i % 2 == 0);
        if (i % 2 == 0)
            archived += board_archive(slot);
        else
            recall();
    }
    for (size_t i = 0; i < CROWD; i++) assert_int_equal(pthread_join(crowd[i], NULL), 0);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(atomic_load(&wrong), 0);
    assert_true(board_archive(slot));
    recall();
    struct board_snapshot snapshot;
    board_read(slot, &snapshot);
    assert_int_equal(sum_of(&snapshot.rejected), CROWD * REFUSALS);
    save(true);
    assert_int_equal(sum_of(&disk.refusals), CROWD * REFUSALS);
    for (size_t i = 0; i < snapshot.second_count; i++)
        assert_int_equal(snapshot.seconds[i].rejected, disk.seconds[snapshot.seconds[i].second].rejected);
}

static struct id user_id(int64_t number) {
    struct id id = {.bytes = {7}};
    memcpy(id.bytes + 8, &number, sizeof number);
    return id;
}

static void *ask_for_winner(void *context) {
    (void)context;
    while (atomic_load(&counting) > 0) {
        if (!board_may_be_user(board, slot, user_id(1))) atomic_fetch_add(&wrong, 1);
        atomic_fetch_add(&looks, 1);
    }
    return NULL;
}

/* Its bits are another campaign's by then. */
static void test_a_filter_that_goes_misses_nobody(void **state) {
    (void)state;
    struct phone phone = {.size = 3, .e164 = "+98"};
    board_add_winner(board, 1, user_id(1), &phone);
    assert_false(board_may_be_user(board, slot, user_id(2)));
    atomic_store(&looks, 0);
    atomic_store(&counting, 1);
    pthread_t asker;
    assert_int_equal(pthread_create(&asker, NULL, ask_for_winner, NULL), 0);
    for (uint32_t number = 2; number <= 150; number++) {
        for (long before = atomic_load(&looks); atomic_load(&looks) < before + 100;) {
        }
        assert_true(board_archive(board_slot(board, number - 2)));
        struct campaign next = make_campaign(number);
        board_reserve(board, &next);
        board_publish(board, &next, 0);
        assert_false(board_may_be_user(board, board_slot(board, number - 1), user_id(1))); /* nothing is left of who had them before */
    }
    atomic_store(&counting, 0);
    assert_int_equal(pthread_join(asker, NULL), 0);
    assert_int_equal(atomic_load(&wrong), 0);
    assert_true(board_may_be_user(board, slot, user_id(2))); /* the database is asked */
    assert_int_equal(board_awake_count(board), 1);
    assert_int_equal(board_next(board, 0), 149);
    assert_int_equal(board_next(board, 150), 150);
}

/* ---- one at a time ---- */

static void test_who_is_held_stays(void **state) {
    (void)state;
    assert_true(board_hold(slot));
    assert_true(board_hold(slot));
    assert_false(board_archive(slot));
    board_let_go(slot);
    assert_false(board_archive(slot));
    assert_false(board_is_archived(slot));
    board_let_go(slot);
    assert_true(board_archive(slot));
    assert_true(board_is_archived(slot));
    assert_false(board_hold(slot));
    assert_false(board_archive(slot)); /* and of one that is archived nothing is given back */
    board_let_go(slot);
    assert_true(board_archive(slot));
    recall();
    assert_false(board_is_archived(slot));
    assert_int_equal(board_next(board, 0), 0);
}

/* More seconds than a ring has, minutes before them, and refusals from a clock that was set back. */
static void test_a_long_history_comes_back(void **state) {
    (void)state;
    static struct board_history history;
    static struct board_snapshot snapshot;
    static struct board_minutes minutes;
    history.minute_count = history.second_count = 0;
    history.minutes[history.minute_count++] = (struct minute_counts){.minute = 2, .claimed = 7, .rejected = 1};
    for (int64_t i = 0; i < BOARD_SECONDS + 60; i++)
        history.seconds[history.second_count++] = (struct second_counts){.second = 600 + i, .claimed = 1, .credited = 1, .rejected = 2};
    assert_true(board_archive(slot));
    board_count_refusal(slot, REFUSED_ENDED, 599 * CLOCK_SECOND_US);
    board_count_refusal(slot, REFUSED_ENDED, 700 * CLOCK_SECOND_US);
    board_count_refusal(slot, REFUSED_ENDED, 9000 * CLOCK_SECOND_US);
    assert_true(board_take_news(board));
    assert_true(board_archive(slot)); /* what is not saved stays */
    assert_true(board_has_news(board));
    board_recall(slot, &history);
    board_recall(slot, &history); /* it is here already */
    board_read_all(slot, &snapshot, &minutes);
    assert_int_equal(snapshot.second_count, BOARD_SECONDS);
    int64_t claimed = 0, rejected = 0;
    for (size_t i = 0; i < minutes.count; i++) {
        assert_true(i == 0 || minutes.minutes[i - 1].minute < minutes.minutes[i].minute);
        claimed += minutes.minutes[i].claimed;
        rejected += minutes.minutes[i].rejected;
    }
    assert_int_equal(claimed, 7 + BOARD_SECONDS + 60);
    assert_int_equal(rejected, 1 + 2 * (BOARD_SECONDS + 60) + 3);
    assert_int_equal(snapshot.seconds[BOARD_SECONDS - 1].second, 9000);
    struct board_snapshot unsaved;
    board_take_unsaved(slot, &unsaved);
    assert_int_equal(unsaved.rejected.counts[REFUSED_ENDED], 3);
    assert_int_equal(unsaved.second_count, 2); /* the oldest has left the ring */
    board_end_saving(slot, true);
}

static void test_there_is_room_for_as_many_as_there_may_be(void **state) {
    (void)state;
    assert_true(result_is_ok(board_make_room(board, 200)));
    assert_int_equal(board_make_room(board, 201).code, RESULT_FULL);
    for (uint32_t number = 2; number <= 200; number++) {
        struct campaign next = make_campaign(number);
        if (number % 2 == 0)
            board_reserve_archived(board, &next);
        else
            board_reserve(board, &next);
        board_publish(board, &next, 0);
        board_count_refusal(board_slot(board, number - 1), REFUSED_ENDED, CLOCK_SECOND_US);
    }
    assert_int_equal(board_awake_count(board), 100);
    size_t count = 0;
    for (size_t i = board_next(board, 0); i < board_count(board); i = board_next(board, i + 1)) {
        assert_int_equal(i % 2, 0);
        count++;
    }
    assert_int_equal(count, 100);
    for (size_t i = 1; i < 200; i++) {
        struct board_snapshot snapshot;
        board_read(board_slot(board, i), &snapshot);
        assert_int_equal(sum_of(&snapshot.rejected), 1);
    }
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_refusal_is_lost_between_archive_and_recall, begin, end),
        cmocka_unit_test_setup_teardown(test_a_filter_that_goes_misses_nobody, begin, end),
        cmocka_unit_test_setup_teardown(test_who_is_held_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_a_long_history_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(test_there_is_room_for_as_many_as_there_may_be, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
