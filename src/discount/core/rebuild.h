/* Redemptions made anew out of what Wallet has paid: our database is an older copy, and Wallet keeps with each credit what it was for
 * (docs/settling.md). Each decision begins with what is there by then, so that repeating it changes nothing. */
#pragma once

#include "discount/core/set.h"

struct paid_place {
    struct id id; /* the redemption's: the reference of its credit */
    uint32_t campaign_number;
    struct id user_id;
    struct phone phone;  /* size 0: it is not known */
    uint32_t code_batch; /* with which of its batches' codes; 0: its own, or it is not known */
    int64_t code_index;
    struct id transaction_id;
    int64_t amount_minor;
    int64_t paid_at_us; /* 0: it is not known */
    bool is_reversed;   /* and has been taken back */
};

enum rebuild_verdict {
    REBUILD_KNOWN,    /* it is here, credited */
    REBUILD_SETTLED,  /* it is here, and was claimed or failed: it is credited now */
    REBUILD_RENAMED,  /* its user had claimed anew: that claim is it now */
    REBUILD_MADE,     /* a place of its own, the next one */
    REBUILD_REVERSED, /* as one that was taken back: nobody has it */
    /* conflicts: nothing was done */
    REBUILD_USER_TAKEN,   /* the user has another one there, which is settled; or it is another user's here */
    REBUILD_PHONE_TAKEN,  /* another user has won with its phone */
    REBUILD_NO_PHONE,     /* nobody knows what it was claimed with */
    REBUILD_OTHER_AMOUNT, /* the campaign gives another one */
    REBUILD_NOT_FUNDED,   /* its fund was never given so much, as far as is known here */
    REBUILD_NO_PLACE,     /* there are no more places that a campaign may have */
};
#define REBUILD_VERDICT_COUNT 11u

const char *rebuild_verdict_name(enum rebuild_verdict verdict);
static inline bool rebuild_is_conflict(enum rebuild_verdict verdict) { return verdict >= REBUILD_USER_TAKEN; }

/* Of one place. The set must have what there is under its id, its user and its phone. The campaign's limit grows with its places where it must; money for
 * such places is put into its fund when an admin changes the campaign, or at its end. */
enum rebuild_verdict campaign_rebuild(struct campaign_set *set, const struct paid_place *place, int64_t now_us);
