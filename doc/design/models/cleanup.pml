/* The cleanup latch with several waiters (buffer/latch.cpp, buffer/pins.cpp).
 *
 * Claims: rows do not move under a reader that has let the latch go and keeps its pin; nobody waits for ever
 *        (that would be an invalid end state); of two that want to wait one gets an error (pool.A2).
 * Simplified: a pin is taken and given up in one step, as the state word does it.
 *
 * refuted: FLAG_FIRST   the flag is set before the condition variable is entered: a wake-up is lost
 * refuted: ANY_PIN      the pins are not counted again after a wake-up
 * refuted: TWO_WAIT     a second one may wait: each waits for the other's pin
 * refuted: ERROR_KEEPS  who gives up leaves its flag behind
 */
#define READERS 2
#define WAITERS 2

byte pins;
bool latch;
byte sharing;
bool waiter_flag;
bool queued[WAITERS];             /* in the condition variable */
byte layout;                      /* where the rows are: cleaning moves them */

inline broadcast() { atomic { queued[0] = 0; queued[1] = 0 } }
inline unpin(last) {
    atomic { pins--; last = (pins == 1 && waiter_flag) };
    if
    :: last -> broadcast()
    :: else
    fi;
    last = 0
}

proctype Reader() {
    bool last;
    byte seen;
    pins++;                                             /* a pin needs no latch */
    atomic { !latch -> sharing++; seen = layout };
    sharing--;
    assert(layout == seen);                             /* uses what it found, by its pin alone */
    unpin(last)
}

proctype Waiter(byte me) {
    bool last, mine, waits;
    pins++;
    do
    :: atomic { !latch && sharing == 0 -> latch = 1 };
        if
        :: pins == 1 -> break
        :: else
        fi;
#ifndef FLAG_FIRST
        queued[me] = 1;                                 /* ConditionVariablePrepareToSleep */
#endif
        atomic {                                        /* try_wait_for_cleanup */
            if
            :: !mine && pins <= 1 -> waits = 0
            :: !mine && pins > 1 && !waiter_flag -> waiter_flag = 1; mine = 1; waits = 1
#ifdef ANY_PIN
            :: mine -> waits = 0
#else
            :: mine -> waits = (pins > 1)
#endif
#ifdef TWO_WAIT
            :: !mine && waiter_flag -> waits = 1
#else
            :: !mine && pins > 1 && waiter_flag -> goto failed
#endif
            fi
        };
#ifdef FLAG_FIRST
        queued[me] = 1;
#endif
        if
        :: !waits -> queued[me] = 0; break
        :: else
        fi;
        latch = 0;
        if
        :: atomic { !queued[me] -> skip }
        :: atomic { queued[me] && me == 0 -> skip }; goto interrupted /* the first may be cancelled */
        fi
    od;
    layout++;
    atomic { if :: mine -> waiter_flag = 0; mine = 0 :: else fi };
    latch = 0;
    goto leave;
interrupted:
    queued[me] = 0;
#ifndef ERROR_KEEPS
    atomic { if :: mine -> waiter_flag = 0; mine = 0 :: else fi };
#endif
    goto leave;
failed:
    queued[me] = 0;
    latch = 0;
leave:
    unpin(last)
}

init {
    byte i;
    atomic {
        i = 0;
        do
        :: i < READERS -> run Reader(); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < WAITERS -> run Waiter(i); i++
        :: else -> break
        od
    };
    (_nr_pr == 1);
    assert(!waiter_flag)                                /* or nobody could ever wait again */
}
