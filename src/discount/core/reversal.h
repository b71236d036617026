/* A redemption taken back by an administrator: the money first, then its place. Pure, as all of this folder.
 *
 *                asked (committed)             Wallet has it back (committed)
 *   credited ──────────────────────▶ reversing ──────────────────────────────▶ reversed, and in the same commit its place is
 *      ▲                                 │                                        RETURN, PROMOTE: open again, which is the first's of the waiting list
 *      └── Wallet refuses for good ◀─────┘                                                         where somebody waits (line.h)   BURN: gone
 *   applied ──────────────────────────────────────────────────────────────────▶ reversed, at once: nothing had been credited
 *
 * | crash                             | found at the start                   | then                                                     |
 * | before `reversing` is committed   | credited                             | nothing was done, and nobody was told so                 |
 * | before Wallet was asked           | reversing, its reversal is owed      | it is asked                                              |
 * | after Wallet has taken it back    | the same                             | it is asked again, and says `replayed`: the reference is the redemption's id |
 * | after `reversed` is committed     | reversed                             | nothing: neither is it owed, nor is its credit           |
 *
 * Owners: the decision is the store's thread's alone; what is owed is the settler's (settle/reversals.h), which finds it in the table `reversals`.
 *
 * Invariants: a redemption has a reversal exactly while it is REVERSING or REVERSED, and that is owed exactly while it is REVERSING; REVERSED is final, nothing
 * credits it again, and it counts towards no limit of its user, phone, code, order or budget any more: each gets back what the redemption took, once;
 * a burned place stays taken, and so does its place in the day; places that are taken are those given out less those returned. */
#pragma once

#include "discount/core/set.h"

/* A redemption that is to be reversed, by its own id, and the code that it was made with. */
struct reversal_subject {
    struct id redemption_id;
    uint32_t code_batch; /* 0: none */
    int64_t code_index;
    uint32_t campaign_number; /* 0: there is no such redemption */
};
#define REVERSAL_WEIGHT 4u /* rows that each names; for struct store_operation */

struct reversal_command {
    struct id redemption_id;
    enum reversal_slot slot;
    struct text reason; /* at most REVERSAL_REASON_BYTES */
};
enum reversal_verdict {
    REVERSAL_DONE,     /* reversed, or on its way */
    REVERSAL_REPEATED, /* it was so already, for the same slot and reason */
    REVERSAL_NOT_FOUND,
    REVERSAL_NOT_CREDITED, /* nor applied: it is open, or has failed */
    REVERSAL_OTHERWISE,    /* it was asked for with another slot or reason */
};
/* The set has the redemption, what there is of a reversal of it, and its code. `ret_redemption`: of all but NOT_FOUND. */
enum reversal_verdict campaign_reverse(struct campaign_set *set, const struct reversal_command *command, int64_t now_us,
                                       struct redemption **ret_redemption);

/* What Wallet said: the credit is back in its fund, or it will not be. */
struct taken_back {
    struct id redemption_id;
    bool is_refused;
    struct id transaction_id; /* not refused: of the reversal */
    struct text refusal;      /* Wallet's code, cut at REDEMPTION_FAILURE_BYTES */
};
/* Twice with the same outcome changes nothing. RESULT_NOT_FOUND: the set has no such redemption; RESULT_CONFLICT: it is not being reversed, or was reversed
 * and can't be any more. */
struct result campaign_take_back(struct campaign_set *set, const struct taken_back *taken_back, int64_t now_us) MUST_CHECK;

/* Wallet has its credit back, and nothing is known here of why: our database is an older copy, or it was done at Wallet. Credited; its place is not given out
 * again. */
void campaign_adopt_reversal(struct campaign_set *set, struct redemption *redemption, int64_t now_us);

const char *reversal_slot_name(enum reversal_slot slot);
struct result reversal_slot_named(struct text name, enum reversal_slot *ret_slot) MUST_CHECK; /* RESULT_NOT_FOUND */
