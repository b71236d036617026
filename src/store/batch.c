#include "store/batch.h"

#include "store/driver.h"

void batch_close(struct batch *batch) {
    if (batch != NULL) batch->driver->close(batch);
}

void batch_ask(struct batch *batch, const struct question *question, const struct value *values, row_visitor *visit, void *context) {
    batch->driver->ask(batch, question, values, visit, context);
}

struct result batch_run(struct batch *batch) {
    return batch->driver->run(batch);
}
void batch_end_round(struct batch *batch) { batch->driver->end_round(batch); }
struct result batch_begin(struct batch *batch) {
    return batch->driver->begin(batch);
}

void batch_do(struct batch *batch, const struct question *question, const struct value *values, int64_t rows_due) {
    batch->driver->perform(batch, question, values, rows_due);
}

enum commit_end batch_commit(struct batch *batch, struct result *ret_reason) { return batch->driver->commit(batch, ret_reason); }
enum commit_end batch_settle(struct batch *batch) { return batch->driver->settle(batch); }
void batch_rollback(struct batch *batch) { batch->driver->rollback(batch); }
struct result batch_probe(struct batch *batch) {
    return batch->driver->probe(batch);
}
enum commit_end batch_tidy(struct batch *batch, bool is_busy) { return batch->driver->tidy(batch, is_busy); }

struct result batch_verify(struct batch *batch, char *buffer, size_t capacity) {
    return batch->driver->verify(batch, buffer, capacity);
}
void batch_observe_commits(struct batch *batch, struct metric *metric) { batch->driver->observe_commits(batch, metric); }

size_t question_parameter_count(const struct question *question) {
    size_t count = 0;
    while (count < QUESTION_PARAMETERS_MAX && question->parameters[count] != COLUMN_NONE) count++;
    return count;
}
