/* An answer that is made while it is sent: lists without end, files of any length, Server-Sent Events.
 *
 * The handler sets the answer with reply_stream instead of reply_set, finishes the exchange, and is asked for the body piece by piece, each time
 * that the socket has taken what there was: so a client that reads slowly is asked for slowly, and nobody keeps more than a piece for it.
 *
 *                 ┌──────────── MORE: and the socket has taken it ──────────────┐
 *   reply_stream ─┴▶ pull ──▶ LATER ──▶ ASLEEP ──stream_wake, from any thread──▶┘
 *                     │                   └── a beat is sent when it has slept for STREAM_BEAT_US ──▶ ASLEEP
 *                     ├──▶ END ────▶ the last chunk, and the connection goes on ──▶ close
 *                     └──▶ FAILED ─▶ no last chunk, and the connection ends ──────▶ close    (as when the client leaves, at any moment)
 *
 * On the wire it is chunked (RFC 9112, section 7.1); before HTTP/1.1 it ends with the connection, and a failure resets that. HEAD has the same
 * head and pulls nothing.
 *
 * Owners and invariants
 * - `pull` and `close` are called on the loop's thread, and must not block. `close` is called once, whatever happens, also when the client has left
 *   before the first pull; the exchange and its arena live until it has returned.
 * - stream_wake may come from any thread while `close` has not returned: a source that is woken by others takes itself off their list in `close`,
 *   under their lock. A wake that comes before LATER was said is not lost: it is asked again at once. Wakes are not counted.
 * - A connection that streams holds one piece and one head at most, and those only while its socket is full; a stream that sleeps holds none.
 * - All streams of a process are at most LIMIT_STREAMS. A connection sends TURN_BYTES in its turn (loop.h), whatever it sends.
 * - A client that takes no whole piece within the time for sending loses the connection.
 * - A drain ends the streams with a beat, for they have no end of their own, with their last chunk; the others are sent to their end. */
#pragma once

#include "base/clock.h"
#include "http/exchange.h"

#define STREAM_PIECE_BYTES 16384u /* most of one pull */
#define STREAM_BEAT_US     (15 * CLOCK_SECOND_US)

enum stream_word {
    STREAM_MORE,  /* at least a byte, and perhaps more: asked again when the socket has taken it */
    STREAM_LATER, /* what is in the buffer, and nothing more until it is woken */
    STREAM_END,   /* what is in the buffer is the last of it */
    STREAM_FAILED /* the client must not take what it has for the whole */
};

struct stream_source {
    /* Fills `bytes`, STREAM_PIECE_BYTES at most. */
    enum stream_word (*pull)(void *context, char *bytes, size_t capacity, size_t *ret_size);
    void (*close)(void *context); /* may be NULL */
    void *context;                /* in the exchange's arena, or freed by `close` */
    const char *beat;             /* sent when it has slept for a while, ":\n\n" for Server-Sent Events; NULL: nothing is */
};

/* ---- for handlers ---- */

/* In place of reply_set: exchange_finish comes behind it. RESULT_FULL: no memory, or as many as there may be; nothing is set then, and `close` will
 * not be called. */
struct result reply_stream(struct exchange *exchange, int status, const char *content_type, const struct stream_source *source) MUST_CHECK;
/* Any thread, as said above. */
void stream_wake(struct exchange *exchange);

/* ---- for whoever made the exchange, on its thread ---- */

/* Its socket has taken everything. The stream does not sleep. */
enum stream_word stream_pull(struct exchange *exchange, char *bytes, size_t capacity, size_t *ret_size);
/* After LATER. False: it was woken meanwhile. True: it sleeps, and `deliver` will be called once for it, with the state SENDING. */
bool stream_sleep(struct exchange *exchange);
void stream_awake(struct exchange *exchange); /* `deliver` has brought it */
bool stream_has_beat(const struct exchange *exchange);
struct text stream_beat(const struct exchange *exchange);
/* Calls `close`, the first time; also of an exchange without a stream. False: it was woken, and is still on its way by `deliver`: it must live
 * until it has come. */
bool stream_close(struct exchange *exchange);
