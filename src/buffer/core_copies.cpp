// buffer/core_copies.cpp — see buffer/core_copies.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/core_copies.hpp"

#include "buffer/flush.hpp"
#include "buffer/hand_over.hpp"
#include "buffer/io.hpp"
#include "buffer/partner_watch.hpp"
#include "buffer/settings.hpp"
#include "buffer/two_pools.hpp"
#include "debug/stop_points.hpp"
#include "pg/clock.hpp"
#include "pg/pg_buffers.hpp"
#include "pg/pg_recovery.hpp"
#include "storage/aside.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

namespace {

constexpr int kTries = 10;                      // how often a copy may change while it is taken over
constexpr int kPatience = 1000;                 // milliseconds for somebody's pin to go
constexpr int kIoPatience = kReaderPatienceMs;  // and for I/O to end: somebody may be stopped in it
constexpr Lsn kAnyLsn = ~Lsn{0};                // of a copy that counts for nothing

pg::CorePlace place_of(const PageTag &tag) noexcept {
    return {file_of(tag), fork_number(tag), tag.block};
}

void tell(const PageTag &tag, const char *what) {
    char *path = storage::path_of(file_of(tag), pg::kNoBackend, fork_number(tag));
    ereport(
        LOG,
        (errmsg("glassheap: block %u of relation %s %s", tag.block, path, what),
         errhint("If no file changed hands, a library writes to glassheap tables with heap's functions.")));
    ::pfree(path);
}

// Once a relation and process: a table that changed hands has many such pages.
void tell_once(const PageTag &tag, const char *what) {
    static PageTag told = {};
    if (told.same_relation(tag) || CritSectionCount > 0) return;
    told = tag;
    tell(tag, what);
}

// A copy whose LSN is below the file's was read before our last write: new hint bits at most.  With the same
// LSN the page that is known all-visible is the later one: without checksums that flag moves no LSN.
bool is_later(const page::PageView &file, Lsn lsn, const pg::CoreCopy &copy) noexcept {
    return lsn > copy.lsn || (lsn == copy.lsn && file.all_visible() && !copy.all_visible);
}

// In replay a page of the future may be torn, which nothing tells without checksums, and one with the flag
// and the copy's LSN may be such a page: only lower LSNs than replay's count, and nothing else; the order of
// the records decides.  With wal_level = minimal LSNs tell nothing of what is done now.
bool file_is_newer(const PageTag &tag, const pg::CoreCopy &copy, char *scratch) {
    const bool in_replay = ::RecoveryInProgress();
    if (!in_replay && !XLogIsNeeded()) return false;
    storage::read_block(file_of(tag), pg::kNoBackend, fork_number(tag), tag.block, scratch);
    const page::PageView file(scratch);
    const Lsn lsn = load_page_lsn(scratch);
    const bool newer =
        in_replay ? lsn > copy.lsn && lsn <= ::GetXLogReplayRecPtr(nullptr) : is_later(file, lsn, copy);
    return newer && !file.is_new() && storage::page_is_intact(scratch, tag.block);
}

// Somebody (VACUUM, say) set PD_ALL_VISIBLE in theirs, which moves no LSN without checksums, while nobody
// changed ours.  Had we changed it, theirs might be what was in the file before, with new hint bits.  So it
// might after a write that base_lsn did not follow; but theirs may lack what was written then, and a flag
// that counted for nothing would leave its bit in the visibility map: so it counts, unless the version at
// base_lsn had it already.  A change in progress has taken the flag away, and its LSN is to come: hence the
// latch.
bool has_new_flag(FrameNo frame, const pg::CoreCopy &copy, Lsn on_disk) noexcept {
    const Lsn base = frame_at(frame).base_lsn.load(std::memory_order_acquire);
    if (!copy.dirty || !copy.all_visible || copy.lsn < base) return false;
    if (copy.lsn == base && frame_at(frame).base_all_visible.load(std::memory_order_relaxed)) return false;
    LWLock *latch = &frame_at(frame).latch;
    const bool mine = ::LWLockHeldByMe(latch);
    if (!mine && !::LWLockConditionalAcquire(latch, LW_SHARED)) return false;
    const bool unchanged = base < on_disk || load_page_lsn(page_at(frame)) == on_disk;
    const bool lacks_it = !page::PageView(page_at(frame)).all_visible();
    if (!mine) ::LWLockRelease(latch);
    return unchanged && lacks_it;
}

// What shared_buffers' copy says, given what our frame knows.
bool is_changed(FrameNo frame, const pg::CoreCopy &copy) noexcept {
    const Frame &f = frame_at(frame);
    if (fork_number(f.tag) == FSM_FORKNUM) return false;
    if (!f.state.load().permanent() || copy.lsn == kInvalidLsn) return copy.dirty;
    const Lsn on_disk = f.disk_lsn.load(std::memory_order_relaxed);
    return copy.lsn > on_disk || has_new_flag(frame, copy, on_disk);
}

// Since the version that theirs may come from.  An image of hint bits counts as a change if it came after
// theirs: replay would put it over theirs.  With wal_level = minimal changes may come without an LSN.
bool ours_is_changed(FrameNo frame, Lsn theirs) noexcept {
    const Frame &f = frame_at(frame);
    const Lsn lsn = load_page_lsn(page_at(frame));
    if (!f.state.load().permanent() || lsn == kInvalidLsn || !XLogIsNeeded()) return true;
    const bool hint_image = lsn == f.hint_lsn.load(std::memory_order_relaxed);
    return lsn > f.base_lsn.load(std::memory_order_relaxed) && !(hint_image && lsn < theirs);
}

// Up to which LSN an unchanged copy may be thrown away although it is dirty.
Lsn discardable(const Frame &f) noexcept {
    if (fork_number(f.tag) == FSM_FORKNUM) return kAnyLsn;
    return f.state.load().permanent() ? f.disk_lsn.load(std::memory_order_relaxed) : kInvalidLsn;
}

// A copy of the very version that we write: hint bits at most.  Ours is latched.  In recovery nothing changes
// without a record, whatever this server's wal_level.
bool is_same_version(FrameNo frame, const pg::CoreCopy &copy, Lsn ours) noexcept {
    const bool lsns_tell = XLogIsNeeded() || ::RecoveryInProgress();
    return frame_at(frame).state.load().permanent() && lsns_tell && ours != kInvalidLsn && copy.lsn == ours &&
           copy.all_visible == page::PageView(page_at(frame)).all_visible();
}

enum class Copies : std::uint8_t {
    ours_alone,  // none in shared_buffers that could do harm
    changed,     // theirs was changed
    stale,       // theirs is older, and somebody holds it, who may change it yet
    unknown,     // somebody has been reading it in all the time
};

// Somebody's pin usually goes in a moment, and I/O ends.  `copy`: the last one seen, if any.
Copies look_patiently(FrameNo frame, Lsn ours, Reader reader, pg::CoreCopy *copy) noexcept {
    const Frame &f = frame_at(frame);
    const pg::CorePlace place = place_of(f.tag);
    for (int wait = 0, total = 0;; ++wait, ++total) {
        const pg::CoreCopy now = pg::look_at_core_copy(place);
        if (!now.present) return Copies::ours_alone;
        *copy = now;
        if (is_changed(frame, now)) return Copies::changed;
        if (pg::evict_core_copy(place, discardable(f))) return Copies::ours_alone;
        if (is_same_version(frame, now, ours)) return Copies::ours_alone;
        if (now.in_io && (reader == Reader::leave || total >= kIoPatience)) return Copies::unknown;
        if (now.in_io) wait = 0;  // its reader needs a moment afterwards, too
        if (wait >= kPatience) return Copies::stale;
        ::pg_usleep(1000L);
    }
}

void mark_page(FrameNo frame, const pg::CoreCopy &copy) {
    const PageTag tag = frame_at(frame).tag;
    mark_two_pools({.file = file_of(tag),
                    .fork = fork_number(tag),
                    .block = tag.block,
                    .ours = load_page_lsn(page_at(frame)),
                    .theirs = copy.lsn});
}

// The first LSN stays: what we logged between two changes of theirs is not older than the first.
void note_outdated(FrameNo frame, const pg::CoreCopy &copy) noexcept {
    if (frame_at(frame).state.load().outdated()) return;
    frame_at(frame).theirs.store(copy.lsn, std::memory_order_relaxed);
    frame_at(frame).state.note_outdated();
    ::ConditionVariableBroadcast(&frame_at(frame).waiters);  // who waits for its cleanup latch waits in vain
}

WriteTo judge(FrameNo frame, Lsn ours, Reader reader) {
    pg::CoreCopy copy = {};
    const Copies found = look_patiently(frame, ours, reader, &copy);
    if (found == Copies::unknown && reader == Reader::leave) return WriteTo::later;
    if (found == Copies::unknown && CritSectionCount == 0) refuse_to_write(frame_at(frame).tag);
    if (found == Copies::ours_alone) return WriteTo::file;
    if (found == Copies::changed && !ours_is_changed(frame, copy.lsn)) {
        note_outdated(frame, copy);
        return WriteTo::nowhere;
    }
    mark_page(frame, copy);
    return WriteTo::aside;
}

// Up to which LSN a copy is older than ours in replay.
Lsn replaceable(const pg::CorePlace &place, Lsn ours) noexcept {
    return place.fork == FSM_FORKNUM ? kAnyLsn : ours;
}

enum class InReplay : std::uint8_t {
    ours_alone,  // no copy, or one of the same version
    older_gone,  // an older one is gone now; PostgreSQL may have written it before
    older_held,  // somebody has it pinned, and PostgreSQL may write it yet
    later,
};

// Replay goes record by record, and whoever comes second took over from the first: a copy of a page that is
// dirty here is older, or the same, and goes unless somebody holds it.  A later one was changed after
// promotion.  Looked at before it goes: what went may have been written over ours.
InReplay throw_out_in_replay(FrameNo frame, const pg::CorePlace &place, Lsn ours) noexcept {
    const Lsn upto = replaceable(place, ours);
    const pg::CoreCopy copy = pg::look_at_core_copy(place);
    const bool gone = pg::evict_core_copy(place, upto, upto);
    if (!copy.present || place.fork == FSM_FORKNUM || is_same_version(frame, copy, ours))
        return InReplay::ours_alone;
    if (gone) return InReplay::older_gone;
    return copy.lsn <= upto ? InReplay::older_held : InReplay::later;
}

// After our write.  An older copy that is held may be changed after promotion, and is judged by then.
Written look_in_replay(FrameNo frame, const pg::CorePlace &place, Lsn ours) noexcept {
    const InReplay found = throw_out_in_replay(frame, place, ours);
    if (found == InReplay::ours_alone) return Written::alone;
    return found == InReplay::older_gone ? Written::again : Written::undecided;
}

// Their version may be in the file by now.  Somebody had begun to change ours when it was found outdated.
WriteTo judge_outdated(FrameNo frame) {
    const Lsn theirs = frame_at(frame).theirs.load(std::memory_order_relaxed);
    if (!ours_is_changed(frame, theirs)) return WriteTo::nowhere;
    pg::CoreCopy copy = {};
    copy.lsn = theirs;
    mark_page(frame, copy);
    return WriteTo::aside;
}

bool finish_outdated(FrameNo frame) {
    const PutAway done = put_away(frame);
    unpin_frame(frame);
    return done != PutAway::latched;
}

// Noted first: whatever becomes of their copy, and of our attempt, ours is not written over theirs.
// False: ours is still there.
bool settle_changed(FrameNo frame, const pg::CoreCopy &copy) {
    note_outdated(frame, copy);
    tell_once(frame_at(frame).tag, "was changed in shared_buffers");
    GH_STOP_POINT("buffer.page_outdated");
    return finish_outdated(frame);
}

// It may have asked for theirs, and read the file, before theirs was changed.  After a read that failed the
// next one asks anew.
bool is_being_read(StateBits seen) noexcept {
    return seen.tagged() && !seen.valid() && seen.io();
}

// Gives up the caller's pin.  False: ours is not settled, because somebody writes it, or reads it in.
bool examine(FrameNo frame) {
    const Frame &f = frame_at(frame);
    const PageTag tag = f.tag;
    const StateBits seen = f.state.load();
    if (seen.valid() && seen.outdated() && !is_in_two_pools(file_of(tag))) return finish_outdated(frame);
    const pg::CoreCopy copy = pg::look_at_core_copy(place_of(tag));
    const StateBits now = f.state.load();
    if (!copy.present || !now.valid() || is_in_two_pools(file_of(tag))) {
        unpin_frame(frame);
        return !copy.present || !is_being_read(now);
    }
    // The file has a page before its frame says so (disk_lsn): a reader's copy of it only seems changed.
    if (is_changed(frame, copy)) wait_for_io_quietly(frame);
    if (!f.state.load().valid()) {  // its file is gone
        unpin_frame(frame);
        return true;
    }
    if (is_changed(frame, copy)) return settle_changed(frame, copy);
    pg::evict_core_copy(place_of(tag), discardable(f));
    unpin_frame(frame);
    return true;
}

// Pages on which the rounds' last try failed: they are not tried again at once, the others are looked at.
constexpr int kRestingMax = 64;
constexpr std::int64_t kRestMs = 5'000;
struct Resting {
    PageTag tag;
    std::int64_t until;
};
constinit Resting resting[kRestingMax] = {};
constinit int resting_count = 0;
constinit PageTag in_trial = {};  // an error leaves it behind

bool is_resting(const PageTag &tag) noexcept {
    return std::any_of(resting, resting + resting_count, [&tag](const Resting &r) { return r.tag == tag; });
}

// False: so many pages rest that all shall.
bool begin_round() noexcept {
    const std::int64_t now = pg::monotonic_ms();
    const auto over = [now](const Resting &r) { return r.until <= now; };
    resting_count = static_cast<int>(std::remove_if(resting, resting + resting_count, over) - resting);
    const PageTag failed = std::exchange(in_trial, PageTag{});
    if (!(failed == PageTag{}) && resting_count < kRestingMax)
        resting[resting_count++] = {failed, now + kRestMs};
    return resting_count < kRestingMax;
}

enum class Trial : std::uint8_t { round, at_once };

// False: ours could not be settled.
bool examine_buffer(int index, Lsn since, Trial trial) {
    pg::CorePlace place;
    if (!pg::is_suspect_core_page(index, since, &place)) return true;
    const PageTag tag = make_tag(place.file, place.fork, place.block);
    const std::uint32_t hash = hash_tag(tag);
    if (!is_cached(tag, hash)) return true;
    if (trial == Trial::round && is_resting(tag)) return false;
    reserve_pin();
    const FrameNo frame = find_and_pin(tag, hash, Warmth::none);  // misses are for the next round
    if (frame == kNoFrame) return true;
    in_trial = tag;
    const bool settled = examine(frame);
    in_trial = {};
    return settled;
}

// Nobody looks a second time: what is there must be found, and a read must have ended.
void settle(const PageTag &tag) {
    const std::uint32_t hash = hash_tag(tag);
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        reserve_pin();
        const FrameNo frame = find_and_pin_surely(tag, hash, Warmth::none);
        if (frame == kNoFrame) return;
        if (is_being_read(frame_at(frame).state.load()) && has_core_copy(tag)) {
            wait_for_io(frame);
            unpin_frame(frame);
            continue;
        }
        if (examine(frame)) return;
        ::pg_usleep(1000L);  // somebody writes ours
    }
}

// All of the relation's pages in the pool, palloced.  Others may read in more than there is room for, before
// those that were there; then once more.
FrameAndTag *collect_cached(const pg::RelFile &file, std::size_t *count) {
    constexpr std::size_t kSlack = 64;
    const TagRange range = {file, -1, 0};
    for (;;) {
        const std::size_t room = collect_relation(range, nullptr, 0) + kSlack;
        auto *found =
            static_cast<FrameAndTag *>(::palloc_extended(room * sizeof(FrameAndTag), MCXT_ALLOC_HUGE));
        *count = collect_relation(range, found, room);
        if (*count <= room) return found;
        ::pfree(found);
    }
}

// Where the WAL ended when the last walks through shared_buffers began.  A clean copy with a lower LSN than
// two walks ago was looked at while it had it: its LSN may come a moment after its record, hence two.
struct Walks {
    int at;
    Lsn current, last, before;
    bool unsettled;  // something in the current one: the next looks at everything
};

void begin_walk(Walks *walks) noexcept {
    walks->before = std::exchange(walks->unsettled, false) ? kInvalidLsn : walks->last;
    walks->last = walks->current;
    walks->current = ::GetXLogInsertRecPtr();
}

}  // namespace

// Nothing was written yet, and nobody has changed anything: the page stays dirty, and is tried again.
void refuse_to_write(const PageTag &tag) {
    note_tried_page(tag);
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_IN_USE),
             errmsg("block %u of relation %s cannot be written, because another process is reading it into "
                    "shared_buffers",
                    tag.block, storage::path_of(file_of(tag), pg::kNoBackend, fork_number(tag))),
             errhint("It is stopped, or waits for the disk; it runs code that bypasses the table access "
                     "method.")));
    pg_unreachable();
}

bool has_core_copy(const PageTag &tag) noexcept {
    return debug_tripwire && pg::has_core_copy(place_of(tag));
}

void take_over_core_copy(const PageTag &tag, bool permanent, char *scratch) {
    const pg::CorePlace place = place_of(tag);
    for (int i = 0; i < kTries; ++i) {
        const pg::CoreCopy copy = pg::look_at_core_copy(place);
        if (!copy.present) return;
        if (copy.dirty) {
            if (InRecovery) note_meeting(file_of(tag));  // a clean one is a reader's
            if (permanent && file_is_newer(tag, copy, scratch) && pg::evict_core_copy(place, copy.lsn))
                return;
            tell_once(tag, "was dirty in shared_buffers and has been taken over");
            pg::flush_core_copy(place, copy.buffer);
            two_pools->taken_over.fetch_add(1, std::memory_order_relaxed);
        }
        if (pg::evict_core_copy(place, kInvalidLsn)) return;
        if (!pg::look_at_core_copy(place).dirty) return;  // a reader has it pinned
    }
}

// The exclusive latch keeps out whoever might change the page or log an image of it; those who come to it
// later with an old pin see that it is outdated.
PutAway put_away(FrameNo frame) {
    Frame &f = frame_at(frame);
    const PageTag tag = f.tag;
    if (!::LWLockConditionalAcquire(&f.latch, LW_EXCLUSIVE)) return PutAway::latched;
    if (f.state.load().dirty()) {
        note_tried_page(tag);
        write_out(frame);
    }
    const bool goes = !is_in_two_pools(file_of(tag));
    if (goes && drop_frame(frame)) two_pools->let_go.fetch_add(1, std::memory_order_relaxed);
    ::ConditionVariableBroadcast(&f.waiters);  // who waits for a cleanup latch of it waits in vain
    ::LWLockRelease(&f.latch);
    return goes ? PutAway::gone : PutAway::marked;
}

WriteTo where_to_write(FrameNo frame, Lsn ours, Reader reader) {
    const Frame &f = frame_at(frame);
    if (!debug_tripwire) return WriteTo::file;
    if (is_in_two_pools(file_of(f.tag))) return WriteTo::aside;
    if (f.state.load().outdated()) return judge_outdated(frame);
    const pg::CorePlace place = place_of(f.tag);
    if (!pg::has_core_copy(place)) return WriteTo::file;
    const InReplay found = ::RecoveryInProgress() ? throw_out_in_replay(frame, place, ours) : InReplay::later;
    if (found == InReplay::later) return judge(frame, ours, reader);
    return found == InReplay::older_held ? WriteTo::file_beside : WriteTo::file;
}

// Of a page that is only being read nothing need be decided: its next write looks first, as for `later`.
Written look_after_write(FrameNo frame, Lsn ours, Reader reader) {
    const Frame &f = frame_at(frame);
    const pg::CorePlace place = place_of(f.tag);
    if (!debug_tripwire || !pg::has_core_copy(place)) return Written::alone;
    if (::RecoveryInProgress()) return look_in_replay(frame, place, ours);
    pg::CoreCopy copy = {};
    const Copies found = look_patiently(frame, ours, reader, &copy);
    if (found == Copies::unknown && CritSectionCount == 0) return Written::undecided;
    if (found == Copies::ours_alone)
        return copy.present && !is_same_version(frame, copy, ours) ? Written::again : Written::alone;
    mark_page(frame, copy);
    return Written::aside;
}

bool is_changed_elsewhere(FrameNo frame) noexcept {
    const PageTag tag = frame_at(frame).tag;
    if (!debug_tripwire || fork_number(tag) == FSM_FORKNUM) return false;
    const pg::CoreCopy copy = pg::look_at_core_copy(place_of(tag));
    return copy.present && is_changed(frame, copy);
}

// While our page is being written, a reader's copy of it only seems changed; that write looks by itself.
void look_after_image(FrameNo frame) noexcept {
    const PageTag tag = frame_at(frame).tag;
    if (!debug_tripwire || fork_number(tag) == FSM_FORKNUM) return;
    const pg::CoreCopy copy = pg::look_at_core_copy(place_of(tag));
    if (copy.present && !frame_at(frame).state.load().io() && is_changed(frame, copy))
        note_outdated(frame, copy);
}

bool read_from_aside(const PageTag &tag, char *page) {
    return is_in_two_pools(file_of(tag)) &&
           storage::read_aside(file_of(tag), fork_number(tag), tag.block, page);
}

void watch_core_pool(int limit) {
    static Walks walks = {};
    if (!debug_tripwire) return;
    GH_STOP_POINT("buffer.watch_core_pool");
    if (!begin_round()) return;
    const int count = pg::core_buffer_count();
    for (int i = 0; i < std::min(limit, count); ++i) {
        if (walks.at == 0) begin_walk(&walks);
        const int index = walks.at;
        walks.at = index + 1 < count ? index + 1 : 0;
        const bool unsettled = std::exchange(walks.unsettled, true);  // should an error come
        walks.unsettled = !examine_buffer(index, walks.before, Trial::round) || unsettled;
    }
}

void search_core_pool() {
    if (!debug_tripwire) return;
    constexpr int kStride = 4096;
    for (int i = 0; i < pg::core_buffer_count(); ++i) {
        if (i % kStride == 0) note_progress();
        examine_buffer(i, kInvalidLsn, Trial::at_once);
    }
}

// Only a page that we have can be read from us, and what is read in from now on is the newest.
void settle_core_copies(const pg::RelFile &file) {
    if (!debug_tripwire) return;
    std::size_t count = 0;
    FrameAndTag *found = collect_cached(file, &count);
    for (std::size_t i = 0; i < count; ++i) settle(found[i].tag);
    ::pfree(found);
}

void settle_core_copies(const pg::RelFile &file, BlockNo first, BlockNo count) {
    if (!debug_tripwire) return;
    for (BlockNo i = 0; i < count; ++i) settle(make_tag(file, MAIN_FORKNUM, first + i));
}

}  // namespace glassheap::buffer
