/* The way of a request's operation into the store and out of it. */
#include "discount/operation.h"

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/settle/settler.h"

struct metric metric_claims = {.name = "discountd_claims_total", .help = "Places taken.", .labels = "", .kind = METRIC_COUNTER};
struct metric metric_answered_by_loop = {.name = "discountd_redemptions_answered_by_loop_total",
                                         .help = "Redemptions that were answered from the board, without the store.",
                                         .labels = "",
                                         .kind = METRIC_COUNTER};

void discount_register_metrics(void) {
    metrics_register(&metric_claims);
    metrics_register(&metric_answered_by_loop);
    settler_register_metrics();
}

struct discount_operation *operation_create(struct exchange *exchange, enum operation_kind kind) {
    struct discount_operation *operation = ARENA_NEW(&exchange->arena, struct discount_operation);
    if (operation == NULL) {
        problem_reply(exchange, &problem_overloaded, "The request needs more memory than one request may take.");
        exchange_finish(exchange);
        return NULL;
    }
    struct discount *discount = discount_of(exchange);
    operation->store.kind = kind;
    operation->store.done = operation_done;
    operation->store.weight = kind == OPERATION_REDEEM ? REDEMPTION_WEIGHT : 1;
    operation->discount = discount;
    operation->exchange = exchange;
    exchange->operation = operation;
    return operation;
}

void discount_submit(struct discount_operation *operation) {
    struct exchange *exchange = operation->exchange;
    exchange_give(exchange, EXCHANGE_OF_STORE);
    struct result submitted = store_submit(operation->discount->service.store, &operation->store);
    if (result_is_ok(submitted)) return;
    exchange_take(exchange, EXCHANGE_OF_STORE);
    if (submitted.code == RESULT_FULL)
        problem_reply(exchange, &problem_overloaded, "Too many requests wait for the disk.");
    else
        problem_reply(exchange, &problem_shutting_down, "The service is stopping.");
    exchange_finish(exchange);
}

void operation_done(struct store_operation *store_operation, struct result outcome) {
    struct discount_operation *operation = operation_of(store_operation);
    struct discount *discount = operation->discount;
    exchange_take(operation->exchange, EXCHANGE_OF_STORE);
    if (!result_is_ok(outcome)) {
        answer_send_failure(operation, outcome);
        return;
    }
    answer_log(operation);
    bool has_changed_campaign = operation->answer.event != NULL;
    if (store_operation->kind == OPERATION_REDEEM && operation->answer.kind == ANSWER_WAITING && operation->answer.is_maker &&
        operation->answer.refusal == NOT_REFUSED && operation->answer.campaign_number != 0) {
        metric_add(&metric_claims, 1);
    }
    if (operation->answer.kind == ANSWER_WAITING) {
        exchange_give(operation->exchange, EXCHANGE_OF_SETTLER);
        settler_submit(discount->settler, operation);
    } else {
        answer_send(operation);
    }
    if (has_changed_campaign) settler_poke(discount->settler);
}
