#include "verifier.h"

static const struct {
    const char *claims;
    enum token_verdict verdict;
} claim_cases[] = {
    {GOOD, TOKEN_VALID},
    {"\"iss\":\"wallet\",\"aud\":[\"discount\",\"wallet\"]," USER_CLAIMS "," GOOD_TIMES, TOKEN_VALID},
    {GOOD ",\"more\":{\"is\":[\"ignored\"]}", TOKEN_VALID},
    /* issuer */
    {"\"aud\":\"wallet\"," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"Wallet\",\"aud\":\"wallet\"," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"mint\",\"aud\":\"wallet\"," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\\u0000\",\"aud\":\"wallet\"," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":[\"wallet\"],\"aud\":\"wallet\"," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    /* discount's keys do not include this one: its tokens cannot be made by wallet */
    {"\"iss\":\"discount\",\"aud\":\"wallet\"," USER_CLAIMS "," GOOD_TIMES, TOKEN_UNKNOWN_KEY},
    /* audience */
    {"\"iss\":\"wallet\"," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":\"discount\"," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":\"walletd\"," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":[]," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":[\"discount\"]," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":[\"wallet\",1]," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":{\"wallet\":1}," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":null," USER_CLAIMS "," GOOD_TIMES, TOKEN_INVALID},
    /* times */
    {GOOD_START "\"iat\":1795341600", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":\"1795342500\"", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":1795342500.0", TOKEN_VALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":1795342500.5", TOKEN_VALID},
    {GOOD_START "\"iat\":1795341599.5,\"exp\":1795341600.000001", TOKEN_VALID},
    {GOOD_START "\"iat\":1795341599.5,\"exp\":1795341600.0", TOKEN_EXPIRED},
    {GOOD_START "\"iat\":1795341600.5,\"exp\":1795342500", TOKEN_NOT_YET_VALID},
    {GOOD_START "\"iat\":1795341600,\"nbf\":1795341600.25,\"exp\":1795342500", TOKEN_NOT_YET_VALID},
    {GOOD_START "\"iat\":1795341600.5,\"exp\":1795341600.5", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":1.7953425e9", TOKEN_VALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":1e300", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":-0.5", TOKEN_INVALID},
    {GOOD_START "\"iat\":-0.5,\"exp\":1795342500", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":null", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":true", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":-1", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":9223372036854775807", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":92233720368547758070", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":253402300799", TOKEN_VALID},
    {GOOD_START "\"iat\":1795341500,\"exp\":1795341600", TOKEN_EXPIRED},
    {GOOD_START "\"iat\":1795341500,\"exp\":1795341599", TOKEN_EXPIRED},
    {GOOD_START "\"iat\":1795341500,\"exp\":1795341601", TOKEN_VALID},
    {GOOD_START "\"exp\":1795342500", TOKEN_INVALID},
    {GOOD_START "\"iat\":\"1795341600\",\"exp\":1795342500", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795342500,\"exp\":1795342500", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341601,\"exp\":1795342500", TOKEN_NOT_YET_VALID},
    {GOOD_START "\"iat\":1795341600,\"nbf\":1795341601,\"exp\":1795342500", TOKEN_NOT_YET_VALID},
    {GOOD_START "\"iat\":1795341600,\"nbf\":\"0\",\"exp\":1795342500", TOKEN_INVALID},
    {GOOD_START "\"iat\":1795341600,\"nbf\":1.0,\"exp\":1795342500", TOKEN_VALID},
    {GOOD_START "\"iat\":1795341600,\"exp\":1795342500", TOKEN_VALID},
    /* twice: the later one must not win, nor the earlier */
    {GOOD_START "\"iat\":1795341600,\"exp\":1795341000,\"exp\":1795342500", TOKEN_INVALID},
    {GOOD ",\"scope\":\"admin\"", TOKEN_INVALID},
    {GOOD ",\"iss\":\"wallet\"", TOKEN_INVALID},
    /* who */
    {"\"iss\":\"wallet\",\"aud\":\"wallet\",\"sub\":\"sara\",\"sid\":\"" SESSION_ID "\",\"jti\":\"a\"," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":\"wallet\",\"sid\":\"" SESSION_ID "\",\"jti\":\"a\"," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":\"wallet\",\"sub\":1,\"sid\":\"" SESSION_ID "\",\"jti\":\"a\"," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":\"wallet\",\"sub\":\"" USER_ID "\",\"jti\":\"a\"," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":\"wallet\",\"sub\":\"" USER_ID "\",\"sid\":\"" SESSION_ID "\"," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":\"wallet\",\"sub\":\"" USER_ID "\",\"sid\":\"" SESSION_ID "\",\"jti\":7," GOOD_TIMES, TOKEN_INVALID},
    {"\"iss\":\"wallet\",\"aud\":\"wallet\",\"sub\":\"" USER_ID "\",\"sid\":\"" SESSION_ID
     "\",\"jti\":\"a\",\"scope\":[\"admin\"]," GOOD_TIMES,
     TOKEN_INVALID},
    {GOOD ",\"preferred_username\":7", TOKEN_INVALID},
    {GOOD ",\"preferred_username\":\"123456789012345678901234567890123\"", TOKEN_INVALID},
    {GOOD ",\"phone_number\":\"09121234567\"", TOKEN_INVALID},
    {GOOD ",\"phone_number\":\"+98912\"", TOKEN_INVALID},
};

static void each_claim_is_checked(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(claim_cases); i++) {
        enum token_verdict verdict = verify(user_token(claim_cases[i].claims));
        if (verdict != claim_cases[i].verdict)
            fail_msg("%s: %d instead of %d", claim_cases[i].claims, (int)verdict, (int)claim_cases[i].verdict);
        if (verdict == TOKEN_UNKNOWN_KEY) assert_int_equal(world.issuer_index, 1);
        if (verdict != TOKEN_VALID) assert_int_equal(world.identity.kind, IDENTITY_NOBODY);
    }
}

static void a_services_token_lives_five_minutes_at_most(void **state) {
    (void)state;
    static const struct {
        const char *times;
        enum token_verdict verdict;
    } cases[] = {
        {"\"iat\":1795341600,\"exp\":1795341900", TOKEN_VALID},
        {"\"iat\":1795341599.5,\"exp\":1795341899.5", TOKEN_VALID},
        {"\"iat\":1795341600,\"exp\":1795341900.000001", TOKEN_WITHOUT_END},
        {"\"iat\":1795341600,\"exp\":1795341901", TOKEN_WITHOUT_END},
        {"\"iat\":1795341600,\"exp\":2110700000", TOKEN_WITHOUT_END},
        {"\"iat\":0,\"exp\":1795341601", TOKEN_WITHOUT_END},
        {"\"iat\":1795341000,\"exp\":1795341500", TOKEN_WITHOUT_END}, /* and expired */
        {"\"nbf\":1795341600,\"exp\":1795341700", TOKEN_WITHOUT_END},
        {"\"iat\":1795341600", TOKEN_WITHOUT_END},
        {"\"more\":1", TOKEN_WITHOUT_END},
        {"\"iat\":null,\"exp\":1795341700", TOKEN_INVALID},
        {"\"iat\":1795341600,\"exp\":1795341600", TOKEN_INVALID},
        {"\"iat\":1795341700,\"exp\":1795341650", TOKEN_INVALID},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct text payload = arena_print(&world.arena, "{\"iss\":\"discount\",\"aud\":\"wallet\",%s}", cases[i].times);
        enum token_verdict verdict = verify(sign_payload(world.discount, payload.data, &world.arena));
        if (verdict != cases[i].verdict) fail_msg("%s: %d instead of %d", cases[i].times, (int)verdict, (int)cases[i].verdict);
    }
}

static void clocks_may_differ_by_the_leeway(void **state) {
    (void)state;
    enum { LEEWAY_S = 30 };
    const int64_t leeway_us = LEEWAY_S * CLOCK_SECOND_US, lifetime_us = 900 * CLOCK_SECOND_US;
    struct token_verifier *strict = world.verifier;
    assert_ok(token_verifier_create(world.trust, 16, leeway_us, &world.verifier));
    struct text token = user_token(GOOD);
    for (int round = 0; round < 2; round++) { /* verified, then remembered */
        assert_int_equal(verify_at(token, NOW_US - leeway_us - 1), TOKEN_NOT_YET_VALID);
        assert_int_equal(verify_at(token, NOW_US - leeway_us), TOKEN_VALID);
        assert_int_equal(verify_at(token, NOW_US + lifetime_us + leeway_us - 1), TOKEN_VALID);
        assert_int_equal(verify_at(token, NOW_US + lifetime_us + leeway_us), TOKEN_EXPIRED);
    }
    token_verifier_free(world.verifier);
    world.verifier = strict;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_claim_is_checked),
        cmocka_unit_test(a_services_token_lives_five_minutes_at_most),
        cmocka_unit_test(clocks_may_differ_by_the_leeway),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
