#include "base/address.h"

#include <arpa/inet.h>

#include "base/check.h"

#define V4_START 12u /* of its four bytes */
#define V4_BITS  (8u * V4_START)
#define ALL_BITS 128u

static const uint8_t v4_prefix[V4_START] = {[10] = 0xFF, [11] = 0xFF};

struct address address_of_v4(const void *four_bytes) {
    struct address address;
    memcpy(address.bytes, v4_prefix, V4_START);
    memcpy(address.bytes + V4_START, four_bytes, 4);
    return address;
}

bool address_is_v4(const struct address *address) { return memcmp(address->bytes, v4_prefix, V4_START) == 0; }

bool address_equal(const struct address *a, const struct address *b) { return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0; }

struct result address_parse(struct text text, struct address *ret_address) {
    char terminated[ADDRESS_TEXT_BYTES];
    uint8_t four[4];
    if (text.size >= sizeof terminated || (text.size > 0 && memchr(text.data, '\0', text.size) != NULL))
        return result_error(RESULT_INVALID);
    if (text.size > 0) memcpy(terminated, text.data, text.size);
    terminated[text.size] = '\0';
    if (inet_pton(AF_INET, terminated, four) == 1) {
        *ret_address = address_of_v4(four);
        return result_ok();
    }
    return inet_pton(AF_INET6, terminated, ret_address->bytes) == 1 ? result_ok() : result_error(RESULT_INVALID);
}

void address_format(const struct address *address, char ret_text[ADDRESS_TEXT_BYTES]) {
    bool is_v4 = address_is_v4(address);
    const uint8_t *bytes = address->bytes + (is_v4 ? V4_START : 0);
    CHECK(inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes, ret_text, ADDRESS_TEXT_BYTES) != NULL);
}

static struct address cut(const struct address *address, unsigned bits) {
    struct address first = {{0}};
    CHECK(bits <= ALL_BITS);
    memcpy(first.bytes, address->bytes, bits / 8);
    if (bits % 8 != 0) first.bytes[bits / 8] = (uint8_t)(address->bytes[bits / 8] & (0xFF00u >> (bits % 8)));
    return first;
}

struct address address_prefix(const struct address *address, uint8_t v4_bits, uint8_t v6_bits) {
    return cut(address, address_is_v4(address) ? V4_BITS + v4_bits : v6_bits);
}

/* ---- sets ---- */

static struct text trimmed(struct text text) {
    for (; text.size > 0 && text.data[0] == ' '; text.size--) text.data++;
    while (text.size > 0 && text.data[text.size - 1] == ' ') text.size--;
    return text;
}

static struct result parse_range(struct text text, struct address_range *ret_range) {
    const char *slash = memchr(text.data, '/', text.size);
    struct text written = {text.data, slash == NULL ? text.size : (size_t)(slash - text.data)};
    struct address address;
    TRY(address_parse(written, &address));
    bool has_dots_only = memchr(written.data, ':', written.size) == NULL; /* else its bits count from the first of 128 */
    uint64_t bits = has_dots_only ? ALL_BITS - V4_BITS : ALL_BITS;
    if (slash != NULL) TRY(text_parse_unsigned((struct text){slash + 1, text.size - written.size - 1}, bits, &bits));
    if (has_dots_only) bits += V4_BITS;
    *ret_range = (struct address_range){.first = cut(&address, (unsigned)bits), .bits = (uint8_t)bits};
    return result_ok();
}

struct result address_set_parse(struct text list, struct address_set *ret_set) {
    ret_set->count = 0;
    for (bool is_last = false; !is_last;) {
        const char *comma = list.size == 0 ? NULL : memchr(list.data, ',', list.size);
        struct text range = {list.data, comma == NULL ? list.size : (size_t)(comma - list.data)};
        is_last = comma == NULL;
        if (!is_last) list = (struct text){comma + 1, list.size - range.size - 1};
        if (ret_set->count == ADDRESS_RANGES_MAX) return result_error(RESULT_FULL);
        range = trimmed(range);
        if (range.size == 0) return result_error(RESULT_INVALID);
        TRY(parse_range(range, &ret_set->ranges[ret_set->count++]));
    }
    return result_ok();
}

bool address_set_has(const struct address_set *set, const struct address *address) {
    for (size_t i = 0; i < set->count; i++) {
        struct address first = cut(address, set->ranges[i].bits);
        if (address_equal(&first, &set->ranges[i].first)) return true;
    }
    return false;
}
