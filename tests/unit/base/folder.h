/* Folders of a test: made in $TMPDIR or /tmp, removed with all that is in them. */
#pragma once

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/check.h"

#define FOLDER_BYTES 64

static inline const char *folder_home(void) {
    const char *home = getenv("TMPDIR");
    return home == NULL || home[0] == '\0' ? "/tmp" : home;
}

/* A new one whose name begins so. */
static inline void folder_create(char folder[FOLDER_BYTES], const char *name) {
    CHECK(snprintf(folder, FOLDER_BYTES, "%s/%s-XXXXXX", folder_home(), name) < FOLDER_BYTES);
    CHECK(mkdtemp(folder) != NULL);
}

static inline int folder_remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline bool folder_remove(const char *path) { return nftw(path, folder_remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0; }
