/* GET /v1/campaigns/{id}/report: from the board, all of it from one moment. */
#include "discount/report.h"

#include "discount/discount.h"
#include "discount/requests.h"
#include "service/request.h"

#define REPORT_BYTES     4096u
#define QUANTILE_DIVISOR 1000 /* microseconds, written as milliseconds */

static void write_time_or_null(struct json_writer *writer, const char *name, int64_t time_us) {
    if (time_us == 0)
        json_null_member(writer, name);
    else
        json_time_member(writer, name, time_us);
}

/* Returns their sum. */
static int64_t write_rejected(struct json_writer *writer, const struct refusal_counts *rejected) {
    int64_t sum = 0;
    json_key(writer, "rejected");
    json_begin_object(writer);
    for (enum refusal refusal = NOT_REFUSED + 1; refusal < REFUSAL_COUNT; refusal++) {
        if (!refusal_rule(refusal)->is_counted) continue;
        json_integer_member(writer, refusal_rule(refusal)->code, rejected->counts[refusal]);
        sum += rejected->counts[refusal];
    }
    json_end_object(writer);
    return sum;
}

/* From the first to the last; all at one moment count as one second. */
static int64_t rate_per_1000_seconds(const struct campaign_view *view) {
    if (view->redeemed == 0) return 0;
    int64_t span_us = view->last_redeemed_at_us - view->first_redeemed_at_us;
    if (span_us <= 0) return view->redeemed * 1000;
    __extension__ typedef __int128 wide;
    return (int64_t)((wide)view->redeemed * CLOCK_SECOND_US * 1000 / span_us);
}

static void write_latency(struct json_writer *writer, const struct board_slot *slot) {
    json_key(writer, "latency");
    json_begin_object(writer);
    json_key(writer, "p50_ms");
    json_put_decimal(writer, metric_quantile(&slot->latency, 0.5), QUANTILE_DIVISOR);
    json_key(writer, "p99_ms");
    json_put_decimal(writer, metric_quantile(&slot->latency, 0.99), QUANTILE_DIVISOR);
    json_end_object(writer);
}

static void write_seconds(struct json_writer *writer, const struct board_snapshot *snapshot) {
    json_key(writer, "per_second");
    json_begin_array(writer);
    for (size_t i = 0; i < snapshot->second_count; i++) {
        const struct second_counts *counts = &snapshot->seconds[i];
        json_begin_array(writer);
        json_put_time(writer, counts->second * CLOCK_SECOND_US);
        json_put_integer(writer, counts->claimed);
        json_put_integer(writer, counts->credited);
        json_put_integer(writer, counts->rejected);
        json_end_array(writer);
    }
    json_end_array(writer);
}

void report_get(struct exchange *exchange) {
    const struct board_slot *slot = request_has_no_query(exchange) ? request_campaign(exchange) : NULL;
    if (slot == NULL) {
        exchange_finish(exchange);
        return;
    }
    struct board_snapshot snapshot;
    board_read(slot, &snapshot);
    const struct campaign_view view = snapshot.view;
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, REPORT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_id_member(&writer, "campaign_id", slot->id);
    json_time_member(&writer, "as_of", clock_now_us(discount_of(exchange)->service.clock));
    json_integer_member(&writer, "sequence", view.sequence);
    json_integer_member(&writer, "max_redemptions", view.max_redemptions);
    json_integer_member(&writer, "redeemed", view.redeemed);
    json_integer_member(&writer, "remaining", view.max_redemptions - view.redeemed);
    json_integer_member(&writer, "credited", view.credited);
    json_integer_member(&writer, "pending", view.redeemed - view.credited - view.failed);
    json_integer_member(&writer, "failed", view.failed);
    int64_t rejected = write_rejected(&writer, &snapshot.rejected);
    json_integer_member(&writer, "attempts", view.redeemed + rejected);
    write_time_or_null(&writer, "first_redeemed_at", view.first_redeemed_at_us);
    write_time_or_null(&writer, "last_redeemed_at", view.last_redeemed_at_us);
    write_time_or_null(&writer, "exhausted_at", view.exhausted_at_us);
    json_key(&writer, "rate_per_second");
    json_put_decimal(&writer, rate_per_1000_seconds(&view), 1000);
    write_latency(&writer, slot);
    write_seconds(&writer, &snapshot);
    json_end_object(&writer);
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}
