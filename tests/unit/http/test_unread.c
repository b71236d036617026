#include "http/unread.h"

#include "fixture.h"

#include "base/limits.h"

static char bytes[UNREAD_BYTES_MAX];

static void test_bytes_are_kept_and_given_back(void **state) {
    (void)state;
    struct unread_pool pool = {0};
    struct unread unread = {0};
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (char)(i * 7);
    static const size_t sizes[] = {1, 1024, 1025, 3, UNREAD_BYTES_MAX, 0, 17};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        assert_true(unread_keep(&pool, &unread, (struct text){bytes + i, sizes[i] - (sizes[i] > i ? i : 0)}));
        assert_true(unread.size <= unread.capacity);
        assert_memory_equal(unread.bytes != NULL ? unread.bytes : "", bytes + i, unread.size);
        assert_int_equal(pool.out_bytes, unread.capacity);
    }
    const char *place = unread.bytes;
    unread_drop(&pool, &unread);
    assert_null(unread.bytes);
    assert_int_equal(pool.out_bytes, 0);
    assert_true(unread_keep(&pool, &unread, (struct text){bytes, 10}));
    assert_ptr_equal(unread.bytes, place); /* used again */
    unread_drop(&pool, &unread);
    unread_pool_free(&pool);
}

static void test_all_together_are_bounded(void **state) {
    (void)state;
    enum { COUNT = LIMIT_UNREAD_BYTES / UNREAD_BYTES_MAX };
    static struct unread many[COUNT];
    struct unread_pool pool = {0};
    struct unread one = {0};
    for (size_t i = 0; i < COUNT; i++) assert_true(unread_keep(&pool, &many[i], (struct text){bytes, sizeof(bytes)}));
    assert_false(unread_keep(&pool, &one, (struct text){bytes, 1}));
    assert_null(one.bytes);
    unread_drop(&pool, &many[0]);
    assert_true(unread_keep(&pool, &one, (struct text){bytes, 1}));
    unread_drop(&pool, &one);
    for (size_t i = 1; i < COUNT; i++) unread_drop(&pool, &many[i]);
    assert_true(pool.spare_bytes <= 1024 * 1024); /* the rest is the system's again */
    unread_pool_free(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_kept_and_given_back),
        cmocka_unit_test(test_all_together_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
