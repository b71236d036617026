/* base64url without padding (RFC 4648, section 5) of what is no secret from who sent it: decoded fast, not in constant time. Private to src/auth;
 * secrets go through crypto_base64url_decode. */
#pragma once

#include "base/limits.h"
#include "base/text.h"

/* Room for the decoded text: whole groups of three bytes, so up to two more than there are in the end. */
#define BASE64URL_ROOM_BYTES(text_bytes) (((text_bytes) + 3) / 4 * 3)

/* Strict: no blank, no padding, no unused bit set, so that each sequence of bytes has one text. RESULT_INVALID, also above LIMIT_TOKEN_BYTES.
 * `buffer` has BASE64URL_ROOM_BYTES(text.size); *ret_size says how many of them are the text's. */
struct result base64url_decode(struct text text, uint8_t *buffer, size_t *ret_size) MUST_CHECK;
