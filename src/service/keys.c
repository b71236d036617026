#include "service/keys.h"

#include <stdio.h>

#include "auth/keys.h"
#include "base/log.h"

static void free_ring(struct key_ring **ring) { key_ring_free(*ring); }

#define FREED_AT_END __attribute__((cleanup(free_ring)))

struct result keys_load(const char *program, const char *folder, struct key_ring **ret_ring) {
    struct result loaded = key_ring_load(folder, ret_ring);
    if (!result_is_ok(loaded)) fprintf(service_errors(), "%s: the keys in %s can't be read: %s\n", program, folder, result_name(loaded));
    return loaded;
}

static void print_what_is_left(const char *program) {
    printf("A running %s goes on with the keys it has until it is told: systemctl kill --signal=HUP %s (or kill -HUP its process, or "
           "restart it).\n",
           program, program);
}

int keys_print(const char *program, const char *folder) {
    FREED_AT_END struct key_ring *ring = NULL;
    if (!result_is_ok(keys_load(program, folder, &ring))) return 1;
    struct text jwks = key_ring_jwks(ring);
    printf("%.*s\n", (int)jwks.size, jwks.data);
    return 0;
}

int keys_list(const char *program, const char *folder) {
    FREED_AT_END struct key_ring *ring = NULL;
    struct key_description keys[LIMIT_KEYS];
    if (!result_is_ok(keys_load(program, folder, &ring))) return 1;
    size_t count = key_ring_describe(ring, keys);
    for (size_t i = 0; i < count; i++) {
        char time[CLOCK_TEXT_BYTES];
        clock_format(keys[i].created_at_us, time);
        printf("%.*s  %s  %.*s  %s\n", (int)keys[i].id.size, keys[i].id.data, key_algorithm_name(keys[i].algorithm), (int)sizeof time, time,
               i == 0 ? "signs" : "published");
    }
    return 0;
}

int keys_rotate(const char *program, const char *folder) {
    FREED_AT_END struct key_ring *ring = NULL, *ring_after = NULL;
    struct key_description before[LIMIT_KEYS], after[LIMIT_KEYS];
    if (!result_is_ok(keys_load(program, folder, &ring))) return 1;
    if (key_ring_describe(ring, before) == LIMIT_KEYS) {
        fprintf(stderr, "%s: there are %u keys already: retire old ones first\n", program, LIMIT_KEYS);
        return 1;
    }
    struct result made = key_generate(folder, before[0].algorithm, clock_now_us(&clock_system));
    if (result_is_ok(made)) made = key_ring_load(folder, &ring_after);
    if (!result_is_ok(made)) {
        fprintf(stderr, "%s: no key could be made in %s: %s\n", program, folder, result_name(made));
        return 1;
    }
    (void)key_ring_describe(ring_after, after);
    printf("%.*s signs from now on; %.*s stays published for its last tokens, until it is retired.\n", (int)after[0].id.size,
           after[0].id.data, (int)before[0].id.size, before[0].id.data);
    print_what_is_left(program);
    return 0;
}

/* The newest signs until it is gone, an older one stopped when the next newer one came. */
static void print_last_tokens(const struct key_description *keys, size_t at, int64_t lifetime_us) {
    char time[CLOCK_TEXT_BYTES];
    int64_t now_us = clock_now_us(&clock_system);
    int64_t until_us = (at == 0 ? now_us : keys[at - 1].created_at_us) + lifetime_us;
    if (until_us <= now_us) return;
    clock_format(until_us, time);
    printf("Tokens that it has signed may be in use until %.*s: whoever has one must log in again.\n", (int)sizeof time, time);
}

int keys_retire(const char *program, const char *folder, const char *kid, int64_t lifetime_us) {
    FREED_AT_END struct key_ring *ring = NULL;
    struct key_description keys[LIMIT_KEYS];
    if (!result_is_ok(keys_load(program, folder, &ring))) return 1;
    size_t count = key_ring_describe(ring, keys), at = 0;
    while (at < count && !text_equal(keys[at].id, text_of(kid))) at++;
    if (at == count) {
        fprintf(stderr, "%s: no key is called %s\n", program, kid);
        return 1;
    }
    if (count == 1) {
        fprintf(stderr, "%s: %s is the only key: rotate first, or nothing could be signed\n", program, kid);
        return 1;
    }
    struct result removed = key_remove(folder, keys[at].id);
    if (!result_is_ok(removed)) {
        fprintf(stderr, "%s: %s could not be removed: %s\n", program, kid, result_name(removed));
        return 1;
    }
    printf("%s is retired: it is published and trusted no more.\n", kid);
    print_last_tokens(keys, at, lifetime_us);
    print_what_is_left(program);
    return 0;
}

void keys_reload(struct service *service, struct trust *trust, const char *folder) {
    struct text before = key_ring_jwks(service->keys);
    struct key_ring *loaded = NULL;
    struct result reloaded = key_ring_load(folder, &loaded);
    /* First: a new key is trusted before it signs, and an old one no more before anybody is told so. */
    if (result_is_ok(reloaded)) reloaded = trust_take_ring(trust, loaded);
    if (!result_is_ok(reloaded)) {
        LOG(LOG_ERROR, "keys_not_reloaded", LOG_STRING("folder", folder), LOG_STRING("reason", result_name(reloaded)));
        key_ring_free(loaded);
        return;
    }
    key_ring_replace(service->keys, loaded);
    struct key_description keys[LIMIT_KEYS];
    size_t count = key_ring_describe(service->keys, keys);
    LOG(LOG_INFO, "keys_reloaded", LOG_INTEGER("count", count), LOG_TEXT("signs", keys[0].id));
    audit_keys_changed(service, before);
}
