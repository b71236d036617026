/* Unicode's properties and normal forms, by utf8proc: what people type, in the one form in which it is kept and compared. ASCII is its own normal form in
 * all of them, and is not looked at twice. */
#pragma once

#include "base/text.h"

#define UNICODE_CHARACTERS_MAX 1024u /* of a text that is normalised, when it is decomposed: RESULT_FULL beyond */

enum unicode_form {
    /* NFKC (UAX #15) without the code points that show nothing of themselves (Default_Ignorable_Code_Point, UAX #44), and with every script's decimal
     * digits as 0-9. */
    UNICODE_PLAIN,
    UNICODE_PLAIN_CAPITALS, /* the same, and without case: NFKC_Casefold (The Unicode Standard, section 3.13), written in capitals where there are some */
    UNICODE_OPAQUE, /* OpaqueString (RFC 8265, section 4.2): blanks are U+0020, NFC, and nothing else is changed */
};

/* Writes at most `capacity` bytes. RESULT_INVALID: bad UTF-8, or, of OPAQUE, a code point that it forbids (RFC 8264, section 9), or nothing at all;
 * RESULT_FULL. */
struct result unicode_normalize(struct text text, enum unicode_form form, char *buffer, size_t capacity, size_t *ret_size) MUST_CHECK;

bool unicode_is_ignorable(uint32_t character); /* Default_Ignorable_Code_Point */
bool unicode_is_letter(uint32_t character);    /* L and M */
/* No control character and no end of a line, and something that can be seen. Of valid UTF-8. */
bool unicode_is_name(struct text text);
