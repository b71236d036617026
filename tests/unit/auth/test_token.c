#include "verifier.h"

#include <pthread.h>

#define LONG_CLAIMS 5000

static struct token_claims claims_of_a_user(void) {
    struct token_claims claims = {
        .issuer = "wallet",
        .audiences = {"wallet", "discount"},
        .audience_count = 2,
        .subject = TEXT(USER_ID),
        .scope = TEXT("user admin"),
        .preferred_username = TEXT("sara"),
        .phone_number = TEXT("+989121234567"),
        .session_id = TEXT(SESSION_ID),
        .issued_at_us = NOW_US,
        .expires_at_us = NOW_US + 900 * CLOCK_SECOND_US,
    };
    assert_ok(id_parse(TEXT(TOKEN_ID), &claims.token_id));
    return claims;
}

static void a_users_token_proves_who_it_is(void **state) {
    (void)state;
    struct token_claims claims = claims_of_a_user();
    struct text token;
    assert_ok(token_sign(world.wallet, &claims, &world.arena, &token));
    assert_int_equal(verify(token), TOKEN_VALID);
    assert_false(world.identity.is_phone_verified);
    claims.is_phone_verified = true;
    assert_ok(token_sign(world.wallet, &claims, &world.arena, &token));
    for (int round = 0; round < 2; round++) { /* verified, then remembered */
        assert_int_equal(verify(token), TOKEN_VALID);
        const struct identity *identity = &world.identity;
        char id[ID_TEXT_BYTES];
        assert_int_equal(identity->kind, IDENTITY_USER);
        assert_int_equal(identity->scopes, SCOPE_USER | SCOPE_ADMIN);
        id_format(identity->user_id, id);
        assert_text(((struct text){id, sizeof id}), USER_ID);
        id_format(identity->session_id, id);
        assert_text(((struct text){id, sizeof id}), SESSION_ID);
        assert_text(((struct text){identity->name, identity->name_size}), "sara");
        assert_text(phone_text(&identity->phone), "+989121234567");
        assert_true(identity->is_phone_verified);
        assert_int_equal(identity->expires_at_us, claims.expires_at_us);
    }
}

static void a_services_token_proves_its_issuer(void **state) {
    (void)state;
    struct token_claims claims = {
        .issuer = "discount",
        .audiences = {"wallet"},
        .audience_count = 1,
        .subject = TEXT("discount"),
        .scope = TEXT("credits:write funds:write user admin"),
        .issued_at_us = NOW_US,
        .expires_at_us = NOW_US + 300 * CLOCK_SECOND_US,
    };
    struct text token;
    assert_ok(token_sign(world.discount, &claims, &world.arena, &token));
    assert_int_equal(verify(token), TOKEN_VALID);
    assert_int_equal(world.identity.kind, IDENTITY_SERVICE);
    assert_int_equal(world.identity.scopes, SCOPE_CREDITS_WRITE); /* no more than the issuer is trusted with */
    assert_text(((struct text){world.identity.name, world.identity.name_size}), "discount");
    /* What api/wallet.yaml does not promise of a service's token is not required. */
    token = sign_payload(world.discount,
                         "{\"iss\":\"discount\",\"aud\":\"wallet\",\"scope\":\"credits:write\",\"iat\":1795341600,\"exp\":1795341700}",
                         &world.arena);
    assert_int_equal(verify(token), TOKEN_VALID);
}

static void payloads_that_are_no_claims(void **state) {
    (void)state;
    static const char *const payloads[] = {
        "", "null", "[]", "1", "\"x\"", "{", "{}", "{}{}", "{\"iss\":\"wallet\"} x", "\xff", "{\"iss\":\"wal\xfflet\"}"};
    for (size_t i = 0; i < ARRAY_COUNT(payloads); i++) {
        struct text payload = payloads[i][0] == '\0' ? TEXT(" ") : text_of(payloads[i]);
        assert_int_equal(verify(sign_payload(world.wallet, payload.data, &world.arena)), TOKEN_INVALID);
    }
}

static void each_header_member_is_checked(void **state) {
    (void)state;
    const struct key *key = key_ring_signer(world.wallet);
    struct text id = key_id(key);
    const char *kid = arena_print(&world.arena, "\"%.*s\"", (int)id.size, id.data).data;
    const char *stolen = arena_print(&world.arena, "%.*s", (int)key_ring_signer(world.stranger)->public_json.size,
                                     key_ring_signer(world.stranger)->public_json.data)
                             .data;
    const struct {
        const char *name, *value;
        enum token_verdict verdict;
    } cases[] = {
        {"typ", "\"JWT\"", TOKEN_VALID},
        {"typ", "\"jwt\"", TOKEN_VALID},
        {"typ", "\"at+jwt\"", TOKEN_INVALID},
        {"typ", "\"\"", TOKEN_INVALID},
        {"typ", "[\"JWT\"]", TOKEN_INVALID},
        {"crit", "[\"exp\"]", TOKEN_INVALID},
        {"crit", "[]", TOKEN_INVALID},
        {"jku", "\"http://127.0.0.1/jwks\"", TOKEN_INVALID},
        {"jwk", stolen, TOKEN_INVALID},
        {"x5u", "\"http://127.0.0.1/\"", TOKEN_INVALID},
        {"x5c", "[\"AAAA\"]", TOKEN_INVALID},
        {"kid", "\"\"", TOKEN_INVALID},
        {"kid", "{\"a\":1}", TOKEN_INVALID},
        {"kid", "[\"a\"]", TOKEN_INVALID},
        {"kid", "\"../../etc/passwd\"", TOKEN_UNKNOWN_KEY},
        {"kid", "\"' or 1=1 --\"", TOKEN_UNKNOWN_KEY},
        {"alg", "\"RS384\"", TOKEN_INVALID},
        {"alg", "\"RS512\"", TOKEN_INVALID},
        {"alg", "\"PS256\"", TOKEN_INVALID},
        {"other", "\"is ignored\"", TOKEN_VALID},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *const members[][2] = {{"alg", "\"RS256\""}, {"kid", kid}, {cases[i].name, cases[i].value}, {NULL, NULL}};
        struct text token = sign_with(key, members, TEXT("{" GOOD "}"), &world.arena);
        enum token_verdict verdict = verify(token);
        if (verdict != cases[i].verdict) fail_msg("%s: %s: %d", cases[i].name, cases[i].value, (int)verdict);
        if (verdict == TOKEN_UNKNOWN_KEY) assert_int_equal(world.issuer_index, 0);
    }
    const char *const without_kid[][2] = {{"alg", "\"RS256\""}, {NULL, NULL}};
    assert_int_equal(verify(sign_with(key, without_kid, TEXT("{" GOOD "}"), &world.arena)), TOKEN_INVALID);
}

static void unsigned_tokens_are_refused(void **state) {
    (void)state;
    struct text id = key_id(key_ring_signer(world.wallet));
    static const char *const algorithms[] = {"none", "None", "NONE", "nOnE", "", "RS256", "HS256", "ES256"};
    for (size_t i = 0; i < ARRAY_COUNT(algorithms); i++) {
        struct text header = arena_print(&world.arena, "{\"alg\":\"%s\",\"kid\":\"%.*s\"}", algorithms[i], (int)id.size, id.data);
        struct text token = join(&world.arena, header.data, "{" GOOD "}", "");
        assert_int_equal(verify(token), TOKEN_INVALID);
        assert_int_equal(verify((struct text){token.data, token.size - 1}), TOKEN_INVALID);
        assert_int_equal(verify(join(&world.arena, header.data, "{" GOOD "}", "x")), TOKEN_INVALID);
    }
    assert_int_equal(verify(join(&world.arena, "{\"alg\":\"none\"}", "{" GOOD "}", "")), TOKEN_INVALID);
    /* a header member twice: whichever a reader takes, it is not the other one */
    struct text twice = arena_print(&world.arena, "{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"%.*s\"}", (int)id.size, id.data);
    assert_int_equal(verify(join(&world.arena, twice.data, "{" GOOD "}", "")), TOKEN_INVALID);
}

#define BASE64_BYTES(bytes) (((bytes) + 2) / 3 * 4)

/* SubjectPublicKeyInfo of a 2048 bit key with exponent 65537, as every tool prints it. */
static struct text public_pem(const struct key *key) {
    static const uint8_t before[] = {0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
                                     0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00};
    static const uint8_t after[] = {0x02, 0x03, 0x01, 0x00, 0x01};
    const char *n = strstr(arena_print(&world.arena, "%.*s", (int)key->public_json.size, key->public_json.data).data, "\"n\":\"") + 5;
    uint8_t der[sizeof before + 256 + sizeof after];
    size_t size;
    memcpy(der, before, sizeof before);
    assert_ok(crypto_base64url_decode((struct text){n, strcspn(n, "\"")}, der + sizeof before, 256, &size));
    memcpy(der + sizeof before + 256, after, sizeof after);
    uint8_t base64[BASE64_BYTES(sizeof der) + 1];
    int base64_size = EVP_EncodeBlock(base64, der, sizeof der);
    struct buffer pem;
    buffer_init(&pem, &world.arena, 1024);
    buffer_append(&pem, TEXT("-----BEGIN PUBLIC KEY-----\n"));
    for (int i = 0; i < base64_size; i += 64) {
        buffer_print(&pem, "%.*s\n", base64_size - i < 64 ? base64_size - i : 64, (const char *)base64 + i);
    }
    buffer_append(&pem, TEXT("-----END PUBLIC KEY-----\n"));
    return buffer_text(&pem);
}

static void the_public_key_is_no_secret(void **state) {
    (void)state;
    const struct key *key = key_ring_signer(world.wallet);
    struct text pem = public_pem(key);
    const struct text secrets[] = {pem,     {pem.data, pem.size - 1}, key->public_json, jwks_of(world.wallet, &world.arena), key_id(key),
                                   TEXT("")};
    const char *kid = arena_print(&world.arena, "\"%.*s\"", (int)key->id_size, key->id).data;
    for (size_t i = 0; i < ARRAY_COUNT(secrets); i++) {
        const char *const members[][2] = {{"alg", "\"HS256\""}, {"kid", kid}, {"typ", "\"JWT\""}, {NULL, NULL}};
        assert_int_equal(verify(sign_with_secret(secrets[i], members, TEXT("{" GOOD "}"), &world.arena)), TOKEN_INVALID);
    }
}

static void other_keys_prove_nothing(void **state) {
    (void)state;
    const char *kid =
        arena_print(&world.arena, "\"%.*s\"", (int)key_ring_signer(world.wallet)->id_size, key_ring_signer(world.wallet)->id).data;
    const char *const rsa[][2] = {{"alg", "\"RS256\""}, {"kid", kid}, {NULL, NULL}};
    const char *const ec[][2] = {{"alg", "\"ES256\""}, {"kid", kid}, {NULL, NULL}};
    assert_int_equal(verify(sign_with(key_ring_signer(world.stranger), rsa, TEXT("{" GOOD "}"), &world.arena)), TOKEN_INVALID);
    assert_int_equal(verify(sign_with(key_ring_signer(world.discount), ec, TEXT("{" GOOD "}"), &world.arena)), TOKEN_INVALID);
    /* by its own kid a stranger is only unknown */
    assert_int_equal(verify(sign_payload(world.stranger, "{" GOOD "}", &world.arena)), TOKEN_UNKNOWN_KEY);
    assert_int_equal(world.issuer_index, 0);
    /* and of an issuer that nobody trusts not even that */
    assert_int_equal(verify(sign_payload(world.stranger, "{\"iss\":\"mint\"}", &world.arena)), TOKEN_INVALID);
    assert_int_equal(world.issuer_index, SIZE_MAX);
    /* a service cannot make users */
    assert_int_equal(verify(sign_payload(world.discount, "{" GOOD "}", &world.arena)), TOKEN_UNKNOWN_KEY);
}

static void cut_tokens_are_refused(void **state) {
    (void)state;
    struct text token = user_token(GOOD);
    for (size_t size = 0; size < token.size; size++) {
        char *exact = malloc(size + 1); /* so that a sanitizer sees a byte too many */
        memcpy(exact, token.data, size);
        assert_int_not_equal(verify((struct text){exact, size}), TOKEN_VALID);
        free(exact);
    }
    assert_int_equal(verify(token), TOKEN_VALID);
}

static void tampered_tokens_are_refused(void **state) {
    (void)state;
    struct text token = user_token(GOOD);
    char *copy = malloc(token.size);
    static const char replacements[] = "AB_-z.=+ \n";
    for (size_t i = 0; i < token.size; i++) {
        for (size_t r = 0; r < sizeof replacements; r++) { /* the terminator too */
            memcpy(copy, token.data, token.size);
            if (copy[i] == replacements[r]) continue;
            copy[i] = replacements[r];
            if (r >= 2 && i % 16 != 0 && i + 8 < token.size) continue; /* all of them only at some places: it is slow */
            assert_int_not_equal(verify((struct text){copy, token.size}), TOKEN_VALID);
        }
    }
    /* the last letter has four bits that mean nothing: no other letter may stand for the same signature */
    for (int letter = 0; letter < 128; letter++) {
        memcpy(copy, token.data, token.size);
        copy[token.size - 1] = (char)letter;
        if (letter == token.data[token.size - 1]) continue;
        assert_int_equal(verify((struct text){copy, token.size}), TOKEN_INVALID);
    }
    free(copy);
}

/* The same two numbers of an ES256 signature, each with a zero before it: another text must not be the same token. */
static void padded_signatures_are_refused(void **state) {
    (void)state;
    struct text token =
        sign_payload(world.discount,
                     "{\"iss\":\"discount\",\"aud\":\"wallet\",\"scope\":\"credits:write\",\"iat\":1795341600,\"exp\":1795341700}",
                     &world.arena);
    size_t start = token.size - crypto_base64url_size(64), size;
    uint8_t numbers[64], padded[66] = {0};
    assert_int_equal(verify(token), TOKEN_VALID);
    assert_ok(crypto_base64url_decode((struct text){token.data + start, token.size - start}, numbers, sizeof numbers, &size));
    memcpy(padded + 1, numbers, 32);
    memcpy(padded + 34, numbers + 32, 32);
    struct text signature = encode(&world.arena, (struct text){(const char *)padded, sizeof padded});
    struct text longer = arena_print(&world.arena, "%.*s%.*s", (int)start, token.data, (int)signature.size, signature.data);
    assert_int_equal(verify(longer), TOKEN_INVALID);
}

static void foreign_shapes_are_refused(void **state) {
    (void)state;
    struct text token = user_token(GOOD);
    int size = (int)token.size;
    static const char *const shapes[] = {"%.*s.", ".%.*s",  "%.*s.x",      "%.*s=",    "%.*s ",
                                         " %.*s", "%.*s\n", "Bearer %.*s", "\"%.*s\"", "%.*s.."};
    for (size_t i = 0; i < ARRAY_COUNT(shapes); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        struct text odd = arena_print(&world.arena, shapes[i], size, token.data);
#pragma GCC diagnostic pop
        assert_int_equal(verify(odd), TOKEN_INVALID);
    }
    static const char *const nothings[] = {"", ".", "..", "...", "a.b.c", "e30.e30.", "e30.e30.e30", "eyJ", "null", "....."};
    for (size_t i = 0; i < ARRAY_COUNT(nothings); i++) assert_int_equal(verify(text_of(nothings[i])), TOKEN_INVALID);
}

static void huge_tokens_are_refused(void **state) {
    (void)state;
    /* well signed, but too long by one, and by much */
    char *padding = malloc(LONG_CLAIMS + 1);
    memset(padding, 'x', LONG_CLAIMS);
    padding[LONG_CLAIMS] = '\0';
    size_t without = user_token(GOOD ",\"pad\":\"\"").size;
    size_t most = (LIMIT_TOKEN_BYTES - without) * 3 / 4;
    const struct {
        size_t size;
        bool is_valid;
    } cases[] = {{most - 8, true}, {most + 8, false}, {LONG_CLAIMS, false}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct text claims = arena_print(&world.arena, "%s,\"pad\":\"%.*s\"", GOOD, (int)cases[i].size, padding);
        struct text token = user_token(claims.data);
        assert_int_equal(token.size <= LIMIT_TOKEN_BYTES, cases[i].is_valid);
        assert_int_equal(verify(token), cases[i].is_valid ? TOKEN_VALID : TOKEN_INVALID);
    }
    free(padding);
    size_t size = (size_t)16 * 1024 * 1024;
    char *huge = malloc(size);
    memset(huge, 'A', size);
    assert_int_equal(verify((struct text){huge, size}), TOKEN_INVALID);
    huge[1000] = huge[2000] = '.';
    assert_int_equal(verify((struct text){huge, LIMIT_TOKEN_BYTES}), TOKEN_INVALID);
    free(huge);
    /* deep nesting must not eat the stack */
    char *deep = malloc(3001);
    memset(deep, '[', 3000);
    deep[3000] = '\0';
    assert_int_equal(verify(join(&world.arena, "{\"alg\":\"RS256\",\"kid\":\"a\"}", deep, "x")), TOKEN_INVALID);
    free(deep);
}

static void a_remembered_token_expires_to_the_letter(void **state) {
    (void)state;
    struct text token = user_token(GOOD);
    assert_int_equal(verify_at(token, NOW_US - 1), TOKEN_NOT_YET_VALID);
    assert_int_equal(verify_at(token, NOW_US), TOKEN_VALID);
    assert_int_equal(verify_at(token, NOW_US - 1), TOKEN_NOT_YET_VALID);
    assert_int_equal(verify_at(token, NOW_US + 900 * CLOCK_SECOND_US - 1), TOKEN_VALID);
    assert_int_equal(verify_at(token, NOW_US + 900 * CLOCK_SECOND_US), TOKEN_EXPIRED);
    assert_int_equal(world.identity.kind, IDENTITY_NOBODY);
    assert_int_equal(verify_at(token, NOW_US + 5), TOKEN_VALID);
}

static void a_key_that_is_gone_proves_nothing_more(void **state) {
    (void)state;
    struct key_ring *next = make_ring(KEY_ES256);
    const char *payload = "{\"iss\":\"discount\",\"aud\":\"wallet\",\"scope\":\"credits:write\",\"iat\":1795341600,\"exp\":1795341700}";
    struct text old_token = sign_payload(world.discount, payload, &world.arena), new_token = sign_payload(next, payload, &world.arena);
    assert_int_equal(verify(old_token), TOKEN_VALID);
    assert_int_equal(verify(new_token), TOKEN_UNKNOWN_KEY);
    struct text old_set = jwks_of(world.discount, &world.arena), new_set = jwks_of(next, &world.arena);
    /* both at once, as while keys are changed */
    struct text both = arena_print(&world.arena, "{\"keys\":[%.*s,%.*s]}", (int)key_ring_signer(next)->public_json.size,
                                   key_ring_signer(next)->public_json.data, (int)key_ring_signer(world.discount)->public_json.size,
                                   key_ring_signer(world.discount)->public_json.data);
    assert_ok(trust_accept_jwks(world.trust, 1, both));
    assert_int_equal(verify(old_token), TOKEN_VALID);
    assert_int_equal(verify(new_token), TOKEN_VALID);
    assert_ok(trust_accept_jwks(world.trust, 1, new_set));
    assert_int_equal(verify(old_token), TOKEN_UNKNOWN_KEY); /* although it was remembered */
    assert_int_equal(verify(new_token), TOKEN_VALID);
    assert_ok(trust_accept_jwks(world.trust, 1, old_set));
    assert_int_equal(verify(old_token), TOKEN_VALID);
    assert_int_equal(verify(new_token), TOKEN_UNKNOWN_KEY);
    key_ring_free(next);
}

/* A set of one key: the ring's, under another name. */
static struct text jwks_named(const struct key_ring *ring, const char *kid) {
    const struct key *key = key_ring_signer(ring);
    const char *json = arena_print(&world.arena, "%.*s", (int)key->public_json.size, key->public_json.data).data;
    const char *name = strstr(json, "\"kid\":\"") + strlen("\"kid\":\"");
    return arena_print(&world.arena, "{\"keys\":[%.*s%s%s]}", (int)(name - json), json, kid, name + key->id_size);
}

/* A token by one of two keys with the same name: its header is the other's, byte for byte. */
static struct text sign_named(const struct key_ring *ring, const char *issuer, int number) {
    static const char *const header[][2] = {{"alg", "\"RS256\""}, {"kid", "\"same\""}, {"typ", "\"JWT\""}, {NULL, NULL}};
    struct text payload = arena_print(&world.arena,
                                      "{\"iss\":\"%s\",\"aud\":\"wallet\"," USER_CLAIMS ","
                                      "\"iat\":1795341600,\"exp\":1795341900,\"n\":%d}",
                                      issuer, number);
    return sign_with(key_ring_signer(ring), header, payload, &world.arena);
}

/* What is remembered of a header must not outlive its key, nor carry a key from one issuer to another. */
static void the_same_header_by_another_key(void **state) {
    (void)state;
    static const struct trusted_issuer issuers[] = {
        {.name = "wallet", .kind = IDENTITY_USER, .scopes = SCOPE_USER, .source = "http://127.0.0.1:1/a"},
        {.name = "shop", .kind = IDENTITY_SERVICE, .scopes = SCOPE_CREDITS_WRITE, .source = "http://127.0.0.1:1/b"},
    };
    struct token_verifier *kept = world.verifier;
    struct trust *trust;
    assert_ok(trust_create("wallet", issuers, ARRAY_COUNT(issuers), &trust));
    assert_ok(token_verifier_create(trust, 16, 0, &world.verifier));
    assert_ok(trust_accept_jwks(trust, 0, jwks_named(world.wallet, "same")));
    struct text first = sign_named(world.wallet, "wallet", 1);
    assert_int_equal(verify(first), TOKEN_VALID);
    assert_int_equal(verify(sign_named(world.wallet, "wallet", 2)), TOKEN_VALID);
    assert_int_equal(verify(sign_named(world.stranger, "wallet", 3)), TOKEN_INVALID);
    /* another issuer: its keys are not known yet, then they are others */
    assert_int_equal(verify(sign_named(world.wallet, "shop", 4)), TOKEN_UNKNOWN_KEY);
    assert_int_equal(world.issuer_index, 1);
    assert_ok(trust_accept_jwks(trust, 1, jwks_named(world.stranger, "same")));
    assert_int_equal(verify(sign_named(world.wallet, "shop", 5)), TOKEN_INVALID);
    assert_int_equal(verify(sign_named(world.stranger, "shop", 6)), TOKEN_VALID);
    assert_int_equal(verify(sign_named(world.stranger, "wallet", 7)), TOKEN_INVALID);
    /* the key is replaced by one of the same name: the old one's tokens fall, remembered or new */
    assert_ok(trust_accept_jwks(trust, 0, jwks_named(world.stranger, "same")));
    assert_int_equal(verify(first), TOKEN_INVALID);
    assert_int_equal(verify(sign_named(world.wallet, "wallet", 8)), TOKEN_INVALID);
    assert_int_equal(verify(sign_named(world.stranger, "wallet", 9)), TOKEN_VALID);
    /* by one of another algorithm, which the header does not name */
    assert_ok(trust_accept_jwks(trust, 0, jwks_named(world.discount, "same")));
    assert_int_equal(verify(sign_named(world.stranger, "wallet", 10)), TOKEN_INVALID);
    /* it is gone */
    assert_ok(trust_accept_jwks(trust, 0, jwks_named(world.wallet, "other")));
    assert_int_equal(verify(first), TOKEN_UNKNOWN_KEY);
    assert_int_equal(verify(sign_named(world.wallet, "wallet", 11)), TOKEN_UNKNOWN_KEY);
    assert_int_equal(world.issuer_index, 0);
    /* and is back */
    assert_ok(trust_accept_jwks(trust, 0, jwks_named(world.wallet, "same")));
    assert_int_equal(verify(first), TOKEN_VALID);
    token_verifier_free(world.verifier);
    trust_free(trust);
    world.verifier = kept;
}

static void more_tokens_than_can_be_remembered(void **state) {
    (void)state;
    struct text tokens[40];
    for (size_t i = 0; i < ARRAY_COUNT(tokens); i++) {
        struct text claims = arena_print(&world.arena, "%s,\"n\":%zu", GOOD, i);
        tokens[i] = user_token(claims.data);
    }
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(tokens); i++) assert_int_equal(verify(tokens[i]), TOKEN_VALID);
    }
}

static void a_token_too_long_is_not_made(void **state) {
    (void)state;
    struct token_claims claims = claims_of_a_user();
    char *scope = malloc(LONG_CLAIMS);
    memset(scope, 's', LONG_CLAIMS);
    claims.scope = (struct text){scope, LONG_CLAIMS};
    struct text token;
    assert_result(token_sign(world.wallet, &claims, &world.arena, &token), RESULT_FULL);
    free(scope);
    struct arena small;
    arena_init(&small, 512);
    claims.scope = TEXT("user");
    assert_result(token_sign(world.wallet, &claims, &small, &token), RESULT_FULL);
    arena_release(&small);
}

enum { LOOPS = 4, TOKENS_EACH = 25 };

/* As a loop does: its own verifier, everybody's keys. Signs as well, by the one signing key. */
static void *run_loop(void *argument) {
    (void)argument;
    struct token_verifier *verifier;
    struct arena arena;
    struct identity identity;
    size_t issuer_index;
    arena_init(&arena, 4u * 1024 * 1024);
    CHECK(result_is_ok(token_verifier_create(world.trust, 4, 0, &verifier)));
    for (int i = 0; i < TOKENS_EACH; i++) {
        struct text token, payload = arena_print(&arena, "{%s,\"n\":%d}", GOOD, i);
        CHECK(result_is_ok(key_sign(key_ring_signer(world.wallet), payload, &arena, &token)));
        CHECK(token_verify(verifier, token, NOW_US, &identity, &issuer_index) == TOKEN_VALID);
    }
    token_verifier_free(verifier);
    arena_release(&arena);
    return NULL;
}

static void loops_share_the_keys(void **state) {
    (void)state;
    pthread_t loops[LOOPS];
    for (int i = 0; i < LOOPS; i++) assert_int_equal(pthread_create(&loops[i], NULL, run_loop, NULL), 0);
    for (int i = 0; i < LOOPS; i++) assert_int_equal(pthread_join(loops[i], NULL), 0);
}

/* Informational: what one verification costs. */
static void costs(void **state) {
    (void)state;
    enum { ROUNDS = 300 };
    struct token_verifier *forgetful;
    struct text tokens[2] = {user_token(GOOD), user_token(GOOD ",\"n\":2")};
    assert_ok(token_verifier_create(world.trust, 1, 0, &forgetful));
    int64_t start_us = clock_monotonic_us(&clock_system);
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(token_verify(forgetful, tokens[i % 2], NOW_US, &world.identity, &world.issuer_index), TOKEN_VALID);
    }
    int64_t fresh_us = clock_monotonic_us(&clock_system) - start_us;
    start_us = clock_monotonic_us(&clock_system);
    for (int i = 0; i < ROUNDS * 10; i++) {
        assert_int_equal(token_verify(forgetful, tokens[1], NOW_US, &world.identity, &world.issuer_index), TOKEN_VALID);
    }
    int64_t remembered_us = clock_monotonic_us(&clock_system) - start_us;
    fprintf(stderr, "RS256 verified in %.1f us, remembered in %.2f us\n", (double)fresh_us / ROUNDS,
            (double)remembered_us / (ROUNDS * 10.0));
    token_verifier_free(forgetful);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_users_token_proves_who_it_is),
        cmocka_unit_test(a_services_token_proves_its_issuer),
        cmocka_unit_test(payloads_that_are_no_claims),
        cmocka_unit_test(each_header_member_is_checked),
        cmocka_unit_test(unsigned_tokens_are_refused),
        cmocka_unit_test(the_public_key_is_no_secret),
        cmocka_unit_test(other_keys_prove_nothing),
        cmocka_unit_test(cut_tokens_are_refused),
        cmocka_unit_test(tampered_tokens_are_refused),
        cmocka_unit_test(padded_signatures_are_refused),
        cmocka_unit_test(foreign_shapes_are_refused),
        cmocka_unit_test(huge_tokens_are_refused),
        cmocka_unit_test(a_remembered_token_expires_to_the_letter),
        cmocka_unit_test(a_key_that_is_gone_proves_nothing_more),
        cmocka_unit_test(the_same_header_by_another_key),
        cmocka_unit_test(more_tokens_than_can_be_remembered),
        cmocka_unit_test(a_token_too_long_is_not_made),
        cmocka_unit_test(loops_share_the_keys),
        cmocka_unit_test(costs),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
