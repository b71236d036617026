#include "http/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/crypto.h"

static struct address at(const char *text) {
    struct address address;
    assert_true(result_is_ok(address_parse(text_of(text), &address)));
    return address;
}

static void test_a_network_of_ipv6_is_one_client(void **state) {
    (void)state;
    struct share share;
    assert_true(result_is_ok(share_init(&share, 8)));
    assert_null(share_most(&share));
    struct address here = at("2001:db8::1"), beside = at("2001:db8::2"), there = at("2001:db8:0:1::1"), old = at("10.0.0.1"),
                   near = at("10.0.0.2");
    struct holder *holder = share_take(&share, &here);
    assert_ptr_equal(share_take(&share, &beside), holder);
    assert_ptr_not_equal(share_take(&share, &there), holder);
    assert_int_equal(share_count(&share, &here), 2);
    assert_int_equal(share_count(&share, &old), 0);
    struct holder *two[] = {share_take(&share, &old), share_take(&share, &near)};
    assert_ptr_not_equal(two[0], two[1]);
    assert_ptr_equal(share_most(&share), holder);
    share_give(&share, holder);
    share_give(&share, holder);
    assert_int_equal(share_most(&share)->count, 1);
    share_free(&share);
}

/* Against a count of its own, over many steps that a small generator decides. */
static void test_who_has_the_most_is_known_after_each_step(void **state) {
    (void)state;
    enum { CLIENTS = 7, CAPACITY = 40 };
    struct share share;
    struct holder *holders[CLIENTS] = {NULL};
    size_t counts[CLIENTS] = {0}, all = 0;
    assert_true(result_is_ok(share_init(&share, CAPACITY)));
    uint64_t random = 88172645463325252u;
    for (int step = 0; step < 20000; step++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        size_t i = random % CLIENTS, most = 0;
        struct address address = address_of_v4((const uint8_t[4]){10, 0, 0, (uint8_t)i});
        bool takes = all < CAPACITY && (counts[i] == 0 || (random >> 32) % 2 == 0);
        if (takes) {
            holders[i] = share_take(&share, &address);
            counts[i]++, all++;
        } else if (counts[i] > 0) {
            share_give(&share, holders[i]);
            counts[i]--, all--;
        }
        for (size_t j = 0; j < CLIENTS; j++) most = counts[j] > most ? counts[j] : most;
        const struct holder *found = share_most(&share);
        assert_int_equal(found == NULL ? 0 : found->count, most);
        assert_int_equal(share_count(&share, &address), counts[i]);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        for (; counts[i] > 0; counts[i]--) share_give(&share, holders[i]);
    }
    assert_null(share_most(&share));
    share_free(&share);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_network_of_ipv6_is_one_client),
        cmocka_unit_test(test_who_has_the_most_is_known_after_each_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
