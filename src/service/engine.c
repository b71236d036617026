#include "service/engine.h"

#include <poll.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

#define KEPT_MAX         16384u /* of the batch's operations and their waiters */
#define KEPT_ARENA_BYTES (64u * 1024 * 1024)
/* How long a transaction of our own asks what became of its commit; the store's thread has nothing else to do while the server is away. */
#define DOUBT_LOOKS        100
#define DOUBT_PAUSE_MS     100
#define KEPT_EXPIRE_ROWS   1000 /* at a time, so that a waiting request waits little */
#define KEPT_EXPIRE_ROUNDS 10   /* between batches while nothing waits */
#define KEPT_EXPIRE_FACTOR \
    2 /* while some are too old, a batch drops so many for each that it keeps: they never become more than they are */

/* A kept answer that the batch names or makes. */
struct kept {
    struct idempotency_record record;
    bool is_changed;
    struct kept *next;
};

struct engine {
    struct engine_options options;
    struct arena arena; /* of the kept answers */
    struct map kept_by_lookup;
    struct kept *kept;
    bool has_failed;  /* there was no room for one: the batch must not be saved */
    bool has_expired; /* some kept answers were too old when that was last looked at */
    int64_t now_us;   /* of the last decide */
    struct audit_trail trail;
};

struct audit_trail *engine_trail(struct engine *engine) {
    return &engine->trail;
}

void *engine_take(struct engine *engine, size_t size) {
    void *taken = arena_take_zeroed(&engine->arena, size);
    if (taken == NULL) engine->has_failed = true;
    return taken;
}

void *engine_set(const struct engine *engine) { return engine->options.set; }
struct batch *engine_batch(const struct engine *engine) {
    return engine->options.batch;
}

static struct text key_of(const struct hash *lookup) { return (struct text){(const char *)lookup->bytes, sizeof lookup->bytes}; }

static void forget(struct engine *engine) {
    engine->options.hooks->forget(engine->options.set);
    map_clear(&engine->kept_by_lookup);
    engine->kept = NULL;
    engine->has_failed = false;
    audit_trail_forget(&engine->trail);
    arena_release(&engine->arena); /* and its limit stays */
}

/* ---- kept answers: the one place where a record is copied ---- */

static struct result copy_record(struct arena *arena, const struct idempotency_record *from, struct idempotency_record *ret_copy) {
    *ret_copy = *from;
    ret_copy->fingerprint = arena_copy(arena, from->fingerprint);
    ret_copy->content_type = arena_copy(arena, from->content_type);
    ret_copy->location = arena_copy(arena, from->location);
    ret_copy->body = arena_copy(arena, from->body);
    bool has_all = ret_copy->fingerprint.data && ret_copy->content_type.data && ret_copy->location.data && ret_copy->body.data;
    return has_all ? result_ok() : result_error(RESULT_FULL);
}

static struct kept *find_kept(const struct engine *engine, const struct idempotency_request *request) {
    return request->key.size == 0 ? NULL : map_get(&engine->kept_by_lookup, key_of(&request->lookup));
}

static struct kept *add_kept(struct engine *engine, const struct idempotency_record *record) {
    struct kept *kept = ARENA_NEW(&engine->arena, struct kept);
    bool is_whole = kept != NULL && result_is_ok(copy_record(&engine->arena, record, &kept->record));
    if (!is_whole || !result_is_ok(map_put(&engine->kept_by_lookup, key_of(&kept->record.lookup), kept))) {
        engine->has_failed = true;
        return NULL;
    }
    kept->next = engine->kept;
    engine->kept = kept;
    return kept;
}

struct asked_record {
    struct engine *engine;
    struct hash lookup;
};

static struct result record_found(void *context, const struct row *row) {
    const struct asked_record *asked = context;
    struct engine *engine = asked->engine;
    const struct working_set_hooks *hooks = engine->options.hooks;
    if (map_get(&engine->kept_by_lookup, key_of(&asked->lookup)) != NULL) return result_ok(); /* two of the batch have the same key */
    const struct idempotency_record record = {.lookup = asked->lookup,
                                              .fingerprint = row_text(row, 0),
                                              .status = (int)row_integer_between(row, 1, 0, 599),
                                              .content_type = row_text(row, 2),
                                              .location = row_text(row, 3),
                                              .body = row_text(row, 4),
                                              .subject = row_id_or_zero(row, 5),
                                              .created_at_us = row_time(row, 6)};
    if (record.status == 0 && hooks->subject_found != NULL) TRY(hooks->subject_found(engine->options.set, row));
    return add_kept(engine, &record) == NULL ? result_error(RESULT_FULL) : result_ok();
}

void engine_load_kept(struct engine *engine, const struct idempotency_request *request) {
    if (request->key.size == 0 || find_kept(engine, request) != NULL) return;
    struct asked_record *asked = ARENA_NEW(&engine->arena, struct asked_record);
    if (asked == NULL) {
        engine->has_failed = true;
        return;
    }
    *asked = (struct asked_record){engine, request->lookup};
    const struct value values[] = {value_bytes(asked->lookup.bytes, sizeof asked->lookup.bytes)};
    batch_ask(engine->options.batch, engine->options.kept->find, values, record_found, asked);
}

static void replay(struct operation *operation, enum operation_fate fate, const struct idempotency_record *record) {
    /* Copied: the batch's memory is gone before the operation is answered. */
    operation->fate = result_is_ok(copy_record(operation->arena, record, &operation->kept)) ? fate : FATE_OVERLOADED;
}

/* Writes the answer, final or waiting, under the operation's key. A waiting one with a location is the maker's. */
static void keep(struct engine *engine, struct operation *operation, int64_t now_us) {
    const struct answer *answer = &operation->answer;
    bool is_waiting = operation->fate == FATE_WAITING;
    if (operation->idempotency.key.size == 0) return;
    if (operation->fate == FATE_DECIDED && answer->status == 0) operation->action->render(operation);
    if (!is_waiting && (operation->fate != FATE_DECIDED || operation->is_passing || !idempotency_keeps(answer->status))) return;
    struct idempotency_record record = {.lookup = operation->idempotency.lookup,
                                        .fingerprint = operation->idempotency.fingerprint,
                                        .content_type = TEXT(""),
                                        .location = TEXT(""),
                                        .body = TEXT(""),
                                        .subject = operation->subject,
                                        .created_at_us = now_us};
    if (is_waiting) {
        if (operation->is_maker) record.location = TEXT("-");
    } else {
        record.status = answer->status;
        record.content_type = text_of(answer->content_type);
        if (answer->location.size > 0) record.location = answer->location;
        if (answer->body.size > 0) record.body = answer->body;
    }
    struct kept *kept = find_kept(engine, &operation->idempotency);
    if (kept == NULL) {
        kept = add_kept(engine, &record);
    } else {
        record.created_at_us = kept->record.created_at_us;
        if (!result_is_ok(copy_record(&engine->arena, &record, &kept->record))) engine->has_failed = true;
    }
    if (kept != NULL) kept->is_changed = true;
}

/* ---- deciding ---- */

void engine_decide_again(struct engine *engine, struct operation *operation, int64_t now_us) {
    const struct kept *kept = find_kept(engine, &operation->idempotency);
    operation->answer = (struct answer){0};
    if (kept != NULL && kept->record.status != 0) {
        replay(operation, FATE_REPLAYED, &kept->record);
        return;
    }
    operation->fate = FATE_DECIDED;
    operation->action->decide_again(engine, operation, now_us);
    CHECK(operation->fate != FATE_WAITING);
    keep(engine, operation, now_us);
}

/* Its key's answer waits: with it, or, when its subject was settled meanwhile, for nothing any more. */
static void decide_waiting(struct engine *engine, struct operation *operation, const struct kept *kept, int64_t now_us) {
    operation->subject = kept->record.subject;
    operation->is_maker = kept->record.location.size != 0;
    operation->is_repeat = true;
    if (operation->action->waits(engine, operation)) {
        operation->fate = FATE_WAITING;
        return;
    }
    engine_decide_again(engine, operation, now_us);
}

static void decide_one(struct engine *engine, struct operation *operation, int64_t now_us) {
    operation->fate = FATE_DECIDED; /* a batch may be decided a second time */
    operation->answer = (struct answer){0};
    operation->is_passing = operation->is_maker = operation->is_repeat = false;
    operation->subject = (struct id){{0}};
    const struct kept *kept = find_kept(engine, &operation->idempotency);
    if (kept == NULL) {
        operation->action->decide(engine, operation, now_us);
        keep(engine, operation, now_us);
    } else if (!idempotency_same_request(&kept->record, &operation->idempotency)) {
        replay(operation, FATE_KEY_REUSED, &kept->record);
    } else if (kept->record.status != 0) {
        replay(operation, FATE_REPLAYED, &kept->record);
    } else {
        decide_waiting(engine, operation, kept, now_us);
    }
}

static void decide(void *self, struct store_operation *const *operations, size_t count, int64_t now_us) {
    struct engine *engine = self;
    engine->now_us = now_us;
    for (size_t i = 0; i < count; i++) decide_one(engine, operation_of(operations[i]), now_us);
}

/* ---- loading and saving ---- */

static struct result begin(void *self) {
    struct engine *engine = self;
    const struct working_set_hooks *hooks = engine->options.hooks;
    forget(engine);
    TRY(batch_begin(engine->options.batch));
    return hooks->begin == NULL ? result_ok() : hooks->begin(engine->options.set, engine->options.batch);
}

static struct result load(void *self, struct store_operation *const *operations, size_t count) {
    struct engine *engine = self;
    const struct working_set_hooks *hooks = engine->options.hooks;
    if (hooks->load != NULL) hooks->load(engine->options.set, engine->options.batch);
    for (size_t i = 0; i < count; i++) {
        struct operation *operation = operation_of(operations[i]);
        engine_load_kept(engine, &operation->idempotency);
        if (operation->action->load != NULL) operation->action->load(engine, operation);
    }
    audit_trail_load(&engine->trail, engine->options.batch);
    TRY(batch_run(engine->options.batch));
    if (engine->has_failed) return result_error(RESULT_FULL);
    return hooks->loaded == NULL ? result_ok() : hooks->loaded(engine->options.set);
}

static void save_record(struct engine *engine, const struct idempotency_record *record) {
    const struct value values[] = {value_bytes(record->lookup.bytes, sizeof record->lookup.bytes),
                                   value_text(record->fingerprint),
                                   value_integer(record->status),
                                   value_text(record->content_type),
                                   value_text(record->location),
                                   value_text(record->body),
                                   value_id_or_null(record->subject),
                                   value_integer(record->created_at_us)};
    batch_do(engine->options.batch, engine->options.kept->put, values, 1);
}

static int64_t kept_until_us(int64_t now_us) { return now_us - IDEMPOTENCY_RETENTION_US; }

static void expire_rows(struct engine *engine, int64_t now_us, int64_t rows) {
    const struct value values[] = {value_integer(kept_until_us(now_us)), value_integer(rows)};
    batch_do(engine->options.batch, engine->options.kept->expire, values, ROWS_ANY);
}

static struct result save(void *self) {
    struct engine *engine = self;
    if (engine->has_failed) return result_error(RESULT_FULL);
    TRY(engine->options.hooks->save(engine->options.set, engine->options.batch, engine->now_us));
    int64_t saved = 0;
    for (const struct kept *kept = engine->kept; kept != NULL; kept = kept->next) {
        if (kept->is_changed) save_record(engine, &kept->record);
        saved += kept->is_changed;
    }
    audit_trail_save(&engine->trail, engine->options.batch);
    if (saved > 0 && engine->has_expired) expire_rows(engine, engine->now_us, KEPT_EXPIRE_FACTOR * saved);
    return result_ok();
}

static enum commit_end commit(void *self, struct result *ret_reason) {
    struct engine *engine = self;
    return batch_commit(engine->options.batch, ret_reason);
}

static enum commit_end settle(void *self) {
    struct engine *engine = self;
    return batch_settle(engine->options.batch);
}

static void rollback(void *self) {
    struct engine *engine = self;
    batch_rollback(engine->options.batch);
    forget(engine);
    engine->trail.is_known = false;
    if (engine->options.hooks->rolled_back != NULL) engine->options.hooks->rolled_back(engine->options.set);
}

/* What is kept first: whoever sees what this commit has changed must also see whose answers it has kept. */
static void publish(void *self) {
    struct engine *engine = self;
    const struct working_set_hooks *hooks = engine->options.hooks;
    for (const struct kept *kept = hooks->kept == NULL ? NULL : engine->kept; kept != NULL; kept = kept->next) {
        if (kept->is_changed) hooks->kept(engine->options.set, &kept->record.lookup, engine->now_us);
    }
    if (hooks->publish != NULL) hooks->publish(engine->options.set);
    audit_trail_committed(&engine->trail);
}

/* ---- between batches ---- */

static struct result probe(void *self) { return batch_probe(((struct engine *)self)->options.batch); }

struct result engine_write(struct engine *engine, engine_writer *write, int64_t now_us) {
    struct batch *batch = engine->options.batch;
    struct result outcome = batch_begin(batch);
    if (result_is_ok(outcome)) outcome = write(engine, now_us);
    if (!result_is_ok(outcome)) {
        batch_rollback(batch);
        return outcome;
    }
    enum commit_end end = batch_commit(batch, &outcome);
    for (int i = 0; end == COMMIT_DOUBTFUL && i < DOUBT_LOOKS; i++) {
        if (i > 0) poll(NULL, 0, DOUBT_PAUSE_MS);
        end = batch_settle(batch);
    }
    if (end == COMMITTED) return result_ok();
    return result_is_ok(outcome) ? result_error(RESULT_UNAVAILABLE) : outcome;
}

static struct result found(void *context, const struct row *row) {
    (void)row;
    *(bool *)context = true;
    return result_ok();
}

static struct result expire_some(struct engine *engine, int64_t now_us) {
    expire_rows(engine, now_us, KEPT_EXPIRE_ROWS);
    return result_ok();
}

static struct result look_for_expired(struct engine *engine, int64_t now_us) {
    const struct value before[] = {value_integer(kept_until_us(now_us))};
    engine->has_expired = false;
    batch_ask(engine->options.batch, engine->options.kept->has_expired, before, found, &engine->has_expired);
    return batch_run(engine->options.batch);
}

static void expire_kept(struct engine *engine, int64_t now_us, bool is_busy) {
    struct result outcome = look_for_expired(engine, now_us);
    for (int i = is_busy ? KEPT_EXPIRE_ROUNDS - 1 : 0; i < KEPT_EXPIRE_ROUNDS && result_is_ok(outcome) && engine->has_expired; i++) {
        outcome = engine_write(engine, expire_some, now_us);
        if (result_is_ok(outcome)) outcome = look_for_expired(engine, now_us);
    }
    if (!result_is_ok(outcome)) LOG(LOG_WARN, "kept_answers_not_expired", LOG_STRING("reason", result_name(outcome)));
}

static enum commit_end idle(void *self, bool is_busy) {
    struct engine *engine = self;
    int64_t now_us = clock_now_us(engine->options.clock);
    forget(engine); /* a big batch's memory is not kept over a quiet night */
    expire_kept(engine, now_us, is_busy);
    if (engine->options.hooks->idle != NULL) engine->options.hooks->idle(engine, now_us, is_busy);
    return batch_tidy(engine->options.batch, is_busy);
}

static int64_t due_in_us(void *self) {
    const struct engine *engine = self;
    return engine->options.hooks->due_in_us(engine->options.set, clock_now_us(engine->options.clock));
}

static void timely(void *self) {
    struct engine *engine = self;
    forget(engine);
    engine->options.hooks->timely(engine, clock_now_us(engine->options.clock));
    forget(engine);
}

/* ---- life ---- */

struct result engine_create(const struct engine_options *options, struct engine **ret_engine) {
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return result_error(RESULT_FULL);
    engine->options = *options;
    engine->trail.questions = options->audit;
    arena_init(&engine->arena, KEPT_ARENA_BYTES);
    struct result made = map_init(&engine->kept_by_lookup, KEPT_MAX);
    if (!result_is_ok(made)) {
        engine_free(engine);
        return made;
    }
    *ret_engine = engine;
    return result_ok();
}

void engine_free(struct engine *engine) {
    if (engine == NULL) return;
    arena_release(&engine->arena);
    map_free(&engine->kept_by_lookup);
    free(engine);
}

void engine_bind(struct engine *engine, struct store_engine *ret_engine) {
    *ret_engine = (struct store_engine){.self = engine,
                                        .begin = begin,
                                        .load = load,
                                        .decide = decide,
                                        .save = save,
                                        .commit = commit,
                                        .settle = settle,
                                        .rollback = rollback,
                                        .publish = publish,
                                        .probe = probe,
                                        .idle = idle,
                                        .due_in_us = engine->options.hooks->due_in_us == NULL ? NULL : due_in_us,
                                        .timely = engine->options.hooks->timely == NULL ? NULL : timely};
}
