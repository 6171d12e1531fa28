# rawstream. `make help` lists the targets.
#
# A variable of the command line counts, else one of the environment, else what
# stands here. CC, CFLAGS, CXX, CXXFLAGS, LDFLAGS and LDLIBS are yours: what the
# build itself needs stands in variables of other names.

# Where this Makefile is: empty when make runs there, else a folder's name.
ROOT := $(filter-out ./,$(dir $(lastword $(MAKEFILE_LIST))))
ifeq ($(wildcard $(ROOT)bootstrap.c),)
$(error the path of this Makefile has a space: go there, or use make -C)
endif

HANDLER ?=
EVENT ?= {"delay":0.2}
PORT ?= 8080
CFLAGS ?= -Os
CXXFLAGS ?= -Os
B ?= build

# HANDLERS, PROCESSOR, GCC, CC and CXX for ARCH=, NATIVE for this machine, and
# whether HOSTED. What cannot be built is refused there.
include $(ROOT)test/tools/setup.mk

# Files of one processor are in P, those of one way to build for it in A.
P := $(B)$(ARCH:%=/%)
A := $(P)$(if $(HOSTED),/hosted)
PRODUCT := $(patsubst build/bootstrap,bootstrap,$(A)/bootstrap)
ZIP := $(patsubst build/function.zip,function.zip,$(P)/function.zip)
RUN = $(if $(filter /%,$(1)),,./)$(1)

# Flags

WARNINGS = -Wall -Wextra -Wconversion -Wshadow -Wcast-qual \
    -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
C11 = -std=c11 -D_POSIX_C_SOURCE=200809L -I$(or $(ROOT),.) $(WARNINGS)
CXX11 = -I$(or $(ROOT),.) -Wall -Wextra

# What gcc does for speed makes this program larger. Bytes of function.zip that
# each flag saves, on x86_64 and arm64:
#   -flto                               93, 240: one program, not four files
#   -fno-ipa-cp                        141, 111: no copy for a constant argument
#   -fno-schedule-insns2               240, 215: like code stays alike, and zips
#   -fno-move-loop-invariants           71, 149: fewer registers to be saved
#   -fno-inline-functions-called-once  276, 187: fewer registers to be saved
#   -fno-if-conversion                   38, 38: a jump is shorter
#   -fno-caller-saves                    56, 19: fewer moves around a call
#   -fno-expensive-optimizations         30, 10: passes that serve speed alone
SMALLER = $(if $(GCC),-flto -fno-ipa-cp -fno-schedule-insns2 \
    -fno-move-loop-invariants -fno-inline-functions-called-once \
    -fno-if-conversion -fno-caller-saves -fno-expensive-optimizations)

# A program at any address, without a C library: nothing sets up the canary of a
# stack protector, or unwinds. gcc's explicit zeros go to .data: a start touches
# a page less.
FREE = -ffreestanding -fbuiltin -fPIE -fvisibility=hidden \
    -fno-stack-protector -U_FORTIFY_SOURCE \
    -fno-asynchronous-unwind-tables -fno-unwind-tables \
    -ffunction-sections -fdata-sections -fno-strict-aliasing \
    $(if $(GCC),-fno-zero-initialized-in-bss) \
    $(if $(filter aarch64,$(PROCESSOR)),-mno-outline-atomics)
FREE_CXX = $(FREE) -fno-rtti -fno-exceptions -fno-threadsafe-statics
FREE_LINK = -nostdlib -static-pie -Wl,--gc-sections -Wl,--build-id=none \
    -Wl,-z,noexecstack -Wl,-z,noseparate-code -Wl,-z,norelro

ifdef HOSTED
COMPILE = $(CC) $(CFLAGS) $(C11)
COMPILE_CORE = $(COMPILE)
COMPILE_CXX = $(CXX) $(CXXFLAGS) $(CXX11)
LINK = $(if $(CXX_HANDLERS),$(CXX) $(CXXFLAGS),$(CC) $(CFLAGS))
else
COMPILE = $(CC) $(SMALLER) $(CFLAGS) $(C11) $(FREE)
COMPILE_CORE = $(COMPILE) -mgeneral-regs-only
COMPILE_CXX = $(CXX) $(SMALLER) $(CXXFLAGS) $(CXX11) $(FREE_CXX)
LINK = $(CC) $(SMALLER) $(CFLAGS) $(FREE) $(FREE_LINK)
LIBGCC = $(wildcard $(shell $(CC) -print-libgcc-file-name))
CHECK = CC=$(call quote,$(CC)) sh $(ROOT)test/tools/check.sh $(1) '$(2)'
endif
COMPILE_CORE_ALSO = $(COMPILE_CXX) $(LINK)
COMPILE_CORE_PROBE = KIND=$(if $(HOSTED),,free) CC=$(call quote,$(CC)) \
    sh $(ROOT)test/tools/probe.sh $(call quote,$(COMPILE_CORE)) \
    $(call quote,$(LINK)) $(call quote,$(LDFLAGS))

include $(ROOT)test/tools/rules.mk

# The product

all: $(PRODUCT)

CORE = $(addprefix $(A)/core/,bootstrap.o http.o json.o)
OBJECTS = $(CORE) $(foreach h,$(HANDLERS),$(call object,$(h)))

$(eval $(call objects,$(A)/core,COMPILE_CORE))
$(foreach h,$(HANDLERS),$(eval $(call handler,$(h))))
$(A)/sources: FORCE
	$(call stamp,$(HANDLERS) $(LDLIBS))

$(PRODUCT): $(OBJECTS) $(A)/sources $(wildcard $(LDLIBS))
	$(call link,$(OBJECTS),$(LDLIBS))

ifneq ($(PRODUCT),bootstrap)
bootstrap: $(PRODUCT)
.PHONY: bootstrap
endif

# The local Lambda

COMPILE_NATIVE = $(NATIVE) $(NATIVE_CFLAGS) $(C11)
LINK_NATIVE = $(NATIVE) $(NATIVE_CFLAGS) $(NATIVE_LDFLAGS)
$(eval $(call objects,$(B)/native,COMPILE_NATIVE))
LAMBDA = $(patsubst $(ROOT)%.c,$(B)/native/%.o,\
    $(wildcard $(ROOT)test/lambda/*.c))

$(B)/lambda: $(LAMBDA)
	$(call link_with,$(LINK_NATIVE))

lambda: $(B)/lambda

run: export INVOKED := $(EVENT)
run: $(PRODUCT) $(B)/lambda
	@exec $(call RUN,$(B)/lambda) --invoke "$$INVOKED" -- $(call RUN,$(PRODUCT))

serve: $(PRODUCT) $(B)/lambda
	@exec $(call RUN,$(B)/lambda) --port $(PORT) --runtime-api 127.0.0.1:0 \
	    --concurrency 10 -- $(call RUN,$(PRODUCT))

wire: $(PRODUCT) $(B)/lambda
	@$(call RUN,$(B)/lambda) --wire --invoke '{}' -- $(call RUN,$(PRODUCT))
	@echo "as a page, as a capture:" \
	    "$(B)/lambda --wire=FILE.html, --wire=FILE.pcapng"

clean:
	@rm -rf $(if $(ROOT)$(filter-out build,$(B)),$(addprefix $(B)/,core handler \
	    native hosted arm64 x86_64 sources files files.txt lambda bootstrap \
	    function.zip),build) bootstrap function.zip
	@! [ -d $(B) ] || rmdir $(B) 2>/dev/null || :

help:
	@cat $(ROOT)test/tools/help.txt

FORCE:
.SUFFIXES:
.PHONY: all lambda run serve wire clean help FORCE

# `make zip` and what brings it to AWS; the tests
include $(ROOT)test/deploy/deploy.mk
ifndef ROOT
include test/test.mk
endif
-include $(OBJECTS:.o=.d) $(wildcard $(foreach f,$(A)/handler $(FAMILIES),\
    $(f)/*.d $(f)/*/*.d $(f)/*/*/*.d $(f)/*/*/*/*.d))
