# glassheap: the module is built with PGXS; CMakeLists.txt builds the unit tests and benchmarks.
#
#   make demo              install what is missing, build, watch a real workload run (KEEP=1 leaves it running)
#   make check             the same set-up, then every test; ends with "N passed, N failed"
#   make                   build the module, write compile_commands.json for clangd
#   make install           put it into the server of PG_CONFIG
#   make installcheck      regression and isolation tests on a running server that preloads the module
#   make check-gates       layers, versions, headers, symbols, function length, format: under a minute
#   make check-unit        GoogleTest, outside the server;   check-sanitized   the same with ASan and UBSan
#   make check-valgrind    unit tests under memcheck
#   make check-regress     also check-isolation, check-installcheck, check-tap; GH_TESTS='a b' names single tests
#   make check-upgrade     ALTER EXTENSION UPDATE from each released version gives what CREATE EXTENSION gives
#   make check-tools       pgBackRest, barman, pg_basebackup, repmgr, pgbouncer and others that users have (test/tools)
#   make check-stress      loads beside inserts on the release build, GH_SECONDS=60; GH_SEED=n repeats a run
#   make check-crash       the loop of test/crash: kill -9, power loss, standby, stress; MINUTES=3, SEED=n repeats decisions
#   make check-upstream    PostgreSQL's own tests with glassheap as default (SUITES='regress isolation recovery ...')
#   make check-instructions  instructions of the main operations, as a part of heap's, against bench/instructions.limits
#   make bench             micro benchmarks of pure code
#   make bench-instructions  instructions per operation, heap and glassheap; ONLY='count,sum' FUNCTIONS=30 LIMIT=1.02
#   make bench-contention  8 to 64 clients on one page, table's end, index and pool; ONLY='hot_page' CLIENTS=8,64 PAIRS=5
#   make format            clang-format in place
#   make check-models      the protocols' models, every order of their steps (doc/design/models)
#   make tidy              clang-tidy on what has changed; check-tidy: with its self-test
#   make dist              build/dist/glassheap-VERSION.tar.gz of what is committed
#   make deps              every Debian package any of these needs
#
# SPDX-License-Identifier: PostgreSQL

# Goals of our own need no PGXS: on a fresh machine they install it first.
GH_GOALS := help demo check check-gates check-unit check-sanitized check-valgrind check-regress check-isolation \
	check-tap check-installcheck check-stress check-tools check-crash check-upstream check-models check-tidy check-browser check-upgrade \
	check-instructions deps dist format tidy bench bench-instructions bench-contention
ifneq (,$(filter $(GH_GOALS),$(MAKECMDGOALS)))

GH_ROOT := $(dir $(abspath $(firstword $(MAKEFILE_LIST))))
export GH_ROOT KEEP ONLY FUNCTIONS LIMIT

.PHONY: $(GH_GOALS)

help:
	@sed -n 's/^#   make/  make/p' $(GH_ROOT)Makefile
demo:
	@$(GH_ROOT)tools/demo/demo
check:
	@$(GH_ROOT)tools/check
check-gates check-models check-tidy check-unit check-sanitized check-valgrind check-regress check-isolation check-installcheck check-stress check-tools check-tap check-browser check-upgrade check-instructions:
	@$(GH_ROOT)tools/check $(@:check-%=%)
check-crash:
	@$(GH_ROOT)tools/check_crash $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))
check-upstream:
	@$(GH_ROOT)tools/upstream $(SUITES)
deps:
	@$(GH_ROOT)tools/deps all
dist:
	@$(GH_ROOT)tools/dist
format:
	@cd $(GH_ROOT) && clang-format -i $$(git ls-files '*.cpp' '*.hpp')
tidy:
	@$(GH_ROOT)tools/tidy
bench:
	@$(GH_ROOT)tools/bench
bench-instructions:
	@$(GH_ROOT)tools/bench_instructions
bench-contention:
	@$(GH_ROOT)tools/bench_contention

else  # ------------------------------------------------------------------------------------- PGXS

# With `make -f /elsewhere/Makefile` objects land in the current directory (tools/check uses it to
# build a second time with assertions).
GH_SRC := $(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST))))

MODULE_big = glassheap
EXTENSION = glassheap
DATA = $(notdir $(wildcard $(GH_SRC)/glassheap--*.sql))
PGFILEDESC = "glassheap - heap rebuilt: table access method on a buffer pool of its own"

# Every .cpp below src/ belongs to the module; pure files include base/pure.hpp first.
SOURCES := $(patsubst $(GH_SRC)/%,%,$(sort $(wildcard $(GH_SRC)/src/*.cpp $(GH_SRC)/src/*/*.cpp)))
OBJS = $(SOURCES:.cpp=.o)

# Tests against a running server that preloads the module: make installcheck.  Each file stands alone;
# the extension is created in the test database before.
REGRESS = $(patsubst $(GH_SRC)/sql/%.sql,%,$(sort $(wildcard $(GH_SRC)/sql/*.sql)))
REGRESS_OPTS = --inputdir=$(GH_SRC) --load-extension=glassheap
ISOLATION = $(patsubst $(GH_SRC)/specs/%.spec,%,$(sort $(wildcard $(GH_SRC)/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(GH_SRC) --load-extension=glassheap

GH_CHECKS ?= 0
PG_CONFIG ?= pg_config
ifeq (,$(shell $(PG_CONFIG) --pgxs 2>/dev/null))
$(error PostgreSQL's server headers are missing (no usable $(PG_CONFIG)): sudo apt-get install postgresql-server-dev-15 libboost-container-dev, or make deps)
endif
PG_CPPFLAGS = -I$(GH_SRC)/src -isystem $(shell $(PG_CONFIG) --includedir-server) -DGH_CHECKS=$(GH_CHECKS) -MMD -MP
PG_CXXFLAGS = -std=c++20 -fno-exceptions -fno-rtti -fno-threadsafe-statics -fvisibility=hidden \
	-Wall -Wextra -Wshadow -Werror -Wno-register \
	-Wno-missing-field-initializers
# PostgreSQL's critical section macros (each compiler has its own name for it); warnings clang does not know
ifneq (,$(findstring g++,$(shell $(CXX) --version 2>/dev/null | head -1)))
PG_CXXFLAGS += -Wno-volatile
else
PG_CXXFLAGS += -Wno-deprecated-volatile -Wno-unknown-warning-option -Wno-ignored-attributes
endif
override with_llvm = no

# Objects of another GH_CHECKS level must not be linked together: a changed level rebuilds everything.
GH_STAMP := .gh_checks
$(shell [ "$$(cat $(GH_STAMP) 2>/dev/null)" = "$(GH_CHECKS)" ] || echo "$(GH_CHECKS)" >$(GH_STAMP))
$(shell mkdir -p . $(sort $(dir $(OBJS))))

EXTRA_CLEAN = $(SOURCES:.cpp=.d) $(GH_STAMP) build compile_commands.json

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Only sources are looked for elsewhere: objects of a build in the source folder are not ours.
VPATH =
vpath %.cpp $(GH_SRC)
vpath %.control $(GH_SRC)
vpath %.sql $(GH_SRC)

$(OBJS): $(GH_STAMP)

# compile_commands.json at the top of the checkout, for clangd, by every build: the same bytes from each, so that builds in
# several folders do not make clangd start over.  Hence absolute paths, the real server's headers (tools/ build against
# short-lived copies), no compiler cache; GH_CHECKS=1 shows the most code.  Where it cannot be written it is left out.
GH_TOP := $(abspath $(GH_SRC))
gh_real = $(subst $(1),$(or $(realpath $(1)),$(1)),$(2))
GH_FLAGS := $(filter-out -I. -I./ -I$(GH_TOP)/ -I$(GH_TOP) -MMD -MP -DGH_CHECKS=%, \
	$(subst -I$(GH_SRC)/src,-I$(GH_TOP)/src,$(CXXFLAGS) $(CPPFLAGS))) -DGH_CHECKS=1
GH_FLAGS := $(call gh_real,$(includedir_internal),$(call gh_real,$(includedir_server),$(GH_FLAGS)))
GH_COMMAND := $(subst ",\",$(subst \,\\,$(lastword $(CXX)) $(GH_FLAGS)))
.PHONY: compile_commands
all: compile_commands
compile_commands:
	@if [ -w '$(GH_TOP)' ]; then \
		new='$(GH_TOP)/.compile_commands.'$$$$ sep='['; \
		for file in $(SOURCES); do \
			printf '%s\n{"directory": "%s", "file": "%s", "command": "%s -c %s"}' "$$sep" '$(GH_TOP)' "$$file" '$(GH_COMMAND)' "$$file"; sep=,; \
		done >$$new && echo ']' >>$$new && \
		if cmp -s $$new '$(GH_TOP)/compile_commands.json'; then rm -f $$new; else mv -f $$new '$(GH_TOP)/compile_commands.json'; fi; \
	fi || rm -f $$new
-include $(SOURCES:.cpp=.d)

endif
