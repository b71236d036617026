/* Claim, settle, credit, mark: both services, their link and their clients, with everything failing that can fail.
 *
 *   Client ─▶ loop (board) ─▶ Store of discountd: collect, decide, commit, publish, finish ─▶ Settler ─▶ link ─▶ Wallet: take, decide, commit, reply
 *                                 ▲ mark ──────────────────────────────────────────────────────┘◀──────────────────┘
 *
 * Names that begin with disk_ are what survives a crash; all else of a service is lost with it. A process is one thread; each of its steps is
 * atomic and may be followed by a step of anybody else, a crash included. There is no bound on crashes, losses, repetitions and retries: until
 * `is_calm` becomes true (at any moment, or never) everything may fail any number of times; afterwards nothing fails any more, and the world
 * must become quiet by itself. docs/model.md says which line stands for which code, what is proved, and what is left out.
 *
 * USERS, REQUESTS (in flight per user), LIMIT, REFUSED (a user whom Wallet does not know) and the planted faults come by -D from test_settling.py. */

#ifndef REFUSED
#define REFUSED USERS /* nobody */
#endif
#ifndef STEP
#define STEP d_step /* atomic: slower, but spin then counts what is reached inside of it */
#endif
#define SLOTS     (USERS * REQUESTS)
#define USER(s)   ((s) % USERS)
#define CALLS     2
#ifdef FAULT_NEW_REFERENCE
#define REFERENCES (2 * USERS)
#else
#define REFERENCES USERS
#endif
#define FUND      USERS             /* the obligation beside the users' claims: to open the campaign's fund */
#define FUND_BIT  (1 << REFERENCES) /* in a message */
#define BIT(r)    (1 << (r))
#define HAS(set, r) (((set) >> (r)) & 1)

mtype:request = { IDLE, BROKEN, ASKED, LOOKED, QUEUED, TAKEN, WAITING };
mtype:verdict = { UNDECIDED, CLAIMS, WAITS, REPEATS, SOLD_OUT };
mtype:row = { NO_ROW, CLAIMED, CREDITED, FAILED };
mtype:duty = { NO_DUTY, READY, IN_FLIGHT, TO_MARK, TO_FAIL, MARKING, FAILING };
mtype:store = { ASLEEP, CLEAR, COLLECT, DECIDE, COMMIT, PUBLISH_WINNERS, PUBLISH_COUNT, FINISH };
mtype:wallet = { AT_REST, HAS_TAKEN, HAS_DECIDED, HAS_COMMITTED };
mtype:call = { FREE, SENT, ANSWERED };

/* ---- discountd ---- */
mtype:row disk_status[USERS] = NO_ROW;
byte disk_position[USERS];
byte disk_count;        /* campaign.redeemed */
bool disk_fund_is_open; /* campaign.fund_step_minor == 0 */

bool discount_is_up;
mtype:request request[SLOTS] = IDLE; /* IDLE and BROKEN belong to the client: answered, or to be sent again */
mtype:verdict verdict[SLOTS] = UNDECIDED;
mtype:store store = ASLEEP;
bool is_woken; /* the store's eventfd */
byte count;    /* the working set's: stays between batches */
byte position[USERS]; /* of the batch's new rows */
bool board_is_sold_out;
byte board_winners; /* set of users */
mtype:duty duty[USERS + 1] = NO_DUTY; /* what the settler knows of each claim, and of the fund */
mtype:call call[CALLS] = FREE;
byte call_items[CALLS], call_done[CALLS], call_refused[CALLS];

/* ---- the link: each message ever sent may arrive again, in any order, at any time; or never ---- */
int sent; /* set of messages, a message being the set of its references */

/* ---- walletd ---- */
byte disk_known; /* set of references */
byte disk_credits[USERS];
bool disk_fund;
short disk_fund_left;

bool wallet_is_up = true;
mtype:wallet wallet = AT_REST;
byte taken[2]; /* messages; 0: none */
byte posted;   /* references decided, not yet committed */

bool is_calm;

hidden byte i, s, u, c, m, n;
hidden int set, arrived;

#define SETTLED(u) (disk_status[u] == NO_ROW || disk_status[u] == CREDITED || disk_status[u] == FAILED)

inline check_books() {
    /* 1: the limit, and positions 1..n without gap or repetition. */
#ifndef FAULT_NO_LIMIT
    assert(disk_count <= LIMIT);
#endif
    set = 0;
    for (i : 0 .. USERS - 1) {
        if
        :: disk_status[i] != NO_ROW ->
            assert(disk_position[i] >= 1 && disk_position[i] <= disk_count && !HAS(set, disk_position[i]));
            set = set | BIT(disk_position[i])
        :: else
        fi
    }
    for (i : 1 .. disk_count) { assert(HAS(set, i)) }
    /* 3 and 7: at most one credit for a claim; no credit without a claim; credited means credited. */
    n = 0;
    for (i : 0 .. USERS - 1) {
        assert(disk_credits[i] <= 1);
        assert(disk_credits[i] == 0 || disk_status[i] == CLAIMED || disk_status[i] == CREDITED);
        assert(disk_status[i] != CREDITED || disk_credits[i] == 1);
        assert(disk_status[i] != FAILED || i == REFUSED); /* explicitly failed, for a reason that is final */
        n = n + disk_credits[i]
    }
    /* 6: the fund. */
    assert(disk_fund_left >= 0);
    assert(disk_fund || n == 0);
    assert(!disk_fund || n + disk_fund_left == LIMIT);
    assert(!disk_fund_is_open || disk_fund);
    i = 0; n = 0; set = 0
}

/* ---- what clients are told: 5, and "no" is as true as "yes" ---- */

inline tell_settled(s) { /* 201 and 200 */
    assert(disk_status[USER(s)] == CREDITED || disk_status[USER(s)] == FAILED);
    assert(disk_status[USER(s)] != CREDITED || disk_credits[USER(s)] == 1);
    request[s] = IDLE
}

inline tell_claimed(s) { /* 202 */
    assert(disk_status[USER(s)] != NO_ROW);
    request[s] = IDLE
}

inline tell_sold_out(s) { /* 410 */
    assert(disk_count == LIMIT && disk_status[USER(s)] == NO_ROW);
    request[s] = IDLE
}

/* ---- the store's queue: the pusher wakes the store when the queue was empty ---- */

inline push() {
    n = 0;
    for (i : 0 .. SLOTS - 1) { n = n + (request[i] == QUEUED) }
    for (i : 0 .. USERS) { n = n + (duty[i] == TO_MARK || duty[i] == TO_FAIL) }
    is_woken = is_woken || n == 0;
    i = 0; n = 0
}

/* ---- clients, and the loop that serves them ---- */

active [SLOTS] proctype Client() {
    byte me = _pid;
end:
    do
    :: STEP { discount_is_up && request[me] == IDLE && !is_calm -> request[me] = ASKED } /* first, or once more */
    :: STEP { discount_is_up && request[me] == BROKEN -> request[me] = ASKED }
    /* The loop looks at the board: the count first, the winners second. */
    :: STEP { discount_is_up && request[me] == ASKED ->
#ifdef FAULT_LOOKS_FOR_WINNERS_FIRST
            if
            :: HAS(board_winners, USER(me)) -> push(); request[me] = QUEUED
            :: else -> request[me] = LOOKED
            fi }
    :: STEP { discount_is_up && request[me] == LOOKED ->
            if
            :: board_is_sold_out -> tell_sold_out(me)
            :: else -> push(); request[me] = QUEUED
            fi }
#else
            if
            :: board_is_sold_out -> request[me] = LOOKED
            :: else -> push(); request[me] = QUEUED
            fi }
    :: STEP { discount_is_up && request[me] == LOOKED ->
            if
            :: HAS(board_winners, USER(me)) -> push(); request[me] = QUEUED
            :: else -> tell_sold_out(me)
            fi }
#endif
    :: STEP { request[me] == WAITING -> tell_claimed(me) } /* --settle-wait is over */
    od
}

/* ---- the store's thread of discountd ---- */

inline decide() {
    for (s : 0 .. SLOTS - 1) {
        if
        :: request[s] == TAKEN ->
            u = USER(s);
            if
            :: disk_status[u] == CREDITED || disk_status[u] == FAILED -> verdict[s] = REPEATS
            :: disk_status[u] == CLAIMED || position[u] != 0 -> verdict[s] = WAITS
            :: else ->
                if
#ifdef FAULT_COUNTS_THEN_INSERTS
                :: disk_count < LIMIT -> position[u] = disk_count + 1; count++; verdict[s] = CLAIMS
#elif defined(FAULT_NO_LIMIT)
                :: true -> count++; position[u] = count; verdict[s] = CLAIMS
#else
                :: count < LIMIT -> count++; position[u] = count; verdict[s] = CLAIMS
#endif
                :: else -> verdict[s] = SOLD_OUT
                fi
            fi
        :: else
        fi
    }
    s = 0; u = 0
}

inline commit() {
    for (u : 0 .. USERS - 1) {
        if
        :: position[u] != 0 -> disk_status[u] = CLAIMED; disk_position[u] = position[u]
        :: else
        fi;
        if
        :: duty[u] == MARKING -> disk_status[u] = CREDITED
        :: duty[u] == FAILING -> disk_status[u] = FAILED
        :: else
        fi
    }
    disk_count = count;
    disk_fund_is_open = disk_fund_is_open || duty[FUND] == MARKING;
    u = 0;
    check_books()
}

/* The disk failed: 503 for the batch's requests, its marks are tried again, and the working set is read anew. */
inline roll_back() {
    for (s : 0 .. SLOTS - 1) {
        if
        :: request[s] == TAKEN -> request[s] = BROKEN; verdict[s] = UNDECIDED
        :: else
        fi
    }
    for (u : 0 .. USERS) {
        if
        :: duty[u] == MARKING || duty[u] == FAILING -> duty[u] = READY
        :: else
        fi
    }
    for (u : 0 .. USERS - 1) { position[u] = 0 }
#ifndef FAULT_KEEPS_MEMORY_AFTER_ROLLBACK
    count = disk_count;
#endif
    s = 0; u = 0
}

inline publish_winners() {
    for (u : 0 .. USERS - 1) { board_winners = board_winners | (BIT(u) * (position[u] != 0)) }
    u = 0
}

inline publish_count() { board_is_sold_out = count >= LIMIT }

inline hand_over() { /* new claims, to the settler */
    for (u : 0 .. USERS - 1) {
        if
        :: position[u] != 0 -> position[u] = 0; duty[u] = READY
        :: else
        fi
    }
    u = 0
}

inline answer_requests() {
    for (s : 0 .. SLOTS - 1) {
        if
        :: request[s] == TAKEN ->
            if
            :: verdict[s] == SOLD_OUT -> tell_sold_out(s)
            :: verdict[s] == REPEATS -> tell_settled(s)
#ifdef FAULT_REPLIES_BEFORE_COMMIT
            :: verdict[s] == CLAIMS || verdict[s] == WAITS -> tell_claimed(s)
#else
            :: verdict[s] == CLAIMS || verdict[s] == WAITS -> request[s] = WAITING
#endif
            fi;
            verdict[s] = UNDECIDED
        :: else
        fi
    }
    s = 0
}

inline answer_waiters(user) {
    for (s : 0 .. SLOTS - 1) {
        if
        :: request[s] == WAITING && USER(s) == user -> tell_settled(s)
        :: else
        fi
    }
    s = 0
}

inline finish() {
    answer_requests();
    hand_over();
    for (u : 0 .. USERS) {
        if
        :: duty[u] == MARKING || duty[u] == FAILING -> duty[u] = NO_DUTY; answer_waiters(u)
        :: else
        fi
    }
    u = 0
}

inline collect() {
    n = 0;
    for (s : 0 .. SLOTS - 1) {
        if
        :: request[s] == QUEUED -> request[s] = TAKEN; n++
        :: else
        fi
    }
    for (u : 0 .. USERS) {
        if
        :: duty[u] == TO_MARK -> duty[u] = MARKING; n++
        :: duty[u] == TO_FAIL -> duty[u] = FAILING; n++
        :: else
        fi
    }
    s = 0; u = 0
}

active proctype Store() {
end:
    do
#ifdef FAULT_LOSES_A_WAKE_UP
    :: STEP { store == ASLEEP && is_woken -> store = COLLECT }
    :: STEP { store == COLLECT ->
            collect();
            if
            :: n == 0 -> store = CLEAR
            :: else -> store = DECIDE
            fi;
            n = 0 }
    :: STEP { store == CLEAR -> is_woken = false; store = ASLEEP }
#else
    :: STEP { store == ASLEEP && is_woken -> is_woken = false; store = COLLECT }
    :: STEP { store == COLLECT ->
            collect();
            if
            :: n == 0 -> store = ASLEEP
            :: else -> store = DECIDE
            fi;
            n = 0 }
#endif
    :: STEP { store == DECIDE ->
            decide();
#ifdef FAULT_PUBLISHES_BEFORE_COMMIT
            publish_winners(); publish_count();
#endif
#ifdef FAULT_HANDS_OVER_BEFORE_COMMIT
            for (u : 0 .. USERS - 1) {
                if
                :: position[u] != 0 -> duty[u] = READY
                :: else
                fi
            }
#endif
#ifdef FAULT_REPLIES_BEFORE_COMMIT
            answer_requests();
#endif
            store = COMMIT }
    :: STEP { store == COMMIT -> commit(); store = PUBLISH_WINNERS }
    :: STEP { store == COMMIT && !is_calm -> roll_back(); store = COLLECT }
#ifdef FAULT_PUBLISHES_COUNT_FIRST
    :: STEP { store == PUBLISH_WINNERS -> publish_count(); store = PUBLISH_COUNT }
    :: STEP { store == PUBLISH_COUNT -> publish_winners(); store = FINISH }
#else
    :: STEP { store == PUBLISH_WINNERS -> publish_winners(); store = PUBLISH_COUNT }
    :: STEP { store == PUBLISH_COUNT -> publish_count(); store = FINISH }
#endif
    :: STEP { store == FINISH -> finish(); store = COLLECT }
    od
}

/* ---- the settler's thread of discountd ---- */

#define CALL_IS_FREE(c)  (call[c] == FREE)
#define SOME_CALL_IS_FREE (CALL_IS_FREE(0) || CALL_IS_FREE(1))
#if USERS == 2
#define READY_CLAIMS ((duty[0] == READY) + (duty[1] == READY))
#else
#define READY_CLAIMS ((duty[0] == READY) + (duty[1] == READY) + (duty[2] == READY))
#endif
#ifdef FAULT_SENDS_BEFORE_FUND
#define FUND_CAN_PAY true
#else
#define FUND_CAN_PAY (duty[FUND] == NO_DUTY)
#endif

inline send(message) {
    c = (CALL_IS_FREE(0) -> 0 : 1);
    call[c] = SENT;
    call_items[c] = message;
    sent = sent | BIT(message);
    c = 0
}

/* Adds the claim of a user to the message `m`. */
inline add_claim(user) {
    duty[user] = IN_FLIGHT;
#ifdef FAULT_NEW_REFERENCE
    set = 0;
    for (i : 1 .. FUND_BIT - 1) { set = set | (i * HAS(sent, i)) }
    m = m | (HAS(set, user) -> BIT(user + USERS) : BIT(user));
    i = 0; set = 0
#else
    m = m | BIT(user)
#endif
#ifdef FAULT_MARKS_BEFORE_CONFIRMATION
    ; push(); duty[user] = TO_MARK
#endif
}

/* All that are ready, or, when more are ready than a call may carry (one, here), the first. */
inline send_claims(is_full) {
    m = 0;
    for (u : 0 .. USERS - 1) {
        if
        :: duty[u] == READY && !(is_full && m != 0) -> add_claim(u)
        :: else
        fi
    }
    send(m);
    u = 0; m = 0
}

/* What becomes of one item, by the answer; neither done nor refused for good means later, and so does no answer. */
inline settle(item, is_done, is_refused) {
    if
    :: is_done || is_refused ->
        push();
        duty[item] = (is_done -> TO_MARK : TO_FAIL)
#ifdef FAULT_ANSWERS_BEFORE_MARK
        ; answer_waiters(item)
#endif
    :: else -> duty[item] = READY
    fi
}

inline receive(k) {
    for (m : 0 .. REFERENCES) {
        if
        :: HAS(call_items[k], m) ->
            u = (m == REFERENCES -> FUND : USER(m));
            if
            :: duty[u] == IN_FLIGHT -> settle(u, HAS(call_done[k], m), HAS(call_refused[k], m))
            :: else
            fi
        :: else
        fi
    }
    end_call(k)
}

inline lose(k) {
    for (m : 0 .. REFERENCES) {
        if
        :: HAS(call_items[k], m) ->
            u = (m == REFERENCES -> FUND : USER(m));
            if
            :: duty[u] == IN_FLIGHT ->
#ifdef FAULT_GIVES_UP
                duty[u] = (u == FUND -> READY : NO_DUTY)
#elif defined(FAULT_UNKNOWN_IS_REFUSED)
                settle(u, false, u != FUND)
#else
                duty[u] = READY
#endif
            :: else
            fi
        :: else
        fi
    }
    end_call(k)
}

inline end_call(k) {
    call[k] = FREE;
    call_items[k] = 0;
    call_done[k] = 0;
    call_refused[k] = 0;
    m = 0; u = 0
}

active proctype Settler() {
end:
    do
    :: STEP { discount_is_up && duty[FUND] == READY && SOME_CALL_IS_FREE -> duty[FUND] = IN_FLIGHT; send(FUND_BIT) }
    :: STEP { discount_is_up && FUND_CAN_PAY && READY_CLAIMS > 0 && SOME_CALL_IS_FREE -> send_claims(false) }
    :: STEP { discount_is_up && FUND_CAN_PAY && READY_CLAIMS > 1 && SOME_CALL_IS_FREE -> send_claims(true) }
    :: STEP { call[0] == ANSWERED -> receive(0) }
    :: STEP { call[1] == ANSWERED -> receive(1) }
    /* Time is over, the connection broke, Wallet said 503, or the answer got lost: what became of it is unknown. */
    :: STEP { call[0] != FREE && !is_calm -> lose(0) }
    :: STEP { call[1] != FREE && !is_calm -> lose(1) }
    od
}

/* ---- the link, and walletd with one store thread of the same kind ---- */

#define AWAITED(k) (BIT(call_items[k]) * (call[k] == SENT))

/* Once the world is calm, what arrives is what somebody waits for. */
inline pick_message() {
    arrived = (is_calm -> (sent & (AWAITED(0) | AWAITED(1))) : sent);
    m = 1;
    do
    :: !HAS(arrived, m) -> m++
    :: HAS(arrived, m) -> break
    :: HAS(arrived, m) && (arrived >> (m + 1)) != 0 -> m++
    od
}

inline decide_credits(message) {
    for (m : 0 .. REFERENCES - 1) {
        if
        :: HAS(message, m) && USER(m) != REFUSED && disk_fund &&
#ifndef FAULT_IGNORES_REFERENCE
           !HAS(disk_known | posted, m) &&
#endif
#ifndef FAULT_FUND_NOT_CHECKED
           n > 0 &&
#endif
           true -> posted = posted | BIT(m); n--
        :: else
        fi
    }
    m = 0
}

inline commit_credits() {
    for (m : 0 .. REFERENCES - 1) {
        if
        :: HAS(posted, m) -> disk_credits[USER(m)]++; disk_fund_left--
        :: else
        fi
    }
    disk_known = disk_known | posted;
    if
    :: (taken[0] == FUND_BIT || taken[1] == FUND_BIT) && !disk_fund -> disk_fund = true; disk_fund_left = LIMIT
    :: else
    fi;
    m = 0;
    check_books()
}

/* To the call that waits for this message, be it the one that sent it or a later one with the same items. */
inline reply(k) {
    for (c : 0 .. CALLS - 1) {
        if
        :: call[c] == SENT && call_items[c] == taken[k] ->
            call[c] = ANSWERED;
            call_done[c] = taken[k] & (disk_known | posted | FUND_BIT);
            for (m : 0 .. REFERENCES - 1) {
                if
                :: HAS(taken[k], m) && !HAS(call_done[c], m) && USER(m) == REFUSED -> call_refused[c] = call_refused[c] | BIT(m)
#ifdef FAULT_SENDS_BEFORE_FUND
                :: HAS(taken[k], m) && !HAS(call_done[c], m) && USER(m) != REFUSED && !disk_fund ->
                    call_refused[c] = call_refused[c] | BIT(m)
#endif
                :: else
                fi
            }
        :: else
        fi
    }
    c = 0; m = 0
}

inline reply_503(k) {
    for (c : 0 .. CALLS - 1) {
        if
        :: call[c] == SENT && call_items[c] == taken[k] -> call[c] = ANSWERED
        :: else
        fi
    }
    c = 0
}

inline rest() { taken[0] = 0; taken[1] = 0; posted = 0; wallet = AT_REST }

active proctype Wallet() {
end:
    do
    :: atomic { wallet_is_up && wallet == AT_REST && (is_calm -> (sent & (AWAITED(0) | AWAITED(1))) : sent) != 0 ->
            pick_message();
            STEP { taken[0] = m; wallet = HAS_TAKEN; m = 0; arrived = 0 } }
    /* Group commit: a second call, perhaps the same again. */
    :: atomic { wallet == HAS_TAKEN && taken[1] == 0 && (is_calm -> (sent & (AWAITED(0) | AWAITED(1))) : sent) != 0 ->
            pick_message();
            STEP { taken[1] = m; m = 0; arrived = 0 } }
    :: STEP { wallet == HAS_TAKEN ->
            n = disk_fund_left; /* above zero when a place can still be paid */
            decide_credits(taken[0]);
            decide_credits(taken[1]);
            n = 0;
#ifdef FAULT_REPLIES_BEFORE_CREDIT
            if
            :: taken[0] != FUND_BIT -> reply(0)
            :: else
            fi;
#endif
            wallet = HAS_DECIDED }
    :: STEP { wallet == HAS_DECIDED -> commit_credits(); wallet = HAS_COMMITTED }
    :: STEP { wallet == HAS_DECIDED && !is_calm -> reply_503(0); reply_503(1); rest() } /* the disk failed */
    :: STEP { wallet == HAS_COMMITTED -> reply(0); reply(1); rest() }
    od
}

/* ---- crashes ---- */

inline crash_discount() {
    for (s : 0 .. SLOTS - 1) {
        request[s] = (request[s] == IDLE -> IDLE : BROKEN);
        verdict[s] = UNDECIDED
    }
    for (u : 0 .. USERS) { duty[u] = NO_DUTY }
    for (u : 0 .. USERS - 1) { position[u] = 0 }
    for (c : 0 .. CALLS - 1) { end_call(c) }
    store = ASLEEP;
    is_woken = false;
    count = 0;
    board_is_sold_out = false;
    board_winners = 0;
    discount_is_up = false;
    s = 0; u = 0; c = 0
}

/* What is not settled is found by its index; winners and counts are on the board before the first request. */
inline start_discount() {
    count = disk_count;
    for (u : 0 .. USERS - 1) {
        if
        :: disk_status[u] != NO_ROW -> board_winners = board_winners | BIT(u)
        :: else
        fi;
        if
#ifdef FAULT_FORGETS_AT_RESTART
        :: false
#else
        :: disk_status[u] == CLAIMED -> duty[u] = READY
#endif
        :: else
        fi
    }
    duty[FUND] = (disk_fund_is_open -> NO_DUTY : READY);
    board_is_sold_out = count >= LIMIT;
    discount_is_up = true;
    u = 0
}

active proctype Crashes() {
end:
    do
    :: STEP { discount_is_up && !is_calm -> crash_discount() }
    :: STEP { !discount_is_up -> start_discount() }
    :: STEP { wallet_is_up && !is_calm -> rest(); wallet_is_up = false;
#ifdef FAULT_KEEPS_REFERENCES_IN_MEMORY
            disk_known = 0
#endif
            }
    :: STEP { !wallet_is_up -> wallet_is_up = true }
    od
}

/* ---- the end ---- */

#if USERS == 2
#define ALL_SETTLED (disk_status[0] != CLAIMED && disk_status[1] != CLAIMED)
#else
#define ALL_SETTLED (disk_status[0] != CLAIMED && disk_status[1] != CLAIMED && disk_status[2] != CLAIMED)
#endif
#if SLOTS == 2
#define ALL_ANSWERED (request[0] == IDLE && request[1] == IDLE)
#elif SLOTS == 3
#define ALL_ANSWERED (request[0] == IDLE && request[1] == IDLE && request[2] == IDLE)
#else
#define ALL_ANSWERED (request[0] == IDLE && request[1] == IDLE && request[2] == IDLE && request[3] == IDLE)
#endif
#define IS_QUIET (ALL_SETTLED && ALL_ANSWERED && discount_is_up && wallet_is_up && disk_fund_is_open)

active proctype World() {
    is_calm = true;
#ifndef WITHOUT_END
    timeout -> /* nobody can move */
    assert(IS_QUIET)
#else
    skip
#endif
}

#ifdef LIVENESS
ltl becomes_quiet { [] (is_calm -> <> IS_QUIET) }
#endif
