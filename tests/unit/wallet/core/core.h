/* The pure core by itself: the working set begins with issuance alone, and rows come in by commands or by hand. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "wallet/core/chain.h"
#include "wallet/core/credits.h"
#include "wallet/core/funds.h"
#include "wallet/core/holds.h"
#include "wallet/core/payments.h"
#include "wallet/core/references.h"
#include "wallet/core/reversals.h"
#include "wallet/core/sessions.h"
#include "wallet/core/users.h"

#define CORE_START_US INT64_C(1795366116000000)
#define CORE_PASSWORD "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"

struct core {
    struct ledger ledger;
    struct id_source ids;
    uint64_t seed;
    int64_t now_us;
};

static inline void core_random(void *context, void *buffer, uint64_t size) {
    uint64_t *seed = context;
    for (uint64_t i = 0; i < size; i++) ((uint8_t *)buffer)[i] = (uint8_t)(*seed = *seed * UINT64_C(6364136223846793005) + 1);
}

static inline int core_make(void **state) {
    struct core *core = calloc(1, sizeof *core);
    assert_non_null(core);
    core->seed = 7;
    core->now_us = CORE_START_US;
    id_source_init(&core->ids, core_random, &core->seed);
    assert_true(result_is_ok(ledger_init(&core->ledger, CURRENCY_IRT, &core->ids)));
    struct account issuance =
        account_new(1, id_make(&core->ids, core->now_us), ACCOUNT_ISSUANCE, (struct id){{0}}, CURRENCY_IRT, core->now_us);
    issuance.state = ROW_KEPT;
    assert_true(result_is_ok(ledger_add_account(&core->ledger, &issuance, NULL)));
    core->ledger.last_account_number = 1;
    *state = core;
    return 0;
}

static inline int core_drop(void **state) {
    struct core *core = *state;
    ledger_free(&core->ledger);
    free(core);
    return 0;
}

#define CORE_TEST(test) cmocka_unit_test_setup_teardown(test, core_make, core_drop)

/* ---- commands ---- */

static inline struct user *core_register(struct core *core, const char *name) {
    struct user *user = NULL;
    struct register_command command = {.name = text_of(name), .password_hash = CORE_PASSWORD};
    assert_int_equal(ledger_register_user(&core->ledger, &command, core->now_us, &user), LEDGER_APPLIED);
    return user;
}

static inline struct account *core_open_wallet(struct core *core, const char *name) {
    return ledger_find_account_of_user(&core->ledger, core_register(core, name)->id);
}

/* Transfers point at the reference: it must outlive them. */
static inline enum ledger_outcome core_credit(struct core *core, const char *reference, const struct account *account, int64_t amount,
                                              const char *fund) {
    struct credit_item item = {.reference = text_of(reference),
                               .user_id = account->user_id,
                               .amount = {amount, CURRENCY_IRT},
                               .fund = text_of(fund)};
    return ledger_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome;
}

static inline struct fund_command core_fund_command(const char *reference, int64_t amount) {
    return (struct fund_command){.caller = TEXT("discount"), .reference = text_of(reference), .amount = {amount, CURRENCY_IRT}};
}

static inline enum ledger_outcome core_open_fund(struct core *core, const char *reference, int64_t amount, struct fund **ret_fund) {
    struct fund_command command = core_fund_command(reference, amount);
    return ledger_open_fund(&core->ledger, &command, core->now_us, ret_fund);
}

static inline enum ledger_outcome core_send(struct core *core, const struct account *from, const char *to, int64_t amount) {
    const struct transfer *transfer = NULL;
    struct transfer_command command = {.user_id = from->user_id, .recipient_name = text_of(to), .amount = {amount, CURRENCY_IRT}};
    return ledger_transfer(&core->ledger, &command, core->now_us, &transfer);
}

/* As a load would bring it: what moved before, and what was taken back of it. `fund`: that paid, or "". */
static inline struct original *core_load_original(struct core *core, const struct transfer *transfer, const char *fund) {
    struct original row = {.sequence = transfer->sequence,
                           .id = transfer->id,
                           .kind = transfer->kind,
                           .caller = transfer->caller,
                           .reference = transfer->reference,
                           .amount = transfer->amount,
                           .spent_at_us = transfer->created_at_us,
                           .fund_reference = text_of(fund)};
    for (size_t i = 0; i < core->ledger.accounts.count; i++) {
        const struct account *account = core->ledger.accounts.rows[i];
        if (account->number == transfer->debit_account) row.debit_id = account->id;
        if (account->number == transfer->credit_account) row.credit_id = account->id;
    }
    assert_true(result_is_ok(ledger_add_original(&core->ledger, &row)));
    return ledger_find_original(&core->ledger, transfer->id);
}

static inline const struct transfer *core_newest(const struct core *core) {
    return core->ledger.transfers.rows[core->ledger.transfers.count - 1];
}

/* ---- refusals change nothing ---- */

/* All that a command about money could have changed. */
struct core_picture {
    struct ledger_head head;
    int64_t accounts, last_account_number, transfers, funds, references;
    uint64_t balances; /* may wrap: it is compared only */
};

static inline struct core_picture core_take_picture(const struct core *core) {
    const struct ledger *ledger = &core->ledger;
    struct core_picture picture = {ledger->head,
                                   (int64_t)ledger->accounts.count,
                                   ledger->last_account_number,
                                   (int64_t)ledger->transfers.count,
                                   (int64_t)ledger->funds.count,
                                   (int64_t)ledger->references.count,
                                   0};
    for (size_t i = 0; i < ledger->accounts.count; i++) {
        const struct account *account = ledger->accounts.rows[i];
        picture.balances = picture.balances * 31 + (uint64_t)account->debits_posted * 7 + (uint64_t)account->credits_posted * 3 +
                           (uint64_t)account->debits_pending * 5 + (uint64_t)account->sequence;
    }
    return picture;
}

#define ASSERT_REFUSED(core_, outcome_, expression_)            \
    do {                                                        \
        struct core_picture before_ = core_take_picture(core_); \
        assert_int_equal(expression_, outcome_);                \
        struct core_picture after_ = core_take_picture(core_);  \
        assert_memory_equal(&before_, &after_, sizeof before_); \
    } while (0)
