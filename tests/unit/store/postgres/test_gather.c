/* From a question's text to the text that asks it many times at once. */
#include "store/postgres/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static void assert_gathered(const char *sql, unsigned form, const char *expected) {
    const struct question question = {.name = "a question", .sql = sql, .parameters = {COLUMN_ID, COLUMN_TEXT}};
    char *text = NULL;
    assert_int_equal(gather_text(&question, form, &text).code, RESULT_OK);
    assert_string_equal(text, expected);
    free(text);
}

static void assert_refused(const char *sql) {
    const struct question question = {.name = "a question", .sql = sql, .parameters = {COLUMN_ID, COLUMN_TEXT}};
    char *text = NULL;
    assert_int_equal(gather_text(&question, GATHER_MANY, &text).code, RESULT_INVALID);
}

#define ARRAYS "unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS asked (asked_1, asked_2, asked_ordinal)"

static void one_is_asked_as_it_stands(void **state) {
    (void)state;
    assert_gathered("SELECT a FROM t WHERE id = $1 AND b = $2 LIMIT 1", GATHER_ONE, "SELECT a FROM t WHERE id = $1 AND b = $2 LIMIT 1");
}

static void a_select_is_asked_for_each(void **state) {
    (void)state;
    assert_gathered("SELECT a, '$1 ''$2' FROM t WHERE id = $1 AND b > $2 ORDER BY b LIMIT 1", GATHER_MANY,
                    "SELECT asked.asked_ordinal, answer.* FROM " ARRAYS
                    " CROSS JOIN LATERAL (SELECT a, '$1 ''$2' FROM t WHERE id = asked.asked_1 AND b > "
                    "asked.asked_2 ORDER BY b LIMIT 1) AS answer ORDER BY asked.asked_ordinal");
}

static void what_is_inserted_comes_from_the_arrays(void **state) {
    (void)state;
    assert_gathered("INSERT INTO t (a, b) VALUES ($1, lower($2)) ON CONFLICT (a) DO UPDATE SET b = excluded.b", GATHER_MANY,
                    "INSERT INTO t (a, b) SELECT asked.asked_1, lower(asked.asked_2) FROM " ARRAYS
                    " ORDER BY asked.asked_ordinal ON CONFLICT (a) DO UPDATE SET b = excluded.b");
    assert_gathered("INSERT INTO t (a, b) SELECT x.a, $2 FROM x JOIN y ON y.a = x.a WHERE x.id = $1 ON CONFLICT (a) DO NOTHING",
                    GATHER_MANY,
                    "INSERT INTO t (a, b) SELECT answer.* FROM " ARRAYS
                    " CROSS JOIN LATERAL (SELECT x.a, asked.asked_2 FROM x JOIN y ON y.a = x.a WHERE x.id "
                    "= asked.asked_1 ) AS answer ORDER BY asked.asked_ordinal ON CONFLICT (a) DO NOTHING");
}

static void a_change_looks_at_the_arrays(void **state) {
    (void)state;
    assert_gathered("UPDATE t SET b = $2 WHERE id = $1", GATHER_MANY,
                    "UPDATE t SET b = asked.asked_2  FROM " ARRAYS " WHERE id = asked.asked_1");
    assert_gathered("UPDATE t SET b = x.b FROM x WHERE x.a IS DISTINCT FROM $2 AND id = $1", GATHER_MANY,
                    "UPDATE t SET b = x.b FROM " ARRAYS " CROSS JOIN x WHERE x.a IS DISTINCT FROM asked.asked_2 AND id = asked.asked_1");
    assert_gathered("UPDATE t SET b = (a IS DISTINCT FROM $2) WHERE id = $1", GATHER_MANY,
                    "UPDATE t SET b = (a IS DISTINCT FROM asked.asked_2)  FROM " ARRAYS " WHERE id = asked.asked_1");
    assert_gathered("DELETE FROM t WHERE id = $1 AND b = $2", GATHER_MANY,
                    "DELETE FROM t  USING " ARRAYS " WHERE id = asked.asked_1 AND b = asked.asked_2");
}

static void rows_are_counted_where_they_are_written(void **state) {
    (void)state;
    assert_gathered(
        "UPDATE t SET b = $2 WHERE id = $1", GATHER_ONE | GATHER_CHECKED,
        "WITH touched AS (UPDATE t SET b = $2 WHERE id = $1 RETURNING 1 AS ordinal) SELECT 1 / (count(*) = $3)::integer FROM touched");
    assert_gathered("UPDATE t SET b = $2 WHERE id = $1", GATHER_MANY | GATHER_CHECKED,
                    "WITH touched AS (UPDATE t SET b = asked.asked_2  FROM " ARRAYS
                    " WHERE id = asked.asked_1 RETURNING asked.asked_ordinal AS ordinal) "
                    "SELECT 1 / (count(*) = $3 AND count(DISTINCT ordinal) = $4)::integer FROM touched");
}

static void what_cannot_be_gathered_is_refused(void **state) {
    (void)state;
    assert_refused("INSERT INTO t (a, b) VALUES ($1, $2), ($2, $1)");
    assert_refused("INSERT INTO t (a, b) VALUES ($1, 0) ON CONFLICT (a) DO UPDATE SET b = $2");
    assert_refused("TRUNCATE t");
}

static void a_text_with_arrays_of_its_own_is_left_alone(void **state) {
    (void)state;
    static const char sql[] =
        "SELECT q.n, t.a FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS q (id, b, n) JOIN t USING (id) ORDER BY q.n";
    const struct question question = {.name = "a question", .sql = "SELECT a", .postgres = sql, .parameters = {COLUMN_ID, COLUMN_TEXT}};
    char *text = NULL;
    assert_true(gather_is_many_only(&question));
    assert_int_equal(gather_text(&question, GATHER_MANY, &text).code, RESULT_OK);
    assert_string_equal(text, sql);
    free(text);
}

static void an_insertion_alone_always_writes(void **state) {
    (void)state;
    assert_true(gather_writes_always(&(struct question){.sql = "INSERT INTO t (a) VALUES ($1)"}));
    assert_false(gather_writes_always(&(struct question){.sql = "INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO NOTHING"}));
    assert_false(gather_writes_always(&(struct question){.sql = "INSERT INTO t (a) SELECT $1 WHERE false"}));
    assert_false(gather_writes_always(&(struct question){.sql = "UPDATE t SET a = $1"}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_asked_as_it_stands),
        cmocka_unit_test(a_select_is_asked_for_each),
        cmocka_unit_test(what_is_inserted_comes_from_the_arrays),
        cmocka_unit_test(a_change_looks_at_the_arrays),
        cmocka_unit_test(rows_are_counted_where_they_are_written),
        cmocka_unit_test(what_cannot_be_gathered_is_refused),
        cmocka_unit_test(a_text_with_arrays_of_its_own_is_left_alone),
        cmocka_unit_test(an_insertion_alone_always_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
