/* Whole requests for a fuzz target: a service's own routes and handlers over its own database, one after the other, without sockets and threads.
 *
 * The input is a list of requests, separated by the byte 0x1e:
 *
 *   route  caller  headers  what stands for {…} and the query  LF  body
 *
 * `route` is a letter, the route's place in the service's table, or any other byte: then the line is `METHOD target`. `caller` is a digit, one
 * of the tokens that were made at the start. `headers` is one byte of bits. @0 to @9 are ids that the service gave, the newest last; @r is the last
 * refresh token, @c the last cursor. After each answer: the OpenAPI document knows its status, and its body is what its type says. */
#pragma once

#include <ftw.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/json/json.h"
#include "base/log.h"
#include "http/request.h"
#include "http/server.h"
#include "http/stream.h"
#include "service/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct known_answers {
    const char *method, *path;
    int statuses[24]; /* ends with 0 */
};

#define SEPARATOR     0x1e
#define REQUESTS_MAX  48
#define TEXT_BYTES    ((size_t)96 * 1024)
#define ASKERS_MAX    8
#define KEPT_IDS      10
#define KEPT_BYTES    512
#define FIRST_NOW_US  INT64_C(1790000000000000)
#define HEADER_KEY    1u /* an Idempotency-Key; the two highest bits say which */
#define HEADER_MATCH  2u
#define HEADER_CSV    4u
#define HEADER_FORM   8u
#define HEADER_UNEVEN 16u /* no Content-Length */

static int64_t the_now_us = FIRST_NOW_US;
static int64_t fixed_now_us(void *context) {
    (void)context;
    return the_now_us;
}
static const struct clock fixed_clock = {.now_us = fixed_now_us, .monotonic_us = fixed_now_us};

static struct http_service http;
static const struct known_answers *answers;
static size_t answer_count;
static struct text callers[ASKERS_MAX]; /* tokens; empty: none */
static struct id_source ids;

static char kept_ids[KEPT_IDS][ID_TEXT_BYTES];
static size_t kept_count;
static char kept_refresh[KEPT_BYTES], kept_cursor[KEPT_BYTES];

/* ---- a database for each input: a copy of the first one ---- */

static char folder[64];
static char *image;
static size_t image_size;

static int remove_one(const char *path, const struct stat *file, int kind, struct FTW *place) {
    (void)file;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_folder(void) { (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

/* In memory, if that is to be had: a commit is an fsync. */
static void make_folder(void) {
    bool has_memory = access("/dev/shm", W_OK) == 0;
    snprintf(folder, sizeof folder, "%s/hamyan-fuzz-XXXXXX", has_memory ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
}

static void read_image(const char *path) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    image_size = (size_t)ftell(file);
    rewind(file);
    image = malloc(image_size);
    CHECK(image != NULL && fread(image, 1, image_size, file) == image_size && fclose(file) == 0);
}

static void write_image(const char *path) {
    char beside[160];
    static const char *const others[] = {"-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        snprintf(beside, sizeof beside, "%.100s%s", path, others[i]);
        (void)unlink(beside);
    }
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(image, 1, image_size, file) == image_size && fclose(file) == 0);
}

/* ---- what the input says ---- */

static struct text cut_at(struct text *rest, char separator) {
    const char *end = rest->size > 0 ? memchr(rest->data, separator, rest->size) : NULL;
    struct text part = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size};
    size_t step = end != NULL ? part.size + 1 : part.size;
    *rest = (struct text){rest->data + step, rest->size - step};
    return part;
}

static struct text named(char name) {
    if (name >= '0' && name <= '9' && (size_t)(name - '0') < kept_count) return (struct text){kept_ids[name - '0'], ID_TEXT_BYTES};
    if (name == 'r') return text_of(kept_refresh);
    if (name == 'c') return text_of(kept_cursor);
    return (struct text){NULL, 0};
}

/* With the names replaced. */
static struct text fill_in(struct text raw, char *buffer) {
    size_t size = 0;
    for (size_t i = 0; i < raw.size && size + KEPT_BYTES < TEXT_BYTES; i++) {
        struct text value = raw.data[i] == '@' && i + 1 < raw.size ? named(raw.data[i + 1]) : (struct text){NULL, 0};
        if (value.data == NULL) {
            buffer[size++] = raw.data[i];
            continue;
        }
        memcpy(buffer + size, value.data, value.size);
        size += value.size;
        i++;
    }
    return (struct text){buffer, size};
}

/* "/v1/things/{id}/parts" with the first {…} replaced by what stands before the query. */
static struct text make_target(const struct route *route, struct text line, char *buffer) {
    struct text parameter = cut_at(&line, '?');
    const char *open = strchr(route->path, '{'), *close = open == NULL ? NULL : strchr(open, '}');
    int before = open == NULL ? (int)strlen(route->path) : (int)(open - route->path);
    int size = snprintf(buffer, TEXT_BYTES, "%.*s%.*s%s%s%.*s", before, route->path, open == NULL ? 0 : (int)parameter.size,
                        parameter.size > 0 ? parameter.data : "", close == NULL ? "" : close + 1, line.size > 0 ? "?" : "", (int)line.size,
                        line.size > 0 ? line.data : "");
    CHECK(size > 0);
    return (struct text){buffer, (size_t)size < TEXT_BYTES ? (size_t)size : TEXT_BYTES - 1};
}

/* ---- one request ---- */

static atomic_bool is_back;
static void deliver(struct exchange *exchange) {
    (void)exchange;
    atomic_store_explicit(&is_back, true, memory_order_release);
}

static void await(const struct service *service) {
    while (!atomic_exchange_explicit(&is_back, false, memory_order_acq_rel)) {
        if (!store_run_batch(service->store)) (void)sched_yield(); /* a password is being hashed */
    }
}

/* What came of a stream, from its beginning: its first TEXT_BYTES. */
static struct {
    bool is_one;
    size_t size; /* all of it */
    char bytes[TEXT_BYTES];
} streamed;

/* To its end, as a client would that reads everything; none sleeps. */
static void read_stream(struct exchange *exchange) {
    static char bytes[STREAM_PIECE_BYTES];
    size_t size;
    enum stream_word word = STREAM_MORE;
    if (exchange->stream == NULL) return;
    streamed.is_one = true;
    while (word == STREAM_MORE) {
        size = 0;
        word = stream_pull(exchange, bytes, sizeof bytes, &size);
        if (streamed.size < TEXT_BYTES && size <= TEXT_BYTES - streamed.size) memcpy(streamed.bytes + streamed.size, bytes, size);
        streamed.size += size;
    }
    CHECK(stream_close(exchange));
}

/* As the loop does it (http/round.c). */
static void go_through(struct exchange *exchange, struct text body) {
    const struct service *service = exchange->self;
    route_admit_again(exchange);
    for (;;) {
        await(service);
        if (exchange_is_returned(exchange)) {
            exchange_resume(exchange);
        } else if (exchange->state == EXCHANGE_BODY) {
            exchange->arrived_us = the_now_us;
            if (route_refuse_body(exchange, body.size)) return;
            exchange->body = body.size > 0 ? arena_copy(&exchange->arena, body) : TEXT("");
            if (exchange->body.data == NULL) return;
            route_dispatch(exchange);
        } else {
            CHECK(exchange->state == EXCHANGE_FINISHED);
            read_stream(exchange);
            return;
        }
    }
}

static void add_headers(struct request_head *head, uint8_t bits, struct text token, struct text body) {
    static char authorization[LIMIT_TOKEN_BYTES + 16], key[16], length[24];
    request_add_header(head, TEXT("Host"), TEXT("localhost"));
    if (token.size > 0) {
        int size = snprintf(authorization, sizeof authorization, "Bearer %.*s", (int)token.size, token.data);
        request_add_header(head, TEXT("Authorization"), (struct text){authorization, (size_t)size});
    }
    snprintf(key, sizeof key, "key-%u", bits >> 6);
    if ((bits & HEADER_KEY) != 0) request_add_header(head, TEXT("Idempotency-Key"), text_of(key));
    if ((bits & HEADER_MATCH) != 0) request_add_header(head, TEXT("If-Match"), bits >> 6 == 0 ? TEXT("*") : TEXT("\"1\""));
    if ((bits & HEADER_CSV) != 0) request_add_header(head, TEXT("Accept"), TEXT("text/csv"));
    if (body.size == 0) return;
    request_add_header(head, TEXT("Content-Type"), (bits & HEADER_FORM) != 0 ? TEXT("text/plain") : TEXT("application/json"));
    snprintf(length, sizeof length, "%zu", body.size);
    if ((bits & HEADER_UNEVEN) != 0) {
        request_add_header(head, TEXT("Transfer-Encoding"), TEXT("chunked"));
    } else {
        request_add_header(head, TEXT("Content-Length"), text_of(length));
    }
}

/* ---- what its answer must be ---- */

static bool is_path_of(const char *documented, const char *path) {
    while (*documented != '\0' && *documented == *path) documented++, path++;
    if (*documented == '}' && path[0] == '*') return is_path_of(documented, path + 1); /* {file*} */
    return *documented == '\0' && *path == '\0';
}

static void check_status(const struct exchange *exchange) {
    const struct route *route = exchange->route;
    if (route == NULL) {
        CHECK(exchange->status >= 400 && exchange->status < 500);
        return;
    }
    for (size_t i = 0; i < answer_count; i++) {
        if (strcmp(answers[i].method, route->method) != 0 || !is_path_of(answers[i].path, route->path)) continue;
        for (size_t k = 0; k < ARRAY_COUNT(answers[i].statuses) && answers[i].statuses[k] != 0; k++) {
            if (answers[i].statuses[k] == exchange->status) return;
        }
        fprintf(stderr, "%s %s: the document does not know %d\n%.*s\n", route->method, route->path, exchange->status,
                (int)exchange->reply_body.size, exchange->reply_body.data);
        CHECK(false && "a status that the OpenAPI document knows");
    }
    CHECK(false && "a route that the OpenAPI document knows");
}

static void check_body(const struct exchange *exchange) {
    const char *type = exchange->reply_content_type;
    bool is_problem = type != NULL && strncmp(type, "application/problem+json", 24) == 0;
    CHECK((exchange->status >= 400) == is_problem || exchange->status == 503);
    if (type == NULL || (!is_problem && strcmp(type, "application/json") != 0)) return;
    struct text body = streamed.is_one ? (struct text){streamed.bytes, streamed.size} : exchange->reply_body;
    if (body.size > TEXT_BYTES) return; /* the OpenAPI document */
    struct arena arena;
    struct faults faults;
    struct json_document *document = NULL;
    arena_init(&arena, (size_t)64 * 1024 * 1024);
    faults_init(&faults, &arena);
    CHECK(result_is_ok(json_open(&arena, body, &faults, &document)));
    const struct json_value *root = json_root(document);
    if (is_problem) {
        CHECK(json_get_integer(root, "status", -1) == exchange->status && json_get_text(root, "code").size > 0);
        CHECK(json_get_text(root, "type").size > 0 && json_get_text(root, "title").size > 0);
    }
    json_close(document);
    arena_release(&arena);
}

static void keep_value(struct text body, const char *name, char *kept) {
    const char *found = memmem(body.data, body.size, name, strlen(name));
    if (found == NULL) return;
    struct text rest = {found + strlen(name), body.size - (size_t)(found + strlen(name) - body.data)};
    struct text value = cut_at(&rest, '"');
    if (value.size < KEPT_BYTES) snprintf(kept, KEPT_BYTES, "%.*s", (int)value.size, value.data);
}

static void keep_ids(struct text body) {
    static const char member[] = "\"id\":\"";
    const char *found = body.size == 0 ? NULL : memmem(body.data, body.size, member, sizeof member - 1);
    size_t left = found == NULL ? 0 : body.size - (size_t)(found - body.data) - (sizeof member - 1);
    if (left < ID_TEXT_BYTES) return;
    if (kept_count == KEPT_IDS) memmove(kept_ids[0], kept_ids[1], sizeof kept_ids[0] * --kept_count);
    memcpy(kept_ids[kept_count++], found + sizeof member - 1, ID_TEXT_BYTES);
}

static void run_request(struct text method, struct text target, uint8_t bits, struct text token, struct text body) {
    struct exchange exchange;
    struct request_head head;
    the_now_us += 1000;
    streamed.is_one = false;
    streamed.size = 0;
    exchange_init(&exchange, &http);
    exchange.deliver = deliver;
    exchange.peer = address_of_v4((const uint8_t[4]){10, 0, 0, 1});
    request_begin(&head, &exchange, method, target);
    add_headers(&head, bits, token, body);
    exchange.received_monotonic_us = the_now_us;
    if (request_end(&head, true, &ids, the_now_us)) go_through(&exchange, body);
    CHECK(exchange.status != 0);
    check_status(&exchange);
    check_body(&exchange);
    if (exchange.status < 300 && exchange.reply_body.size > 0) {
        keep_ids(exchange.reply_body);
        keep_value(exchange.reply_body, "\"refresh_token\":\"", kept_refresh);
        keep_value(exchange.reply_body, "\"next_cursor\":\"", kept_cursor);
    }
    if (getenv("FUZZ_SHOW") != NULL) {
        fprintf(stderr, "%.*s %.*s -> %d %.*s\n", (int)method.size, method.data, (int)target.size, target.data, exchange.status,
                exchange.reply_body.size < 300 ? (int)exchange.reply_body.size : 300, exchange.reply_body.data);
    }
    exchange_clear(&exchange);
    if (http.round_ended != NULL) http.round_ended(http.self, 0);
}

static void run_record(struct text record) {
    static char line_text[TEXT_BYTES], target_text[TEXT_BYTES], body_text[TEXT_BYTES];
    if (record.size < 3) return;
    size_t place = (size_t)(uint8_t)record.data[0] - 'a';
    uint8_t caller = (uint8_t)record.data[1], bits = (uint8_t)record.data[2];
    struct text rest = {record.data + 3, record.size - 3};
    struct text line = fill_in(cut_at(&rest, '\n'), line_text);
    struct text body = fill_in(rest, body_text), method, target;
    if (place < http.route_count) {
        method = text_of(http.routes[place].method);
        target = make_target(&http.routes[place], line, target_text);
    } else {
        target = line;
        method = cut_at(&target, ' ');
    }
    run_request(method, target, bits, callers[caller % ASKERS_MAX], body);
}

static void run_input(const uint8_t *data, size_t size) {
    struct text rest = {(const char *)data, size};
    the_now_us = FIRST_NOW_US;
    kept_refresh[0] = kept_cursor[0] = '\0';
    for (int i = 0; i < REQUESTS_MAX && rest.size > 0; i++) run_record(cut_at(&rest, SEPARATOR));
}
