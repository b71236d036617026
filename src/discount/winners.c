#include "discount/winners.h"

/* GET /v1/campaigns/{id}/redemptions: the winners by position, as JSON pages, or as CSV of any length. */
#include <inttypes.h>

#include "base/csv.h"
#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "discount/tables.h"
#include "http/query.h"
#include "service/reading.h"
#include "service/request.h"

#define CSV_LIMIT_MAX   10000 /* of a page that was asked for; without a limit all come */
#define CSV_LINE_BYTES  230   /* at most, with the apostrophe */
#define CSV_HEAD        "position,id,user_id,phone,status,amount,currency,transaction_id,claimed_at,credited_at"
#define CSV_PIECE_LINES ((int64_t)(STREAM_PIECE_BYTES / CSV_LINE_BYTES) - 1) /* and the head line */
#define LIST_BYTES      1024u

struct winners_query {
    struct page_query page; /* limit 0, of CSV: all */
    struct text audience;   /* "spreadsheet" or empty */
    bool is_csv;
    int64_t after; /* this position */
};

/* ---- JSON ---- */

struct winners {
    struct reading reading;
    int64_t limit, after; /* this position */
    const struct board_slot *slot;
    struct buffer buffer;
    struct json_writer writer;
    int64_t left;
    bool has_more;
    int64_t last_position;
};

static struct result visit(void *context, const struct row *row) {
    struct winners *winners = context;
    if (winners->left == 0) {
        winners->has_more = true;
        return result_ok();
    }
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, 0, &redemption));
    winners->left--;
    winners->last_position = redemption.position;
    answer_write_redemption(&winners->writer, &redemption, winners->slot->id, board_credit(winners->slot));
    return result_ok();
}

static bool ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct winners *winners = (struct winners *)reading;
    uint32_t number = winners->slot->number;
    (void)round;
    winners->left = winners->limit;
    winners->has_more = false;
    reply_page_begin(reading->exchange, &winners->writer, &winners->buffer, LIST_BYTES);
    ask_redemptions(batch, redemption_key(number, winners->after), redemption_key(number + 1, 0), winners->limit + 1, visit, winners);
    return false;
}

static void answer(struct reading *reading) {
    struct winners *winners = (struct winners *)reading;
    const int64_t words[PAGE_CURSOR_WORDS] = {winners->last_position};
    reply_page(reading->exchange, &winners->writer, LIST_WINNERS, winners->has_more, words);
    exchange_finish(reading->exchange);
}

static void list_as_json(struct exchange *exchange, const struct board_slot *slot, const struct winners_query *query) {
    struct winners *winners = reading_begin(exchange, ask, answer, sizeof *winners);
    if (winners == NULL) {
        exchange_finish(exchange);
        return;
    }
    winners->slot = slot;
    winners->limit = query->page.page.limit;
    winners->after = query->after;
    reading_start(&winners->reading);
}

/* ---- CSV ---- */

struct winners_file {
    struct long_reading reading;
    const struct board_slot *slot;
    struct csv_writer writer;
    /* Positions: those above `after` up to `last` are still to come, `seen` is the last of this piece. What `last` is was said when it began, so that all
     * pieces speak of one moment: places are given in order. */
    int64_t first, after, seen, last;
    int64_t limit; /* 0: all */
    bool has_more; /* behind `last` */
};

static void write_line(struct csv_writer *writer, const struct redemption *redemption, struct money credit) {
    bool is_credited = redemption->status == REDEMPTION_CREDITED;
    csv_put_integer(writer, redemption->position);
    csv_put_id(writer, redemption->id);
    csv_put_id(writer, redemption->user_id);
    csv_put_text(writer, phone_text(&redemption->phone));
    csv_put_text(writer, text_of(redemption_status_name(redemption->status)));
    csv_put_integer(writer, credit.amount_minor);
    csv_put_text(writer, text_of(currency_code(credit.currency)));
    if (is_credited)
        csv_put_id(writer, redemption->transaction_id);
    else
        csv_put_nothing(writer);
    csv_put_time(writer, redemption->claimed_at_us);
    if (is_credited)
        csv_put_time(writer, redemption->settled_at_us);
    else
        csv_put_nothing(writer);
    csv_end_line(writer);
}

static struct result visit_line(void *context, const struct row *row) {
    struct winners_file *file = context;
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, 0, &redemption));
    if (redemption.position != file->seen + 1) row_refuse(row, 0, "a position is missing");
    file->seen = redemption.position;
    write_line(&file->writer, &redemption, board_credit(file->slot));
    return result_ok();
}

static int64_t end_of_piece(const struct winners_file *file) {
    return file->last - file->after > CSV_PIECE_LINES ? file->after + CSV_PIECE_LINES : file->last;
}

static bool ask_piece(struct reading *reading, struct batch *batch, uint32_t round) {
    struct winners_file *file = (struct winners_file *)reading;
    uint32_t number = file->slot->number;
    (void)round;
    file->seen = file->after;
    if (file->after == file->first) csv_begin(&file->writer, CSV_HEAD);
    if (file->after == file->last) return false;
    ask_redemptions(batch, redemption_key(number, file->after), redemption_key(number, end_of_piece(file) + 1), CSV_PIECE_LINES, visit_line,
                    file);
    return false;
}

static enum stream_word advance(struct long_reading *reading) {
    struct winners_file *file = (struct winners_file *)reading;
    if (file->seen != end_of_piece(file)) return STREAM_FAILED;
    file->after = file->seen;
    return file->after == file->last ? STREAM_END : STREAM_MORE;
}

static void answer_file(struct reading *reading) {
    struct winners_file *file = (struct winners_file *)reading;
    struct exchange *exchange = reading->exchange;
    if (file->has_more) {
        const int64_t words[PAGE_CURSOR_WORDS] = {file->last};
        struct text cursor = page_cursor(&exchange->arena, LIST_WINNERS, words);
        struct text base = text_of(exchange->service->public_url);
        reply_header(exchange, "Link",
                     arena_print(&exchange->arena, "<%.*s%.*s?limit=%" PRId64 "&cursor=%.*s%s>; rel=\"next\"", (int)base.size, base.data,
                                 (int)exchange->path.size, exchange->path.data, file->limit, (int)cursor.size, cursor.data,
                                 file->writer.is_for_spreadsheet ? "&for=spreadsheet" : ""));
    }
    reading_stream(&file->reading, 200, "text/csv; charset=utf-8");
}

static void list_as_csv(struct exchange *exchange, const struct board_slot *slot, const struct winners_query *query) {
    struct winners_file *file = reading_begin_long(exchange, ask_piece, answer_file, advance, sizeof *file);
    if (file == NULL) {
        exchange_finish(exchange);
        return;
    }
    int64_t taken = board_view(slot).redeemed;
    file->slot = slot;
    file->writer = (struct csv_writer){.buffer = &file->reading.piece, .is_for_spreadsheet = query->audience.size > 0};
    file->limit = query->page.page.limit;
    file->first = file->after = query->after < taken ? query->after : taken;
    file->has_more = file->limit > 0 && taken - file->after > file->limit;
    file->last = file->has_more ? file->after + file->limit : taken;
    reading_start(&file->reading.reading);
}

/* ---- the request ---- */

/* JSON pages are smaller than CSV ones, and have no other form. */
static void check_form(const struct winners_query *query, struct faults *faults) {
    if (query->is_csv) return;
    if (query->page.page.limit > LIMIT_PAGE_ITEMS)
        faults_add(faults, "limit", "out_of_range", "must be from 1 to %u, or ask for text/csv", LIMIT_PAGE_ITEMS);
    if (query->audience.size > 0) faults_add(faults, "for", "invalid_choice", "is for text/csv only: ask for that by Accept");
}

static bool read_query(struct exchange *exchange, struct winners_query *query) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    *query = (struct winners_query){.is_csv = route_wants_csv(exchange)};
    page_begin(&query->page, LIST_WINNERS);
    if (query->is_csv) query->page.page.limit = 0;
    const struct query_member members[] = {
        {.name = "limit", .kind = QUERY_INTEGER, .target = &query->page.page.limit, .min = 1, .max = CSV_LIMIT_MAX},
        {.name = "cursor", .kind = QUERY_TEXT, .target = &query->page.cursor_text, .min = 1, .max = 128},
        {.name = "for", .kind = QUERY_CHOICE, .target = &query->audience, .choices = "spreadsheet"},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query->page, &faults);
    check_form(query, &faults);
    query->after = query->page.page.has_cursor ? query->page.page.cursor[0] : 0;
    if (query->after < 0 || query->after > LIMIT_CAMPAIGN_PLACES)
        faults_add(&faults, "cursor", "invalid_format", "must be a next_cursor of this list");
    return !request_refuse_faults(exchange, &faults);
}

void winners_list(struct exchange *exchange) {
    struct winners_query query;
    const struct board_slot *slot = read_query(exchange, &query) ? request_campaign(exchange) : NULL;
    if (slot == NULL)
        exchange_finish(exchange);
    else if (query.is_csv)
        list_as_csv(exchange, slot, &query);
    else
        list_as_json(exchange, slot, &query);
}
