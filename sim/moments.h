/* What a campaign was at the moments since a request was first sent: the committed ones, which the oracle has seen, and those inside of a batch, which
 * nobody has seen but whose causes are known. */
#pragma once

#include "sim/actors.h"
#include "sim/oracle.h"

bool was_so(const struct intent *intent, bool (*is_so)(const struct campaign_moment *moment));
bool is_sold_out(const struct campaign_moment *moment);
bool is_paused(const struct campaign_moment *moment);
bool is_resumed(const struct campaign_moment *moment);
bool is_ended(const struct campaign_moment *moment);
bool is_early(const struct campaign_moment *moment);

/* Or all places were given out, and then one taken back, in one batch; or so many joined the line, and then left it. */
bool was_sold_out_between(const struct intent *intent);

/* Or all places that were funded were given out, and then more funded, in one batch. */
bool was_unfunded(const struct intent *intent);

/* What the operator asked for at about the same time may have held for a moment inside of a batch, which nobody else has seen. */
bool is_under_way(const struct intent *intent, enum intent_kind kind);

bool has_report_moment(const struct intent *intent, int64_t redeemed, int64_t max_redemptions, int64_t credited, int64_t waiting);

/* Whether a limit was once the asked one, and the campaign then, or later, had this limit in this version, which is on disk. A change that waits for
 * its fund is answered with the campaign as it is then, which another change may have made anew. Each version has one limit. */
bool has_patch_moment(const struct intent *intent, int64_t max_redemptions, int64_t version);

/* What may have been asked for of this user's money, held or sent, and was seen by nobody but inside of a batch. */
int64_t other_spending(const struct actor *user);
