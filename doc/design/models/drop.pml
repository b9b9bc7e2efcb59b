/* Eviction and flushing against DROP, and a new file of the same number (buffer/forget.cpp, flush.cpp, replace.cpp).
 *
 * Claims: no page of a dropped file is written after the file is unlinked (its fsync request would be for a
 *        missing file: a PANIC), let alone into a new file of that number (pool.G1); a frame is given away once
 *        only, and not while somebody has it pinned (pool.G2, pool.V1).
 * Simplified: one page of two lives (generations) of a file; two frames; the page table's partition lock is a step.
 *
 * refuted: UNLINK_FIRST  the file is unlinked before the pool has forgotten it
 * refuted: NO_WAIT       a page that is being written is doomed at once
 * refuted: NO_COMPARE    a flush does not compare the tag under its pin
 * refuted: NO_RETIRE     a victim leaves the table though somebody pinned or dirtied it meanwhile (pool.V2)
 */
#define FRAMES 2
#define NO_FRAME 255

byte generation = 1;             /* of the file under this number; even: there is none */
bool tagged[FRAMES], dirty[FRAMES], io[FRAMES], doomed[FRAMES], held[FRAMES];
byte life[FRAMES];                 /* the generation whose page it holds */
byte pins[FRAMES];
byte in_table = NO_FRAME;        /* the page table: which frame has the page */
bool dropping;                   /* AccessExclusiveLock on the relation, or nobody sees it yet */
byte users;                      /* AccessShareLock */

inline unpin(f) {
    atomic {
        pins[f]--;
        if
        :: doomed[f] && pins[f] == 0 -> doomed[f] = 0; held[f] = 0
        :: else
        fi
    }
}

/* write_out, pinned and latched: try_begin_write, write_block, end_write. */
inline write_out(f, g) {
    if
    :: atomic { tagged[f] && dirty[f] && !io[f] -> io[f] = 1; g = life[f] };
        assert(generation == g);             /* the write goes to the file of that number */
        assert(generation == g);             /* and is queued for fsync, when it has returned */
        atomic { io[f] = 0; dirty[f] = 0; g = 0 }
    :: atomic { io[f] -> skip }
    :: atomic { !tagged[f] || (!dirty[f] && !io[f]) -> skip }
    fi
}

/* Uses the page under a relation lock: finds or reads it, changes it. */
proctype User() {
    byte f, n;
    do
    :: n < 2 ->
        atomic { !dropping && generation % 2 == 1 -> users++ };
        if
        :: atomic { in_table != NO_FRAME -> f = in_table; pins[f]++ }
        :: atomic { in_table == NO_FRAME -> f = NO_FRAME };
            if
            :: atomic { !held[0] && !tagged[0] && pins[0] == 0 && !doomed[0] -> f = 0; held[0] = 1; pins[0] = 1 }
            :: atomic { !held[1] && !tagged[1] && pins[1] == 0 && !doomed[1] -> f = 1; held[1] = 1; pins[1] = 1 }
            :: atomic { (held[0] || tagged[0] || doomed[0]) && (held[1] || tagged[1] || doomed[1]) -> skip }
            fi;
            if
            :: atomic { f != NO_FRAME && in_table == NO_FRAME -> in_table = f; tagged[f] = 1; held[f] = 0; life[f] = generation }
            :: atomic { f != NO_FRAME && in_table != NO_FRAME -> held[f] = 0; pins[f] = 0; f = in_table; pins[f]++ }
            :: atomic { f == NO_FRAME -> skip }
            fi
        fi;
        if
        :: f != NO_FRAME -> assert(tagged[f] && life[f] == generation); dirty[f] = 1; unpin(f)
        :: else
        fi;
        atomic { users--; n++; f = 0 }
    :: else -> break
    od
}

/* claim: pins a victim, writes it, retires it. */
proctype Evictor() {
    byte f, g, n;
    do
    :: n < 2 ->
        if
        :: atomic { tagged[0] && pins[0] == 0 && !doomed[0] -> f = 0; pins[0]++ }
        :: atomic { tagged[1] && pins[1] == 0 && !doomed[1] -> f = 1; pins[1]++ }
        :: f = NO_FRAME
        fi;
        if
        :: f != NO_FRAME ->
            write_out(f, g);
            if
#ifdef NO_RETIRE
            :: atomic { tagged[f] -> in_table = NO_FRAME; tagged[f] = 0; dirty[f] = 0; assert(pins[f] == 1); pins[f] = 0 }
            :: atomic { !tagged[f] -> skip }; unpin(f)
#else
            :: atomic { tagged[f] && pins[f] == 1 && !dirty[f] && !io[f] -> in_table = NO_FRAME; tagged[f] = 0; pins[f] = 0 }
            :: atomic { !(tagged[f] && pins[f] == 1 && !dirty[f] && !io[f]) -> skip }; unpin(f)
#endif
            fi
        :: else
        fi;
        atomic { f = 0; n++ }
    :: else -> break
    od
}

/* flush_every_dirty: collects frames without a pin, pins and compares them later. */
proctype Flusher() {
    byte f, g, seen;
    if
    :: atomic { tagged[0] && dirty[0] -> f = 0; seen = life[0] }
    :: atomic { tagged[1] && dirty[1] -> f = 1; seen = life[1] }
    :: f = NO_FRAME
    fi;
    if
    :: f != NO_FRAME ->
        if
#ifdef NO_COMPARE
        :: pins[f]++; atomic { io[f] = 1; g = seen }; assert(generation == g); atomic { io[f] = 0; dirty[f] = 0 }; unpin(f)
#else
        :: atomic { tagged[f] && !doomed[f] -> pins[f]++ };
            if
            :: life[f] == seen -> write_out(f, g)
            :: else
            fi;
            unpin(f)
        :: atomic { !tagged[f] || doomed[f] -> skip }
#endif
        fi
    :: else
    fi
}

inline forget() {
    do
    :: atomic { in_table == NO_FRAME -> break }
#ifdef NO_WAIT
    :: atomic { in_table != NO_FRAME ->
#else
    :: atomic { in_table != NO_FRAME && !io[in_table] ->    /* forget_page; doom: busy is waited for */
#endif
            tagged[in_table] = 0; dirty[in_table] = 0;
            if
            :: pins[in_table] > 0 -> doomed[in_table] = 1
            :: else
            fi;
            in_table = NO_FRAME
        }
    od
}

proctype Dropper() {
    atomic { !dropping && users == 0 -> dropping = 1 };
#ifdef UNLINK_FIRST
    generation = 2;
    forget();
#else
    forget();
    generation = 2;                          /* unlink */
#endif
    generation = 3;                          /* another file gets the number */
    dropping = 0
}

init {
    atomic { run User(); run Evictor(); run Flusher(); run Dropper() }
}
