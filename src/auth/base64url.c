#include "auth/base64url.h"

#include <openssl/evp.h>

#define GROUP_TEXT_BYTES 4u
#define GROUP_BYTES      3u

/* OpenSSL also takes blanks, line ends, padding and the standard alphabet's own two digits: it must not see any. Here and below one simple thing
 * for each byte and no way out of the loop, so that the compiler takes sixteen at once. */
static bool has_only_digits(struct text text) {
    uint8_t is_other = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.data[i], is_bad = 1;
        is_bad = (uint8_t)((byte | 0x20) - 'a') < 26 ? 0 : is_bad;
        is_bad = (uint8_t)(byte - '0') < 10 ? 0 : is_bad;
        is_bad = byte == '-' ? 0 : is_bad;
        is_bad = byte == '_' ? 0 : is_bad;
        is_other |= is_bad;
    }
    return is_other == 0;
}

/* Into the standard alphabet. */
static void translate(struct text text, uint8_t *restrict ret_standard) {
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        ret_standard[i] = byte == '-' ? '+' : byte == '_' ? '/' : byte;
    }
}

struct result base64url_decode(struct text text, uint8_t *buffer, size_t *ret_size) {
    uint8_t standard[LIMIT_TOKEN_BYTES + GROUP_TEXT_BYTES];
    size_t rest = text.size % GROUP_TEXT_BYTES;
    if (text.size > LIMIT_TOKEN_BYTES || rest == 1 || !has_only_digits(text)) return result_error(RESULT_INVALID);
    translate(text, standard);
    size_t padded = text.size;
    while (padded % GROUP_TEXT_BYTES != 0) standard[padded++] = 'A'; /* six zero bits */
    if (EVP_DecodeBlock(buffer, standard, (int)padded) != (int)(padded / GROUP_TEXT_BYTES * GROUP_BYTES))
        return result_error(RESULT_INVALID);
    size_t size = text.size / GROUP_TEXT_BYTES * GROUP_BYTES + (rest == 0 ? 0 : rest - 1);
    for (size_t i = size; i < padded / GROUP_TEXT_BYTES * GROUP_BYTES; i++) {
        if (buffer[i] != 0) return result_error(RESULT_INVALID); /* bits that mean nothing: another letter would give the same bytes */
    }
    *ret_size = size;
    return result_ok();
}
