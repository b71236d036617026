/* code_parse: the canonical form is of letters and 0-9, is its own canonical form, and does not depend on case or separators. */
#include <string.h>

#include "base/check.h"
#include "base/code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same code as somebody else would type it. */
static struct text retype(const struct code *code, char *buffer) {
    size_t size = 0;
    for (size_t i = 0; i < code->size; i++) {
        char byte = code->canonical[i];
        bool is_inside = i + 1 < code->size && ((unsigned char)code->canonical[i + 1] & 0xC0) == 0x80;
        buffer[size++] = byte >= 'A' && byte <= 'Z' && i % 2 == 0 ? (char)(byte + ('a' - 'A')) : byte;
        if (!is_inside) buffer[size++] = i % 3 == 0 ? '-' : ' ';
    }
    return (struct text){buffer, size};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct code code = {0}, again = {0};
    if (!result_is_ok(code_parse((struct text){(const char *)data, size}, &code))) return 0;
    CHECK(code.size >= 1 && code.size <= LIMIT_CODE_BYTES);
    size_t characters;
    for (size_t i = 0; i < code.size; i++) {
        unsigned char byte = (unsigned char)code.canonical[i];
        CHECK((byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte >= 0x80);
    }
    CHECK(result_is_ok(text_count_characters(code_text(&code), &characters)));
    CHECK(result_is_ok(code_parse(code_text(&code), &again)) && code_equal(&code, &again));
    char typed[2 * LIMIT_CODE_BYTES];
    CHECK(result_is_ok(code_parse(retype(&code, typed), &again)) && code_equal(&code, &again));
    return 0;
}
