/* Phone numbers as people type them, kept as E.164 (ITU-T E.164: + and at most 15 digits). */
#pragma once

#include "base/text.h"

#define PHONE_BYTES_MAX 16 /* '+' and 15 digits */
#define PHONE_FAULT     "must be a phone number, like 09121234567 or +989121234567; of Iran a mobile one"

struct phone {
    uint8_t size; /* 0 is no phone */
    char e164[PHONE_BYTES_MAX];
};

/* Accepts +CC…, 00CC… and, for the default region (ISO 3166 alpha-2, e.g. "IR"), national numbers with their trunk prefix or without, and numbers with the
 * country but no + before it; digits of any script, separators and "(0)" anywhere. Iranian numbers must be mobile numbers: +989 and nine digits. Of other
 * countries libphonenumber says which there are, and how long a number may be. RESULT_INVALID otherwise. */
struct result phone_parse(struct text typed, const char *region, struct phone *ret_phone) MUST_CHECK;
/* Of what was parsed before, and comes back out of a token or a row: + and digits. False: it is no E.164. */
bool phone_of_e164(struct text text, struct phone *ret_phone);
static inline struct text phone_text(const struct phone *phone) { return (struct text){phone->e164, phone->size}; }
bool phone_equal(const struct phone *a, const struct phone *b);
bool phone_region_is_known(const char *region);
