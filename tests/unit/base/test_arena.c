#include "assertions.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>

#include "base/arena.h"

static void takings_are_aligned_and_apart(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1u << 20);
    char *taken[500];
    for (size_t i = 0; i < ARRAY_COUNT(taken); i++) {
        size_t size = i * 7 % 300; /* some chunks are filled, some rests lost */
        taken[i] = arena_take(&arena, size);
        assert_non_null(taken[i]);
        assert_int_equal((uintptr_t)taken[i] % alignof(max_align_t), 0);
        memset(taken[i], (int)(i % 251), size);
    }
    for (size_t i = 0; i < ARRAY_COUNT(taken); i++) {
        for (size_t at = 0; at < i * 7 % 300; at++) assert_int_equal((unsigned char)taken[i][at], i % 251);
    }
    arena_release(&arena);
    assert_null(arena.newest);
    assert_int_equal(arena.used_bytes, 0);
}

static void big_takings_fit_and_leave_the_chunk_in_use(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 4u << 20);
    char *small = arena_take(&arena, 16);
    char *big = arena_take_zeroed(&arena, 1u << 20);
    char *next = arena_take(&arena, 16);
    assert_non_null(big);
    for (size_t i = 0; i < 1u << 20; i += 4096) assert_int_equal(big[i], 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
    assert_ptr_equal(next, small + 16);
#endif
    assert_non_null(next);
    assert_non_null(small);
    arena_release(&arena);
}

static void the_limit_holds(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024);
    assert_non_null(arena_take(&arena, 1008));
    assert_null(arena_take(&arena, 32));
    assert_null(arena_take(&arena, SIZE_MAX));
    assert_null(arena_take(&arena, SIZE_MAX - 20));
    assert_null(ARENA_NEW(
        &arena, struct { char bytes[64]; }));
    assert_null(arena_copy(&arena, TEXT("0123456789012345678901234567890123456789")).data);
    assert_null(arena_print(&arena, "%1000d", 1).data);
    assert_non_null(arena_take(&arena, 16));
    assert_null(arena_take(&arena, 1));
    arena_release(&arena);
    assert_non_null(arena_take(&arena, 1008)); /* usable again */
    arena_release(&arena);
}

static void copies_are_terminated(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 65536);
    memset(arena_take(&arena, 1000), 'x', 1000);
    arena_release(&arena); /* what comes now stands where these were */
    struct text copy = arena_copy(&arena, (struct text){"abcdef", 3});
    assert_text(copy, "abc");
    assert_int_equal(copy.data[3], '\0');
    assert_text(arena_copy(&arena, (struct text){NULL, 0}), "");
    assert_text(arena_print(&arena, "%d-%s", 42, "x"), "42-x");
    struct text long_print = arena_print(&arena, "%5000d", 7);
    assert_int_equal(long_print.size, 5000);
    assert_int_equal(long_print.data[5000], '\0');
    arena_release(&arena);
}

static void a_print_takes_what_it_needs_and_no_more(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 96);
    struct text first = arena_print(&arena, "%031d", 1); /* 32 bytes with its end */
    size_t used_bytes = arena.used_bytes;
    struct text second = arena_print(&arena, "%s", "two");
    assert_text(second, "two");
    assert_text(first, "0000000000000000000000000000001"); /* what came later stands behind it */
    size_t left = 96 - arena.used_bytes;
    assert_true(arena.used_bytes - used_bytes <= 16);
    assert_null(arena_print(&arena, "%*d", (int)left, 3).data); /* its end has no room */
    assert_int_equal(arena.used_bytes, 96 - left);
    struct text last = arena_print(&arena, "%0*d", (int)left - 1, 3);
    assert_int_equal(last.size, left - 1);
    assert_int_equal(last.data[left - 2], '3');
    assert_null(arena_print(&arena, "%s", "").data);
    assert_text(second, "two");
    arena_release(&arena);
}

static void a_print_may_go_beyond_its_chunk(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1u << 20);
    assert_text(arena_print(&arena, "%s", "a"), "a");
    struct text big = arena_print(&arena, "%03000d", 5); /* there is room for it, but it gets a chunk of its own */
    assert_text(arena_print(&arena, "%s", "b"), "b");
    assert_int_equal(strlen(big.data), 3000);
    assert_int_equal(big.data[2999], '5');
    for (int i = 0; i < 200; i++) {
        struct text text = arena_print(&arena, "%0*d", 97 + i * 13 % 2000, i);
        assert_int_equal(text.size, 97 + i * 13 % 2000);
        assert_int_equal(strlen(text.data), text.size);
        assert_int_equal(strtol(text.data + text.size - 4, NULL, 10), i);
    }
    arena_release(&arena);
}

static void resizing_keeps_the_content(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1u << 20);
    size_t size = 10;
    char *data = arena_take(&arena, size);
    memset(data, 'a', size);
    while (size < 200000) {
        if (size % 3 == 0) assert_non_null(arena_take(&arena, 8)); /* not the last any more: it has to move */
        size_t bigger = size + size / 2 + 1;
        data = arena_resize(&arena, data, size, bigger);
        assert_non_null(data);
        memset(data + size, 'a', bigger - size);
        size = bigger;
    }
    for (size_t i = 0; i < size; i++) assert_int_equal(data[i], 'a');
    assert_null(arena_resize(&arena, data, size, (1u << 20) + 1));
    assert_int_equal(data[size - 1], 'a'); /* the old one stays */
    assert_non_null(arena_resize(&arena, NULL, 0, 100));
    arena_release(&arena);
}

static void growing_a_big_one_does_not_pay_twice(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 100000);
    char *data = arena_take(&arena, 50000);
    assert_non_null(data);
    assert_non_null(arena_take(&arena, 100));
    assert_non_null(arena_resize(&arena, data, 50000, 99000)); /* 149000 if it were copied */
    assert_int_equal(arena.used_bytes / 1000, 99);
    arena_release(&arena);
}

static void big_ones_grow_in_any_order(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 64u << 20);
    size_t sizes[3] = {4096, 4096, 4096};
    char *data[3];
    for (size_t i = 0; i < ARRAY_COUNT(data); i++) {
        data[i] = arena_take(&arena, sizes[i]);
        memset(data[i], (int)i, sizes[i]);
        assert_non_null(arena_take(&arena, 100));
    }
    for (size_t round = 0; round < 24; round++) {
        size_t i = round * 2 % ARRAY_COUNT(data);
        data[i] = arena_resize(&arena, data[i], sizes[i], sizes[i] * 2);
        assert_non_null(data[i]);
        memset(data[i] + sizes[i], (int)i, sizes[i]);
        sizes[i] *= 2;
        size_t chunks = 0;
        for (size_t at = 0; at < ARRAY_COUNT(data); at++) {
            chunks += sizes[at];
            assert_int_equal(data[at][0], at);
            assert_int_equal(data[at][sizes[at] - 1], at);
        }
        assert_true(arena.used_bytes >= chunks && arena.used_bytes <= chunks + 3 * 112);
    }
    arena_release(&arena);
}

static void *take_on_this_thread(void *context) {
    struct arena *arena = context;
    for (int i = 0; i < 100; i++) {
        char *data = arena_take(arena, 1000);
        if (data == NULL) return NULL;
        memset(data, i, 1000);
    }
    return arena;
}

static void another_thread_may_release(void **state) {
    (void)state;
    for (int round = 0; round < 30; round++) { /* more chunks than a thread keeps */
        struct arena arena;
        arena_init(&arena, 1u << 20);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, take_on_this_thread, &arena), 0);
        void *done = NULL;
        assert_int_equal(pthread_join(thread, &done), 0);
        assert_ptr_equal(done, &arena);
        arena_release(&arena);
    }
}

static void *take_and_release(void *context) {
    struct arena arena;
    arena_init(&arena, 1u << 20);
    void *done = take_on_this_thread(&arena);
    arena_release(&arena);
    *(bool *)context = done != NULL;
    return NULL;
}

static void a_threads_end_frees_its_spares(void **state) {
    (void)state; /* the leak checker says so */
    pthread_t thread;
    bool done = false;
    assert_int_equal(pthread_create(&thread, NULL, take_and_release, &done), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(done);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takings_are_aligned_and_apart),
        cmocka_unit_test(big_takings_fit_and_leave_the_chunk_in_use),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(copies_are_terminated),
        cmocka_unit_test(a_print_takes_what_it_needs_and_no_more),
        cmocka_unit_test(a_print_may_go_beyond_its_chunk),
        cmocka_unit_test(resizing_keeps_the_content),
        cmocka_unit_test(growing_a_big_one_does_not_pay_twice),
        cmocka_unit_test(big_ones_grow_in_any_order),
        cmocka_unit_test(another_thread_may_release),
        cmocka_unit_test(a_threads_end_frees_its_spares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
