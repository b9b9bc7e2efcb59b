/* Checkpoint with two holders (doc/design/checkpoints.md, buffer/checkpoint_turn.cpp).
 *
 * Claim: when a checkpoint with redo pointer R completes, every change logged before R is in the files and
 *        queued for fsync, whoever joins, leaves or fails meanwhile.  (What came later is replayed.)
 * Simplified: one page; a version of it is the number of its last record; a virtual transaction id is
 *        "does the checkpointer still wait for this process", which rotating and lowering the flag answer.
 *        Left out, as it only forbids orders that are tried here: the second to leave waits for the first.
 *        Left out altogether: turns that stay open (ckpt.C6), a veto that outlives its holder (ckpt.T3).
 *
 * refuted: ONE_HOLDER   the guardian alone has a flag
 * refuted: FLAG_FIRST   who leaves lowers its flag before it has written everything (ckpt.C2)
 * refuted: LONE_LOWERS  the other one does not wait for a partner that is leaving (ckpt.C3)
 * refuted: NO_VETO      a flush that failed is forgotten (ckpt.C4)
 * refuted: LEFT_SILENT  a write-through that failed raises no veto (ckpt.T5)
 * refuted: MARK_LATE    the page is marked dirty after its record (pool.D1)
 * refuted: MODE_LATE    who leaves flushes first and ends write-back then (pool.D1)
 * holds:   ANY_ORDER    turns need not alternate, since one excludes the other: that they do gives each holder its
 *                       turn, and so lets checkpoints go
 * holds:   ONE_TURN     one turn together would do before write-back
 * lives:   served LEAVES=0 FAILURES=0 CHANGES=1
 * refuted: served STUCK LEAVES=0 FAILURES=0 CHANGES=1: a turn that does not rotate
 */
#ifndef CHANGES
#define CHANGES 2
#endif
#ifndef CHECKPOINTS
#define CHECKPOINTS 2
#endif
#ifndef LEAVES
#define LEAVES 1
#endif
#ifndef FAILURES
#define FAILURES 1
#endif
#define BACKENDS 1
#define PROCESSES (2 + BACKENDS) /* 0, 1: holders */
#define NEVER 255
#define NOBODY 2                 /* whose veto that is, and no last turn */

byte wal;            /* records inserted: the last one's number */
byte redo;           /* published redo pointer */
byte page;           /* version in the pool */
byte file;           /* version written, its fsync queued */
bool dirty, left;    /* left: its last write failed */
bool latch;          /* the page's, exclusive or for a write */

bool flag[PROCESSES], waited_for[PROCESSES];
bool write_back, turn_lock;
bool present[2], guarding[2];
bool veto[3];        /* the holders' and nobody's (left_pages) */
byte raised;         /* how often nobody's was raised */
byte last_turn = NOBODY, turns_together, flushed_redo;
byte leaves = LEAVES, failures = FAILURES;
bool waiting;        /* the checkpointer */

inline lower_flag(p) { atomic { flag[p] = 0; waited_for[p] = 0 } }

/* Under the page's latch (pool.F3 is writeback.pml's). */
inline write_page(failed) {
    if
    :: dirty -> file = page; dirty = 0; left = 0
    :: dirty && failures > 0 -> failures--; left = 1; failed = 1
    :: else
    fi
}

/* flush_every_dirty: looks without the latch, then writes under it. */
inline flush(failed) {
    if
    :: dirty -> atomic { !latch -> write_page(failed) }
    :: else
    fi
}

/* lower_left_veto_if_none (ckpt.T6) */
inline lower_left_veto(seen) {
    if
    :: atomic { veto[NOBODY] -> seen = raised };
        atomic {
            if
            :: !left -> skip
            :: else -> seen = NEVER
            fi
        };
        atomic {
            if
            :: seen == raised -> veto[NOBODY] = 0
            :: else
            fi;
            seen = 0
        }
    :: else
    fi
}

proctype Backend(byte me) {
    bool through, failed;
    do
    :: atomic { wal < CHANGES && !latch -> latch = 1 };
#ifndef MARK_LATE
        dirty = 1;                           /* PageChange::add: the mark, then the mode */
#endif
        atomic {
            if
            :: !write_back -> through = 1
            :: else
            fi
        };
        if
        :: through -> flag[me] = 1
        :: else
        fi;
        atomic { wal++; page = wal };        /* the record, under an insertion lock */
#ifdef MARK_LATE
        dirty = 1;
#endif
        if
        :: through ->                        /* end_writing_through */
            atomic { write_page(failed) };
            if
            :: failed ->
#ifndef LEFT_SILENT
                atomic { veto[NOBODY] = 1; raised++ };
#endif
                failed = 0
            :: else
            fi;
            atomic { flag[me] = 0; waited_for[me] = 0; through = 0; latch = 0 }
        :: else -> latch = 0
        fi
    :: atomic { wal == CHANGES -> break }
    od
}

/* What only `turn` protects (present, guarding, last_turn, turns_together) is read and written in one step
 * with taking or giving it up. */
inline rotate_and_count(me) {
    atomic {
#ifndef STUCK
        waited_for[me] = 0;
#endif
        last_turn = me; turns_together++
    };
    atomic {
        if
#ifdef ONE_TURN
        :: turns_together >= 1 ->
#else
        :: turns_together >= 2 ->
#endif
            turns_together = 2; write_back = 1
        :: else
        fi
    }
}

inline start_guarding(me) { flag[me] = 1; atomic { guarding[me] = 1; turns_together = 0 } }
inline stop_guarding(me) { atomic { guarding[me] = 0; turns_together = 0; flag[me] = 0; waited_for[me] = 0 } }

/* write_for_checkpoint, if it is due */
inline write_for_checkpoint(me, r, failed, seen) {
    atomic { r = redo };
    if
    :: r != flushed_redo || veto[me] || veto[NOBODY] ->
        flush(failed);
        if
        :: !failed -> atomic { flushed_redo = r; r = 0 }; lower_left_veto(seen); veto[me] = 0
        :: else -> r = 0
        fi
    :: else -> r = 0
    fi
}

#define together (present[0] && present[1] && guarding[0] && guarding[1])

proctype Holder(byte me) {
    byte r, seen;
    bool failed;
join:
    atomic { !turn_lock -> present[me] = 1; guarding[me] = 0 };
    do
    :: atomic { !turn_lock && present[1 - me] && !guarding[me] -> turn_lock = 1 };
        start_guarding(me);
        turn_lock = 0
    :: atomic { !turn_lock && present[1 - me] && guarding[me] && !guarding[1 - me] -> waited_for[me] = 0 }
#ifdef ANY_ORDER
    :: atomic { !turn_lock && together -> turn_lock = 1 };
#else
    :: atomic { !turn_lock && together && last_turn != me -> turn_lock = 1 };
#endif
        write_for_checkpoint(me, r, failed, seen);
        if
        :: !failed -> rotate_and_count(me); turn_lock = 0
        :: else ->                           /* after_failed_round: has let the lock go meanwhile */
            turn_lock = 0;
            atomic { !turn_lock -> turn_lock = 1; failed = 0 };
#ifndef NO_VETO
            veto[me] = 1;
#endif
            if
            :: together && last_turn != me -> rotate_and_count(me)
            :: else
            fi;
            turn_lock = 0
        fi
#ifdef LONE_LOWERS
    :: atomic { !turn_lock && !present[1 - me] && guarding[me] -> turn_lock = 1 };
#else
    :: atomic { !turn_lock && !present[1 - me] && guarding[me] && !guarding[1 - me] -> turn_lock = 1 };
#endif
        stop_guarding(me);
        turn_lock = 0
    :: atomic { !turn_lock && !present[1 - me] && (veto[me] || veto[NOBODY]) -> turn_lock = 1 };
        write_for_checkpoint(me, r, failed, seen);
        atomic { failed = 0; turn_lock = 0 }
    :: atomic { leaves > 0 && !turn_lock -> leaves--; present[me] = 0; /* glassheap_leave_turns */
#ifndef MODE_LATE
            write_back = 0;
#endif
            break }
    od;
#ifdef FLAG_FIRST
    lower_flag(me);
#endif
    flush(failed);
    if
    :: !failed -> veto[me] = 0
    :: else -> atomic { failed = 0; veto[me] = 1 } /* glassheap_have_left */
    fi;
    atomic { !turn_lock -> write_back = 0; guarding[me] = 0; turns_together = 0; flag[me] = 0; waited_for[me] = 0 };
    goto join
}

proctype Checkpointer() {
    byte r, n;
    bool failed;
    do
    :: n < CHECKPOINTS ->
        atomic { r = wal };                  /* all insertion locks held */
        redo = r;
        waited_for[0] = flag[0];
#ifndef ONE_HOLDER
        waited_for[1] = flag[1];
#endif
        atomic { waited_for[2] = flag[2]; waiting = 1 };
        atomic { !waited_for[0] && !waited_for[1] && !waited_for[2] -> waiting = 0 };
        failed = veto[0];                    /* writes shared_buffers, the vetoes' pages among them */
        failed = failed || veto[1];
        failed = failed || veto[2];
        atomic {
            if
            :: !failed -> assert(file >= r)  /* syncs what is queued, and completes */
            :: else
            fi;
            r = 0; failed = 0; n++
        }
    :: else -> break
    od
}

init {
    atomic {
        run Holder(0);
        run Holder(1);
        run Backend(2);
        run Checkpointer()
    }
}

/* Whoever is waited for comes (with the holders running, and weak fairness). */
ltl served { [] (waiting -> <> !waiting) }
