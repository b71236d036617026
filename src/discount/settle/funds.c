#include "discount/settle/funds.h"

#include <inttypes.h>

#include "base/json/json.h"
#include "base/log.h"
#include "base/pages.h"
#include "discount/settle/verdict.h"

#define BUSY_US       INT64_C(20000)         /* all jobs were taken: look again */
#define CLOCK_MOST_US (60 * CLOCK_SECOND_US) /* the clock that ends are told by may be set: look again, whatever is left */

struct metric funds_metric_unsettled = {.name = "discountd_unsettled_claims",
                                        .help = "Claims without a credit yet.",
                                        .labels = "",
                                        .kind = METRIC_GAUGE};

struct result funds_init(struct funds *funds) {
    for (size_t i = 0; i < FUND_JOBS; i++) {
        funds->jobs[i].funds = funds;
        TAILQ_INIT(&funds->jobs[i].own.request.waiters);
    }
    funds->memory = pages_take(LIMIT_CAMPAIGNS_KEPT, sizeof *funds->memory);
    if (funds->memory == NULL) return result_error(RESULT_FULL);
    return result_ok();
}

void funds_free(struct funds *funds) { pages_free(funds->memory, LIMIT_CAMPAIGNS_KEPT, sizeof *funds->memory); }

/* Made ready at its first use: of the most campaigns that there may be, few are there. */
static struct fund *fund_of(struct funds *funds, uint32_t campaign_number) {
    struct fund *fund = &funds->memory[campaign_number - 1];
    if (fund->waiters.tqh_last == NULL) TAILQ_INIT(&fund->waiters);
    return fund;
}

static struct board_slot *slot_of(const struct fund_job *job) { return board_slot(job->funds->board, job->campaign_number - 1); }

void funds_look(struct funds *funds) { funds->must_look = true; }

void funds_look_by(struct funds *funds, int64_t at_us) {
    if (at_us < funds->look_at_us) funds->look_at_us = at_us;
}

int64_t funds_next_us(const struct funds *funds) { return funds->must_look ? 0 : funds->look_at_us; }

bool funds_are_busy(const struct funds *funds) {
    for (size_t i = 0; i < FUND_JOBS; i++) {
        if (funds->jobs[i].is_busy) return true;
    }
    return false;
}

void funds_wait(struct funds *funds, const struct board_slot *slot, struct discount_operation *operation) {
    funds_look(funds);
    struct campaign_view view = board_view(slot);
    if (view.fund_step_minor != 0 && view.fund_is_refused == 0)
        waiters_add(funds->waiters, &fund_of(funds, slot->number)->waiters, operation);
    else
        waiters_answer_now(funds->waiters, operation);
}

/* ---- what the comparison says ---- */

void funds_adopt(struct funds *funds, uint32_t campaign_number, const struct fund_said *said) {
    struct fund *fund = fund_of(funds, campaign_number);
    fund->must_adopt = true;
    fund->said = *said;
    funds_look(funds);
}

bool funds_is_behind(const struct funds *funds, uint32_t campaign_number) {
    struct campaign_view view = board_view(board_slot(funds->board, campaign_number - 1));
    return funds->memory[campaign_number - 1].must_adopt || (view.fund_step_minor != 0 && view.fund_is_refused == 0);
}

void funds_hold(struct funds *funds, uint32_t campaign_number, bool is_held) {
    fund_of(funds, campaign_number)->is_held = is_held;
    funds_look(funds);
}

bool funds_are_done(const struct funds *funds, uint32_t campaign_number) {
    const struct fund *fund = &funds->memory[campaign_number - 1];
    bool has_waiters = fund->waiters.tqh_last != NULL && !TAILQ_EMPTY(&fund->waiters);
    return fund->job == NULL && fund->expiry == NULL && !fund->must_adopt && !fund->is_held && !has_waiters;
}

void funds_note_foreign(struct funds *funds, uint32_t campaign_number, int64_t foreign_minor) {
    fund_of(funds, campaign_number)->foreign_minor = foreign_minor;
}

void funds_note_conflicts(struct funds *funds, uint32_t campaign_number, int64_t conflict_minor) {
    fund_of(funds, campaign_number)->conflict_minor = conflict_minor;
}

/* ---- the end of a job ---- */

static void end_job(struct fund_job *job, bool is_done, int64_t retry_after_ms) {
    struct funds *funds = job->funds;
    struct fund *fund = fund_of(funds, job->campaign_number);
    arena_release(&job->arena);
    job->is_busy = false;
    bool is_expiry = fund->expiry == job;
    *(is_expiry ? &fund->expiry : &fund->job) = NULL;
    struct backoff *backoff = is_expiry ? &fund->expiry_backoff : &fund->backoff;
    funds_look(funds);
    if (is_done) {
        backoff_clear(backoff);
    } else {
        metric_add(&calls_metric_retries, 1);
        backoff_fail(backoff, clock_monotonic_us(funds->clock), retry_after_ms);
    }
}

static void store_told(struct own_operation *own, struct result outcome) {
    struct fund_job *job = CONTAINER_OF(own, struct fund_job, own);
    struct waiters *waiters = job->funds->waiters;
    struct fund *fund = fund_of(job->funds, job->campaign_number);
    waiters_thaw(waiters, &own->request.waiters);
    struct discount_operation *late; /* came meanwhile, or were too many */
    while (result_is_ok(outcome) && (late = waiters_take(waiters, &fund->waiters)) != NULL) waiters_answer_now(waiters, late);
    const struct action *action = own->request.base.operation.action;
    if (result_is_ok(outcome) && action == &fund_adopted_action) fund->must_adopt = false;
    if (result_is_ok(outcome) && (action == &fund_confirmed_action || action == &fund_adopted_action)) claims_look(job->funds->claims);
    end_job(job, result_is_ok(outcome), 0);
}

static void tell_store(struct fund_job *job, const struct action *action) {
    struct funds *funds = job->funds;
    struct own_request *request = &job->own.request;
    request->campaign_id = slot_of(job)->id;
    request->fund_step_version = job->step_version;
    CHECK(TAILQ_EMPTY(&request->waiters));
    request->fund_refusal = job->refusal;
    request->fund_refusal_detail = job->refusal_detail;
    request->fund_said = fund_of(funds, job->campaign_number)->said;
    if (action == &fund_confirmed_action || action == &fund_refused_action)
        waiters_freeze(funds->waiters, &fund_of(funds, job->campaign_number)->waiters, &request->waiters, MARK_WAITERS_MAX);
    job->own.returned = store_told;
    if (!own_submit(funds->messages, &job->own, action)) store_told(&job->own, result_error(RESULT_UNAVAILABLE));
}

/* ---- calls ---- */

static void call_done(struct http_call *call);

static bool start_call(struct fund_job *job, const char *method, const char *suffix, struct text body) {
    char id[ID_TEXT_BYTES];
    id_format(slot_of(job)->id, id);
    struct text path = arena_print(&job->arena, "/v1/funds/%.*s%s", (int)sizeof id, id, suffix);
    if (job->step == FUND_STEP_OPEN) path = TEXT("/v1/funds");
    job->call = (struct http_call){.method = method, .body = body, .done = call_done, .context = job};
    if (job->step == FUND_STEP_TOP_UP) {
        job->call.idempotency_key =
            arena_print(&job->arena, "%.*s:%" PRId64 ":%" PRId64, (int)sizeof id, id, job->step_version, job->confirmed_minor).data;
        if (job->call.idempotency_key == NULL) return false;
    }
    return result_is_ok(calls_start(job->funds->calls, &job->call, path, &job->arena));
}

/* Without room for what is said of the money nothing is sent: Wallet would refuse it for good. */
static bool start_money_call(struct fund_job *job, const char *suffix, bool has_reference) {
    struct board_slot *slot = slot_of(job);
    char name[CAMPAIGN_NAME_BYTES];
    struct buffer buffer;
    buffer_init(&buffer, &job->arena, 192 + CAMPAIGN_NAME_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    if (has_reference) json_id_member(&writer, "reference", slot->id);
    json_integer_member(&writer, "amount", job->amount_minor);
    json_text_member(&writer, "currency", text_of(currency_code(slot->currency)));
    struct text description = board_copy_name(slot, name);
    if (has_reference && description.size > 0) json_text_member(&writer, "description", description);
    json_end_object(&writer);
    return !buffer.failed && start_call(job, "POST", suffix, buffer_text(&buffer));
}

static void start_step(struct fund_job *job, enum fund_step step) {
    bool is_started = false;
    job->step = step;
    switch (step) {
    case FUND_STEP_EXPIRE: tell_store(job, &expire_action); return;
    case FUND_STEP_ADOPT: tell_store(job, &fund_adopted_action); return;
    case FUND_STEP_OPEN: is_started = start_money_call(job, "", true); break;
    case FUND_STEP_LOOK:
    case FUND_STEP_COUNT: is_started = start_call(job, "GET", "", (struct text){0}); break;
    case FUND_STEP_TOP_UP: is_started = start_money_call(job, "/topup", false); break;
    case FUND_STEP_RELEASE: is_started = start_call(job, "POST", "/release", (struct text){0}); break;
    }
    if (!is_started) end_job(job, false, 0);
}

static void close_document(struct json_document **document) { json_close(*document); }

/* NULL: it is not JSON. The texts live as long as the document. */
static struct json_document *open_answer(struct fund_job *job) {
    struct faults *faults = ARENA_NEW(&job->arena, struct faults);
    struct json_document *document = NULL;
    if (faults == NULL) return NULL;
    faults_init(faults, &job->arena);
    return result_is_ok(json_open(&job->arena, job->call.reply, faults, &document)) ? document : NULL;
}

/* One of the fund's sums; -1 when the answer does not say. */
static int64_t read_sum(struct fund_job *job, const char *name) {
    struct json_document *document __attribute__((cleanup(close_document))) = open_answer(job);
    return document == NULL ? -1 : json_get_integer(json_root(document), name, -1);
}

/* Of what it has credited: all that is not taken back, or all but what we have taken back ourselves. A reversal may be lost there together with its credit, and
 * somebody may have made another one there: neither is owed to anybody. */
static int64_t read_credited(struct fund_job *job) {
    struct json_document *document __attribute__((cleanup(close_document))) = open_answer(job);
    if (document == NULL) return -1;
    const struct board_slot *slot = slot_of(job);
    int64_t given_minor = verdict_count_credited(json_root(document)), kept_minor = json_get_integer(json_root(document), "credited", -1);
    struct money reversed;
    if (given_minor < 0 || !result_is_ok(money_multiply(board_credit(slot), job->reversed_count, &reversed))) return given_minor;
    int64_t ours_minor = money_between_totals(given_minor, reversed.amount_minor, slot->currency).amount_minor;
    return ours_minor > kept_minor ? ours_minor : kept_minor;
}

/* Whether it is Wallet's definite word about the step: nothing of it was done, and the same again will be refused again. */
static bool read_refusal(struct fund_job *job) {
    const struct http_call *call = &job->call;
    bool is_step = job->step == FUND_STEP_OPEN || job->step == FUND_STEP_TOP_UP;
    bool is_refusal = result_is_ok(call->outcome) && (call->status == 409 || call->status == 422);
    if (!is_step || !is_refusal || !calls_is_named(job->funds->calls, call)) return false;
    struct json_document *document __attribute__((cleanup(close_document))) = open_answer(job);
    if (document == NULL) return false;
    job->refusal = arena_copy(&job->arena, json_get_text(json_root(document), "code"));
    job->refusal_detail = arena_copy(&job->arena, json_get_text(json_root(document), "detail"));
    return job->refusal.size > 0;
}

static void call_failed(struct fund_job *job) {
    const struct http_call *call = &job->call;
    calls_note_failure(job->funds->calls, call);
    bool is_refused = result_is_ok(call->outcome) && call->status >= 400 && call->status < 500 && call->status != 429;
    LOG(is_refused ? LOG_ERROR : LOG_WARN, "fund_call_failed", LOG_ID("campaign_id", slot_of(job)->id),
        LOG_STRING("outcome", result_name(call->outcome)), LOG_INTEGER("status", call->status), LOG_STRING("url", call->url));
    end_job(job, false, call->retry_after_ms);
}

/* A copy that is older than the end of its campaign asks for a fund that was released since, and gets the old one: nobody is paid out of it. */
static bool read_released(struct fund_job *job) {
    struct json_document *document __attribute__((cleanup(close_document))) = open_answer(job);
    if (document == NULL) return false;
    const struct fund_said said = {.funded_minor = json_get_integer(json_root(document), "funded", -1),
                                   .is_released = text_equal(json_get_text(json_root(document), "state"), TEXT("released"))};
    if (said.funded_minor < 0 || !said.is_released) return false;
    fund_of(job->funds, job->campaign_number)->said = said;
    return true;
}

static void judge_look(struct fund_job *job) {
    int64_t funded = read_sum(job, "funded");
    if (funded < job->confirmed_minor)
        call_failed(job);
    else if (money_between_totals(funded, job->confirmed_minor, slot_of(job)->currency).amount_minor >= job->amount_minor)
        tell_store(job, &fund_confirmed_action);
    else
        start_step(job, FUND_STEP_TOP_UP);
}

/* Of our redemptions, without what was paid to nobody of ours. -1: Wallet says less than that, or nothing. */
static int64_t count_ours(struct fund_job *job) {
    const struct fund *fund = fund_of(job->funds, job->campaign_number);
    const struct money conflict = {fund->conflict_minor, slot_of(job)->currency};
    int64_t credited_minor = read_credited(job), others_minor;
    CHECK(result_is_ok(money_add_to_total(fund->foreign_minor, conflict, &others_minor))); /* both are sums of money */
    if (credited_minor < others_minor) return -1;
    return money_count_in_total(money_between_totals(credited_minor, others_minor, conflict.currency).amount_minor,
                                board_credit(slot_of(job)));
}

/* Wallet has fewer credits than we: it is an older copy, and what it lacks must be paid first. */
static void judge_count(struct fund_job *job) {
    if (count_ours(job) >= job->credited_count) {
        start_step(job, FUND_STEP_RELEASE);
        return;
    }
    job->funds->calls->must_compare = true;
    call_failed(job);
}

/* An older copy may have no such fund, and opens it when the books have been compared. */
static void judge_failure(struct fund_job *job) {
    if (calls_is_not_found(job->funds->calls, &job->call)) job->funds->calls->must_compare = true;
    call_failed(job);
}

static void judge(struct fund_job *job) {
    bool is_good = result_is_ok(job->call.outcome) && (job->call.status == 200 || job->call.status == 201);
    if (read_refusal(job)) {
        LOG(LOG_ERROR, "fund_refused", LOG_ID("campaign_id", slot_of(job)->id), LOG_INTEGER("status", job->call.status),
            LOG_TEXT("code", job->refusal), LOG_TEXT("detail", job->refusal_detail));
        tell_store(job, &fund_refused_action);
        return;
    }
    if (!is_good) {
        judge_failure(job);
        return;
    }
    bool is_asked = job->step == FUND_STEP_OPEN || job->step == FUND_STEP_TOP_UP || job->step == FUND_STEP_LOOK;
    if (is_asked && read_released(job)) {
        tell_store(job, &fund_adopted_action);
        return;
    }
    switch (job->step) {
    case FUND_STEP_OPEN:
    case FUND_STEP_TOP_UP: tell_store(job, &fund_confirmed_action); return;
    case FUND_STEP_LOOK: judge_look(job); return;
    case FUND_STEP_COUNT: judge_count(job); return;
    case FUND_STEP_RELEASE: tell_store(job, &fund_released_action); return;
    case FUND_STEP_EXPIRE:
    case FUND_STEP_ADOPT: break;
    }
    CHECK(false);
}

static void call_done(struct http_call *call) {
    /* The job may start its next call in the same place. */
    struct http_call ended = *call;
    struct fund_job *job = call->context;
    calls_judge(job->funds->calls, call);
    judge(job);
    http_call_clear(&ended);
}

/* ---- looking what is due ---- */

static bool is_expired(const struct campaign_view *view, int64_t wall_us) {
    return view->ended_at_us == 0 && view->ends_at_us != 0 && view->ends_at_us <= wall_us;
}

static bool may_release(const struct funds *funds, uint32_t number, const struct campaign_view *view) {
    bool is_over = view->ended_at_us != 0 && view->fund_is_released == 0 && view_unsettled(view) == 0;
    enum books books = board_books(board_slot(funds->board, number - 1));
    bool is_compared = (books == BOOKS_AGREE || books == BOOKS_CONFLICTED) && !funds->memory[number - 1].is_held;
    return is_over && is_compared && claims_again(funds->claims, number) == 0;
}

static bool find_step(const struct funds *funds, uint32_t number, const struct campaign_view *view, enum fund_step *ret_step) {
    *ret_step = FUND_STEP_ADOPT;
    if (funds->memory[number - 1].must_adopt) return true;
    if (view->fund_step_minor != 0) {
        *ret_step = view->fund_confirmed_minor == 0 ? FUND_STEP_OPEN : FUND_STEP_LOOK;
        return view->fund_is_refused == 0;
    }
    *ret_step = view->credited > 0 ? FUND_STEP_COUNT : FUND_STEP_RELEASE;
    return may_release(funds, number, view);
}

static struct fund_job *free_job(struct funds *funds, enum fund_step step) {
    bool is_local = step == FUND_STEP_EXPIRE;
    size_t first = is_local ? 0 : FUND_LOCAL_JOBS, last = is_local ? FUND_LOCAL_JOBS : FUND_JOBS;
    for (size_t i = first; i < last; i++) {
        if (!funds->jobs[i].is_busy) return &funds->jobs[i];
    }
    return NULL;
}

static void start_job(struct funds *funds, uint32_t number, const struct campaign_view *view, enum fund_step step, int64_t now_us) {
    struct fund_job *job = free_job(funds, step);
    if (job == NULL) {
        funds_look_by(funds, now_us + BUSY_US);
        return;
    }
    job->is_busy = true;
    job->campaign_number = number;
    job->amount_minor = view->fund_step_minor;
    job->confirmed_minor = view->fund_confirmed_minor;
    job->step_version = view->fund_step_version;
    job->credited_count = view->credited;
    job->reversed_count = view->reversed;
    job->refusal = job->refusal_detail = (struct text){0};
    arena_init(&job->arena, LIMIT_ARENA_BYTES);
    if (step == FUND_STEP_EXPIRE)
        fund_of(funds, number)->expiry = job;
    else
        fund_of(funds, number)->job = job;
    start_step(job, step);
}

static void look_at_expiry(struct funds *funds, uint32_t number, const struct campaign_view *view, int64_t wall_us, int64_t now_us) {
    if (view->ended_at_us == 0 && view->ends_at_us > wall_us) {
        int64_t left_us = view->ends_at_us - wall_us;
        funds_look_by(funds, now_us + (left_us < CLOCK_MOST_US ? left_us : CLOCK_MOST_US));
    }
    const struct fund *fund = fund_of(funds, number);
    if (!is_expired(view, wall_us) || fund->expiry != NULL) return;
    if (fund->expiry_backoff.retry_at_us > now_us)
        funds_look_by(funds, fund->expiry_backoff.retry_at_us);
    else
        start_job(funds, number, view, FUND_STEP_EXPIRE, now_us);
}

static void look_at_fund(struct funds *funds, uint32_t number, const struct campaign_view *view, int64_t now_us) {
    const struct fund *fund = fund_of(funds, number);
    enum fund_step step = FUND_STEP_LOOK;
    if (fund->job != NULL || !find_step(funds, number, view, &step)) return;
    if (fund->backoff.retry_at_us > now_us)
        funds_look_by(funds, fund->backoff.retry_at_us);
    else
        start_job(funds, number, view, step, now_us);
}

void funds_run(struct funds *funds, int64_t now_us, bool may_call) {
    if (may_call && funds->was_stopped) funds_look(funds); /* what was due meanwhile */
    funds->was_stopped = !may_call;
    if (!funds->must_look && now_us < funds->look_at_us) return;
    funds->must_look = false;
    funds->look_at_us = INT64_MAX;
    int64_t wall_us = clock_now_us(funds->clock), unsettled = 0;
    for (size_t i = board_next(funds->board, 0); i < board_count(funds->board); i = board_next(funds->board, i + 1)) {
        struct campaign_view view = board_view(board_slot(funds->board, i));
        unsettled += view_unsettled(&view);
        look_at_expiry(funds, (uint32_t)i + 1, &view, wall_us, now_us);
        if (may_call) look_at_fund(funds, (uint32_t)i + 1, &view, now_us);
    }
    metric_set(&funds_metric_unsettled, unsettled);
}
