// scan/page_rows.cpp — the visible rows of a page, and the reading of a block by scans.
//
// Why:    see page_rows.hpp.  Three ways, cheapest first:
//         1. the page is known to be visible to everybody (PD_ALL_VISIBLE), or all its inserters are known
//            to be committed and older than the snapshot (design.D9): only line pointers are looked at;
//         2. tuples that nobody deleted or updated are judged by their inserter alone, whose fate is looked
//            up once per page; a row lock (of a foreign key check, say) counts for nothing; afterwards the
//            result is kept with the frame for way 1;
//         3. everything else is asked of mvcc::satisfies, row by row.
// Invariants: scan.P1 way 1 and 2 only for ordinary MVCC snapshots outside conflict tracking and recovery.
//         scan.P2 what is remembered for way 1 holds for every later snapshot: all inserters committed,
//            nothing deleted or updated.  Who does that later takes the exclusive latch, and thereby forgets
//            it (pool.A1).  It outlasts the frame (buffer/page_summaries).  Of a page that one transaction
//            filled, its frame says whose rows they are (heap/apply_rows): they are judged as one.
//         scan.P3 way 2 writes hint bits where pg_xact was asked about more inserters than kFreeLookUps, as
//            this would come again when the page comes again, or never ends when scan.P2 does not hold; a
//            page of one inserter, as bulk loads leave them, is not dirtied by reading.
// Locking: share latch held by the caller; load_block takes and releases it.
// Errors: may longjmp with the latch held (LWLockReleaseAll).
// See:    PG: access/heap/heapam.c (facts), doc/design/rows.md#reading-a-page "Traps".
// SPDX-License-Identifier: PostgreSQL
#include "scan/page_rows.hpp"

#include "debug/stop_points.hpp"
#include "heap/prune.hpp"
#include "heap/row_access.hpp"
#include "mvcc/visibility.hpp"
#include "mvcc/visibility_rules.hpp"
#include "pg/pg_old_snapshot.hpp"
#include "scan/scan_desc.hpp"

namespace glassheap::scan {

namespace {

struct RowNumbers {
    SlotNo numbers[page::kMaxTuplesPerPage];
    constexpr RowNumbers() noexcept : numbers{} {
        for (int i = 0; i < page::kMaxTuplesPerPage; ++i) numbers[i] = static_cast<SlotNo>(i + 1);
    }
};

constexpr RowNumbers kRowNumbers;

// What the inserter of a tuple means for the snapshot at hand.
enum class Inserter : std::uint8_t {
    visible,
    visible_unhinted,  // pg_xact said so, and the hint may be written (mvcc.H1)
    invisible,
    ask
};

// One look-up per visit costs less than writing the page; dozens do not.
constexpr int kFreeLookUps = 1;

Inserter judge_inserter(const buffer::PinnedPage &page, Xid xid, bool hinted_committed, Snapshot snapshot) {
    // Our own rows depend on the command counter.
    if (!hinted_committed && ::TransactionIdIsCurrentTransactionId(xid)) return Inserter::ask;
    if (::XidInMVCCSnapshot(xid, snapshot)) return Inserter::invisible;
    if (hinted_committed) return Inserter::visible;
    if (!::TransactionIdDidCommit(xid)) return Inserter::ask;  // lets the hint be set
    // At once, while core remembers this transaction: it is one look-up together.
    return mvcc::may_hint_commit(page, xid) ? Inserter::visible_unhinted : Inserter::visible;
}

// Verdicts on the inserters of a page, each of whom is judged once.  What holds for an xid with the hint bit
// holds for it without, too.  The one judged last stands in front: pages mostly hold rows of few.
class InserterVerdicts {
public:
    // Written out: the implicit one would have the whole table zeroed for every page.
    InserterVerdicts(const buffer::PinnedPage &page, Snapshot snapshot) noexcept
        : page_(page), snapshot_(snapshot) {}

    Inserter of(Xid xid, bool hinted) {
        if (xid != last_) [[unlikely]] {
            last_verdict_ = find_or_judge(xid, hinted);
            last_ = xid;
        }
        return last_verdict_;
    }

    bool worth_hints() const noexcept { return unhinted_ > kFreeLookUps; }
    // Nobody is looked up for it.
    bool is_unhinted(Xid xid) const noexcept {
        const unsigned place = place_of(xid);
        return is_taken(place) && verdicts_[place] == Inserter::visible_unhinted;
    }

private:
    // A page has fewer inserters than the table has places.
    static constexpr unsigned kPlaces = 512;
    static_assert(kPlaces > page::kMaxTuplesPerPage);

    bool is_taken(unsigned place) const noexcept { return (taken_[place / 64] >> (place % 64) & 1) != 0; }
    // Where `xid` stands, or could.  Neighbours in time take neighbouring places.
    unsigned place_of(Xid xid) const noexcept {
        unsigned place = xid % kPlaces;
        while (is_taken(place) && xids_[place] != xid) place = (place + 1) % kPlaces;
        return place;
    }
    Inserter find_or_judge(Xid xid, bool hinted);

    const buffer::PinnedPage &page_;
    Snapshot snapshot_;
    Xid last_ = kInvalidXid;
    Inserter last_verdict_ = Inserter::ask;
    int count_ = 0;
    int unhinted_ = 0;
    std::uint64_t taken_[kPlaces / 64];  // set up with the first entry
    Xid xids_[kPlaces];
    Inserter verdicts_[kPlaces];
};

Inserter InserterVerdicts::find_or_judge(Xid xid, bool hinted) {
    if (count_ == 0) std::fill(std::begin(taken_), std::end(taken_), 0);
    const unsigned place = place_of(xid);
    if (is_taken(place)) return verdicts_[place];
    const Inserter verdict = judge_inserter(page_, xid, hinted, snapshot_);
    // Line pointers beyond what fits are damage: the loop above must end for them, too.
    if (++count_ > page::kMaxTuplesPerPage) [[unlikely]]
        return verdict;
    unhinted_ += verdict == Inserter::visible_unhinted ? 1 : 0;
    taken_[place / 64] |= std::uint64_t{1} << (place % 64);
    xids_[place] = xid;
    verdicts_[place] = verdict;
    return verdict;
}

// Way 2 for one tuple; `ask` when it must be looked at properly.
Inserter judge_undeleted(const page::TupleHead &head, InserterVerdicts *verdicts) {
    if ((head.infomask & (page::kXmaxInvalid | page::kMoved)) != page::kXmaxInvalid) [[unlikely]] {
        // A mere lock hides nothing from anybody.
        if ((head.infomask & page::kMoved) != 0 || !mvcc::rules::locks_only(head)) return Inserter::ask;
    }
    const std::uint16_t xmin_bits = head.infomask & page::kXminFrozen;
    if (xmin_bits == page::kXminFrozen) return Inserter::visible;
    if (xmin_bits == page::kXminInvalid) return Inserter::invisible;
    if (!TransactionIdIsNormal(head.xmin)) return Inserter::ask;
    return verdicts->of(head.xmin, xmin_bits == page::kXminCommitted);
}

// Has the page no gaps: is every line pointer normal?  Looked at four at a time, as this is asked of every
// page of a scan and little else is done per page.
bool is_without_gaps(page::PageView view) noexcept {
    using FourLines = std::uint32_t __attribute__((vector_size(16)));
    constexpr int kStep = sizeof(FourLines) / page::kLinePointerSize;
    constexpr std::uint32_t kState = 3U << 15;
    constexpr std::uint32_t kNormal = static_cast<std::uint32_t>(page::LineState::normal) << 15;
    const int last = view.max_slot();
    const char *lines = view.bytes() + page::kHeaderSize;
    FourLines differing = {};
    int i = 0;
    for (; i + kStep <= last; i += kStep) {
        FourLines four;
        std::memcpy(&four, lines + static_cast<std::size_t>(i) * page::kLinePointerSize, sizeof four);
        differing |= (four & kState) ^ kNormal;
    }
    for (; i < last; ++i) differing[0] |= (view.line(static_cast<SlotNo>(i + 1)).bits & kState) ^ kNormal;
    return (differing[0] | differing[1] | differing[2] | differing[3]) == 0;
}

// Line pointers of a page that is visible as a whole.
PageRows every_normal_row(page::PageView view, SlotNo *buffer) {
    const int last = view.max_slot();
    if (last <= page::kMaxTuplesPerPage && is_without_gaps(view)) return {kRowNumbers.numbers, last};

    int count = 0;
    for (int i = 1; i <= last; ++i) {
        if (view.line(static_cast<SlotNo>(i)).is_normal()) buffer[count++] = static_cast<SlotNo>(i);
    }
    return {buffer, count};
}

struct RowJudge {
    Relation rel;
    const buffer::PinnedPage &page;
    Snapshot snapshot;
    bool shortcuts;  // way 2 is allowed (scan.P1)
    bool tracked;    // reads are reported to conflict detection
    bool lock_rows;
    bool rememberable;  // so far every tuple is as scan.P2 wants it
    Xid newest_inserter;
    InserterVerdicts verdicts;

    bool sees(SlotNo row);
    bool sees_slowly(SlotNo row);
    void note_inserter(const page::TupleHead &head) noexcept;
    void write_hints() const;
};

void RowJudge::note_inserter(const page::TupleHead &head) noexcept {
    if ((head.infomask & page::kXminFrozen) == page::kXminFrozen) return;
    // The frozen xid precedes every normal one.
    if (::TransactionIdPrecedes(newest_inserter, head.xmin)) newest_inserter = head.xmin;
}

bool RowJudge::sees_slowly(SlotNo row) {
    rememberable = false;
    HeapTupleData tuple = heap::tuple_at(rel, page, row);
    const bool visible = mvcc::satisfies(&tuple, snapshot, &page);
    if (!tracked) return visible;
    if (visible && lock_rows)
        ::PredicateLockTID(rel, &tuple.t_self, snapshot, HeapTupleHeaderGetXmin(tuple.t_data));
    mvcc::check_serializable_read(visible, rel, &tuple, &page, snapshot);
    return visible;
}

bool RowJudge::sees(SlotNo row) {
    const page::TupleHead &head = page.view().tuple(row);
    if (!shortcuts) return sees_slowly(row);
    switch (judge_undeleted(head, &verdicts)) {
        case Inserter::visible:
        case Inserter::visible_unhinted:
            note_inserter(head);
            return true;
        case Inserter::invisible:
            rememberable = false;
            return false;
        case Inserter::ask:
            break;
    }
    return sees_slowly(row);
}

// scan.P3.
void RowJudge::write_hints() const {
    const page::PageView view = page.view();
    const int last = view.max_slot();
    for (int i = 1; i <= last; ++i) {
        const auto row = static_cast<SlotNo>(i);
        if (!view.line(row).is_normal()) continue;
        const page::TupleHead &head = view.tuple(row);
        if ((head.infomask & (page::kXminFrozen | page::kMoved)) != 0 || !verdicts.is_unhinted(head.xmin))
            continue;
        // Whether it may be was asked when the verdict was made.
        mvcc::set_hint_bits(heap::header_at(page, row), &page, page::kXminCommitted, kInvalidXid);
    }
}

bool is_plain_snapshot(Snapshot snapshot) noexcept {
    return snapshot->snapshot_type == SNAPSHOT_MVCC && !snapshot->takenDuringRecovery;
}

// Are the rows of the page as one transaction left them, and does the snapshot see that one?
bool sees_sole_inserter(Relation rel, const buffer::PinnedPage &page, Snapshot snapshot) {
    const Xid xid = page.known_sole_inserter();
    if (xid == kInvalidXid) return false;
    const Inserter verdict = judge_inserter(page, xid, false, snapshot);
    if (verdict != Inserter::visible && verdict != Inserter::visible_unhinted) return false;
    page.remember_all_committed_upto(xid, RelationNeedsWAL(rel));
    return true;
}

// What way 1 takes for granted, without a trace.
bool sees_each_row(Relation rel, const buffer::PinnedPage &page, Snapshot snapshot) {
    const page::PageView view = page.view();
    for (int i = 1; i <= view.max_slot(); ++i) {
        const auto row = static_cast<SlotNo>(i);
        if (!view.line(row).is_normal()) continue;
        HeapTupleData tuple = heap::tuple_at(rel, page, row);
        if (!mvcc::satisfies(&tuple, snapshot, nullptr)) return false;
    }
    return true;
}

// How far ahead of a scan the operating system is told what comes next.
constexpr BlockNo kReadAheadBlocks = 64;

// Announces the next window when the block just read was not in the pool, as far as the scan goes.
void read_ahead(RowScan &scan, BlockNo block) {
    const BlockNo first = std::max(block + 1, scan.read_ahead_until);
    const BlockNo end = std::min(scan.block_count, block + std::min(scan.blocks_left, 1 + kReadAheadBlocks));
    // Half a window is still announced: let it be used up first.
    if (first >= end || first > block + 1 + kReadAheadBlocks / 2) return;
    buffer::prefetch(scan.rel(), MAIN_FORKNUM, first, static_cast<int>(end - first));
    scan.read_ahead_until = end;
}

}  // namespace

bool sees_whole_page(Relation rel, const buffer::PinnedPage &page, Snapshot snapshot) {
    if (snapshot->takenDuringRecovery) return false;
    bool whole = page.view().all_visible();
    if (!whole && snapshot->snapshot_type == SNAPSHOT_MVCC) {
        const Xid newest = page.known_all_committed_upto();
        whole = newest != kInvalidXid ? ::TransactionIdPrecedes(newest, snapshot->xmin)
                                      : sees_sole_inserter(rel, page, snapshot);
        GH_PARANOID(!whole || sees_each_row(rel, page, snapshot));
    }
    return whole && !::CheckForSerializableConflictOutNeeded(rel, snapshot);
}

PageRows visible_rows(Relation rel, const buffer::PinnedPage &page, Snapshot snapshot, bool lock_rows,
                      SlotNo *buffer) {
    const page::PageView view = page.view();
    if (sees_whole_page(rel, page, snapshot)) return every_normal_row(view, buffer);

    const bool tracked = ::CheckForSerializableConflictOutNeeded(rel, snapshot);
    const bool shortcuts = !tracked && is_plain_snapshot(snapshot);
    RowJudge judge{.rel = rel,
                   .page = page,
                   .snapshot = snapshot,
                   .shortcuts = shortcuts,
                   .tracked = tracked,
                   .lock_rows = lock_rows,
                   .rememberable = shortcuts,
                   .newest_inserter = kFrozenXid,
                   .verdicts = {page, snapshot}};
    int count = 0;
    const int last = view.max_slot();
    for (int i = 1; i <= last; ++i) {
        const auto row = static_cast<SlotNo>(i);
        if (view.line(row).is_normal() && judge.sees(row)) buffer[count++] = row;
    }
    GH_ASSERT(count <= page::kMaxTuplesPerPage);
    if (judge.verdicts.worth_hints()) [[unlikely]]
        judge.write_hints();
    if (judge.rememberable && count > 0)
        page.remember_all_committed_upto(judge.newest_inserter, RelationNeedsWAL(rel));
    return {buffer, count};
}

void set_block(RowScan &scan, BlockNo block) noexcept {
    scan.block = block;
    const auto address = page::RowAddress::make(block, kInvalidSlot);
    std::memcpy(&scan.tid_block, &address, sizeof scan.tid_block);
    scan.words = tuple_words(block, RelationGetRelid(scan.rel()));
}

void leave_block(RowScan &scan) noexcept {
    scan.page.release();
    set_block(scan, kInvalidBlock);
    scan.row_count = 0;
    scan.lean_count = 0;
    scan.quick_count = 0;
}

void load_block(RowScan &scan, BlockNo block) {
    GH_ASSERT(block < scan.block_count);
    leave_block(scan);
    // At least once per page: levels above do not run while pages of dead rows are skipped.
    CHECK_FOR_INTERRUPTS();

    Relation rel = scan.rel();
    const int64 reads_before = pgBufferUsage.shared_blks_read;
    scan.page = buffer::read_page(rel, MAIN_FORKNUM, block, scan.ring);
    set_block(scan, block);
    if (pgBufferUsage.shared_blks_read != reads_before) read_ahead(scan, block);
    if (!scan.lists_rows()) return;

    if (scan.in_page_mode()) heap::prune_on_access(rel, scan.page);
    GH_STOP_POINT("scan.before_latch");
    Snapshot snapshot = scan.base.rs_snapshot;
    scan.page.latch_share();
    pg::check_snapshot_age(snapshot, rel, scan.page.data());
    const PageRows found = scan.in_page_mode()
                               ? visible_rows(rel, scan.page, snapshot, false, scan.row_buffer)
                               : every_normal_row(scan.page.view(), scan.row_buffer);
    scan.page.unlatch();
    scan.rows = found.rows;
    scan.row_count = found.count;
    if (scan.base.rs_nkeys == 0 && !pg::old_snapshots_may_fail()) scan.quick_count = found.count;
}

}  // namespace glassheap::scan
