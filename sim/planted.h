/* The planted faults of sim/planted: each is looked for, seed by seed, until its world fails. */
#pragma once

#include <stdio.h>

/* Writes a Markdown table of what was found; the exit code: 1 when one was not found within the seeds that are tried. With `kept`, an earlier table, the
 * seed that it has for a fault is tried before all others; without (NULL), each fault is found by the smallest seed that finds it. */
int planted_find_all(size_t job_count, FILE *kept, FILE *table);
int planted_by_name(const char *name); /* as its patch is named; -1: this build has none of that name */
