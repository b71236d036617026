/* The engine shell when something is missing: memory, the storage, the word about a commit. Below it stands no database but a connection that says what
 * it is told to say, and that answers a trip as a whole, at its end. */
#include "service/engine.h"

#include <poll.h>
#include <stdlib.h>

#include "http/server.h"

#include "../base/assertions.h"
#include "../base/memory_ends.h"

#define RECORDS_MAX 16

/* ---- the connection ---- */

struct row {
    const struct idempotency_record *record;
    bool is_refused;
};

struct batch {
    struct idempotency_record stored[RECORDS_MAX];
    size_t stored_count;
    struct {
        struct hash lookup;
        row_visitor *visit;
        void *context;
    } asked[RECORDS_MAX];
    size_t asked_count; /* of the trip */
    size_t questions;   /* of all trips, for kept answers */
    size_t old_batches; /* of kept answers that have expired */
    struct result ran;  /* what the next trip says */
    size_t expires;
    int64_t expired_rows[RECORDS_MAX];
    size_t puts, begins, commits, rollbacks, looks, pauses;
    struct result begun;
    enum commit_end end;
    struct result reason;
    size_t doubtful_looks; /* so many are without an answer */
    enum commit_end settled;
};

static struct batch batch;
static struct toy {
    size_t kepts, forgets, subjects, renders;
    int64_t value;
} toy;
static struct engine *engine;
static struct store_engine store;

static const struct question find, put, has_expired, expire;
static const struct kept_questions kept = {&find, &put, &has_expired, &expire};

void batch_ask(struct batch *asked, const struct question *question, const struct value *values, row_visitor *visit, void *context) {
    assert_ptr_equal(asked, &batch);
    assert_true(batch.asked_count < RECORDS_MAX);
    if (question == &has_expired) {
        struct row row = {0};
        if (batch.old_batches > 0) assert_ok(visit(context, &row));
        return;
    }
    assert_ptr_equal(question, &find);
    batch.questions++;
    batch.asked[batch.asked_count].visit = visit;
    batch.asked[batch.asked_count].context = context;
    memcpy(batch.asked[batch.asked_count++].lookup.bytes, values[0].text.data, CRYPTO_HASH_BYTES);
}

struct result batch_run(struct batch *asked) {
    struct result outcome = batch.ran;
    for (size_t i = 0; i < asked->asked_count; i++) {
        for (size_t k = 0; k < batch.stored_count && result_is_ok(outcome); k++) {
            struct row row = {.record = &batch.stored[k]};
            if (memcmp(&batch.stored[k].lookup, &batch.asked[i].lookup, sizeof(struct hash)) != 0) continue;
            outcome = batch.asked[i].visit(batch.asked[i].context, &row);
            if (row.is_refused) outcome = result_error(RESULT_CORRUPT);
        }
    }
    batch.asked_count = 0;
    return outcome;
}

void batch_do(struct batch *asked, const struct question *question, const struct value *values, int64_t rows_due) {
    (void)rows_due;
    if (question == &put) asked->puts++;
    if (question != &expire) return;
    asked->expired_rows[asked->expires++ % RECORDS_MAX] = values[1].integer;
    asked->old_batches -= asked->old_batches > 0;
}

struct result batch_begin(struct batch *begun) {
    begun->begins++;
    return begun->begun;
}
enum commit_end batch_commit(struct batch *committed, struct result *ret_reason) {
    committed->commits++;
    *ret_reason = committed->reason;
    return committed->end;
}
enum commit_end batch_settle(struct batch *doubtful) {
    return doubtful->looks++ < doubtful->doubtful_looks ? COMMIT_DOUBTFUL : doubtful->settled;
}
void batch_rollback(struct batch *open) { open->rollbacks++; }
struct result batch_probe(struct batch *probed) {
    (void)probed;
    return result_ok();
}
enum commit_end batch_tidy(struct batch *tidied, bool is_busy) {
    (void)tidied, (void)is_busy;
    return COMMITTED;
}

struct text row_text(const struct row *row, int column) {
    const struct idempotency_record *record = row->record;
    return column == 0 ? record->fingerprint : column == 2 ? record->content_type : column == 3 ? record->location : record->body;
}
/* The audit log reads rows as well; here nothing is noted in one. */
struct result row_verdict(const struct row *row) {
    (void)row;
    return result_ok();
}
void row_refuse(const struct row *row, int column, const char *why) { (void)row, (void)column, (void)why; }
void row_bytes_into(const struct row *row, int column, void *ret_data, size_t size) { (void)row, (void)column, (void)ret_data, (void)size; }

int64_t row_integer(const struct row *row, int column) {
    assert_int_equal(column, 6);
    return row->record->created_at_us;
}
int64_t row_time(const struct row *row, int column) { return row_integer(row, column); }
int64_t row_integer_between(const struct row *row, int column, int64_t min, int64_t max) {
    assert_int_equal(column, 1);
    if (row->record->status >= min && row->record->status <= max) return row->record->status;
    ((struct row *)(uintptr_t)row)->is_refused = true;
    return min;
}
struct id row_id_or_zero(const struct row *row, int column) {
    assert_int_equal(column, 5);
    return row->record->subject;
}

/* ---- memory that ends, and pauses that do not last: by the linker's --wrap ---- */

static size_t takings_left = SIZE_MAX, copies_left = SIZE_MAX, puts_left = SIZE_MAX;

/* One fails, those behind it do not. */
static bool is_taken(size_t *left) {
    bool fails = *left == 0;
    *left = fails || *left == SIZE_MAX ? SIZE_MAX : *left - 1;
    return !fails;
}

void *__real_arena_take_zeroed(struct arena *arena, size_t size);
void *__wrap_arena_take_zeroed(struct arena *arena, size_t size);
void *__wrap_arena_take_zeroed(struct arena *arena, size_t size) {
    return is_taken(&takings_left) ? __real_arena_take_zeroed(arena, size) : NULL;
}
struct text __real_arena_copy(struct arena *arena, struct text text);
struct text __wrap_arena_copy(struct arena *arena, struct text text);
struct text __wrap_arena_copy(struct arena *arena, struct text text) {
    return is_taken(&copies_left) ? __real_arena_copy(arena, text) : (struct text){0};
}
struct result __real_map_put(struct map *map, struct text key, void *value);
struct result __wrap_map_put(struct map *map, struct text key, void *value);
struct result __wrap_map_put(struct map *map, struct text key, void *value) {
    return is_taken(&puts_left) ? __real_map_put(map, key, value) : result_error(RESULT_FULL);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
    assert_null(fds);
    assert_int_equal(count, 0);
    assert_int_equal(timeout_ms, 100);
    batch.pauses++;
    return 0;
}

/* ---- the working set, and an action that says what it is told to say ---- */

static void forget(void *set) { ((struct toy *)set)->forgets++; }
static struct result subject_found(void *set, const struct row *row) {
    (void)row;
    ((struct toy *)set)->subjects++;
    return result_ok();
}
static struct result save(void *set, struct batch *saved, int64_t now_us) {
    (void)set, (void)saved, (void)now_us;
    return result_ok();
}
static struct hash kept_last;
static void note_kept(void *set, const struct hash *lookup, int64_t now_us) {
    assert_int_equal(now_us, 1000);
    ((struct toy *)set)->kepts++;
    kept_last = *lookup;
}
static const struct working_set_hooks hooks = {.forget = forget, .subject_found = subject_found, .save = save, .kept = note_kept};

struct asked {
    struct exchange exchange;
    struct operation operation;
    bool waits, is_rendered;
    const char *location;
};

static struct asked *asked_of(struct operation *operation) { return CONTAINER_OF(operation, struct asked, operation); }

static void render(struct operation *operation) {
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, 16);
    buffer_print(&buffer, "%lld", (long long)toy.value);
    operation_answer(operation, 201, "application/json", &buffer);
    operation->answer.location = text_of(asked_of(operation)->location);
    toy.renders++;
}
static void decide(struct engine *of, struct operation *operation, int64_t now_us) {
    (void)of, (void)now_us;
    if (asked_of(operation)->waits) operation->fate = FATE_WAITING;
    if (asked_of(operation)->is_rendered) render(operation);
}
static bool waits(struct engine *of, struct operation *operation) {
    (void)of, (void)operation;
    return true;
}
static void decide_again(struct engine *of, struct operation *operation, int64_t now_us) { (void)of, (void)operation, (void)now_us; }
static const struct action action = {
    .name = "toy", .weight = 1, .decide = decide, .waits = waits, .decide_again = decide_again, .render = render};

static void ask(struct asked *asked, const char *key) {
    static const struct http_service no_service = {.name = "test"};
    static const uint8_t secret[CRYPTO_HASH_BYTES] = {1};
    memset(asked, 0, sizeof *asked);
    exchange_init(&asked->exchange, &no_service);
    asked->exchange.method = TEXT("POST");
    asked->exchange.path = TEXT("/v1/toys");
    asked->exchange.idempotency_key = text_of(key);
    asked->exchange.caller = (struct identity){.kind = IDENTITY_USER, .user_id = {{7}}};
    asked->operation = (struct operation){.action = &action, .exchange = &asked->exchange, .arena = &asked->exchange.arena};
    asked->location = "";
    idempotency_read(&asked->exchange, NULL, NULL, secret, &asked->operation.idempotency);
}

static struct result load(struct asked *asked, size_t count) {
    struct store_operation *operations[4];
    for (size_t i = 0; i < count; i++) operations[i] = &asked[i].operation.store;
    assert_ok(store.begin(engine));
    return store.load(engine, operations, count);
}

static void decide_all(struct asked *asked, size_t count, int64_t now_us) {
    for (size_t i = 0; i < count; i++) {
        struct store_operation *operation = &asked[i].operation.store;
        store.decide(engine, &operation, 1, now_us);
    }
}

/* What is kept of this request: waiting (0), or with this status. */
static void keep(const struct asked *asked, int status) {
    batch.stored[batch.stored_count++] = (struct idempotency_record){.lookup = asked->operation.idempotency.lookup,
                                                                     .fingerprint = asked->operation.idempotency.fingerprint,
                                                                     .status = status,
                                                                     .content_type = TEXT("application/json"),
                                                                     .location = TEXT("-"),
                                                                     .body = TEXT("first"),
                                                                     .created_at_us = 500};
}

static const struct engine_options options = {.set = &toy, .hooks = &hooks, .kept = &kept, .clock = &clock_system, .batch = &batch};

static int set_up(void **state) {
    (void)state;
    memset(&batch, 0, sizeof batch);
    memset(&toy, 0, sizeof toy);
    takings_left = copies_left = puts_left = objects_left = SIZE_MAX;
    assert_ok(engine_create(&options, &engine));
    engine_bind(engine, &store);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    engine_free(engine);
    return 0;
}

/* ---- no memory ---- */

static void test_no_engine_without_memory(void **state) {
    (void)state;
    for (size_t objects = 0; objects < 3; objects++) { /* itself, and two for its map */
        struct engine *other = NULL;
        objects_left = objects;
        assert_int_equal(engine_create(&options, &other).code, RESULT_FULL);
    }
}

/* An answer that cannot be kept: the batch is not saved, and the next one is as if nothing had been. */
static void expect_not_saved(struct asked *asked) {
    assert_int_equal(store.save(engine).code, RESULT_FULL);
    takings_left = copies_left = puts_left = SIZE_MAX;
    store.rollback(engine);
    assert_ok(load(asked, 1));
    decide_all(asked, 1, 1000);
    assert_ok(store.save(engine));
    assert_int_equal(batch.puts, 1);
    batch.puts = 0;
    exchange_clear(&asked->exchange);
}

static void test_what_cannot_be_kept_is_not_saved(void **state) {
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct asked asked;
        ask(&asked, "k");
        assert_ok(load(&asked, 1));
        if (i == 0) takings_left = 0;
        if (i == 1) puts_left = 0;
        if (i >= 2) copies_left = i - 2; /* fingerprint, content type, location, body */
        decide_all(&asked, 1, 1000);
        expect_not_saved(&asked);
    }
}

static void test_an_action_that_finds_no_memory_is_not_saved(void **state) {
    (void)state;
    struct asked asked;
    ask(&asked, "k");
    assert_ok(load(&asked, 1));
    decide_all(&asked, 1, 1000);
    const char *taken = engine_take(engine, 1);
    assert_non_null(taken);
    assert_int_equal(taken[0], 0);
    takings_left = 0;
    assert_null(engine_take(engine, 1));
    expect_not_saved(&asked);
}

static void test_what_waited_and_cannot_be_kept_is_not_saved(void **state) {
    (void)state;
    struct asked asked;
    ask(&asked, "k");
    keep(&asked, 0);
    assert_ok(load(&asked, 1));
    copies_left = 0;
    engine_decide_again(engine, &asked.operation, 1000);
    assert_int_equal(store.save(engine).code, RESULT_FULL);
    exchange_clear(&asked.exchange);
}

static void test_what_cannot_be_asked_or_found_fails_the_trip(void **state) {
    (void)state;
    struct asked asked;
    ask(&asked, "k");
    takings_left = 0; /* the question itself */
    assert_int_equal(load(&asked, 1).code, RESULT_FULL);
    keep(&asked, 201);
    takings_left = 1; /* the record that is found */
    assert_int_equal(load(&asked, 1).code, RESULT_FULL);
    takings_left = SIZE_MAX;
    batch.ran = result_error(RESULT_UNAVAILABLE);
    assert_int_equal(load(&asked, 1).code, RESULT_UNAVAILABLE);
    batch.ran = result_ok();
    assert_ok(load(&asked, 1));
    exchange_clear(&asked.exchange);
}

/* ---- what is asked, found and rendered, and what is not ---- */

static void test_nothing_is_asked_without_a_key_nor_what_is_there(void **state) {
    (void)state;
    struct asked asked[2];
    ask(&asked[0], "");
    ask(&asked[1], "k");
    keep(&asked[1], 201);
    assert_ok(load(asked, 2));
    assert_int_equal(batch.questions, 1);
    engine_load_kept(engine, &asked[1].operation.idempotency);
    assert_int_equal(batch.questions, 1);
    for (size_t i = 0; i < 2; i++) exchange_clear(&asked[i].exchange);
}

static void test_two_of_a_batch_find_one_record(void **state) {
    (void)state;
    struct asked asked[2];
    for (size_t i = 0; i < 2; i++) ask(&asked[i], "k");
    keep(&asked[0], 0);
    assert_ok(load(asked, 2));
    assert_int_equal(toy.subjects, 1);
    decide_all(asked, 2, 1000);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(asked[i].operation.fate, FATE_WAITING);
        exchange_clear(&asked[i].exchange);
    }
}

static void test_a_kept_status_is_one_of_http(void **state) {
    (void)state;
    struct asked asked;
    ask(&asked, "k");
    keep(&asked, 599);
    assert_ok(load(&asked, 1));
    batch.stored[0].status = 600;
    assert_int_equal(load(&asked, 1).code, RESULT_CORRUPT);
    exchange_clear(&asked.exchange);
}

static void test_an_answer_is_rendered_once_and_none_of_what_waits(void **state) {
    (void)state;
    struct asked asked[3];
    ask(&asked[0], "plain");
    ask(&asked[1], "waits");
    ask(&asked[2], "rendered");
    asked[1].waits = true;
    asked[2].is_rendered = true;
    assert_ok(load(asked, 3));
    for (size_t i = 0; i < 3; i++) {
        toy.renders = 0;
        decide_all(&asked[i], 1, 1000);
        assert_int_equal(toy.renders, i != 1);
        exchange_clear(&asked[i].exchange);
    }
}

/* The mark's batch failed, and is decided again: what was rendered the first time is not what is true now. */
static void test_who_waited_is_rendered_anew_when_the_batch_is(void **state) {
    (void)state;
    struct asked asked;
    ask(&asked, "k");
    for (toy.value = 1; toy.value <= 2; toy.value++) {
        assert_ok(load(&asked, 1));
        engine_decide_again(engine, &asked.operation, 1000);
        assert_text(asked.operation.answer.body, toy.value == 1 ? "1" : "2");
        store.rollback(engine);
    }
    exchange_clear(&asked.exchange);
}

static void test_a_final_answer_is_as_old_as_its_first_request(void **state) {
    (void)state;
    struct asked asked[2];
    for (size_t i = 0; i < 2; i++) ask(&asked[i], "k");
    keep(&asked[0], 0);
    asked[0].location = "/";
    assert_ok(load(asked, 1));
    engine_decide_again(engine, &asked[0].operation, 1000);
    decide_all(&asked[1], 1, 2000);
    assert_int_equal(asked[1].operation.fate, FATE_REPLAYED);
    assert_int_equal(asked[1].operation.kept.created_at_us, 500);
    assert_text(asked[1].operation.kept.location, "/");
    for (size_t i = 0; i < 2; i++) exchange_clear(&asked[i].exchange);
}

/* ---- the working set is not kept for longer than its batch ---- */

static void test_all_is_forgotten_at_rollback_and_when_nothing_happens(void **state) {
    (void)state;
    struct asked asked;
    ask(&asked, "k");
    assert_ok(load(&asked, 1));
    decide_all(&asked, 1, 1000);
    toy.forgets = 0;
    store.rollback(engine);
    assert_int_equal(toy.forgets, 1);
    assert_int_equal(store.idle(engine, false), COMMITTED);
    assert_int_equal(toy.forgets, 2);
    exchange_clear(&asked.exchange);
}

static void test_nothing_is_written_while_nothing_has_expired(void **state) {
    (void)state;
    batch.end = COMMITTED;
    assert_int_equal(store.idle(engine, false), COMMITTED);
    assert_int_equal(batch.begins, 0);
    batch.old_batches = SIZE_MAX;
    batch.ran = result_error(RESULT_IO);
    assert_int_equal(store.idle(engine, false), COMMITTED);
    assert_int_equal(batch.begins, 0);
    batch.ran = result_ok();
    assert_int_equal(store.idle(engine, true), COMMITTED);
    assert_int_equal(batch.commits, 1); /* somebody waits */
    assert_int_equal(store.idle(engine, false), COMMITTED);
    assert_int_equal(batch.commits, 1 + 10); /* there are always more: it ends all the same */
}

/* ---- what has expired ---- */

static void test_what_has_expired_goes_while_nothing_waits_and_else_a_little(void **state) {
    (void)state;
    static const struct {
        size_t old_batches;
        bool is_busy;
        size_t expires;
    } rows[] = {{3, false, 3}, {12, false, 10}, {3, true, 1}};
    batch.end = COMMITTED;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        batch.old_batches = rows[i].old_batches;
        batch.expires = 0;
        assert_int_equal(store.idle(engine, rows[i].is_busy), COMMITTED);
        assert_int_equal(batch.expires, rows[i].expires);
        assert_int_equal(batch.expired_rows[0], 1000);
    }
    batch.expires = 0; /* one that could not be written is not tried again at once */
    batch.end = NOT_COMMITTED;
    batch.old_batches = 12;
    assert_int_equal(store.idle(engine, false), COMMITTED);
    assert_int_equal(batch.expires, 1);
}

/* While some are too old a batch drops two for each that it keeps, whoever it answers besides. */
static void test_while_some_are_too_old_a_batch_drops_more_than_it_keeps(void **state) {
    (void)state;
    struct asked asked[3];
    ask(&asked[0], "");
    ask(&asked[1], "old");
    ask(&asked[2], "new");
    keep(&asked[1], 201);
    for (size_t old_batches = 0; old_batches <= 12; old_batches += 12) {
        batch.old_batches = old_batches;
        batch.end = COMMITTED;
        assert_int_equal(store.idle(engine, true), COMMITTED);
        batch.expires = 0;
        assert_ok(load(asked, 2)); /* nothing of it is kept */
        decide_all(asked, 2, 1000);
        assert_ok(store.save(engine));
        assert_int_equal(batch.expires, 0);
        assert_ok(load(asked, 3));
        decide_all(asked, 3, 1000);
        assert_ok(store.save(engine));
        assert_int_equal(batch.expires, old_batches != 0);
        if (old_batches != 0) assert_int_equal(batch.expired_rows[0], 2);
    }
    for (size_t i = 0; i < 3; i++) exchange_clear(&asked[i].exchange);
}

static void test_what_is_kept_is_told_after_the_commit(void **state) {
    (void)state;
    struct asked asked[2];
    ask(&asked[0], "old");
    ask(&asked[1], "new");
    keep(&asked[0], 201);
    assert_ok(load(asked, 2));
    decide_all(asked, 2, 1000);
    assert_ok(store.save(engine));
    assert_int_equal(toy.kepts, 0);
    store.publish(engine);
    assert_int_equal(toy.kepts, 1);
    assert_memory_equal(&kept_last, &asked[1].operation.idempotency.lookup, sizeof kept_last);
    for (size_t i = 0; i < 2; i++) exchange_clear(&asked[i].exchange);
}

/* ---- a transaction of our own ---- */

static struct result written;
static struct result write_something(struct engine *of, int64_t now_us) {
    assert_ptr_equal(of, engine);
    assert_int_equal(now_us, 1000);
    return written;
}

static struct result write_once(void) {
    batch.commits = batch.rollbacks = batch.looks = batch.pauses = 0;
    return engine_write(engine, write_something, 1000);
}

static void test_what_was_not_written_is_rolled_back(void **state) {
    (void)state;
    batch.begun = result_error(RESULT_UNAVAILABLE);
    assert_int_equal(write_once().code, RESULT_UNAVAILABLE);
    assert_int_equal(batch.rollbacks, 1);
    batch.begun = result_ok();
    written = result_error(RESULT_IO);
    assert_int_equal(write_once().code, RESULT_IO);
    assert_int_equal(batch.rollbacks, 1);
    assert_int_equal(batch.commits, 0);
    written = result_ok();
    batch.end = NOT_COMMITTED;
    batch.reason = result_error(RESULT_FULL);
    assert_int_equal(write_once().code, RESULT_FULL);
    assert_int_equal(batch.rollbacks, 0);
    assert_int_equal(batch.looks, 0);
}

/* In doubt the storage is asked until it knows, with a pause between two askings, but not for ever. */
static void test_a_doubt_is_settled_or_said(void **state) {
    (void)state;
    batch.end = COMMIT_DOUBTFUL;
    batch.settled = COMMITTED;
    assert_ok(write_once());
    assert_int_equal(batch.looks, 1);
    assert_int_equal(batch.pauses, 0);
    batch.doubtful_looks = 2;
    assert_ok(write_once());
    assert_int_equal(batch.looks, 3);
    assert_int_equal(batch.pauses, 2);
    batch.settled = NOT_COMMITTED;
    assert_int_equal(write_once().code, RESULT_UNAVAILABLE);
    assert_int_equal(batch.looks, 3);
    batch.doubtful_looks = SIZE_MAX;
    assert_int_equal(write_once().code, RESULT_UNAVAILABLE);
    assert_int_equal(batch.looks, 100);
    assert_int_equal(batch.pauses, 99);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_engine_without_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_kept_is_not_saved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_action_that_finds_no_memory_is_not_saved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_waited_and_cannot_be_kept_is_not_saved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_asked_or_found_fails_the_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_asked_without_a_key_nor_what_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_of_a_batch_find_one_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_kept_status_is_one_of_http, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_is_rendered_once_and_none_of_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waited_is_rendered_anew_when_the_batch_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_final_answer_is_as_old_as_its_first_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_is_forgotten_at_rollback_and_when_nothing_happens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_written_while_nothing_has_expired, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_has_expired_goes_while_nothing_waits_and_else_a_little, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_while_some_are_too_old_a_batch_drops_more_than_it_keeps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_kept_is_told_after_the_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_not_written_is_rolled_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_doubt_is_settled_or_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
