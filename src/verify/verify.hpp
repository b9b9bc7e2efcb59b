// verify/verify.hpp — the parts of glassheap_verify.
//
// Why:    damage is to be found and named, not to be stumbled over: every check looks at a private copy of a
//         page, so that a page the pool would refuse can be examined too, and nobody waits for us.
// Invariants: introspect.F1 nothing on the page is trusted before its own check has passed.
//         introspect.F2 what may change while we look (VM bits, horizons) is looked at again before it is
//         reported.
// Locking: AccessShareLock on the table (and TOAST table); no latch while checking.
// Errors: may longjmp (memory, I/O), never because of what is on a page.
// See:    PG: contrib/amcheck/verify_heapam.c (facts), access/heap/README.HOT, README.tuplock.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/containers.hpp"
#include "introspect/rows.hpp"
#include "introspect/target.hpp"
#include "page/page_view.hpp"

namespace glassheap::verify {

using namespace introspect;  // what all rooms of SQL functions share

enum class XidBounds : std::uint8_t { ok, none, in_future, before_table, before_cluster };
enum class XidFate : std::uint8_t { committed, running, mine, aborted };

// Which transaction ids can be in the table.
struct XidLimits {
    FullTransactionId next;
    Xid oldest;        // of the cluster
    Xid table_oldest;  // relfrozenxid
    MultiXactId next_multi;
    MultiXactId oldest_multi;
    MultiXactId table_oldest_multi;  // relminmxid

    void read(Relation rel);
    XidBounds check(Xid xid);  // looks again before it accuses
    XidBounds check_multi(MultiXactId multi);
    // Fate of an id within bounds; false when its status is no longer kept.
    bool fate(Xid xid, XidFate *fate) const;
};

struct ToastPointer {
    varatt_external pointer;
    SlotNo slot;
    int attribute;  // 0-based
};

// What is known about one line pointer after its own checks.
struct ItemState {
    bool valid;       // normal, and its tuple header may be read
    bool header_ok;   // ... and its attributes
    bool xmin_known;  // xmin within bounds, xmin_fate set
    XidFate xmin_fate;
    Xid updater;         // xid that made the next version, Invalid if none
    SlotNo predecessor;  // who points here, within the page
};

struct Verifier {
    Relation rel;
    Rows *rows;
    XidLimits limits;
    Xid safe_xmin;  // deletions older than this may already be cleaned up
    bool corrupt;   // something was reported

    Relation toast;  // nullptr: TOAST values are not checked
    Relation *toast_indexes;
    int toast_index_count;
    Relation toast_index;

    BlockNo block;
    SlotNo slot;    // 0: the page as a whole
    int attribute;  // -1: the tuple as a whole
    const char *page;
    ItemState items[page::kMostLinePointers + 1];
    Vector<ToastPointer> pending;  // of this page, checked when it is done

    page::PageView view() const noexcept { return page::PageView(page); }
};
// Adds a row about verifier->block, slot and attribute.
void report_damage(Verifier *verifier, const char *format, ...) pg_attribute_printf(2, 3);

bool verify_header(Verifier *verifier);         // false: the page cannot be walked
void verify_line_pointers(Verifier *verifier);  // fills items[].valid
void verify_tuples(Verifier *verifier);         // headers, transaction ids, attributes
void verify_chains(Verifier *verifier);
void verify_attributes(Verifier *verifier, bool may_be_cleaned_up);
void verify_pending_toast(Verifier *verifier);
void verify_all_visible(Verifier *verifier, bool all_frozen);  // the page and its bits say so
void verify_free_space(Verifier *verifier);

}  // namespace glassheap::verify
