/* Credits that Wallet has paid out of a campaign's fund and that are not in our database: it is an older copy than Wallet's. Who compares the books
 * finds them (comparison.h) and hands them to whoever makes the redemptions anew. The settler's thread. */
#pragma once

#include "base/code.h"
#include "base/id.h"
#include "base/phone.h"

struct unknown_credit {
    struct id reference; /* the redemption's id */
    struct id user_id, transaction_id;
    int64_t amount_minor;
    int64_t created_at_us; /* of the transaction */
    bool is_reversed;      /* all of it was taken back */
    bool is_described;     /* its metadata says what follows, of this campaign; else the rest is zero */
    int64_t position;      /* at least 1 */
    struct phone phone;
    struct code code;    /* size 0: the campaign has none */
    uint32_t code_batch; /* and the batch and index of a unique one; 0: it was the campaign's own */
    int64_t code_index;
};

/* For each campaign that Wallet knows more of: `begin`, then each credit in the order of Wallet's transactions, then `end`. From `end` on the campaign is
 * RECOVERING on the board, and is not compared again until who has taken them sets it to AGREE, or to NOT_COMPARED to have it compared anew (as after
 * something that can't be repaired by itself, or when a walk is to be repeated). `give_up` in place of `end`: the walk could not be finished, all of it
 * is forgotten, and a later one begins anew. */
struct unknown_taker {
    void *context;
    /* False: there is no room now; the walk is tried again later. */
    bool (*begin)(void *context, uint32_t campaign_number);
    bool (*credit)(void *context, const struct unknown_credit *credit); /* false: no room, the walk is given up */
    void (*end)(void *context, uint32_t campaign_number);
    void (*give_up)(void *context, uint32_t campaign_number);
};
