#include "store/postgres/trip.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "store/postgres/wire.h"

#define NOBODY SIZE_MAX

void trip_init(struct trip *trip, struct backend *backend) { *trip = (struct trip){.backend = backend, .phase = 1}; }

void trip_clear(struct trip *trip) {
    for (size_t i = 0; i < trip->group_count; i++) PQclear(trip->groups[i].answer);
    trip->asked_count = trip->value_count = trip->group_count = 0;
    trip->is_out_of_memory = trip->is_asked = false;
    trip->phase++;
}

void trip_free(struct trip *trip) {
    trip_clear(trip);
    free(trip->asked);
    free(trip->values);
    free(trip->groups);
    free(trip->bytes);
}

/* ---- gathering ---- */

static bool grow(void **array, size_t *capacity, size_t count, size_t size) {
    if (count < *capacity) return true;
    size_t more = *capacity == 0 ? 64 : 2 * *capacity;
    void *grown = more > 64 * (size_t)TRIP_ASKED_MAX ? NULL : realloc(*array, more * size);
    if (grown == NULL) return false;
    *array = grown;
    *capacity = more;
    return true;
}

static struct trip_question *find_question(struct trip *trip, const struct question *question) {
    size_t slot = (size_t)(((uintptr_t)question >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 40) % TRIP_QUESTIONS_MAX;
    while (trip->questions[slot].question != NULL && trip->questions[slot].question != question) slot = (slot + 1) % TRIP_QUESTIONS_MAX;
    if (trip->questions[slot].question == NULL) {
        CHECK(trip->question_count < TRIP_QUESTIONS_MAX / 2);
        trip->questions[slot].question = question;
        trip->question_count++;
    }
    return &trip->questions[slot];
}

/* The open group of this question, or a new one. */
static bool find_group(struct trip *trip, struct trip_question *question, bool is_write, int64_t rows_due, size_t *ret_group) {
    if (trip->is_phase_of_writes != is_write) trip->phase++;
    trip->is_phase_of_writes = is_write;
    bool is_open = question->phase == trip->phase && trip->groups[question->group].rows_due == rows_due &&
                   question->question->parameters[0] != COLUMN_NONE;
    if (!is_open) {
        if (!grow((void **)&trip->groups, &trip->group_capacity, trip->group_count, sizeof *trip->groups)) return false;
        trip->groups[trip->group_count] =
            (struct trip_group){.question = question, .first = NOBODY, .last = NOBODY, .is_write = is_write, .rows_due = rows_due};
        question->phase = trip->phase;
        question->group = trip->group_count++;
    }
    *ret_group = question->group;
    return true;
}

static bool keep_values(struct trip *trip, const struct question *question, const struct value *values) {
    for (size_t i = 0; i < question_parameter_count(question); i++) {
        CHECK(values[i].column == question->parameters[i]);
        if (!grow((void **)&trip->values, &trip->value_capacity, trip->value_count, sizeof *trip->values)) return false;
        trip->values[trip->value_count++] = values[i];
    }
    return true;
}

static bool gather(struct trip *trip, const struct question *question, const struct value *values, struct trip_asked asked, bool is_write,
                   int64_t rows_due) {
    if (trip->asked_count >= TRIP_ASKED_MAX || !grow((void **)&trip->asked, &trip->asked_capacity, trip->asked_count, sizeof *trip->asked))
        return false;
    if (!find_group(trip, find_question(trip, question), is_write, rows_due, &asked.group)) return false;
    struct trip_group *group = &trip->groups[asked.group];
    asked.values = trip->value_count;
    asked.next = NOBODY;
    if (!keep_values(trip, question, values)) return false;
    if (group->last == NOBODY) {
        group->first = trip->asked_count;
    } else {
        trip->asked[group->last].next = trip->asked_count;
    }
    group->last = trip->asked_count;
    group->count++;
    trip->asked[trip->asked_count++] = asked;
    return true;
}

void trip_ask(struct trip *trip, const struct question *question, const struct value *values, row_visitor *visit, void *context) {
    trip->is_asked = true;
    if (!gather(trip, question, values, (struct trip_asked){.visit = visit, .context = context}, false, ROWS_ANY))
        trip->is_out_of_memory = true;
}

void trip_do(struct trip *trip, const struct question *question, const struct value *values, int64_t rows_due) {
    if (!gather(trip, question, values, (struct trip_asked){0}, true, rows_due)) trip->is_out_of_memory = true;
}

/* ---- sending ---- */

#define PARAMETERS_MAX (QUESTION_PARAMETERS_MAX + 2)

struct parameters {
    int count;
    Oid types[PARAMETERS_MAX];
    size_t offsets[PARAMETERS_MAX]; /* in the trip's bytes, which may move while they grow */
    bool are_null[PARAMETERS_MAX];
    int sizes[PARAMETERS_MAX];
};

static char *reserve(struct trip *trip, size_t size) {
    while (trip->byte_capacity - trip->byte_count < size) {
        if (!grow((void **)&trip->bytes, &trip->byte_capacity, trip->byte_capacity, 1)) return NULL;
    }
    char *at = trip->bytes + trip->byte_count;
    trip->byte_count += size;
    return at;
}

static size_t encoded_size(const struct trip *trip, const struct trip_group *group, size_t parameter) {
    size_t size = WIRE_ARRAY_HEAD_BYTES;
    for (size_t i = group->first; i != NOBODY; i = trip->asked[i].next) {
        size += WIRE_ELEMENT_HEAD_BYTES + wire_value_size(&trip->values[trip->asked[i].values + parameter]);
    }
    return size;
}

/* One parameter of all who ask, as an array. */
static bool encode_array(struct trip *trip, const struct trip_group *group, size_t parameter, struct parameters *parameters) {
    enum column column = group->question->question->parameters[parameter];
    size_t size = encoded_size(trip, group, parameter);
    int at = parameters->count++;
    if (size > INT32_MAX) return false;
    parameters->types[at] = wire_array_type(column);
    parameters->offsets[at] = trip->byte_count;
    parameters->sizes[at] = (int)size;
    char *out = reserve(trip, size);
    if (out == NULL) return false;
    out = wire_write_array_head(out, column, group->count);
    for (size_t i = group->first; i != NOBODY; i = trip->asked[i].next) {
        out = wire_write_element(out, &trip->values[trip->asked[i].values + parameter]);
    }
    return true;
}

static bool encode_value(struct trip *trip, const struct value *value, struct parameters *parameters) {
    size_t size = value->is_null ? 0 : wire_value_size(value);
    int at = parameters->count++;
    if (size > INT32_MAX) return false;
    parameters->types[at] = wire_type(value->column);
    parameters->are_null[at] = value->is_null;
    parameters->offsets[at] = trip->byte_count;
    parameters->sizes[at] = (int)size;
    char *out = reserve(trip, size + 1); /* never NULL for a text of no bytes: libpq would send NULL */
    if (out != NULL && !value->is_null) (void)wire_write_value(out, value);
    return out != NULL;
}

static bool encode(struct trip *trip, const struct trip_group *group, struct parameters *parameters) {
    *parameters = (struct parameters){0};
    trip->byte_count = 0;
    for (size_t i = 0; i < question_parameter_count(group->question->question); i++) {
        bool is_encoded = group->form & GATHER_MANY ? encode_array(trip, group, i, parameters)
                                                    : encode_value(trip, &trip->values[trip->asked[group->first].values + i], parameters);
        if (!is_encoded) return false;
    }
    if (!(group->form & GATHER_CHECKED)) return true;
    struct value rows = value_integer(group->rows_due * (int64_t)group->count);
    struct value askers = value_integer(group->rows_due == 0 ? 0 : (int64_t)group->count);
    return encode_value(trip, &rows, parameters) && encode_value(trip, &askers, parameters);
}

static unsigned form_of(const struct trip_group *group) {
    const struct question *question = group->question->question;
    bool is_many = group->count > 1 || gather_is_many_only(question);
    bool is_checked = group->is_write && group->rows_due != ROWS_ANY && !(group->rows_due == 1 && gather_writes_always(question));
    return (is_many ? (unsigned)GATHER_MANY : 0) | (is_checked ? (unsigned)GATHER_CHECKED : 0);
}

static void name_statement(const struct trip *trip, const struct trip_group *group, char name[32]) {
    snprintf(name, 32, "q%zu_%u", (size_t)(group->question - trip->questions), group->form);
}

static struct result send_group(struct trip *trip, struct trip_group *group) {
    PGconn *handle = trip->backend->handle;
    struct parameters parameters;
    char name[32];
    group->form = form_of(group);
    group->is_answered = false;
    PQclear(group->answer);
    group->answer = NULL;
    group->left = group->is_write ? 0 : group->count;
    if (!encode(trip, group, &parameters)) return result_error(RESULT_FULL);
    name_statement(trip, group, name);
    group->is_preparing = group->question->prepared[group->form] != trip->backend->number;
    if (group->is_preparing) {
        char *sql = NULL;
        TRY(gather_text(group->question->question, group->form, &sql));
        int sent = PQsendPrepare(handle, name, sql, parameters.count, parameters.types);
        free(sql);
        if (!sent) return backend_lost(trip->backend, "send");
        /* A second group of it in this trip need not prepare it again; what failed is found out when the answers come. */
        group->question->prepared[group->form] = trip->backend->number;
    }
    const char *values[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    for (int i = 0; i < parameters.count; i++) {
        values[i] = parameters.are_null[i] ? NULL : trip->bytes + parameters.offsets[i];
        formats[i] = 1;
    }
    int sent = PQsendQueryPrepared(handle, name, parameters.count, values, parameters.sizes, formats, 1);
    return sent ? result_ok() : backend_lost(trip->backend, "send");
}

static struct result send_words(struct trip *trip, const char *words) {
    if (words == NULL) return result_ok();
    int sent = PQsendQueryParams(trip->backend->handle, words, 0, NULL, NULL, NULL, NULL, 1);
    return sent ? result_ok() : backend_lost(trip->backend, "send");
}

static struct result send_all(struct trip *trip, const struct trip_frame *frame) {
    if (trip->backend->handle == NULL) return result_error(RESULT_UNAVAILABLE);
    if (!PQenterPipelineMode(trip->backend->handle)) return backend_lost(trip->backend, "send");
    TRY(send_words(trip, frame->begin));
    for (size_t i = 0; i < trip->group_count; i++) TRY(send_group(trip, &trip->groups[i]));
    TRY(send_words(trip, frame->end));
    if (!PQpipelineSync(trip->backend->handle)) return backend_lost(trip->backend, "send");
    return backend_flush(trip->backend);
}

/* ---- visiting ---- */

static struct result visit_row(struct trip *trip, const struct trip_asked *asked, const PGresult *answer, int row, int first_column) {
    int columns = PQnfields(answer) - first_column;
    CHECK(columns <= ROW_COLUMNS_MAX);
    trip->row.question = trip->groups[asked->group].question->question;
    trip->row.count = columns;
    for (int i = 0; i < columns; i++) trip->row.cells[i] = wire_read_cell(answer, row, first_column + i);
    trip->visited++;
    return row_visit(&trip->row, asked->visit, asked->context);
}

/* Everybody whose turn has come and whose answer is here. */
static struct result visit_available(struct trip *trip) {
    for (; trip->next_visit < trip->asked_count; trip->next_visit++) {
        struct trip_asked *asked = &trip->asked[trip->next_visit];
        struct trip_group *group = &trip->groups[asked->group];
        if (group->is_write) continue;
        if (!group->is_answered) break;
        for (int i = 0; i < asked->row_count; i++)
            TRY(visit_row(trip, asked, group->answer, asked->row + i, group->form & GATHER_MANY ? 1 : 0));
        if (--group->left > 0) continue;
        PQclear(group->answer);
        group->answer = NULL;
    }
    return result_ok();
}

/* The rows of each who asked: they come in the order of the ordinals. */
static struct result hand_out(struct trip *trip, struct trip_group *group) {
    int count = PQntuples(group->answer), row = 0;
    int64_t ordinal = 1;
    for (size_t i = group->first; i != NOBODY; i = trip->asked[i].next, ordinal++) {
        struct trip_asked *asked = &trip->asked[i];
        asked->row = row;
        while (row < count && wire_read_ordinal(group->answer, row) == ordinal) row++;
        asked->row_count = row - asked->row;
    }
    if (row == count) return result_ok();
    LOG(LOG_ERROR, "answers_out_of_order", LOG_STRING("question", group->question->question->name));
    return result_error(RESULT_CORRUPT);
}

/* ---- receiving ---- */

struct receiving {
    struct trip *trip;
    struct trip_end *end;
};

static bool has_failed(const struct receiving *receiving) { return !result_is_ok(receiving->end->outcome); }

static void fail(struct receiving *receiving, struct result failure, enum trip_place place, const struct question *question) {
    if (has_failed(receiving)) return;
    receiving->end->outcome = failure;
    receiving->end->failed_at = place;
    receiving->end->failed_question = question;
}

/* For those who asked, until their turn has come. Of an answer that has streamed this is the end, without rows. */
static void hold_answer(struct receiving *receiving, struct trip_group *group, PGresult *answer) {
    struct trip_asked *first = &receiving->trip->asked[group->first];
    struct result handed = result_ok();
    group->is_answered = true;
    group->answer = answer;
    if (group->form & GATHER_MANY) {
        handed = hand_out(receiving->trip, group);
    } else {
        first->row = 0;
        first->row_count = PQntuples(answer);
    }
    if (!result_is_ok(handed)) fail(receiving, handed, TRIP_GROUP, group->question->question);
}

static void stream_row(struct receiving *receiving, struct trip_group *group, const PGresult *answer) {
    struct trip *trip = receiving->trip;
    struct result visited = visit_row(trip, &trip->asked[group->first], answer, 0, 0);
    if (result_is_ok(visited)) return;
    fail(receiving, visited, TRIP_GROUP, group->question->question);
    backend_cancel(trip->backend);
}

/* One of the answers of a statement. `group` is NULL for words. */
static void take_answer(struct receiving *receiving, PGresult *answer, enum trip_place place, struct trip_group *group, bool is_execution) {
    struct trip *trip = receiving->trip;
    const struct question *question = group == NULL ? NULL : group->question->question;
    ExecStatusType status = PQresultStatus(answer);
    if (!is_execution && status != PGRES_COMMAND_OK) group->question->prepared[group->form] = 0;
    switch (status) {
    case PGRES_COMMAND_OK:
        if (place == TRIP_END) receiving->end->is_end_done = strcmp(PQcmdStatus(answer), "COMMIT") == 0;
        break;
    case PGRES_TUPLES_OK:
        if (group == NULL || group->is_write || has_failed(receiving)) break;
        hold_answer(receiving, group, answer);
        return;
    case PGRES_SINGLE_TUPLE:
        if (!has_failed(receiving)) stream_row(receiving, group, answer);
        break;
    case PGRES_PIPELINE_ABORTED: break; /* behind a failure that was told */
    case PGRES_FATAL_ERROR: {
        const char *doing = question == NULL ? place == TRIP_BEGIN ? "BEGIN" : "COMMIT" : question->name;
        struct result failure = has_failed(receiving) ? receiving->end->outcome : backend_failure(trip->backend, answer, doing);
        fail(receiving, failure, place, question);
        break;
    }
    case PGRES_EMPTY_QUERY:
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_PIPELINE_SYNC:
        fail(receiving, backend_lost(trip->backend, "an answer that nobody asked for"), TRIP_NOWHERE, question);
        break;
    }
    PQclear(answer);
}

/* All answers of one statement. RESULT_UNAVAILABLE: the connection is lost. */
static struct result receive_statement(struct receiving *receiving, enum trip_place place, struct trip_group *group, bool is_execution) {
    for (;;) {
        PGresult *answer = NULL;
        TRY(backend_receive(receiving->trip->backend, &answer));
        if (answer == NULL) return result_ok();
        take_answer(receiving, answer, place, group, is_execution);
        if (receiving->trip->backend->handle == NULL) return result_error(RESULT_UNAVAILABLE);
    }
}

static struct result receive_group(struct receiving *receiving, struct trip_group *group) {
    struct trip *trip = receiving->trip;
    if (group->is_preparing) TRY(receive_statement(receiving, TRIP_GROUP, group, false));
    bool streams = !(group->form & GATHER_MANY) && !group->is_write && trip->next_visit == group->first;
    if (streams) (void)PQsetSingleRowMode(trip->backend->handle); /* fails behind a failure, where no row comes */
    TRY(receive_statement(receiving, TRIP_GROUP, group, true));
    if (has_failed(receiving)) return result_ok();
    struct result visited = visit_available(trip);
    if (!result_is_ok(visited)) fail(receiving, visited, TRIP_GROUP, group->question->question);
    return result_ok();
}

static struct result receive_sync(struct receiving *receiving) {
    PGresult *answer = NULL;
    TRY(backend_receive(receiving->trip->backend, &answer));
    bool is_sync = answer != NULL && PQresultStatus(answer) == PGRES_PIPELINE_SYNC;
    PQclear(answer);
    if (is_sync && PQexitPipelineMode(receiving->trip->backend->handle)) return result_ok();
    return backend_lost(receiving->trip->backend, "the end of a trip");
}

static struct result receive_all(struct receiving *receiving, const struct trip_frame *frame) {
    struct trip *trip = receiving->trip;
    trip->next_visit = 0;
    while (trip->next_visit < trip->asked_count && trip->groups[trip->asked[trip->next_visit].group].is_write) trip->next_visit++;
    if (frame->begin != NULL) TRY(receive_statement(receiving, TRIP_BEGIN, NULL, true));
    for (size_t i = 0; i < trip->group_count; i++) TRY(receive_group(receiving, &trip->groups[i]));
    if (frame->end != NULL) TRY(receive_statement(receiving, TRIP_END, NULL, true));
    return receive_sync(receiving);
}

struct trip_end trip_go(struct trip *trip, const struct trip_frame *frame) {
    struct trip_end end = {.outcome = result_ok(), .failed_at = TRIP_NOWHERE};
    struct receiving receiving = {.trip = trip, .end = &end};
    trip->visited = 0;
    if (trip->is_out_of_memory) {
        end.outcome = result_error(RESULT_FULL);
        return end;
    }
    struct result gone = send_all(trip, frame);
    if (!result_is_ok(gone)) {
        backend_close(trip->backend); /* half a trip is in libpq's buffers */
    } else {
        gone = receive_all(&receiving, frame);
    }
    if (result_is_ok(end.outcome)) end.outcome = gone;
    return end;
}
