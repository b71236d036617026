/* Holds: money of a user that a service reserves for a while, for a merchant that it names now or when it captures.
 *
 *              ┌ a capture that is not final, and leaves some ┐
 *              ▼                                              │
 *   hold ─▶ ┌──────┐ ─────────────────────────────────────────┘
 *           │ HELD │ ── a capture that is final, or of all that is left ─▶ CAPTURED
 *           │      │ ── a release ────────────────────────────────────────▶ RELEASED
 *           └──────┘ ── its time has come ────────────────────────────────▶ EXPIRED
 *
 * | event   | journal                                               | remaining | captured | pending of the user | balances         |
 * | hold    | hold, of the amount                                   | = amount  | 0        | + amount            |                  |
 * | capture | capture; what a final one leaves: hold_release beside | - both    | + amount | - both              | user to merchant |
 * | release | hold_release, of what is left                         | 0         |          | - what is left      |                  |
 * | expiry  | hold_expiry, of what is left                          | 0         |          | - what is left      |                  |
 *
 * A hold is HELD exactly while something remains, and whatever ends it does so once: the other three states are left by nobody. It has expired at its
 * time, not when somebody looks: a command that meets one whose time has come ends it first. A frozen account neither holds nor captures; what is held of
 * it may be freed. */
#pragma once

#include "wallet/core/merchants.h"

#define HOLD_FINAL "{\"final\":true}" /* the metadata of what a final capture frees */

enum hold_state { HOLD_HELD = 1, HOLD_CAPTURED, HOLD_RELEASED, HOLD_EXPIRED };
const char *hold_state_name(enum hold_state state);

struct hold {
    enum row_state row_state;
    int64_t number; /* the sequence of its own row in the journal */
    struct id id;   /* of that row, too */
    struct text key, caller, reference;
    struct account *account; /* of the user, of the working set */
    struct id merchant_id;   /* zero: not known yet */
    struct money amount;
    enum hold_state state;
    int64_t captured_minor, remaining_minor;
    int64_t created_at_us, expires_at_us, updated_at_us;
};
/* NULL, or the rule that it breaks. */
const char *hold_fault(const struct hold *hold);

struct hold_command {
    struct text caller, reference;
    struct id user_id;
    struct merchant_named merchant; /* nobody may be named */
    struct money amount;
    int64_t expires_in_us;
};
enum ledger_outcome ledger_hold(struct ledger *ledger, const struct hold_command *command, int64_t now_us, struct hold **ret_hold);

struct capture_command {
    struct text caller;
    struct id hold_id;
    int64_t amount_minor; /* 0: all that is left */
    bool is_final;
    struct merchant_named merchant; /* nobody: the hold's own */
};
enum ledger_outcome ledger_capture(struct ledger *ledger, const struct capture_command *command, int64_t now_us, struct hold **ret_hold,
                                   const struct transfer **ret_transfer);
enum ledger_outcome ledger_release_hold(struct ledger *ledger, struct text caller, struct id hold_id, int64_t now_us,
                                        struct hold **ret_hold);
/* True: its time had come, and it was HELD. */
bool ledger_expire_hold(struct ledger *ledger, struct hold *hold, int64_t now_us);
