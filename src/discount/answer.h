/* Answers: made by the decision, in the request's arena, so that exactly what is kept is what is sent. */
#pragma once

#include "discount/board.h"
#include "discount/operation.h"
#include "http/problem.h"

/* Problems of this service (api/discount.yaml lists them by route), but for those of who gets no place: core/refusal.c. */
extern const struct problem problem_redemption_not_found;    /* 404 */
extern const struct problem problem_campaign_not_found;      /* 404 */
extern const struct problem problem_credit_failed;           /* 409 */
extern const struct problem problem_code_taken;              /* 409 */
extern const struct problem problem_campaign_state_conflict; /* 409 */
extern const struct problem problem_too_many_campaigns;      /* 409 */
extern const struct problem problem_version_mismatch;        /* 412 */
extern const struct problem problem_precondition_required;   /* 428 */
extern const struct problem problem_too_many_attempts;       /* 429 */

void answer_write_redemption(struct json_writer *writer, const struct redemption *redemption, struct id campaign_id, struct money credit);
void answer_write_campaign(struct json_writer *writer, const struct campaign *campaign, int64_t now_us);

/* Each fills operation->answer: READY, or NO_MEMORY when the arena is full. */
void answer_problem(struct discount_operation *operation, const struct problem *problem, struct text members, const struct faults *faults,
                    const char *detail);
/* 422 validation_failed with this one fault. */
void answer_fault(struct discount_operation *operation, const char *field, const char *code, const char *detail);
/* The redemption as it stands: the maker gets 201 credited, 202 claimed, or 409 credit_failed; anybody else 200. */
void answer_redemption(struct discount_operation *operation, const struct redemption *redemption, struct id campaign_id,
                       struct money credit, bool is_maker);
/* 200 with ETag; 201 also with Location. */
void answer_campaign(struct discount_operation *operation, int status, const struct campaign *campaign, int64_t now_us);
void answer_redeem_refusal(struct discount_operation *operation, enum refusal refusal, int64_t starts_at_us, int64_t now_us);
void answer_campaign_refusal(struct discount_operation *operation, enum campaign_verdict verdict, const struct campaign *campaign);

/* The change that the operation made, into the log: after its commit. */
void answer_log(const struct discount_operation *operation);

/* Sends the answer (READY, REPLAY, KEY_REUSED, NO_MEMORY) and gives the exchange back to its loop: the operation is gone after it. Counts the
 * refusal and the latency on the board. */
void answer_send(struct discount_operation *operation);
void answer_send_at(struct discount_operation *operation, int64_t now_us); /* for who has just looked at the clock */
/* Instead, when the store or the settler could not do it: 503. */
void answer_send_failure(struct discount_operation *operation, struct result outcome);
