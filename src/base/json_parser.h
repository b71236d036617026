/* jansson under names that leave ours free: it has JSON_OBJECT, JSON_ARRAY, JSON_INTEGER and json_is_object too. Include this before anything
 * that includes jansson.h itself. Private to the json_*.c files here. */
#pragma once

#define JSON_OBJECT  JANSSON_OBJECT
#define JSON_ARRAY   JANSSON_ARRAY
#define JSON_INTEGER JANSSON_INTEGER
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_INTEGER
/* These macros would read our constants: use json_typeof. */
#undef json_is_object
#undef json_is_array
#undef json_is_integer
#undef json_is_number

#include "base/json.h"

static inline const json_t *json_parsed(const struct json_value *value) { return (const json_t *)(const void *)value; }
static inline const struct json_value *json_opaque(const json_t *value) { return (const struct json_value *)(const void *)value; }

/* The members of another's object are named in faults, and may be as long as a body: so many bytes of a name are told. */
#define JSON_NAME_BYTES 128u
