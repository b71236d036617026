/* Bytes that were read from a socket and wait: the start of a head, or a request behind one that is not answered yet.
 *
 * A connection has such bytes in rare moments only, so the buffers belong to a pool of the loop, in sizes that double from 1 KiB to 64 KiB.
 * All that are out together are bounded by LIMIT_UNREAD_BYTES. One thread, the loop's. */
#pragma once

#include "base/text.h"

#define UNREAD_BYTES_MAX (64u * 1024) /* of one connection */
#define UNREAD_SIZES     7

struct unread {
    char *bytes; /* NULL: none */
    uint32_t size, capacity;
};

struct unread_spare;

struct unread_pool {
    struct unread_spare *spares[UNREAD_SIZES];
    size_t out_bytes;   /* capacity of those in use */
    size_t spare_bytes; /* of those kept for the next */
};

/* Keeps these bytes and nothing else; they are not in the pool's own memory. False at the bound: nothing is kept then. */
bool unread_keep(struct unread_pool *pool, struct unread *unread, struct text bytes);
void unread_drop(struct unread_pool *pool, struct unread *unread);
void unread_pool_free(struct unread_pool *pool); /* all are dropped */
