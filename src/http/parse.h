/* From the bytes of a connection to requests (RFC 9112), without sockets: the connections and the fuzzers call these.
 *
 *   head_scan  finds where a head ends, line by line, and sees the faults that must not wait for its end
 *   head_read  the whole head, into request.h
 *   chunks_*   a chunked body, piece by piece
 *
 * Bytes always come as one run: what is not used is handed in again with what follows it. What is said of some bytes does not depend on the
 * pieces in which they came.
 *
 * Nothing is repaired and nothing is guessed: whoever stands before us may repair or guess otherwise, and see other requests than we do. A line
 * ends with CRLF, stands for itself, and has no controls but HT; there is one blank where one is due; a chunk ends where its size says. */
#pragma once

#include "http/request.h"

/* ---- a head ---- */

/* Zero at a head's first byte. */
struct head_scan {
    uint32_t scanned_bytes;
    uint32_t line_start;
};

enum head_verdict {
    HEAD_PARTIAL,
    HEAD_WHOLE,     /* to be read */
    HEAD_FAULTY,    /* a line that nothing behind it can repair */
    HEAD_TOO_LARGE, /* no end within LIMIT_HEADER_BYTES */
};

/* `bytes` starts with the head's first byte, each time. HEAD_WHOLE gives its size, with the empty line. */
enum head_verdict head_scan(struct head_scan *scan, struct text bytes, size_t *ret_size);
/* How many bytes of empty lines stand before a request (RFC 9112, section 2.2). */
size_t head_skip_empty_lines(struct text bytes);

struct head_facts {
    bool is_1_1;      /* HTTP/1.1 or a later 1.x */
    bool keeps_alive; /* RFC 9112, section 9.3 */
};

/* Begins `head` and adds each field; a fault is remembered there, for request_end to answer. */
struct head_facts head_read(struct request_head *head, struct exchange *exchange, struct text bytes);
/* The same for one that can't be read: what stands in its first line, and why it is refused. */
void head_read_faulty(struct request_head *head, struct exchange *exchange, struct text bytes, enum head_verdict verdict);

/* ---- a chunked body (RFC 9112, section 7.1) ---- */

enum chunks_state { CHUNKS_SIZE, CHUNKS_DATA, CHUNKS_DATA_END, CHUNKS_TRAILER, CHUNKS_OVER, CHUNKS_FAULTY };

struct chunks {
    enum chunks_state state;
    uint64_t left_bytes;      /* of this chunk's data */
    size_t superfluous_bytes; /* extensions and trailers, which nobody reads: LIMIT_HEADER_BYTES in all */
};

void chunks_begin(struct chunks *chunks);
/* One step: gives how many of the bytes it used, and the data among them, if any. Nothing used: more is due, or OVER, or FAULTY. */
size_t chunks_read(struct chunks *chunks, struct text bytes, struct text *ret_data);
