/* POST /v1/credits: many credits at once, each exactly once by its reference. */
#include <stdio.h>

#include "base/check.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/credits.h"
#include "wallet/problems.h"
#include "wallet/reference.h"
#include "wallet/wallet.h"

#define PREFIX_BYTES    40 /* "items[999].", whatever a size_t may hold */
#define ITEM_BYTES      256u
#define ITEM_ROOM_BYTES 1024u /* that must be left in the arena for each: its answer fits whatever the decision is */
#define ANSWER_BYTES    512u

/* ---- the document ---- */

static const char *status_of(enum ledger_outcome outcome) {
    return outcome == LEDGER_APPLIED ? "applied" : outcome == LEDGER_REPLAYED ? "replayed" : "rejected";
}

static void write_item(struct json_writer *writer, const struct credit_item *item, const struct credit_outcome *outcome) {
    json_begin_object(writer);
    json_text_member(writer, "reference", item->reference);
    json_text_member(writer, "status", text_of(status_of(outcome->outcome)));
    if (id_is_zero(outcome->transaction_id)) {
        json_text_member(writer, "code", text_of(ledger_outcome_code(outcome->outcome)));
        if (outcome_is_limit(outcome->outcome)) outcome_write_limit(writer, &outcome->reached);
    } else {
        json_id_member(writer, "transaction_id", outcome->transaction_id);
        json_integer_member(writer, "balance_after", outcome->balance_after);
        json_time_member(writer, "created_at", outcome->created_at_us);
    }
    json_end_object(writer);
}

/* ---- the action ---- */

static void load(struct engine *engine, struct operation *operation) {
    const struct credits *credits = (const struct credits *)operation;
    struct text fund_before = {"", 0};
    for (size_t i = 0; i < credits->count; i++) {
        const struct credit_item *item = &credits->items[i];
        books_load_credit(engine, credits->caller, item->reference);
        books_load_wallet(engine, item->user_id, item->amount.currency);
        if (item->fund.size == 0 || text_equal(item->fund, fund_before)) continue; /* nearly always it is the same */
        books_load_fund(engine, credits->caller, item->fund);
        fund_before = item->fund;
    }
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    const struct credits *credits = (const struct credits *)operation;
    for (size_t i = 0; i < credits->count; i++) {
        credits->outcomes[i] = ledger_credit(books_ledger(engine), credits->caller, &credits->items[i], now_us);
    }
}

static void render(struct operation *operation) {
    const struct credits *credits = (const struct credits *)operation;
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, ANSWER_BYTES + credits->count * ITEM_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "items");
    json_begin_array(&writer);
    for (size_t i = 0; i < credits->count; i++) write_item(&writer, &credits->items[i], &credits->outcomes[i]);
    json_end_array(&writer);
    json_end_object(&writer);
    operation_answer(operation, 200, "application/json", &buffer);
}

static void count(struct wallet_metrics *metrics, const struct credits *credits) {
    int64_t applied = 0, replayed = 0;
    for (size_t i = 0; i < credits->count; i++) {
        applied += credits->outcomes[i].outcome == LEDGER_APPLIED;
        replayed += credits->outcomes[i].outcome == LEDGER_REPLAYED;
    }
    metric_add(&metrics->credits_applied, applied);
    metric_add(&metrics->credits_replayed, replayed);
    metric_add(&metrics->credits_rejected, (int64_t)credits->count - applied - replayed);
}

static void send(struct operation *operation) {
    if (operation->fate == FATE_DECIDED) count(&wallet_of(operation->exchange)->metrics, (const struct credits *)operation);
    operation_send(operation);
}

const struct action credits_action = {
    .name = "credits", .weight = 1, .answer_bytes = ANSWER_BYTES, .load = load, .decide = decide, .render = render, .send = send};

/* ---- the request ---- */

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

/* Without a fund the money is new. Whoever pays out of funds can't pay more than they hold, whatever becomes of its keys. */
static void check_may_issue(const struct identity *caller, const char *prefix, struct faults *faults) {
    char field[PREFIX_BYTES + 16];
    if ((caller->scopes & SCOPE_CREDITS_ISSUE) != 0) return;
    snprintf(field, sizeof field, "%sfund", prefix);
    faults_add(faults, field, "required", "must be given: without a fund only callers that are granted %s may credit",
               scope_name(SCOPE_CREDITS_ISSUE));
}

/* False: no room. */
static bool read_item(struct exchange *exchange, const struct json_value *value, size_t index, struct credit_item *item,
                      struct faults *faults) {
    char prefix[PREFIX_BYTES];
    snprintf(prefix, sizeof prefix, "items[%zu].", index);
    const struct json_value *metadata = NULL;
    bool has_fund = false;
    const struct json_member members[] = {
        {.name = "reference", .kind = JSON_TEXT, .target = &item->reference, .required = true},
        {.name = "user_id", .kind = JSON_ID, .target = &item->user_id, .required = true},
        JSON_MONEY_MEMBERS(&item->amount),
        {.name = "fund", .kind = JSON_TEXT, .target = &item->fund, .present = &has_fund},
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
    if (!has_fund) check_may_issue(&exchange->caller, prefix, faults);
    return metadata == NULL || read_metadata(exchange, metadata, prefix, item, faults);
}

/* The parser's texts go with the document: what the store needs is copied. */
static bool keep_item(struct exchange *exchange, struct credit_item *item) {
    item->reference = arena_copy(&exchange->arena, item->reference);
    item->fund = arena_copy(&exchange->arena, item->fund);
    item->description = arena_copy(&exchange->arena, item->description);
    if (item->reference.data != NULL && item->fund.data != NULL && item->description.data != NULL) return true;
    request_refuse_memory(exchange);
    return false;
}

static bool read_items(struct exchange *exchange, const struct json_value *body, struct faults *faults, struct credits *ret_credits) {
    const struct json_value *array = NULL;
    const struct json_member members[] = {
        {.name = "items", .kind = JSON_ARRAY, .target = &array, .required = true, .min = 1, .max = LIMIT_CREDIT_ITEMS},
    };
    json_read(body, "", members, ARRAY_COUNT(members), faults);
    if (array == NULL && request_refuse_faults(exchange, faults)) return false; /* what is wrong beside good items comes with theirs */
    size_t count = json_array_count(array);
    struct credit_item *items = ARENA_NEW_ARRAY(&exchange->arena, struct credit_item, count);
    struct credit_outcome *outcomes = ARENA_NEW_ARRAY(&exchange->arena, struct credit_outcome, count);
    bool has_room = items != NULL && outcomes != NULL;
    for (size_t i = 0; i < count && has_room; i++) has_room = read_item(exchange, json_array_item(array, i), i, &items[i], faults);
    if (!has_room) {
        request_refuse_memory(exchange);
        return false;
    }
    if (request_refuse_faults(exchange, faults)) return false;
    for (size_t i = 0; i < count; i++) {
        if (!keep_item(exchange, &items[i])) return false;
    }
    ret_credits->items = items;
    ret_credits->outcomes = outcomes;
    ret_credits->count = count;
    return true;
}

static struct credits *read_credits(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    struct credits read;
    if (body == NULL || !read_items(exchange, body, &faults, &read)) return NULL;
    struct credits *credits = operation_begin(exchange, &credits_action, sizeof *credits);
    if (credits == NULL) return NULL;
    credits->caller = (struct text){exchange->caller.name, exchange->caller.name_size};
    credits->items = read.items;
    credits->outcomes = read.outcomes;
    credits->count = read.count;
    credits->operation.store.weight = (uint32_t)read.count;
    credits->operation.answer_bytes += read.count * ITEM_ROOM_BYTES;
    operation_read_key(&credits->operation, body);
    return credits;
}

void credits_create(struct exchange *exchange) {
    struct credits *credits = read_credits(exchange);
    if (credits == NULL) {
        exchange_finish(exchange);
        return;
    }
    operation_submit(&credits->operation);
}
