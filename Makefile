# rawstream. `make help` lists the targets.
#
# CC, CFLAGS and LDFLAGS are yours. What the build itself needs stands in
# variables of other names, after yours.

HANDLER = handler.c
CFLAGS = -Os
PORT = 8080

# What function.zip may weigh, with handler.c and with test/hello.c, made by
# gcc 12 and advzip: bytes.
BUDGET_x86_64 = 13312 8704
BUDGET_aarch64 = 14643 9574

WARNINGS = -Wall -Wextra -Wconversion -Wshadow -Wcast-qual \
    -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
C11 = -std=c11 -D_POSIX_C_SOURCE=200809L -I. $(WARNINGS)
CORE = bootstrap.c http.c json.c
HEADERS = http.h json.h

# Without a C library. No stack protector: its canary lives in storage that a C
# library sets up. No jump tables: their entries would need relocations.
FREESTANDING = -ffreestanding -fbuiltin $(SMALLER) -fPIE -fvisibility=hidden -fomit-frame-pointer \
    -fno-stack-protector -U_FORTIFY_SOURCE -fno-jump-tables -fno-ident \
    -fno-asynchronous-unwind-tables -fno-unwind-tables \
    -ffunction-sections -fdata-sections
LINK = -nostdlib -static-pie $(STRIP) -Wl,--gc-sections -Wl,--build-id=none \
    -Wl,-z,noexecstack -Wl,-z,noseparate-code -Wl,-z,norelro
STRIP = -s

# ARCH=: for another processor, with a cross gcc, or with clang and lld.
NATIVE := $(CC)
B = build
ifdef ARCH
TRIPLE_x86_64 = x86_64-linux-gnu
TRIPLE_arm64 = aarch64-linux-gnu
TRIPLE := $(or $(TRIPLE_$(ARCH)),$(error ARCH=$(ARCH): x86_64 or arm64 was expected))
B = build/$(ARCH)
ifeq ($(origin CC),default)
CC := $(or $(shell command -v $(TRIPLE)-gcc),clang)
endif
ifneq ($(findstring clang,$(shell $(CC) --version 2>/dev/null)),)
override CC := $(CC) --target=$(TRIPLE)
override LDFLAGS += -fuse-ld=lld
endif
endif

# What makes gcc's code smaller, found by trial. -fno-zero-initialized-in-bss is
# for a fast start: what is said to begin as zero goes to .data, on a page that
# is touched anyway. -mskip-rax-setup: where no vector registers are in use, a
# call of http_format() need not say that it uses none.
ifneq ($(findstring Free Software,$(shell $(CC) --version 2>/dev/null)),)
SMALLER = -flto -flto-partition=one -fno-expensive-optimizations \
    -fno-schedule-insns2 -fno-move-loop-invariants -fno-caller-saves \
    -fno-inline-functions-called-once -fno-if-conversion -fno-ipa-cp \
    -fno-tree-dominator-opts -fno-optimize-sibling-calls -fno-ipa-modref \
    -fno-tree-loop-optimize -fno-tree-fre -fno-tree-tail-merge \
    -fno-strict-aliasing -fno-zero-initialized-in-bss \
    $(if $(filter x86_64,$(PROCESSOR)),-mskip-rax-setup)
endif

# The names of sections and the table of them, at the end of the file, are for
# debuggers. The table's last entry tells, 40 bytes before its end, where the
# names are; the ELF header at bytes 40 to 47 where the table is, and at 58 to 63
# how large.
define CUT
@head -c $$(tail -c 40 $@ | od -An -tu8 -N8) $@ >$@.cut && cat $@.cut >$@ && rm $@.cut
@printf '\0\0\0\0\0\0\0\0' | dd of=$@ bs=1 seek=40 conv=notrunc 2>/dev/null
@printf '\0\0\0\0\0\0' | dd of=$@ bs=1 seek=58 conv=notrunc 2>/dev/null
endef

MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)
PROCESSOR = $(firstword $(subst -, ,$(MACHINE)))
LINUX := $(filter %-linux %-linux-gnu %-linux-musl,$(MACHINE))
ifeq ($(filter x86_64-% aarch64-%,$(LINUX)),)
ifndef HOSTED
$(info no libc-free build for $(or $(MACHINE),$(CC)): building with its C library)
HOSTED = 1
endif
endif
ifdef HOSTED
PRODUCT = $(B)/hosted/bootstrap
FREESTANDING =
LINK =
CUT =
else
PRODUCT = $(ARCH:%=$(B)/)bootstrap
INTEGERS = -mgeneral-regs-only
endif
COMPILE = $(CC) $(CFLAGS) $(C11) $(FREESTANDING)

all: $(PRODUCT)

# A file that changes when what it tells changes: the compiler, the flags and
# the handler of the last build.
build/%.command: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$(subst ",\",$(COMPILE) $(LDFLAGS) $(HANDLER))" >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# The handler is compiled by itself, for it may use floating point.
define LINK_BOOTSTRAP
@mkdir -p $(@D) build
$(COMPILE) -c -o build/$(subst /,-,$@).o $(1)
$(COMPILE) $(INTEGERS) $(LINK) -o $@ $(CORE) build/$(subst /,-,$@).o $(LDFLAGS)
$(CUT)
endef

$(PRODUCT): $(CORE) $(HANDLER) $(HEADERS) build/$(PRODUCT).command
	$(call LINK_BOOTSTRAP,$(HANDLER))

# The local Lambda

build/lambda: test/lambda.c $(wildcard test/lambda/*)
	@mkdir -p $(@D)
	$(NATIVE) $(CFLAGS) $(C11) -o $@ test/lambda.c $(wildcard test/lambda/*.c) $(LDFLAGS)

run: $(PRODUCT) build/lambda
	@build/lambda --invoke '{"delay":0.2}' -- ./$(PRODUCT)

serve: $(PRODUCT) build/lambda
	@exec build/lambda --port $(PORT) --runtime-api 127.0.0.1:0 \
	    --concurrency 10 -- ./$(PRODUCT)

wire: $(PRODUCT) build/lambda
	@build/lambda --wire --invoke '{}' -- ./$(PRODUCT)
	@echo "as a page, as a capture: build/lambda --wire=FILE.html, --wire=FILE.pcapng"

# Deployment

ZIP = $(ARCH:%=$(B)/)function.zip

zip: $(ZIP)

# Only the name, the bytes and the mode of the file count: not when, where and
# by whom it is made. advzip finds a shorter deflate coding of the same bytes.
define PACK
@command -v zip >/dev/null || { echo 'make zip needs the program zip' >&2; exit 1; }
@rm -rf $@ $@.d && mkdir -p $@.d
@cp $< $@.d/bootstrap && chmod 0755 $@.d/bootstrap
@TZ=UTC touch -t 198001010000 $@.d/bootstrap
@cd $@.d && TZ=UTC zip -q -9 -X $(CURDIR)/$@ bootstrap
@rm -r $@.d
@if command -v advzip >/dev/null; then advzip -q -z -4 -i 100 $@; \
else echo 'no advzip here (Debian: advancecomp): about 4 % larger than need be' >&2; fi
@wc -c $@
endef

$(ZIP): $(PRODUCT)
	$(PACK)

$(B)/test/hello.zip: $(B)/test/hello.plain
	$(PACK)

$(B)/symbols: STRIP =
$(B)/symbols: CUT =
$(B)/symbols: $(CORE) $(HANDLER) $(HEADERS) build/$(PRODUCT).command
	$(call LINK_BOOTSTRAP,$(HANDLER))

size: $(ZIP) $(B)/test/hello.zip $(B)/symbols
	@CC='$(CC)' sh test/size.sh $(PRODUCT) $(B)/symbols $(ZIP) $(B)/test/hello.zip \
	    $(BUDGET_$(PROCESSOR))

clean:
	rm -rf build bootstrap function.zip

help:
	@echo 'make             ./bootstrap: the runtime with handler.c, no C library in it'
	@echo 'make run         one invocation in a local Lambda: words, one by one'
	@echo 'make serve       a local Function URL on http://127.0.0.1:$(PORT) (PORT=)'
	@echo 'make wire        one invocation, and each byte of it on the wire, explained'
	@echo 'make test        the tests: a C compiler and make are all they need'
	@echo 'make zip         function.zip, to be uploaded'
	@echo 'make size        what it weighs, and where'
	@echo 'make bench       how far it is from the least that the wire allows'
	@echo 'make clean       removes what was built'
	@echo
	@echo 'HANDLER=mine.c   builds with your handler'
	@echo 'ARCH=arm64       builds build/arm64/bootstrap, function.zip (ARCH=x86_64, too)'
	@echo 'HOSTED=1         builds with the C library: build/hosted/bootstrap'
	@echo 'CC= CFLAGS= LDFLAGS= as usual'
	@echo
	@echo 'deeper checks: fault exhaustive fuzz coverage seeded same soak lint mutation'
	@echo '(test/README.md tells what each promises and needs)'

FORCE:
.PHONY: all run serve wire zip size clean help FORCE

include test/test.mk test/deep.mk
include test/deploy/deploy.mk
