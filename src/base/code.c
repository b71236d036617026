#include "base/code.h"

#include <string.h>

struct result code_parse(struct text typed, struct code *ret_code) {
    struct code code = {0};
    size_t size = 0;
    struct result folded =
        text_fold(typed, (struct text_folding){.drop_separators = true, .upper = true}, code.canonical, sizeof code.canonical, &size);
    if (!result_is_ok(folded) || size == 0) return result_error(RESULT_INVALID);
    for (size_t i = 0; i < size; i++) {
        char byte = code.canonical[i];
        bool is_letter = byte >= 'A' && byte <= 'Z', is_digit = byte >= '0' && byte <= '9';
        if (!is_letter && !is_digit) return result_error(RESULT_INVALID);
    }
    code.size = (uint8_t)size;
    *ret_code = code;
    return result_ok();
}

bool code_equal(const struct code *a, const struct code *b) { return text_equal(code_text(a), code_text(b)); }
