/* Merchants: who is paid. An account of its own each, made by an administrator, known by its id and by its name. That one is in the main currency. For every
 * other one that it is paid in it has a till, an account opened by the first payment or hold: a row of its own, which names the merchant's number. */
#pragma once

#include "wallet/core/transfers.h"

#define MERCHANT_NAME_CHARACTERS 80u

struct merchant {
    enum row_state state;
    struct text name;        /* in its normal form; no two merchants have one, and their tills have theirs */
    struct account *account; /* of the working set; the id of a merchant's own is the merchant's */
    int64_t number;          /* of the merchant's own account. Beside the currency: together they name a till */
    enum currency currency;  /* the account's */
};
static inline bool merchant_is_itself(const struct merchant *merchant) { return merchant->account->number == merchant->number; }

/* How a command names one. */
struct merchant_named {
    struct id id;     /* zero: by its name */
    struct text name; /* empty, too: nobody is named */
};
static inline bool merchant_is_named(const struct merchant_named *named) { return !id_is_zero(named->id) || named->name.size > 0; }
/* NULL: there is none. */
struct merchant *ledger_find_merchant_named(const struct ledger *ledger, const struct merchant_named *named);

/* Its account in that currency, or *draft; when a movement has opened that one, it becomes the merchant's by ledger_keep_till. */
struct account *ledger_till(const struct ledger *ledger, const struct merchant *merchant, enum currency currency, int64_t now_us,
                            struct account *draft);
void ledger_keep_till(struct ledger *ledger, const struct merchant *merchant, const struct account *till);

/* The name that is there is LEDGER_REPLAYED. */
enum ledger_outcome ledger_open_merchant(struct ledger *ledger, struct text name, int64_t now_us, struct merchant **ret_merchant);
