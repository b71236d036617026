/* Cursors: the place where the last page ended, as opaque text. The first byte is the list's letter, so that the cursor of another list is
 * refused, then the words big-endian. */
#include <string.h>

#include "base/crypto.h"
#include "http/query.h"
#include "service/service.h"

#define CURSOR_BYTES (1 + PAGE_CURSOR_WORDS * 8)

void page_begin(struct page_query *query, char list) {
    *query = (struct page_query){.list = (uint8_t)list, .page = {.limit = DEFAULT_PAGE_ITEMS}};
}

void page_finish(struct page_query *query, struct faults *faults) {
    if (query->cursor_text.size == 0) return;
    uint8_t bytes[CURSOR_BYTES];
    size_t size = 0;
    struct result decoded = crypto_base64url_decode(query->cursor_text, bytes, sizeof(bytes), &size);
    if (!result_is_ok(decoded) || size != sizeof(bytes) || bytes[0] != query->list) {
        faults_add(faults, "cursor", "invalid_format", "must be a next_cursor of this list, unchanged");
        return;
    }
    for (size_t word = 0; word < PAGE_CURSOR_WORDS; word++) {
        uint64_t value = 0;
        for (size_t i = 0; i < 8; i++) value = value << 8 | bytes[1 + word * 8 + i];
        query->page.cursor[word] = (int64_t)value;
    }
    query->page.has_cursor = true;
}

struct text page_cursor(struct arena *arena, char list, const int64_t words[PAGE_CURSOR_WORDS]) {
    uint8_t bytes[CURSOR_BYTES] = {(uint8_t)list};
    for (size_t word = 0; word < PAGE_CURSOR_WORDS; word++) {
        for (size_t i = 0; i < 8; i++) bytes[1 + word * 8 + i] = (uint8_t)((uint64_t)words[word] >> (56 - 8 * i));
    }
    size_t size = crypto_base64url_size(sizeof(bytes));
    char *text = arena_take(arena, size);
    if (text == NULL) return (struct text){0};
    crypto_base64url(bytes, sizeof(bytes), text);
    return (struct text){text, size};
}
