/* Merchants: who is paid. An account of its own each, made by an administrator, known by its id and by its name. */
#pragma once

#include "wallet/core/transfers.h"

#define MERCHANT_NAME_CHARACTERS 80u

struct merchant {
    enum row_state state;
    struct text name;        /* in its normal form; no two have one */
    struct account *account; /* of the working set; its id is the merchant's */
};

/* How a command names one. */
struct merchant_named {
    struct id id;     /* zero: by its name */
    struct text name; /* empty, too: nobody is named */
};
static inline bool merchant_is_named(const struct merchant_named *named) { return !id_is_zero(named->id) || named->name.size > 0; }
/* NULL: there is none. */
struct merchant *ledger_find_merchant_named(const struct ledger *ledger, const struct merchant_named *named);

/* The name that is there is LEDGER_REPLAYED. */
enum ledger_outcome ledger_open_merchant(struct ledger *ledger, struct text name, int64_t now_us, struct merchant **ret_merchant);
