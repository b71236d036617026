#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "wallet/revocations.h"

#define LIFETIME_US INT64_C(900)

static int make(void **state) { return result_is_ok(revocations_create(LIFETIME_US, (struct revocations **)state)) ? 0 : -1; }
static int drop(void **state) {
    revocations_free(*state);
    return 0;
}

static struct id id_of(uint32_t number) {
    struct id id = {{0}};
    for (int i = 0; i < 4; i++) id.bytes[i] = (uint8_t)(number >> (24 - 8 * i));
    return id;
}

static void a_session_is_revoked_until_its_tokens_have_expired(void **state) {
    struct revocations *revocations = *state;
    struct id user = id_of(1000000);
    assert_false(revocations_contain(revocations, user, id_of(1)));
    revocations_add_session(revocations, id_of(1), 100, 100);
    assert_true(revocations_contain(revocations, user, id_of(1)));
    assert_false(revocations_contain(revocations, user, id_of(2)));
    revocations_add_session(revocations, id_of(2), 999, 999); /* the first one's tokens are good until 1000 */
    assert_true(revocations_contain(revocations, user, id_of(1)));
    revocations_add_session(revocations, id_of(3), 1000, 1000);
    assert_false(revocations_contain(revocations, user, id_of(1)));
    assert_true(revocations_contain(revocations, user, id_of(2)));
    revocations_add_session(revocations, id_of(4), 50, 1000); /* too old to matter: from the database, at start */
    assert_false(revocations_contain(revocations, user, id_of(4)));
}

static void a_user_keeps_one_session_and_later_ones(void **state) {
    struct revocations *revocations = *state;
    struct id sara = id_of(1000000), reza = id_of(1000001);
    revocations_add_user(revocations, sara, id_of(10), id_of(5), 0, 0);
    assert_true(revocations_contain(revocations, sara, id_of(4)));
    assert_false(revocations_contain(revocations, sara, id_of(5)));
    assert_false(revocations_contain(revocations, sara, id_of(11)));
    assert_false(revocations_contain(revocations, reza, id_of(4)));
    revocations_add_user(revocations, sara, id_of(20), id_of(11), 1, 1); /* again: the one that was kept is over too */
    assert_true(revocations_contain(revocations, sara, id_of(5)));
    assert_false(revocations_contain(revocations, sara, id_of(11)));
    revocations_add_session(revocations, id_of(1), 900, 900); /* the first entry expires; the second one stays */
    assert_true(revocations_contain(revocations, sara, id_of(5)));
}

static void it_is_bounded_and_says_so(void **state) {
    struct revocations *revocations = *state;
    struct id user = id_of(UINT32_MAX);
    assert_true(revocations_have_room(revocations));
    for (uint32_t i = 0; i < REVOCATIONS_MAX + 10; i++) revocations_add_session(revocations, id_of(i), 0, 0);
    assert_false(revocations_have_room(revocations));
    assert_false(revocations_contain(revocations, user, id_of(9)));
    assert_true(revocations_contain(revocations, user, id_of(10)));
    assert_true(revocations_contain(revocations, user, id_of(REVOCATIONS_MAX + 9)));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_is_revoked_until_its_tokens_have_expired, make, drop),
        cmocka_unit_test_setup_teardown(a_user_keeps_one_session_and_later_ones, make, drop),
        cmocka_unit_test_setup_teardown(it_is_bounded_and_says_so, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
