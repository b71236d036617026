/* UUIDv7 (RFC 9562, section 5.7): time-ordered, so that keys are appended and not scattered. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define ID_TEXT_BYTES 36

struct id {
    uint8_t bytes[16];
};

/* Makes ids in increasing order for one thread: the millisecond, then a 12-bit counter within it, then 62 random bits
 * (RFC 9562, section 6.2, method 1). Randomness comes in through a function so that a simulation can replay it. */
struct id_source {
    void (*random)(void *context, void *buffer, uint64_t size);
    void *context;
    int64_t last_ms;
    uint16_t counter;
    uint8_t random_bytes[128]; /* of one call, for several ids: a system call for each would cost more than the id */
    uint8_t random_left;
};

void id_source_init(struct id_source *source, void (*random)(void *, void *, uint64_t), void *context);
void id_source_init_system(struct id_source *source); /* the system's CSPRNG */
struct id id_make(struct id_source *source, int64_t now_us);
int64_t id_time_us(struct id id); /* the millisecond in which it was made; 0: it is no UUIDv7 */

struct result id_parse(struct text text, struct id *ret_id) MUST_CHECK; /* 8-4-4-4-12 hex in any case; RESULT_INVALID */
void id_format(struct id id, char text[ID_TEXT_BYTES]);                 /* lower case, no terminator */
bool id_equal(struct id a, struct id b);
int id_compare(struct id a, struct id b);
bool id_is_zero(struct id id);
