// am/executor_hooks.hpp — where a query begins and ends.
// SPDX-License-Identifier: PostgreSQL
#pragma once

namespace glassheap::am {

void install_executor_hooks();

}  // namespace glassheap::am
