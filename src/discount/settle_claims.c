/* The pool of claims: bounded, so that an outage of Wallet costs a fixed amount of memory. What finds no room waits in the database, where it
 * is anyway, and is read from there, in the order of its key, once half of the pool is free. */
#include <stdlib.h>

#include "base/log.h"
#include "base/planted.h"
#include "discount/settle_state.h"

struct result settle_claims_init(struct settler *settler, size_t claims_max) {
    settler->claims = calloc(claims_max, sizeof *settler->claims);
    if (settler->claims == NULL) return result_error(RESULT_FULL);
    TRY(map_init(&settler->by_id, claims_max));
    for (size_t i = 0; i < claims_max; i++) settle_claim_move(&settler->claims[i], &settler->free, CLAIM_FREE);
    settler->must_refill = !PLANTED(CLAIM_FORGOTTEN_AT_RESTART); /* what was claimed before we started */
    return result_ok();
}

void settle_claims_free(struct settler *settler) {
    map_free(&settler->by_id);
    free(settler->claims);
    settler->claims = NULL;
}

void settle_claim_move(struct settle_claim *claim, struct claim_list *to, enum claim_state state) {
    struct claim_list *from = claim->list;
    if (from != NULL) {
        if (claim->previous != NULL)
            claim->previous->next = claim->next;
        else
            from->first = claim->next;
        if (claim->next != NULL)
            claim->next->previous = claim->previous;
        else
            from->last = claim->previous;
        from->count--;
    }
    claim->next = NULL;
    claim->previous = NULL;
    claim->list = to;
    claim->state = state;
    if (to == NULL) return;
    claim->previous = to->last;
    if (to->last != NULL)
        to->last->next = claim;
    else
        to->first = claim;
    to->last = claim;
    to->count++;
}

static struct text key_of(const struct id *id) { return (struct text){(const char *)id->bytes, sizeof id->bytes}; }

struct settle_claim *settle_claim_take(struct settler *settler, const struct redemption *redemption) {
    struct settle_claim *claim = map_get(&settler->by_id, key_of(&redemption->id));
    if (claim != NULL) return claim;
    CHECK(redemption->campaign_number >= 1 && redemption->campaign_number <= board_count(settler->board));
    claim = settler->free.first;
    if (claim == NULL) {
        settler->must_refill = true;
        return NULL;
    }
    claim->id = redemption->id;
    claim->user_id = redemption->user_id;
    claim->campaign_number = redemption->campaign_number;
    claim->claimed_at_us = redemption->claimed_at_us;
    claim->attempts = 0;
    claim->batch_max = LIMIT_CREDIT_ITEMS;
    claim->waiters = (struct operation_list){0};
    CHECK(result_is_ok(map_put(&settler->by_id, key_of(&claim->id), claim)));
    bool is_behind = settle_fund_is_behind(settler, claim->campaign_number);
    if (is_behind)
        settle_claim_move(claim, &settle_fund_of(settler, claim->campaign_number)->held, CLAIM_HELD);
    else
        settle_claim_move(claim, &settler->ready, CLAIM_READY);
    return claim;
}

void settle_claim_free(struct settler *settler, struct settle_claim *claim) {
    CHECK(claim->waiters.first == NULL && claim->state == CLAIM_MARKING);
    CHECK(map_remove(&settler->by_id, key_of(&claim->id)) == claim);
    settle_claim_move(claim, &settler->free, CLAIM_FREE);
}

void settle_claim_delay(struct settler *settler, struct settle_claim *claim, int64_t delay_us) {
    claim->retry_at_us = settle_now_us(settler) + delay_us;
    settle_claim_move(claim, &settler->delayed, CLAIM_DELAYED);
}

void settle_claims_wake_delayed(struct settler *settler, int64_t now_us) {
    struct settle_claim *next;
    for (struct settle_claim *claim = settler->delayed.first; claim != NULL; claim = next) {
        next = claim->next;
        if (claim->retry_at_us <= now_us) settle_claim_move(claim, &settler->ready, CLAIM_READY);
    }
}

void settle_claims_unhold(struct settler *settler, struct settle_fund *fund) {
    while (fund->held.first != NULL) settle_claim_move(fund->held.first, &settler->ready, CLAIM_READY);
}

/* ---- from the database ---- */

static struct result visit_unsettled(void *context, const struct redemption *redemption) {
    struct settler *settler = context;
    settler->refill_after = redemption_key(redemption->campaign_number, redemption->position);
    /* Committed, but not published yet: its own operation brings it, after the publishing. */
    if (redemption->campaign_number > board_count(settler->board)) return result_ok();
    CHECK(settle_claim_take(settler, redemption) != NULL); /* no more rows are asked for than there is room */
    return result_ok();
}

bool settle_refill_is_due(const struct settler *settler) {
    return (settler->must_refill || settler->is_refilling) && settler->free.count >= settler->by_id.capacity / 2;
}

void settle_refill(struct settler *settler) {
    if (!settle_refill_is_due(settler)) return;
    if (!settler->is_refilling) {
        settler->is_refilling = true;
        settler->refill_after = 0;
        settler->must_refill = false; /* whoever finds no room from now on asks for another walk */
    }
    size_t most = settler->free.count < SETTLE_REFILL_ROWS ? settler->free.count : SETTLE_REFILL_ROWS, count = 0;
    struct result outcome = reader_list_unsettled(settler->reader, settler->refill_after, (int64_t)most, visit_unsettled, settler, &count);
    if (!result_is_ok(outcome)) {
        LOG(LOG_ERROR, "refill_failed", LOG_STRING("reason", result_name(outcome)));
        settler->must_refill = true;
    }
    if (!result_is_ok(outcome) || count < most) settler->is_refilling = false;
}
