/* Reads. Every request goes one way: read → ask → decide → render → save; a read is the same without decide and save.
 *
 *   handler ─▶ reading_start ─▶ ask ─▶ one trip ─┬─▶ answer (on the loop)
 *                                ▲               │
 *                                └── once more ◀─┘ what a first answer has to be known for
 *
 * With SQLite the questions run on the loop, at once, through the loop's own connection; with PostgreSQL they go to reader threads, which send what waits
 * as one trip. The handler can't tell. One thread owns the reading and its exchange at a time: the loop, then perhaps a reader thread, then the loop. */
#pragma once

#include "http/exchange.h"
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
    struct result outcome; /* the readers' own */
};

/* `size` bytes, zeroed, in the exchange's arena, that begin with the reading. NULL: 503 overloaded is set, and the handler finishes the exchange. */
void *reading_begin(struct exchange *exchange, bool (*ask)(struct reading *reading, struct batch *batch, uint32_t round),
                    void (*answer)(struct reading *reading), size_t size);
/* Gives the exchange away. When the storage can't be read, 503 is answered. */
void reading_start(struct reading *reading);

/* ---- the readers of a service ---- */

struct readers;

/* `place` and `clock` outlive them. RESULT_FULL: no memory, no threads; or what batch_open says. */
struct result readers_create(const struct place *place, const struct clock *clock, struct readers **ret_readers) MUST_CHECK;
void readers_free(struct readers *readers); /* after the loops; NULL is allowed */
/* On a loop's thread: when it starts, before it waits, when it ends. */
void readers_open_loop(struct readers *readers, size_t loop_index);
void readers_end_round(struct readers *readers, size_t loop_index);
void readers_close_loop(struct readers *readers, size_t loop_index);
