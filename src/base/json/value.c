/* Values without rules: looking one up, and writing one in its one canonical form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json/tree.h"

/* The biggest text that is opened has less than a third as many members: each needs a pointer to be sorted. */
#define LEVELS_BYTES_MAX (3u * LIMIT_JSON_BYTES)
#define REAL_BYTES       32 /* "-1.7976931348623157e+308", and ".0" */

bool json_is_object(const struct json_value *value) { return value != NULL && value->type == JSON_IS_OBJECT; }

static bool is_array(const struct json_value *value) { return value != NULL && value->type == JSON_IS_ARRAY; }

bool json_is_array(const struct json_value *value) { return value != NULL && value->type == JSON_IS_ARRAY; }

size_t json_array_count(const struct json_value *array) { return is_array(array) ? array->size : 0; }

const struct json_value *json_array_item(const struct json_value *array, size_t index) {
    return index < json_array_count(array) ? &array->items[index] : NULL;
}

size_t json_object_count(const struct json_value *object) { return json_is_object(object) ? object->size : 0; }

struct text json_object_name(const struct json_value *object, size_t index) {
    return index < json_object_count(object) ? json_name(object, index) : TEXT("");
}

const struct json_value *json_object_value(const struct json_value *object, size_t index) {
    return index < json_object_count(object) ? json_member_value(object, index) : NULL;
}

const struct json_value *json_get(const struct json_value *object, const char *name) {
    if (!json_is_object(object)) return NULL;
    for (size_t i = 0; i < object->size; i++) {
        const char *other = object->items[2 * i].text;
        if (*other == *name && strcmp(other, name) == 0) return json_member_value(object, i);
    }
    return NULL;
}

struct text json_text(const struct json_value *value) {
    if (value == NULL || value->type != JSON_IS_TEXT) return (struct text){NULL, 0};
    return (struct text){value->text, value->size};
}

bool json_get_flag(const struct json_value *object, const char *name) {
    const struct json_value *value = json_get(object, name);
    return value != NULL && value->type == JSON_IS_TRUE;
}

struct text json_get_text(const struct json_value *object, const char *name) {
    struct text text = json_text(json_get(object, name));
    return text.data == NULL ? (struct text){"", 0} : text;
}

int64_t json_get_integer(const struct json_value *object, const char *name, int64_t when_absent) {
    const struct json_value *value = json_get(object, name);
    return value != NULL && value->type == JSON_IS_INTEGER ? value->integer : when_absent;
}

bool json_get_scaled(const struct json_value *object, const char *name, int64_t scale, int64_t *ret_value) {
    const struct json_value *value = json_get(object, name);
    if (value == NULL) return false;
    if (value->type == JSON_IS_INTEGER) return value->integer >= 0 && !__builtin_mul_overflow(value->integer, scale, ret_value);
    if (value->type != JSON_IS_REAL) return false;
    double scaled = value->real * (double)scale;
    if (!(scaled >= 0 && scaled < (double)INT64_MAX)) return false;
    *ret_value = (int64_t)scaled;
    return true;
}

/* ---- the canonical form ---- */

/* One array or object on the way to the value being written. */
struct level {
    struct level *outer, *inner; /* the inner one is used again */
    const struct json_value *of;
    const struct json_value **names; /* of an object, sorted */
    size_t next;
};

/* The shortest of three precisions that gives the same number back; never to be taken for an integer. */
static void put_real(struct json_writer *writer, double real) {
    char text[REAL_BYTES];
    int size = 0;
    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(text, sizeof text, "%.*g", digits, real);
        CHECK(size > 0 && (size_t)size + 2 < sizeof text);
        double back = strtod(text, NULL);
        if (memcmp(&back, &real, sizeof real) == 0) break;
    }
    if (strpbrk(text, ".e") == NULL) {
        text[size++] = '.';
        text[size++] = '0';
    }
    json_put_raw(writer, (struct text){text, (size_t)size});
}

static void put_scalar(struct json_writer *writer, const struct json_value *value) {
    switch (value->type) {
    case JSON_IS_NULL: json_put_null(writer); return;
    case JSON_IS_FALSE: json_put_boolean(writer, false); return;
    case JSON_IS_TRUE: json_put_boolean(writer, true); return;
    case JSON_IS_INTEGER: json_put_integer(writer, value->integer); return;
    case JSON_IS_REAL: put_real(writer, value->real); return;
    case JSON_IS_BEYOND: json_put_raw(writer, (struct text){value->text, value->size}); return;
    case JSON_IS_TEXT: json_put_text(writer, (struct text){value->text, value->size}); return;
    case JSON_IS_ARRAY:
    case JSON_IS_OBJECT: break;
    }
    CHECK(false);
}

static struct level *enter_level(struct arena *arena, struct level *outer, const struct json_value *value) {
    struct level *level = outer == NULL ? NULL : outer->inner;
    if (level == NULL) {
        level = ARENA_NEW(arena, struct level);
        if (level == NULL) return NULL;
        if (outer != NULL) outer->inner = level;
        level->outer = outer;
    }
    level->of = value;
    level->next = 0;
    if (value->type != JSON_IS_OBJECT) return level;
    level->names = ARENA_NEW_ARRAY(arena, const struct json_value *, value->size);
    if (level->names == NULL) return NULL;
    for (size_t i = 0; i < value->size; i++) level->names[i] = &value->items[2 * i];
    json_sort_names(level->names, value->size);
    return level;
}

/* The next value in this level; NULL behind the last. */
static const struct json_value *next_value(struct json_writer *writer, struct level *level) {
    if (level->next == level->of->size) return NULL;
    size_t index = level->next++;
    if (level->of->type == JSON_IS_ARRAY) return &level->of->items[index];
    const struct json_value *name = level->names[index];
    json_put_text(writer, (struct text){name->text, name->size});
    buffer_append_byte(writer->buffer, ':');
    writer->comma_due = false;
    return name + 1;
}

static bool write_tree(struct arena *arena, struct json_writer *writer, const struct json_value *value) {
    struct level *level = NULL;
    do {
        if (value == NULL) {
            if (level->of->type == JSON_IS_ARRAY) {
                json_end_array(writer);
            } else {
                json_end_object(writer);
            }
            level = level->outer;
        } else if (value->type == JSON_IS_ARRAY || value->type == JSON_IS_OBJECT) {
            level = enter_level(arena, level, value);
            if (level == NULL) return false;
            if (value->type == JSON_IS_ARRAY) {
                json_begin_array(writer);
            } else {
                json_begin_object(writer);
            }
        } else {
            put_scalar(writer, value);
        }
        value = level == NULL ? NULL : next_value(writer, level);
    } while (level != NULL);
    return true;
}

struct text json_dump(struct arena *arena, const struct json_value *value) {
    CHECK(value != NULL);
    struct arena levels; /* apart, so that the text grows in place */
    struct buffer buffer;
    struct json_writer writer = {.buffer = &buffer};
    arena_init(&levels, LEVELS_BYTES_MAX);
    buffer_init(&buffer, arena, 256);
    bool is_written = write_tree(&levels, &writer, value);
    arena_release(&levels);
    buffer_append_byte(&buffer, '\0');
    return !is_written || buffer.failed ? (struct text){NULL, 0} : (struct text){buffer.data, buffer.size - 1};
}
