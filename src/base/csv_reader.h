/* Reading CSV (RFC 4180) that people and spreadsheets have made: lines end with CRLF or LF, a byte order mark is passed over, a cell may be quoted. No cell goes over
 * several lines, and none has a quote inside: what is read here, ids, phone numbers and codes, has neither. */
#pragma once

#include "base/text.h"

#define CSV_CELLS_MAX 8u

struct csv_reader {
    struct text rest;
    int64_t line; /* of the row that was read last, from 1 */
};

struct csv_row {
    struct text cells[CSV_CELLS_MAX]; /* in the document, without quotes and blanks around them */
    size_t count;
    const char *fault; /* what is wrong with the line; NULL: nothing */
};

void csv_reader_begin(struct csv_reader *reader, struct text document);
/* False: there is no more. An empty line is a row with one empty cell. */
bool csv_read_row(struct csv_reader *reader, struct csv_row *ret_row);
