/* The working set of one batch: campaigns (those that are not archived stay between batches, the others are there once the batch has named them), and the redemptions that it names. Whoever loads must
 * bring, for each redemption request, what there is under (campaign, user) and (campaign, phone): what is not in the set then does not exist. Where there may be
 * more than one, they are counted (struct tally), and the one of the same order is brought. */
#pragma once

#include "base/map.h"
#include "discount/core/campaign.h"
#include "discount/core/codes.h"
#include "discount/core/redemption.h"

#define CAMPAIGN_SET_REDEMPTIONS 8192u /* named by one batch, see LIMIT_STORE_BATCH_WEIGHT */
#define REDEMPTION_WEIGHT        2u    /* rows that one redemption request may name; for struct store_operation */

/* How many redemptions a user, or a phone, has in a campaign that gives more than one. */
struct tally {
    uint8_t key[21];
    uint8_t key_size;
    int64_t count;
};

struct campaign_set {
    struct campaign *campaigns;               /* [capacity], in any order, once some have left */
    uint32_t *seats;                          /* [capacity], by number: where among them it is, plus 1; 0: it is not here */
    uint32_t *free_seats;                     /* [capacity] */
    size_t free_count, seat_count;            /* those left; ever taken */
    size_t campaign_count, campaign_capacity; /* with those that are not here */
    struct campaign_changes changes;
    struct redemption *redemptions; /* [redemption_capacity] */
    size_t redemption_count, redemption_capacity;
    struct tally *tallies; /* [2 * redemption_capacity] */
    size_t tally_count;
    struct reversal *reversals; /* [redemption_capacity] */
    size_t reversal_count;
    struct map by_code, by_campaign_id, by_id, by_user, by_phone, by_tally, by_reversal;
    struct code_set *codes; /* the caller's; NULL: there are no unique codes */
};

/* RESULT_FULL: no memory. */
struct result campaign_set_init(struct campaign_set *set, size_t campaign_capacity, size_t redemption_capacity) MUST_CHECK;
void campaign_set_free(struct campaign_set *set);
/* Forgets the redemptions and the marks of what changed: the next batch begins. */
void campaign_set_begin(struct campaign_set *set);
/* Forgets everything, before the campaigns are loaded anew. */
void campaign_set_clear(struct campaign_set *set);
/* Loading, campaigns in the order of their numbers. RESULT_CORRUPT: a number is missing, an id stands there twice, or it breaks a rule
 * of its own (campaign_fault). */
struct result campaign_set_load(struct campaign_set *set, const struct campaign *campaign) MUST_CHECK;
/* In the place of one: there is a campaign of the next number, but it is archived. */
void campaign_set_skip(struct campaign_set *set);
/* One that is not here, anew, and whether it is the one that is found by its code; RESULT_CORRUPT as above. Of one that is here: nothing. */
struct result campaign_set_bring(struct campaign_set *set, const struct campaign *campaign, bool has_code) MUST_CHECK;
/* It is not here any more, but stays counted. Not between campaign_set_begin and the end of its batch. */
void campaign_set_drop(struct campaign_set *set, struct campaign *campaign);
/* Loading a redemption that the batch names; naming it twice is fine. RESULT_FULL; RESULT_CORRUPT: its campaign is not there, has not given out its
 * position, or it breaks a rule of its own (redemption_fault). */
struct result campaign_set_load_redemption(struct campaign_set *set, const struct redemption *redemption) MUST_CHECK;

/* Loading one that stands in the line of a campaign, with all who stand before it. As the one above. */
struct result campaign_set_load_line(struct campaign_set *set, const struct redemption *redemption) MUST_CHECK;

/* Loading how many there are on disk, before any is added; naming it twice is fine. RESULT_FULL. */
struct result campaign_set_load_tally_of_user(struct campaign_set *set, uint32_t campaign_number, struct id user_id,
                                              int64_t count) MUST_CHECK;
struct result campaign_set_load_tally_of_phone(struct campaign_set *set, uint32_t campaign_number, const struct phone *phone,
                                               int64_t count) MUST_CHECK;
/* What was not loaded is 0. */
int64_t campaign_set_tally_of_user(const struct campaign_set *set, uint32_t campaign_number, struct id user_id);
int64_t campaign_set_tally_of_phone(const struct campaign_set *set, uint32_t campaign_number, const struct phone *phone);
/* One more of each. */
void campaign_set_count(struct campaign_set *set, const struct redemption *redemption);
/* One less of each that is known: it was taken back. */
void campaign_set_uncount(struct campaign_set *set, const struct redemption *redemption);

/* ---- reversals: whoever names a redemption in order to reverse it, or because it was, brings what there is ---- */

/* RESULT_FULL; RESULT_CORRUPT: it breaks a rule of its own. Naming it twice is fine. */
struct result campaign_set_load_reversal(struct campaign_set *set, const struct reversal *reversal) MUST_CHECK;
/* In place of what there was. */
struct reversal *campaign_set_put_reversal(struct campaign_set *set, const struct reversal *reversal);
void campaign_set_drop_reversal(struct campaign_set *set, const struct reversal *reversal);
struct reversal *reversal_of(const struct campaign_set *set, struct id redemption_id); /* NULL: there is none, or it was not loaded */

/* The campaign's code becomes this one, which no campaign has that has not ended. */
void campaign_set_recode(struct campaign_set *set, struct campaign *campaign, const struct code *code);
/* The redemption's own id and phone become these; it is found by the id that it had as well. */
void campaign_set_rename(struct campaign_set *set, struct redemption *redemption, struct id id, const struct phone *phone);

/* The newest one with it: that of a campaign that has ended is free again. */
struct campaign *campaign_by_code(const struct campaign_set *set, const struct code *code);
struct campaign *campaign_by_id(const struct campaign_set *set, struct id id);
struct campaign *campaign_by_number(const struct campaign_set *set, uint32_t number); /* NULL: there is none, or it is not here */
struct redemption *redemption_by_id(const struct campaign_set *set, struct id id);    /* also of one that was claimed as it */
/* Living ones; so are the next two. */
struct redemption *redemption_by_user(const struct campaign_set *set, uint32_t campaign_number, struct id user_id);
/* The one with this order, of those that were loaded. */
struct redemption *redemption_by_order(const struct campaign_set *set, uint32_t campaign_number, struct id user_id, struct text reference);
struct redemption *redemption_by_phone(const struct campaign_set *set, uint32_t campaign_number, const struct phone *phone);
