/* The seqlock under readers that never stop, the tables while they grow, and the filter, which may never miss. */
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

#define ROUNDS  20000
#define READERS 2
#define READS   300000

struct shared {
    struct board *board;
    atomic_bool is_over;
    atomic_int torn;
    atomic_long reads;
};

static struct campaign make_campaign(uint32_t number) {
    struct campaign campaign = {.number = number, .credit = {1000, CURRENCY_IRT}, .max_redemptions = ROUNDS, .version = 1, .sequence = 1};
    memcpy(campaign.id.bytes, &number, sizeof number);
    char code[16];
    snprintf(code, sizeof code, "CODE%u", number);
    assert_true(result_is_ok(code_parse(text_of(code), &campaign.code)));
    return campaign;
}

/* Each published state has redeemed = credited = sequence = last_redeemed_at: a reader that sees anything else saw two states at once. */
static void *read_views(void *context) {
    struct shared *shared = context;
    const struct board_slot *slot = board_slot(shared->board, 0);
    int64_t last = 0;
    while (!atomic_load(&shared->is_over)) {
        struct campaign_view view = board_view(slot);
        bool is_whole = view.redeemed == view.credited && view.redeemed == view.sequence - 1 && view.redeemed == view.last_redeemed_at_us;
        if (!is_whole || view.redeemed < last) atomic_fetch_add(&shared->torn, 1);
        last = view.redeemed;
        atomic_fetch_add(&shared->reads, 1);
    }
    return NULL;
}

static void test_readers_never_see_half_a_state(void **state) {
    (void)state;
    struct shared shared = {0};
    assert_true(result_is_ok(board_create(4, &shared.board)));
    struct campaign campaign = make_campaign(1);
    board_reserve(shared.board, &campaign);
    board_publish(shared.board, &campaign, 0);
    pthread_t readers[READERS];
    for (size_t i = 0; i < READERS; i++) assert_int_equal(pthread_create(&readers[i], NULL, read_views, &shared), 0);
    for (int64_t i = 1; atomic_load(&shared.reads) < READS; i++) { /* until they have looked often enough while it changed */
        campaign.redeemed = campaign.credited = campaign.last_redeemed_at_us = i;
        campaign.sequence = i + 1;
        board_publish(shared.board, &campaign, 0);
    }
    atomic_store(&shared.is_over, true);
    for (size_t i = 0; i < READERS; i++) assert_int_equal(pthread_join(readers[i], NULL), 0);
    assert_int_equal(atomic_load(&shared.torn), 0);
    board_free(shared.board);
}

static void test_campaigns_are_found_once_published(void **state) {
    (void)state;
    struct board *board;
    assert_true(result_is_ok(board_create(300, &board)));
    for (uint32_t number = 1; number <= 300; number++) {
        struct campaign campaign = make_campaign(number);
        assert_null(board_find_code(board, &campaign.code));
        board_reserve(board, &campaign);
        assert_null(board_find_id(board, campaign.id)); /* reserved is not visible */
        board_publish(board, &campaign, 0);
        assert_int_equal(board_find_code(board, &campaign.code)->number, number);
        assert_int_equal(board_find_id(board, campaign.id)->number, number);
    }
    assert_int_equal(board_count(board), 300);
    board_free(board);
}

struct winner_race {
    struct board *board;
    atomic_int missed;
};

static struct id user_id(int64_t number) {
    struct id id = {.bytes = {7}};
    memcpy(id.bytes + 8, &number, sizeof number);
    return id;
}

/* Whoever sees n places taken must find the n-th winner in the filter. */
static void *look_for_winners(void *context) {
    struct winner_race *race = context;
    const struct board_slot *slot = board_slot(race->board, 0);
    int64_t redeemed = 0;
    while (redeemed < ROUNDS / 4) {
        redeemed = board_view(slot).redeemed;
        if (redeemed > 0 && !board_may_be_user(race->board, slot, user_id(redeemed))) atomic_fetch_add(&race->missed, 1);
    }
    return NULL;
}

static void test_the_filter_never_misses_a_published_winner(void **state) {
    (void)state;
    struct winner_race race = {0};
    assert_true(result_is_ok(board_create(1, &race.board)));
    struct campaign campaign = make_campaign(1);
    campaign.max_redemptions = ROUNDS / 4;
    board_reserve(race.board, &campaign);
    board_publish(race.board, &campaign, 0);
    pthread_t reader;
    struct phone phone = {.size = 3, .e164 = "+98"};
    assert_int_equal(pthread_create(&reader, NULL, look_for_winners, &race), 0);
    for (int64_t i = 1; i <= ROUNDS / 4; i++) {
        board_add_winner(race.board, 1, user_id(i), &phone);
        campaign.redeemed = i;
        board_publish(race.board, &campaign, 0);
    }
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(atomic_load(&race.missed), 0);
    int hits = 0;
    for (int64_t i = 1000000; i < 1010000; i++) hits += board_may_be_user(race.board, board_slot(race.board, 0), user_id(i));
    assert_true(hits < 200); /* and it is worth asking: under 2 % false hits */
    board_free(race.board);
}

#define REFUSALS 30000 /* of each thread */

struct crowd {
    struct board *board;
    atomic_int counting; /* threads that still do */
    atomic_int wrong;
};

/* 300 seconds, so that none leaves the ring; the threads' clocks differ. */
static void *count_refusals(void *context) {
    struct crowd *crowd = context;
    for (int i = 0; i < REFUSALS; i++) {
        enum refusal refusal = i % 3 == 0 ? REFUSED_PAUSED : REFUSED_SOLD_OUT;
        board_count_refusal(board_slot(crowd->board, 0), refusal, (100 + i / 100) * CLOCK_SECOND_US);
    }
    atomic_fetch_sub(&crowd->counting, 1);
    return NULL;
}

static int64_t sum_of(const struct refusal_counts *counts) {
    int64_t sum = 0;
    for (size_t i = 0; i < REFUSAL_COUNT; i++) sum += counts->counts[i];
    return sum;
}

/* Every report adds up, and none is behind the one before. */
static void *read_reports(void *context) {
    struct crowd *crowd = context;
    int64_t redeemed = 0, refusals = 0;
    while (atomic_load(&crowd->counting) > 0) {
        struct board_snapshot snapshot;
        board_read(board_slot(crowd->board, 0), &snapshot);
        int64_t claimed = 0, credited = 0, rejected = 0;
        for (size_t i = 0; i < snapshot.second_count; i++) {
            claimed += snapshot.seconds[i].claimed;
            credited += snapshot.seconds[i].credited;
            rejected += snapshot.seconds[i].rejected;
        }
        bool is_exact = claimed == snapshot.view.redeemed && credited == snapshot.view.credited && rejected == sum_of(&snapshot.rejected);
        if (!is_exact || claimed < redeemed || rejected < refusals) atomic_fetch_add(&crowd->wrong, 1);
        redeemed = claimed;
        refusals = rejected;
    }
    return NULL;
}

/* What the database would hold. */
struct disk {
    struct refusal_counts refusals;
    uint32_t rejected[100 + REFUSALS / 100];
};

static void save(struct board *board, struct disk *disk, bool is_committed) {
    struct board_snapshot unsaved;
    board_take_unsaved(board_slot(board, 0), &unsaved);
    board_end_saving(board_slot(board, 0), is_committed);
    if (!is_committed) return;
    for (size_t i = 0; i < REFUSAL_COUNT; i++) disk->refusals.counts[i] += unsaved.rejected.counts[i];
    for (size_t i = 0; i < unsaved.second_count; i++) disk->rejected[unsaved.seconds[i].second] += unsaved.seconds[i].rejected;
    int64_t sum = 0;
    for (size_t i = 0; i < ARRAY_COUNT(disk->rejected); i++) sum += disk->rejected[i];
    assert_int_equal(sum, sum_of(&disk->refusals));
}

static void test_every_report_adds_up_while_everybody_counts(void **state) {
    (void)state;
    struct crowd crowd = {0};
    static struct disk disk;
    assert_true(result_is_ok(board_create(1, &crowd.board)));
    struct campaign campaign = make_campaign(1);
    campaign.max_redemptions = INT64_MAX;
    board_reserve(crowd.board, &campaign);
    board_publish(crowd.board, &campaign, 0);
    atomic_store(&crowd.counting, READERS);
    struct board_slot *slot = board_slot(crowd.board, 0);
    pthread_t threads[READERS], reader;
    for (size_t i = 0; i < READERS; i++) assert_int_equal(pthread_create(&threads[i], NULL, count_refusals, &crowd), 0);
    assert_int_equal(pthread_create(&reader, NULL, read_reports, &crowd), 0);
    for (int64_t i = 0; atomic_load(&crowd.counting) > 0; i++) { /* the store's thread */
        campaign.redeemed += 3;
        campaign.credited += 2;
        board_publish(crowd.board, &campaign, board_begin_second(slot, (100 + i / 100 % 250) * CLOCK_SECOND_US));
        if (i % 50 == 0) save(crowd.board, &disk, i % 400 != 0); /* some of the transactions fail */
    }
    for (size_t i = 0; i < READERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(atomic_load(&crowd.wrong), 0);
    save(crowd.board, &disk, true);
    assert_int_equal(sum_of(&disk.refusals), READERS * REFUSALS);
    assert_int_equal(disk.refusals.counts[REFUSED_PAUSED], READERS * REFUSALS / 3);
    board_free(crowd.board);
}

/* The ring keeps the newest seconds in which something happened, however far apart they are; the totals keep everything. */
static void test_the_oldest_seconds_leave_the_ring(void **state) {
    (void)state;
    static struct board_snapshot snapshot;
    struct board *board;
    assert_true(result_is_ok(board_create(1, &board)));
    struct campaign campaign = make_campaign(1);
    board_reserve(board, &campaign);
    board_publish(board, &campaign, 0);
    struct board_slot *slot = board_slot(board, 0);
    for (int64_t i = 1; i <= BOARD_SECONDS + 50; i++) {
        campaign.redeemed = i;
        board_publish(board, &campaign, board_begin_second(slot, i * BOARD_SECONDS * CLOCK_SECOND_US));
        board_count_refusal(slot, REFUSED_ENDED, i * BOARD_SECONDS * CLOCK_SECOND_US);
    }
    board_read(slot, &snapshot);
    assert_int_equal(snapshot.second_count, BOARD_SECONDS);
    for (int64_t i = 0; i < BOARD_SECONDS; i++) {
        const struct second_counts *counts = &snapshot.seconds[i];
        assert_int_equal(counts->second, (i + 51) * BOARD_SECONDS);
        assert_true(counts->claimed == 1 && counts->rejected == 1 && counts->credited == 0);
    }
    assert_int_equal(snapshot.rejected.counts[REFUSED_ENDED], BOARD_SECONDS + 50);
    /* A commit that took so long that its second is gone shows its places all the same. */
    campaign.redeemed++;
    board_publish(board, &campaign, BOARD_SECONDS);
    board_read(slot, &snapshot);
    assert_int_equal(snapshot.view.redeemed, BOARD_SECONDS + 51);
    assert_int_equal(snapshot.second_count, BOARD_SECONDS);
    board_free(board);
}

static void check_minutes(const struct board_slot *slot, int64_t claimed, int64_t credited, int64_t rejected) {
    static struct board_snapshot snapshot;
    static struct board_minutes minutes;
    board_read_all(slot, &snapshot, &minutes);
    for (size_t i = 0; i < minutes.count; i++) {
        claimed -= minutes.minutes[i].claimed;
        credited -= minutes.minutes[i].credited;
        rejected -= minutes.minutes[i].rejected;
        assert_true(i == 0 || minutes.minutes[i - 1].minute < minutes.minutes[i].minute);
    }
    assert_true(claimed == 0 && credited == 0 && rejected == 0);
}

/* What leaves the seconds is in the minutes, credits that are taken back go from there as well, and what was read from a database adds to it. */
static void test_minutes_keep_what_the_seconds_do_not(void **state) {
    (void)state;
    static struct minute_counts found[BOARD_MINUTES];
    enum { SECONDS = 3 * BOARD_SECONDS / 2 };
    struct board *board;
    assert_true(result_is_ok(board_create(1, &board)));
    struct campaign campaign = make_campaign(1);
    board_reserve(board, &campaign);
    board_publish(board, &campaign, 0);
    struct board_slot *slot = board_slot(board, 0);
    board_restore_minute(slot, &(struct minute_counts){.minute = 5, .claimed = 7, .credited = 2, .rejected = 1});
    board_restore_second(slot, &(struct second_counts){.second = 359, .claimed = 1, .rejected = 1});
    for (int64_t i = 360; i < 360 + SECONDS; i++) {
        campaign.redeemed += 2;
        campaign.credited++;
        board_count_refusal(slot, REFUSED_ENDED, i * CLOCK_SECOND_US);
        board_publish(board, &campaign, board_begin_second(slot, i * CLOCK_SECOND_US));
        check_minutes(slot, 8 + campaign.redeemed, 2 + campaign.credited, 2 + i - 359);
    }
    int64_t gone = SECONDS - (int64_t)BOARD_SECONDS;
    size_t count = board_find_credited_before(slot, gone + 1, found);
    assert_true(count == 9 && found[0].minute == 6 + gone / 60 - (gone % 60 == 0) && found[count - 1].minute == 5 &&
                found[count - 1].credited == 1);
    campaign.credited -= BOARD_SECONDS + 70;
    board_publish(board, &campaign, 0);
    check_minutes(slot, 8 + campaign.redeemed, 2 + campaign.credited, 2 + SECONDS);
    board_free(board);
}

static void test_what_was_not_saved_is_saved_again(void **state) {
    (void)state;
    static struct board_snapshot unsaved;
    struct board *board;
    assert_true(result_is_ok(board_create(1, &board)));
    struct campaign campaign = make_campaign(1);
    board_reserve(board, &campaign);
    board_publish(board, &campaign, 0);
    struct board_slot *slot = board_slot(board, 0);
    board_count_refusal(slot, REFUSED_ENDED, 7 * CLOCK_SECOND_US);
    board_take_unsaved(slot, &unsaved);
    assert_true(unsaved.second_count == 1 && unsaved.seconds[0].rejected == 1 && unsaved.rejected.counts[REFUSED_ENDED] == 1);
    board_count_refusal(slot, REFUSED_ENDED, 7 * CLOCK_SECOND_US); /* while it is saved */
    atomic_store(&slot->is_dirty, false);
    board_end_saving(slot, false);
    assert_true(atomic_load(&slot->is_dirty));
    board_take_unsaved(slot, &unsaved);
    assert_true(unsaved.second_count == 1 && unsaved.seconds[0].second == 7 && unsaved.seconds[0].rejected == 2);
    assert_int_equal(unsaved.rejected.counts[REFUSED_ENDED], 2);
    board_count_refusal(slot, REFUSED_ENDED, 7 * CLOCK_SECOND_US);
    board_end_saving(slot, true);
    board_take_unsaved(slot, &unsaved);
    assert_true(unsaved.second_count == 1 && unsaved.seconds[0].rejected == 1 && unsaved.rejected.counts[REFUSED_ENDED] == 1);
    board_end_saving(slot, true);
    board_take_unsaved(slot, &unsaved);
    assert_true(unsaved.second_count == 0 && unsaved.rejected.counts[REFUSED_ENDED] == 0);
    board_free(board);
}

/* Wallet had lost credits and refuses them now: what the seconds say still adds up to what the campaign says. */
static void test_credits_that_were_taken_back_leave_the_newest_seconds(void **state) {
    (void)state;
    static struct board_snapshot snapshot;
    struct second_counts seconds[BOARD_SECONDS];
    struct board *board;
    assert_true(result_is_ok(board_create(1, &board)));
    struct campaign campaign = make_campaign(1);
    board_reserve(board, &campaign);
    board_publish(board, &campaign, 0);
    struct board_slot *slot = board_slot(board, 0);
    static const int64_t credits[] = {4, 0, 3, 2, 0};
    for (size_t i = 0; i < ARRAY_COUNT(credits); i++) {
        campaign.redeemed += credits[i] + 1;
        campaign.credited += credits[i];
        board_publish(board, &campaign, board_begin_second(slot, (int64_t)(i + 1) * CLOCK_SECOND_US));
    }
    assert_int_equal(board_find_credited(slot, 6, seconds), 3);
    assert_true(seconds[0].second == 4 && seconds[0].credited == 2);
    assert_true(seconds[1].second == 3 && seconds[1].credited == 3);
    assert_true(seconds[2].second == 1 && seconds[2].credited == 1);
    assert_int_equal(board_find_credited(slot, 2, seconds), 1);
    assert_int_equal(board_find_credited(slot, 100, seconds), 3);
    campaign.credited -= 6;
    campaign.redeemed++;
    board_publish(board, &campaign, board_begin_second(slot, 6 * CLOCK_SECOND_US));
    board_read(slot, &snapshot);
    assert_int_equal(snapshot.view.credited, 3);
    assert_true(snapshot.seconds[0].credited == 3 && snapshot.seconds[0].claimed == 5);
    for (size_t i = 1; i < snapshot.second_count; i++) assert_int_equal(snapshot.seconds[i].credited, 0);
    assert_true(snapshot.seconds[5].second == 6 && snapshot.seconds[5].claimed == 1);
    board_free(board);
}

static void test_books_are_what_was_set_last(void **state) {
    (void)state;
    struct board *board;
    assert_true(result_is_ok(board_create(2, &board)));
    for (uint32_t number = 1; number <= 2; number++) {
        struct campaign campaign = make_campaign(number);
        board_reserve(board, &campaign);
        board_publish(board, &campaign, 0);
        assert_int_equal(board_books(board_slot(board, number - 1)), BOOKS_AGREE);
    }
    board_set_books(board_slot(board, 0), BOOKS_RECOVERING);
    assert_int_equal(board_books(board_slot(board, 0)), BOOKS_RECOVERING);
    assert_int_equal(board_books(board_slot(board, 1)), BOOKS_AGREE);
    board_free(board);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_never_see_half_a_state),
        cmocka_unit_test(test_campaigns_are_found_once_published),
        cmocka_unit_test(test_the_filter_never_misses_a_published_winner),
        cmocka_unit_test(test_every_report_adds_up_while_everybody_counts),
        cmocka_unit_test(test_the_oldest_seconds_leave_the_ring),
        cmocka_unit_test(test_minutes_keep_what_the_seconds_do_not),
        cmocka_unit_test(test_what_was_not_saved_is_saved_again),
        cmocka_unit_test(test_credits_that_were_taken_back_leave_the_newest_seconds),
        cmocka_unit_test(test_books_are_what_was_set_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
