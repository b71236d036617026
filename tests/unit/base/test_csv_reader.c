/* Rows of CSV, line by line: what people and spreadsheets write, and what is wrong with a line. */
#include "base/csv_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* On the heap, so that a byte behind the end is found. */
static void begin(struct csv_reader *reader, char **memory, const char *text) {
    size_t size = strlen(text);
    *memory = malloc(size == 0 ? 1 : size);
    assert_non_null(*memory);
    memcpy(*memory, text, size);
    csv_reader_begin(reader, (struct text){*memory, size});
}

static void check_row(const struct csv_row *row, size_t count, const char *const *cells) {
    assert_int_equal(row->count, count);
    for (size_t i = 0; i < count; i++) assert_true(text_equal(row->cells[i], text_of(cells[i])));
}

static void test_lines_end_in_any_way(void **state) {
    (void)state;
    struct csv_reader reader;
    struct csv_row row;
    char *memory;
    begin(&reader, &memory, "\xEF\xBB\xBFphone\r\n12,\n\n \"a,b\"\t, c ");
    assert_true(csv_read_row(&reader, &row));
    check_row(&row, 1, (const char *[]){"phone"});
    assert_int_equal(reader.line, 1);
    assert_true(csv_read_row(&reader, &row));
    check_row(&row, 2, (const char *[]){"12", ""});
    assert_true(csv_read_row(&reader, &row));
    check_row(&row, 1, (const char *[]){""});
    assert_int_equal(reader.line, 3);
    assert_true(csv_read_row(&reader, &row));
    check_row(&row, 2, (const char *[]){"a,b", "c"});
    assert_null(row.fault);
    assert_int_equal(reader.line, 4);
    assert_false(csv_read_row(&reader, &row));
    free(memory);
}

static void test_nothing_has_no_rows(void **state) {
    (void)state;
    struct csv_reader reader;
    struct csv_row row;
    char *memory;
    begin(&reader, &memory, "");
    assert_false(csv_read_row(&reader, &row));
    free(memory);
    begin(&reader, &memory, "\xEF\xBB\xBF");
    assert_false(csv_read_row(&reader, &row));
    free(memory);
    begin(&reader, &memory, "\n");
    assert_true(csv_read_row(&reader, &row));
    check_row(&row, 1, (const char *[]){""});
    assert_false(csv_read_row(&reader, &row));
    free(memory);
}

static void test_bad_lines_say_why(void **state) {
    (void)state;
    static const char *const bad[] = {"a\"b", "\"a", "\"a\"\"b\"", "a\"", "1,2,3,4,5,6,7,8,9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct csv_reader reader;
        struct csv_row row;
        char *memory;
        begin(&reader, &memory, bad[i]);
        assert_true(csv_read_row(&reader, &row));
        assert_non_null(row.fault);
        assert_true(row.count <= CSV_CELLS_MAX);
        assert_false(csv_read_row(&reader, &row));
        free(memory);
    }
    struct csv_reader reader;
    struct csv_row row;
    char *memory;
    begin(&reader, &memory, "1,2,3,4,5,6,7,8\n\"\"");
    assert_true(csv_read_row(&reader, &row));
    assert_null(row.fault);
    assert_int_equal(row.count, CSV_CELLS_MAX);
    assert_true(csv_read_row(&reader, &row));
    check_row(&row, 1, (const char *[]){""});
    assert_null(row.fault);
    free(memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines_end_in_any_way), cmocka_unit_test(test_nothing_has_no_rows),
                                       cmocka_unit_test(test_bad_lines_say_why)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
