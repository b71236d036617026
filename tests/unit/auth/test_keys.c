#include "forge.h"

#include <sys/stat.h>

#include "auth/private_key.h"
#include "base/json/json.h"
#include "base/limits.h"

static struct arena arena;
static char folder[64];

static int open_all(void **state) {
    (void)state;
    crypto_init();
    arena_init(&arena, 16u * 1024 * 1024);
    make_folder(folder);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    remove_folder(folder);
    arena_release(&arena);
    return 0;
}

/* The path of the folder's first key file. */
static const char *find_file(void) {
    DIR *open = opendir(folder);
    const struct dirent *entry;
    const char *path = NULL;
    while (path == NULL && (entry = readdir(open)) != NULL) {
        if (strstr(entry->d_name, ".jwk") != NULL) path = arena_print(&arena, "%s/%s", folder, entry->d_name).data;
    }
    closedir(open);
    assert_non_null(path);
    return path;
}

/* The private number is 73; its id begins with "-uFpJ2". */
static const char like_a_flag[] =
    "{\"x\":\"OSxLuj5hBiREV9Udu0ahmNYrlTvvKUoTNpIOY8xJQM0\",\"y\":\"5QyCGtavhJ2zw9e_a1lMkfz9hnlWiCIJX97VgocUa9I\",\"d\":"
    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEk\"}";
static size_t made_like_a_flag; /* of those to come, the first so many */

struct private_key *__real_private_key_make(enum key_algorithm algorithm);
struct private_key *__wrap_private_key_make(enum key_algorithm algorithm);
struct private_key *__wrap_private_key_make(enum key_algorithm algorithm) {
    if (made_like_a_flag == 0) return __real_private_key_make(algorithm);
    made_like_a_flag--;
    struct faults faults;
    struct json_document *document;
    faults_init(&faults, &arena);
    assert_ok(json_open(&arena, text_of(like_a_flag), &faults, &document));
    struct private_key *key = private_key_read(KEY_ES256, json_root(document));
    json_close(document);
    return key;
}

static void without_a_key_there_is_no_ring(void **state) {
    (void)state;
    struct key_ring *ring;
    assert_result(key_ring_load(folder, &ring), RESULT_NOT_FOUND);
    assert_result(key_ring_load("/nowhere/at/all", &ring), RESULT_NOT_FOUND);
    assert_result(key_generate("/nowhere/at/all", KEY_ES256, NOW_US), RESULT_IO);
}

static void the_newest_key_signs_and_all_are_published(void **state) {
    (void)state;
    struct key_ring *ring;
    assert_ok(key_generate(folder, KEY_RS256, NOW_US));
    assert_ok(key_ring_load(folder, &ring));
    struct text first = arena_copy(&arena, key_id(key_ring_signer(ring)));
    struct stat status;
    assert_int_equal(stat(find_file(), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    key_ring_free(ring);

    assert_ok(key_generate(folder, KEY_ES256, NOW_US + 1));
    assert_ok(key_generate(folder, KEY_RS256, NOW_US - 1));
    assert_ok(key_ring_load(folder, &ring));
    assert_int_equal(key_ring_signer(ring)->algorithm, KEY_ES256);
    struct faults faults;
    struct json_document *document;
    faults_init(&faults, &arena);
    assert_ok(json_open(&arena, jwks_of(ring, &arena), &faults, &document));
    const struct json_value *keys = json_get(json_root(document), "keys");
    assert_int_equal(json_array_count(keys), 3);
    assert_true(text_equal(json_get_text(json_array_item(keys, 1), "kid"), first));
    for (size_t i = 0; i < 3; i++) {
        const struct json_value *key = json_array_item(keys, i);
        static const char *const secrets[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "created_at"};
        for (size_t s = 0; s < ARRAY_COUNT(secrets); s++) assert_null(json_get(key, secrets[s]));
        assert_text(json_get_text(key, "use"), "sig");
        assert_text(json_get_text(key, "alg"), i == 0 ? "ES256" : "RS256");
        assert_text(json_get_text(key, "kty"), i == 0 ? "EC" : "RSA");
        assert_int_equal(json_get_text(key, "kid").size, 43);
        struct key imported;
        assert_ok(key_import_public(key, &arena, &imported));
        key_free(&imported);
    }
    json_close(document);
    key_ring_free(ring);
}

static void load_again(struct key_ring *ring, const char *from) {
    struct key_ring *loaded;
    assert_ok(key_ring_load(from, &loaded));
    key_ring_replace(ring, loaded);
}

static void a_ring_is_loaded_again(void **state) {
    (void)state;
    char made[64];
    struct key_ring *ring, *none;
    struct key_description keys[LIMIT_KEYS];
    make_folder(made);
    assert_ok(key_generate(made, KEY_ES256, NOW_US));
    assert_ok(key_ring_load(made, &ring));
    const struct key *old = key_ring_signer(ring);
    struct text old_jwks = key_ring_jwks(ring);
    assert_ok(key_generate(made, KEY_ES256, NOW_US + 1));
    assert_ptr_equal(key_ring_signer(ring), old); /* not before it is told */
    load_again(ring, made);
    assert_int_equal(key_ring_describe(ring, keys), 2);
    assert_int_equal(keys[0].created_at_us, NOW_US + 1);
    assert_true(text_equal(keys[0].id, key_id(key_ring_signer(ring))));
    assert_true(text_equal(keys[1].id, key_id(old))); /* who still uses it may */
    assert_ok(key_remove(made, key_id(old)));
    assert_result(key_remove(made, key_id(old)), RESULT_NOT_FOUND);
    assert_result(key_remove(made, TEXT("../other")), RESULT_NOT_FOUND);
    load_again(ring, made);
    assert_int_equal(key_ring_describe(ring, keys), 1);
    assert_false(text_equal(key_ring_jwks(ring), old_jwks));
    assert_ok(key_remove(made, keys[0].id));
    assert_result(key_ring_load(made, &none), RESULT_NOT_FOUND);
    key_ring_free(ring);
    remove_folder(made);
}

static void a_key_that_others_may_read_is_refused(void **state) {
    (void)state;
    struct key_ring *ring;
    const char *path = find_file();
    assert_int_equal(chmod(path, 0640), 0);
    assert_result(key_ring_load(folder, &ring), RESULT_DENIED);
    assert_int_equal(chmod(path, 0600), 0);
    assert_ok(key_ring_load(folder, &ring));
    key_ring_free(ring);
}

static void a_file_that_is_no_key_is_told(void **state) {
    (void)state;
    struct key_ring *ring;
    const char *path = arena_print(&arena, "%s/a.jwk", folder).data;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"kty\":\"RSA\"}", file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
    assert_result(key_ring_load(folder, &ring), RESULT_CORRUPT);
    assert_int_equal(unlink(path), 0);
    /* what a crash left behind is not one */
    path = arena_print(&arena, "%s/a.jwk.new", folder).data;
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_ok(key_ring_load(folder, &ring));
    key_ring_free(ring);
}

static void a_ring_keeps_the_newest(void **state) {
    (void)state;
    struct key_ring *ring;
    for (int i = 0; i < (int)LIMIT_KEYS + 3; i++) assert_ok(key_generate(folder, KEY_ES256, NOW_US + 100 - i));
    assert_ok(key_ring_load(folder, &ring));
    struct faults faults;
    struct json_document *document;
    faults_init(&faults, &arena);
    assert_ok(json_open(&arena, jwks_of(ring, &arena), &faults, &document));
    const struct json_value *keys = json_get(json_root(document), "keys");
    assert_int_equal(json_array_count(keys), LIMIT_KEYS);
    for (size_t i = 0; i < LIMIT_KEYS; i++)
        assert_text(json_get_text(json_array_item(keys, i), "alg"), "ES256"); /* the RSA ones are oldest */
    json_close(document);
    key_ring_free(ring);
}

static void no_id_looks_like_a_flag(void **state) {
    (void)state;
    char made[64];
    make_folder(made);
    made_like_a_flag = 2;
    assert_ok(key_generate(made, KEY_ES256, NOW_US));
    assert_int_equal(made_like_a_flag, 0);
    struct key_ring *ring;
    struct key_description keys[LIMIT_KEYS];
    assert_ok(key_ring_load(made, &ring));
    assert_int_equal(key_ring_describe(ring, keys), 1);
    assert_true(key_id(key_ring_signer(ring)).data[0] != '-');
    key_ring_free(ring);
    remove_folder(made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_key_there_is_no_ring),
        cmocka_unit_test(the_newest_key_signs_and_all_are_published),
        cmocka_unit_test(no_id_looks_like_a_flag),
        cmocka_unit_test(a_ring_is_loaded_again),
        cmocka_unit_test(a_key_that_others_may_read_is_refused),
        cmocka_unit_test(a_file_that_is_no_key_is_told),
        cmocka_unit_test(a_ring_keeps_the_newest),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
