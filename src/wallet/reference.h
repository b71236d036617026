/* References: a caller's own names for what it asks. */
#pragma once

#include "base/fault.h"
#include "http/exchange.h"

enum reference_kind {
    REFERENCE_ANY,  /* 1 to 128 printable ASCII characters */
    REFERENCE_FUND, /* 1 to 128 of A-Z a-z 0-9 . _ : -, so that it stands in a path as it is */
};
bool reference_is_valid(struct text reference, enum reference_kind kind);
/* A fault for the member `name` behind `prefix` when it is not valid. */
void reference_check(struct text reference, enum reference_kind kind, const char *prefix, const char *name, struct faults *faults);
/* Whose references these are: a service's, or an administrator's, who is called `admin:` and his id. In the exchange's arena; no data: no memory. */
struct text reference_caller(struct exchange *exchange);
