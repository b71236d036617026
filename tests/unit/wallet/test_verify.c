/* verify finds each kind of damage. The damage is planted with the guards of the schema taken away. */
#include "damage.h"

#include "wallet/core/chain.h"
#include "wallet/verify.h"

static int make_books(void **state) {
    struct desk *desk = desk_open();
    struct id sara = desk_register(desk, "sara"), reza = desk_register(desk, "reza");
    assert_int_equal(desk_fund(desk, &open_fund_action, "f1", 5000), LEDGER_APPLIED);
    assert_int_equal(desk_credit(desk, "r1", sara, 1000, "f1").outcome, LEDGER_APPLIED);
    assert_int_equal(desk_credit(desk, "r2", reza, 2000, "").outcome, LEDGER_APPLIED);
    assert_int_equal(desk_transfer(desk, sara, "reza", 300), LEDGER_APPLIED);
    assert_int_equal(desk_fund(desk, &topup_fund_action, "f1", 50), LEDGER_APPLIED);
    assert_int_equal(desk_fund(desk, &open_fund_action, "f2", 70), LEDGER_APPLIED);
    assert_int_equal(desk_fund(desk, &release_fund_action, "f2", 0), LEDGER_APPLIED);
    *state = desk;
    return 0;
}

static int drop_books(void **state) {
    desk_close(*state);
    return 0;
}

static struct verify_report verify(struct desk *desk) {
    struct verify_report report;
    assert_true(result_is_ok(verify_books(desk->reader, NULL, &report)));
    return report;
}

static void sound_books_are_sound(void **state) {
    struct verify_report report = verify(*state);
    assert_string_equal(report.finding, "");
    assert_true(report.is_sound);
    assert_int_equal(report.transfers, 7);
    assert_int_equal(report.entries, 14);
    assert_int_equal(report.accounts, 5);
    assert_int_equal(report.users, 2);
    assert_int_equal(report.funds, 2);
    assert_int_equal(report.credits, 2);
    assert_int_equal(report.issued_minor[CURRENCY_IRT], 7050);
}

/* Each in a copy of the same sound books: the damage, and what is said of it. */
static const struct damage {
    const char *damage, *finding;
} cases[] = {
    {"UPDATE transfers SET amount = 1001 WHERE sequence = 2", "transfer 2: its debit entry"},
    {"UPDATE transfers SET caller = 'other' WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfers SET reference = 'r9' WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfers SET description = 'b gift' WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfers SET metadata = '{\"a\":2}' WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfers SET created_at = created_at + 1 WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfers SET currency = 'IRR' WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfers SET kind = 2 WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfers SET id = randomblob(16) WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfers SET hash = zeroblob(32) WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfers SET hash = zeroblob(3) WHERE sequence = 2", "transfer 2: a column is of a wrong form"},
    {"UPDATE transfers SET currency = 'EUR' WHERE sequence = 2", "transfer 2: a column is of a wrong form"},
    {"DELETE FROM transfers WHERE sequence = 3", "transfer 4: the one before it is 2"},
    {"DELETE FROM transfers WHERE sequence = 7", "entries: there are 14 for 6 transfers"},
    {"DELETE FROM entries WHERE transfer = 4 AND amount < 0", "transfer 4: its debit entry"},
    {"DELETE FROM entries WHERE transfer = 4 AND amount > 0", "transfer 4: its credit entry"},
    {"UPDATE entries SET amount = 1001 WHERE transfer = 2 AND amount > 0", "transfer 2: its credit entry"},
    {"UPDATE entries SET balance_after = 5 WHERE transfer = 2 AND amount > 0", "transfer 2: its hash does not fit"},
    {"UPDATE entries SET transfer = 3 WHERE transfer = 2 AND amount > 0", "transfer 2: its credit entry"},
    {"UPDATE entries SET kind = 2 WHERE transfer = 2 AND amount > 0", "transfer 2: the line that its credit entry keeps"},
    {"UPDATE entries SET created_at = created_at + 1 WHERE transfer = 2 AND amount > 0",
     "transfer 2: the line that its credit entry keeps"},
    {"UPDATE entries SET id = randomblob(16) WHERE transfer = 2 AND amount > 0", "transfer 2: the line that its credit entry keeps"},
    {"UPDATE entries SET id = NULL WHERE transfer = 2 AND amount > 0", "transfer 2: the line that its credit entry keeps"},
    {"UPDATE entries SET reference = 'r9' WHERE transfer = 2 AND amount > 0", "transfer 2: the line that its credit entry keeps"},
    {"UPDATE entries SET description = 'b gift' WHERE transfer = 2 AND amount > 0", "transfer 2: the line that its credit entry keeps"},
    {"UPDATE entries SET caller = 'other' WHERE transfer = 2 AND amount > 0", "transfer 2: the line that its credit entry keeps"},
    {"UPDATE entries SET typed = 'x' WHERE transfer = 2 AND amount > 0", "transfer 2: the line that its credit entry keeps"},
    {"UPDATE entries SET other = zeroblob(16) WHERE transfer = 2 AND amount > 0", "transfer 2: the line that its credit entry keeps"},
    {"UPDATE entries SET other_name = 'x' WHERE transfer = 2 AND amount > 0", "transfer 2: the line that its credit entry keeps"},
    {"UPDATE entries SET caller = '' WHERE transfer = 2 AND amount < 0", "transfer 2: the line that its debit entry keeps"},
    {"INSERT INTO entries (key, transfer, amount, balance_after, kind, created_at) VALUES ((2 << 32) + 3, 4, 5, 705, 1, 1)",
     "account 2: it counts 2 entries, but has 3"},
    {"INSERT INTO entries (key, transfer, amount, balance_after, kind, created_at) VALUES ((99 << 32) + 1, 4, 5, 5, 1, 1)",
     "entries: there are 15 for 7 transfers"},
    {"UPDATE accounts SET sequence = 3 WHERE number = 2", "account 2: it counts 3 entries, but has 2"},
    {"UPDATE accounts SET credits_posted = credits_posted + 1 WHERE number = 2", "account 2: its sums are not those of its entries"},
    {"UPDATE accounts SET debits_posted = debits_posted + 1, credits_posted = credits_posted + 1 WHERE number = 2",
     "account 2: its sums are not those of its entries"},
    {"UPDATE accounts SET debits_pending = 1 WHERE number = 2", "account 2: what is pending is not what is held"},
    {"UPDATE accounts SET credits_pending = 1 WHERE number = 2", "account 2: what is pending is not what is held"},
    {"UPDATE accounts SET currency = 'IRR' WHERE number = 2", "transfer 2: its accounts are in another currency"},
    {"UPDATE meta SET currency = 'IRR'", "account 1: it is not issuance of the main currency"},
    {"UPDATE accounts SET floor = 800 WHERE number = 2", "account 2: it is below its floor"},
    {"UPDATE accounts SET is_overdrawn = 1 WHERE number = 2", "account 2: it is said to be overdrawn"},
    {"UPDATE transfers SET origin = 1 WHERE sequence = 2", "transfer 2: a column is of a wrong form"},
    {"UPDATE transfers SET expires_at = 1 WHERE sequence = 2", "transfer 2: a column is of a wrong form"},
    {"UPDATE funds SET reversed = 1 WHERE reference = 'f1'", "fund 4: what was taken back"},
    {"INSERT INTO holds VALUES (2, 2, 2, 5, 0, 1, 1)", "hold 2: the journal has none"},
    {"INSERT INTO merchants VALUES (99, 'nobody', 99, 'IRT')", "merchants: 1 accounts"},
    {"INSERT INTO merchants VALUES (2, 'no merchant', 2, 'IRT')", "merchants: 1 accounts"},
    {"UPDATE funds SET funded = funded + 1 WHERE reference = 'f1'", "fund 4: funded is not credited + remaining + released"},
    {"UPDATE funds SET credited = credited + 1, funded = funded + 1 WHERE reference = 'f1'",
     "fund 4: its numbers are not those of its transfers"},
    {"UPDATE funds SET is_released = 1 WHERE reference = 'f1'", "fund 4: it is released, but not empty"},
    {"UPDATE funds SET opened = opened - 1 WHERE reference = 'f1'", "fund 4: it was not opened with"},
    {"UPDATE funds SET is_released = 0 WHERE is_released = 1", "fund 5: its rest went back"},
    {"DELETE FROM funds WHERE reference = 'f1'", "funds: there are 1, and 2 accounts of funds"},
    {"DELETE FROM accounts WHERE number = 3", "account 4: the one before it is 2"},
    {"INSERT INTO users VALUES (zeroblob(16), 'ghost', NULL, '$argon2id$', 0, 1, NULL, NULL, NULL, 0, 0, 0)", "users: 1 have no wallet"},
    {"INSERT INTO sessions VALUES (zeroblob(16), zeroblob(16), 1, 1, 1, NULL, NULL)", "sessions: 1 belong to no user"},
    {"INSERT INTO refresh_tokens VALUES (zeroblob(16), zeroblob(32), 1, 1, NULL)", "refresh tokens: 1 belong to no session"},
};

static void find_damage(struct desk *desk, const struct damage *damage) {
    struct database *raw = open_raw(desk);
    take_guards_away(raw);
    run_sql(raw, damage->damage);
    close_raw(desk, raw);
    struct verify_report report = verify(desk);
    if (report.is_sound) fail_msg("not found: %s", damage->damage);
    if (strncmp(report.finding, damage->finding, strlen(damage->finding)) != 0)
        fail_msg("%s\n  found:    %s\n  expected: %s", damage->damage, report.finding, damage->finding);
}

static void each_damage_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        void *desk = NULL;
        make_books(&desk);
        find_damage(desk, &cases[i]);
        drop_books(&desk);
    }
}

/* Books of three currencies: of two of them mina has got something out of a fund. */
static int make_mixed_books(void **state) {
    enum currency usd = CURRENCY_NONE;
    make_books(state);
    struct desk *desk = *state;
    struct id mina = desk_register(desk, "mina");
    assert_true(result_is_ok(currency_add(TEXT("USD"), 2, &usd)));
    struct batch *batch = desk->writer;
    struct result reason;
    assert_true(result_is_ok(batch_begin(batch)));
    const struct hash hash = currency_hash(TEXT("USD"), 2);
    save_currency(batch, TEXT("USD"), 2, &hash);
    assert_int_equal(batch_commit(batch, &reason), COMMITTED);
    const enum currency both[] = {CURRENCY_IRR, usd};
    for (size_t i = 0; i < ARRAY_COUNT(both); i++) {
        struct fund_change *fund = desk_make_fund(desk, &open_fund_action, i == 0 ? "f3" : "f4", 500);
        fund->command.amount.currency = both[i];
        desk_decide(desk, &fund->operation);
        assert_int_equal(fund->outcome, LEDGER_APPLIED);
        struct credits *credits = desk_make_credit(desk, i == 0 ? "m1" : "m2", mina, 200, i == 0 ? "f3" : "f4");
        ((struct credit_item *)(uintptr_t)credits->items)->amount.currency = both[i];
        desk_decide(desk, &credits->operation);
        assert_int_equal(credits->outcomes[0].outcome, LEDGER_APPLIED);
    }
    return 0;
}

static void sound_books_of_several_currencies_are_sound(void **state) {
    struct verify_report report = verify(*state);
    enum currency usd = CURRENCY_NONE;
    assert_true(result_is_ok(currency_parse(TEXT("USD"), &usd)));
    assert_string_equal(report.finding, "");
    assert_int_equal(report.accounts, 12);
    assert_true(report.is_issued[CURRENCY_IRT] && report.is_issued[CURRENCY_IRR] && report.is_issued[usd] && !report.is_issued[usd + 1]);
    assert_int_equal(report.issued_minor[CURRENCY_IRT], 7050);
    assert_int_equal(report.issued_minor[CURRENCY_IRR], 500);
    assert_int_equal(report.issued_minor[usd], 500);
    char printed[1024] = "";
    FILE *out = fmemopen(printed, sizeof printed, "w");
    verify_print(&report, out);
    fclose(out);
    assert_non_null(strstr(printed, "credits   4\nissued    7050 IRT\nissued    500 IRR\nissued    500 USD\nhead      "));
}

/* Its accounts: 7 and 8 issuance and the fund of IRR, 9 mina's; 10, 11 and 12 the same of USD. */
static const struct damage mixed_cases[] = {
    {"UPDATE accounts SET currency = 'IRR' WHERE number = 12", "transfer 11: its accounts are in another currency"},
    {"UPDATE accounts SET currency = 'IRR' WHERE number = 11", "transfer 10: its accounts are in another currency"},
    {"UPDATE accounts SET currency = 'EUR' WHERE number = 12", "account 12: it is in no currency of these books"},
    {"UPDATE currencies SET exponent = 3", "currency USD: its hash does not fit"},
    {"UPDATE currencies SET code = 'UST'", "currency UST: its hash does not fit"},
    {"UPDATE currencies SET hash = zeroblob(32)", "currency USD: its hash does not fit"},
    {"UPDATE currencies SET hash = zeroblob(3)", "currency USD: its hash does not fit"},
    {"UPDATE meta SET currency = 'EUR'", "meta: its currency is none of these books"},
    {"UPDATE accounts SET kind = 2 WHERE number = 7", "account 7: entry 1 leaves it below zero"},
    {"UPDATE accounts SET kind = 3, user_id = NULL WHERE number = 9", "accounts: 1 users, or issuance, have more than one in a currency"},
    {"UPDATE accounts SET user_id = zeroblob(16) WHERE number = 12", "accounts: 1 wallets belong to no user"},
    {"INSERT INTO accounts (number, id, kind, user_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, sequence, "
     "floor, is_frozen, "
     "created_at, updated_at, is_overdrawn) SELECT 13, randomblob(16), kind, user_id, currency, 0, 0, 0, 0, 0, 0, 0, created_at, "
     "updated_at, 0 FROM accounts "
     "WHERE number = 12",
     "accounts: 1 users, or issuance, have more than one in a currency"},
    {"INSERT INTO merchants VALUES (99, 'nobody', 1, 'USD')", "merchant's account 99: its row is of another account or merchant"},
};

static void each_damage_of_several_currencies_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(mixed_cases); i++) {
        void *desk = NULL;
        make_mixed_books(&desk);
        struct database *raw = open_raw(desk);
        run_sql(raw, "DROP INDEX accounts_user");
        run_sql(raw, "DROP INDEX accounts_issuance");
        close_raw(desk, raw);
        find_damage(desk, &mixed_cases[i]);
        drop_books(&desk);
    }
}

static void a_reference_credited_twice_is_found(void **state) {
    struct desk *desk = *state;
    struct database *raw = open_raw(desk);
    take_guards_away(raw);
    run_sql(raw, "DROP INDEX transfers_credit_reference");
    run_sql(raw, "UPDATE transfers SET reference = 'r1' WHERE sequence = 3");
    close_raw(desk, raw);
    struct verify_report report = verify(desk);
    assert_false(report.is_sound); /* the hash says so first; the report names the first finding only */
    assert_string_equal(report.finding, "transfer 3: its hash does not fit");
}

/* Who can compute hashes can still not turn time back: the newest transfer, written anew with a hash that fits. */
static void a_well_hashed_step_back_in_time_is_found(void **state) {
    struct desk *desk = *state;
    struct statement read, write;
    bool found = false;
    struct database *raw = open_raw(desk);
    take_guards_away(raw);
    assert_true(result_is_ok(statement_prepare(raw, "SELECT id, hash FROM transfers WHERE sequence = ?1", &read)));
    struct transfer transfer = {.sequence = 7, .kind = TRANSFER_RELEASE, .amount = {70, CURRENCY_IRT}, .created_at_us = 1};
    statement_bind_integer(&read, 1, 6);
    assert_true(result_is_ok(statement_step(&read, &found)) && found);
    memcpy(&transfer.previous_hash, statement_blob(&read, 1).data, sizeof transfer.previous_hash);
    statement_reset(&read);
    statement_bind_integer(&read, 1, 7);
    assert_true(result_is_ok(statement_step(&read, &found)) && found);
    transfer.id = statement_id(&read, 0);
    statement_reset(&read);
    transfer.debit_account = 5;
    transfer.debit_sequence = 2;
    transfer.credit_account = 1;
    transfer.credit_sequence = 5;
    transfer.credit_balance_after = -7050;
    transfer.caller = TEXT("discount");
    transfer.reference = TEXT("f2");
    struct hash hash = transfer_hash(&transfer);
    assert_true(result_is_ok(statement_prepare(raw, "UPDATE transfers SET created_at = 1, hash = ?1 WHERE sequence = 7", &write)));
    statement_bind_blob(&write, 1, hash.bytes, sizeof hash.bytes);
    assert_true(result_is_ok(statement_run(&write)));
    close_raw(desk, raw);
    assert_string_equal(verify(desk).finding, "transfer 7: it is older than the one before it");
}

/* The schema's own guards: each of these is refused before verify has to find it. */
static void the_schema_refuses(void **state) {
    struct desk *desk = *state;
    static const char *const refused[] = {
        "UPDATE transfers SET amount = 1 WHERE sequence = 1",
        "DELETE FROM transfers",
        "UPDATE entries SET balance_after = 1",
        "DELETE FROM entries",
        "UPDATE accounts SET debits_posted = debits_posted + 100000 WHERE number = 2",
        "UPDATE accounts SET debits_posted = debits_posted + 100000 WHERE kind = 2",
        "UPDATE users SET name = 'Sara' WHERE name = 'sara'",
        "UPDATE users SET name = 'reza' WHERE name = 'sara'",
    };
    struct database *raw = open_raw(desk);
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        struct statement statement;
        bool row = false;
        assert_true(result_is_ok(statement_prepare(raw, refused[i], &statement)));
        if (result_is_ok(statement_step(&statement, &row))) fail_msg("taken: %s", refused[i]);
        statement_reset(&statement);
    }
    close_raw(desk, raw);
    assert_true(verify(desk).is_sound);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sound_books_are_sound, make_books, drop_books),
        cmocka_unit_test(each_damage_is_found),
        cmocka_unit_test_setup_teardown(sound_books_of_several_currencies_are_sound, make_mixed_books, drop_books),
        cmocka_unit_test(each_damage_of_several_currencies_is_found),
        cmocka_unit_test_setup_teardown(a_reference_credited_twice_is_found, make_books, drop_books),
        cmocka_unit_test_setup_teardown(a_well_hashed_step_back_in_time_is_found, make_books, drop_books),
        cmocka_unit_test_setup_teardown(the_schema_refuses, make_books, drop_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
