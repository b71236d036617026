#include "discount/settle/verdict.h"

#include "base/json/json.h"

int64_t verdict_count_credited(const struct json_value *fund) {
    int64_t credited = json_get_integer(fund, "credited", -1), reversed = json_get_integer(fund, "reversed", 0), total = -1;
    bool is_said = credited >= 0 && credited <= MONEY_AMOUNT_MAX && reversed >= 0 && reversed <= MONEY_AMOUNT_MAX;
    if (!is_said || !result_is_ok(money_add_to_total(credited, (struct money){reversed, CURRENCY_NONE}, &total))) return -1;
    return total;
}

/* So many credits that even a part of one counts. */
static int64_t count_of(int64_t total_minor, struct money credit) {
    int64_t count = money_count_in_total(total_minor, credit);
    struct money whole;
    bool is_whole = result_is_ok(money_multiply(credit, count, &whole)) && whole.amount_minor == total_minor;
    return is_whole ? count : count + 1;
}

/* What was confirmed here was there before; and no more than that can be there, but for a step whose confirmation we have not heard. */
static bool sums_differ(const struct books_seen *seen) {
    int64_t step_minor = seen->after.fund_is_refused != 0 ? 0 : seen->after.fund_step_minor;
    int64_t funded_minor = seen->there.funded_minor, confirmed_minor = seen->after.fund_confirmed_minor;
    return funded_minor < seen->before.fund_confirmed_minor ||
           money_between_totals(funded_minor, confirmed_minor, seen->credit.currency).amount_minor > step_minor;
}

/* A fund is released after its campaign has ended here, and stays so. One that was never opened is released here alone. */
static bool states_differ(const struct books_seen *seen) {
    if (seen->there.is_released) return seen->after.ended_at_us == 0;
    return seen->before.fund_is_released != 0 && seen->before.fund_confirmed_minor != 0;
}

struct books_verdict books_judge(const struct books_seen *seen) {
    int64_t there_least = money_count_in_total(seen->there.credited_minor, seen->credit);
    int64_t there_most = count_of(seen->there.credited_minor, seen->credit);
    int64_t least = seen->before.credited - seen->again, most = seen->after.redeemed - seen->after.failed;
    struct books_verdict verdict = {.must_adopt = sums_differ(seen) || states_differ(seen)};
    if (there_least < least) verdict.missing = least - there_least;
    if (there_most > most) verdict.unknown = there_most - most;
    bool may_hide = (seen->is_first && there_most > seen->before.credited) || (seen->is_suspect && there_most > 0);
    verdict.must_walk = verdict.missing > 0 || verdict.unknown > 0 || may_hide;
    return verdict;
}
