#include "http/share.h"

#include <stdlib.h>

#include "base/check.h"

static struct text key_of(const struct address *address) { return (struct text){(const char *)address->bytes, sizeof address->bytes}; }

struct result share_init(struct share *share, size_t capacity) {
    *share = (struct share){.capacity = capacity};
    TRY(map_init(&share->holders, capacity));
    share->by_count = calloc(capacity + 1, sizeof(*share->by_count));
    return share->by_count != NULL ? result_ok() : result_error(RESULT_FULL);
}

void share_free(struct share *share) {
    for (size_t count = share->most; share->by_count != NULL && count > 0; count--) {
        while (share->by_count[count] != NULL) {
            struct holder *holder = share->by_count[count];
            share->by_count[count] = holder->next;
            free(holder);
        }
    }
    if (share->holders.slots != NULL) map_free(&share->holders);
    free(share->by_count);
    *share = (struct share){0};
}

static void unlink_holder(struct share *share, struct holder *holder) {
    *(holder->previous != NULL ? &holder->previous->next : &share->by_count[holder->count]) = holder->next;
    if (holder->next != NULL) holder->next->previous = holder->previous;
}

static void link_holder(struct share *share, struct holder *holder) {
    struct holder **first = &share->by_count[holder->count];
    holder->previous = NULL;
    holder->next = *first;
    if (*first != NULL) (*first)->previous = holder;
    *first = holder;
}

struct holder *share_take(struct share *share, const struct address *peer) {
    struct address address = address_prefix(peer, 32, 64);
    struct holder *holder = map_get(&share->holders, key_of(&address));
    if (holder == NULL) {
        holder = calloc(1, sizeof(*holder));
        if (holder == NULL) return NULL;
        holder->address = address;
        if (!result_is_ok(map_put(&share->holders, key_of(&holder->address), holder))) {
            free(holder);
            return NULL;
        }
    } else {
        unlink_holder(share, holder);
    }
    CHECK(holder->count < share->capacity);
    holder->count++;
    link_holder(share, holder);
    if (holder->count > share->most) share->most = holder->count;
    return holder;
}

void share_give(struct share *share, struct holder *holder) {
    CHECK(holder->count > 0);
    unlink_holder(share, holder);
    holder->count--;
    if (holder->count > 0) {
        link_holder(share, holder);
    } else {
        CHECK(map_remove(&share->holders, key_of(&holder->address)) == holder);
        free(holder);
    }
    while (share->most > 0 && share->by_count[share->most] == NULL) share->most--; /* a step at most, but for its last one */
}

size_t share_count(const struct share *share, const struct address *peer) {
    struct address address = address_prefix(peer, 32, 64);
    const struct holder *holder = map_get(&share->holders, key_of(&address));
    return holder == NULL ? 0 : holder->count;
}
