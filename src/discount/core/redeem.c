#include "discount/core/redeem.h"

#include "base/check.h"
#include "discount/core/line.h"

static struct redeem_verdict refuse(enum refusal refusal) { return (struct redeem_verdict){REDEEM_REFUSE, refusal}; }

static struct redeem_verdict ask(enum redeem_step step) { return (struct redeem_verdict){step, NOT_REFUSED}; }

static struct redeem_verdict decide_limits(const struct limits *limits) {
    enum refusal refusal;
    switch (limits_decide(limits, &refusal)) {
    case LIMITS_ASK_USER: return ask(REDEEM_ASK_USER);
    case LIMITS_ASK_PHONE: return ask(REDEEM_ASK_PHONE);
    case LIMITS_KNOWN: break;
    }
    if (refusal == REFUSED_SOLD_OUT && limits_has_room_to_wait(limits)) return (struct redeem_verdict){REDEEM_WAIT, refusal};
    return refusal == NOT_REFUSED ? (struct redeem_verdict){REDEEM_CLAIM, NOT_REFUSED} : refuse(refusal);
}

struct redeem_verdict redeem_decide(const struct redeem_facts *facts, int64_t now_us) {
    if (!facts->has_campaign) return refuse(REFUSED_CODE_NOT_FOUND);
    if (facts->has_own == NOT_KNOWN) return ask(REDEEM_ASK_OWN);
    if (facts->is_code_dead && (facts->has_own == IS_NOT || !facts->is_own_code)) return refuse(REFUSED_CODE_NOT_FOUND);
    if (facts->has_own == IS_SO && facts->is_another_order) return refuse(REFUSED_USER_LIMIT);
    if (facts->has_own == IS_SO) return (struct redeem_verdict){REDEEM_REPEAT, REFUSED_ALREADY_REDEEMED};
    if (facts->is_recovering) return refuse(REFUSED_RECOVERING);
    if (facts->phone_refusal != NOT_REFUSED) return refuse(facts->phone_refusal);
    switch (campaign_gate(facts->times, now_us)) {
    case GATE_NOT_STARTED: return refuse(REFUSED_NOT_STARTED);
    case GATE_PAUSED: return refuse(REFUSED_PAUSED);
    case GATE_ENDED: return refuse(REFUSED_ENDED);
    case GATE_OPEN: break;
    }
    if (facts->is_unapproved) return refuse(REFUSED_UNAPPROVED);
    if (facts->opens_at_us != 0) return refuse(REFUSED_NOT_STARTED);
    if (facts->order_refusal != NOT_REFUSED) return refuse(facts->order_refusal);
    if (facts->is_too_young) return refuse(REFUSED_NOT_ELIGIBLE);
    if (facts->has_list && facts->is_listed == NOT_KNOWN) return ask(REDEEM_ASK_LISTED);
    if (facts->has_list && facts->is_listed == IS_NOT) return refuse(REFUSED_NOT_ELIGIBLE);
    return decide_limits(&facts->limits);
}

enum refusal redeem_order_refusal(const struct campaign_rules *rules, enum currency currency, const struct redeem_request *request) {
    bool has_order = request->order.reference_size != 0;
    bool is_needed = gift_is_of_order(rules->kind) || rules->min_order_minor != 0;
    if (!has_order) return is_needed ? REFUSED_ORDER_MISSING : NOT_REFUSED;
    return request->order_currency != currency ? REFUSED_ORDER_CURRENCY : NOT_REFUSED;
}

bool redeem_is_too_young(const struct campaign_rules *rules, struct id user_id, int64_t now_us) {
    if (rules->account_age_min_s == 0) return false;
    int64_t opened_at_us = id_time_us(user_id), age_s = (now_us - opened_at_us) / 1000000;
    return opened_at_us == 0 || age_s < rules->account_age_min_s;
}

enum refusal redeem_phone_refusal(enum phone_rule rule, const struct redeem_request *request) {
    if (rule == PHONE_ANY) return NOT_REFUSED;
    if (request->account_phone.size == 0) return REFUSED_PHONE_MISSING;
    if (!phone_equal(&request->account_phone, &request->phone)) return REFUSED_PHONE_MISMATCH;
    return rule == PHONE_VERIFIED && !request->is_account_phone_verified ? REFUSED_PHONE_UNVERIFIED : NOT_REFUSED;
}

/* ---- over the set ---- */

void redeem_apply(struct campaign *campaign, struct redemption *redemption, int64_t gift_minor) {
    redemption->status = REDEMPTION_APPLIED;
    redemption->settled_at_us = redemption->claimed_at_us;
    redemption->discount_minor = gift_minor;
    campaign->settled_position = campaign->redeemed; /* what is reversed is settled, too */
}

/* What is of its user alone is taken, also from those who only wait. */
static struct redemption *add(struct campaign_set *set, const struct campaign *campaign, const struct redeem_request *request,
                              const struct redemption *redemption) {
    if (request->found.batch != 0) code_use(set->codes, code_entry_of(set->codes, request->found.batch, request->found.index));
    CHECK(redemption_fault(redemption) == NULL);
    /* There is room: a batch is bounded by its weight, and a request weighs more than it can add. */
    CHECK(result_is_ok(campaign_set_load_redemption(set, redemption)));
    if (campaign->rules.max_per_user > 1 || campaign->rules.max_per_phone > 1) campaign_set_count(set, redemption);
    return redemption_by_id(set, redemption->id);
}

static struct redemption newcomer(const struct campaign_set *set, const struct campaign *campaign, const struct redeem_request *request) {
    CHECK(redemption_by_id(set, request->redemption_id) == NULL);
    return (struct redemption){
        .id = request->redemption_id,
        .campaign_number = campaign->number,
        .user_id = request->user_id,
        .phone = request->phone,
        .status = REDEMPTION_CLAIMED,
        .is_new = true,
        .is_changed = true,
        .order = request->order,
        .code_batch = request->found.batch,
        .code_index = request->found.index,
    };
}

static struct redemption *claim(struct campaign_set *set, struct campaign *campaign, const struct redeem_request *request,
                                int64_t gift_minor, int64_t now_us) {
    const struct given given = {gift_minor, request->order.amount_minor, request->day};
    struct redemption redemption = newcomer(set, campaign, request);
    redemption.claimed_at_us = campaign_give_place(campaign, &given, now_us);
    redemption.position = campaign->redeemed;
    if (gift_is_of_order(campaign->rules.kind)) redeem_apply(campaign, &redemption, gift_minor);
    return add(set, campaign, request, &redemption);
}

static struct redemption *wait(struct campaign_set *set, struct campaign *campaign, const struct redeem_request *request, int64_t now_us) {
    struct redemption redemption = newcomer(set, campaign, request);
    redemption.claimed_at_us = now_us;
    line_join(campaign, &redemption);
    return add(set, campaign, request, &redemption);
}

static enum knowledge known(bool is_so) { return is_so ? IS_SO : IS_NOT; }

static int64_t count_of_user(const struct campaign_set *set, const struct campaign *campaign, const struct redeem_request *request) {
    if (campaign->rules.max_per_user > 1) return campaign_set_tally_of_user(set, campaign->number, request->user_id);
    return redemption_by_user(set, campaign->number, request->user_id) != NULL;
}

static int64_t count_of_phone(const struct campaign_set *set, const struct campaign *campaign, const struct redeem_request *request) {
    if (campaign->rules.max_per_phone > 1) return campaign_set_tally_of_phone(set, campaign->number, &request->phone);
    return redemption_by_phone(set, campaign->number, &request->phone) != NULL;
}

/* Of one, its user's repeat is the answer; of several, that with the same order. */
static struct redemption *find_own(const struct campaign_set *set, const struct campaign *campaign, const struct redeem_request *request) {
    if (campaign->rules.max_per_user == 1) return redemption_by_user(set, campaign->number, request->user_id);
    if (request->order.reference_size == 0) return NULL;
    return redemption_by_order(set, campaign->number, request->user_id, order_reference(&request->order));
}

bool redeem_is_another_order(const struct order *own, const struct order *asked) {
    return own->reference_size != 0 && asked->reference_size != 0 && !text_equal(order_reference(own), order_reference(asked));
}

static int64_t gift_of(const struct campaign *campaign, const struct redeem_request *request, enum refusal order_refusal) {
    return order_refusal != NOT_REFUSED ? 0 : rules_gift_minor(&campaign->rules, campaign->credit, request->order.amount_minor);
}

struct campaign *redeem_campaign(const struct campaign_set *set, const struct redeem_request *request) {
    bool is_of_batch = request->found.batch != 0;
    return is_of_batch ? campaign_by_number(set, request->found.campaign_number) : campaign_by_code(set, &request->code);
}

bool redeem_is_by(const struct redemption *redemption, const struct code_found *found) {
    return redemption->code_batch == found->batch && redemption->code_index == found->index;
}

static bool is_code_dead(const struct campaign_set *set, const struct redeem_request *request, int64_t now_us) {
    if (request->found.batch == 0) return false;
    const struct code_entry *entry = code_entry_of(set->codes, request->found.batch, request->found.index);
    CHECK(entry != NULL); /* it was loaded */
    return code_is_dead(set->codes, entry, now_us);
}

/* What is of the campaign alone, and nothing that speaks against the user. */
static struct redeem_facts facts_of_campaign(const struct campaign *campaign, const struct redeem_request *request, int64_t now_us) {
    const struct campaign_rules *rules = &campaign->rules;
    enum refusal order_refusal = redeem_order_refusal(rules, campaign->credit.currency, request);
    return (struct redeem_facts){
        .has_campaign = true,
        .has_own = IS_NOT,
        .is_recovering = request->is_recovering,
        .phone_refusal = NOT_REFUSED,
        .times = campaign_times(campaign),
        .is_unapproved = campaign->approval.waits == APPROVAL_OF_CREATION,
        .opens_at_us = request->opens_at_us,
        .order_refusal = order_refusal,
        .limits = {.max_per_user = rules->max_per_user,
                   .max_per_phone = rules->max_per_phone,
                   .order_minor = request->order.amount_minor,
                   .places = campaign->max_redemptions,
                   .taken = campaign_counted_places(campaign->max_redemptions, campaign->redeemed, campaign->returned),
                   .budget_minor = rules->budget_minor,
                   .spent_minor = campaign->spent_minor,
                   .gift_minor = gift_of(campaign, request, order_refusal),
                   .ordered_minor = campaign->ordered_minor,
                   .max_per_day = rules->max_per_day,
                   .of_day = campaign_taken_today(campaign->redeemed - campaign->day_returned, campaign->day_before,
                                                  campaign->day_ends_at_us, now_us),
                   .funded = campaign_funded_places(campaign)},
    };
}

struct redeem_verdict redeem_decide_turn(const struct campaign *campaign, const struct redeem_request *request, int64_t now_us,
                                         int64_t *ret_gift_minor) {
    const struct redeem_facts facts = facts_of_campaign(campaign, request, now_us);
    *ret_gift_minor = facts.limits.gift_minor;
    return redeem_decide(&facts, now_us);
}

static struct redeem_facts facts_of(const struct campaign_set *set, const struct campaign *campaign, const struct redemption *own,
                                    const struct redeem_request *request, int64_t now_us) {
    const struct campaign_rules *rules = &campaign->rules;
    struct redeem_facts facts = facts_of_campaign(campaign, request, now_us);
    facts.has_own = known(own != NULL);
    facts.is_code_dead = is_code_dead(set, request, now_us);
    facts.is_own_code = own != NULL && redeem_is_by(own, &request->found);
    facts.is_another_order = own != NULL && redeem_is_another_order(&own->order, &request->order);
    facts.phone_refusal = redeem_phone_refusal(campaign->phone_rule, request);
    facts.is_too_young = redeem_is_too_young(rules, request->user_id, now_us);
    facts.has_list = rules->has_list;
    facts.is_listed = request->is_listed;
    facts.limits.of_user = count_of_user(set, campaign, request);
    facts.limits.of_phone = count_of_phone(set, campaign, request);
    facts.limits.min_order_minor = rules->min_order_minor;
    facts.limits.waiting = campaign->waiting;
    facts.limits.waiting_list = line_length(rules->waiting_list, campaign->lined_up);
    return facts;
}

struct redeem_verdict campaign_redeem(struct campaign_set *set, const struct redeem_request *request, int64_t now_us,
                                      struct campaign **ret_campaign, struct redemption **ret_redemption) {
    struct campaign *campaign = redeem_campaign(set, request);
    struct redemption *redemption = NULL;
    int64_t redeemed = campaign == NULL ? 0 : campaign->redeemed;
    struct redeem_facts facts = {.has_campaign = false};
    if (campaign != NULL) {
        CHECK(campaign_fault(campaign) == NULL);
        redemption = find_own(set, campaign, request);
        facts = facts_of(set, campaign, redemption, request, now_us);
    }
    struct redeem_verdict verdict = redeem_decide(&facts, now_us);
    switch (verdict.step) {
    case REDEEM_CLAIM:
        CHECK(redemption == NULL);
        redemption = claim(set, campaign, request, facts.limits.gift_minor, now_us);
        CHECK(campaign_fault(campaign) == NULL && campaign->redeemed == redeemed + 1 && redemption->position == campaign->redeemed);
        break;
    case REDEEM_WAIT:
        CHECK(redemption == NULL);
        redemption = wait(set, campaign, request, now_us);
        CHECK(campaign_fault(campaign) == NULL && campaign->redeemed == redeemed);
        break;
    case REDEEM_REPEAT: CHECK(redemption != NULL && id_equal(redemption->user_id, request->user_id)); break;
    case REDEEM_REFUSE:
        CHECK(campaign == NULL || campaign->redeemed == redeemed);
        redemption = NULL;
        break;
    case REDEEM_ASK_OWN:
    case REDEEM_ASK_LISTED:
    case REDEEM_ASK_USER:
    case REDEEM_ASK_PHONE: CHECK(false); /* all is known here */
    }
    *ret_campaign = campaign;
    *ret_redemption = redemption;
    return verdict;
}
