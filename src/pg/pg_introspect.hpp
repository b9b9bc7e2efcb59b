// pg/pg_introspect.hpp — PostgreSQL headers that only the SQL surface needs.
//
// Errors: anything spelled ::CamelCase may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/clog.h"
#include "access/detoast.h"
#include "access/toast_internals.h"
#include "access/xlogrecovery.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_control.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "common/relpath.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/freespace.h"
#include "storage/indexfsm.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/pg_lsn.h"
#include "utils/ps_status.h"
#include "utils/regproc.h"
#include "utils/relfilenodemap.h"
#include "utils/syscache.h"
#include "utils/varlena.h"
}

#undef Min
#undef Max
#undef foreach
#undef snprintf

namespace glassheap::pg {

inline constexpr int kServerMajor = PG_VERSION_NUM / 10000;  // that we are compiled for

}  // namespace glassheap::pg
