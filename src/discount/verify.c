#include "discount/verify.h"

#include <inttypes.h>

#include "base/limits.h"
#include "base/pages.h"
#include "discount/currencies.h"
#include "discount/tables_codes.h"
#include "discount/tables_eligible.h"
#include "service/audit.h"
#include "store/open.h"

#define ROWS_AT_ONCE 1000 /* of redemptions, so that memory stays bounded wherever they are kept */

struct verification {
    struct batch *batch;
    FILE *out;
    struct progress *progress; /* NULL: nobody waits */
    int64_t seen, due;         /* redemptions of all campaigns */
    bool has_told;             /* what is broken */
    struct campaign *campaigns;
    size_t campaign_total;
    int64_t number_read;      /* of the last campaign's row */
    size_t row_count;         /* in this run */
    struct campaign campaign; /* the one that is looked at */
    int64_t position;         /* of the last row */
    int64_t credited, failed, applied;
    int64_t reversing, reversed;
    int64_t waiting, ticket;               /* in its line: so many, and the last of them */
    int64_t ordered_minor, discount_minor; /* sums */
    int64_t first_claimed_at_us, last_claimed_at_us;
    int64_t campaign_count, redemption_count;
};

static struct result broken(struct verification *verification, const struct redemption *redemption, const char *rule) {
    char campaign[ID_TEXT_BYTES], id[ID_TEXT_BYTES];
    verification->has_told = true;
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

/* What it took off its order, and the day in which it is counted. */
static struct result check_gift(struct verification *verification, const struct redemption *redemption) {
    const struct campaign *campaign = &verification->campaign;
    bool is_applied = redemption_was_applied(redemption), is_of_order = gift_is_of_order(campaign->rules.kind);
    if (is_applied != is_of_order) return broken(verification, redemption, "it is settled in a way that its campaign does not know");
    int64_t order_minor = redemption->order.amount_minor;
    if (is_applied && redemption->discount_minor != rules_gift_minor(&campaign->rules, campaign->credit, order_minor))
        return broken(verification, redemption, "its discount is not the one that its campaign gives");
    bool is_of_day = redemption->position > campaign->day_before;
    bool is_earlier =
        redemption->claimed_at_us<campaign->day_starts_at_us, is_later = redemption->claimed_at_us> campaign->day_starts_at_us;
    if (campaign->day_ends_at_us != 0 && (is_of_day ? is_earlier || redemption->claimed_at_us >= campaign->day_ends_at_us : is_later))
        return broken(verification, redemption, "it is counted in another day than it was claimed in");
    verification->applied += is_applied;
    if (!redemption_is_living(redemption)) return result_ok(); /* it has given back what it took */
    if (__builtin_add_overflow(verification->ordered_minor, order_minor, &verification->ordered_minor) ||
        __builtin_add_overflow(verification->discount_minor, redemption->discount_minor, &verification->discount_minor))
        return broken(verification, redemption, "the orders up to it are worth more than money can be");
    return result_ok();
}

/* Of all its rows. */
static struct result check_sums(struct verification *verification) {
    const struct campaign *campaign = &verification->campaign;
    const char *fault = campaign_fault(campaign);
    if (fault != NULL) return broken(verification, NULL, fault);
    if (verification->ordered_minor != campaign->ordered_minor)
        return broken(verification, NULL, "its sum of orders is not that of its rows");
    if (gift_is_of_order(campaign->rules.kind) && verification->discount_minor != campaign->spent_minor)
        return broken(verification, NULL, "what it has spent is not the sum of its rows");
    return result_ok();
}

static struct result check_redemption(struct verification *verification, const struct redemption *redemption) {
    if (redemption->position != verification->position + 1) return broken(verification, redemption, "positions have a gap before it");
    if (redemption->claimed_at_us < verification->last_claimed_at_us)
        return broken(verification, redemption, "it was claimed before the position ahead of it");
    if (redemption->phone.size == 0 || id_is_zero(redemption->user_id)) return broken(verification, redemption, "it has no user or phone");
    bool is_reversing = redemption->status == REDEMPTION_REVERSING;
    bool is_credited = redemption->status == REDEMPTION_CREDITED || is_reversing, is_failed = redemption->status == REDEMPTION_FAILED;
    if (is_credited && id_is_zero(redemption->transaction_id))
        return broken(verification, redemption, "it is credited without a transaction");
    if (is_failed && redemption->failure_size == 0) return broken(verification, redemption, "it has failed without a reason");
    if (redemption->status == REDEMPTION_CLAIMED && redemption->position <= verification->campaign.settled_position)
        return broken(verification, redemption, "it is not settled, and stands before the position from which on such are looked for");
    const char *fault = redemption_fault(redemption);
    if (fault != NULL) return broken(verification, redemption, fault);
    TRY(check_gift(verification, redemption));
    verification->position = redemption->position;
    verification->last_claimed_at_us = redemption->claimed_at_us;
    if (verification->position == 1) verification->first_claimed_at_us = redemption->claimed_at_us;
    verification->credited += is_credited;
    verification->failed += is_failed;
    verification->reversing += is_reversing;
    verification->reversed += !redemption_is_living(redemption);
    return result_ok();
}

static struct result visit_redemption(void *context, const struct row *row) {
    struct verification *verification = context;
    struct redemption redemption;
    TRY(redemption_of_row(row, 0, &redemption));
    verification->row_count++;
    progress_tell_sometimes(verification->progress, "redemptions", ++verification->seen, verification->due);
    return check_redemption(verification, &redemption);
}

static struct result walk_redemptions(struct verification *verification) {
    uint32_t number = verification->campaign.number;
    verification->position = verification->credited = verification->failed = verification->applied = 0;
    verification->reversing = verification->reversed = 0;
    verification->ordered_minor = verification->discount_minor = 0;
    verification->first_claimed_at_us = verification->last_claimed_at_us = 0;
    do {
        verification->row_count = 0;
        ask_redemptions(verification->batch, redemption_key(number, verification->position), redemption_key(number, LINE_BASE),
                        ROWS_AT_ONCE, visit_redemption, verification);
        struct result outcome = batch_run(verification->batch);
        if (outcome.code == RESULT_CORRUPT && !verification->has_told)
            return broken(verification, NULL, "one of its redemptions can't be read");
        TRY(outcome);
    } while (verification->row_count == ROWS_AT_ONCE);
    return result_ok();
}

/* ---- its line, by ticket ---- */

static struct result visit_waiting(void *context, const struct row *row) {
    struct verification *verification = context;
    const struct campaign *campaign = &verification->campaign;
    struct redemption redemption;
    TRY(redemption_of_row(row, 0, &redemption));
    verification->row_count++;
    verification->ticket = redemption_ticket(&redemption);
    const char *fault = redemption_fault(&redemption);
    if (fault != NULL) return broken(verification, &redemption, fault);
    if (redemption.status != REDEMPTION_WAITING) return broken(verification, &redemption, "it stands in the line, and does not wait");
    if (verification->ticket <= campaign->called || verification->ticket > campaign->lined_up)
        return broken(verification, &redemption, "it waits with a ticket that was called, or never given");
    verification->waiting++;
    return result_ok();
}

static struct result walk_line(struct verification *verification) {
    verification->waiting = verification->ticket = 0;
    do {
        verification->row_count = 0;
        uint32_t number = verification->campaign.number;
        ask_redemptions(verification->batch, redemption_key(number, LINE_BASE + verification->ticket), redemption_key(number + 1, 0),
                        ROWS_AT_ONCE, visit_waiting, verification);
        struct result outcome = batch_run(verification->batch);
        if (outcome.code == RESULT_CORRUPT && !verification->has_told)
            return broken(verification, NULL, "one of those who wait can't be read");
        TRY(outcome);
    } while (verification->row_count == ROWS_AT_ONCE);
    if (verification->waiting != verification->campaign.waiting)
        return broken(verification, NULL, "its count of those who wait is not that of its rows");
    return result_ok();
}

/* They are counted in the transactions that claim and credit. Of a long campaign the oldest are gone. */
static struct result visit_sums(void *context, const struct row *row) {
    struct verification *verification = context;
    const struct campaign *campaign = &verification->campaign;
    if (row_integer(row, 0) >= BOARD_MINUTES) return result_ok();
    if (row_integer(row, 1) == campaign->redeemed && row_integer(row, 2) == campaign_ever_credited(campaign)) return result_ok();
    return broken(verification, NULL, "its minutes do not add up to its redemptions and credits");
}

static struct result visit_odd_minute(void *context, const struct row *row) {
    struct verification *verification = context;
    (void)row;
    return broken(verification, NULL, "one of its minutes is not the sum of its seconds");
}

static struct result check_times(struct verification *verification) {
    ask_sums_of_minutes(verification->batch, verification->campaign.number, visit_sums, verification);
    ask_odd_minute(verification->batch, verification->campaign.number, visit_odd_minute, verification);
    return batch_run(verification->batch);
}

/* Columns: how many were returned, and how many of them behind the position with which its day begins. */
static struct result visit_returned(void *context, const struct row *row) {
    struct verification *verification = context;
    const struct campaign *campaign = &verification->campaign;
    if (row_integer(row, 0) != campaign->returned)
        return broken(verification, NULL, "its count of returned places is not that of its rows");
    if (row_integer(row, 1) != campaign->day_returned)
        return broken(verification, NULL, "its count of places returned of its day is not that of its rows");
    return result_ok();
}

static struct result check_returned(struct verification *verification) {
    const struct campaign *campaign = &verification->campaign;
    ask_returned(verification->batch, redemption_key(campaign->number, 0), redemption_key(campaign->number + 1, 0),
                 redemption_key(campaign->number, campaign->day_before), visit_returned, verification);
    return batch_run(verification->batch);
}

static struct result check_campaign(struct verification *verification) {
    const struct campaign *campaign = &verification->campaign;
    TRY(walk_redemptions(verification));
    TRY(walk_line(verification));
    int64_t taken = verification->position - campaign->returned;
    bool was_lowered = campaign->over_at != 0 && taken == campaign->over_at;
    if (taken > campaign->max_redemptions && !was_lowered) return broken(verification, NULL, "it has more redemptions than places");
    if (verification->position != campaign->redeemed) return broken(verification, NULL, "its count of redemptions is not that of its rows");
    if (verification->credited != campaign->credited) return broken(verification, NULL, "its count of credits is not that of its rows");
    if (verification->reversing != campaign->reversing || verification->reversed != campaign->reversed)
        return broken(verification, NULL, "its count of reversals is not that of its rows");
    if (verification->failed != campaign->failed) return broken(verification, NULL, "its count of failures is not that of its rows");
    if (verification->first_claimed_at_us != campaign->first_redeemed_at_us ||
        verification->last_claimed_at_us != campaign->last_redeemed_at_us) {
        return broken(verification, NULL, "its first or last redemption has another time than its rows");
    }
    TRY(check_returned(verification));
    bool is_full = taken >= campaign->max_redemptions;
    if (is_full != (campaign->exhausted_at_us != 0))
        return broken(verification, NULL, "it says it is exhausted and is not, or the other way round");
    if (campaign->exhausted_at_us != 0 && campaign->exhausted_at_us < campaign->last_redeemed_at_us)
        return broken(verification, NULL, "it says it was exhausted before its last redemption");
    TRY(check_times(verification));
    /* A step that Wallet has taken and we have not heard of may be paid out already. */
    __int128 credited_minor = (__int128)campaign->credited * campaign->credit.amount_minor;
    if (credited_minor > (__int128)campaign->fund_confirmed_minor + campaign->fund_step_minor)
        return broken(verification, NULL, "more was credited than was ever put into its fund");
    if (campaign->fund_is_released && !campaign_is_settled(campaign)) {
        return broken(verification, NULL, "its fund was released before its claims were settled");
    }
    TRY(check_sums(verification));
    char id[ID_TEXT_BYTES];
    id_format(campaign->id, id);
    fprintf(verification->out, "campaign %.*s: %" PRId64 " of %" PRId64 " places taken, %" PRId64 " credited, %" PRId64 " failed",
            (int)sizeof id, id, campaign_taken(campaign), campaign->max_redemptions, campaign->credited, campaign->failed);
    if (campaign->reversed != 0) fprintf(verification->out, ", %" PRId64 " reversed", campaign->reversed);
    if (campaign->waiting != 0) fprintf(verification->out, ", %" PRId64 " in its waiting list", campaign->waiting);
    fputs("\n", verification->out);
    verification->campaign_count++;
    verification->redemption_count += campaign->redeemed;
    return result_ok();
}

static struct result visit_campaign(void *context, const struct row *row) {
    struct verification *verification = context;
    verification->number_read = row_integer(row, 0);
    if (verification->campaign_total == LIMIT_CAMPAIGNS_KEPT) return result_error(RESULT_FULL);
    return campaign_of_row(row, &verification->campaigns[verification->campaign_total++]);
}

static struct result walk_campaigns(struct verification *verification) {
    ask_all_campaigns(verification->batch, visit_campaign, verification);
    struct result outcome = batch_run(verification->batch);
    if (outcome.code == RESULT_CORRUPT) {
        fprintf(verification->out, "BROKEN: campaign number %" PRId64 " can't be read\n", verification->number_read);
        verification->has_told = true;
    }
    TRY(outcome);
    progress_begin(verification->progress);
    for (size_t i = 0; i < verification->campaign_total; i++) verification->due += verification->campaigns[i].redeemed;
    for (size_t i = 0; i < verification->campaign_total; i++) {
        verification->campaign = verification->campaigns[i];
        if (verification->campaign.number != i + 1) return broken(verification, NULL, "the campaign created before it is missing");
        TRY(check_campaign(verification));
    }
    progress_tell(verification->progress, "redemptions", verification->seen, verification->due);
    return result_ok();
}

/* ---- rules across rows ---- */

struct rule_breaker {
    bool is_there;
    struct id id;
};

static struct result visit_breaker(void *context, const struct row *row) {
    struct rule_breaker *breaker = context;
    *breaker = (struct rule_breaker){true, row_id(row, 0)};
    return result_ok();
}

static struct result check_rules_of(struct verification *verification, const struct rule *rules, size_t count, const char *what) {
    for (size_t i = 0; i < count; i++) {
        struct rule_breaker breaker = {0};
        batch_ask(verification->batch, &rules[i].question, NULL, visit_breaker, &breaker);
        TRY(batch_run(verification->batch));
        if (!breaker.is_there) continue;
        char id[ID_TEXT_BYTES];
        id_format(breaker.id, id);
        fprintf(verification->out, "BROKEN: %s %.*s: %s\n", what, (int)sizeof id, id, rules[i].sentence);
        return result_error(RESULT_CORRUPT);
    }
    return result_ok();
}

/* ---- batches of codes ---- */

static struct result visit_code_batch(void *context, const struct row *row) {
    struct verification *verification = context;
    struct code_batch batch;
    verification->number_read++;
    if (!result_is_ok(sound_code_batch_of_row(row, &batch)) || batch.number != verification->number_read)
        return result_error(RESULT_CORRUPT);
    return result_ok();
}

struct imported_walk {
    uint32_t batch;
    int64_t index;
    size_t count;
};

static struct result visit_imported(void *context, const struct row *row) {
    struct imported_walk *walk = context;
    struct imported_code imported;
    walk->count++;
    return imported_code_of_row(row, &walk->batch, &walk->index, &imported);
}

static struct result walk_imported(struct verification *verification) {
    struct imported_walk walk = {.count = ROWS_AT_ONCE};
    while (walk.count == ROWS_AT_ONCE) {
        walk.count = 0;
        ask_imported_codes(verification->batch, walk.batch, walk.index, ROWS_AT_ONCE, visit_imported, &walk);
        struct result outcome = batch_run(verification->batch);
        if (outcome.code == RESULT_CORRUPT)
            fprintf(verification->out,
                    "BROKEN: batch of codes number %" PRIu32 ", foreign code %" PRId64 ": it is not what was written down\n", walk.batch,
                    walk.index);
        TRY(outcome);
    }
    return result_ok();
}

static struct result check_codes(struct verification *verification) {
    verification->number_read = 0;
    ask_all_code_batches(verification->batch, visit_code_batch, verification);
    struct result outcome = batch_run(verification->batch);
    if (outcome.code == RESULT_CORRUPT)
        fprintf(verification->out, "BROKEN: batch of codes number %" PRId64 " is missing, can't be read, or breaks a rule of its own\n",
                verification->number_read);
    TRY(outcome);
    TRY(walk_imported(verification));
    TRY(check_rules_of(verification, table_code_rules, table_code_rule_count, "batch of codes"));
    return check_rules_of(verification, table_used_code_rules, table_used_code_rule_count, "redemption");
}

/* ---- lists ---- */

struct list_walk {
    struct verification *verification;
    struct result (*read)(const struct row *row, struct eligible_row *ret_row);
    struct eligible_row last;
    size_t count;
};

static struct result visit_listed(void *context, const struct row *row) {
    struct list_walk *walk = context;
    struct verification *verification = walk->verification;
    struct eligible_row listed;
    bool is_read = result_is_ok(walk->read(row, &listed));
    const char *fault = !is_read                                                                   ? "it can't be read"
                        : listed.campaign_number > verification->campaign_total                    ? "its campaign is not there"
                        : eligible_check(listed.campaign_number, &listed.eligible) != listed.check ? "it is not what was written down"
                                                                                                   : NULL;
    walk->count++;
    if (fault == NULL) {
        walk->last = listed;
        return result_ok();
    }
    char user[ID_TEXT_BYTES];
    struct text name = phone_text(&listed.eligible.phone);
    id_format(listed.eligible.user_id, user);
    if (name.size == 0) name = (struct text){user, sizeof user};
    verification->has_told = true;
    fprintf(verification->out, "BROKEN: list of campaign number %" PRIu32 ", entry %.*s: %s\n", listed.campaign_number, (int)name.size,
            name.data, fault);
    return result_error(RESULT_CORRUPT);
}

static struct result walk_list(struct verification *verification, bool is_of_phones) {
    struct list_walk walk = {.verification = verification, .read = is_of_phones ? eligible_phone_of_row : eligible_user_of_row};
    do {
        walk.count = 0;
        const struct eligible_row *last = &walk.last;
        if (is_of_phones)
            ask_eligible_phones(verification->batch, last->campaign_number, &last->eligible.phone, ROWS_AT_ONCE, visit_listed, &walk);
        else
            ask_eligible_users(verification->batch, last->campaign_number, last->eligible.user_id, ROWS_AT_ONCE, visit_listed, &walk);
        TRY(batch_run(verification->batch));
    } while (walk.count == ROWS_AT_ONCE);
    return result_ok();
}

static struct result check_lists(struct verification *verification) {
    TRY(walk_list(verification, false));
    TRY(walk_list(verification, true));
    return check_rules_of(verification, table_eligible_rules, table_eligible_rule_count, "campaign");
}

struct result verify_database(const struct place *place, struct progress *progress, FILE *out) {
    /* Nobody counts there: the reader's state stays that of its first question until the end. */
    struct place one_state = *place;
    one_state.keeps_state = true;
    struct verification verification = {.progress = progress, .out = out};
    char finding[512] = "";
    TRY(batch_open(&one_state, BATCH_READ, &verification.batch));
    verification.campaigns = pages_take(LIMIT_CAMPAIGNS_KEPT, sizeof *verification.campaigns);
    struct result outcome = verification.campaigns == NULL ? result_error(RESULT_FULL) : currencies_learn(verification.batch);
    if (result_is_ok(outcome)) outcome = batch_verify(verification.batch, finding, sizeof finding);
    if (!result_is_ok(outcome) && finding[0] != '\0') fprintf(out, "BROKEN: the database itself: %s\n", finding);
    if (result_is_ok(outcome)) outcome = walk_campaigns(&verification);
    if (result_is_ok(outcome)) outcome = check_rules_of(&verification, table_rules, table_rule_count, "redemption");
    if (result_is_ok(outcome)) outcome = check_rules_of(&verification, table_reversal_rules, table_reversal_rule_count, "redemption");
    if (result_is_ok(outcome)) outcome = check_codes(&verification);
    if (result_is_ok(outcome)) outcome = check_lists(&verification);
    struct audit_report audit = {0};
    if (result_is_ok(outcome)) outcome = audit_verify(verification.batch, &table_audit, &audit);
    batch_end_round(verification.batch);
    batch_close(verification.batch);
    pages_free(verification.campaigns, LIMIT_CAMPAIGNS_KEPT, sizeof *verification.campaigns);
    if (result_is_ok(outcome) && !audit_report_print(&audit, out)) return result_error(RESULT_CORRUPT);
    if (result_is_ok(outcome)) {
        fprintf(out, "verified: %" PRId64 " campaigns, %" PRId64 " redemptions\n", verification.campaign_count,
                verification.redemption_count);
    }
    return outcome;
}
