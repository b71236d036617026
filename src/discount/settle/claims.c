#include "discount/settle/claims.h"

#include "base/log.h"
#include "base/pages.h"
#include "discount/tables.h"

#define REFILL_ROWS 1000u

struct result claims_init(struct claims *claims, size_t count_max, const struct board *board, struct batch *batch,
                          struct delivery *delivery) {
    claims->board = board;
    claims->batch = batch;
    claims->delivery = delivery;
    claims->memory = pages_take(count_max, sizeof *claims->memory);
    claims->again = pages_take(LIMIT_CAMPAIGNS_KEPT, sizeof *claims->again);
    if (claims->memory == NULL || claims->again == NULL) return result_error(RESULT_FULL);
    TRY(map_init(&claims->by_id, count_max));
    claims->count_max = claims->free_count = count_max;
    TAILQ_INIT(&claims->free);
    claims->must_refill = true; /* what was claimed before we started */
    return result_ok();
}

void claims_free(struct claims *claims) {
    map_free(&claims->by_id);
    pages_free(claims->memory, claims->count_max, sizeof *claims->memory);
    pages_free(claims->again, LIMIT_CAMPAIGNS_KEPT, sizeof *claims->again);
}

static struct text key_of(const struct claim *claim) {
    return (struct text){(const char *)claim->item.id.bytes, sizeof claim->item.id.bytes};
}

static struct claim *take_free(struct claims *claims) {
    if (claims->free_count == 0) return NULL;
    claims->free_count--;
    struct claim *claim = TAILQ_FIRST(&claims->free);
    if (claim == NULL) return &claims->memory[claims->used_count++];
    TAILQ_REMOVE(&claims->free, claim, link);
    return claim;
}

static struct claim *add(struct claims *claims, const struct redemption *redemption) {
    struct claim *claim = take_free(claims);
    if (claim == NULL) return NULL;
    *claim = (struct claim){.item.id = redemption->id,
                            .state = CLAIM_GIVEN,
                            .user_id = redemption->user_id,
                            .phone = redemption->phone,
                            .campaign_number = redemption->campaign_number,
                            .position = redemption->position,
                            .code_batch = redemption->code_batch,
                            .code_index = redemption->code_index,
                            .claimed_at_us = redemption->claimed_at_us};
    TAILQ_INIT(&claim->waiters);
    CHECK(result_is_ok(map_put(&claims->by_id, key_of(claim), claim)));
    return claim;
}

static struct claim *find(const struct claims *claims, struct id id) {
    return map_get(&claims->by_id, (struct text){(const char *)id.bytes, sizeof id.bytes});
}

struct claim *claims_take(struct claims *claims, const struct redemption *redemption) {
    CHECK(redemption->campaign_number >= 1 && redemption->campaign_number <= board_count(claims->board));
    struct claim *claim = find(claims, redemption->id);
    if (claim != NULL) return claim;
    const struct conflict asked = {redemption->campaign_number, redemption->user_id, redemption->phone};
    if (!claims_may_be_paid(claims, &asked)) return NULL;
    claim = add(claims, redemption);
    if (claim == NULL) {
        claims->must_refill = true;
        return NULL;
    }
    delivery_add(claims->delivery, &claim->item);
    return claim;
}

bool claims_take_again(struct claims *claims, const struct redemption *redemption) {
    if (find(claims, redemption->id) != NULL) return true; /* it is on its way */
    struct claim *claim = add(claims, redemption);
    if (claim == NULL) return false;
    claim->is_again = true;
    claims->again[claim->campaign_number - 1]++;
    delivery_add(claims->delivery, &claim->item);
    return true;
}

void claims_forget(struct claims *claims, struct claim *claim) {
    CHECK(TAILQ_EMPTY(&claim->waiters) && claim->state == CLAIM_GIVEN && claim->item.state == DELIVERY_IDLE);
    CHECK(map_remove(&claims->by_id, key_of(claim)) == claim);
    claim->state = CLAIM_FREE;
    if (claim->is_again) claims->again[claim->campaign_number - 1]--;
    TAILQ_INSERT_TAIL(&claims->free, claim, link);
    claims->free_count++;
}

/* A fund that is open pays for each place that was given out; one that waits for more is open. */
bool claims_may_be_paid(const struct claims *claims, const struct conflict *claim) {
    const struct board_slot *slot = board_slot(claims->board, claim->campaign_number - 1);
    enum books books = board_books(slot);
    bool is_known = books == BOOKS_AGREE || (books == BOOKS_CONFLICTED && !conflicts_have(claims->conflicts, claim));
    return is_known && board_view(slot).fund_confirmed_minor != 0;
}

void claims_read_anew(struct claims *claims, uint32_t campaign_number) {
    for (size_t i = 0; i < claims->count_max; i++) {
        struct claim *claim = &claims->memory[i];
        if (claim->state == CLAIM_GIVEN && claim->campaign_number == campaign_number) claim->is_old = true;
    }
    claims_look(claims);
}

void claims_look(struct claims *claims) { claims->must_refill = true; }

/* ---- from the database ---- */

struct refill {
    struct claims *claims;
    size_t count; /* of rows */
};

static struct result visit_unsettled(void *context, const struct row *row) {
    struct refill *refill = context;
    struct claims *claims = refill->claims;
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, 0, &redemption));
    refill->count++;
    claims->refill_after = redemption_key(redemption.campaign_number, redemption.position);
    /* Committed, but not published yet: its own operation brings it, after the publishing. */
    if (redemption.campaign_number > board_count(claims->board)) return result_ok();
    bool has_room = claims->free_count > 0;
    CHECK(claims_take(claims, &redemption) != NULL || has_room); /* no more rows are asked for than there is room */
    return result_ok();
}

static bool is_in_want(const struct claims *claims) { return claims->must_refill || claims->is_refilling; }

static bool has_room(const struct claims *claims) { return claims->free_count >= claims->count_max / 2; }

bool claims_want_room(const struct claims *claims) { return is_in_want(claims) && !has_room(claims); }

int64_t claims_next_us(const struct claims *claims) {
    return is_in_want(claims) && has_room(claims) ? claims->refill.retry_at_us : INT64_MAX;
}

void claims_refill(struct claims *claims, int64_t now_us) {
    if (now_us < claims_next_us(claims)) return;
    if (!claims->is_refilling) {
        claims->is_refilling = true;
        claims->refill_after = 0;
        claims->must_refill = false; /* whoever finds no room from now on asks for another walk */
    }
    size_t most = claims->free_count < REFILL_ROWS ? claims->free_count : REFILL_ROWS;
    struct refill refill = {.claims = claims};
    ask_unsettled(claims->batch, claims->refill_after, (int64_t)most, visit_unsettled, &refill);
    struct result outcome = batch_run(claims->batch);
    if (result_is_ok(outcome)) {
        backoff_clear(&claims->refill);
        if (refill.count < most) claims->is_refilling = false;
    } else {
        LOG(LOG_ERROR, "refill_failed", LOG_STRING("reason", result_name(outcome)));
        claims->is_refilling = false;
        claims->must_refill = true;
        backoff_fail(&claims->refill, now_us, 0);
    }
}
