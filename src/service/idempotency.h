/* Idempotency-Key: the same request again gets the first answer again (draft-ietf-httpapi-idempotency-key-header, and Stripe's practice).
 *
 * A record is written in the transaction of its effect. Requests are compared by a fingerprint: for each member of the body its path and a
 * keyed hash of its value, so that differing members can be named. What is secret in it (a password) is no part of that: a repeat with another one
 * is the same request. */
#pragma once

#include "base/crypto.h"
#include "base/identity.h"
#include "base/json/json.h"
#include "http/exchange.h"

#define IDEMPOTENCY_RETENTION_US (INT64_C(8) * 24 * 3600 * 1000000) /* the contract promises 7 days */

/* What a request asks: part of each service's operation. `key.size` 0: no key was sent, nothing of this applies. */
struct idempotency_request {
    struct text key;
    struct text fingerprint; /* opaque text, in the arena; data NULL: the arena's limit is reached, answer 503 overloaded */
    struct hash lookup;      /* BLAKE2b of caller and key: the primary key of the table */
};

/* What is kept. */
struct idempotency_record {
    struct hash lookup;
    struct text fingerprint;
    int status; /* 0: the answer is not final yet (a claim that waits for its credit) */
    struct text content_type, location, body;
    struct id subject; /* what was made, for answers that become final later; zero otherwise */
    int64_t created_at_us;
};

#define IDEMPOTENCY_KEY_BYTES 255u
/* Under which name a caller's key is kept: nobody else's key has it. At most so many bytes of key. */
struct hash idempotency_lookup(const struct identity *caller, struct text key);
/* The header alone: the key and its lookup, no fingerprint. */
void idempotency_name(const struct exchange *exchange, struct idempotency_request *ret_request);
/* Reads the header and the body into `ret_request` (the header's syntax is checked already: route_check_headers); `body` may be NULL. `secret_member` is left out of the
 * fingerprint, NULL: none. `secret` keys the hashes. */
void idempotency_read(struct exchange *exchange, const struct json_value *body, const char *secret_member,
                      const uint8_t secret[CRYPTO_HASH_BYTES], struct idempotency_request *ret_request);
bool idempotency_same_request(const struct idempotency_record *record, const struct idempotency_request *request);
/* Whether an answer that the store decided is kept: 2xx but for 202, and definite refusals, never 5xx and 429; nor 401 and 403, which are about the token, and
 * 400. What is refused before it reaches the store (413, 415, a body with faults) is never asked about here, and never kept. */
bool idempotency_keeps(int status);
/* The kept answer, with Idempotent-Replayed: true. */
void idempotency_replay(struct exchange *exchange, const struct idempotency_record *record);
/* 422 idempotency_key_reused, which names the differing members. */
void idempotency_refuse(struct exchange *exchange, const struct idempotency_record *record, const struct idempotency_request *request);
