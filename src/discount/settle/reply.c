#include "discount/settle/reply.h"

#include "base/json/json.h"

/* Refusals that will never turn into a credit (api/wallet.yaml). Everything else is tried again. */
static bool is_final(struct text code) {
    static const char *const codes[] = {"account_frozen",    "account_closed", "ceiling_reached",   "user_not_found",
                                        "currency_mismatch", "balance_limit",  "balance_too_large", "reference_conflict"};
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        if (text_equal(code, text_of(codes[i]))) return true;
    }
    return false;
}

static struct result read_item(const struct json_value *item, bool (*ends)(struct text code), struct delivery_outcome *ret_outcome) {
    struct text status = json_get_text(item, "status");
    struct delivery_outcome outcome = {.code = json_get_text(item, "code")};
    if (text_equal(status, TEXT("applied")) || text_equal(status, TEXT("replayed"))) {
        outcome.verdict = DELIVERY_DONE;
        TRY(id_parse(json_get_text(item, "transaction_id"), &outcome.transaction_id));
        if (id_is_zero(outcome.transaction_id)) return result_error(RESULT_INVALID);
        if (!result_is_ok(clock_parse(json_get_text(item, "created_at"), &outcome.created_at_us))) outcome.created_at_us = 0;
    } else if (text_equal(status, TEXT("rejected")) && outcome.code.size > 0) {
        outcome.verdict = ends(outcome.code) ? DELIVERY_REFUSED : DELIVERY_LATER;
    } else {
        return result_error(RESULT_INVALID);
    }
    *ret_outcome = outcome;
    return result_ok();
}

/* The item's place in the batch: almost always its own in the answer, which has as many. Behind the last: it is no item of the batch. */
static size_t find_place(const struct delivery_batch *batch, struct id id, size_t guess) {
    if (id_equal(batch->items[guess]->id, id)) return guess;
    size_t place = 0;
    while (place < batch->item_count && !id_equal(batch->items[place]->id, id)) place++;
    return place;
}

static struct result read_into_place(struct delivery_batch *batch, const struct json_value *item, bool (*ends)(struct text code),
                                     size_t index) {
    struct id reference;
    TRY(id_parse(json_get_text(item, "reference"), &reference));
    size_t place = find_place(batch, reference, index);
    if (place == batch->item_count) return result_error(RESULT_INVALID);
    struct delivery_outcome *outcome = &batch->outcomes[place];
    if (outcome->verdict != DELIVERY_MISSING) return result_error(RESULT_INVALID);
    TRY(read_item(item, ends, outcome));
    if (outcome->code.size == 0) return result_ok();
    outcome->code = arena_copy(&batch->arena, outcome->code);
    return outcome->code.data == NULL ? result_error(RESULT_FULL) : result_ok();
}

static void close_document(struct json_document **document) { json_close(*document); }

struct result reply_read_by(struct delivery_batch *batch, struct text reply, bool (*ends)(struct text code)) {
    struct faults *faults = ARENA_NEW(&batch->arena, struct faults);
    if (faults == NULL) return result_error(RESULT_FULL);
    faults_init(faults, &batch->arena);
    struct json_document *document __attribute__((cleanup(close_document))) = NULL;
    TRY(json_open(&batch->arena, reply, faults, &document));
    const struct json_value *items = json_get(json_root(document), "items");
    if (json_array_count(items) != batch->item_count) return result_error(RESULT_INVALID);
    for (size_t i = 0; i < batch->item_count; i++) batch->outcomes[i] = (struct delivery_outcome){.verdict = DELIVERY_MISSING};
    for (size_t i = 0; i < batch->item_count; i++) TRY(read_into_place(batch, json_array_item(items, i), ends, i));
    return result_ok();
}

struct result reply_read(struct delivery_batch *batch, struct text reply) {
    return reply_read_by(batch, reply, is_final);
}
