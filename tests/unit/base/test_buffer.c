#include "assertions.h"

#include "base/buffer.h"

static void it_grows_and_keeps_order(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1u << 20);
    struct buffer buffer;
    buffer_init(&buffer, &arena, 0);
    for (int i = 0; i < 20000; i++) {
        buffer_append_integer(&buffer, i % 10);
        if (i % 100 == 0) assert_non_null(arena_take(&arena, 24));
    }
    assert_false(buffer.failed);
    assert_int_equal(buffer.size, 20000);
    for (size_t i = 0; i < buffer.size; i++) assert_int_equal(buffer.data[i], '0' + (int)(i % 10));
    arena_release(&arena);
}

static void pieces(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 65536);
    struct buffer buffer;
    buffer_init(&buffer, &arena, 1);
    buffer_append(&buffer, TEXT("a"));
    buffer_append(&buffer, (struct text){NULL, 0});
    buffer_append_byte(&buffer, '\n');
    buffer_print(&buffer, "%s=%d;", "x", -5);
    buffer_append_integer(&buffer, INT64_MIN);
    buffer_append_byte(&buffer, ' ');
    buffer_append_integer(&buffer, INT64_MAX);
    buffer_append_integer(&buffer, 0);
    assert_text(buffer_text(&buffer), "a\nx=-5;-9223372036854775808 92233720368547758070");
    arena_release(&arena);
}

static void it_prints_into_what_it_has_and_beyond(void **state) {
    (void)state;
    struct arena arena;
    struct buffer buffer;
    arena_init(&arena, 65536);
    buffer_init(&buffer, &arena, 16);
    buffer_print(&buffer, "%015d", 1); /* with its terminator exactly what there is */
    assert_int_equal(buffer.capacity, 16);
    buffer_print(&buffer, "%s", "");
    buffer_print(&buffer, "%d", 2); /* fits, and its terminator does not */
    buffer_print(&buffer, "%0*d", 300, 3);
    assert_false(buffer.failed);
    assert_int_equal(buffer.size, 316);
    assert_memory_equal(buffer.data, "0000000000000012000", 19);
    assert_int_equal(buffer.data[315], '3');
    arena_release(&arena);
}

static void it_stays_failed_after_an_overflow(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 128);
    struct buffer buffer;
    buffer_init(&buffer, &arena, 16);
    for (int i = 0; i < 200; i++) buffer_append_byte(&buffer, 'x');
    assert_true(buffer.failed);
    assert_true(buffer.size >= 64 && buffer.size <= 128);
    size_t size = buffer.size;
    buffer_append(&buffer, TEXT(""));
    buffer_append_byte(&buffer, 'y');
    buffer_print(&buffer, "y");
    assert_true(buffer.failed);
    assert_int_equal(buffer.size, size);
    arena_release(&arena);
    buffer_init(&buffer, &arena, 16);
    buffer_append(&buffer,
                  (struct text){"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                                "01234567890123456789012345678901234567890",
                                140});
    buffer_append_byte(&buffer, 'y'); /* would fit, but behind a gap */
    assert_true(buffer.failed);
    assert_int_equal(buffer.size, 0);
    struct buffer none;
    buffer_init(&none, &arena, 1000);
    assert_true(none.failed);
    buffer_append_byte(&none, 'y');
    assert_int_equal(none.size, 0);
    arena_release(&arena);
}

static void a_big_one_uses_the_arena_to_its_limit(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 100000);
    struct buffer buffer;
    buffer_init(&buffer, &arena, 4096);
    for (int i = 0; i < 90000; i++) buffer_append_byte(&buffer, 'x');
    assert_false(buffer.failed);
    arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_and_keeps_order),
        cmocka_unit_test(pieces),
        cmocka_unit_test(it_prints_into_what_it_has_and_beyond),
        cmocka_unit_test(it_stays_failed_after_an_overflow),
        cmocka_unit_test(a_big_one_uses_the_arena_to_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
