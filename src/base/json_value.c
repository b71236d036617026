/* Values without rules: looking one up, comparing two, writing one in its one canonical form. */
#include <string.h>

#include "base/check.h"
#include "base/json_parser.h"

#define LEVELS_MAX 8u /* differences deeper than this are named by the member of this level that holds them */

bool json_is_object(const struct json_value *value) { return value != NULL && json_typeof(json_parsed(value)) == JANSSON_OBJECT; }

size_t json_array_count(const struct json_value *array) { return array == NULL ? 0 : json_array_size(json_parsed(array)); }

const struct json_value *json_array_item(const struct json_value *array, size_t index) {
    return array == NULL ? NULL : json_opaque(json_array_get(json_parsed(array), index));
}

const struct json_value *json_get(const struct json_value *object, const char *name) {
    return object == NULL ? NULL : json_opaque(json_object_get(json_parsed(object), name));
}

struct text json_text(const struct json_value *value) {
    const json_t *parsed = json_parsed(value);
    if (!json_is_string(parsed)) return (struct text){NULL, 0};
    return (struct text){json_string_value(parsed), json_string_length(parsed)};
}

struct text json_get_text(const struct json_value *object, const char *name) {
    struct text text = json_text(json_get(object, name));
    return text.data == NULL ? (struct text){"", 0} : text;
}

int64_t json_get_integer(const struct json_value *object, const char *name, int64_t when_absent) {
    const json_t *value = json_parsed(json_get(object, name));
    return value != NULL && json_typeof(value) == JANSSON_INTEGER ? json_integer_value(value) : when_absent;
}

static int append_piece(const char *piece, size_t size, void *context) {
    struct buffer *buffer = context;
    buffer_append(buffer, (struct text){piece, size});
    return buffer->failed ? -1 : 0;
}

struct text json_dump(struct arena *arena, const struct json_value *value) {
    CHECK(value != NULL);
    struct buffer buffer;
    buffer_init(&buffer, arena, 256);
    int dumped = json_dump_callback(json_parsed(value), append_piece, &buffer, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (dumped != 0) return (struct text){NULL, 0};
    buffer_append_byte(&buffer, '\0');
    return buffer.failed ? (struct text){NULL, 0} : (struct text){buffer.data, buffer.size - 1};
}

/* Two values of one kind that are known to differ somewhere inside. */
struct pair {
    struct pair *next;
    const json_t *a, *b;
    const char *path;
    unsigned level;
};

struct comparison {
    struct faults *faults;
    struct pair *first, *last; /* still to be looked into */
};

static bool look_inside_later(struct comparison *comparison, const json_t *a, const json_t *b, const char *path, unsigned level) {
    if (level == LEVELS_MAX || json_typeof(a) != json_typeof(b)) return false;
    if (json_typeof(a) != JANSSON_OBJECT && json_typeof(a) != JANSSON_ARRAY) return false;
    struct pair *pair = ARENA_NEW(comparison->faults->arena, struct pair);
    if (pair == NULL) return false;
    *pair = (struct pair){.a = a, .b = b, .path = path, .level = level};
    if (comparison->last == NULL) {
        comparison->first = pair;
    } else {
        comparison->last->next = pair;
    }
    comparison->last = pair;
    return true;
}

static bool are_equal(const json_t *a, const json_t *b) { return a != NULL && b != NULL && json_equal(a, b) == 1; }

/* One place in both, of which at least one has something there. */
static void compare_place(struct comparison *comparison, const json_t *a, const json_t *b, struct text path, unsigned level) {
    const char *told = path.data == NULL ? "" : path.data;
    if (a != NULL && b != NULL && look_inside_later(comparison, a, b, told, level)) return;
    const char *detail = a == NULL   ? "is new: it was not there before"
                         : b == NULL ? "is missing: it was there before"
                                     : "is not what it was before";
    faults_add(comparison->faults, told, "differs", "%s", detail);
}

static void compare_objects(struct comparison *comparison, const struct pair *pair) {
    const json_t *sides[] = {pair->a, pair->b};
    for (int side = 0; side < 2; side++) {
        json_t *iterated = (json_t *)(uintptr_t)sides[side]; /* only a change of the object would write */
        for (void *at = json_object_iter(iterated); at != NULL; at = json_object_iter_next(iterated, at)) {
            const char *name = json_object_iter_key(at);
            const json_t *a = json_object_get(pair->a, name), *b = json_object_get(pair->b, name);
            if ((side == 1 && a != NULL) || are_equal(a, b)) continue; /* the second round is for what only b has */
            struct text told = text_cut(text_of(name), JSON_NAME_BYTES);
            struct text path =
                arena_print(comparison->faults->arena, "%s%s%.*s", pair->path, pair->path[0] == '\0' ? "" : ".", (int)told.size, told.data);
            compare_place(comparison, a, b, path, pair->level + 1);
        }
    }
}

static void compare_arrays(struct comparison *comparison, const struct pair *pair) {
    size_t count_a = json_array_size(pair->a), count_b = json_array_size(pair->b);
    for (size_t i = 0; i < count_a || i < count_b; i++) {
        const json_t *a = json_array_get(pair->a, i), *b = json_array_get(pair->b, i); /* NULL behind the end */
        if (are_equal(a, b)) continue;
        compare_place(comparison, a, b, arena_print(comparison->faults->arena, "%s[%zu]", pair->path, i), pair->level + 1);
    }
}

void json_differences(const struct json_value *a, const struct json_value *b, struct faults *faults) {
    struct comparison comparison = {.faults = faults};
    if (a == b || are_equal(json_parsed(a), json_parsed(b))) return;
    compare_place(&comparison, json_parsed(a), json_parsed(b), TEXT(""), 0);
    for (const struct pair *pair = comparison.first; pair != NULL; pair = pair->next) {
        if (json_typeof(pair->a) == JANSSON_OBJECT) {
            compare_objects(&comparison, pair);
        } else {
            compare_arrays(&comparison, pair);
        }
    }
}
