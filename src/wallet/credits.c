/* POST /v1/credits: many credits at once, each exactly once by its reference. */
#include <stdio.h>

#include "base/check.h"
#include "wallet/flow.h"
#include "wallet/problems.h"
#include "wallet/reference.h"

#define PREFIX_BYTES 40 /* "items[999].", whatever a size_t may hold */

/* False: no room. */
static bool read_metadata(struct exchange *exchange, const struct json_value *metadata, const char *prefix, struct credit_item *item,
                          struct faults *faults) {
    char field[PREFIX_BYTES + 16];
    item->metadata = json_dump(&exchange->arena, metadata);
    if (item->metadata.data == NULL) return false;
    snprintf(field, sizeof field, "%smetadata", prefix);
    if (item->metadata.size > LIMIT_METADATA_BYTES) {
        faults_add(faults, field, "too_long", "must be at most %u bytes as compact JSON", LIMIT_METADATA_BYTES);
    }
    return true;
}

/* False: no room. */
static bool read_item(struct exchange *exchange, const struct json_value *value, size_t index, struct credit_item *item,
                      struct faults *faults) {
    char prefix[PREFIX_BYTES];
    snprintf(prefix, sizeof prefix, "items[%zu].", index);
    const struct json_value *metadata = NULL;
    const struct json_member members[] = {
        {.name = "reference", .kind = JSON_TEXT, .target = &item->reference, .required = true},
        {.name = "user_id", .kind = JSON_ID, .target = &item->user_id, .required = true},
        {.name = "amount", .kind = JSON_INTEGER, .target = &item->amount.amount_minor, .required = true, .min = 1, .max = MONEY_AMOUNT_MAX},
        {.name = "currency", .kind = JSON_CURRENCY, .target = &item->amount.currency, .required = true},
        {.name = "fund", .kind = JSON_TEXT, .target = &item->fund},
        {.name = "description", .kind = JSON_TEXT, .target = &item->description, .max = LIMIT_DESCRIPTION_CHARACTERS},
        {.name = "metadata", .kind = JSON_OBJECT, .target = &metadata},
    };
    if (!json_is_object(value)) {
        prefix[snprintf(prefix, sizeof prefix, "items[%zu]", index)] = '\0';
        faults_add(faults, prefix, "wrong_type", "must be an object");
        return true;
    }
    json_read(value, prefix, members, ARRAY_COUNT(members), faults);
    if (item->reference.data != NULL) reference_check(item->reference, REFERENCE_ANY, prefix, "reference", faults);
    if (item->fund.data != NULL) reference_check(item->fund, REFERENCE_FUND, prefix, "fund", faults);
    return metadata == NULL || read_metadata(exchange, metadata, prefix, item, faults);
}

/* The parser's texts go with the document: what the store needs is copied. */
static bool keep_item(struct exchange *exchange, struct credit_item *item) {
    item->reference = flow_keep_text(exchange, item->reference);
    item->fund = flow_keep_text(exchange, item->fund);
    item->description = flow_keep_text(exchange, item->description);
    if (item->reference.data != NULL && item->fund.data != NULL && item->description.data != NULL) return true;
    flow_refuse(exchange, &problem_overloaded, NULL);
    return false;
}

static bool read_items(struct exchange *exchange, const struct json_value *body, struct faults *faults, struct credit_batch *ret_batch) {
    const struct json_value *array = NULL;
    const struct json_member members[] = {
        {.name = "items", .kind = JSON_ARRAY, .target = &array, .required = true, .min = 1, .max = LIMIT_CREDIT_ITEMS},
    };
    json_read(body, "", members, ARRAY_COUNT(members), faults);
    if (array == NULL && flow_refuse_faults(exchange, faults)) return false; /* what is wrong beside good items comes with theirs */
    size_t count = json_array_count(array);
    struct credit_item *items = ARENA_NEW_ARRAY(&exchange->arena, struct credit_item, count);
    struct credit_outcome *outcomes = ARENA_NEW_ARRAY(&exchange->arena, struct credit_outcome, count);
    bool has_room = items != NULL && outcomes != NULL;
    for (size_t i = 0; i < count && has_room; i++) has_room = read_item(exchange, json_array_item(array, i), i, &items[i], faults);
    if (!has_room) {
        flow_refuse(exchange, &problem_overloaded, NULL);
        return false;
    }
    if (flow_refuse_faults(exchange, faults)) return false;
    for (size_t i = 0; i < count; i++) {
        if (!keep_item(exchange, &items[i])) return false;
    }
    *ret_batch = (struct credit_batch){.caller = {exchange->caller.name, exchange->caller.name_size},
                                       .items = items,
                                       .outcomes = outcomes,
                                       .count = count};
    return true;
}

static struct wallet_operation *read_credits(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_AT_END = NULL;
    const struct json_value *body = flow_open_body(exchange, &faults, &document);
    struct credit_batch batch;
    if (body == NULL || !read_items(exchange, body, &faults, &batch)) return NULL;
    struct wallet_operation *operation = flow_begin(exchange, COMMAND_CREDIT);
    if (operation == NULL) return NULL;
    operation->store.weight = (uint32_t)batch.count;
    operation->command.credit = batch;
    flow_read_idempotency(operation, body);
    return operation;
}

void credits_create(struct exchange *exchange) {
    struct wallet_operation *operation = read_credits(exchange);
    if (operation == NULL) {
        exchange_finish(exchange);
        return;
    }
    flow_submit(operation);
}
