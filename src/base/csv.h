/* Writing CSV (RFC 4180): lines end with CRLF, a cell is quoted when it must be. Reading is nobody's business here.
 *
 * For a spreadsheet: a byte order mark, without which it takes the file for another encoding, and texts that it would take for a number or a formula
 * (a phone number, a name that begins with "=") behind an apostrophe, which is how a spreadsheet itself writes down that a cell is text. Numbers stay
 * numbers. */
#pragma once

#include "base/buffer.h"
#include "base/id.h"

struct csv_writer {
    struct buffer *buffer;
    bool is_for_spreadsheet;
    bool comma_due;
};

/* The beginning of a document: `head` is its first line, without an end. */
void csv_begin(struct csv_writer *writer, const char *head);
void csv_put_text(struct csv_writer *writer, struct text value);
void csv_put_integer(struct csv_writer *writer, int64_t value);
void csv_put_id(struct csv_writer *writer, struct id value);
void csv_put_time(struct csv_writer *writer, int64_t time_us); /* RFC 3339 */
void csv_put_nothing(struct csv_writer *writer);
void csv_end_line(struct csv_writer *writer);
