// layout_check.cpp — proof that page/layout.hpp and PostgreSQL's headers describe the same bytes.
//
// Why:    the pure rooms write the format down without PostgreSQL's headers; this file sees both.
// Errors: compile time only.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "page/layout.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::page {

namespace {

// ---- sizes and limits
static_assert(kPageSize == BLCKSZ);
static_assert(kHeaderSize == SizeOfPageHeaderData);
static_assert(kLinePointerSize == sizeof(ItemIdData));
static_assert(kTupleHeaderSize == SizeofHeapTupleHeader);
static_assert(kTupleHeadFixed == offsetof(HeapTupleHeaderData, t_bits));
static_assert(kMaxAlign == MAXIMUM_ALIGNOF);
static_assert(align_up(1) == MAXALIGN(1) && align_up(8) == MAXALIGN(8) && align_up(23) == MAXALIGN(23));
static_assert(kLayoutVersion == PG_PAGE_LAYOUT_VERSION);
static_assert(kMaxTuplesPerPage == MaxHeapTuplesPerPage);
static_assert(kMaxTupleSize == MaxHeapTupleSize);

// ---- page header
static_assert(offsetof(PageHeadBytes, lsn_hi) == offsetof(PageHeaderData, pd_lsn.xlogid));
static_assert(offsetof(PageHeadBytes, lsn_lo) == offsetof(PageHeaderData, pd_lsn.xrecoff));
static_assert(offsetof(PageHeadBytes, checksum) == offsetof(PageHeaderData, pd_checksum));
static_assert(offsetof(PageHeadBytes, flags) == offsetof(PageHeaderData, pd_flags));
static_assert(offsetof(PageHeadBytes, lower) == offsetof(PageHeaderData, pd_lower));
static_assert(offsetof(PageHeadBytes, upper) == offsetof(PageHeaderData, pd_upper));
static_assert(offsetof(PageHeadBytes, special) == offsetof(PageHeaderData, pd_special));
static_assert(offsetof(PageHeadBytes, pagesize_version) == offsetof(PageHeaderData, pd_pagesize_version));
static_assert(offsetof(PageHeadBytes, prune_xid) == offsetof(PageHeaderData, pd_prune_xid));
static_assert(sizeof(PageHeadBytes) == offsetof(PageHeaderData, pd_linp));
static_assert(kHasFreeLines == PD_HAS_FREE_LINES && kPageFull == PD_PAGE_FULL);
static_assert(kAllVisible == PD_ALL_VISIBLE);
static_assert((kHasFreeLines | kPageFull | kAllVisible) == PD_VALID_FLAG_BITS);

// ---- line pointers: bit fields have no offsetof, so their bits are compared
static_assert(static_cast<unsigned>(LineState::unused) == LP_UNUSED);
static_assert(static_cast<unsigned>(LineState::normal) == LP_NORMAL);
static_assert(static_cast<unsigned>(LineState::redirect) == LP_REDIRECT);
static_assert(static_cast<unsigned>(LineState::dead) == LP_DEAD);
#ifndef __clang__  // cannot look into bit fields at compile time (clang 14)
constexpr std::uint32_t bits_of(ItemIdData id) noexcept {
    return __builtin_bit_cast(std::uint32_t, id);
}
static_assert(LinePointer::make(0x7FFF, LineState::unused, 0).bits == bits_of({0x7FFF, LP_UNUSED, 0}));
static_assert(LinePointer::make(0, LineState::dead, 0).bits == bits_of({0, LP_DEAD, 0}));
static_assert(LinePointer::make(0, LineState::unused, 0x7FFF).bits == bits_of({0, LP_UNUSED, 0x7FFF}));
static_assert(LinePointer::make(8160, LineState::normal, 32).bits == bits_of({8160, LP_NORMAL, 32}));
#endif

// ---- tuple header
static_assert(sizeof(TupleHead) == sizeof(HeapTupleHeaderData));
static_assert(offsetof(TupleHead, xmin) == offsetof(HeapTupleHeaderData, t_choice.t_heap.t_xmin));
static_assert(offsetof(TupleHead, xmax) == offsetof(HeapTupleHeaderData, t_choice.t_heap.t_xmax));
static_assert(offsetof(TupleHead, cid) == offsetof(HeapTupleHeaderData, t_choice.t_heap.t_field3));
static_assert(offsetof(TupleHead, ctid) == offsetof(HeapTupleHeaderData, t_ctid));
static_assert(offsetof(TupleHead, infomask2) == offsetof(HeapTupleHeaderData, t_infomask2));
static_assert(offsetof(TupleHead, infomask) == offsetof(HeapTupleHeaderData, t_infomask));
static_assert(offsetof(TupleHead, hoff) == offsetof(HeapTupleHeaderData, t_hoff));
static_assert(sizeof(RowAddress) == sizeof(ItemPointerData));
static_assert(offsetof(RowAddress, block_hi) == offsetof(ItemPointerData, ip_blkid.bi_hi));
static_assert(offsetof(RowAddress, block_lo) == offsetof(ItemPointerData, ip_blkid.bi_lo));
static_assert(offsetof(RowAddress, slot) == offsetof(ItemPointerData, ip_posid));

static_assert(kHasNull == HEAP_HASNULL && kHasVarWidth == HEAP_HASVARWIDTH);
static_assert(kHasExternal == HEAP_HASEXTERNAL);
static_assert(kXmaxKeyShareLock == HEAP_XMAX_KEYSHR_LOCK && kXmaxExclLock == HEAP_XMAX_EXCL_LOCK);
static_assert(kXmaxShareLock == HEAP_XMAX_SHR_LOCK && kLockMask == HEAP_LOCK_MASK);
static_assert(kXmaxLockOnly == HEAP_XMAX_LOCK_ONLY && kComboCid == HEAP_COMBOCID);
static_assert(kXminCommitted == HEAP_XMIN_COMMITTED && kXminInvalid == HEAP_XMIN_INVALID);
static_assert(kXminFrozen == HEAP_XMIN_FROZEN);
static_assert(kXmaxCommitted == HEAP_XMAX_COMMITTED && kXmaxInvalid == HEAP_XMAX_INVALID);
static_assert(kXmaxIsMulti == HEAP_XMAX_IS_MULTI && kUpdated == HEAP_UPDATED);
static_assert(kMovedOff == HEAP_MOVED_OFF && kMovedIn == HEAP_MOVED_IN && kMoved == HEAP_MOVED);
static_assert(kXactMask == HEAP_XACT_MASK && kXmaxBits == HEAP_XMAX_BITS);
static_assert(kAttributeCountMask == HEAP_NATTS_MASK && kKeysUpdated == HEAP_KEYS_UPDATED);
static_assert(kHotUpdated == HEAP_HOT_UPDATED && kHeapOnly == HEAP_ONLY_TUPLE);
static_assert(kSpecTokenSlot == SpecTokenOffsetNumber);
static_assert(kMovedPartitionsSlot == MovedPartitionsOffsetNumber);

// ---- ids
static_assert(sizeof(Xid) == sizeof(TransactionId) && sizeof(Cid) == sizeof(CommandId));
static_assert(sizeof(BlockNo) == sizeof(BlockNumber) && sizeof(SlotNo) == sizeof(OffsetNumber));
static_assert(sizeof(Lsn) == sizeof(XLogRecPtr));
static_assert(kInvalidBlock == InvalidBlockNumber && kInvalidSlot == InvalidOffsetNumber);
static_assert(kFirstSlot == FirstOffsetNumber);
static_assert(kInvalidLsn == InvalidXLogRecPtr && kInvalidCid == InvalidCommandId);
static_assert(kInvalidXid == InvalidTransactionId && kFrozenXid == FrozenTransactionId);
static_assert(kFirstNormalXid == FirstNormalTransactionId);

// ---- visibility map
static_assert(vm::kAllVisibleBit == VISIBILITYMAP_ALL_VISIBLE);
static_assert(vm::kAllFrozenBit == VISIBILITYMAP_ALL_FROZEN);
static_assert(vm::kBothBits == VISIBILITYMAP_VALID_BITS);

}  // namespace

}  // namespace glassheap::page
