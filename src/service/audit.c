#include "service/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/keys.h"
#include "base/check.h"
#include "base/log.h"
#include "service/engine.h"
#include "service/service.h"

#define ENCODING_VERSION 1u
#define TEXTS            9u
#define TEXT_BYTES_MAX   4096u
#define TAIL_ENTRIES     100
#define WALK_ENTRIES     500
#define REFUSALS_MAX     256 /* under way to the store */
#define KEYS_BYTES       2048u
#define ACT_KEYS         "keys.change"

struct audit_note {
    struct audit_note *next;
    struct audit_entry entry;
    char actor[ID_TEXT_BYTES], address[ADDRESS_TEXT_BYTES], subject[ID_TEXT_BYTES];
};

/* ---- rows and their hash ---- */

static void texts_of(const struct audit_entry *entry, const struct text *ret_texts[TEXTS]) {
    const struct text *texts[TEXTS] = {&entry->actor,   &entry->actor_name, &entry->address, &entry->request_id, &entry->act,
                                       &entry->subject, &entry->outcome,    &entry->before,  &entry->after};
    memcpy(ret_texts, texts, sizeof texts);
}

struct encoder {
    char bytes[1 + 8 + 8 + CRYPTO_HASH_BYTES + TEXTS * (4 + TEXT_BYTES_MAX)];
    size_t size;
};

static void put(struct encoder *encoder, const void *data, size_t size) {
    CHECK(size <= sizeof encoder->bytes - encoder->size);
    if (size > 0) memcpy(encoder->bytes + encoder->size, data, size);
    encoder->size += size;
}

static void put_number(struct encoder *encoder, uint64_t number, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(number >> (8 * (bytes - 1 - i)));
        put(encoder, &byte, 1);
    }
}

struct hash audit_hash(const struct audit_entry *entry, const struct hash *previous) {
    struct encoder encoder;
    const struct text *texts[TEXTS];
    encoder.size = 0;
    put_number(&encoder, ENCODING_VERSION, 1);
    put_number(&encoder, (uint64_t)entry->sequence, 8);
    put_number(&encoder, (uint64_t)entry->created_at_us, 8);
    put(&encoder, previous->bytes, sizeof previous->bytes);
    texts_of(entry, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        put_number(&encoder, texts[i]->size, 4);
        put(&encoder, texts[i]->data, texts[i]->size);
    }
    return crypto_hash((struct text){encoder.bytes, encoder.size});
}

struct result row_audit(const struct row *row, struct audit_entry *ret_entry) {
    *ret_entry = (struct audit_entry){.sequence = row_integer_between(row, 0, 1, INT64_MAX),
                                      .created_at_us = row_time(row, 1),
                                      .actor = row_text(row, 2),
                                      .actor_name = row_text(row, 3),
                                      .address = row_text(row, 4),
                                      .request_id = row_text(row, 5),
                                      .act = row_text(row, 6),
                                      .subject = row_text(row, 7),
                                      .outcome = row_text(row, 8),
                                      .before = row_text(row, 9),
                                      .after = row_text(row, 10)};
    row_bytes_into(row, 11, ret_entry->hash.bytes, sizeof ret_entry->hash.bytes);
    const struct text *texts[TEXTS];
    texts_of(ret_entry, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        if (texts[i]->size > TEXT_BYTES_MAX) row_refuse(row, 2 + (int)i, "too long for the audit log");
    }
    return row_verdict(row);
}

/* ---- the engine's part ---- */

void audit_trail_forget(struct audit_trail *trail) {
    trail->first = NULL;
    trail->last = &trail->first;
}

static struct result head_found(void *context, const struct row *row) {
    struct audit_trail *trail = context;
    struct audit_entry entry;
    TRY(row_audit(row, &entry));
    trail->sequence = entry.sequence;
    trail->created_at_us = entry.created_at_us;
    trail->hash = entry.hash;
    return result_ok();
}

void audit_trail_load(struct audit_trail *trail, struct batch *batch) {
    if (trail->questions == NULL || trail->is_known) return;
    trail->sequence = trail->created_at_us = 0;
    trail->hash = (struct hash){{0}};
    trail->is_known = true; /* a failure rolls back, and that forgets it */
    batch_ask(batch, trail->questions->head, NULL, head_found, trail);
}

static void save_entry(struct audit_trail *trail, struct batch *batch, struct audit_entry *entry) {
    CHECK(trail->is_known);
    if (entry->created_at_us < trail->created_at_us) entry->created_at_us = trail->created_at_us;
    entry->sequence = trail->sequence + 1;
    entry->hash = audit_hash(entry, &trail->hash);
    trail->sequence = entry->sequence;
    trail->created_at_us = entry->created_at_us;
    trail->hash = entry->hash;
    const struct value values[] = {value_integer(entry->sequence), value_integer(entry->created_at_us),
                                   value_text(entry->actor),       value_text(entry->actor_name),
                                   value_text(entry->address),     value_text(entry->request_id),
                                   value_text(entry->act),         value_text(entry->subject),
                                   value_text(entry->outcome),     value_text(entry->before),
                                   value_text(entry->after),       value_bytes(entry->hash.bytes, sizeof entry->hash.bytes)};
    batch_do(batch, trail->questions->put, values, 1);
}

void audit_trail_save(struct audit_trail *trail, struct batch *batch) {
    for (struct audit_note *note = trail->first; note != NULL; note = note->next) save_entry(trail, batch, &note->entry);
}

void audit_trail_committed(struct audit_trail *trail) {
    for (const struct audit_note *note = trail->first; note != NULL; note = note->next) {
        const struct audit_entry *entry = &note->entry;
        LOG(LOG_INFO, "audit", LOG_INTEGER("sequence", entry->sequence), LOG_TEXT("act", entry->act), LOG_TEXT("outcome", entry->outcome),
            LOG_TEXT("actor", entry->actor), LOG_TEXT("actor_name", entry->actor_name), LOG_TEXT("address", entry->address),
            LOG_TEXT("subject", entry->subject), LOG_TEXT("request_id", entry->request_id));
    }
    audit_trail_forget(trail);
}

/* ---- noting ---- */

static struct text empty_if_none(struct text text) { return text.data == NULL ? TEXT("") : text_cut(text, TEXT_BYTES_MAX); }

static struct text id_text(struct id id, char buffer[ID_TEXT_BYTES]) {
    if (id_is_zero(id)) return TEXT("");
    id_format(id, buffer);
    return (struct text){buffer, ID_TEXT_BYTES};
}

/* Its texts are the exchange's, and the note's own. `actor` is who it was when there is none. */
static void take_caller(struct audit_note *note, const struct exchange *exchange, const char *actor) {
    struct audit_entry *entry = &note->entry;
    entry->actor = actor == NULL ? TEXT("system") : text_of(actor);
    entry->actor_name = entry->address = entry->request_id = TEXT("");
    if (exchange == NULL) return;
    const struct identity *caller = &exchange->caller;
    entry->actor_name = empty_if_none((struct text){caller->name, caller->name_size});
    entry->actor = caller->kind == IDENTITY_USER ? id_text(caller->user_id, note->actor) : entry->actor_name;
    entry->request_id = empty_if_none(exchange->request_id);
    address_format(&exchange->client, note->address);
    entry->address = text_of(note->address);
}

static struct audit_note *add(struct engine *engine) {
    struct audit_trail *trail = engine_trail(engine);
    struct audit_note *note = trail->questions == NULL ? NULL : engine_take(engine, sizeof *note);
    if (note == NULL) return NULL;
    *trail->last = note;
    trail->last = &note->next;
    return note;
}

void audit_note(struct engine *engine, const struct operation *operation, const char *act, struct id subject, struct text before,
                struct text after, int64_t now_us) {
    struct audit_note *note = add(engine);
    if (note == NULL) return;
    take_caller(note, operation->exchange, operation->actor);
    note->entry.created_at_us = now_us;
    note->entry.act = text_of(act);
    note->entry.subject = id_text(subject, note->subject);
    note->entry.outcome = TEXT("done");
    note->entry.before = empty_if_none(before);
    note->entry.after = empty_if_none(after);
}

void audit_note_actor(struct engine *engine, const struct operation *operation, const char *act, struct id actor, struct text actor_name,
                      int64_t now_us) {
    struct audit_note *note = add(engine);
    if (note == NULL) return;
    take_caller(note, operation->exchange, operation->actor);
    if (!id_is_zero(actor)) {
        note->entry.actor = id_text(actor, note->actor);
        note->entry.actor_name = empty_if_none(actor_name);
    }
    note->entry.created_at_us = now_us;
    note->entry.act = text_of(act);
    note->entry.subject = id_text(actor, note->subject);
    note->entry.outcome = TEXT("done");
    note->entry.before = note->entry.after = TEXT("");
}

/* ---- what comes by itself: refusals, and keys that changed ---- */

struct loose_note {
    struct operation operation; /* first */
    struct audit_note note;
    char name[LIMIT_USERNAME_BYTES], request_id[128], act[160], outcome[64], before[KEYS_BYTES], after[KEYS_BYTES];
};

static _Atomic int under_way;

static void loose_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct loose_note *loose = (struct loose_note *)operation;
    struct audit_note *note = add(engine);
    if (note == NULL) return;
    note->entry = loose->note.entry;
    note->entry.created_at_us = now_us;
}

static void loose_done(struct store_operation *store, struct result outcome) {
    if (!result_is_ok(outcome)) LOG(LOG_WARN, "audit_not_kept", LOG_STRING("reason", result_name(outcome)));
    atomic_fetch_sub(&under_way, 1);
    free(operation_of(store));
}

static const struct action loose_action = {.name = "audit", .weight = 1, .decide = loose_decide};

static struct loose_note *loose_note(void) {
    struct loose_note *loose = calloc(1, sizeof *loose);
    if (loose == NULL) return NULL;
    loose->operation.action = &loose_action;
    loose->operation.store.weight = loose_action.weight;
    loose->operation.store.done = loose_done;
    loose->note.entry = (struct audit_entry){.actor = TEXT("system"),
                                             .actor_name = TEXT(""),
                                             .address = TEXT(""),
                                             .request_id = TEXT(""),
                                             .act = TEXT(""),
                                             .subject = TEXT(""),
                                             .outcome = TEXT("done"),
                                             .before = TEXT(""),
                                             .after = TEXT("")};
    return loose;
}

static void submit(struct store *store, struct loose_note *loose) {
    bool has_room = atomic_fetch_add(&under_way, 1) < REFUSALS_MAX;
    if (has_room && result_is_ok(store_submit_internal(store, &loose->operation.store))) return;
    atomic_fetch_sub(&under_way, 1);
    free(loose);
}

static struct text copy(char *buffer, size_t capacity, struct text text) {
    text = text_cut(text, capacity);
    if (text.size > 0) memcpy(buffer, text.data, text.size);
    return (struct text){buffer, text.size};
}

/* The code of the problem that was answered: our own rendering, in which a quote inside a text is escaped. */
static struct text code_of(const struct exchange *exchange) {
    static const char member[] = "\"code\":\"";
    struct text body = exchange->reply_body;
    const char *at = body.size == 0 ? NULL : memmem(body.data, body.size, member, sizeof member - 1);
    if (at == NULL) return TEXT("refused");
    at += sizeof member - 1;
    size_t left = body.size - (size_t)(at - body.data), size = 0;
    while (size < left && at[size] != '"') size++;
    return (struct text){at, size};
}

/* Before it is submitted. All its texts are copies. */
static void take_refusal(struct loose_note *loose, const struct exchange *exchange, int64_t left_out) {
    struct audit_note *note = &loose->note;
    take_caller(note, exchange, NULL);
    if (exchange->caller.kind != IDENTITY_USER) note->entry.actor = copy(loose->name, sizeof loose->name, note->entry.actor_name);
    note->entry.actor_name = copy(loose->name, sizeof loose->name, note->entry.actor_name);
    note->entry.request_id = copy(loose->request_id, sizeof loose->request_id, note->entry.request_id);
    note->entry.outcome = copy(loose->outcome, sizeof loose->outcome, code_of(exchange));
    if (left_out == 0) return;
    int more = snprintf(loose->after, sizeof loose->after, "{\"left_out\":%lld}", (long long)left_out);
    note->entry.after = (struct text){loose->after, (size_t)more};
}

static void note_refusal(struct exchange *exchange, int64_t left_out) {
    struct loose_note *loose = loose_note();
    if (loose == NULL) return;
    struct audit_note *note = &loose->note;
    const struct route *route = exchange->route;
    take_refusal(loose, exchange, left_out);
    int size = route->act != NULL ? snprintf(loose->act, sizeof loose->act, "%s", route->act)
                                  : snprintf(loose->act, sizeof loose->act, "%s %s", route->method, route->path);
    note->entry.act = text_cut((struct text){loose->act, (size_t)size}, sizeof loose->act - 1);
    struct id subject;
    if (result_is_ok(id_parse(exchange->parameters[0], &subject))) note->entry.subject = id_text(subject, note->subject);
    submit(service_of(exchange)->store, loose);
}

/* Of strangers and users, who may try as often as they like. */
#define BURST \
    { .window_us = 60 * CLOCK_SECOND_US, .lines_max = 10 }
static struct log_burst strangers = BURST;
static struct log_burst guesses = BURST; /* of passwords of administrators: they are not to be hidden behind the others */

void audit_answered(struct exchange *exchange) {
    const struct route *route = exchange->route;
    if (route == NULL || exchange->caller.scopes == 0 || exchange->status < 400 || exchange->status >= 500) return;
    bool is_admin = (exchange->caller.scopes & SCOPE_ADMIN) != 0;
    bool is_own_act = is_admin && route->act != NULL; /* of any user, as the change of a password, which may have been a wrong one */
    const struct operation *operation = (route->flags & ROUTE_DRY_RUN) != 0 ? exchange->operation : NULL;
    if (is_admin && operation != NULL && operation->is_dry_run) return; /* nothing was to be done */
    if (!is_own_act && (route->scope != SCOPE_ADMIN || exchange->status == 401)) return;
    if (is_admin && strcmp(route->method, "GET") == 0) return; /* a question that was asked in a wrong way */
    int64_t left_out = 0;
    if (is_admin || log_burst_admits(&strangers, &left_out)) note_refusal(exchange, left_out);
}

void audit_refuse_actor(const struct exchange *exchange, const char *act, struct id actor, struct text actor_name) {
    int64_t left_out = 0;
    struct loose_note *loose = log_burst_admits(&guesses, &left_out) ? loose_note() : NULL;
    if (loose == NULL) return;
    struct audit_note *note = &loose->note;
    take_refusal(loose, exchange, left_out);
    note->entry.act = copy(loose->act, sizeof loose->act, text_of(act));
    note->entry.actor = note->entry.subject = id_text(actor, note->actor);
    note->entry.actor_name = copy(loose->name, sizeof loose->name, actor_name);
    submit(((struct service *)exchange->self)->store, loose);
}

/* ---- at the start ---- */

struct tail {
    char keys[KEYS_BYTES];
    size_t keys_size;
};

static struct result last_keys_found(void *context, const struct row *row) {
    struct tail *tail = context;
    struct audit_entry entry;
    TRY(row_audit(row, &entry));
    tail->keys_size = copy(tail->keys, sizeof tail->keys, entry.after).size;
    return result_ok();
}

/* {"kids":["…","…"]}, out of the JWKS document, which we have rendered ourselves. */
static struct text kids_of(struct text jwks, char text[KEYS_BYTES]) {
    static const char member[] = "\"kid\":\"";
    size_t size = (size_t)snprintf(text, KEYS_BYTES, "{\"kids\":[");
    bool is_first = true;
    for (size_t i = 0; i + sizeof member < jwks.size; i++) {
        if (memcmp(jwks.data + i, member, sizeof member - 1) != 0) continue;
        const char *kid = jwks.data + i + sizeof member - 1;
        size_t kid_size = 0;
        while (i + sizeof member - 1 + kid_size < jwks.size && kid[kid_size] != '"') kid_size++;
        if (size + kid_size + 8 > KEYS_BYTES) break;
        size += (size_t)snprintf(text + size, KEYS_BYTES - size, "%s\"%.*s\"", is_first ? "" : ",", (int)kid_size, kid);
        is_first = false;
    }
    size += (size_t)snprintf(text + size, KEYS_BYTES - size, "]}");
    return (struct text){text, size};
}

/* `before`: their names as they were noted the last time; empty: never. */
static void note_keys(struct service *service, struct text before) {
    struct loose_note *loose = loose_note();
    if (loose == NULL) return;
    struct text now = kids_of(key_ring_jwks(service->keys), loose->after);
    if (text_equal(now, before)) {
        free(loose);
        return;
    }
    loose->note.entry.act = TEXT(ACT_KEYS);
    loose->note.entry.before = copy(loose->before, sizeof loose->before, before);
    loose->note.entry.after = now;
    submit(service->store, loose);
}

struct result audit_begin(struct service *service, struct batch *batch) {
    const struct audit_questions *questions = service->audit;
    struct audit_trail head = {.questions = questions};
    struct tail tail = {.keys_size = 0};
    struct audit_report report;
    audit_trail_load(&head, batch);
    const struct value last_keys[] = {value_integer(INT64_MAX), value_text(TEXT("")),     value_text(TEXT(ACT_KEYS)),
                                      value_text(TEXT("")),     value_integer(INT64_MIN), value_integer(INT64_MAX),
                                      value_integer(1)};
    batch_ask(batch, questions->page, last_keys, last_keys_found, &tail);
    struct result outcome = batch_run(batch);
    if (result_is_ok(outcome)) outcome = audit_verify_from(batch, questions, head.sequence - TAIL_ENTRIES, &report);
    bool is_sound = result_is_ok(outcome) && report.broken == 0;
    if (!result_is_ok(outcome) && outcome.code != RESULT_CORRUPT) return outcome;
    (void)readiness_say(&service->readiness, CONCERN_AUDIT, is_sound ? "ok" : "diverged");
    if (!is_sound) LOG(LOG_ERROR, "audit_diverged", LOG_STRING("reason", "the end of the audit log is not as it was written: run verify"));
    note_keys(service, (struct text){tail.keys, tail.keys_size});
    return result_ok();
}

void audit_keys_changed(struct service *service, struct text jwks_before) {
    char before[KEYS_BYTES];
    note_keys(service, kids_of(jwks_before, before));
}

/* ---- verify ---- */

struct walk {
    struct audit_report *report;
    int64_t after, first; /* sequence of the last one seen; and of the first, whose own hash can't be proven when it is not 1 */
    int64_t created_at_us;
    struct hash hash;
    size_t count;
};

static struct result entry_seen(void *context, const struct row *row) {
    struct walk *walk = context;
    struct audit_entry entry;
    struct result readable = row_audit(row, &entry);
    int64_t expected = walk->after + 1;
    walk->count++;
    walk->report->entries++;
    if (!result_is_ok(readable)) {
        if (walk->report->broken == 0) walk->report->broken = expected;
        return readable;
    }
    bool is_start = expected == walk->first && walk->first > 1;
    struct hash hash = audit_hash(&entry, &walk->hash);
    bool fits = entry.sequence == expected && entry.created_at_us >= walk->created_at_us &&
                (is_start || memcmp(hash.bytes, entry.hash.bytes, sizeof hash.bytes) == 0);
    if (!fits && walk->report->broken == 0) walk->report->broken = expected;
    walk->after = entry.sequence;
    walk->created_at_us = entry.created_at_us;
    walk->hash = walk->report->head = entry.hash;
    return result_ok();
}

struct result audit_verify_from(struct batch *batch, const struct audit_questions *questions, int64_t after,
                                struct audit_report *ret_report) {
    struct walk walk = {.report = ret_report, .after = after < 0 ? 0 : after, .created_at_us = INT64_MIN};
    walk.first = walk.after + 1;
    *ret_report = (struct audit_report){0};
    do {
        walk.count = 0;
        const struct value values[] = {value_integer(walk.after), value_integer(WALK_ENTRIES)};
        batch_ask(batch, questions->walk, values, entry_seen, &walk);
        struct result outcome = batch_run(batch);
        if (outcome.code == RESULT_CORRUPT && ret_report->broken != 0) return result_ok();
        TRY(outcome);
    } while (walk.count == WALK_ENTRIES && ret_report->broken == 0);
    return result_ok();
}

struct result audit_verify(struct batch *batch, const struct audit_questions *questions, struct audit_report *ret_report) {
    return audit_verify_from(batch, questions, 0, ret_report);
}

bool audit_report_print(const struct audit_report *report, FILE *out) {
    if (report->broken != 0) {
        fprintf(out, "BROKEN: audit log: entry %lld is not as it was written, or is missing\n", (long long)report->broken);
        return false;
    }
    fprintf(out, "audit log: %lld entries, head ", (long long)report->entries);
    for (size_t i = 0; i < sizeof report->head.bytes; i++) fprintf(out, "%02x", report->head.bytes[i]);
    fprintf(out, "\n");
    return true;
}
