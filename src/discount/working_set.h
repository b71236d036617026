/* What the store's thread works on, behind the engine shell (service/engine.h): the campaigns that are not archived, which stay between batches, as this is the only
 * writer, and are loaded anew after a rollback; those that are, once a batch has named them; the redemptions that a batch names; and what is on disk of the counters. */
#pragma once

#include "base/zone.h"
#include "discount/board.h"
#include "discount/code_board.h"
#include "discount/core/redeem.h"
#include "discount/core/reversal.h"
#include "discount/tables_eligible.h"
#include "service/engine.h"

/* What is on disk of a campaign's counters. */
struct saved_counts {
    struct campaign_counts committed;
    int64_t newest_second;
    int64_t batch_second; /* in which this batch's claims and credits are counted; 0: it has none */
    bool is_wanted;       /* of one that is archived: to be recalled */
};

/* Claims that were committed and not settled since: the mark of one needs no look into the database. Those that find no room are read there. */
struct recent_claim {
    struct redemption redemption;
    struct recent_claim *next_free;
};

struct code_addition; /* working_codes.h */

struct working_set {
    struct campaign_set campaigns;
    struct batch *batch;
    struct board *board;
    struct code_set codes;                    /* unique codes, and */
    struct code_board *code_board;            /* what the loops know of them; NULL: there are none (working_codes.h) */
    const struct code_addition *imported;     /* foreign codes that this batch adds; NULL: none */
    const struct eligible_addition *eligible; /* what this batch adds to a list; NULL: nothing */
    struct recent_claim *recents;             /* [LIMIT_SETTLE_CLAIMS] */
    struct recent_claim *free_recent;         /* given back */
    size_t recent_count;                      /* ever taken: what comes behind them is memory that nobody has touched */
    struct map recents_by_id;
    struct saved_counts *saved; /* [LIMIT_CAMPAIGNS_KEPT] */
    uint32_t *saving;           /* [LIMIT_CAMPAIGNS_KEPT]: numbers of those whose refusals are in this transaction */
    size_t saving_count;
    uint32_t *wanted; /* [LIMIT_CAMPAIGNS_KEPT]: of those to be recalled */
    size_t wanted_count;
    struct redemption *strays; /* [CAMPAIGN_SET_REDEMPTIONS]: named by this batch, of campaigns that are not here yet */
    size_t stray_count;
    struct result failure;   /* of what was brought while this batch was loaded */
    const uint32_t *leaving; /* of those that are to be archived with this batch */
    size_t leaving_count;
    int64_t archived_until_us; /* what is over, and ended until then, is archived when it is loaded */
    const struct zone *zone;   /* of campaigns that name none; NULL: there is none */
    struct id wallet_instance; /* to be kept by this batch; zero: nothing */
    size_t looked_at;          /* the campaign whose settled_position was looked after last */
    bool is_stale;             /* after a rollback: memory and disk may differ */
    int64_t now_us;            /* of this save */
    int64_t refusals_saved_us;
};

extern const struct working_set_hooks discount_hooks;

/* Loads all campaigns onto the board, and the winners of those that are not archived: of what is over those are that ended until then. The writer's batch and the board stay the caller's. RESULT_CORRUPT, RESULT_IO, RESULT_FULL. */
struct result working_set_create(struct batch *batch, struct board *board, int64_t archived_until_us,
                                 struct working_set **ret_set) MUST_CHECK;
void working_set_free(struct working_set *set); /* after the engine */
/* Writes counters that have changed, in a transaction of its own. When the store has stopped, or from its idle. */
struct result working_set_flush(struct engine *engine, int64_t now_us) MUST_CHECK;

/* ---- for actions ---- */

/* The campaign is to be here, with its seconds and minutes, when the batch is decided; one that is not archived is. Who names one by its id or number says so. */
void working_set_recall(struct working_set *set, uint32_t campaign_number);
void working_set_name_campaign(struct engine *engine, struct id id); /* there may be none */
/* It is to be here at once, by a trip of its own if need be. NULL: there is none, or the batch has failed. */
struct campaign *working_set_bring(struct engine *engine, uint32_t campaign_number);

/* Of a redemption that an operation names by its id; a campaign's id asks for nothing. */
void working_set_ask(struct engine *engine, struct id id);
/* Of one that is to be reversed, with what there is of a reversal and its code. */
void working_set_ask_to_reverse(struct engine *engine, const struct reversal_subject *subject);
/* Of what the user, or the phone, has in the campaign. */
void working_set_ask_rivals(struct engine *engine, const struct campaign *campaign, const struct redeem_request *request);
/* Of whether the user or the phone is on the campaign's list, where it has one: .is_listed is set when decide begins. */
void working_set_ask_listed(struct engine *engine, const struct campaign *campaign, struct redeem_request *request);
/* Of the first who wait for a place of the campaign: `count` more of them may be promoted by this operation. */
void working_set_ask_line(struct engine *engine, uint32_t campaign_number, int64_t count);
/* Gives them what is open, in this commit; how many were promoted. */
int64_t working_set_promote(struct engine *engine, struct campaign *campaign, int64_t now_us);
/* What the core is handed of the campaign's clock and books. */
struct moment working_set_moment(const struct working_set *set, const struct campaign *campaign, int64_t now_us);
/* Visitor: the row's campaign is here from now on. */
struct result working_set_bring_row(void *set, const struct row *row);
/* Visitor: the row's redemption belongs to the set (the context). */
struct result working_set_redemption(void *set, const struct row *row);
