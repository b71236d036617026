/* Addresses of the Internet, both kinds as one: IPv4 as IPv6 writes it, ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2), so that one client is one client,
 * whichever kind of socket it came by. All zero is nobody's. */
#pragma once

#include "base/text.h"

#define ADDRESS_TEXT_BYTES 46u /* with its end */
#define ADDRESS_RANGES_MAX 64u

struct address {
    uint8_t bytes[16];
};

/* All that begin with the first bits of one. */
struct address_range {
    struct address first;
    uint8_t bits; /* 0..128 */
};

struct address_set {
    size_t count;
    struct address_range ranges[ADDRESS_RANGES_MAX];
};

/* A numeric one and nothing else, without a zone; RESULT_INVALID. */
struct result address_parse(struct text text, struct address *ret_address) MUST_CHECK;
struct address address_of_v4(const void *four_bytes); /* in the network's order */
bool address_is_v4(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);
/* As people write it (RFC 5952), IPv4 with dots; terminated. */
void address_format(const struct address *address, char ret_text[ADDRESS_TEXT_BYTES]);
/* Its bytes, as a key; they are the address's own. */
static inline struct text address_text(const struct address *address) {
    return (struct text){(const char *)address->bytes, sizeof address->bytes};
}
/* Its first bits, the others zero. */
struct address address_prefix(const struct address *address, uint8_t v4_bits, uint8_t v6_bits);

/* "10.0.0.0/8,2001:db8::/32,127.0.0.1": ranges (RFC 4632) and single addresses, separated by commas. What stands behind a range's bits is not looked
 * at. RESULT_INVALID, RESULT_FULL. */
struct result address_set_parse(struct text list, struct address_set *ret_set) MUST_CHECK;
bool address_set_has(const struct address_set *set, const struct address *address);
