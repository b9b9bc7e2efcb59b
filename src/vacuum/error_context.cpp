// vacuum/error_context.cpp — see the header.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "vacuum/error_context.hpp"

#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {
namespace {

void errcontext_for_block(const VacuumState &state, const char *doing) {
    if (BlockNumberIsValid(state.place.block) && state.place.slot != kInvalidSlot)
        errcontext("while %s block %u offset %u of relation \"%s.%s\"", doing, state.place.block,
                   static_cast<unsigned>(state.place.slot), state.schema_name, state.table_name);
    else if (BlockNumberIsValid(state.place.block))
        errcontext("while %s block %u of relation \"%s.%s\"", doing, state.place.block, state.schema_name,
                   state.table_name);
    else
        errcontext("while %s relation \"%s.%s\"", doing, state.schema_name, state.table_name);
}

}  // namespace

extern "C" void gh_vacuum_error_context(void *arg) {
    const auto &state = *static_cast<const VacuumState *>(arg);
    switch (state.place.phase) {
        case Phase::none:
            break;
        case Phase::scan_heap:
            errcontext_for_block(state, "scanning");
            break;
        case Phase::vacuum_heap:
            errcontext_for_block(state, "vacuuming");
            break;
        case Phase::vacuum_index:
            errcontext("while vacuuming index \"%s\" of relation \"%s.%s\"", state.place.index_name,
                       state.schema_name, state.table_name);
            break;
        case Phase::index_cleanup:
            errcontext("while cleaning up index \"%s\" of relation \"%s.%s\"", state.place.index_name,
                       state.schema_name, state.table_name);
            break;
        case Phase::truncate:
            if (BlockNumberIsValid(state.place.block))
                errcontext("while truncating relation \"%s.%s\" to %u blocks", state.schema_name,
                           state.table_name, state.place.block);
            break;
    }
}

}  // namespace glassheap::vacuum
