#include "service/readiness.h"

#include <string.h>

#include "base/check.h"

static const char *const parts[CONCERN_COUNT] = {
    [CONCERN_KEYS] = "keys", [CONCERN_WALLET_INSTANCE] = "wallet", [CONCERN_WALLET_REACH] = "wallet", [CONCERN_AUDIT] = "audit"};

static bool is_fine(const char *state) { return strcmp(state, "ok") == 0; }

bool readiness_say(struct readiness *readiness, enum concern concern, const char *state) {
    CHECK(concern < CONCERN_COUNT && state != NULL);
    const char *before = atomic_exchange_explicit(&readiness->states[concern], state, memory_order_acq_rel);
    return before == NULL || strcmp(before, state) != 0;
}

void readiness_write(const struct readiness *readiness, const struct store *store, struct json_writer *writer) {
    json_text_member(writer, "store", text_of(store_state(store)));
    for (size_t i = 0; i < CONCERN_COUNT;) {
        const char *shown = NULL, *part = parts[i];
        for (; i < CONCERN_COUNT && strcmp(parts[i], part) == 0; i++) {
            const char *state = atomic_load_explicit(&readiness->states[i], memory_order_acquire);
            if (state != NULL && (shown == NULL || is_fine(shown))) shown = state;
        }
        if (shown != NULL) json_text_member(writer, part, text_of(shown));
    }
}
