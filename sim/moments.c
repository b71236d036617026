#include "sim/moments.h"

#include "sim/world.h"

#define COPY_LATE_US INT64_C(10000000) /* a copy of a request may take effect so long after its sender was answered */

bool was_so(const struct intent *intent, bool (*is_so)(const struct campaign_moment *moment)) {
    struct history history = oracle_campaign_history(intent->campaign->number);
    for (size_t i = history_first(history, intent->first_sent_us); i < history.count; i++) {
        if (is_so(&history.moments[i])) return true;
    }
    return false;
}

bool is_sold_out(const struct campaign_moment *moment) {
    bool is_taken = moment->redeemed - moment->returned >= moment->max_redemptions || moment->waiting > 0;
    return is_taken && moment->waiting >= moment->waiting_list;
}
bool is_paused(const struct campaign_moment *moment) { return moment->is_paused != 0; }
bool is_resumed(const struct campaign_moment *moment) { return moment->is_paused == 0; }
bool is_ended(const struct campaign_moment *moment) {
    return moment->ended_at_us != 0 || (moment->ends_at_us != 0 && moment->ends_at_us <= processes[PROCESS_DISCOUNT].wall_max_us);
}
bool is_early(const struct campaign_moment *moment) { return moment->starts_at_us > processes[PROCESS_DISCOUNT].wall_min_us; }

static bool is_unfunded(const struct campaign_moment *moment) { return moment->redeemed - moment->returned >= moment->funded_places; }

bool was_unfunded(const struct intent *intent) {
    struct history history = oracle_campaign_history(intent->campaign->number);
    for (size_t i = history_first(history, intent->first_sent_us); i + 1 < history.count; i++) {
        const struct campaign_moment *moment = &history.moments[i], *next = moment + 1;
        bool is_more = next->funded_places > moment->funded_places || next->returned > moment->returned;
        if (is_more && next->redeemed - moment->returned >= moment->funded_places) return true;
    }
    return was_so(intent, is_unfunded);
}

bool was_sold_out_between(const struct intent *intent) {
    struct history history = oracle_campaign_history(intent->campaign->number);
    for (size_t i = history_first(history, intent->first_sent_us); i + 1 < history.count; i++) {
        const struct campaign_moment *moment = &history.moments[i], *next = moment + 1;
        if (moment->waiting_list > 0 && next->lined_up - moment->called >= moment->waiting_list) return true;
        if (moment->waiting_list == 0 && next->returned > moment->returned && next->redeemed - moment->returned >= moment->max_redemptions)
            return true;
    }
    return false;
}

static bool may_take_effect(const struct intent *other, const struct intent *intent, enum intent_kind kind) {
    if (other->kind != kind || other->campaign != intent->campaign || other->sends == 0) return false;
    return other->done_us == 0 || other->done_us + COPY_LATE_US >= intent->first_sent_us;
}

bool is_under_way(const struct intent *intent, enum intent_kind kind) {
    for (uint32_t i = 0; i < people.intent_count; i++) {
        if (may_take_effect(people.intents[i], intent, kind)) return true;
    }
    return false;
}

bool has_report_moment(const struct intent *intent, int64_t redeemed, int64_t max_redemptions, int64_t credited, int64_t waiting) {
    struct history history = oracle_campaign_history(intent->campaign->number);
    for (size_t i = history_first(history, intent->first_sent_us); i < history.count; i++) {
        const struct campaign_moment *moment = &history.moments[i];
        if (moment->waiting == waiting && moment->redeemed - moment->returned == redeemed && moment->max_redemptions == max_redemptions &&
            moment->credited == credited)
            return true;
    }
    return false;
}

static bool is_limit_asked_for(const struct intent *intent, int64_t max_redemptions) {
    for (uint32_t i = 0; i < people.intent_count; i++) {
        const struct intent *other = people.intents[i];
        if (other->amount == max_redemptions && may_take_effect(other, intent, INTENT_PATCH)) return true;
    }
    return false;
}

bool has_patch_moment(const struct intent *intent, int64_t max_redemptions, int64_t version) {
    struct history history = oracle_campaign_history(intent->campaign->number);
    if (history.count == 0) return false;
    size_t first = history_first(history, intent->first_sent_us);
    int64_t newest = history.moments[first].version - 1; /* of those looked at */
    int64_t unseen = 0;                                  /* versions that were made and changed again in one batch */
    bool was_own = false, was_said = false;
    for (size_t i = first; i < history.count && history.moments[i].version <= version; i++) {
        const struct campaign_moment *moment = &history.moments[i];
        if (moment->version == version && moment->max_redemptions != max_redemptions) return false;
        if (moment->version > newest) unseen += moment->version - newest - 1;
        newest = moment->version;
        was_said = was_said || moment->version == version;
        was_own = was_own || moment->max_redemptions == intent->amount;
    }
    if (history.moments[history.count - 1].version < version || history.moments[first].version > version) return false;
    if (!was_said && !is_limit_asked_for(intent, max_redemptions)) return false;
    return max_redemptions == intent->amount || was_own || unseen > 0 || !was_said;
}

int64_t other_spending(const struct actor *user) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < people.intent_count; i++) {
        const struct intent *other = people.intents[i];
        bool is_spent = (other->kind == INTENT_TRANSFER && other->actor == user) ||
                        ((other->kind == INTENT_HOLD || other->kind == INTENT_TAKE_BACK) && other->recipient == user);
        if (is_spent) sum += other->amount * other->sends;
    }
    return sum;
}
