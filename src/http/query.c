#include "http/query.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/money.h"

static const struct query_member *member_named(const struct query_member *members, size_t count, struct text name) {
    for (size_t i = 0; i < count; i++) {
        if (text_equal(text_of(members[i].name), name)) return &members[i];
    }
    return NULL;
}

static bool has_range(const struct query_member *member) { return member->min != 0 || member->max != 0; }

static bool read_text(const struct query_member *member, struct text value, struct faults *faults) {
    if (has_range(member) && (int64_t)value.size < member->min) {
        faults_add(faults, member->name, "too_short", "at least %" PRId64 " bytes", member->min);
        return false;
    }
    if (has_range(member) && (int64_t)value.size > member->max) {
        faults_add(faults, member->name, "too_long", "at most %" PRId64 " bytes", member->max);
        return false;
    }
    *(struct text *)member->target = value;
    return true;
}

static bool read_integer(const struct query_member *member, struct text value, struct faults *faults) {
    bool negative = value.size > 1 && value.data[0] == '-';
    struct text digits = negative ? (struct text){value.data + 1, value.size - 1} : value;
    uint64_t magnitude = 0;
    if (!result_is_ok(text_parse_unsigned(digits, INT64_MAX, &magnitude))) {
        faults_add(faults, member->name, "invalid_format", "a whole number in decimal digits");
        return false;
    }
    int64_t number = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (has_range(member) && (number < member->min || number > member->max)) {
        faults_add(faults, member->name, "out_of_range", "from %" PRId64 " to %" PRId64, member->min, member->max);
        return false;
    }
    *(int64_t *)member->target = number;
    return true;
}

static bool read_time(const struct query_member *member, struct text value, struct faults *faults) {
    int64_t time_us = 0;
    if (!result_is_ok(clock_parse(value, &time_us))) {
        faults_add(faults, member->name, "invalid_format", "a time as in RFC 3339, like 2026-11-22T10:00:00Z");
        return false;
    }
    *(int64_t *)member->target = time_us;
    return true;
}

static bool read_id(const struct query_member *member, struct text value, struct faults *faults) {
    if (!result_is_ok(id_parse(value, (struct id *)member->target))) {
        faults_add(faults, member->name, "invalid_format", "a UUID");
        return false;
    }
    return true;
}

static bool read_choice(const struct query_member *member, struct text value, struct faults *faults) {
    const char *start = member->choices;
    while (true) {
        const char *end = start;
        while (*end != '\0' && *end != '|') end++;
        if (text_equal((struct text){start, (size_t)(end - start)}, value)) {
            *(struct text *)member->target = value;
            return true;
        }
        if (*end == '\0') break;
        start = end + 1;
    }
    faults_add(faults, member->name, "invalid_choice", "one of %s", member->choices);
    return false;
}

static bool read_currency(const struct query_member *member, struct text value, struct faults *faults) {
    if (result_is_ok(currency_parse(value, (enum currency *)member->target))) return true;
    faults_add(faults, member->name, "invalid_choice", "a known currency: %s", currency_known());
    return false;
}

static bool read_value(const struct query_member *member, struct text value, struct faults *faults) {
    switch (member->kind) {
    case QUERY_TEXT: return read_text(member, value, faults);
    case QUERY_INTEGER: return read_integer(member, value, faults);
    case QUERY_TIME: return read_time(member, value, faults);
    case QUERY_ID: return read_id(member, value, faults);
    case QUERY_CHOICE: return read_choice(member, value, faults);
    case QUERY_CURRENCY: return read_currency(member, value, faults);
    }
    return false;
}

static bool is_repeated(const struct exchange *exchange, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (text_equal(exchange->query[i].name, exchange->query[index].name)) return true;
    }
    return false;
}

void query_read(const struct exchange *exchange, const struct query_member *members, size_t count, struct faults *faults) {
    for (size_t i = 0; i < count; i++) {
        if (members[i].present != NULL) *members[i].present = false;
    }
    for (size_t i = 0; i < exchange->query_count; i++) {
        const struct query_value *given = &exchange->query[i];
        const struct query_member *member = member_named(members, count, given->name);
        if (member == NULL) {
            faults_add(faults, given->name.data, "unknown_field", "no such query parameter");
        } else if (is_repeated(exchange, i)) {
            faults_add(faults, member->name, "duplicate_field", "given more than once");
        } else if (read_value(member, given->value, faults) && member->present != NULL) {
            *member->present = true;
        }
    }
    if (exchange->query_dropped > 0) faults_add(faults, "query", "too_many", "at most %d query parameters", EXCHANGE_QUERY_MAX);
}
