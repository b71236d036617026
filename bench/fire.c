/* The load generator of the benchmark: sends prepared requests over keep-alive connections and says what came back, as one JSON object.
 *
 * wrk can neither stop after a number of requests nor send each request once, and a redemption can be won once only. Besides, both sides of a
 * comparison have the same generator, so that its own cost cancels out.
 *
 *   fire PORT FILE CONNECTIONS COUNT MS [MARK [HOLD_MS]]
 *
 * FILE holds requests, each behind its length in decimal and a newline; they are sent in order, and from the first again when they are used up.
 * It ends when COUNT answers have come, or after MS milliseconds with what was under way. All connections are made before the first request.
 * MARK: also says when the request of that number was written. HOLD_MS: keeps the connections open and says "holding" first. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES      4096u
#define READ_BYTES      65536u
#define CONNECTIONS_MAX 20000u
#define REQUESTS_MAX    (8u * 1024 * 1024)
#define GRACE_NS        (INT64_C(10) * 1000000000) /* for answers under way */

struct request {
    const char *data;
    size_t size;
};

struct sample {
    uint32_t latency_us;
    uint16_t status;
};

struct connection {
    int fd;
    bool is_busy;
    size_t request; /* which one */
    size_t written; /* bytes of it */
    int64_t sent_ns;
    size_t head_size;
    size_t body_left;
    bool in_body;
    char head[HEAD_BYTES];
};

static struct request *requests;
static size_t request_count;
static struct connection *connections;
static size_t connection_count;
static struct sample *samples;
static size_t sample_count, sent_count, wanted_count, busy_count, broken_count, mark;
static int64_t start_ns, stop_ns, mark_ns, last_success_ns;
static int epoll_fd;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "fire: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- requests ---- */

static void read_requests(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat file;
    if (fd < 0 || fstat(fd, &file) != 0 || file.st_size == 0) fail(path);
    size_t size = (size_t)file.st_size;
    const char *at = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED) fail(path);
    const char *end = at + size;
    requests = calloc(size / 16 + 1, sizeof *requests);
    if (requests == NULL) fail("memory");
    while (at < end) {
        char *line_end = NULL;
        size_t length = strtoul(at, &line_end, 10);
        if (*line_end != '\n' || length == 0 || length > (size_t)(end - line_end - 1)) {
            fprintf(stderr, "fire: %s is not a file of requests\n", path);
            exit(1);
        }
        requests[request_count++] = (struct request){line_end + 1, length};
        at = line_end + 1 + length;
    }
    close(fd);
}

/* ---- connections ---- */

static void connect_one(struct connection *connection, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) fail("O_NONBLOCK");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
    connection->fd = fd;
}

static void watch(struct connection *connection, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) != 0) fail("epoll_ctl");
}

static void drop(struct connection *connection) {
    close(connection->fd);
    connection->fd = -1;
    broken_count++;
    if (connection->is_busy) busy_count--;
    connection->is_busy = false;
}

static void write_rest(struct connection *connection) {
    const struct request *request = &requests[connection->request % request_count];
    ssize_t size = send(connection->fd, request->data + connection->written, request->size - connection->written, MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN) {
        drop(connection);
        return;
    }
    bool was_partial = connection->written > 0;
    if (size > 0) connection->written += (size_t)size;
    if (connection->written < request->size)
        watch(connection, EPOLLIN | EPOLLOUT);
    else if (was_partial)
        watch(connection, EPOLLIN);
}

static void send_next(struct connection *connection, int64_t at_ns) {
    if (sent_count >= wanted_count || at_ns >= stop_ns) return;
    connection->request = sent_count++;
    connection->written = 0;
    connection->sent_ns = at_ns;
    connection->head_size = 0;
    connection->in_body = false;
    connection->is_busy = true;
    busy_count++;
    write_rest(connection);
    if (sent_count == mark) mark_ns = now_ns();
}

/* ---- answers ---- */

static void end_answer(struct connection *connection) {
    int64_t at_ns = now_ns();
    unsigned status = (unsigned)strtoul(connection->head + 9, NULL, 10);
    samples[sample_count++] = (struct sample){(uint32_t)((at_ns - connection->sent_ns) / 1000), (uint16_t)status};
    if (status < 300) last_success_ns = at_ns;
    connection->is_busy = false;
    busy_count--;
    send_next(connection, at_ns);
}

/* Looks for the end of the head; how many bytes of the piece it took, 0 when the head is too long. */
static size_t take_head(struct connection *connection, const char *data, size_t size) {
    size_t before = connection->head_size;
    size_t room = HEAD_BYTES - 1 - before;
    size_t taken = size < room ? size : room;
    memcpy(connection->head + before, data, taken);
    connection->head_size += taken;
    connection->head[connection->head_size] = '\0';
    char *end = strstr(connection->head, "\r\n\r\n");
    if (end == NULL) return taken;
    end[2] = '\0';
    const char *length = strcasestr(connection->head, "\r\ncontent-length:");
    connection->body_left = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
    connection->in_body = true;
    return (size_t)(end + 4 - connection->head) - before;
}

static void take(struct connection *connection, const char *data, size_t size) {
    while (size > 0 && connection->is_busy) {
        size_t taken;
        if (connection->in_body) {
            taken = size < connection->body_left ? size : connection->body_left;
            connection->body_left -= taken;
        } else {
            taken = take_head(connection, data, size);
            if (taken == 0) {
                drop(connection);
                return;
            }
        }
        data += taken;
        size -= taken;
        if (connection->in_body && connection->body_left == 0) end_answer(connection);
    }
}

static void read_answer(struct connection *connection) {
    static char buffer[READ_BYTES];
    ssize_t size = recv(connection->fd, buffer, sizeof buffer, 0);
    if (size > 0)
        take(connection, buffer, (size_t)size);
    else if (size == 0 || errno != EAGAIN)
        drop(connection);
}

/* ---- the run ---- */

static void run(int64_t length_ns) {
    struct epoll_event events[512];
    start_ns = now_ns();
    stop_ns = start_ns + length_ns;
    last_success_ns = start_ns;
    for (size_t i = 0; i < connection_count; i++) send_next(&connections[i], now_ns());
    while (busy_count > 0 && now_ns() < stop_ns + GRACE_NS) {
        int count = epoll_wait(epoll_fd, events, 512, 1000);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection->fd >= 0 && (events[i].events & EPOLLOUT)) write_rest(connection);
            if (connection->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT)) read_answer(connection);
        }
    }
}

static int by_latency(const void *a, const void *b) {
    uint32_t left = ((const struct sample *)a)->latency_us, right = ((const struct sample *)b)->latency_us;
    return left < right ? -1 : left > right;
}

static uint32_t rank(const uint32_t *sorted, size_t count, unsigned per_mille) {
    return count == 0 ? 0 : sorted[(count - 1) * per_mille / 1000];
}

static void print_latencies(const char *name, uint32_t *sorted, size_t count) {
    printf("\"%s\":{\"count\":%zu,\"p50_us\":%u,\"p90_us\":%u,\"p99_us\":%u,\"max_us\":%u}", name, count, rank(sorted, count, 500),
           rank(sorted, count, 900), rank(sorted, count, 990), rank(sorted, count, 1000));
}

static void report(int64_t end_ns) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    qsort(samples, sample_count, sizeof *samples, by_latency);
    uint32_t *sorted = calloc(sample_count + 1, sizeof *sorted);
    if (sorted == NULL) fail("memory");
    printf("{\"answers\":%zu,\"broken\":%zu,\"unanswered\":%zu,\"seconds\":%.6f,\"mark_us\":%lld,\"last_success_us\":%lld,\"cpu_us\":%lld,",
           sample_count, broken_count, busy_count, (double)(end_ns - start_ns) / 1e9,
           mark_ns == 0 ? -1LL : (long long)(mark_ns - start_ns) / 1000, (long long)(last_success_ns - start_ns) / 1000,
           (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    for (size_t i = 0; i < sample_count; i++) sorted[i] = samples[i].latency_us;
    print_latencies("all", sorted, sample_count);
    printf(",\"statuses\":{");
    bool is_first = true;
    for (unsigned status = 100; status < 600; status++) {
        size_t count = 0;
        for (size_t i = 0; i < sample_count; i++) {
            if (samples[i].status == status) sorted[count++] = samples[i].latency_us;
        }
        if (count == 0) continue;
        char name[8];
        snprintf(name, sizeof name, "%u", status);
        if (!is_first) printf(",");
        is_first = false;
        print_latencies(name, sorted, count);
    }
    printf("}}\n");
    free(sorted);
}

static size_t number(const char *text, size_t max) {
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value > max) {
        fprintf(stderr, "fire: %s is not a number up to %zu\n", text, max);
        exit(2);
    }
    return (size_t)value;
}

int main(int argc, char **argv) {
    if (argc < 6 || argc > 8) {
        fprintf(stderr, "usage: fire PORT FILE CONNECTIONS COUNT MS [MARK [HOLD_MS]]\n");
        return 2;
    }
    uint16_t port = (uint16_t)number(argv[1], UINT16_MAX);
    read_requests(argv[2]);
    connection_count = number(argv[3], CONNECTIONS_MAX);
    wanted_count = number(argv[4], REQUESTS_MAX);
    int64_t length_ns = (int64_t)number(argv[5], 600000) * 1000000;
    if (argc > 6) mark = number(argv[6], REQUESTS_MAX);
    size_t hold_ms = argc > 7 ? number(argv[7], 600000) : 0;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(connection_count, sizeof *connections);
    samples = calloc(wanted_count + 1, sizeof *samples);
    if (epoll_fd < 0 || connections == NULL || samples == NULL) fail("memory");
    for (size_t i = 0; i < connection_count; i++) connect_one(&connections[i], port);
    run(length_ns);
    int64_t end_ns = now_ns();
    if (hold_ms > 0) {
        printf("holding\n");
        fflush(stdout);
        struct timespec pause = {.tv_sec = (time_t)(hold_ms / 1000), .tv_nsec = (long)(hold_ms % 1000) * 1000000};
        nanosleep(&pause, NULL);
    }
    report(end_ns);
    return 0;
}
