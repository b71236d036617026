/* What the settler and reconcile read: each reader is one read-only connection, for one thread. It sees every commit that was published before the
 * call. Each row goes to a visitor as it comes; a visitor's error ends the reading and is returned. */
#pragma once

#include "discount/core/campaign.h"
#include "discount/core/redemption.h"
#include "store/batch.h"

struct reader;

/* Each reading has a state of its own: the place's commits are not followed. */
struct result reader_open(const struct place *place, struct reader **ret_reader) MUST_CHECK;
void reader_close(struct reader *reader);

struct result reader_find_campaign(struct reader *reader, struct id id, struct campaign *ret_campaign, bool *ret_found) MUST_CHECK;
struct result reader_find_redemption(struct reader *reader, struct id id, struct redemption *ret_redemption, bool *ret_found) MUST_CHECK;
typedef struct result reader_campaign_visitor(void *context, const struct campaign *campaign);
typedef struct result reader_redemption_visitor(void *context, const struct redemption *redemption);
/* Newest first, numbers below `before` (0: all). */
struct result reader_list_campaigns(struct reader *reader, int64_t before, int64_t limit, reader_campaign_visitor *visit,
                                    void *context) MUST_CHECK;
/* By position, those above `after`. */
struct result reader_list_winners(struct reader *reader, uint32_t number, int64_t after, int64_t limit, reader_redemption_visitor *visit,
                                  void *context) MUST_CHECK;
/* What the settler owes, by key, those above `after`; *ret_count of them. */
struct result reader_list_unsettled(struct reader *reader, int64_t after, int64_t limit, reader_redemption_visitor *visit, void *context,
                                    size_t *ret_count) MUST_CHECK;
