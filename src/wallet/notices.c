#include "wallet/notices.h"

#include "base/log.h"
#include "wallet/wallet.h"

/* Whoever knows a password may log in as often as the pool hashes: of a crowd some of each second are told, and how many there were besides. */
static struct log_burst logins = {.window_us = CLOCK_SECOND_US, .lines_max = 20};
static struct log_burst refusals = {.window_us = 60 * CLOCK_SECOND_US, .lines_max = 5};

/* From where, and by which request. */
static void add_client(const struct exchange *exchange, char from[ADDRESS_TEXT_BYTES], struct log_field *ret_fields) {
    const struct address client = exchange_payer(exchange);
    address_format(&client, from);
    ret_fields[0] = LOG_STRING("client", from);
    ret_fields[1] = LOG_TEXT("request_id", exchange->request_id);
}

void notices_login(const struct exchange *exchange, const struct user *user) {
    char from[ADDRESS_TEXT_BYTES];
    struct log_field fields[2];
    add_client(exchange, from, fields);
    LOG_BURST(&logins, LOG_INFO, "login", LOG_ID("user_id", user->id), fields[0], fields[1]);
}

void notices_login_refused(const struct exchange *exchange, const struct user *user, const char *reason) {
    char from[ADDRESS_TEXT_BYTES];
    struct log_field fields[2];
    add_client(exchange, from, fields);
    if (user != NULL) {
        LOG_BURST(&refusals, LOG_INFO, "login_refused", LOG_STRING("reason", reason), LOG_ID("user_id", user->id), fields[0], fields[1]);
    } else {
        LOG_BURST(&refusals, LOG_INFO, "login_refused", LOG_STRING("reason", reason), fields[0], fields[1]);
    }
}

void notices_transfer(const struct wallet *wallet, const struct exchange *exchange, const struct transfer *transfer) {
    if (transfer->amount.amount_minor < wallet->transfer_told_minor) return;
    const char *kind = transfer_kind_name(transfer->kind), *currency = currency_code(transfer->amount.currency);
    if (exchange == NULL) {
        LOG(LOG_INFO, "large_transfer", LOG_ID("transaction_id", transfer->id), LOG_STRING("kind", kind),
            LOG_INTEGER("amount", transfer->amount.amount_minor), LOG_STRING("currency", currency), LOG_TEXT("caller", transfer->caller));
        return;
    }
    char from[ADDRESS_TEXT_BYTES];
    struct log_field fields[2];
    add_client(exchange, from, fields);
    LOG(LOG_INFO, "large_transfer", LOG_ID("transaction_id", transfer->id), LOG_STRING("kind", kind),
        LOG_INTEGER("amount", transfer->amount.amount_minor), LOG_STRING("currency", currency), LOG_ID("user_id", exchange->caller.user_id),
        fields[0], fields[1]);
}
