/* POST /v1/credits/reversals: a service takes back what it gave, many at once, each exactly once by the credit's reference. */
#include "wallet/credit_reversals.h"

#include <stdio.h>

#include "base/check.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/problems.h"
#include "wallet/reference.h"
#include "wallet/wallet.h"

#define PREFIX_BYTES    40 /* "items[999].", whatever a size_t may hold */
#define ITEM_BYTES      256u
#define ITEM_ROOM_BYTES 1024u /* that must be left in the arena for each: its answer fits whatever the decision is */
#define ANSWER_BYTES    512u
#define ITEM_WEIGHT     2u /* back to the fund, and on to issuance when that is released */

_Static_assert(LIMIT_CREDIT_ITEMS *ITEM_WEIGHT <= LIMIT_STORE_BATCH_WEIGHT, "the working set has room for each");

/* ---- the document ---- */

static void write_item(struct json_writer *writer, const struct credit_reversal_item *item, const struct credit_reversal_outcome *outcome) {
    bool is_refused = outcome_is_refusal(outcome->outcome);
    json_begin_object(writer);
    json_text_member(writer, "reference", item->reference);
    json_text_member(writer, "status", is_refused ? TEXT("rejected") : text_of(ledger_outcome_code(outcome->outcome)));
    if (is_refused) {
        json_text_member(writer, "code", text_of(ledger_outcome_code(outcome->outcome)));
    } else {
        json_id_member(writer, "transaction_id", outcome->transaction_id);
        json_integer_member(writer, "balance_after", outcome->balance_after);
        json_time_member(writer, "created_at", outcome->created_at_us);
    }
    json_end_object(writer);
}

/* ---- the action ---- */

static void load(struct engine *engine, struct operation *operation) {
    const struct credit_reversals *reversals = (const struct credit_reversals *)operation;
    for (size_t i = 0; i < reversals->count; i++) books_load_original_credit(engine, reversals->caller, reversals->items[i].reference);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    const struct credit_reversals *reversals = (const struct credit_reversals *)operation;
    for (size_t i = 0; i < reversals->count; i++)
        reversals->outcomes[i] = ledger_reverse_credit(books_ledger(engine), reversals->caller, &reversals->items[i], now_us);
}

static void render(struct operation *operation) {
    const struct credit_reversals *reversals = (const struct credit_reversals *)operation;
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, ANSWER_BYTES + reversals->count * ITEM_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "items");
    json_begin_array(&writer);
    for (size_t i = 0; i < reversals->count; i++) write_item(&writer, &reversals->items[i], &reversals->outcomes[i]);
    json_end_array(&writer);
    json_end_object(&writer);
    operation_answer(operation, 200, "application/json", &buffer);
}

const struct action credit_reversals_action = {
    .name = "credit reversals", .weight = ITEM_WEIGHT, .answer_bytes = ANSWER_BYTES, .load = load, .decide = decide, .render = render};

/* ---- the request ---- */

static void read_item(const struct json_value *value, size_t index, struct credit_reversal_item *item, struct faults *faults) {
    char prefix[PREFIX_BYTES];
    snprintf(prefix, sizeof prefix, "items[%zu].", index);
    const struct json_member members[] = {
        {.name = "reference", .kind = JSON_TEXT, .target = &item->reference, .required = true},
        {.name = "reason", .kind = JSON_TEXT, .target = &item->reason, .required = true, .min = 1, .max = LIMIT_DESCRIPTION_CHARACTERS},
    };
    if (!json_is_object(value)) {
        prefix[snprintf(prefix, sizeof prefix, "items[%zu]", index)] = '\0';
        faults_add(faults, prefix, "wrong_type", "must be an object");
        return;
    }
    json_read(value, prefix, members, ARRAY_COUNT(members), faults);
    if (item->reference.data != NULL) reference_check(item->reference, REFERENCE_ANY, prefix, "reference", faults);
}

/* The parser's texts go with the document: what the store needs is copied. */
static bool keep_item(struct exchange *exchange, struct credit_reversal_item *item) {
    item->reference = arena_copy(&exchange->arena, item->reference);
    item->reason = arena_copy(&exchange->arena, item->reason);
    return item->reference.data != NULL && item->reason.data != NULL;
}

static bool read_items(struct exchange *exchange, const struct json_value *body, struct faults *faults, struct credit_reversals *ret_read) {
    const struct json_value *array = NULL;
    const struct json_member members[] = {
        {.name = "items", .kind = JSON_ARRAY, .target = &array, .required = true, .min = 1, .max = LIMIT_CREDIT_ITEMS},
    };
    json_read(body, "", members, ARRAY_COUNT(members), faults);
    if (array == NULL && request_refuse_faults(exchange, faults)) return false; /* what is wrong beside good items comes with theirs */
    size_t count = json_array_count(array);
    struct credit_reversal_item *items = ARENA_NEW_ARRAY(&exchange->arena, struct credit_reversal_item, count);
    struct credit_reversal_outcome *outcomes = ARENA_NEW_ARRAY(&exchange->arena, struct credit_reversal_outcome, count);
    bool has_room = items != NULL && outcomes != NULL;
    for (size_t i = 0; i < count && has_room; i++) read_item(json_array_item(array, i), i, &items[i], faults);
    if (has_room && request_refuse_faults(exchange, faults)) return false;
    for (size_t i = 0; i < count && has_room; i++) has_room = keep_item(exchange, &items[i]);
    if (!has_room) request_refuse_memory(exchange);
    ret_read->items = items;
    ret_read->outcomes = outcomes;
    ret_read->count = count;
    return has_room;
}

static struct credit_reversals *read_reversals(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    struct credit_reversals read;
    if (body == NULL || !read_items(exchange, body, &faults, &read)) return NULL;
    struct credit_reversals *reversals = operation_begin(exchange, &credit_reversals_action, sizeof *reversals);
    if (reversals == NULL) return NULL;
    reversals->caller = (struct text){exchange->caller.name, exchange->caller.name_size};
    reversals->items = read.items;
    reversals->outcomes = read.outcomes;
    reversals->count = read.count;
    reversals->operation.store.weight = (uint32_t)read.count * ITEM_WEIGHT;
    reversals->operation.answer_bytes += read.count * ITEM_ROOM_BYTES;
    operation_read_key(&reversals->operation, body);
    return reversals;
}

void credit_reversals_create(struct exchange *exchange) {
    struct credit_reversals *reversals = read_reversals(exchange);
    if (reversals == NULL)
        exchange_finish(exchange);
    else
        operation_submit(&reversals->operation);
}
