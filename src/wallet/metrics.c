#include "base/metrics.h"

#include "wallet/wallet.h"

static void set_up(struct metric *metric, const char *name, const char *labels, const char *help, enum metric_kind kind) {
    *metric = (struct metric){.name = name, .labels = labels, .help = help, .kind = kind};
    metrics_register(metric);
}

void wallet_register_metrics(struct wallet_metrics *metrics) {
    static const char credits[] = "walletd_credits_total", credits_help[] = "Items of POST /v1/credits, by outcome.";
    static const char logins[] = "walletd_logins_total", logins_help[] = "Logins, by outcome.";
    set_up(&metrics->credits_applied, credits, "status=\"applied\"", credits_help, METRIC_COUNTER);
    set_up(&metrics->credits_replayed, credits, "status=\"replayed\"", credits_help, METRIC_COUNTER);
    set_up(&metrics->credits_rejected, credits, "status=\"rejected\"", credits_help, METRIC_COUNTER);
    set_up(&metrics->transfers, "walletd_transfers_total", "", "Transfers between users.", METRIC_COUNTER);
    set_up(&metrics->payments, "walletd_payments_total", "", "Payments to merchants.", METRIC_COUNTER);
    set_up(&metrics->logins_ok, logins, "outcome=\"ok\"", logins_help, METRIC_COUNTER);
    set_up(&metrics->logins_failed, logins, "outcome=\"failed\"", logins_help, METRIC_COUNTER);
    set_up(&metrics->password_queue, "walletd_password_queue_depth", "", "Passwords that wait to be hashed or compared.", METRIC_GAUGE);
    set_up(&metrics->passwords_left, "walletd_passwords_left_total", "",
           "Passwords that were neither hashed nor compared, because their client had left before their turn came.", METRIC_COUNTER);
}
