#include "assertions.h"

#include <stdio.h>

#include "base/fault.h"

static void faults_are_copied(void **state) {
    (void)state;
    struct arena arena;
    struct faults faults;
    arena_init(&arena, 65536);
    faults_init(&faults, &arena);
    assert_false(faults_any(&faults));
    char field[] = "amount";
    faults_add(&faults, field, "out_of_range", "must be from %d to %d", 1, 9);
    field[0] = 'x';
    assert_true(faults_any(&faults));
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].field, "amount");
    assert_string_equal(faults.items[0].code, "out_of_range");
    assert_string_equal(faults.items[0].detail, "must be from 1 to 9");
    arena_release(&arena);
}

static void the_number_is_bounded_and_the_rest_counted(void **state) {
    (void)state;
    struct arena arena;
    struct faults faults;
    arena_init(&arena, 65536);
    faults_init(&faults, &arena);
    for (unsigned i = 0; i < LIMIT_FAULTS + 5; i++) faults_add(&faults, "f", "c", "number %u", i);
    assert_int_equal(faults.count, LIMIT_FAULTS);
    assert_int_equal(faults.dropped, 5);
    assert_string_equal(faults.items[LIMIT_FAULTS - 1].detail, "number 31");
    arena_release(&arena);
}

static void without_memory_a_fault_still_counts(void **state) {
    (void)state;
    struct arena arena;
    struct faults faults;
    arena_init(&arena, 0);
    faults_init(&faults, &arena);
    faults_add(&faults, "field", "required", "must be given");
    assert_true(faults_any(&faults));
    assert_string_equal(faults.items[0].code, "required");
    assert_string_equal(faults.items[0].field, "");
    assert_string_equal(faults.items[0].detail, "");
    arena_release(&arena);
}

static void a_long_detail_is_cut_between_characters(void **state) {
    (void)state;
    struct arena arena;
    struct faults faults;
    arena_init(&arena, 65536);
    faults_init(&faults, &arena);
    char words[601];
    for (size_t i = 0; i < 600; i += 2) memcpy(words + i, "\u0633", 2);
    words[600] = '\0';
    for (int shift = 0; shift < 2; shift++) {
        faults_add(&faults, "f", "c", "%s%s", shift == 0 ? "" : "x", words);
        size_t characters = 0;
        struct text detail = text_of(faults.items[shift].detail);
        assert_ok(text_count_characters(detail, &characters));
        assert_true(detail.size >= 250 && detail.size < 256);
    }
    arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_copied),
        cmocka_unit_test(the_number_is_bounded_and_the_rest_counted),
        cmocka_unit_test(without_memory_a_fault_still_counts),
        cmocka_unit_test(a_long_detail_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
