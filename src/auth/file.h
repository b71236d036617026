/* Small files that must be whole or absent: keys and kept key sets. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"

/* RESULT_NOT_FOUND: no such file; RESULT_DENIED: open to others than its owner while `must_be_private`, or not to us; RESULT_FULL: more than `limit_bytes`, or
 * the arena's limit; RESULT_IO: not a regular file, or not readable. Symbolic links are not followed when `must_be_private`. */
struct result file_read(const char *path, size_t limit_bytes, bool must_be_private, struct arena *arena, struct text *ret_text) MUST_CHECK;

/* The file has the new content or the old one, also after a crash: a new file (0600) is written, synced, renamed over `path`, and the folder
 * synced. RESULT_IO. */
struct result file_replace(const char *path, struct text content) MUST_CHECK;
/* What was made or removed in the folder of `path` stays so after a crash. RESULT_IO. */
struct result file_sync_folder_of(const char *path) MUST_CHECK;
