/* Contents of simulated files: pages that any number of contents share, and that are copied when one of them writes. What nobody has written is
 * zeros and takes no page; a copy of a whole content costs a number for each page. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096u

struct content {
    uint32_t *pages; /* numbers; 0: zeros. Nothing is set behind the end of the content, neither in its last page */
    size_t capacity; /* of `pages` */
    size_t size;     /* in bytes */
};

void pages_prepare(void); /* once */

void content_resize(struct content *content, size_t size);
void content_write(struct content *content, size_t offset, const void *data, size_t size);
size_t content_read(const struct content *content, void *buffer, size_t size, size_t offset); /* bytes read; the rest is zeroed */
/* What `from` has in [offset, offset + size), which lies within it, goes to `target` + offset of `to`: whole pages are shared when their places
 * in both are the same. */
void content_take(struct content *to, const struct content *from, size_t offset, size_t size, size_t target);
/* Makes the pages of [offset, end) the same in `to`, which is as long as `from`. */
void content_share(struct content *to, const struct content *from, size_t offset, size_t end);
void content_free(struct content *content); /* empty, and usable again */
