#include "http/media.h"

#include "http/field.h"

/* Cuts the part before the next separator that stands outside of quotes; false when nothing is left. */
static bool next_part(struct text *rest, char separator, struct text *ret_part) {
    if (rest->data == NULL) return false;
    bool quoted = false;
    size_t end = 0;
    for (; end < rest->size; end++) {
        char byte = rest->data[end];
        if (quoted && byte == '\\' && end + 1 < rest->size) {
            end++;
        } else if (byte == '"') {
            quoted = !quoted;
        } else if (byte == separator && !quoted) {
            break;
        }
    }
    *ret_part = field_trimmed((struct text){rest->data, end});
    *rest = end < rest->size ? (struct text){rest->data + end + 1, rest->size - end - 1} : (struct text){NULL, 0};
    return true;
}

static bool split_parameter(struct text parameter, struct text *ret_name, struct text *ret_value) {
    for (size_t i = 0; i < parameter.size; i++) {
        if (parameter.data[i] != '=') continue;
        *ret_name = field_trimmed((struct text){parameter.data, i});
        *ret_value = field_trimmed((struct text){parameter.data + i + 1, parameter.size - i - 1});
        return true;
    }
    return false;
}

/* qvalue = 0[.ddd] or 1[.000] (RFC 9110, section 12.4.2); -1 when ill-formed. */
static int quality_of(struct text value) {
    if (value.size == 0 || value.size > 5 || (value.data[0] != '0' && value.data[0] != '1')) return -1;
    if (value.size > 1 && value.data[1] != '.') return -1;
    int quality = (value.data[0] - '0') * MEDIA_QUALITY_MAX;
    int weight = 100;
    for (size_t i = 2; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') return -1;
        quality += (value.data[i] - '0') * weight;
        weight /= 10;
    }
    return quality > MEDIA_QUALITY_MAX ? -1 : quality;
}

/* 3: the type itself, 2: its main type, 1: any, 0: no match. */
static int specificity(struct text range, struct text type) {
    if (text_equal(range, TEXT("*/*"))) return 1;
    if (text_equal_ignoring_case(range, type)) return 3;
    if (range.size < 3 || range.data[range.size - 1] != '*' || range.data[range.size - 2] != '/') return 0;
    size_t main_size = range.size - 1;
    if (type.size < main_size) return 0;
    return text_equal_ignoring_case((struct text){range.data, main_size}, (struct text){type.data, main_size}) ? 2 : 0;
}

int media_quality(struct text accept, struct text type) {
    if (accept.size == 0) return MEDIA_QUALITY_MAX;
    int best_specificity = 0;
    int best_quality = 0;
    struct text element;
    while (next_part(&accept, ',', &element)) {
        struct text range;
        if (!next_part(&element, ';', &range)) continue;
        int quality = MEDIA_QUALITY_MAX;
        struct text parameter;
        struct text name;
        struct text value;
        while (next_part(&element, ';', &parameter)) {
            if (split_parameter(parameter, &name, &value) && text_equal_ignoring_case(name, TEXT("q"))) quality = quality_of(value);
        }
        int specific = specificity(range, type);
        if (quality < 0 || specific <= best_specificity) continue;
        best_specificity = specific;
        best_quality = quality;
    }
    return best_quality;
}

/* The type itself, and no charset but utf-8. */
static bool is_type(struct text content_type, struct text type) {
    struct text part;
    if (!next_part(&content_type, ';', &part) || !text_equal_ignoring_case(part, type)) return false;
    while (next_part(&content_type, ';', &part)) {
        struct text name;
        struct text value;
        if (!split_parameter(part, &name, &value) || !text_equal_ignoring_case(name, TEXT("charset"))) continue;
        if (!text_equal_ignoring_case(value, TEXT("utf-8")) && !text_equal_ignoring_case(value, TEXT("\"utf-8\""))) return false;
    }
    return true;
}

bool media_is_json(struct text content_type) {
    if (text_equal(content_type, TEXT("application/json"))) return true; /* as nearly everybody writes it */
    return is_type(content_type, TEXT("application/json"));
}

bool media_is_csv(struct text content_type) { return is_type(content_type, TEXT("text/csv")); }
