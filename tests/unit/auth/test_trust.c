#include "forge.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/file.h"
#include "auth/trust.h"
#include "base/limits.h"

static struct arena arena;
static struct key_ring *rings[3];

static int open_all(void **state) {
    (void)state;
    crypto_init();
    arena_init(&arena, 16u * 1024 * 1024);
    for (size_t i = 0; i < ARRAY_COUNT(rings); i++) rings[i] = make_ring(KEY_ES256);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rings); i++) key_ring_free(rings[i]);
    arena_release(&arena);
    return 0;
}

static struct trust *make_trust(const char *source, const char *cache_path) {
    struct trusted_issuer issuer = {.name = "discount", .kind = IDENTITY_SERVICE, .source = source, .cache_path = cache_path};
    struct trust *trust;
    assert_ok(trust_create("wallet", &issuer, 1, &trust));
    return trust;
}

static bool knows_as(struct trust *trust, struct trust_reader *reader, const struct key_ring *ring) {
    trust_begin_reading(trust, reader);
    const struct key *key = trust_find_key(trust, 0, key_id(key_ring_signer(ring)));
    bool is_it = key != NULL && text_equal(key->public_json, key_ring_signer(ring)->public_json);
    CHECK(is_it == trust_has_key(trust, 0, &key_ring_signer(ring)->digest));
    CHECK(is_it == (key != NULL));
    trust_end_reading(reader);
    return is_it;
}

static bool knows(struct trust *trust, const struct key_ring *ring) {
    struct trust_reader reader;
    trust_add_reader(trust, &reader);
    bool is_known = knows_as(trust, &reader, ring);
    trust_remove_reader(trust, &reader);
    return is_known;
}

static void odd_issuers_are_refused(void **state) {
    (void)state;
    const struct trusted_issuer good = {.name = "wallet", .kind = IDENTITY_USER, .ring = rings[0]};
    struct trusted_issuer issuers[20];
    struct trust *trust;
    for (size_t i = 0; i < ARRAY_COUNT(issuers); i++) issuers[i] = good;
    assert_result(trust_create("wallet", issuers, 2, &trust), RESULT_INVALID); /* two of one name */
    assert_result(trust_create("wallet", issuers, ARRAY_COUNT(issuers), &trust), RESULT_INVALID);
    assert_result(trust_create("", issuers, 1, &trust), RESULT_INVALID);
    issuers[0].name = "";
    assert_result(trust_create("wallet", issuers, 1, &trust), RESULT_INVALID);
    issuers[0].name = "a_name_that_is_longer_than_a_name_may_be";
    assert_result(trust_create("wallet", issuers, 1, &trust), RESULT_INVALID);
    issuers[0] = good;
    issuers[0].ring = NULL; /* no keys from anywhere */
    assert_result(trust_create("wallet", issuers, 1, &trust), RESULT_INVALID);
    issuers[0] = good;
    issuers[0].kind = IDENTITY_NOBODY;
    assert_result(trust_create("wallet", issuers, 1, &trust), RESULT_INVALID);
    assert_ok(trust_create("wallet", &good, 1, &trust));
    assert_int_equal(trust_issuer_count(trust), 1);
    assert_string_equal(trust_issuer(trust, 0)->name, "wallet");
    trust_free(trust);
}

static void sets_are_replaced_whole_or_not_at_all(void **state) {
    (void)state;
    struct trust *trust = make_trust("http://127.0.0.1:1/", NULL);
    trust_load(trust);
    assert_false(trust_has_keys(trust, 0));
    static const char *const nothings[] = {
        "",      "null", "[]", "{}", "{\"keys\":{}}", "{\"keys\":null}", "{\"keys\":\"a\"}", "{\"keys\":[]", "{\"keys\":[],\"keys\":[]}",
        "<html>"};
    for (size_t i = 0; i < ARRAY_COUNT(nothings); i++) {
        assert_result(trust_accept_jwks(trust, 0, text_of(nothings[i])), RESULT_INVALID);
        assert_false(trust_has_keys(trust, 0));
    }
    assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[0], &arena)));
    uint64_t generation = trust_generation(trust);
    assert_true(knows(trust, rings[0]));
    assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[0], &arena))); /* the same: dropped */
    assert_int_equal(trust_generation(trust), generation);
    for (size_t i = 0; i < ARRAY_COUNT(nothings); i++) assert_result(trust_accept_jwks(trust, 0, text_of(nothings[i])), RESULT_INVALID);
    assert_true(knows(trust, rings[0])); /* it says nothing: nothing is withdrawn */
    assert_int_equal(trust_generation(trust), generation);
    assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[1], &arena)));
    assert_true(trust_generation(trust) > generation);
    assert_false(knows(trust, rings[0]));
    assert_true(knows(trust, rings[1]));
    trust_free(trust);
}

static void an_empty_set_withdraws_all(void **state) {
    (void)state;
    static const char *const empty[] = {"{\"keys\":[]}", "{\"keys\":[1,null,{},[]]}",
                                        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AA\"}]}"};
    struct trust *trust = make_trust("http://127.0.0.1:1/", NULL);
    for (size_t i = 0; i < ARRAY_COUNT(empty); i++) {
        assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[0], &arena)));
        assert_true(knows(trust, rings[0]));
        assert_ok(trust_accept_jwks(trust, 0, text_of(empty[i])));
        assert_false(knows(trust, rings[0]));
        assert_false(trust_has_keys(trust, 0));
    }
    trust_forget_keys(trust, 0);
    assert_false(trust_has_keys(trust, 0));
    trust_free(trust);
}

/* However often an issuer changes its mind: what nobody reads is freed (the address sanitizer and the count of sets would tell). */
static void a_replaced_set_lives_as_long_as_it_is_read(void **state) {
    (void)state;
    struct trust *trust = make_trust("http://127.0.0.1:1/", NULL);
    struct trust_reader reader, idle;
    trust_add_reader(trust, &idle);
    trust_add_reader(trust, &reader);
    assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[0], &arena)));
    trust_begin_reading(trust, &reader);
    const struct key *key = trust_find_key(trust, 0, key_id(key_ring_signer(rings[0])));
    assert_non_null(key);
    for (size_t i = 1; i < 50; i++) assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[i % 3], &arena)));
    trust_forget_keys(trust, 0);
    assert_text(
        key->public_json,
        arena_print(&arena, "%.*s", (int)key_ring_signer(rings[0])->public_json.size, key_ring_signer(rings[0])->public_json.data).data);
    trust_end_reading(&reader);
    trust_remove_reader(trust, &idle);
    trust_remove_reader(trust, &reader);
    trust_free(trust);
}

static void bad_keys_beside_good_ones_are_ignored(void **state) {
    (void)state;
    struct trust *trust = make_trust("http://127.0.0.1:1/", NULL);
    struct text good = key_ring_signer(rings[0])->public_json;
    struct text mixed = arena_print(&arena, "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AA\"},%.*s,7,%.*s]}", (int)good.size,
                                    good.data, (int)good.size, good.data);
    assert_ok(trust_accept_jwks(trust, 0, mixed));
    assert_true(knows(trust, rings[0]));
    struct trust_reader reader;
    trust_add_reader(trust, &reader);
    trust_begin_reading(trust, &reader);
    assert_null(trust_find_key(trust, 0, TEXT("a")));
    trust_end_reading(&reader);
    /* more than fit, and a document that is too large */
    struct buffer many;
    buffer_init(&many, &arena, 65536);
    buffer_append(&many, TEXT("{\"keys\":["));
    const char *tail = strstr(arena_print(&arena, "%.*s", (int)good.size, good.data).data, "\"alg\"");
    for (int i = 0; i < 40; i++) buffer_print(&many, "%s{\"kty\":\"EC\",\"kid\":\"k%d\",%s", i == 0 ? "" : ",", i, tail);
    buffer_append(&many, TEXT("]}"));
    assert_ok(trust_accept_jwks(trust, 0, buffer_text(&many)));
    trust_begin_reading(trust, &reader);
    assert_non_null(trust_find_key(trust, 0, TEXT("k15")));
    assert_null(trust_find_key(trust, 0, TEXT("k16")));
    trust_end_reading(&reader);
    trust_remove_reader(trust, &reader);
    char *huge = malloc(LIMIT_BODY_BYTES + 1);
    memset(huge, ' ', LIMIT_BODY_BYTES + 1);
    memcpy(huge, mixed.data, mixed.size);
    assert_result(trust_accept_jwks(trust, 0, (struct text){huge, LIMIT_BODY_BYTES + 1}), RESULT_INVALID);
    free(huge);
    trust_free(trust);
}

#define HOUR_US (3600 * CLOCK_SECOND_US)

static struct trust *make_another(const char *source, const char *path) {
    struct trust *trust = make_trust(source, path);
    trust_load(trust);
    assert_false(trust_has_keys(trust, 0)); /* a copy is asked for, not believed by itself */
    return trust;
}

static void fetched_keys_are_kept_for_the_next_start(void **state) {
    (void)state;
    char folder[64], path[128];
    int64_t age_us = -1;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/discount.jwks", folder);
    struct trust *trust = make_another("https://example.invalid/", path);
    assert_result(trust_use_kept(trust, 0, NOW_US, HOUR_US, &age_us), RESULT_NOT_FOUND);
    assert_true(trust_source_is_url(trust_issuer(trust, 0)));
    assert_ok(trust_accept_fetched(trust, 0, jwks_of(rings[0], &arena), NOW_US));
    trust_free(trust);
    static const struct {
        int64_t now_us;
        enum result_code code;
    } cases[] = {
        {NOW_US, RESULT_OK},
        {NOW_US + HOUR_US - 1, RESULT_OK},
        {NOW_US + HOUR_US, RESULT_TIMEOUT},
        {NOW_US - 1, RESULT_TIMEOUT}, /* a clock that was set back: how old it is can't be known */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        trust = make_another("https://example.invalid/", path);
        struct result used = trust_use_kept(trust, 0, cases[i].now_us, HOUR_US, &age_us);
        assert_int_equal(used.code, cases[i].code);
        assert_int_equal(knows(trust, rings[0]), cases[i].code == RESULT_OK);
        if (cases[i].code == RESULT_OK) assert_int_equal(age_us, cases[i].now_us - NOW_US);
        trust_free(trust);
    }
    trust = make_another("https://elsewhere.invalid/", path); /* somebody else's keys */
    assert_result(trust_use_kept(trust, 0, NOW_US, HOUR_US, &age_us), RESULT_NOT_FOUND);
    trust_free(trust);
    remove_folder(folder);
}

static void a_copy_that_is_no_good_only_costs_the_copy(void **state) {
    (void)state;
    char folder[64], path[128];
    int64_t age_us;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/discount.jwks", folder);
    static const char *const damaged[] = {"{\"keys\":", "",
                                          "{\"fetched_at\":\"2026-11-22T10:00:00Z\",\"source\":\"https://example.invalid/\"}",
                                          "{\"fetched_at\":7,\"source\":\"https://example.invalid/\",\"keys\":[]}"};
    for (size_t i = 0; i <= ARRAY_COUNT(damaged); i++) {
        /* the last one: a set as it came, of a version that did not write when */
        assert_ok(file_replace(path, i < ARRAY_COUNT(damaged) ? text_of(damaged[i]) : jwks_of(rings[0], &arena)));
        struct trust *trust = make_another("https://example.invalid/", path);
        assert_result(trust_use_kept(trust, 0, NOW_US, HOUR_US, &age_us), RESULT_CORRUPT);
        assert_false(trust_has_keys(trust, 0));
        trust_free(trust);
    }
    struct trust *trust = make_another("https://example.invalid/", "/nowhere/at/all");
    assert_ok(trust_accept_fetched(trust, 0, jwks_of(rings[0], &arena), NOW_US));
    assert_true(knows(trust, rings[0]));
    trust_free(trust);
    /* one that can't be replaced is removed: it might hold what was withdrawn since */
    char blocked[160];
    snprintf(blocked, sizeof blocked, "%s.new", path);
    assert_int_equal(mkdir(blocked, 0700), 0);
    trust = make_another("https://example.invalid/", path);
    assert_ok(trust_accept_fetched(trust, 0, jwks_of(rings[1], &arena), NOW_US));
    assert_int_equal(access(path, F_OK), -1);
    trust_free(trust);
    assert_int_equal(rmdir(blocked), 0);
    remove_folder(folder);
}

static void a_file_may_come_later(void **state) {
    (void)state;
    char folder[64], path[128];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/discount.jwks", folder);
    struct trust *trust = make_trust(path, NULL);
    trust_load(trust);
    assert_false(trust_source_is_url(trust_issuer(trust, 0)));
    assert_false(trust_has_keys(trust, 0));
    assert_result(trust_load_file(trust, 0), RESULT_NOT_FOUND);
    assert_ok(file_replace(path, jwks_of(rings[1], &arena)));
    assert_ok(trust_load_file(trust, 0));
    assert_true(knows(trust, rings[1]));
    trust_free(trust);
    remove_folder(folder);
}

static atomic_bool is_over;

static void *read_keys(void *argument) {
    struct trust *trust = argument;
    struct trust_reader reader;
    trust_add_reader(trust, &reader);
    while (!atomic_load(&is_over)) {
        uint64_t generation = trust_begin_reading(trust, &reader);
        size_t known = 0;
        for (size_t i = 0; i < 3; i++) {
            const struct key *key = trust_find_key(trust, 0, key_id(key_ring_signer(rings[i])));
            if (key != NULL) CHECK(text_equal(key->public_json, key_ring_signer(rings[i])->public_json));
            known += key != NULL;
        }
        /* Between the looks the set was replaced, and its number follows. */
        for (int looks = 0; known != 1 && trust_generation(trust) == generation; looks++) CHECK(looks < 100000000);
        trust_end_reading(&reader);
    }
    trust_remove_reader(trust, &reader);
    return NULL;
}

static void readers_see_the_old_set_or_the_new(void **state) {
    (void)state;
    struct trust *trust = make_trust("http://127.0.0.1:1/", NULL);
    struct text sets[3];
    for (size_t i = 0; i < 3; i++) sets[i] = jwks_of(rings[i], &arena);
    assert_ok(trust_accept_jwks(trust, 0, sets[0]));
    pthread_t readers[2];
    atomic_store(&is_over, false);
    for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_create(&readers[i], NULL, read_keys, trust), 0);
    for (size_t i = 0; i < 600; i++) assert_ok(trust_accept_jwks(trust, 0, sets[i % 3]));
    atomic_store(&is_over, true);
    for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(readers[i], NULL), 0);
    trust_free(trust);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_issuers_are_refused),
        cmocka_unit_test(sets_are_replaced_whole_or_not_at_all),
        cmocka_unit_test(bad_keys_beside_good_ones_are_ignored),
        cmocka_unit_test(an_empty_set_withdraws_all),
        cmocka_unit_test(a_replaced_set_lives_as_long_as_it_is_read),
        cmocka_unit_test(fetched_keys_are_kept_for_the_next_start),
        cmocka_unit_test(a_copy_that_is_no_good_only_costs_the_copy),
        cmocka_unit_test(a_file_may_come_later),
        cmocka_unit_test(readers_see_the_old_set_or_the_new),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
