#include "base/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/queue.h"

#define RING_BYTES      (512u * 1024) /* some 2,000 lines */
#define LOOK_MS         100           /* so often a writer that can't write looks whether it shall end */
#define STOP_S          1
#define LAST_WORDS_MS   200
#define NAME_BYTES      64u
#define LOST_LINE_BYTES 256u

/* Under the mutex, but for the names and the metrics. */
static struct {
    pthread_mutex_t mutex;
    struct waker filled, ended; /* of the thread, and of who waits for its end; outside of the mutex */
    pthread_t thread;
    bool is_running, is_stopping;
    char *ring;         /* RING_BYTES, from the start on */
    size_t first, size; /* of the bytes that wait */
    uint64_t lost;      /* lines, since it was last said */
    const char *service;
    char names[2][NAME_BYTES];
} writer = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct metric lost_lines, left_out_lines;

/* ---- standard error ---- */

/* False: nobody takes anything within the time. */
static bool wait_writable(int timeout_ms) {
    struct pollfd standard_error = {.fd = STDERR_FILENO, .events = POLLOUT};
    int ready = poll(&standard_error, 1, timeout_ms);
    return ready > 0 || (ready < 0 && errno != EINTR); /* what is no descriptor any more is told by write */
}

/* To its end, or until it is gone: there is nobody to tell. */
static void write_out(const char *bytes, size_t size) {
    size_t written = 0;
    while (written < size) {
        ssize_t more = write(STDERR_FILENO, bytes + written, size - written);
        if (more < 0 && errno == EINTR) continue;
        if (more < 0 && errno == EAGAIN) {
            if (!wait_writable(LOOK_MS)) return;
            continue;
        }
        if (more <= 0) return;
        written += (size_t)more;
    }
}

/* ---- the ring, under the mutex ---- */

static void ring_put(struct text line) {
    size_t at = (writer.first + writer.size) % RING_BYTES, until_end = RING_BYTES - at;
    size_t head = line.size < until_end ? line.size : until_end;
    memcpy(writer.ring + at, line.data, head);
    memcpy(writer.ring, line.data + head, line.size - head);
    writer.size += line.size;
}

/* Whole lines, as many as one write may have; 0: nothing waits. */
static size_t ring_take(char piece[LOG_LINE_BYTES]) {
    size_t size = writer.size < LOG_LINE_BYTES ? writer.size : LOG_LINE_BYTES, until_end = RING_BYTES - writer.first;
    size_t head = size < until_end ? size : until_end;
    memcpy(piece, writer.ring + writer.first, head);
    memcpy(piece + head, writer.ring, size - head);
    while (size > 0 && piece[size - 1] != '\n') size--;
    writer.first = (writer.first + size) % RING_BYTES;
    writer.size -= size;
    return size;
}

/* After what was not lost. */
static size_t take_lost(char piece[LOG_LINE_BYTES]) {
    char time[CLOCK_TEXT_BYTES];
    uint64_t count = writer.lost;
    writer.lost = 0;
    clock_format(clock_now_us(&clock_system), time);
    int size = snprintf(piece, LOST_LINE_BYTES,
                        "{\"time\":\"%.*s\",\"level\":\"warn\",\"service\":\"%s\",\"event\":\"log_lines_lost\",\"count\":%llu}\n",
                        (int)sizeof time, time, writer.service, (unsigned long long)count);
    return size > 0 ? (size_t)size : 0;
}

/* ---- the thread ---- */

/* Under the mutex, which it lets go meanwhile. False: nobody takes it, and we have to go. */
static bool hand_out(const char *piece, size_t size) {
    for (;;) {
        bool is_stopping = writer.is_stopping;
        CHECK(pthread_mutex_unlock(&writer.mutex) == 0);
        bool is_taken = wait_writable(LOOK_MS);
        if (is_taken) write_out(piece, size);
        CHECK(pthread_mutex_lock(&writer.mutex) == 0);
        if (is_taken || is_stopping) return is_taken;
    }
}

static void *run(void *context) {
    char piece[LOG_LINE_BYTES];
    (void)context;
    CHECK(pthread_mutex_lock(&writer.mutex) == 0);
    for (;;) {
        while (writer.size == 0 && writer.lost == 0 && !writer.is_stopping) {
            CHECK(pthread_mutex_unlock(&writer.mutex) == 0);
            (void)waker_wait(&writer.filled, -1);
            waker_clear(&writer.filled);
            CHECK(pthread_mutex_lock(&writer.mutex) == 0);
        }
        if (writer.size == 0 && writer.lost == 0) break;
        size_t size = writer.size > 0 ? ring_take(piece) : take_lost(piece);
        if (!hand_out(piece, size)) break;
    }
    writer.is_running = false; /* from here on who has a line writes it */
    CHECK(pthread_mutex_unlock(&writer.mutex) == 0);
    waker_wake(&writer.ended);
    return NULL;
}

/* By trying: gcc 12's thread sanitizer knows no pthread_mutex_clocklock, and the clock of pthread_mutex_timedlock may be set back. */
static bool lock_within(int timeout_ms) {
    for (int waited_ms = 0; pthread_mutex_trylock(&writer.mutex) != 0; waited_ms++) {
        if (waited_ms >= timeout_ms) return false;
        (void)poll(NULL, 0, 1);
    }
    return true;
}

/* What was logged before a check failed tells why. The mutex is kept: nobody logs any more. */
static void say_last_words(void) {
    char piece[LOG_LINE_BYTES];
    if (!lock_within(LAST_WORDS_MS)) return; /* perhaps we have it ourselves */
    while (writer.size > 0 && wait_writable(LAST_WORDS_MS)) write_out(piece, ring_take(piece));
}

/* ---- any thread ---- */

void log_writer_put(struct text line) {
    CHECK(line.size > 0 && line.size <= LOG_LINE_BYTES && line.data[line.size - 1] == '\n');
    CHECK(pthread_mutex_lock(&writer.mutex) == 0);
    bool is_running = writer.is_running, was_empty = false;
    if (is_running && line.size <= RING_BYTES - writer.size) {
        was_empty = writer.size == 0;
        ring_put(line);
    } else if (is_running) {
        writer.lost++;
        metric_add(&lost_lines, 1);
    }
    CHECK(pthread_mutex_unlock(&writer.mutex) == 0);
    if (was_empty) waker_wake(&writer.filled);
    if (!is_running) write_out(line.data, line.size);
}

void log_writer_count_left_out(int64_t lines) { metric_add(&left_out_lines, lines); }

/* ---- life ---- */

static void count(struct metric *metric, char name[NAME_BYTES], const char *service, const char *what, const char *help) {
    snprintf(name, NAME_BYTES, "%s_%s", service, what);
    *metric = (struct metric){.name = name, .help = help, .labels = "", .kind = METRIC_COUNTER};
    metrics_register(metric);
}

struct result log_writer_start(const char *service) {
    CHECK(writer.service == NULL);
    TRY(waker_init(&writer.filled));
    TRY(waker_init(&writer.ended));
    writer.ring = malloc(RING_BYTES);
    if (writer.ring == NULL) return result_error(RESULT_FULL);
    writer.service = service;
    count(&lost_lines, writer.names[0], service, "log_lines_lost_total", "Log lines dropped because standard error took none.");
    count(&left_out_lines, writer.names[1], service, "log_lines_left_out_total", "Log lines left out of bursts of one kind.");
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals are the main thread's business */
    writer.is_running = true;
    if (pthread_create(&writer.thread, NULL, run, NULL) != 0) writer.is_running = false;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!writer.is_running) return result_error(RESULT_FULL);
    pthread_setname_np(writer.thread, "log");
    check_before_abort(say_last_words);
    CHECK(atexit(log_writer_stop) == 0);
    return result_ok();
}

void log_writer_stop(void) {
    CHECK(pthread_mutex_lock(&writer.mutex) == 0);
    bool was_running = writer.is_running && !writer.is_stopping;
    writer.is_stopping = true;
    CHECK(pthread_mutex_unlock(&writer.mutex) == 0);
    if (!was_running) return;
    waker_wake(&writer.filled);
    if (!waker_wait(&writer.ended, STOP_S * CLOCK_SECOND_US)) return; /* then it ends with the process */
    CHECK(pthread_join(writer.thread, NULL) == 0);
}
