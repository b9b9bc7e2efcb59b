// buffer/checkpoint_veto.hpp — makes PostgreSQL's checkpoints fail while a page of ours cannot be written.
//
// Why:    a holder that only kept its flag up would let CHECKPOINT, CREATE DATABASE and backups wait for as
//         long as the file cannot be written; heap's checkpoint fails at once and tells.  The stock
//         checkpointer fails when it cannot write a dirty page of shared_buffers.  So each holder owns one
//         page there that no file stands behind ("base/0/1", "base/0/2": database 0 does not exist).  The
//         page is dirtied when our flush has failed, and cleaned when a later one has succeeded.
// Invariants: ckpt.T1 the veto is raised before the holder rotates or leaves without having written
//            everything, and lowered only after a flush that began while it was up.  The writes of that flush
//            have queued their fsync requests by then, and core collects these after it has looked at the
//            page.
//         ckpt.T2 raising never fails: the page is pinned from the holder's start on, so it costs a lock and
//            a bit.  Pinned, it is nobody's victim: only checkpoints come across it.  (Preparing may fail:
//            then the process ends before it holds anything.)
//         ckpt.T3 a veto outlives its holder, for it has a pin of its own, which belongs to no process.  The
//            holder's successor adopts it; in a shutdown none comes, and the last to leave lowers both, if it
//            has written everything.  A crash takes it away together with everything it stood for.
//         ckpt.T4 whatever a holder has of core's buffers goes when it ends, whatever ends it: there is no
//            transaction to do it, and a page pinned for ever cannot be dropped.
// Errors: prepare_veto, explain_veto and lower_veto_of may longjmp.  The rest does not.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/checkpoint_turn.hpp"
#include "buffer/frame.hpp"

namespace glassheap::buffer {

Buffer read_veto_page(Oid number);  // pinned, content lock held exclusively; may longjmp
void prepare_veto();                // once per holder, before it guards
void drop_veto_pin();               // at its end
// `failed`: the page that could not be written.
void raise_veto(const PageTag &failed) noexcept;
void lower_veto();
void lower_veto_of(Holder gone);  // under `turn`: it is up, and its holder has no process
// Core's message names the veto page: says which page could not be written instead.
void explain_veto(ErrorData *message);

}  // namespace glassheap::buffer
