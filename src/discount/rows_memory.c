/* Rows in memory, for tests: begin copies the whole state, rollback brings the copy back, and everything goes at close. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "discount/rows.h"

#define CAMPAIGNS   64u
#define ROWS        8192u /* of each other table; RESULT_FULL beyond */
#define ARENA_BYTES (256u * 1024 * 1024)

struct memory_second {
    uint32_t number;
    struct second_counts counts;
};

struct memory_state {
    struct campaign campaigns[CAMPAIGNS];
    struct refusal_counts rejections[CAMPAIGNS];
    struct redemption redemptions[ROWS];
    struct idempotency_record records[ROWS];
    struct memory_second seconds[ROWS];
    size_t campaign_count, redemption_count, record_count, second_count;
};

struct memory_rows {
    struct memory_state now, before;
    bool is_open;
    struct arena arena; /* of the records' texts */
};

static struct memory_state *state_of(void *self) { return &((struct memory_rows *)self)->now; }

static struct result memory_begin(void *self) {
    struct memory_rows *rows = self;
    CHECK(!rows->is_open);
    rows->before = rows->now;
    rows->is_open = true;
    return result_ok();
}

static struct result memory_commit(void *self) {
    struct memory_rows *rows = self;
    CHECK(rows->is_open);
    rows->is_open = false;
    return result_ok();
}

static void memory_rollback(void *self) {
    struct memory_rows *rows = self;
    if (rows->is_open) rows->now = rows->before;
    rows->is_open = false;
}

static struct result memory_probe(void *self) {
    (void)self;
    return result_ok();
}

static void memory_tidy(void *self, bool is_busy) {
    (void)is_busy;
    CHECK(!((struct memory_rows *)self)->is_open);
}

static void memory_close(void *self) {
    struct memory_rows *rows = self;
    arena_release(&rows->arena);
    free(rows);
}

static struct result memory_each_campaign(void *self, struct result (*visit)(void *, const struct campaign *), void *context) {
    const struct memory_state *state = state_of(self);
    for (size_t i = 0; i < state->campaign_count; i++) TRY(visit(context, &state->campaigns[i]));
    return result_ok();
}

static struct result memory_each_redemption(void *self, struct result (*visit)(void *, const struct redemption *), void *context) {
    const struct memory_state *state = state_of(self);
    for (size_t i = 0; i < state->redemption_count; i++) TRY(visit(context, &state->redemptions[i]));
    return result_ok();
}

static struct result memory_each_second(void *self, struct result (*visit)(void *, uint32_t, const struct second_counts *), void *context) {
    const struct memory_state *state = state_of(self);
    for (size_t i = 0; i < state->second_count; i++) TRY(visit(context, state->seconds[i].number, &state->seconds[i].counts));
    return result_ok();
}

static struct result memory_find_refusals(void *self, uint32_t number, struct refusal_counts *ret_counts) {
    *ret_counts = state_of(self)->rejections[number - 1];
    return result_ok();
}

static struct result found(const struct redemption *redemption, struct redemption *ret_redemption, bool *ret_found) {
    *ret_found = redemption != NULL;
    if (redemption != NULL) *ret_redemption = *redemption;
    return result_ok();
}

static struct result memory_find_user(void *self, uint32_t number, struct id user_id, struct redemption *ret_redemption, bool *ret_found) {
    const struct memory_state *state = state_of(self);
    const struct redemption *match = NULL;
    for (size_t i = 0; i < state->redemption_count && match == NULL; i++) {
        const struct redemption *row = &state->redemptions[i];
        if (row->campaign_number == number && id_equal(row->user_id, user_id)) match = row;
    }
    return found(match, ret_redemption, ret_found);
}

static struct result memory_find_phone(void *self, uint32_t number, const struct phone *phone, struct redemption *ret_redemption,
                                       bool *ret_found) {
    const struct memory_state *state = state_of(self);
    const struct redemption *match = NULL;
    for (size_t i = 0; i < state->redemption_count && match == NULL; i++) {
        const struct redemption *row = &state->redemptions[i];
        if (row->campaign_number == number && phone_equal(&row->phone, phone)) match = row;
    }
    return found(match, ret_redemption, ret_found);
}

static struct redemption *find_by_id(struct memory_state *state, struct id id) {
    for (size_t i = 0; i < state->redemption_count; i++) {
        if (id_equal(state->redemptions[i].id, id)) return &state->redemptions[i];
    }
    return NULL;
}

static struct result memory_find_id(void *self, struct id id, struct redemption *ret_redemption, bool *ret_found) {
    return found(find_by_id(state_of(self), id), ret_redemption, ret_found);
}

static struct idempotency_record *find_lookup(struct memory_state *state, const struct hash *lookup) {
    for (size_t i = 0; i < state->record_count; i++) {
        if (memcmp(state->records[i].lookup.bytes, lookup->bytes, sizeof lookup->bytes) == 0) return &state->records[i];
    }
    return NULL;
}

static struct result copy_record(struct arena *arena, const struct idempotency_record *record, struct idempotency_record *ret_copy) {
    *ret_copy = *record;
    ret_copy->fingerprint = arena_copy(arena, record->fingerprint);
    ret_copy->content_type = arena_copy(arena, record->content_type);
    ret_copy->location = arena_copy(arena, record->location);
    ret_copy->body = arena_copy(arena, record->body);
    bool is_whole = ret_copy->fingerprint.data != NULL && ret_copy->content_type.data != NULL && ret_copy->location.data != NULL &&
                    ret_copy->body.data != NULL;
    return is_whole ? result_ok() : result_error(RESULT_FULL);
}

static struct result memory_find_record(void *self, const struct hash *lookup, struct arena *arena, struct idempotency_record *ret_record,
                                        bool *ret_found) {
    const struct idempotency_record *record = find_lookup(state_of(self), lookup);
    *ret_found = record != NULL;
    return record == NULL ? result_ok() : copy_record(arena, record, ret_record);
}

static struct result memory_put_campaign(void *self, const struct campaign *campaign) {
    struct memory_state *state = state_of(self);
    if (campaign->is_new && campaign->number != state->campaign_count + 1) return result_error(RESULT_CONFLICT);
    if (campaign->is_new && state->campaign_count == CAMPAIGNS) return result_error(RESULT_FULL);
    if (campaign->is_new) state->campaign_count++;
    state->campaigns[campaign->number - 1] = *campaign;
    return result_ok();
}

static struct result memory_put_redemption(void *self, const struct redemption *redemption) {
    struct memory_state *state = state_of(self);
    struct redemption *row = find_by_id(state, redemption->id);
    if (redemption->is_new) {
        struct redemption other;
        bool has_user, has_phone;
        TRY(memory_find_user(self, redemption->campaign_number, redemption->user_id, &other, &has_user));
        TRY(memory_find_phone(self, redemption->campaign_number, &redemption->phone, &other, &has_phone));
        if (row != NULL || has_user || has_phone) return result_error(RESULT_CONFLICT);
        if (state->redemption_count == ROWS) return result_error(RESULT_FULL);
        row = &state->redemptions[state->redemption_count++];
    }
    CHECK(row != NULL);
    *row = *redemption;
    row->is_new = row->is_changed = false;
    return result_ok();
}

static struct result memory_put_record(void *self, const struct idempotency_record *record) {
    struct memory_state *state = state_of(self);
    struct idempotency_record copy, *row = find_lookup(state, &record->lookup);
    TRY(copy_record(&((struct memory_rows *)self)->arena, record, &copy));
    if (row == NULL && state->record_count == ROWS) return result_error(RESULT_FULL);
    if (row == NULL) row = &state->records[state->record_count++];
    *row = copy;
    return result_ok();
}

static struct result memory_put_refusals(void *self, uint32_t number, const struct refusal_counts *counts) {
    state_of(self)->rejections[number - 1] = *counts;
    return result_ok();
}

/* The row of a second, made when it is not there; NULL: no room. */
static struct second_counts *take_second(struct memory_state *state, uint32_t number, int64_t second) {
    size_t at = 0;
    while (at < state->second_count && (state->seconds[at].number != number || state->seconds[at].counts.second != second)) at++;
    if (at == ROWS) return NULL;
    if (at == state->second_count) state->seconds[state->second_count++] = (struct memory_second){number, {.second = second}};
    return &state->seconds[at].counts;
}

static struct result memory_put_second_settled(void *self, uint32_t number, const struct second_counts *counts) {
    struct second_counts *row = take_second(state_of(self), number, counts->second);
    if (row == NULL) return result_error(RESULT_FULL);
    row->claimed = counts->claimed;
    row->credited = counts->credited;
    return result_ok();
}

static struct result memory_put_second_rejected(void *self, uint32_t number, const struct second_counts *counts) {
    struct second_counts *row = take_second(state_of(self), number, counts->second);
    if (row == NULL) return result_error(RESULT_FULL);
    row->rejected = counts->rejected;
    return result_ok();
}

static struct result memory_drop_records(void *self, int64_t before_us) {
    struct memory_state *state = state_of(self);
    size_t kept = 0;
    for (size_t i = 0; i < state->record_count; i++) {
        if (state->records[i].created_at_us >= before_us) state->records[kept++] = state->records[i];
    }
    state->record_count = kept;
    return result_ok();
}

static struct result memory_drop_seconds(void *self, uint32_t number) {
    (void)self;
    (void)number;
    return result_ok();
}

struct result rows_memory_create(struct rows *ret_rows) {
    struct memory_rows *self = calloc(1, sizeof *self);
    if (self == NULL) return result_error(RESULT_FULL);
    arena_init(&self->arena, ARENA_BYTES);
    *ret_rows = (struct rows){
        .self = self,
        .begin = memory_begin,
        .commit = memory_commit,
        .rollback = memory_rollback,
        .probe = memory_probe,
        .tidy = memory_tidy,
        .close = memory_close,
        .each_campaign = memory_each_campaign,
        .each_redemption = memory_each_redemption,
        .each_second = memory_each_second,
        .find_refusals = memory_find_refusals,
        .find_user = memory_find_user,
        .find_phone = memory_find_phone,
        .find_id = memory_find_id,
        .find_record = memory_find_record,
        .put_campaign = memory_put_campaign,
        .put_redemption = memory_put_redemption,
        .put_record = memory_put_record,
        .put_refusals = memory_put_refusals,
        .put_second_settled = memory_put_second_settled,
        .put_second_rejected = memory_put_second_rejected,
        .drop_records = memory_drop_records,
        .drop_seconds = memory_drop_seconds,
    };
    return result_ok();
}
