# What is to be built, and with which compilers: read by the Makefile. Says in
# one line what is wrong or missing.

# `make clean` and `make help` need nothing.
GOALS := $(filter-out clean help,$(or $(MAKECMDGOALS),all))
refuse = $(if $(GOALS),$(error $(1)))

override HOSTED := $(filter-out 0,$(HOSTED))
override V := $(filter-out 0,$(V))
override ARCH := $(strip $(ARCH))
override B := $(patsubst %/,%,$(strip $(B)))
override EVENT := $(value EVENT)
ifneq ($(words $(B)),1)
$(call refuse,B=$(B): the name of one folder was expected: one without a space)
endif

# The handler's sources: names or patterns.
HANDLERS := $(or $(strip $(HANDLER)),$(ROOT)handler.c)
$(foreach h,$(filter-out %.c %.cc %.cpp %.cxx,$(HANDLERS)),$(call \
    refuse,HANDLER=$(HANDLER): $(h) is not the name of a C or C++ file (a name \
    with a space will not do)))
$(foreach h,$(HANDLERS),$(if $(wildcard $(h)/.),$(call \
    refuse,HANDLER=$(HANDLER): $(h) is a folder)))
$(foreach h,$(HANDLERS),$(if $(wildcard $(h)),,$(call \
    refuse,HANDLER=$(HANDLER): there is no file $(h))))
HANDLERS := $(sort $(wildcard $(HANDLERS)))
CXX_HANDLERS := $(filter-out %.c,$(HANDLERS))

# Compilers. With ARCH=, `gcc` is the one that builds for that processor, and
# NATIVE the one for this machine, where the local Lambda runs.
present = $(if $(shell command -v $(firstword $(1))),$(1))
machine = $(shell $(1) -dumpmachine 2>/dev/null)
processor = $(firstword $(subst -, ,$(call machine,$(1))))
NATIVE := $(CC)
NATIVE_CFLAGS := $(CFLAGS)
NATIVE_LDFLAGS := $(LDFLAGS)
ifneq ($(ARCH),)
WANTED_x86_64 := x86_64
WANTED_arm64 := aarch64
WANTED := $(or $(WANTED_$(ARCH)),$(call \
    refuse,ARCH=$(ARCH): x86_64 or arm64 was expected))
TRIPLE := $(WANTED)-linux-gnu
NATIVE := $(if $(findstring $(TRIPLE),$(CC)),cc,$(CC))
NATIVE_CFLAGS := -O2
ifneq ($(call processor,$(CC)),$(WANTED))
ifneq ($(filter cc gcc,$(CC)),)
override CC := $(or $(call present,$(TRIPLE)-gcc),$(call present,clang))
endif
ifeq ($(CC),)
$(call refuse,ARCH=$(ARCH) needs the program $(TRIPLE)-gcc (Debian: \
    gcc-$(subst _,-,$(TRIPLE))) or clang with lld and the headers of a C library \
    (Debian: libc6-dev-$(subst x86_64,amd64,$(ARCH))-cross))
endif
endif
endif
ifeq ($(call present,$(CC)),)
$(call refuse,CC=$(CC): there is no program $(firstword $(CC)) (Debian: gcc \
    and libc6-dev))
endif
COMPILER := $(shell $(CC) --version 2>/dev/null | head -n 1)
GCC := $(shell $(CC) --version 2>/dev/null | grep 'Free Software')
ifneq ($(and $(ARCH),$(findstring clang,$(COMPILER))),)
ifneq ($(call processor,$(CC)),$(WANTED))
override CC := $(CC) --target=$(TRIPLE)
override LDFLAGS += -fuse-ld=lld
ifeq ($(shell $(CC) -print-prog-name=ld.lld),ld.lld)
$(call refuse,ARCH=$(ARCH) with clang needs the program ld.lld (Debian: lld))
endif
endif
endif
NATIVE := $(or $(call present,$(NATIVE)),$(firstword $(CC)))
MACHINE := $(call machine,$(CC))
PROCESSOR := $(firstword $(subst -, ,$(MACHINE)))
ifneq ($(filter-out $(PROCESSOR),$(WANTED)),)
$(call refuse,CC=$(CC) does not build for ARCH=$(ARCH) but for $(MACHINE))
endif

# The C++ compiler that goes with it.
ifneq ($(filter default,$(origin CXX))$(and $(ARCH),$(filter c++ g++,$(CXX))),)
CXX := $(patsubst cc,c++,$(patsubst %gcc,%g++,$(subst clang,clang++,$(CC))))
endif
ifneq ($(CXX_HANDLERS),)
ifeq ($(call present,$(CXX)),)
$(call refuse,CXX=$(CXX): there is no program $(firstword $(CXX)) (Debian: g++))
endif
endif

# Where the libc-free chapter of bootstrap.c has no system calls.
LINUX := $(filter %-linux %-linux-gnu %-linux-musl,$(MACHINE))
ifeq ($(HOSTED)$(filter x86_64-% aarch64-%,$(LINUX)),)
$(if $(GOALS),$(info no libc-free build for $(or $(MACHINE),$(CC)): building \
    with its C library))
override HOSTED := 1
endif
