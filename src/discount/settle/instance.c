#include "discount/settle/instance.h"

#include "base/log.h"

struct metric instance_metric_another = {.name = "discountd_wallet_is_another",
                                         .help = "1 while another Wallet answers than the one that has our funds.",
                                         .labels = "",
                                         .kind = METRIC_GAUGE};

static void set_other(struct instance *instance, struct id other) {
    if (id_equal(instance->other, other)) return;
    instance->other = other;
    metric_set(&instance_metric_another, !id_is_zero(other));
    if (id_is_zero(other))
        LOG(LOG_INFO, "wallet_is_ours_again", LOG_ID("instance_id", instance->ours));
    else
        LOG(LOG_ERROR, "wallet_is_another", LOG_ID("instance_id", other), LOG_ID("ours", instance->ours));
}

static bool is_success(int status) { return status >= 200 && status < 300; }

bool instance_may_answer(struct instance *instance, struct text header, int status) {
    struct id id;
    bool is_named = result_is_ok(id_parse(header, &id)) && !id_is_zero(id);
    if (!is_named) return header.size == 0 && (id_is_zero(instance->ours) || !is_success(status));
    if (id_is_zero(instance->ours)) {
        if (!is_success(status)) return true;
        LOG(LOG_INFO, "wallet_met", LOG_ID("instance_id", id));
        instance->ours = id;
        instance->must_keep = true;
        return true;
    }
    bool is_ours = id_equal(id, instance->ours);
    set_other(instance, is_ours ? (struct id){{0}} : id);
    return is_ours;
}

void instance_trust(struct instance *instance, struct id id) {
    LOG(LOG_WARN, "wallet_trusted", LOG_ID("instance_id", id), LOG_ID("before", instance->ours));
    instance->ours = id;
    instance->must_keep = true;
    set_other(instance, (struct id){{0}});
}
