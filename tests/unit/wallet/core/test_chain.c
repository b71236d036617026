/* The chain of hashes, and its encoding. */
#include "core.h"

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
    struct transfer changed[21];
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
    for (size_t i = 18; i < ARRAY_COUNT(changed); i++) changed[i].kind = TRANSFER_HOLD;
    changed[19].origin++;
    changed[20].expires_at_us++;
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

static void the_second_encoding_is_stable(void **state) {
    (void)state;
    struct transfer transfer = sample();
    transfer.kind = TRANSFER_HOLD;
    transfer.origin = 9;
    transfer.expires_at_us = 10;
    struct hash hash = transfer_hash(&transfer);
    char hex[2 * CRYPTO_HASH_BYTES + 1];
    for (size_t i = 0; i < CRYPTO_HASH_BYTES; i++) snprintf(hex + 2 * i, 3, "%02x", hash.bytes[i]);
    assert_string_equal(hex, "90a420328d9786759e4b50c83c4b9cd51fe46417b7a616f21bcc5b12f6e4ae9f");
}

/* What had no other transfer to be about when its encoding was settled has none in it. */
static void the_second_encoding_begins_with_payments(void **state) {
    (void)state;
    struct transfer plain[2] = {sample(), sample()}, about[2];
    plain[0].kind = TRANSFER_RELEASE;
    plain[1].kind = TRANSFER_PAYMENT;
    for (size_t i = 0; i < 2; i++) {
        about[i] = plain[i];
        about[i].origin++;
        struct hash x = transfer_hash(&plain[i]), y = transfer_hash(&about[i]);
        assert_int_equal(memcmp(&x, &y, sizeof x) == 0, i == 0);
    }
}

static void each_transfer_holds_on_to_the_one_before(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    static const char *const references[] = {"r0", "r1", "r2", "r3", "r4"}; /* transfers point at them */
    for (size_t i = 0; i < ARRAY_COUNT(references); i++) assert_int_equal(core_credit(core, references[i], sara, 10, ""), LEDGER_APPLIED);
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

static void the_head_moves_with_each_transfer(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    assert_int_equal(core_credit(core, "r0", sara, 10, ""), LEDGER_APPLIED);
    const struct transfer *first = core->ledger.transfers.rows[0];
    assert_int_equal(first->created_at_us, CORE_START_US);
    core->now_us -= 5000; /* the clock went back: the chain's time does not */
    assert_int_equal(core_credit(core, "r1", sara, 10, ""), LEDGER_APPLIED);
    const struct transfer *second = core->ledger.transfers.rows[1];
    assert_int_equal(second->created_at_us, CORE_START_US);
    assert_int_equal(core->ledger.head.created_at_us, CORE_START_US);
    assert_memory_equal(&core->ledger.head.hash, &second->hash, sizeof second->hash);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_changed_field_changes_the_hash), cmocka_unit_test(the_encoding_is_stable),
        cmocka_unit_test(the_second_encoding_is_stable),      cmocka_unit_test(the_second_encoding_begins_with_payments),
        CORE_TEST(each_transfer_holds_on_to_the_one_before),  CORE_TEST(the_head_moves_with_each_transfer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
