#include "base/csv_reader.h"

static struct text without_blanks(struct text cell) {
    while (cell.size > 0 && (cell.data[0] == ' ' || cell.data[0] == '\t')) cell = (struct text){cell.data + 1, cell.size - 1};
    while (cell.size > 0 && (cell.data[cell.size - 1] == ' ' || cell.data[cell.size - 1] == '\t')) cell.size--;
    return cell;
}

void csv_reader_begin(struct csv_reader *reader, struct text document) {
    const struct text mark = TEXT("\xEF\xBB\xBF");
    bool has_mark = document.size >= mark.size && memcmp(document.data, mark.data, mark.size) == 0;
    if (has_mark) document = (struct text){document.data + mark.size, document.size - mark.size};
    *reader = (struct csv_reader){.rest = document};
}

static struct text take_line(struct csv_reader *reader) {
    const char *end = memchr(reader->rest.data, '\n', reader->rest.size);
    struct text line = reader->rest;
    if (end == NULL) {
        reader->rest.size = 0;
    } else {
        line.size = (size_t)(end - line.data);
        reader->rest = (struct text){end + 1, reader->rest.size - line.size - 1};
    }
    if (line.size > 0 && line.data[line.size - 1] == '\r') line.size--;
    reader->line++;
    return line;
}

/* Up to the comma behind it, or to the end of the line. */
static size_t size_of_cell(struct text line) {
    bool is_quoted = false;
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] == '"') is_quoted = !is_quoted;
        if (line.data[i] == ',' && !is_quoted) return i;
    }
    return line.size;
}

static void add_cell(struct csv_row *row, struct text cell) {
    cell = without_blanks(cell);
    if (cell.size > 1 && cell.data[0] == '"' && cell.data[cell.size - 1] == '"')
        cell = without_blanks((struct text){cell.data + 1, cell.size - 2});
    if (memchr(cell.data, '"', cell.size) != NULL) row->fault = "has a quote inside of a cell, or one that is not closed";
    if (row->count == CSV_CELLS_MAX)
        row->fault = "has more cells than a line may have";
    else
        row->cells[row->count++] = cell;
}

bool csv_read_row(struct csv_reader *reader, struct csv_row *ret_row) {
    *ret_row = (struct csv_row){.count = 0};
    if (reader->rest.size == 0) return false;
    struct text line = take_line(reader);
    for (bool is_last = false; !is_last;) {
        size_t size = size_of_cell(line);
        add_cell(ret_row, (struct text){line.data, size});
        is_last = size == line.size;
        if (!is_last) line = (struct text){line.data + size + 1, line.size - size - 1};
    }
    return true;
}
