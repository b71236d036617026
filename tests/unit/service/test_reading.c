/* Readings on the loop, and on reader threads: the same ones, because a handler can't tell. */
#include "service/reading.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../base/assertions.h"
#include "../base/folder.h"
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
    folder_create(world->folder, "reading-test");
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
        assert_int_equal(asked[i].exchange.status, i == BAD_ROW ? 500 : 204);
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

/* ---- answers of any length ---- */

#define LINES_PER_PIECE 40
#define LINES_LAST      395

static const struct question numbers_between = {
    .name = "numbers",
    .sql = "SELECT number FROM numbers WHERE number > $1 AND number <= $2 ORDER BY number LIMIT $3",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};

struct long_look {
    struct long_reading reading; /* first */
    int64_t after, seen, last;
    atomic_int *asked; /* how often */
};

static struct result number_found(void *context, const struct row *row) {
    struct long_look *look = context;
    look->seen = row_integer(row, 0);
    buffer_print(&look->reading.piece, "%lld;", (long long)look->seen);
    if (look->seen == 300 && look->last == 300) row_refuse(row, 0, "the last of a file that breaks");
    return result_ok();
}

static bool ask_numbers(struct reading *reading, struct batch *batch, uint32_t round) {
    struct long_look *look = (struct long_look *)reading;
    assert_int_equal(round, 0);
    assert_int_equal(look->reading.piece.size, 0);
    look->seen = look->after;
    atomic_fetch_add(look->asked, 1);
    const struct value values[] = {value_integer(look->after), value_integer(look->last), value_integer(LINES_PER_PIECE)};
    batch_ask(batch, &numbers_between, values, number_found, look);
    return false;
}

static enum stream_word advance(struct long_reading *reading) {
    struct long_look *look = (struct long_look *)reading;
    look->after = look->seen;
    return look->after >= look->last ? STREAM_END : STREAM_MORE;
}

static void answer_numbers(struct reading *reading) { reading_stream((struct long_reading *)reading, 200, "text/plain"); }

/* Up to its head: the first piece is read, and nothing is sent. False: it was refused. */
static bool begin_numbers(struct world *world, struct asked *asked, int64_t after, int64_t last, atomic_int *asked_count) {
    memset(asked, 0, sizeof *asked);
    asked->world = world;
    exchange_init(&asked->exchange, &http);
    asked->exchange.self = world;
    asked->exchange.owner = asked;
    asked->exchange.deliver = deliver;
    asked->exchange.request_id = TEXT("r");
    asked->exchange.state = EXCHANGE_HANDLING;
    struct long_look *look = reading_begin_long(&asked->exchange, ask_numbers, answer_numbers, advance, sizeof *look);
    assert_non_null(look);
    look->after = after;
    look->last = last;
    look->asked = asked_count;
    reading_start(&look->reading.reading);
    finish(world, asked, 1);
    assert_int_equal(sem_wait(&world->delivered), 0); /* its end as an exchange that is away */
    assert_int_equal(asked->exchange.state, EXCHANGE_FINISHED);
    return asked->exchange.stream != NULL;
}

/* As a connection does it whose socket takes everything, `bytes_max` at a time. */
static enum stream_word read_on(struct asked *asked, char *text, size_t *size, size_t bytes_max, size_t pulls_max) {
    enum stream_word word = STREAM_MORE;
    for (size_t i = 0; i < pulls_max && (word == STREAM_MORE || word == STREAM_LATER); i++) {
        size_t more = 0;
        word = stream_pull(&asked->exchange, text + *size, bytes_max, &more);
        *size += more;
        if (word != STREAM_LATER || !stream_sleep(&asked->exchange)) continue;
        assert_int_equal(sem_wait(&asked->world->delivered), 0);
        stream_awake(&asked->exchange);
    }
    return word;
}

static void expect_numbers(const char *text, size_t size, int64_t first, int64_t last) {
    char expected[4096];
    size_t length = 0;
    for (int64_t i = first; i <= last; i++) {
        if (i != NOT_THERE) length += (size_t)snprintf(expected + length, sizeof expected - length, "%lld;", (long long)i);
    }
    assert_int_equal(size, length);
    assert_memory_equal(text, expected, length);
}

static void pieces_come_one_by_one(bool on_threads) {
    static char text[65536];
    static const size_t sizes[] = {STREAM_PIECE_BYTES, 7};
    struct world *world;
    struct asked asked;
    open_world(&world, on_threads);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        atomic_int count = 0;
        size_t size = 0;
        assert_true(begin_numbers(world, &asked, 0, LINES_LAST, &count));
        assert_int_equal(atomic_load(&count), 1); /* nobody has taken it */
        assert_int_equal(read_on(&asked, text, &size, sizes[i], 100000), STREAM_END);
        expect_numbers(text, size, 1, LINES_LAST);
        assert_int_equal(atomic_load(&count), (LINES_LAST - 1 + LINES_PER_PIECE - 1) / LINES_PER_PIECE);
        assert_true(stream_close(&asked.exchange));
        exchange_clear(&asked.exchange);
    }
    close_world(world);
}

/* In the middle of what is read for it, before, and after: whoever is the last gives it back. */
static void who_leaves_is_forgotten(bool on_threads) {
    static char text[65536];
    struct world *world;
    struct asked asked;
    open_world(&world, on_threads);
    for (size_t pulls = 0; pulls < 30; pulls++) {
        static atomic_int count; /* the reader's thread may still ask when the client has left */
        size_t size = 0;
        assert_true(begin_numbers(world, &asked, 0, LINES_LAST, &count));
        (void)read_on(&asked, text, &size, STREAM_PIECE_BYTES, pulls);
        assert_true(stream_close(&asked.exchange));
        exchange_clear(&asked.exchange);
    }
    close_world(world); /* the address sanitizer counts what is left */
}

/* A broken row in the first piece is a 500; one in a later piece ends a 200 without an end. */
static void what_breaks_is_no_whole(bool on_threads) {
    static char text[65536];
    struct world *world;
    struct asked asked;
    atomic_int count = 0;
    size_t size = 0;
    open_world(&world, on_threads);
    assert_false(begin_numbers(world, &asked, 299, 300, &count));
    assert_int_equal(asked.exchange.status, 500);
    exchange_clear(&asked.exchange);
    assert_true(begin_numbers(world, &asked, 200, 300, &count));
    assert_int_equal(read_on(&asked, text, &size, STREAM_PIECE_BYTES, 1000), STREAM_FAILED);
    expect_numbers(text, size, 201, 280);
    assert_true(stream_close(&asked.exchange));
    exchange_clear(&asked.exchange);
    /* Rows that are promised and do not come: no end either. */
    size = 0;
    assert_true(begin_numbers(world, &asked, 390, 500, &count));
    assert_int_equal(read_on(&asked, text, &size, STREAM_PIECE_BYTES, 1000), STREAM_FAILED);
    expect_numbers(text, size, 391, 400);
    assert_true(stream_close(&asked.exchange));
    exchange_clear(&asked.exchange);
    close_world(world);
}

static void on_the_loop_pieces_come_one_by_one(void **state) {
    (void)state;
    pieces_come_one_by_one(false);
}
static void on_threads_pieces_come_one_by_one(void **state) {
    (void)state;
    pieces_come_one_by_one(true);
}
static void on_the_loop_who_leaves_is_forgotten(void **state) {
    (void)state;
    who_leaves_is_forgotten(false);
}
static void on_threads_who_leaves_is_forgotten(void **state) {
    (void)state;
    who_leaves_is_forgotten(true);
}
static void on_the_loop_what_breaks_is_no_whole(void **state) {
    (void)state;
    what_breaks_is_no_whole(false);
}
static void on_threads_what_breaks_is_no_whole(void **state) {
    (void)state;
    what_breaks_is_no_whole(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_the_loop_each_gets_its_own),       cmocka_unit_test(on_threads_each_gets_its_own),
        cmocka_unit_test(on_the_loop_a_bad_row_refuses_one),   cmocka_unit_test(on_threads_a_bad_row_refuses_one),
        cmocka_unit_test(a_loop_without_a_connection_says_so), cmocka_unit_test(on_the_loop_pieces_come_one_by_one),
        cmocka_unit_test(on_threads_pieces_come_one_by_one),   cmocka_unit_test(on_the_loop_who_leaves_is_forgotten),
        cmocka_unit_test(on_threads_who_leaves_is_forgotten),  cmocka_unit_test(on_the_loop_what_breaks_is_no_whole),
        cmocka_unit_test(on_threads_what_breaks_is_no_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
