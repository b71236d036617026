#include "base/identity.h"

#include "base/check.h"

/* As tokens carry them (RFC 6749, section 3.3). SCOPE_PUBLIC is not among them: it is a route's property and nobody is granted it. */
static const struct {
    enum scope scope;
    const char *name;
} scopes[] = {
    {SCOPE_USER, "user"},
    {SCOPE_ADMIN, "admin"},
    {SCOPE_CREDITS_WRITE, "credits:write"},
    {SCOPE_FUNDS_WRITE, "funds:write"},
    {SCOPE_CREDITS_ISSUE, "credits:issue"},
    {SCOPE_HOLDS_WRITE, "holds:write"},
    {SCOPE_PAYMENTS_WRITE, "payments:write"},
    {SCOPE_REVERSALS_WRITE, "reversals:write"},
    {SCOPE_USERS_WRITE, "users:write"},
};

const char *scope_name(enum scope scope) {
    for (size_t i = 0; i < ARRAY_COUNT(scopes); i++) {
        if (scopes[i].scope == scope) return scopes[i].name;
    }
    switch ((unsigned)scope) { /* of routes alone */
    case SCOPE_PUBLIC: return "public";
    case SCOPE_SERVICE: return "service";
    case SCOPE_ANY: return "any";
    default: return "none";
    }
}

static uint32_t parse_one(struct text name) {
    for (size_t i = 0; i < ARRAY_COUNT(scopes); i++) {
        if (text_equal(name, text_of(scopes[i].name))) return (uint32_t)scopes[i].scope;
    }
    return 0;
}

uint32_t scopes_parse(struct text names) {
    uint32_t granted = 0;
    for (size_t start = 0; start < names.size;) {
        size_t end = start;
        while (end < names.size && names.data[end] != ' ') end++;
        granted |= parse_one((struct text){names.data + start, end - start});
        start = end + 1;
    }
    return granted;
}

bool session_is_cut_off(struct id session_id, struct id cutoff, struct id kept) {
    return id_compare(session_id, cutoff) < 0 && !id_equal(session_id, kept);
}
