#include "wallet/reference.h"

#include <stdio.h>

#define FIELD_BYTES  64
#define ADMIN_PREFIX "admin:" /* no service has a colon in its name */

static bool is_fund_byte(char byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' ||
           byte == ':' || byte == '-';
}

static bool has_valid_bytes(struct text reference, enum reference_kind kind) {
    if (!text_is_printable_ascii(reference)) return false;
    for (size_t i = 0; kind == REFERENCE_FUND && i < reference.size; i++) {
        if (!is_fund_byte(reference.data[i])) return false;
    }
    return true;
}

bool reference_is_valid(struct text reference, enum reference_kind kind) {
    return reference.size >= 1 && reference.size <= LIMIT_REFERENCE_BYTES && has_valid_bytes(reference, kind);
}

void reference_check(struct text reference, enum reference_kind kind, const char *prefix, const char *name, struct faults *faults) {
    char field[FIELD_BYTES];
    snprintf(field, sizeof field, "%s%s", prefix, name);
    if (reference.size == 0) {
        faults_add(faults, field, "too_short", "must be 1 to %u characters", LIMIT_REFERENCE_BYTES);
    } else if (reference.size > LIMIT_REFERENCE_BYTES) {
        faults_add(faults, field, "too_long", "must be 1 to %u characters", LIMIT_REFERENCE_BYTES);
    } else if (!has_valid_bytes(reference, kind)) {
        const char *rule = kind == REFERENCE_FUND ? "must be of the characters A-Z a-z 0-9 . _ : -" : "must be printable ASCII";
        faults_add(faults, field, "invalid_format", "%s", rule);
    }
}

struct text reference_caller(struct exchange *exchange) {
    char id[ID_TEXT_BYTES];
    if (exchange->caller.kind == IDENTITY_SERVICE) return (struct text){exchange->caller.name, exchange->caller.name_size};
    id_format(exchange->caller.user_id, id);
    return arena_print(&exchange->arena, ADMIN_PREFIX "%.*s", (int)sizeof id, id);
}
