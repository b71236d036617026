/* The schema of a service: its tables, and which migrations made them. */
#pragma once

#include "store/postgres/backend.h"

/* Makes the schema with all its tables, in one transaction. RESULT_CONFLICT: it is there already, and not empty. */
struct result migrate_create(struct backend *backend) MUST_CHECK;
/* *ret_version: number of the newest migration that it has. RESULT_NOT_FOUND: no such schema; RESULT_INVALID: another application's, or newer than ours. */
struct result migrate_look(struct backend *backend, size_t *ret_version) MUST_CHECK;
/* The migrations behind `version`, each in one transaction. The caller is the writer. */
struct result migrate_run(struct backend *backend, size_t version) MUST_CHECK;
/* One process at a time looks, takes the lease and migrates; until the connection ends or migrate_unlock. */
struct result migrate_lock(struct backend *backend) MUST_CHECK;
struct result migrate_unlock(struct backend *backend) MUST_CHECK;
