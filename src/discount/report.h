/* A campaign in numbers. Its JSON is written here alone, for whoever asks once and for whoever listens (events.h). */
#pragma once

#include "base/json/json.h"
#include "discount/board.h"
#include "discount/code_board.h"
#include "http/exchange.h"

#define REPORT_SECONDS 900  /* of the last quarter of an hour */
#define REPORT_MINUTES 1440 /* of the last day */
#define REPORT_BATCHES 200  /* of codes, the newest */

/* How far back its seconds and minutes go. */
struct report_span {
    int64_t seconds, minutes;
    const struct code_board *codes; /* its batches; NULL: it has none */
    int64_t batches;                /* at most */
};
/* All of it from one moment, which it returns. */
struct campaign_view report_write(struct json_writer *writer, const struct board_slot *slot, struct report_span span, int64_t now_us);

void report_get(struct exchange *exchange);
void report_draw(struct exchange *exchange); /* report.svg */
