#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json_parser.h"

/* Where a value stands, for its faults. */
struct spot {
    const struct json_member *member;
    const char *prefix;
    struct faults *faults;
};

/* Its full name, made only when there is a fault to tell. */
static const char *field_of(const struct spot *spot) {
    struct text field = arena_print(spot->faults->arena, "%s%s", spot->prefix, spot->member->name);
    return field.data == NULL ? "" : field.data;
}

static bool has_rule(const struct json_member *member) { return member->min != 0 || member->max != 0; }

static const char *plural(int64_t count) { return count == 1 ? "" : "s"; }

static bool check_size(const struct spot *spot, size_t count, const char *unit) {
    const struct json_member *member = spot->member;
    if (!has_rule(member)) return true;
    if ((int64_t)count < member->min) {
        faults_add(spot->faults, field_of(spot), "too_short", "must have at least %" PRId64 " %s%s", member->min, unit,
                   plural(member->min));
        return false;
    }
    if ((int64_t)count > member->max) {
        faults_add(spot->faults, field_of(spot), "too_long", "must have at most %" PRId64 " %s%s", member->max, unit, plural(member->max));
        return false;
    }
    return true;
}

static bool read_raw_text(const struct spot *spot, const json_t *value, struct text *ret_text) {
    if (json_typeof(value) != JSON_STRING) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be a string");
        return false;
    }
    struct text text = {json_string_value(value), json_string_length(value)};
    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) {
        faults_add(spot->faults, field_of(spot), "invalid_format", "must not contain the character U+0000");
        return false;
    }
    *ret_text = text;
    return true;
}

static void read_text(const struct spot *spot, const json_t *value) {
    struct text text;
    if (!read_raw_text(spot, value, &text)) return;
    size_t characters = 0;
    struct result counted = text_count_characters(text, &characters);
    CHECK(result_is_ok(counted)); /* the parser lets nothing but UTF-8 through */
    if (!check_size(spot, characters, "character")) return;
    *(struct text *)spot->member->target = text;
}

static void read_integer(const struct spot *spot, const json_t *value) {
    const struct json_member *member = spot->member;
    if (json_typeof(value) == JSON_REAL) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be an integer: write it as an integer, without fraction or exponent");
        return;
    }
    if (json_typeof(value) != JANSSON_INTEGER) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be an integer");
        return;
    }
    int64_t integer = json_integer_value(value);
    if (has_rule(member) && (integer < member->min || integer > member->max)) {
        faults_add(spot->faults, field_of(spot), "out_of_range", "must be from %" PRId64 " to %" PRId64, member->min, member->max);
        return;
    }
    *(int64_t *)member->target = integer;
}

static void read_boolean(const struct spot *spot, const json_t *value) {
    if (!json_is_boolean(value)) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be true or false");
        return;
    }
    *(bool *)spot->member->target = json_is_true(value);
}

static void read_object(const struct spot *spot, const json_t *value) {
    if (json_typeof(value) != JANSSON_OBJECT) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be an object");
        return;
    }
    *(const struct json_value **)spot->member->target = json_opaque(value);
}

static void read_array(const struct spot *spot, const json_t *value) {
    if (json_typeof(value) != JANSSON_ARRAY) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be an array");
        return;
    }
    if (!check_size(spot, json_array_size(value), "item")) return;
    *(const struct json_value **)spot->member->target = json_opaque(value);
}

static void read_time(const struct spot *spot, const json_t *value) {
    struct text text;
    if (!read_raw_text(spot, value, &text)) return;
    if (result_is_ok(clock_parse(text, spot->member->target))) return;
    faults_add(spot->faults, field_of(spot), "invalid_format", "must be a time as in RFC 3339, like 2026-11-22T10:00:00Z");
}

static void read_id(const struct spot *spot, const json_t *value) {
    struct text text;
    if (!read_raw_text(spot, value, &text)) return;
    if (result_is_ok(id_parse(text, spot->member->target))) return;
    faults_add(spot->faults, field_of(spot), "invalid_format", "must be a UUID");
}

static void read_currency(const struct spot *spot, const json_t *value) {
    struct text text;
    if (!read_raw_text(spot, value, &text)) return;
    if (result_is_ok(currency_parse(text, spot->member->target))) return;
    faults_add(spot->faults, field_of(spot), "invalid_format", "must be a known currency: IRT or IRR");
}

static void read_value(const struct spot *spot, const json_t *value) {
    switch (spot->member->kind) {
    case JSON_TEXT: read_text(spot, value); return;
    case JSON_INTEGER: read_integer(spot, value); return;
    case JSON_BOOLEAN: read_boolean(spot, value); return;
    case JSON_OBJECT: read_object(spot, value); return;
    case JSON_ARRAY: read_array(spot, value); return;
    case JSON_TIME: read_time(spot, value); return;
    case JSON_ID: read_id(spot, value); return;
    case JSON_CURRENCY: read_currency(spot, value); return;
    }
    CHECK(false);
}

static void read_member(const json_t *object, const char *prefix, const struct json_member *member, struct faults *faults) {
    const json_t *value = json_object_get(object, member->name);
    bool is_absent = value == NULL || (json_typeof(value) == JSON_NULL && member->nullable);
    if (member->present != NULL) *member->present = false;
    if (is_absent && !member->required) return;

    struct spot spot = {.member = member, .prefix = prefix, .faults = faults};
    if (is_absent) {
        faults_add(faults, field_of(&spot), "required", "must be given");
        return;
    }
    read_value(&spot, value);
    /* Also when faulty: it was there, and a rule like "a or b must be given" shall not be reported on top. */
    if (member->present != NULL) *member->present = json_typeof(value) != JSON_NULL;
}

static bool is_known(const char *name, size_t size, const struct json_member *members, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strlen(members[i].name) == size && memcmp(members[i].name, name, size) == 0) return true;
    }
    return false;
}

static void report_unknown(const json_t *object, const char *prefix, const struct json_member *members, size_t count,
                           struct faults *faults) {
    /* jansson's iterators take a pointer to non-const, but only a change of the object would write. */
    json_t *iterated = (json_t *)(uintptr_t)object;
    for (void *at = json_object_iter(iterated); at != NULL; at = json_object_iter_next(iterated, at)) {
        const char *name = json_object_iter_key(at);
        size_t size = json_object_iter_key_len(at);
        if (is_known(name, size, members, count)) continue;
        if (faults->count == LIMIT_FAULTS) {
            faults->dropped++;
            continue;
        }
        struct text told = text_cut((struct text){name, size}, JSON_NAME_BYTES);
        struct text field = arena_print(faults->arena, "%s%.*s", prefix, (int)told.size, told.data);
        faults_add(faults, field.data == NULL ? "" : field.data, "unknown_field", "is not a member of this object");
    }
}

void json_read(const struct json_value *object, const char *prefix, const struct json_member *members, size_t count,
               struct faults *faults) {
    if (object == NULL) return;
    const json_t *parsed = json_parsed(object);
    if (json_typeof(parsed) != JANSSON_OBJECT) {
        size_t size = strlen(prefix);
        if (size > 0 && prefix[size - 1] == '.') size--;
        struct text field = arena_copy(faults->arena, (struct text){prefix, size});
        faults_add(faults, field.data == NULL ? "" : field.data, "wrong_type", "must be an object");
        return;
    }
    for (size_t i = 0; i < count; i++) read_member(parsed, prefix, &members[i], faults);
    report_unknown(parsed, prefix, members, count, faults);
}

void json_read_money(const struct json_value *object, const char *prefix, struct faults *faults, struct money *ret_money) {
    const struct json_member members[] = {
        {.name = "amount", .kind = JSON_INTEGER, .target = &ret_money->amount_minor, .required = true, .min = 1, .max = MONEY_AMOUNT_MAX},
        {.name = "currency", .kind = JSON_CURRENCY, .target = &ret_money->currency, .required = true},
    };
    json_read(object, prefix, members, ARRAY_COUNT(members), faults);
}
