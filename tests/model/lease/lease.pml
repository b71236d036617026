/* The lease and the doubt of the PostgreSQL driver (src/store/postgres): two processes on one database, each with one request to write.
 *
 * The row `fence` has an epoch and the number of the newest commit, who writes, and a lease. Every connection of a writer raises the epoch; every commit
 * demands it. A commit may arrive late, also when its sender has long been taken for dead; its answer may be lost. Then nobody is answered before a
 * new connection has raised the epoch and compared the number. A process may be stopped for any time between two steps, and continued.
 *
 * docs/model.md says what is proved. FAULT_… plant one fault each. */

#define NOBODY     2
#define EPOCHS_MAX 6 /* more reconnections than that are not tried */

mtype { WAITS, WRITER, SENT, IN_DOUBT, AT_REST, ENDED };
mtype { NOTHING, DONE, NOT_DONE }; /* what the asker was told */
mtype { NO_ANSWER, MADE, REFUSED };

/* Of the database. */
byte epoch, sequence;
byte holder = NOBODY;
bool lease;
byte applied[2]; /* how often the request of each took effect */

/* Of the processes. */
mtype state[2] = WAITS;
mtype told[2] = NOTHING;
mtype answer[2] = NO_ANSWER; /* of the newest connection */
byte my_epoch[2], my_sequence[2];
bool is_stopped[2];

/* Commits under way: of the newest connection, and of one that was given up. */
bool is_under_way[4];
byte epoch_of[4];
#define NEW(p) (2 * (p))
#define OLD(p) (2 * (p) + 1)

bool is_calm; /* nothing fails any more */

inline take_fence(p) {
    assert(!lease || holder == p); /* nobody is overtaken whose lease is in force */
    epoch++;
    my_epoch[p] = epoch;
    my_sequence[p] = sequence;
    holder = p;
    lease = true
}

inline tell(p, what) {
    assert(what != DONE || applied[p] == 1);
    assert(what != NOT_DONE || applied[p] == 0);
    told[p] = what;
    state[p] = AT_REST
}

inline settle_doubt(p) {
    if
#ifdef FAULT_DOUBT_TAKEN_FOR_MADE
    :: true -> tell(p, DONE)
#elif defined(FAULT_DOUBT_TAKEN_FOR_LOST)
    :: true -> take_fence(p); state[p] = WRITER
#else
    :: my_epoch[p] != epoch -> state[p] = ENDED /* overtaken: it says so, and answers nobody */
    :: my_epoch[p] == epoch && sequence != my_sequence[p] -> take_fence(p); tell(p, DONE)
    :: my_epoch[p] == epoch && sequence == my_sequence[p] -> take_fence(p); state[p] = WRITER /* it never will be made: once more */
    :: my_epoch[p] == epoch && sequence == my_sequence[p] -> take_fence(p); tell(p, NOT_DONE)
#endif
    fi
}

active [2] proctype Process() {
end:
    do
    :: atomic { state[_pid] == WAITS && !is_stopped[_pid] && epoch < EPOCHS_MAX &&
#ifndef FAULT_LEASE_IGNORED
                (!lease || holder == _pid) &&
#endif
                true -> take_fence(_pid); state[_pid] = WRITER }
    :: atomic { state[_pid] == WRITER && !is_stopped[_pid] ->
            is_under_way[NEW(_pid)] = true;
            epoch_of[NEW(_pid)] = my_epoch[_pid];
            answer[_pid] = NO_ANSWER;
            state[_pid] = SENT }
    :: atomic { state[_pid] == SENT && !is_stopped[_pid] && answer[_pid] == MADE -> tell(_pid, DONE) }
    :: atomic { state[_pid] == SENT && !is_stopped[_pid] && answer[_pid] == REFUSED -> state[_pid] = ENDED }
    /* The connection is lost, and with it the answer; the commit may still arrive. */
    :: atomic { state[_pid] == SENT && !is_stopped[_pid] && answer[_pid] == NO_ANSWER && !is_under_way[OLD(_pid)] &&
                (!is_calm || !is_under_way[NEW(_pid)]) ->
            is_under_way[OLD(_pid)] = is_under_way[NEW(_pid)];
            epoch_of[OLD(_pid)] = epoch_of[NEW(_pid)];
            is_under_way[NEW(_pid)] = false;
            epoch_of[NEW(_pid)] = 0;
            state[_pid] = IN_DOUBT }
    :: atomic { state[_pid] == IN_DOUBT && !is_stopped[_pid] && epoch < EPOCHS_MAX -> settle_doubt(_pid) }
    od
}

inline receive(i, p) {
    if
#ifdef FAULT_EPOCH_NOT_ASKED
    :: true ->
#else
    :: epoch_of[i] == epoch ->
#endif
            assert(holder == p);           /* who was overtaken writes nothing */
            assert(told[p] != NOT_DONE);   /* what was said not to be done is never done */
            applied[p]++;
            assert(applied[p] <= 1);
            sequence++;
            answer[p] = (i == NEW(p) -> MADE : answer[p])
#ifndef FAULT_EPOCH_NOT_ASKED
    :: epoch_of[i] != epoch -> answer[p] = (i == NEW(p) -> REFUSED : answer[p])
#endif
    fi;
    is_under_way[i] = false;
    epoch_of[i] = 0
}

active proctype Server() {
end:
    do
    :: atomic { is_under_way[0] -> receive(0, 0) }
    :: atomic { is_under_way[1] -> receive(1, 0) }
    :: atomic { is_under_way[2] -> receive(2, 1) }
    :: atomic { is_under_way[3] -> receive(3, 1) }
    /* Lost on the way, or its answer. */
    :: atomic { !is_calm && (is_under_way[0] || is_under_way[2]) ->
            if
            :: is_under_way[0] -> is_under_way[0] = false; epoch_of[0] = 0
            :: is_under_way[2] -> is_under_way[2] = false; epoch_of[2] = 0
            fi }
    :: atomic { !is_calm && (answer[0] != NO_ANSWER || answer[1] != NO_ANSWER) ->
            if
            :: answer[0] != NO_ANSWER -> answer[0] = NO_ANSWER
            :: answer[1] != NO_ANSWER -> answer[1] = NO_ANSWER
            fi }
    od
}

/* Time passes for the lease of who does not renew it: it is stopped, has ended, or does not reach the server. */
#define CANNOT_RENEW(p) (is_stopped[p] || state[p] == ENDED || (!is_calm && (state[p] == SENT || state[p] == IN_DOUBT)))

active proctype World() {
end:
    do
    :: atomic { lease && holder != NOBODY && CANNOT_RENEW(holder) -> lease = false }
    :: atomic { !is_calm && !is_stopped[0] -> is_stopped[0] = true }
    :: atomic { !is_calm && !is_stopped[1] -> is_stopped[1] = true }
    :: atomic { is_stopped[0] -> is_stopped[0] = false }
    :: atomic { is_stopped[1] -> is_stopped[1] = false }
    :: atomic { !is_calm -> is_calm = true }
    od
}

#define IS_QUIET(p) (state[p] == AT_REST || state[p] == ENDED || state[p] == WAITS)

active proctype End() {
    timeout -> /* nobody can move: no doubt is left open */
    assert(epoch >= EPOCHS_MAX || (IS_QUIET(0) && IS_QUIET(1)))
}
