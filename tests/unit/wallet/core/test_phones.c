/* Whose a phone number is. */
#include "wallet/core/phones.h"

#include "core.h"

static struct phone phone_of(const char *typed) {
    struct phone phone;
    assert_int_equal(phone_parse(text_of(typed), "IR", &phone).code, RESULT_OK);
    return phone;
}

static struct user *add(struct core *core, const char *name, const char *phone) {
    struct user *user = NULL;
    struct register_command command = {.name = text_of(name), .password_hash = CORE_PASSWORD};
    if (phone != NULL) command.phone = phone_of(phone);
    assert_int_equal(ledger_register_user(&core->ledger, &command, core->now_us, &user), LEDGER_APPLIED);
    user->state = ROW_KEPT;
    return user;
}

static enum ledger_outcome change(struct core *core, const struct user *user, const char *phone) {
    const struct phone_command command = {user->id, phone_of(phone)};
    return ledger_change_phone(&core->ledger, &command);
}

static enum ledger_outcome verify(struct core *core, const struct user *user, const char *phone, const struct user **ret_left) {
    const struct phone_command command = {user->id, phone_of(phone)};
    return ledger_verify_phone(&core->ledger, &command, ret_left);
}

static const struct user *holder_of(struct core *core, const char *phone) {
    const struct phone number = phone_of(phone);
    return ledger_find_user_by_phone(&core->ledger, &number);
}

static void a_changed_number_is_unverified(void **state) {
    struct core *core = *state;
    const struct user *left;
    struct user *sara = add(core, "sara", "09121234567");
    assert_int_equal(verify(core, sara, "09121234567", &left), LEDGER_APPLIED);
    assert_true(sara->is_phone_verified && left == NULL && !sara->has_left_phone);
    sara->state = ROW_KEPT;
    assert_int_equal(change(core, sara, "+989121234567"), LEDGER_APPLIED); /* the same one */
    assert_true(sara->is_phone_verified && sara->state == ROW_KEPT);
    assert_int_equal(change(core, sara, "09121234568"), LEDGER_APPLIED);
    assert_true(!sara->is_phone_verified && sara->state == ROW_CHANGED && sara->has_left_phone);
    assert_null(holder_of(core, "09121234567"));
    assert_ptr_equal(holder_of(core, "09121234568"), sara);
}

static void a_number_is_one_accounts(void **state) {
    struct core *core = *state;
    struct user *sara = add(core, "sara", "09121234567"), *reza = add(core, "reza", NULL);
    assert_int_equal(change(core, reza, "09121234567"), LEDGER_PHONE_TAKEN);
    assert_true(reza->state == ROW_KEPT && reza->phone.size == 0 && sara->state == ROW_KEPT);
    assert_int_equal(change(core, sara, "09121234568"), LEDGER_APPLIED);
    assert_int_equal(change(core, reza, "09121234567"), LEDGER_APPLIED);
    assert_false(reza->has_left_phone);
    const struct user nobody = {.id = {{9}}};
    assert_int_equal(change(core, &nobody, "09121234569"), LEDGER_USER_NOT_FOUND);
}

static void who_proves_it_has_it(void **state) {
    struct core *core = *state;
    const struct user *left;
    struct user *squatter = add(core, "squatter", "09121234567"), *sara = add(core, "sara", "09121234568");
    assert_int_equal(verify(core, sara, "09121234567", &left), LEDGER_APPLIED);
    assert_ptr_equal(left, squatter);
    assert_true(squatter->phone.size == 0 && squatter->state == ROW_CHANGED && squatter->has_left_phone);
    assert_true(sara->is_phone_verified && sara->has_left_phone);
    assert_ptr_equal(holder_of(core, "09121234567"), sara);
    assert_null(holder_of(core, "09121234568"));
    assert_int_equal(verify(core, squatter, "09121234567", &left), LEDGER_PHONE_TAKEN); /* now it is proven */
    assert_true(left == NULL && squatter->phone.size == 0 && sara->is_phone_verified);
    sara->state = ROW_KEPT;
    assert_int_equal(verify(core, sara, "09121234567", &left), LEDGER_APPLIED);
    assert_true(sara->state == ROW_KEPT && left == NULL);
    const struct user nobody = {.id = {{9}}};
    assert_int_equal(verify(core, &nobody, "09121234567", &left), LEDGER_USER_NOT_FOUND);
    assert_true(sara->is_phone_verified);
}

static void a_proven_number_takes_the_place_of_another(void **state) {
    struct core *core = *state;
    const struct user *left;
    struct user *sara = add(core, "sara", NULL);
    assert_int_equal(verify(core, sara, "09121234567", &left), LEDGER_APPLIED); /* nobody's until then */
    assert_true(left == NULL && sara->is_phone_verified && !sara->has_left_phone);
    assert_int_equal(verify(core, sara, "09121234568", &left), LEDGER_APPLIED);
    assert_true(left == NULL && sara->is_phone_verified && sara->has_left_phone);
    assert_ptr_equal(holder_of(core, "09121234568"), sara);
    assert_null(holder_of(core, "09121234567"));
}

static void who_has_lost_a_number_is_found_by_none(void **state) {
    struct core *core = *state;
    static const struct phone none = {0};
    const struct user *left;
    struct user *first = add(core, "first", "09121234567"), *second = add(core, "second", "09121234568"), *sara = add(core, "sara", NULL);
    assert_int_equal(verify(core, sara, "09121234567", &left), LEDGER_APPLIED);
    assert_ptr_equal(left, first);
    assert_null(ledger_find_user_by_phone(&core->ledger, &none));
    assert_int_equal(verify(core, sara, "09121234568", &left), LEDGER_APPLIED);
    assert_ptr_equal(left, second);
    assert_null(ledger_find_user_by_phone(&core->ledger, &none));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(a_changed_number_is_unverified),
        CORE_TEST(a_number_is_one_accounts),
        CORE_TEST(who_proves_it_has_it),
        CORE_TEST(a_proven_number_takes_the_place_of_another),
        CORE_TEST(who_has_lost_a_number_is_found_by_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
