#include "wallet/self_audit.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/metrics.h"
#include "service/request.h"
#include "store/open.h"
#include "wallet/books.h"
#include "wallet/tables.h"
#include "wallet/wallet.h"

#define STEP_ROWS    INT64_C(1000) /* entries of one step; an account counts as some of them */
#define ACCOUNT_ROWS INT64_C(8)
#define REST_US      INT64_C(100000) /* between two steps */
#define REST_PASS_US CLOCK_SECOND_US /* between two passes */
#define ANSWER_BYTES 4096u

/* The account that is derived, as far as its entries were read. */
struct derived {
    int64_t number, entry, balance, debits, credits;
};

struct self_audit {
    struct self_audit_options options;
    struct place place; /* a step is read from one state */
    struct batch *batch;
    struct waker stop;
    pthread_t thread;
    /* the thread's own */
    struct derived derived;
    struct account account; /* as it says of itself, in this step */
    bool has_account, is_broken;
    int64_t rows;     /* of this step */
    const char *what; /* is wrong with it; NULL: nothing yet */
    pthread_mutex_t mutex;
    struct self_audit_state state;
};

static struct metric accounts_metric, entries_metric, passes_metric, divergences_metric;

static void register_metrics(void) {
    static const struct {
        struct metric *metric;
        const char *name, *help;
        enum metric_kind kind;
    } all[] = {
        {&accounts_metric, "walletd_self_audit_account", "The number of the account at which the self-audit is.", METRIC_GAUGE},
        {&entries_metric, "walletd_self_audit_entries_total", "Entries that the self-audit has added up.", METRIC_COUNTER},
        {&passes_metric, "walletd_self_audit_passes_total", "How often the self-audit has been through all accounts.", METRIC_COUNTER},
        {&divergences_metric, "walletd_self_audit_divergences", "Accounts that are not what their entries say.", METRIC_GAUGE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        *all[i].metric = (struct metric){.name = all[i].name, .labels = "", .help = all[i].help, .kind = all[i].kind};
        metrics_register(all[i].metric);
    }
}

/* ---- what is done about a divergence: the account is frozen ---- */

struct freeze {
    struct operation operation; /* first */
    struct id account_id;
};

static void load_account(struct engine *engine, struct operation *operation) {
    books_load_account(engine, ((const struct freeze *)operation)->account_id);
}

static void freeze(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct account *account = ledger_find_account(books_ledger(engine), ((const struct freeze *)operation)->account_id);
    bool is_changed = false;
    if (account == NULL || account_set_frozen(account, true, now_us, &is_changed) != LEDGER_APPLIED || !is_changed) return;
    audit_note(engine, operation, "account.freeze", account->id, TEXT("{\"state\":\"open\"}"), TEXT("{\"state\":\"frozen\"}"), now_us);
}

static const struct action freeze_action = {.name = "freeze", .weight = 1, .load = load_account, .decide = freeze};

static void freeze_done(struct store_operation *store, struct result outcome) {
    if (!result_is_ok(outcome)) LOG(LOG_ERROR, "account_not_frozen", LOG_STRING("reason", result_name(outcome)));
    free(operation_of(store));
}

static void submit_freeze(struct self_audit *audit, struct id account_id) {
    struct freeze *self = calloc(1, sizeof *self);
    if (self == NULL) return;
    self->operation =
        (struct operation){.action = &freeze_action, .store = {.weight = freeze_action.weight, .done = freeze_done}, .actor = "self-audit"};
    self->account_id = account_id;
    if (!result_is_ok(store_submit_internal(audit->options.store, &self->operation.store))) free(self);
}

static bool is_known(const struct self_audit_state *state, int64_t number) {
    for (int64_t i = 0; i < state->divergence_count && i < SELF_AUDIT_DIVERGENCES_MAX; i++) {
        if (state->divergences[i].account_number == number) return true;
    }
    return false;
}

static void diverge(struct self_audit *audit) {
    const struct self_audit_divergence found = {.account_number = audit->derived.number,
                                                .entry = audit->derived.entry,
                                                .found_at_us = clock_now_us(audit->options.clock),
                                                .account_id = audit->has_account ? audit->account.id : (struct id){{0}},
                                                .what = audit->what};
    pthread_mutex_lock(&audit->mutex);
    struct self_audit_state *state = &audit->state;
    bool is_new = !is_known(state, found.account_number);
    if (is_new && state->divergence_count < SELF_AUDIT_DIVERGENCES_MAX) state->divergences[state->divergence_count++] = found;
    int64_t count = state->divergence_count;
    pthread_mutex_unlock(&audit->mutex);
    if (!is_new) return;
    LOG(LOG_ERROR, "books_diverge", LOG_INTEGER("account", found.account_number), LOG_ID("account_id", found.account_id),
        LOG_INTEGER("entry", found.entry), LOG_STRING("reason", found.what));
    metric_set(&divergences_metric, count);
    (void)readiness_say(audit->options.readiness, CONCERN_SELF_AUDIT, "diverged");
    if (!id_is_zero(found.account_id)) submit_freeze(audit, found.account_id);
}

/* ---- a step ---- */

static struct result account_seen(void *context, const struct row *row) {
    struct self_audit *audit = context;
    int64_t number = row_integer(row, 0);
    if (number != audit->derived.number) audit->derived = (struct derived){.number = number};
    audit->is_broken = true; /* unless it is not */
    TRY(row_account(row, 0, &audit->account));
    audit->is_broken = false;
    audit->has_account = true;
    return result_ok();
}

static struct result entry_seen(void *context, const struct row *row) {
    struct self_audit *audit = context;
    struct derived *derived = &audit->derived;
    int64_t sequence = row_integer(row, 0), amount = row_integer(row, 1);
    audit->rows++;
    if (audit->what != NULL) return result_ok();
    int64_t *side = amount < 0 ? &derived->debits : &derived->credits;
    bool overflows = amount < 0 ? __builtin_sub_overflow(*side, amount, side) : __builtin_add_overflow(*side, amount, side);
    overflows = __builtin_add_overflow(derived->balance, amount, &derived->balance) || overflows;
    if (sequence != derived->entry + 1)
        audit->what = "an entry is missing";
    else if (overflows || derived->balance != row_integer(row, 2))
        audit->what = "the balance behind an entry is not the sum of the entries up to it";
    derived->entry = sequence;
    return result_ok();
}

static void compare(struct self_audit *audit) {
    const struct account *account = &audit->account;
    const struct derived *derived = &audit->derived;
    if (account->sequence != derived->entry)
        audit->what = "it counts another number of entries than it has";
    else if (account->debits_posted != derived->debits || account->credits_posted != derived->credits)
        audit->what = "its sums are not those of its entries";
    if (audit->what != NULL) audit->derived.entry = 0;
}

static void tell_position(struct self_audit *audit, int64_t rows) {
    pthread_mutex_lock(&audit->mutex);
    audit->state.account_number = audit->derived.number;
    audit->state.entry = audit->derived.entry;
    audit->state.entries += rows;
    pthread_mutex_unlock(&audit->mutex);
    metric_set(&accounts_metric, audit->derived.number);
    metric_add(&entries_metric, rows);
}

/* Some entries of the account that is at hand, or of the next one, and its own row, from one state. *ret_is_behind: there is no account any more. */
static struct result look(struct self_audit *audit, bool *ret_is_behind) {
    audit->has_account = audit->is_broken = false;
    audit->what = NULL;
    audit->rows = 0;
    ask_account_from(audit->batch, audit->derived.number, account_seen, audit);
    struct result outcome = batch_run(audit->batch);
    *ret_is_behind = result_is_ok(outcome) && !audit->has_account;
    if (outcome.code == RESULT_CORRUPT && audit->is_broken) { /* the log has its column */
        audit->what = "its row breaks its own rules";
        return result_ok();
    }
    TRY(outcome);
    if (*ret_is_behind) return result_ok();
    ask_entry_sums(audit->batch, audit->derived.number, audit->derived.entry, STEP_ROWS, entry_seen, audit);
    TRY(batch_run(audit->batch));
    if (audit->what == NULL && audit->rows < STEP_ROWS) compare(audit);
    return result_ok();
}

static void begin_pass(struct self_audit *audit) {
    audit->derived = (struct derived){.number = 1};
    pthread_mutex_lock(&audit->mutex);
    audit->state.pass_began_us = clock_now_us(audit->options.clock);
    pthread_mutex_unlock(&audit->mutex);
}

static void end_pass(struct self_audit *audit) {
    pthread_mutex_lock(&audit->mutex);
    audit->state.passes++;
    audit->state.pass_ended_us = clock_now_us(audit->options.clock);
    bool is_sound = audit->state.divergence_count == 0;
    pthread_mutex_unlock(&audit->mutex);
    metric_add(&passes_metric, 1);
    if (is_sound) (void)readiness_say(audit->options.readiness, CONCERN_SELF_AUDIT, "ok");
}

/* So many rows. Returns how long to rest. */
static int64_t step(struct self_audit *audit) {
    int64_t left = STEP_ROWS;
    bool is_behind = false;
    while (left > 0 && !is_behind) {
        struct result outcome = look(audit, &is_behind);
        batch_end_round(audit->batch);
        if (!result_is_ok(outcome)) return REST_PASS_US; /* the storage is away: again from where it was */
        if (audit->what != NULL) diverge(audit);
        tell_position(audit, audit->rows);
        bool is_over = audit->what != NULL || audit->rows < STEP_ROWS;
        left -= audit->rows + ACCOUNT_ROWS;
        if (is_over && !is_behind) audit->derived = (struct derived){.number = audit->derived.number + 1};
    }
    if (!is_behind) return REST_US;
    end_pass(audit);
    begin_pass(audit);
    return REST_PASS_US;
}

static void *run(void *context) {
    struct self_audit *audit = context;
    begin_pass(audit);
    int64_t rest_us = REST_US;
    while (!waker_wait(&audit->stop, rest_us)) rest_us = step(audit);
    return NULL;
}

/* ---- life ---- */

static struct result begin(struct self_audit *audit) {
    sigset_t all, before;
    TRY(waker_init(&audit->stop));
    TRY(batch_open(&audit->place, BATCH_READ, &audit->batch));
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals are the main thread's business */
    int error = pthread_create(&audit->thread, NULL, run, audit);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) return result_error(RESULT_FULL);
    pthread_setname_np(audit->thread, "self-audit");
    return result_ok();
}

static void release(struct self_audit *audit) {
    if (audit->batch != NULL) batch_close(audit->batch);
    if (audit->stop.fd >= 0) waker_close(&audit->stop);
    pthread_mutex_destroy(&audit->mutex);
    free(audit);
}

struct result self_audit_start(const struct self_audit_options *options, struct self_audit **ret_audit) {
    struct self_audit *audit = calloc(1, sizeof *audit);
    if (audit == NULL) return result_error(RESULT_FULL);
    audit->options = *options;
    audit->place = *options->place;
    audit->place.keeps_state = true;
    audit->stop.fd = -1;
    pthread_mutex_init(&audit->mutex, NULL);
    register_metrics();
    struct result begun = begin(audit);
    if (!result_is_ok(begun)) {
        release(audit);
        return begun;
    }
    *ret_audit = audit;
    return begun;
}

void self_audit_stop(struct self_audit *audit) {
    if (audit == NULL) return;
    waker_wake(&audit->stop);
    CHECK(pthread_join(audit->thread, NULL) == 0);
    release(audit);
}

void self_audit_read(struct self_audit *audit, struct self_audit_state *ret_state) {
    *ret_state = (struct self_audit_state){0};
    if (audit == NULL) return;
    pthread_mutex_lock(&audit->mutex);
    *ret_state = audit->state;
    pthread_mutex_unlock(&audit->mutex);
}

/* ---- GET /v1/ledger/audit ---- */

static void write_time(struct json_writer *writer, const char *name, int64_t time_us) {
    if (time_us == 0)
        json_null_member(writer, name);
    else
        json_time_member(writer, name, time_us);
}

static void write_divergence(struct json_writer *writer, const struct self_audit_divergence *found) {
    json_begin_object(writer);
    if (id_is_zero(found->account_id))
        json_null_member(writer, "account_id");
    else
        json_id_member(writer, "account_id", found->account_id);
    json_integer_member(writer, "account", found->account_number);
    json_integer_member(writer, "entry", found->entry);
    json_text_member(writer, "finding", text_of(found->what));
    json_time_member(writer, "found_at", found->found_at_us);
    json_end_object(writer);
}

static void write_state(struct json_writer *writer, const struct self_audit_state *state) {
    json_begin_object(writer);
    json_text_member(writer, "state", state->divergence_count > 0 ? TEXT("diverged") : state->passes > 0 ? TEXT("ok") : TEXT("unknown"));
    json_key(writer, "position");
    json_begin_object(writer);
    json_integer_member(writer, "account", state->account_number);
    json_integer_member(writer, "entry", state->entry);
    json_end_object(writer);
    json_integer_member(writer, "passes", state->passes);
    json_integer_member(writer, "entries_checked", state->entries);
    write_time(writer, "pass_started_at", state->pass_began_us);
    write_time(writer, "last_pass_ended_at", state->pass_ended_us);
    json_integer_member(writer, "divergence_count", state->divergence_count);
    json_key(writer, "divergences");
    json_begin_array(writer);
    for (int64_t i = 0; i < state->divergence_count && i < SELF_AUDIT_DIVERGENCES_MAX; i++)
        write_divergence(writer, &state->divergences[i]);
    json_end_array(writer);
    json_end_object(writer);
}

void self_audit_get(struct exchange *exchange) {
    struct self_audit_state state;
    struct buffer buffer;
    self_audit_read(wallet_of(exchange)->self_audit, &state);
    buffer_init(&buffer, &exchange->arena, ANSWER_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_state(&writer, &state);
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}
