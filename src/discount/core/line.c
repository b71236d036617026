#include "discount/core/line.h"

#include "base/check.h"
#include "discount/core/redeem.h"

int64_t line_length(int64_t waiting_list, int64_t lined_up) { return lined_up < LINE_TICKETS_MAX ? waiting_list : 0; }

static void mark_changed(struct campaign *campaign, struct redemption *redemption) {
    redemption->is_changed = true;
    campaign_note_changed(campaign);
    campaign->sequence++;
}

void line_join(struct campaign *campaign, struct redemption *redemption) {
    CHECK(campaign->lined_up < LINE_TICKETS_MAX);
    campaign->waiting++;
    campaign->lined_up++;
    redemption->position = LINE_BASE + campaign->lined_up;
    redemption->status = REDEMPTION_WAITING;
    mark_changed(campaign, redemption);
    CHECK(redemption_fault(redemption) == NULL && campaign_fault(campaign) == NULL);
}

/* Its ticket is no more. In turn it was the first that is left: all before it are called with it, and of those the strayed are strays no more. Out of turn it
 * may be known to be the first by its ticket alone. */
static void forget_ticket(struct campaign *campaign, int64_t ticket, bool is_in_turn) {
    CHECK(campaign->waiting > 0 && ticket > campaign->called && ticket <= campaign->lined_up);
    campaign->waiting--;
    if (campaign->waiting == 0) {
        campaign->called = campaign->lined_up;
        campaign->strayed = 0;
    } else if (is_in_turn || ticket == campaign->called + 1) {
        campaign->strayed -= ticket - campaign->called - 1;
        campaign->called = ticket;
    } else {
        campaign->strayed++;
    }
}

static void take_place(struct campaign *campaign, struct redemption *redemption, int64_t claimed_at_us) {
    redemption->promoted_from = redemption->position;
    redemption->position = campaign->redeemed;
    redemption->claimed_at_us = claimed_at_us;
    redemption->status = REDEMPTION_CLAIMED;
    mark_changed(campaign, redemption);
}

void line_leave(struct campaign *campaign, struct redemption *redemption, int64_t claimed_at_us) {
    CHECK(redemption->status == REDEMPTION_WAITING);
    forget_ticket(campaign, redemption_ticket(redemption), false);
    take_place(campaign, redemption, claimed_at_us);
    CHECK(redemption_fault(redemption) == NULL);
}

/* The first of the line; NULL: nobody waits, or it was not loaded. Those in front were loaded with all before them. Of the others one is the first only when
 * everybody who waits is here: they joined in this batch, or ask for themselves. */
static struct redemption *first_of(const struct campaign_set *set, const struct campaign *campaign) {
    struct redemption *in_front = NULL, *of_all = NULL;
    int64_t count = 0;
    for (size_t i = 0; i < set->redemption_count; i++) {
        struct redemption *redemption = &set->redemptions[i];
        if (redemption->campaign_number != campaign->number || redemption->status != REDEMPTION_WAITING) continue;
        count++;
        if (of_all == NULL || redemption->position < of_all->position) of_all = redemption;
        if (redemption->is_in_front && (in_front == NULL || redemption->position < in_front->position)) in_front = redemption;
    }
    return in_front != NULL ? in_front : count == campaign->waiting ? of_all : NULL;
}

static struct redeem_request request_of(const struct campaign *campaign, const struct redemption *waiting, const struct moment *moment) {
    return (struct redeem_request){.user_id = waiting->user_id,
                                   .phone = waiting->phone,
                                   .order = waiting->order,
                                   .order_currency = campaign->credit.currency,
                                   .day = moment->day,
                                   .opens_at_us = moment->opens_at_us,
                                   .is_recovering = moment->is_recovering};
}

/* False: it can't have a place yet. */
static bool promote(struct campaign *campaign, struct redemption *waiting, const struct moment *moment, int64_t now_us) {
    const struct redeem_request request = request_of(campaign, waiting, moment);
    int64_t gift_minor;
    if (redeem_decide_turn(campaign, &request, now_us, &gift_minor).step != REDEEM_CLAIM) return false;
    const struct given given = {gift_minor, waiting->order.amount_minor, moment->day};
    int64_t claimed_at_us = campaign_give_place(campaign, &given, now_us);
    forget_ticket(campaign, redemption_ticket(waiting), true);
    take_place(campaign, waiting, claimed_at_us);
    if (gift_is_of_order(campaign->rules.kind)) redeem_apply(campaign, waiting, gift_minor);
    CHECK(redemption_fault(waiting) == NULL && campaign_fault(campaign) == NULL);
    return true;
}

int64_t campaign_promote(struct campaign_set *set, struct campaign *campaign, const struct moment *moment, int64_t now_us) {
    int64_t count = 0;
    CHECK(campaign_fault(campaign) == NULL);
    while (campaign->waiting > 0) {
        struct redemption *waiting = first_of(set, campaign);
        if (waiting == NULL || !promote(campaign, waiting, moment, now_us)) break;
        count++;
    }
    return count;
}

void line_show(struct redemption *redemption, int64_t called, bool has_ended) {
    if (redemption->status != REDEMPTION_WAITING) return;
    if (has_ended) redemption->status = REDEMPTION_LAPSED;
    int64_t rank = redemption_ticket(redemption) - called;
    redemption->rank = rank > 1 ? rank : 1; /* it may have been called since it was read */
}

const char *line_fault(const struct campaign *campaign) {
    bool is_in_range = campaign->waiting >= 0 && campaign->called >= 0 && campaign->strayed >= 0 && campaign->lined_up <= LINE_TICKETS_MAX;
    if (!is_in_range || campaign->waiting != campaign->lined_up - campaign->called - campaign->strayed)
        return "those who wait are not as many as have joined its line and not left it";
    if (campaign->waiting == 0 && campaign->strayed != 0) return "nobody waits in its line, and it has gaps";
    return campaign->lined_up > 0 && campaign->redeemed == 0 ? "somebody waits, and no place was ever given out" : NULL;
}
