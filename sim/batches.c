#include "sim/batches.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sim/oracle.h"
#include "sim/world.h"

#define WORLDS_EACH     4
#define WORLD_OF_THEM   1
#define UNIQUE_OF_EIGHT 5

/* After a restore the codes of a batch that is gone may be those of the next one: nobody types them then. */
enum intent_kind batches_due(const struct campaign_plan *campaign) {
    if (world.seed % WORLDS_EACH != WORLD_OF_THEM || world.restored_us[PROCESS_DISCOUNT] != 0 || campaign->number == 0)
        return INTENT_KIND_COUNT;
    if (id_is_zero(campaign->batch_id)) return INTENT_BATCH;
    return campaign->code_count == 0 ? INTENT_CODES : INTENT_KIND_COUNT;
}

void batches_want(struct intent *intent) {
    const struct campaign_plan *campaign = intent->campaign;
    char id[ID_TEXT_BYTES], batch[ID_TEXT_BYTES];
    id_format(campaign->id, id);
    id_format(campaign->batch_id, batch);
    if (intent->kind == INTENT_CODES) {
        snprintf(intent->method, sizeof intent->method, "GET");
        snprintf(intent->target, sizeof intent->target, "/v1/campaigns/%.*s/code-batches/%.*s/codes?limit=%u", ID_TEXT_BYTES, id,
                 ID_TEXT_BYTES, batch, CODES_MAX);
        return;
    }
    snprintf(intent->method, sizeof intent->method, "POST");
    snprintf(intent->target, sizeof intent->target, "/v1/campaigns/%.*s/code-batches", ID_TEXT_BYTES, id);
    snprintf(intent->body, sizeof intent->body, "{\"count\":%u,\"pattern\":\"SIM-####-####-####\"}", CODES_MAX);
    snprintf(intent->key, sizeof intent->key, "batch-%u", intent->number);
}

const char *batches_some_code(const struct campaign_plan *campaign, bool *ret_is_unique) {
    *ret_is_unique =
        campaign->code_count > 0 && world.restored_us[PROCESS_DISCOUNT] == 0 && random_below(&world.random, 8) < UNIQUE_OF_EIGHT;
    return *ret_is_unique ? campaign->codes[random_below(&world.random, campaign->code_count)] : campaign->code;
}

static void wrong(const struct intent *intent, const char *invariant, const char *what) {
    world_fail(invariant, "intent %u of the operator, %s: %s", intent->number, intent_kind_name(intent->kind), what);
}

static void take_codes(struct intent *intent, const struct json_value *root) {
    struct campaign_plan *campaign = intent->campaign;
    const struct json_value *data = json_get(root, "data");
    size_t count = data == NULL ? 0 : json_array_count(data);
    if (count != CODES_MAX) {
        wrong(intent, "a batch has as many codes as it says", "fewer, or more");
        return;
    }
    campaign->code_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct text code = json_get_text(json_array_item(data, i), "code");
        CHECK(code.size > 0 && code.size < sizeof campaign->codes[i]);
        memcpy(campaign->codes[i], code.data, code.size);
        campaign->codes[i][code.size] = '\0';
        for (size_t before = 0; before < i; before++) {
            if (strcmp(campaign->codes[before], campaign->codes[i]) == 0) wrong(intent, "no two codes are alike", campaign->codes[i]);
        }
        campaign->code_count++;
    }
}

void batches_judge_success(struct intent *intent, const struct json_value *root) {
    if (intent->kind == INTENT_CODES) {
        take_codes(intent, root);
        return;
    }
    struct id id = {{0}};
    struct result parsed = id_parse(json_get_text(root, "id"), &id);
    struct statement *batch = oracle_query(PROCESS_DISCOUNT, "SELECT 1 FROM code_batches WHERE id = ?1");
    if (!result_is_ok(parsed)) wrong(intent, "5 what a 2xx said is on disk", "it names no batch");
    if (id_is_zero(intent->campaign->batch_id)) intent->campaign->batch_id = id;
    if (batch == NULL) return;
    bool is_there = false;
    statement_bind_id(batch, 1, id);
    struct result stepped = statement_step(batch, &is_there);
    statement_reset(batch);
    if (result_is_ok(stepped) && !is_there) wrong(intent, "5 what a 2xx said is on disk", "the batch is not there");
}

/* Which of the batch it is follows from its place in the list. */
bool batches_is_taken(const struct intent *intent) {
    struct statement *taken =
        oracle_query(PROCESS_DISCOUNT, "SELECT r.user_id FROM redemptions r JOIN code_batches b ON b.number = r.code_batch"
                                       " WHERE b.id = ?1 AND r.code_index = ?2");
    if (taken == NULL) return true; /* nobody can say now */
    const struct campaign_plan *campaign = intent->campaign;
    for (uint32_t i = 0; i < campaign->code_count; i++) {
        if (strcmp(campaign->codes[i], intent->code) != 0) continue;
        bool is_row = false;
        statement_bind_id(taken, 1, campaign->batch_id);
        statement_bind_integer(taken, 2, i + 1);
        struct result stepped = statement_step(taken, &is_row);
        statement_reset(taken);
        return !result_is_ok(stepped) || is_row;
    }
    statement_reset(taken);
    return false;
}
