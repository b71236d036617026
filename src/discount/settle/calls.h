/* Calls to Wallet: the client and the service token that all of the settler's calls share. The settler's thread. */
#pragma once

#include "base/clock.h"
#include "base/metrics.h"
#include "discount/settle/instance.h"
#include "discount/settle/token.h"
#include "http/client.h"
#include "service/readiness.h"

struct calls {
    const char *wallet_url; /* without a slash at the end */
    const struct clock *clock;
    struct service_token token;
    struct instance instance;    /* who may answer */
    struct readiness *readiness; /* is told whether Wallet is there, and which one; NULL: nobody wants to know */
    bool must_compare;           /* Wallet was not there, or not where it was before: its books may be an older copy now */
    struct http_client *client;  /* NULL: given up, nothing is called any more */
};

/* RESULT_FULL, or what the client says. The keys, the clock and the address are lent for as long as the calls live. */
struct result calls_init(struct calls *calls, const char *wallet_url, const struct key_ring *keys, const struct clock *clock,
                         size_t connections_max) MUST_CHECK;
void calls_free(struct calls *calls); /* also what was never initialised but for zeros; ends the calls under way, as calls_give_up does */

/* Starts a call whose method, body, done and context are set, and its timeout if it is not the usual one: its address is made in the arena, which lives until `done`, and so must all that the
 * call points at. After an error `done` is not called: RESULT_FULL (also of a path that
 * found no room), RESULT_UNAVAILABLE (no token could be signed), or what the client says. */
struct result calls_start(struct calls *calls, struct http_call *call, struct text path, struct arena *arena) MUST_CHECK;
/* Whether somebody has answered, and not only a proxy in front of nobody: what Wallet thinks of the call is not meant. */
bool calls_is_heard(const struct http_call *call);
/* Said in /readyz and, when it is news, in the log; the call that found nobody, or NULL: it is there. */
void calls_say_reach(const struct calls *calls, const struct http_call *away);
void calls_say_instance(const struct calls *calls);
/* The first thing that `done` does with a call: from now on /readyz says that Wallet is there, and which one. What another Wallet than ours says, or nobody by name, is turned into no answer (RESULT_DENIED), so that
 * whoever reads the call can't believe it. */
void calls_judge(struct calls *calls, struct http_call *call);
/* Whether a call that was judged has an answer that is certainly ours, also where a refusal without a name would do. */
bool calls_is_named(const struct calls *calls, const struct http_call *call);
/* Whether one that was judged says for certain that Wallet has not got what was asked for. */
bool calls_is_not_found(const struct calls *calls, const struct http_call *call);
/* It brought nothing of use: counted, and a token that Wallet did not take is dropped. */
void calls_note_failure(struct calls *calls, const struct http_call *call);
/* Works on the calls, at most for so long (negative: not at all), or until the waker is woken, which is clear afterwards. */
void calls_run(struct calls *calls, struct waker *waker, int64_t wait_us);
/* Ends all calls under way as failed (RESULT_IO), from inside; there are none after it. */
void calls_give_up(struct calls *calls);

extern struct metric calls_metric_retries, calls_metric_errors;
