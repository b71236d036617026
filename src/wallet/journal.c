#include "wallet/journal.h"

#include "base/check.h"
#include "http/query.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/core/ledger.h"
#include "wallet/tables.h"
#include "wallet/wallet.h"

#define HEAD_BYTES     256u
#define LINE_BYTES_MAX 8192u /* the longest line: each character of its texts is escaped */
#define PIECE_LINES    INT64_C(32)

static void write_hash(struct json_writer *writer, struct text hash) {
    static const char digits[] = "0123456789abcdef";
    char text[2 * CRYPTO_HASH_BYTES];
    CHECK(hash.size <= CRYPTO_HASH_BYTES);
    for (size_t i = 0; i < hash.size; i++) {
        text[2 * i] = digits[(uint8_t)hash.data[i] >> 4];
        text[2 * i + 1] = digits[(uint8_t)hash.data[i] & 15];
    }
    json_text_member(writer, "hash", (struct text){text, 2 * hash.size});
}

/* ---- the head ---- */

struct head_reading {
    struct reading reading; /* first */
    struct ledger_head head;
};

static struct result head_found(void *context, const struct row *row) {
    struct ledger_head *head = context;
    head->sequence = row_integer_between(row, 0, 1, INT64_MAX);
    row_bytes_into(row, 1, head->hash.bytes, sizeof head->hash.bytes);
    head->created_at_us = row_time(row, 2);
    return result_ok();
}

static bool ask_for_head(struct reading *reading, struct batch *batch, uint32_t round) {
    struct head_reading *read = (struct head_reading *)reading;
    (void)round;
    read->head = (struct ledger_head){0};
    ask_head(batch, head_found, &read->head);
    return false;
}

static void answer_head(struct reading *reading) {
    const struct ledger_head *head = &((const struct head_reading *)reading)->head;
    struct exchange *exchange = reading->exchange;
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, HEAD_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_integer_member(&writer, "sequence", head->sequence);
    write_hash(&writer, (struct text){(const char *)head->hash.bytes, sizeof head->hash.bytes});
    if (head->sequence > 0)
        json_time_member(&writer, "time", head->created_at_us);
    else
        json_null_member(&writer, "time");
    json_end_object(&writer);
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}

void journal_get_head(struct exchange *exchange) {
    struct head_reading *read = reading_begin(exchange, ask_for_head, answer_head, sizeof *read);
    if (read == NULL)
        exchange_finish(exchange);
    else
        reading_start(&read->reading);
}

/* ---- the journal ---- */

struct journal {
    struct long_reading reading; /* first */
    /* Sequences: those above `after` up to `last` are still to come, `seen` is the last of this piece; `last` is what there was when it began. */
    int64_t after, seen, last;
    bool has_begun, is_full;
    struct ledger_head head;
    struct json_writer writer;
};

static void write_side(struct json_writer *writer, const struct row *row, const char *const names[3], int first, int balance) {
    json_integer_member(writer, names[0], row_integer(row, first));
    json_integer_member(writer, names[1], row_integer(row, first + 1));
    json_integer_member(writer, names[2], row_integer_or_zero(row, balance));
}

/* What the hash covers, but for the hash of the transfer before: it is the line before. */
static struct result write_line(struct journal *self, const struct row *row) {
    static const char *const debit[] = {"debit_account", "debit_sequence", "debit_balance_after"};
    static const char *const credit[] = {"credit_account", "credit_sequence", "credit_balance_after"};
    struct json_writer *writer = &self->writer;
    struct text hash = row_bytes(row, 14);
    if (hash.size != CRYPTO_HASH_BYTES) row_refuse(row, 14, "no hash");
    if (row_text(row, 12).size > LIMIT_METADATA_BYTES || row_text(row, 11).size > 4u * LIMIT_DESCRIPTION_CHARACTERS)
        row_refuse(row, 11, "too long a text");
    TRY(row_verdict(row));
    writer->comma_due = false;
    json_begin_object(writer);
    json_integer_member(writer, "sequence", row_integer(row, 0));
    json_id_member(writer, "id", row_id(row, 1));
    json_text_member(writer, "kind", text_of(transfer_kind_name(row_transfer_kind(row, 2))));
    write_side(writer, row, debit, 3, 16);
    write_side(writer, row, credit, 5, 19);
    json_integer_member(writer, "amount", row_integer(row, 7));
    json_text_member(writer, "currency", row_text(row, 8));
    json_text_member(writer, "caller", text_cut(row_text(row, 9), LIMIT_REFERENCE_BYTES));
    json_text_member(writer, "reference", text_cut(row_text(row, 10), LIMIT_REFERENCE_BYTES));
    json_text_member(writer, "description", row_text(row, 11));
    json_text_member(writer, "metadata", row_text(row, 12));
    json_time_member(writer, "created_at", row_time(row, 13));
    json_integer_member(writer, "origin", row_integer(row, 21));
    if (row_integer(row, 22) == 0)
        json_null_member(writer, "expires_at");
    else
        json_time_member(writer, "expires_at", row_time(row, 22));
    write_hash(writer, hash);
    json_end_object(writer);
    buffer_append_byte(writer->buffer, '\n');
    return row_verdict(row);
}

static struct result transfer_found(void *context, const struct row *row) {
    struct journal *self = context;
    self->is_full = self->is_full || STREAM_PIECE_BYTES - self->reading.piece.size < LINE_BYTES_MAX;
    if (self->is_full) return result_ok();
    if (row_integer(row, 0) != self->seen + 1) row_refuse(row, 0, "a transfer is missing before it");
    TRY(write_line(self, row));
    self->seen++;
    return result_ok();
}

static bool ask_piece(struct reading *reading, struct batch *batch, uint32_t round) {
    struct journal *self = (struct journal *)reading;
    if (!self->has_begun && round == 0) {
        self->head = (struct ledger_head){0};
        ask_head(batch, head_found, &self->head);
        return true;
    }
    if (!self->has_begun) self->last = self->head.sequence > self->after ? self->head.sequence : self->after;
    self->seen = self->after;
    self->is_full = false;
    if (self->after < self->last) ask_journal(batch, self->after, self->last, PIECE_LINES, transfer_found, self);
    return false;
}

static enum stream_word advance(struct long_reading *reading) {
    struct journal *self = (struct journal *)reading;
    if (self->after < self->last && self->seen == self->after) return STREAM_FAILED;
    self->has_begun = true;
    self->after = self->seen;
    return self->after == self->last ? STREAM_END : STREAM_MORE;
}

static void answer_journal(struct reading *reading) { reading_stream((struct long_reading *)reading, 200, JOURNAL_TYPE); }

void journal_list(struct exchange *exchange) {
    struct faults faults;
    int64_t after = 0;
    faults_init(&faults, &exchange->arena);
    const struct query_member members[] = {{.name = "after", .kind = QUERY_INTEGER, .target = &after, .min = 0, .max = INT64_MAX - 1}};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    struct journal *self = NULL;
    if (!request_refuse_faults(exchange, &faults)) self = reading_begin_long(exchange, ask_piece, answer_journal, advance, sizeof *self);
    if (self == NULL) {
        exchange_finish(exchange);
        return;
    }
    self->after = after;
    self->writer = (struct json_writer){.buffer = &self->reading.piece};
    reading_start(&self->reading.reading);
}
