/* Write-back against changes and hint bits (buffer/page_change.cpp, buffer/io.cpp, buffer/frame_state.hpp).
 *
 * Claims: a page that is found clean has its last version in the file (pool.F3), so that a checkpoint may go
 *        on.  With checksums, while a page is
 *        being written with other bytes than the file has (a crash would tear it), an image of it lies behind
 *        the redo pointer of the last completed checkpoint, and is on disk (pool.D2).
 * Simplified: one page; write-back mode; the two holders are the checkpointer's flush after its redo pointer
 *        (checkpoint.pml shows that they are).  An LSN is the number of a record.
 *
 * refuted: EARLY_CLEAN  DIRTY goes when a write begins, and not when it has returned (pool.F3)
 * refuted: UNFLUSHED    a page is written before the WAL is flushed up to the copy's LSN
 * refuted: DIRTY_FIRST  a hint's dirty mark comes before its image
 * refuted: NO_FLAG      a hint's image is logged without holding checkpoints off
 * refuted: ONCE         the redo pointer is not asked for again after the mark
 */
#ifndef CHANGES
#define CHANGES 1
#endif
#ifndef HINTS
#define HINTS 2
#endif
#ifndef CHECKPOINTS
#define CHECKPOINTS 2
#endif
#define WRITES 2

byte wal, flushed;    /* last record; up to which one the WAL is on disk */
byte images;          /* bit n: record n is an image of the page */
byte insert_redo;     /* as insertions see it, under their locks */
byte redo, done;      /* published a moment later; of the last completed checkpoint */
byte lsn, hints;      /* the page in the pool: its LSN (also its version), its hint bits */
byte file_lsn, file_hints;
byte version, file_version;
bool dirty, just_dirtied, io;
bool changing;        /* exclusive latch */
byte sharing;         /* share latches */
bool flag, waited_for; /* the reader's that sets a hint */
bool writing;         /* a write that a crash would tear */
byte hints_left = HINTS;

inline share() { atomic { !changing -> sharing++ } }
inline unshare() { sharing-- }
#define bit(n) (1 << (n))
/* An image in (done, flushed].  Records are numbered from 1 to 7. */
#define upto(n) ((1 << ((n) + 1)) - 1)
#define protected ((images & upto(flushed) & ~upto(done)) != 0)

/* write_out, under the share latch */
inline write_out(v, l, h) {
    if
    :: atomic { dirty && !io -> io = 1; just_dirtied = 0; /* try_begin_write */
#ifdef EARLY_CLEAN
            dirty = 0;
#endif
        };
        atomic { v = version; l = lsn; h = hints };        /* copy_page */
#ifndef UNFLUSHED
        atomic { if :: flushed < l -> flushed = l :: else fi };
#endif
        atomic { if :: v != file_version || h != file_hints -> writing = 1; assert(protected) :: else fi };
        atomic { writing = 0; file_version = v; file_lsn = l; file_hints = h };
        atomic {                                            /* end_write */
            io = 0;
            if :: !just_dirtied -> dirty = 0 :: else fi;
            v = 0; l = 0; h = 0
        }
    :: atomic { !dirty -> skip }
    fi
}

proctype Changer() {
    byte n;
    do
    :: n < CHANGES ->
        atomic { !changing && sharing == 0 -> changing = 1 };
        atomic { dirty = 1; just_dirtied = 1 };
        atomic {                                            /* the record, with an image if it is the first */
            wal++;
            if :: lsn <= insert_redo -> images = images | bit(wal) :: else fi;
            lsn = wal; version = wal
        };
        changing = 0;
        n++
    :: else -> break
    od
}

/* log_image_if_needed: the LSN comes after the record. */
inline log_image(r, l) {
    if
    :: lsn <= r ->
        atomic { wal++; images = images | bit(wal); l = wal };
        atomic { if :: lsn < l -> lsn = l :: else fi; l = 0 }
    :: else
    fi
}

inline mark() { atomic { dirty = 1; just_dirtied = 1 } }

/* mark_dirty_hint, after the bit was set on the page */
proctype Hinter(byte mine) {
    byte r, l;
    do
    :: atomic { hints_left > 0 && !changing && !flag -> hints_left--; sharing++ };
        hints = hints | bit(hints_left);
        if
        :: atomic { dirty && just_dirtied -> skip }
        :: atomic { !(dirty && just_dirtied) -> skip };
#ifndef NO_FLAG
            flag = 1;
#endif
            r = redo;
#ifdef DIRTY_FIRST
            mark();
#endif
            log_image(r, l);
#ifndef DIRTY_FIRST
            mark();
#endif
#ifndef ONCE
            do
            :: atomic { redo != r -> r = redo }; log_image(r, l)
            :: atomic { redo == r -> break }
            od;
#endif
            atomic { r = 0; flag = 0; waited_for = 0 }
        fi;
        unshare()
    :: atomic { hints_left == 0 -> break }
    od
}

proctype Writer() {
    byte n, v, l, h;
    do
    :: n < WRITES -> share(); write_out(v, l, h); unshare(); n++
    :: else -> break
    od
}

proctype Checkpointer() {
    byte n, r, need, v, l, h;
    do
    :: n < CHECKPOINTS ->
        atomic { r = wal; need = version; insert_redo = r };
        redo = r;
        waited_for = flag;
        if
        :: dirty -> share(); write_out(v, l, h); (!io); unshare()
        :: else
        fi;
        atomic { !waited_for -> skip };
        atomic { flushed = wal; done = r; r = 0; n++; assert(!writing || protected); assert(file_version >= need) }
    :: else -> break
    od
}

init {
    atomic { run Changer(); run Hinter(1); run Writer(); run Checkpointer() }
}
