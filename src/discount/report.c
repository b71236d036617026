/* GET /v1/campaigns/{id}/report and report.svg: from the board, all of it from one moment. Who has a member to add adds it in report_write. */
#include "discount/report.h"

#include <stdatomic.h>

#include "discount/discount.h"
#include "discount/plot.h"
#include "discount/recall.h"
#include "discount/requests.h"
#include "http/query.h"
#include "service/request.h"

#define REPORT_BYTES     8192u
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

static void write_counts(struct json_writer *writer, int64_t time_us, const uint32_t counts[3]) {
    json_begin_array(writer);
    json_put_time(writer, time_us);
    for (size_t i = 0; i < 3; i++) json_put_integer(writer, counts[i]);
    json_end_array(writer);
}

/* What is not older than the span; what is ahead of the clock, which was set back then, is among it. */
static void write_seconds(struct json_writer *writer, const struct board_snapshot *snapshot, int64_t after) {
    json_key(writer, "per_second");
    json_begin_array(writer);
    for (size_t i = 0; i < snapshot->second_count; i++) {
        const struct second_counts *counts = &snapshot->seconds[i];
        if (counts->second <= after) continue;
        write_counts(writer, counts->second * CLOCK_SECOND_US, (uint32_t[]){counts->claimed, counts->credited, counts->rejected});
    }
    json_end_array(writer);
}

static void write_minutes(struct json_writer *writer, const struct board_minutes *minutes, int64_t after) {
    json_key(writer, "per_minute");
    json_begin_array(writer);
    for (size_t i = 0; i < minutes->count; i++) {
        const struct minute_counts *counts = &minutes->minutes[i];
        if (counts->minute <= after) continue;
        write_counts(writer, counts->minute * MINUTE_SECONDS * CLOCK_SECOND_US,
                     (uint32_t[]){counts->claimed, counts->credited, counts->rejected});
    }
    json_end_array(writer);
}

static void write_orders(struct json_writer *writer, const struct campaign_view *view, enum currency currency) {
    json_key(writer, "orders");
    if (!gift_is_of_order(view->rules.kind)) {
        json_put_null(writer);
        return;
    }
    json_begin_object(writer);
    json_integer_member(writer, "count", view_living(view));
    json_integer_member(writer, "amount", view->ordered_minor);
    json_integer_member(writer, "discount", view->spent_minor);
    json_text_member(writer, "currency", text_of(currency_code(currency)));
    json_end_object(writer);
}

/* Nothing remains of one that was lowered below what is spent. */
static void write_budget(struct json_writer *writer, const struct campaign_view *view, enum currency currency) {
    int64_t amount = view->rules.budget_minor, spent = view->spent_minor;
    json_key(writer, "budget");
    if (amount == 0) {
        json_put_null(writer);
        return;
    }
    json_begin_object(writer);
    json_integer_member(writer, "amount", amount);
    json_integer_member(writer, "spent", spent);
    json_integer_member(writer, "remaining", amount > spent ? amount - spent : 0);
    json_text_member(writer, "currency", text_of(currency_code(currency)));
    json_end_object(writer);
}

static void write_batches(struct json_writer *writer, uint32_t campaign_number, const struct code_board *codes, int64_t left) {
    json_key(writer, "by_batch");
    json_begin_array(writer);
    for (size_t number = codes == NULL ? 0 : code_board_count(codes); number > 0 && left > 0; number--) {
        const struct code_slot *slot = code_board_slot(codes, (uint32_t)number);
        if (slot->campaign_number != campaign_number) continue;
        bool is_revoked = atomic_load_explicit(&slot->revoked_at_us, memory_order_relaxed) != 0;
        json_begin_object(writer);
        json_id_member(writer, "batch", slot->id);
        json_integer_member(writer, "count", slot->count);
        json_integer_member(writer, "used", atomic_load_explicit(&slot->used, memory_order_relaxed));
        json_integer_member(writer, "uses", atomic_load_explicit(&slot->uses, memory_order_relaxed));
        json_integer_member(writer, "revoked", is_revoked ? slot->count : atomic_load_explicit(&slot->revoked_count, memory_order_relaxed));
        json_end_object(writer);
        left--;
    }
    json_end_array(writer);
}

struct campaign_view report_write(struct json_writer *writer, const struct board_slot *slot, struct report_span span, int64_t now_us) {
    struct board_snapshot snapshot;
    struct board_minutes minutes;
    board_read_all(slot, &snapshot, &minutes);
    const struct campaign_view view = snapshot.view;
    json_begin_object(writer);
    json_id_member(writer, "campaign_id", slot->id);
    json_time_member(writer, "as_of", now_us);
    json_integer_member(writer, "sequence", view.sequence);
    json_integer_member(writer, "max_redemptions", view.max_redemptions);
    json_integer_member(writer, "redeemed", view_taken(&view));
    json_integer_member(writer, "remaining", campaign_places_left(view.max_redemptions, view_taken(&view)));
    json_integer_member(writer, "credited", view.credited);
    json_integer_member(writer, "pending", view_unsettled(&view));
    json_integer_member(writer, "failed", view.failed);
    json_integer_member(writer, "reversing", view.reversing);
    json_integer_member(writer, "reversed", view.reversed);
    int64_t rejected = write_rejected(writer, &snapshot.rejected);
    json_integer_member(writer, "attempts", view.redeemed + view.waiting + rejected);
    write_orders(writer, &view, slot->currency);
    write_budget(writer, &view, slot->currency);
    write_batches(writer, slot->number, span.codes, span.batches);
    json_integer_member(writer, "waiting", view_waiting(&view, now_us));
    json_integer_member(writer, "lapsed", view_lapsed(&view, now_us));
    write_time_or_null(writer, "first_redeemed_at", view.first_redeemed_at_us);
    write_time_or_null(writer, "last_redeemed_at", view.last_redeemed_at_us);
    write_time_or_null(writer, "exhausted_at", view.exhausted_at_us);
    json_key(writer, "rate_per_second");
    json_put_decimal(writer, rate_per_1000_seconds(&view), 1000);
    write_latency(writer, slot);
    write_seconds(writer, &snapshot, now_us / CLOCK_SECOND_US - span.seconds);
    write_minutes(writer, &minutes, now_us / CLOCK_SECOND_US / MINUTE_SECONDS - span.minutes);
    json_end_object(writer);
    return view;
}

static void answer_report(struct exchange *exchange, const struct board_slot *slot) {
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, REPORT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    (void)report_write(&writer, slot,
                       (struct report_span){.seconds = REPORT_SECONDS,
                                            .minutes = REPORT_MINUTES,
                                            .codes = discount_of(exchange)->codes,
                                            .batches = REPORT_BATCHES},
                       clock_now_us(discount_of(exchange)->service.clock));
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}

void report_get(struct exchange *exchange) {
    struct board_slot *slot = request_campaign(exchange);
    if (slot == NULL) {
        exchange_finish(exchange);
        return;
    }
    bool is_here = board_hold(slot);
    if (is_here) answer_report(exchange, slot);
    board_let_go(slot);
    if (!is_here) recall_for(exchange, slot, report_get);
}

/* ---- the picture ---- */

#define PLOT_BYTES 65536u

static bool read_size(struct exchange *exchange, struct plot_size *size) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    *size = (struct plot_size){.width = 960, .height = 540};
    const struct query_member members[] = {
        {.name = "width", .kind = QUERY_INTEGER, .target = &size->width, .min = PLOT_WIDTH_MIN, .max = PLOT_WIDTH_MAX},
        {.name = "height", .kind = QUERY_INTEGER, .target = &size->height, .min = PLOT_HEIGHT_MIN, .max = PLOT_HEIGHT_MAX},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    return !request_refuse_faults(exchange, &faults);
}

static void answer_plot(struct exchange *exchange, struct board_slot *slot, struct plot_size size) {
    struct board_snapshot snapshot;
    struct board_minutes minutes;
    struct buffer buffer;
    char name[CAMPAIGN_NAME_BYTES];
    board_read_all(slot, &snapshot, &minutes);
    buffer_init(&buffer, &exchange->arena, PLOT_BYTES);
    plot_write(&buffer, size, board_copy_name(slot, name), &snapshot, &minutes, clock_now_us(discount_of(exchange)->service.clock));
    reply_policy(exchange, TEXT("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"));
    reply_buffer(exchange, 200, "image/svg+xml", &buffer);
    exchange_finish(exchange);
}

void report_draw(struct exchange *exchange) {
    struct plot_size size;
    struct board_slot *slot = read_size(exchange, &size) ? request_campaign(exchange) : NULL;
    if (slot == NULL) {
        exchange_finish(exchange);
        return;
    }
    bool is_here = board_hold(slot);
    if (is_here) answer_plot(exchange, slot, size);
    board_let_go(slot);
    if (!is_here) recall_for(exchange, slot, report_draw);
}
