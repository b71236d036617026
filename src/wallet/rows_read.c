#include "wallet/rows_read.h"

#include <string.h>

#include "base/check.h"

enum currency rows_read_currency(const struct statement *statement, int column) {
    enum currency currency = CURRENCY_NONE;
    struct result parsed = currency_parse(statement_text(statement, column), &currency);
    CHECK(result_is_ok(parsed)); /* the table's own constraint */
    return currency;
}

void rows_read_hash(const struct statement *statement, int column, struct hash *ret_hash) {
    struct text blob = statement_blob(statement, column);
    CHECK(blob.size == sizeof ret_hash->bytes);
    memcpy(ret_hash->bytes, blob.data, blob.size);
}

void rows_read_account(const struct statement *statement, int first, struct account *ret_account) {
    *ret_account = (struct account){
        .number = statement_integer(statement, first),
        .id = statement_id(statement, first + 1),
        .kind = (enum account_kind)statement_integer(statement, first + 2),
        .user_id = statement_id(statement, first + 3),
        .currency = rows_read_currency(statement, first + 4),
        .debits_posted = statement_integer(statement, first + 5),
        .credits_posted = statement_integer(statement, first + 6),
        .debits_pending = statement_integer(statement, first + 7),
        .credits_pending = statement_integer(statement, first + 8),
        .sequence = statement_integer(statement, first + 9),
        .floor_minor = statement_integer(statement, first + 10),
        .is_frozen = statement_integer(statement, first + 11) != 0,
        .created_at_us = statement_integer(statement, first + 12),
        .updated_at_us = statement_integer(statement, first + 13),
    };
}

void rows_read_user(const struct statement *statement, int first, struct user *ret_user) {
    *ret_user = (struct user){
        .id = statement_id(statement, first),
        .is_admin = statement_integer(statement, first + 4) != 0,
        .created_at_us = statement_integer(statement, first + 5),
        .sessions_cutoff = statement_id(statement, first + 6),
        .kept_session = statement_id(statement, first + 7),
        .sessions_ended_at_us = statement_integer(statement, first + 8),
    };
    struct text name = statement_text(statement, first + 1), phone = statement_text(statement, first + 2);
    struct text password_hash = statement_text(statement, first + 3);
    CHECK(name.size <= sizeof ret_user->name && phone.size <= sizeof ret_user->phone.e164);
    CHECK(password_hash.size < sizeof ret_user->password_hash);
    memcpy(ret_user->name, name.data, name.size);
    ret_user->name_size = (uint8_t)name.size;
    if (phone.size > 0) memcpy(ret_user->phone.e164, phone.data, phone.size);
    ret_user->phone.size = (uint8_t)phone.size;
    memcpy(ret_user->password_hash, password_hash.data, password_hash.size);
}

void rows_read_fund(const struct statement *statement, int first, struct fund *ret_fund) {
    *ret_fund = (struct fund){
        .caller = statement_text(statement, first),
        .reference = statement_text(statement, first + 1),
        .opened_minor = statement_integer(statement, first + 2),
        .funded_minor = statement_integer(statement, first + 3),
        .credited_minor = statement_integer(statement, first + 4),
        .released_minor = statement_integer(statement, first + 5),
        .is_released = statement_integer(statement, first + 6) != 0,
        .description = statement_text(statement, first + 7),
        .created_at_us = statement_integer(statement, first + 8),
        .updated_at_us = statement_integer(statement, first + 9),
    };
}
