/* Cursors: whatever comes is refused with a fault, or is exactly the text that this service makes of the same place. */
#include <string.h>

#include "base/check.h"
#include "service/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct faults faults;
    struct page_query query;
    arena_init(&arena, LIMIT_ARENA_BYTES);
    faults_init(&faults, &arena);
    page_begin(&query, 'a');
    query.cursor_text = (struct text){(const char *)data, size};
    page_finish(&query, &faults);
    CHECK(query.page.has_cursor == (size > 0 && !faults_any(&faults)));
    if (query.page.has_cursor) CHECK(text_equal(page_cursor(&arena, 'a', query.page.cursor), query.cursor_text));
    arena_release(&arena);
    return 0;
}
