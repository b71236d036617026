/* How many entries are from before a time, by halves. */
#include "wallet/history.h"

#include "damage.h"

#define ENTRIES 37

static int open_desk(void **state) {
    *state = desk_open();
    return 0;
}
static int close_desk(void **state) {
    desk_close(*state);
    return 0;
}

static struct account account_now(struct desk *desk, struct id user_id) {
    struct found_account found = {.is_found = false};
    ask_account_of_user(desk->reader, user_id, CURRENCY_IRT, account_found, &found);
    assert_int_equal(batch_run(desk->reader).code, RESULT_OK);
    assert_true(found.is_found);
    return found.account;
}

static struct history_search search_to_its_end(struct desk *desk, const struct account *account, int64_t time_us, int *ret_rounds) {
    struct history_search search;
    history_search_begin(&search, account, time_us);
    for (*ret_rounds = 0; history_search_step(&search, desk->reader); ++*ret_rounds) {
        assert_int_equal(batch_run(desk->reader).code, RESULT_OK);
        assert_true(*ret_rounds < 10);
    }
    return search;
}

static void each_time_has_its_count(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    int64_t times[ENTRIES];
    for (int i = 0; i < ENTRIES; i++) {
        desk->now_us += i % 3 == 0 ? 5000 : 0;
        times[i] = desk_credit(desk, arena_print(&desk->arena, "r%d", i).data, sara, 1, "").created_at_us;
    }
    struct account account = account_now(desk, sara);
    for (int i = 0; i < ENTRIES; i++) {
        for (int64_t shift = -1; shift <= 1; shift++) {
            int64_t before = 0, time_us = times[i] + shift;
            int rounds = 0;
            for (int j = 0; j < ENTRIES; j++) before += times[j] < time_us;
            struct history_search search = search_to_its_end(desk, &account, time_us, &rounds);
            assert_false(search.is_broken);
            assert_int_equal(search.low, before);
            assert_true(rounds <= 6); /* 2^6 > 37 */
        }
    }
    int rounds = 0;
    assert_int_equal(search_to_its_end(desk, &account, INT64_MAX, &rounds).low, ENTRIES);
    assert_int_equal(rounds, 0); /* what nearly everybody asks is known at once */
    assert_int_equal(search_to_its_end(desk, &account, INT64_MIN, &rounds).low, 0);
}

static void a_missing_entry_is_told(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    for (int i = 0; i < 3; i++) desk_credit(desk, arena_print(&desk->arena, "r%d", i).data, sara, 1, "");
    struct account account = account_now(desk, sara);
    struct database *raw = open_raw(desk);
    take_guards_away(raw);
    run_sql(raw, "DELETE FROM entries WHERE key = (2 << 32) + 2");
    close_raw(desk, raw);
    int rounds = 0;
    assert_true(search_to_its_end(desk, &account, account.updated_at_us, &rounds).is_broken);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_time_has_its_count, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(a_missing_entry_is_told, open_desk, close_desk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
