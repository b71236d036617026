#include "assertions.h"

#include "base/identity.h"

static void scopes_have_names_and_names_have_scopes(void **state) {
    (void)state;
    static const enum scope scopes[] = {SCOPE_USER, SCOPE_ADMIN, SCOPE_CREDITS_WRITE, SCOPE_FUNDS_WRITE, SCOPE_CREDITS_ISSUE};
    for (size_t i = 0; i < ARRAY_COUNT(scopes); i++) assert_int_equal(scopes_parse(text_of(scope_name(scopes[i]))), scopes[i]);
    assert_string_equal(scope_name(SCOPE_CREDITS_WRITE), "credits:write");
    assert_string_equal(scope_name(SCOPE_PUBLIC), "public");
    assert_string_equal(scope_name(SCOPE_NONE), "none");
}

static void unknown_names_grant_nothing(void **state) {
    (void)state;
    static const struct {
        const char *names;
        uint32_t granted;
    } cases[] = {
        {"", 0},
        {" ", 0},
        {"public", 0}, /* a route's property, never a grant */
        {"none", 0},
        {"User", 0},
        {"users", 0},
        {"use", 0},
        {"user,admin", 0},
        {"user\tadmin", 0},
        {"user admin", SCOPE_USER | SCOPE_ADMIN},
        {"  admin   user ", SCOPE_USER | SCOPE_ADMIN},
        {"user user root credits:write credits:read", SCOPE_USER | SCOPE_CREDITS_WRITE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) assert_int_equal(scopes_parse(text_of(cases[i].names)), cases[i].granted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_have_names_and_names_have_scopes),
        cmocka_unit_test(unknown_names_grant_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
