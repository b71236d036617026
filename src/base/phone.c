#include "base/phone.h"

#include <string.h>

#define DIGITS_MIN      8
#define DIGITS_MAX      15
#define TYPED_BYTES_MAX 32 /* folded: more than any number needs */

struct region {
    const char name[3];    /* ISO 3166 alpha-2 */
    const char country[4]; /* country calling code (ITU-T E.164) */
    const char trunk[2];   /* what stands before a national number; "" where nothing does */
};

static const struct region regions[] = {
    {"IR", "98", "0"},  {"AE", "971", "0"}, {"AF", "93", "0"},  {"AM", "374", "0"}, {"AT", "43", "0"},
    {"AU", "61", "0"},  {"AZ", "994", "0"}, {"BH", "973", ""},  {"CA", "1", "1"},   {"DE", "49", "0"},
    {"FR", "33", "0"},  {"GB", "44", "0"},  {"GE", "995", "0"}, {"IN", "91", "0"},  {"IQ", "964", "0"},
    {"KW", "965", ""},  {"NL", "31", "0"},  {"OM", "968", ""},  {"PK", "92", "0"},  {"QA", "974", ""},
    {"SA", "966", "0"}, {"SE", "46", "0"},  {"TM", "993", "8"}, {"TR", "90", "0"},  {"US", "1", "1"},
};

static const struct region *find_region(const char *name) {
    if (name == NULL) return NULL;
    for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++) {
        if (strcmp(regions[i].name, name) == 0) return &regions[i];
    }
    return NULL;
}

bool phone_region_is_known(const char *region) { return find_region(region) != NULL; }

static struct text drop(struct text text, size_t size) { return (struct text){text.data + size, text.size - size}; }

static bool all_digits(struct text text) {
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
    }
    return true;
}

/* Country code and number without '+'. */
static bool is_plausible(struct text digits) {
    if (digits.size < DIGITS_MIN || digits.size > DIGITS_MAX || digits.data[0] == '0') return false;
    if (text_starts_with(digits, TEXT("98"))) return digits.size == 12 && digits.data[2] == '9';
    return true;
}

struct result phone_parse(struct text typed, const char *region, struct phone *ret_phone) {
    char buffer[TYPED_BYTES_MAX];
    struct text folded = {.data = buffer};
    if (!result_is_ok(text_fold(typed, (struct text_folding){.drop_separators = true}, buffer, sizeof buffer, &folded.size))) {
        return result_error(RESULT_INVALID);
    }
    struct text country = {"", 0}, rest;
    const struct region *home = find_region(region);
    if (text_starts_with(folded, TEXT("+"))) {
        rest = drop(folded, 1);
    } else if (text_starts_with(folded, TEXT("00"))) {
        rest = drop(folded, 2);
    } else if (home != NULL && text_starts_with(folded, text_of(home->trunk))) {
        rest = drop(folded, strlen(home->trunk));
        country = text_of(home->country);
    } else {
        return result_error(RESULT_INVALID);
    }
    if (!all_digits(rest) || country.size + rest.size > DIGITS_MAX) return result_error(RESULT_INVALID);

    struct phone phone = {.size = (uint8_t)(1 + country.size + rest.size), .e164 = "+"};
    memcpy(phone.e164 + 1, country.data, country.size);
    memcpy(phone.e164 + 1 + country.size, rest.data, rest.size);
    if (!is_plausible(drop(phone_text(&phone), 1))) return result_error(RESULT_INVALID);
    *ret_phone = phone;
    return result_ok();
}

bool phone_equal(const struct phone *a, const struct phone *b) { return text_equal(phone_text(a), phone_text(b)); }
