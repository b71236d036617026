#include "http/field.h"

struct text field_trimmed(struct text value) {
    while (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.size--;
    }
    while (value.size > 0 && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t')) value.size--;
    return value;
}

size_t field_token_size(struct text text) {
    static const bool is_word[256] = {
        ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true,         ['&'] = true,         ['\''] = true,
        ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,         ['^'] = true,         ['_'] = true,
        ['`'] = true, ['|'] = true, ['~'] = true, ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
    };
    size_t size = 0;
    while (size < text.size && is_word[(unsigned char)text.data[size]]) size++;
    return size;
}

bool field_is_token(struct text text) { return text.size > 0 && field_token_size(text) == text.size; }
