/* CSV that somebody else has made: every cell is a part of its line, lines are counted, and what was read of a line says the same when it is written down and read once more. */
#include <string.h>

#include "base/check.h"
#include "base/csv_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct text whole, struct text part) {
    return part.data >= whole.data && part.data + part.size <= whole.data + whole.size;
}

static void check_cell(struct text document, struct text cell, bool is_good) {
    CHECK(is_inside(document, cell) && memchr(cell.data, '\n', cell.size) == NULL);
    bool has_blanks = cell.size > 0 && (strchr(" \t", cell.data[0]) != NULL || strchr(" \t", cell.data[cell.size - 1]) != NULL);
    CHECK(!has_blanks || cell.data[0] == '\0' || cell.data[cell.size - 1] == '\0'); /* strchr finds the end of its text as well */
    CHECK(!is_good || memchr(cell.data, '"', cell.size) == NULL);
}

/* Each cell in quotes, as a spreadsheet writes them. */
static void check_again(const struct csv_row *row) {
    static char written[1u << 20];
    size_t size = 0;
    struct csv_reader reader;
    struct csv_row again;
    for (size_t i = 0; i < row->count; i++) {
        if (size + row->cells[i].size + 4 > sizeof written) return;
        written[size++] = '"';
        memcpy(written + size, row->cells[i].data, row->cells[i].size);
        size += row->cells[i].size;
        written[size++] = '"';
        written[size++] = i + 1 < row->count ? ',' : '\n';
    }
    csv_reader_begin(&reader, (struct text){written, size});
    CHECK(csv_read_row(&reader, &again) && again.fault == NULL && again.count == row->count);
    for (size_t i = 0; i < row->count; i++) CHECK(text_equal(again.cells[i], row->cells[i]));
    CHECK(!csv_read_row(&reader, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct text document = {(const char *)data, size};
    struct csv_reader reader;
    struct csv_row row;
    int64_t lines = 0;
    csv_reader_begin(&reader, document);
    for (size_t left = reader.rest.size; csv_read_row(&reader, &row); left = reader.rest.size) {
        CHECK(reader.line == ++lines && reader.rest.size < left);
        CHECK(row.count >= 1 && row.count <= CSV_CELLS_MAX);
        for (size_t i = 0; i < row.count; i++) check_cell(document, row.cells[i], row.fault == NULL);
        if (row.fault == NULL) check_again(&row);
    }
    CHECK(row.count == 0 && reader.rest.size == 0);
    return 0;
}
