/* Under which keys something may be kept: nothing that is kept is ever missed, and what was dropped is forgotten in the end. */
#include "discount/kept.h"

#include "../base/assertions.h"
#include "service/idempotency.h"

#define DAY_US (INT64_C(24) * 3600 * 1000000)

static struct hash key(uint32_t number) { return crypto_hash((struct text){(const char *)&number, sizeof number}); }

static struct kept_keys keys;

static int set_up(void **state) {
    (void)state;
    keys = (struct kept_keys){0};
    assert_ok(kept_keys_init(&keys));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    kept_keys_clear(&keys);
    return 0;
}

static void add(uint32_t number, int64_t now_us) {
    struct hash lookup = key(number);
    kept_keys_add(&keys, &lookup, now_us);
}

static bool may_hold(uint32_t number) {
    struct hash lookup = key(number);
    return kept_keys_may_hold(&keys, &lookup);
}

static void what_is_kept_is_known(void **state) {
    (void)state;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < 100000; i++) add(i, 1);
    for (uint32_t i = 0; i < 100000; i++) assert_true(may_hold(i));
    for (uint32_t i = 100000; i < 200000; i++) wrong += may_hold(i);
    assert_true(wrong < 100); /* these cost a way to the store */
}

static void what_was_dropped_is_forgotten_and_nothing_sooner(void **state) {
    (void)state;
    for (uint32_t day = 0; day < 100; day++) {
        add(day, (1 + day) * DAY_US);
        uint32_t oldest = day * DAY_US < IDEMPOTENCY_RETENTION_US ? 0 : day - (uint32_t)(IDEMPOTENCY_RETENTION_US / DAY_US);
        for (uint32_t i = oldest; i <= day; i++) assert_true(may_hold(i));
        assert_false(may_hold(1000 + day));
    }
    assert_false(may_hold(0));
    assert_false(may_hold(70));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_kept_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_dropped_is_forgotten_and_nothing_sooner, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
