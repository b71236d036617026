#include "discount/settle/conflicts.h"

#include "base/check.h"

bool conflicts_add(struct conflicts *conflicts, const struct conflict *conflict) {
    CHECK(conflict->campaign_number != 0 && conflicts->count <= CONFLICTS_MAX);
    if (conflicts->count == CONFLICTS_MAX) return false;
    conflicts->items[conflicts->count++] = *conflict;
    return true;
}

void conflicts_forget(struct conflicts *conflicts, uint32_t campaign_number) {
    size_t kept = 0;
    for (size_t i = 0; i < conflicts->count; i++) {
        if (conflicts->items[i].campaign_number != campaign_number) conflicts->items[kept++] = conflicts->items[i];
    }
    conflicts->count = kept;
}

bool conflicts_have(const struct conflicts *conflicts, const struct conflict *asked) {
    for (size_t i = 0; i < conflicts->count; i++) {
        const struct conflict *conflict = &conflicts->items[i];
        if (conflict->campaign_number != asked->campaign_number) continue;
        bool is_phone = conflict->phone.size != 0 && text_equal(phone_text(&conflict->phone), phone_text(&asked->phone));
        if (is_phone || id_equal(conflict->user_id, asked->user_id)) return true;
    }
    return false;
}
