/* Memory that ends, by the linker's --wrap=calloc (the last word of this test's line in meson.build). */
#pragma once

#include <stdint.h>
#include <stdlib.h>

static size_t objects_left = SIZE_MAX; /* there are so many; the one behind them fails, and those behind it do not */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size) {
    bool fails = objects_left == 0;
    objects_left = fails || objects_left == SIZE_MAX ? SIZE_MAX : objects_left - 1;
    return fails ? NULL : __real_calloc(count, size);
}
