/* A database in one file to carry away, and back. The file is SQLite's own, without a WAL beside it, so that it can be copied; what else belongs to it (keys)
 * lies in a table of its own, which no schema of ours has. */
#pragma once

#include "base/arena.h"
#include "base/text.h"

/* Copies one state of the database at `from`, which may be in use by others meanwhile, to `to` (0600), which is made anew and synced. `progress`, which may
 * be NULL, hears per cent, growing. RESULT_NOT_FOUND, RESULT_FULL, RESULT_UNAVAILABLE, RESULT_CORRUPT, RESULT_IO; logged, and `to` is gone then. */
struct result database_copy(const char *from, const char *to, void (*progress)(void *context, int percent), void *context) MUST_CHECK;

/* Adds a file to such a copy. */
struct result database_put_file(const char *path, struct text name, struct text content) MUST_CHECK;
/* Takes all of them out again, and leaves no trace of their content. What the visitor says ends it. */
struct result database_take_files(const char *path, struct result (*visit)(void *context, struct text name, struct text content),
                                  void *context) MUST_CHECK;
