#include "discount/winners.h"

/* GET /v1/campaigns/{id}/redemptions: the winners by position, all of them or those of a filter, as JSON pages, or as CSV of any length. */
#include <inttypes.h>
#include <string.h>

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
#define LOOKED_AT_MAX   INT64_C(100000) /* places that a page looks at, of those that no index finds: some 20 ms of its loop */
#define TYPED_BYTES_MAX 128

struct winners_query {
    struct page_query page; /* limit 0, of CSV: all */
    struct text audience;   /* "spreadsheet" or empty */
    struct text status, phone, code;
    struct id user_id;
    int64_t from_us, to_us;
    bool is_csv, is_filtered;
    int64_t after;      /* this position */
    int64_t last;       /* the newest one that it is about */
    int64_t sequence;   /* the campaign's, when that was so */
    struct text others; /* of the query: what belongs into the link to the next page */
    struct redemption_filter filter;
};

/* ---- JSON ---- */

struct winners {
    struct reading reading;
    int64_t limit, after, end;              /* positions above `after` up to `end` */
    bool has_more_behind;                   /* `end` */
    const struct redemption_filter *filter; /* NULL: all */
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
    board_show(winners->slot, &redemption, winners->reading.exchange->arrived_us);
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
    int64_t after = redemption_key(number, winners->after), before = redemption_key(number, winners->end + 1);
    if (winners->filter == NULL)
        ask_redemptions(batch, after, before, winners->limit + 1, visit, winners);
    else
        ask_redemptions_like(batch, winners->filter, after, before, winners->limit + 1, visit, winners);
    return false;
}

static void answer(struct reading *reading) {
    struct winners *winners = (struct winners *)reading;
    if (!winners->has_more && winners->has_more_behind) {
        winners->has_more = true;
        winners->last_position = winners->end;
    }
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
    winners->end = query->last > LINE_BASE ? query->last : LIMIT_CAMPAIGN_PLACES;
    if (winners->end < winners->after) winners->end = winners->after; /* nobody stands behind it */
    if (query->is_filtered) winners->filter = &query->filter;
    if (query->is_filtered && redemption_filter_looks_at_each(&query->filter) && query->last - query->after > LOOKED_AT_MAX) {
        winners->end = query->after + LOOKED_AT_MAX;
        winners->has_more_behind = true;
    }
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
    int64_t sequence; /* of the campaign, at that moment */
    int64_t limit;    /* 0: all */
    bool has_more;    /* behind `last` */
    struct text others;
    bool is_filtered;
    struct redemption_filter filter;
    int64_t lines; /* of this piece */
};

static void write_line(struct csv_writer *writer, const struct redemption *redemption, struct money credit) {
    bool was_credited = !id_is_zero(redemption->transaction_id);
    if (redemption->position > LINE_BASE)
        csv_put_nothing(writer);
    else
        csv_put_integer(writer, redemption->position);
    csv_put_id(writer, redemption->id);
    csv_put_id(writer, redemption->user_id);
    csv_put_text(writer, phone_text(&redemption->phone));
    csv_put_text(writer, text_of(redemption_status_name(redemption->status)));
    csv_put_integer(writer, credit.amount_minor);
    csv_put_text(writer, text_of(currency_code(credit.currency)));
    if (was_credited)
        csv_put_id(writer, redemption->transaction_id);
    else
        csv_put_nothing(writer);
    csv_put_time(writer, redemption->claimed_at_us);
    if (was_credited)
        csv_put_time(writer, redemption->settled_at_us);
    else
        csv_put_nothing(writer);
    csv_end_line(writer);
}

static struct result visit_line(void *context, const struct row *row) {
    struct winners_file *file = context;
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, 0, &redemption));
    if (!file->is_filtered && redemption.position != file->seen + 1) row_refuse(row, 0, "a position is missing");
    file->seen = redemption.position;
    file->lines++;
    board_show(file->slot, &redemption, file->reading.reading.exchange->arrived_us);
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

/* Of a filter's winners the page ends before the one that is too many. */
static struct result visit_behind(void *context, const struct row *row) {
    struct winners_file *file = context;
    file->last = row_integer(row, 0) - redemption_key(file->slot->number, 1);
    file->has_more = true;
    return row_verdict(row);
}

static bool ask_filtered_piece(struct reading *reading, struct batch *batch, uint32_t round) {
    struct winners_file *file = (struct winners_file *)reading;
    int64_t after = redemption_key(file->slot->number, file->after), before = redemption_key(file->slot->number, file->last + 1);
    bool is_first = file->after == file->first;
    if (is_first && file->limit > 0 && round == 0) {
        file->has_more = false;
        ask_redemption_behind(batch, &file->filter, after, before, file->limit, visit_behind, file);
        return true;
    }
    file->seen = file->after;
    file->lines = 0;
    if (is_first) csv_begin(&file->writer, CSV_HEAD);
    if (file->after < file->last) ask_redemptions_like(batch, &file->filter, after, before, CSV_PIECE_LINES, visit_line, file);
    return false;
}

static enum stream_word advance_filtered(struct long_reading *reading) {
    struct winners_file *file = (struct winners_file *)reading;
    bool is_full = file->lines == CSV_PIECE_LINES; /* a piece that is not has seen all that there are */
    file->after = file->seen;
    return is_full && file->after < file->last ? STREAM_MORE : STREAM_END;
}

static enum stream_word advance(struct long_reading *reading) {
    struct winners_file *file = (struct winners_file *)reading;
    if (file->seen != end_of_piece(file)) return STREAM_FAILED;
    file->after = file->seen;
    return file->after == file->last ? STREAM_END : STREAM_MORE;
}

/* For machines in the head; people find it in the name of their file, which is all that a spreadsheet leaves of one. */
static void name_sequence(struct exchange *exchange, const struct winners_file *file) {
    char id[ID_TEXT_BYTES];
    reply_header(exchange, "Campaign-Sequence", arena_print(&exchange->arena, "%" PRId64, file->sequence));
    if (!file->writer.is_for_spreadsheet) return;
    id_format(file->slot->id, id);
    reply_header(exchange, "Content-Disposition",
                 arena_print(&exchange->arena, "attachment; filename=\"winners-%.*s-%" PRId64 ".csv\"", (int)sizeof id, id,
                             file->sequence));
}

static void answer_file(struct reading *reading) {
    struct winners_file *file = (struct winners_file *)reading;
    struct exchange *exchange = reading->exchange;
    name_sequence(exchange, file);
    if (file->has_more) {
        const int64_t words[PAGE_CURSOR_WORDS] = {file->last};
        struct text cursor = page_cursor(&exchange->arena, LIST_WINNERS, words);
        struct text base = text_of(exchange->service->public_url);
        reply_header(exchange, "Link",
                     arena_print(&exchange->arena, "<%.*s%.*s?limit=%" PRId64 "&cursor=%.*s%.*s>; rel=\"next\"", (int)base.size, base.data,
                                 (int)exchange->path.size, exchange->path.data, file->limit, (int)cursor.size, cursor.data,
                                 (int)file->others.size, file->others.data));
    }
    reading_stream(&file->reading, 200, "text/csv; charset=utf-8");
}

static void list_as_csv(struct exchange *exchange, const struct board_slot *slot, const struct winners_query *query) {
    struct winners_file *file = query->is_filtered
                                    ? reading_begin_long(exchange, ask_filtered_piece, answer_file, advance_filtered, sizeof *file)
                                    : reading_begin_long(exchange, ask_piece, answer_file, advance, sizeof *file);
    if (file == NULL) {
        exchange_finish(exchange);
        return;
    }
    int64_t taken = query->last;
    file->sequence = query->sequence;
    file->slot = slot;
    file->writer = (struct csv_writer){.buffer = &file->reading.piece, .is_for_spreadsheet = query->audience.size > 0};
    file->limit = query->page.page.limit;
    file->others = query->others;
    file->is_filtered = query->is_filtered;
    file->filter = query->filter;
    file->first = file->after = query->after < taken ? query->after : taken;
    file->has_more = !query->is_filtered && file->limit > 0 && taken - file->after > file->limit;
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

/* What the next page is asked with as well, percent-encoded (RFC 3986, section 2.1). */
static void append_others(struct buffer *others, struct text text) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '-' ||
                        byte == '.' || byte == '_' || byte == '~';
        const char encoded[] = {'%', hex[(uint8_t)byte >> 4], hex[(uint8_t)byte & 15]};
        buffer_append(others, is_plain ? (struct text){&byte, 1} : (struct text){encoded, sizeof encoded});
    }
}

static struct text others_of(struct exchange *exchange) {
    struct buffer others;
    buffer_init(&others, &exchange->arena, TYPED_BYTES_MAX);
    for (size_t i = 0; i < exchange->query_count; i++) {
        const struct query_value *given = &exchange->query[i];
        if (text_equal(given->name, TEXT("limit")) || text_equal(given->name, TEXT("cursor"))) continue;
        buffer_append(&others, TEXT("&"));
        append_others(&others, given->name);
        buffer_append(&others, TEXT("="));
        append_others(&others, given->value);
    }
    return others.failed ? TEXT("") : buffer_text(&others);
}

static void read_filter(const struct discount *discount, struct winners_query *query, struct faults *faults) {
    struct redemption_filter *filter = &query->filter;
    enum redemption_status status = REDEMPTION_CLAIMED;
    *filter = (struct redemption_filter){
        .status = -1, .from_us = query->from_us, .to_us = query->to_us, .user_id = query->user_id, .code_batch = -1};
    if (query->status.size > 0 && result_is_ok(redemption_status_named(query->status, &status))) filter->status = status;
    if (query->phone.size > 0 && !result_is_ok(phone_parse(query->phone, discount->region, &filter->phone)))
        faults_add(faults, "phone", "invalid_format", "must be a phone number");
}

static bool read_query(struct exchange *exchange, struct winners_query *query) {
    struct faults faults;
    bool has_user = false, has_from = false, has_to = false;
    faults_init(&faults, &exchange->arena);
    *query = (struct winners_query){.is_csv = route_wants_csv(exchange), .to_us = INT64_MAX};
    page_begin(&query->page, LIST_WINNERS);
    if (query->is_csv) query->page.page.limit = 0;
    const struct query_member members[] = {
        {.name = "limit", .kind = QUERY_INTEGER, .target = &query->page.page.limit, .min = 1, .max = CSV_LIMIT_MAX},
        {.name = "cursor", .kind = QUERY_TEXT, .target = &query->page.cursor_text, .min = 1, .max = 128},
        {.name = "for", .kind = QUERY_CHOICE, .target = &query->audience, .choices = "spreadsheet"},
        {.name = "status",
         .kind = QUERY_CHOICE,
         .target = &query->status,
         .choices = "claimed|credited|failed|applied|reversing|reversed|waiting|lapsed"},
        {.name = "user_id", .kind = QUERY_ID, .target = &query->user_id, .present = &has_user},
        {.name = "phone", .kind = QUERY_TEXT, .target = &query->phone, .min = 1, .max = TYPED_BYTES_MAX},
        {.name = "code", .kind = QUERY_TEXT, .target = &query->code, .min = 1, .max = TYPED_BYTES_MAX},
        {.name = "from", .kind = QUERY_TIME, .target = &query->from_us, .present = &has_from},
        {.name = "to", .kind = QUERY_TIME, .target = &query->to_us, .present = &has_to},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query->page, &faults);
    check_form(query, &faults);
    read_filter(discount_of(exchange), query, &faults);
    query->is_filtered = query->status.size + query->phone.size + query->code.size > 0 || has_user || has_from || has_to;
    query->after = query->page.page.has_cursor ? query->page.page.cursor[0] : 0;
    if (query->after < 0 || query->after > LINE_BASE + LINE_TICKETS_MAX)
        faults_add(&faults, "cursor", "invalid_format", "must be a next_cursor of this list");
    if (query->is_csv) query->others = others_of(exchange);
    return !request_refuse_faults(exchange, &faults);
}

/* The campaign's own code, one of its batches', or none of its codes: then nobody has won with it here. False: the answer is set. */
static bool find_code(struct exchange *exchange, const struct board_slot *slot, struct winners_query *query) {
    struct code code;
    struct code_found found = {0};
    struct redemption_filter *filter = &query->filter;
    if (query->code.size == 0) return true;
    bool is_code = result_is_ok(code_parse(query->code, &code));
    filter->code_batch = 0;
    if (is_code && text_equal(code_text(&code), board_code(slot))) return true;
    enum code_finding finding = is_code ? code_board_find(discount_of(exchange)->codes, &code, &found) : CODE_UNKNOWN;
    if (finding == CODE_UNREADABLE) {
        problem_reply(exchange, &problem_code_key_missing, "The key of the batch that it may be of is not in codes.key.");
        return false;
    }
    if (finding == CODE_FOUND && found.campaign_number == slot->number) {
        filter->code_batch = found.batch;
        filter->code_index = found.index;
    } else {
        filter->to_us = INT64_MIN;
    }
    return true;
}

/* Those who wait stand behind all places, and are no winners: they are told to whoever asks for them, or for one user, phone or code. */
static void choose_positions(const struct board_slot *slot, struct winners_query *query, int64_t now_us) {
    struct campaign_view view = board_view(slot);
    struct redemption_filter *filter = &query->filter;
    int64_t called = LINE_BASE + view.called;
    bool is_lapsed = text_equal(query->status, TEXT("lapsed")), is_of_line = is_lapsed || text_equal(query->status, TEXT("waiting"));
    query->sequence = view.sequence;
    bool is_of_few = query->is_filtered && !redemption_filter_looks_at_each(filter);
    query->last = is_of_line || is_of_few ? LINE_BASE + view.lined_up : view.redeemed;
    if (!is_of_line) return;
    filter->status = REDEMPTION_WAITING;
    if (query->after < called) query->after = called;
    if (is_lapsed != view_has_ended(&view, now_us)) filter->to_us = INT64_MIN; /* nobody */
}

void winners_list(struct exchange *exchange) {
    struct winners_query *query = ARENA_NEW(&exchange->arena, struct winners_query);
    if (query == NULL) request_refuse_memory(exchange);
    const struct board_slot *slot = query != NULL && read_query(exchange, query) ? request_campaign(exchange) : NULL;
    bool is_read = slot != NULL && find_code(exchange, slot, query);
    if (is_read) choose_positions(slot, query, exchange->arrived_us);
    if (!is_read)
        exchange_finish(exchange);
    else if (query->is_csv)
        list_as_csv(exchange, slot, query);
    else
        list_as_json(exchange, slot, query);
}
