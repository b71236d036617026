/* Values in PostgreSQL's binary formats (src/backend/utils/adt: int8.c, varlena.c, uuid.c, arrayfuncs.c, numeric.c): big endian. */
#pragma once

#include <libpq-fe.h>

#include "store/batch.h"

#define WIRE_ARRAY_HEAD_BYTES   20u
#define WIRE_ELEMENT_HEAD_BYTES 4u

Oid wire_type(enum column column);
Oid wire_array_type(enum column column);

size_t wire_value_size(const struct value *value); /* 0 for NULL */
/* Each writes at `out` and returns where it ended. */
char *wire_write_value(char *out, const struct value *value); /* not NULL */
char *wire_write_array_head(char *out, enum column column, size_t count);
char *wire_write_element(char *out, const struct value *value);

/* Any column, as what it is: whole numbers of all kinds and booleans as integers; what no table of ours may hold is COLUMN_NONE. The answer owns it. */
struct value wire_read_cell(const PGresult *answer, int row, int column);
int64_t wire_read_ordinal(const PGresult *answer, int row); /* column 0; 0 when it is none */
