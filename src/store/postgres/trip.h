/* What is asked and done between two answers of the server: gathered, sent as one, answered in the order in which it was asked.
 *
 *   EMPTY ── trip_ask, trip_do ──▶ GATHERED ── trip_go ──▶ sent: [BEGIN] groups … [COMMIT] sync ──▶ answers, one group after the other ──▶ EMPTY
 *
 * A group is one question asked by one or by many. Invariants: a question asked before a write is not answered behind it, nor the other way round; visitors are
 * called in the order of asking, each as soon as all before it have been: the answers of a question that nobody before waits behind stream, row by row, all
 * others are held until their turn comes; nothing after a failure. */
#pragma once

#include "store/postgres/backend.h"
#include "store/postgres/gather.h"

#define TRIP_ASKED_MAX     (1u << 20)
#define TRIP_QUESTIONS_MAX 512u /* a power of two, and twice what a service asks at least */

struct trip_question {
    const struct question *question;
    uint64_t prepared[GATHER_FORMS]; /* number of the connection that has it; 0: none */
    uint64_t phase;                  /* of the trip in which it has a group that is still open */
    size_t group;
};

struct trip_asked {
    size_t values; /* its first one's index */
    size_t group;
    size_t next; /* in its group */
    row_visitor *visit;
    void *context;
    int row, row_count; /* in the answer of its group */
};

struct trip_group {
    struct trip_question *question;
    size_t first, last, count; /* those who ask */
    bool is_write;
    int64_t rows_due; /* of each, or ROWS_ANY */
    unsigned form;
    bool is_preparing;
    PGresult *answer; /* held for those whose turn has not come */
    bool is_answered;
    size_t left; /* to be visited */
};

enum trip_place { TRIP_NOWHERE, TRIP_BEGIN, TRIP_GROUP, TRIP_END };

struct trip {
    struct backend *backend;
    struct trip_question questions[TRIP_QUESTIONS_MAX];
    size_t question_count;
    struct trip_asked *asked; /* [asked_capacity] */
    size_t asked_count, asked_capacity;
    struct value *values; /* [value_capacity] */
    size_t value_count, value_capacity;
    struct trip_group *groups; /* [group_capacity] */
    size_t group_count, group_capacity;
    char *bytes; /* [byte_capacity]: parameters on their way into libpq */
    size_t byte_count, byte_capacity;
    uint64_t phase; /* raised whenever what is asked must not join what was asked before */
    bool is_phase_of_writes;
    size_t next_visit;
    size_t visited; /* rows, so far: a trip that nobody has seen anything of may be made again */
    bool is_asked;  /* somebody waits for rows */
    bool is_out_of_memory;
    struct row row; /* the visitor's */
};

/* How a trip begins and ends, besides what was gathered. */
struct trip_frame {
    const char *begin; /* NULL: in the transaction that is open, or each statement alone */
    const char *end;   /* "COMMIT"; NULL: nothing */
};

struct trip_end {
    struct result outcome;
    enum trip_place failed_at; /* TRIP_NOWHERE: all answered, or the connection was lost */
    const struct question *failed_question;
    bool is_end_done; /* the server has answered `end` with its own name */
};

void trip_init(struct trip *trip, struct backend *backend);
void trip_free(struct trip *trip);
void trip_clear(struct trip *trip); /* forgets what was gathered */
static inline bool trip_is_empty(const struct trip *trip) { return trip->asked_count == 0; }
/* Copies the values. A failure is told by trip_go. */
void trip_ask(struct trip *trip, const struct question *question, const struct value *values, row_visitor *visit, void *context);
void trip_do(struct trip *trip, const struct question *question, const struct value *values, int64_t rows_due);
/* What was gathered stays until trip_clear, so that a lost trip can be made again. */
struct trip_end trip_go(struct trip *trip, const struct trip_frame *frame);
