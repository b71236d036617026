#include "discount/changes.h"

#include "base/json/json.h"
#include "discount/tables.h"
#include "service/audit.h"

#define ARENA_BYTES (64u * 1024)

struct visit {
    struct arena arena;
    change_visitor *visit;
    void *context;
};

/* What the act left says which sequence it was made with. */
static int64_t sequence_of(struct arena *arena, struct text state) {
    struct faults faults;
    struct json_document *document = NULL;
    int64_t sequence = 0;
    faults_init(&faults, arena);
    if (state.size > 0 && result_is_ok(json_open(arena, state, &faults, &document)) && json_is_object(json_root(document)))
        sequence = json_get_integer(json_root(document), "sequence", 0);
    json_close(document);
    return sequence;
}

static void write_state(struct json_writer *writer, const char *name, struct text json) {
    json_key(writer, name);
    if (json.size == 0)
        json_put_null(writer);
    else
        json_put_raw(writer, json);
}

static void write_change(struct json_writer *writer, const struct audit_entry *entry, int64_t sequence) {
    json_begin_object(writer);
    json_integer_member(writer, "sequence", sequence);
    json_time_member(writer, "at", entry->created_at_us);
    json_text_member(writer, "action", entry->act);
    json_text_member(writer, "actor", entry->actor);
    json_text_member(writer, "actor_name", entry->actor_name);
    json_integer_member(writer, "audit_sequence", entry->sequence);
    write_state(writer, "before", entry->before);
    write_state(writer, "after", entry->after);
    json_end_object(writer);
}

static struct result entry_found(void *context, const struct row *row) {
    struct visit *self = context;
    struct audit_entry entry;
    struct buffer buffer;
    TRY(row_audit(row, &entry));
    arena_release(&self->arena);
    buffer_init(&buffer, &self->arena, CHANGE_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    struct change_found found = {.audit_sequence = entry.sequence, .sequence = sequence_of(&self->arena, entry.after)};
    write_change(&writer, &entry, found.sequence);
    if (buffer.failed) return result_error(RESULT_FULL);
    found.data = buffer_text(&buffer);
    self->visit(self->context, &found);
    return result_ok();
}

struct result changes_read(struct batch *batch, enum changes_order order, struct id campaign_id, int64_t audit_sequence, int64_t limit,
                           change_visitor *visit, void *context) {
    char id[ID_TEXT_BYTES];
    struct visit self = {.visit = visit, .context = context};
    id_format(campaign_id, id);
    struct text campaign = {id, sizeof id};
    arena_init(&self.arena, ARENA_BYTES);
    if (order == CHANGES_AFTER)
        ask_acts_after(batch, campaign, audit_sequence, limit, entry_found, &self);
    else
        ask_acts_before(batch, campaign, audit_sequence, limit, entry_found, &self);
    struct result outcome = batch_run(batch);
    batch_end_round(batch);
    arena_release(&self.arena);
    return outcome;
}
