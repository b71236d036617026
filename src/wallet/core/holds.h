/* Holds: money of a user that a service reserves for a while, for a merchant that it names now or when it captures.
 *
 *              ┌ a capture that is not final, and leaves some ┐
 *              ▼                                              │
 *   hold ─▶ ┌──────┐ ──────────────────────────────────────────┘
 *           │ HELD │ ── a capture that is final, or of all that is left ─▶ CAPTURED
 *           │      │ ── a release ────────────────────────────────────────▶ RELEASED
 *           └──────┘ ── its time has come ────────────────────────────────▶ EXPIRED
 *
 * | event    | journal                                               | remaining | captured | pending of the user | balances          |
 * | hold     | hold, of the amount                                   | = amount  | 0        | + amount            |                   |
 * | capture  | capture; what a final one leaves: hold_release beside | - both    | + amount | - both              | user to merchant  |
 * | release  | hold_release, of what is left                         | 0         |          | - what is left      |                   |
 * | expiry   | hold_expiry, of what is left                          | 0         |          | - what is left      |                   |
 *
 * A hold is HELD exactly while something remains, and whatever ends it does so once: the other three states are left by nobody. It has expired at its
 * time, not when somebody looks: a command that meets one whose time has come ends it first. Frozen accounts hold and capture nothing; what is held may
 * be freed. */
#pragma once

#include "wallet/core/transfers.h"

enum hold_state { HOLD_HELD = 1, HOLD_CAPTURED, HOLD_RELEASED, HOLD_EXPIRED };
