#include "discount/core/limits.h"

#include "base/check.h"
#include "base/money.h"

/* Not sums: what was spent may be above a budget that was lowered, and neither can be too large for a difference. */
static bool fits(int64_t budget, int64_t spent, int64_t more) { return budget - spent >= more; }

static enum refusal limit_reached(const struct limits *limits) {
    if (limits->order_minor < limits->min_order_minor) return REFUSED_ORDER_TOO_SMALL;
    if (limits->taken >= limits->places || limits->waiting > 0) return REFUSED_SOLD_OUT;
    int64_t budget_minor = limits->budget_minor != 0 ? limits->budget_minor : MONEY_AMOUNT_MAX;
    if (!fits(budget_minor, limits->spent_minor, limits->gift_minor)) return REFUSED_BUDGET_EXHAUSTED;
    if (!fits(MONEY_AMOUNT_MAX, limits->ordered_minor, limits->order_minor)) return REFUSED_BUDGET_EXHAUSTED;
    if (limits->max_per_day != 0 && limits->of_day >= limits->max_per_day) return REFUSED_DAILY_LIMIT;
    if (limits->taken >= limits->funded) return REFUSED_NOT_FUNDED;
    return NOT_REFUSED;
}

enum limit_asks limits_decide(const struct limits *limits, enum refusal *ret_refusal) {
    CHECK(limits->taken >= 0 && limits->places >= 1 && limits->max_per_user >= 1 && limits->max_per_phone >= 1);
    *ret_refusal = NOT_REFUSED;
    if (limits->of_user < 0) return LIMITS_ASK_USER;
    if (limits->of_user >= limits->max_per_user) {
        *ret_refusal = REFUSED_USER_LIMIT;
        return LIMITS_KNOWN;
    }
    if (limits->of_phone < 0) return LIMITS_ASK_PHONE;
    if (limits->of_phone >= limits->max_per_phone) {
        bool is_anothers = limits->max_per_phone == 1 && limits->max_per_user == 1; /* whoever has won with it, as the asker has not */
        *ret_refusal = is_anothers ? REFUSED_PHONE_ALREADY_REDEEMED : REFUSED_PHONE_LIMIT;
        return LIMITS_KNOWN;
    }
    *ret_refusal = limit_reached(limits);
    return LIMITS_KNOWN;
}
