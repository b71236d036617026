/* The pure core by itself: rows are put into the working set by hand. */
#include "books.h"

struct core {
    struct ledger ledger;
    struct id_source ids;
    uint64_t seed;
    int64_t now_us;
};

static int make_core(void **state) {
    struct core *core = calloc(1, sizeof *core);
    assert_non_null(core);
    core->seed = 7;
    core->now_us = BOOKS_START_US;
    id_source_init(&core->ids, books_random_bytes, &core->seed);
    assert_true(result_is_ok(ledger_init(&core->ledger, CURRENCY_IRT, &core->ids)));
    struct account issuance =
        account_new(1, id_make(&core->ids, core->now_us), ACCOUNT_ISSUANCE, (struct id){{0}}, CURRENCY_IRT, core->now_us);
    issuance.state = ROW_KEPT;
    assert_true(result_is_ok(ledger_add_account(&core->ledger, &issuance, NULL)));
    core->ledger.last_account_number = 1;
    *state = core;
    return 0;
}

static int drop_core(void **state) {
    struct core *core = *state;
    ledger_free(&core->ledger);
    free(core);
    return 0;
}

static struct account *open_wallet(struct core *core, const char *name) {
    struct user *user = NULL;
    struct register_command command = {.name = text_of(name), .password_hash = BOOKS_HASH};
    assert_int_equal(ledger_register_user(&core->ledger, &command, core->now_us, &user), LEDGER_APPLIED);
    return ledger_find_account_of_user(&core->ledger, user->id);
}

static enum ledger_outcome credit(struct core *core, const char *reference, const struct account *account, int64_t amount,
                                  const char *fund) {
    struct credit_item item = {.reference = text_of(reference),
                               .user_id = account->user_id,
                               .amount = {amount, CURRENCY_IRT},
                               .fund = text_of(fund)};
    return ledger_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome;
}

static enum ledger_outcome open_fund(struct core *core, const char *reference, int64_t amount, struct fund **ret_fund) {
    struct fund_command command = {.caller = TEXT("discount"), .reference = text_of(reference), .amount = {amount, CURRENCY_IRT}};
    return ledger_open_fund(&core->ledger, &command, core->now_us, ret_fund);
}

static enum ledger_outcome send(struct core *core, const struct account *from, const char *to, int64_t amount) {
    const struct transfer *transfer = NULL;
    struct transfer_command command = {.user_id = from->user_id, .recipient_name = text_of(to), .amount = {amount, CURRENCY_IRT}};
    return ledger_transfer(&core->ledger, &command, core->now_us, &transfer);
}

/* ---- the chain ---- */

static struct transfer sample(void) {
    return (struct transfer){.sequence = 1,
                             .id = {{1}},
                             .kind = TRANSFER_CREDIT,
                             .debit_account = 1,
                             .debit_sequence = 2,
                             .debit_balance_after = -3,
                             .credit_account = 4,
                             .credit_sequence = 5,
                             .credit_balance_after = 6,
                             .amount = {7, CURRENCY_IRT},
                             .caller = TEXT("ab"),
                             .reference = TEXT("cd"),
                             .description = TEXT("ef"),
                             .metadata = TEXT("{}"),
                             .created_at_us = 8};
}

static void any_changed_field_changes_the_hash(void **state) {
    (void)state;
    struct transfer changed[18];
    for (size_t i = 0; i < ARRAY_COUNT(changed); i++) changed[i] = sample();
    changed[1].sequence++;
    changed[2].id.bytes[15]++;
    changed[3].kind = TRANSFER_USER;
    changed[4].debit_account++;
    changed[5].debit_sequence++;
    changed[6].debit_balance_after++;
    changed[7].credit_account++;
    changed[8].credit_sequence++;
    changed[9].credit_balance_after++;
    changed[10].amount.amount_minor++;
    changed[11].amount.currency = CURRENCY_IRR;
    changed[12].created_at_us++;
    changed[13].previous_hash.bytes[0]++;
    changed[14].caller = TEXT("abc"); /* a byte moves from one text to the next: still another encoding */
    changed[14].reference = TEXT("d");
    changed[15].description = TEXT("");
    changed[15].metadata = TEXT("ef{}");
    changed[16].reference = TEXT("ce");
    changed[17].metadata = TEXT("[]");
    for (size_t a = 0; a < ARRAY_COUNT(changed); a++) {
        struct hash x = transfer_hash(&changed[a]);
        for (size_t b = a + 1; b < ARRAY_COUNT(changed); b++) {
            struct hash y = transfer_hash(&changed[b]);
            if (memcmp(&x, &y, sizeof x) == 0) fail_msg("%zu and %zu have the same hash", a, b);
        }
    }
}

/* The encoding is a promise to whoever checks the chain without us: docs/ledger.md shows this very transfer. */
static void the_encoding_is_stable(void **state) {
    (void)state;
    struct transfer transfer = sample();
    struct hash hash = transfer_hash(&transfer);
    char hex[2 * CRYPTO_HASH_BYTES + 1];
    for (size_t i = 0; i < CRYPTO_HASH_BYTES; i++) snprintf(hex + 2 * i, 3, "%02x", hash.bytes[i]);
    assert_string_equal(hex, "1c5865ac052b59fbdffbe364eb379af8f8caf3da6a18d7bc23d57775b9cc76a0");
}

static void each_transfer_holds_on_to_the_one_before(void **state) {
    struct core *core = *state;
    const struct account *sara = open_wallet(core, "sara");
    static const char *const references[] = {"r0", "r1", "r2", "r3", "r4"}; /* transfers point at them */
    for (size_t i = 0; i < ARRAY_COUNT(references); i++) assert_int_equal(credit(core, references[i], sara, 10, ""), LEDGER_APPLIED);
    struct hash before = {{0}};
    assert_int_equal(core->ledger.transfers.count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct transfer *transfer = core->ledger.transfers.rows[i];
        assert_int_equal(transfer->sequence, i + 1);
        assert_int_equal(transfer->credit_sequence, i + 1);
        assert_int_equal(transfer->credit_balance_after, 10 * (i + 1));
        assert_memory_equal(&transfer->previous_hash, &before, sizeof before);
        before = transfer_hash(transfer);
        assert_memory_equal(&transfer->hash, &before, sizeof before);
    }
    assert_int_equal(core->ledger.head.sequence, 5);
}

/* ---- refusals change nothing ---- */

/* All that a command could have changed. */
struct picture {
    struct ledger_head head;
    int64_t accounts, last_account_number, transfers, funds, references, balances;
};

static struct picture take_picture(const struct core *core) {
    const struct ledger *ledger = &core->ledger;
    struct picture picture = {ledger->head,
                              (int64_t)ledger->accounts.count,
                              ledger->last_account_number,
                              (int64_t)ledger->transfers.count,
                              (int64_t)ledger->funds.count,
                              (int64_t)ledger->references.count,
                              0};
    for (size_t i = 0; i < ledger->accounts.count; i++) {
        const struct account *account = ledger->accounts.rows[i];
        picture.balances = picture.balances * 31 + account->debits_posted * 7 + account->credits_posted * 3 + account->sequence;
    }
    return picture;
}

#define ASSERT_REFUSED(core_, outcome_, expression_)            \
    do {                                                        \
        struct picture before_ = take_picture(core_);           \
        assert_int_equal(expression_, outcome_);                \
        struct picture after_ = take_picture(core_);            \
        assert_memory_equal(&before_, &after_, sizeof before_); \
    } while (0)

static void a_refused_command_changes_nothing(void **state) {
    struct core *core = *state;
    struct account *sara = open_wallet(core, "sara");
    open_wallet(core, "reza");
    struct fund *fund = NULL;
    assert_int_equal(open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(credit(core, "r1", sara, 60, "f"), LEDGER_APPLIED);

    ASSERT_REFUSED(core, LEDGER_FUND_EXHAUSTED, credit(core, "r2", sara, 41, "f"));
    ASSERT_REFUSED(core, LEDGER_FUND_NOT_FOUND, credit(core, "r2", sara, 1, "g"));
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, credit(core, "r1", sara, 61, "f"));
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, credit(core, "r1", sara, 60, ""));
    ASSERT_REFUSED(core, LEDGER_REPLAYED, credit(core, "r1", sara, 60, "f"));
    ASSERT_REFUSED(core, LEDGER_BALANCE_TOO_LARGE, credit(core, "r2", sara, MONEY_AMOUNT_MAX, ""));
    ASSERT_REFUSED(core, LEDGER_BALANCE_TOO_LARGE, open_fund(core, "g", MONEY_AMOUNT_MAX, &fund));
    ASSERT_REFUSED(core, LEDGER_FUND_REFERENCE_CONFLICT, open_fund(core, "f", 101, &fund));
    ASSERT_REFUSED(core, LEDGER_REPLAYED, open_fund(core, "f", 100, &fund));
    ASSERT_REFUSED(core, LEDGER_INSUFFICIENT_FUNDS, send(core, sara, "reza", 61));
    ASSERT_REFUSED(core, LEDGER_SAME_ACCOUNT, send(core, sara, "sara", 1));
    ASSERT_REFUSED(core, LEDGER_RECIPIENT_NOT_FOUND, send(core, sara, "nobody", 1));
    sara->is_frozen = true;
    ASSERT_REFUSED(core, LEDGER_ACCOUNT_FROZEN, send(core, sara, "reza", 1));
    ASSERT_REFUSED(core, LEDGER_ACCOUNT_FROZEN, credit(core, "r2", sara, 1, "f"));
    sara->is_frozen = false;
    sara->debits_pending = 60; /* all of it is held */
    ASSERT_REFUSED(core, LEDGER_INSUFFICIENT_FUNDS, send(core, sara, "reza", 1));
    sara->debits_pending = 0;
    struct fund_command release = {.caller = TEXT("discount"), .reference = TEXT("f")};
    assert_int_equal(ledger_release_fund(&core->ledger, &release, core->now_us, &fund), LEDGER_APPLIED);
    assert_int_equal(fund->released_minor, 40);
    ASSERT_REFUSED(core, LEDGER_FUND_RELEASED, credit(core, "r2", sara, 1, "f"));
    ASSERT_REFUSED(core, LEDGER_REPLAYED, ledger_release_fund(&core->ledger, &release, core->now_us, &fund));
    /* Another service does not see the fund, nor does its reference collide. */
    struct credit_item item = {.reference = TEXT("r1"), .user_id = sara->user_id, .amount = {1, CURRENCY_IRT}, .fund = TEXT("f")};
    assert_int_equal(ledger_credit(&core->ledger, TEXT("shop"), &item, core->now_us).outcome, LEDGER_FUND_NOT_FOUND);
    item.fund = TEXT("");
    assert_int_equal(ledger_credit(&core->ledger, TEXT("shop"), &item, core->now_us).outcome, LEDGER_APPLIED);
}

static void a_fund_pays_exactly_what_it_holds(void **state) {
    struct core *core = *state;
    const struct account *sara = open_wallet(core, "sara");
    struct fund *fund = NULL;
    assert_int_equal(open_fund(core, "f", 1000, &fund), LEDGER_APPLIED);
    int applied = 0, exhausted = 0;
    for (int i = 0; i < 1100; i++) {
        char reference[8];
        snprintf(reference, sizeof reference, "%d", i);
        enum ledger_outcome outcome = credit(core, reference, sara, 1, "f");
        applied += outcome == LEDGER_APPLIED;
        exhausted += outcome == LEDGER_FUND_EXHAUSTED;
    }
    assert_int_equal(applied, 1000);
    assert_int_equal(exhausted, 100);
    assert_int_equal(account_balance(fund->account), 0);
    assert_int_equal(account_balance(sara), 1000);
    assert_int_equal(account_balance(core->ledger.issuance), -1000);
}

static void the_largest_balance_is_reached_and_not_passed(void **state) {
    struct core *core = *state;
    const struct account *sara = open_wallet(core, "sara");
    assert_int_equal(credit(core, "r1", sara, MONEY_AMOUNT_MAX, ""), LEDGER_APPLIED);
    assert_int_equal(account_balance(sara), MONEY_AMOUNT_MAX);
    assert_int_equal(credit(core, "r2", sara, 1, ""), LEDGER_BALANCE_TOO_LARGE);
}

/* Small and large sets are cleared in two ways; both must leave nothing. */
static void clearing_forgets_everything(void **state) {
    struct core *core = *state;
    static const int sizes[] = {3, 1500};
    for (size_t round = 0; round < ARRAY_COUNT(sizes); round++) {
        for (int i = 0; i < sizes[round]; i++) {
            char name[16];
            snprintf(name, sizeof name, "user%d", i);
            open_wallet(core, name);
        }
        ledger_clear(&core->ledger);
        assert_int_equal(core->ledger.users.count, 0);
        assert_null(ledger_find_user_by_name(&core->ledger, TEXT("user0")));
        assert_int_equal(core->ledger.users_by_name.count, 0);
        assert_int_equal(core->ledger.accounts_by_user.count, 0);
    }
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_changed_field_changes_the_hash),
        cmocka_unit_test(the_encoding_is_stable),
        cmocka_unit_test_setup_teardown(each_transfer_holds_on_to_the_one_before, make_core, drop_core),
        cmocka_unit_test_setup_teardown(a_refused_command_changes_nothing, make_core, drop_core),
        cmocka_unit_test_setup_teardown(a_fund_pays_exactly_what_it_holds, make_core, drop_core),
        cmocka_unit_test_setup_teardown(the_largest_balance_is_reached_and_not_passed, make_core, drop_core),
        cmocka_unit_test_setup_teardown(clearing_forgets_everything, make_core, drop_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
