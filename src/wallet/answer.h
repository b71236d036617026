/* The wallet's documents as JSON, written once for answers that are kept and for those that are read. */
#pragma once

#include "base/json/json.h"
#include "wallet/core/funds.h"
#include "wallet/core/users.h"

/* A transfer as one of its parties sees it. */
struct transaction_view {
    struct id id;
    enum transfer_kind kind;
    bool is_credit;
    struct money amount;
    int64_t balance_after;
    struct text reference, description; /* empty: null */
    struct id counterparty_account;     /* zero: none is shown */
    struct text counterparty_name;
    int64_t created_at_us;
};
void answer_write_transaction(struct json_writer *writer, const struct transaction_view *view);
void answer_write_user(struct json_writer *writer, const struct user *user);
void answer_write_fund(struct json_writer *writer, const struct fund *fund);               /* with its account */
void answer_text_or_null(struct json_writer *writer, const char *name, struct text value); /* empty: null */
