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

struct credits_due credits_due(const struct campaign_view *before, const struct campaign_view *after, int64_t reversed_there) {
    int64_t under_way = after->reversed - before->reversed + after->reversing, seen = reversed_there - before->reversed;
    if (seen > under_way) seen = under_way;
    if (seen < 0) seen = 0;
    return (struct credits_due){.least = before->credited - seen,
                                .most = after->redeemed - after->failed - before->reversed,
                                .reversed_least = before->reversed,
                                .reversed_most = after->reversed + after->reversing};
}

static int64_t worth(int64_t count, struct money credit) {
    struct money worth;
    return result_is_ok(money_multiply(credit, count, &worth)) ? worth.amount_minor : MONEY_AMOUNT_MAX;
}

int64_t reversed_odd_minor(const struct credits_due *due, int64_t reversed_minor, struct money credit) {
    int64_t most = worth(due->reversed_most, credit), least = worth(due->reversed_least, credit);
    if (reversed_minor > most) return money_between_totals(reversed_minor, most, credit.currency).amount_minor;
    return reversed_minor < least ? money_between_totals(reversed_minor, least, credit.currency).amount_minor : 0;
}

struct books_verdict books_judge(const struct books_seen *seen) {
    const struct credits_due due = credits_due(&seen->before, &seen->after, money_count_in_total(seen->there.reversed_minor, seen->credit));
    struct books_verdict verdict = {.must_adopt = sums_differ(seen) || states_differ(seen)};
    verdict.odd_minor = reversed_odd_minor(&due, seen->there.reversed_minor, seen->credit);
    int64_t given_minor = seen->there.credited_minor;
    const struct money odd = {verdict.odd_minor > 0 ? verdict.odd_minor : 0, seen->credit.currency};
    if (!result_is_ok(money_add_to_total(given_minor, odd, &given_minor))) given_minor = seen->there.credited_minor;
    int64_t there_least = money_count_in_total(given_minor, seen->credit), there_most = count_of(given_minor, seen->credit);
    int64_t least = due.least - seen->again, most = due.most;
    if (there_least < least) verdict.missing = least - there_least;
    if (there_most > most) verdict.unknown = there_most - most;
    bool may_hide = (seen->is_first && there_most > seen->before.credited) || (seen->is_suspect && there_most > 0);
    verdict.must_walk = verdict.missing > 0 || verdict.unknown > 0 || may_hide || verdict.odd_minor != seen->explained_minor;
    return verdict;
}
