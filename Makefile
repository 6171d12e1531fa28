# rawstream. `make help` lists the targets.
#
# CC, CFLAGS and LDFLAGS are yours. What the build itself needs stands in
# variables of other names, after yours.

HANDLER = handler.c
CFLAGS = -Os
PORT = 8080

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
LINK = -nostdlib -static-pie -s -Wl,--gc-sections -Wl,--build-id=none \
    -Wl,-z,noexecstack -Wl,-z,noseparate-code -Wl,-z,norelro

# What makes gcc's code smaller, found by trial.
ifneq ($(findstring Free Software,$(shell $(CC) --version 2>/dev/null)),)
SMALLER = -flto -flto-partition=one -fno-expensive-optimizations \
    -fno-schedule-insns2 -fno-move-loop-invariants -fno-caller-saves \
    -fno-inline-functions-called-once -fno-if-conversion -fno-ipa-cp \
    -fno-tree-dominator-opts -fno-optimize-sibling-calls -fno-ipa-modref
endif

# The table of sections, at the end of the file, is for debuggers. The ELF header
# tells at bytes 40 to 47 where it is, and at 58 to 63 how large.
define CUT
@head -c $$(od -An -tu8 -j40 -N8 $@) $@ >$@.cut && cat $@.cut >$@ && rm $@.cut
@printf '\0\0\0\0\0\0\0\0' | dd of=$@ bs=1 seek=40 conv=notrunc 2>/dev/null
@printf '\0\0\0\0\0\0' | dd of=$@ bs=1 seek=58 conv=notrunc 2>/dev/null
endef

MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)
LINUX := $(filter %-linux %-linux-gnu %-linux-musl,$(MACHINE))
ifeq ($(filter x86_64-% aarch64-%,$(LINUX)),)
ifndef HOSTED
$(info no libc-free build for $(or $(MACHINE),$(CC)): building with its C library)
HOSTED = 1
endif
endif
ifdef HOSTED
PRODUCT = build/hosted/bootstrap
FREESTANDING =
LINK =
CUT =
else
PRODUCT = bootstrap
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
$(PRODUCT): $(CORE) $(HANDLER) $(HEADERS) build/$(PRODUCT).command
	@mkdir -p $(@D)
	$(COMPILE) -c -o build/handler.o $(HANDLER)
	$(COMPILE) $(INTEGERS) $(LINK) -o $@ $(CORE) build/handler.o $(LDFLAGS)
	$(CUT)

# The local Lambda

build/lambda: test/lambda.c $(wildcard test/lambda/*)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(C11) -o $@ test/lambda.c $(wildcard test/lambda/*.c) $(LDFLAGS)

run: $(PRODUCT) build/lambda
	@build/lambda --invoke '{"delay":0.2}' -- ./$(PRODUCT)

serve: $(PRODUCT) build/lambda
	@build/lambda --port $(PORT) -- ./$(PRODUCT)

# Deployment

zip: function.zip

# Only the name, the bytes and the mode of the file count: not when, where and
# by whom it is made.
function.zip: $(PRODUCT)
	@command -v zip >/dev/null || { echo 'make zip needs the program zip' >&2; exit 1; }
	@rm -rf $@ build/zip && mkdir -p build/zip
	@cp $(PRODUCT) build/zip/bootstrap && chmod 0755 build/zip/bootstrap
	@TZ=UTC touch -t 198001010000 build/zip/bootstrap
	@cd build/zip && TZ=UTC zip -q -9 -X ../../$@ bootstrap
	@wc -c $@

clean:
	rm -rf build bootstrap function.zip

help:
	@echo 'make             ./bootstrap: the runtime with handler.c, no C library in it'
	@echo 'make run         one invocation in a local Lambda: words, one by one'
	@echo 'make serve       a local Function URL on http://127.0.0.1:$(PORT) (PORT=)'
	@echo 'make test        the tests: a C compiler and make are all they need'
	@echo 'make zip         function.zip, to be uploaded'
	@echo 'make clean       removes what was built'
	@echo
	@echo 'HANDLER=mine.c   builds with your handler'
	@echo 'HOSTED=1         builds with the C library: build/hosted/bootstrap'
	@echo 'CC= CFLAGS= LDFLAGS= as usual'

FORCE:
.PHONY: all run serve zip clean help FORCE
