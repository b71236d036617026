/* Answers: made of an operation's outcome alone, in its arena, so that exactly what is kept is what is sent. */
#pragma once

#include "base/json/json.h"
#include "discount/core/reversal.h"
#include "discount/operation.h"
#include "http/problem.h"

/* Problems of this service (api/discount.yaml lists them by route), but for those of who gets no place: core/refusal.c. */
extern const struct problem problem_redemption_not_found;    /* 404 */
extern const struct problem problem_redemption_not_failed;   /* 409 */
extern const struct problem problem_redemption_not_credited; /* 409 */
extern const struct problem problem_reversed_otherwise;      /* 409 */
extern const struct problem problem_reversal_refused;        /* 409 */
extern const struct problem problem_approval_pending;        /* 409 */
extern const struct problem problem_campaign_not_found;      /* 404 */
extern const struct problem problem_credit_failed;           /* 409 */
extern const struct problem problem_fund_refused;            /* 409 */
extern const struct problem problem_code_taken;              /* 409 */
extern const struct problem problem_campaign_state_conflict; /* 409 */
extern const struct problem problem_too_many_campaigns;      /* 409 */
extern const struct problem problem_too_many_listeners;      /* 429 */
extern const struct problem problem_code_batch_not_found;    /* 404 */
extern const struct problem problem_pattern_too_weak;        /* 422 */
extern const struct problem problem_too_many_code_batches;   /* 409 */
extern const struct problem problem_code_key_missing;        /* 503 */
extern const struct problem problem_version_mismatch;        /* 412 */
extern const struct problem problem_precondition_required;   /* 428 */

/* For struct service. */
bool discount_find_page(struct text code, struct problem *ret_room, struct problem_page *ret_page);

void answer_write_redemption(struct json_writer *writer, const struct redemption *redemption, struct id campaign_id, struct money credit);
/* With what is asked, or was, of its reversal; slot 0: nothing. */
struct reversal_words {
    enum reversal_slot slot;
    struct text reason;
};
void answer_write_redemption_with(struct json_writer *writer, const struct redemption *redemption, struct id campaign_id,
                                  struct money credit, const struct reversal_words *reversal);
/* "credit" or "discount", as a member. */
void answer_write_gift(struct json_writer *writer, const struct campaign_rules *rules, struct money amount);
void answer_write_discount(struct json_writer *writer, int64_t discount_minor, int64_t order_minor, enum currency currency);
/* What an administrator sets of it, as members of an object. */
void answer_write_rules(struct json_writer *writer, const struct campaign *campaign);
void answer_write_campaign(struct json_writer *writer, const struct campaign *campaign, int64_t now_us);

/* action.render of the requests: the redemption as it stands (its maker gets 201 credited, 202 claimed, or 409 credit_failed; anybody else 200) or why there
 * is none; the campaign with its ETag, the made one with its Location, or why not. */
void answer_redeem(struct operation *operation);
/* Of one that was owed again: 200 credited, 202 claimed, or 409 credit_failed. */
void answer_retried(struct operation *operation);
/* Of one that is to be taken back: 200 reversed, 202 reversing, or 409 reversal_refused when Wallet does not give the credit back. */
void answer_reversed(struct operation *operation, const struct reversal_words *reversal);
void answer_campaign_made(struct operation *operation);
void answer_campaign_changed(struct operation *operation);
