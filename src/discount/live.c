#include "discount/live.h"

#include <inttypes.h>

#include "base/check.h"
#include "discount/discount.h"

static const struct kind {
    const char *name, *help;
    size_t offset; /* in the view */
} kinds[] = {
    {"discountd_campaign_places", "Places of a campaign that has not ended.", offsetof(struct campaign_view, max_redemptions)},
    {"discountd_campaign_redeemed", "Places that are taken of it.", offsetof(struct campaign_view, taken)},
    {"discountd_campaign_credited", "Places that are paid of it.", offsetof(struct campaign_view, credited)},
    {"discountd_campaign_waiting", "Those who wait for a place of it.", offsetof(struct campaign_view, waiting)},
};

static void write_sample(struct buffer *buffer, const struct kind *kind, const struct board_slot *slot, const struct campaign_view *view) {
    char id[ID_TEXT_BYTES];
    id_format(slot->id, id);
    int64_t value = *(const int64_t *)((const char *)view + kind->offset);
    buffer_print(buffer, "%s{campaign=\"%.*s\"} %" PRId64 "\n", kind->name, (int)sizeof id, id, value);
}

/* The place is the kind, and behind it the slot. All samples of one name stand together, as the format demands; a campaign that comes meanwhile is the last of
 * its kind. */
bool live_measure(const struct service *service, struct buffer *buffer, uint64_t *place) {
    const struct board *board = ((const struct discount *)service)->board;
    int64_t now_us = clock_now_us(service->clock);
    size_t kind = (size_t)(*place >> 32), index = (size_t)(*place & UINT32_MAX);
    if (kind == ARRAY_COUNT(kinds)) return false;
    if (index == 0) buffer_print(buffer, "# HELP %s %s\n# TYPE %s gauge\n", kinds[kind].name, kinds[kind].help, kinds[kind].name);
    for (size_t count = board_count(board); (index = board_next(board, index)) < count; index++) {
        const struct board_slot *slot = board_slot(board, index);
        struct campaign_view view = board_view(slot);
        if (campaign_gate(view_times(&view), now_us) == GATE_ENDED) continue;
        write_sample(buffer, &kinds[kind], slot, &view);
        *place = (uint64_t)kind << 32 | (index + 1);
        return true;
    }
    *place = (uint64_t)(kind + 1) << 32;
    return true;
}
