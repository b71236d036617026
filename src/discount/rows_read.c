#include <string.h>

#include "discount/rows.h"
#include "store/sqlite/database.h"

static bool read_code(struct text text, struct code *ret_code) {
    struct code code;
    if (!result_is_ok(code_parse(text, &code)) || !text_equal(code_text(&code), text)) return false;
    *ret_code = code;
    return true;
}

struct result rows_read_campaign(const struct statement *statement, struct campaign *ret_campaign) {
    struct text name = statement_text(statement, 3);
    struct campaign campaign = {
        .number = (uint32_t)statement_integer(statement, 0),
        .id = statement_id(statement, 1),
        .credit.amount_minor = statement_integer(statement, 4),
        .name_size = (uint16_t)name.size,
        .max_redemptions = statement_integer(statement, 6),
        .starts_at_us = statement_integer(statement, 7),
        .ends_at_us = statement_integer(statement, 8),
        .ended_at_us = statement_integer(statement, 9),
        .is_paused = statement_integer(statement, 10) != 0,
        .version = statement_integer(statement, 11),
        .sequence = statement_integer(statement, 12),
        .redeemed = statement_integer(statement, 13),
        .credited = statement_integer(statement, 14),
        .failed = statement_integer(statement, 15),
        .first_redeemed_at_us = statement_integer(statement, 16),
        .last_redeemed_at_us = statement_integer(statement, 17),
        .exhausted_at_us = statement_integer(statement, 18),
        .created_at_us = statement_integer(statement, 19),
        .updated_at_us = statement_integer(statement, 20),
        .fund_confirmed_minor = statement_integer(statement, 21),
        .fund_step_minor = statement_integer(statement, 22),
        .fund_step_version = statement_integer(statement, 23),
        .fund_is_released = statement_integer(statement, 24) != 0,
    };
    if (name.size > sizeof campaign.name || id_is_zero(campaign.id)) return result_error(RESULT_CORRUPT);
    if (!read_code(statement_text(statement, 2), &campaign.code)) return result_error(RESULT_CORRUPT);
    if (!result_is_ok(currency_parse(statement_text(statement, 5), &campaign.credit.currency))) return result_error(RESULT_CORRUPT);
    memcpy(campaign.name, name.data, name.size);
    *ret_campaign = campaign;
    return result_ok();
}

struct result rows_read_redemption(const struct statement *statement, struct redemption *ret_redemption) {
    int64_t key = statement_integer(statement, 0), status = statement_integer(statement, 4);
    struct text phone = statement_text(statement, 3), failure = statement_text(statement, 8);
    struct redemption redemption = {
        .id = statement_id(statement, 1),
        .campaign_number = (uint32_t)(key >> 32),
        .position = key & INT64_C(0xFFFFFFFF),
        .user_id = statement_id(statement, 2),
        .phone.size = (uint8_t)phone.size,
        .claimed_at_us = statement_integer(statement, 5),
        .settled_at_us = statement_integer(statement, 6),
        .transaction_id = statement_id(statement, 7),
        .failure_size = (uint8_t)failure.size,
    };
    if (phone.size > PHONE_BYTES_MAX || failure.size > sizeof redemption.failure) return result_error(RESULT_CORRUPT);
    if (key <= 0 || status < REDEMPTION_CLAIMED || status > REDEMPTION_FAILED || id_is_zero(redemption.id))
        return result_error(RESULT_CORRUPT);
    redemption.status = (enum redemption_status)status;
    memcpy(redemption.phone.e164, phone.data, phone.size);
    memcpy(redemption.failure, failure.data, failure.size);
    *ret_redemption = redemption;
    return result_ok();
}
