/* Which program this is. */
#pragma once

#define SERVICE_VERSION "0.2.0" /* semantic versioning: CHANGELOG.md */
extern const char service_commit
    []; /* what it was built from: the beginning of the commit's hash, with "-dirty" behind it when that is not all; or "unknown" */
