/* Planted faults: verify names the row, and is silent about a sound database. */
#include "world.h"

#include "discount/verify.h"
#include "store/open.h"

static void execute_as(const struct schema *schema, enum batch_mode mode, const char *path, const char *const *texts, size_t count) {
    const struct place place = {.file = path, .schema = schema};
    struct question questions[8] = {{0}}; /* as long as the connection */
    struct batch *batch;
    struct result reason;
    assert_true(result_is_ok(batch_open(&place, mode, &batch)));
    assert_true(result_is_ok(batch_begin(batch)));
    for (size_t i = 0; i < count; i++) {
        questions[i] = (struct question){.name = "a planted fault", .sql = texts[i]};
        batch_do(batch, &questions[i], NULL, ROWS_ANY);
    }
    assert_int_equal(batch_commit(batch, &reason), COMMITTED);
    batch_close(batch);
}

static void execute(const char *path, const char *sql) { execute_as(&discount_schema, BATCH_WRITE, path, &sql, 1); }

#define CAMPAIGN_VALUES \
    "x'01020304050607080910111213141516', 'GIFT', 'Gift', 1000, 'IRT', 3, 0, 0, 0, 0, 1, 5, 2, 1, 0, 100, 200, 0, 50, 50, 3000, 0, 0, 0"
#define OLD_CAMPAIGN "INSERT INTO campaigns VALUES (1, " CAMPAIGN_VALUES ")"
#define CAMPAIGN_COLUMNS                                                                                                                \
    "number, id, code, name, amount, currency, max_redemptions, starts_at, ends_at, ended_at, is_paused, version, sequence, redeemed, " \
    "credited, failed, first_redeemed_at, last_redeemed_at, exhausted_at, created_at, updated_at, fund_confirmed, fund_step, "          \
    "fund_step_version, fund_is_released"
#define CAMPAIGN   "INSERT INTO campaigns (" CAMPAIGN_COLUMNS ", spent) VALUES (1, " CAMPAIGN_VALUES ", 2000)"
#define REDEMPTION "key, id, campaign_number, user_id, phone, status, claimed_at, settled_at, transaction_id, failure"
#define FIRST                                                                                             \
    "INSERT INTO redemptions (" REDEMPTION                                                                \
    ") VALUES (4294967297, x'A1020304050607080910111213141516', 1, x'B1020304050607080910111213141516', " \
    "'+989120000001', 1, 100, 150, x'C1020304050607080910111213141516', NULL)"
#define SECOND                                                                                            \
    "INSERT INTO redemptions (" REDEMPTION                                                                \
    ") VALUES (4294967298, x'A2020304050607080910111213141516', 1, x'B2020304050607080910111213141516', " \
    "'+989120000002', 0, 200, 0, NULL, NULL)"

/* Plants the fault (NULL: none) and returns the verdict; what it says is in `said`. */
static struct result verify_with(const char *fault, char said[2048]) {
    char folder[FOLDER_BYTES], path[128];
    static const char *const sound[] = {CAMPAIGN, FIRST, SECOND, "INSERT INTO seconds VALUES (1, 7, 2, 0, 5), (1, 8, 0, 1, 0)",
                                        "INSERT INTO minutes VALUES (1, 0, 2, 1, 5)"};
    folder_create(folder, "discount-verify");
    snprintf(path, sizeof path, "%s/discount.db", folder);
    execute_as(&discount_schema, BATCH_CREATE, path, sound, ARRAY_COUNT(sound));
    if (fault != NULL) execute(path, fault);
    FILE *out = fmemopen(said, 2048, "w");
    assert_non_null(out);
    struct result outcome = verify_database(&(struct place){.file = path, .schema = &discount_schema}, NULL, out);
    fclose(out);
    assert_true(folder_remove(folder));
    return outcome;
}

static void test_a_sound_database_is_verified(void **state) {
    (void)state;
    char said[2048] = "";
    assert_true(result_is_ok(verify_with(NULL, said)));
    assert_non_null(strstr(said, "verified: 1 campaigns, 2 redemptions"));
    assert_null(strstr(said, "BROKEN"));
}

static void test_each_fault_is_named(void **state) {
    (void)state;
    static const struct {
        const char *fault, *says;
    } cases[] = {
        {"UPDATE redemptions SET key = 4294967299 WHERE key = 4294967298",
         "a2020304-0506-0708-0910-111213141516, position 3: positions have a gap"},
        {"DELETE FROM redemptions WHERE key = 4294967298", "count of redemptions"},
        {"UPDATE campaigns SET credited = 0", "count of credits"},
        {"UPDATE campaigns SET failed = 1", "count of failures"},
        {"UPDATE redemptions SET claimed_at = 90 WHERE key = 4294967298", "claimed before the position ahead"},
        {"UPDATE campaigns SET exhausted_at = 7", "exhausted"},
        {"UPDATE campaigns SET last_redeemed_at = 7", "another time"},
        {"UPDATE redemptions SET status = 1, settled_at = 300, transaction_id = x'C1020304050607080910111213141516' WHERE key = 4294967298",
         "count of credits"},
        {"UPDATE seconds SET claimed = 1 WHERE second = 7", "not the sum of its seconds"},
        {"UPDATE seconds SET rejected = 6 WHERE second = 7", "not the sum of its seconds"},
        {"DELETE FROM seconds WHERE second = 8", "not the sum of its seconds"},
        {"UPDATE minutes SET claimed = 3", "minutes do not add up"},
        {"UPDATE minutes SET credited = 0", "minutes do not add up"},
        {"UPDATE minutes SET rejected = 4", "not the sum of its seconds"},
        {"UPDATE minutes SET rejected = 6", "not the sum of its seconds"},
        {"UPDATE minutes SET minute = 1", "not the sum of its seconds"},
        {"DELETE FROM minutes", "minutes do not add up"},
        {"UPDATE campaigns SET fund_is_released = 1", "released before"},
        {"UPDATE campaigns SET max_redemptions = 2, exhausted_at = 199", "exhausted before its last"},
        {"UPDATE campaigns SET fund_confirmed = 999", "more was credited"},
        {"UPDATE redemptions SET key = CASE key WHEN 4294967297 THEN 4294967299 ELSE key END", "positions have a gap"},
        {"UPDATE redemptions SET phone = '+98912000000100000' WHERE key = 4294967298", "one of its redemptions can't be read"},
        {"UPDATE campaigns SET code = 'no code'", "campaign number 1 can't be read"},
        {"INSERT INTO campaigns (" CAMPAIGN_COLUMNS
         ") SELECT 3, x'09020304050607080910111213141516', 'OTHER', name, amount, currency, max_redemptions, 0, 0, 0, "
         "0, 1, 5, 0, 0, 0, 0, 0, 0, 50, 50, "
         "3000, 0, 0, 0 FROM campaigns",
         "created before it is missing"},
        {"UPDATE campaigns SET spent = 1999", "what it has spent"},
        {"UPDATE campaigns SET ordered = 1", "sum of orders"},
        {"UPDATE campaigns SET over_at = 2", "its limit was lowered"},
        {"UPDATE campaigns SET max_redemptions = 1, exhausted_at = 201", "more redemptions than places"},
        {"UPDATE campaigns SET kind = 2", "settled in a way that its campaign does not know"},
        {"UPDATE campaigns SET percent = 1", "percentage"},
        {"UPDATE campaigns SET day_starts_at = 50, day_ends_at = 150", "counted in another day"},
        {"UPDATE campaigns SET day_starts_at = 150, day_ends_at = 300, day_before = 2", "counted in another day"},
        {"UPDATE redemptions SET order_reference = 'A', order_amount = 0, discount = 0 WHERE key = 4294967298",
         "no reference or no amount"},
        {"UPDATE redemptions SET order_reference = 'A', order_amount = 5, discount = 6 WHERE key = 4294967298",
         "more was taken off its order"},
        {"UPDATE redemptions SET code_index = 4 WHERE key = 4294967298", "of no batch"},
        {"UPDATE redemptions SET transaction_id = NULL WHERE key = 4294967297", "without a transaction"},
        {"UPDATE redemptions SET user_id = x'B1020304050607080910111213141516'", "a user has more redemptions"},
        {"UPDATE redemptions SET phone = '+989120000001'", "a phone has more redemptions"},
        {"UPDATE campaigns SET max_per_user = 1001", "limit per user or phone"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char said[2048] = "";
        struct result outcome = verify_with(cases[i].fault, said);
        if (outcome.code != RESULT_CORRUPT || strstr(said, cases[i].says) == NULL) fail_msg("%s: %s", cases[i].fault, said);
    }
}

/* Nobody would ever settle it. */
static void test_a_claim_behind_the_settled_position_is_named(void **state) {
    (void)state;
    char folder[FOLDER_BYTES], path[128], said[2048] = "";
    static const char *const texts[] = {CAMPAIGN, FIRST, SECOND, "UPDATE campaigns SET settled_position = 1",
                                        ("UPDATE redemptions SET status = 1 - status, settled_at = 250 * (1 - status), transaction_id = "
                                         "CASE status WHEN 0 THEN x'C1020304050607080910111213141516' END")};
    folder_create(folder, "discount-verify");
    snprintf(path, sizeof path, "%s/discount.db", folder);
    execute_as(&discount_schema, BATCH_CREATE, path, texts, ARRAY_COUNT(texts));
    FILE *out = fmemopen(said, sizeof said, "w");
    assert_non_null(out);
    assert_int_equal(verify_database(&(struct place){.file = path, .schema = &discount_schema}, NULL, out).code, RESULT_CORRUPT);
    fclose(out);
    assert_non_null(strstr(said, "position 1: it is not settled, and stands before"));
    assert_true(folder_remove(folder));
}

/* A folder of the first version, whose last second was not written before a crash. */
static void test_an_older_database_is_brought_up_to_date(void **state) {
    (void)state;
    char folder[FOLDER_BYTES], path[128], said[2048] = "";
    struct schema old = discount_schema;
    old.count = 1;
    folder_create(folder, "discount-verify");
    snprintf(path, sizeof path, "%s/discount.db", folder);
    static const char *const texts[] = {OLD_CAMPAIGN, FIRST, SECOND, "INSERT INTO seconds VALUES (1, 0, 1, 0, 4)"};
    execute_as(&old, BATCH_CREATE, path, texts, ARRAY_COUNT(texts));
    execute(path, "UPDATE seconds SET rejected = rejected"); /* opens it, and so migrates */
    FILE *out = fmemopen(said, sizeof said, "w");
    assert_non_null(out);
    assert_true(result_is_ok(verify_database(&(struct place){.file = path, .schema = &discount_schema}, NULL, out)));
    fclose(out);
    assert_non_null(strstr(said, "verified: 1 campaigns, 2 redemptions"));
    assert_true(folder_remove(folder));
}

int main(void) {
    crypto_init();
    log_init("test", LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_database_is_verified),
        cmocka_unit_test(test_each_fault_is_named),
        cmocka_unit_test(test_a_claim_behind_the_settled_position_is_named),
        cmocka_unit_test(test_an_older_database_is_brought_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
