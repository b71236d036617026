/* phone_parse: what it accepts is E.164, and parsing that again changes nothing, in any region. */
#include "base/check.h"
#include "base/phone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const regions[] = {"IR", "DE", "KW", "XX", NULL};
    for (size_t i = 0; i < ARRAY_COUNT(regions); i++) {
        struct phone phone = {0}, again = {0};
        if (!result_is_ok(phone_parse((struct text){(const char *)data, size}, regions[i], &phone))) continue;
        CHECK(phone.size >= 8 && phone.size <= PHONE_BYTES_MAX && phone.e164[0] == '+' && phone.e164[1] != '0');
        for (size_t at = 1; at < phone.size; at++) CHECK(phone.e164[at] >= '0' && phone.e164[at] <= '9');
        for (size_t other = 0; other < ARRAY_COUNT(regions); other++) {
            CHECK(result_is_ok(phone_parse(phone_text(&phone), regions[other], &again)) && phone_equal(&phone, &again));
        }
    }
    return 0;
}
