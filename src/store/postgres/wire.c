#include "store/postgres/wire.h"

#include <endian.h>

#include "base/check.h"

/* src/include/catalog/pg_type.dat: they never change. */
enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_NAME = 19,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_UNKNOWN = 705,
    TYPE_BYTEA_ARRAY = 1001,
    TYPE_TEXT_ARRAY = 1009,
    TYPE_INT8_ARRAY = 1016,
    TYPE_VARCHAR = 1043,
    TYPE_NUMERIC = 1700,
    TYPE_UUID = 2950,
    TYPE_UUID_ARRAY = 2951,
};

Oid wire_type(enum column column) {
    static const Oid types[] = {
        [COLUMN_INTEGER] = TYPE_INT8, [COLUMN_TEXT] = TYPE_TEXT, [COLUMN_BYTES] = TYPE_BYTEA, [COLUMN_ID] = TYPE_UUID};
    return types[column];
}

Oid wire_array_type(enum column column) {
    static const Oid types[] = {[COLUMN_INTEGER] = TYPE_INT8_ARRAY,
                                [COLUMN_TEXT] = TYPE_TEXT_ARRAY,
                                [COLUMN_BYTES] = TYPE_BYTEA_ARRAY,
                                [COLUMN_ID] = TYPE_UUID_ARRAY};
    return types[column];
}

/* ---- writing ---- */

static char *write_bytes(char *out, const void *data, size_t size) {
    if (size > 0) memcpy(out, data, size);
    return out + size;
}

static char *write_u32(char *out, uint32_t value) {
    uint32_t wire = htobe32(value);
    return write_bytes(out, &wire, sizeof wire);
}

size_t wire_value_size(const struct value *value) {
    if (value->is_null) return 0;
    switch (value->column) {
    case COLUMN_NONE: break;
    case COLUMN_INTEGER: return sizeof value->integer;
    case COLUMN_TEXT:
    case COLUMN_BYTES: return value->text.size;
    case COLUMN_ID: return sizeof value->id.bytes;
    }
    return 0;
}

char *wire_write_value(char *out, const struct value *value) {
    CHECK(!value->is_null);
    uint64_t wire;
    switch (value->column) {
    case COLUMN_NONE: break;
    case COLUMN_INTEGER: wire = htobe64((uint64_t)value->integer); return write_bytes(out, &wire, sizeof wire);
    case COLUMN_TEXT:
    case COLUMN_BYTES: return write_bytes(out, value->text.data, value->text.size);
    case COLUMN_ID: return write_bytes(out, value->id.bytes, sizeof value->id.bytes);
    }
    return out;
}

/* One dimension, from 1, some may be NULL. */
char *wire_write_array_head(char *out, enum column column, size_t count) {
    out = write_u32(out, 1);
    out = write_u32(out, 1);
    out = write_u32(out, wire_type(column));
    out = write_u32(out, (uint32_t)count);
    return write_u32(out, 1);
}

char *wire_write_element(char *out, const struct value *value) {
    if (value->is_null) return write_u32(out, UINT32_MAX);
    return wire_write_value(write_u32(out, (uint32_t)wire_value_size(value)), value);
}

/* ---- reading ---- */

static uint64_t read_unsigned(const char *data, int size) {
    uint64_t value = 0;
    for (int i = 0; i < size; i++) value = value << 8 | (unsigned char)data[i];
    return value;
}

/* Digits of base 10,000: their number, the weight of the first, sign, digits behind the point; sum() of bigint gives this. */
static struct value read_numeric(const char *data, int size) {
    static const struct value no_integer = {.column = COLUMN_NONE};
    if (size < 8) return no_integer;
    int count = (int)read_unsigned(data, 2), weight = (int16_t)read_unsigned(data + 2, 2);
    uint64_t sign = read_unsigned(data + 4, 2);
    int64_t value = 0;
    if (size < 8 + 2 * count || weight > 5 || (sign != 0 && sign != 0x4000)) return no_integer;
    for (int i = 0; i <= weight || i < count; i++) {
        int64_t digit = i < count ? (int64_t)read_unsigned(data + 8 + 2 * i, 2) : 0;
        if (i > weight) {
            if (digit != 0) return no_integer;
        } else if (__builtin_mul_overflow(value, 10000, &value) || __builtin_add_overflow(value, sign == 0 ? digit : -digit, &value)) {
            return no_integer;
        }
    }
    return value_integer(value);
}

struct value wire_read_cell(const PGresult *answer, int row, int column) {
    const char *data = PQgetvalue(answer, row, column);
    int size = PQgetlength(answer, row, column);
    struct value value = {.column = COLUMN_NONE};
    if (PQgetisnull(answer, row, column)) return value_null(COLUMN_NONE);
    switch (PQftype(answer, column)) {
    case TYPE_BOOL: return value_integer((int64_t)read_unsigned(data, size));
    case TYPE_INT2: return value_integer((int16_t)read_unsigned(data, size));
    case TYPE_INT4: return value_integer((int32_t)read_unsigned(data, size));
    case TYPE_INT8: return value_integer((int64_t)read_unsigned(data, size));
    case TYPE_NUMERIC: return read_numeric(data, size);
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_NAME:
    case TYPE_UNKNOWN: return value_text((struct text){data, (size_t)size});
    case TYPE_BYTEA: return value_bytes(data, (size_t)size);
    case TYPE_UUID:
        value.column = COLUMN_ID;
        CHECK(size == sizeof value.id.bytes);
        memcpy(value.id.bytes, data, sizeof value.id.bytes);
        return value;
    default: return value;
    }
}

int64_t wire_read_ordinal(const PGresult *answer, int row) {
    struct value value = wire_read_cell(answer, row, 0);
    return value.column == COLUMN_INTEGER && !value.is_null ? value.integer : 0;
}
