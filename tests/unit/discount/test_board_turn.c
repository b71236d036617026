/* Reports and publications in every interleaving: board.c is compiled here with a look between any two of its atomic steps. Whatever a reader
 * takes for whole must add up: its seconds to its places, its credits, its refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "discount/board.h"

/* ---- the steps ---- */

static void (*after_store)(void); /* NULL: nobody looks */
static void (*before_load)(void);

static void step(void (**hook)(void)) {
    void (*now)(void) = *hook;
    if (now == NULL) return;
    *hook = NULL; /* not within itself */
    now();
    *hook = now;
}

static uint64_t load_u64(const _Atomic uint64_t *target, memory_order order) { return atomic_load_explicit(target, order); }
static int64_t load_i64(const _Atomic int64_t *target, memory_order order) { return atomic_load_explicit(target, order); }
static uint32_t load_u32(const _Atomic uint32_t *target, memory_order order) { return atomic_load_explicit(target, order); }

#undef atomic_load_explicit
#undef atomic_store_explicit
/* clang-format off */
#define atomic_load_explicit(target, order)                                                                    \
    (step(&before_load), _Generic((target), const _Atomic uint64_t *: load_u64, _Atomic uint64_t *: load_u64,  \
                                            const _Atomic int64_t *: load_i64, _Atomic int64_t *: load_i64,    \
                                            const _Atomic uint32_t *: load_u32, _Atomic uint32_t *: load_u32)( \
        (target), (order)))
/* clang-format on */
#define atomic_store_explicit(target, value, order) ((void)atomic_exchange_explicit(target, value, order), step(&after_store))

#include "discount/board.c"

/* ---- a campaign in which each second brings two places, a credit, and a refusal ---- */

static struct board *board;
static struct board_slot *slot;
static struct campaign campaign;
static int64_t second;
static size_t whole_count;

static void advance(void) {
    second++;
    board_count_refusal(slot, REFUSED_SOLD_OUT, second * CLOCK_SECOND_US);
    campaign.redeemed += 2;
    campaign.credited++;
    campaign.sequence++;
    board_publish(board, &campaign, board_begin_second(slot, second * CLOCK_SECOND_US));
}

static void check_whole(const struct board_snapshot *snapshot) {
    int64_t claimed = 0, credited = 0, rejected = 0;
    for (size_t i = 0; i < snapshot->second_count; i++) {
        claimed += snapshot->seconds[i].claimed;
        credited += snapshot->seconds[i].credited;
        rejected += snapshot->seconds[i].rejected;
        assert_true(i == 0 || snapshot->seconds[i - 1].second < snapshot->seconds[i].second);
    }
    int64_t gone = snapshot->view.redeemed - claimed; /* with the seconds that have left the ring: a credit and a refusal for two places */
    assert_int_equal(gone % 2, 0);
    assert_int_equal(snapshot->view.credited - credited, gone / 2);
    assert_int_equal(snapshot->rejected.counts[REFUSED_SOLD_OUT] - rejected, gone / 2);
    if (snapshot->view.redeemed <= 2 * (int64_t)BOARD_SECONDS - 2) assert_int_equal(gone, 0);
    whole_count++;
}

/* No place that was ever taken is missing in the minutes: less than a day has passed. */
static void check_minutes(const struct board_snapshot *snapshot, const struct board_minutes *minutes) {
    int64_t claimed = 0, credited = 0, rejected = 0;
    for (size_t i = 0; i < minutes->count; i++) {
        claimed += minutes->minutes[i].claimed;
        credited += minutes->minutes[i].credited;
        rejected += minutes->minutes[i].rejected;
        assert_true(i == 0 || minutes->minutes[i - 1].minute < minutes->minutes[i].minute);
    }
    assert_int_equal(claimed, snapshot->view.redeemed);
    assert_int_equal(credited, snapshot->view.credited);
    assert_int_equal(rejected, snapshot->rejected.counts[REFUSED_SOLD_OUT]);
}

static void look(void) {
    struct board_snapshot snapshot;
    struct board_minutes minutes;
    if (!try_read(slot, &snapshot)) return;
    check_whole(&snapshot);
    board_read_all(slot, &snapshot, &minutes);
    check_minutes(&snapshot, &minutes);
}

static void begin(size_t seconds) {
    assert_true(result_is_ok(board_create(1, &board)));
    campaign = (struct campaign){.number = 1, .credit = {1000, CURRENCY_IRT}, .max_redemptions = 1000000, .version = 1, .sequence = 1};
    campaign.id.bytes[0] = 1;
    assert_true(result_is_ok(code_parse(TEXT("GIFT"), &campaign.code)));
    board_reserve(board, &campaign);
    board_publish(board, &campaign, 0);
    slot = board_slot(board, 0);
    second = 1000;
    for (size_t i = 0; i < seconds; i++) advance();
    whole_count = 0;
}

static void end(void) {
    after_store = before_load = NULL;
    board_free(board);
}

static void look_after_each_store(size_t seconds_before) {
    begin(seconds_before);
    after_store = look;
    for (size_t i = 0; i < 4; i++) advance();
    look();
    end();
    assert_true(whole_count > 8);
}

static void test_a_report_between_two_stores_of_a_publication(void **state) {
    (void)state;
    look_after_each_store(0);
    look_after_each_store(BOARD_SECONDS - 2); /* until the ring is full, and once round */
    look_after_each_store(2 * BOARD_SECONDS);
}

/* ---- the other way round ---- */

/* How far apart two looks are where there are many. All is of one thread: the sanitizer of threads, with which a look takes a hundred times as long, finds nothing
 * in those between. */
#ifdef __SANITIZE_THREAD__
#define STRIDE      499
#define FINE_STRIDE 31
#else
#define STRIDE      13
#define FINE_STRIDE 1
#endif

static size_t loads_left;

static void advance_once(void) {
    if (loads_left-- == 0) advance();
}

static void publish_before_each_load(size_t seconds_before, size_t stride) {
    begin(seconds_before);
    for (size_t at = 0;; at += stride) {
        struct board_snapshot snapshot;
        loads_left = at;
        before_load = advance_once;
        bool is_whole = try_read(slot, &snapshot);
        before_load = NULL;
        if (is_whole) check_whole(&snapshot);
        if (loads_left != SIZE_MAX && loads_left < SIZE_MAX / 2) break; /* the reader was done before */
        assert_true(!is_whole || at == 0);
    }
    assert_true(whole_count > 0);
    end();
}

static void test_a_publication_between_two_loads_of_a_report(void **state) {
    (void)state;
    publish_before_each_load(0, FINE_STRIDE);
    publish_before_each_load(BOARD_SECONDS - 1, STRIDE);
    publish_before_each_load(3 * BOARD_SECONDS, STRIDE);
}

static void test_a_publication_between_two_loads_of_the_minutes(void **state) {
    (void)state;
    begin(BOARD_SECONDS + 3);
    for (size_t at = 0; at < 20000; at += 977) {
        struct board_snapshot snapshot;
        struct board_minutes minutes;
        loads_left = at;
        before_load = advance_once;
        board_read_all(slot, &snapshot, &minutes);
        before_load = NULL;
        check_minutes(&snapshot, &minutes);
    }
    assert_true(campaign.redeemed > 2 * ((int64_t)BOARD_SECONDS + 10));
    end();
}

/* A refusal alone makes no turn: it is in both sums or in none. */
static void reject_once(void) {
    if (loads_left-- == 0) board_count_refusal(slot, REFUSED_SOLD_OUT, second * CLOCK_SECOND_US);
}

static void test_a_refusal_between_two_loads_of_a_report(void **state) {
    (void)state;
    begin(3);
    for (size_t at = 0;; at++) {
        struct board_snapshot snapshot;
        loads_left = at;
        before_load = reject_once;
        bool is_whole = try_read(slot, &snapshot);
        before_load = NULL;
        if (loads_left < SIZE_MAX / 2) break;
        assert_true(is_whole);
        int64_t rejected = 0;
        for (size_t i = 0; i < snapshot.second_count; i++) rejected += snapshot.seconds[i].rejected;
        assert_int_equal(rejected, snapshot.rejected.counts[REFUSED_SOLD_OUT]);
    }
    end();
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_report_between_two_stores_of_a_publication),
        cmocka_unit_test(test_a_publication_between_two_loads_of_a_report),
        cmocka_unit_test(test_a_publication_between_two_loads_of_the_minutes),
        cmocka_unit_test(test_a_refusal_between_two_loads_of_a_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
