#include <string.h>

#include "base/check.h"
#include "base/json_parser.h"

#define PARSE_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)
#define PLACES_MAX  16 /* deeper places are named by their outermost levels */

struct json_document {
    json_t *root;
};

/* One level of nesting on the way to an offset. */
struct place {
    bool is_array;
    bool expects_name;
    size_t index;
    struct text name; /* as written, between its quotes */
};

struct places {
    struct place items[PLACES_MAX];
    size_t depth; /* may be more than PLACES_MAX: those are not kept */
};

static struct place *innermost(struct places *places) {
    return places->depth == 0 || places->depth > PLACES_MAX ? NULL : &places->items[places->depth - 1];
}

/* Behind the closing quote of the string whose opening quote is at `start`. */
static size_t skip_string(struct text json, size_t start) {
    size_t at = start + 1;
    while (at < json.size && json.data[at] != '"') at += json.data[at] == '\\' ? 2 : 1;
    return at < json.size ? at + 1 : json.size;
}

static void open_level(struct places *places, bool is_array) {
    places->depth++;
    struct place *place = innermost(places);
    if (place != NULL) *place = (struct place){.is_array = is_array, .expects_name = !is_array};
}

static void step(struct places *places) {
    struct place *place = innermost(places);
    if (place == NULL) return;
    if (place->is_array) place->index++;
    place->expects_name = !place->is_array;
}

/* The way to the value or name that ends at `end`. The parser has found everything before it well-formed, so a look at quotes, brackets and
 * commas is enough. */
static void find_places(struct text json, size_t end, struct places *places) {
    places->depth = 0;
    for (size_t at = 0; at < end && at < json.size;) {
        char byte = json.data[at];
        if (byte == '"') {
            size_t after = skip_string(json, at);
            struct place *place = innermost(places);
            if (place != NULL && place->expects_name) {
                place->name = (struct text){json.data + at + 1, after - at - 2};
                place->expects_name = false;
            }
            at = after;
            continue;
        }
        if (byte == '{' || byte == '[') open_level(places, byte == '[');
        if ((byte == '}' || byte == ']') && places->depth > 0) places->depth--;
        if (byte == ',') step(places);
        at++;
    }
}

static const char *print_places(struct arena *arena, const struct places *places) {
    struct buffer path;
    buffer_init(&path, arena, 64);
    for (size_t i = 0; i < places->depth && i < PLACES_MAX; i++) {
        const struct place *place = &places->items[i];
        if (place->is_array) {
            buffer_print(&path, "[%zu]", place->index);
        } else {
            if (path.size > 0) buffer_append_byte(&path, '.');
            buffer_append(&path, text_cut(place->name, JSON_NAME_BYTES));
        }
    }
    buffer_append_byte(&path, '\0');
    return path.failed ? "" : path.data;
}

/* A rule of ours is broken, not JSON's grammar: but is the rest JSON? Only then it is an input with a fault. */
static bool is_json_otherwise(struct text text) {
    json_error_t error;
    json_t *root = json_loadb(text.data, text.size, PARSE_FLAGS | JSON_DECODE_INT_AS_REAL, &error);
    if (root == NULL)
        return json_error_code(&error) == json_error_numeric_overflow || json_error_code(&error) == json_error_null_byte_in_key;
    json_decref(root);
    return true;
}

static void explain(struct text text, const json_error_t *error, struct faults *faults) {
    enum json_error_code code = json_error_code(error);
    bool is_ours = code == json_error_duplicate_key || code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
    if (!is_ours || !is_json_otherwise(text)) return;
    struct places places;
    find_places(text, error->position < 0 ? 0 : (size_t)error->position, &places);
    const char *path = print_places(faults->arena, &places);
    if (code == json_error_duplicate_key) {
        faults_add(faults, path, "duplicate_field", "stands more than once in its object");
    } else if (code == json_error_numeric_overflow) {
        faults_add(faults, path, "out_of_range", "is a number too big to be read");
    } else {
        faults_add(faults, path, "invalid_format", "has a name with the character U+0000, which no name may have");
    }
}

struct result json_open(struct arena *arena, struct text text, struct faults *faults, struct json_document **ret_document) {
    *ret_document = NULL;
    struct json_document *document = ARENA_NEW(arena, struct json_document);
    if (document == NULL) return result_error(RESULT_FULL);
    json_error_t error;
    document->root = json_loadb(text.size == 0 ? "" : text.data, text.size, PARSE_FLAGS | JSON_REJECT_DUPLICATES, &error);
    if (document->root == NULL) {
        if (json_error_code(&error) == json_error_out_of_memory) return result_error(RESULT_FULL);
        explain(text, &error, faults);
        return result_error(RESULT_INVALID);
    }
    *ret_document = document;
    return result_ok();
}

void json_close(struct json_document *document) {
    if (document == NULL || document->root == NULL) return;
    json_decref(document->root);
    document->root = NULL;
}

const struct json_value *json_root(const struct json_document *document) {
    CHECK(document != NULL && document->root != NULL);
    return json_opaque(document->root);
}
