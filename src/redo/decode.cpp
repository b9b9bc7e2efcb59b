// redo/decode.cpp — logical decoding of our records (rm_decode): what test_decoding and pgoutput get to see.
//
// Why:    the reorder buffer takes heap tuples; our rows are heap tuples, so decoding is unpacking.
//         TOAST chunks are written by core's heap and reach the reorder buffer through core's decoder.
// Errors: may longjmp (walsender, SQL functions).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "pg/pg_decode.hpp"
#include "redo/redo_support.hpp"
#include "redo/rmgr_callbacks.hpp"

namespace glassheap::redo {

using namespace wal;  // the records are this room's vocabulary

namespace {

[[noreturn]] void refuse(XLogRecordBuffer *buf) {
    if (judge(buf->record) == Verdict::newer)
        ereport(
            ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("glassheap WAL record at %X/%X cannot be decoded: a newer version of glassheap wrote it",
                    LSN_FORMAT_ARGS(buf->origptr)),
             errdetail_internal("%s", what_is_unknown(buf->record)),
             errhint("Install the glassheap that wrote it, or a later one.")));
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("malformed glassheap WAL record at %X/%X", LSN_FORMAT_ARGS(buf->origptr))));
    pg_unreachable();
}

// One record on its way to the reorder buffer.
class Decoding {
public:
    Decoding(LogicalDecodingContext *ctx, XLogRecordBuffer *buf) : ctx_(ctx), buf_(buf) {
        file_ = file_of_ref(buf->record, kPageRef);
    }
    XLogReaderState *record() const noexcept { return buf_->record; }

    // Another database's change, or of an origin the plugin does not want.
    bool unwanted() const {
        if (pg::database_of(file_) != ctx_->slot->data.database) return true;
        return ctx_->callbacks.filter_by_origin_cb != nullptr &&
               ::filter_by_origin_cb_wrapper(ctx_, XLogRecGetOrigin(record()));
    }
    ReorderBufferChange *new_change(ReorderBufferChangeType action) const {
        ReorderBufferChange *change = ::ReorderBufferGetChange(ctx_->reorder);
        change->action = action;
        change->origin_id = XLogRecGetOrigin(record());
        pg::set_file(change, file_);
        change->data.tp.clear_toast_afterwards = true;
        return change;
    }
    pg::DecodedRow *new_row(const RowHead &head, std::span<const char> body) const {
        // Not bounded by a page: an old key has its out-of-line values inside.
        const std::size_t length = head.body_start() + body.size();
        if (length < head.hoff || length < page::kTupleHeaderSize) malformed();
        pg::DecodedRow *row = pg::new_decoded_row(ctx_->reorder, length - page::kTupleHeaderSize);
        HeapTuple tuple = pg::tuple_of(row);
        tuple->t_len = static_cast<uint32>(length);
        tuple->t_tableOid = InvalidOid;  // known only when the transaction is put together
        ItemPointerSetInvalid(&tuple->t_self);
        lay_out_tuple(reinterpret_cast<char *>(tuple->t_data), head, body, kInvalidXid, kInvalidXid,
                      page::RowAddress{});
        return row;
    }
    // head and body, to the end of `in`
    pg::DecodedRow *new_row(ByteReader in) const {
        RowHead head;
        if (!read_head(in, &head)) malformed();
        return new_row(head, {in.rest(), in.left()});
    }
    void queue(ReorderBufferChange *change, bool toast_insert = false) const {
        ::ReorderBufferQueueChange(ctx_->reorder, XLogRecGetXid(record()), buf_->origptr, change,
                                   toast_insert);
    }
    [[noreturn]] void malformed() const { refuse(buf_); }

private:
    LogicalDecodingContext *ctx_;
    XLogRecordBuffer *buf_;
    pg::RelFile file_;
};

void decode_insert(const Decoding &d) {
    InsertRecord r;
    ByteReader in = main_data(d.record());
    if (!parse(in, &r)) d.malformed();
    if ((r.flags & kContainsNewTuple) == 0 || d.unwanted()) return;
    ReorderBufferChange *change =
        d.new_change((r.flags & kIsSpeculative) != 0 ? REORDER_BUFFER_CHANGE_INTERNAL_SPEC_INSERT
                                                     : REORDER_BUFFER_CHANGE_INSERT);
    change->data.tp.newtuple = d.new_row(block_data(d.record(), kPageRef));
    d.queue(change, (r.flags & kOnToastRelation) != 0);
}

void decode_multi_insert(const Decoding &d) {
    MultiInsertRecord r;
    ByteReader in = main_data(d.record());
    if (!parse(in, &r)) d.malformed();
    if ((r.flags & kContainsNewTuple) == 0 || d.unwanted()) return;
    RowReader rows(block_data(d.record(), kPageRef), r.flags);
    for (int i = 0; i < r.count; ++i) {
        LoggedRow row;
        if (!rows.next(&row)) d.malformed();
        ReorderBufferChange *change = d.new_change(REORDER_BUFFER_CHANGE_INSERT);
        change->data.tp.newtuple = d.new_row(row.head, row.body);
        // The command's TOAST chunks are all in front of its first row.
        change->data.tp.clear_toast_afterwards = (r.flags & kLastInMulti) != 0 && i + 1 == r.count;
        d.queue(change);
    }
    if (!rows.at_end()) d.malformed();
}

void decode_remove(const Decoding &d) {
    RemoveRecord r;
    ByteReader in = main_data(d.record());
    if (!parse(in, &r)) d.malformed();
    if (d.unwanted()) return;
    ReorderBufferChange *change =
        d.new_change((r.flags & kSpeculativeAbort) != 0 ? REORDER_BUFFER_CHANGE_INTERNAL_SPEC_ABORT
                                                        : REORDER_BUFFER_CHANGE_DELETE);
    if ((r.flags & (kContainsOldKey | kContainsOldTuple)) != 0) change->data.tp.oldtuple = d.new_row(in);
    d.queue(change);
}

void decode_update(const Decoding &d) {
    UpdateRecord r;
    ByteReader in = main_data(d.record());
    if (!parse(in, &r)) d.malformed();
    if (d.unwanted()) return;
    ReorderBufferChange *change = d.new_change(REORDER_BUFFER_CHANGE_UPDATE);
    // A record with the new tuple never leans on the old row (emit_update).
    if ((r.flags & kContainsNewTuple) != 0)
        change->data.tp.newtuple = d.new_row(block_data(d.record(), kPageRef));
    if ((r.flags & (kContainsOldKey | kContainsOldTuple)) != 0) change->data.tp.oldtuple = d.new_row(in);
    d.queue(change);
}

void decode_confirm(const Decoding &d) {
    ConfirmRecord r;
    ByteReader in = main_data(d.record());
    if (!parse(in, &r)) d.malformed();
    if (d.unwanted()) return;
    d.queue(d.new_change(REORDER_BUFFER_CHANGE_INTERNAL_SPEC_CONFIRM));
}

enum class Content : std::uint8_t { rows, no_rows, unknown };

bool is_other_without_rows(XLogReaderState *record) noexcept {
    OtherHead head;
    ByteReader in = main_data(record);
    return parse(in, &head) && head.never_has_rows();
}

Content content_of(XLogReaderState *record) noexcept {
    switch (static_cast<RecordType>(XLogRecGetInfo(record) & ~XLR_INFO_MASK)) {
        case RecordType::insert:
        case RecordType::insert_init:
        case RecordType::multi_insert:
        case RecordType::remove:
        case RecordType::update:
        case RecordType::hot_update:
        case RecordType::confirm:
            return Content::rows;
        case RecordType::lock:
        case RecordType::prune:
        case RecordType::vacuum:
        case RecordType::visible:
        case RecordType::hint_image:
        case RecordType::new_pages:
            return Content::no_rows;
        case RecordType::other:  // a later version's may be about rows
            return judge(record) == Verdict::understood || is_other_without_rows(record) ? Content::no_rows
                                                                                         : Content::unknown;
    }
    return Content::unknown;
}

void decode_change(const Decoding &d, RecordType type) {
    switch (type) {
        case RecordType::insert:
        case RecordType::insert_init:
            return decode_insert(d);
        case RecordType::multi_insert:
            return decode_multi_insert(d);
        case RecordType::remove:
            return decode_remove(d);
        case RecordType::update:
        case RecordType::hot_update:
            return decode_update(d);
        case RecordType::confirm:
            return decode_confirm(d);
        default:
            return;
    }
}

}  // namespace

extern "C" void gh_rm_decode(LogicalDecodingContext *ctx, XLogRecordBuffer *buf) {
    const auto type = static_cast<RecordType>(XLogRecGetInfo(buf->record) & ~XLR_INFO_MASK);
    const Xid xid = XLogRecGetXid(buf->record);
    SnapBuild *builder = ctx->snapshot_builder;

    ::ReorderBufferProcessXid(ctx->reorder, xid, buf->origptr);
    const Content content = content_of(buf->record);
    if (content == Content::no_rows) return;
    // Without a snapshot nothing can be decoded; fast-forwarding still needs the base snapshots' xmin.
    if (::SnapBuildCurrentState(builder) < SNAPBUILD_FULL_SNAPSHOT) return;
    if (TransactionIdIsValid(xid) && !::SnapBuildProcessChange(builder, xid, buf->origptr)) return;
    if (ctx->fast_forward) return;
    if (content == Content::unknown) refuse(buf);
    decode_change(Decoding(ctx, buf), type);
}

}  // namespace glassheap::redo
