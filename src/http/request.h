/* From the bytes of a request's head to the exchange's fields, without sockets: the loop and the fuzzers call these.
 *
 *   request_begin(target) → request_add_header per field → request_end
 *
 * What is wrong is remembered and answered by request_end, in one order: 431, 414, 400. */
#pragma once

#include "base/id.h"
#include "http/exchange.h"
#include "http/forwarded.h"

struct request_head {
    struct exchange *exchange;
    struct text transfer_encoding, content_length, x_request_id;
    const struct address_set *trusted_proxies; /* when the peer is one of them; NULL: nobody's word about others counts */
    struct forwarded forwarded, x_forwarded_for;
    const char *fault; /* a sentence, the first broken rule; NULL */
    size_t header_bytes;
    unsigned host_count;
    bool target_too_long, out_of_memory;
    bool expects_continue;
    bool wants_close, wants_keep_alive; /* Connection (RFC 9112, section 9.6) */
};

/* `target` is the request line's second word, raw (RFC 9112, section 3.2: origin-form or absolute-form). */
void request_begin(struct request_head *head, struct exchange *exchange, struct text method, struct text target);
void request_add_header(struct request_head *head, struct text name, struct text value);
/* What the parser of the head saw: a sentence, kept if it is the first. Between request_begin and request_end. */
void request_set_fault(struct request_head *head, const char *fault);
bool request_is_value(struct text text);     /* no control but HT, and DEL, which ends no line (RFC 9110, section 5.5) */
bool request_is_authority(struct text text); /* RFC 3986, section 3.2, by its bytes: nobody asks its parts anything */
/* absolute-form carries scheme and authority before the path (RFC 9112, section 3.2.2): what stands behind them, or the target itself. */
struct text request_without_authority(struct text target);
/* Gives the exchange its request_id, trace_id and client, then judges the head: false when an answer is set, and then the length of the body is
 * EXCHANGE_LENGTH_UNKNOWN. `is_1_1`: HTTP/1.1 or later. */
bool request_end(struct request_head *head, bool is_1_1, struct id_source *ids, int64_t now_us);

/* Decodes %XX into the arena, terminated; RESULT_INVALID for a bad escape, a NUL, or bytes that are not UTF-8 (RFC 3986, section 2.1);
 * RESULT_FULL when the arena is. `plus_is_blank` as in application/x-www-form-urlencoded. */
struct result request_decode(struct arena *arena, struct text raw, bool plus_is_blank, struct text *ret_text) MUST_CHECK;
bool request_traceparent_is_valid(struct text traceparent); /* W3C Trace Context, section 3.2 */
