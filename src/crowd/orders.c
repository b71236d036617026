/* What each user buys, and what the campaign takes off it: counted by the words of the contract alone, so that the check owes nothing to the service. */
#include <inttypes.h>
#include <string.h>

#include "base/money.h"
#include "crowd/crowd.h"

#define ORDER_CREDITS       16 /* the largest order, in --credit: with what `crowd_create_campaign` asks for, half of them reach the bound */
#define ORDER_STEP          7919           /* from one user's order to the next one's; a prime, so that they differ */
#define HUNDREDTHS_IN_WHOLE INT64_C(10000) /* of a percent */
#define PERCENT_DIGITS_MAX  2              /* behind the point */
#define PERCENT_MOST        INT64_C(10000) /* 100.00 */

/* 12.5 is 1250; -1 when it is no share. */
static int64_t read_percent(struct text text) {
    int64_t hundredths = 0;
    int decimals = -1; /* digits behind the point; -1 before it */
    for (size_t i = 0; i < text.size; i++) {
        char letter = text.data[i];
        if (letter == '.' && decimals < 0) {
            decimals = 0;
        } else if (letter >= '0' && letter <= '9' && decimals < PERCENT_DIGITS_MAX && hundredths <= PERCENT_MOST) {
            hundredths = hundredths * 10 + (letter - '0');
            if (decimals >= 0) decimals++;
        } else {
            return -1;
        }
    }
    for (int i = decimals < 0 ? 0 : decimals; i < PERCENT_DIGITS_MAX; i++) hundredths *= 10;
    return hundredths > 0 && hundredths <= PERCENT_MOST ? hundredths : -1;
}

static bool keep_currency(struct terms *terms, const struct json_value *money) {
    struct text currency = json_get_text(money, "currency");
    if (currency.size == 0 || currency.size >= sizeof terms->currency) return false;
    memcpy(terms->currency, currency.data, currency.size);
    terms->currency[currency.size] = '\0';
    return true;
}

bool terms_read(const struct json_value *campaign, struct terms *ret_terms) {
    struct text kind = json_get_text(campaign, "kind");
    const struct json_value *discount = json_get(campaign, "discount"), *most = discount == NULL ? NULL : json_get(discount, "max");
    *ret_terms =
        (struct terms){.is_off_order = text_equal(kind, TEXT("amount_off")) || text_equal(kind, TEXT("percent_off")), .currency = "IRT"};
    if (!ret_terms->is_off_order) {
        const struct json_value *credit = json_get(campaign, "credit");
        return credit == NULL || keep_currency(ret_terms, credit);
    }
    if (discount == NULL) return false;
    if (text_equal(kind, TEXT("amount_off"))) {
        ret_terms->amount_off = json_get_integer(discount, "amount", 0);
        return ret_terms->amount_off > 0 && keep_currency(ret_terms, discount);
    }
    ret_terms->percent_hundredths = read_percent(json_get_text(discount, "percent"));
    if (ret_terms->percent_hundredths < 0) return false;
    if (!json_is_object(most)) return true;
    ret_terms->most_off = json_get_integer(most, "amount", 0);
    return ret_terms->most_off > 0 && keep_currency(ret_terms, most);
}

int64_t terms_discount(const struct terms *terms, int64_t amount) {
    int64_t off = terms->amount_off;
    if (off == 0) {
        /* In two parts, as the product of both may be more than a number holds; nothing is lost by it, and what is less than a unit is cut. */
        off = amount / HUNDREDTHS_IN_WHOLE * terms->percent_hundredths +
              amount % HUNDREDTHS_IN_WHOLE * terms->percent_hundredths / HUNDREDTHS_IN_WHOLE;
        if (terms->most_off > 0 && off > terms->most_off) off = terms->most_off;
    }
    return off < amount ? off : amount;
}

int64_t user_order_amount(const struct user *user) {
    int64_t credit = user->crowd->options->credit;
    int64_t most = credit > MONEY_AMOUNT_MAX / ORDER_CREDITS ? MONEY_AMOUNT_MAX : credit * ORDER_CREDITS;
    return 1 + (int64_t)user->index * ORDER_STEP % most;
}

void user_write_order(const struct user *user, char order[ORDER_BYTES]) {
    const struct crowd *crowd = user->crowd;
    order[0] = '\0';
    if (!crowd->options->has_orders) return;
    snprintf(order, ORDER_BYTES, ",\"order\":{\"reference\":\"%s\",\"amount\":%" PRId64 ",\"currency\":\"%s\"}", user->username,
             user_order_amount(user), crowd->terms.currency);
}
