/* codes import and export: whole files of codes, of any length, by the routes of a service that runs. So each is decided, kept and noted in the audit log as if its
 * administrator had called: there is no second way to a code. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"

struct code_files {
    const char *url;      /* of the service, without a slash at its end */
    const char *ca;       /* PEM: whom to believe about it; NULL: the system's authorities */
    const char *campaign; /* ids, as typed */
    const char *batch;    /* export */
    const char *state;    /* export; "any" */
    const char *on_error; /* import: "refuse", "skip" */
    int64_t part_kib;     /* import: as much is sent at once */
    bool is_for_spreadsheet;
};

/* The token of an administrator is the first line of standard input. What was done is said on standard output, how far it is and what was refused on standard error;
 * `path` of an export may be "-", its standard output. RESULT_DENIED: the service refuses it; RESULT_IO: the file, or the service, can't be read or written. */
struct result code_files_import(const struct code_files *files, const char *path) MUST_CHECK;
struct result code_files_export(const struct code_files *files, const char *path) MUST_CHECK;
