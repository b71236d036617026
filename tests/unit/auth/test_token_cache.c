#include "../base/assertions.h"

#include "auth/token_cache.h"

#define CAPACITY 4

static struct hash digest_of(size_t number) { return crypto_hash((struct text){(const char *)&number, sizeof number}); }

static void put(struct token_cache *cache, size_t number) {
    struct hash digest = digest_of(number);
    struct token_proof proof = {.expires_at_us = (int64_t)number};
    token_cache_put(cache, &digest, &proof);
}

/* -1: forgotten. */
static int64_t get(struct token_cache *cache, size_t number) {
    struct hash digest = digest_of(number);
    const struct token_proof *proof = token_cache_get(cache, &digest);
    return proof == NULL ? -1 : proof->expires_at_us;
}

static void the_oldest_is_forgotten(void **state) {
    (void)state;
    struct token_cache *cache;
    crypto_init();
    assert_ok(token_cache_create(CAPACITY, &cache));
    assert_int_equal(get(cache, 1), -1);
    for (size_t i = 1; i <= 1000; i++) {
        put(cache, i);
        assert_int_equal(token_cache_count(cache), i < CAPACITY ? i : CAPACITY);
        assert_int_equal(get(cache, i), i);
        if (i > CAPACITY) assert_int_equal(get(cache, i - CAPACITY), -1);
        if (i >= CAPACITY) assert_int_equal(get(cache, i - CAPACITY + 1), i - CAPACITY + 1);
    }
    token_cache_free(cache);
}

static void put_again_and_removed(void **state) {
    (void)state;
    struct token_cache *cache;
    assert_ok(token_cache_create(CAPACITY, &cache));
    for (size_t round = 0; round < 50; round++) { /* the same one never takes more than its place */
        put(cache, 1);
        put(cache, 2);
        assert_int_equal(token_cache_count(cache), 2);
    }
    struct hash digest = digest_of(1);
    token_cache_remove(cache, &digest);
    token_cache_remove(cache, &digest);
    assert_int_equal(get(cache, 1), -1);
    assert_int_equal(get(cache, 2), 2);
    assert_int_equal(token_cache_count(cache), 1);
    for (size_t i = 10; i < 30; i++) put(cache, i);
    assert_int_equal(token_cache_count(cache), CAPACITY);
    assert_int_equal(get(cache, 29), 29);
    token_cache_free(cache);
    token_cache_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_is_forgotten),
        cmocka_unit_test(put_again_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
