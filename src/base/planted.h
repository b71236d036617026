/* Faults that are planted on purpose, to see that the simulator finds each of them (sim/planted.c, docs/planted-faults.md).
 *
 * They exist in builds with -Dplanted=true only, where one at a time is switched on at the start of the simulator; everywhere else PLANTED() is
 * the constant false, and the compiler leaves nothing of them. */
#pragma once

#include <stdbool.h>

enum planted {
    PLANTED_NONE,
    PLANTED_REPLY_BEFORE_COMMIT,             /* store.c: answered, then committed */
    PLANTED_PUBLISH_BEFORE_COMMIT,           /* store.c: the snapshot shows what may still fail */
    PLANTED_FAILED_COMMIT_ANSWERED,          /* store.c: done, though nothing was saved */
    PLANTED_BATCH_WAITS_UNTIL_FULL,          /* store.c: for ever, when no more come */
    PLANTED_FSYNC_LEFT_OUT,                  /* database.c */
    PLANTED_OLD_STATE_READ,                  /* round.c: a loop reads on in its round, whatever was committed */
    PLANTED_LOST_WAKE_UP,                    /* store.c: the store sleeps on */
    PLANTED_TIME_GOES_BACK,                  /* core/redeem.c: with the wall clock */
    PLANTED_REPLAY_OF_ANOTHER_BODY,          /* idempotency.c: a used key gets the first answer, whatever is asked */
    PLANTED_KEPT_ANSWER_NOT_SAVED,           /* service/engine.c */
    PLANTED_KEPT_ANSWER_NOT_LOADED,          /* service/engine.c: looked up and written in two transactions */
    PLANTED_KEPT_ANSWER_DROPPED_EARLY,       /* service/engine.c */
    PLANTED_REFERENCE_NOT_RECOGNISED,        /* credits.c: the same credit again is a new one */
    PLANTED_CREDIT_OUT_OF_NOTHING,           /* credits.c: not out of its fund */
    PLANTED_SIDE_OF_A_TRANSFER_LOST,         /* wallet/books.c: one of the two accounts is not saved */
    PLANTED_WORKING_SET_KEPT_AFTER_ROLLBACK, /* discount/engine.c */
    PLANTED_ONE_PLACE_TOO_MANY,              /* core/redeem.c */
    PLANTED_PHONE_NOT_ASKED,                 /* core/redeem.c */
    PLANTED_PAUSE_NOT_ASKED,                 /* core/redeem.c */
    PLANTED_EXPIRY_OFF_BY_ONE,               /* core/redeem.c: a second */
    PLANTED_SNAPSHOT_NOT_PUBLISHED,          /* discount/engine.c: the loops go on refusing */
    PLANTED_WINNER_NOT_PUBLISHED,            /* discount/engine.c: a winner's repeat is a stranger's */
    PLANTED_MARK_NOT_SAVED,                  /* discount/engine.c */
    PLANTED_CLAIM_FORGOTTEN_AT_RESTART,      /* settle/claims.c */
    PLANTED_CLAIM_FORGOTTEN_WHEN_NOT_MARKED, /* settle/credits.c: credited, then the disk failed */
    PLANTED_NEW_REFERENCE_AT_EACH_TRY,       /* settle/credits.c, settle/reply.c */
    PLANTED_SETTLER_NOT_WOKEN,               /* settle/messages.c */
    PLANTED_FUND_RELEASED_TOO_EARLY,         /* settle/funds.c: before its last claim is paid */
    PLANTED_TOP_UP_WITHOUT_LOOKING,          /* settle/funds.c: sent again, added again */
    PLANTED_COUNT
};

#ifdef HAMYAN_PLANTED
extern int planted_fault;
#define PLANTED(name) (planted_fault == PLANTED_##name)
#else
#define PLANTED(name) false
#endif
