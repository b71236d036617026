/* Reads. Every request goes one way: read → ask → decide → render → save; a read is the same without decide and save.
 *
 *   handler ─▶ reading_start ─▶ ask ─▶ one trip ─┬─▶ answer (on the loop)
 *                                ▲               │
 *                                └── once more ◀─┘ what a first answer has to be known for
 *
 * With SQLite the questions run on the loop, at once, through the loop's own connection; with PostgreSQL they go to reader threads, which send what waits
 * as one trip. The handler can't tell. One thread owns the reading and its exchange at a time: the loop, then perhaps a reader thread, then the loop. */
#pragma once

#include "base/buffer.h"
#include "http/exchange.h"
#include "http/stream.h"
#include "store/batch.h"

#define READING_ROUNDS_MAX 64u /* of one reading: a search by halves over any table needs no more */

/* The first member of a feature's own struct: what it asks, and what it was told. */
struct reading {
    struct queue_link link;
    struct exchange *exchange;
    /* Asks; true: once more after this trip. `round` counts from 0. After a failure that concerned others it is called again from round 0, so that it begins
     * anew there. May run on another thread: it touches the reading and its exchange's arena only. */
    bool (*ask)(struct reading *reading, struct batch *batch, uint32_t round);
    /* On the loop, when all is known: sets the answer and finishes the exchange, or hands it on. */
    void (*answer)(struct reading *reading);
    /* the readers' own */
    struct result outcome;
    bool is_long;  /* a struct long_reading begins with it */
    bool is_piece; /* its exchange is being sent: it is in nobody's hand */
};

/* `size` bytes, zeroed, in the exchange's arena, that begin with the reading. NULL: 503 overloaded is set, and the handler finishes the exchange. */
void *reading_begin(struct exchange *exchange, bool (*ask)(struct reading *reading, struct batch *batch, uint32_t round),
                    void (*answer)(struct reading *reading), size_t size);
/* Gives the exchange away. When the storage can't be read, 503 is answered. */
void reading_start(struct reading *reading);

/* ---- an answer of any length ----
 *
 *   reading_start ─▶ ask: the first piece ─▶ answer: reading_stream ─▶ head and piece are sent ─▶ ask: the next piece ─▶ it is sent … ─▶ the end
 *
 * A piece is asked for when the socket has taken the one before it (http/stream.h), so that a client costs one piece, however slowly it reads. Each piece
 * is read from a state of its own: what shall be the same for all of them (up to which key) is written down before the first. The reading lives in an
 * arena of its own, which the last of its owners gives back: a reader's thread may still be at a piece whose client has left. */

/* The first member of a feature's own struct. From the second piece on `ask` touches nothing but this struct: the exchange may be gone. */
struct long_reading {
    struct reading reading; /* first */
    struct buffer piece;    /* what `ask` and its visitors write: at most STREAM_PIECE_BYTES; empty in round 0 */
    /* On the loop, when a piece has been read: moves on to the next. MORE: it is asked for; END: that was the last; FAILED: something was missing. */
    enum stream_word (*advance)(struct long_reading *self);

    /* the readers' own */
    struct arena arena; /* of this struct and the piece */
    struct readers *readers;
    size_t given_bytes; /* of the piece, to the stream */
    enum { PIECE_READ, PIECE_DUE, PIECE_ASKED } state;
    bool is_abandoned;
};

/* As reading_begin; `answer` is called after the first piece, and ends in reading_stream. */
void *reading_begin_long(struct exchange *exchange, bool (*ask)(struct reading *reading, struct batch *batch, uint32_t round),
                         void (*answer)(struct reading *reading), enum stream_word (*advance)(struct long_reading *self), size_t size);
/* Sets the answer and finishes the exchange. 503 overloaded when there are too many streams. */
void reading_stream(struct long_reading *reading, int status, const char *content_type);
/* Instead of it, when what the first piece found is to be answered otherwise: the reading is gone, and the exchange is still the handler's. */
void reading_abandon(struct long_reading *reading);

/* ---- the readers of a service ---- */

struct readers;

/* `place` and `clock` outlive them. RESULT_FULL: no memory, no threads; or what batch_open says. */
struct result readers_create(const struct place *place, const struct clock *clock, struct readers **ret_readers) MUST_CHECK;
void readers_free(struct readers *readers); /* after the loops; NULL is allowed */
/* On a loop's thread: when it starts, before it waits, when it ends. */
void readers_open_loop(struct readers *readers, size_t loop_index);
void readers_end_round(struct readers *readers, size_t loop_index);
void readers_close_loop(struct readers *readers, size_t loop_index);
