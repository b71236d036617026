#include "discount/operation.h"

#include "base/log.h"
#include "discount/discount.h"

void *discount_begin(struct exchange *exchange, const struct action *action, size_t size) {
    CHECK(size >= sizeof(struct discount_operation));
    struct discount_operation *operation = operation_begin(exchange, action, size);
    if (operation != NULL) operation->discount = discount_of(exchange);
    return operation;
}

void discount_make_id(struct discount_operation *operation, int64_t now_us) {
    operation->id = id_make(&operation->discount->id_sources[operation->operation.exchange->loop_index], now_us);
}

void discount_forget_outcome(struct discount_operation *operation, int64_t now_us) {
    operation->decided_us = now_us;
    operation->campaign_number = 0;
    operation->refusal = NOT_REFUSED;
    operation->change = (struct change){0};
}

void discount_note_change(struct discount_operation *operation, const struct campaign *campaign, const char *event) {
    operation->change = (struct change){event, campaign->id, campaign->sequence, campaign->version};
}

void discount_log_change(const struct discount_operation *operation) {
    const struct change *change = &operation->change;
    const struct exchange *exchange = operation->operation.exchange;
    struct id user_id = {{0}};
    if (change->event == NULL) return;
    if (exchange != NULL) user_id = exchange->caller.user_id;
    LOG(LOG_INFO, change->event, LOG_ID("campaign_id", change->campaign_id), LOG_INTEGER("sequence", change->sequence),
        LOG_INTEGER("version", change->version), LOG_TEXT("request_id", exchange == NULL ? TEXT("") : exchange->request_id),
        LOG_ID("user_id", user_id));
}
