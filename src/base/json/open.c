#include "base/check.h"
#include "base/json/tree.h"

/* What a document may take: 8 bytes for each byte of "[1,1,…", and as much again twice while the parser's stack doubles. */
#define ARENA_BYTES_PER_BYTE 32u
#define ARENA_BYTES_LEAST    16384u

struct json_document {
    struct arena arena; /* its own: a big body shall not use up what its request may take */
    struct json_value root;
};

struct result json_open_faulty(struct arena *arena, struct text text, struct faults *faults, struct json_document **ret_document,
                               size_t *ret_offset) {
    *ret_document = NULL;
    *ret_offset = 0;
    struct json_document *document = arena_take(arena, sizeof *document);
    if (document == NULL || text.size > LIMIT_JSON_BYTES) return result_error(RESULT_FULL);
    arena_init(&document->arena, ARENA_BYTES_LEAST + text.size * ARENA_BYTES_PER_BYTE);
    size_t count_before = faults->count, dropped_before = faults->dropped;
    struct json_end end;
    if (!json_parse(&document->arena, text, faults, &document->root, &end)) {
        *ret_offset = end.offset;
        faults->count = count_before;
        faults->dropped = dropped_before;
        arena_release(&document->arena);
        return result_error(end.is_full ? RESULT_FULL : RESULT_INVALID);
    }
    *ret_document = document;
    return result_ok();
}

struct result json_open(struct arena *arena, struct text text, struct faults *faults, struct json_document **ret_document) {
    size_t told_before = faults->count + faults->dropped;
    size_t offset;
    TRY(json_open_faulty(arena, text, faults, ret_document, &offset));
    if (faults->count + faults->dropped == told_before) return result_ok();
    json_close(*ret_document);
    *ret_document = NULL;
    return result_error(RESULT_INVALID);
}

void json_close(struct json_document *document) {
    if (document != NULL) arena_release(&document->arena);
}

const struct json_value *json_root(const struct json_document *document) {
    CHECK(document != NULL);
    return &document->root;
}
