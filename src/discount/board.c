#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/pages.h"
#include "discount/board_inside.h"

_Static_assert(sizeof(struct campaign_view) % sizeof(uint64_t) == 0, "the view is copied by words");

struct result board_create(size_t capacity, struct board **ret_board) {
    struct board *board = calloc(1, sizeof *board);
    if (board == NULL) return result_error(RESULT_FULL);
    board->capacity = capacity;
    board->table_size = 16;
    while (board->table_size < 2 * capacity) board->table_size *= 2;
    board->slots = pages_take(capacity, sizeof *board->slots);
    board->by_id = pages_take(board->table_size, sizeof *board->by_id);
    board->awake = calloc(capacity / 64 + 1, sizeof *board->awake);
    board->chunks = calloc(capacity / BOARD_CHUNK + 1, sizeof *board->chunks);
    crypto_random(board->secret, sizeof board->secret);
    if (!result_is_ok(kept_keys_init(&board->kept)) || !result_is_ok(code_index_init(&board->by_code, 2 * capacity)) ||
        board->slots == NULL || board->by_id == NULL || board->awake == NULL || board->chunks == NULL) {
        board_free(board);
        return result_error(RESULT_FULL);
    }
    *ret_board = board;
    return result_ok();
}

void board_free(struct board *board) {
    if (board == NULL) return;
    board_free_filters(board);
    for (size_t i = 0; i < board->reserved_count; i++) pthread_mutex_destroy(&board->slots[i].turn_lock);
    board_unmap_chunks(board);
    free(board->chunks);
    free((void *)board->awake);
    kept_keys_clear(&board->kept);
    pages_free(board->slots, board->capacity, sizeof *board->slots);
    code_index_clear(&board->by_code);
    pages_free((void *)board->by_id, board->table_size, sizeof *board->by_id);
    free(board);
}

/* ---- tables ---- */

uint64_t board_hash(const struct board *board, const void *data, size_t size) {
    return crypto_short_hash((struct text){data, size}, board->secret);
}

static void table_insert(_Atomic uint32_t *table, size_t table_size, uint64_t hash, uint32_t number) {
    size_t at = hash & (table_size - 1);
    while (atomic_load_explicit(&table[at], memory_order_relaxed) != 0) at = (at + 1) & (table_size - 1);
    atomic_store_explicit(&table[at], number, memory_order_release);
}

struct board_slot *board_find_code(const struct board *board, const struct code *code) {
    uint32_t number = code_index_find(&board->by_code, code);
    return number == 0 ? NULL : &board->slots[number - 1];
}

struct result board_name_code(struct board *board, const struct campaign *campaign) {
    if (campaign->code.size == 0) return result_ok(); /* only codes of its batches */
    return code_index_name(&board->by_code, &campaign->code, campaign->number, &board->slots[campaign->number - 1].code);
}

struct board_slot *board_find_id(const struct board *board, struct id id) {
    size_t at = board_hash(board, id.bytes, sizeof id.bytes) & (board->table_size - 1);
    for (;; at = (at + 1) & (board->table_size - 1)) {
        uint32_t number = atomic_load_explicit(&board->by_id[at], memory_order_acquire);
        if (number == 0) return NULL;
        struct board_slot *slot = &board->slots[number - 1];
        if (id_equal(slot->id, id)) return slot;
    }
}

size_t board_count(const struct board *board) { return atomic_load_explicit(&board->count, memory_order_acquire); }

struct board_slot *board_slot(const struct board *board, size_t index) {
    CHECK(index < board_count(board));
    return &board->slots[index];
}

struct text board_code(const struct board_slot *slot) {
    return named_code_text(&slot->code);
}

/* ---- turns ---- */

void board_begin_turn(struct board_slot *slot) {
    CHECK(pthread_mutex_lock(&slot->turn_lock) == 0);
    uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed);
    CHECK(turn % 2 == 0);
    atomic_store_explicit(&slot->turn, turn + 1, memory_order_relaxed);
}

void board_end_turn(struct board_slot *slot) {
    uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed);
    CHECK(turn % 2 == 1);
    atomic_store_explicit(&slot->turn, turn + 1, memory_order_release);
    CHECK(pthread_mutex_unlock(&slot->turn_lock) == 0);
}

static void read_view(const struct board_slot *slot, struct campaign_view *ret_view) {
    uint64_t words[VIEW_WORDS];
    for (size_t i = 0; i < VIEW_WORDS; i++) words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
    memcpy(ret_view, words, sizeof *ret_view);
}

struct campaign_view board_view(const struct board_slot *slot) {
    for (;;) {
        struct campaign_view view;
        uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        if (turn % 2 != 0) continue;
        read_view(slot, &view);
        if (atomic_load_explicit(&slot->turn, memory_order_relaxed) == turn) return view;
    }
}

struct text board_copy_name(struct board_slot *slot, char into[CAMPAIGN_NAME_BYTES]) {
    CHECK(pthread_mutex_lock(&slot->turn_lock) == 0);
    struct text name = {into, slot->name_size};
    memcpy(into, slot->name, slot->name_size);
    CHECK(pthread_mutex_unlock(&slot->turn_lock) == 0);
    return name;
}

struct money board_credit(const struct board_slot *slot) {
    return (struct money){board_view(slot).credit_minor, slot->currency};
}

/* ---- books ---- */

void board_set_books(struct board_slot *slot, enum books books) {
    atomic_store_explicit(&slot->books, (uint32_t)books, memory_order_release);
}

enum books board_books(const struct board_slot *slot) { return (enum books)atomic_load_explicit(&slot->books, memory_order_acquire); }

/* ---- seconds ---- */

static struct board_second *second_at(const struct board_slot *slot, uint64_t index) { return &slot->seconds[index % BOARD_SECONDS]; }

/* The oldest in the ring, when `count` have ever begun. */
static uint64_t oldest_of(uint64_t count) { return count > BOARD_SECONDS ? count - BOARD_SECONDS : 0; }

/* The newest one if it is not before `now`, else NULL. */
static struct board_second *newest_second(const struct board_slot *slot, int64_t now) {
    uint64_t count = atomic_load_explicit(&slot->second_count, memory_order_acquire);
    if (count == 0) return NULL;
    struct board_second *newest = second_at(slot, count - 1);
    return atomic_load_explicit(&newest->second, memory_order_acquire) >= now ? newest : NULL;
}

/* ---- minutes ---- */

static struct board_minute *minute_at(const struct board_slot *slot, uint64_t index) { return &slot->minutes[index % BOARD_MINUTES]; }

static uint64_t oldest_minute_of(uint64_t count) { return count > BOARD_MINUTES ? count - BOARD_MINUTES : 0; }

static void add_to(_Atomic uint32_t *cell, uint32_t more) {
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + more, memory_order_release);
}

/* Within a turn. They come in their order. */
void board_add_to_minute(struct board_slot *slot, const struct minute_counts *more) {
    uint64_t count = atomic_load_explicit(&slot->minute_count, memory_order_relaxed);
    struct board_minute *minute = count == 0 ? NULL : minute_at(slot, count - 1);
    if (minute == NULL || atomic_load_explicit(&minute->minute, memory_order_relaxed) < more->minute) {
        minute = minute_at(slot, count);
        atomic_store_explicit(&minute->claimed, 0, memory_order_release);
        atomic_store_explicit(&minute->credited, 0, memory_order_release);
        atomic_store_explicit(&minute->rejected, 0, memory_order_release);
        atomic_store_explicit(&minute->minute, more->minute, memory_order_release);
        atomic_store_explicit(&slot->minute_count, count + 1, memory_order_release);
    }
    add_to(&minute->claimed, more->claimed);
    add_to(&minute->credited, more->credited);
    add_to(&minute->rejected, more->rejected);
}

/* ---- seconds that begin ---- */

/* Within a turn. A loop that was about to count in the second that leaves the ring counts in the new one: no refusal is lost. */
struct board_second *board_add_second(struct board_slot *slot, int64_t now) {
    uint64_t count = atomic_load_explicit(&slot->second_count, memory_order_relaxed);
    struct board_second *second = second_at(slot, count);
    struct minute_counts leaving = {.minute = atomic_load_explicit(&second->second, memory_order_relaxed) / MINUTE_SECONDS,
                                    .claimed = atomic_load_explicit(&second->claimed, memory_order_relaxed),
                                    .credited = atomic_load_explicit(&second->credited, memory_order_relaxed),
                                    .rejected = atomic_load_explicit(&second->rejected_before, memory_order_relaxed)};
    for (size_t i = 0; i < REFUSAL_COUNT; i++) {
        int64_t before = atomic_load_explicit(&slot->rejected_before[i], memory_order_relaxed);
        uint32_t rejected = atomic_exchange_explicit(&second->rejected[i], 0, memory_order_acq_rel);
        atomic_store_explicit(&slot->rejected_before[i], before + rejected, memory_order_release);
        leaving.rejected += rejected;
    }
    if (leaving.claimed + leaving.credited + leaving.rejected > 0) board_add_to_minute(slot, &leaving);
    atomic_store_explicit(&second->claimed, 0, memory_order_release);
    atomic_store_explicit(&second->credited, 0, memory_order_release);
    atomic_store_explicit(&second->rejected_before, 0, memory_order_release);
    atomic_store_explicit(&second->rejected_saved, 0, memory_order_release);
    atomic_store_explicit(&second->rejected_saving, 0, memory_order_release);
    atomic_store_explicit(&second->second, now, memory_order_release);
    atomic_store_explicit(&slot->second_count, count + 1, memory_order_release);
    return second;
}

struct board_second *board_second_of(struct board_slot *slot, int64_t now) {
    struct board_second *second = newest_second(slot, now);
    return second != NULL ? second : board_add_second(slot, now);
}

static struct board_second *take_second(struct board_slot *slot, int64_t now_us) {
    int64_t now = now_us / CLOCK_SECOND_US;
    struct board_second *second = newest_second(slot, now);
    if (second != NULL) return second;
    board_begin_turn(slot);
    second = board_second_of(slot, now); /* another may have been faster */
    board_end_turn(slot);
    return second;
}

int64_t board_begin_second(struct board_slot *slot, int64_t now_us) {
    return atomic_load_explicit(&take_second(slot, now_us)->second, memory_order_relaxed);
}

/* NULL: it has left the ring, or never began. */
static struct board_second *find_second(const struct board_slot *slot, int64_t now) {
    uint64_t count = atomic_load_explicit(&slot->second_count, memory_order_relaxed);
    for (uint64_t i = count; i > oldest_of(count); i--) {
        struct board_second *second = second_at(slot, i - 1);
        int64_t at = atomic_load_explicit(&second->second, memory_order_relaxed);
        if (at <= now) return at == now ? second : NULL;
    }
    return NULL;
}

static int64_t ever_credited(const struct campaign_view *view) {
    return view->credited + (gift_is_of_order(view->rules.kind) ? 0 : view->reversed);
}

/* What this second will hold once `campaign` is shown with it. */
static struct second_counts second_after(const struct board_slot *slot, const struct campaign *campaign, int64_t second) {
    struct campaign_view view = board_view(slot);
    const struct board_second *now = find_second(slot, second);
    int64_t credited = campaign_ever_credited(campaign) - ever_credited(&view);
    CHECK(campaign->redeemed >= view.redeemed);
    struct second_counts counts = {.second = second, .claimed = (uint32_t)(campaign->redeemed - view.redeemed)};
    if (credited > 0) counts.credited = (uint32_t)credited;
    if (now == NULL) return counts;
    counts.claimed += atomic_load_explicit(&now->claimed, memory_order_relaxed);
    counts.credited += atomic_load_explicit(&now->credited, memory_order_relaxed);
    return counts;
}

size_t board_find_credited(const struct board_slot *slot, int64_t count, struct second_counts ret_seconds[BOARD_SECONDS]) {
    uint64_t begun = atomic_load_explicit(&slot->second_count, memory_order_relaxed);
    size_t found = 0;
    for (uint64_t i = begun; i > oldest_of(begun) && count > 0; i--) {
        const struct board_second *second = second_at(slot, i - 1);
        int64_t credited = atomic_load_explicit(&second->credited, memory_order_relaxed);
        if (credited == 0) continue;
        if (credited > count) credited = count;
        ret_seconds[found++] =
            (struct second_counts){.second = atomic_load_explicit(&second->second, memory_order_relaxed), .credited = (uint32_t)credited};
        count -= credited;
    }
    return found;
}

size_t board_find_credited_before(const struct board_slot *slot, int64_t count, struct minute_counts ret_minutes[BOARD_MINUTES]) {
    uint64_t begun = atomic_load_explicit(&slot->minute_count, memory_order_relaxed);
    size_t found = 0;
    for (uint64_t i = begun; i > oldest_minute_of(begun) && count > 0; i--) {
        const struct board_minute *minute = minute_at(slot, i - 1);
        int64_t credited = atomic_load_explicit(&minute->credited, memory_order_relaxed);
        if (credited == 0) continue;
        if (credited > count) credited = count;
        ret_minutes[found++] =
            (struct minute_counts){.minute = atomic_load_explicit(&minute->minute, memory_order_relaxed), .credited = (uint32_t)credited};
        count -= credited;
    }
    return found;
}

static void take_from(_Atomic uint32_t *cell, uint32_t less) {
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) - less, memory_order_release);
}

/* Within a turn. */
static void take_back_before(struct board_slot *slot, int64_t count) {
    struct minute_counts minutes[BOARD_MINUTES];
    size_t found = board_find_credited_before(slot, count, minutes), next = 0;
    uint64_t begun = atomic_load_explicit(&slot->minute_count, memory_order_relaxed);
    for (uint64_t i = begun; i > oldest_minute_of(begun) && next < found; i--) {
        struct board_minute *minute = minute_at(slot, i - 1);
        if (atomic_load_explicit(&minute->minute, memory_order_relaxed) == minutes[next].minute)
            take_from(&minute->credited, minutes[next++].credited);
    }
}

/* Within a turn. */
static void take_back(struct board_slot *slot, int64_t count) {
    struct second_counts seconds[BOARD_SECONDS];
    size_t found = board_find_credited(slot, count, seconds);
    for (size_t i = 0; i < found; i++) {
        take_from(&find_second(slot, seconds[i].second)->credited, seconds[i].credited);
        count -= seconds[i].credited;
    }
    if (count > 0) take_back_before(slot, count);
}

/* ---- publishing ---- */

static void write_view(struct board_slot *slot, const struct campaign *campaign) {
    struct campaign_view view = {
        .max_redemptions = campaign->max_redemptions,
        .redeemed = campaign->redeemed,
        .credited = campaign->credited,
        .failed = campaign->failed,
        .reversing = campaign->reversing,
        .reversed = campaign->reversed,
        .returned = campaign->returned,
        .day_returned = campaign->day_returned,
        .taken = campaign_taken(campaign),
        .waiting = campaign->waiting,
        .lined_up = campaign->lined_up,
        .called = campaign->called,
        .starts_at_us = campaign->starts_at_us,
        .ends_at_us = campaign->ends_at_us,
        .ended_at_us = campaign->ended_at_us,
        .is_paused = campaign->is_paused,
        .version = campaign->version,
        .sequence = campaign->sequence,
        .first_redeemed_at_us = campaign->first_redeemed_at_us,
        .last_redeemed_at_us = campaign->last_redeemed_at_us,
        .exhausted_at_us = campaign->exhausted_at_us,
        .fund_confirmed_minor = campaign->fund_confirmed_minor,
        .fund_step_minor = campaign->fund_step_minor,
        .fund_step_version = campaign->fund_step_version,
        .fund_is_released = campaign->fund_is_released,
        .fund_is_refused = campaign->fund_refusal_size != 0,
        .funded_places = campaign_funded_places(campaign),
        .credit_minor = campaign->credit.amount_minor,
        .over_at = campaign->over_at,
        .spent_minor = campaign->spent_minor,
        .ordered_minor = campaign->ordered_minor,
        .day_ends_at_us = campaign->day_ends_at_us,
        .day_before = campaign->day_before,
        .phone_rule = campaign->phone_rule,
        .is_unapproved = campaign->approval.waits == APPROVAL_OF_CREATION,
        .rules = campaign->rules,
    };
    uint64_t words[VIEW_WORDS];
    memcpy(words, &view, sizeof view);
    for (size_t i = 0; i < VIEW_WORDS; i++) atomic_store_explicit(&slot->words[i], words[i], memory_order_release);
}

/* Within a turn. */
static void write_name(struct board_slot *slot, const struct campaign *campaign) {
    memcpy(slot->name, campaign->name, campaign->name_size);
    slot->name_size = campaign->name_size;
}

/* Within a turn. */
static void write_second(struct board_slot *slot, const struct second_counts *counts) {
    struct board_second *second = find_second(slot, counts->second);
    if (second == NULL && newest_second(slot, counts->second) != NULL) return; /* the disk took so long that it has left the ring */
    if (second == NULL) second = board_add_second(slot, counts->second);
    atomic_store_explicit(&second->claimed, counts->claimed, memory_order_release);
    atomic_store_explicit(&second->credited, counts->credited, memory_order_release);
}

static struct board_slot *reserve(struct board *board, const struct campaign *campaign) {
    CHECK(campaign->number == board->reserved_count + 1 && campaign->number <= board->capacity);
    struct board_slot *slot = &board->slots[campaign->number - 1];
    CHECK(result_is_ok(board_make_room(board, campaign->number)));
    slot->board = board;
    slot->number = campaign->number;
    slot->id = campaign->id;
    slot->currency = campaign->credit.currency;
    slot->is_of_orders = gift_is_of_order(campaign->rules.kind);
    slot->latency = (struct metric){.name = "latency", .help = "", .labels = "", .kind = METRIC_HISTOGRAM, .is_duration = true};
    board_set_rings(slot);
    CHECK(pthread_mutex_init(&slot->turn_lock, NULL) == 0);
    board->reserved_count = campaign->number;
    return slot;
}

void board_reserve(struct board *board, const struct campaign *campaign) {
    if (campaign->number <= board->reserved_count) return;
    struct board_slot *slot = reserve(board, campaign);
    board_give_filter(slot, campaign->max_redemptions + campaign->rules.waiting_list);
    board_set_awake(slot, true);
}

void board_reserve_archived(struct board *board, const struct campaign *campaign) {
    atomic_store_explicit(&reserve(board, campaign)->is_archived, 1, memory_order_release);
}

static const struct zone *campaign_zone(const struct campaign *campaign) {
    const struct zone *zone = NULL;
    struct result found = zone_find(words_time_zone(&campaign->words), &zone); /* NULL: it names none, or one that the system has lost */
    return result_is_ok(found) ? zone : NULL;
}

void board_publish(struct board *board, const struct campaign *campaign, int64_t second) {
    size_t count = board_count(board);
    CHECK(campaign->number >= 1 && campaign->number <= count + 1 && campaign->number <= board->reserved_count);
    struct board_slot *slot = &board->slots[campaign->number - 1];
    CHECK(id_equal(slot->id, campaign->id));
    struct second_counts counts = second_after(slot, campaign, second);
    if (campaign->number > count || campaign->has_new_rules) atomic_store(&slot->zone, campaign_zone(campaign));
    struct campaign_view before = board_view(slot);
    int64_t taken_back = ever_credited(&before) - campaign_ever_credited(campaign);
    board_begin_turn(slot);
    write_view(slot, campaign);
    write_name(slot, campaign);
    if (second != 0) write_second(slot, &counts);
    if (taken_back > 0) take_back(slot, taken_back);
    board_end_turn(slot);
    atomic_store_explicit(&slot->waiting, campaign->waiting, memory_order_release);
    if (campaign->number <= count) return;
    CHECK(result_is_ok(board_name_code(board, campaign))); /* a few bytes for each campaign */
    table_insert(board->by_id, board->table_size, board_hash(board, slot->id.bytes, sizeof slot->id.bytes), slot->number);
    atomic_store_explicit(&board->count, campaign->number, memory_order_release);
}

void board_show(const struct board_slot *slot, struct redemption *redemption, int64_t now_us) {
    if (redemption->status != REDEMPTION_WAITING) return;
    struct campaign_view view = board_view(slot);
    line_show(redemption, view.called, view_has_ended(&view, now_us));
}

/* ---- the report ---- */

static uint32_t sum_rejected(const struct board_second *second, struct refusal_counts *counts) {
    uint32_t sum = atomic_load_explicit(&second->rejected_before, memory_order_acquire);
    for (size_t i = 0; i < REFUSAL_COUNT; i++) {
        uint32_t count = atomic_load_explicit(&second->rejected[i], memory_order_acquire);
        counts->counts[i] += count;
        sum += count;
    }
    return sum;
}

/* All counters as they are now; true if no turn was made meanwhile. */
static bool try_read(const struct board_slot *slot, struct board_snapshot *snapshot) {
    uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
    if (turn % 2 != 0) return false;
    read_view(slot, &snapshot->view);
    for (size_t i = 0; i < REFUSAL_COUNT; i++)
        snapshot->rejected.counts[i] = atomic_load_explicit(&slot->rejected_before[i], memory_order_acquire);
    snapshot->second_count = 0;
    uint64_t count = atomic_load_explicit(&slot->second_count, memory_order_acquire);
    for (uint64_t i = oldest_of(count); i < count; i++) {
        const struct board_second *second = second_at(slot, i);
        struct second_counts counts = {.second = atomic_load_explicit(&second->second, memory_order_acquire),
                                       .claimed = atomic_load_explicit(&second->claimed, memory_order_acquire),
                                       .credited = atomic_load_explicit(&second->credited, memory_order_acquire),
                                       .rejected = sum_rejected(second, &snapshot->rejected)};
        if (counts.claimed + counts.credited + counts.rejected == 0) continue; /* begun for a commit that failed */
        snapshot->seconds[snapshot->second_count++] = counts;
    }
    return atomic_load_explicit(&slot->turn, memory_order_relaxed) == turn;
}

void board_read(const struct board_slot *slot, struct board_snapshot *ret_snapshot) {
    while (!try_read(slot, ret_snapshot)) {
    }
}

static void copy_minutes(const struct board_slot *slot, struct board_minutes *minutes) {
    minutes->count = 0;
    uint64_t count = atomic_load_explicit(&slot->minute_count, memory_order_acquire);
    for (uint64_t i = oldest_minute_of(count); i < count; i++) {
        const struct board_minute *minute = minute_at(slot, i);
        minutes->minutes[minutes->count++] =
            (struct minute_counts){.minute = atomic_load_explicit(&minute->minute, memory_order_acquire),
                                   .claimed = atomic_load_explicit(&minute->claimed, memory_order_acquire),
                                   .credited = atomic_load_explicit(&minute->credited, memory_order_acquire),
                                   .rejected = atomic_load_explicit(&minute->rejected, memory_order_acquire)};
    }
}

static void add_seconds_to_minutes(const struct board_snapshot *snapshot, struct board_minutes *minutes) {
    for (size_t i = 0; i < snapshot->second_count; i++) {
        const struct second_counts *second = &snapshot->seconds[i];
        int64_t minute = second->second / MINUTE_SECONDS;
        if (minutes->count == 0 || minutes->minutes[minutes->count - 1].minute < minute)
            minutes->minutes[minutes->count++] = (struct minute_counts){.minute = minute};
        struct minute_counts *counts = &minutes->minutes[minutes->count - 1];
        counts->claimed += second->claimed;
        counts->credited += second->credited;
        counts->rejected += second->rejected;
    }
}

void board_read_all(const struct board_slot *slot, struct board_snapshot *ret_snapshot, struct board_minutes *ret_minutes) {
    uint64_t turn;
    do {
        turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        copy_minutes(slot, ret_minutes);
    } while (!try_read(slot, ret_snapshot) || atomic_load_explicit(&slot->turn, memory_order_relaxed) != turn);
    add_seconds_to_minutes(ret_snapshot, ret_minutes);
}

/* ---- refusals ---- */

/* Nobody empties its ring meanwhile. */
static void count_of_archived(struct board_slot *slot, enum refusal refusal, int64_t now_us) {
    board_begin_turn(slot);
    struct board_second *second = board_second_of(slot, now_us / CLOCK_SECOND_US);
    atomic_fetch_add_explicit(&second->rejected[refusal], 1, memory_order_relaxed);
    atomic_store_explicit(&slot->is_dirty, true, memory_order_release);
    board_end_turn(slot);
    atomic_store_explicit(&slot->board->has_news, 1, memory_order_release);
}

void board_count_refusal(struct board_slot *slot, enum refusal refusal, int64_t now_us) {
    if (board_hold(slot)) {
        atomic_fetch_add_explicit(&take_second(slot, now_us)->rejected[refusal], 1, memory_order_relaxed);
        /* Always a store, never a look first: it releases the counter to the saver's exchange. */
        atomic_store_explicit(&slot->is_dirty, true, memory_order_release);
    } else {
        count_of_archived(slot, refusal, now_us);
    }
    board_let_go(slot);
}

void board_restore_refusals(struct board_slot *slot, const struct refusal_counts *counts) {
    board_begin_turn(slot);
    for (size_t i = 0; i < REFUSAL_COUNT; i++) atomic_store_explicit(&slot->rejected_before[i], counts->counts[i], memory_order_release);
    slot->rejected_saved = slot->rejected_saving = *counts;
    board_end_turn(slot);
}

void board_restore_minute(struct board_slot *slot, const struct minute_counts *counts) {
    board_begin_turn(slot);
    board_add_to_minute(slot, counts);
    board_end_turn(slot);
}

void board_restore_second(struct board_slot *slot, const struct second_counts *counts) {
    board_begin_turn(slot);
    CHECK(newest_second(slot, counts->second) == NULL);
    struct board_second *second = board_add_second(slot, counts->second);
    atomic_store_explicit(&second->claimed, counts->claimed, memory_order_release);
    atomic_store_explicit(&second->credited, counts->credited, memory_order_release);
    atomic_store_explicit(&second->rejected_before, counts->rejected, memory_order_release);
    atomic_store_explicit(&second->rejected_saved, counts->rejected, memory_order_release);
    atomic_store_explicit(&second->rejected_saving, counts->rejected, memory_order_release);
    board_end_turn(slot);
}

static void take_unsaved_seconds(struct board_slot *slot, struct board_snapshot *unsaved) {
    size_t kept = 0;
    for (size_t i = 0; i < unsaved->second_count; i++) {
        const struct second_counts *counts = &unsaved->seconds[i];
        struct board_second *second = find_second(slot, counts->second);
        uint32_t saved = atomic_load_explicit(&second->rejected_saved, memory_order_relaxed);
        CHECK(counts->rejected >= saved);
        if (counts->rejected == saved) continue;
        atomic_store_explicit(&second->rejected_saving, counts->rejected, memory_order_relaxed);
        unsaved->seconds[kept++] = (struct second_counts){.second = counts->second, .rejected = counts->rejected - saved};
    }
    unsaved->second_count = kept;
}

void board_take_unsaved(struct board_slot *slot, struct board_snapshot *ret_unsaved) {
    /* With the lock no second leaves the ring, so that the sums saved together agree. */
    CHECK(pthread_mutex_lock(&slot->turn_lock) == 0);
    CHECK(try_read(slot, ret_unsaved));
    slot->rejected_saving = ret_unsaved->rejected;
    for (size_t i = 0; i < REFUSAL_COUNT; i++) ret_unsaved->rejected.counts[i] -= slot->rejected_saved.counts[i];
    take_unsaved_seconds(slot, ret_unsaved);
    CHECK(pthread_mutex_unlock(&slot->turn_lock) == 0);
}

void board_end_saving(struct board_slot *slot, bool is_committed) {
    CHECK(pthread_mutex_lock(&slot->turn_lock) == 0);
    uint64_t count = atomic_load_explicit(&slot->second_count, memory_order_acquire);
    for (uint64_t i = oldest_of(count); i < count; i++) {
        struct board_second *second = second_at(slot, i);
        _Atomic uint32_t *from = is_committed ? &second->rejected_saving : &second->rejected_saved;
        _Atomic uint32_t *to = is_committed ? &second->rejected_saved : &second->rejected_saving;
        atomic_store_explicit(to, atomic_load_explicit(from, memory_order_relaxed), memory_order_relaxed);
    }
    if (is_committed)
        slot->rejected_saved = slot->rejected_saving;
    else
        slot->rejected_saving = slot->rejected_saved;
    CHECK(pthread_mutex_unlock(&slot->turn_lock) == 0);
    if (is_committed) return;
    atomic_store_explicit(&slot->is_dirty, true, memory_order_release);
    atomic_store_explicit(&slot->board->has_news, 1, memory_order_release);
}
