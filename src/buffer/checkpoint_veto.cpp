// buffer/checkpoint_veto.cpp — see buffer/checkpoint_veto.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/checkpoint_veto.hpp"

#include "buffer/checkpoint_turn.hpp"
#include "buffer/left_pages.hpp"
#include "buffer/pool_internal.hpp"
#include "debug/stop_points.hpp"
#include "pg/pg_buffers.hpp"
#include "pg/pg_veto.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

namespace {

constinit Buffer veto_page = InvalidBuffer;
constinit ResourceOwner owner = nullptr;

HolderShared &mine() noexcept {
    return pool.shared->holders[static_cast<int>(my_holder())];
}

// A holder runs without transactions, so without their resource owners.
template <typename Body>
void as_owner(Body body) {
    ResourceOwner outer = std::exchange(CurrentResourceOwner, owner);
    body();
    CurrentResourceOwner = outer;
}

// The page for which the veto is up whose page the message names.  False: another file.
bool is_veto(const ErrorData &message, PageTag *failed) noexcept {
    if (message.message == nullptr) return false;
    const char *path = std::strstr(message.message, "base/0/");
    if (path == nullptr || path[7] < '1' || path[7] > '3' || ::isdigit(path[8]) != 0) return false;
    const int number = path[7] - '0';
    if (number == static_cast<int>(kLeftVetoPage)) return is_left_veto_up(failed);
    const HolderShared &holder = pool.shared->holders[number - 1];
    *failed = holder.failed;
    return holder.veto;
}

void tell_that_it_is_down() {
    ereport(LOG, (errmsg("glassheap has written all dirty pages; checkpoints can complete again")));
}

// What an error in one of core's buffer functions leaves: a victim of core's that could not be written is
// pinned, and no end of a transaction will release it (ckpt.T4).
extern "C" void glassheap_release_core_buffers(int code, Datum arg) {
    (void)code;
    (void)arg;
    pg::release_core_buffers();
    ::ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, true);
}

}  // namespace

Buffer read_veto_page(Oid number) {
    const pg::RelFile file = {DEFAULTTABLESPACE_OID, InvalidOid, number};
    return ::ReadBufferWithoutRelcache(file, MAIN_FORKNUM, 0, RBM_ZERO_AND_LOCK, nullptr, true);
}

void prepare_veto() {
    owner = ::ResourceOwnerCreate(nullptr, "glassheap checkpoint veto");
    ::before_shmem_exit(glassheap_release_core_buffers, 0);  // the first to be registered is the last to run
    as_owner([] {
        prepare_left_veto();
        const Buffer page = read_veto_page(static_cast<Oid>(my_holder()) + 1);
        ::LockBuffer(page, BUFFER_LOCK_UNLOCK);
        GH_STOP_POINT("buffer.veto_page_read");
        veto_page = page;
    });
}

void drop_veto_pin() {
    if (veto_page == InvalidBuffer) return;
    as_owner([] { ::ReleaseBuffer(veto_page); });
    veto_page = InvalidBuffer;
}

void raise_veto(const PageTag &failed) noexcept {
    mine().failed = failed;
    if (!mine().veto) pg::pin_for_nobody(veto_page);
    mine().veto = true;
    ::LockBuffer(veto_page, BUFFER_LOCK_EXCLUSIVE);
    as_owner([] { ::MarkBufferDirty(veto_page); });
    ::LockBuffer(veto_page, BUFFER_LOCK_UNLOCK);
}

void lower_veto() {
    ::LockBuffer(veto_page, BUFFER_LOCK_EXCLUSIVE);
    pg::clean_without_writing(veto_page);
    ::LockBuffer(veto_page, BUFFER_LOCK_UNLOCK);
    if (mine().veto) pg::unpin_for_nobody(veto_page);
    mine().veto = false;
    tell_that_it_is_down();
}

// Up, it is in shared_buffers, for it has the pin of nobody's.
void lower_veto_of(Holder gone) {
    HolderShared &his = pool.shared->holders[static_cast<int>(gone)];
    as_owner([&his, gone] {
        const Buffer page = read_veto_page(static_cast<Oid>(gone) + 1);
        pg::clean_without_writing(page);
        ::LockBuffer(page, BUFFER_LOCK_UNLOCK);
        pg::unpin_for_nobody(page);
        ::ReleaseBuffer(page);
        his.veto = false;
    });
    tell_that_it_is_down();
}

void explain_veto(ErrorData *message) {
    PageTag failed;
    if (!is_veto(*message, &failed)) return;
    // From the second failure on, core warns once more when it cleans up.
    if (message->elevel == WARNING) {
        message->output_to_server = false;
        return;
    }
    message->message =
        failed == PageTag{}
            ? ::pstrdup("checkpoint cannot complete, because glassheap could not write all pages")
            : ::psprintf(
                  "checkpoint cannot complete, because glassheap could not write block %u of relation %s",
                  failed.block, storage::path_of(file_of(failed), pg::kNoBackend, fork_number(failed)));
    message->context = nullptr;  // names the veto page
    message->hint = ::pstrdup(
        "Earlier messages in the server's log give the reason.  Checkpoints succeed again once the "
        "file can be written, or its table or database is gone (repeat DROP DATABASE if it failed).");
}

}  // namespace glassheap::buffer
