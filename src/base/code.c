#include "base/code.h"

#include <string.h>

#include "base/unicode.h"

/* Letters of any script, with their marks, and digits, which are 0-9 by now. */
static bool is_code(struct text canonical) {
    for (size_t offset = 0; offset < canonical.size;) {
        unsigned char byte = (unsigned char)canonical.data[offset];
        uint32_t character;
        if ((byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9')) {
            offset++;
        } else if (byte < 0x80 || !result_is_ok(text_next_character(canonical, &offset, &character)) || !unicode_is_letter(character)) {
            return false;
        }
    }
    return true;
}

struct result code_parse(struct text typed, struct code *ret_code) {
    struct code code = {0};
    size_t size = 0;
    struct result folded =
        text_fold(typed, (struct text_folding){.drop_separators = true, .upper = true}, code.canonical, sizeof code.canonical, &size);
    if (!result_is_ok(folded) || size == 0) return result_error(RESULT_INVALID);
    if (!is_code((struct text){code.canonical, size})) return result_error(RESULT_INVALID);
    code.size = (uint8_t)size;
    *ret_code = code;
    return result_ok();
}

bool code_equal(const struct code *a, const struct code *b) { return text_equal(code_text(a), code_text(b)); }
