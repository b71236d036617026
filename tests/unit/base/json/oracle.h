/* jansson's opinion on a text, against which ours is held: it is strict as well, written by others, and slow. For tests and the fuzzer only. */
#pragma once

/* jansson has JSON_OBJECT, JSON_ARRAY, JSON_INTEGER, json_is_object and json_is_array too. */
#define JSON_OBJECT  JANSSON_OBJECT
#define JSON_ARRAY   JANSSON_ARRAY
#define JSON_INTEGER JANSSON_INTEGER
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_INTEGER
#undef json_is_object
#undef json_is_array

#include <string.h>

#include "base/check.h"
#include "base/json/json.h"

#define ORACLE_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)

static inline bool oracle_all_faults_are(const struct faults *faults, const char *code) {
    for (size_t i = 0; i < faults->count; i++) {
        if (strcmp(faults->items[i].code, code) != 0) return false;
    }
    return true;
}

static inline bool oracle_equals(struct arena *arena, json_t *theirs, const struct json_document *ours) {
    struct text dumped = json_dump(arena, json_root(ours));
    if (dumped.data == NULL) return true; /* no memory to compare */
    json_error_t error;
    json_t *back = json_loadb(dumped.data, dumped.size, ORACLE_FLAGS | JSON_REJECT_DUPLICATES, &error);
    bool is_equal = back != NULL && json_equal(back, theirs) == 1;
    json_decref(back);
    return is_equal;
}

/* jansson stops at the first thing that it dislikes; where that is no fault of grammar, the rest is asked with that rule left out. */
static inline bool oracle_agrees_on_refusal(struct text text, enum json_error_code code, struct result opened,
                                            const struct faults *faults) {
    bool is_fault = opened.code == RESULT_OK && faults_any(faults), is_malformed = opened.code == RESULT_INVALID && !faults_any(faults);
    if (code == json_error_stack_overflow) return is_malformed || opened.code == RESULT_OK; /* it counts levels a little differently */
    bool is_about_names = code == json_error_duplicate_key || code == json_error_null_byte_in_key;
    if (!is_about_names && code != json_error_numeric_overflow) return is_malformed;
    json_error_t error;
    json_t *root = json_loadb(text.data, text.size, ORACLE_FLAGS | JSON_DECODE_INT_AS_REAL, &error);
    enum json_error_code code_otherwise = json_error_code(&error);
    if (root == NULL) { /* more than one thing */
        bool is_grammar = code_otherwise != json_error_numeric_overflow && code_otherwise != json_error_null_byte_in_key &&
                          code_otherwise != json_error_stack_overflow;
        return is_grammar ? is_malformed : is_malformed || is_fault;
    }
    json_decref(root);
    root = json_loadb(text.data, text.size, ORACLE_FLAGS, &error);
    bool has_only_duplicates = root != NULL;
    json_decref(root);
    return is_fault && (!has_only_duplicates || oracle_all_faults_are(faults, "duplicate_field"));
}

/* True when we and jansson think the same of a text, and read the same values. */
static inline bool oracle_agrees(struct text text) {
    struct arena arena;
    struct faults faults;
    struct json_document *document;
    arena_init(&arena, 64u << 20);
    faults_init(&faults, &arena);
    struct result opened = json_open_faulty(&arena, text, &faults, &document, &(size_t){0});
    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) { /* never JSON; but jansson 2.14 overlooks one behind a number */
        json_close(document);
        arena_release(&arena);
        return opened.code == RESULT_INVALID && !faults_any(&faults);
    }
    json_error_t error;
    json_t *theirs = json_loadb(text.size == 0 ? "" : text.data, text.size, ORACLE_FLAGS | JSON_REJECT_DUPLICATES, &error);
    bool agrees = theirs == NULL ? oracle_agrees_on_refusal(text, json_error_code(&error), opened, &faults)
                                 : result_is_ok(opened) && !faults_any(&faults) && oracle_equals(&arena, theirs, document);
    json_decref(theirs);
    json_close(document);
    arena_release(&arena);
    return agrees;
}
