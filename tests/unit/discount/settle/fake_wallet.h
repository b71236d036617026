/* A Wallet that misbehaves on command: one thread, one connection at a time per request, plain sockets, its books in memory.
 *
 * The script says for each POST /v1/credits what happens; after its end the wallet behaves. Effects are applied like the real one's: once per
 * reference. */
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/json/json.h"
#include "base/queue.h"

enum fake_act {
    FAKE_GOOD,
    FAKE_DROP,      /* close before reading: nothing is applied */
    FAKE_CUT,       /* apply, then close without an answer */
    FAKE_ERROR,     /* 500, nothing applied */
    FAKE_BUSY,      /* 429 */
    FAKE_TOKEN,     /* 401 */
    FAKE_TOO_LARGE, /* 413 for batches of more than one */
    FAKE_GARBAGE,   /* 200, not JSON */
    FAKE_SHORT,     /* 200, one item too few, applied */
    FAKE_STRANGER,  /* 200, an unknown reference */
    FAKE_TWICE,     /* 200, the first reference for all */
    FAKE_TYPES,     /* 200, numbers where texts belong */
    FAKE_BACKWARDS, /* 200, right, in the opposite order */
    FAKE_EXHAUSTED, /* 200, every item rejected fund_exhausted */
    FAKE_FROZEN,    /* 200, every item rejected account_frozen */
};

#define FAKE_CREDITS_MAX 8192u
#define FAKE_SCRIPT_MAX  64u
#define FAKE_HELD_MAX    64u

struct fake_credit {
    struct id reference, transaction_id;
};

struct fake_wallet {
    int listener;
    uint16_t port;
    pthread_t thread;
    struct waker stop;
    atomic_bool is_down;   /* closes every connection */
    atomic_bool is_silent; /* takes what comes, and answers nobody */
    atomic_int unanswered; /* POSTs meanwhile */
    int held[FAKE_HELD_MAX];
    size_t held_count;
    pthread_mutex_t lock; /* of what follows */
    enum fake_act script[FAKE_SCRIPT_MAX];
    size_t script_count, script_at;
    struct fake_credit credits[FAKE_CREDITS_MAX];
    size_t credit_count;
    int64_t funded;
    int fund_posts, topups, releases;
    atomic_int calls;
};

static inline struct id fake_apply(struct fake_wallet *wallet, struct id reference) {
    for (size_t i = 0; i < wallet->credit_count; i++) {
        if (id_equal(wallet->credits[i].reference, reference)) return wallet->credits[i].transaction_id;
    }
    assert_true(wallet->credit_count < FAKE_CREDITS_MAX);
    struct fake_credit *credit = &wallet->credits[wallet->credit_count++];
    credit->reference = reference;
    credit->transaction_id = reference;
    credit->transaction_id.bytes[15] ^= 0xFF;
    credit->transaction_id.bytes[14] ^= 0x5A;
    return credit->transaction_id;
}

static inline void fake_send(int fd, int status, struct text body) {
    char head[160];
    int size =
        snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                 status, body.size);
    (void)!send(fd, head, (size_t)size, MSG_NOSIGNAL);
    for (size_t sent = 0; sent < body.size;) {
        ssize_t now = send(fd, body.data + sent, body.size - sent, MSG_NOSIGNAL);
        if (now <= 0) return;
        sent += (size_t)now;
    }
}

static inline void fake_item(struct json_writer *writer, struct fake_wallet *wallet, enum fake_act act, const struct json_value *items,
                             size_t index) {
    struct id reference;
    assert_true(result_is_ok(id_parse(json_get_text(json_array_item(items, index), "reference"), &reference)));
    bool is_refused = act == FAKE_EXHAUSTED || act == FAKE_FROZEN;
    json_begin_object(writer);
    if (act == FAKE_TYPES) {
        json_integer_member(writer, "reference", 7);
    } else {
        struct id shown = reference;
        if (act == FAKE_STRANGER) shown.bytes[0] ^= 1;
        if (act == FAKE_TWICE) assert_true(result_is_ok(id_parse(json_get_text(json_array_item(items, 0), "reference"), &shown)));
        json_id_member(writer, "reference", shown);
    }
    json_text_member(writer, "status", is_refused ? TEXT("rejected") : TEXT("applied"));
    if (is_refused)
        json_text_member(writer, "code", act == FAKE_FROZEN ? TEXT("account_frozen") : TEXT("fund_exhausted"));
    else
        json_id_member(writer, "transaction_id", fake_apply(wallet, reference));
    json_end_object(writer);
}

static inline void fake_credits(struct fake_wallet *wallet, int fd, struct arena *arena, const struct json_value *root) {
    const struct json_value *items = json_get(root, "items");
    assert_non_null(items);
    size_t count = json_array_count(items);
    enum fake_act act = wallet->script_at < wallet->script_count ? wallet->script[wallet->script_at++] : FAKE_GOOD;
    struct text none = TEXT("{}");
    switch (act) {
    case FAKE_ERROR: fake_send(fd, 500, none); return;
    case FAKE_BUSY: fake_send(fd, 429, none); return;
    case FAKE_TOKEN: fake_send(fd, 401, none); return;
    case FAKE_DROP: return;
    case FAKE_GARBAGE: fake_send(fd, 200, TEXT("<html>not JSON</html>")); return;
    case FAKE_TOO_LARGE:
        if (count > 1) {
            wallet->script_at--;
            fake_send(fd, 413, none);
            return;
        }
        break;
    case FAKE_GOOD:
    case FAKE_CUT:
    case FAKE_SHORT:
    case FAKE_STRANGER:
    case FAKE_TWICE:
    case FAKE_TYPES:
    case FAKE_BACKWARDS:
    case FAKE_EXHAUSTED:
    case FAKE_FROZEN: break;
    }
    struct buffer buffer;
    buffer_init(&buffer, arena, 1024);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "items");
    json_begin_array(&writer);
    for (size_t i = 0; i < count; i++) fake_item(&writer, wallet, act, items, act == FAKE_BACKWARDS ? count - 1 - i : i);
    if (act == FAKE_SHORT) fake_item(&writer, wallet, act, items, 0); /* one too many is as wrong as one too few */
    json_end_array(&writer);
    json_end_object(&writer);
    if (act != FAKE_CUT) fake_send(fd, 200, buffer_text(&buffer));
}

static inline void fake_fund(struct fake_wallet *wallet, int fd, struct arena *arena, struct text head, const struct json_value *root) {
    bool is_post = text_starts_with(head, TEXT("POST"));
    if (is_post && memmem(head.data, head.size, "/topup ", 7) != NULL) {
        wallet->topups++;
        wallet->funded += json_get_integer(root, "amount", 0);
    } else if (is_post && memmem(head.data, head.size, "/release ", 9) != NULL) {
        wallet->releases++;
    } else if (is_post) {
        if (wallet->fund_posts++ == 0) wallet->funded = json_get_integer(root, "amount", 0);
    }
    fake_send(fd, 200, arena_print(arena, "{\"funded\":%lld,\"credited\":9007199254740991}", (long long)wallet->funded));
}

/* The whole request, or an empty text. */
static inline struct text fake_receive(int fd, char *memory, size_t capacity, size_t *ret_head_size) {
    size_t size = 0, needed = SIZE_MAX;
    while (size < needed) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (size == capacity || poll(&waiting, 1, 5000) <= 0) return (struct text){0};
        ssize_t now = recv(fd, memory + size, capacity - size, 0);
        if (now <= 0) return (struct text){0};
        size += (size_t)now;
        char *end = memmem(memory, size, "\r\n\r\n", 4);
        if (end == NULL || needed != SIZE_MAX) continue;
        *ret_head_size = (size_t)(end - memory) + 4;
        char *length = memmem(memory, *ret_head_size, "Content-Length: ", 16);
        needed = *ret_head_size + (length == NULL ? 0 : (size_t)strtoul(length + 16, NULL, 10));
    }
    return (struct text){memory, size};
}

static inline void fake_serve(struct fake_wallet *wallet, int fd) {
    static const size_t capacity = 2 * 1024 * 1024;
    char *memory = malloc(capacity);
    assert_non_null(memory);
    size_t head_size = 0;
    struct text request = fake_receive(fd, memory, capacity, &head_size);
    if (request.size > 0 && !atomic_load(&wallet->is_down)) {
        struct arena arena;
        struct faults faults;
        struct json_document *document = NULL;
        struct text head = {request.data, head_size}, body = {request.data + head_size, request.size - head_size};
        arena_init(&arena, LIMIT_BATCH_ARENA_BYTES);
        faults_init(&faults, &arena);
        atomic_fetch_add(&wallet->calls, 1);
        if (body.size > 0) assert_true(result_is_ok(json_open(&arena, body, &faults, &document)));
        pthread_mutex_lock(&wallet->lock);
        if (text_starts_with(head, TEXT("POST /v1/credits ")))
            fake_credits(wallet, fd, &arena, json_root(document));
        else if (text_starts_with(head, TEXT("GET /v1/funds?")))
            fake_send(fd, 404, TEXT("{}")); /* as one from before it had the list */
        else
            fake_fund(wallet, fd, &arena, head, document == NULL ? NULL : json_root(document));
        pthread_mutex_unlock(&wallet->lock);
        json_close(document);
        arena_release(&arena);
    }
    free(memory);
}

static inline void fake_hold(struct fake_wallet *wallet, int fd) {
    char head[5];
    bool is_post = recv(fd, head, sizeof head, MSG_WAITALL) == (ssize_t)sizeof head && memcmp(head, "POST ", sizeof head) == 0;
    assert_true(wallet->held_count < FAKE_HELD_MAX);
    wallet->held[wallet->held_count++] = fd;
    if (is_post) atomic_fetch_add(&wallet->unanswered, 1);
}

static inline void *fake_run(void *context) {
    struct fake_wallet *wallet = context;
    for (;;) {
        struct pollfd waiting[] = {{.fd = wallet->listener, .events = POLLIN}, {.fd = wallet->stop.fd, .events = POLLIN}};
        if (poll(waiting, 2, -1) < 0) continue;
        if (waiting[1].revents != 0) return NULL;
        int fd = accept(wallet->listener, NULL, NULL);
        if (fd < 0) continue;
        if (atomic_load(&wallet->is_silent)) {
            fake_hold(wallet, fd);
            continue;
        }
        if (!atomic_load(&wallet->is_down)) fake_serve(wallet, fd);
        close(fd);
    }
}

static inline void fake_start(struct fake_wallet *wallet) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    wallet->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(wallet->listener >= 0);
    assert_int_equal(bind(wallet->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(wallet->listener, 64), 0);
    assert_int_equal(getsockname(wallet->listener, (struct sockaddr *)&address, &size), 0);
    wallet->port = ntohs(address.sin_port);
    assert_true(result_is_ok(waker_init(&wallet->stop)));
    assert_int_equal(pthread_mutex_init(&wallet->lock, NULL), 0);
    assert_int_equal(pthread_create(&wallet->thread, NULL, fake_run, wallet), 0);
}

static inline void fake_stop(struct fake_wallet *wallet) {
    waker_wake(&wallet->stop);
    assert_int_equal(pthread_join(wallet->thread, NULL), 0);
    for (size_t i = 0; i < wallet->held_count; i++) close(wallet->held[i]);
    close(wallet->listener);
    waker_close(&wallet->stop);
    pthread_mutex_destroy(&wallet->lock);
}

static inline void fake_script(struct fake_wallet *wallet, const enum fake_act *acts, size_t count) {
    pthread_mutex_lock(&wallet->lock);
    memcpy(wallet->script, acts, count * sizeof acts[0]);
    wallet->script_count = count;
    wallet->script_at = 0;
    pthread_mutex_unlock(&wallet->lock);
}
