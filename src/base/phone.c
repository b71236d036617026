#include "base/phone.h"

#include <string.h>

#include "base/phone/library.h"

#define DIGITS_MIN      7
#define DIGITS_MAX      15
#define TYPED_BYTES_MAX 32 /* folded: more than any number needs */
#define MOBILE_DIGITS   10 /* of Iran, without country and trunk prefix */

static bool is_iran(const char *region) { return region != NULL && strcmp(region, "IR") == 0; }

/* The library takes 7 ms and 4 MiB when it is first asked: who has only Iranian numbers never asks it. */
bool phone_region_is_known(const char *region) { return is_iran(region) || (region != NULL && phone_library_knows_region(region)); }

static struct text drop(struct text text, size_t size) { return (struct text){text.data + size, text.size - size}; }

static bool all_digits(struct text text) {
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
    }
    return true;
}

bool phone_of_e164(struct text text, struct phone *ret_phone) {
    if (text.size < 1 + DIGITS_MIN || text.size > PHONE_BYTES_MAX || text.data[0] != '+') return false;
    if (text.data[1] == '0' || !all_digits(drop(text, 1))) return false;
    *ret_phone = (struct phone){.size = (uint8_t)text.size};
    memcpy(ret_phone->e164, text.data, text.size);
    return true;
}

/* What stands behind the country, with its trunk prefix or without. */
static struct result parse_iranian(struct text national, struct phone *ret_phone) {
    if (national.size == MOBILE_DIGITS + 1 && national.data[0] == '0') national = drop(national, 1);
    if (national.size != MOBILE_DIGITS || national.data[0] != '9') return result_error(RESULT_INVALID);
    *ret_phone = (struct phone){.size = 3 + MOBILE_DIGITS, .e164 = "+98"};
    memcpy(ret_phone->e164 + 3, national.data, MOBILE_DIGITS);
    return result_ok();
}

/* Nearly all are Iranian, and of those we take mobile numbers only: they need no library. `digits` is behind the + of an international number. */
static bool is_iranian(struct text digits, bool is_international, const char *region, struct text *ret_national) {
    bool has_country = text_starts_with(digits, TEXT("98"));
    bool is_home = !is_international && is_iran(region);
    if (!is_home && !(is_international && has_country)) return false;
    bool is_with_country = is_international || (has_country && digits.size > MOBILE_DIGITS);
    *ret_national = is_with_country ? drop(digits, 2) : digits;
    return true;
}

static struct result parse_by_library(struct text digits, bool is_international, const char *region, struct phone *ret_phone) {
    char typed[1 + TYPED_BYTES_MAX] = "+";
    struct phone phone = {0};
    size_t size = 0, start = is_international ? 0 : 1;
    memcpy(typed + 1, digits.data, digits.size);
    if (!phone_library_parse(typed + start, digits.size + 1 - start, region, phone.e164, sizeof phone.e164, &size))
        return result_error(RESULT_INVALID);
    /* A country that is not said may turn out to be Iran. */
    if (size > 3 && memcmp(phone.e164, "+98", 3) == 0) return parse_iranian((struct text){phone.e164 + 3, size - 3}, ret_phone);
    return phone_of_e164((struct text){phone.e164, size}, ret_phone) ? result_ok() : result_error(RESULT_INVALID);
}

struct result phone_parse(struct text typed, const char *region, struct phone *ret_phone) {
    char buffer[TYPED_BYTES_MAX];
    struct text digits = {.data = buffer}, national;
    if (!result_is_ok(text_fold(typed, (struct text_folding){.drop_separators = true}, buffer, sizeof buffer, &digits.size)))
        return result_error(RESULT_INVALID);
    bool is_international = true;
    if (text_starts_with(digits, TEXT("+")))
        digits = drop(digits, 1);
    else if (text_starts_with(digits, TEXT("00")))
        digits = drop(digits, 2);
    else
        is_international = false;
    bool is_number = digits.size > 0 && all_digits(digits) && !(is_international && digits.data[0] == '0');
    if (!is_number) return result_error(RESULT_INVALID);
    if (is_iranian(digits, is_international, region, &national)) return parse_iranian(national, ret_phone);
    return parse_by_library(digits, is_international, region, ret_phone);
}

bool phone_equal(const struct phone *a, const struct phone *b) { return text_equal(phone_text(a), phone_text(b)); }
