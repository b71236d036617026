#include "discount/core/campaign.h"

#include <string.h>

#include "base/check.h"
#include "discount/core/line.h"
#include "discount/core/set.h"

enum gate campaign_gate(struct gate_times times, int64_t now_us) {
    /* Ended comes first: what was ended before its start never starts. */
    if (times.ended_at_us != 0 || (times.ends_at_us != 0 && now_us >= times.ends_at_us)) return GATE_ENDED;
    /* Then paused: it would not start at its start. */
    if (times.is_paused) return GATE_PAUSED;
    return now_us < times.starts_at_us ? GATE_NOT_STARTED : GATE_OPEN;
}

struct gate_times campaign_times(const struct campaign *campaign) {
    return (struct gate_times){.starts_at_us = campaign->starts_at_us,
                               .ends_at_us = campaign->ends_at_us,
                               .ended_at_us = campaign->ended_at_us,
                               .is_paused = campaign->is_paused};
}

static enum gate gate_of(const struct campaign *campaign, int64_t now_us) { return campaign_gate(campaign_times(campaign), now_us); }

enum campaign_state campaign_state(const struct campaign *campaign, int64_t now_us) {
    switch (gate_of(campaign, now_us)) {
    case GATE_ENDED: return CAMPAIGN_ENDED;
    case GATE_NOT_STARTED: return CAMPAIGN_SCHEDULED;
    case GATE_PAUSED: return CAMPAIGN_PAUSED;
    case GATE_OPEN: break;
    }
    return campaign_taken(campaign) >= campaign->max_redemptions ? CAMPAIGN_EXHAUSTED : CAMPAIGN_ACTIVE;
}

const char *campaign_state_name(enum campaign_state state) {
    switch (state) {
    case CAMPAIGN_SCHEDULED: return "scheduled";
    case CAMPAIGN_ACTIVE: return "active";
    case CAMPAIGN_PAUSED: return "paused";
    case CAMPAIGN_EXHAUSTED: return "exhausted";
    case CAMPAIGN_ENDED: return "ended";
    }
    return "unknown";
}

enum fund_state campaign_fund_state(const struct campaign *campaign) {
    if (campaign->fund_is_released) return FUND_RELEASED;
    if (campaign->fund_refusal_size != 0) return FUND_FAILED;
    if (campaign->approval.waits == APPROVAL_OF_CREATION) return FUND_PENDING;
    return campaign->fund_step_minor != 0 ? FUND_PENDING : FUND_OPEN;
}

bool campaign_awaits_fund(const struct campaign *campaign) {
    return campaign_fund_state(campaign) == FUND_PENDING && campaign->fund_step_minor != 0;
}

const char *fund_state_name(enum fund_state state) {
    switch (state) {
    case FUND_PENDING: return "pending";
    case FUND_OPEN: return "open";
    case FUND_FAILED: return "failed";
    case FUND_RELEASED: return "released";
    }
    return "unknown";
}

static const char *const phone_rules[] = {[PHONE_OF_ACCOUNT] = "account", [PHONE_VERIFIED] = "verified", [PHONE_ANY] = "any"};

const char *phone_rule_name(enum phone_rule rule) { return phone_rules[rule]; }

struct result phone_rule_named(struct text name, enum phone_rule *ret_rule) {
    for (enum phone_rule rule = PHONE_OF_ACCOUNT; rule <= PHONE_ANY; rule++) {
        if (!text_equal(text_of(phone_rules[rule]), name)) continue;
        *ret_rule = rule;
        return result_ok();
    }
    return result_error(RESULT_NOT_FOUND);
}

bool campaign_is_settled(const struct campaign *campaign) {
    return gift_is_of_order(campaign->rules.kind) || campaign->credited + campaign->failed == campaign_living(campaign);
}

bool campaign_is_over(const struct campaign *campaign) {
    bool has_fund = !gift_is_of_order(campaign->rules.kind);
    if (campaign->ended_at_us == 0 || !campaign_is_settled(campaign) || campaign->reversing != 0) return false;
    return campaign->fund_step_minor == 0 && (!has_fund || campaign->fund_is_released);
}

int64_t campaign_places_left(int64_t max_redemptions, int64_t taken) { return max_redemptions > taken ? max_redemptions - taken : 0; }

int64_t campaign_counted_places(int64_t max_redemptions, int64_t redeemed, int64_t returned) {
    int64_t taken = redeemed - returned;
    return redeemed < LIMIT_CAMPAIGN_PLACES || taken > max_redemptions ? taken : max_redemptions;
}

int64_t campaign_taken_today(int64_t redeemed, int64_t day_before, int64_t day_ends_at_us, int64_t now_us) {
    return now_us < day_ends_at_us ? redeemed - day_before : 0;
}

int64_t campaign_funded_places(const struct campaign *campaign) {
    if (gift_is_of_order(campaign->rules.kind)) return campaign->max_redemptions;
    int64_t places = money_count_in_total(campaign->fund_confirmed_minor, campaign->credit);
    return places < campaign->max_redemptions ? places : campaign->max_redemptions;
}

/* Whether so many credits fit into an amount. */
static bool is_worth_at_most(struct money credit, int64_t count, int64_t amount_minor) {
    struct money worth;
    return result_is_ok(money_multiply(credit, count, &worth)) && worth.amount_minor <= amount_minor;
}

static const char *fund_fault(const struct campaign *campaign) {
    bool is_settled = campaign_is_settled(campaign);
    int64_t confirmed = campaign->fund_confirmed_minor, step = campaign->fund_step_minor;
    if (confirmed < 0 || step < 0 || confirmed > MONEY_AMOUNT_MAX || step > MONEY_AMOUNT_MAX - confirmed) return "its fund is out of range";
    if ((step == 0) != (campaign->fund_step_version == 0)) return "a step of its fund has no version";
    if (step == 0 && campaign->fund_refusal_size != 0) return "a step of its fund is refused that it does not have";
    if (campaign->fund_step_version < 0 || campaign->fund_step_version > campaign->version) return "a step of its fund is from the future";
    /* A step that Wallet has taken and we have not heard of may be paid out already. */
    if (!is_worth_at_most(campaign->credit, campaign->credited, confirmed + step))
        return "more was credited than was ever put into its fund";
    if (campaign->fund_is_released && (campaign->ended_at_us == 0 || !is_settled || step != 0)) return "its fund was released too early";
    return NULL;
}

static const char *sums_fault(const struct campaign *campaign) {
    int64_t spent = campaign->spent_minor, ordered = campaign->ordered_minor;
    if (spent < 0 || spent > MONEY_AMOUNT_MAX || ordered < 0 || ordered > MONEY_AMOUNT_MAX)
        return "its gifts or orders are worth more than money can be";
    struct money credits;
    bool is_credit = campaign->rules.kind == GIFT_CREDIT;
    if (is_credit &&
        (!result_is_ok(money_multiply(campaign->credit, campaign_living(campaign), &credits)) || credits.amount_minor != spent))
        return "what it has spent is not the worth of its places";
    if (!is_credit && (spent > ordered || campaign->credited != 0 || campaign->failed != 0))
        return "it has taken more off orders than they were worth";
    if (campaign->day_before < 0 || campaign->day_before > campaign->redeemed || campaign->day_starts_at_us > campaign->day_ends_at_us)
        return "its day is none";
    if (campaign->day_returned < 0 || campaign->day_returned > campaign->returned ||
        campaign->day_returned > campaign->redeemed - campaign->day_before)
        return "more places were returned of its day than were given out in it";
    return NULL;
}

static const char *reversals_fault(const struct campaign *campaign) {
    bool is_in_range = campaign->returned >= 0 && campaign->returned <= campaign->reversed && campaign->reversed <= campaign->redeemed;
    if (!is_in_range) return "it has taken back more than it has given out";
    return campaign->reversing < 0 || campaign->reversing > campaign->credited ? "it takes back more than it has credited" : NULL;
}

const char *campaign_fault(const struct campaign *campaign) {
    int64_t taken = campaign_taken(campaign);
    bool is_full = taken >= campaign->max_redemptions, is_empty = campaign->redeemed == 0;
    if (campaign->number == 0 || id_is_zero(campaign->id)) return "it has no number or id";
    bool is_share = campaign->rules.kind == GIFT_PERCENT_OFF;
    if (is_share != (campaign->credit.amount_minor == 0) || campaign->credit.amount_minor < 0 || campaign->credit.currency == CURRENCY_NONE)
        return "it gives no credit";
    if (campaign->max_redemptions < 1 || campaign->max_redemptions > LIMIT_CAMPAIGN_PLACES) return "its places are out of range";
    if (campaign->version < 1 || campaign->sequence < campaign->version) return "its version or its sequence is out of range";
    const char *fault = reversals_fault(campaign);
    if (fault == NULL) fault = line_fault(campaign);
    if (fault != NULL) return fault;
    bool is_over = taken > campaign->max_redemptions;
    if (campaign->redeemed < 0 || (is_over && campaign->over_at != taken)) return "it has more redemptions than places";
    if (!is_over && campaign->over_at != 0) return "its limit was lowered below what is taken, and was not";
    if (campaign->credited < 0 || campaign->failed < 0 || campaign->credited > campaign_living(campaign) - campaign->failed)
        return "it has settled more than it has given out";
    int64_t settled =
        gift_is_of_order(campaign->rules.kind) ? campaign->redeemed : campaign->credited + campaign->failed + campaign->reversed;
    if (campaign->settled_position < 0 || campaign->settled_position > settled) return "it says that more positions are settled than are";
    if (is_empty != (campaign->first_redeemed_at_us == 0) || is_empty != (campaign->last_redeemed_at_us == 0))
        return "its first or last redemption has no time";
    if (campaign->first_redeemed_at_us > campaign->last_redeemed_at_us) return "its last redemption was before its first";
    if (is_full != (campaign->exhausted_at_us != 0)) return "it says it is exhausted and is not, or the other way round";
    if (is_full && campaign->exhausted_at_us < campaign->last_redeemed_at_us) return "it was exhausted before its last redemption";
    fault = rules_fault(&campaign->rules);
    if (fault == NULL) fault = sums_fault(campaign);
    if (fault == NULL) fault = approval_fault(&campaign->approval);
    return fault != NULL ? fault : fund_fault(campaign);
}

/* What the fund must hold to pay for every place; false when it passes the largest amount. */
static bool fund_required(struct money credit, int64_t max_redemptions, int64_t *ret_minor) {
    struct money required;
    if (!result_is_ok(money_multiply(credit, max_redemptions, &required))) return false;
    *ret_minor = required.amount_minor;
    return true;
}

/* The next step of the fund, if it is behind and none waits: its amount must not change before it is confirmed, as it may have been sent. */
static void plan_fund_step(struct campaign *campaign) {
    int64_t required;
    if (gift_is_of_order(campaign->rules.kind)) return;           /* the shop pays */
    if (campaign->approval.waits == APPROVAL_OF_CREATION) return; /* nobody else has agreed to it yet */
    bool is_over = campaign->ended_at_us != 0 || campaign_taken(campaign) > campaign->max_redemptions;
    int64_t places = is_over ? campaign_living(campaign) : campaign->max_redemptions; /* none comes after the end */
    CHECK(fund_required(campaign->credit, places, &required));
    if (campaign->fund_step_minor != 0 || campaign->fund_is_released || required <= campaign->fund_confirmed_minor) return;
    campaign->fund_step_minor = money_between_totals(required, campaign->fund_confirmed_minor, campaign->credit.currency).amount_minor;
    campaign->fund_step_version = campaign->version;
}

/* Places were made anew beyond those that were ever paid for (rebuild.h). */
static bool is_behind(const struct campaign *campaign) {
    int64_t required = 0;
    if (campaign->approval.waits == APPROVAL_OF_CREATION) return false;
    return !gift_is_of_order(campaign->rules.kind) && campaign->fund_step_minor == 0 &&
           fund_required(campaign->credit, campaign->max_redemptions, &required) && required > campaign->fund_confirmed_minor;
}

/* What Wallet has refused it has not done: the step is not owed any more, and is planned anew with what the admin has made of the campaign. */
static void drop_refused_step(struct campaign *campaign) {
    if (campaign->fund_refusal_size == 0) return;
    campaign->fund_step_minor = campaign->fund_step_version = 0;
    campaign->fund_refusal_size = 0;
    campaign->fund_refusal_detail_size = 0;
}

/* A fund that was never opened and is not needed, which is an ended campaign's without a place: there is nothing to give back. */
static void release_what_never_was(struct campaign *campaign) {
    bool is_needless = campaign->fund_confirmed_minor == 0 && campaign->fund_step_minor == 0;
    if (is_needless && campaign->ended_at_us != 0) campaign->fund_is_released = true;
}

/* The end of each decision that changes something. */
static void mark_changed(struct campaign *campaign, int64_t now_us, bool by_admin) {
    campaign_note_changed(campaign);
    campaign->sequence++;
    if (by_admin) {
        campaign->version++;
        campaign->updated_at_us = now_us;
        campaign->has_new_rules = true;
    }
    plan_fund_step(campaign); /* its limit may have been raised, also while another step waited */
    release_what_never_was(campaign);
    CHECK(campaign_fault(campaign) == NULL);
}

/* The beginning of each decision about one that may not be there. */
static bool is_there(const struct campaign *campaign) {
    CHECK(campaign == NULL || campaign_fault(campaign) == NULL);
    return campaign != NULL;
}

static void set_name(struct campaign *campaign, struct text name) {
    CHECK(name.size <= sizeof campaign->name);
    memcpy(campaign->name, name.data, name.size);
    campaign->name_size = (uint16_t)name.size;
}

static enum campaign_verdict check_dates(int64_t starts_at_us, int64_t ends_at_us, int64_t now_us) {
    if (ends_at_us == 0) return CAMPAIGN_DONE;
    if (ends_at_us <= now_us) return CAMPAIGN_END_NOT_FUTURE;
    return starts_at_us != 0 && ends_at_us <= starts_at_us ? CAMPAIGN_END_NOT_AFTER_START : CAMPAIGN_DONE;
}

/* Those that have ended are not counted: nobody is kept from a new one by them. */
static bool are_too_many(const struct campaign_set *set, int64_t now_us) {
    size_t living = 0;
    if (set->campaign_count == set->campaign_capacity) return true;
    if (set->campaign_count < LIMIT_CAMPAIGNS) return false;
    for (uint32_t number = 1; number <= set->campaign_count; number++) {
        const struct campaign *campaign = campaign_by_number(set, number);
        living += campaign != NULL && gate_of(campaign, now_us) != GATE_ENDED; /* what is not here has ended long ago */
    }
    return living >= LIMIT_CAMPAIGNS;
}

enum campaign_verdict campaign_create(struct campaign_set *set, const struct campaign_create *create, int64_t now_us,
                                      struct campaign **ret_campaign) {
    *ret_campaign = NULL;
    int64_t required;
    bool is_of_order = gift_is_of_order(create->rules.kind); /* whose shop pays, without a fund */
    if (!is_of_order && !fund_required(create->credit, create->max_redemptions, &required)) return CAMPAIGN_LIMIT_TOO_HIGH;
    enum campaign_verdict dates = check_dates(create->starts_at_us, create->ends_at_us, now_us);
    if (dates != CAMPAIGN_DONE) return dates;
    const struct campaign *holder = campaign_by_code(set, &create->code);
    if (holder != NULL && gate_of(holder, now_us) != GATE_ENDED) return CAMPAIGN_CODE_TAKEN;
    if (are_too_many(set, now_us)) return CAMPAIGN_TOO_MANY;

    struct campaign campaign = {
        .number = (uint32_t)(set->campaign_count + 1),
        .id = create->id,
        .code = create->code,
        .credit = create->credit,
        .max_redemptions = create->max_redemptions,
        .phone_rule = create->phone_rule,
        .starts_at_us = create->starts_at_us,
        .ends_at_us = create->ends_at_us,
        .version = 1,
        .sequence = 1,
        .created_at_us = now_us,
        .updated_at_us = now_us,
        .is_new = true,
        .is_changed = true,
    };
    campaign.rules = create->rules;
    campaign.words = create->words;
    rules_complete(&campaign.rules);
    set_name(&campaign, create->name);
    if (campaign.rules.needs_approval != 0)
        campaign.approval = (struct approval){.waits = APPROVAL_OF_CREATION, .requested_by = create->by, .requested_at_us = now_us};
    plan_fund_step(&campaign);
    CHECK(campaign_fault(&campaign) == NULL);
    CHECK(result_is_ok(campaign_set_load(set, &campaign)));
    *ret_campaign = campaign_by_number(set, campaign.number);
    return CAMPAIGN_DONE;
}

/* What may change although redemptions were made by it: who has come already loses nothing by it. */
static bool may_change_rules(const struct campaign *campaign, const struct campaign_patch *patch) {
    const struct campaign_rules *now = &campaign->rules, *then = &patch->rules;
    uint32_t given = patch->rules_given;
    if ((given & GIVEN_DISCOUNT) != 0 && (now->percent != then->percent || now->discount_max_minor != then->discount_max_minor))
        return false;
    if ((given & GIVEN_PER_USER) != 0 && then->max_per_user < now->max_per_user) return false;
    return (given & GIVEN_PER_PHONE) == 0 || then->max_per_phone >= now->max_per_phone;
}

static enum campaign_verdict check_used(const struct campaign *campaign, const struct campaign_patch *patch) {
    if (campaign->redeemed == 0) return CAMPAIGN_DONE;
    if (patch->has_credit && !money_equal(patch->credit, campaign->credit)) return CAMPAIGN_CREDIT_GIVEN;
    if (patch->has_code && !code_equal(&patch->code, &campaign->code)) return CAMPAIGN_USED;
    if (patch->has_phone_rule && patch->phone_rule != campaign->phone_rule) return CAMPAIGN_USED;
    return may_change_rules(campaign, patch) ? CAMPAIGN_DONE : CAMPAIGN_USED;
}

static enum campaign_verdict check_patch(const struct campaign_set *set, const struct campaign *campaign,
                                         const struct campaign_patch *patch, int64_t now_us) {
    if (patch->version_expected != 0 && patch->version_expected != campaign->version) return CAMPAIGN_VERSION_MISMATCH;
    if (gate_of(campaign, now_us) == GATE_ENDED) return CAMPAIGN_STATE_CONFLICT;
    bool moves_start = patch->has_starts_at && patch->starts_at_us != campaign->starts_at_us;
    if (moves_start && now_us >= campaign->starts_at_us) return CAMPAIGN_STARTED;
    enum campaign_verdict used = check_used(campaign, patch);
    if (used != CAMPAIGN_DONE) return used;
    int64_t required, max_redemptions = patch->has_max_redemptions ? patch->max_redemptions : campaign->max_redemptions;
    const struct money *credit = patch->has_credit ? &patch->credit : &campaign->credit;
    bool is_credit = campaign->rules.kind == GIFT_CREDIT;
    if (is_credit && !fund_required(*credit, max_redemptions, &required)) return CAMPAIGN_LIMIT_TOO_HIGH;
    const struct campaign *holder = patch->has_code ? campaign_by_code(set, &patch->code) : NULL;
    if (holder != NULL && holder != campaign && gate_of(holder, now_us) != GATE_ENDED) return CAMPAIGN_CODE_TAKEN;
    int64_t starts_at_us = patch->has_starts_at ? patch->starts_at_us : campaign->starts_at_us;
    int64_t ends_at_us = patch->has_ends_at ? patch->ends_at_us : campaign->ends_at_us;
    return check_dates(starts_at_us, ends_at_us, now_us);
}

/* Below what is taken it means over now. */
static void note_limit(struct campaign *campaign, int64_t now_us) {
    bool is_exhausted = campaign_taken(campaign) >= campaign->max_redemptions;
    /* Not before its last redemption, even when the clock was set back in between. */
    int64_t exhausted_at_us = now_us > campaign->last_redeemed_at_us ? now_us : campaign->last_redeemed_at_us;
    campaign->exhausted_at_us = !is_exhausted ? 0 : campaign->exhausted_at_us != 0 ? campaign->exhausted_at_us : exhausted_at_us;
    campaign->over_at = campaign_taken(campaign) > campaign->max_redemptions ? campaign_taken(campaign) : 0;
}

/* Of a patch that was checked. `is_changed`: something beside it is another one already. */
static enum campaign_verdict apply(struct campaign_set *set, struct campaign *campaign, const struct campaign_patch *patch, bool is_changed,
                                   int64_t now_us) {
    bool new_name = patch->has_name && !text_equal(patch->name, campaign_name(campaign));
    bool new_limit = patch->has_max_redemptions && patch->max_redemptions != campaign->max_redemptions;
    bool new_start = patch->has_starts_at && patch->starts_at_us != campaign->starts_at_us;
    bool new_end = patch->has_ends_at && patch->ends_at_us != campaign->ends_at_us;
    bool new_credit = patch->has_credit && !money_equal(patch->credit, campaign->credit);
    bool new_phone_rule = patch->has_phone_rule && patch->phone_rule != campaign->phone_rule;
    bool new_code = patch->has_code && !code_equal(&patch->code, &campaign->code);
    bool new_rules = rules_adopt(&campaign->rules, &patch->rules, patch->rules_given);
    bool new_words = words_adopt(&campaign->words, &patch->words, patch->rules_given);
    /* The same amounts again ask Wallet again: what it refused may have been repaired there. */
    bool is_lacking = campaign->fund_refusal_size != 0 || is_behind(campaign);
    bool asks_again = is_lacking && (patch->has_max_redemptions || patch->has_credit);
    bool is_new =
        new_name || new_limit || new_start || new_end || new_credit || new_phone_rule || new_code || new_rules || new_words || is_changed;
    if (!is_new && !asks_again) return CAMPAIGN_UNCHANGED;
    CHECK(!new_credit || patch->credit.currency == campaign->credit.currency);

    if (new_name) set_name(campaign, patch->name);
    if (new_start) campaign->starts_at_us = patch->starts_at_us;
    if (new_end) campaign->ends_at_us = patch->ends_at_us;
    if (new_credit) campaign->credit = patch->credit;
    if (new_phone_rule) campaign->phone_rule = patch->phone_rule;
    if (new_code) campaign_set_recode(set, campaign, &patch->code);
    if (asks_again) drop_refused_step(campaign);
    if (new_limit) {
        campaign->max_redemptions = patch->max_redemptions;
        note_limit(campaign, now_us);
    }
    mark_changed(campaign, now_us, true);
    return CAMPAIGN_DONE;
}

/* What it costs is kept for the one who approves it; the rest of the patch is done at once. */
static enum campaign_verdict hold(struct campaign_set *set, struct campaign *campaign, const struct campaign_patch *patch, int64_t now_us) {
    const struct approval asked = {APPROVAL_OF_CHANGE, patch->by, now_us, approval_raise(campaign, patch)};
    struct campaign_patch rest = *patch;
    if (campaign->approval.waits == APPROVAL_OF_CHANGE) {
        bool is_again = id_equal(campaign->approval.requested_by, asked.requested_by);
        return is_again && raise_equal(&campaign->approval.raise, &asked.raise) ? CAMPAIGN_HELD_ALREADY : CAMPAIGN_APPROVAL_PENDING;
    }
    approval_leave_out(&rest);
    campaign->approval = asked;
    enum campaign_verdict verdict = apply(set, campaign, &rest, true, now_us);
    CHECK(verdict == CAMPAIGN_DONE);
    return CAMPAIGN_HELD;
}

enum campaign_verdict campaign_patch(struct campaign_set *set, struct campaign *campaign, const struct campaign_patch *patch,
                                     int64_t now_us) {
    if (!is_there(campaign)) return CAMPAIGN_NOT_FOUND;
    enum campaign_verdict verdict = check_patch(set, campaign, patch, now_us);
    if (verdict != CAMPAIGN_DONE) return verdict;
    struct approval *approval = &campaign->approval;
    bool is_due = approval_is_due(campaign, patch), is_unapproved = approval->waits == APPROVAL_OF_CREATION;
    if (is_due && !is_unapproved) return hold(set, campaign, patch, now_us);
    /* Before its creation is approved the whole of it waits, and it is who made it dearer last that has asked for it. */
    if (is_due) approval->requested_by = patch->by, approval->requested_at_us = now_us;
    /* Whoever sets what waits to something that costs no more than now has taken it back. */
    bool withdraws = approval->waits == APPROVAL_OF_CHANGE && approval_is_touched(patch);
    if (withdraws) *approval = (struct approval){.waits = APPROVAL_NONE};
    return apply(set, campaign, patch, withdraws, now_us);
}

enum campaign_verdict campaign_approve(struct campaign_set *set, struct campaign *campaign, struct id by, int64_t now_us) {
    if (!is_there(campaign)) return CAMPAIGN_NOT_FOUND;
    if (gate_of(campaign, now_us) == GATE_ENDED) return CAMPAIGN_STATE_CONFLICT;
    if (campaign->approval.waits == APPROVAL_NONE) return CAMPAIGN_UNCHANGED;
    if (id_equal(campaign->approval.requested_by, by)) return CAMPAIGN_OWN_REQUEST;
    struct campaign_patch patch = {.by = by};
    if (campaign->approval.waits == APPROVAL_OF_CHANGE) patch = approval_patch(campaign);
    enum campaign_verdict verdict = check_patch(set, campaign, &patch, now_us);
    if (verdict != CAMPAIGN_DONE) return verdict;
    campaign->approval = (struct approval){.waits = APPROVAL_NONE};
    return apply(set, campaign, &patch, true, now_us);
}

static enum campaign_verdict set_paused(struct campaign *campaign, bool is_paused, int64_t now_us) {
    if (!is_there(campaign)) return CAMPAIGN_NOT_FOUND;
    if (gate_of(campaign, now_us) == GATE_ENDED) return CAMPAIGN_STATE_CONFLICT;
    if (campaign->is_paused == is_paused) return CAMPAIGN_UNCHANGED;
    campaign->is_paused = is_paused;
    mark_changed(campaign, now_us, true);
    return CAMPAIGN_DONE;
}

enum campaign_verdict campaign_pause(struct campaign *campaign, int64_t now_us) { return set_paused(campaign, true, now_us); }

enum campaign_verdict campaign_resume(struct campaign *campaign, int64_t now_us) { return set_paused(campaign, false, now_us); }

enum campaign_verdict campaign_end(struct campaign *campaign, int64_t now_us) {
    if (!is_there(campaign)) return CAMPAIGN_NOT_FOUND;
    if (gate_of(campaign, now_us) == GATE_ENDED) return CAMPAIGN_UNCHANGED;
    /* Never before its last place, not even when the clock was set back between two starts. */
    campaign->ended_at_us = now_us < campaign->last_redeemed_at_us ? campaign->last_redeemed_at_us : now_us;
    drop_refused_step(campaign);
    campaign->approval = (struct approval){.waits = APPROVAL_NONE};
    mark_changed(campaign, now_us, true);
    return CAMPAIGN_DONE;
}

void campaign_note_act(struct campaign *campaign) {
    campaign_note_changed(campaign);
    campaign->sequence++;
    CHECK(campaign_fault(campaign) == NULL);
}

/* The newest redemption's day has ended. One that nobody knows is over at once. */
static void begin_day(struct campaign *campaign, struct day_window day, int64_t now_us) {
    bool is_known = day.starts_at_us <= now_us && now_us < day.ends_at_us;
    campaign->day_starts_at_us = now_us;
    if (is_known)
        campaign->day_starts_at_us = day.starts_at_us > campaign->last_redeemed_at_us ? day.starts_at_us : campaign->last_redeemed_at_us;
    campaign->day_ends_at_us = is_known ? day.ends_at_us : now_us + 1;
    campaign->day_before = campaign->redeemed;
    campaign->day_returned = 0;
}

static void add(int64_t *total_minor, int64_t minor, enum currency currency) {
    CHECK(result_is_ok(money_add_to_total(*total_minor, (struct money){minor, currency}, total_minor)) && *total_minor <= MONEY_AMOUNT_MAX);
}

static int64_t next_position(struct campaign *campaign, struct day_window day, int64_t now_us) {
    CHECK(campaign->redeemed < LIMIT_CAMPAIGN_PLACES);
    if (now_us < campaign->last_redeemed_at_us) now_us = campaign->last_redeemed_at_us;
    if (now_us >= campaign->day_ends_at_us) begin_day(campaign, day, now_us);
    campaign->redeemed++;
    campaign->sequence++;
    campaign_note_changed(campaign);
    if (campaign->first_redeemed_at_us == 0) campaign->first_redeemed_at_us = now_us;
    campaign->last_redeemed_at_us = now_us;
    return now_us;
}

int64_t campaign_give_place(struct campaign *campaign, const struct given *given, int64_t now_us) {
    CHECK(campaign_taken(campaign) < campaign->max_redemptions);
    now_us = next_position(campaign, given->day, now_us);
    add(&campaign->spent_minor, given->gift_minor, campaign->credit.currency);
    add(&campaign->ordered_minor, given->order_minor, campaign->credit.currency);
    if (campaign_taken(campaign) == campaign->max_redemptions) campaign->exhausted_at_us = now_us;
    return now_us;
}

int64_t campaign_pass_place(struct campaign *campaign, int64_t now_us) {
    now_us = next_position(campaign, (struct day_window){0}, now_us);
    campaign->reversed++;
    campaign->returned++;
    campaign->day_returned++;
    if (campaign->exhausted_at_us != 0 && campaign->exhausted_at_us < now_us) campaign->exhausted_at_us = now_us;
    return now_us;
}

static void subtract(int64_t *total_minor, int64_t minor, enum currency currency) {
    CHECK(minor >= 0 && minor <= *total_minor);
    *total_minor = money_between_totals(*total_minor, minor, currency).amount_minor;
}

void campaign_give_back(struct campaign *campaign, const struct given_back *back) {
    CHECK(back->position >= 1 && back->position <= campaign->redeemed && campaign->reversed < campaign->redeemed);
    subtract(&campaign->spent_minor, back->gift_minor, campaign->credit.currency);
    subtract(&campaign->ordered_minor, back->order_minor, campaign->credit.currency);
    campaign->reversed++;
    if (!back->is_open) return;
    campaign->returned++;
    campaign->day_returned += back->position > campaign->day_before;
    note_limit(campaign, campaign->last_redeemed_at_us);
}

void campaign_note_settled(struct campaign *campaign, int64_t position) {
    if (position > campaign->settled_position) campaign->settled_position = position;
    CHECK(campaign_fault(campaign) == NULL);
}

enum campaign_verdict campaign_expire(struct campaign *campaign, int64_t now_us) {
    if (!is_there(campaign)) return CAMPAIGN_NOT_FOUND;
    if (campaign->ended_at_us != 0 || campaign->ends_at_us == 0 || now_us < campaign->ends_at_us) return CAMPAIGN_UNCHANGED;
    campaign->ended_at_us = campaign->ends_at_us;
    drop_refused_step(campaign);
    if (campaign->approval.waits != APPROVAL_NONE) campaign->has_new_rules = true; /* with which it is written */
    campaign->approval = (struct approval){.waits = APPROVAL_NONE};
    mark_changed(campaign, now_us, false);
    return CAMPAIGN_DONE;
}

enum campaign_verdict campaign_fund_confirm(struct campaign *campaign, int64_t step_version, int64_t now_us) {
    if (!is_there(campaign)) return CAMPAIGN_NOT_FOUND;
    if (campaign->fund_step_minor == 0 || campaign->fund_step_version != step_version) return CAMPAIGN_UNCHANGED;
    struct money step = {campaign->fund_step_minor, campaign->credit.currency};
    struct result added = money_add_to_total(campaign->fund_confirmed_minor, step, &campaign->fund_confirmed_minor);
    CHECK(result_is_ok(added)); /* what is required is no more than money can be */
    campaign->fund_step_minor = campaign->fund_step_version = 0;
    campaign->fund_refusal_size = 0; /* it was done after all */
    campaign->fund_refusal_detail_size = 0;
    mark_changed(campaign, now_us, false);
    return CAMPAIGN_DONE;
}

enum campaign_verdict campaign_fund_refuse(struct campaign *campaign, int64_t step_version, struct text code, struct text detail,
                                           int64_t now_us) {
    if (!is_there(campaign)) return CAMPAIGN_NOT_FOUND;
    if (campaign->fund_step_minor == 0 || campaign->fund_step_version != step_version) return CAMPAIGN_UNCHANGED;
    CHECK(code.size > 0);
    code = text_cut(code, sizeof campaign->fund_refusal);
    detail = text_cut(detail, sizeof campaign->fund_refusal_detail);
    memcpy(campaign->fund_refusal, code.data, code.size);
    if (detail.size > 0) memcpy(campaign->fund_refusal_detail, detail.data, detail.size);
    campaign->fund_refusal_size = (uint8_t)code.size;
    campaign->fund_refusal_detail_size = (uint16_t)detail.size;
    mark_changed(campaign, now_us, false);
    return CAMPAIGN_DONE;
}

static bool says_the_same(const struct campaign *campaign, const struct fund_said *said) {
    bool is_over = campaign->ended_at_us != 0 || !said->is_released;
    return campaign->fund_confirmed_minor == said->funded_minor && is_over && (said->is_released || !campaign->fund_is_released);
}

enum campaign_verdict campaign_fund_adopt(struct campaign *campaign, const struct fund_said *said, int64_t now_us) {
    if (!is_there(campaign)) return CAMPAIGN_NOT_FOUND;
    if (says_the_same(campaign, said)) return CAMPAIGN_UNCHANGED;
    struct campaign adopted = *campaign;
    adopted.fund_confirmed_minor = said->funded_minor;
    adopted.fund_step_minor = adopted.fund_step_version = 0;
    adopted.fund_refusal_size = 0;
    adopted.fund_refusal_detail_size = 0;
    if (!said->is_released) adopted.fund_is_released = false;
    if (said->is_released && adopted.ended_at_us == 0) adopted.ended_at_us = now_us;
    plan_fund_step(&adopted);
    if (campaign_fault(&adopted) != NULL) return CAMPAIGN_STATE_CONFLICT;
    *campaign = adopted;
    mark_changed(campaign, now_us, false);
    return CAMPAIGN_DONE;
}

enum campaign_verdict campaign_fund_release(struct campaign *campaign, int64_t now_us) {
    if (!is_there(campaign)) return CAMPAIGN_NOT_FOUND;
    if (campaign->fund_is_released) return CAMPAIGN_UNCHANGED;
    if (campaign->ended_at_us == 0 || !campaign_is_settled(campaign) || campaign->fund_step_minor != 0) return CAMPAIGN_STATE_CONFLICT;
    campaign->fund_is_released = true;
    mark_changed(campaign, now_us, false);
    return CAMPAIGN_DONE;
}
