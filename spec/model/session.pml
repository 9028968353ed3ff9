/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients and one host, each following its table of spec/session, which tables.pml holds in this
 * language. What this file adds is what a table cannot say: the guards, the frames on their way, and
 * programs around the sessions that do whatever they may, in every order. A step is one call of the
 * library; the host takes one a turn, for any of its connections. Peers are not hostile here, so none
 * may ever find fault with the other.
 *
 * scripts/test model runs it, also with tables that were spoilt: then SPIN has to find that.
 */
#include "tables.pml"

#define CLIENTS 2
#ifndef IDS
#define IDS 3 /* requests, binds and calls, of the first client */
#endif
#ifndef IDS_1
#define IDS_1 2 /* and of the second */
#endif
#ifndef ROOM
#define ROOM 2 /* frames that fit in a direction */
#endif
#ifndef MORE
#define MORE 1 /* replies with has_more on one connection */
#endif

mtype = { bind, invoke, invoke_drop, bind_ok, bind_no, reply_last, reply_more, refusal };
/* What it is, its request id, and of a bind whether the service is known, of a call whether its
 * method is a stream. */
chan to_host[CLIENTS] = [ROOM] of { mtype, byte, bool };
chan to_client[CLIENTS] = [ROOM] of { mtype, byte };

bool host_gone[CLIENTS], client_gone[CLIENTS]; /* that side has closed the connection */
byte n_open[CLIENTS];                          /* requests the client waits for */

/* What an outstanding request is, to the client and to the host. */
#define NONE   0
#define UNARY  1
#define STREAM 2

/* What a step works with; nothing of it outlives the step, so it is no part of the state. */
hidden byte input, act, id, flag, was_closed;
hidden byte h; /* the connection whose turn it is */
hidden mtype kind;

inline settle(r) {
    /* REQ("TW-SESS-004"): one last reply or one refusal, of a unary call and of a stream. */
    assert(req[r] == UNARY || req[r] == STREAM);
    req[r] = NONE;
    n_open[c]--
}

inline client_asks() {
    if
    :: input = client_on_bind; flag = true
    :: input = client_on_bind; flag = false
    :: input = client_on_call_offered; flag = true
    :: input = client_on_call_offered; flag = false
    :: input = client_on_call_offered_drop; flag = false
    fi
}

inline client_receives() {
    to_client[c] ? kind(id);
    if
    :: kind == bind_ok && id == bind_id -> input = client_on_bind_reply_ok
    :: kind == bind_no && id == bind_id -> input = client_on_bind_reply_failed
    :: (kind == bind_ok || kind == bind_no) && id != bind_id -> input = client_on_bind_reply_unasked
    :: kind == reply_more && req[id] == STREAM -> input = client_on_invoke_reply_more
    :: kind == reply_more && req[id] == UNARY -> input = client_on_invoke_reply_more_unary
    :: (kind == reply_last || kind == refusal) && req[id] != NONE ->
        input = client_on_invoke_reply_last
    :: kind == refusal && req[id] == NONE && dropped > 0 && id <= dropped_id ->
        input = client_on_invoke_reply_dropped
    :: else -> input = client_on_invoke_reply_unknown
    fi
}

inline client_sends() {
    last_id++;
    if
    :: act == client_do_send_bind -> bind_id = last_id; to_host[c] ! bind(last_id, flag)
    :: act == client_do_send_call ->
        assert(bound); /* REQ("TW-SESS-030") */
        req[last_id] = (flag -> STREAM : UNARY); n_open[c]++;
        to_host[c] ! invoke(last_id, flag)
    :: act == client_do_send_call_drop ->
        assert(bound); /* REQ("TW-SESS-030") */
        dropped++; dropped_id = last_id;
        to_host[c] ! invoke_drop(last_id, flag)
    fi
}

inline client_acts() {
    if
    :: act == client_do_close -> assert(input == client_on_end) /* REQ("TW-SESS-022"): no fault */
    :: act == client_do_ignore -> assert(was_closed || input == client_on_end)
    :: act == client_do_tell_invalid || act == client_do_tell_closed -> assert(input != client_on_end)
    :: act == client_do_send_bind || act == client_do_send_call ||
        act == client_do_send_call_drop -> client_sends()
    :: else ->
        assert(!was_closed); /* REQ("TW-SESS-026"): nothing is reported after the end */
        if
        :: act == client_do_report_bound -> bound = true /* REQ("TW-SESS-020") */
        :: act == client_do_report_bind_failed
        :: act == client_do_report_reply -> settle(id)
        :: act == client_do_report_more -> assert(req[id] == STREAM) /* REQ("TW-SESS-027") */
        :: act == client_do_forget_drop -> dropped-- /* REQ("TW-SESS-031") */
        fi
    fi;
    if
    :: input == client_on_end ->
        ended = true;
        client_gone[c] = true;
        bind_id = 0; dropped = 0; dropped_id = 0; last_id = IDS /* less that tells states apart */
    :: else
    fi
}

proctype Client(byte c; bool may_leave) {
    byte st = client_idle, last_id, bind_id, dropped, dropped_id;
    byte req[IDS + 1];
    bool bound, ended;

end:do
    :: atomic {
        if
        :: st != client_closed && last_id < (c == 0 -> IDS : IDS_1) && nfull(to_host[c]) ->
            client_asks()
        :: nempty(to_client[c]) -> client_receives()
        /* The host has gone, with frames of it still unread or not; or the program has enough. */
        :: !ended && (may_leave || host_gone[c]) -> input = client_on_end
        fi;
        was_closed = (st == client_closed);
        client_step(st, input, act);
        client_acts()
       }
    :: atomic { st == client_closed && n_open[c] > 0 -> /* the oldest is refused */
        id = 1;
        do
        :: req[id] != NONE -> break
        :: else -> id++
        od;
        settle(id)
       }
    od
}

#define AT(i)       at[h * (IDS + 1) + (i)]
#define can_read(i) (nempty(to_host[i]) && (st[i] == host_closed || nfull(to_client[i])))
#define can_end(i)  (!over[i] && (may_leave || client_gone[i]))
#define can_work(i) (can_read(i) || n_asked[i] > 0 && !over[i] || can_end(i))

inline host_receives() {
    to_host[h] ? kind(id, flag);
    if
    :: kind == bind && flag -> input = host_on_bind_known
    :: kind == bind && !flag -> input = host_on_bind_unknown
    :: kind == invoke && AT(id) != NONE -> input = host_on_invoke_repeated
    :: kind == invoke && AT(id) == NONE -> input = host_on_invoke_known
    :: kind == invoke_drop -> input = host_on_invoke_known_drop
    fi
}

/* The service answers anything it likes: what is outstanding, what is not, with more or without. */
inline host_answers() {
    id = 1;
    do
    :: id < IDS -> id++
    :: break
    od;
    if
    :: AT(id) == NONE -> input = host_on_answer_unwanted
    :: AT(id) != NONE -> input = host_on_answer_last
    :: AT(id) == STREAM && more[h] < MORE -> input = host_on_answer_more
    :: AT(id) == UNARY -> input = host_on_answer_more_unary
    fi
}

inline host_acts() {
    if
    :: act == host_do_close || act == host_do_ignore ->
        /* REQ("TW-SESS-005") REQ("TW-SESS-006"): the host finds no fault */
        assert(over[h] || input == host_on_end || input == host_on_overflow)
    :: act == host_do_tell_not_found || act == host_do_tell_invalid || act == host_do_tell_closed
    :: else ->
        assert(!over[h]); /* REQ("TW-SESS-010") */
        if
        :: act == host_do_reply_bound ->
            bound[h] = true; to_client[h] ! bind_ok(id) /* REQ("TW-SESS-001") */
        :: act == host_do_reply_bind_failed -> to_client[h] ! bind_no(id) /* REQ("TW-SESS-002") */
        :: act == host_do_refuse -> to_client[h] ! refusal(id) /* REQ("TW-SESS-003") */
        :: act == host_do_dispatch ->
            assert(bound[h]); /* REQ("TW-SESS-003") */
            AT(id) = (flag -> STREAM : UNARY); n_asked[h]++
        :: act == host_do_dispatch_drop ->
            assert(bound[h]);
            if
            :: skip
            :: to_client[h] ! refusal(id) /* as the original does: REQ("TW-SESS-031") */
            fi
        :: act == host_do_send_last ->
            assert(AT(id) != NONE); /* REQ("TW-SESS-004") */
            AT(id) = NONE; n_asked[h]--;
            if
            :: to_client[h] ! reply_last(id)
            :: to_client[h] ! refusal(id)
            fi
        :: act == host_do_send_more ->
            assert(AT(id) == STREAM && input == host_on_answer_more); /* REQ("TW-SESS-004") */
            more[h]++;
            to_client[h] ! reply_more(id)
        fi
    fi;
    if
    :: input == host_on_end || input == host_on_overflow ->
        over[h] = true;
        host_gone[h] = true;
        more[h] = 0
    :: else
    fi
}

proctype Host(bool may_leave) {
    byte st[CLIENTS] = host_unbound, n_asked[CLIENTS], more[CLIENTS];
    byte at[CLIENTS * (IDS + 1)];
    bool bound[CLIENTS], over[CLIENTS];

end:do
    :: atomic {
        if
        :: can_work(0) -> h = 0
        :: can_work(1) -> h = 1
        fi;
        if
        :: can_read(h) -> host_receives()
        :: n_asked[h] > 0 && !over[h] && nfull(to_client[h]) -> host_answers()
        /* REQ("TW-LIM-004"): the client does not read */
        :: n_asked[h] > 0 && !over[h] && full(to_client[h]) -> input = host_on_overflow
        :: can_end(h) -> input = host_on_end
        fi;
        host_step(st[h], input, act);
        host_acts()
       }
    od
}

/* When nothing can happen any more, every request has been answered or refused, and no side is left
 * alone: REQ("TW-SESS-004") REQ("TW-SESS-026"). */
active proctype Quiet() {
end:
    timeout ->
    assert(n_open[0] == 0 && n_open[1] == 0);
    assert(host_gone[0] == client_gone[0] && host_gone[1] == client_gone[1])
}

init {
    bool host_leaves, client_leaves[CLIENTS];

    atomic {
        if :: host_leaves = true :: skip fi;
        if :: client_leaves[0] = true :: skip fi;
        if :: client_leaves[1] = true :: skip fi;
        run Host(host_leaves);
        run Client(0, client_leaves[0]);
        run Client(1, client_leaves[1])
    }
}
