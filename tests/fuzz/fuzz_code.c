/* code_parse: the canonical form is of A-Z 0-9 only, is its own canonical form, and does not depend on case or separators. */
#include <string.h>

#include "base/check.h"
#include "base/code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same code as somebody else would type it. */
static struct text retype(const struct code *code, char *buffer) {
    size_t size = 0;
    for (size_t i = 0; i < code->size; i++) {
        char byte = code->canonical[i];
        buffer[size++] = byte >= 'A' && byte <= 'Z' && i % 2 == 0 ? (char)(byte + ('a' - 'A')) : byte;
        buffer[size++] = i % 3 == 0 ? '-' : ' ';
    }
    return (struct text){buffer, size};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct code code = {0}, again = {0};
    if (!result_is_ok(code_parse((struct text){(const char *)data, size}, &code))) return 0;
    CHECK(code.size >= 1 && code.size <= LIMIT_CODE_BYTES);
    for (size_t i = 0; i < code.size; i++) {
        CHECK((code.canonical[i] >= 'A' && code.canonical[i] <= 'Z') || (code.canonical[i] >= '0' && code.canonical[i] <= '9'));
    }
    CHECK(result_is_ok(code_parse(code_text(&code), &again)) && code_equal(&code, &again));
    char typed[2 * LIMIT_CODE_BYTES];
    CHECK(result_is_ok(code_parse(retype(&code, typed), &again)) && code_equal(&code, &again));
    return 0;
}
