// mvcc/hint_bits.cpp — writing down on the page what was found out about a transaction.
//
// Why:    the next reader need not ask pg_xact again.
// Invariants: mvcc.H1 "committed" may not reach disk before the commit record does, or a crash would leave
//            rows of a transaction that never committed.  Either the record is flushed, or the page's LSN is
//            past it, so that writing the page flushes it first.
//         mvcc.H2 bits are only ever added, to bits that others may add at the same time: all hints found
//            by different readers are true, and a lost one is found again.
//         mvcc.H4 who flushes the WAL so that hints may be set does it once, before pages are latched.
// Locking: share latch; never moves anything.
// Errors: may longjmp in mark_dirty_hint (an image may have to be logged) before which the bit is harmless.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "mvcc/visibility.hpp"

namespace glassheap::mvcc {

// Would the commit survive a crash at least as long as this page?  Temporary and unlogged pages do not
// survive at all.
bool may_hint_commit(const buffer::PinnedPage &page, Xid xid) {
    if (!page.survives_crash()) return true;
    const Lsn commit_lsn = ::TransactionIdGetCommitLSN(xid);
    // The page is asked first: one that many write has the answer, and XLogNeedsFlush takes a spin lock that
    // all sessions share.
    return page.lsn_now() >= commit_lsn || !::XLogNeedsFlush(commit_lsn);
}

// pg_xact knows the position of asynchronous commits by groups of 32 xids, and of a group the last one: older
// transactions look unflushed because of their neighbours.
void flush_newest_commits(Xid relfrozenxid, Xid horizon) {
    constexpr Xid kGroup = 32;
    for (const Xid back : {Xid{1}, 1 + kGroup}) {
        Xid xid = horizon - back;
        if (!TransactionIdIsNormal(xid) || ::TransactionIdPrecedes(xid, relfrozenxid)) xid = relfrozenxid;
        if (!TransactionIdIsNormal(xid) || !::TransactionIdPrecedes(xid, horizon)) continue;
        const Lsn commit_lsn = ::TransactionIdGetCommitLSN(xid);
        if (::XLogNeedsFlush(commit_lsn)) ::XLogFlush(commit_lsn);
    }
}

void set_hint_bits(HeapTupleHeader tuple, const buffer::PinnedPage *page, std::uint16_t bits, Xid xid) {
    if (page == nullptr) return;
    if (TransactionIdIsValid(xid) && !may_hint_commit(*page, xid)) return;
    tuple->t_infomask |= bits;
    page->mark_dirty_hint();
}

}  // namespace glassheap::mvcc
