#include "discount/core/redemption.h"

#include "base/limits.h"

const char *redemption_status_name(enum redemption_status status) {
    switch (status) {
    case REDEMPTION_CLAIMED: return "claimed";
    case REDEMPTION_CREDITED: return "credited";
    case REDEMPTION_FAILED: return "failed";
    }
    return "unknown";
}

const char *redemption_fault(const struct redemption *redemption) {
    bool is_credited = redemption->status == REDEMPTION_CREDITED, is_failed = redemption->status == REDEMPTION_FAILED;
    if (id_is_zero(redemption->id) || redemption->campaign_number == 0) return "it has no id or no campaign";
    if (redemption->position < 1 || redemption->position > LIMIT_CAMPAIGN_PLACES) return "its position is none";
    if (redemption->phone.size == 0 || id_is_zero(redemption->user_id)) return "it has no user or phone";
    if ((redemption->settled_at_us == 0) != (redemption->status == REDEMPTION_CLAIMED)) return "it is settled without a time";
    if (is_credited != !id_is_zero(redemption->transaction_id)) return "it is credited without a transaction";
    if (is_failed != (redemption->failure_size != 0)) return "it has failed without a reason";
    if (id_equal(redemption->claimed_as, redemption->id)) return "it was claimed anew under its own id";
    return NULL;
}
