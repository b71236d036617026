/* Folders of a test: made under /tmp, removed with all that is in them. */
#pragma once

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

static inline int folder_remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline bool folder_remove(const char *path) { return nftw(path, folder_remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0; }
