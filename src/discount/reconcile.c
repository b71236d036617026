#include "discount/reconcile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json/json.h"
#include "base/log.h"
#include "discount/said.h"
#include "discount/settle/token.h"
#include "discount/tables.h"
#include "http/client.h"
#include "store/open.h"

#define CALL_ATTEMPTS   3
#define CALL_TIMEOUT_MS 10000

#define MARK_CREDITED 1u /* it was credited here before Wallet was asked */
#define MARK_PAID     2u /* a transaction there names it */

struct reconciliation {
    struct batch *batch;
    const char *wallet_url;
    struct service_token token;
    FILE *out;
    char said[SAID_BYTES]; /* by Wallet, at the last attempt */
    struct arena arena;    /* of one answer */
    struct json_document *document;
    struct campaign campaign;
    char campaign_text[ID_TEXT_BYTES + 1];
    int64_t transactions, campaigns; /* seen */
    uint8_t *marks;                  /* by position, of MARK_*; [place_count + 1] */
    int64_t place_count;
};

static struct result differs(struct reconciliation *reconciliation, struct id redemption_id, const char *what) {
    char id[ID_TEXT_BYTES];
    id_format(redemption_id, id);
    fprintf(reconciliation->out, "DIFFERENT: campaign %s, redemption %.*s: %s\n", reconciliation->campaign_text, (int)sizeof id, id, what);
    return result_error(RESULT_CONFLICT);
}

/* ---- asking Wallet ---- */

static void forget_answer(struct reconciliation *reconciliation) {
    json_close(reconciliation->document);
    reconciliation->document = NULL;
    arena_release(&reconciliation->arena);
    arena_init(&reconciliation->arena, LIMIT_BATCH_ARENA_BYTES);
}

static struct result parse_answer(struct reconciliation *reconciliation, struct text reply) {
    struct faults *faults = ARENA_NEW(&reconciliation->arena, struct faults);
    struct text kept = arena_copy(&reconciliation->arena, reply);
    if (faults == NULL || kept.data == NULL) return result_error(RESULT_FULL);
    faults_init(faults, &reconciliation->arena);
    TRY(json_open(&reconciliation->arena, kept, faults, &reconciliation->document));
    return json_is_object(json_root(reconciliation->document)) ? result_ok() : result_error(RESULT_INVALID);
}

static struct result ask_once(struct reconciliation *reconciliation, const char *url) {
    struct http_call call = {.method = "GET", .url = url, .timeout_ms = CALL_TIMEOUT_MS};
    call.bearer = service_token_get(&reconciliation->token, &clock_system);
    if (call.bearer == NULL) {
        snprintf(reconciliation->said, sizeof reconciliation->said, "Wallet was not asked: no token could be signed");
        return result_error(RESULT_DENIED);
    }
    struct result outcome = http_call_wait(&call);
    if (result_is_ok(outcome) && call.status == 404)
        outcome = result_error(RESULT_NOT_FOUND);
    else if (result_is_ok(outcome) && call.status != 200)
        outcome = result_error(RESULT_UNAVAILABLE);
    if (result_is_ok(outcome)) outcome = parse_answer(reconciliation, call.reply);
    if (!result_is_ok(outcome) && outcome.code != RESULT_NOT_FOUND) {
        said_describe(&call, outcome, reconciliation->said);
        LOG(LOG_WARN, "wallet_not_asked", LOG_STRING("url", url), LOG_INTEGER("status", call.status),
            LOG_STRING("outcome", result_name(outcome)));
    }
    http_call_clear(&call);
    return outcome;
}

/* The answer is in `document` until the next one. */
static struct result ask(struct reconciliation *reconciliation, const char *suffix, struct text cursor) {
    char url[2048];
    int size = snprintf(url, sizeof url, "%s/v1/funds/%s%s%.*s", reconciliation->wallet_url, reconciliation->campaign_text, suffix,
                        (int)cursor.size, cursor.data == NULL ? "" : cursor.data);
    if (size < 0 || (size_t)size >= sizeof url) return result_error(RESULT_INVALID);
    struct result outcome = result_error(RESULT_IO);
    for (int attempt = 0; attempt < CALL_ATTEMPTS; attempt++) {
        forget_answer(reconciliation);
        outcome = ask_once(reconciliation, url);
        if (result_is_ok(outcome) || outcome.code == RESULT_NOT_FOUND) return outcome;
    }
    fprintf(reconciliation->out, "%s\n", reconciliation->said);
    return outcome;
}

/* ---- the fund ---- */

static struct result reload_campaign(struct reconciliation *reconciliation) {
    struct found_campaign found = {0};
    ask_campaign(reconciliation->batch, reconciliation->campaign.id, campaign_found, &found);
    TRY(batch_run(reconciliation->batch));
    if (!found.is_found) return result_error(RESULT_CORRUPT);
    reconciliation->campaign = found.campaign;
    return result_ok();
}

static struct result fund_differs(struct reconciliation *reconciliation, const char *what, int64_t here, int64_t there) {
    fprintf(reconciliation->out, "DIFFERENT: campaign %s, its fund: %s: Discount says %" PRId64 ", Wallet %" PRId64 "\n",
            reconciliation->campaign_text, what, here, there);
    return result_error(RESULT_CONFLICT);
}

static struct result check_fund(struct reconciliation *reconciliation) {
    TRY(ask(reconciliation, "", (struct text){0}));
    const struct json_value *fund = json_root(reconciliation->document);
    int64_t funded = json_get_integer(fund, "funded", -1), credited = json_get_integer(fund, "credited", -1);
    int64_t remaining = json_get_integer(fund, "remaining", -1), released = json_get_integer(fund, "released", 0);
    const struct campaign before = reconciliation->campaign;
    TRY(reload_campaign(reconciliation));
    const struct campaign *after = &reconciliation->campaign;
    int64_t amount = after->credit.amount_minor;
    if (funded < 0 || credited < 0 || remaining < 0 || released < 0 || funded != credited + remaining + released) {
        return fund_differs(reconciliation, "funded = credited + remaining + released does not hold there", funded,
                            credited + remaining + released);
    }
    /* What is confirmed here was on disk there before; what is claimed here may be paid there already. */
    if (funded < before.fund_confirmed_minor || funded > after->fund_confirmed_minor + after->fund_step_minor) {
        return fund_differs(reconciliation, "funded", after->fund_confirmed_minor, funded);
    }
    if (credited < before.credited * amount) return fund_differs(reconciliation, "credited", before.credited * amount, credited);
    if (credited > (after->redeemed - after->failed) * amount) {
        return fund_differs(reconciliation, "credited", (after->redeemed - after->failed) * amount, credited);
    }
    if (after->fund_is_released && remaining != 0) return fund_differs(reconciliation, "remaining after its release", 0, remaining);
    return result_ok();
}

/* ---- each transaction has its redemption ---- */

static struct result check_transaction(struct reconciliation *reconciliation, const struct json_value *item) {
    struct id reference, user_id, transaction_id;
    struct found_redemption found = {0};
    const struct redemption *redemption = &found.redemption;
    const struct campaign *campaign = &reconciliation->campaign;
    if (!json_is_object(item) || !result_is_ok(id_parse(json_get_text(item, "reference"), &reference)) ||
        !result_is_ok(id_parse(json_get_text(item, "user_id"), &user_id)) ||
        !result_is_ok(id_parse(json_get_text(item, "transaction_id"), &transaction_id))) {
        fprintf(reconciliation->out, "DIFFERENT: campaign %s: Wallet lists a transaction that is none of Discount's\n",
                reconciliation->campaign_text);
        return result_error(RESULT_CONFLICT);
    }
    ask_redemption(reconciliation->batch, reference, redemption_found, &found);
    TRY(batch_run(reconciliation->batch));
    if (!found.is_found) return differs(reconciliation, reference, "Wallet has paid it, Discount does not know it");
    if (redemption->campaign_number != campaign->number)
        return differs(reconciliation, reference, "Wallet has paid it out of another campaign's fund");
    if (!id_equal(redemption->user_id, user_id)) return differs(reconciliation, reference, "Wallet has paid another user");
    bool is_amount_equal = json_get_integer(item, "amount", -1) == campaign->credit.amount_minor &&
                           text_equal(json_get_text(item, "currency"), text_of(currency_code(campaign->credit.currency)));
    if (!is_amount_equal) return differs(reconciliation, reference, "Wallet has paid another amount");
    if (redemption->status == REDEMPTION_FAILED) return differs(reconciliation, reference, "Wallet has paid it, Discount says it failed");
    if (redemption->status == REDEMPTION_CREDITED && !id_equal(redemption->transaction_id, transaction_id)) {
        return differs(reconciliation, reference, "the transaction is another one");
    }
    CHECK(redemption->position >= 1);
    if (redemption->position > reconciliation->place_count) return result_ok(); /* the limit was raised meanwhile */
    uint8_t *mark = &reconciliation->marks[redemption->position];
    if ((*mark & MARK_PAID) != 0) return differs(reconciliation, reference, "Wallet has paid it twice");
    *mark |= MARK_PAID;
    reconciliation->transactions++;
    return result_ok();
}

static struct result walk_transactions(struct reconciliation *reconciliation) {
    char cursor[512] = "";
    do {
        TRY(ask(reconciliation, cursor[0] == '\0' ? "/transactions?limit=200" : "/transactions?limit=200&cursor=", text_of(cursor)));
        const struct json_value *root = json_root(reconciliation->document), *data = json_get(root, "data");
        size_t count = data == NULL ? 0 : json_array_count(data);
        for (size_t i = 0; i < count; i++) TRY(check_transaction(reconciliation, json_array_item(data, i)));
        struct text next = json_get_text(root, "next_cursor");
        if (data == NULL || next.size >= sizeof cursor || (next.size > 0 && count == 0)) {
            fprintf(reconciliation->out, "Wallet's list of transactions of fund %s makes no sense\n", reconciliation->campaign_text);
            return result_error(RESULT_INVALID);
        }
        memcpy(cursor, next.data, next.size);
        cursor[next.size] = '\0';
    } while (cursor[0] != '\0');
    return result_ok();
}

/* ---- each credited redemption has its transaction ---- */

static struct result note_credited(void *context, const struct row *row) {
    struct reconciliation *reconciliation = context;
    struct redemption redemption;
    TRY(redemption_of_row(row, 0, &redemption));
    if (redemption.position > reconciliation->place_count) return result_ok();
    if (redemption.status == REDEMPTION_CREDITED) reconciliation->marks[redemption.position] |= MARK_CREDITED;
    return result_ok();
}

static struct result check_paid(void *context, const struct row *row) {
    struct reconciliation *reconciliation = context;
    struct redemption redemption;
    TRY(redemption_of_row(row, 0, &redemption));
    if (redemption.position > reconciliation->place_count || reconciliation->marks[redemption.position] != MARK_CREDITED)
        return result_ok();
    return differs(reconciliation, redemption.id, "Discount says it is credited, Wallet has no transaction for it");
}

static struct result walk_winners(struct reconciliation *reconciliation, row_visitor *visit) {
    uint32_t number = reconciliation->campaign.number;
    ask_redemptions(reconciliation->batch, redemption_key(number, 0), redemption_key(number + 1, 0), reconciliation->place_count, visit,
                    reconciliation);
    return batch_run(reconciliation->batch);
}

/* What is credited here is noted before Wallet is asked, so that on a live system a missing transaction is missing indeed. */
static struct result compare_books(struct reconciliation *reconciliation) {
    TRY(walk_winners(reconciliation, note_credited));
    struct result outcome = check_fund(reconciliation);
    if (result_is_ok(outcome)) outcome = walk_transactions(reconciliation);
    if (outcome.code == RESULT_NOT_FOUND) {
        fprintf(reconciliation->out, "DIFFERENT: campaign %s: Wallet has no such fund\n", reconciliation->campaign_text);
        return result_error(RESULT_CONFLICT);
    }
    TRY(outcome);
    return walk_winners(reconciliation, check_paid);
}

static struct result check_campaign(struct reconciliation *reconciliation) {
    id_format(reconciliation->campaign.id, reconciliation->campaign_text);
    reconciliation->campaign_text[ID_TEXT_BYTES] = '\0';
    TRY(reload_campaign(reconciliation));
    reconciliation->campaigns++;
    if (reconciliation->campaign.fund_confirmed_minor == 0 && reconciliation->campaign.credited == 0) {
        fprintf(reconciliation->out, "campaign %s: its fund is not open yet\n", reconciliation->campaign_text);
        return result_ok();
    }
    int64_t before = reconciliation->transactions;
    reconciliation->place_count = reconciliation->campaign.max_redemptions;
    reconciliation->marks = calloc((size_t)reconciliation->place_count + 1, 1);
    if (reconciliation->marks == NULL) return result_error(RESULT_FULL);
    struct result outcome = compare_books(reconciliation);
    free(reconciliation->marks);
    reconciliation->marks = NULL;
    if (!result_is_ok(outcome)) return outcome;
    fprintf(reconciliation->out, "campaign %s: %" PRId64 " transactions, each with its redemption\n", reconciliation->campaign_text,
            reconciliation->transactions - before);
    return result_ok();
}

struct campaign_ids {
    struct id items[LIMIT_CAMPAIGNS];
    size_t count;
};

static struct result note_campaign(void *context, const struct row *row) {
    struct campaign_ids *ids = context;
    struct campaign campaign;
    if (ids->count == LIMIT_CAMPAIGNS) return result_error(RESULT_FULL);
    TRY(campaign_of_row(row, &campaign));
    ids->items[ids->count++] = campaign.id;
    return result_ok();
}

struct result reconcile_services(const struct place *place, const char *wallet_url, const struct key_ring *keys, FILE *out) {
    struct reconciliation reconciliation = {.wallet_url = wallet_url, .out = out, .token.keys = keys};
    struct campaign_ids *ids = calloc(1, sizeof *ids);
    if (ids == NULL) return result_error(RESULT_FULL);
    arena_init(&reconciliation.arena, LIMIT_BATCH_ARENA_BYTES);
    struct result outcome = batch_open(place, BATCH_READ, &reconciliation.batch);
    if (result_is_ok(outcome)) {
        ask_all_campaigns(reconciliation.batch, note_campaign, ids);
        outcome = batch_run(reconciliation.batch);
    }
    for (size_t i = 0; i < ids->count && result_is_ok(outcome); i++) {
        reconciliation.campaign.id = ids->items[i];
        outcome = check_campaign(&reconciliation);
    }
    if (result_is_ok(outcome)) {
        fprintf(out, "reconciled: %" PRId64 " campaigns, %" PRId64 " transactions\n", reconciliation.campaigns,
                reconciliation.transactions);
    }
    forget_answer(&reconciliation);
    arena_release(&reconciliation.arena);
    service_token_drop(&reconciliation.token);
    batch_close(reconciliation.batch);
    free(ids);
    return outcome;
}
