/* Funds: opened, topped up, released. A job runs one step for one campaign, at most one at a time for each.
 *
 *   the board says                                   step                        then
 *   a step waits, nothing confirmed                  OPEN                        FUND_CONFIRMED
 *   a step waits, the fund exists                    LOOK: was it applied?       FUND_CONFIRMED, or TOP_UP and FUND_CONFIRMED
 *   ends_at has passed                               (none)                      EXPIRE
 *   ended, every claim settled, not released         RELEASE                     FUND_RELEASED
 *
 * A top-up adds each time it is applied, and its Idempotency-Key is not kept for ever: LOOK compares what Wallet has with what it should have,
 * so that a top-up whose answer was lost long ago is not applied twice. */
#include <inttypes.h>

#include "base/log.h"
#include "base/planted.h"
#include "discount/settle_state.h"

#define SCAN_BUSY_US INT64_C(20000) /* all jobs were taken: look again */

bool settle_fund_is_behind(const struct settler *settler, uint32_t campaign_number) {
    return board_view(board_slot(settler->board, campaign_number - 1)).fund_step_minor != 0;
}

/* ---- the end of a job ---- */

static void end_job(struct settle_fund_job *job, bool is_done, int64_t retry_after_ms) {
    struct settler *settler = job->settler;
    struct settle_fund *fund = settle_fund_of(settler, job->campaign_number);
    arena_release(&job->arena);
    job->is_busy = false;
    fund->job = NULL;
    settler->must_scan = true;
    if (is_done) {
        fund->attempts = 0;
        fund->retry_at_us = 0;
    } else {
        metric_add(&settle_metric_retries, 1);
        fund->retry_at_us = settle_now_us(settler) + settle_backoff_us(fund->attempts++, retry_after_ms);
    }
}

static void tell_store(struct settle_fund_job *job, enum operation_kind kind) {
    struct settler *settler = job->settler;
    struct settle_fund *fund = settle_fund_of(settler, job->campaign_number);
    job->operation.campaign_id = board_slot(settler->board, job->campaign_number - 1)->id;
    job->operation.fund_step_version = job->step_version;
    job->operation.waiters = (struct operation_list){0};
    if (kind == OPERATION_FUND_CONFIRMED) settle_freeze(settler, &fund->waiters, &job->operation.waiters, MARK_WAITERS_MAX);
    if (!settle_to_store(settler, &job->operation, kind)) settle_fund_told(job, result_error(RESULT_UNAVAILABLE));
}

void settle_fund_told(struct settle_fund_job *job, struct result outcome) {
    struct settler *settler = job->settler;
    struct settle_fund *fund = settle_fund_of(settler, job->campaign_number);
    settle_thaw(settler, &job->operation.waiters);
    if (result_is_ok(outcome)) {
        while (fund->waiters.first != NULL) { /* came meanwhile */
            struct operation_list late = {0};
            settle_freeze(settler, &fund->waiters, &late, 1);
            struct discount_operation *waiter = late.first;
            operation_list_remove(&late, waiter);
            settle_answer_now(settler, waiter);
        }
    }
    end_job(job, result_is_ok(outcome), 0);
}

/* ---- calls ---- */

static void fund_call_done(struct http_call *call);

static bool start_call(struct settle_fund_job *job, const char *method, const char *suffix, struct text body) {
    char id[ID_TEXT_BYTES];
    id_format(board_slot(job->settler->board, job->campaign_number - 1)->id, id);
    struct text path = arena_print(&job->arena, "/v1/funds/%.*s%s", (int)sizeof id, id, suffix);
    if (job->step == FUND_STEP_OPEN) path = TEXT("/v1/funds");
    job->call = (struct http_call){.body = body, .timeout_ms = SETTLE_TIMEOUT_MS, .done = fund_call_done, .context = job};
    if (job->step == FUND_STEP_TOP_UP && !PLANTED(TOP_UP_WITHOUT_LOOKING)) {
        job->call.idempotency_key = arena_print(&job->arena, "%.*s:%" PRId64, (int)sizeof id, id, job->step_version).data;
        if (job->call.idempotency_key == NULL) return false;
    }
    return path.data != NULL && settle_prepare_call(job->settler, &job->call, method, path, &job->arena) &&
           result_is_ok(http_client_start(job->settler->client, &job->call));
}

static struct text money_body(struct settle_fund_job *job, bool has_reference) {
    const struct board_slot *slot = board_slot(job->settler->board, job->campaign_number - 1);
    struct buffer buffer;
    buffer_init(&buffer, &job->arena, 192);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    if (has_reference) json_id_member(&writer, "reference", slot->id);
    json_integer_member(&writer, "amount", job->amount_minor);
    json_text_member(&writer, "currency", text_of(currency_code(slot->credit.currency)));
    json_end_object(&writer);
    return buffer_text(&buffer);
}

static void start_step(struct settle_fund_job *job, enum fund_step step) {
    bool is_started = false;
    job->step = step;
    switch (step) {
    case FUND_STEP_EXPIRE: tell_store(job, OPERATION_EXPIRE); return;
    case FUND_STEP_OPEN: is_started = start_call(job, "POST", "", money_body(job, true)); break;
    case FUND_STEP_LOOK: is_started = start_call(job, "GET", "", (struct text){0}); break;
    case FUND_STEP_TOP_UP: is_started = start_call(job, "POST", "/topup", money_body(job, false)); break;
    case FUND_STEP_RELEASE: is_started = start_call(job, "POST", "/release", (struct text){0}); break;
    }
    if (!is_started) end_job(job, false, 0);
}

/* What the fund has been given in all; -1 when the answer does not say. */
static int64_t read_funded(struct settle_fund_job *job) {
    struct faults *faults = ARENA_NEW(&job->arena, struct faults);
    struct json_document *document = NULL;
    if (faults == NULL) return -1;
    faults_init(faults, &job->arena);
    if (!result_is_ok(json_open(&job->arena, job->call.reply, faults, &document))) return -1;
    int64_t funded = json_is_object(json_root(document)) ? json_get_integer(json_root(document), "funded", -1) : -1;
    json_close(document);
    return funded;
}

static void fund_call_failed(struct settle_fund_job *job) {
    const struct http_call *call = &job->call;
    metric_add(&settle_metric_wallet_errors, 1);
    bool is_refused = result_is_ok(call->outcome) && call->status >= 400 && call->status < 500 && call->status != 429;
    if (call->status == 401 || call->status == 403) service_token_drop(&job->settler->token);
    LOG(is_refused ? LOG_ERROR : LOG_WARN, "fund_call_failed",
        LOG_ID("campaign_id", board_slot(job->settler->board, job->campaign_number - 1)->id),
        LOG_STRING("outcome", result_name(call->outcome)), LOG_INTEGER("status", call->status), LOG_STRING("url", call->url));
    end_job(job, false, call->retry_after_ms);
}

static void judge(struct settle_fund_job *job) {
    bool is_good = result_is_ok(job->call.outcome) && (job->call.status == 200 || job->call.status == 201);
    if (!is_good) {
        fund_call_failed(job);
        return;
    }
    switch (job->step) {
    case FUND_STEP_OPEN:
    case FUND_STEP_TOP_UP: tell_store(job, OPERATION_FUND_CONFIRMED); return;
    case FUND_STEP_LOOK: {
        int64_t funded = read_funded(job);
        if (funded < job->confirmed_minor)
            fund_call_failed(job);
        else if (funded >= job->confirmed_minor + job->amount_minor)
            tell_store(job, OPERATION_FUND_CONFIRMED);
        else
            start_step(job, FUND_STEP_TOP_UP);
        return;
    }
    case FUND_STEP_RELEASE: tell_store(job, OPERATION_FUND_RELEASED); return;
    case FUND_STEP_EXPIRE: break;
    }
    CHECK(false);
}

static void fund_call_done(struct http_call *call) {
    /* The job may start its next call in the same place. */
    struct http_call ended = *call;
    judge(call->context);
    http_call_clear(&ended);
}

/* ---- looking what is due ---- */

static bool find_step(const struct campaign_view *view, int64_t now_us, enum fund_step *ret_step) {
    if (view->fund_step_minor != 0) {
        *ret_step = view->fund_confirmed_minor == 0 ? FUND_STEP_OPEN : PLANTED(TOP_UP_WITHOUT_LOOKING) ? FUND_STEP_TOP_UP : FUND_STEP_LOOK;
        return true;
    }
    if (view->ended_at_us == 0 && view->ends_at_us != 0 && view->ends_at_us <= now_us) {
        *ret_step = FUND_STEP_EXPIRE;
        return true;
    }
    *ret_step = FUND_STEP_RELEASE;
    bool is_settled = view->credited + view->failed == view->redeemed;
    return view->ended_at_us != 0 && view->fund_is_released == 0 && (is_settled || PLANTED(FUND_RELEASED_TOO_EARLY));
}

static struct settle_fund_job *free_job(struct settler *settler) {
    for (size_t i = 0; i < SETTLE_FUND_JOBS; i++) {
        if (!settler->jobs[i].is_busy) return &settler->jobs[i];
    }
    return NULL;
}

static void start_job(struct settler *settler, struct settle_fund_job *job, uint32_t number, const struct campaign_view *view,
                      enum fund_step step) {
    job->is_busy = true;
    job->campaign_number = number;
    job->amount_minor = view->fund_step_minor;
    job->confirmed_minor = view->fund_confirmed_minor;
    job->step_version = view->fund_step_version;
    arena_init(&job->arena, LIMIT_ARENA_BYTES);
    settle_fund_of(settler, number)->job = job;
    start_step(job, step);
}

static void look_again(struct settler *settler, int64_t monotonic_us) {
    if (monotonic_us < settler->scan_at_us) settler->scan_at_us = monotonic_us;
}

void settle_scan_funds(struct settler *settler, int64_t now_monotonic_us) {
    if (!settler->must_scan && now_monotonic_us < settler->scan_at_us) return;
    settler->must_scan = false;
    settler->scan_at_us = INT64_MAX;
    int64_t now_us = clock_now_us(settler->options.clock), unsettled = 0;
    for (size_t i = 0; i < board_count(settler->board); i++) {
        struct campaign_view view = board_view(board_slot(settler->board, i));
        struct settle_fund *fund = &settler->funds[i];
        enum fund_step step;
        unsettled += view.redeemed - view.credited - view.failed;
        if (view.fund_step_minor == 0) settle_claims_unhold(settler, fund);
        if (view.ended_at_us == 0 && view.ends_at_us > now_us) look_again(settler, now_monotonic_us + view.ends_at_us - now_us);
        if (fund->job != NULL || !find_step(&view, now_us, &step)) continue;
        if (fund->retry_at_us > now_monotonic_us) {
            look_again(settler, fund->retry_at_us);
            continue;
        }
        struct settle_fund_job *job = free_job(settler);
        if (job == NULL)
            look_again(settler, now_monotonic_us + SCAN_BUSY_US);
        else
            start_job(settler, job, (uint32_t)i + 1, &view, step);
    }
    metric_set(&settle_metric_unsettled, unsettled);
}
