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
    board_publish(shared.board, &campaign);
    pthread_t readers[READERS];
    for (size_t i = 0; i < READERS; i++) assert_int_equal(pthread_create(&readers[i], NULL, read_views, &shared), 0);
    for (int64_t i = 1; atomic_load(&shared.reads) < READS; i++) { /* until they have looked often enough while it changed */
        campaign.redeemed = campaign.credited = campaign.last_redeemed_at_us = i;
        campaign.sequence = i + 1;
        board_publish(shared.board, &campaign);
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
        board_publish(board, &campaign);
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
    board_publish(race.board, &campaign);
    pthread_t reader;
    struct phone phone = {.size = 3, .e164 = "+98"};
    assert_int_equal(pthread_create(&reader, NULL, look_for_winners, &race), 0);
    for (int64_t i = 1; i <= ROUNDS / 4; i++) {
        board_add_winner(race.board, 1, user_id(i), &phone);
        campaign.redeemed = i;
        board_publish(race.board, &campaign);
    }
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(atomic_load(&race.missed), 0);
    int hits = 0;
    for (int64_t i = 1000000; i < 1010000; i++) hits += board_may_be_user(race.board, board_slot(race.board, 0), user_id(i));
    assert_true(hits < 200); /* and it is worth asking: under 2 % false hits */
    board_free(race.board);
}

static void *count_rejections(void *context) {
    struct board *board = context;
    for (int i = 0; i < ROUNDS; i++) board_count_rejection(board_slot(board, 0), REJECTED_SOLD_OUT, (100 + i / 5000) * INT64_C(1000000));
    return NULL;
}

static void test_seconds_add_up(void **state) {
    (void)state;
    struct board *board;
    assert_true(result_is_ok(board_create(1, &board)));
    struct campaign campaign = make_campaign(1);
    board_reserve(board, &campaign);
    board_publish(board, &campaign);
    pthread_t threads[READERS];
    for (size_t i = 0; i < READERS; i++) assert_int_equal(pthread_create(&threads[i], NULL, count_rejections, board), 0);
    for (size_t i = 0; i < READERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    const struct board_slot *slot = board_slot(board, 0);
    uint64_t sum = 0;
    for (size_t i = 0; i < BOARD_SECONDS; i++) sum += atomic_load(&slot->seconds[i].rejected);
    assert_int_equal(sum, READERS * ROUNDS);
    assert_int_equal(atomic_load(&slot->rejected[REJECTED_SOLD_OUT]), READERS * ROUNDS);
    board_free(board);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_never_see_half_a_state),
        cmocka_unit_test(test_campaigns_are_found_once_published),
        cmocka_unit_test(test_the_filter_never_misses_a_published_winner),
        cmocka_unit_test(test_seconds_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
