#include "discount/settle/turns.h"

#include <stdatomic.h>

#define LOOK_US CLOCK_SECOND_US

void turns_init(struct turns *turns) {
    TAILQ_INIT(&turns->own.request.waiters);
    turns->must_look = true; /* whoever was waiting when we stopped */
}

void turns_look(struct turns *turns) { turns->must_look = turns->has_news = true; }

int64_t turns_next_us(const struct turns *turns) {
    if (turns->is_asking) return INT64_MAX;
    return turns->must_look ? 0 : turns->look_at_us;
}

/* As far as it can be told without the one who waits: the store has the last word. */
static bool has_place(const struct campaign_view *view, enum books books, int64_t wall_us) {
    const struct campaign_rules *rules = &view->rules;
    int64_t taken = campaign_counted_places(view->max_redemptions, view->redeemed, view->returned);
    int64_t of_day = campaign_taken_today(view->redeemed - view->day_returned, view->day_before, view->day_ends_at_us, wall_us);
    if (campaign_gate(view_times(view), wall_us) != GATE_OPEN || view->is_unapproved != 0 || books_are_recovering(books)) return false;
    if (taken >= view->funded_places) return false; /* no more than there are */
    if (rules->budget_minor != 0 && view->spent_minor >= rules->budget_minor) return false;
    return rules->max_per_day == 0 || of_day < rules->max_per_day;
}

static void returned(struct own_operation *own, struct result outcome) {
    struct turns *turns = CONTAINER_OF(own, struct turns, own);
    turns->is_asking = false;
    turns->must_look = true; /* at those behind it */
    if (!result_is_ok(outcome) || own->request.promoted == 0) return;
    turns->has_promoted = true;
    claims_look(turns->claims);
}

static void ask(struct turns *turns, const struct board_slot *slot) {
    turns->own.request.campaign_id = slot->id;
    turns->own.request.promoted = 0;
    turns->own.request.base.operation.store.weight = PROMOTE_AT_ONCE;
    turns->own.returned = returned;
    turns->is_asking = own_submit(turns->messages, &turns->own, &promote_action);
    if (!turns->is_asking) turns->look_at_us = INT64_MAX; /* the store is stopping */
}

/* True: it was asked for one. */
static bool look_at(struct turns *turns, const struct board_slot *slot, int64_t wall_us) {
    if (atomic_load_explicit(&slot->waiting, memory_order_acquire) == 0) return false;
    struct campaign_view view = board_view(slot);
    if (view_waiting(&view, wall_us) == 0) return false;
    turns->has_line = true;
    if (!has_place(&view, board_books(slot), wall_us)) return false;
    ask(turns, slot);
    return true;
}

void turns_run(struct turns *turns, int64_t now_us) {
    if (now_us < turns_next_us(turns)) return;
    int64_t wall_us = clock_now_us(turns->clock);
    size_t count = board_count(turns->board);
    turns->must_look = false;
    if (turns->next == 0) turns->has_news = turns->has_line = turns->has_promoted = false;
    for (; (turns->next = board_next(turns->board, turns->next)) < count; turns->next++) {
        if (!look_at(turns, board_slot(turns->board, turns->next), wall_us)) continue;
        turns->next++;
        return;
    }
    turns->next = 0;
    turns->must_look = turns->has_promoted || turns->has_news; /* there may be more of them */
    turns->look_at_us = turns->has_line ? now_us + LOOK_US : INT64_MAX;
}
