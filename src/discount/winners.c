/* GET /v1/campaigns/{id}/redemptions: the winners by position, as JSON pages or CSV (RFC 4180). */
#include "discount/winners.h"

#include <inttypes.h>

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "discount/tables.h"
#include "http/query.h"
#include "service/reading.h"
#include "service/request.h"

#define CSV_ROWS_MAX  10000
#define CSV_ROW_BYTES 230u
#define LIST_BYTES    1024u
#define CSV_HEADER    "position,id,user_id,phone,status,amount,currency,transaction_id,claimed_at,credited_at\r\n"

struct winners {
    struct reading reading;
    int64_t limit, after; /* this position */
    const struct board_slot *slot;
    struct buffer buffer;
    struct json_writer writer;
    int64_t left;
    bool is_csv, has_more;
    int64_t last_position;
};

static void append_id(struct buffer *buffer, struct id id) {
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    buffer_append(buffer, (struct text){text, sizeof text});
}

static void append_time(struct buffer *buffer, int64_t time_us) {
    char text[CLOCK_TEXT_BYTES];
    clock_format(time_us, text);
    buffer_append(buffer, (struct text){text, sizeof text});
}

/* No value needs quotes: digits, letters, '+', '-', ':' and '.'. */
static void append_row(struct buffer *buffer, const struct redemption *redemption, struct money credit) {
    bool is_credited = redemption->status == REDEMPTION_CREDITED;
    buffer_append_integer(buffer, redemption->position);
    buffer_append_byte(buffer, ',');
    append_id(buffer, redemption->id);
    buffer_append_byte(buffer, ',');
    append_id(buffer, redemption->user_id);
    buffer_append_byte(buffer, ',');
    buffer_append(buffer, phone_text(&redemption->phone));
    buffer_append_byte(buffer, ',');
    buffer_append(buffer, text_of(redemption_status_name(redemption->status)));
    buffer_append_byte(buffer, ',');
    buffer_append_integer(buffer, credit.amount_minor);
    buffer_append_byte(buffer, ',');
    buffer_append(buffer, text_of(currency_code(credit.currency)));
    buffer_append_byte(buffer, ',');
    if (is_credited) append_id(buffer, redemption->transaction_id);
    buffer_append_byte(buffer, ',');
    append_time(buffer, redemption->claimed_at_us);
    buffer_append_byte(buffer, ',');
    if (is_credited) append_time(buffer, redemption->settled_at_us);
    buffer_append(buffer, TEXT("\r\n"));
}

static struct result visit(void *context, const struct row *row) {
    struct winners *winners = context;
    if (winners->left == 0) {
        winners->has_more = true;
        return result_ok();
    }
    struct redemption redemption;
    redemption_of_row(row, 0, &redemption);
    winners->left--;
    winners->last_position = redemption.position;
    if (winners->is_csv)
        append_row(&winners->buffer, &redemption, winners->slot->credit);
    else
        answer_write_redemption(&winners->writer, &redemption, winners->slot->id, winners->slot->credit);
    return result_ok();
}

static bool ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct winners *winners = (struct winners *)reading;
    uint32_t number = winners->slot->number;
    (void)round;
    winners->left = winners->limit;
    winners->has_more = false;
    if (winners->is_csv) {
        buffer_init(&winners->buffer, &reading->exchange->arena, CSV_ROW_BYTES * 16);
        buffer_append(&winners->buffer, TEXT(CSV_HEADER));
    } else {
        reply_page_begin(reading->exchange, &winners->writer, &winners->buffer, LIST_BYTES);
    }
    ask_redemptions(batch, redemption_key(number, winners->after), redemption_key(number + 1, 0), winners->limit + 1, visit, winners);
    return false;
}

static void reply_csv(struct exchange *exchange, const struct winners *winners, const int64_t words[PAGE_CURSOR_WORDS]) {
    if (winners->has_more) {
        struct text cursor = page_cursor(&exchange->arena, LIST_WINNERS, words);
        reply_header(exchange, "Link",
                     arena_print(&exchange->arena, "<%.*s?limit=%" PRId64 "&cursor=%.*s>; rel=\"next\"", (int)exchange->path.size,
                                 exchange->path.data, winners->limit, (int)cursor.size, cursor.data));
    }
    reply_buffer(exchange, 200, "text/csv; charset=utf-8", &winners->buffer);
}

static void answer(struct reading *reading) {
    struct winners *winners = (struct winners *)reading;
    const int64_t words[PAGE_CURSOR_WORDS] = {winners->last_position};
    if (winners->is_csv) {
        reply_csv(reading->exchange, winners, words);
    } else {
        reply_page(reading->exchange, &winners->writer, LIST_WINNERS, winners->has_more, words);
    }
    exchange_finish(reading->exchange);
}

/* JSON pages are smaller than CSV ones. */
static void check_limit(int64_t limit, bool is_csv, struct faults *faults) {
    if (is_csv || limit <= LIMIT_PAGE_ITEMS) return;
    faults_add(faults, "limit", "out_of_range", "must be from 1 to %u, or ask for text/csv", LIMIT_PAGE_ITEMS);
}

static bool read_page(struct exchange *exchange, bool is_csv, struct page_query *query, int64_t *ret_after) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    page_begin(query, LIST_WINNERS);
    if (is_csv) query->page.limit = CSV_ROWS_MAX;
    const struct query_member members[] = {
        {.name = "limit", .kind = QUERY_INTEGER, .target = &query->page.limit, .min = 1, .max = CSV_ROWS_MAX},
        {.name = "cursor", .kind = QUERY_TEXT, .target = &query->cursor_text, .min = 1, .max = 128},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(query, &faults);
    check_limit(query->page.limit, is_csv, &faults);
    *ret_after = query->page.has_cursor ? query->page.cursor[0] : 0;
    if (*ret_after < 0 || *ret_after > LIMIT_CAMPAIGN_PLACES)
        faults_add(&faults, "cursor", "invalid_format", "must be a next_cursor of this list");
    return !request_refuse_faults(exchange, &faults);
}

void winners_list(struct exchange *exchange) {
    bool is_csv = route_wants_csv(exchange);
    struct page_query query;
    int64_t after;
    const struct board_slot *slot = NULL;
    struct winners *winners = NULL;
    if (read_page(exchange, is_csv, &query, &after)) slot = request_campaign(exchange);
    if (slot != NULL) winners = reading_begin(exchange, ask, answer, sizeof *winners);
    if (winners == NULL) {
        exchange_finish(exchange);
        return;
    }
    winners->slot = slot;
    winners->is_csv = is_csv;
    winners->limit = query.page.limit;
    winners->after = after;
    reading_start(&winners->reading);
}
