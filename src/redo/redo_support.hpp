// redo/redo_support.hpp — opening the pages of a record during replay.  Private to redo/.
//
// Why:    the same five lines begin every redo function: image or not, missing or not, newer or not.
// Locking: a page that is returned non-empty is latched exclusively (asked for: cleanup latch).
// Errors: longjmps are FATAL in the startup process; a record that cannot be right is a PANIC.
// See:    doc/design/recovery.md#one-function-per-change.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"
#include "wal/judge.hpp"

namespace glassheap::redo {

using namespace wal;  // the records are this room's vocabulary

enum class RedoAction : std::uint8_t {
    apply,     // the change is to be made
    restored,  // an image was put in place: nothing to do
    done,      // the page is newer than the record
    missing,   // the block does not exist (its relation is dropped or truncated later)
};

struct RedoPage {
    RedoAction action = RedoAction::missing;
    pg::RelFile file{};
    ForkNumber fork = MAIN_FORKNUM;
    BlockNo block = kInvalidBlock;
    buffer::PinnedPage page;

    page::PageEdit edit() const noexcept { return page.edit(); }
    bool to_apply() const noexcept { return action == RedoAction::apply; }
    // After the change: LSN and dirty.
    void finish(XLogReaderState *record) const noexcept;
    void close() noexcept;  // unlatch and unpin; harmless when empty
};

enum class RedoLatch : bool { exclusive, cleanup };

// For a page that open_page opens while another one is latched: called before that.
buffer::RoomInRedo make_room(XLogReaderState *record, std::uint8_t ref);
RedoPage open_page(XLogReaderState *record, std::uint8_t ref, RedoLatch latch = RedoLatch::exclusive,
                   buffer::RoomInRedo *room = nullptr);
// With checksums no record does without an image; what does not pass them is damaged.
bool may_meet_torn_pages() noexcept;
// Only a record that may do without an image, as heap's of the visibility map, meets a torn page.  Logs.
bool is_torn(XLogReaderState *record, std::uint8_t ref);
// The block number of a reference that must exist.
BlockNo block_of_ref(XLogReaderState *record, std::uint8_t ref);
pg::RelFile file_of_ref(XLogReaderState *record, std::uint8_t ref);
ByteReader main_data(XLogReaderState *record) noexcept;
ByteReader block_data(XLogReaderState *record, std::uint8_t ref) noexcept;

// All that a record does to the visibility map.  Clearing comes before any heap page is opened and takes all
// blocks at once; setting comes after the heap page is closed.
void clear_vm_bits(XLogReaderState *record, std::span<const BlockNo> heap_blocks, std::uint8_t bits);
void clear_vm_bits(XLogReaderState *record, BlockNo heap_block, std::uint8_t bits);
void set_vm_bits(XLogReaderState *record, std::uint8_t bits);  // of block 0's page

// Does this version know all that the record says?  If not: `what_is_unknown`, a sentence.
Verdict judge(XLogReaderState *record) noexcept;
const char *what_is_unknown(XLogReaderState *record);
// PANIC: a newer version wrote the record, its bytes make no sense, or it does not fit the page.
[[noreturn]] void bad_record(XLogReaderState *record, const char *what);
// The line pointer must be normal; PANIC otherwise.
void require_normal(XLogReaderState *record, const RedoPage &page, SlotNo slot);

// Replay of each record type; one file per family.
void redo_insert(XLogReaderState *record, bool init);
void redo_multi_insert(XLogReaderState *record);
void redo_remove(XLogReaderState *record);
void redo_update(XLogReaderState *record, bool hot);
void redo_lock(XLogReaderState *record);
void redo_confirm(XLogReaderState *record);
void redo_prune(XLogReaderState *record);
void redo_vacuum(XLogReaderState *record);
void redo_visible(XLogReaderState *record);
void redo_images(XLogReaderState *record);
void redo_other(XLogReaderState *record);

// wal_consistency_checking: compares the pages of a replayed record with the images it carries, then tells
// core that there is nothing left to check (doc/design/recovery.md#one-function-per-change).
void check_consistency(XLogReaderState *record);

}  // namespace glassheap::redo
