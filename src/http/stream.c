#include "http/stream.h"

#include <stdatomic.h>

#include "base/check.h"
#include "base/limits.h"

enum stream_state { STREAM_AWAKE, STREAM_ASLEEP, STREAM_WOKEN };

struct stream {
    struct stream_source source;
    _Atomic enum stream_state state; /* of the wake; the loop moves it to AWAKE and ASLEEP, whoever wakes to WOKEN */
    bool sleeps;                     /* the loop's: from ASLEEP until `deliver` has brought it */
    bool is_closed;
};

static atomic_size_t stream_count;

struct result reply_stream(struct exchange *exchange, int status, const char *content_type, const struct stream_source *source) {
    CHECK(source->pull != NULL && exchange->stream == NULL);
    struct stream *stream = arena_take(&exchange->arena, sizeof(*stream));
    if (stream == NULL) return result_error(RESULT_FULL);
    if (atomic_fetch_add(&stream_count, 1) >= LIMIT_STREAMS) {
        atomic_fetch_sub(&stream_count, 1);
        return result_error(RESULT_FULL);
    }
    *stream = (struct stream){.source = *source};
    exchange->stream = stream;
    reply_set(exchange, status, content_type, (struct text){"", 0});
    return result_ok();
}

/* What the waker has made for it to send is seen by the pull that follows. */
void stream_wake(struct exchange *exchange) {
    struct stream *stream = exchange->stream;
    if (atomic_exchange_explicit(&stream->state, STREAM_WOKEN, memory_order_acq_rel) == STREAM_ASLEEP) exchange->deliver(exchange);
}

enum stream_word stream_pull(struct exchange *exchange, char *bytes, size_t capacity, size_t *ret_size) {
    struct stream *stream = exchange->stream;
    CHECK(!stream->is_closed && !stream->sleeps && capacity > 0);
    (void)atomic_exchange_explicit(&stream->state, STREAM_AWAKE, memory_order_acq_rel);
    *ret_size = 0;
    enum stream_word word = stream->source.pull(stream->source.context, bytes, capacity, ret_size);
    CHECK(*ret_size <= capacity && (word != STREAM_MORE || *ret_size > 0));
    return word;
}

bool stream_sleep(struct exchange *exchange) {
    struct stream *stream = exchange->stream;
    CHECK(!stream->is_closed);
    enum stream_state awake = STREAM_AWAKE;
    if (!stream->sleeps) stream->sleeps = atomic_compare_exchange_strong(&stream->state, &awake, STREAM_ASLEEP);
    return stream->sleeps;
}

void stream_awake(struct exchange *exchange) {
    CHECK(exchange->stream->sleeps);
    exchange->stream->sleeps = false;
}

bool stream_has_beat(const struct exchange *exchange) { return exchange->stream != NULL && exchange->stream->source.beat != NULL; }

struct text stream_beat(const struct exchange *exchange) {
    return text_of(exchange->stream->source.beat);
}

bool stream_close(struct exchange *exchange) {
    struct stream *stream = exchange->stream;
    if (stream == NULL) return true;
    if (!stream->is_closed) {
        stream->is_closed = true;
        if (stream->source.close != NULL) stream->source.close(stream->source.context);
        atomic_fetch_sub(&stream_count, 1);
    }
    return !stream->sleeps || atomic_load(&stream->state) != STREAM_WOKEN;
}
