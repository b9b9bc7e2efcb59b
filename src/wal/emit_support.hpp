// wal/emit_support.hpp — what the emitters share.  Private to wal/.
//
// Why:    XLogRegister* keep pointers until XLogInsert: everything registered lives in the emitter's frame or
//         on the page; nothing is allocated, for an emitter stands in a critical section.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "wal/emit.hpp"

namespace glassheap::wal {

// Main data of a record, built in place.
struct MainData {
    char bytes[kMainDataMax];
    std::size_t size = 0;

    template <typename Record>
    void set(const Record &record) noexcept {
        ByteWriter out(bytes, sizeof bytes);
        write(out, record);
        size = out.size();
    }
    void register_it() noexcept { ::XLogRegisterData(bytes, static_cast<int>(size)); }
};

// A row as head and body; `tuple` must stay in place until XLogInsert.
class LoggedTuple {
public:
    explicit LoggedTuple(HeapTuple tuple) noexcept
        : head_(head_of(reinterpret_cast<const char *>(tuple->t_data))), tuple_(tuple) {
        ByteWriter out(bytes_, sizeof bytes_);
        write_head(out, head_);
        size_ = static_cast<int>(out.size());
    }
    const RowHead &head() const noexcept { return head_; }
    std::span<const char> body() const noexcept {
        const std::size_t start = head_.body_start();
        return {reinterpret_cast<const char *>(tuple_->t_data) + start, tuple_->t_len - start};
    }
    void register_head_with_block(std::uint8_t ref) noexcept { ::XLogRegisterBufData(ref, bytes_, size_); }
    void register_with_block(std::uint8_t ref) noexcept {
        register_head_with_block(ref);
        ::XLogRegisterBufData(ref, const_cast<char *>(body().data()), static_cast<int>(body().size()));
    }
    void register_as_main_data() noexcept {
        ::XLogRegisterData(bytes_, size_);
        ::XLogRegisterData(const_cast<char *>(body().data()), static_cast<int>(body().size()));
    }

private:
    char bytes_[kRowHeadMax];
    int size_;
    RowHead head_;
    HeapTuple tuple_;
};

inline void register_page(std::uint8_t ref, Relation rel, const buffer::PinnedPage &page,
                          std::uint8_t flags) {
    ::XLogRegisterBlock(ref, &pg::file_of(rel), MAIN_FORKNUM, page.block(), page.data(),
                        flags | REGBUF_STANDARD);
}
// The VM page has no hole: everything behind its header is map.
inline void register_vm(std::uint8_t ref, Buffer vm) {
    if (BufferIsValid(vm)) ::XLogRegisterBuffer(ref, vm, 0);
}
inline Lsn insert_record(RecordType type) {
    return ::XLogInsert(kRmgrId, static_cast<std::uint8_t>(type));
}
inline void stamp(const buffer::PinnedPage &page, Lsn lsn) noexcept {
    page.edit().set_lsn(lsn);
}
inline void stamp_vm(Buffer vm, Lsn lsn) {
    if (BufferIsValid(vm)) PageSetLSN(BufferGetPage(vm), lsn);
}
// Flags of the old key or row, which `old_key` (nullptr: none) becomes in the record.
inline std::uint8_t old_key_flag(Relation rel, HeapTuple old_key) noexcept {
    if (old_key == nullptr) return 0;
    return rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL ? kContainsOldTuple : kContainsOldKey;
}

}  // namespace glassheap::wal
