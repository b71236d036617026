/* Readers on loops (SQLite) and on threads of their own (PostgreSQL).
 *
 * A loop's connection that can't be opened is tried again, at most once a second: a disk that failed for a moment when the service started must not cost
 * the loop its reads until the next start.
 *
 *   thread:  WAIT ─▶ TAKE at most TRIP_READINGS ─▶ round 0: all ask ─▶ run ─▶ those that want more ask ─▶ run … ─▶ give back
 *                                                        └ a failure with several: each alone, so that one bad row refuses one request */
#include "service/reading.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/problem.h"
#include "service/operation.h"
#include "service/request.h"
#include "service/service.h"
#include "store/open.h"

#define REOPEN_PAUSE_US CLOCK_SECOND_US
#define READER_THREADS  4u
#define TRIP_READINGS   64u

struct loop_reader {
    struct batch *batch; /* NULL: can't be opened now */
    int64_t due_us;      /* while it is NULL: when to try again, monotonic */
};

struct reader_thread {
    struct readers *readers;
    pthread_t thread;
    struct loop_reader reader;
    struct reading *trip[TRIP_READINGS];
};

struct readers {
    const struct place *place;
    const struct clock *clock;
    struct loop_reader loops[LIMIT_LOOPS];

    /* threads, of a place that is served on them */
    struct reader_thread threads[READER_THREADS];
    size_t thread_count;
    pthread_mutex_t mutex;
    pthread_cond_t is_filled;
    struct queue_link *first, **last; /* what waits, oldest first */
    bool is_stopping;
};

/* ---- connections ---- */

static void open_reader(struct readers *readers, struct loop_reader *reader) {
    reader->due_us = clock_monotonic_us(readers->clock) + REOPEN_PAUSE_US;
    struct result opened = batch_open(readers->place, BATCH_READ, &reader->batch);
    if (result_is_ok(opened)) return;
    reader->batch = NULL;
    LOG(LOG_ERROR, "reader_not_opened", LOG_STRING("reason", result_name(opened)));
}

static struct batch *batch_of(struct readers *readers, struct loop_reader *reader) {
    if (reader->batch == NULL && clock_monotonic_us(readers->clock) >= reader->due_us) open_reader(readers, reader);
    return reader->batch;
}

static void close_reader(struct loop_reader *reader) {
    batch_close(reader->batch);
    reader->batch = NULL;
}

/* ---- one reading ---- */

void *reading_begin(struct exchange *exchange, bool (*ask)(struct reading *reading, struct batch *batch, uint32_t round),
                    void (*answer)(struct reading *reading), size_t size) {
    CHECK(size >= sizeof(struct reading));
    struct reading *reading = arena_take_zeroed(&exchange->arena, size);
    if (reading == NULL) {
        request_refuse_memory(exchange);
        return NULL;
    }
    reading->exchange = exchange;
    reading->ask = ask;
    reading->answer = answer;
    return reading;
}

/* A piece is written anew whenever it is asked for anew. */
static bool ask_round(struct reading *reading, struct batch *batch, uint32_t round) {
    if (round == 0 && reading->is_long) {
        struct long_reading *self = (struct long_reading *)reading;
        self->piece.size = self->given_bytes = 0;
    }
    return reading->ask(reading, batch, round);
}

static struct result read_alone(struct reading *reading, struct batch *batch) {
    if (batch == NULL) return result_error(RESULT_IO);
    for (uint32_t round = 0;; round++) {
        CHECK(round < READING_ROUNDS_MAX);
        bool wants_more = ask_round(reading, batch, round);
        TRY(batch_run(batch));
        if (!wants_more) return result_ok();
    }
}

static void free_long(struct long_reading *self) {
    struct arena arena = self->arena;
    arena_release(&arena);
}

static void answer_reading(struct reading *reading) {
    struct exchange *exchange = reading->exchange;
    if (result_is_ok(reading->outcome)) {
        reading->answer(reading);
        return;
    }
    storage_refuse(exchange, reading->outcome);
    if (reading->is_long) free_long((struct long_reading *)reading);
    exchange_finish(exchange);
}

static void answer_on_loop(struct exchange *exchange) { answer_reading(exchange->operation); }

/* ---- on threads ---- */

static void put(struct readers *readers, struct reading *reading) {
    pthread_mutex_lock(&readers->mutex);
    bool was_empty = readers->first == NULL;
    reading->link.next = NULL;
    *readers->last = &reading->link;
    readers->last = &reading->link.next;
    pthread_mutex_unlock(&readers->mutex);
    if (was_empty) pthread_cond_signal(&readers->is_filled);
}

/* How many were taken; 0: stopping. Wakes another thread when more is left. */
static size_t take(struct readers *readers, struct reading **trip) {
    size_t count = 0;
    pthread_mutex_lock(&readers->mutex);
    while (readers->first == NULL && !readers->is_stopping) pthread_cond_wait(&readers->is_filled, &readers->mutex);
    while (readers->first != NULL && count < TRIP_READINGS) {
        trip[count++] = CONTAINER_OF(readers->first, struct reading, link);
        readers->first = readers->first->next;
    }
    if (readers->first == NULL) readers->last = &readers->first;
    bool is_left = readers->first != NULL;
    pthread_mutex_unlock(&readers->mutex);
    if (is_left) pthread_cond_signal(&readers->is_filled);
    return count;
}

static struct result read_together(struct reading **trip, size_t count, struct batch *batch) {
    bool wants_more[TRIP_READINGS];
    bool is_more = true;
    for (size_t i = 0; i < count; i++) wants_more[i] = true;
    for (uint32_t round = 0; is_more; round++) {
        CHECK(round < READING_ROUNDS_MAX);
        is_more = false;
        for (size_t i = 0; i < count; i++) {
            wants_more[i] = wants_more[i] && ask_round(trip[i], batch, round);
            is_more = is_more || wants_more[i];
        }
        TRY(batch_run(batch));
    }
    return result_ok();
}

/* Its client may have left meanwhile: then it is ours alone. */
static void bring_piece(struct readers *readers, struct long_reading *self) {
    pthread_mutex_lock(&readers->mutex);
    bool is_abandoned = self->is_abandoned;
    self->state = PIECE_READ;
    if (!is_abandoned) stream_wake(self->reading.exchange);
    pthread_mutex_unlock(&readers->mutex);
    if (is_abandoned) free_long(self);
}

static void run_trip(struct reader_thread *self, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!self->trip[i]->is_piece) exchange_take(self->trip[i]->exchange, EXCHANGE_OF_READERS);
    }
    struct batch *batch = batch_of(self->readers, &self->reader);
    struct result outcome = batch == NULL ? result_error(RESULT_IO) : read_together(self->trip, count, batch);
    for (size_t i = 0; i < count; i++) {
        struct reading *reading = self->trip[i];
        reading->outcome = result_is_ok(outcome) || batch == NULL ? outcome : read_alone(reading, batch);
        if (reading->is_piece)
            bring_piece(self->readers, (struct long_reading *)reading);
        else
            exchange_continue(reading->exchange, answer_on_loop);
    }
    if (batch != NULL) batch_end_round(batch);
}

static void *run(void *context) {
    struct reader_thread *self = context;
    open_reader(self->readers, &self->reader);
    for (;;) {
        size_t count = take(self->readers, self->trip);
        if (count == 0) break;
        run_trip(self, count);
    }
    close_reader(&self->reader);
    return NULL;
}

void reading_start(struct reading *reading) {
    struct exchange *exchange = reading->exchange;
    struct readers *readers = service_of(exchange)->readers;
    exchange->operation = reading;
    if (readers->thread_count > 0) {
        exchange_give(exchange, EXCHANGE_OF_READERS);
        put(readers, reading);
        return;
    }
    reading->outcome = read_alone(reading, batch_of(readers, &readers->loops[exchange->loop_index]));
    answer_reading(reading);
}

/* ---- pieces ---- */

static void ask_next(struct long_reading *self) {
    struct readers *readers = self->readers;
    self->state = readers->thread_count > 0 ? PIECE_ASKED : PIECE_DUE; /* nobody else has it yet */
    if (self->state == PIECE_ASKED) put(readers, &self->reading);
}

static bool is_asked(struct long_reading *self) {
    pthread_mutex_lock(&self->readers->mutex);
    bool is_asked = self->state == PIECE_ASKED;
    pthread_mutex_unlock(&self->readers->mutex);
    return is_asked;
}

static enum stream_word pull_piece(void *context, char *bytes, size_t capacity, size_t *ret_size) {
    struct long_reading *self = context;
    struct reading *reading = &self->reading;
    if (is_asked(self)) return STREAM_LATER;
    if (self->state == PIECE_DUE) {
        self->state = PIECE_READ;
        reading->outcome = read_alone(reading, batch_of(self->readers, &self->readers->loops[reading->exchange->loop_index]));
    }
    if (!result_is_ok(reading->outcome)) return STREAM_FAILED;
    CHECK(!self->piece.failed && self->piece.size <= STREAM_PIECE_BYTES);
    size_t left = self->piece.size - self->given_bytes;
    *ret_size = left < capacity ? left : capacity;
    memcpy(bytes, self->piece.data + self->given_bytes, *ret_size);
    self->given_bytes += *ret_size;
    if (left > capacity) return STREAM_MORE;
    enum stream_word word = self->advance(self);
    if (word == STREAM_MORE && left == 0) return STREAM_FAILED; /* one without a byte would be asked for for ever */
    if (word == STREAM_MORE) ask_next(self);
    return word;
}

static void close_pieces(void *context) {
    struct long_reading *self = context;
    pthread_mutex_lock(&self->readers->mutex);
    bool is_asked = self->state == PIECE_ASKED;
    self->is_abandoned = true;
    pthread_mutex_unlock(&self->readers->mutex);
    if (!is_asked) free_long(self);
}

void *reading_begin_long(struct exchange *exchange, bool (*ask)(struct reading *reading, struct batch *batch, uint32_t round),
                         void (*answer)(struct reading *reading), enum stream_word (*advance)(struct long_reading *self), size_t size) {
    CHECK(size >= sizeof(struct long_reading));
    struct arena arena;
    arena_init(&arena, size + STREAM_PIECE_BYTES + ARENA_CHUNK_BYTES);
    struct long_reading *self = arena_take_zeroed(&arena, size);
    char *piece = arena_take(&arena, STREAM_PIECE_BYTES);
    if (self == NULL || piece == NULL) {
        arena_release(&arena);
        request_refuse_memory(exchange);
        return NULL;
    }
    self->arena = arena;
    self->piece = (struct buffer){.arena = &self->arena, .data = piece, .capacity = STREAM_PIECE_BYTES};
    self->reading = (struct reading){.exchange = exchange, .ask = ask, .answer = answer, .is_long = true};
    self->advance = advance;
    self->readers = service_of(exchange)->readers;
    return self;
}

void reading_stream(struct long_reading *self, int status, const char *content_type) {
    struct exchange *exchange = self->reading.exchange;
    const struct stream_source source = {.pull = pull_piece, .close = close_pieces, .context = self};
    self->reading.is_piece = true;
    if (!result_is_ok(reply_stream(exchange, status, content_type, &source))) {
        free_long(self);
        problem_reply(exchange, &problem_overloaded, "Too many long answers are under way.");
    }
    exchange_finish(exchange);
}

void reading_abandon(struct long_reading *self) {
    CHECK(!self->reading.is_piece);
    free_long(self);
}

/* ---- life ---- */

static struct result start_threads(struct readers *readers) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals are the main thread's business */
    for (size_t i = 0; i < READER_THREADS; i++) {
        readers->threads[i].readers = readers;
        if (pthread_create(&readers->threads[i].thread, NULL, run, &readers->threads[i]) != 0) break;
        pthread_setname_np(readers->threads[i].thread, "reader");
        readers->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return readers->thread_count == READER_THREADS ? result_ok() : result_error(RESULT_FULL);
}

struct result readers_create(const struct place *place, const struct clock *clock, struct readers **ret_readers) {
    struct readers *readers = calloc(1, sizeof *readers);
    if (readers == NULL) return result_error(RESULT_FULL);
    readers->place = place;
    readers->clock = clock;
    readers->last = &readers->first;
    pthread_mutex_init(&readers->mutex, NULL);
    pthread_cond_init(&readers->is_filled, NULL);
    if (place_is_served_on_threads(place)) {
        struct result started = start_threads(readers);
        if (!result_is_ok(started)) {
            readers_free(readers);
            return started;
        }
    }
    *ret_readers = readers;
    return result_ok();
}

void readers_free(struct readers *readers) {
    if (readers == NULL) return;
    pthread_mutex_lock(&readers->mutex);
    readers->is_stopping = true;
    pthread_mutex_unlock(&readers->mutex);
    pthread_cond_broadcast(&readers->is_filled);
    for (size_t i = 0; i < readers->thread_count; i++) CHECK(pthread_join(readers->threads[i].thread, NULL) == 0);
    pthread_cond_destroy(&readers->is_filled);
    pthread_mutex_destroy(&readers->mutex);
    free(readers);
}

void readers_open_loop(struct readers *readers, size_t loop_index) {
    if (readers->thread_count == 0) open_reader(readers, &readers->loops[loop_index]);
}

void readers_end_round(struct readers *readers, size_t loop_index) {
    if (readers->loops[loop_index].batch != NULL) batch_end_round(readers->loops[loop_index].batch);
}

void readers_close_loop(struct readers *readers, size_t loop_index) { close_reader(&readers->loops[loop_index]); }
