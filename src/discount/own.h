/* The operations that discountd asks of itself: what the settler was told, what time brings, and answers that become final. Each may carry requests that wait
 * in the settler: their answers, and what is kept for their keys, are made in its transaction. */
#pragma once

#include "discount/core/rebuild.h"
#include "discount/core/reversal.h"
#include "discount/operation.h"

struct own_request {
    struct discount_operation base;
    struct operation_list waiters;
    struct id campaign_id;                         /* of all but a mark */
    int64_t fund_step_version;                     /* fund_confirmed, fund_refused */
    struct text fund_refusal, fund_refusal_detail; /* fund_refused: Wallet's code and words */
    struct fund_said fund_said;                    /* fund_adopted */
    struct id wallet_instance;                     /* instance */
    struct id wallet_left;                         /* instance: the operator has said that it is no more; zero: nobody has said anything */
    struct {                                       /* mark */
        const struct settlement *items;            /* [count] */
        size_t count;
    } mark;
    struct {                                     /* taken back */
        const struct taken_back *items;          /* [count] */
        const struct reversal_subject *subjects; /* [count], of the items */
        size_t count;
    } taken_back;
    struct {                     /* archive, recall */
        const uint32_t *numbers; /* [count], of campaigns */
        size_t count;
    } archive;
    int64_t promoted;                   /* promote: so many were */
    struct {                            /* rebuild; of campaigns that are there */
        const struct paid_place *items; /* [count] */
        enum rebuild_verdict *verdicts; /* [count], what became of each */
        size_t count;
    } rebuild;
};

#define MARK_ITEMS_MAX      LIMIT_CREDIT_ITEMS
#define ARCHIVE_AT_ONCE     64u
#define PROMOTE_AT_ONCE     250 /* of one line, in one commit */
#define REBUILD_ITEMS_MAX   1000u
#define REBUILD_ITEM_WEIGHT 3u    /* rows that each may name (CAMPAIGN_SET_REDEMPTIONS) */
#define MARK_WAITERS_MAX    2000u /* whose kept answers one mark makes final; the others follow one by one */

extern const struct action mark_action;           /* what Wallet said about a batch */
extern const struct action taken_back_action;     /* what Wallet said about reversals */
extern const struct action rebuild_action;        /* what Wallet has paid, and we do not know */
extern const struct action promote_action;        /* a place is open, and somebody waits for it */
extern const struct action expire_action;         /* the campaign's end has passed */
extern const struct action fund_confirmed_action; /* the step is on disk in Wallet */
extern const struct action fund_refused_action;   /* the step will never be */
extern const struct action fund_released_action;
extern const struct action fund_adopted_action; /* what Wallet has of the fund is not what it has confirmed */
extern const struct action recall_action;       /* archived ones for which something is to be done again */
extern const struct action archive_action;      /* campaigns for which nothing is left to be done */
extern const struct action instance_action;     /* which Wallet has our funds */
extern const struct action note_action;         /* nothing but the waiters: their answers as things stand */
