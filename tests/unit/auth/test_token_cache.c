#include "../base/assertions.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/token_cache.h"

#define CAPACITY       4
#define BYTES_CAPACITY ((size_t)4 * LIMIT_TOKEN_BYTES)
#define TOKEN_BYTES    600

static char token_bytes[LIMIT_TOKEN_BYTES];

/* A token with this number at its end; the bytes live until the next call. */
static struct text token_of(size_t number, size_t size) {
    memset(token_bytes, 'a', size);
    char digits[24];
    size_t digit_count = (size_t)snprintf(digits, sizeof digits, "%zu", number);
    assert_true(digit_count <= size);
    memcpy(token_bytes + size - digit_count, digits, digit_count);
    return (struct text){token_bytes, size};
}

static struct token_cache *make(size_t capacity) {
    struct token_cache *cache;
    crypto_init();
    assert_ok(token_cache_create(capacity, BYTES_CAPACITY, &cache));
    return cache;
}

static void put_text(struct token_cache *cache, struct text token, int64_t mark) {
    struct token_proof proof = {.expires_at_us = mark};
    token_cache_put(cache, token, &proof);
}

static void put(struct token_cache *cache, size_t number) { put_text(cache, token_of(number, TOKEN_BYTES), (int64_t)number); }

/* -1: forgotten. */
static int64_t get_text(struct token_cache *cache, struct text token) {
    const struct token_proof *proof = token_cache_get(cache, token);
    return proof == NULL ? -1 : proof->expires_at_us;
}

static int64_t get(struct token_cache *cache, size_t number) { return get_text(cache, token_of(number, TOKEN_BYTES)); }

static void the_oldest_is_forgotten(void **state) {
    (void)state;
    struct token_cache *cache = make(CAPACITY);
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
    struct token_cache *cache = make(CAPACITY);
    for (size_t round = 0; round < 50; round++) { /* the same one is never there twice */
        put(cache, 1);
        put(cache, 2);
        assert_int_equal(token_cache_count(cache), 2);
    }
    token_cache_remove(cache, token_of(1, TOKEN_BYTES));
    token_cache_remove(cache, token_of(1, TOKEN_BYTES));
    assert_int_equal(get(cache, 1), -1);
    assert_int_equal(get(cache, 2), 2);
    assert_int_equal(token_cache_count(cache), 1);
    for (size_t i = 10; i < 30; i++) put(cache, i);
    assert_int_equal(token_cache_count(cache), CAPACITY);
    assert_int_equal(get(cache, 29), 29);
    token_cache_free(cache);
    token_cache_free(NULL);
}

static void only_the_very_same_token_is_known(void **state) {
    (void)state;
    struct token_cache *cache = make(CAPACITY);
    put(cache, 7);
    char *other = malloc(TOKEN_BYTES + 1);
    memcpy(other, token_of(7, TOKEN_BYTES).data, TOKEN_BYTES);
    for (size_t i = 0; i < TOKEN_BYTES; i++) {
        for (int bit = 0; bit < 8; bit++) {
            other[i] = (char)(other[i] ^ (1 << bit));
            assert_int_equal(get_text(cache, (struct text){other, TOKEN_BYTES}), -1);
            other[i] = (char)(other[i] ^ (1 << bit));
        }
    }
    assert_int_equal(get_text(cache, (struct text){other, TOKEN_BYTES}), 7);
    other[TOKEN_BYTES] = 'a';
    assert_int_equal(get_text(cache, (struct text){other, TOKEN_BYTES + 1}), -1);
    for (size_t size = 1; size < TOKEN_BYTES; size++) {
        assert_int_equal(get_text(cache, (struct text){other, size}), -1);
        assert_int_equal(get_text(cache, (struct text){other + TOKEN_BYTES - size, size}), -1); /* the same end */
    }
    /* what is not there is not taken out either */
    token_cache_remove(cache, (struct text){other + 1, TOKEN_BYTES - 1});
    assert_int_equal(get(cache, 7), 7);
    free(other);
    token_cache_free(cache);
}

static void tokens_with_the_same_end_do_not_answer_for_each_other(void **state) {
    (void)state;
    struct token_cache *cache = make(CAPACITY);
    for (int round = 0; round < 20; round++) {
        for (size_t size = 100; size < 110; size++) {
            put_text(cache, token_of(5, size), (int64_t)size);
            assert_int_equal(token_cache_count(cache), 1);
            assert_int_equal(get_text(cache, token_of(5, size)), size);
            assert_int_equal(get_text(cache, token_of(5, size - 1)), -1);
        }
    }
    token_cache_free(cache);
}

/* Sizes of all kinds, so that the bytes come to their end in every way: what is remembered is right, and never too much. */
static void its_bytes_are_bounded(void **state) {
    (void)state;
    enum { TOKENS = 3000, LATEST = 100 };
    struct token_cache *cache = make(1000);
    size_t *sizes = calloc(TOKENS, sizeof *sizes);
    uint32_t random = 12345;
    for (size_t i = 0; i < TOKENS; i++) {
        random = random * 1664525u + 1013904223u; /* any spread will do */
        sizes[i] = i % 50 == 49 ? LIMIT_TOKEN_BYTES : 40 + (random >> 16) % 900;
        put_text(cache, token_of(i, sizes[i]), (int64_t)i);
        size_t known_bytes = 0, known_count = 0;
        bool is_known = true;
        for (size_t back = 0; back <= i && back < LATEST * 3; back++) {
            size_t number = i - back;
            int64_t mark = get_text(cache, token_of(number, sizes[number]));
            if (!is_known) assert_int_equal(mark, -1); /* first in, first out */
            is_known = mark == (int64_t)number;
            if (is_known) known_bytes += sizes[number];
            if (is_known) known_count++;
        }
        assert_true(known_count > 0 && known_bytes <= BYTES_CAPACITY);
        assert_int_equal(token_cache_count(cache), known_count);
        /* no more is lost than the end of the ring, which is shorter than one token, and the one that had to go */
        if (i >= LATEST) assert_true(known_bytes + 2 * LIMIT_TOKEN_BYTES > BYTES_CAPACITY);
    }
    free(sizes);
    token_cache_free(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_is_forgotten),
        cmocka_unit_test(put_again_and_removed),
        cmocka_unit_test(only_the_very_same_token_is_known),
        cmocka_unit_test(tokens_with_the_same_end_do_not_answer_for_each_other),
        cmocka_unit_test(its_bytes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
