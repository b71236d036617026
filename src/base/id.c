#include "base/id.h"

#include <string.h>

#include "base/check.h"
#include "base/crypto.h"

#define COUNTER_MAX      0x0FFFu
#define MILLISECONDS_MAX INT64_C(0xFFFFFFFFFFFF) /* 48 bits: the year 10889 */

void id_source_init(struct id_source *source, void (*random)(void *, void *, uint64_t), void *context) {
    *source = (struct id_source){.random = random, .context = context};
}

void id_source_init_system(struct id_source *source) { id_source_init(source, crypto_random_for_ids, NULL); }

struct id id_make(struct id_source *source, int64_t now_us) {
    CHECK(now_us >= 0);
    int64_t now_ms = now_us / 1000;
    if (now_ms > source->last_ms) {
        source->last_ms = now_ms;
        source->counter = 0;
    } else if (source->counter < COUNTER_MAX) {
        source->counter++;
    } else { /* the clock went back or stands: borrow the next millisecond, so that the order stays */
        source->last_ms++;
        source->counter = 0;
    }
    CHECK(source->last_ms <= MILLISECONDS_MAX);
    struct id id;
    for (int i = 0; i < 6; i++) id.bytes[i] = (uint8_t)(source->last_ms >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)(0x70 | source->counter >> 8); /* version 7 */
    id.bytes[7] = (uint8_t)source->counter;
    if (source->random_left == 0) {
        source->random(source->context, source->random_bytes, sizeof source->random_bytes);
        source->random_left = sizeof source->random_bytes;
    }
    source->random_left = (uint8_t)(source->random_left - 8);
    memcpy(id.bytes + 8, source->random_bytes + source->random_left, 8);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3F) | 0x80); /* variant 10 */
    return id;
}

int64_t id_time_us(struct id id) {
    if (id.bytes[6] >> 4 != 7) return 0;
    int64_t ms = 0;
    for (int i = 0; i < 6; i++) ms = ms << 8 | id.bytes[i];
    return ms * 1000;
}

/* Where each byte's two digits stand in the text, between hyphens at 8, 13, 18 and 23. */
static const uint8_t digit_places[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

#define NO_DIGIT 0x10u

static unsigned hex_value(char byte) {
    if (byte >= '0' && byte <= '9') return (unsigned)(byte - '0');
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a') + 10 : NO_DIGIT;
}

struct result id_parse(struct text text, struct id *ret_id) {
    if (text.size != ID_TEXT_BYTES) return result_error(RESULT_INVALID);
    if (text.data[8] != '-' || text.data[13] != '-' || text.data[18] != '-' || text.data[23] != '-') return result_error(RESULT_INVALID);
    struct id id;
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        unsigned high = hex_value(text.data[digit_places[i]]), low = hex_value(text.data[digit_places[i] + 1]);
        if (((high | low) & NO_DIGIT) != 0) return result_error(RESULT_INVALID);
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_id = id;
    return result_ok();
}

void id_format(struct id id, char text[ID_TEXT_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    text[8] = text[13] = text[18] = text[23] = '-';
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        text[digit_places[i]] = digits[id.bytes[i] >> 4];
        text[digit_places[i] + 1] = digits[id.bytes[i] & 0x0F];
    }
}

bool id_equal(struct id a, struct id b) { return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0; }

int id_compare(struct id a, struct id b) { return memcmp(a.bytes, b.bytes, sizeof a.bytes); }

bool id_is_zero(struct id id) { return id_equal(id, (struct id){{0}}); }
