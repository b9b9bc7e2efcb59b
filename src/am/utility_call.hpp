// am/utility_call.hpp — a utility statement on its way through the ProcessUtility hooks.
// Errors: run() longjmps as the statement may.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg_ddl.hpp"

namespace glassheap::am {

struct UtilityCall {
    PlannedStmt *pstmt;
    const char *query;
    bool read_only_tree;
    ProcessUtilityContext context;
    ParamListInfo params;
    QueryEnvironment *environment;
    DestReceiver *dest;
    QueryCompletion *completion;
    ProcessUtility_hook_type next;  // never null

    Node *statement() const { return pstmt->utilityStmt; }

    // After this the tree is ours to change: a plan cache may hold the one that came.
    void own_tree() {
        if (!read_only_tree) return;
        pstmt = static_cast<PlannedStmt *>(::copyObjectImpl(pstmt));
        read_only_tree = false;
    }

    void run() const { next(pstmt, query, read_only_tree, context, params, environment, dest, completion); }
};

}  // namespace glassheap::am
