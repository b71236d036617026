/* The engine shell over a toy service: counters by name, that an action adds to, and an action that waits for its counter to be closed. */
#include "service/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/server.h"

#include "../base/assertions.h"
#include "../base/folder.h"
#include "store/open.h"

#define COUNTERS_MAX 16

struct counter {
    char name[16];
    int64_t value;
    bool is_new, is_changed, is_closed;
};

struct toy {
    char folder[64], file[96];
    struct batch_commits commits;
    struct place place;
    struct batch *writer;
    struct engine *engine;
    struct store_engine store;
    struct counter counters[COUNTERS_MAX];
    size_t count, publishes, rollbacks;
    size_t kept_count, kept_at_publish; /* told by the engine, and how many of them when it published */
    size_t timely_count, found;         /* what comes due by itself was done so often; then so many counters were left of before */
};

static const struct migration migrations[] = {
    {.name = "0001_toy.sql",
     .sql = "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL CHECK (value < 100), is_closed INTEGER NOT NULL) STRICT;"
            "CREATE TABLE idempotency (number INTEGER PRIMARY KEY, lookup BLOB NOT NULL UNIQUE, fingerprint TEXT NOT NULL, status INTEGER "
            "NOT NULL,"
            " content_type TEXT NOT NULL, location TEXT NOT NULL, body TEXT NOT NULL, subject BLOB, created_at INTEGER NOT NULL) STRICT;"},
};
static const struct schema schema = {.application_id = 7, .name = "toy", .migrations = migrations, .count = 1};

static const struct question counter_by_name = {.name = "a counter",
                                                .sql = "SELECT name, value, is_closed FROM counters WHERE name = $1 LIMIT 1",
                                                .parameters = {COLUMN_TEXT}};
static const struct question put_counter = {
    .name = "a counter's value",
    .sql = "INSERT INTO counters (name, value, is_closed) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE "
           "SET value = excluded.value, is_closed = excluded.is_closed",
    .parameters = {COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question find = {.name = "a kept answer",
                                     .sql =
                                         "SELECT fingerprint, status, content_type, location, body, subject, created_at FROM idempotency "
                                         "WHERE lookup = $1 LIMIT 1",
                                     .parameters = {COLUMN_BYTES}};
static const struct question put = {
    .name = "an answer to keep",
    .sql = "INSERT INTO idempotency (lookup, fingerprint, status, content_type, location, body, subject, created_at) VALUES ($1, $2, $3, "
           "$4, $5, "
           "$6, $7, $8) ON CONFLICT (lookup) DO UPDATE SET status = excluded.status, content_type = excluded.content_type, location = "
           "excluded.location, body = excluded.body, subject = excluded.subject",
    .parameters = {COLUMN_BYTES, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_ID, COLUMN_INTEGER}};
static const struct question has_expired = {.name = "an old kept answer",
                                            .sql = "SELECT 1 FROM (SELECT created_at FROM idempotency ORDER BY number LIMIT 1) AS oldest "
                                                   "WHERE created_at < $1",
                                            .parameters = {COLUMN_INTEGER}};
static const struct question expire = {
    .name = "old kept answers",
    .sql = "DELETE FROM idempotency WHERE number IN (SELECT number FROM idempotency ORDER BY number LIMIT $2) "
           "AND created_at < $1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct kept_questions kept = {&find, &put, &has_expired, &expire};

/* ---- the working set ---- */

static struct counter *counter_of(struct toy *toy, struct text name) {
    for (size_t i = 0; i < toy->count; i++) {
        if (text_equal(text_of(toy->counters[i].name), name)) return &toy->counters[i];
    }
    return NULL;
}

static void forget(void *set) { ((struct toy *)set)->count = 0; }

static struct result save(void *set, struct batch *batch, int64_t now_us) {
    struct toy *toy = set;
    (void)now_us;
    for (size_t i = 0; i < toy->count; i++) {
        struct counter *counter = &toy->counters[i];
        const struct value values[] = {value_text(text_of(counter->name)), value_integer(counter->value),
                                       value_integer(counter->is_closed)};
        if (counter->is_changed) batch_do(batch, &put_counter, values, 1);
    }
    return result_ok();
}

static void note_kept(void *set, const struct hash *lookup, int64_t now_us) {
    static const struct hash none;
    assert_memory_not_equal(lookup, &none, sizeof none);
    assert_true(now_us > 0);
    ((struct toy *)set)->kept_count++;
}

static void publish(void *set) {
    struct toy *toy = set;
    toy->publishes++;
    toy->kept_at_publish = toy->kept_count;
}

static void rolled_back(void *set) { ((struct toy *)set)->rollbacks++; }

static struct toy *of_the_engine;

static void do_timely(struct engine *engine, int64_t now_us) {
    struct toy *toy = of_the_engine;
    assert_true(engine == toy->engine && now_us > 0);
    toy->timely_count++;
    toy->found = toy->count;
    toy->count = 1; /* what it has loaded */
}

static const struct working_set_hooks hooks = {
    .forget = forget, .save = save, .kept = note_kept, .publish = publish, .rolled_back = rolled_back, .timely = do_timely};

/* ---- the actions ---- */

struct add {
    struct operation operation; /* first */
    struct text name;
    int64_t amount;
    bool waits; /* its answer is final when the counter is closed */
    int status; /* 0: 201 */
    int64_t value;
};

static struct result counter_found(void *context, const struct row *row) {
    struct toy *toy = context;
    struct text name = row_text(row, 0);
    if (counter_of(toy, name) != NULL) return result_ok();
    assert_true(toy->count < COUNTERS_MAX);
    struct counter *counter = &toy->counters[toy->count++];
    *counter = (struct counter){.value = row_integer(row, 1), .is_closed = row_boolean(row, 2)};
    snprintf(counter->name, sizeof counter->name, "%.*s", (int)name.size, name.data);
    return result_ok();
}

static void add_load(struct engine *engine, struct operation *operation) {
    const struct add *add = (const struct add *)operation;
    const struct value values[] = {value_text(add->name)};
    batch_ask(engine_batch(engine), &counter_by_name, values, counter_found, engine_set(engine));
}

static void add_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct toy *toy = engine_set(engine);
    struct add *add = (struct add *)operation;
    (void)now_us;
    struct counter *counter = counter_of(toy, add->name);
    if (counter == NULL) {
        counter = &toy->counters[toy->count++];
        *counter = (struct counter){.is_new = true};
        snprintf(counter->name, sizeof counter->name, "%.*s", (int)add->name.size, add->name.data);
    }
    counter->is_changed = true;
    counter->value += add->amount;
    counter->is_closed = counter->is_closed || add->amount == 0; /* nothing is added: closes it */
    add->value = counter->value;
    operation->is_passing = add->amount < 0;
    if (add->waits) {
        operation->fate = FATE_WAITING;
        operation->is_maker = true;
        operation->subject = (struct id){{(uint8_t)add->name.data[0]}};
    }
}

static bool add_waits(struct engine *engine, struct operation *operation) {
    assert_true(operation->is_maker);
    assert_int_equal(operation->subject.bytes[0], ((struct add *)operation)->name.data[0]);
    return !counter_of(engine_set(engine), ((struct add *)operation)->name)->is_closed;
}

static void add_decide_again(struct engine *engine, struct operation *operation, int64_t now_us) {
    (void)now_us;
    ((struct add *)operation)->value = counter_of(engine_set(engine), ((struct add *)operation)->name)->value;
}

static void add_render(struct operation *operation) {
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, 16);
    buffer_print(&buffer, "%lld", (long long)((struct add *)operation)->value);
    int status = ((struct add *)operation)->status;
    operation_answer(operation, status == 0 ? 201 : status, "application/json", &buffer);
    operation->answer.location = TEXT("/there");
}

static const struct action add_action = {.name = "add",
                                         .weight = 1,
                                         .load = add_load,
                                         .decide = add_decide,
                                         .waits = add_waits,
                                         .decide_again = add_decide_again,
                                         .render = add_render};

/* ---- one request ---- */

struct asked {
    struct exchange exchange;
    struct add add;
};

static const struct http_service no_service = {.name = "test"};
static const uint8_t secret[CRYPTO_HASH_BYTES] = {1};

static void ask(struct asked *asked, const char *name, int64_t amount, const char *key) {
    memset(asked, 0, sizeof *asked);
    exchange_init(&asked->exchange, &no_service);
    asked->exchange.method = TEXT("POST");
    asked->exchange.path = text_of(name);
    asked->exchange.idempotency_key = text_of(key);
    asked->exchange.request_id = TEXT("r");
    asked->exchange.caller = (struct identity){.kind = IDENTITY_USER, .user_id = {{7}}};
    asked->add = (struct add){.operation = {.action = &add_action, .exchange = &asked->exchange, .arena = &asked->exchange.arena},
                              .name = text_of(name),
                              .amount = amount};
    idempotency_read(&asked->exchange, NULL, NULL, secret, &asked->add.operation.idempotency);
}

static enum commit_end run(struct toy *toy, struct asked *asked, size_t count, int64_t now_us) {
    struct store_operation *operations[8];
    struct result reason = result_ok();
    for (size_t i = 0; i < count; i++) operations[i] = &asked[i].add.operation.store;
    assert_ok(toy->store.begin(toy->engine));
    assert_ok(toy->store.load(toy->engine, operations, count));
    toy->store.decide(toy->engine, operations, count, now_us);
    assert_ok(toy->store.save(toy->engine));
    enum commit_end end = toy->store.commit(toy->engine, &reason);
    if (end == COMMITTED) toy->store.publish(toy->engine);
    if (end != COMMITTED) toy->store.rollback(toy->engine);
    return end;
}

static void expect(struct asked *asked, enum operation_fate fate, const char *body) {
    const struct operation *operation = &asked->add.operation;
    assert_int_equal(operation->fate, fate);
    if (fate == FATE_REPLAYED) {
        assert_text(operation->kept.body, body);
        assert_int_equal(operation->kept.status, 201);
        assert_text(operation->kept.location, "/there");
        assert_text(operation->kept.content_type, "application/json");
    } else if (fate == FATE_DECIDED) {
        if (operation->answer.status == 0) add_render(&asked->add.operation);
        assert_text(operation->answer.body, body);
    }
    exchange_clear(&asked->exchange);
}

static void ask_one(struct toy *toy, const char *name, int64_t amount, const char *key, enum operation_fate fate, const char *body) {
    struct asked asked;
    ask(&asked, name, amount, key);
    assert_int_equal(run(toy, &asked, 1, 1000), COMMITTED);
    expect(&asked, fate, body);
}

static int open_toy(void **state) {
    struct toy *toy = calloc(1, sizeof *toy);
    assert_non_null(toy);
    folder_create(toy->folder, "engine-test");
    snprintf(toy->file, sizeof toy->file, "%s/toy.db", toy->folder);
    toy->place = (struct place){.file = toy->file, .schema = &schema, .commits = &toy->commits};
    assert_ok(batch_open(&toy->place, BATCH_CREATE, &toy->writer));
    const struct engine_options options = {.set = toy, .hooks = &hooks, .kept = &kept, .clock = &clock_system, .batch = toy->writer};
    assert_ok(engine_create(&options, &toy->engine));
    engine_bind(toy->engine, &toy->store);
    *state = toy;
    return 0;
}

static int close_toy(void **state) {
    struct toy *toy = *state;
    char path[128];
    engine_free(toy->engine);
    batch_close(toy->writer);
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
        snprintf(path, sizeof path, "%s%s", toy->file, endings[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(toy->folder), 0);
    free(toy);
    return 0;
}

/* ---- tests ---- */

/* Between two batches: nothing of the one before is left for it, and nothing of it for the next. */
static void what_comes_due_by_itself_leaves_nothing(void **state) {
    struct toy *toy = *state;
    of_the_engine = toy;
    ask_one(toy, "a", 5, "", FATE_DECIDED, "5");
    toy->count = 2;
    toy->store.timely(toy->store.self);
    assert_int_equal(toy->timely_count, 1);
    assert_int_equal(toy->found, 0);
    assert_int_equal(toy->count, 0);
}

static void an_action_is_loaded_decided_and_saved(void **state) {
    ask_one(*state, "a", 5, "", FATE_DECIDED, "5");
    ask_one(*state, "a", 6, "", FATE_DECIDED, "11");
    ask_one(*state, "b", 1, "", FATE_DECIDED, "1");
    assert_int_equal(((struct toy *)*state)->publishes, 3);
}

static void the_same_key_gets_the_first_answer(void **state) {
    ask_one(*state, "a", 5, "k", FATE_DECIDED, "5");
    ask_one(*state, "a", 5, "k", FATE_REPLAYED, "5");
    ask_one(*state, "a", 5, "other", FATE_DECIDED, "10");
    ask_one(*state, "b", 5, "k", FATE_KEY_REUSED, NULL);
}

static void the_same_key_in_one_batch_gets_one_answer(void **state) {
    struct asked asked[3];
    for (size_t i = 0; i < 3; i++) ask(&asked[i], i == 2 ? "b" : "a", 5, "k");
    assert_int_equal(run(*state, asked, 3, 1000), COMMITTED);
    expect(&asked[0], FATE_DECIDED, "5");
    expect(&asked[1], FATE_REPLAYED, "5");
    expect(&asked[2], FATE_KEY_REUSED, NULL);
    ask_one(*state, "a", 1, "", FATE_DECIDED, "6");
}

static void a_passing_refusal_is_not_kept(void **state) {
    ask_one(*state, "a", -1, "k", FATE_DECIDED, "-1");
    ask_one(*state, "a", -1, "k", FATE_DECIDED, "-2");
}

static void what_is_about_the_moment_is_not_kept(void **state) {
    static const int passing[] = {503, 429, 403};
    for (size_t i = 0; i < ARRAY_COUNT(passing); i++) {
        struct asked asked;
        ask(&asked, "a", 1, "k");
        asked.add.status = passing[i];
        assert_int_equal(run(*state, &asked, 1, 1000), COMMITTED);
        expect(&asked, FATE_DECIDED, i == 0 ? "1" : i == 1 ? "2" : "3");
    }
    ask_one(*state, "a", 1, "k", FATE_DECIDED, "4");
    ask_one(*state, "a", 1, "k", FATE_REPLAYED, "4");
}

/* After a rollback the same operations are loaded and decided anew: nothing of the first time is left in them, nor in what is kept. */
static void a_batch_may_be_decided_a_second_time(void **state) {
    struct toy *toy = *state;
    struct asked asked;
    struct store_operation *operations[] = {&asked.add.operation.store};
    ask(&asked, "a", 5, "k");
    for (int i = 0; i < 2; i++) {
        asked.add.waits = i == 1;
        assert_ok(toy->store.begin(toy->engine));
        assert_ok(toy->store.load(toy->engine, operations, 1));
        toy->store.decide(toy->engine, operations, 1, 1000);
        toy->store.rollback(toy->engine);
    }
    assert_int_equal(asked.add.operation.fate, FATE_WAITING);
    asked.add.waits = false;
    asked.add.amount = 7;
    assert_int_equal(run(toy, &asked, 1, 1000), COMMITTED);
    assert_false(asked.add.operation.is_maker);
    assert_true(id_is_zero(asked.add.operation.subject));
    expect(&asked, FATE_DECIDED, "7");
    ask_one(toy, "a", 7, "k", FATE_REPLAYED, "7");
}

static void a_failed_commit_leaves_nothing(void **state) {
    struct toy *toy = *state;
    struct asked asked;
    ask(&asked, "a", 100, "k"); /* the table takes less */
    assert_int_equal(run(toy, &asked, 1, 1000), NOT_COMMITTED);
    exchange_clear(&asked.exchange);
    assert_int_equal(toy->rollbacks, 1);
    assert_int_equal(toy->publishes, 0);
    ask_one(toy, "a", 1, "", FATE_DECIDED, "1");
}

static void what_waits_is_kept_as_waiting_and_made_final_later(void **state) {
    struct asked asked;
    for (int i = 0; i < 2; i++) { /* and its repeat waits with it, and adds nothing */
        ask(&asked, "a", 5, "k");
        asked.add.waits = true;
        assert_int_equal(run(*state, &asked, 1, 1000), COMMITTED);
        expect(&asked, FATE_WAITING, NULL);
    }
    ask_one(*state, "a", 2, "", FATE_DECIDED, "7");
    ask_one(*state, "a", 0, "", FATE_DECIDED, "7"); /* closed */
    ask(&asked, "a", 5, "k");
    assert_int_equal(run(*state, &asked, 1, 1000), COMMITTED);
    assert_true(asked.add.operation.is_repeat); /* and says so, though its answer was made for it */
    expect(&asked, FATE_DECIDED, "7");
    ask_one(*state, "a", 5, "k", FATE_REPLAYED, "7");
}

/* A 202 is no last word: it is not kept, and the next with its key asks again. */
static void what_is_not_final_is_answered_as_it_stands(void **state) {
    struct toy *toy = *state;
    struct asked asked, late;
    ask(&asked, "a", 5, "k");
    asked.add.waits = true;
    assert_int_equal(run(toy, &asked, 1, 1000), COMMITTED);
    asked.add.status = 202;
    assert_ok(toy->store.begin(toy->engine));
    engine_load_kept(toy->engine, &asked.add.operation.idempotency);
    add_load(toy->engine, &asked.add.operation);
    assert_ok(batch_run(toy->writer));
    engine_decide_again(toy->engine, &asked.add.operation, 2000);
    assert_ok(toy->store.save(toy->engine));
    struct result reason;
    assert_int_equal(toy->store.commit(toy->engine, &reason), COMMITTED);
    assert_false(asked.add.operation.is_repeat);
    expect(&asked, FATE_DECIDED, "5");

    ask(&late, "a", 5, "k");
    assert_int_equal(run(toy, &late, 1, 3000), COMMITTED);
    assert_true(late.add.operation.is_repeat);
    expect(&late, FATE_WAITING, NULL);
    ask_one(toy, "a", 0, "", FATE_DECIDED, "5"); /* closed */
    ask_one(toy, "a", 5, "k", FATE_DECIDED, "5");
    ask_one(toy, "a", 5, "k", FATE_REPLAYED, "5");
}

static void what_is_kept_is_told_before_it_is_published(void **state) {
    struct toy *toy = *state;
    ask_one(toy, "a", 5, "", FATE_DECIDED, "5");
    ask_one(toy, "a", -1, "passing", FATE_DECIDED, "4");
    assert_int_equal(toy->kept_count, 0);
    ask_one(toy, "a", 5, "k", FATE_DECIDED, "9");
    assert_int_equal(toy->kept_at_publish, 1);
    ask_one(toy, "a", 5, "k", FATE_REPLAYED, "9");
    assert_int_equal(toy->kept_count, 1);
}

static void a_waiter_gets_the_answer_that_its_key_was_given_meanwhile(void **state) {
    struct toy *toy = *state;
    struct asked asked;
    ask(&asked, "a", 5, "k");
    asked.add.waits = true;
    assert_int_equal(run(toy, &asked, 1, 1000), COMMITTED);
    ask_one(toy, "a", 0, "", FATE_DECIDED, "5");
    ask_one(toy, "a", 5, "k", FATE_DECIDED, "5"); /* another request with its key made it final */
    ask_one(toy, "a", 1, "", FATE_DECIDED, "6");

    assert_ok(toy->store.begin(toy->engine));
    engine_load_kept(toy->engine, &asked.add.operation.idempotency);
    add_load(toy->engine, &asked.add.operation);
    assert_ok(batch_run(toy->writer));
    engine_decide_again(toy->engine, &asked.add.operation, 2000);
    toy->store.rollback(toy->engine);
    expect(&asked, FATE_REPLAYED, "5");
}

static void an_answer_without_room_is_not_kept(void **state) {
    struct asked asked;
    ask(&asked, "a", 5, "k");
    asked.exchange.arena.limit_bytes = asked.exchange.arena.used_bytes;
    assert_int_equal(run(*state, &asked, 1, 1000), COMMITTED);
    expect(&asked, FATE_OVERLOADED, NULL);
    ask_one(*state, "a", 5, "k", FATE_DECIDED, "10");
}

static void old_answers_are_forgotten(void **state) {
    struct toy *toy = *state;
    int64_t now_us = clock_now_us(&clock_system);
    struct asked asked[2];
    ask(&asked[0], "a", 5, "old");
    assert_int_equal(run(toy, &asked[0], 1, now_us - IDEMPOTENCY_RETENTION_US - CLOCK_SECOND_US), COMMITTED);
    ask(&asked[1], "a", 5, "young");
    assert_int_equal(run(toy, &asked[1], 1, now_us - IDEMPOTENCY_RETENTION_US + 60 * CLOCK_SECOND_US), COMMITTED);
    for (size_t i = 0; i < 2; i++) exchange_clear(&asked[i].exchange);
    assert_int_equal(toy->store.idle(toy->engine, false), COMMITTED);
    ask_one(toy, "a", 5, "young", FATE_REPLAYED, "10");
    ask_one(toy, "a", 5, "old", FATE_DECIDED, "15");
}

static const struct question many_old = {
    .name = "many old answers",
    .sql =
        "INSERT INTO idempotency (lookup, fingerprint, status, content_type, location, body, created_at) WITH RECURSIVE n(i) AS (SELECT 1 "
        "UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT CAST(i AS BLOB), '', 204, '', '', '', 0 FROM n",
    .parameters = {COLUMN_INTEGER}};

static struct result row_counted(void *count, const struct row *row) {
    *(int64_t *)count = row_integer(row, 0);
    return result_ok();
}

static int64_t count_old(struct toy *toy) {
    static const struct question question = {.name = "old answers", .sql = "SELECT count(*) FROM idempotency WHERE created_at = 0"};
    int64_t count = -1;
    batch_ask(toy->writer, &question, NULL, row_counted, &count);
    assert_ok(batch_run(toy->writer));
    return count;
}

/* What is kept under a load that never pauses: each batch drops more than it adds, so that they never become more. */
static void forgetting_keeps_up_with_what_is_written(void **state) {
    struct toy *toy = *state;
    struct result reason;
    const struct value values[] = {value_integer(21000)};
    assert_ok(batch_begin(toy->writer));
    batch_do(toy->writer, &many_old, values, ROWS_ANY);
    assert_int_equal(batch_commit(toy->writer, &reason), COMMITTED);
    assert_int_equal(toy->store.idle(toy->engine, true), COMMITTED);
    assert_int_equal(count_old(toy), 20000);
    assert_int_equal(toy->store.idle(toy->engine, false), COMMITTED);
    assert_int_equal(count_old(toy), 10000);
    struct asked asked[8];
    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
        char key[16];
        snprintf(key, sizeof key, "new-%zu", i);
        ask(&asked[i], "a", 1, i == 0 ? "" : key); /* one without a key */
        if (i > 0) asked[i].add.operation.idempotency.lookup.bytes[0] = (uint8_t)i;
    }
    assert_int_equal(run(toy, asked, ARRAY_COUNT(asked), clock_now_us(&clock_system)), COMMITTED);
    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) exchange_clear(&asked[i].exchange);
    assert_int_equal(count_old(toy), 10000 - 2 * 7);
    assert_int_equal(toy->store.idle(toy->engine, false), COMMITTED);
    assert_int_equal(count_old(toy), 0);
    ask_one(toy, "a", 1, "k", FATE_DECIDED, "9");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_due_by_itself_leaves_nothing, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(an_action_is_loaded_decided_and_saved, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(the_same_key_gets_the_first_answer, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(the_same_key_in_one_batch_gets_one_answer, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(a_passing_refusal_is_not_kept, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(what_is_about_the_moment_is_not_kept, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(a_batch_may_be_decided_a_second_time, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(a_failed_commit_leaves_nothing, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(what_waits_is_kept_as_waiting_and_made_final_later, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(what_is_not_final_is_answered_as_it_stands, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(what_is_kept_is_told_before_it_is_published, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(a_waiter_gets_the_answer_that_its_key_was_given_meanwhile, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(an_answer_without_room_is_not_kept, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(old_answers_are_forgotten, open_toy, close_toy),
        cmocka_unit_test_setup_teardown(forgetting_keeps_up_with_what_is_written, open_toy, close_toy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
