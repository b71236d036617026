#include "service/readiness.h"

#include <string.h>

#include "base/check.h"

static const char *const parts[CONCERN_COUNT] = {
    [CONCERN_KEYS] = "keys",   [CONCERN_WALLET_INSTANCE] = "wallet", [CONCERN_WALLET_REACH] = "wallet",
    [CONCERN_AUDIT] = "audit", [CONCERN_SELF_AUDIT] = "audit",       [CONCERN_CODES] = "codes"};

static bool is_fine(const char *state) { return strcmp(state, "ok") == 0; }

bool readiness_say(struct readiness *readiness, enum concern concern, const char *state) {
    CHECK(concern < CONCERN_COUNT && state != NULL);
    const char *before = atomic_exchange_explicit(&readiness->states[concern], state, memory_order_acq_rel);
    return before == NULL || strcmp(before, state) != 0;
}

const char *readiness_state(const struct readiness *readiness, const struct store *store, const char *part) {
    if (strcmp(part, "store") == 0) return store_state(store);
    const char *shown = NULL;
    for (size_t i = 0; i < CONCERN_COUNT; i++) {
        const char *state = strcmp(parts[i], part) == 0 ? atomic_load_explicit(&readiness->states[i], memory_order_acquire) : NULL;
        if (state != NULL && (shown == NULL || is_fine(shown))) shown = state;
    }
    return shown;
}

void readiness_write(const struct readiness *readiness, const struct store *store, struct json_writer *writer) {
    static const char *const shown[] = {"store", "keys", "wallet", "audit", "codes"};
    for (size_t i = 0; i < ARRAY_COUNT(shown); i++) {
        const char *state = readiness_state(readiness, store, shown[i]);
        if (state != NULL) json_text_member(writer, shown[i], text_of(state));
    }
}
