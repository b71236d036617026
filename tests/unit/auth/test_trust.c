#include "forge.h"

#include <pthread.h>
#include <stdatomic.h>

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

static bool knows(const struct trust *trust, const struct key_ring *ring) {
    return trust_find_key(trust, 0, key_id(key_ring_signer(ring))) != NULL;
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
        "", "null", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[1,null,{},[]]}", "{\"keys\":\"a\"}"};
    for (size_t i = 0; i < ARRAY_COUNT(nothings); i++) {
        assert_result(trust_accept_jwks(trust, 0, text_of(nothings[i])), RESULT_INVALID);
        assert_false(trust_has_keys(trust, 0));
    }
    assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[0], &arena)));
    uint64_t generation = trust_generation(trust);
    assert_true(knows(trust, rings[0]));
    assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[0], &arena))); /* the same: dropped */
    assert_int_equal(trust_generation(trust), generation);
    assert_result(trust_accept_jwks(trust, 0, TEXT("{\"keys\":[]}")), RESULT_INVALID);
    assert_true(knows(trust, rings[0]));
    assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[1], &arena)));
    assert_true(trust_generation(trust) > generation);
    assert_false(knows(trust, rings[0]));
    assert_true(knows(trust, rings[1]));
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
    assert_null(trust_find_key(trust, 0, TEXT("a")));
    /* more than fit, and a document that is too large */
    struct buffer many;
    buffer_init(&many, &arena, 65536);
    buffer_append(&many, TEXT("{\"keys\":["));
    const char *tail = strstr(arena_print(&arena, "%.*s", (int)good.size, good.data).data, "\"alg\"");
    for (int i = 0; i < 40; i++) buffer_print(&many, "%s{\"kty\":\"EC\",\"kid\":\"k%d\",%s", i == 0 ? "" : ",", i, tail);
    buffer_append(&many, TEXT("]}"));
    assert_ok(trust_accept_jwks(trust, 0, buffer_text(&many)));
    assert_non_null(trust_find_key(trust, 0, TEXT("k15")));
    assert_null(trust_find_key(trust, 0, TEXT("k16")));
    char *huge = malloc(LIMIT_BODY_BYTES + 1);
    memset(huge, ' ', LIMIT_BODY_BYTES + 1);
    memcpy(huge, mixed.data, mixed.size);
    assert_result(trust_accept_jwks(trust, 0, (struct text){huge, LIMIT_BODY_BYTES + 1}), RESULT_INVALID);
    free(huge);
    trust_free(trust);
}

static void fetched_keys_are_kept_for_the_next_start(void **state) {
    (void)state;
    char folder[64], path[128];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/discount.jwks", folder);
    struct trust *trust = make_trust("https://example.invalid/", path);
    trust_load(trust);
    assert_false(trust_has_keys(trust, 0));
    assert_true(trust_source_is_url(trust_issuer(trust, 0)));
    assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[0], &arena)));
    trust_free(trust);
    trust = make_trust("https://example.invalid/", path);
    trust_load(trust);
    assert_true(knows(trust, rings[0]));
    trust_free(trust);
    /* a copy that cannot be kept, or is damaged, only costs the copy */
    assert_ok(file_replace(path, TEXT("{\"keys\":")));
    trust = make_trust("https://example.invalid/", path);
    trust_load(trust);
    assert_false(trust_has_keys(trust, 0));
    trust_free(trust);
    trust = make_trust("https://example.invalid/", "/nowhere/at/all");
    assert_ok(trust_accept_jwks(trust, 0, jwks_of(rings[0], &arena)));
    assert_true(knows(trust, rings[0]));
    trust_free(trust);
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
    const struct trust *trust = argument;
    while (!atomic_load(&is_over)) {
        uint64_t generation = trust_generation(trust);
        bool has_any = knows(trust, rings[0]) || knows(trust, rings[1]) || knows(trust, rings[2]);
        if (!has_any) CHECK(trust_generation(trust) != generation); /* between the looks the set was replaced */
        const struct key *key = trust_find_key(trust, 0, key_id(key_ring_signer(rings[1])));
        if (key != NULL) CHECK(text_equal(key->public_json, key_ring_signer(rings[1])->public_json));
    }
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
    for (size_t i = 0; i < 60; i++) assert_ok(trust_accept_jwks(trust, 0, sets[i % 3]));
    atomic_store(&is_over, true);
    for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(readers[i], NULL), 0);
    trust_free(trust);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_issuers_are_refused),
        cmocka_unit_test(sets_are_replaced_whole_or_not_at_all),
        cmocka_unit_test(bad_keys_beside_good_ones_are_ignored),
        cmocka_unit_test(fetched_keys_are_kept_for_the_next_start),
        cmocka_unit_test(a_file_may_come_later),
        cmocka_unit_test(readers_see_the_old_set_or_the_new),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
