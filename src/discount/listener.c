/* One listener: from its request to the bytes of its stream. */
#include "base/check.h"
#include "discount/answer.h"
#include "discount/channel.h"
#include "discount/discount.h"
#include "discount/recall.h"
#include "discount/requests.h"
#include "http/problem.h"
#include "http/stream.h"
#include "service/request.h"

/* ---- on its loop ---- */

static enum stream_word pull(void *context, char *bytes, size_t capacity, size_t *ret_size) {
    struct listener *listener = context;
    struct events *events = listener->events;
    size_t size = 0;
    CHECK(pthread_mutex_lock(&events->lock) == 0);
    while (size < capacity) {
        if (listener->current == NULL) {
            if (listener->is_over) break;
            listener->current = listener_take(listener);
            listener->current_sent = 0;
            if (listener->current == NULL) break;
        }
        size_t left = listener->current->size - listener->current_sent;
        size_t now = left < capacity - size ? left : capacity - size;
        memcpy(bytes + size, listener->current->bytes + listener->current_sent, now);
        size += now;
        listener->current_sent += now;
        if (now < left) break;
        event_release(listener->current);
        listener->current = NULL;
    }
    bool is_over = listener->is_over && listener->current == NULL;
    CHECK(pthread_mutex_unlock(&events->lock) == 0);
    *ret_size = size;
    if (size == capacity) return STREAM_MORE;
    return is_over ? STREAM_END : STREAM_LATER;
}

static void leave(void *context) {
    struct listener *listener = context;
    struct events *events = listener->events;
    CHECK(pthread_mutex_lock(&events->lock) == 0);
    listener_leave(listener);
    events->listener_count--;
    CHECK(pthread_mutex_unlock(&events->lock) == 0);
    board_let_go(listener->channel->slot);
}

/* ---- the request ---- */

/* Digits, or nothing: what we gave as an id. */
static bool read_last_id(struct exchange *exchange, int64_t *ret_id) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    struct text text = exchange->last_event_id;
    int64_t id = 0;
    bool is_id = text.size <= 18;
    for (size_t i = 0; i < text.size && is_id; i++) {
        is_id = text.data[i] >= '0' && text.data[i] <= '9';
        id = id * 10 + (text.data[i] - '0');
    }
    if (!is_id) faults_add(&faults, "Last-Event-ID", "invalid_format", "must be an id of these events, which is a whole number");
    *ret_id = id;
    return !request_refuse_faults(exchange, &faults);
}

static size_t count_of(const struct events *events, struct id user_id) {
    size_t count = 0;
    for (const struct channel *channel = events->channels; channel != NULL; channel = channel->next) {
        const struct listener *listener;
        LIST_FOREACH(listener, &channel->listeners, link) count += id_equal(listener->exchange->caller.user_id, user_id);
    }
    return count;
}

/* With a place in the count, which `leave` gives back, or unreserve. */
static bool reserve(struct events *events, struct exchange *exchange, struct board_slot *slot, struct channel **ret_channel) {
    CHECK(pthread_mutex_lock(&events->lock) == 0);
    bool is_full = events->listener_count >= LISTENERS_MAX;
    bool has_too_many = count_of(events, exchange->caller.user_id) >= LISTENERS_PER_ADMIN;
    *ret_channel = is_full || has_too_many ? NULL : channel_find(events, slot);
    if (*ret_channel != NULL) events->listener_count++;
    CHECK(pthread_mutex_unlock(&events->lock) == 0);
    if (*ret_channel != NULL) return true;
    if (has_too_many)
        problem_reply(exchange, &problem_too_many_listeners, "You listen to as many streams of events as one administrator may.");
    else
        problem_reply(exchange, &problem_overloaded, "As many listen to events as may.");
    return false;
}

static void unreserve(struct events *events) {
    CHECK(pthread_mutex_lock(&events->lock) == 0);
    events->listener_count--;
    CHECK(pthread_mutex_unlock(&events->lock) == 0);
}

/* From here on its stream may be woken. */
static void enter(struct listener *listener) {
    struct events *events = listener->events;
    CHECK(pthread_mutex_lock(&events->lock) == 0);
    LIST_INSERT_HEAD(&listener->channel->listeners, listener, link);
    CHECK(pthread_mutex_unlock(&events->lock) == 0);
    waker_wake(&events->waker);
}

/* False: there is none, and the answer is set. */
static bool open_stream(struct exchange *exchange, struct board_slot *slot, int64_t last_id) {
    struct events *events = discount_of(exchange)->events;
    struct listener *listener = arena_take_zeroed(&exchange->arena, sizeof *listener);
    struct channel *channel;
    if (listener == NULL) {
        request_refuse_memory(exchange);
        return false;
    }
    if (!reserve(events, exchange, slot, &channel)) return false;
    *listener = (struct listener){.exchange = exchange, .events = events, .channel = channel, .given_id = last_id, .is_entering = true};
    listener->is_resuming = exchange->last_event_id.size > 0;
    const struct stream_source source = {.pull = pull, .close = leave, .context = listener, .beat = ":\n\n"};
    if (!result_is_ok(reply_stream(exchange, 200, "text/event-stream", &source))) {
        unreserve(events);
        problem_reply(exchange, &problem_overloaded, "Too many long answers are under way.");
        return false;
    }
    reply_header(exchange, "X-Accel-Buffering", TEXT("no")); /* for an nginx that was told nothing else */
    enter(listener);
    return true;
}

void events_listen(struct exchange *exchange) {
    int64_t last_id;
    struct board_slot *slot = read_last_id(exchange, &last_id) ? request_campaign(exchange) : NULL;
    bool is_here = slot != NULL && board_hold(slot);
    bool listens = is_here && open_stream(exchange, slot, last_id);
    if (slot != NULL && !listens) board_let_go(slot);
    if (slot != NULL && !is_here)
        recall_for(exchange, slot, events_listen);
    else
        exchange_finish(exchange);
}
