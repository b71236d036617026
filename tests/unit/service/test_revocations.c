#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "service/revocations.h"

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

static void they_are_read_in_the_order_of_their_coming(void **state) {
    struct revocations *revocations = *state;
    struct revocation read[3];
    struct revocation_mark mark = {0}, other;
    assert_int_equal(revocations_read(revocations, mark, read, 3, &mark), 0);
    for (uint32_t i = 1; i <= 4; i++) revocations_add_session(revocations, id_of(i), i, i);
    assert_int_equal(revocations_read(revocations, mark, read, 3, &mark), 3);
    assert_int_equal(read[0].id.bytes[3], 1);
    assert_int_equal(read[2].expires_at_us, 3 + LIFETIME_US);
    revocations_add_user(revocations, id_of(9), id_of(8), id_of(7), 5, 5);
    assert_int_equal(revocations_read(revocations, mark, read, 3, &mark), 2);
    assert_int_equal(read[1].cutoff.bytes[3], 8);
    assert_int_equal(revocations_read(revocations, mark, read, 3, &mark), 0);
    revocations_add_user(revocations, id_of(9), id_of(8), id_of(7), 5, 6); /* the same again is nothing new */
    assert_int_equal(revocations_read(revocations, mark, read, 3, &mark), 0);
    revocations_add_session(revocations, id_of(20), 2000, 2000); /* all others have expired */
    assert_int_equal(revocations_read(revocations, (struct revocation_mark){mark.origin, 1}, read, 3, &other), 1);
    assert_int_equal(read[0].id.bytes[3], 20);
    assert_int_equal(other.number, 6);
    assert_true(other.origin == mark.origin);
    assert_int_equal(revocations_read(revocations, (struct revocation_mark){mark.origin + 1, 6}, read, 3, &other),
                     1); /* of another process */
    assert_int_equal(revocations_read(revocations, (struct revocation_mark){mark.origin, 7}, read, 3, &other), 1);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_is_revoked_until_its_tokens_have_expired, make, drop),
        cmocka_unit_test_setup_teardown(a_user_keeps_one_session_and_later_ones, make, drop),
        cmocka_unit_test_setup_teardown(they_are_read_in_the_order_of_their_coming, make, drop),
        cmocka_unit_test_setup_teardown(it_is_bounded_and_says_so, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
