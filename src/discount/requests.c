#include "discount/requests.h"

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/settle/settler.h"

struct metric metric_claims = {.name = "discountd_claims_total", .help = "Places taken.", .labels = "", .kind = METRIC_COUNTER};
struct metric metric_waiting = {.name = "discountd_waiting_total",
                                .help = "Redemptions that joined a waiting list.",
                                .labels = "",
                                .kind = METRIC_COUNTER};
struct metric metric_promoted = {.name = "discountd_promotions_total",
                                 .help = "Places given to who had waited for one.",
                                 .labels = "",
                                 .kind = METRIC_COUNTER};
struct metric metric_answered_by_loop = {.name = "discountd_redemptions_answered_by_loop_total",
                                         .help = "Redemptions that were answered from the board, without the store.",
                                         .labels = "",
                                         .kind = METRIC_COUNTER};

void discount_register_metrics(void) {
    metrics_register(&metric_claims);
    metrics_register(&metric_waiting);
    metrics_register(&metric_promoted);
    metrics_register(&metric_answered_by_loop);
    limiter_register_metrics();
    settler_register_metrics();
}

struct board_slot *request_campaign(struct exchange *exchange) {
    struct id id;
    struct board_slot *slot = NULL;
    if (result_is_ok(id_parse(exchange->parameters[0], &id))) slot = board_find_id(discount_of(exchange)->board, id);
    if (slot == NULL) problem_reply(exchange, &problem_campaign_not_found, "There is no such campaign.");
    return slot;
}

void discount_committed(struct operation *operation) {
    struct discount_operation *self = discount_operation_of(operation);
    struct settler *settler = self->discount->settler;
    bool has_changed_campaign = self->change.event != NULL;
    discount_log_change(self);
    if (self->campaign_number != 0 && operation->is_maker && self->redemption.status == REDEMPTION_WAITING) metric_add(&metric_waiting, 1);
    if (self->campaign_number != 0 && operation->is_maker && self->redemption.status == REDEMPTION_CLAIMED) metric_add(&metric_claims, 1);
    if (operation->fate == FATE_WAITING) {
        exchange_give(operation->exchange, EXCHANGE_OF_SETTLER);
        settler_submit(settler, self);
    } else {
        operation_return(operation);
    }
    if (has_changed_campaign) settler_poke(settler);
}

static void count(const struct discount_operation *operation) {
    if (operation->operation.fate != FATE_DECIDED || operation->campaign_number == 0) return;
    struct board_slot *slot = board_slot(operation->discount->board, operation->campaign_number - 1);
    const struct clock *clock = operation->discount->service.clock;
    if (operation->refusal != NOT_REFUSED && refusal_rule(operation->refusal)->is_counted)
        board_count_refusal(slot, operation->refusal, clock_now_us(clock));
    metric_observe(&slot->latency, clock_monotonic_us(clock) - operation->operation.exchange->received_monotonic_us);
}

void discount_send(struct operation *operation) {
    count(discount_operation_of(operation));
    operation_send(operation);
}
