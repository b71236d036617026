/* Both databases together: what one says of a credit, the other says too. */
#include "sim/oracle.h"
#include "sim/world.h"

static bool step(enum process_index index, struct statement *statement) { return oracle_step(index, statement); }

/* 7: what Discount calls credited, Wallet has, with the same user, amount and transaction. */
static void check_credited(void) {
    struct statement *credited = oracle_query(
        PROCESS_DISCOUNT,
        "SELECT lower(substr(hex(r.id),1,8)||'-'||substr(hex(r.id),9,4)||'-'||substr(hex(r.id),13,4)||'-'||substr(hex(r.id),17,4)||'-'||"
        "substr(hex(r.id),21)), r.transaction_id, r.user_id, c.amount, r.status FROM redemptions r JOIN campaigns c ON c.number = "
        "r.campaign_number "
        "WHERE r.status IN (1, 4) OR (r.status = 5 AND c.kind = 1)");
    struct statement *transfer =
        oracle_query(PROCESS_WALLET, "SELECT t.id, a.user_id, t.amount FROM transfers t JOIN accounts a ON a.number = t.credit_account"
                                     " WHERE t.kind = 1 AND t.caller = 'discount' AND t.reference = ?1");
    if (credited == NULL || transfer == NULL) return;
    while (step(PROCESS_DISCOUNT, credited) && !world.has_failed) {
        struct text reference = statement_text(credited, 0);
        statement_bind_text(transfer, 1, reference);
        bool is_there = step(PROCESS_WALLET, transfer);
        bool agrees = is_there && id_equal(statement_id(transfer, 0), statement_id(credited, 1)) &&
                      id_equal(statement_id(transfer, 1), statement_id(credited, 2)) &&
                      statement_integer(transfer, 2) == statement_integer(credited, 3);
        /* What a restored Wallet has lost and was reversed meanwhile is nobody's. */
        bool is_nobodys = !is_there && statement_integer(credited, 4) == 5 && world.restored_us[PROCESS_WALLET] != 0;
        if (!agrees && !is_nobodys) {
            world_fail("7 what Discount calls credited, Wallet has", "%.*s %s", (int)reference.size, reference.data,
                       is_there ? "differs" : "is not there");
        }
        statement_reset(transfer);
    }
    statement_reset(credited);
}

static const char paid_sql[] = "SELECT t.reference, a.user_id, t.amount, f.reference, EXISTS (SELECT 1 FROM transfers r WHERE r.origin = "
                               "t.sequence AND r.kind = 12) FROM transfers t JOIN accounts a ON a.number = "
                               "t.credit_account JOIN funds f ON f.account = t.debit_account WHERE t.kind = 1 AND t.caller = 'discount'";

/* A fund whose campaign went with what a restored Discount has lost. */
static bool is_of_lost_campaign(struct text fund) {
    struct id id = {{0}};
    struct result parsed = id_parse(fund, &id);
    struct statement *campaign = oracle_query(PROCESS_DISCOUNT, "SELECT 1 FROM campaigns WHERE id = ?1");
    if (world.restored_us[PROCESS_DISCOUNT] == 0 || !result_is_ok(parsed) || campaign == NULL) return false;
    statement_bind_id(campaign, 1, id);
    bool is_there = step(PROCESS_DISCOUNT, campaign);
    statement_reset(campaign);
    return !is_there;
}

/* 7, the other way round: Wallet paid only what was claimed. */
static void check_paid(void) {
    struct statement *paid = oracle_query(PROCESS_WALLET, paid_sql);
    struct statement *claim =
        oracle_query(PROCESS_DISCOUNT, "SELECT r.user_id, c.amount, r.status FROM redemptions r JOIN campaigns c ON c.number = "
                                       "r.campaign_number WHERE r.id = ?1");
    if (paid == NULL || claim == NULL) return;
    while (step(PROCESS_WALLET, paid) && !world.has_failed) {
        struct id id = {{0}};
        struct text reference = statement_text(paid, 0);
        struct result parsed = id_parse(reference, &id);
        statement_bind_id(claim, 1, id);
        bool is_there = result_is_ok(parsed) && step(PROCESS_DISCOUNT, claim);
        bool agrees = is_there && id_equal(statement_id(claim, 0), statement_id(paid, 1)) &&
                      statement_integer(claim, 1) == statement_integer(paid, 2);
        int64_t status = is_there ? statement_integer(claim, 2) : 0;
        bool is_taken_back = statement_integer(paid, 4) != 0, may_be = status == 4;
        if (status == 6) world_fail("nobody is paid while he waits", "%.*s", (int)reference.size, reference.data);
        if (is_there && !may_be && is_taken_back != (status == 5))
            world_fail("7 what Wallet has taken back is what Discount has reversed", "%.*s", (int)reference.size, reference.data);
        statement_reset(claim);
        if (agrees || (!is_there && is_of_lost_campaign(statement_text(paid, 3)))) continue;
        world_fail("7 what Wallet paid, Discount has claimed", "%.*s", (int)reference.size, reference.data);
    }
    statement_reset(paid);
}

static int64_t credited_without_transfer(void) {
    struct statement *credited = oracle_query(
        PROCESS_DISCOUNT,
        "SELECT lower(substr(hex(id),1,8)||'-'||substr(hex(id),9,4)||'-'||substr(hex(id),13,4)||'-'||substr(hex(id),17,4)||'-'||"
        "substr(hex(id),21)), transaction_id FROM redemptions WHERE status = 1");
    struct statement *transfer =
        oracle_query(PROCESS_WALLET, "SELECT id FROM transfers WHERE kind = 1 AND caller = 'discount' AND reference = ?1");
    if (credited == NULL || transfer == NULL) return -1;
    int64_t count = 0;
    while (step(PROCESS_DISCOUNT, credited)) {
        statement_bind_text(transfer, 1, statement_text(credited, 0));
        count += !step(PROCESS_WALLET, transfer) || !id_equal(statement_id(transfer, 0), statement_id(credited, 1));
        statement_reset(transfer);
    }
    statement_reset(credited);
    return count;
}

static int64_t transfers_without_redemption(void) {
    struct statement *paid = oracle_query(PROCESS_WALLET, paid_sql);
    struct statement *claim = oracle_query(PROCESS_DISCOUNT, "SELECT 1 FROM redemptions WHERE id = ?1 AND status = 1 + 4 * ?2");
    if (paid == NULL || claim == NULL) return -1;
    int64_t count = 0;
    while (step(PROCESS_WALLET, paid)) {
        struct id id = {{0}};
        struct result parsed = id_parse(statement_text(paid, 0), &id);
        statement_bind_id(claim, 1, id);
        statement_bind_integer(claim, 2, statement_integer(paid, 4)); /* taken back: reversed */
        bool is_there = result_is_ok(parsed) && step(PROCESS_DISCOUNT, claim);
        statement_reset(claim);
        count += !is_there && !is_of_lost_campaign(statement_text(paid, 3));
    }
    statement_reset(paid);
    return count;
}

void oracle_check_books(void) {
    check_credited();
    check_paid();
}

static int64_t owed_by_users(void) {
    struct statement *owed =
        oracle_query(PROCESS_WALLET,
                     "SELECT t.reference FROM transfers t JOIN accounts a ON a.number = t.credit_account WHERE t.kind = 1 AND t.caller = "
                     "'discount' AND a.credits_posted - a.debits_posted - a.debits_pending < t.amount"
                     " AND NOT EXISTS (SELECT 1 FROM transfers r WHERE r.origin = t.sequence AND r.kind = 12)");
    struct statement *reversed = oracle_query(PROCESS_DISCOUNT, "SELECT 1 FROM redemptions WHERE id = ?1 AND status = 5");
    if (owed == NULL || reversed == NULL) return -1;
    int64_t count = 0;
    while (step(PROCESS_WALLET, owed)) {
        struct id id = {{0}};
        struct result parsed = id_parse(statement_text(owed, 0), &id);
        statement_bind_id(reversed, 1, id);
        count += result_is_ok(parsed) && step(PROCESS_DISCOUNT, reversed);
        statement_reset(reversed);
    }
    statement_reset(owed);
    return count;
}

bool oracle_books_owe(void) {
    int64_t owed = world.restored_us[PROCESS_WALLET] == 0 ? 0 : owed_by_users();
    return owed > 0 && transfers_without_redemption() == owed && credited_without_transfer() == 0;
}

bool oracle_books_agree(void) { return transfers_without_redemption() == 0 && credited_without_transfer() == 0; }

int64_t oracle_lost_campaigns(void) {
    struct statement *fund = oracle_query(PROCESS_WALLET, "SELECT reference FROM funds WHERE caller = 'discount'");
    int64_t count = 0;
    if (fund == NULL) return 0;
    while (step(PROCESS_WALLET, fund)) count += is_of_lost_campaign(statement_text(fund, 0));
    statement_reset(fund);
    return count;
}
