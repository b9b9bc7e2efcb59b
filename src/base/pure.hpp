// base/pure.hpp — poison: a pure file does not compile once postgres.h is in front of it.
//
// Why:    pure files are unit-tested outside the server (doc/design/rooms.md).  Include this first in every
//         pure .cpp (not in headers: server files include pure headers after pg/pg.hpp).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#ifdef POSTGRES_H
#error "a pure file must not see postgres.h"
#endif
