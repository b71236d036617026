#include "discount/verify.h"

#include <inttypes.h>

#include "base/check.h"
#include "discount/rows.h"
#include "discount_schema.h"
#include "store/sqlite/database.h"

struct verification {
    struct database *database;
    FILE *out;
    struct campaign campaign; /* the one that is looked at */
    int64_t position;         /* of the last row */
    int64_t credited, failed;
    int64_t first_claimed_at_us, last_claimed_at_us;
    int64_t campaign_count, redemption_count;
};

static struct result broken(const struct verification *verification, const struct redemption *redemption, const char *rule) {
    char campaign[ID_TEXT_BYTES], id[ID_TEXT_BYTES];
    id_format(verification->campaign.id, campaign);
    if (redemption == NULL) {
        fprintf(verification->out, "BROKEN: campaign %.*s: %s\n", (int)sizeof campaign, campaign, rule);
    } else {
        id_format(redemption->id, id);
        fprintf(verification->out, "BROKEN: campaign %.*s, redemption %.*s, position %" PRId64 ": %s\n", (int)sizeof campaign, campaign,
                (int)sizeof id, id, redemption->position, rule);
    }
    return result_error(RESULT_CORRUPT);
}

/* ---- one campaign's rows, by position ---- */

static struct result check_redemption(struct verification *verification, const struct redemption *redemption) {
    if (redemption->position != verification->position + 1) return broken(verification, redemption, "positions have a gap before it");
    if (redemption->claimed_at_us < verification->last_claimed_at_us)
        return broken(verification, redemption, "it was claimed before the position ahead of it");
    if (redemption->phone.size == 0 || id_is_zero(redemption->user_id)) return broken(verification, redemption, "it has no user or phone");
    bool is_credited = redemption->status == REDEMPTION_CREDITED, is_failed = redemption->status == REDEMPTION_FAILED;
    if (is_credited && id_is_zero(redemption->transaction_id))
        return broken(verification, redemption, "it is credited without a transaction");
    if (is_failed && redemption->failure_size == 0) return broken(verification, redemption, "it has failed without a reason");
    verification->position = redemption->position;
    verification->last_claimed_at_us = redemption->claimed_at_us;
    if (verification->position == 1) verification->first_claimed_at_us = redemption->claimed_at_us;
    verification->credited += is_credited;
    verification->failed += is_failed;
    return result_ok();
}

static struct result walk_redemptions(struct verification *verification, struct statement *select) {
    verification->position = verification->credited = verification->failed = 0;
    verification->first_claimed_at_us = verification->last_claimed_at_us = 0;
    statement_bind_integer(select, 1, redemption_key(verification->campaign.number, 0));
    statement_bind_integer(select, 2, redemption_key(verification->campaign.number + 1, 0));
    for (;;) {
        bool is_row;
        struct redemption redemption;
        struct result outcome = statement_step(select, &is_row);
        if (result_is_ok(outcome) && is_row) {
            outcome = rows_read_redemption(select, &redemption);
            if (!result_is_ok(outcome))
                outcome = broken(verification, NULL, "one of its redemptions can't be read");
            else
                outcome = check_redemption(verification, &redemption);
        }
        if (result_is_ok(outcome) && is_row) continue;
        statement_reset(select);
        return outcome;
    }
}

/* They are counted in the transactions that claim and credit. Of a long campaign the oldest are gone. */
static struct result check_seconds(struct verification *verification, struct statement *sums) {
    bool is_row;
    statement_bind_integer(sums, 1, verification->campaign.number);
    struct result outcome = statement_step(sums, &is_row);
    if (result_is_ok(outcome) && is_row && statement_integer(sums, 0) < BOARD_SECONDS &&
        (statement_integer(sums, 1) != verification->campaign.redeemed || statement_integer(sums, 2) != verification->campaign.credited)) {
        outcome = broken(verification, NULL, "its seconds do not add up to its redemptions and credits");
    }
    statement_reset(sums);
    return outcome;
}

static struct result check_campaign(struct verification *verification, struct statement *select, struct statement *sums) {
    const struct campaign *campaign = &verification->campaign;
    TRY(walk_redemptions(verification, select));
    if (verification->position > campaign->max_redemptions) return broken(verification, NULL, "it has more redemptions than places");
    if (verification->position != campaign->redeemed) return broken(verification, NULL, "its count of redemptions is not that of its rows");
    if (verification->credited != campaign->credited) return broken(verification, NULL, "its count of credits is not that of its rows");
    if (verification->failed != campaign->failed) return broken(verification, NULL, "its count of failures is not that of its rows");
    if (verification->first_claimed_at_us != campaign->first_redeemed_at_us ||
        verification->last_claimed_at_us != campaign->last_redeemed_at_us) {
        return broken(verification, NULL, "its first or last redemption has another time than its rows");
    }
    bool is_full = campaign->redeemed == campaign->max_redemptions;
    if (is_full != (campaign->exhausted_at_us != 0))
        return broken(verification, NULL, "it says it is exhausted and is not, or the other way round");
    if (campaign->exhausted_at_us != 0 && campaign->exhausted_at_us < campaign->last_redeemed_at_us)
        return broken(verification, NULL, "it says it was exhausted before its last redemption");
    TRY(check_seconds(verification, sums));
    /* A step that Wallet has taken and we have not heard of may be paid out already. */
    __int128 credited_minor = (__int128)campaign->credited * campaign->credit.amount_minor;
    if (credited_minor > (__int128)campaign->fund_confirmed_minor + campaign->fund_step_minor)
        return broken(verification, NULL, "more was credited than was ever put into its fund");
    if (campaign->fund_is_released && campaign->credited + campaign->failed != campaign->redeemed) {
        return broken(verification, NULL, "its fund was released before its claims were settled");
    }
    char id[ID_TEXT_BYTES];
    id_format(campaign->id, id);
    fprintf(verification->out, "campaign %.*s: %" PRId64 " of %" PRId64 " places taken, %" PRId64 " credited, %" PRId64 " failed\n",
            (int)sizeof id, id, campaign->redeemed, campaign->max_redemptions, campaign->credited, campaign->failed);
    verification->campaign_count++;
    verification->redemption_count += campaign->redeemed;
    return result_ok();
}

static struct result walk_campaigns(struct verification *verification) {
    struct statement campaigns, redemptions, sums;
    TRY(statement_prepare(verification->database, "SELECT " CAMPAIGN_COLUMNS " FROM campaigns ORDER BY number", &campaigns));
    TRY(statement_prepare(verification->database, "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE key > ?1 AND key < ?2 ORDER BY key",
                          &redemptions));
    TRY(statement_prepare(verification->database,
                          "SELECT count(*), ifnull(sum(claimed), 0), ifnull(sum(credited), 0) FROM seconds WHERE campaign_number = ?1",
                          &sums));
    for (;;) {
        bool is_row;
        struct result outcome = statement_step(&campaigns, &is_row);
        if (result_is_ok(outcome) && is_row) {
            outcome = rows_read_campaign(&campaigns, &verification->campaign);
            if (!result_is_ok(outcome))
                fprintf(verification->out, "BROKEN: campaign number %" PRId64 " can't be read\n", statement_integer(&campaigns, 0));
        }
        if (result_is_ok(outcome) && is_row && verification->campaign.number != verification->campaign_count + 1)
            outcome = broken(verification, NULL, "the campaign created before it is missing");
        if (result_is_ok(outcome) && is_row) outcome = check_campaign(verification, &redemptions, &sums);
        if (result_is_ok(outcome) && is_row) continue;
        statement_reset(&campaigns);
        return outcome;
    }
}

/* ---- rules across rows; each query names the first row that breaks one ---- */

static const struct {
    const char *sql, *rule;
} rules[] = {
    {"SELECT lower(hex(id)) FROM redemptions NOT INDEXED GROUP BY user_id, key >> 32 HAVING count(*) > 1 LIMIT 1",
     "a user has two redemptions in one campaign"},
    {"SELECT lower(hex(id)) FROM redemptions NOT INDEXED GROUP BY phone, key >> 32 HAVING count(*) > 1 LIMIT 1",
     "a phone has two redemptions in one campaign"},
    {"SELECT lower(hex(id)) FROM redemptions NOT INDEXED GROUP BY id HAVING count(*) > 1 LIMIT 1", "an id stands there twice"},
    {"SELECT lower(hex(id)) FROM redemptions NOT INDEXED WHERE status = 1 GROUP BY transaction_id HAVING count(*) > 1 LIMIT 1",
     "two redemptions have one transaction"},
    {"SELECT lower(hex(r.id)) FROM redemptions r LEFT JOIN campaigns c ON c.number = r.key >> 32 WHERE c.number IS NULL LIMIT 1",
     "a redemption has no campaign"},
    {"SELECT lower(hex(id)) FROM redemptions NOT INDEXED WHERE campaign_number <> key >> 32 LIMIT 1",
     "a redemption stands under another campaign's key"},
};

static struct result check_rules(struct verification *verification) {
    for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
        struct statement select;
        bool is_row;
        TRY(statement_prepare(verification->database, rules[i].sql, &select));
        struct result outcome = statement_step(&select, &is_row);
        if (result_is_ok(outcome) && is_row) {
            struct text id = statement_text(&select, 0);
            fprintf(verification->out, "BROKEN: redemption %.*s: %s\n", (int)id.size, id.data, rules[i].rule);
            outcome = result_error(RESULT_CORRUPT);
        }
        statement_reset(&select);
        TRY(outcome);
    }
    return result_ok();
}

struct result verify_database(const char *path, FILE *out) {
    struct verification verification = {.out = out};
    char finding[512] = "";
    TRY(database_open(path, DATABASE_READ, &discount_schema, &verification.database));
    struct result outcome = database_begin_read(verification.database);
    if (result_is_ok(outcome)) outcome = database_verify(verification.database, finding, sizeof finding);
    if (!result_is_ok(outcome) && finding[0] != '\0') fprintf(out, "BROKEN: the database itself: %s\n", finding);
    if (result_is_ok(outcome)) outcome = walk_campaigns(&verification);
    if (result_is_ok(outcome)) outcome = check_rules(&verification);
    database_end_read(verification.database);
    database_close(verification.database);
    if (result_is_ok(outcome)) {
        fprintf(out, "verified: %" PRId64 " campaigns, %" PRId64 " redemptions\n", verification.campaign_count,
                verification.redemption_count);
    }
    return outcome;
}
