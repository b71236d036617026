#include "sim/judge.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json/json.h"
#include "sim/batches.h"
#include "sim/moments.h"
#include "sim/oracle.h"
#include "sim/promotions.h"
#include "sim/shop.h"
#include "sim/world.h"

/* An answer, taken apart. */
struct parsed {
    struct arena arena;
    struct faults faults;
    struct json_document *document;
    const struct json_value *root; /* NULL: no JSON object */
    struct text code;              /* of a problem; empty */
};

static void open_answer(struct parsed *parsed, const struct link_answer *answer) {
    arena_init(&parsed->arena, (size_t)4 * 1024 * 1024);
    faults_init(&parsed->faults, &parsed->arena);
    parsed->document = NULL;
    parsed->root = NULL;
    parsed->code = TEXT("");
    if (answer->body.size == 0 || !result_is_ok(json_open(&parsed->arena, answer->body, &parsed->faults, &parsed->document))) return;
    parsed->root = json_root(parsed->document);
    if (answer->status >= 400 && json_is_object(parsed->root)) parsed->code = json_get_text(parsed->root, "code");
}

static void close_answer(struct parsed *parsed) {
    json_close(parsed->document);
    arena_release(&parsed->arena);
}

static struct id get_id(const struct json_value *object, const char *name) {
    struct id id = {{0}};
    struct result parsed = id_parse(json_get_text(object, name), &id);
    return result_is_ok(parsed) ? id : (struct id){{0}};
}

static void wrong(const struct intent *intent, const char *invariant, const char *what) {
    world_fail(invariant, "intent %u of actor %u, %s: %s", intent->number, intent->actor->index, intent_kind_name(intent->kind), what);
}

static bool is_code(const struct parsed *parsed, const char *code) { return text_equal(parsed->code, text_of(code)); }

/* ---- lookups ---- */

static const struct text no_text = {NULL, 0};

static int64_t user_exists(const struct actor *actor, bool *ret_known) {
    return oracle_look_up(PROCESS_WALLET, "SELECT created_at FROM users WHERE name = ?1", (struct id){{0}}, text_of(actor->name),
                          ret_known);
}

static int64_t account_of(const struct actor *actor) {
    bool is_known;
    return oracle_look_up(PROCESS_WALLET, "SELECT a.number FROM accounts a JOIN users u ON u.id = a.user_id WHERE u.name = ?1",
                          (struct id){{0}}, text_of(actor->name), &is_known);
}

static int64_t rows_of_user(const struct actor *actor) {
    bool is_known;
    return oracle_look_up(PROCESS_DISCOUNT, "SELECT count(*) FROM redemptions WHERE user_id = ?1", actor->user_id, no_text, &is_known);
}

/* In the campaign that the code is of now: one that has ended sets it free, and whoever won there may try again. */
static int64_t wins_of_user(const struct actor *actor, const struct campaign_plan *campaign) {
    struct statement *statement =
        oracle_query(PROCESS_DISCOUNT, "SELECT count(*) FROM redemptions WHERE user_id = ?1 AND status NOT IN (5, 6) AND campaign_number = "
                                       "(SELECT max(number) FROM campaigns WHERE code = ?2)");
    if (statement == NULL) return -1;
    bool is_row = false;
    statement_bind_id(statement, 1, actor->user_id);
    statement_bind_text(statement, 2, text_of(campaign->code));
    struct result stepped = statement_step(statement, &is_row);
    int64_t count = result_is_ok(stepped) && is_row ? statement_integer(statement, 0) : -1;
    statement_reset(statement);
    return count;
}

static void learn_user(struct actor *actor) {
    struct statement *statement = oracle_query(PROCESS_WALLET, "SELECT id FROM users WHERE name = ?1");
    if (statement == NULL) return;
    bool is_row = false;
    statement_bind_text(statement, 1, text_of(actor->name));
    struct result stepped = statement_step(statement, &is_row);
    if (result_is_ok(stepped) && is_row) actor->user_id = statement_id(statement, 0);
    statement_reset(statement);
}

bool judge_has_won(const struct actor *actor, const struct campaign_plan *campaign) {
    return wins_of_user(actor, campaign) >= campaign->max_per_user;
}

void judge_begin(struct intent *intent) {
    bool is_known;
    intent->rows_before = -1;
    if (id_is_zero(intent->actor->user_id)) learn_user(intent->actor);
    if (intent->kind == INTENT_REDEEM) intent->rows_before = wins_of_user(intent->actor, intent->campaign);
    promotions_begin(intent);
    if (intent->kind == INTENT_MY_REDEMPTIONS) intent->rows_before = rows_of_user(intent->actor);
    if (intent->kind == INTENT_LOGIN) intent->rows_before = user_exists(intent->actor, &is_known) > 0;
    if (intent->kind == INTENT_TRANSFER) intent->rows_before = user_exists(intent->recipient, &is_known) > 0;
}

static void learn_campaign(struct campaign_plan *campaign) {
    (void)oracle_find_campaign(text_of(campaign->code), &campaign->number, &campaign->id);
}

/* ---- redeeming ---- */

/* A creation that came late made another campaign with the code, which the end of the first had set free: what is told of that one is its own. */
static bool has_namesake(const struct campaign_plan *campaign) {
    bool is_known;
    return oracle_look_up(PROCESS_DISCOUNT, "SELECT count(*) FROM campaigns WHERE code = ?1", (struct id){{0}}, text_of(campaign->code),
                          &is_known) > 1;
}

static const char redemption_sql[] = "SELECT r.user_id, r.key & 4294967295, r.status, r.transaction_id, c.number, c.amount, r.phone, "
                                     "r.discount FROM redemptions r JOIN campaigns c ON "
                                     "c.number = r.campaign_number WHERE r.id = ?1 OR r.claimed_as = ?1";

/* Who has got a place since is no longer where he stood. */
static void judge_waiting(const struct intent *intent, int status, const struct json_value *root) {
    world_reach("somebody waits");
    if (has_namesake(intent->campaign)) return;
    int64_t rank = json_get_integer(root, "rank", -1), most = 0;
    struct history history = oracle_campaign_history(intent->campaign->number);
    for (size_t i = 0; i < history.count; i++) {
        int64_t length = history.moments[i].lined_up - (i == 0 ? 0 : history.moments[i - 1].called);
        if (length > most) most = length;
    }
    if (status != 202 || intent->campaign->waiting_list == 0) wrong(intent, "202 is waiting where there is a line", "it is not so");
    if (rank < 1 || rank > most) wrong(intent, "a rank is a place in the line", "the line never was so long");
}

static void judge_redeemed(struct intent *intent, int status, const struct json_value *root) {
    struct id id = get_id(root, "id");
    intent->is_of_namesake = has_namesake(intent->campaign);
    struct statement *row = oracle_query(PROCESS_DISCOUNT, redemption_sql);
    bool is_another = intent->made.bytes[0] != 0 && !id_equal(intent->made, id) && (!intent->is_of_namesake || intent->key[0] != '\0');
    if (is_another && !promotions_may_be_another(intent, id)) wrong(intent, "2 one redemption", "another redemption than before");
    intent->made = id;
    if (intent->has_unique_code) world_reach("a unique code wins");
    if (row == NULL) return; /* it crashed after the answer: judge_end looks again */
    bool is_there = false;
    statement_bind_id(row, 1, id);
    struct result stepped = statement_step(row, &is_there);
    if (result_is_ok(stepped) && !is_there) {
        wrong(intent, "5 what a 2xx said is on disk", "the redemption is not there");
    } else if (result_is_ok(stepped)) {
        if (id_is_zero(intent->actor->user_id)) learn_user(intent->actor);
        bool is_mine = id_is_zero(intent->actor->user_id) || id_equal(statement_id(row, 0), intent->actor->user_id);
        struct text said = json_get_text(root, "status");
        int64_t state = statement_integer(row, 2);
        bool says_waiting = text_equal(said, TEXT("waiting"));
        bool is_at = says_waiting || statement_integer(row, 1) == json_get_integer(root, "position", -1);
        if (says_waiting) judge_waiting(intent, status, root);
        bool is_credited = state == 1 || state == 4 || state == 5, says_credited = text_equal(said, TEXT("credited"));
        bool is_of_order = intent->campaign->kind != GIFT_OF_CREDIT;
        intent->is_told_paid = intent->is_told_paid || says_credited;
        if (!is_mine || !is_at) wrong(intent, "5 what a 2xx said is on disk", "the redemption is another one");
        bool says_applied = text_equal(said, TEXT("applied")), was_reversed = state >= 4 && text_starts_with(said, TEXT("revers"));
        if (says_applied && (!is_of_order || json_get_integer(json_get(root, "discount"), "amount", -1) != statement_integer(row, 7)))
            wrong(intent, "5 what a 2xx said is on disk", "another discount than on disk");
        if (status == 201 && !says_credited && !says_applied && !was_reversed) wrong(intent, "201 is credited", "201 without credited");
        if (status == 202 && says_credited) wrong(intent, "202 is claimed", "202 with credited");
        if (says_credited && !is_credited) wrong(intent, "5 what a 2xx said is on disk", "credited, but not so on disk");
        /* What was kept before Wallet lost the credit names the transaction that is gone: what was sent again is another. */
        bool may_be_gone = intent->first_sent_us <= world.restored_us[PROCESS_WALLET];
        if (says_credited && !may_be_gone && !id_equal(get_id(root, "transaction_id"), statement_id(row, 3)))
            wrong(intent, "5 what a 2xx said is on disk", "another transaction");
    }
    statement_reset(row);
}

/* Committed before this was first sent: then nothing but this redemption may be answered. */
static bool had_won_before(const struct intent *intent) {
    if (intent->rows_before <= 0 || wins_of_user(intent->actor, intent->campaign) <= 0) return false;
    /* One that was taken back since may have been the one before, and another order asks for another one. */
    bool has_one = intent->campaign->max_per_user == 1 && intent->order_number == 0;
    return !promotions_are_in_world() || (has_one && promotions_most_of_user(intent) == 1);
}

static void judge_redeem_refusal(struct intent *intent, const struct link_answer *answer, const struct parsed *parsed) {
    if (answer->is_replayed) return; /* it was judged, or nobody saw it, when it was made */
    if (has_namesake(intent->campaign)) return;
    bool has_won = had_won_before(intent);
    if (is_code(parsed, "sold_out")) {
        if (has_won) wrong(intent, "a winner's repeat gets the redemption", "sold_out");
        if (!was_so(intent, is_sold_out) && !is_under_way(intent, INTENT_PATCH) && !was_sold_out_between(intent))
            wrong(intent, "every refusal was right", "sold_out, but there were places all the time");
    } else if (is_code(parsed, "campaign_ended")) {
        if (has_won) wrong(intent, "a winner's repeat gets the redemption", "campaign_ended");
        if (!was_so(intent, is_ended) && !is_under_way(intent, INTENT_END)) wrong(intent, "every refusal was right", "campaign_ended");
    } else if (is_code(parsed, "campaign_paused")) {
        if (!was_so(intent, is_paused) && !is_under_way(intent, INTENT_PAUSE)) wrong(intent, "every refusal was right", "campaign_paused");
    } else if (is_code(parsed, "campaign_not_funded")) {
        if (has_won) wrong(intent, "a winner's repeat gets the redemption", "campaign_not_funded");
        if (!was_unfunded(intent)) wrong(intent, "every refusal was right", "campaign_not_funded");
    } else if (is_code(parsed, "campaign_not_started")) {
        if (!was_so(intent, is_early)) wrong(intent, "every refusal was right", "campaign_not_started");
    } else if (is_code(parsed, "code_not_found")) {
        struct history history = oracle_campaign_history(intent->campaign->number);
        bool is_anothers = intent->has_unique_code && batches_is_taken(intent);
        if (is_anothers) world_reach("a unique code is another's");
        if (!is_anothers && history.count > 0 && history.moments[0].at_us < intent->first_sent_us) {
            wrong(intent, "every refusal was right", "code_not_found");
        }
    } else if (is_code(parsed, "phone_mismatch")) {
        bool is_same = strcmp(intent->phone, intent->actor->phone) == 0 && !intent->has_other_body;
        if (intent->campaign->takes_any_phone || is_same || intent->actor->phone[0] == '\0') {
            wrong(intent, "every refusal was right", "phone_mismatch");
        }
    } else if (is_code(parsed, "phone_missing")) {
        if (intent->campaign->takes_any_phone || intent->actor->phone[0] != '\0') wrong(intent, "every refusal was right", "phone_missing");
    } else if (is_code(parsed, "phone_already_redeemed") && !promotions_are_in_world()) {
        char phone[24];
        snprintf(phone, sizeof phone, "+98%s", intent->has_other_body ? "9190000000" : intent->phone + 1);
        bool is_known;
        int64_t count = oracle_look_up(PROCESS_DISCOUNT, "SELECT count(*) FROM redemptions WHERE phone = ?1", (struct id){{0}},
                                       text_of(phone), &is_known);
        if (is_known && count == 0) wrong(intent, "every refusal was right", "phone_already_redeemed");
    } else if (is_code(parsed, "credit_failed")) {
        if (!intent->actor->is_lost) wrong(intent, "3 a claim is never given up", "credit_failed");
    } else if (is_code(parsed, "campaign_recovering")) {
        if (!world.is_apart || world.restored_us[PROCESS_DISCOUNT] == 0) wrong(intent, "every refusal was right", "campaign_recovering");
    } else if (promotions_are_in_world() && promotions_explain(intent, parsed->code)) {
        return;
    } else if (!is_code(parsed, "idempotency_key_reused") || !intent->is_spoiled) {
        char text[64];
        snprintf(text, sizeof text, "nothing explains %.*s", (int)parsed->code.size, parsed->code.data);
        wrong(intent, "every refusal was right", text);
    }
}

/* ---- money ---- */

static void judge_transfer(struct intent *intent, const struct json_value *root) {
    struct id id = get_id(root, "id");
    if (intent->key[0] != '\0' && !id_is_zero(intent->made) && !id_equal(intent->made, id)) {
        wrong(intent, "the same key moves money once", "another transaction than before");
    }
    intent->made = id;
    bool is_known;
    int64_t amount = oracle_look_up(PROCESS_WALLET, "SELECT amount FROM transfers WHERE id = ?1 AND kind = 2", id, no_text, &is_known);
    if (is_known && amount != intent->amount) wrong(intent, "5 what a 2xx said is on disk", "the transfer is not there, or not so");
}

static void judge_insufficient(const struct intent *intent, const struct actor *user) {
    int64_t account = account_of(user), least = INT64_MAX;
    struct balance_history history = oracle_balance_history(account);
    for (size_t i = history.count; i-- > 0;) {
        if (history.moments[i].available < least) least = history.moments[i].available;
        if (history.moments[i].at_us <= intent->first_sent_us) break;
    }
    if (account > 0 && least - other_spending(user) + intent->amount >= intent->amount) {
        wrong(intent, "every refusal was right", "insufficient_funds");
    }
}

static void judge_transfer_refusal(struct intent *intent, const struct link_answer *answer, const struct parsed *parsed) {
    if (answer->is_replayed) return;
    if (is_code(parsed, "insufficient_funds")) {
        judge_insufficient(intent, intent->actor);
    } else if (is_code(parsed, "recipient_not_found")) {
        if (intent->recipient->is_registered && intent->rows_before > 0) wrong(intent, "every refusal was right", "recipient_not_found");
    } else if (!is_code(parsed, "idempotency_key_reused") || !intent->is_spoiled) {
        wrong(intent, "every refusal was right", "an answer that nothing explains");
    }
}

static void judge_wallet(struct intent *intent, const struct json_value *root) {
    int64_t balance = json_get_integer(root, "balance", -1), account = account_of(intent->actor);
    struct balance_history history = oracle_balance_history(account);
    if (account < 0 || history.count == 0) return;
    for (size_t i = history.count; i-- > 0;) {
        if (history.moments[i].balance == balance) return;
        if (history.moments[i].at_us <= intent->first_sent_us) break;
    }
    wrong(intent, "a balance was read as it was", "no committed balance since the request was sent");
}

/* ---- campaigns ---- */

/* None, when the limit was lowered below what is taken. */
static int64_t places_left(int64_t most, int64_t redeemed) { return most > redeemed ? most - redeemed : 0; }

static void judge_report(struct intent *intent, const struct json_value *root) {
    int64_t redeemed = json_get_integer(root, "redeemed", -1), remaining = json_get_integer(root, "remaining", -1);
    int64_t most = json_get_integer(root, "max_redemptions", -1), credited = json_get_integer(root, "credited", -1);
    if (remaining != places_left(most, redeemed) || credited > redeemed)
        wrong(intent, "the report is exact", "its numbers do not fit together");
    if (redeemed > 0 && json_array_count(json_get(root, "per_minute")) == 0)
        wrong(intent, "the report is exact", "its minutes are not there");
    int64_t waiting = json_get_integer(root, "waiting", -1) + json_get_integer(root, "lapsed", 0);
    if (!has_report_moment(intent, redeemed, most, credited, waiting)) wrong(intent, "the report is exact", "it never was so");
}

static void judge_winners(struct intent *intent, const struct json_value *root) {
    const struct json_value *data = json_get(root, "data");
    size_t count = json_array_count(data);
    for (size_t i = 0; i < count; i++) {
        if (json_get_integer(json_array_item(data, i), "position", -1) != (int64_t)i + 1) {
            wrong(intent, "1 positions have no gaps", "the list of winners");
        }
    }
    struct history history = oracle_campaign_history(intent->campaign->number);
    size_t first = history_first(history, intent->first_sent_us);
    if (history.count > 0 && (int64_t)count < history.moments[first].redeemed) wrong(intent, "the list is current", "winners are missing");
}

/* That its parts are of one moment. */
static void judge_picture(const struct intent *intent, const struct link_answer *answer, const struct json_value *root) {
    int64_t redeemed = json_get_integer(root, "redeemed", -1), remaining = json_get_integer(root, "remaining", -1);
    int64_t most = json_get_integer(root, "max_redemptions", -1), version = json_get_integer(root, "version", -1);
    char tag[24];
    snprintf(tag, sizeof tag, "\"%lld\"", (long long)version);
    if (redeemed < 0 || remaining != places_left(most, redeemed))
        wrong(intent, "a campaign is answered as it was", "its numbers do not fit together");
    if (!text_equal(answer->etag, text_of(tag))) wrong(intent, "a campaign is answered as it was", "its ETag is of another version");
}

static void judge_change(struct intent *intent, const struct link_answer *answer, const struct json_value *root) {
    if (answer->is_replayed) return;
    bool is_right = true;
    if (intent->kind == INTENT_PAUSE) is_right = was_so(intent, is_paused) || is_under_way(intent, INTENT_RESUME);
    if (intent->kind == INTENT_RESUME) is_right = was_so(intent, is_resumed) || is_under_way(intent, INTENT_PAUSE);
    if (intent->kind == INTENT_END) is_right = was_so(intent, is_ended);
    if (intent->kind == INTENT_PATCH) {
        is_right = has_patch_moment(intent, json_get_integer(root, "max_redemptions", -1), json_get_integer(root, "version", -1));
        judge_picture(intent, answer, root);
    }
    if (!is_right) wrong(intent, "5 what a 2xx said is on disk", "the campaign never was so");
}

/* ---- one answer ---- */

static void judge_success(struct intent *intent, const struct link_answer *answer, const struct parsed *parsed) {
    struct actor *actor = intent->actor;
    const struct json_value *root = parsed->root;
    bool is_known;
    switch (intent->kind) {
    case INTENT_REGISTER:
        actor->is_registered = true;
        actor->user_id = get_id(root, "id");
        if (user_exists(actor, &is_known) < 0 && is_known) wrong(intent, "5 what a 2xx said is on disk", "the user is not there");
        return;
    case INTENT_LOGIN:
    case INTENT_REFRESH: {
        struct text token = json_get_text(root, "access_token"), refresh = json_get_text(root, "refresh_token");
        CHECK(token.size < sizeof actor->token && refresh.size < sizeof actor->refresh_token);
        memcpy(actor->token, token.data, token.size);
        actor->token_size = token.size;
        actor->token_at_us = world.now_us;
        memcpy(actor->refresh_token, refresh.data, refresh.size);
        actor->refresh_token[refresh.size] = '\0';
        actor->is_registered = true;
        if (user_exists(actor, &is_known) < 0 && is_known) wrong(intent, "5 what a 2xx said is on disk", "no user, but a session");
        return;
    }
    case INTENT_LOGOUT: actor->token_size = 0; return;
    case INTENT_REDEEM:
        if (json_is_object(root)) judge_redeemed(intent, answer->status, root);
        return;
    case INTENT_TRANSFER: judge_transfer(intent, root); return;
    case INTENT_WALLET: judge_wallet(intent, root); return;
    case INTENT_MY_REDEMPTIONS:
        if ((int64_t)json_array_count(json_get(root, "data")) < intent->rows_before)
            wrong(intent, "the list is current", "redemptions are missing");
        return;
    case INTENT_CREATE:
        learn_campaign(intent->campaign);
        if (intent->campaign->number == 0 && processes[PROCESS_DISCOUNT].state == PROCESS_UP) {
            wrong(intent, "5 what a 2xx said is on disk", "the campaign is not there");
        }
        return;
    case INTENT_PATCH:
    case INTENT_PAUSE:
    case INTENT_RESUME:
    case INTENT_END: judge_change(intent, answer, root); return;
    case INTENT_REPORT: judge_report(intent, root); return;
    case INTENT_WINNERS: judge_winners(intent, root); return;
    case INTENT_WRONG_CODE: wrong(intent, "an unknown code wins nothing", "2xx"); return;
    case INTENT_BATCH:
    case INTENT_CODES: batches_judge_success(intent, root); return;
    case INTENT_TAKE_BACK: promotions_judge_back(intent, answer->status, root); return;
    case INTENT_MERCHANT: people.has_merchant = true; return;
    case INTENT_HOLD:
    case INTENT_CAPTURE:
    case INTENT_RELEASE:
    case INTENT_REVERSE: shop_judge_success(intent, root); return;
    case INTENT_KIND_COUNT: return;
    }
}

/* Asked about a campaign that a restored Discount does not have, or has made anew since. */
static bool went_with_a_restore(const struct intent *intent) {
    int64_t restored_us = world.restored_us[PROCESS_DISCOUNT];
    return restored_us != 0 && intent->campaign != NULL && (intent->first_sent_us <= restored_us || intent->campaign->number == 0);
}

static void judge_back_refusal(struct intent *intent, const struct link_answer *answer, const struct parsed *parsed) {
    bool is_by_wallet = false;
    if (answer->is_replayed) return;
    if (!promotions_explain_back(intent, parsed->code, &is_by_wallet)) wrong(intent, "every refusal was right", "nothing explains it");
    if (!is_by_wallet) return;
    if (!text_equal(json_get_text(parsed->root, "wallet_code"), TEXT("insufficient_funds")))
        wrong(intent, "every refusal was right", "Wallet has another reason");
    judge_insufficient(intent, intent->recipient);
}

static void judge_refusal(struct intent *intent, const struct link_answer *answer, const struct parsed *parsed) {
    bool is_known;
    switch (intent->kind) {
    case INTENT_REDEEM: judge_redeem_refusal(intent, answer, parsed); return;
    case INTENT_TRANSFER: judge_transfer_refusal(intent, answer, parsed); return;
    case INTENT_REGISTER:
        if (!is_code(parsed, "username_taken")) wrong(intent, "every refusal was right", "registration");
        if (user_exists(intent->actor, &is_known) < 0 && is_known) wrong(intent, "every refusal was right", "username_taken");
        intent->actor->is_registered = true; /* by an earlier copy of this request */
        return;
    case INTENT_CREATE:
        if (!is_code(parsed, "code_taken") && !is_code(parsed, "validation_failed")) wrong(intent, "every refusal was right", "creation");
        if (is_code(parsed, "validation_failed")) intent->campaign->is_wanted = false; /* its end has passed meanwhile */
        learn_campaign(intent->campaign);
        return;
    case INTENT_PATCH:
        if (is_code(parsed, "validation_failed") || is_code(parsed, "campaign_state_conflict")) return;
        break;
    case INTENT_PAUSE:
    case INTENT_RESUME:
    case INTENT_END:
    case INTENT_BATCH:
        if (is_code(parsed, "campaign_state_conflict") && (was_so(intent, is_ended) || is_under_way(intent, INTENT_END))) return;
        break;
    case INTENT_WRONG_CODE:
        if (is_code(parsed, "code_not_found")) return;
        break;
    case INTENT_TAKE_BACK: judge_back_refusal(intent, answer, parsed); return;
    case INTENT_HOLD:
        if (is_code(parsed, "insufficient_funds") && !answer->is_replayed) judge_insufficient(intent, intent->recipient);
        shop_judge_refusal(intent, parsed->code);
        return;
    case INTENT_CAPTURE:
    case INTENT_RELEASE:
    case INTENT_REVERSE:
        if (!answer->is_replayed) shop_judge_refusal(intent, parsed->code);
        return;
    case INTENT_REFRESH:
    case INTENT_LOGIN:
    case INTENT_LOGOUT:
    case INTENT_WALLET:
    case INTENT_MY_REDEMPTIONS:
    case INTENT_REPORT:
    case INTENT_WINNERS:
    case INTENT_MERCHANT:
    case INTENT_KIND_COUNT: break;
    case INTENT_CODES:
        if (is_code(parsed, "code_batch_not_found") && world.restored_us[PROCESS_DISCOUNT] != 0) return; /* made after the copy */
        break;
    }
    if (!is_code(parsed, "campaign_not_found") || !went_with_a_restore(intent))
        wrong(intent, "every refusal was right", "an answer that nothing explains");
}

/* The same key again: the same answer, byte for byte. */
static void compare_with_first(struct intent *intent, const struct link_answer *answer) {
    if (answer->status == 202) return; /* one that was long on its way: meanwhile it has become final */
    bool is_same = intent->status == answer->status && text_equal(intent->reply, answer->body);
    if (answer->is_replayed && !is_same) {
        /* The first may have been one of two copies that were both answered before anything was kept. */
        wrong(intent, "a replay is the first answer", "another status or body");
    }
}

static enum verdict judge_unauthorized(struct intent *intent) {
    if (intent->kind == INTENT_LOGIN) {
        bool is_known;
        int64_t created = user_exists(intent->actor, &is_known);
        if (is_known && created >= 0 && intent->rows_before > 0) wrong(intent, "every refusal was right", "a right password refused");
        intent->actor->is_registered = intent->actor->is_operator;
    }
    return VERDICT_RELOGIN;
}

/* Only what fails may be an excuse. */
static void judge_unavailable(const struct intent *intent, const struct parsed *parsed) {
    static const enum sim_fault of_disks[] = {FAULT_WRITE_ERROR, FAULT_SYNC_ERROR, FAULT_READ_ERROR, FAULT_DISK_FULL};
    bool has_disk_fault = false;
    for (size_t i = 0; i < ARRAY_COUNT(of_disks); i++) has_disk_fault = has_disk_fault || world.fault_counts[of_disks[i]] > 0;
    if (is_code(parsed, "storage_unavailable") && !has_disk_fault) wrong(intent, "503 has a reason", "no disk has failed");
    if (is_code(parsed, "overloaded") && world.fault_counts[FAULT_QUEUE_FULL] == 0) wrong(intent, "503 has a reason", "no queue was short");
}

/* Took nothing and may change: never kept. */
static bool is_passing(const struct parsed *parsed) {
    static const char *const codes[] = {"sold_out",         "campaign_ended",      "campaign_not_started",
                                        "campaign_paused",  "campaign_recovering", "campaign_not_funded",
                                        "budget_exhausted", "daily_limit_reached", "code_not_found"};
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        if (is_code(parsed, codes[i])) return true;
    }
    return false;
}

static enum verdict judge(struct intent *intent, const struct link_answer *answer, struct parsed *parsed) {
    int status = answer->status;
    if (status >= 500 && status != 503) wrong(intent, "a service has no defects", "5xx");
    if (status == 401) return judge_unauthorized(intent);
    if (status == 503) judge_unavailable(intent, parsed);
    if (status == 429) intent->must_wait = true;
    if (status == 503 || status == 429) return VERDICT_RETRY;
    if (intent->status == 0) {
        intent->status = status;
        intent->reply = answer->body;
    } else if (intent->key[0] != '\0') {
        compare_with_first(intent, answer);
    }
    if (status == 202) intent->status = 0; /* not final: the same again is answered as it then stands */
    if (status < 400) {
        judge_success(intent, answer, parsed);
        return VERDICT_DONE;
    }
    intent->refusals++;
    judge_refusal(intent, answer, parsed);
    if (is_passing(parsed)) intent->status = 0; /* not kept: the same again is decided anew */
    return VERDICT_DONE;
}

void judge_repeat(const struct intent *intent, const struct link_answer *answer) {
    if (intent->first_sent_us <= world.restored_us[intent->to->index]) return; /* what was kept for it may be gone */
    bool is_kept_kind = intent->kind == INTENT_REDEEM || intent->kind == INTENT_TRANSFER || intent->kind == INTENT_CREATE;
    bool says_nothing = answer->status >= 500 || answer->status == 429 || answer->status == 401;
    if (is_kept_kind && !says_nothing && !answer->is_replayed) {
        wrong(intent, "a repeat with the key gets the answer again", "it was decided anew");
    }
}

enum verdict judge_answer(struct intent *intent, const struct link_answer *answer) {
    struct parsed parsed;
    open_answer(&parsed, answer);
    if (intent->campaign != NULL && intent->campaign->number == 0) learn_campaign(intent->campaign);
    world_note("intent %u gets %d %.*s%s", intent->number, answer->status, (int)parsed.code.size, parsed.code.data,
               answer->is_replayed ? ", replayed" : "");
    world_reach(intent_kind_name(intent->kind));
    enum verdict verdict = judge(intent, answer, &parsed);
    close_answer(&parsed);
    return verdict;
}

void judge_prompt(const struct intent *intent, enum verdict verdict) {
    int64_t passed_us = world.now_us - intent->first_sent_us;
    /* A queue that was made short stays so until the service starts again. */
    if (world.fault_counts[FAULT_QUEUE_FULL] > 0) return;
    /* Who has typed wrong codes himself may still have to wait for his next try, right codes included (src/discount/limiter.h). */
    if (intent->kind == INTENT_REDEEM && intent->must_wait) return;
    /* Whoever finds no room among the claims is paid later. */
    bool is_paid = intent->kind != INTENT_REDEEM || intent->status == 201 || world.fault_counts[FAULT_CLAIMS_FULL] > 0;
    if (verdict != VERDICT_DONE || intent->status >= 300 || !is_paid) {
        wrong(intent, "services at rest do what they are asked", "they refuse, or it is not paid yet");
    } else if (passed_us > intent->prompt_us) {
        char text[64];
        snprintf(text, sizeof text, "an answer after %lld ms", (long long)passed_us / 1000);
        wrong(intent, "services at rest answer at once", text);
    }
}
