/* Large tables, of which most is never touched: zeros that come from the kernel page by page when they are first written, and go back at once.
 * Smaller ones come from the heap. So do all under the address sanitizer, which watches their edges there. */
#pragma once

#include <stddef.h>

#define PAGES_LARGE_BYTES ((size_t)128 * 1024)

/* count × size bytes of zeros. NULL: no memory, or more than can be addressed. The caller gives them back by pages_free. */
void *pages_take(size_t count, size_t size);
void pages_free(void *pages, size_t count, size_t size); /* as they were taken; NULL is taken, too */
