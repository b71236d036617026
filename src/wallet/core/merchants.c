#include "wallet/core/merchants.h"

#include <stddef.h>

#include "base/check.h"

struct merchant *ledger_find_merchant_named(const struct ledger *ledger, const struct merchant_named *named) {
    return id_is_zero(named->id) ? ledger_find_merchant_by_name(ledger, named->name) : ledger_find_merchant(ledger, named->id);
}

struct account *ledger_till(const struct ledger *ledger, const struct merchant *merchant, enum currency currency, int64_t now_us,
                            struct account *draft) {
    const struct merchant *till = ledger_find_till(ledger, merchant, currency);
    if (till != NULL) return till->account;
    *draft = account_draft(ledger, ACCOUNT_MERCHANT, (struct id){{0}}, currency, now_us);
    return draft;
}

void ledger_keep_till(struct ledger *ledger, const struct merchant *merchant, const struct account *till) {
    const struct merchant row = {.state = ROW_NEW,
                                 .name = merchant->name,
                                 .account = ledger_find_account(ledger, till->id),
                                 .number = merchant->number,
                                 .currency = till->currency};
    CHECK(row.account != NULL);
    struct result added = ledger_add_merchant(ledger, &row); /* one that is there already stays as it is */
    CHECK(result_is_ok(added));
}

enum ledger_outcome ledger_open_merchant(struct ledger *ledger, struct text name, int64_t now_us, struct merchant **ret_merchant) {
    CHECK(name.size > 0);
    *ret_merchant = ledger_find_merchant_by_name(ledger, name);
    if (*ret_merchant != NULL) return LEDGER_REPLAYED;
    struct account *account = ledger_open_account(ledger, ACCOUNT_MERCHANT, (struct id){{0}}, ledger->currency, now_us);
    struct merchant row = {.state = ROW_NEW, .name = name, .account = account, .number = account->number, .currency = account->currency};
    struct result added = ledger_add_merchant(ledger, &row);
    CHECK(result_is_ok(added));
    *ret_merchant = ledger_find_merchant(ledger, account->id);
    CHECK(*ret_merchant != NULL);
    return LEDGER_APPLIED;
}
