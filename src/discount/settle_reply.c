/* Reading Wallet's answer to a batch. It comes from another process: each item must name a claim of this batch, each claim once, and say
 * something that the contract knows; else nothing of it is believed, and the whole batch is sent again. The order does not matter. */
#include "base/planted.h"
#include "discount/settle_state.h"

/* Refusals that will never turn into a credit (api/wallet.yaml). Everything else is tried again. */
static bool is_final(struct text code) {
    static const char *const codes[] = {"account_frozen", "user_not_found",    "currency_mismatch",
                                        "balance_limit",  "balance_too_large", "reference_conflict"};
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        if (text_equal(code, text_of(codes[i]))) return true;
    }
    return false;
}

static struct result read_item(const struct json_value *item, struct credit_verdict *ret_verdict) {
    struct text status = json_get_text(item, "status");
    struct credit_verdict verdict = {.code = json_get_text(item, "code")};
    if (text_equal(status, TEXT("applied")) || text_equal(status, TEXT("replayed"))) {
        verdict.outcome = CREDIT_DONE;
        TRY(id_parse(json_get_text(item, "transaction_id"), &verdict.transaction_id));
        if (id_is_zero(verdict.transaction_id)) return result_error(RESULT_INVALID);
        if (!result_is_ok(clock_parse(json_get_text(item, "created_at"), &verdict.created_at_us))) verdict.created_at_us = 0;
    } else if (text_equal(status, TEXT("rejected")) && verdict.code.size > 0) {
        verdict.outcome = is_final(verdict.code) ? CREDIT_FAILED : CREDIT_LATER;
    } else {
        return result_error(RESULT_INVALID);
    }
    *ret_verdict = verdict;
    return result_ok();
}

/* The claim's place in the batch: almost always the item's own. */
static struct result find_place(const struct settle_batch *batch, struct id id, size_t guess, size_t *ret_place) {
    if (guess < batch->claim_count && (id_equal(batch->claims[guess]->id, id) || PLANTED(NEW_REFERENCE_AT_EACH_TRY))) {
        *ret_place = guess;
        return result_ok();
    }
    for (size_t i = 0; i < batch->claim_count; i++) {
        if (!id_equal(batch->claims[i]->id, id)) continue;
        *ret_place = i;
        return result_ok();
    }
    return result_error(RESULT_INVALID);
}

static void close_document(struct json_document **document) { json_close(*document); }

struct result settle_read_reply(struct settle_batch *batch, struct text reply, struct credit_verdict *verdicts) {
    struct faults *faults = ARENA_NEW(&batch->arena, struct faults);
    if (faults == NULL) return result_error(RESULT_FULL);
    faults_init(faults, &batch->arena);
    struct json_document *document __attribute__((cleanup(close_document))) = NULL;
    TRY(json_open(&batch->arena, reply, faults, &document));
    const struct json_value *root = json_root(document);
    if (!json_is_object(root)) return result_error(RESULT_INVALID);
    const struct json_value *items = json_get(root, "items");
    if (items == NULL || json_array_count(items) != batch->claim_count) return result_error(RESULT_INVALID);
    for (size_t i = 0; i < batch->claim_count; i++) verdicts[i] = (struct credit_verdict){.outcome = CREDIT_MISSING};
    for (size_t i = 0; i < batch->claim_count; i++) {
        const struct json_value *item = json_array_item(items, i);
        if (!json_is_object(item)) return result_error(RESULT_INVALID);
        struct id reference;
        size_t place;
        TRY(id_parse(json_get_text(item, "reference"), &reference));
        TRY(find_place(batch, reference, i, &place));
        if (verdicts[place].outcome != CREDIT_MISSING) return result_error(RESULT_INVALID);
        TRY(read_item(item, &verdicts[place]));
        if (verdicts[place].code.size > 0) verdicts[place].code = arena_copy(&batch->arena, verdicts[place].code);
        if (verdicts[place].code.data == NULL && verdicts[place].code.size > 0) return result_error(RESULT_FULL);
    }
    return result_ok();
}
