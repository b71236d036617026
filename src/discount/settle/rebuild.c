#include "discount/settle/rebuild.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/pages.h"

#define HELD_FIRST   1024u
#define TOLD_AT_ONCE 20u /* conflicts of a campaign in the log; reconcile names all */

#define REBUILT(outcome_)                                                                                                         \
    {                                                                                                                             \
        .name = "discountd_redemptions_rebuilt_total", .help = "Redemptions that were read back from Wallet, by what was there.", \
        .labels = "outcome=\"" outcome_ "\"", .kind = METRIC_COUNTER                                                              \
    }
struct metric rebuild_metric_made = REBUILT("made");
struct metric rebuild_metric_settled = REBUILT("settled");
struct metric rebuild_metric_renamed = REBUILT("renamed");
struct metric rebuild_metric_reversed = REBUILT("reversed");
struct metric rebuild_metric_conflicts = {.name = "discountd_rebuild_conflicts",
                                          .help = "Credits of the last rebuilt campaign that can't become redemptions.",
                                          .labels = "",
                                          .kind = METRIC_GAUGE};

static void reset(struct rebuild *rebuild) {
    free(rebuild->held);
    rebuild->held = NULL;
    rebuild->count = rebuild->capacity = rebuild->made_count = rebuild->slice_count = 0;
    rebuild->is_cut = rebuild->are_too_many = false;
    rebuild->state = REBUILD_IDLE;
    for (size_t i = 0; i < REBUILD_VERDICT_COUNT; i++) rebuild->counts[i] = 0;
}

/* ---- collecting ---- */

static bool begin(void *context, uint32_t campaign_number) {
    struct rebuild *rebuild = context;
    if (rebuild_is_busy(rebuild)) return false;
    rebuild->campaign_number = campaign_number;
    rebuild->state = REBUILD_COLLECTING;
    return true;
}

static int compare_numbers(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int compare_held(const void *a, const void *b) {
    const struct held_credit *first = a, *second = b;
    int by_position = compare_numbers(first->position, second->position);
    return by_position != 0 ? by_position : id_compare(first->place.transaction_id, second->place.transaction_id);
}

/* Nothing was held: there is no array either, which qsort must have. */
static void sort(struct rebuild *rebuild) {
    if (rebuild->count > 0) qsort(rebuild->held, rebuild->count, sizeof *rebuild->held, compare_held);
}

/* Keeps the half with the lower places. */
static void cut(struct rebuild *rebuild) {
    sort(rebuild);
    rebuild->count /= 2;
    rebuild->is_cut = true;
    rebuild->last_position = rebuild->held[rebuild->count - 1].position;
}

static bool grow(struct rebuild *rebuild) {
    size_t capacity = rebuild->capacity == 0 ? HELD_FIRST : rebuild->capacity * 2;
    if (capacity > rebuild->held_max) capacity = rebuild->held_max;
    struct held_credit *held = realloc(rebuild->held, capacity * sizeof *held);
    if (held == NULL) return false;
    rebuild->held = held;
    rebuild->capacity = capacity;
    return true;
}

static bool take_credit(void *context, const struct unknown_credit *credit) {
    struct rebuild *rebuild = context;
    const struct held_credit held = {.position = credit->is_described ? credit->position : INT64_MAX,
                                     .place = {.id = credit->reference,
                                               .campaign_number = rebuild->campaign_number,
                                               .user_id = credit->user_id,
                                               .phone = credit->phone,
                                               .code_batch = credit->code_batch,
                                               .code_index = credit->code_index,
                                               .transaction_id = credit->transaction_id,
                                               .amount_minor = credit->amount_minor,
                                               .paid_at_us = credit->created_at_us,
                                               .is_reversed = credit->is_reversed}};
    CHECK(rebuild->state == REBUILD_COLLECTING);
    if (rebuild->is_cut && held.position >= rebuild->last_position) return true;
    if (rebuild->count == rebuild->held_max) cut(rebuild);
    if (rebuild->is_cut && held.position >= rebuild->last_position) return true;
    if (rebuild->count == rebuild->capacity && !grow(rebuild)) return false;
    rebuild->held[rebuild->count++] = held;
    return true;
}

static void end(void *context, uint32_t campaign_number) {
    struct rebuild *rebuild = context;
    CHECK(rebuild->state == REBUILD_COLLECTING && rebuild->campaign_number == campaign_number);
    sort(rebuild);
    rebuild->state = REBUILD_MAKING;
    conflicts_forget(&rebuild->conflicts, campaign_number);
    rebuild->conflict_minor = 0;
    claims_read_anew(rebuild->claims, campaign_number); /* one of them may turn out to be what was paid */
}

static void give_up(void *context, uint32_t campaign_number) {
    struct rebuild *rebuild = context;
    CHECK(rebuild->state == REBUILD_COLLECTING && rebuild->campaign_number == campaign_number);
    reset(rebuild);
}

/* ---- making ---- */

static int64_t conflicts_of(const struct rebuild *rebuild) {
    int64_t sum = 0;
    for (enum rebuild_verdict verdict = REBUILD_USER_TAKEN; verdict < REBUILD_VERDICT_COUNT; verdict++) sum += rebuild->counts[verdict];
    return sum;
}

/* The campaign's conflicts are said once, and again when there are others. */
static void tell_conflict(const struct rebuild *rebuild, size_t index) {
    const struct paid_place *place = &rebuild->slice[index];
    size_t number = (size_t)conflicts_of(rebuild);
    if (number <= rebuild->told[rebuild->campaign_number - 1] || number > TOLD_AT_ONCE) return;
    LOG(LOG_ERROR, "redemption_not_rebuilt", LOG_ID("redemption_id", place->id), LOG_ID("user_id", place->user_id),
        LOG_ID("transaction_id", place->transaction_id), LOG_STRING("reason", rebuild_verdict_name(rebuild->verdicts[index])));
}

/* Whom it concerns is paid nothing more. */
static void note_conflict(struct rebuild *rebuild, const struct paid_place *place) {
    const struct conflict conflict = {place->campaign_number, place->user_id, place->phone};
    const struct money amount = {place->amount_minor, board_slot(rebuild->board, place->campaign_number - 1)->currency};
    bool is_counted = result_is_ok(money_add_to_total(rebuild->conflict_minor, amount, &rebuild->conflict_minor));
    if (!is_counted || !conflicts_add(&rebuild->conflicts, &conflict)) rebuild->are_too_many = true;
}

static void note_verdicts(struct rebuild *rebuild) {
    for (size_t i = 0; i < rebuild->slice_count; i++) {
        enum rebuild_verdict verdict = rebuild->verdicts[i];
        rebuild->counts[verdict]++;
        if (rebuild_is_conflict(verdict)) {
            tell_conflict(rebuild, i);
            note_conflict(rebuild, &rebuild->slice[i]);
        }
        metric_add(&rebuild_metric_made, verdict == REBUILD_MADE);
        metric_add(&rebuild_metric_settled, verdict == REBUILD_SETTLED);
        metric_add(&rebuild_metric_renamed, verdict == REBUILD_RENAMED);
        metric_add(&rebuild_metric_reversed, verdict == REBUILD_REVERSED);
    }
}

static enum rebuild_end how_it_ended(const struct rebuild *rebuild) {
    bool is_known = !rebuild->are_too_many && !rebuild->is_cut;
    if (conflicts_of(rebuild) > 0) return is_known ? REBUILD_CONFLICTED : REBUILD_BLOCKED;
    return rebuild->is_cut ? REBUILD_CUT : REBUILD_WHOLE;
}

static void finish(struct rebuild *rebuild) {
    const struct board_slot *slot = board_slot(rebuild->board, rebuild->campaign_number - 1);
    uint32_t number = rebuild->campaign_number;
    enum rebuild_end how = how_it_ended(rebuild);
    int64_t conflicts = conflicts_of(rebuild);
    bool is_new = conflicts == 0 || conflicts != rebuild->told[number - 1];
    if (is_new)
        LOG(LOG_WARN, "redemptions_rebuilt", LOG_ID("campaign_id", slot->id), LOG_INTEGER("made", rebuild->counts[REBUILD_MADE]),
            LOG_INTEGER("settled", rebuild->counts[REBUILD_SETTLED]), LOG_INTEGER("renamed", rebuild->counts[REBUILD_RENAMED]),
            LOG_INTEGER("reversed", rebuild->counts[REBUILD_REVERSED]), LOG_INTEGER("conflicts", conflicts));
    rebuild->told[number - 1] = (uint32_t)conflicts;
    metric_set(&rebuild_metric_conflicts, conflicts);
    reset(rebuild);
    rebuild->ended(rebuild->context, number, how);
}

static void returned(struct own_operation *own, struct result outcome) {
    struct rebuild *rebuild = CONTAINER_OF(own, struct rebuild, own);
    rebuild->is_in_store = false;
    if (!result_is_ok(outcome)) {
        LOG(LOG_WARN, "redemptions_not_rebuilt", LOG_STRING("reason", result_name(outcome)));
        backoff_fail(&rebuild->backoff, clock_monotonic_us(rebuild->clock), 0);
        return;
    }
    backoff_clear(&rebuild->backoff);
    note_verdicts(rebuild);
    rebuild->made_count += rebuild->slice_count;
}

static void submit(struct rebuild *rebuild) {
    size_t left = rebuild->count - rebuild->made_count;
    rebuild->slice_count = left < REBUILD_ITEMS_MAX ? left : REBUILD_ITEMS_MAX;
    for (size_t i = 0; i < rebuild->slice_count; i++) rebuild->slice[i] = rebuild->held[rebuild->made_count + i].place;
    rebuild->own.request.rebuild.items = rebuild->slice;
    rebuild->own.request.rebuild.verdicts = rebuild->verdicts;
    rebuild->own.request.rebuild.count = rebuild->slice_count;
    rebuild->own.request.base.operation.store.weight = (uint32_t)rebuild->slice_count * REBUILD_ITEM_WEIGHT;
    rebuild->own.returned = returned;
    rebuild->is_in_store = true;
    if (!own_submit(rebuild->messages, &rebuild->own, &rebuild_action)) returned(&rebuild->own, result_error(RESULT_UNAVAILABLE));
}

int64_t rebuild_next_us(const struct rebuild *rebuild) {
    return rebuild->state == REBUILD_MAKING && !rebuild->is_in_store ? rebuild->backoff.retry_at_us : INT64_MAX;
}

void rebuild_run(struct rebuild *rebuild, int64_t now_us) {
    if (now_us < rebuild_next_us(rebuild)) return;
    if (rebuild->made_count == rebuild->count)
        finish(rebuild);
    else
        submit(rebuild);
}

/* ---- life ---- */

struct result rebuild_init(struct rebuild *rebuild) {
    rebuild->taker = (struct unknown_taker){.context = rebuild, .begin = begin, .credit = take_credit, .end = end, .give_up = give_up};
    if (rebuild->held_max == 0) rebuild->held_max = REBUILD_HELD_MAX;
    rebuild->told = pages_take(LIMIT_CAMPAIGNS_KEPT, sizeof *rebuild->told);
    return rebuild->told == NULL ? result_error(RESULT_FULL) : result_ok();
}

void rebuild_free(struct rebuild *rebuild) {
    CHECK(!rebuild->is_in_store);
    free(rebuild->held);
    pages_free(rebuild->told, LIMIT_CAMPAIGNS_KEPT, sizeof *rebuild->told);
}
