#include "wallet/core/merchants.h"

#include <stddef.h>

#include "base/check.h"

struct merchant *ledger_find_merchant_named(const struct ledger *ledger, const struct merchant_named *named) {
    return id_is_zero(named->id) ? ledger_find_merchant_by_name(ledger, named->name) : ledger_find_merchant(ledger, named->id);
}

enum ledger_outcome ledger_open_merchant(struct ledger *ledger, struct text name, int64_t now_us, struct merchant **ret_merchant) {
    CHECK(name.size > 0);
    *ret_merchant = ledger_find_merchant_by_name(ledger, name);
    if (*ret_merchant != NULL) return LEDGER_REPLAYED;
    struct account *account = ledger_open_account(ledger, ACCOUNT_MERCHANT, (struct id){{0}}, now_us);
    struct merchant row = {.state = ROW_NEW, .name = name, .account = account};
    struct result added = ledger_add_merchant(ledger, &row);
    CHECK(result_is_ok(added));
    *ret_merchant = ledger_find_merchant(ledger, account->id);
    CHECK(*ret_merchant != NULL);
    return LEDGER_APPLIED;
}
