/* The memory of the programs of a world: what SQLite takes for them, and their own malloc, calloc, realloc and free (by --wrap). A crash leaves it
 * behind; the next start of the program takes it from the beginning again, so that a world with many crashes stays small and its pages warm. What
 * is taken outside of the programs comes from a pool of the world, and what the oracle's SQLite takes from one that lasts. Large blocks, and all of them under the address sanitizer, are the
 * heap's. */
#pragma once

#include "sim/process.h"

void memory_prepare(void);
void memory_belongs_to(const struct process *process); /* what is taken from now on, by a fiber of it; NULL: by the scheduler */
void memory_begin_world(void);                         /* what was taken outside of the programs in the last one is given back */
void memory_reset(const struct process *process);      /* its threads have ended: what they kept for themselves goes too */

/* As sqlite3_mem_methods wants them (sqlite.org/c3ref/mem_methods.html). */
void *memory_take_of_sqlite(int size);
void memory_give_back(void *memory);
void *memory_resize(void *memory, int size);
int memory_size(void *memory);
int memory_round_up(int size);
