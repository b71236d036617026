#include "discount/settle/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "auth/base64url.h"
#include "auth/token.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"

#include "../../base/folder.h"

static int64_t wall_us, monotonic_us;
static int64_t read_wall(void *context) {
    (void)context;
    return wall_us;
}
static int64_t read_monotonic(void *context) {
    (void)context;
    return monotonic_us;
}
static const struct clock clock_of_test = {.now_us = read_wall, .monotonic_us = read_monotonic};

static void pass(int64_t time_us) {
    wall_us += time_us;
    monotonic_us += time_us;
}

static char folder[64];
static struct key_ring *keys;
static struct service_token token;

static int set_up(void **state) {
    (void)state;
    wall_us = INT64_C(1700000000) * CLOCK_SECOND_US;
    monotonic_us = 5 * CLOCK_SECOND_US;
    folder_create(folder, "token-test");
    assert_true(result_is_ok(key_generate(folder, KEY_ES256, wall_us)));
    assert_true(result_is_ok(key_ring_load(folder, &keys)));
    token = (struct service_token){.keys = keys};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    service_token_drop(&token);
    key_ring_free(keys);
    assert_true(folder_remove(folder));
    return 0;
}

/* The token that is sent now, copied: the next call may free it. */
static const char *get(char copy[2048]) {
    const char *text = service_token_get(&token, &clock_of_test);
    assert_non_null(text);
    snprintf(copy, 2048, "%s", text);
    return copy;
}

static void test_is_kept_until_its_last_minute(void **state) {
    (void)state;
    char first[2048], next[2048];
    get(first);
    assert_true(token.expires_at_us > wall_us && token.expires_at_us <= wall_us + TOKEN_SERVICE_LIFETIME_US);
    pass(token.expires_at_us - wall_us - 60 * CLOCK_SECOND_US - 1);
    assert_string_equal(get(next), first);
    pass(1);
    assert_string_not_equal(get(next), first);
    assert_true(token.expires_at_us > wall_us + 60 * CLOCK_SECOND_US);
}

/* Wallet's clock goes on. */
static void test_a_clock_that_is_set_back_makes_no_token_live_longer(void **state) {
    (void)state;
    char first[2048], next[2048];
    get(first);
    int64_t left_us = token.expires_at_us - wall_us - 60 * CLOCK_SECOND_US;
    wall_us -= 3600 * CLOCK_SECOND_US;
    pass(left_us - 1);
    assert_string_equal(get(next), first);
    pass(1);
    assert_string_not_equal(get(next), first);
}

static void test_a_clock_that_is_set_forward_ends_it(void **state) {
    (void)state;
    char first[2048], next[2048];
    get(first);
    wall_us = token.expires_at_us - 60 * CLOCK_SECOND_US;
    assert_string_not_equal(get(next), first);
}

static void test_what_it_says(void **state) {
    (void)state;
    char copy[2048];
    uint8_t bytes[2048];
    size_t size = sizeof bytes;
    struct text part = text_of(strchr(get(copy), '.') + 1);
    part.size = (size_t)(strchr(part.data, '.') - part.data);
    assert_true(result_is_ok(base64url_decode(part, bytes, &size)));
    static const char *const members[] = {"\"iss\":\"discount\"", "\"aud\":\"wallet\"", "\"sub\":\"discount\"",
                                          "\"scope\":\"credits:write funds:write\""};
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        if (memmem(bytes, size, members[i], strlen(members[i])) == NULL) fail_msg("%.*s", (int)size, (const char *)bytes);
    }
}

static void test_a_dropped_one_is_signed_anew(void **state) {
    (void)state;
    char first[2048], next[2048];
    get(first);
    service_token_drop(&token);
    assert_null(token.text);
    assert_string_not_equal(get(next), first);
}

int main(void) {
    crypto_init();
    log_init("test", LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_is_kept_until_its_last_minute, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_clock_that_is_set_back_makes_no_token_live_longer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_clock_that_is_set_forward_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_it_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_dropped_one_is_signed_anew, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
