/* Extension and the first use of new pages (buffer/extend.cpp, buffer/load.cpp).
 *
 * Claim: a row that was acknowledged is on its page, whoever reads the page, in the pool or after its eviction:
 *        a page within the file's length is never made up (pool.X3).
 * Simplified: two blocks are added at once; a page is the number of its rows; a frame belongs to a block.
 *
 * refuted: TAG_LATE        the follower gets its frame after the file has its page: a reader may have filled it
 * refuted: ZERO_UNCLAIMED  a page is made up in a frame whose read is not one's own
 * refuted: NO_LOCK         no relation extension lock
 * refuted: WRITE_LATE      a number is known before the file has the page (pool.X1)
 * refuted: MADE_UP_LATE    a page is made up whose I/O was given up (has_claim in publish_next)
 */
#define BLOCKS 4
#define INSERTERS 2
#define NONE 255

byte length;                       /* blocks in the file */
byte file[BLOCKS];                 /* rows on disk */
byte rows[BLOCKS];                 /* in the frame */
byte acknowledged[BLOCKS];
bool tagged[BLOCKS], valid[BLOCKS], io[BLOCKS], dirty[BLOCKS], latch[BLOCKS];
byte pins[BLOCKS];
bool extension_lock;
byte known = NONE;                 /* a page that the free space map offers */

/* find_or_insert and settle: pinned; `mine`: the caller has the read. */
inline find_or_insert(b, mine) {
    atomic { mine = !tagged[b]; if :: mine -> tagged[b] = 1; io[b] = 1 :: else fi; pins[b]++ };
    do
    :: atomic { mine || valid[b] -> break }
    :: atomic { !mine && !valid[b] && !io[b] -> io[b] = 1; mine = 1 }  /* a read that failed: taken over */
    od
}

/* Reads and counts: what is there must be what was acknowledged. */
inline read_page(b, mine, ok) {
    find_or_insert(b, mine);
    ok = 1;
    if
    :: mine ->
        if
        :: atomic { b < length -> rows[b] = file[b] }; atomic { valid[b] = 1; io[b] = 0 }
        :: atomic { b >= length -> io[b] = 0; ok = 0; pins[b]-- }       /* an error; the tag stays (pool.X4) */
        fi
    :: else
    fi;
    mine = 0
}

inline add_row(b) {
    atomic { assert(rows[b] == acknowledged[b]); dirty[b] = 1; rows[b]++; acknowledged[b]++ }
}

proctype Inserter(byte me) {
    byte first;
    bool mine, second, ok;
    if
    :: atomic { known != NONE -> first = known };        /* by the map */
        read_page(first, mine, ok);
        if
        :: ok -> atomic { !latch[first] -> latch[first] = 1 }; add_row(first); atomic { latch[first] = 0; pins[first]-- }
        :: else -> assert(false)                         /* who learns a number can read the page (pool.X1) */
        fi
    :: true ->
#ifndef NO_LOCK
        atomic { !extension_lock -> extension_lock = 1 };
#endif
        first = length;
        if
        :: first + 2 <= BLOCKS ->
#ifdef WRITE_LATE
            known = first + 1;
#endif
            find_or_insert(first, mine);
#ifndef TAG_LATE
            atomic { second = !tagged[first + 1]; if :: second -> tagged[first + 1] = 1; io[first + 1] = 1; pins[first + 1]++ :: else fi };
#endif
            atomic { !latch[first] -> latch[first] = 1 };
            atomic { file[first] = 0; file[first + 1] = 0; length = first + 2 };
#ifdef TAG_LATE
            atomic { second = 1; tagged[first + 1] = 1; pins[first + 1]++ };
#endif
#ifdef ZERO_UNCLAIMED
            atomic { if :: !second -> second = 1; pins[first + 1]++ :: else fi };
#endif
            if
            :: mine -> atomic { rows[first] = 0; valid[first] = 1; io[first] = 0 }
            :: else
            fi;
            known = first + 1;
#ifndef NO_LOCK
            extension_lock = 0;
#endif
            /* The map could not be written: the I/O is given up, and the page belongs to whoever reads it. */
            if
            :: atomic { second -> io[first + 1] = 0;
#ifndef MADE_UP_LATE
               second = 0; pins[first + 1]--
#endif
               }
            :: true
            fi;
            if
            :: second -> atomic { rows[first + 1] = 0; valid[first + 1] = 1; io[first + 1] = 0; pins[first + 1]-- }
            :: else
            fi;
            add_row(first);
            atomic { latch[first] = 0; pins[first]-- }
        :: else
#ifndef NO_LOCK
            -> extension_lock = 0
#endif
        fi
    fi
}

/* A sequential scan, or an index entry: any block that the file has, or one beyond its end (a stale number). */
proctype Reader() {
    byte b;
    bool mine, ok;
    b = 0;
    do
    :: b < BLOCKS - 1 -> b++
    :: break
    od;
    read_page(b, mine, ok);
    if
    :: ok -> atomic { !latch[b] -> assert(rows[b] == acknowledged[b]); pins[b]-- }
    :: else
    fi
}

/* Replacement: writes what is dirty, and retires the frame. */
proctype Evictor() {
    byte n;
    do
    :: n < BLOCKS ->
        if
        :: atomic { tagged[n] && valid[n] && pins[n] == 0 && !latch[n] && dirty[n] -> file[n] = rows[n]; dirty[n] = 0 }
        :: true
        fi;
        if
        :: atomic { tagged[n] && pins[n] == 0 && !io[n] && !dirty[n] -> tagged[n] = 0; valid[n] = 0; rows[n] = 0 }
        :: true
        fi;
        n++
    :: else -> break
    od
}

init {
    byte i;
    atomic {
        i = 0;
        do
        :: i < INSERTERS -> run Inserter(i); i++
        :: else -> break
        od;
        run Reader();
        run Evictor()
    };
    /* At the end everything acknowledged is in the pool or in the file. */
    (_nr_pr == 1);
    i = 0;
    do
    :: i < BLOCKS ->
        assert(acknowledged[i] == (valid[i] -> rows[i] : file[i]));
        i++
    :: else -> break
    od
}
