#include <stdio.h>

#include "base/check.h"
#include "sim/judge.h"
#include "sim/oracle.h"
#include "sim/promotions.h"
#include "sim/shop.h"
#include "sim/world.h"

static void wrong(const struct intent *intent, const char *invariant, const char *what) {
    world_fail(invariant, "intent %u of actor %u, %s: %s", intent->number, intent->actor->index, intent_kind_name(intent->kind), what);
}

static const struct text no_text = {NULL, 0};

static void end_transfer(const struct intent *intent) {
    char description[32];
    snprintf(description, sizeof description, "intent %u", intent->number);
    bool is_known;
    int64_t rows = oracle_look_up(PROCESS_WALLET, "SELECT count(*) FROM transfers WHERE kind = 2 AND description = ?1", (struct id){{0}},
                                  text_of(description), &is_known);
    if (!is_known) return;
    bool has_key = intent->key[0] != '\0';
    int64_t most = has_key ? 1 : (int64_t)intent->sends * 2; /* the link repeats some */
    if (rows > most) wrong(intent, "the same key moves money once", "more than one transfer");
    bool is_done = intent->status == 201;
    bool may_be_gone = intent->first_sent_us <= world.restored_us[PROCESS_WALLET];
    if (is_done && rows == 0 && !may_be_gone) wrong(intent, "5 what a 2xx said is on disk", "the transfer is gone");
    if (has_key && !is_done && intent->status >= 400 && !intent->is_spoiled && rows > 0) {
        wrong(intent, "a refused transfer moves nothing", "it is there");
    }
}

static void end_redemption(const struct intent *intent) {
    if (intent->status == 0 || intent->status >= 400 || intent->is_of_lost_campaign) return;
    bool is_known;
    int64_t status = oracle_look_up(PROCESS_DISCOUNT, "SELECT status FROM redemptions WHERE id = ?1 OR claimed_as = ?1", intent->made,
                                    no_text, &is_known);
    if (is_known && status == 2 && intent->actor->is_lost) return;
    if (is_known && status < 0) wrong(intent, "5 what a 2xx said is on disk", "the redemption is gone");
    bool is_done = status == 1 || status == 3 || status == 5; /* credited, applied, or taken back */
    if (is_known && !is_done) wrong(intent, "nobody who was promised is unpaid", "not credited");
}

/* As many places as it ever had; a restored database may have had more in its former life. */
static bool has_too_much(int64_t funded, int64_t campaign_number, int64_t amount) {
    struct history history = oracle_campaign_history(campaign_number);
    int64_t places = 0;
    for (size_t i = 0; i < history.count; i++) {
        if (history.moments[i].max_redemptions > places) places = history.moments[i].max_redemptions;
    }
    bool is_restored = world.restored_us[PROCESS_WALLET] != 0 || world.restored_us[PROCESS_DISCOUNT] != 0;
    return !is_restored && funded > places * amount;
}

/* What Wallet was given for each campaign is what Discount believes it was. */
static void end_funds(void) {
    struct statement *campaign = oracle_query(
        PROCESS_DISCOUNT,
        "SELECT lower(substr(hex(id),1,8)||'-'||substr(hex(id),9,4)||'-'||substr(hex(id),13,4)||'-'||substr(hex(id),17,4)||'-'||"
        "substr(hex(id),21)), fund_confirmed, credited * amount, number, amount FROM campaigns WHERE kind = 1");
    struct statement *fund =
        oracle_query(PROCESS_WALLET, "SELECT funded, credited FROM funds WHERE caller = 'discount' AND reference = ?1");
    if (campaign == NULL || fund == NULL) return;
    bool is_campaign = false, is_fund = false;
    while (result_is_ok(statement_step(campaign, &is_campaign)) && is_campaign) {
        struct text reference = statement_text(campaign, 0);
        statement_bind_text(fund, 1, reference);
        struct result stepped = statement_step(fund, &is_fund);
        bool agrees = result_is_ok(stepped) && is_fund && statement_integer(fund, 0) == statement_integer(campaign, 1) &&
                      statement_integer(fund, 1) == statement_integer(campaign, 2);
        /* What ended before it had a fund, and without a winner, needs none. */
        bool needs_none = !is_fund && statement_integer(campaign, 1) == 0 && statement_integer(campaign, 2) == 0;
        bool is_too_much =
            is_fund && has_too_much(statement_integer(fund, 0), statement_integer(campaign, 3), statement_integer(campaign, 4));
        if ((!agrees && !needs_none) || is_too_much) world_fail("6 a campaign has its fund", "%.*s", (int)reference.size, reference.data);
        statement_reset(fund);
    }
    statement_reset(campaign);
}

static void end_query(enum process_index index, const char *invariant, const char *sql) {
    struct statement *statement = oracle_query(index, sql);
    if (statement == NULL) return;
    bool is_row = false;
    struct result stepped = statement_step(statement, &is_row);
    if (result_is_ok(stepped) && is_row) {
        struct text row = statement_text(statement, 0);
        world_fail(invariant, "%.*s", (int)row.size, row.data);
    }
    statement_reset(statement);
}

void judge_end(void) {
    oracle_check_all();
    /* Who went with what a restored Wallet has lost cannot be paid. */
    end_query(PROCESS_DISCOUNT, "nobody who was promised is unpaid",
              world.restored_us[PROCESS_WALLET] == 0
                  ? "SELECT 'redemption ' || hex(id) FROM redemptions WHERE status NOT IN (1, 3, 5, 6) LIMIT 1"
                  : "SELECT 'redemption ' || hex(id) FROM redemptions WHERE status IN (0, 4) OR (status = 2 AND failure <> "
                    "'user_not_found') LIMIT 1");
    end_query(PROCESS_DISCOUNT, "a campaign has its fund",
              "SELECT 'campaign ' || number FROM campaigns WHERE kind = 1 AND (fund_step <> 0 OR (ended_at <> 0 AND fund_is_released = 0)) "
              "LIMIT 1");
    end_query(
        PROCESS_WALLET, "nobody is paid for nothing",
        "SELECT 'transfer ' || sequence || ' ' || description FROM transfers WHERE kind = 2 AND description NOT LIKE 'intent %' LIMIT 1");
    /* Neither a budget nor a day stands in his way, and the settler has had time to look. */
    end_query(PROCESS_DISCOUNT, "a place that is open is the first's of those who wait",
              "SELECT 'campaign ' || number FROM campaigns WHERE waiting > 0 AND redeemed - returned < max_redemptions AND budget = 0"
              " AND max_per_day = 0 AND is_paused = 0 AND ended_at = 0 AND ends_at = 0 AND starts_at < 1763805598000000 + 1000 LIMIT 1");
    end_funds();
    shop_judge_end();
    promotions_judge_end();
    for (uint32_t i = 0; i < people.intent_count && !world.has_failed; i++) {
        const struct intent *intent = people.intents[i];
        if (intent->kind == INTENT_TRANSFER) end_transfer(intent);
        if (intent->kind == INTENT_REDEEM) end_redemption(intent);
    }
    int64_t credited =
        oracle_integer(PROCESS_WALLET, "SELECT ifnull(sum(iif(kind = 1, amount, -amount)), 0) FROM transfers WHERE kind IN (1, 12)", 0);
    int64_t held =
        oracle_integer(PROCESS_WALLET, "SELECT ifnull(sum(credits_posted - debits_posted), 0) FROM accounts WHERE kind IN (1, 4)", 0);
    if (credited != held)
        world_fail("4 what was credited is what users have", "%lld credited, %lld held", (long long)credited, (long long)held);
}
