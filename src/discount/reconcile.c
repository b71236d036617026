#include "discount/reconcile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json/json.h"
#include "base/log.h"
#include "discount/currencies.h"
#include "discount/said.h"
#include "discount/settle/token.h"
#include "discount/settle/verdict.h"
#include "discount/tables.h"
#include "http/client.h"
#include "store/open.h"

#define CALL_ATTEMPTS   3
#define CALL_TIMEOUT_MS 10000
#define CURSOR_BYTES    512u

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
    char campaign_text[LIMIT_REFERENCE_BYTES + 1]; /* or the reference of a fund without one */
    char path[LIMIT_REFERENCE_BYTES + 64];
    struct stray_fund *stray_funds;
    int64_t transactions, campaigns; /* seen, and right */
    int64_t listed;                  /* transactions of all funds, whatever they are */
    int64_t differences;
    uint8_t *marks; /* by position, of MARK_*; [place_count + 1] */
    int64_t place_count;
};

/* Said, and counted: whoever reads the report shall know all of them. */
static void differ(struct reconciliation *reconciliation, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void differ(struct reconciliation *reconciliation, const char *format, ...) {
    va_list arguments;
    reconciliation->differences++;
    fputs("DIFFERENT: ", reconciliation->out);
    va_start(arguments, format);
    vfprintf(reconciliation->out, format, arguments);
    va_end(arguments);
    fputc('\n', reconciliation->out);
}

static void redemption_differs(struct reconciliation *reconciliation, struct id redemption_id, const char *what) {
    char id[ID_TEXT_BYTES];
    id_format(redemption_id, id);
    differ(reconciliation, "campaign %s, redemption %.*s: %s", reconciliation->campaign_text, (int)sizeof id, id, what);
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
static struct result ask(struct reconciliation *reconciliation, const char *path, const char *suffix, const char *cursor) {
    char url[2048];
    int size = snprintf(url, sizeof url, "%s%s%s%s", reconciliation->wallet_url, path, suffix, cursor);
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

/* Of the list that was asked for last; false: it is none, or would never end. */
static bool read_cursor(struct reconciliation *reconciliation, char cursor[CURSOR_BYTES]) {
    const struct json_value *root = json_root(reconciliation->document), *data = json_get(root, "data");
    struct text next = json_get_text(root, "next_cursor");
    if (!json_is_array(data) || next.size >= CURSOR_BYTES || (next.size > 0 && json_array_count(data) == 0)) return false;
    memcpy(cursor, next.data, next.size);
    cursor[next.size] = '\0';
    return true;
}

typedef struct result item_visitor(struct reconciliation *reconciliation, const struct json_value *item);

/* Every item of a list, page by page. */
static struct result walk(struct reconciliation *reconciliation, const char *path, item_visitor *visit) {
    char cursor[CURSOR_BYTES] = "";
    do {
        TRY(ask(reconciliation, path, cursor[0] == '\0' ? "?limit=200" : "?limit=200&cursor=", cursor));
        const struct json_value *data = json_get(json_root(reconciliation->document), "data");
        size_t count = json_array_count(data);
        for (size_t i = 0; i < count; i++) TRY(visit(reconciliation, json_array_item(data, i)));
        if (!read_cursor(reconciliation, cursor)) {
            fprintf(reconciliation->out, "Wallet's list %s makes no sense\n", path);
            return result_error(RESULT_INVALID);
        }
    } while (cursor[0] != '\0');
    return result_ok();
}

static const char *path_of_fund(struct reconciliation *reconciliation, const char *below) {
    snprintf(reconciliation->path, sizeof reconciliation->path, "/v1/funds/%s%s", reconciliation->campaign_text, below);
    return reconciliation->path;
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

static void sum_differs(struct reconciliation *reconciliation, const char *what, int64_t here, int64_t there) {
    differ(reconciliation, "campaign %s, its fund: %s: Discount says %" PRId64 ", Wallet %" PRId64, reconciliation->campaign_text, what,
           here, there);
}

struct fund_there {
    int64_t funded, credited, remaining, released;
    int64_t given;    /* credited, with what was taken back since */
    int64_t reversed; /* that */
    bool is_released;
};

static struct fund_there read_fund(const struct json_value *fund) {
    return (struct fund_there){.funded = json_get_integer(fund, "funded", -1),
                               .credited = json_get_integer(fund, "credited", -1),
                               .remaining = json_get_integer(fund, "remaining", -1),
                               .released = json_get_integer(fund, "released", 0),
                               .given = verdict_count_credited(fund),
                               .reversed = json_get_integer(fund, "reversed", 0),
                               .is_released = text_equal(json_get_text(fund, "state"), TEXT("released"))};
}

/* What is confirmed here was on disk there before; what is claimed here may be paid there already. */
static void compare_fund(struct reconciliation *reconciliation, const struct fund_there *there, const struct campaign *before,
                         const struct campaign *after) {
    int64_t amount = after->credit.amount_minor, sum = there->credited + there->remaining + there->released;
    const struct campaign_view was = {.credited = before->credited, .reversed = before->reversed};
    const struct campaign_view is = {.redeemed = after->redeemed,
                                     .failed = after->failed,
                                     .reversed = after->reversed,
                                     .reversing = after->reversing};
    const struct credits_due due = credits_due(&was, &is, there->reversed / amount);
    int64_t odd = reversed_odd_minor(&due, there->reversed, after->credit),
            given = there->given < 0 ? -1 : there->credited + (odd > 0 ? odd : 0);
    int64_t least = due.least * amount, most = due.most * amount;
    if (there->funded != sum)
        sum_differs(reconciliation, "funded = credited + remaining + released does not hold there", there->funded, sum);
    if (there->funded < before->fund_confirmed_minor || there->funded > after->fund_confirmed_minor + after->fund_step_minor)
        sum_differs(reconciliation, "funded", after->fund_confirmed_minor, there->funded);
    if (given < least) sum_differs(reconciliation, "credited", least, given);
    if (given > most) sum_differs(reconciliation, "credited", most, given);
    if (after->fund_is_released && there->remaining != 0) sum_differs(reconciliation, "remaining after its release", 0, there->remaining);
    if (there->is_released && after->ended_at_us == 0) sum_differs(reconciliation, "released, though it has not ended", 0, there->released);
}

/* RESULT_NOT_FOUND: Wallet has none. */
static struct result check_fund(struct reconciliation *reconciliation) {
    TRY(ask(reconciliation, path_of_fund(reconciliation, ""), "", ""));
    const struct fund_there there = read_fund(json_root(reconciliation->document));
    const struct campaign before = reconciliation->campaign;
    TRY(reload_campaign(reconciliation));
    compare_fund(reconciliation, &there, &before, &reconciliation->campaign);
    return result_ok();
}

/* ---- each transaction has its redemption ---- */

struct listed_credit {
    struct id reference, user_id, transaction_id;
    int64_t amount, reversed;
    struct text currency;
};

static bool read_listed(const struct json_value *item, struct listed_credit *ret_credit) {
    *ret_credit = (struct listed_credit){.amount = json_get_integer(item, "amount", -1),
                                         .reversed = json_get_integer(item, "reversed", 0),
                                         .currency = json_get_text(item, "currency")};
    return json_is_object(item) && result_is_ok(id_parse(json_get_text(item, "reference"), &ret_credit->reference)) &&
           result_is_ok(id_parse(json_get_text(item, "user_id"), &ret_credit->user_id)) &&
           result_is_ok(id_parse(json_get_text(item, "transaction_id"), &ret_credit->transaction_id));
}

static bool is_amount(const struct campaign *campaign, const struct listed_credit *listed) {
    return listed->amount == campaign->credit.amount_minor &&
           text_equal(listed->currency, text_of(currency_code(campaign->credit.currency)));
}

/* The first that is wrong with it; NULL: nothing. */
static const char *find_difference(const struct campaign *campaign, const struct redemption *redemption,
                                   const struct listed_credit *listed) {
    if (!id_equal(redemption->id, listed->reference)) return "Wallet has paid it under the id under which it was claimed anew, too";
    if (redemption->campaign_number != campaign->number) return "Wallet has paid it out of another campaign's fund";
    if (!id_equal(redemption->user_id, listed->user_id)) return "Wallet has paid another user";
    if (!is_amount(campaign, listed)) return "Wallet has paid another amount";
    if (redemption->status == REDEMPTION_FAILED) return "Wallet has paid it, Discount says it failed";
    if (redemption->status == REDEMPTION_WAITING) return "Wallet has paid it, Discount says it waits for a place";
    if (redemption->status == REDEMPTION_REVERSED && listed->reversed != listed->amount)
        return "Discount says it is reversed, Wallet has not taken it back";
    bool is_credited = redemption->status == REDEMPTION_CREDITED || redemption->status == REDEMPTION_REVERSING;
    bool is_other = is_credited && !id_equal(redemption->transaction_id, listed->transaction_id);
    return is_other ? "the transaction is another one" : NULL;
}

/* False: it was paid already. A place beyond those that there were at the beginning is new: the limit was raised meanwhile. */
static bool mark_paid(struct reconciliation *reconciliation, const struct redemption *redemption) {
    CHECK(redemption->position >= 1);
    bool is_here = redemption->campaign_number == reconciliation->campaign.number && redemption->position <= reconciliation->place_count;
    if (!is_here) return true;
    uint8_t *mark = &reconciliation->marks[redemption->position];
    bool is_first = (*mark & MARK_PAID) == 0;
    *mark |= MARK_PAID;
    return is_first;
}

static struct result check_transaction(struct reconciliation *reconciliation, const struct json_value *item) {
    struct listed_credit listed;
    struct found_redemption found = {0};
    reconciliation->listed++;
    if (!read_listed(item, &listed)) {
        differ(reconciliation, "campaign %s: Wallet lists a transaction that is none of Discount's", reconciliation->campaign_text);
        return result_ok();
    }
    ask_redemption(reconciliation->batch, listed.reference, redemption_found, &found);
    TRY(batch_run(reconciliation->batch));
    const char *difference = "Wallet has paid it, Discount does not know it";
    if (found.is_found) difference = find_difference(&reconciliation->campaign, &found.redemption, &listed);
    if (found.is_found && !mark_paid(reconciliation, &found.redemption) && difference == NULL) difference = "Wallet has paid it twice";
    if (difference != NULL)
        redemption_differs(reconciliation, listed.reference, difference);
    else
        reconciliation->transactions++;
    return result_ok();
}

/* ---- each credited redemption has its transaction ---- */

static struct result note_credited(void *context, const struct row *row) {
    struct reconciliation *reconciliation = context;
    struct redemption redemption;
    TRY(redemption_of_row(row, 0, &redemption));
    if (redemption.position > reconciliation->place_count) return result_ok();
    bool is_credited = redemption.status == REDEMPTION_CREDITED || redemption.status == REDEMPTION_REVERSING;
    if (is_credited) reconciliation->marks[redemption.position] |= MARK_CREDITED;
    return result_ok();
}

static struct result check_paid(void *context, const struct row *row) {
    struct reconciliation *reconciliation = context;
    struct redemption redemption;
    TRY(redemption_of_row(row, 0, &redemption));
    if (redemption.position > reconciliation->place_count || reconciliation->marks[redemption.position] != MARK_CREDITED)
        return result_ok();
    redemption_differs(reconciliation, redemption.id, "Discount says it is credited, Wallet has no transaction for it");
    return result_ok();
}

static struct result walk_winners(struct reconciliation *reconciliation, row_visitor *visit) {
    uint32_t number = reconciliation->campaign.number;
    ask_redemptions(reconciliation->batch, redemption_key(number, 0), redemption_key(number + 1, 0), reconciliation->place_count, visit,
                    reconciliation);
    return batch_run(reconciliation->batch);
}

/* What is credited here is noted before Wallet is asked, so that on a live system a missing transaction is missing indeed. RESULT_NOT_FOUND: Wallet has
 * no such fund. */
static struct result compare_books(struct reconciliation *reconciliation) {
    TRY(walk_winners(reconciliation, note_credited));
    struct result outcome = check_fund(reconciliation);
    if (result_is_ok(outcome)) outcome = walk(reconciliation, path_of_fund(reconciliation, "/transactions"), check_transaction);
    TRY(outcome);
    return walk_winners(reconciliation, check_paid);
}

static void tell_campaign(struct reconciliation *reconciliation, bool has_fund, int64_t transactions, int64_t differences) {
    const struct campaign *campaign = &reconciliation->campaign;
    bool was_opened = campaign->fund_confirmed_minor != 0 || campaign->credited != 0;
    if (!has_fund && was_opened)
        differ(reconciliation, "campaign %s: Wallet has no such fund", reconciliation->campaign_text);
    else if (!has_fund)
        fprintf(reconciliation->out, "campaign %s: its fund is not open yet\n", reconciliation->campaign_text);
    else if (differences == 0)
        fprintf(reconciliation->out, "campaign %s: %" PRId64 " transactions, each with its redemption\n", reconciliation->campaign_text,
                transactions);
    else
        fprintf(reconciliation->out, "campaign %s: %" PRId64 " transactions with their redemptions, %" PRId64 " differences\n",
                reconciliation->campaign_text, transactions, differences);
}

static struct result check_campaign(struct reconciliation *reconciliation) {
    id_format(reconciliation->campaign.id, reconciliation->campaign_text);
    reconciliation->campaign_text[ID_TEXT_BYTES] = '\0';
    TRY(reload_campaign(reconciliation));
    reconciliation->campaigns++;
    int64_t transactions = reconciliation->transactions, differences = reconciliation->differences;
    const struct campaign *campaign = &reconciliation->campaign;
    bool is_over = campaign->redeemed > campaign->max_redemptions; /* its limit was lowered, or places were returned */
    reconciliation->place_count = is_over ? campaign->redeemed : campaign->max_redemptions;
    reconciliation->marks = calloc((size_t)reconciliation->place_count + 1, 1);
    if (reconciliation->marks == NULL) return result_error(RESULT_FULL);
    struct result outcome = compare_books(reconciliation);
    free(reconciliation->marks);
    reconciliation->marks = NULL;
    if (!result_is_ok(outcome) && outcome.code != RESULT_NOT_FOUND) return outcome;
    tell_campaign(reconciliation, result_is_ok(outcome), reconciliation->transactions - transactions,
                  reconciliation->differences - differences);
    return result_ok();
}

/* ---- credits that belong to no redemption ---- */

static struct result ask_credits(struct reconciliation *reconciliation, int64_t *ret_credits) {
    TRY(ask(reconciliation, "/v1/instance", "", ""));
    *ret_credits = json_get_integer(json_get(json_root(reconciliation->document), "caller"), "credits", 0);
    return result_ok();
}

static struct result name_stray(struct reconciliation *reconciliation, const struct json_value *item) {
    struct text reference = json_get_text(item, "reference"), transaction = json_get_text(item, "transaction_id");
    reconciliation->listed++;
    differ(reconciliation, "fund %s, credit %.*s, transaction %.*s: it belongs to no redemption", reconciliation->campaign_text,
           (int)reference.size, reference.data, (int)transaction.size, transaction.data);
    return result_ok();
}

struct stray_fund {
    char reference[LIMIT_REFERENCE_BYTES + 1];
    int64_t funded, credited;
    struct stray_fund *next;
};

/* A fund without a campaign: kept, as its credits are asked for when the list is over. */
static struct result note_fund(struct reconciliation *reconciliation, const struct json_value *item) {
    struct text reference = json_get_text(item, "reference");
    struct found_campaign found = {0};
    struct id id;
    if (reference.size == 0 || reference.size > LIMIT_REFERENCE_BYTES) return result_error(RESULT_INVALID);
    if (result_is_ok(id_parse(reference, &id))) {
        ask_campaign(reconciliation->batch, id, campaign_found, &found);
        TRY(batch_run(reconciliation->batch));
    }
    if (found.is_found) return result_ok();
    struct stray_fund *fund = calloc(1, sizeof *fund);
    if (fund == NULL) return result_error(RESULT_FULL);
    memcpy(fund->reference, reference.data, reference.size);
    fund->funded = json_get_integer(item, "funded", -1);
    fund->credited = verdict_count_credited(item);
    fund->next = reconciliation->stray_funds;
    reconciliation->stray_funds = fund;
    return result_ok();
}

static struct result name_stray_fund(struct reconciliation *reconciliation, const struct stray_fund *fund) {
    snprintf(reconciliation->campaign_text, sizeof reconciliation->campaign_text, "%s", fund->reference);
    differ(reconciliation, "fund %s: it belongs to no campaign: funded %" PRId64 ", credited %" PRId64, fund->reference, fund->funded,
           fund->credited);
    return fund->credited == 0 ? result_ok() : walk(reconciliation, path_of_fund(reconciliation, "/transactions"), name_stray);
}

static struct result walk_stray_funds(struct reconciliation *reconciliation) {
    struct result outcome = walk(reconciliation, "/v1/funds", note_fund);
    while (reconciliation->stray_funds != NULL) {
        struct stray_fund *fund = reconciliation->stray_funds;
        reconciliation->stray_funds = fund->next;
        if (result_is_ok(outcome)) outcome = name_stray_fund(reconciliation, fund);
        free(fund);
    }
    return outcome;
}

/* `credits`: of this caller, counted before the others were listed, which can only have become more since. */
static struct result check_strays(struct reconciliation *reconciliation, int64_t credits) {
    struct result outcome = walk_stray_funds(reconciliation);
    if (outcome.code == RESULT_NOT_FOUND) {
        fprintf(reconciliation->out, "Wallet is too old to list its funds: credits that belong to no campaign were not looked for\n");
        return result_ok();
    }
    TRY(outcome);
    if (credits > reconciliation->listed)
        differ(reconciliation, "%" PRId64 " credits of this caller are in no fund of its own", credits - reconciliation->listed);
    return result_ok();
}

struct campaign_ids {
    struct id items[LIMIT_CAMPAIGNS_KEPT];
    size_t count;
};

static struct result note_campaign(void *context, const struct row *row) {
    struct campaign_ids *ids = context;
    struct campaign campaign;
    if (ids->count == LIMIT_CAMPAIGNS_KEPT) return result_error(RESULT_FULL);
    TRY(campaign_of_row(row, &campaign));
    if (!gift_is_of_order(campaign.rules.kind)) ids->items[ids->count++] = campaign.id; /* the others have no money in Wallet */
    return result_ok();
}

static struct result check_all(struct reconciliation *reconciliation, struct campaign_ids *ids) {
    int64_t credits = 0;
    ask_all_campaigns(reconciliation->batch, note_campaign, ids);
    TRY(batch_run(reconciliation->batch));
    struct result outcome = ask_credits(reconciliation, &credits);
    bool is_away = !result_is_ok(outcome) && outcome.code != RESULT_NOT_FOUND;
    if (is_away && ids->count == 0) {
        fputs("nothing here to reconcile: credits that belong to no campaign were not looked for\n", reconciliation->out);
        return result_ok();
    }
    if (is_away) return outcome;
    for (size_t i = 0; i < ids->count; i++) {
        reconciliation->campaign.id = ids->items[i];
        TRY(check_campaign(reconciliation));
    }
    return check_strays(reconciliation, credits);
}

static struct result tell_end(const struct reconciliation *reconciliation) {
    bool is_clean = reconciliation->differences == 0;
    if (!is_clean) fprintf(reconciliation->out, "%" PRId64 " differences\n", reconciliation->differences);
    fprintf(reconciliation->out, "%s: %" PRId64 " campaigns, %" PRId64 " transactions\n", is_clean ? "reconciled" : "NOT reconciled",
            reconciliation->campaigns, reconciliation->transactions);
    return is_clean ? result_ok() : result_error(RESULT_CONFLICT);
}

struct result reconcile_services(const struct place *place, const char *wallet_url, const struct key_ring *keys, FILE *out) {
    struct reconciliation reconciliation = {.wallet_url = wallet_url, .out = out, .token.keys = keys};
    struct campaign_ids *ids = calloc(1, sizeof *ids);
    if (ids == NULL) return result_error(RESULT_FULL);
    arena_init(&reconciliation.arena, LIMIT_BATCH_ARENA_BYTES);
    struct result outcome = batch_open(place, BATCH_READ, &reconciliation.batch);
    if (result_is_ok(outcome)) outcome = currencies_learn(reconciliation.batch);
    if (result_is_ok(outcome)) outcome = check_all(&reconciliation, ids);
    if (result_is_ok(outcome)) outcome = tell_end(&reconciliation);
    forget_answer(&reconciliation);
    arena_release(&reconciliation.arena);
    service_token_drop(&reconciliation.token);
    batch_close(reconciliation.batch);
    free(ids);
    return outcome;
}
