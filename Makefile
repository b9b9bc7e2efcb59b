# glassheap: PGXS build.  CMakeLists.txt builds the unit tests and benchmarks.
MODULE_big = glassheap
EXTENSION = glassheap
DATA = glassheap--1.0.sql
PGFILEDESC = "glassheap - heap rebuilt: table access method on a buffer pool of its own"

# Every .cpp below src/ belongs to the module; pure files include base/pure.hpp first.
SOURCES := $(sort $(wildcard src/*.cpp src/*/*.cpp))
OBJS = $(SOURCES:.cpp=.o)

GH_CHECKS ?= 0
PG_CONFIG ?= pg_config
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) -DGH_CHECKS=$(GH_CHECKS) -MMD -MP
PG_CXXFLAGS = -std=c++20 -fno-exceptions -fno-rtti -fno-threadsafe-statics -fvisibility=hidden \
	-Wall -Wextra -Wshadow -Werror -Wno-register -Wno-declaration-after-statement \
	-Wno-missing-field-initializers
# g++ only: PostgreSQL's critical section macros
ifneq (,$(findstring g++,$(shell $(CXX) --version 2>/dev/null | head -1)))
PG_CXXFLAGS += -Wno-volatile
endif
override with_llvm = no

EXTRA_CLEAN = $(SOURCES:.cpp=.d)

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

-include $(SOURCES:.cpp=.d)
