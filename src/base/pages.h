/* Large tables, of which most is never touched: zeros that come from the kernel page by page when they are first written, and go back at once. Each ends, but for less
 * than 64 bytes, at a page that nobody may touch, and one more stands before its first page: who goes there is ended by the kernel, in each build, and no sanitizer
 * has to watch half a gigabyte: the address sanitizer watches what lies between. Smaller ones come from the heap. */
#pragma once

#include <stddef.h>

#define PAGES_LARGE_BYTES ((size_t)128 * 1024)

/* count × size bytes of zeros. NULL: no memory, or more than can be addressed. The caller gives them back by pages_free. */
void *pages_take(size_t count, size_t size);
void pages_free(void *pages, size_t count, size_t size); /* as they were taken; NULL is taken, too */
