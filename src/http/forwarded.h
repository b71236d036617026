/* Who asks, when a proxy stands between: what Forwarded (RFC 7239) and X-Forwarded-For say, as far as it may be believed.
 *
 * Each proxy writes whom it was asked by behind what was there already, so the list is read from its end: as long as an element is a proxy that is
 * trusted, the element before it was written by that proxy. The right-most one that is no trusted proxy is the client; whatever stands before it the
 * client may have made up, and it is not looked at.
 *
 * When that element is no address (unknown, an obfuscated name, something ill-formed), or when all of them are trusted proxies, nobody knows who
 * the client is, and the peer counts as it: no one can get out of a budget in this way, nor into another one's. The same holds when both
 * fields are there and name different clients: a proxy that writes one of them passes the other on as the client sent it.
 *
 * A line is read as it comes, without memory: later lines of a field stand behind the earlier ones. */
#pragma once

#include "base/address.h"

enum forwarded_word { FORWARDED_NOTHING, FORWARDED_UNKNOWN, FORWARDED_CLIENT };

/* Zero at first; one for each of the two fields. */
struct forwarded {
    enum forwarded_word word;
    struct address client;
};

void forwarded_add(struct forwarded *forwarded, const struct address_set *trusted, struct text line);
/* X-Forwarded-For, which no standard describes: addresses, separated by commas, with or without brackets and a port. */
void forwarded_add_x(struct forwarded *forwarded, const struct address_set *trusted, struct text line);
/* Of a peer that is trusted. */
struct address forwarded_client(const struct address *peer, const struct forwarded *standard, const struct forwarded *x);
