/* A campaign's report as a picture: SVG (W3C, version 2) of a size that was asked for, with nothing in it that is fetched or run. */
#pragma once

#include "base/buffer.h"
#include "discount/board.h"

#define PLOT_WIDTH_MIN  320
#define PLOT_WIDTH_MAX  2400
#define PLOT_HEIGHT_MIN 240
#define PLOT_HEIGHT_MAX 1600

/* In CSS pixels, which are the document's units as well: texts have the same size in a small picture as in a large one. */
struct plot_size {
    int64_t width, height;
};

/* By seconds when all that is known happened within a quarter of an hour, else by minutes. RESULT_FULL is the buffer's. */
void plot_write(struct buffer *buffer, struct plot_size size, struct text name, const struct board_snapshot *snapshot,
                const struct board_minutes *minutes, int64_t now_us);
