#include "discount/reader.h"

#include <stdlib.h>

#include "discount/tables.h"
#include "store/open.h"

struct reader {
    struct batch *batch;
};

struct result reader_open(const struct place *place, struct reader **ret_reader) {
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return result_error(RESULT_FULL);
    struct place alone = *place;
    alone.commits = NULL;
    struct result outcome = batch_open(&alone, BATCH_READ, &reader->batch);
    if (!result_is_ok(outcome)) {
        free(reader);
        return outcome;
    }
    *ret_reader = reader;
    return result_ok();
}

void reader_close(struct reader *reader) {
    if (reader == NULL) return;
    batch_close(reader->batch);
    free(reader);
}

/* ---- one ---- */

struct result reader_find_campaign(struct reader *reader, struct id id, struct campaign *ret_campaign, bool *ret_found) {
    struct found_campaign found = {0};
    ask_campaign(reader->batch, id, campaign_found, &found);
    TRY(batch_run(reader->batch));
    *ret_campaign = found.campaign;
    *ret_found = found.is_found;
    return result_ok();
}

struct result reader_find_redemption(struct reader *reader, struct id id, struct redemption *ret_redemption, bool *ret_found) {
    struct found_redemption found = {0};
    ask_redemption(reader->batch, id, redemption_found, &found);
    TRY(batch_run(reader->batch));
    *ret_redemption = found.redemption;
    *ret_found = found.is_found;
    return result_ok();
}

/* ---- many ---- */

struct campaign_listing {
    reader_campaign_visitor *visit;
    void *context;
};

static struct result list_campaign(void *context, const struct row *row) {
    const struct campaign_listing *listing = context;
    struct campaign campaign;
    campaign_of_row(row, &campaign);
    return listing->visit(listing->context, &campaign);
}

struct result reader_list_campaigns(struct reader *reader, int64_t before, int64_t limit, reader_campaign_visitor *visit, void *context) {
    struct campaign_listing listing = {visit, context};
    ask_campaigns_before(reader->batch, before == 0 ? INT64_MAX : before, limit, list_campaign, &listing);
    return batch_run(reader->batch);
}

struct redemption_listing {
    reader_redemption_visitor *visit;
    void *context;
    size_t count;
};

static struct result list_redemption(void *context, const struct row *row) {
    struct redemption_listing *listing = context;
    struct redemption redemption;
    redemption_of_row(row, 0, &redemption);
    listing->count++;
    return listing->visit(listing->context, &redemption);
}

struct result reader_list_winners(struct reader *reader, uint32_t number, int64_t after, int64_t limit, reader_redemption_visitor *visit,
                                  void *context) {
    struct redemption_listing listing = {.visit = visit, .context = context};
    ask_redemptions(reader->batch, redemption_key(number, after), redemption_key(number + 1, 0), limit, list_redemption, &listing);
    return batch_run(reader->batch);
}

struct result reader_list_unsettled(struct reader *reader, int64_t after, int64_t limit, reader_redemption_visitor *visit, void *context,
                                    size_t *ret_count) {
    struct redemption_listing listing = {.visit = visit, .context = context};
    ask_unsettled(reader->batch, after, limit, list_redemption, &listing);
    struct result outcome = batch_run(reader->batch);
    *ret_count = listing.count;
    return outcome;
}
