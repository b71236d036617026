#include "assertions.h"

#include <stdio.h>

#include "base/crypto.h"
#include "base/map.h"

#define ENTRIES 1000

struct entry {
    char key[8];
    bool is_in;
};

static struct text key_of(const struct entry *entry) { return (struct text){entry->key, sizeof entry->key}; }

static void put_get_remove(void **state) {
    (void)state;
    struct map map;
    assert_ok(map_init(&map, 3));
    int one = 1, two = 2;
    assert_null(map_get(&map, TEXT("a")));
    assert_null(map_remove(&map, TEXT("a")));
    assert_ok(map_put(&map, TEXT("a"), &one));
    assert_ok(map_put(&map, TEXT(""), &two));
    assert_ptr_equal(map_get(&map, TEXT("a")), &one);
    assert_ptr_equal(map_get(&map, TEXT("")), &two);
    assert_null(map_get(&map, TEXT("ab")));
    assert_ok(map_put(&map, TEXT("a"), &two));
    assert_ptr_equal(map_get(&map, TEXT("a")), &two);
    assert_int_equal(map.count, 2);
    assert_ptr_equal(map_remove(&map, TEXT("a")), &two);
    assert_null(map_get(&map, TEXT("a")));
    assert_int_equal(map.count, 1);
    map_clear(&map);
    assert_null(map_get(&map, TEXT("")));
    map_free(&map);
}

/* With and without a removal before: the two ways to empty it. */
static void a_cleared_map_is_as_new(void **state) {
    (void)state;
    struct map map;
    struct entry entries[64] = {0};
    assert_ok(map_init(&map, ARRAY_COUNT(entries)));
    for (size_t i = 0; i < ARRAY_COUNT(entries); i++) snprintf(entries[i].key, sizeof entries[i].key, "%zu", i);
    for (int round = 0; round < 6; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(entries); i++) {
            assert_null(map_get(&map, key_of(&entries[i])));
            assert_ok(map_put(&map, key_of(&entries[i]), &entries[i]));
            assert_ok(map_put(&map, key_of(&entries[i]), &entries[i])); /* replaced */
        }
        for (size_t i = 0; round % 2 == 1 && i < ARRAY_COUNT(entries); i += 3) {
            assert_ptr_equal(map_remove(&map, key_of(&entries[i])), &entries[i]);
            if (i % 2 == 0) assert_ok(map_put(&map, key_of(&entries[i]), &entries[i]));
        }
        map_clear(&map);
        assert_int_equal(map.count, 0);
        map_clear(&map);
    }
    for (size_t i = 0; i < ARRAY_COUNT(entries); i++) assert_null(map_get(&map, key_of(&entries[i])));
    map_free(&map);
}

static void a_replaced_entrys_old_key_may_go(void **state) {
    (void)state;
    struct map map;
    assert_ok(map_init(&map, 1));
    char old_key[] = "key", new_key[] = "key";
    int value = 1;
    assert_ok(map_put(&map, text_of(old_key), &value));
    assert_ok(map_put(&map, text_of(new_key), &value));
    memset(old_key, 'x', 3);
    assert_ptr_equal(map_get(&map, TEXT("key")), &value);
    map_free(&map);
}

static void a_full_map_refuses_only_new_keys(void **state) {
    (void)state;
    struct map map;
    int value = 1, other = 2;
    assert_ok(map_init(&map, 1));
    assert_ok(map_put(&map, TEXT("a"), &value));
    assert_result(map_put(&map, TEXT("b"), &value), RESULT_FULL);
    assert_ok(map_put(&map, TEXT("a"), &other));
    map_free(&map);
    assert_result(map_init(&map, SIZE_MAX / 2), RESULT_FULL);
    assert_ok(map_init(&map, 0));
    assert_result(map_put(&map, TEXT("a"), &value), RESULT_FULL);
    assert_null(map_get(&map, TEXT("a")));
    map_free(&map);
}

/* Against a model, with runs of neighbours: removals must not cut off what stands behind them. */
static void it_agrees_with_a_model(void **state) {
    (void)state;
    static struct entry entries[ENTRIES];
    struct map map;
    assert_ok(map_init(&map, ENTRIES));
    size_t count = 0;
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < ENTRIES; i++) snprintf(entries[i].key, sizeof entries[i].key, "k%06d", i);
    for (int step = 0; step < 100000; step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        struct entry *entry = &entries[random % ENTRIES];
        bool fills = step / 10000 % 2 == 0; /* full, then nearly empty, and again */
        bool puts = (random >> 32) % 10 < (fills ? 8u : 2u);
        if (puts) {
            assert_ok(map_put(&map, key_of(entry), entry));
            count += !entry->is_in;
        } else {
            assert_ptr_equal(map_remove(&map, key_of(entry)), entry->is_in ? entry : NULL);
            count -= entry->is_in;
        }
        entry->is_in = puts;
        assert_int_equal(map.count, count);
        if (step % 1000 != 0) continue;
        for (int i = 0; i < ENTRIES; i++) assert_ptr_equal(map_get(&map, key_of(&entries[i])), entries[i].is_in ? &entries[i] : NULL);
    }
    map_free(&map);
}

static int start(void **state) {
    (void)state;
    crypto_init();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_get_remove),
        cmocka_unit_test(a_cleared_map_is_as_new),
        cmocka_unit_test(a_replaced_entrys_old_key_may_go),
        cmocka_unit_test(a_full_map_refuses_only_new_keys),
        cmocka_unit_test(it_agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
