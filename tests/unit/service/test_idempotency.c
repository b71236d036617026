#include "../base/assertions.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/problem.h"
#include "http/server.h"
#include "service/idempotency.h"

static const uint8_t secret[CRYPTO_HASH_BYTES] = {1, 2, 3};
static const uint8_t other_secret[CRYPTO_HASH_BYTES] = {3, 2, 1};
static const struct http_service service = {.name = "test"};

struct asked {
    struct exchange exchange;
    struct json_document *document;
    struct idempotency_request request;
};

static void begin(struct asked *asked, const char *path, const char *key) {
    exchange_init(&asked->exchange, &service);
    asked->exchange.method = TEXT("POST");
    asked->exchange.path = text_of(path);
    asked->exchange.idempotency_key = text_of(key);
    asked->exchange.request_id = TEXT("r");
    asked->exchange.caller = (struct identity){.kind = IDENTITY_USER, .user_id = {{7}}};
    asked->document = NULL;
}

static const char *secret_member; /* of all that is asked */

static void read_with(struct asked *asked, const char *body, const uint8_t *key) {
    if (body != NULL) {
        struct faults faults;
        faults_init(&faults, &asked->exchange.arena);
        assert_ok(json_open(&asked->exchange.arena, text_of(body), &faults, &asked->document));
    }
    idempotency_read(&asked->exchange, asked->document == NULL ? NULL : json_root(asked->document), secret_member, key, &asked->request);
}

static void ask(struct asked *asked, const char *path, const char *body) {
    begin(asked, path, "key-1");
    read_with(asked, body, secret);
    assert_non_null(asked->request.fingerprint.data);
}

static void end(struct asked *asked) {
    json_close(asked->document);
    exchange_clear(&asked->exchange);
}

static struct idempotency_record record_of(const struct asked *asked) {
    return (struct idempotency_record){.lookup = asked->request.lookup, .fingerprint = asked->request.fingerprint};
}

/* The fields that a refusal names, joined by blanks; "" when the two are the same request. */
static void expect_differences(const char *path_a, const char *body_a, const char *path_b, const char *body_b, const char *fields) {
    struct asked a, b;
    ask(&a, path_a, body_a);
    ask(&b, path_b, body_b);
    struct idempotency_record record = record_of(&a);
    bool is_same = idempotency_same_request(&record, &b.request);
    if (is_same != (fields[0] == '\0')) fail_msg("%s and %s: same is %d", body_a, body_b, is_same);
    if (!is_same) {
        idempotency_refuse(&b.exchange, &record, &b.request);
        assert_int_equal(b.exchange.status, 422);
        struct arena *arena = &b.exchange.arena;
        struct faults faults;
        struct json_document *problem;
        faults_init(&faults, arena);
        assert_ok(json_open(arena, b.exchange.reply_body, &faults, &problem));
        assert_text(json_get_text(json_root(problem), "code"), "idempotency_key_reused");
        const struct json_value *errors = json_get(json_root(problem), "errors");
        char named[4096] = "";
        for (size_t i = 0; i < json_array_count(errors); i++) {
            const struct json_value *error = json_array_item(errors, i);
            assert_text(json_get_text(error, "code"), "differs");
            size_t size = strlen(named);
            snprintf(named + size, sizeof named - size, "%s%s", i == 0 ? "" : " ", json_get_text(error, "field").data);
        }
        assert_string_equal(named, fields);
        json_close(problem);
    }
    end(&a);
    end(&b);
}

static void differing_members_are_named(void **state) {
    (void)state;
    static const struct {
        const char *a, *b, *fields;
    } cases[] = {
        {"{\"a\":1}", "{\"a\":1}", ""},
        {"{\"a\":1,\"b\":{\"c\":[1,{\"d\":2}]}}", " {\"b\" : {\"c\":[ 1, {\"d\":2} ] },\n\t\"a\":1 }", ""},
        {"{\"a\":\"\\u0041\"}", "{\"a\":\"A\"}", ""},
        {"{}", "{}", ""},
        {"[]", "[]", ""},
        {"{\"a\":1}", "{\"a\":2}", "a"},
        {"{\"a\":1}", "{\"a\":\"1\"}", "a"},
        {"{\"a\":null}", "{}", "a (body)"},
        {"{\"a\":null,\"b\":1}", "{\"b\":1}", "a"},
        {"{\"b\":1}", "{\"a\":0,\"b\":1}", "a"},
        {"{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", "a b"},
        {"{\"credit\":{\"amount\":1,\"currency\":\"IRT\"}}", "{\"credit\":{\"amount\":2,\"currency\":\"IRT\"}}", "credit.amount"},
        {"{\"items\":[{\"r\":\"a\"},{\"r\":\"b\"}]}", "{\"items\":[{\"r\":\"a\"},{\"r\":\"c\"}]}", "items[1].r"},
        {"{\"items\":[{\"r\":\"a\"},{\"r\":\"b\"}]}", "{\"items\":[{\"r\":\"b\"},{\"r\":\"a\"}]}", "items[0].r items[1].r"},
        {"{\"items\":[1,2]}", "{\"items\":[1]}", "items[1]"},
        {"{\"a\":[]}", "{\"a\":{}}", "a"},
        {"{\"a\":[[1,2],[3]]}", "{\"a\":[[1,2],[4]]}", "a[1][0]"},
        {"{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":1}}}}}}}}",
         "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":2}}}}}}}}", "a.b.c.d.e.f"},
        {"{\"a\":\"x,]}{[\\\"\\\\\",\"b\":1}", "{\"a\":\"x,]}{[\\\"\\\\\",\"b\":2}", "b"},
        /* names in which paths could hide */
        {"{\"m\":{\"a.b\":1}}", "{\"m\":{\"a\":{\"b\":1}}}", "m m.a.b"},
        {"{\"a.b\":1}", "{\"a\":{\"b\":1}}", "(body) a.b"},
        {"{\"a[0]\":1}", "{\"a\":[1]}", "(body) a[0]"},
        {"{\"\":1}", "{\"\":2}", "(body)"},
        {"1", "2", "(body)"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) expect_differences("/v1/a", cases[i].a, "/v1/a", cases[i].b, cases[i].fields);
}

static void the_route_is_part_of_the_request(void **state) {
    (void)state;
    expect_differences("/v1/a", "{\"a\":1}", "/v1/b", "{\"a\":1}", "(path)");
    expect_differences("/v1/a", NULL, "/v1/a", NULL, "");
    expect_differences("/v1/a", NULL, "/v1/b", NULL, "(path)");
    expect_differences("/v1/a", NULL, "/v1/a", "{\"a\":1}", "a");
}

/* {"x":1,"items":[0,0,…,last]} */
static const char *long_body(char *buffer, size_t count, int last) {
    size_t size = (size_t)snprintf(buffer, 32, "{\"x\":1,\"items\":[");
    for (size_t i = 0; i + 1 < count; i++) {
        buffer[size++] = '0';
        buffer[size++] = ',';
    }
    snprintf(buffer + size, 8, "%d]}", last);
    return buffer;
}

static void large_bodies_are_told_by_their_members(void **state) {
    (void)state;
    enum { BYTES = 65536 };
    char *a = malloc(BYTES), *b = malloc(BYTES);
    expect_differences("/", long_body(a, 63, 1), "/", long_body(b, 63, 2), "items[62]");
    expect_differences("/", long_body(a, 64, 1), "/", long_body(b, 64, 2), "items"); /* and x: one leaf too many */
    expect_differences("/", long_body(a, 20000, 1), "/", long_body(b, 20000, 2), "items");
    expect_differences("/", long_body(a, 20000, 1), "/", long_body(b, 20000, 1), "");
    struct asked asked;
    ask(&asked, "/", a);
    assert_true(asked.request.fingerprint.size < 200);
    end(&asked);
    free(a);
    free(b);
}

static void many_members_are_told_as_one(void **state) {
    (void)state;
    char body[4096] = "{", other[4096];
    for (int i = 0; i < 65; i++) {
        size_t size = strlen(body);
        snprintf(body + size, sizeof body - size, "%s\"m%d\":1", i == 0 ? "" : ",", i);
    }
    memcpy(other, body, sizeof body);
    size_t size = strlen(body);
    snprintf(body + size, sizeof body - size, "}");
    other[size - 1] = '2';
    snprintf(other + size, sizeof other - size, "}");
    expect_differences("/", body, "/", other, "(body)");
    expect_differences("/", body, "/", body, "");
    /* a long name, too */
    char name[512], long_a[600], long_b[600];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(long_a, sizeof long_a, "{\"%s\":1}", name);
    snprintf(long_b, sizeof long_b, "{\"%s\":2}", name);
    expect_differences("/", long_a, "/", long_b, "(body)");
}

static void the_caller_and_the_key_are_the_lookup(void **state) {
    (void)state;
    struct asked asked[5];
    for (size_t i = 0; i < 5; i++) begin(&asked[i], "/", i == 1 ? "key-2" : "key-1");
    asked[2].exchange.caller.user_id.bytes[15] = 1;
    asked[3].exchange.caller = (struct identity){.kind = IDENTITY_SERVICE, .name_size = 8, .name = "discount"};
    asked[4].exchange.caller = (struct identity){0};
    for (size_t i = 0; i < 5; i++) read_with(&asked[i], "{}", secret);
    static const char *const names[] = {
        [0] = "user:07000000-0000-0000-0000-000000000000\nkey-1", [3] = "service:discount\nkey-1", [4] = "public\nkey-1"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (names[i] == NULL) continue;
        struct hash expected = crypto_hash(text_of(names[i])); /* as it was always kept: a key outlives an update */
        assert_memory_equal(&asked[i].request.lookup, &expected, sizeof expected);
    }
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < i; j++) assert_memory_not_equal(&asked[i].request.lookup, &asked[j].request.lookup, sizeof(struct hash));
        assert_true(text_equal(asked[i].request.fingerprint, asked[0].request.fingerprint)); /* the caller is not asked for */
    }
    for (size_t i = 0; i < 5; i++) end(&asked[i]);
}

static void without_a_key_there_is_nothing_to_do(void **state) {
    (void)state;
    struct asked asked;
    begin(&asked, "/", "");
    read_with(&asked, "{}", secret);
    assert_int_equal(asked.request.key.size, 0);
    assert_int_equal(asked.request.fingerprint.size, 0);
    end(&asked);
}

static void values_are_kept_as_digests(void **state) {
    (void)state;
    struct asked asked, other;
    begin(&asked, "/", "k");
    begin(&other, "/", "k");
    read_with(&asked, "{\"name\":\"correct horse\"}", secret);
    read_with(&other, "{\"name\":\"correct horse\"}", other_secret);
    const char *kept = arena_copy(&asked.exchange.arena, asked.request.fingerprint).data; /* terminated */
    assert_non_null(kept);
    assert_null(strstr(kept, "horse"));
    assert_non_null(strstr(kept, " name\n"));
    assert_false(text_equal(asked.request.fingerprint, other.request.fingerprint)); /* and none can be guessed without the key */
    end(&asked);
    end(&other);
}

/* Wherever it stands, whatever it is, and also where a body is told as a whole. */
static void of_a_secret_not_even_a_digest(void **state) {
    (void)state;
    static const char *const bodies[][2] = {
        {"{\"password\":\"correct horse\"}", "{}"},
        {"{\"a\":1,\"password\":\"}\\\",{\",\"z\":[2]}", "{\"a\":1,\"z\":[2]}"},
        {"{\"password\":{\"x\":[1,\"]\"]},\"z\":3}", "{\"z\":3}"},
        {"{\"a\":{\"password\":1},\"password\":[]}", "{\"a\":{\"password\":1}}"},
        {"{\"a.b\":1,\"password\":\"x\"}", "{\"a.b\":1}"}, /* told as a whole */
    };
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        secret_member = "password";
        expect_differences("/", bodies[i][0], "/", bodies[i][1], "");
        secret_member = NULL;
    }
}

static void no_memory_is_said(void **state) {
    (void)state;
    struct asked asked;
    for (size_t left = 0; left < 2048; left += 16) {
        begin(&asked, "/v1/a", "key");
        struct faults faults;
        faults_init(&faults, &asked.exchange.arena);
        assert_ok(json_open(&asked.exchange.arena, TEXT("{\"a\":1,\"b\":[1,2,3]}"), &faults, &asked.document));
        asked.exchange.arena.limit_bytes = asked.exchange.arena.used_bytes + left;
        idempotency_read(&asked.exchange, json_root(asked.document), NULL, secret, &asked.request);
        if (asked.request.fingerprint.data != NULL) assert_true(asked.request.fingerprint.size > 0);
        if (left == 0) assert_null(asked.request.fingerprint.data);
        end(&asked);
    }
}

static void what_is_kept(void **state) {
    (void)state;
    static const int kept[] = {200, 201, 204, 402, 404, 409, 410, 412, 413, 415, 422};
    static const int not_kept[] = {0, 100, 202, 301, 304, 400, 401, 403, 408, 425, 429, 500, 502, 503, 504, 599};
    for (size_t i = 0; i < ARRAY_COUNT(kept); i++) assert_true(idempotency_keeps(kept[i]));
    for (size_t i = 0; i < ARRAY_COUNT(not_kept); i++) assert_false(idempotency_keeps(not_kept[i]));
}

static struct text header(const struct exchange *exchange, const char *name) {
    for (size_t i = 0; i < exchange->reply_header_count; i++) {
        if (strcmp(exchange->reply_headers[i].name, name) == 0) return exchange->reply_headers[i].value;
    }
    return (struct text){NULL, 0};
}

static void a_replay_is_the_first_answer(void **state) {
    (void)state;
    struct asked asked;
    char body[] = "{\"id\":1} ", type[] = "application/jsonXX", location[] = "/v1/a/1XX"; /* texts of a database: not terminated */
    begin(&asked, "/", "key");
    struct idempotency_record record = {.status = 201,
                                        .content_type = {type, sizeof type - 3},
                                        .location = {location, sizeof location - 3},
                                        .body = {body, sizeof body - 1}};
    idempotency_replay(&asked.exchange, &record);
    memset(body, 'x', sizeof body - 1); /* the record may go */
    assert_int_equal(asked.exchange.status, 201);
    assert_text(asked.exchange.reply_body, "{\"id\":1} ");
    assert_string_equal(asked.exchange.reply_content_type, "application/json");
    assert_text(header(&asked.exchange, "Idempotent-Replayed"), "true");
    assert_text(header(&asked.exchange, "Location"), "/v1/a/1");
    end(&asked);
    begin(&asked, "/", "key");
    record = (struct idempotency_record){.status = 204, .content_type = TEXT(""), .location = TEXT(""), .body = TEXT("")};
    idempotency_replay(&asked.exchange, &record);
    assert_int_equal(asked.exchange.status, 204);
    assert_null(asked.exchange.reply_content_type);
    assert_null(header(&asked.exchange, "Location").data);
    end(&asked);
}

static void damaged_records_are_refused_all_the_same(void **state) {
    (void)state;
    static const char *const fingerprints[] = {
        "", "\n\n", "x", "0123456789abcdef", "0123456789abcdef ", "0123456789abcdef x", "0123456789abcdef x\ny"};
    for (size_t i = 0; i < ARRAY_COUNT(fingerprints); i++) {
        struct asked asked;
        ask(&asked, "/", "{\"a\":1}");
        struct idempotency_record record = {.fingerprint = text_of(fingerprints[i])};
        assert_false(idempotency_same_request(&record, &asked.request));
        idempotency_refuse(&asked.exchange, &record, &asked.request);
        assert_int_equal(asked.exchange.status, 422);
        end(&asked);
    }
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differing_members_are_named),
        cmocka_unit_test(the_route_is_part_of_the_request),
        cmocka_unit_test(large_bodies_are_told_by_their_members),
        cmocka_unit_test(many_members_are_told_as_one),
        cmocka_unit_test(the_caller_and_the_key_are_the_lookup),
        cmocka_unit_test(without_a_key_there_is_nothing_to_do),
        cmocka_unit_test(values_are_kept_as_digests),
        cmocka_unit_test(of_a_secret_not_even_a_digest),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(what_is_kept),
        cmocka_unit_test(a_replay_is_the_first_answer),
        cmocka_unit_test(damaged_records_are_refused_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
