#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json/tree.h"

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

static bool read_raw_text(const struct spot *spot, const struct json_value *value, struct text *ret_text) {
    if (value->type != JSON_IS_TEXT) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be a string");
        return false;
    }
    struct text text = {value->text, value->size};
    if (memchr(text.data, '\0', text.size) != NULL) {
        faults_add(spot->faults, field_of(spot), "invalid_format", "must not contain the character U+0000");
        return false;
    }
    *ret_text = text;
    return true;
}

static void read_text(const struct spot *spot, const struct json_value *value) {
    struct text text;
    if (!read_raw_text(spot, value, &text)) return;
    if (has_rule(spot->member)) {
        size_t characters = 0;
        struct result counted = text_count_characters(text, &characters);
        CHECK(result_is_ok(counted)); /* the parser lets nothing but UTF-8 through */
        if (!check_size(spot, characters, "character")) return;
    }
    *(struct text *)spot->member->target = text;
}

static void read_integer(const struct spot *spot, const struct json_value *value) {
    const struct json_member *member = spot->member;
    if (value->type == JSON_IS_REAL) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be an integer: write it as an integer, without fraction or exponent");
        return;
    }
    if (value->type != JSON_IS_INTEGER) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be an integer");
        return;
    }
    int64_t integer = value->integer;
    if (has_rule(member) && (integer < member->min || integer > member->max)) {
        faults_add(spot->faults, field_of(spot), "out_of_range", "must be from %" PRId64 " to %" PRId64, member->min, member->max);
        return;
    }
    *(int64_t *)member->target = integer;
}

static void read_boolean(const struct spot *spot, const struct json_value *value) {
    if (value->type != JSON_IS_TRUE && value->type != JSON_IS_FALSE) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be true or false");
        return;
    }
    *(bool *)spot->member->target = value->type == JSON_IS_TRUE;
}

static void read_object(const struct spot *spot, const struct json_value *value) {
    if (value->type != JSON_IS_OBJECT) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be an object");
        return;
    }
    *(const struct json_value **)spot->member->target = value;
}

static void read_array(const struct spot *spot, const struct json_value *value) {
    if (value->type != JSON_IS_ARRAY) {
        faults_add(spot->faults, field_of(spot), "wrong_type", "must be an array");
        return;
    }
    if (!check_size(spot, value->size, "item")) return;
    *(const struct json_value **)spot->member->target = value;
}

static void read_time(const struct spot *spot, const struct json_value *value) {
    struct text text;
    if (!read_raw_text(spot, value, &text)) return;
    if (result_is_ok(clock_parse(text, spot->member->target))) return;
    faults_add(spot->faults, field_of(spot), "invalid_format", "must be a time as in RFC 3339, like 2026-11-22T10:00:00Z");
}

static void read_id(const struct spot *spot, const struct json_value *value) {
    struct text text;
    if (!read_raw_text(spot, value, &text)) return;
    if (result_is_ok(id_parse(text, spot->member->target))) return;
    faults_add(spot->faults, field_of(spot), "invalid_format", "must be a UUID");
}

static void read_currency(const struct spot *spot, const struct json_value *value) {
    struct text text;
    if (!read_raw_text(spot, value, &text)) return;
    if (result_is_ok(currency_parse(text, spot->member->target))) return;
    faults_add(spot->faults, field_of(spot), "invalid_format", "must be a known currency: %s", currency_known());
}

static void read_value(const struct spot *spot, const struct json_value *value) {
    if (value->type == JSON_IS_BEYOND) return; /* told when the document was opened */
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

/* True when the object has it. Members mostly stand in the order in which they are listed: `guess` is looked at first. */
static bool read_member(const struct json_value *object, size_t guess, const char *prefix, const struct json_member *member,
                        struct faults *faults) {
    const struct json_value *value = guess < object->size && strcmp(object->items[2 * guess].text, member->name) == 0
                                         ? json_member_value(object, guess)
                                         : json_get(object, member->name);
    bool is_absent = value == NULL || (value->type == JSON_IS_NULL && member->nullable);
    if (member->present != NULL) *member->present = false;
    if (is_absent && !member->required) return value != NULL;

    struct spot spot = {.member = member, .prefix = prefix, .faults = faults};
    if (is_absent) {
        faults_add(faults, field_of(&spot), "required", "must be given");
        return value != NULL;
    }
    read_value(&spot, value);
    /* Also when faulty: it was there, and a rule like "a or b must be given" shall not be reported on top. */
    if (member->present != NULL) *member->present = value->type != JSON_IS_NULL;
    return true;
}

static bool is_known(struct text name, const struct json_member *members, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (text_equal(name, text_of(members[i].name))) return true;
    }
    return false;
}

static void report_unknown(const struct json_value *object, const char *prefix, const struct json_member *members, size_t count,
                           struct faults *faults) {
    for (size_t i = 0; i < object->size; i++) {
        struct text name = json_name(object, i);
        if (is_known(name, members, count)) continue;
        if (faults->count == LIMIT_FAULTS) {
            faults->dropped++;
            continue;
        }
        struct text told = text_cut(name, JSON_NAME_BYTES);
        struct text field = arena_print(faults->arena, "%s%.*s", prefix, (int)told.size, told.data);
        faults_add(faults, field.data == NULL ? "" : field.data, "unknown_field", "is not a member of this object");
    }
}

void json_read(const struct json_value *object, const char *prefix, const struct json_member *members, size_t count,
               struct faults *faults) {
    if (object == NULL) return;
    if (object->type != JSON_IS_OBJECT) {
        size_t size = strlen(prefix);
        if (size > 0 && prefix[size - 1] == '.') size--;
        struct text field = arena_copy(faults->arena, (struct text){prefix, size});
        faults_add(faults, field.data == NULL ? "" : field.data, "wrong_type", "must be an object");
        return;
    }
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (read_member(object, found, prefix, &members[i], faults)) found++;
    }
    if (found < object->size) report_unknown(object, prefix, members, count, faults);
}

void json_read_money(const struct json_value *object, const char *prefix, struct faults *faults, struct money *ret_money) {
    const struct json_member members[] = {
        JSON_MONEY_MEMBERS(ret_money),
    };
    json_read(object, prefix, members, ARRAY_COUNT(members), faults);
}
