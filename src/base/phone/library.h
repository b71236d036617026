/* libphonenumber for C: the only C++ of the house is library.cc beside this. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `typed` is an optional + and digits, `region` ISO 3166 alpha-2 or NULL. Writes E.164 when it is a number of a known country and has a possible length,
 * without what stands before a national number only; false otherwise, and when it needs more than `capacity` bytes. */
bool phone_library_parse(const char *typed, size_t typed_bytes, const char *region, char *buffer, size_t capacity, size_t *ret_size);
bool phone_library_knows_region(const char *region);

#ifdef __cplusplus
}
#endif
