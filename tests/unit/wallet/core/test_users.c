/* Registration and passwords. */
#include "core.h"

#include "wallet/core/sessions.h"

static enum ledger_outcome add(struct core *core, const char *name, const char *phone) {
    struct user *user = NULL;
    struct register_command command = {.name = text_of(name), .password_hash = CORE_PASSWORD};
    if (phone != NULL) assert_int_equal(phone_parse(text_of(phone), "IR", &command.phone).code, RESULT_OK);
    return ledger_register_user(&core->ledger, &command, core->now_us, &user);
}

static void a_name_and_a_phone_number_are_taken_once(void **state) {
    struct core *core = *state;
    assert_int_equal(add(core, "sara", "09121234567"), LEDGER_APPLIED);
    struct core_picture before = core_take_picture(core);
    assert_int_equal(add(core, "sara", NULL), LEDGER_USERNAME_TAKEN);
    assert_int_equal(add(core, "reza", "09121234567"), LEDGER_PHONE_TAKEN);
    struct core_picture after = core_take_picture(core);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(core->ledger.users.count, 1);
    assert_int_equal(add(core, "reza", NULL), LEDGER_APPLIED);
    assert_int_equal(add(core, "ali", NULL), LEDGER_APPLIED); /* without a phone number nobody has the same */
}

static void each_user_has_an_empty_wallet(void **state) {
    struct core *core = *state;
    const struct account *account = core_open_wallet(core, "sara");
    assert_int_equal(account->kind, ACCOUNT_USER);
    assert_int_equal(account->currency, CURRENCY_IRT);
    assert_int_equal(account_balance(account).amount_minor, 0);
    assert_int_equal(account->created_at_us, core->now_us);
}

static void a_new_password_cuts_older_sessions_off(void **state) {
    struct core *core = *state;
    struct user *sara = core_register(core, "sara");
    struct id older = id_make(&core->ids, core->now_us), kept = id_make(&core->ids, core->now_us);
    struct password_command command = {.user_id = sara->id,
                                       .session_id = kept,
                                       .password_hash = CORE_PASSWORD,
                                       .next_password_hash = "$argon2id$next"};
    sara->state = ROW_KEPT;
    assert_int_equal(ledger_change_password(&core->ledger, &command, core->now_us), LEDGER_APPLIED);
    assert_int_equal(sara->state, ROW_CHANGED);
    assert_int_equal(sara->sessions_ended_at_us, core->now_us);
    assert_true(user_has_password(sara, "$argon2id$next"));
    assert_false(user_has_password(sara, CORE_PASSWORD));
    assert_true(session_is_cut_off(older, sara->sessions_cutoff, sara->kept_session));
    assert_false(session_is_cut_off(kept, sara->sessions_cutoff, sara->kept_session));
    assert_false(session_is_cut_off(id_make(&core->ids, core->now_us), sara->sessions_cutoff, sara->kept_session));
    /* One that matched the password of before comes too late, and changes nothing. */
    assert_int_equal(ledger_change_password(&core->ledger, &command, core->now_us + 1), LEDGER_INVALID_CREDENTIALS);
    assert_int_equal(sara->sessions_ended_at_us, core->now_us);
    command.user_id = (struct id){{9}};
    assert_int_equal(ledger_change_password(&core->ledger, &command, core->now_us), LEDGER_INVALID_CREDENTIALS);
}

static void what_the_operator_does_ends_sessions(void **state) {
    struct core *core = *state;
    struct user *sara = core_register(core, "sara");
    struct id session = id_make(&core->ids, core->now_us);
    sara->state = ROW_KEPT;
    assert_true(ledger_set_admin(&core->ledger, sara, true, core->now_us));
    assert_true(sara->is_admin && sara->state == ROW_CHANGED &&
                sara->sessions_ended_at_us == 0); /* tokens of before say less than they may */
    assert_false(ledger_set_admin(&core->ledger, sara, true, core->now_us));
    assert_true(ledger_set_admin(&core->ledger, sara, false, core->now_us));
    assert_true(session_is_cut_off(session, sara->sessions_cutoff, sara->kept_session));
    session = id_make(&core->ids, core->now_us);
    assert_true(ledger_set_disabled(&core->ledger, sara, true, core->now_us));
    assert_true(session_is_cut_off(session, sara->sessions_cutoff, sara->kept_session));
    assert_false(ledger_set_disabled(&core->ledger, sara, true, core->now_us + 1));
    assert_int_equal(sara->sessions_ended_at_us, core->now_us);
    struct session_command command = {.user_id = sara->id, .password_hash = CORE_PASSWORD, .refresh_lifetime_us = 1};
    struct session *started = NULL;
    assert_int_equal(ledger_start_session(&core->ledger, &command, core->now_us, &started), LEDGER_USER_DISABLED);
    assert_true(ledger_set_disabled(&core->ledger, sara, false, core->now_us));
    session = id_make(&core->ids, core->now_us);
    ledger_set_password(&core->ledger, sara, "$argon2id$next", true, core->now_us);
    assert_true(session_is_cut_off(session, sara->sessions_cutoff, sara->kept_session));
    assert_int_equal(ledger_start_session(&core->ledger, &command, core->now_us, &started), LEDGER_INVALID_CREDENTIALS);
    command.password_hash = "$argon2id$next";
    assert_int_equal(ledger_start_session(&core->ledger, &command, core->now_us, &started), LEDGER_PASSWORD_TEMPORARY);
    assert_null(started);
    command.next_password_hash = "$argon2id$own";
    assert_int_equal(ledger_start_session(&core->ledger, &command, core->now_us, &started), LEDGER_APPLIED);
    assert_true(user_has_password(sara, "$argon2id$own") && !sara->is_password_temporary);
    assert_false(session_is_cut_off(started->id, sara->sessions_cutoff, sara->kept_session));
}

static void what_the_operator_does_is_saved(void **state) {
    struct core *core = *state;
    struct user *sara = core_register(core, "sara");
    sara->is_disabled = true;
    sara->state = ROW_KEPT;
    assert_true(ledger_set_disabled(&core->ledger, sara, false, core->now_us));
    assert_int_equal(sara->state, ROW_CHANGED);
}

static void a_password_of_ones_own_is_not_temporary(void **state) {
    struct core *core = *state;
    struct user *sara = core_register(core, "sara");
    ledger_set_password(&core->ledger, sara, CORE_PASSWORD, true, core->now_us);
    assert_true(sara->is_password_temporary);
    const struct password_command command = {.user_id = sara->id, .password_hash = CORE_PASSWORD, .next_password_hash = "$argon2id$next"};
    assert_int_equal(ledger_change_password(&core->ledger, &command, core->now_us), LEDGER_APPLIED);
    assert_false(sara->is_password_temporary);
}

static void nobody_has_no_password(void **state) {
    (void)state;
    struct user user = {.name_size = 1};
    assert_false(user_has_password(&user, ""));
    assert_false(user_has_password(&user, CORE_PASSWORD));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(a_name_and_a_phone_number_are_taken_once),
        CORE_TEST(each_user_has_an_empty_wallet),
        CORE_TEST(a_new_password_cuts_older_sessions_off),
        CORE_TEST(what_the_operator_does_ends_sessions),
        CORE_TEST(what_the_operator_does_is_saved),
        CORE_TEST(a_password_of_ones_own_is_not_temporary),
        cmocka_unit_test(nobody_has_no_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
