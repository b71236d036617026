#include "discount/settle/comparison.h"

#include <string.h>

#include "base/json/json.h"
#include "base/log.h"
#include "base/pages.h"
#include "discount/tables.h"

#define ARENA_BYTES  (4u * 1024 * 1024)
#define PATH         "/v1/funds?limit=200"
#define PATH_OF_LAST "/v1/instance"
#define TOLD_AT_ONCE 20u                   /* funds that no campaign has, in the log; reconcile names all */
#define FIRST_US     (CLOCK_SECOND_US / 4) /* when nothing waits for it: who does not know our keys yet asks our listener for them */

#define DIFFERENCES(kind_)                                                                                           \
    {                                                                                                                \
        .name = "discountd_books_differences", .help = "What the last comparison of our books with Wallet's found.", \
        .labels = "kind=\"" kind_ "\"", .kind = METRIC_GAUGE                                                         \
    }
struct metric comparison_metric_missing = DIFFERENCES("missing_credits");
struct metric comparison_metric_unknown = DIFFERENCES("unknown_credits");
struct metric comparison_metric_sums = DIFFERENCES("fund_sums");
struct metric comparison_metric_strangers = DIFFERENCES("unknown_funds");
struct metric comparison_metric_foreign = DIFFERENCES("foreign_credits");
struct metric comparison_metric_reversals = DIFFERENCES("reversals");

static struct board_slot *slot_of(const struct comparison *comparison, uint32_t number) {
    return board_slot(comparison->board, number - 1);
}

/* ---- when ---- */

static void set_due(struct comparison *comparison, int64_t now_us) {
    comparison->due_us = now_us + comparison->pause_us;
    comparison->pause_us *= 2;
    if (comparison->pause_us > COMPARISON_US) comparison->pause_us = COMPARISON_US;
}

static void make_due(struct comparison *comparison, int64_t now_us) {
    comparison->due_us = now_us;
    comparison->pause_us = COMPARISON_SOON_US;
}

static void failed(struct comparison *comparison) {
    const struct http_call *call = &comparison->call;
    int64_t now_us = clock_monotonic_us(comparison->calls->clock);
    calls_note_failure(comparison->calls, call);
    if (comparison->backoff.attempts == 0)
        LOG(LOG_INFO, "books_not_compared", LOG_STRING("outcome", result_name(call->outcome)), LOG_INTEGER("status", call->status));
    backoff_fail(&comparison->backoff, now_us, call->retry_after_ms);
    make_due(comparison, now_us);
}

/* ---- the books of a campaign ---- */

/* What can't be made anew by itself is compared for all that. */
static bool is_open(const struct comparison *comparison, const struct board_slot *slot) {
    switch (board_books(slot)) {
    case BOOKS_NOT_COMPARED:
    case BOOKS_WALKING: return true;
    case BOOKS_RECOVERING: return !comparison->memory[slot->number - 1].is_blocked;
    case BOOKS_AGREE:
    case BOOKS_CONFLICTED: break;
    }
    return false;
}

static bool has_open(const struct comparison *comparison) {
    for (size_t i = 0; i < board_count(comparison->board); i++) {
        if (is_open(comparison, board_slot(comparison->board, i))) return true;
    }
    return false;
}

static void tell_when_compared(struct comparison *comparison) {
    if (comparison->is_first_over || has_open(comparison)) return;
    comparison->is_first_over = true;
    if (comparison->is_compared != NULL) comparison->is_compared(comparison->context);
}

/* What waited for it may be sent, and released. */
static void open_books(struct comparison *comparison, struct board_slot *slot, enum books books) {
    if (board_books(slot) == books) return;
    board_set_books(slot, books);
    claims_look(comparison->claims);
    funds_look(comparison->funds);
}

static void agree(struct comparison *comparison, struct board_slot *slot) { open_books(comparison, slot, BOOKS_AGREE); }

static void tell_difference(struct compared *compared, const struct board_slot *slot, const struct books_seen *seen,
                            const struct books_verdict *verdict) {
    bool differs = verdict->missing > 0 || verdict->unknown > 0 || verdict->must_adopt || verdict->odd_minor != 0;
    if (differs && !compared->is_told) {
        LOG(LOG_WARN, "books_differ", LOG_ID("campaign_id", slot->id), LOG_INTEGER("missing_credits", verdict->missing),
            LOG_INTEGER("unknown_credits", verdict->unknown), LOG_INTEGER("credited_there", seen->there.credited_minor),
            LOG_INTEGER("reversed_odd", verdict->odd_minor), LOG_INTEGER("funded", seen->after.fund_confirmed_minor),
            LOG_INTEGER("funded_there", seen->there.funded_minor));
    }
    compared->is_told = differs;
}

static void set_must_walk(struct comparison *comparison, uint32_t number, bool must_walk) {
    struct compared *compared = &comparison->memory[number - 1];
    if (must_walk && !compared->must_walk) comparison->walk_count++;
    if (!must_walk && compared->must_walk) comparison->walk_count--;
    compared->must_walk = must_walk;
}

/* Also while a walk waits to begin: it waits for this. */
static void adopt(struct comparison *comparison, uint32_t number, const struct books_seen *seen) {
    const struct fund_said said = {.funded_minor = seen->there.funded_minor, .is_released = seen->there.is_released};
    funds_adopt(comparison->funds, number, &said);
}

static void follow(struct comparison *comparison, uint32_t number, const struct books_verdict *verdict) {
    struct board_slot *slot = slot_of(comparison, number);
    enum books books = board_books(slot);
    bool is_changing = verdict->must_adopt || verdict->must_walk || books_are_recovering(books);
    comparison->wants_archived |= is_changing && board_is_archived(slot);
    if (books_are_recovering(books) && rebuild_is_busy(comparison->rebuild)) return;
    if (!verdict->must_walk && !books_are_recovering(books)) {
        agree(comparison, slot);
        return;
    }
    set_must_walk(comparison, number, true);
    funds_hold(comparison->funds, number, true);
    if (books == BOOKS_NOT_COMPARED) board_set_books(slot, BOOKS_WALKING);
}

static bool is_being_walked(const struct comparison *comparison, uint32_t number) {
    return comparison->memory[number - 1].must_walk || walk_is_of(&comparison->walk, number);
}

bool comparison_is_on(const struct comparison *comparison, uint32_t number) {
    bool is_rebuilt = rebuild_is_busy(comparison->rebuild) && comparison->rebuild->campaign_number == number;
    return is_being_walked(comparison, number) || is_rebuilt;
}

/* What a look has found, of all campaigns. */
struct findings {
    int64_t missing, unknown, sums, foreign, reversals;
};

/* Those that were on their way when Wallet was asked may be there by now, and others on their way since. */
static int64_t most_again(const struct comparison *comparison, uint32_t number) {
    uint32_t before = comparison->memory[number - 1].again_before, now = claims_again(comparison->claims, number);
    return before > now ? before : now;
}

/* What belongs to nobody here is none of the campaign's credits. */
static struct fund_document without_foreign(const struct fund_document *fund, int64_t foreign_minor, enum currency currency) {
    struct fund_document ours = *fund;
    int64_t credited_minor = money_between_totals(fund->credited_minor, foreign_minor, currency).amount_minor;
    ours.credited_minor = credited_minor > 0 ? credited_minor : 0;
    return ours;
}

static void judge(struct comparison *comparison, uint32_t number, struct findings *findings) {
    struct compared *compared = &comparison->memory[number - 1];
    struct board_slot *slot = slot_of(comparison, number);
    if (slot->is_of_orders) return;                                 /* it has no fund */
    if (compared->was_archived && !board_is_archived(slot)) return; /* it may have changed meanwhile: at the next look */
    bool is_first = board_books(slot) == BOOKS_NOT_COMPARED;
    const struct campaign_view after = board_view(slot);
    const struct books_seen seen = {.before = compared->was_archived ? after : comparison->before[number - 1],
                                    .after = after,
                                    .there = without_foreign(&compared->there, funds_foreign(comparison->funds, number), slot->currency),
                                    .credit = board_credit(slot),
                                    .again = most_again(comparison, number),
                                    .explained_minor = compared->explained_minor,
                                    .is_first = is_first,
                                    .is_suspect = is_first && comparison->is_suspect};
    const struct books_verdict verdict = books_judge(&seen);
    findings->missing += verdict.missing;
    findings->unknown += verdict.unknown;
    findings->sums += verdict.must_adopt;
    findings->foreign += (int64_t)compared->foreign_count;
    if (verdict.odd_minor != 0) findings->reversals++;
    compared->odd_minor = verdict.odd_minor;
    tell_difference(compared, slot, &seen, &verdict);
    if (verdict.must_adopt && !walk_is_of(&comparison->walk, number)) adopt(comparison, number, &seen);
    if (!is_being_walked(comparison, number)) follow(comparison, number, &verdict);
}

static void end_look(struct comparison *comparison) {
    struct findings findings = {0};
    for (size_t i = 0; i < comparison->count; i++) judge(comparison, (uint32_t)i + 1, &findings);
    metric_set(&comparison_metric_missing, findings.missing);
    metric_set(&comparison_metric_unknown, findings.unknown);
    metric_set(&comparison_metric_sums, findings.sums);
    metric_set(&comparison_metric_foreign, findings.foreign);
    metric_set(&comparison_metric_reversals, findings.reversals);
    metric_set(&comparison_metric_strangers, (int64_t)comparison->stranger_count);
    comparison->stranger_told = comparison->stranger_count;
    backoff_clear(&comparison->backoff);
    set_due(comparison, clock_monotonic_us(comparison->calls->clock));
    tell_when_compared(comparison);
}

/* ---- a page of funds ---- */

static bool read_fund(const struct json_value *item, struct fund_document *ret_fund) {
    *ret_fund = (struct fund_document){.funded_minor = json_get_integer(item, "funded", -1),
                                       .credited_minor = json_get_integer(item, "credited", -1),
                                       .reversed_minor = json_get_integer(item, "reversed", 0),
                                       .released_minor = json_get_integer(item, "released", -1),
                                       .is_released = text_equal(json_get_text(item, "state"), TEXT("released"))};
    int64_t funded_minor = ret_fund->funded_minor;
    return funded_minor <= MONEY_AMOUNT_MAX && ret_fund->credited_minor <= funded_minor && ret_fund->released_minor >= 0 &&
           verdict_count_credited(item) >= 0;
}

static void note_stranger(struct comparison *comparison, struct text reference, const struct fund_document *fund) {
    comparison->stranger_count++;
    if (comparison->stranger_count <= comparison->stranger_told || comparison->stranger_count > TOLD_AT_ONCE) return;
    comparison->stranger_told = comparison->stranger_count;
    LOG(LOG_WARN, "fund_without_campaign", LOG_TEXT("reference", reference), LOG_INTEGER("funded_there", fund->funded_minor),
        LOG_INTEGER("credited_there", fund->credited_minor));
}

static bool take_fund(struct comparison *comparison, const struct json_value *item) {
    struct fund_document fund;
    struct id id;
    if (!read_fund(item, &fund)) return false;
    struct text reference = json_get_text(item, "reference");
    const struct board_slot *slot = result_is_ok(id_parse(reference, &id)) ? board_find_id(comparison->board, id) : NULL;
    if (slot == NULL)
        note_stranger(comparison, reference, &fund);
    else if (slot->number <= comparison->count)
        comparison->memory[slot->number - 1].there = fund;
    return true;
}

static bool take_page(struct comparison *comparison, const struct json_value *root) {
    const struct json_value *data = json_get(root, "data");
    struct text next = json_get_text(root, "next_cursor");
    size_t count = json_array_count(data);
    if (!json_is_array(data) || next.size > sizeof comparison->cursor || (next.size > 0 && count == 0)) return false;
    for (size_t i = 0; i < count; i++) {
        if (!take_fund(comparison, json_array_item(data, i))) return false;
    }
    if (next.size > 0) memcpy(comparison->cursor, next.data, next.size);
    comparison->cursor_size = next.size;
    return true;
}

static bool read_reply(struct comparison *comparison) {
    struct faults faults;
    struct json_document *document = NULL;
    faults_init(&faults, &comparison->arena);
    if (!result_is_ok(json_open(&comparison->arena, comparison->call.reply, &faults, &document))) return false;
    bool is_read = take_page(comparison, json_root(document));
    json_close(document);
    return is_read;
}

/* A Wallet from before it had this list: nothing can be compared, and nothing shall wait for it. */
static void pass_all(struct comparison *comparison) {
    if (!comparison->has_warned) LOG(LOG_WARN, "books_not_comparable", LOG_STRING("reason", "Wallet is too old to list its funds"));
    comparison->has_warned = true;
    for (size_t i = 0; i < comparison->count; i++) {
        struct board_slot *slot = board_slot(comparison->board, i);
        if (board_books(slot) == BOOKS_NOT_COMPARED) agree(comparison, slot);
    }
    set_due(comparison, clock_monotonic_us(comparison->calls->clock));
    tell_when_compared(comparison);
}

/* ---- the last credit that Wallet has of us ---- */

/* `ret_reference` stays as it is when Wallet has none, or is too old to say. One that is no id of ours is unknown as well. */
static bool read_last(struct comparison *comparison, struct id *ret_reference, bool *ret_is_id) {
    struct faults faults;
    struct json_document *document = NULL;
    faults_init(&faults, &comparison->arena);
    if (!result_is_ok(json_open(&comparison->arena, comparison->call.reply, &faults, &document))) return false;
    struct text reference = json_get_text(json_get(json_root(document), "caller"), "last_reference");
    *ret_is_id = reference.size == 0 || result_is_ok(id_parse(reference, ret_reference));
    json_close(document);
    return true;
}

/* What Wallet was sent was on disk here before: asked afterwards, our database knows it, or is an older copy. */
static bool look_for_last(struct comparison *comparison) {
    struct found_redemption found = {0};
    struct id reference = {{0}};
    bool is_id;
    if (!read_last(comparison, &reference, &is_id)) return false;
    if (is_id && !id_is_zero(reference)) {
        ask_redemption(comparison->walk.batch, reference, redemption_found, &found);
        if (!result_is_ok(batch_run(comparison->walk.batch))) return false;
    }
    bool is_suspect = !is_id || (!id_is_zero(reference) && !found.is_found);
    if (is_suspect && !comparison->is_suspect) LOG(LOG_WARN, "last_credit_unknown", LOG_ID("reference", reference));
    comparison->is_suspect = is_suspect;
    return true;
}

static void ask(struct comparison *comparison);

static void last_answered(struct comparison *comparison) {
    const struct http_call *call = &comparison->call;
    bool is_too_old = calls_is_not_found(comparison->calls, call);
    comparison->is_of_last = false;
    if (is_too_old || (result_is_ok(call->outcome) && call->status == 200 && look_for_last(comparison)))
        ask(comparison);
    else
        failed(comparison);
}

static void page_answered(struct comparison *comparison) {
    const struct http_call *call = &comparison->call;
    if (calls_is_not_found(comparison->calls, call))
        pass_all(comparison);
    else if (!result_is_ok(call->outcome) || call->status != 200 || !read_reply(comparison))
        failed(comparison);
    else if (comparison->cursor_size == 0)
        end_look(comparison);
    else
        ask(comparison);
}

static void answered(struct http_call *call) {
    struct http_call ended = *call; /* the next page is asked for in the same place */
    struct comparison *comparison = call->context;
    calls_judge(comparison->calls, call);
    comparison->is_asking = false;
    if (comparison->is_of_last)
        last_answered(comparison);
    else
        page_answered(comparison);
    http_call_clear(&ended);
}

static void ask(struct comparison *comparison) {
    arena_release(&comparison->arena);
    arena_init(&comparison->arena, ARENA_BYTES);
    struct text path = comparison->is_of_last ? TEXT(PATH_OF_LAST) : TEXT(PATH);
    if (comparison->cursor_size > 0)
        path = arena_print(&comparison->arena, PATH "&cursor=%.*s", (int)comparison->cursor_size, comparison->cursor);
    comparison->call = (struct http_call){.method = "GET", .done = answered, .context = comparison};
    comparison->is_asking = result_is_ok(calls_start(comparison->calls, &comparison->call, path, &comparison->arena));
    if (!comparison->is_asking) failed(comparison);
}

/* ---- a look ---- */

/* Another Wallet is ours from now on: nothing is known of its books. */
static void look_who_it_is(struct comparison *comparison, int64_t now_us) {
    struct id ours = comparison->calls->instance.ours;
    if (id_equal(comparison->instance, ours)) return;
    bool is_exchanged = !id_is_zero(comparison->instance);
    comparison->instance = ours;
    if (!is_exchanged) return;
    make_due(comparison, now_us);
    for (size_t i = 0; i < board_count(comparison->board); i++) {
        struct board_slot *slot = board_slot(comparison->board, i);
        enum books books = board_books(slot);
        if (books == BOOKS_AGREE || books == BOOKS_CONFLICTED) board_set_books(slot, BOOKS_NOT_COMPARED);
    }
}

static void begin_look(struct comparison *comparison) {
    comparison->count = board_count(comparison->board);
    comparison->stranger_count = comparison->cursor_size = 0;
    comparison->is_of_last = false;
    for (size_t i = 0; i < comparison->count; i++) {
        comparison->is_of_last |= board_books(board_slot(comparison->board, i)) == BOOKS_NOT_COMPARED;
        comparison->memory[i].was_archived = board_is_archived(board_slot(comparison->board, i));
        if (!comparison->memory[i].was_archived) comparison->before[i] = board_view(board_slot(comparison->board, i));
        comparison->memory[i].again_before = claims_again(comparison->claims, (uint32_t)i + 1);
        comparison->memory[i].there = (struct fund_document){0};
    }
    ask(comparison);
}

/* ---- walks ---- */

static void walk_read(void *context, uint32_t number) {
    struct comparison *comparison = context;
    struct board_slot *slot = slot_of(comparison, number);
    const struct walk_counts *counts = &comparison->walk.counts;
    LOG(counts->unknown > 0 ? LOG_WARN : LOG_INFO, "credits_compared", LOG_ID("campaign_id", slot->id),
        LOG_INTEGER("credits_there", counts->seen), LOG_INTEGER("unknown", counts->unknown), LOG_INTEGER("foreign", counts->foreign));
    comparison->memory[number - 1].foreign_count = counts->foreign;
    funds_note_foreign(comparison->funds, number, counts->foreign_minor);
    if (counts->unknown > 0) {
        board_set_books(slot, BOOKS_RECOVERING);
        return;
    }
    funds_note_conflicts(comparison->funds, number, 0);
    agree(comparison, slot);
}

static void walk_ended(void *context, uint32_t number, bool is_done) {
    struct comparison *comparison = context;
    struct board_slot *slot = slot_of(comparison, number);
    int64_t now_us = clock_monotonic_us(comparison->calls->clock);
    funds_hold(comparison->funds, number, false);
    if (comparison->walk.counts.again > 0)
        LOG(LOG_WARN, "credits_sent_again", LOG_ID("campaign_id", slot->id), LOG_INTEGER("credits", comparison->walk.counts.again));
    if (is_done) comparison->memory[number - 1].explained_minor = comparison->walk_odd_minor;
    if (comparison->walk.counts.reversals_again > 0)
        LOG(LOG_WARN, "reversals_sent_again", LOG_ID("campaign_id", slot->id),
            LOG_INTEGER("reversals", comparison->walk.counts.reversals_again));
    if (!is_done) {
        if (board_books(slot) == BOOKS_WALKING) board_set_books(slot, BOOKS_NOT_COMPARED);
        backoff_fail(&comparison->backoff, now_us, 0);
        make_due(comparison, now_us);
    }
    tell_when_compared(comparison);
}

/* The next that waits for a walk and whose fund is as Wallet says by now; 0: none. */
static uint32_t next_to_walk(const struct comparison *comparison) {
    if (comparison->walk_count == 0 || comparison->walk.state != WALK_IDLE || rebuild_is_busy(comparison->rebuild)) return 0;
    for (size_t i = 0; i < comparison->count; i++) {
        if (comparison->memory[i].must_walk && !funds_is_behind(comparison->funds, (uint32_t)i + 1)) return (uint32_t)i + 1;
    }
    return 0;
}

static void walk_next(struct comparison *comparison) {
    uint32_t number = next_to_walk(comparison);
    if (number == 0) return;
    comparison->walk.foreign_told = comparison->memory[number - 1].foreign_count;
    comparison->walk_odd_minor = comparison->memory[number - 1].odd_minor;
    set_must_walk(comparison, number, !walk_begin(&comparison->walk, number));
}

/* What the walk has found unknown is worked off. */
static void rebuilt(void *context, uint32_t number, enum rebuild_end how) {
    struct comparison *comparison = context;
    struct compared *compared = &comparison->memory[number - 1];
    compared->is_blocked = how == REBUILD_BLOCKED;
    set_must_walk(comparison, number, how == REBUILD_CUT);
    funds_note_conflicts(comparison->funds, number, comparison->rebuild->conflict_minor);
    if (how == REBUILD_WHOLE || how == REBUILD_CONFLICTED)
        open_books(comparison, slot_of(comparison, number), how == REBUILD_WHOLE ? BOOKS_AGREE : BOOKS_CONFLICTED);
    tell_when_compared(comparison);
}

/* ---- all of it ---- */

/* When the next look may begin. */
static int64_t next_look_us(const struct comparison *comparison) {
    if (comparison->is_asking) return INT64_MAX;
    return comparison->due_us > comparison->backoff.retry_at_us ? comparison->due_us : comparison->backoff.retry_at_us;
}

int64_t comparison_next_us(const struct comparison *comparison, int64_t now_us) {
    if (next_to_walk(comparison) != 0) return now_us;
    int64_t look_us = next_look_us(comparison), walk_us = walk_next_us(&comparison->walk, now_us);
    return look_us < walk_us ? look_us : walk_us;
}

/* At once, when something waits for it. */
static void begin(struct comparison *comparison, int64_t now_us) {
    if (comparison->has_begun) return;
    comparison->has_begun = true;
    make_due(comparison, has_open(comparison) ? now_us : now_us + FIRST_US);
}

void comparison_run(struct comparison *comparison, int64_t now_us) {
    if (comparison->calls->client == NULL) return;
    begin(comparison, now_us);
    look_who_it_is(comparison, now_us);
    if (comparison->calls->must_compare && !comparison->is_asking) {
        comparison->calls->must_compare = false;
        make_due(comparison, now_us);
    }
    if (now_us >= next_look_us(comparison)) begin_look(comparison);
    walk_next(comparison);
    walk_run(&comparison->walk, now_us);
}

/* ---- life ---- */

struct result comparison_init(struct comparison *comparison) {
    comparison->rebuild->ended = rebuilt;
    comparison->rebuild->context = comparison;
    comparison->walk.taker = &comparison->rebuild->taker;
    comparison->walk.ended = walk_ended;
    comparison->walk.read = walk_read;
    comparison->walk.context = comparison;
    comparison->memory = pages_take(LIMIT_CAMPAIGNS_KEPT, sizeof *comparison->memory);
    comparison->before = pages_take(LIMIT_CAMPAIGNS_KEPT, sizeof *comparison->before);
    return comparison->memory == NULL || comparison->before == NULL ? result_error(RESULT_FULL) : result_ok();
}

void comparison_free(struct comparison *comparison) {
    CHECK(!comparison->is_asking);
    walk_free(&comparison->walk);
    arena_release(&comparison->arena);
    pages_free(comparison->memory, LIMIT_CAMPAIGNS_KEPT, sizeof *comparison->memory);
    pages_free(comparison->before, LIMIT_CAMPAIGNS_KEPT, sizeof *comparison->before);
}
