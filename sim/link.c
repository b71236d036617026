#include "sim/link.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim/world.h"

#define REQUESTS_MAX   65536u
#define QUICK_LEAST_US 20
#define QUICK_MOST_US  400
#define LATE_MOST_US   4000000
#define BLOCK_BYTES    ((size_t)256 * 1024)
#define BLOCKS_MAX     4096u

static struct link_request *inside[REQUESTS_MAX]; /* what services work on */
static size_t inside_count;
static uint64_t request_count;
static char *blocks[BLOCKS_MAX]; /* zeroed beyond what is taken; the next world takes them again */
static size_t block_count, block_left;

/* ---- memory ---- */

void *link_take(size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (size > BLOCK_BYTES / 4) {
        void *own = calloc(1, size);
        CHECK(own != NULL);
        return own;
    }
    if (size > block_left) {
        CHECK(block_count < BLOCKS_MAX);
        if (blocks[block_count] == NULL) blocks[block_count] = calloc(1, BLOCK_BYTES);
        CHECK(blocks[block_count] != NULL);
        block_count++;
        block_left = BLOCK_BYTES;
    }
    block_left -= size;
    return blocks[block_count - 1] + block_left;
}

struct text link_copy(struct text text) {
    char *copy = link_take(text.size + 1);
    if (text.size > 0) memcpy(copy, text.data, text.size);
    return (struct text){copy, text.size};
}

void link_begin_world(void) {
    inside_count = 0;
    request_count = 0;
    for (size_t i = 0; i < block_count; i++) {
        size_t untouched = i + 1 == block_count ? block_left : 0;
        memset(blocks[i] + untouched, 0, BLOCK_BYTES - untouched);
    }
    block_count = 0;
    block_left = 0;
}

/* ---- the way back ---- */

struct way_back {
    struct link_request *request;
    struct link_answer answer;
};

static void arrive_back(void *context) {
    struct way_back *back = context;
    struct link_request *request = back->request;
    if (request->is_answered) return;
    request->is_answered = true;
    request->on_answer(request, &back->answer);
}

static int64_t delay_us(void) {
    if (world_fault(FAULT_LINK_DELAYED)) return random_between(&world.random, QUICK_MOST_US, LATE_MOST_US);
    return random_between(&world.random, QUICK_LEAST_US, QUICK_MOST_US);
}

static void send_back(struct link_request *request, const struct link_answer *answer) {
    struct way_back *back = link_take(sizeof *back);
    *back = (struct way_back){request, *answer};
    world_after(delay_us(), arrive_back, back);
}

/* The sender sees it, or waits in vain. */
static void lose(struct link_request *request) {
    struct link_answer broken = {.outcome = result_error(RESULT_IO)};
    if (random_below(&world.random, 2) == 0) send_back(request, &broken);
}

static bool leave(const struct link_request *request) {
    for (size_t i = 0; i < inside_count; i++) {
        if (inside[i] != request) continue;
        memmove(&inside[i], &inside[i + 1], (--inside_count - i) * sizeof inside[0]);
        return true;
    }
    return false;
}

void link_answer(struct link_request *request, const struct link_answer *answer) {
    CHECK(leave(request));
    world_note("#%llu %s answers %d", (unsigned long long)request->number, request->to->name, answer->status);
    /* Between services more often where much is to be topped up and paid. */
    bool is_cut_again = request->is_of_service && world.leaning == LEANS_TO_CAMPAIGNS;
    if (world_fault(FAULT_LINK_CUT) || (is_cut_again && world_fault(FAULT_LINK_CUT))) {
        world_note("#%llu the answer is lost", (unsigned long long)request->number);
        lose(request);
        return;
    }
    struct link_answer copy = *answer;
    copy.body = link_copy(answer->body);
    copy.content_type = link_copy(answer->content_type);
    copy.etag = link_copy(answer->etag);
    copy.location = link_copy(answer->location);
    copy.retry_after = link_copy(answer->retry_after);
    copy.wallet_instance = link_copy(answer->wallet_instance);
    send_back(request, &copy);
}

void link_break(const struct process *process) {
    for (size_t i = inside_count; i-- > 0;) {
        struct link_request *request = inside[i];
        if (request->to != process) continue;
        CHECK(leave(request));
        lose(request);
    }
}

/* ---- the way there ---- */

static void arrive(void *context) {
    struct link_request *request = context;
    struct link_answer refused = {.outcome = result_error(RESULT_IO)};
    bool is_kept_out = request->to->is_other && !request->is_of_service; /* people would find nothing of theirs, as they should */
    if (request->to->state != PROCESS_UP || request->to->server == NULL || is_kept_out) {
        send_back(request, &refused);
        return;
    }
    world_note("#%llu reaches %s: %.*s %.*s", (unsigned long long)request->number, request->to->name, (int)request->method.size,
               request->method.data, (int)request->target.size, request->target.data);
    CHECK(inside_count < REQUESTS_MAX);
    inside[inside_count++] = request;
    request->to->server->take(request->to->server, request);
}

struct link_request *link_send(const struct link_request *given) {
    struct link_request *request = link_take(sizeof *request);
    *request = *given;
    request->method = link_copy(given->method);
    request->target = link_copy(given->target);
    request->body = link_copy(given->body);
    struct text *texts[] = {&request->headers.bearer, &request->headers.idempotency_key, &request->headers.if_match,
                            &request->headers.accept, &request->headers.request_id,      &request->headers.traceparent};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) *texts[i] = link_copy(*texts[i]);
    request->number = ++request_count;
    request->is_answered = false;
    if (world_fault(FAULT_LINK_REFUSED) || world_fault(FAULT_LINK_DROPPED)) {
        lose(request);
        return request;
    }
    if (world_fault(FAULT_LINK_REPEATED)) world_after(delay_us(), arrive, request);
    world_after(delay_us(), arrive, request);
    return request;
}
