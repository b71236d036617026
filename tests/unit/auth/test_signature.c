#include "forge.h"

#include "auth/base64url.h"

#define SIGNATURE_MOST 600u

struct signed_message {
    struct key_ring *ring;
    const struct public_key *key;
    struct text message;
    uint8_t signature[SIGNATURE_MOST];
    size_t size;
};

static struct arena arena;
static struct signature_checker *checker;

static int open_all(void **state) {
    (void)state;
    crypto_init();
    arena_init(&arena, 16u * 1024 * 1024);
    assert_ok(signature_checker_create(&checker));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    signature_checker_free(checker);
    signature_checker_free(NULL);
    public_key_free(NULL);
    arena_release(&arena);
    return 0;
}

static struct signed_message sign_by(enum key_algorithm algorithm) {
    struct signed_message made = {.ring = make_ring(algorithm)};
    struct text token = sign_payload(made.ring, "{}", &arena);
    const char *dot = memrchr(token.data, '.', token.size);
    made.key = key_ring_signer(made.ring)->public_key;
    made.message = (struct text){token.data, (size_t)(dot - token.data)};
    assert_ok(base64url_decode((struct text){dot + 1, token.size - made.message.size - 1}, made.signature, &made.size));
    return made;
}

static bool check_bytes(const struct signed_message *of, const uint8_t *signature, size_t size) {
    uint8_t *exact = malloc(size == 0 ? 1 : size);
    memcpy(exact, signature, size);
    bool is_good = signature_check(checker, of->key, of->message, (struct text){(const char *)exact, size});
    free(exact);
    return is_good;
}

static void any_change_is_seen(void **state) {
    (void)state;
    static const enum key_algorithm algorithms[] = {KEY_RS256, KEY_ES256};
    for (size_t a = 0; a < ARRAY_COUNT(algorithms); a++) {
        struct signed_message made = sign_by(algorithms[a]);
        assert_int_equal(made.size, algorithms[a] == KEY_RS256 ? 256 : 64);
        assert_true(check_bytes(&made, made.signature, made.size));
        for (size_t i = 0; i < made.size; i++) {
            made.signature[i] ^= (uint8_t)(1u << i % 8);
            assert_false(check_bytes(&made, made.signature, made.size));
            made.signature[i] ^= (uint8_t)(1u << i % 8);
        }
        struct text whole = made.message;
        made.message.size--;
        assert_false(check_bytes(&made, made.signature, made.size));
        made.message = TEXT("");
        assert_false(check_bytes(&made, made.signature, made.size));
        made.message = whole;
        assert_true(check_bytes(&made, made.signature, made.size)); /* and what went wrong before leaves nothing behind */
        key_ring_free(made.ring);
    }
}

static void signatures_of_other_sizes(void **state) {
    (void)state;
    static const enum key_algorithm algorithms[] = {KEY_RS256, KEY_ES256};
    for (size_t a = 0; a < ARRAY_COUNT(algorithms); a++) {
        struct signed_message made = sign_by(algorithms[a]);
        uint8_t padded[SIGNATURE_MOST] = {0};
        memcpy(padded + 1, made.signature, made.size);
        for (size_t size = 0; size < SIGNATURE_MOST; size++) {
            if (size != made.size) assert_false(check_bytes(&made, made.signature, size));
        }
        assert_false(check_bytes(&made, padded, made.size + 1)); /* the same number, with a zero before it */
        assert_false(check_bytes(&made, padded, made.size));
        key_ring_free(made.ring);
    }
}

/* n of P-256 (SEC 2, section 2.4.2). */
static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

static void numbers_out_of_range(void **state) {
    (void)state;
    struct signed_message made = sign_by(KEY_ES256);
    static const uint8_t zero[32] = {0}, one[32] = {[31] = 1};
    uint8_t most[32];
    memset(most, 0xff, sizeof most);
    const uint8_t *const numbers[] = {zero, one, order, most};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        uint8_t forged[64];
        memcpy(forged, made.signature, sizeof forged);
        memcpy(forged, numbers[i], 32);
        assert_false(check_bytes(&made, forged, sizeof forged));
        memcpy(forged, made.signature, 32);
        memcpy(forged + 32, numbers[i], 32);
        assert_false(check_bytes(&made, forged, sizeof forged));
        for (size_t k = 0; k < ARRAY_COUNT(numbers); k++) {
            memcpy(forged, numbers[k], 32);
            assert_false(check_bytes(&made, forged, sizeof forged));
        }
    }
    uint8_t swapped[64];
    memcpy(swapped, made.signature + 32, 32);
    memcpy(swapped + 32, made.signature, 32);
    assert_false(check_bytes(&made, swapped, sizeof swapped));
    assert_true(check_bytes(&made, made.signature, made.size));
    key_ring_free(made.ring);
    made = sign_by(KEY_RS256);
    uint8_t large[256] = {0};
    assert_false(check_bytes(&made, large, sizeof large));
    large[255] = 1;
    assert_false(check_bytes(&made, large, sizeof large));
    memset(large, 0xff, sizeof large); /* not below the modulus */
    assert_false(check_bytes(&made, large, sizeof large));
    key_ring_free(made.ring);
}

static void points_off_the_curve_are_no_keys(void **state) {
    (void)state;
    char coordinates[2][32];
    memset(coordinates, 7, sizeof coordinates);
    struct text x = {coordinates[0], 32}, y = {coordinates[1], 32};
    assert_null(public_key_make_p256(x, y));
    assert_null(public_key_make_p256((struct text){coordinates[0], 31}, y));
    assert_null(public_key_make_p256(x, (struct text){coordinates[1], 31}));
    memset(coordinates, 0, sizeof coordinates);
    assert_null(public_key_make_p256(x, y));
}

/* More keys than a checker keeps contexts for: each proves its own and nobody else's, again and again, also after one is gone. */
static void many_keys_take_turns(void **state) {
    (void)state;
    enum { KEYS = 12 };
    struct signed_message made[KEYS];
    for (size_t i = 0; i < KEYS; i++) made[i] = sign_by(i % 4 == 3 ? KEY_RS256 : KEY_ES256);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < KEYS; i++) {
            assert_true(check_bytes(&made[i], made[i].signature, made[i].size));
            struct signed_message crossed = made[i];
            crossed.key = made[(i + 1 + round) % KEYS].key;
            assert_false(check_bytes(&crossed, made[i].signature, made[i].size));
        }
    }
    for (size_t i = 0; i < KEYS; i++) { /* a new key may come to lie where the old one lay */
        struct signed_message old = made[i];
        key_ring_free(made[i].ring);
        made[i] = sign_by(i % 4 == 3 ? KEY_RS256 : KEY_ES256);
        old.key = made[i].key;
        assert_false(check_bytes(&old, old.signature, old.size));
        assert_true(check_bytes(&made[i], made[i].signature, made[i].size));
    }
    for (size_t i = 0; i < KEYS; i++) key_ring_free(made[i].ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_change_is_seen),   cmocka_unit_test(signatures_of_other_sizes),
        cmocka_unit_test(numbers_out_of_range), cmocka_unit_test(points_off_the_curve_are_no_keys),
        cmocka_unit_test(many_keys_take_turns),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
