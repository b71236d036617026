#include "discount/recall.h"

#include "discount/discount.h"
#include "discount/working_set.h"

struct recall_request {
    struct discount_operation base; /* first */
    uint32_t campaign_number;
    void (*handler)(struct exchange *exchange);
};

static struct recall_request *request_of(struct operation *operation) { return (struct recall_request *)operation; }

static void load(struct engine *engine, struct operation *operation) {
    working_set_recall(engine_set(engine), request_of(operation)->campaign_number);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct board_slot *slot = board_slot(set->board, request_of(operation)->campaign_number - 1);
    discount_forget_outcome(discount_operation_of(operation), now_us);
    atomic_store_explicit(&slot->wanted_at_us, now_us, memory_order_relaxed);
}

static void run_again(struct operation *operation) { request_of(operation)->handler(operation->exchange); }

static const struct action show_action = {.name = "show again", .load = load, .decide = decide, .send = run_again};

void recall_for(struct exchange *exchange, const struct board_slot *slot, void (*handler)(struct exchange *exchange)) {
    struct recall_request *request = discount_begin(exchange, &show_action, sizeof *request);
    if (request == NULL) {
        exchange_finish(exchange);
        return;
    }
    request->campaign_number = slot->number;
    request->handler = handler;
    operation_submit(&request->base.operation);
}
