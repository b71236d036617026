#include "../assertions.h"

#include <stdio.h>

#include "base/json/json.h"

struct targets {
    struct text text;
    int64_t integer;
    bool boolean;
    const struct json_value *object, *array;
    int64_t time_us;
    struct id id;
    enum currency currency;
    bool present;
};

static struct arena arena;
static struct faults faults;
static struct json_document *document;

static int begin(void **state) {
    (void)state;
    arena_init(&arena, LIMIT_BATCH_ARENA_BYTES);
    faults_init(&faults, &arena);
    document = NULL;
    return 0;
}

static int end(void **state) {
    (void)state;
    json_close(document);
    arena_release(&arena);
    return 0;
}

static const struct json_value *open_root(const char *json) {
    json_close(document);
    faults_init(&faults, &arena);
    assert_ok(json_open(&arena, text_of(json), &faults, &document));
    return json_root(document);
}

static void assert_only_fault(const char *field, const char *code) {
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].field, field);
    assert_string_equal(faults.items[0].code, code);
    assert_true(strlen(faults.items[0].detail) > 0);
}

/* Reads {"m": …} as one member of this kind and expects it to be refused with this code. */
static void assert_refused(struct json_member member, const char *value, const char *code) {
    char json[256];
    snprintf(json, sizeof json, "{\"m\":%s}", value);
    member.name = "m";
    struct targets before, after;
    memset(&before, 0x55, sizeof before);
    after = before;
    member.target = &after;
    json_read(open_root(json), "p.", &member, 1, &faults);
    assert_only_fault("p.m", code);
    assert_memory_equal(&before, &after, sizeof before); /* a faulty member leaves its target alone */
}

static void every_kind_is_read(void **state) {
    (void)state;
    struct targets targets = {0};
    const struct json_member members[] = {
        {.name = "text", .kind = JSON_TEXT, .target = &targets.text, .required = true, .min = 4, .max = 4, .present = &targets.present},
        {.name = "integer", .kind = JSON_INTEGER, .target = &targets.integer, .min = -5, .max = -5},
        {.name = "boolean", .kind = JSON_BOOLEAN, .target = &targets.boolean},
        {.name = "object", .kind = JSON_OBJECT, .target = &targets.object},
        {.name = "array", .kind = JSON_ARRAY, .target = &targets.array, .min = 2, .max = 2},
        {.name = "time", .kind = JSON_TIME, .target = &targets.time_us},
        {.name = "id", .kind = JSON_ID, .target = &targets.id},
        {.name = "currency", .kind = JSON_CURRENCY, .target = &targets.currency},
    };
    json_read(open_root("{\"text\":\"\u0633\u0644\u0627\u0645\",\"integer\":-5,\"boolean\":true,\"object\":{\"x\":1},\"array\":[1,2],"
                        "\"time\":\"1970-01-01T00:00:01Z\",\"id\":\"017f22e2-79b0-7000-bfff-ffffffffffff\",\"currency\":\"IRR\"}"),
              "", members, ARRAY_COUNT(members), &faults);
    assert_int_equal(faults.count, 0);
    assert_text(targets.text, "\u0633\u0644\u0627\u0645");
    assert_int_equal(targets.text.data[targets.text.size], '\0');
    assert_true(targets.present);
    assert_int_equal(targets.integer, -5);
    assert_true(targets.boolean);
    assert_true(json_is_object(targets.object));
    assert_int_equal(json_array_count(targets.array), 2);
    assert_int_equal(targets.time_us, 1000000);
    assert_int_equal(targets.id.bytes[0], 0x01);
    assert_int_equal(targets.currency, CURRENCY_IRR);
}

static void wrong_types_are_refused(void **state) {
    (void)state;
    static const struct {
        enum json_kind kind;
        const char *values[7];
    } cases[] = {
        {JSON_TEXT, {"1", "true", "null", "[]", "{}", "1.5"}},
        {JSON_INTEGER, {"\"1\"", "true", "null", "1.0", "1e6", "-0.0", "[1]"}},
        {JSON_BOOLEAN, {"0", "\"true\"", "null", "{}"}},
        {JSON_OBJECT, {"[]", "null", "\"{}\"", "1"}},
        {JSON_ARRAY, {"{}", "null", "\"[]\"", "1"}},
        {JSON_TIME, {"1", "null", "{}"}},
        {JSON_ID, {"1", "null", "[]"}},
        {JSON_CURRENCY, {"1", "null", "true"}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (size_t at = 0; at < ARRAY_COUNT(cases[i].values) && cases[i].values[at] != NULL; at++) {
            assert_refused((struct json_member){.kind = cases[i].kind}, cases[i].values[at], "wrong_type");
        }
    }
    assert_refused((struct json_member){.kind = JSON_INTEGER}, "1.0", "wrong_type");
    assert_non_null(strstr(faults.items[0].detail, "write it as an integer, without fraction or exponent"));
}

static void rules_are_kept_to_the_edge(void **state) {
    (void)state;
    assert_refused((struct json_member){.kind = JSON_TEXT, .min = 2, .max = 3}, "\"\u0633\"", "too_short");
    assert_refused((struct json_member){.kind = JSON_TEXT, .min = 2, .max = 3}, "\"abcd\"", "too_long");
    assert_refused((struct json_member){.kind = JSON_INTEGER, .min = 1, .max = 3}, "0", "out_of_range");
    assert_refused((struct json_member){.kind = JSON_INTEGER, .min = 1, .max = 3}, "4", "out_of_range");
    assert_refused((struct json_member){.kind = JSON_ARRAY, .min = 1, .max = 2}, "[]", "too_short");
    assert_refused((struct json_member){.kind = JSON_ARRAY, .min = 1, .max = 2}, "[1,2,3]", "too_long");
    assert_refused((struct json_member){.kind = JSON_TEXT}, "\"a\\u0000b\"", "invalid_format");
    assert_refused((struct json_member){.kind = JSON_TIME}, "\"yesterday\"", "invalid_format");
    assert_refused((struct json_member){.kind = JSON_ID}, "\"1\"", "invalid_format");
    assert_refused((struct json_member){.kind = JSON_CURRENCY}, "\"USD\"", "invalid_format");
    int64_t integer = 0;
    const struct json_member unruled = {.name = "m", .kind = JSON_INTEGER, .target = &integer};
    json_read(open_root("{\"m\":-9223372036854775808}"), "", &unruled, 1, &faults);
    assert_int_equal(faults.count, 0);
    assert_true(integer == INT64_MIN);
}

static void absence_null_and_presence(void **state) {
    (void)state;
    int64_t integer = 42;
    bool present = true;
    struct json_member member = {.name = "m", .kind = JSON_INTEGER, .target = &integer, .present = &present};
    json_read(open_root("{}"), "", &member, 1, &faults);
    assert_int_equal(faults.count, 0);
    assert_false(present);
    json_read(open_root("{\"m\":null}"), "", &member, 1, &faults);
    assert_only_fault("m", "wrong_type");
    assert_false(present);
    member.nullable = true;
    json_read(open_root("{\"m\":null}"), "", &member, 1, &faults);
    assert_int_equal(faults.count, 0);
    assert_false(present);
    member.required = true;
    json_read(open_root("{\"m\":null}"), "", &member, 1, &faults);
    assert_only_fault("m", "required");
    json_read(open_root("{}"), "items[3].", &member, 1, &faults);
    assert_only_fault("items[3].m", "required");
    json_read(open_root("{\"m\":\"x\"}"), "", &member, 1, &faults);
    assert_only_fault("m", "wrong_type");
    assert_true(present);
    assert_int_equal(integer, 42);
}

static void all_faults_are_told_at_once(void **state) {
    (void)state;
    int64_t a = 0, b = 0;
    const struct json_member members[] = {
        {.name = "a", .kind = JSON_INTEGER, .target = &a, .required = true},
        {.name = "b", .kind = JSON_INTEGER, .target = &b, .required = true},
    };
    json_read(open_root("{\"b\":\"x\",\"c\":1,\"ab\":2,\"\":3}"), "", members, ARRAY_COUNT(members), &faults);
    assert_int_equal(faults.count, 5);
    static const char *const expected[][2] = {
        {"a", "required"}, {"b", "wrong_type"}, {"c", "unknown_field"}, {"ab", "unknown_field"}, {"", "unknown_field"}};
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        assert_string_equal(faults.items[i].field, expected[i][0]);
        assert_string_equal(faults.items[i].code, expected[i][1]);
    }
}

static void what_is_no_object_is_a_fault(void **state) {
    (void)state;
    json_read(open_root("[]"), "", NULL, 0, &faults);
    assert_only_fault("", "wrong_type");
    json_read(open_root("1"), "items[3].", NULL, 0, &faults);
    assert_only_fault("items[3]", "wrong_type");
    faults_init(&faults, &arena);
    json_read(NULL, "credit.", NULL, 0, &faults);
    assert_int_equal(faults.count, 0);
}

static void endless_unknown_names_are_bounded(void **state) {
    (void)state;
    struct buffer json;
    buffer_init(&json, &arena, 1024);
    buffer_append_byte(&json, '{');
    for (int i = 0; i < 100; i++) buffer_print(&json, "%s\"%d%1000s\":%d", i == 0 ? "" : ",", i, "\u0633", i);
    buffer_append(&json, TEXT("}\0"));
    const struct json_value *root = open_root(json.data);
    size_t used_before = arena.used_bytes;
    json_read(root, "", NULL, 0, &faults);
    assert_int_equal(faults.count, LIMIT_FAULTS);
    assert_int_equal(faults.dropped, 100 - LIMIT_FAULTS);
    assert_true(strlen(faults.items[0].field) <= 128);
    assert_true(arena.used_bytes - used_before < 32768);
}

static void money(void **state) {
    (void)state;
    struct money money = {0};
    json_read_money(open_root("{\"amount\":9007199254740991,\"currency\":\"IRT\"}"), "credit.", &faults, &money);
    assert_int_equal(faults.count, 0);
    assert_true(money_equal(money, (struct money){MONEY_AMOUNT_MAX, CURRENCY_IRT}));
    static const char *const bad[][3] = {
        {"{\"amount\":0,\"currency\":\"IRT\"}", "credit.amount", "out_of_range"},
        {"{\"amount\":9007199254740992,\"currency\":\"IRT\"}", "credit.amount", "out_of_range"},
        {"{\"amount\":-1,\"currency\":\"IRT\"}", "credit.amount", "out_of_range"},
        {"{\"amount\":1e6,\"currency\":\"IRT\"}", "credit.amount", "wrong_type"},
        {"{\"amount\":1}", "credit.currency", "required"},
        {"{\"amount\":1,\"currency\":\"irt\"}", "credit.currency", "invalid_format"},
        {"{\"amount\":1,\"currency\":\"IRT\",\"x\":1}", "credit.x", "unknown_field"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        json_read_money(open_root(bad[i][0]), "credit.", &faults, &money);
        assert_only_fault(bad[i][1], bad[i][2]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_is_read, begin, end),
        cmocka_unit_test_setup_teardown(wrong_types_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(rules_are_kept_to_the_edge, begin, end),
        cmocka_unit_test_setup_teardown(absence_null_and_presence, begin, end),
        cmocka_unit_test_setup_teardown(all_faults_are_told_at_once, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_object_is_a_fault, begin, end),
        cmocka_unit_test_setup_teardown(endless_unknown_names_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(money, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
