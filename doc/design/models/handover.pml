/* A file that goes from our pool to shared_buffers and back (buffer/hand_over.cpp, core_copies.cpp, am/ddl_hooks).
 *
 * Claims: whoever has the table reads its last version, in whichever pool that is; no version is written over a
 *        later one.
 * Simplified: one page, a number.  Strangers read pages of ours into shared_buffers, with a lock on the table
 *        and without knowing that it is ours (pageinspect, pg_prewarm).
 *
 * refuted: NO_FLUSH      our pages are not written
 * refuted: NO_WAIT       nor is a write in progress waited for
 * refuted: NO_EVICT      strangers' copies stay in shared_buffers
 * refuted: NO_TAKE_OVER  on a miss the file is read although shared_buffers has a changed copy
 */
#define CHANGES 3
#define OURS 0
#define CORES 1

byte file, last;                  /* on disk; acknowledged */
bool ours, ours_dirty, ours_io;
byte ours_is;
bool theirs, theirs_dirty, theirs_io;
byte theirs_is, theirs_pins;
byte owner = OURS;                /* whose the catalog says the table is */
byte users;                       /* locks on the table */
bool exclusive;

inline lock_shared(who) { atomic { !exclusive && owner == who -> users++ } }
inline unlock_shared() { users-- }

inline write_theirs(v) {
    if
    :: atomic { theirs && theirs_dirty && !theirs_io -> theirs_io = 1; v = theirs_is };
        atomic { assert(v >= file); file = v };
        atomic { theirs_io = 0; theirs_dirty = 0; v = 0 }
    :: atomic { theirs_io -> skip }; atomic { !theirs_io -> skip }
    :: atomic { !theirs || !theirs_dirty -> skip }
    fi
}
inline evict_theirs() {
    atomic { if :: theirs && !theirs_dirty && !theirs_io && theirs_pins == 0 -> theirs = 0; theirs_is = 0 :: else fi }
}

proctype OurUser() {
    byte v, n;
    do
    :: n < 2 && last < CHANGES ->
end_ours:
        lock_shared(OURS);
        do
        :: atomic { ours -> assert(ours_is == last); last++; ours_is = last; ours_dirty = 1; break }
        :: atomic { !ours -> skip };
#ifndef NO_TAKE_OVER
            write_theirs(v);             /* take_over_core_copy */
            evict_theirs();
#endif
            atomic { if :: !ours -> ours = 1; ours_is = file :: else fi }
        od;
        unlock_shared();
        n++
    :: n < 2 && last < CHANGES && owner == CORES -> break
    :: n >= 2 || last >= CHANGES -> break
    od
}

proctype PoolWriter() {
    byte v, n;
    do
    :: n < 2 ->
        if
        :: atomic { ours && ours_dirty && !ours_io -> ours_io = 1; v = ours_is };
            evict_theirs();              /* where_to_write */
            atomic { assert(v >= file); file = v };
            evict_theirs();              /* look_after_write */
            atomic { ours_io = 0; if :: ours_is == v -> ours_dirty = 0 :: else fi; v = 0 }
        :: atomic { ours && !ours_dirty && !ours_io -> ours = 0; ours_is = 0 } /* and evicts */
        :: true
        fi;
        n++
    :: else -> break
    od
}

proctype CoreUser() {
end_cores:
    lock_shared(CORES);
    if
    :: last < CHANGES ->
        atomic { if :: !theirs -> theirs = 1; theirs_is = file :: else fi; theirs_pins++ };
        atomic { assert(theirs_is == last); last++; theirs_is = last; theirs_dirty = 1; theirs_pins-- }
    :: else
    fi;
    unlock_shared()
}

proctype Stranger() {
end_stranger:
    lock_shared(OURS);
    atomic { if :: !theirs -> theirs = 1; theirs_is = file :: else fi; theirs_pins++ };
    theirs_pins--;
    unlock_shared()
}

proctype CoreWriter() {
    byte v;
    write_theirs(v);
    if
    :: evict_theirs()
    :: true
    fi
}

proctype Swapper() {
    byte v;
    /* hand_over_to_core, under AccessExclusiveLock */
    atomic { !exclusive && users == 0 -> exclusive = 1 };
#ifndef NO_FLUSH
    do
    :: atomic { ours && ours_dirty && !ours_io -> ours_io = 1; v = ours_is };
        atomic { assert(v >= file); file = v };
        atomic { ours_io = 0; ours_dirty = 0; v = 0 }
#ifdef NO_WAIT
    :: atomic { !ours || !ours_dirty || ours_io -> break }
#else
    :: atomic { !ours || (!ours_dirty && !ours_io) -> break }
#endif
    od;
#endif
#ifdef NO_WAIT
    atomic { ours = 0; ours_is = 0; ours_dirty = 0 };
#else
    atomic { !ours_io -> ours = 0; ours_is = 0; ours_dirty = 0 };
#endif
#ifndef NO_EVICT
    evict_theirs();
#endif
    owner = CORES;
    exclusive = 0;
    /* Back: our misses take over page by page. */
    atomic { !exclusive && users == 0 -> exclusive = 1 };
    owner = OURS;
    exclusive = 0
}

init {
    atomic { run OurUser(); run PoolWriter(); run CoreUser(); run Stranger(); run CoreWriter(); run Swapper() };
}
