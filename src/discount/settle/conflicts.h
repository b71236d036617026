/* Whom Wallet has paid out of a fund in a way that can't become a redemption here (core/rebuild.h): nothing more is sent to these users, nor for these
 * phones, while all others of the campaign are paid. Bounded: a campaign with more of them than there is room for sends nothing. The settler's thread. */
#pragma once

#include "base/id.h"
#include "base/phone.h"

#define CONFLICTS_MAX 1024u /* of all campaigns */

struct conflict {
    uint32_t campaign_number;
    struct id user_id;
    struct phone phone; /* size 0: it is not known */
};

/* Zero: there are none. */
struct conflicts {
    struct conflict items[CONFLICTS_MAX];
    size_t count;
};

bool conflicts_add(struct conflicts *conflicts, const struct conflict *conflict) MUST_CHECK; /* false: no room */
void conflicts_forget(struct conflicts *conflicts, uint32_t campaign_number);
/* Whether the user or the phone is in conflict there. */
bool conflicts_have(const struct conflicts *conflicts, const struct conflict *asked);
