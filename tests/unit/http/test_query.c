#include "http/query.h"

#include "fixture.h"

struct answers {
    struct text name, kind;
    int64_t limit, from_us;
    struct id id;
    bool has_limit;
};

static void read_target(struct fixture *fixture, const char *target, struct answers *answers, struct faults *faults) {
    const struct query_member members[] = {
        {.name = "name", .kind = QUERY_TEXT, .target = &answers->name, .min = 1, .max = 8},
        {.name = "limit", .kind = QUERY_INTEGER, .target = &answers->limit, .min = 1, .max = 200, .present = &answers->has_limit},
        {.name = "from", .kind = QUERY_TIME, .target = &answers->from_us},
        {.name = "id", .kind = QUERY_ID, .target = &answers->id},
        {.name = "kind", .kind = QUERY_CHOICE, .target = &answers->kind, .choices = "credit|debit"},
    };
    fixture_init(fixture, NULL);
    *answers = (struct answers){.has_limit = true};
    faults_init(faults, &fixture->exchange.arena);
    assert_true(fixture_read(fixture, "GET", target, ""));
    query_read(&fixture->exchange, members, ARRAY_COUNT(members), faults);
}

static void test_values_are_decoded_and_typed(void **state) {
    (void)state;
    struct fixture fixture;
    struct answers answers;
    struct faults faults;
    read_target(&fixture, "/x?name=a%20b+c&limit=50&from=2026-11-22T10:00:00Z&id=018f0000-0000-7000-8000-000000000001&kind=debit&",
                &answers, &faults);
    assert_int_equal(faults.count, 0);
    assert_text(answers.name, "a b c");
    assert_int_equal(answers.limit, 50);
    assert_true(answers.has_limit);
    assert_int_equal(answers.from_us, INT64_C(1795341600000000));
    assert_int_equal(answers.id.bytes[15], 1);
    assert_text(answers.kind, "debit");
    fixture_clear(&fixture);
}

static void one_fault(const char *target, const char *field, const char *code) {
    struct fixture fixture;
    struct answers answers;
    struct faults faults;
    read_target(&fixture, target, &answers, &faults);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].field, field);
    assert_string_equal(faults.items[0].code, code);
    fixture_clear(&fixture);
}

static void test_each_fault_names_its_parameter(void **state) {
    (void)state;
    one_fault("/x?nam=1", "nam", "unknown_field");
    one_fault("/x?limit=1&limit=2", "limit", "duplicate_field");
    one_fault("/x?limit=0", "limit", "out_of_range");
    one_fault("/x?limit=201", "limit", "out_of_range");
    one_fault("/x?limit=1.0", "limit", "invalid_format");
    one_fault("/x?limit=", "limit", "invalid_format");
    one_fault("/x?limit=-", "limit", "invalid_format");
    one_fault("/x?limit=99999999999999999999", "limit", "invalid_format");
    one_fault("/x?name=", "name", "too_short");
    one_fault("/x?name", "name", "too_short");
    one_fault("/x?name=123456789", "name", "too_long");
    one_fault("/x?from=yesterday", "from", "invalid_format");
    one_fault("/x?id=7", "id", "invalid_format");
    one_fault("/x?kind=credi", "kind", "invalid_choice");
    one_fault("/x?kind=credit%7Cdebit", "kind", "invalid_choice");
}

static void test_all_faults_come_together(void **state) {
    (void)state;
    struct fixture fixture;
    struct answers answers;
    struct faults faults;
    read_target(&fixture, "/x?a=1&limit=x&kind=y", &answers, &faults);
    assert_int_equal(faults.count, 3);
    assert_false(answers.has_limit);
    fixture_clear(&fixture);
}

static void test_too_many_parameters_are_a_fault(void **state) {
    (void)state;
    struct fixture fixture;
    struct answers answers;
    struct faults faults;
    read_target(&fixture, "/x?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q", &answers, &faults);
    assert_int_equal(faults.count, EXCHANGE_QUERY_MAX + 1);
    assert_string_equal(faults.items[EXCHANGE_QUERY_MAX].code, "too_many");
    fixture_clear(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_decoded_and_typed),
        cmocka_unit_test(test_each_fault_names_its_parameter),
        cmocka_unit_test(test_all_faults_come_together),
        cmocka_unit_test(test_too_many_parameters_are_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
