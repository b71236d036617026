/* verify finds each kind of damage. The damage is planted with the guards of the schema taken away. */
#include "books.h"

#include "wallet/core/chain.h"
#include "wallet/verify.h"

static int make_books(void **state) {
    struct books *books = books_open_sqlite();
    struct id sara = books_register(books, "sara"), reza = books_register(books, "reza");
    assert_int_equal(books_fund(books, COMMAND_OPEN_FUND, "f1", 5000)->outcome, LEDGER_APPLIED);
    assert_int_equal(books_credit(books, "r1", sara, 1000, "f1").outcome, LEDGER_APPLIED);
    assert_int_equal(books_credit(books, "r2", reza, 2000, "").outcome, LEDGER_APPLIED);
    assert_int_equal(books_transfer(books, sara, "reza", 300), LEDGER_APPLIED);
    assert_int_equal(books_fund(books, COMMAND_TOPUP_FUND, "f1", 50)->outcome, LEDGER_APPLIED);
    assert_int_equal(books_fund(books, COMMAND_OPEN_FUND, "f2", 70)->outcome, LEDGER_APPLIED);
    assert_int_equal(books_fund(books, COMMAND_RELEASE_FUND, "f2", 0)->outcome, LEDGER_APPLIED);
    *state = books;
    return 0;
}

static int drop_books(void **state) {
    books_close(*state);
    return 0;
}

static void run_sql(struct books *books, const char *sql) {
    struct statement statement;
    assert_true(result_is_ok(statement_prepare(books->database, sql, &statement)));
    bool row = false;
    assert_true(result_is_ok(statement_step(&statement, &row)));
    statement_reset(&statement);
}

static void take_guards_away(struct books *books) {
    run_sql(books, "PRAGMA ignore_check_constraints = ON");
    run_sql(books, "PRAGMA foreign_keys = OFF");
    run_sql(books, "DROP TRIGGER transfer_is_immutable");
    run_sql(books, "DROP TRIGGER transfer_is_kept");
    run_sql(books, "DROP TRIGGER entry_is_immutable");
    run_sql(books, "DROP TRIGGER entry_is_kept");
}

static struct verify_report verify(struct books *books) {
    struct verify_report report;
    assert_true(result_is_ok(verify_books(books->database, &report)));
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
    assert_int_equal(report.issued_minor, 7050);
}

/* Each in a copy of the same sound books: the damage, and what is said of it. */
static const struct {
    const char *damage, *finding;
} cases[] = {
    {"UPDATE transfer SET amount = 1001 WHERE sequence = 2", "transfer 2: its debit entry"},
    {"UPDATE transfer SET caller = 'other' WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfer SET reference = 'r9' WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfer SET description = 'b gift' WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfer SET metadata = '{\"a\":2}' WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfer SET created_at = created_at + 1 WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfer SET currency = 'IRR' WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfer SET kind = 2 WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfer SET id = randomblob(16) WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfer SET hash = zeroblob(32) WHERE sequence = 2", "transfer 2: its hash does not fit"},
    {"UPDATE transfer SET hash = zeroblob(3) WHERE sequence = 2", "transfer 2: a column is of a wrong form"},
    {"UPDATE transfer SET currency = 'EUR' WHERE sequence = 2", "transfer 2: a column is of a wrong form"},
    {"DELETE FROM transfer WHERE sequence = 3", "transfer 4: the one before it is 2"},
    {"DELETE FROM transfer WHERE sequence = 7", "entries: there are 14 for 6 transfers"},
    {"DELETE FROM entry WHERE transfer = 4 AND amount < 0", "transfer 4: its debit entry"},
    {"DELETE FROM entry WHERE transfer = 4 AND amount > 0", "transfer 4: its credit entry"},
    {"UPDATE entry SET amount = 1001 WHERE transfer = 2 AND amount > 0", "transfer 2: its credit entry"},
    {"UPDATE entry SET balance_after = 5 WHERE transfer = 2 AND amount > 0", "transfer 2: its hash does not fit"},
    {"UPDATE entry SET transfer = 3 WHERE transfer = 2 AND amount > 0", "transfer 2: its credit entry"},
    {"INSERT INTO entry VALUES (2, 3, 4, 5, 705)", "account 2: it counts 2 entries, but has 3"},
    {"INSERT INTO entry VALUES (99, 1, 4, 5, 5)", "entries: there are 15 for 7 transfers"},
    {"UPDATE account SET sequence = 3 WHERE number = 2", "account 2: it counts 3 entries, but has 2"},
    {"UPDATE account SET credits_posted = credits_posted + 1 WHERE number = 2", "account 2: its sums are not those of its entries"},
    {"UPDATE account SET debits_posted = debits_posted + 1, credits_posted = credits_posted + 1 WHERE number = 2",
     "account 2: its sums are not those of its entries"},
    {"UPDATE account SET debits_pending = 1 WHERE number = 2", "account 2: amounts are pending"},
    {"UPDATE account SET credits_pending = 1 WHERE number = 2", "account 2: amounts are pending"},
    {"UPDATE account SET currency = 'IRR' WHERE number = 2", "account 2: it is not in the currency of the books"},
    {"UPDATE meta SET currency = 'IRR'", "account 1: it is not in the currency of the books"},
    {"UPDATE account SET floor = 800 WHERE number = 2", "account 2: it is below its floor"},
    {"UPDATE fund SET funded = funded + 1 WHERE reference = 'f1'", "fund 4: funded is not credited + remaining + released"},
    {"UPDATE fund SET credited = credited + 1, funded = funded + 1 WHERE reference = 'f1'",
     "fund 4: its numbers are not those of its transfers"},
    {"UPDATE fund SET is_released = 1 WHERE reference = 'f1'", "fund 4: it is released, but not empty"},
    {"UPDATE fund SET opened = opened - 1 WHERE reference = 'f1'", "fund 4: it was not opened with"},
    {"UPDATE fund SET is_released = 0 WHERE is_released = 1", "fund 5: its rest went back"},
    {"DELETE FROM fund WHERE reference = 'f1'", "funds: there are 1, and 2 accounts of funds"},
    {"DELETE FROM account WHERE number = 3", "account 4: the one before it is 2"},
    {"INSERT INTO user VALUES (zeroblob(16), 'ghost', NULL, '$argon2id$', 0, 1, NULL, NULL, NULL)", "users: 1 have no wallet"},
};

static void each_damage_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        void *books = NULL;
        make_books(&books);
        take_guards_away(books);
        run_sql(books, cases[i].damage);
        struct verify_report report = verify(books);
        if (report.is_sound) fail_msg("not found: %s", cases[i].damage);
        if (strncmp(report.finding, cases[i].finding, strlen(cases[i].finding)) != 0) {
            fail_msg("%s\n  found:    %s\n  expected: %s", cases[i].damage, report.finding, cases[i].finding);
        }
        drop_books(&books);
    }
}

static void a_reference_credited_twice_is_found(void **state) {
    struct books *books = *state;
    take_guards_away(books);
    run_sql(books, "DROP INDEX transfer_credit_reference");
    run_sql(books, "UPDATE transfer SET reference = 'r1' WHERE sequence = 3");
    struct verify_report report = verify(books);
    assert_false(report.is_sound); /* the hash says so first; the report names the first finding only */
    assert_string_equal(report.finding, "transfer 3: its hash does not fit");
}

/* Who can compute hashes can still not turn time back: the newest transfer, written anew with a hash that fits. */
static void a_well_hashed_step_back_in_time_is_found(void **state) {
    struct books *books = *state;
    struct statement read, write;
    bool found = false;
    take_guards_away(books);
    assert_true(result_is_ok(statement_prepare(books->database, "SELECT id, hash FROM transfer WHERE sequence = ?1", &read)));
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
    assert_true(
        result_is_ok(statement_prepare(books->database, "UPDATE transfer SET created_at = 1, hash = ?1 WHERE sequence = 7", &write)));
    statement_bind_blob(&write, 1, hash.bytes, sizeof hash.bytes);
    assert_true(result_is_ok(statement_run(&write)));
    assert_string_equal(verify(books).finding, "transfer 7: it is older than the one before it");
}

/* The schema's own guards: each of these is refused before verify has to find it. */
static void the_schema_refuses(void **state) {
    struct books *books = *state;
    static const char *const refused[] = {
        "UPDATE transfer SET amount = 1 WHERE sequence = 1",
        "DELETE FROM transfer",
        "UPDATE entry SET balance_after = 1",
        "DELETE FROM entry",
        "UPDATE account SET debits_posted = debits_posted + 100000 WHERE number = 2",
        "UPDATE account SET debits_posted = debits_posted + 100000 WHERE kind = 2",
        "UPDATE user SET name = 'Sara' WHERE name = 'sara'",
        "UPDATE user SET name = 'reza' WHERE name = 'sara'",
    };
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        struct statement statement;
        bool row = false;
        assert_true(result_is_ok(statement_prepare(books->database, refused[i], &statement)));
        if (result_is_ok(statement_step(&statement, &row))) fail_msg("taken: %s", refused[i]);
        statement_reset(&statement);
    }
    assert_true(verify(books).is_sound);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sound_books_are_sound, make_books, drop_books),
        cmocka_unit_test(each_damage_is_found),
        cmocka_unit_test_setup_teardown(a_reference_credited_twice_is_found, make_books, drop_books),
        cmocka_unit_test_setup_teardown(a_well_hashed_step_back_in_time_is_found, make_books, drop_books),
        cmocka_unit_test_setup_teardown(the_schema_refuses, make_books, drop_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
