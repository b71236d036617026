#include "discount/core/rules.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"

static const char *const kinds[] = {[GIFT_CREDIT] = "wallet_credit", [GIFT_AMOUNT_OFF] = "amount_off", [GIFT_PERCENT_OFF] = "percent_off"};

const char *gift_kind_name(enum gift_kind kind) { return kinds[kind]; }

struct result gift_kind_named(struct text name, enum gift_kind *ret_kind) {
    for (enum gift_kind kind = GIFT_CREDIT; kind <= GIFT_PERCENT_OFF; kind++) {
        if (!text_equal(text_of(kinds[kind]), name)) continue;
        *ret_kind = kind;
        return result_ok();
    }
    return result_error(RESULT_NOT_FOUND);
}

void rules_complete(struct campaign_rules *rules) {
    if (rules->kind == 0) rules->kind = GIFT_CREDIT;
    if (rules->max_per_user == 0) rules->max_per_user = 1;
    if (rules->max_per_phone == 0) rules->max_per_phone = 1;
}

static bool are_equal(const struct campaign_rules *a, const struct campaign_rules *b) {
    return a->percent == b->percent && a->discount_max_minor == b->discount_max_minor && a->min_order_minor == b->min_order_minor &&
           a->max_per_user == b->max_per_user && a->max_per_phone == b->max_per_phone && a->max_per_day == b->max_per_day &&
           a->waiting_list == b->waiting_list && a->budget_minor == b->budget_minor && a->schedule.days == b->schedule.days &&
           a->schedule.from_minute == b->schedule.from_minute && a->schedule.to_minute == b->schedule.to_minute &&
           a->is_public == b->is_public && a->has_list == b->has_list && a->needs_approval == b->needs_approval &&
           a->account_age_min_s == b->account_age_min_s;
}

bool rules_adopt(struct campaign_rules *rules, const struct campaign_rules *from, uint32_t given) {
    const struct campaign_rules before = *rules;
    if (given & GIVEN_DISCOUNT) rules->percent = from->percent, rules->discount_max_minor = from->discount_max_minor;
    if (given & GIVEN_MIN_ORDER) rules->min_order_minor = from->min_order_minor;
    if (given & GIVEN_PER_USER) rules->max_per_user = from->max_per_user;
    if (given & GIVEN_PER_PHONE) rules->max_per_phone = from->max_per_phone;
    if (given & GIVEN_PER_DAY) rules->max_per_day = from->max_per_day;
    if (given & GIVEN_WAITING_LIST) rules->waiting_list = from->waiting_list;
    if (given & GIVEN_BUDGET) rules->budget_minor = from->budget_minor;
    if (given & GIVEN_SCHEDULE) rules->schedule = from->schedule;
    if (given & GIVEN_PUBLIC) rules->is_public = from->is_public;
    if (given & GIVEN_APPROVAL) rules->needs_approval = from->needs_approval;
    if (given & GIVEN_ELIGIBILITY) rules->has_list = from->has_list, rules->account_age_min_s = from->account_age_min_s;
    return !are_equal(&before, rules);
}

bool words_adopt(struct rule_words *words, const struct rule_words *from, uint32_t given) {
    bool new_zone = (given & GIVEN_SCHEDULE) != 0 && !text_equal(words_time_zone(words), words_time_zone(from));
    bool new_metadata = (given & GIVEN_METADATA) != 0 && !text_equal(words_metadata(words), words_metadata(from));
    if (new_zone) {
        words->time_zone_size = from->time_zone_size;
        memcpy(words->time_zone, from->time_zone, sizeof words->time_zone);
    }
    if (new_metadata) {
        words->metadata_size = from->metadata_size;
        memcpy(words->metadata, from->metadata, from->metadata_size);
    }
    return new_zone || new_metadata;
}

static const char *schedule_fault(const struct schedule *schedule) {
    bool is_none = schedule->days == 0;
    if (schedule->days > EVERY_DAY) return "its schedule has more days than a week";
    if (is_none && (schedule->from_minute != 0 || schedule->to_minute != 0)) return "its schedule has hours and no days";
    if (schedule->from_minute < 0 || schedule->from_minute >= MINUTES_PER_DAY || schedule->to_minute < 0 ||
        schedule->to_minute > MINUTES_PER_DAY)
        return "its schedule has hours that no day has";
    return NULL;
}

static bool is_amount(int64_t minor) { return minor >= 0 && minor <= MONEY_AMOUNT_MAX; }

const char *rules_fault(const struct campaign_rules *rules) {
    if (rules->kind < GIFT_CREDIT || rules->kind > GIFT_PERCENT_OFF) return "its gift is of no kind";
    bool is_share = rules->kind == GIFT_PERCENT_OFF;
    if (is_share != (rules->percent != 0) || rules->percent < 0 || rules->percent > 100 * PERCENT_SCALE)
        return "its percentage is out of range";
    if (!is_amount(rules->discount_max_minor) || !is_amount(rules->min_order_minor) || !is_amount(rules->budget_minor))
        return "one of its amounts is out of range";
    if (!is_share && rules->discount_max_minor != 0) return "what is no share of an order has a highest discount";
    if (rules->max_per_user < 1 || rules->max_per_user > LIMIT_REDEMPTIONS_EACH || rules->max_per_phone < 1 ||
        rules->max_per_phone > LIMIT_REDEMPTIONS_EACH)
        return "its limit per user or phone is out of range";
    if (rules->max_per_day < 0 || rules->account_age_min_s < 0) return "its limit per day or its age of accounts is out of range";
    if (rules->waiting_list < 0 || rules->waiting_list > LIMIT_CAMPAIGN_PLACES) return "its waiting list is longer than it can be";
    return schedule_fault(&rules->schedule);
}

static int64_t lower(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t rules_gift_minor(const struct campaign_rules *rules, struct money amount, int64_t order_minor) {
    if (rules->kind == GIFT_CREDIT) return amount.amount_minor;
    CHECK(order_minor > 0);
    if (rules->kind == GIFT_AMOUNT_OFF) return lower(amount.amount_minor, order_minor);
    const struct money order = {order_minor, amount.currency};
    int64_t share = money_share(order, rules->percent, 100 * PERCENT_SCALE).amount_minor;
    return rules->discount_max_minor != 0 ? lower(share, rules->discount_max_minor) : share;
}
