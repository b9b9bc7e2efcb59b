// redo/rmgr_callbacks.hpp — the functions whose addresses RmgrData keeps.  Private to redo/.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

struct LogicalDecodingContext;
struct XLogRecordBuffer;

namespace glassheap::redo {

extern "C" {
void gh_rm_redo(XLogReaderState *record);
void gh_rm_desc(StringInfo buf, XLogReaderState *record);
const char *gh_rm_identify(uint8 info);
void gh_rm_cleanup();
void gh_rm_mask(char *pagedata, BlockNumber blkno);
void gh_rm_decode(LogicalDecodingContext *ctx, XLogRecordBuffer *buf);
}

}  // namespace glassheap::redo
