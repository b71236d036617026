/* Readings on the loop, and on reader threads: the same ones, because a handler can't tell. */
#include "service/reading.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../base/assertions.h"
#include "http/server.h"
#include "service/service.h"
#include "store/open.h"

#define READINGS  300
#define BAD_ROW   7 /* whose visitor refuses it */
#define NOT_THERE 9

/* Linked in the place of the seam's own answer. */
static bool is_on_threads;
bool __wrap_place_is_served_on_threads(const struct place *place);
bool __wrap_place_is_served_on_threads(const struct place *place) {
    (void)place;
    return is_on_threads;
}

static const struct migration migrations[] = {{.name = "0001_numbers.sql",
                                               .sql = "CREATE TABLE numbers (number INTEGER PRIMARY KEY, square INTEGER NOT NULL) STRICT;"
                                                      "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 400) "
                                                      "INSERT INTO numbers SELECT i, i * i FROM n WHERE i <> 9;"}};
static const struct schema schema = {.application_id = 8, .name = "numbers", .migrations = migrations, .count = 1};
static const struct question square_of = {.name = "a square",
                                          .sql = "SELECT square, number FROM numbers WHERE number = $1 LIMIT 1",
                                          .parameters = {COLUMN_INTEGER}};

struct world {
    struct service service; /* first */
    char folder[64], file[96];
    struct batch_commits commits;
    struct place place;
    struct batch *writer;
    sem_t delivered;
};

struct look {
    struct reading reading; /* first */
    int64_t number, rounds_due;
    int64_t found, square, sum;
};

struct asked {
    struct exchange exchange;
    struct world *world;
    bool is_answered;
    int64_t sum, found;
};

static struct result square_found(void *context, const struct row *row) {
    struct look *look = context;
    look->found++;
    look->square = row_integer(row, 0);
    look->sum += look->square;
    if (row_integer(row, 1) == BAD_ROW) row_refuse(row, 1, "a number that is unlucky");
    return result_ok();
}

/* The square, then the square of what is one more, and so on. */
static bool ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct look *look = (struct look *)reading;
    if (round == 0) look->found = look->sum = 0;
    const struct value values[] = {value_integer(look->number + round)};
    batch_ask(batch, &square_of, values, square_found, look);
    return (int64_t)round + 1 < look->rounds_due;
}

static void answer(struct reading *reading) {
    const struct look *look = (const struct look *)reading;
    struct asked *asked = reading->exchange->owner;
    asked->is_answered = true;
    asked->sum = look->sum;
    asked->found = look->found;
    reply_empty(reading->exchange, 204);
    exchange_finish(reading->exchange);
}

/* The loop of the test: takes back what was finished, or is to go on here. */
static void deliver(struct exchange *exchange) {
    struct asked *asked = exchange->owner;
    sem_post(&asked->world->delivered);
}

static const struct http_service http = {.name = "test"};

static void start(struct world *world, struct asked *asked, int64_t number, int64_t rounds) {
    memset(asked, 0, sizeof *asked);
    asked->world = world;
    exchange_init(&asked->exchange, &http);
    asked->exchange.self = world;
    asked->exchange.owner = asked;
    asked->exchange.deliver = deliver;
    asked->exchange.request_id = TEXT("r");
    asked->exchange.state = EXCHANGE_HANDLING;
    struct look *look = reading_begin(&asked->exchange, ask, answer, sizeof *look);
    assert_non_null(look);
    look->number = number;
    look->rounds_due = rounds;
    reading_start(&look->reading);
}

/* Everything that was started has come back, and went on on the loop's thread, which is this one. */
static void finish(struct world *world, struct asked *asked, size_t count) {
    for (size_t i = 0; is_on_threads && i < count; i++) assert_int_equal(sem_wait(&world->delivered), 0);
    for (size_t i = 0; i < count; i++) {
        struct exchange *exchange = &asked[i].exchange;
        if (exchange_is_returned(exchange)) exchange_resume(exchange);
    }
}

static int64_t sum_of_squares(int64_t first, int64_t count) {
    int64_t sum = 0;
    for (int64_t i = first; i < first + count; i++) sum += i == NOT_THERE ? 0 : i * i;
    return sum;
}

static void open_world(struct world **ret_world, bool on_threads) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    is_on_threads = on_threads;
    snprintf(world->folder, sizeof world->folder, "/tmp/hamyan-test-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->file, sizeof world->file, "%s/numbers.db", world->folder);
    world->place = (struct place){.file = world->file, .schema = &schema, .commits = &world->commits};
    assert_ok(batch_open(&world->place, BATCH_CREATE, &world->writer));
    assert_int_equal(sem_init(&world->delivered, 0, 0), 0);
    assert_ok(readers_create(&world->place, &clock_system, &world->service.readers));
    readers_open_loop(world->service.readers, 0);
    *ret_world = world;
}

static void close_world(struct world *world) {
    readers_end_round(world->service.readers, 0);
    readers_close_loop(world->service.readers, 0);
    readers_free(world->service.readers);
    batch_close(world->writer);
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", world->file, endings[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(world->folder), 0);
    free(world);
}

static void each_reading_gets_its_own_rows(bool on_threads) {
    struct world *world;
    struct asked *asked = calloc(READINGS, sizeof *asked);
    assert_non_null(asked);
    open_world(&world, on_threads);
    for (int64_t i = 0; i < READINGS; i++) start(world, &asked[i], i + 10, 1 + i % 3);
    finish(world, asked, READINGS);
    for (int64_t i = 0; i < READINGS; i++) {
        assert_true(asked[i].is_answered);
        assert_int_equal(asked[i].sum, sum_of_squares(i + 10, 1 + i % 3));
        assert_int_equal(asked[i].found, 1 + i % 3);
        exchange_clear(&asked[i].exchange);
    }
    close_world(world);
    free(asked);
}

/* One bad row refuses the request that asked for it, and nobody else's. */
static void a_bad_row_refuses_one_request(bool on_threads) {
    struct world *world;
    struct asked asked[20];
    open_world(&world, on_threads);
    for (int64_t i = 0; i < 20; i++) start(world, &asked[i], i, 1);
    finish(world, asked, 20);
    for (int64_t i = 0; i < 20; i++) {
        assert_int_equal(asked[i].exchange.status, i == BAD_ROW ? 503 : 204);
        assert_int_equal(asked[i].is_answered, i != BAD_ROW);
        if (i != BAD_ROW) assert_int_equal(asked[i].found, i != NOT_THERE);
        if (i != BAD_ROW) assert_int_equal(asked[i].sum, sum_of_squares(i, 1));
        exchange_clear(&asked[i].exchange);
    }
    close_world(world);
}

static void on_the_loop_each_gets_its_own(void **state) {
    (void)state;
    each_reading_gets_its_own_rows(false);
}
static void on_threads_each_gets_its_own(void **state) {
    (void)state;
    each_reading_gets_its_own_rows(true);
}
static void on_the_loop_a_bad_row_refuses_one(void **state) {
    (void)state;
    a_bad_row_refuses_one_request(false);
}
static void on_threads_a_bad_row_refuses_one(void **state) {
    (void)state;
    a_bad_row_refuses_one_request(true);
}

static void a_loop_without_a_connection_says_so(void **state) {
    (void)state;
    struct world *world;
    struct asked asked;
    open_world(&world, false);
    readers_close_loop(world->service.readers, 0); /* as if it could not have been opened just now */
    start(world, &asked, 1, 1);
    finish(world, &asked, 1);
    assert_int_equal(asked.exchange.status, 503);
    assert_false(asked.is_answered);
    exchange_clear(&asked.exchange);
    close_world(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_the_loop_each_gets_its_own),       cmocka_unit_test(on_threads_each_gets_its_own),
        cmocka_unit_test(on_the_loop_a_bad_row_refuses_one),   cmocka_unit_test(on_threads_a_bad_row_refuses_one),
        cmocka_unit_test(a_loop_without_a_connection_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
