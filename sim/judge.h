/* Whether an answer is right: what a 2xx says is in the database, and a refusal had its reason at some moment between the first sending and now.
 *
 * A naive model: it knows the committed states and who has asked for what, and nothing of how the services work. */
#pragma once

#include "sim/actors.h"

enum verdict {
    VERDICT_DONE,    /* a definite answer */
    VERDICT_RETRY,   /* not now: 503, 429, 202, a token that is no longer good */
    VERDICT_RELOGIN, /* 401 */
};

/* Before it is sent for the first time: notes what is so already. */
void judge_begin(struct intent *intent);
bool judge_has_won(const struct actor *actor, const struct campaign_plan *campaign); /* as the database has it now */
/* Of a copy with a key that was sent behind the answer: it must be replayed. */
void judge_repeat(const struct intent *intent, const struct link_answer *answer);
/* Fails the world when the answer is wrong. */
enum verdict judge_answer(struct intent *intent, const struct link_answer *answer);
/* At the end, in peace: a success, and soon. */
void judge_prompt(const struct intent *intent, enum verdict verdict);
/* At the very end, over both databases: every answer that somebody saw is still true, and nothing is there that nobody asked for. */
void judge_end(void);
