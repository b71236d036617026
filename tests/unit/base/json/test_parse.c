/* The grammar, byte by byte: a table of our own in the shapes of "Parsing JSON is a minefield" (what must be read, what must be refused), and
 * jansson's opinion on all of it and on many thousand texts besides. */
#include "../assertions.h"

#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"

enum verdict { READ, FAULTY, MALFORMED };

static enum verdict judge(struct text text) {
    struct arena arena;
    struct faults faults;
    struct json_document *document;
    arena_init(&arena, LIMIT_ARENA_BYTES);
    faults_init(&faults, &arena);
    struct result opened = json_open_faulty(&arena, text, &faults, &document, &(size_t){0});
    assert_true(result_is_ok(opened) || (opened.code == RESULT_INVALID && !faults_any(&faults)));
    enum verdict verdict = !result_is_ok(opened) ? MALFORMED : faults_any(&faults) ? FAULTY : READ;
    json_close(document);
    arena_release(&arena);
    return verdict;
}

static void test_where_it_ends_is_told(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {
        {"", 0},           {"{", 1},     {"[1,]", 3}, {"[1 2]", 3},      {"{\"a\":1} x", 8}, {"[\"\\x\"]", 3}, {"[\"\\u12g4\"]", 6},
        {"[01]", 2},       {"[-]", 2},   {"[1.]", 3}, {"[\"\x01\"]", 2}, {"[nul]", 1},       {"[\"abc", 5},    {"{\"a\" 1}", 5},
        {"[\"\xff\"]", 2}, {"{1:2}", 1}, {"]", 0}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct arena arena;
        struct faults faults;
        struct json_document *document;
        size_t offset = SIZE_MAX;
        arena_init(&arena, LIMIT_ARENA_BYTES);
        faults_init(&faults, &arena);
        assert_int_equal(json_open_faulty(&arena, text_of(cases[i].text), &faults, &document, &offset).code, RESULT_INVALID);
        if (offset != cases[i].offset) print_error("%s\n", cases[i].text);
        assert_int_equal(offset, cases[i].offset);
        arena_release(&arena);
    }
}

/* In memory of exactly its size, so that the address sanitizer sees one byte too far. */
static void assert_judged(struct text text, enum verdict expected) {
    char *copy = malloc(text.size == 0 ? 1 : text.size);
    assert_non_null(copy);
    memcpy(copy, text.data, text.size);
    struct text exact = {copy, text.size};
    if (judge(exact) != expected) print_error("%.*s\n", (int)text.size, text.data);
    assert_int_equal(judge(exact), expected);
    if (!oracle_agrees(exact)) print_error("jansson disagrees: %.*s\n", (int)text.size, text.data);
    assert_true(oracle_agrees(exact));
    free(copy);
}

/* `texts` has one behind the other, with a ~ between them. */
static void assert_all(const char *texts, enum verdict expected) {
    for (const char *end = strchr(texts, '~'); end != NULL; texts = end + 1, end = strchr(texts, '~')) {
        assert_judged((struct text){texts, (size_t)(end - texts)}, expected);
    }
    assert_judged(text_of(texts), expected);
}

static void what_is_json_is_read(void **state) {
    (void)state;
    static const char texts[] =
        "0~-0~-1~1e5~1E5~1e+5~1e-5~1.0~-0.0~0.1e1~0e0~1.5E-3~123456789012345678~9223372036854775807~-9223372036854775808~1e308~1e-400~"
        "0.0000000000000000000000000000001~1.7976931348623157e308~0.1~0.30000000000000004~5e-324~123456.789e3~"
        "1.00000000000000000000000000000000000000000000001~true~false~null~ true ~\t[\n]\r ~[]~{}~[[]]~[{}]~{\"\":0}~"
        "{\"a\":{\"a\":{\"a\":1}}}~[1, 2 ,3]~{\"a\":1,\"b\":2}~{\"a\":[],\"b\":{}}~[null,1,\"1\",{}]~\"\"~\"a\"~\"\\u0061\\u0000\"~"
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"~\"\\uD834\\udd1e\"~\"\\uDBFF\\uDFFF\"~\"\\uFFFF\\uFFFE\"~\"\x7F\"~"
        "\"\u0633\u0644\u0627\u0645\"~\"\U0010FFFF\"~\"\xF0\x90\x80\x80\"~\"\xEF\xBF\xBF\"~\"\xEE\x80\x80\"~\"\xED\x9F\xBF\"~"
        "\"\u2028\u2029\"~\"\\u2028\"~\"a long text, so that words of eight bytes are read, \\\" and some more of them\"~"
        "\"1234567\\n\"~\"12345678\\n\"~\"123456789\\n\"~\"1234567\u0633\"~\"12345678\u0633\"~{\"a\":\"b\",\"\\u0062\":\"a\"}~"
        "\"\xEF\xBB\xBF\"";
    assert_all(texts, READ);
}

static void structure_is_strict(void **state) {
    (void)state;
    static const char texts[] =
        "~ ~[~]~{~}~[1~[1,~[,~[,1]~[1,]~[1,,2]~[1 2]~[1:2]~[:]~[\"a\":1]~[}~{]~{\"a\"~{\"a\":~{\"a\":1~{\"a\":1,~{\"a\":1,}~{\"a\"}~"
        "{\"a\" 1}~{\"a\",\"b\"}~{\"a\":1 \"b\":2}~{\"a\":1,,\"b\":2}~{,}~{,\"a\":1}~{:1}~{1:1}~{null:1}~{a:1}~{'a':1}~{\"a\"::1}~"
        "{\"a\":1:2}~{\"a\":}~{[]:1}~[]]~{}}~[] []~{} {}~1 2~{}x~{},~[1]1~\"a\"\"b\"~[[[]]~{\"a\":[}~{\"a\":[}]~[{\"a\":1]}~*~[*]~(1)~"
        "<null>~/**/1~1//~#~[1,/**/2]~\xEF\xBB\xBF{}~\xFF\xFE{~\xA0~\f[]~[\v1]~\u2060[]~[\xC2\xA0"
        "1]~\xE5";
    assert_all(texts, MALFORMED);
    assert_int_equal(judge((struct text){NULL, 0}), MALFORMED);
}

static void names_of_values_are_strict(void **state) {
    (void)state;
    static const char texts[] =
        "nul~nulll~Null~NULL~truth~tru~[tru]~fals~falsee~True~[true1]~[nully]~undefined~NaN~-NaN~Infinity~-Infinity~inf~[Inf]";
    assert_all(texts, MALFORMED);
}

static void numbers_are_strict(void **state) {
    (void)state;
    static const char texts[] =
        "01~-01~00~+1~-~--1~-a~.5~-.5~1.~1.e5~1.a~1e~1e+~1e-~1ee5~1e5.5~1.2.3~0x10~0x~1_000~1,000~1f~1 e5~1e 5~- 1~1+2~[1-2]~[-]~[1e]~"
        "[0e]~[0e+]~[2.e3]~0.e1~\uFF11~1\u0661~99999999999999999999x~012e3";
    assert_all(texts, MALFORMED);
}

static void texts_are_strict(void **state) {
    (void)state;
    static const char texts[] =
        "\"~\"a~\"\\~\"\\\"~'a'~a~\"\\x\"~\"\\a\"~\"\\v\"~\"\\0\"~\"\\'\"~\"\\U0061\"~\"\\u\"~\"\\u0\"~\"\\u00\"~\"\\u006\"~"
        "\"\\u00G0\"~\"\\u 061\"~\"\\u+061\"~\"\\u00~\"\\u0061~\"\\\u0633\"~\"\\\n\"~\"a\nb\"~\"\t\"~\"\x01\"~\"\x1F\"~\"\r\"~"
        "\"1234567\x1F\"~\"12345678\x1F\"~[\"a\n\"]~{\"\n\":1}~\"\\\\\\\"";
    assert_all(texts, MALFORMED);
}

static void surrogates_come_in_pairs(void **state) {
    (void)state;
    static const char texts[] =
        "\"\\uD800\"~\"\\uDBFF\"~\"\\uDC00\"~\"\\uDFFF\"~\"\\uD800a\"~\"\\uD800\\n\"~\"\\uD800\\uD800\"~\"\\uDC00\\uD800\"~"
        "\"\\uD800\\u0061\"~\"\\uD800\\uE000\"~\"\\uD800\\u\"~\"\\uD800\\\"~\"\\uD800~\"\\uD834\\uDD1\"~{\"\\uD800\":1}";
    assert_all(texts, MALFORMED);
}

static void utf8_is_strict(void **state) {
    (void)state;
    /* bad UTF-8: alone, too short, overlong, surrogates, beyond Unicode, no lead byte at all */
    static const char texts[] =
        "\"\x80\"~\"\xBF\"~\"\xC2\"~\"\xC2\x20\"~\"\xC0\x80\"~\"\xC1\xBF\"~\"\xE0\x80\x80\"~\"\xE0\x9F\xBF\"~\"\xE2\x82\"~"
        "\"\xE2\x28\xA1\"~\"\xED\xA0\x80\"~\"\xED\xBF\xBF\"~\"\xED\xA0\xB4\xED\xB4\x9E\"~\"\xF0\x80\x80\x80\"~\"\xF0\x8F\xBF\xBF\"~"
        "\"\xF0\x90\x80\"~\"\xF4\x90\x80\x80\"~\"\xF5\x80\x80\x80\"~\"\xF8\x88\x80\x80\x80\"~\"\xFC\x84\x80\x80\x80\x80\"~\"\xFE\"~"
        "\"\xFF\"~\"1234567\xFF\"~\"12345678\xFF\"~\"\xC2~{\"\xFF\":1}~[\xFF]~\xFF";
    assert_all(texts, MALFORMED);
}

static void faults_do_not_save_what_is_malformed(void **state) {
    (void)state;
    static const char texts[] = "{\"a\":1,\"a\":2~{\"a\":99999999999999999999~{\"a\":1,\"a\":2}x~[1e999~{\"a\\u0000\":1";
    assert_all(texts, MALFORMED);
}

static void a_nul_is_nowhere_json(void **state) {
    (void)state;
    static const struct text with_nul[] = {{"{}\0", 3}, {"\0", 1}, {"[\0]", 3}, {"\"\0\"", 3}, {"[1\0]", 4}, {"1\0", 2}, {"\"\\\0\"", 4}};
    for (size_t i = 0; i < ARRAY_COUNT(with_nul); i++) assert_judged(with_nul[i], MALFORMED);
}

static void what_breaks_our_rules_is_faulty(void **state) {
    (void)state;
    static const char texts[] =
        "{\"a\":1,\"a\":1}~{\"a\":1,\"\\u0061\":2}~{\"\\u0633\":1,\"\u0633\":2}~{\"\\uD834\\uDD1E\":1,\"\U0001D11E\":2}~"
        "{\"/\":1,\"\\/\":2}~{\"\":1,\"\":2}~{\"\\n\":1,\"\\u000a\":2}~[{\"x\":[{\"a\":[],\"b\":2,\"a\":{}}]}]~9223372036854775808~"
        "-9223372036854775809~18446744073709551616~18446744073709551615~100000000000000000000000~1e309~-1e309~1e99999999999~"
        "123123e100000~0.4e00669999999999999999999999999999999999999999999999969999999006~{\"a\\u0000b\":1}~"
        "{\"\\u0000\":1,\"\\u0000\":2}~[1e999,{\"a\":1,\"a\":-99999999999999999999}]";
    assert_all(texts, FAULTY);
}

static void every_escape_of_four_digits(void **state) {
    (void)state;
    char text[32];
    for (unsigned unit = 0; unit <= 0xFFFF; unit += unit < 0x300 || (unit > 0xD7F0 && unit < 0xE010) ? 1 : 61) {
        int size = snprintf(text, sizeof text, unit % 2 == 0 ? "[\"\\u%04x\"]" : "[\"\\u%04X\"]", unit);
        assert_judged((struct text){text, (size_t)size}, unit >= 0xD800 && unit <= 0xDFFF ? MALFORMED : READ);
        size = snprintf(text, sizeof text, "\"\\u%04x\\uDC00\"", unit);
        assert_judged((struct text){text, (size_t)size}, unit >= 0xD800 && unit <= 0xDBFF ? READ : MALFORMED);
    }
}

static void every_two_bytes_of_utf8_and_the_edges_of_longer_ones(void **state) {
    (void)state;
    static const unsigned char edges[] = {0x00, 0x22, 0x41, 0x5C, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    unsigned char text[] = {'"', 0, 0, 0, 0, '"'};
    for (unsigned lead = 0x80; lead <= 0xFF; lead++) {
        for (unsigned second = 0; second <= 0xFF; second++) {
            unsigned char two[] = {'"', (unsigned char)lead, (unsigned char)second, '"'};
            assert_true(oracle_agrees((struct text){(const char *)two, sizeof two}));
        }
        for (size_t i = 0; lead >= 0xDF && i < ARRAY_COUNT(edges) * ARRAY_COUNT(edges) * ARRAY_COUNT(edges); i++) {
            text[1] = (unsigned char)lead;
            text[2] = edges[i % ARRAY_COUNT(edges)];
            text[3] = edges[i / ARRAY_COUNT(edges) % ARRAY_COUNT(edges)];
            text[4] = edges[i / ARRAY_COUNT(edges) / ARRAY_COUNT(edges)];
            assert_true(oracle_agrees((struct text){(const char *)text, sizeof text}));
        }
    }
}

static void every_byte_everywhere_in_a_text_that_is_read_by_words(void **state) {
    (void)state;
    for (size_t place = 1; place < 19; place++) {
        for (unsigned byte = 0; byte <= 0xFF; byte++) {
            char text[] = "\"abcdefghijklmnopqr\"";
            text[place] = (char)byte;
            assert_true(oracle_agrees((struct text){text, sizeof text - 1}));
            text[(place + 3) % 18 + 1] = (char)0xFF;
            assert_true(oracle_agrees((struct text){text, sizeof text - 1}));
        }
    }
}

static const char *const seeds[] = {
    "{\"code\":\"WORLD-CUP-2026\",\"n\":[1,-2.5e3,true,null,{\"a\":\"\\u0633\\n\"}]}",
    "[{\"a\":1,\"b\":[]},{\"a\":{},\"\\u0061b\":9223372036854775807},\"\xD8\xB3\\ud834\\udd1e\"]",
    "{\"items\":[{\"reference\":\"x\",\"amount\":1000000,\"currency\":\"IRT\"},{\"amount\":1e3}],\"x\":{\"y\":{\"z\":[[[0]]]}}}",
    "[0.5,-0,1E-7,12345678901234567890,\"\\\\\\\"\",\"\",{},[]]",
};

static void every_start_of_a_text_is_judged_as_jansson_does(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(seeds); i++) {
        size_t size = strlen(seeds[i]);
        for (size_t cut = 0; cut < size; cut++) assert_judged((struct text){seeds[i], cut}, MALFORMED);
    }
}

/* xorshift: the same texts in every run. */
static uint32_t next_random(uint32_t *random) {
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random;
}

static void changed_texts_are_judged_as_jansson_does(void **state) {
    (void)state;
    static const char bytes[] = "{}[]\",:\\u0019eE+-.abdtfnrl \n\x80\xBF\xC3\xD8\xED\xF0\xFF";
    uint32_t random = 20261122;
    for (int round = 0; round < 40000; round++) {
        char text[160];
        const char *seed = seeds[next_random(&random) % ARRAY_COUNT(seeds)];
        size_t size = strlen(seed);
        memcpy(text, seed, size);
        for (uint32_t changes = 1 + next_random(&random) % 3; changes > 0; changes--) {
            size_t at = next_random(&random) % size, from = next_random(&random) % size;
            size_t count = next_random(&random) % 8;
            if (at + count > size || from + count > size) count = 1;
            if (next_random(&random) % 2 == 0) {
                memmove(text + at, text + from, count);
            } else {
                text[at] = bytes[next_random(&random) % (sizeof bytes - 1)];
            }
        }
        if (!oracle_agrees((struct text){text, size})) {
            print_error("%.*s\n", (int)size, text);
            fail();
        }
    }
}

/* {"n0":0,"n1":1,…} with so many different names, each `times` times. */
static struct text print_members(struct arena *arena, unsigned count, unsigned times) {
    struct buffer buffer;
    buffer_init(&buffer, arena, 1u << 21);
    for (unsigned i = 0; i < count * times; i++) buffer_print(&buffer, "%s\"n%u\":%u", i == 0 ? "{" : ",", i % count, i);
    buffer_append_byte(&buffer, '}');
    assert_false(buffer.failed);
    return buffer_text(&buffer);
}

static void a_hundred_thousand_members_are_no_matter(void **state) {
    (void)state;
    struct arena arena;
    struct faults faults;
    struct json_document *document;
    arena_init(&arena, 64u << 20);
    faults_init(&faults, &arena);
    struct text all_different = print_members(&arena, 100000, 1);
    assert_true(oracle_agrees(all_different));
    assert_ok(json_open(&arena, all_different, &faults, &document));
    assert_int_equal(json_get_integer(json_root(document), "n99999", 0), 99999);
    json_close(document);
    assert_ok(json_open_faulty(&arena, print_members(&arena, 1, 100000), &faults, &document, &(size_t){0}));
    assert_int_equal(faults.count, LIMIT_FAULTS);
    assert_int_equal(faults.count + faults.dropped, 99999);
    assert_int_equal(json_get_integer(json_root(document), "n0", 7), 0); /* the first stays */
    json_close(document);
    faults_init(&faults, &arena);
    assert_ok(json_open_faulty(&arena, print_members(&arena, 17, 2), &faults, &document,
                               &(size_t){0})); /* more than are compared each with each */
    assert_int_equal(faults.count, 17);
    assert_string_equal(faults.items[0].field, "n0");
    assert_string_equal(faults.items[16].field, "n16");
    assert_int_equal(json_get_integer(json_root(document), "n16", 0), 16);
    json_close(document);
    arena_release(&arena);
}

static void deep_texts_are_read_to_the_limit(void **state) {
    (void)state;
    char text[2 * 2049];
    for (size_t depth = 2047; depth <= 2049; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(judge((struct text){text, 2 * depth}), depth <= 2048 ? READ : MALFORMED);
        assert_true(oracle_agrees((struct text){text, 2 * depth}));
    }
}

static void a_text_of_a_mebibyte_is_read(void **state) {
    (void)state;
    const size_t size = 1u << 20;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'a', size);
    text[0] = text[size - 1] = '"';
    assert_true(oracle_agrees((struct text){text, size}));
    for (size_t i = 1; i + 12 < size; i += 12) memcpy(text + i, "\\ud834\\udd1e", 12);
    assert_int_equal(judge((struct text){text, size}), READ);
    assert_true(oracle_agrees((struct text){text, size}));
    text[size / 2] = '\x01';
    assert_int_equal(judge((struct text){text, size}), MALFORMED);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_it_ends_is_told),
        cmocka_unit_test(what_is_json_is_read),
        cmocka_unit_test(structure_is_strict),
        cmocka_unit_test(names_of_values_are_strict),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(texts_are_strict),
        cmocka_unit_test(surrogates_come_in_pairs),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(faults_do_not_save_what_is_malformed),
        cmocka_unit_test(a_nul_is_nowhere_json),
        cmocka_unit_test(what_breaks_our_rules_is_faulty),
        cmocka_unit_test(every_escape_of_four_digits),
        cmocka_unit_test(every_two_bytes_of_utf8_and_the_edges_of_longer_ones),
        cmocka_unit_test(every_byte_everywhere_in_a_text_that_is_read_by_words),
        cmocka_unit_test(every_start_of_a_text_is_judged_as_jansson_does),
        cmocka_unit_test(changed_texts_are_judged_as_jansson_does),
        cmocka_unit_test(a_hundred_thousand_members_are_no_matter),
        cmocka_unit_test(deep_texts_are_read_to_the_limit),
        cmocka_unit_test(a_text_of_a_mebibyte_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
