/* Two persons for what costs money: what one administrator asks for in a campaign with `approval` waits until another one approves it. A campaign that waits for
 * its creation gives out no place and opens no fund; one that waits for a change goes on as it is. */
#pragma once

#include "base/id.h"
#include "base/money.h"

enum approval_of { APPROVAL_NONE, APPROVAL_OF_CREATION, APPROVAL_OF_CHANGE };

/* What the campaign would be then: all of it, though only some of it is another value than now. */
struct campaign_raise {
    int64_t max_redemptions;
    int64_t amount_minor;                /* of the credit, or what is taken off an order */
    int64_t percent, discount_max_minor; /* as in struct campaign_rules */
    int64_t budget_minor;
    bool drops_approval;
};

struct approval {
    enum approval_of waits;
    struct id requested_by; /* zero: nothing waits */
    int64_t requested_at_us;
    struct campaign_raise raise; /* of a change */
};

struct campaign;
struct campaign_patch;

/* Whether it raises what the campaign may cost: places, gift, budget, or that it asks nobody any more. */
bool approval_is_due(const struct campaign *campaign, const struct campaign_patch *patch);
/* Whether it is about any of these. */
bool approval_is_touched(const struct campaign_patch *patch);
/* What the campaign would be with the patch, and the patch without it. */
struct campaign_raise approval_raise(const struct campaign *campaign, const struct campaign_patch *patch);
void approval_leave_out(struct campaign_patch *patch);
/* The patch that makes the campaign what was asked for. */
struct campaign_patch approval_patch(const struct campaign *campaign);
bool raise_equal(const struct campaign_raise *a, const struct campaign_raise *b);
/* The first rule that it breaks by itself, as a constant phrase; NULL: none. */
const char *approval_fault(const struct approval *approval);
/* Over everything that its row says: a changed one is found when it is read. Never 0. */
int64_t approval_check(uint32_t campaign_number, bool is_needed, const struct approval *approval);
