/* The wallet's store engine: load what a batch names, decide it, save what changed. One for every kind of storage (rows.h).
 *
 * Nothing is cached between batches: the working set is made anew for each, so that a rollback has nothing to take back. */
#pragma once

#include "base/clock.h"
#include "wallet/operation.h"
#include "wallet/rows.h"

struct engine_options {
    enum currency currency;
    const struct rows *rows; /* copied */
    struct id_source *ids;   /* used on the store's thread only */
    const struct clock *clock;
    /* After each commit, before anybody is answered: sessions that ended in it. May be NULL. */
    void (*session_ended)(void *context, const struct session *session);
    void (*user_sessions_ended)(void *context, const struct user *user);
    void *context;
};

struct engine;
struct result engine_create(const struct engine_options *options, struct engine **ret_engine) MUST_CHECK;
void engine_free(struct engine *engine); /* after the store is stopped */
void engine_bind(struct engine *engine, struct store_engine *ret_engine);
