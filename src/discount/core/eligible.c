#include "discount/core/eligible.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/crypto.h"

static int compare(const void *left, const void *right) {
    const struct eligible *a = left, *b = right;
    int order = memcmp(a->user_id.bytes, b->user_id.bytes, sizeof a->user_id.bytes);
    if (order == 0) order = a->phone.size - b->phone.size;
    return order != 0 ? order : memcmp(a->phone.e164, b->phone.e164, a->phone.size);
}

size_t eligible_make_unique(struct eligible *list, size_t count) {
    size_t kept = 0;
    if (count == 0) return 0;
    qsort(list, count, sizeof *list, compare);
    for (size_t i = 1; i < count; i++) {
        if (compare(&list[kept], &list[i]) != 0) list[++kept] = list[i];
    }
    return kept + 1;
}

struct eligible_counts eligible_count_new(const struct eligible *list, size_t count) {
    struct eligible_counts counts = {0, 0};
    for (size_t i = 0; i < count; i++) {
        CHECK(eligible_fault(&list[i]) == NULL);
        if (list[i].is_listed) continue;
        counts.users += list[i].phone.size == 0;
        counts.phones += list[i].phone.size != 0;
    }
    return counts;
}

int64_t eligible_check(uint32_t campaign_number, const struct eligible *eligible) {
    uint8_t bytes[sizeof campaign_number + sizeof eligible->user_id.bytes + sizeof eligible->phone.e164];
    size_t size = 0;
    for (int shift = 24; shift >= 0; shift -= 8) bytes[size++] = (uint8_t)(campaign_number >> shift);
    memcpy(bytes + size, eligible->user_id.bytes, sizeof eligible->user_id.bytes);
    size += sizeof eligible->user_id.bytes;
    memcpy(bytes + size, eligible->phone.e164, eligible->phone.size);
    size += eligible->phone.size;
    struct hash hash = crypto_hash((struct text){(const char *)bytes, size});
    int64_t check = 1;
    for (size_t i = 0; i < 7; i++) check = check << 8 | hash.bytes[i];
    return check;
}

const char *eligible_fault(const struct eligible *eligible) {
    bool has_phone = eligible->phone.size != 0;
    return has_phone == id_is_zero(eligible->user_id) ? NULL : "it is neither a user nor a phone, or both";
}
