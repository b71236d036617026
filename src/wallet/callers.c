#include "wallet/callers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

_Static_assert(LIMIT_REFERENCE_BYTES <= UINT8_MAX, "a reference's size fits");

struct caller {
    char name[LIMIT_USERNAME_BYTES];
    size_t name_size;
    struct caller_count count;
};

struct callers {
    pthread_mutex_t lock;
    struct caller items[CALLERS_MAX];
    size_t count;
};

struct result callers_create(struct callers **ret_callers) {
    struct callers *callers = calloc(1, sizeof *callers);
    if (callers == NULL) return result_error(RESULT_FULL);
    CHECK(pthread_mutex_init(&callers->lock, NULL) == 0);
    *ret_callers = callers;
    return result_ok();
}

void callers_free(struct callers *callers) {
    if (callers == NULL) return;
    pthread_mutex_destroy(&callers->lock);
    free(callers);
}

static struct caller *find(struct callers *callers, struct text name) {
    for (size_t i = 0; i < callers->count; i++) {
        if (text_equal((struct text){callers->items[i].name, callers->items[i].name_size}, name)) return &callers->items[i];
    }
    return NULL;
}

/* NULL: there is no room. */
static struct caller *find_or_add(struct callers *callers, struct text name) {
    struct caller *caller = find(callers, name);
    if (caller != NULL || callers->count == CALLERS_MAX || name.size > sizeof caller->name) return caller;
    caller = &callers->items[callers->count++];
    memcpy(caller->name, name.data, name.size);
    caller->name_size = name.size;
    return caller;
}

void callers_add(struct callers *callers, struct text name, int64_t credits, struct text reference) {
    CHECK(pthread_mutex_lock(&callers->lock) == 0);
    struct caller *caller = find_or_add(callers, name);
    if (caller != NULL && reference.size <= sizeof caller->count.last_reference) {
        caller->count.credits += credits;
        memcpy(caller->count.last_reference, reference.data, reference.size);
        caller->count.last_reference_size = (uint8_t)reference.size;
    }
    CHECK(pthread_mutex_unlock(&callers->lock) == 0);
}

struct caller_count callers_find(struct callers *callers, struct text name) {
    CHECK(pthread_mutex_lock(&callers->lock) == 0);
    const struct caller *caller = find(callers, name);
    struct caller_count count = {0};
    if (caller != NULL) count = caller->count;
    CHECK(pthread_mutex_unlock(&callers->lock) == 0);
    return count;
}
