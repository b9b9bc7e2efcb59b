// buffer/pool.hpp — the pool as the rest of the engine uses it: read, extend, pin, latch, change.
//
// Why:    design.D2: main and FSM forks of our tables live in frames of our own.  Temporary tables go through
//         the same calls and land in a pool of their backend's own (frame numbers < -1).
// Invariants: pool.B1 a page's bytes are reached only through a PinnedPage.
//         pool.B2 bytes are read under a share latch or better, or under the pin alone for tuples that were
//            found visible under the latch (PostgreSQL's buffer access rules 1 to 5).
//         pool.B3 bytes are changed under the exclusive latch inside a PageChange; hint bits under the share
//            latch, followed by mark_dirty_hint.
//         pool.B4 tuples move, and line pointers of rows are redirected or die, only under the cleanup latch
//            (exclusive, and nobody else has a pin).  Dead ones become unused under the exclusive latch.
//         pool.B5 a frame is reserved only while the session that reserved it has it pinned.
// Locking: order: heavyweight locks, extension lock, page latches in block order, VM buffer, then the
//         pool's own locks (never held on return).
// Errors: reading may longjmp (I/O, corruption, out of frames); pins are abandoned to the resource owner,
//         latches to LWLockReleaseAll.
// See:    buffer/README.md; doc/design/pool.md#changing-a-page, doc/design/checkpoints.md.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "page/page_edit.hpp"
#include "pg/pg.hpp"
#include "pg/pg_relfile.hpp"

namespace glassheap::buffer {

struct Frame;  // buffer/frame.hpp; only the buffer room and introspection look inside

// Names one fork of one relation for the pool: the physical identity and what writing it needs.
struct ForkRef {
    pg::OwnedFile owned;
    ForkNumber fork;
    char persistence;  // RELPERSISTENCE_*

    bool is_temp() const noexcept { return owned.is_temp(); }
    bool is_permanent() const noexcept { return persistence == RELPERSISTENCE_PERMANENT; }
};
inline ForkRef fork_of(Relation rel, ForkNumber fork = MAIN_FORKNUM) noexcept {
    return {pg::owned_file_of(rel), fork, rel->rd_rel->relpersistence};
}
// For redo: only permanent relations are logged.
inline ForkRef fork_of_file(const pg::RelFile &file, ForkNumber fork) noexcept {
    return {pg::shared_file(file), fork, RELPERSISTENCE_PERMANENT};
}

// Which frames a large scan, bulk write or vacuum may recycle, so that it does not empty the pool.
enum class RingKind : std::uint8_t { none, bulk_read, bulk_write, vacuum };
class AccessRing;                      // buffer/access_ring.hpp
AccessRing *make_ring(RingKind kind);  // palloc'd in the current context
void free_ring(AccessRing *ring);      // nullptr allowed
// The backend-lifetime ring for bulk writes (COPY, CTAS): BulkInsertState has no room for ours.
AccessRing *bulk_write_ring();

// A pin on one frame, and the only way to reach its bytes.  Move-only.  Abandonable: the pin belongs to
// the CurrentResourceOwner at the time of pinning and is released with it (WARNING if at commit).
class PinnedPage {
public:
    PinnedPage() noexcept = default;
    PinnedPage(PinnedPage &&other) noexcept : frame_(other.frame_), data_(other.data_), block_(other.block_) {
        other.forget();
    }
    PinnedPage &operator=(PinnedPage &&other) noexcept {
        if (this != &other) {
            release();
            frame_ = other.frame_;
            data_ = other.data_;
            block_ = other.block_;
            other.forget();
        }
        return *this;
    }
    PinnedPage(const PinnedPage &) = delete;
    PinnedPage &operator=(const PinnedPage &) = delete;
    ~PinnedPage() { release(); }

    bool valid() const noexcept { return frame_ != kNoFrame; }
    explicit operator bool() const noexcept { return valid(); }
    FrameNo frame() const noexcept { return frame_; }
    BlockNo block() const noexcept { return block_; }
    bool is_local() const noexcept { return frame_ < kNoFrame; }
    // False: others have changed the page meanwhile (pool.F6 of frame_state.hpp).  It can be read, but what
    //        is not
    // on it may be elsewhere.
    bool is_usable() const noexcept;
    bool survives_crash() const noexcept;  // page of a logged relation: not temporary, not unlogged
    char *data() const noexcept { return data_; }
    page::PageView view() const noexcept { return page::PageView(data_); }
    // The LSN under a share latch, beside hint images that move it: never half an old one, half a new one.
    Lsn lsn_now() const noexcept;
    page::PageEdit edit() const noexcept { return page::PageEdit(data_); }

    void release() noexcept;  // unpin; harmless when empty

    // ---- content latch.  Taking one may wait; releasing is explicit or by LWLockReleaseAll.
    void latch_share() const;
    void latch_exclusive() const;
    bool try_latch_exclusive() const;
    void unlatch() const;
    bool latched_exclusive_by_me() const noexcept;
    // Exclusive, and this backend's one pin is the only one in the system.
    void latch_cleanup() const;      // waits; answers interrupts
    bool try_latch_cleanup() const;  // true: latched exclusively with no other pin

    // Bytes were changed that need not survive a crash (hint bits; FSM).  Share latch suffices.  With
    // checksums or wal_log_hints logs an image first (wal/emit) when the page is clean since redo.
    void mark_dirty_hint() const;

    // The page is kept for the run of inserts of one session (heap/insert_run): placement gives it to nobody
    // else.  Set and asked under the exclusive latch; taken back, without it, before the owner's pin goes
    // (pool.B5).  Never of a temporary table's page.
    bool is_reserved() const noexcept;
    void reserve() const noexcept;
    void end_reservation() const noexcept;

    // design.D9: what a reader found out about the whole page, valid until the next exclusive latch.
    // `newest_xid`: newest inserting xid of the page; set only if all tuples are committed by their
    // inserter, and none was deleted or updated (locks do not count).  Returns kInvalidXid when nothing is
    // known.  `is_logged`: RelationNeedsWAL; then it outlasts the frame (page_summaries.hpp).
    Xid known_all_committed_upto() const noexcept;
    void remember_all_committed_upto(Xid newest_xid, bool is_logged) const noexcept;  // share latch held
    // Or what the inserter knew: it alone inserted all that is here, and none was deleted, updated or locked.
    // What became of it is not known.
    Xid known_sole_inserter() const noexcept;
    void remember_sole_inserter(Xid xid) const noexcept;  // exclusive latch held

private:
    friend class PoolAccess;  // buffer/pool_internal.hpp: the only maker of pins
    PinnedPage(FrameNo frame, char *data, BlockNo block) noexcept
        : frame_(frame), data_(data), block_(block) {}
    void forget() noexcept {
        frame_ = kNoFrame;
        data_ = nullptr;
    }
    FrameNo frame_ = kNoFrame;
    char *data_ = nullptr;
    BlockNo block_ = kInvalidBlock;
};

// ---- scoped latches for straight-line code
class ShareLatch {
public:
    explicit ShareLatch(const PinnedPage &page) : page_(page) { page.latch_share(); }
    ~ShareLatch() { page_.unlatch(); }
    ShareLatch(const ShareLatch &) = delete;
    ShareLatch &operator=(const ShareLatch &) = delete;

private:
    const PinnedPage &page_;
};
class ExclusiveLatch {
public:
    explicit ExclusiveLatch(const PinnedPage &page) : page_(page) { page.latch_exclusive(); }
    ~ExclusiveLatch() { page_.unlatch(); }
    ExclusiveLatch(const ExclusiveLatch &) = delete;
    ExclusiveLatch &operator=(const ExclusiveLatch &) = delete;

private:
    const PinnedPage &page_;
};

enum class ReadMode : std::uint8_t {
    normal,         // error if the block does not exist or is damaged (zero_damaged_pages honoured)
    zero_on_error,  // a damaged page is replaced by zeroes (FSM)
    empty_if_torn,  // an empty PinnedPage in place of a torn page, nothing stays in the pool (redo only)
};

// Pins a block, reading it if need be.  Counts pgBufferUsage and pg_statio of `rel`.
PinnedPage read_page(Relation rel, ForkNumber fork, BlockNo block, AccessRing *ring = nullptr,
                     ReadMode mode = ReadMode::normal);
PinnedPage read_page(const ForkRef &fork, BlockNo block, AccessRing *ring = nullptr,
                     ReadMode mode = ReadMode::normal);
// Pins the block if frame `hint` still holds it (cheap re-pin), else an empty PinnedPage.
PinnedPage read_recent(Relation rel, ForkNumber fork, BlockNo block, FrameNo hint,
                       AccessRing *ring = nullptr);
// Pins the block only if it is in the pool already.
PinnedPage read_if_cached(const ForkRef &fork, BlockNo block);
// Tells the operating system that `count` blocks from `first` will be wanted (no-op when cached).
void prefetch(Relation rel, ForkNumber fork, BlockNo first, int count);
// How many pages a process may keep pinned, or in hand, beyond those that it wants at the moment (pool.V3):
// all processes together half of the pool, none in a pool of fewer than two frames a process.
BlockNo fair_share() noexcept;

// Redo only: the block of a logged relation, extending the fork (with zeroed pages) if it is beyond its end
// and creating the file if it is missing.  `zero`: do not read the old bytes (full image or init).
// Returns an empty PinnedPage when the block does not exist and !zero.  The page is latched exclusively
// (`cleanup`: cleanup latch).  With a latch of another page in hand: `room` for this one, made before.
class RoomInRedo;
PinnedPage redo_page(const pg::RelFile &file, ForkNumber fork, BlockNo block, bool zero, bool cleanup,
                     RoomInRedo *room = nullptr);

// Has a crash torn the page?  Asked before consistency and without checksums for a record without an image,
// by which heap logs a mere hint: what was being written is of later records, and the first of those has an
// image (recovery.T1).  Nobody must be able to read a page that is passed over: the map's bit is set.
bool is_torn_in_redo(const pg::RelFile &file, ForkNumber fork, BlockNo block);

// The frame that redo_page will need: its page is pinned (and read, unless `zero`), or a frame is claimed.
// For a frame replay may have to wait until readers let go of theirs, or cancel them; who waits for a latch
// of replay's could do neither (recovery.K3).  Abandonable; what is not used goes back.
class RoomInRedo {
public:
    RoomInRedo() noexcept = default;
    RoomInRedo(const pg::RelFile &file, ForkNumber fork, BlockNo block, bool zero);
    ~RoomInRedo();
    RoomInRedo(const RoomInRedo &) = delete;
    RoomInRedo &operator=(const RoomInRedo &) = delete;

private:
    friend PinnedPage redo_page(const pg::RelFile &, ForkNumber, BlockNo, bool, bool, RoomInRedo *);
    PinnedPage page_;
    FrameNo frame_ = kNoFrame;
};

// Making a fork longer: buffer/extend.hpp.

// One change of up to four pages: a critical section that marks pages dirty first, lets the caller edit and
// log, and, while no guardian protects checkpoints, writes the pages through
// (doc/design/checkpoints.md#states-of-the-pools-mode).
//
//     PageChange change;               // START_CRIT_SECTION
//     change.add(page);                // dirty before the record is inserted
//     page.edit().put_tuple(...);
//     if (needs_wal) wal::emit_insert(...);   // sets the LSN of every page it registers
//     change.finish();                 // write-through if need be; END_CRIT_SECTION
//
// Nothing between the constructor and finish() may longjmp (it would be a PANIC).
class PageChange {
public:
    PageChange() noexcept;
    void add(const PinnedPage &page) noexcept;
    void finish() noexcept;
    ~PageChange();
    PageChange(const PageChange &) = delete;
    PageChange &operator=(const PageChange &) = delete;

private:
    void end_writing_through() noexcept;

    static constexpr int kPagesMax = 4;
    FrameNo frames_[kPagesMax];
    int count_ = 0;
    bool writes_through_ = false;    // no guardian: this change writes its pages itself
    bool holds_checkpoint_ = false;  // and it raised the flag
    bool finished_ = false;
};
// Redo's counterpart: marks dirty (no critical section is needed in the startup process).
void mark_dirty_in_redo(const PinnedPage &page) noexcept;

// ---- maintenance by relation; none of it needs a latch held
// Drop without writing; waits for I/O in progress; pinned frames die at their last unpin.  Never longjmps.
// All forks of a file that is unlinked, or new: a mark of its number (two_pools.hpp) goes too.
void forget_relation(const pg::OwnedFile &owned) noexcept;
void forget_from(const pg::OwnedFile &owned, ForkNumber fork, BlockNo first) noexcept;
void forget_database(Oid database, Oid tablespace /* InvalidOid: any */) noexcept;
// Write what is dirty.
void flush_relation(const pg::OwnedFile &owned);
void flush_database(Oid database);
void flush_all();

// The logger of hint images is in wal/ (above us); set once in _PG_init.  Called with a private copy of the
// page; returns the record's LSN.
using HintImageLogger = Lsn (*)(const ForkRef &fork, BlockNo block, char *page_copy);
void set_hint_image_logger(HintImageLogger logger) noexcept;

}  // namespace glassheap::buffer
