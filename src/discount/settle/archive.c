#include "discount/settle/archive.h"

#include <stdatomic.h>

#define LOOK_LEAST_US CLOCK_SECOND_US
#define LOOK_MOST_US  (60 * CLOCK_SECOND_US)
#define QUIET_US      (60 * CLOCK_SECOND_US) /* after somebody wanted its report */

static int64_t clamp(int64_t value, int64_t least, int64_t most) { return value < least ? least : value > most ? most : value; }

void archive_init(struct archive *archive) { TAILQ_INIT(&archive->own.request.waiters); }

int64_t archive_next_us(const struct archive *archive) {
    if (archive->is_asking) return INT64_MAX;
    if (archive->comparison->wants_archived) return 0;
    return archive->is_on || archive->must_recall ? archive->look_at_us : INT64_MAX;
}

static bool is_due(const struct archive *archive, const struct board_slot *slot, const struct campaign_view *view, int64_t wall_us) {
    bool is_crowded = board_awake_count(archive->board) > ARCHIVE_CROWD;
    int64_t after_us = is_crowded ? 0 : archive->after_us, quiet_us = after_us < QUIET_US ? after_us : QUIET_US;
    int64_t wanted_at_us = atomic_load_explicit(&slot->wanted_at_us, memory_order_relaxed);
    return wall_us - view->ended_at_us >= after_us && wall_us - wanted_at_us >= quiet_us;
}

/* Something is under way for it, or to be done. */
static bool is_in_use(const struct archive *archive, uint32_t number) {
    return comparison_is_on(archive->comparison, number) || !funds_are_done(archive->funds, number);
}

static bool may_leave(const struct archive *archive, const struct board_slot *slot, int64_t wall_us) {
    struct campaign_view view = board_view(slot);
    if (!view_is_over(&view) || !is_due(archive, slot, &view, wall_us) || board_books(slot) != BOOKS_AGREE) return false;
    return !board_is_held(slot) && !is_in_use(archive, slot->number) && claims_again(archive->claims, slot->number) == 0;
}

/* Whoever is held by somebody is found again by the next look. For another there may be something to be done since it was asked about. */
static void returned(struct own_operation *own, struct result outcome) {
    struct archive *archive = CONTAINER_OF(own, struct archive, own);
    const struct own_request *request = &own->request;
    archive->is_asking = false;
    funds_look(archive->funds);                                                                      /* what was recalled */
    if (result_is_ok(outcome) && request->archive.count == ARCHIVE_AT_ONCE) archive->look_at_us = 0; /* there may be more of them */
    for (size_t i = 0; i < request->archive.count; i++) archive->must_recall |= is_in_use(archive, archive->numbers[i]);
}

static void ask(struct archive *archive, const struct action *action, size_t count) {
    archive->own.request.archive.numbers = archive->numbers;
    archive->own.request.archive.count = count;
    archive->own.returned = returned;
    archive->is_asking = own_submit(archive->messages, &archive->own, action);
    if (!archive->is_asking) archive->look_at_us = INT64_MAX; /* the store is stopping */
}

static size_t find_leaving(struct archive *archive) {
    const struct board *board = archive->board;
    int64_t wall_us = clock_now_us(archive->clock);
    size_t found = 0;
    for (size_t i = board_next(board, 0), count = board_count(board); i < count && found < ARCHIVE_AT_ONCE; i = board_next(board, i + 1)) {
        if (may_leave(archive, board_slot(board, i), wall_us)) archive->numbers[found++] = (uint32_t)i + 1;
    }
    return found;
}

static size_t find_wanted(struct archive *archive) {
    size_t found = 0;
    for (size_t i = 0; i < board_count(archive->board) && found < ARCHIVE_AT_ONCE; i++) {
        uint32_t number = (uint32_t)i + 1;
        if (is_in_use(archive, number) && board_is_archived(board_slot(archive->board, i))) archive->numbers[found++] = number;
    }
    return found;
}

/* While the store can't, it is asked again with each look. */
void archive_run(struct archive *archive, int64_t now_us) {
    if (now_us < archive_next_us(archive)) return;
    size_t wanted = archive->comparison->wants_archived || archive->must_recall ? find_wanted(archive) : 0;
    archive->comparison->wants_archived = false;
    archive->must_recall = wanted > 0;
    archive->look_at_us = now_us + clamp(archive->after_us, LOOK_LEAST_US, LOOK_MOST_US);
    if (wanted > 0) {
        ask(archive, &recall_action, wanted);
        return;
    }
    size_t leaving = archive->is_on ? find_leaving(archive) : 0;
    if (leaving > 0) ask(archive, &archive_action, leaving);
}
