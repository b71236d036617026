#include "discount/settle/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/json/json.h"
#include "base/log.h"
#include "discount/tables.h"

#define ARENA_BYTES  (4u * 1024 * 1024) /* a page and what is found of it */
#define ATTEMPTS_MAX 6u                 /* of one page; then the whole walk is left for later */
#define ROWS_AT_ONCE 1000u              /* of our own, before anything else has its turn */
#define TOLD_AT_ONCE 20u                /* of each kind that can't be put right, in the log; reconcile names all */
#define PATH         "/transactions?limit=200"

/* ---- bits by position ---- */

static size_t bytes_for(int64_t place_count) { return (size_t)(place_count / 8 + 1); }

static void set_bit(uint8_t *bits, int64_t position) { bits[position / 8] |= (uint8_t)(1u << (position % 8)); }

static bool has_bit(const uint8_t *bits, int64_t position) { return ((unsigned)bits[position / 8] >> (position % 8) & 1u) != 0; }

/* ---- its life ---- */

static void forget(struct walk *walk) {
    free(walk->paid);
    free(walk->other);
    walk->paid = walk->other = NULL;
    walk->state = WALK_IDLE;
}

static void end(struct walk *walk, bool is_done) {
    uint32_t number = walk->campaign_number;
    if (walk->has_taken) walk->taker->give_up(walk->taker->context, number);
    walk->has_taken = false;
    forget(walk);
    walk->ended(walk->context, number, is_done);
}

bool walk_begin(struct walk *walk, uint32_t campaign_number) {
    CHECK(walk->state == WALK_IDLE && !walk->is_asking && !walk->has_taken);
    struct campaign_view view = board_view(board_slot(walk->board, campaign_number - 1));
    walk->paid = calloc(1, bytes_for(view.redeemed));
    walk->other = calloc(1, bytes_for(view.redeemed));
    if (walk->paid == NULL || walk->other == NULL) {
        forget(walk);
        return false;
    }
    walk->campaign_number = campaign_number;
    walk->place_count = view.redeemed;
    walk->credited_count = view.credited;
    walk->paid_count = walk->other_count = 0;
    walk->counts = (struct walk_counts){0};
    walk->cursor_size = 0;
    walk->sent_position = 0;
    backoff_clear(&walk->backoff);
    walk->state = WALK_READING;
    return true;
}

void walk_free(struct walk *walk) {
    CHECK(!walk->is_asking);
    forget(walk);
    arena_release(&walk->arena);
}

/* ---- what Wallet says of a credit ---- */

/* With the reference zero: it names no redemption. Somebody has paid out of our fund who is none of us, or had our key. */
static bool read_credit(const struct json_value *item, struct unknown_credit *ret_credit) {
    struct text reference = json_get_text(item, "reference");
    *ret_credit = (struct unknown_credit){.amount_minor = json_get_integer(item, "amount", -1)};
    ret_credit->is_reversed = json_get_integer(item, "reversed", 0) == ret_credit->amount_minor;
    if (!result_is_ok(id_parse(reference, &ret_credit->reference))) ret_credit->reference = (struct id){{0}};
    return reference.size > 0 && result_is_ok(id_parse(json_get_text(item, "user_id"), &ret_credit->user_id)) &&
           result_is_ok(id_parse(json_get_text(item, "transaction_id"), &ret_credit->transaction_id)) &&
           result_is_ok(clock_parse(json_get_text(item, "created_at"), &ret_credit->created_at_us)) && ret_credit->amount_minor > 0 &&
           ret_credit->amount_minor <= MONEY_AMOUNT_MAX && !id_is_zero(ret_credit->transaction_id);
}

/* What we have written into it ourselves (credits.c). What is not of this campaign, or not whole, is nothing. */
static void read_description(const struct walk *walk, const struct json_value *item, struct unknown_credit *credit) {
    const struct json_value *metadata = json_get(item, "metadata");
    struct id campaign_id;
    if (!result_is_ok(id_parse(json_get_text(metadata, "campaign"), &campaign_id))) return;
    int64_t position = json_get_integer(metadata, "position", 0);
    bool is_ours = id_equal(campaign_id, board_slot(walk->board, walk->campaign_number - 1)->id);
    if (!is_ours || position < 1 || position > LIMIT_CAMPAIGN_PLACES) return;
    struct text code = json_get_text(metadata, "code");
    bool is_whole = phone_of_e164(json_get_text(metadata, "phone"), &credit->phone) &&
                    (code.size == 0 || result_is_ok(code_parse(code, &credit->code)));
    int64_t batch = json_get_integer(metadata, "code_batch", 0), index = json_get_integer(metadata, "code_index", 0);
    bool is_unique = is_whole && batch > 0 && batch <= LIMIT_CODE_BATCHES && index > 0;
    credit->code_batch = is_unique ? (uint32_t)batch : 0;
    credit->code_index = is_unique ? index : 0;
    credit->is_described = is_whole;
    credit->position = is_whole ? position : 0;
    if (is_whole) return;
    credit->phone = (struct phone){0};
}

/* ---- one credit against its redemption ---- */

static bool take_unknown(struct walk *walk, const struct json_value *item, struct unknown_credit *credit) {
    walk->counts.unknown++;
    if (walk->taker == NULL) return true;
    read_description(walk, item, credit);
    if (!walk->has_taken) walk->has_taken = walk->taker->begin(walk->taker->context, walk->campaign_number);
    return walk->has_taken && walk->taker->credit(walk->taker->context, credit);
}

/* It stays out of the way of all others: neither can it be made a redemption, nor is any of ours owed for it. */
static void note_foreign(struct walk *walk, const struct json_value *item, const struct unknown_credit *credit) {
    struct walk_counts *counts = &walk->counts;
    counts->foreign++;
    const struct money amount = {credit->amount_minor, board_slot(walk->board, walk->campaign_number - 1)->currency};
    CHECK(result_is_ok(money_add_to_total(counts->foreign_minor, amount, &counts->foreign_minor))); /* both are sums of money */
    if (counts->foreign_minor > MONEY_AMOUNT_MAX)
        counts->foreign_minor = MONEY_AMOUNT_MAX; /* a fund has no more: who says so is not believed */
    if (counts->foreign <= walk->foreign_told || counts->foreign > TOLD_AT_ONCE) return;
    LOG(LOG_ERROR, "credit_of_no_redemption", LOG_ID("campaign_id", board_slot(walk->board, walk->campaign_number - 1)->id),
        LOG_TEXT("reference", json_get_text(item, "reference")), LOG_ID("transaction_id", credit->transaction_id),
        LOG_INTEGER("amount", credit->amount_minor));
}

/* Neither of the two can be put right by sending. */
static bool is_of_another(struct walk *walk, const struct redemption *redemption, const struct unknown_credit *credit) {
    if (redemption->campaign_number == walk->campaign_number && id_equal(redemption->user_id, credit->user_id)) return false;
    if (walk->counts.of_another++ < TOLD_AT_ONCE)
        LOG(LOG_ERROR, "credit_is_of_another", LOG_ID("redemption_id", redemption->id), LOG_ID("transaction_id", credit->transaction_id));
    return true;
}

/* Its reference is used up there: Wallet would refuse it for good. */
static bool is_settled_by_it(const struct walk *walk, const struct redemption *redemption, const struct unknown_credit *credit,
                             bool is_of_another) {
    if (is_of_another) return redemption->campaign_number == walk->campaign_number && redemption->status == REDEMPTION_CREDITED;
    bool is_credited = redemption->status == REDEMPTION_CREDITED || redemption->status == REDEMPTION_REVERSING;
    return is_credited && id_equal(redemption->transaction_id, credit->transaction_id);
}

/* Wallet has lost the reversal. Without room for it the next look finds it again. */
static void compare_reversed(struct walk *walk, const struct redemption *redemption, const struct unknown_credit *credit) {
    if (walk->reverse_again == NULL || credit->is_reversed || is_of_another(walk, redemption, credit)) return;
    walk->counts.reversals_again += walk->reverse_again(walk->reversals, redemption);
}

static void compare(struct walk *walk, const struct redemption *redemption, const struct unknown_credit *credit) {
    if (redemption->status == REDEMPTION_REVERSED) {
        compare_reversed(walk, redemption, credit);
        return;
    }
    bool is_anothers = is_of_another(walk, redemption, credit), is_paid = is_settled_by_it(walk, redemption, credit, is_anothers);
    if (redemption->status == REDEMPTION_CLAIMED || redemption->position > walk->place_count || (is_anothers && !is_paid)) return;
    set_bit(is_paid ? walk->paid : walk->other, redemption->position);
    ++*(is_paid ? &walk->paid_count : &walk->other_count);
}

/* ---- a page ---- */

struct page_item {
    const struct json_value *item;
    struct unknown_credit credit;
    struct found_redemption found;
};

static bool read_items(const struct json_value *data, struct page_item *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct page_item){.item = json_array_item(data, i)};
        if (!read_credit(items[i].item, &items[i].credit)) return false;
    }
    return true;
}

static bool find_redemptions(struct walk *walk, struct page_item *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (id_is_zero(items[i].credit.reference)) continue;
        ask_redemption(walk->batch, items[i].credit.reference, redemption_found, &items[i].found);
    }
    return result_is_ok(batch_run(walk->batch));
}

/* We have lost its reversal, or it was made at Wallet. */
static bool is_reversed_there_alone(const struct walk *walk, const struct redemption *redemption, const struct unknown_credit *credit) {
    bool is_it = redemption->campaign_number == walk->campaign_number && id_equal(redemption->id, credit->reference) &&
                 id_equal(redemption->user_id, credit->user_id);
    bool is_open =
        redemption->status == REDEMPTION_CREDITED || redemption->status == REDEMPTION_CLAIMED; /* and not known to be paid, either */
    return is_it && credit->is_reversed && is_open;
}

/* One that waits here was paid before our copy was made, and is to be given the place that it has. */
static bool is_known(const struct walk *walk, const struct page_item *item) {
    if (!item->found.is_found || item->found.redemption.status == REDEMPTION_WAITING) return false;
    return !is_reversed_there_alone(walk, &item->found.redemption, &item->credit);
}

/* False: the page is of no use, or there is no room for what was found. */
static bool take_items(struct walk *walk, const struct json_value *data) {
    size_t count = json_array_count(data);
    struct page_item *items = ARENA_NEW_ARRAY(&walk->arena, struct page_item, count + 1);
    if (items == NULL || !read_items(data, items, count) || !find_redemptions(walk, items, count)) return false;
    for (size_t i = 0; i < count; i++) {
        walk->counts.seen++;
        if (id_is_zero(items[i].credit.reference))
            note_foreign(walk, items[i].item, &items[i].credit);
        else if (is_known(walk, &items[i]))
            compare(walk, &items[i].found.redemption, &items[i].credit);
        else if (!take_unknown(walk, items[i].item, &items[i].credit))
            return false;
    }
    return true;
}

static void read_end(struct walk *walk) {
    walk->state = WALK_SENDING;
    walk->read(walk->context, walk->campaign_number);
    if (walk->has_taken) walk->taker->end(walk->taker->context, walk->campaign_number);
    walk->has_taken = false;
}

static bool take_page(struct walk *walk, const struct json_value *root) {
    const struct json_value *data = json_get(root, "data");
    struct text next = json_get_text(root, "next_cursor");
    if (!json_is_array(data) || next.size > sizeof walk->cursor || (next.size > 0 && json_array_count(data) == 0)) return false;
    if (!take_items(walk, data)) return false;
    if (next.size > 0) memcpy(walk->cursor, next.data, next.size);
    walk->cursor_size = next.size;
    if (next.size == 0) read_end(walk);
    return true;
}

static bool read_reply(struct walk *walk) {
    struct faults faults;
    struct json_document *document = NULL;
    faults_init(&faults, &walk->arena);
    if (!result_is_ok(json_open(&walk->arena, walk->call.reply, &faults, &document))) return false;
    bool is_read = take_page(walk, json_root(document));
    json_close(document);
    return is_read;
}

/* Asked again, a few times: a walk may be long. What it was handed over of a page that was of no use can't be told apart, so that one ends it. */
static void page_failed(struct walk *walk) {
    const struct http_call *call = &walk->call;
    bool has_answer = result_is_ok(call->outcome) && call->status < 500 && call->status != 429;
    calls_note_failure(walk->calls, call);
    LOG(LOG_WARN, "credits_not_read", LOG_ID("campaign_id", board_slot(walk->board, walk->campaign_number - 1)->id),
        LOG_STRING("outcome", result_name(call->outcome)), LOG_INTEGER("status", call->status));
    backoff_fail(&walk->backoff, clock_monotonic_us(walk->calls->clock), call->retry_after_ms);
    if (has_answer || walk->backoff.attempts >= ATTEMPTS_MAX) end(walk, false);
}

static void answered(struct http_call *call) {
    struct walk *walk = call->context;
    calls_judge(walk->calls, call);
    walk->is_asking = false;
    if (result_is_ok(call->outcome) && call->status == 200 && read_reply(walk))
        backoff_clear(&walk->backoff);
    else
        page_failed(walk);
    http_call_clear(call);
}

static void ask(struct walk *walk) {
    char id[ID_TEXT_BYTES];
    id_format(board_slot(walk->board, walk->campaign_number - 1)->id, id);
    arena_release(&walk->arena);
    arena_init(&walk->arena, ARENA_BYTES);
    struct text path = arena_print(&walk->arena, "/v1/funds/%.*s" PATH "%s%.*s", (int)sizeof id, id,
                                   walk->cursor_size > 0 ? "&cursor=" : "", (int)walk->cursor_size, walk->cursor);
    walk->call = (struct http_call){.method = "GET", .done = answered, .context = walk};
    walk->is_asking = result_is_ok(calls_start(walk->calls, &walk->call, path, &walk->arena));
    if (!walk->is_asking) end(walk, false);
}

/* ---- sending again ---- */

static bool is_lost(const struct walk *walk, const struct redemption *redemption) {
    int64_t position = redemption->position;
    CHECK(position <= walk->place_count); /* no more were asked for */
    if (redemption->status == REDEMPTION_CLAIMED || redemption->status == REDEMPTION_REVERSED) return false;
    if (has_bit(walk->other, position)) return true;
    return redemption->status != REDEMPTION_FAILED && !has_bit(walk->paid, position);
}

static struct result visit_row(void *context, const struct row *row) {
    struct walk *walk = context;
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, 0, &redemption));
    walk->sent_position = redemption.position;
    if (!is_lost(walk, &redemption)) return result_ok();
    walk->counts.again++;
    return claims_take_again(walk->claims, &redemption) ? result_ok() : result_error(RESULT_FULL);
}

static size_t room(const struct walk *walk) {
    const struct claims *claims = walk->claims;
    if (claims->free_count < claims->count_max / 2) return 0;
    return claims->free_count < ROWS_AT_ONCE ? claims->free_count : ROWS_AT_ONCE;
}

static void send_some(struct walk *walk, int64_t now_us) {
    uint32_t number = walk->campaign_number;
    int64_t after = redemption_key(number, walk->sent_position);
    ask_redemptions(walk->batch, after, redemption_key(number, walk->place_count + 1), (int64_t)room(walk), visit_row, walk);
    struct result outcome = batch_run(walk->batch);
    if (result_is_ok(outcome)) {
        if (redemption_key(number, walk->sent_position) == after || walk->sent_position == walk->place_count) end(walk, true);
        return;
    }
    LOG(LOG_ERROR, "rows_not_read", LOG_STRING("reason", result_name(outcome)));
    backoff_fail(&walk->backoff, now_us, 0);
    if (walk->backoff.attempts >= ATTEMPTS_MAX) end(walk, false);
}

static bool has_nothing_to_send(const struct walk *walk) { return walk->other_count == 0 && walk->paid_count == walk->credited_count; }

static bool can_send(const struct walk *walk) { return has_nothing_to_send(walk) || room(walk) > 0; }

int64_t walk_next_us(const struct walk *walk, int64_t now_us) {
    bool waits = walk->state == WALK_IDLE || walk->is_asking || (walk->state == WALK_SENDING && !can_send(walk));
    if (waits) return INT64_MAX;
    return walk->backoff.retry_at_us > now_us ? walk->backoff.retry_at_us : now_us;
}

void walk_run(struct walk *walk, int64_t now_us) {
    if (walk_next_us(walk, now_us) > now_us) return;
    if (walk->state == WALK_READING)
        ask(walk);
    else if (has_nothing_to_send(walk))
        end(walk, true);
    else
        send_some(walk, now_us);
}
