#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

#define DETAIL_BYTES    255u
#define CHARACTER_BYTES 4u

void faults_init(struct faults *faults, struct arena *arena) {
    faults->arena = arena;
    faults->count = faults->dropped = 0; /* no item is looked at beyond the count: wiping them would cost more than most bodies' reading */
}

void faults_add(struct faults *faults, const char *field, const char *code, const char *detail, ...) {
    if (faults->count == LIMIT_FAULTS) {
        faults->dropped++;
        return;
    }
    char printed[DETAIL_BYTES + CHARACTER_BYTES + 1]; /* so that the cut sees a whole character */
    va_list arguments;
    va_start(arguments, detail);
    int size = vsnprintf(printed, sizeof printed, detail, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    struct text detail_copy = arena_copy(faults->arena, text_cut(text_of(printed), DETAIL_BYTES));
    struct text field_copy = arena_copy(faults->arena, text_of(field));
    /* Without memory the fault still counts: a faulty input must not pass because its faults could not be told. */
    faults->items[faults->count++] = (struct fault){
        .field = field_copy.data == NULL ? "" : field_copy.data,
        .code = code,
        .detail = detail_copy.data == NULL ? "" : detail_copy.data,
    };
}
