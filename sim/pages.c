#include "sim/pages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

#define PAGES_MAX (UINT32_C(1) << 18) /* 1 GiB of addresses */

/* The counts stand apart, so that sharing a page touches little memory. Page 0 is zeros, and nobody's. */
static uint8_t *data;
static uint32_t sharers[PAGES_MAX];
static uint32_t free_pages[PAGES_MAX];
static uint32_t free_count, used_count = 1;

void pages_prepare(void) {
    data = mmap(NULL, (size_t)PAGES_MAX * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(data != MAP_FAILED);
}

static uint8_t *at(uint32_t page) { return data + (size_t)page * PAGE_BYTES; }

static uint32_t take_page(void) {
    CHECK(free_count > 0 || used_count < PAGES_MAX);
    uint32_t page = free_count > 0 ? free_pages[--free_count] : used_count++;
    sharers[page] = 1;
    return page;
}

static void drop(uint32_t page) {
    if (page == 0) return;
    CHECK(sharers[page] > 0);
    if (--sharers[page] == 0) free_pages[free_count++] = page;
}

static void share(uint32_t *to, uint32_t page) {
    if (page != 0) sharers[page]++;
    drop(*to);
    *to = page;
}

/* Its bytes outside of the part that is written next stay what they are. */
static uint8_t *own(uint32_t *page, bool is_whole) {
    if (*page != 0 && sharers[*page] == 1) return at(*page);
    uint32_t mine = take_page();
    if (!is_whole) memcpy(at(mine), at(*page), PAGE_BYTES);
    drop(*page);
    *page = mine;
    return at(mine);
}

static void reserve(struct content *content, size_t size) {
    size_t wanted = (size + PAGE_BYTES - 1) / PAGE_BYTES;
    if (wanted <= content->capacity) return;
    size_t capacity = content->capacity * 2 > wanted ? content->capacity * 2 : wanted + 8;
    content->pages = realloc(content->pages, capacity * sizeof *content->pages);
    CHECK(content->pages != NULL);
    memset(content->pages + content->capacity, 0, (capacity - content->capacity) * sizeof *content->pages);
    content->capacity = capacity;
}

void content_resize(struct content *content, size_t size) {
    reserve(content, size);
    if (size < content->size) {
        size_t kept = (size + PAGE_BYTES - 1) / PAGE_BYTES, had = (content->size + PAGE_BYTES - 1) / PAGE_BYTES;
        for (size_t i = kept; i < had; i++) share(&content->pages[i], 0);
        size_t rest = size % PAGE_BYTES;
        if (rest > 0 && content->pages[kept - 1] != 0) memset(own(&content->pages[kept - 1], false) + rest, 0, PAGE_BYTES - rest);
    }
    content->size = size;
}

static bool is_zeros(const uint8_t *bytes, size_t size) { return size > 0 && bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0; }

void content_write(struct content *content, size_t offset, const void *bytes, size_t size) {
    if (size == 0) return;
    reserve(content, offset + size);
    if (offset + size > content->size) content->size = offset + size;
    for (const uint8_t *from = bytes; size > 0;) {
        uint32_t *page = &content->pages[offset / PAGE_BYTES];
        size_t start = offset % PAGE_BYTES, part = PAGE_BYTES - start < size ? PAGE_BYTES - start : size;
        if (is_zeros(from, part) && (*page == 0 || part == PAGE_BYTES)) {
            share(page, 0);
        } else {
            memcpy(own(page, part == PAGE_BYTES) + start, from, part);
        }
        offset += part;
        from += part;
        size -= part;
    }
}

size_t content_read(const struct content *content, void *buffer, size_t size, size_t offset) {
    size_t there = offset < content->size ? content->size - offset : 0;
    if (there > size) there = size;
    for (size_t done = 0; done < there;) {
        size_t start = (offset + done) % PAGE_BYTES, part = PAGE_BYTES - start < there - done ? PAGE_BYTES - start : there - done;
        memcpy((uint8_t *)buffer + done, at(content->pages[(offset + done) / PAGE_BYTES]) + start, part);
        done += part;
    }
    memset((uint8_t *)buffer + there, 0, size - there);
    return there;
}

void content_take(struct content *to, const struct content *from, size_t offset, size_t size, size_t target) {
    CHECK(offset + size <= from->size);
    if (size == 0) return;
    reserve(to, target + size);
    if (target + size > to->size) to->size = target + size;
    for (size_t done = 0; done < size;) {
        size_t start = (offset + done) % PAGE_BYTES, part = PAGE_BYTES - start < size - done ? PAGE_BYTES - start : size - done;
        uint32_t page = from->pages[(offset + done) / PAGE_BYTES];
        if (part == PAGE_BYTES && (target + done) % PAGE_BYTES == 0) {
            share(&to->pages[(target + done) / PAGE_BYTES], page);
        } else {
            content_write(to, target + done, at(page) + start, part);
        }
        done += part;
    }
}

void content_share(struct content *to, const struct content *from, size_t offset, size_t end) {
    CHECK(to->size == from->size && end <= from->size);
    for (size_t i = offset / PAGE_BYTES; i * PAGE_BYTES < end; i++) share(&to->pages[i], from->pages[i]);
}

void content_free(struct content *content) {
    content_resize(content, 0);
    free(content->pages);
    *content = (struct content){0};
}
