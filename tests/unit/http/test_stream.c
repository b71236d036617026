/* Answers that are made while they are sent: how they look on the wire, that nobody is asked for more than is taken, and that whatever happens
 * to a stream, it is closed once. */
#include "bare.h"

#include <stdatomic.h>

#include "base/limits.h"
#include "http/stream.h"

#define LINES_BYTES_MAX (64u * 1024)

/* One for all, since each test has one stream of interest at a time. */
static struct source {
    atomic_int pulls, closes;
    atomic_llong pulled_bytes;
    int64_t left_bytes;       /* of /bytes */
    pthread_mutex_t mutex;    /* what follows: told from thread to thread */
    pthread_cond_t changed;   /* is asleep, or closed */
    struct exchange *sleeper; /* the stream of /events, until it is closed */
    char waiting[LINES_BYTES_MAX];
    size_t waiting_bytes;
    bool is_over;
} source = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void reset_source(int64_t bytes) {
    atomic_store(&source.pulls, 0);
    atomic_store(&source.closes, 0);
    atomic_store(&source.pulled_bytes, 0);
    source.left_bytes = bytes;
    source.sleeper = NULL;
    source.waiting_bytes = 0;
    source.is_over = false;
}

static void count_close(void *context) {
    (void)context;
    pthread_mutex_lock(&source.mutex);
    source.sleeper = NULL;
    atomic_fetch_add(&source.closes, 1);
    pthread_cond_broadcast(&source.changed);
    pthread_mutex_unlock(&source.mutex);
}

static void await_closes(int count) {
    pthread_mutex_lock(&source.mutex);
    while (atomic_load(&source.closes) < count) pthread_cond_wait(&source.changed, &source.mutex);
    pthread_mutex_unlock(&source.mutex);
}

/* ---- sources ---- */

static enum stream_word pull_bytes(void *context, char *bytes, size_t capacity, size_t *ret_size) {
    (void)context;
    int64_t at = atomic_load(&source.pulled_bytes);
    size_t size = (int64_t)capacity < source.left_bytes ? capacity : (size_t)source.left_bytes;
    for (size_t i = 0; i < size; i++) bytes[i] = toy_big_byte((size_t)at + i);
    source.left_bytes -= (int64_t)size;
    atomic_fetch_add(&source.pulled_bytes, (long long)size);
    atomic_fetch_add(&source.pulls, 1);
    *ret_size = size;
    return source.left_bytes == 0 ? STREAM_END : STREAM_MORE;
}

static enum stream_word pull_and_fail(void *context, char *bytes, size_t capacity, size_t *ret_size) {
    (void)context, (void)capacity;
    memcpy(bytes, "half", 4);
    *ret_size = 4;
    return atomic_fetch_add(&source.pulls, 1) == 0 ? STREAM_MORE : STREAM_FAILED;
}

/* What others have told it; then it sleeps. */
static enum stream_word pull_events(void *context, char *bytes, size_t capacity, size_t *ret_size) {
    struct exchange *exchange = context;
    pthread_mutex_lock(&source.mutex);
    size_t size = source.waiting_bytes < capacity ? source.waiting_bytes : capacity;
    memcpy(bytes, source.waiting, size);
    memmove(source.waiting, source.waiting + size, source.waiting_bytes - size);
    source.waiting_bytes -= size;
    *ret_size = size;
    bool has_more = source.waiting_bytes > 0, is_over = source.is_over;
    source.sleeper = exchange;
    atomic_fetch_add(&source.pulls, 1);
    pthread_cond_broadcast(&source.changed);
    pthread_mutex_unlock(&source.mutex);
    return has_more ? STREAM_MORE : is_over ? STREAM_END : STREAM_LATER;
}

/* Woken between its last look and its LATER. */
static enum stream_word pull_hasty(void *context, char *bytes, size_t capacity, size_t *ret_size) {
    (void)capacity;
    bytes[0] = 'x';
    *ret_size = 1;
    if (atomic_fetch_add(&source.pulls, 1) == 9) return STREAM_END;
    stream_wake(context);
    return STREAM_LATER;
}

static void begin(struct exchange *exchange, enum stream_word (*pull)(void *, char *, size_t, size_t *), const char *beat) {
    const struct stream_source made = {.pull = pull, .close = count_close, .context = exchange, .beat = beat};
    if (!result_is_ok(reply_stream(exchange, 200, "text/plain", &made))) problem_reply(exchange, &problem_overloaded, NULL);
    exchange_finish(exchange);
}

static void handle_bytes(struct exchange *exchange) { begin(exchange, pull_bytes, NULL); }
static void handle_failing(struct exchange *exchange) { begin(exchange, pull_and_fail, NULL); }
static void handle_events(struct exchange *exchange) { begin(exchange, pull_events, ":\n\n"); }
static void handle_later(struct exchange *exchange) { begin(exchange, pull_events, NULL); }
static void handle_hasty(struct exchange *exchange) { begin(exchange, pull_hasty, NULL); }

static char stored[200 * 1024];
static void handle_stored(struct exchange *exchange) {
    reply_set(exchange, 200, "text/plain", (struct text){stored, sizeof stored});
    exchange_finish(exchange);
}

static const struct route routes[] = {
    {.method = "GET", .path = "/bytes", .scope = SCOPE_PUBLIC, .produces = "*/*", .handle = handle_bytes},
    {.method = "GET", .path = "/failing", .scope = SCOPE_PUBLIC, .produces = "*/*", .handle = handle_failing},
    {.method = "GET", .path = "/events", .scope = SCOPE_PUBLIC, .produces = "*/*", .handle = handle_events},
    {.method = "GET", .path = "/later", .scope = SCOPE_PUBLIC, .produces = "*/*", .handle = handle_later},
    {.method = "GET", .path = "/hasty", .scope = SCOPE_PUBLIC, .produces = "*/*", .handle = handle_hasty},
    {.method = "GET", .path = "/stored", .scope = SCOPE_PUBLIC, .produces = "*/*", .handle = handle_stored},
    {.method = "GET", .path = "/away", .scope = SCOPE_PUBLIC, .handle = toy_hand_away},
    {.method = "GET", .path = "/fast", .scope = SCOPE_PUBLIC, .handle = toy_reply},
};

/* From another thread than the loop's; true when it had a stream to wake. */
static bool tell(const char *line, bool is_over) {
    pthread_mutex_lock(&source.mutex);
    size_t size = strlen(line);
    assert_true(source.waiting_bytes + size <= LINES_BYTES_MAX);
    memcpy(source.waiting + source.waiting_bytes, line, size);
    source.waiting_bytes += size;
    source.is_over = is_over;
    bool is_there = source.sleeper != NULL;
    if (is_there) stream_wake(source.sleeper);
    pthread_mutex_unlock(&source.mutex);
    return is_there;
}

static void await_pulls(int count) {
    pthread_mutex_lock(&source.mutex);
    while (source.sleeper == NULL || atomic_load(&source.pulls) < count) pthread_cond_wait(&source.changed, &source.mutex);
    pthread_mutex_unlock(&source.mutex);
}

/* ---- the client ---- */

static struct toy *start(int64_t bytes) {
    struct server_options options = toy_options();
    reset_source(bytes);
    return toy_start_with(routes, ARRAY_COUNT(routes), &options);
}

static void ask(int fd, const char *path) {
    char request[128];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    toy_send(fd, request);
}

static bool read_byte(int fd, char *ret_byte) { return recv(fd, ret_byte, 1, 0) == 1; }

/* The size of the next chunk; false at an end without one. */
static bool read_chunk_size(int fd, size_t *ret_size) {
    char line[16], byte;
    size_t size = 0;
    do {
        if (!read_byte(fd, &byte)) return false;
        assert_true(size + 1 < sizeof line);
        line[size++] = byte;
    } while (byte != '\n');
    line[size] = '\0';
    char *end;
    *ret_size = strtoul(line, &end, 16);
    assert_string_equal(end, "\r\n");
    return true;
}

static void read_all(int fd, char *bytes, size_t size) {
    for (size_t got = 0; got < size;) {
        ssize_t more = recv(fd, bytes + got, size - got, 0);
        assert_true(more > 0);
        got += (size_t)more;
    }
}

/* Reads a chunk into `bytes`, terminated: 0 is the last one. */
static size_t read_chunk(int fd, char *bytes, size_t capacity) {
    size_t size;
    char end[2];
    assert_true(read_chunk_size(fd, &size));
    assert_true(size < capacity);
    read_all(fd, bytes, size);
    bytes[size] = '\0';
    read_all(fd, end, 2);
    assert_memory_equal(end, "\r\n", 2);
    return size;
}

static void expect_chunk(int fd, const char *expected) {
    char chunk[256];
    (void)read_chunk(fd, chunk, sizeof chunk);
    assert_string_equal(chunk, expected);
}

static void expect_head(int fd, bool is_chunked) {
    struct toy_answer head = toy_receive(fd);
    assert_int_equal(head.status, 200);
    assert_int_equal(strcasestr(head.text, "\r\nTransfer-Encoding: chunked\r\n") != NULL, is_chunked);
    assert_null(strcasestr(head.text, "\r\nContent-Length:"));
    assert_int_equal(head.closes, !is_chunked);
}

static size_t read_body(int fd) {
    static char chunk[STREAM_PIECE_BYTES + 1];
    size_t total = 0;
    for (size_t size; (size = read_chunk(fd, chunk, sizeof chunk)) > 0; total += size) {
        for (size_t i = 0; i < size; i++) assert_int_equal(chunk[i], toy_big_byte(total + i));
    }
    return total;
}

/* ---- tests ---- */

static void it_comes_in_chunks_and_the_connection_goes_on(void **state) {
    (void)state;
    const int64_t sizes[] = {0, 1, STREAM_PIECE_BYTES, STREAM_PIECE_BYTES + 1, 3000000};
    struct toy *toy = start(0);
    int fd = toy_connect(toy);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        reset_source(sizes[i]);
        toy_send(fd, "GET /bytes HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n");
        expect_head(fd, true);
        assert_int_equal(read_body(fd), sizes[i]);
        assert_int_equal(toy_receive(fd).status, 200); /* the pipelined one */
        assert_int_equal(atomic_load(&source.closes), 1);
    }
    close(fd);
    toy_stop(toy);
}

static void before_http_1_1_it_ends_with_the_connection(void **state) {
    (void)state;
    static char body[300001];
    struct toy *toy = start(300000);
    int fd = toy_connect(toy);
    toy_send(fd, "GET /bytes HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect_head(fd, false);
    read_all(fd, body, 300000);
    for (size_t i = 0; i < 300000; i++) assert_int_equal(body[i], toy_big_byte(i));
    assert_int_equal(recv(fd, body, 1, 0), 0);
    close(fd);
    toy_stop(toy);
}

static void head_asks_for_no_body(void **state) {
    (void)state;
    struct toy *toy = start(1000);
    int fd = toy_connect(toy);
    toy_send(fd, "HEAD /bytes HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_head(fd, true);
    toy_expect(fd, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    assert_int_equal(atomic_load(&source.pulls), 0);
    assert_int_equal(atomic_load(&source.closes), 1);
    close(fd);
    toy_stop(toy);
}

/* It is asked for as much as the sockets take, and others are answered meanwhile; then the client leaves. */
static void nobody_is_asked_for_more_than_is_taken(void **state) {
    (void)state;
    struct toy *toy = start(INT64_MAX);
    int greedy = toy_connect(toy), other = toy_connect(toy);
    ask(greedy, "/bytes");
    expect_head(greedy, true);
    long long before = -1, now = 0;
    while (now != before) {
        before = now;
        for (int i = 0; i < 200; i++) toy_expect(other, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
        now = atomic_load(&source.pulled_bytes);
    }
    assert_in_range(now, STREAM_PIECE_BYTES, 64 * 1024 * 1024); /* what both sockets' buffers may grow to */
    assert_int_equal(atomic_load(&source.closes), 0);
    close(greedy);
    await_closes(1);
    close(other);
    toy_stop(toy);
}

static void a_failure_is_no_end(void **state) {
    (void)state;
    struct toy *toy = start(0);
    int fd = toy_connect(toy);
    size_t size;
    ask(fd, "/failing");
    expect_head(fd, true);
    expect_chunk(fd, "half");
    assert_false(read_chunk_size(fd, &size));
    await_closes(1);
    close(fd);
    atomic_store(&source.pulls, 0);
    fd = toy_connect(toy);
    toy_send(fd, "GET /failing HTTP/1.0\r\n\r\n");
    char byte;
    ssize_t got;
    while ((got = recv(fd, &byte, 1, 0)) == 1) continue;
    assert_int_equal(got, -1); /* or what came would be the whole */
    assert_int_equal(errno, ECONNRESET);
    await_closes(2);
    close(fd);
    toy_stop(toy);
}

static void it_sleeps_and_is_woken_from_another_thread(void **state) {
    (void)state;
    struct toy *toy = start(0);
    int fd = toy_connect(toy);
    ask(fd, "/events");
    expect_head(fd, true);
    for (int i = 1; i <= 100; i++) {
        await_pulls(i);
        assert_true(tell("data: 1\n\n", false));
        expect_chunk(fd, "data: 1\n\n");
    }
    await_pulls(101);
    assert_true(tell("data: last\n\n", true));
    expect_chunk(fd, "data: last\n\n");
    expect_chunk(fd, "");
    toy_expect(fd, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    assert_int_equal(atomic_load(&source.closes), 1);
    close(fd);
    toy_stop(toy);
}

#define TELLERS 4
#define TOLD    500

static void *tell_many(void *context) {
    (void)context;
    for (int i = 0; i < TOLD; i++) (void)tell("0123456789\n", false);
    return NULL;
}

static void no_wake_is_lost_when_many_wake(void **state) {
    (void)state;
    static char chunk[STREAM_PIECE_BYTES + 1];
    pthread_t tellers[TELLERS];
    struct toy *toy = start(0);
    int fd = toy_connect(toy);
    ask(fd, "/events");
    expect_head(fd, true);
    await_pulls(1);
    for (size_t i = 0; i < TELLERS; i++) assert_int_equal(pthread_create(&tellers[i], NULL, tell_many, NULL), 0);
    for (size_t got = 0; got < TELLERS * TOLD * strlen("0123456789\n");) got += read_chunk(fd, chunk, sizeof chunk);
    for (size_t i = 0; i < TELLERS; i++) assert_int_equal(pthread_join(tellers[i], NULL), 0);
    close(fd);
    await_closes(1);
    toy_stop(toy);
}

static void a_wake_before_it_sleeps_is_kept(void **state) {
    (void)state;
    struct toy *toy = start(0);
    int fd = toy_connect(toy);
    ask(fd, "/hasty");
    expect_head(fd, true);
    for (int i = 0; i < 10; i++) expect_chunk(fd, "x");
    expect_chunk(fd, "");
    close(fd);
    toy_stop(toy);
}

/* Wakes and leaves at the same time, again and again: closed once each time, and nothing is woken behind it. */
static void a_client_may_leave_while_it_is_woken(void **state) {
    (void)state;
    struct toy *toy = start(0);
    for (int i = 0; i < 50; i++) {
        pthread_t teller;
        reset_source(0);
        int fd = toy_connect(toy);
        ask(fd, "/events");
        await_pulls(1);
        assert_int_equal(pthread_create(&teller, NULL, tell_many, NULL), 0);
        close(fd);
        await_closes(1);
        assert_int_equal(pthread_join(teller, NULL), 0);
        assert_int_equal(atomic_load(&source.closes), 1);
    }
    toy_stop(toy);
}

static void a_drain_ends_what_has_no_end_and_waits_for_the_rest(void **state) {
    (void)state;
    struct toy *toy = start(8000000);
    int fd = toy_connect(toy), long_fd = toy_connect(toy);
    ask(long_fd, "/bytes");
    expect_head(long_fd, true);
    ask(fd, "/events");
    expect_head(fd, true);
    pthread_mutex_lock(&source.mutex);
    while (source.sleeper == NULL) pthread_cond_wait(&source.changed, &source.mutex);
    pthread_mutex_unlock(&source.mutex);
    assert_int_equal(server_drain(toy->server, 50).code, RESULT_TIMEOUT); /* nobody reads the long one yet */
    expect_chunk(fd, "");
    assert_true(toy_is_closed(fd));
    assert_int_equal(read_body(long_fd), 8000000);
    assert_true(toy_is_closed(long_fd));
    await_closes(2);
    close(fd);
    close(long_fd);
    toy_stop(toy);
}

static void a_server_that_stops_closes_its_streams(void **state) {
    (void)state;
    struct toy *toy = start(0);
    int fd = toy_connect(toy);
    ask(fd, "/later");
    await_pulls(1);
    toy_free(toy);
    assert_int_equal(atomic_load(&source.closes), 1);
    close(fd);
}

static void it_says_that_it_lives(void **state) {
    (void)state;
    static struct bare bare;
    reset_source(0);
    bare_start_with(&bare, routes, ARRAY_COUNT(routes));
    ask(bare.fd, "/events");
    bare_rounds(&bare);
    expect_head(bare.fd, true);
    bare.loop.phases[PHASE_ASLEEP].first->deadline_us = 0;
    loop_round(&bare.loop, 0);
    expect_chunk(bare.fd, ":\n\n");
    assert_true(bare.loop.phases[PHASE_ASLEEP].first->deadline_us > bare.loop.now_us);
    assert_int_equal(atomic_load(&source.pulls), 1);
    assert_true(tell("data: 2\n\n", false)); /* it sleeps as before */
    bare_rounds(&bare);
    expect_chunk(bare.fd, "data: 2\n\n");
    shutdown(bare.fd, SHUT_WR); /* a peer that sends no more has left a stream without end */
    bare_rounds(&bare);
    assert_int_equal(bare.loop.connection_count, 0);
    assert_int_equal(atomic_load(&source.closes), 1);
    bare_stop(&bare);
}

/* It was woken, and the client has left before the loop heard of it. */
static void woken_behind_the_end_it_is_dropped(void **state) {
    (void)state;
    static struct bare bare;
    reset_source(0);
    bare_start_with(&bare, routes, ARRAY_COUNT(routes));
    ask(bare.fd, "/later");
    bare_rounds(&bare);
    assert_true(tell("data\n", false));
    connection_end(bare.loop.phases[PHASE_ASLEEP].first);
    assert_int_equal(atomic_load(&source.closes), 1);
    assert_int_equal(bare.loop.exchange_count, 1); /* it still lies in the queue */
    bare_rounds(&bare);
    assert_int_equal(bare.loop.exchange_count, 0);
    bare_stop(&bare);
}

static void there_are_so_many_and_no_more(void **state) {
    (void)state;
    static struct fixture fixtures[LIMIT_STREAMS + 1];
    const struct stream_source made = {.pull = pull_bytes, .close = count_close};
    reset_source(0);
    for (size_t i = 0; i < LIMIT_STREAMS; i++) {
        fixture_init(&fixtures[i], NULL);
        assert_int_equal(reply_stream(&fixtures[i].exchange, 200, "text/plain", &made).code, RESULT_OK);
    }
    struct fixture *last = &fixtures[LIMIT_STREAMS];
    fixture_init(last, NULL);
    assert_int_equal(reply_stream(&last->exchange, 200, "text/plain", &made).code, RESULT_FULL);
    assert_int_equal(last->exchange.status, 0); /* to be refused in words */
    assert_true(stream_close(&fixtures[0].exchange));
    assert_true(stream_close(&fixtures[0].exchange));
    assert_int_equal(atomic_load(&source.closes), 1);
    assert_int_equal(reply_stream(&last->exchange, 200, "text/plain", &made).code, RESULT_OK);
    for (size_t i = 0; i <= LIMIT_STREAMS; i++) {
        assert_true(stream_close(&fixtures[i].exchange));
        fixture_clear(&fixtures[i]);
    }
    assert_int_equal(atomic_load(&source.closes), LIMIT_STREAMS + 1);
}

#define CROWD           100
#define ROUND_BYTES_DUE (4352u * 1024) /* of the events of one epoll_wait */
#define TURNS_BYTES_DUE (160u * 1024)  /* by its event, and by its place in the line */

/* Each has asked for twenty long answers, and reads as fast as it can: still the round is short, and each is served. */
static void a_turn_and_a_round_are_bounded_in_bytes(void **state) {
    (void)state;
    static struct bare bare;
    static char bytes[1024 * 1024];
    const char *const paths[] = {"/stored", "/bytes"};
    int fds[CROWD], size = 4 * 1024 * 1024;
    reset_source(INT64_MAX);
    bare_start_with(&bare, routes, ARRAY_COUNT(routes));
    bare.loop.exchanges_max = bare.loop.connections_max = CROWD + 1;
    loop_set_thread(&bare.loop); /* what is finished in its handler is answered in the same turn */
    for (int i = 0; i < CROWD; i++) {
        fds[i] = bare_connect(&bare);
        assert_int_equal(setsockopt(bare.loop.phases[PHASE_IDLE].last->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
        for (int j = 0; j < 20; j++) ask(fds[i], paths[i % 2]);
    }
    int served = 0;
    for (int round = 0; round < 20; round++) {
        loop_round(&bare.loop, 0);
        assert_in_range(bare.loop.round_bytes, round == 0, ROUND_BYTES_DUE);
        for (int i = 0; i < CROWD && round == 0; i++) {
            ssize_t got = recv(fds[i], bytes, sizeof bytes, MSG_DONTWAIT);
            if (got > 0) served++;
            assert_true(got <= (ssize_t)TURNS_BYTES_DUE);
        }
    }
    assert_in_range(served, CROWD / 2, CROWD);
    ask(bare.fd, "/fast");
    loop_round(&bare.loop, 0);
    assert_int_equal(toy_receive(bare.fd).status, 200); /* in the round in which it came */
    for (int i = 0; i < CROWD; i++) close(fds[i]);
    bare_rounds(&bare);
    bare_stop(&bare);
    loop_set_thread(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_in_chunks_and_the_connection_goes_on),
        cmocka_unit_test(before_http_1_1_it_ends_with_the_connection),
        cmocka_unit_test(head_asks_for_no_body),
        cmocka_unit_test(nobody_is_asked_for_more_than_is_taken),
        cmocka_unit_test(a_failure_is_no_end),
        cmocka_unit_test(it_sleeps_and_is_woken_from_another_thread),
        cmocka_unit_test(no_wake_is_lost_when_many_wake),
        cmocka_unit_test(a_wake_before_it_sleeps_is_kept),
        cmocka_unit_test(a_client_may_leave_while_it_is_woken),
        cmocka_unit_test(a_drain_ends_what_has_no_end_and_waits_for_the_rest),
        cmocka_unit_test(a_server_that_stops_closes_its_streams),
        cmocka_unit_test(it_says_that_it_lives),
        cmocka_unit_test(woken_behind_the_end_it_is_dropped),
        cmocka_unit_test(there_are_so_many_and_no_more),
        cmocka_unit_test(a_turn_and_a_round_are_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
