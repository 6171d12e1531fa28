# The tests: first those that a compiler and make are enough for, `make check` and
# `make test`; then the deeper ones, which .ci/run calls too. What each of them
# promises and has found stands in test/README.md.

# -O1: sanitizers find as much and take half the time.
ifndef ARCH
SANITIZE = $(eval SANITIZE := $(shell mkdir -p build && \
    echo 'int main(void) { return 0; }' >build/probe.c && \
    $(CC) -fsanitize=address,undefined -o build/probe build/probe.c 2>build/probe.log && \
    build/probe && echo -fsanitize=address,undefined -fno-sanitize-recover=undefined))$(SANITIZE)
endif
CHECKED = $(CC) $(CFLAGS) -O1 -g $(C11) $(SANITIZE)
FAST = $(CC) $(CFLAGS) -O2 $(C11)
WIRE = build/test/wire -j 8 $(foreach h,puppet hello,--bin $(h)=$(2)/test/$(h).$(1))
SCRIPTS = $(wildcard test/wire/*.txt) test/wire/README.md

$(eval $(call objects,$(P)/checked,CHECKED))
$(eval $(call objects,$(P)/fast,FAST))
checked = $(1:%.c=$(P)/checked/%.o)
fast = $(1:%.c=$(P)/fast/%.o)
native = $(1:%.c=$(B)/native/%.o)
CORE_SOURCES = bootstrap.c http.c json.c

# Handlers for tests: NAME.plain as the product is made, NAME.checked.
TEST_HANDLERS = test/hello.c test/wire/puppet.c test/wire/trace.c
$(foreach h,$(filter-out $(HANDLERS),$(TEST_HANDLERS)),$(eval $(call handler,$(h))))

$(A)/test/hello.plain: $(call object,test/hello.c) $(CORE)
	$(call link,$^)

$(A)/test/%.plain: $(A)/handler/test/wire/%.c.o $(CORE)
	$(call link,$^)

$(P)/test/hello.checked: $(call checked,test/hello.c $(CORE_SOURCES))
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/gateway.checked: $(call checked,test/handlers/gateway.c $(CORE_SOURCES))
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/bootstrap.checked: $(call checked,$(HANDLERS) $(CORE_SOURCES)) $(A)/sources
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/%.checked: $(P)/checked/test/wire/%.o $(call checked,$(CORE_SOURCES))
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/json_test: $(call checked,test/unit/json_test.c test/unit/json_reference.c json.c)
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/http_test: $(call checked,test/unit/http_test.c test/unit/http_cases.c http.c)
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/log_test: $(call checked,test/unit/log_test.c http.c json.c)
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(B)/test/lambda_test: $(call native,$(wildcard test/lambda/tests/*.c))
	$(call link_with,$(LINK_NATIVE))

$(B)/test/wire: $(call native,test/wire/wire.c test/unit/http_cases.c)
	$(call link_with,$(LINK_NATIVE))

$(P)/jsoncheck: $(call fast,test/unit/jsoncheck.c json.c)
	$(call link_with,$(FAST) $(LDFLAGS))

$(P)/httpcheck: $(call fast,test/unit/httpcheck.c http.c)
	$(call link_with,$(FAST) $(LDFLAGS))

# A TARGET.replay gives a fuzz target inputs that are known, with any compiler.
# The target `loop` is the whole runtime, its system calls replaced, and `lambda`
# the local Lambda.
FUZZ_TARGETS = http chunks json base64 endpoint loop lambda
REFERENCES = test/fuzz/compare.c test/unit/http_reference.c test/unit/json_reference.c
RUNTIME = bootstrap.c http.c json.c handler.c
SIMULATED = -include test/fuzz/simulated.h
CHECKED_SIMULATED = $(CHECKED) $(SIMULATED)
$(eval $(call objects,build/fuzz/replay,CHECKED_SIMULATED))

build/fuzz/loop.replay: $(RUNTIME:%.c=build/fuzz/replay/%.o) \
    $(call checked,test/fuzz/loop.c test/fuzz/replay.c test/fault/kernel.c $(REFERENCES))
	$(call link_with,$(CHECKED) $(LDFLAGS))

LAMBDA_SOURCES = $(filter-out test/lambda/main.c,$(wildcard test/lambda/*.c))
LAMBDA_CALLS = -include test/fuzz/lambda_calls.h
CHECKED_LAMBDA = $(CHECKED) $(LAMBDA_CALLS)
$(eval $(call objects,build/fuzz/lambda-replay,CHECKED_LAMBDA))

build/fuzz/lambda.replay: $(LAMBDA_SOURCES:%.c=build/fuzz/lambda-replay/%.o) \
    $(call checked,test/fuzz/lambda.c test/fuzz/replay.c test/unit/http_reference.c)
	$(call link_with,$(CHECKED) $(LDFLAGS))

build/fuzz/%.replay: $(P)/checked/test/fuzz/%.o \
    $(call checked,test/fuzz/replay.c $(REFERENCES) http.c json.c)
	$(call link_with,$(CHECKED) $(LDFLAGS))

# Known inputs that other tests have.
build/fuzz/lists/http.txt: build/test/http_test test/unit/http-cases.txt
	@mkdir -p $(@D)
	@$< --seeds >$@

build/fuzz/lists/json.txt: test/unit/json-cases.txt
	@mkdir -p $(@D)
	@sed -n 's/^accept //p; s/^reject [0-9]* //p' $< >$@

# As answers to GET /next, as replies, and as events.
build/fuzz/lists/loop.txt: build/fuzz/lists/http.txt build/fuzz/lists/json.txt
	@sed -n '/./{s/^/%00/p; s/^%00/%02/p}' $< >$@
	@sed -n '/./s/^/%01/p' build/fuzz/lists/json.txt >>$@

REPLAY_LISTS = $(patsubst %,build/fuzz/lists/%.txt,http json loop)
REPLAYS = $(FUZZ_TARGETS:%=build/fuzz/%.replay) $(REPLAY_LISTS)

replay: $(REPLAYS)
	@sh test/fuzz/replay.sh $(FUZZ_TARGETS)

# What `make check` runs, for the loop of whoever edits, and what `make test`
# adds. A compiler and make are enough for both.
CHECKS = $(PRODUCT) $(P)/jsoncheck $(P)/httpcheck $(B)/test/wire \
    $(addprefix $(A)/test/,puppet.plain hello.plain) $(P)/fault/pacing \
    $(addprefix $(P)/test/,json_test http_test log_test)
TESTS = $(CHECKS) $(B)/lambda $(B)/test/lambda_test $(REPLAYS) \
    $(addprefix $(P)/test/,bootstrap.checked puppet.checked hello.checked)

CHECK_SUITES = 'json.c: $(P)/test/json_test' 'http.c: $(P)/test/http_test' \
    'the log: $(P)/test/log_test' \
    'words at their times, on a simulated clock: $(P)/fault/pacing' \
    'transcripts, $(PRODUCT): $(call WIRE,plain,$(A)) $(if $(HOSTED),--no-limits \
        ,--calls test/binary.md) ./$(PRODUCT) $(SCRIPTS)' \
    'by hand, $(PRODUCT): sh test/wire/by-hand.sh ./$(PRODUCT) $(A)/test/puppet.plain'
TEST_SUITES = $(CHECK_SUITES) \
    'inputs that fuzzers found: sh test/fuzz/replay.sh $(FUZZ_TARGETS)' \
    'transcripts, sanitizers: $(call WIRE,checked,$(P)) --no-limits \
        $(P)/test/bootstrap.checked $(SCRIPTS)' \
    'by hand, sanitizers: sh test/wire/by-hand.sh $(P)/test/bootstrap.checked \
        $(P)/test/puppet.checked' \
    'the local Lambda: build/test/lambda_test build/lambda' \
    'the build: sh test/build/build.sh $(PRODUCT)'

check: $(CHECKS)
	@echo 'This takes half a minute on two cores.'
	@sh test/tools/run.sh $(CHECK_SUITES)

test: $(TESTS)
	@echo 'This takes about two minutes on two cores; `make check`, half a minute.'
	@sh test/tools/run.sh $(TEST_SUITES)

# What function.zip may weigh, with handler.c and with test/hello.c, made by
# gcc 12 and advzip: bytes. The aim is 13312 and 8704.
BUDGET_x86_64 = 16150 11250
BUDGET_aarch64 = 17400 12200

$(P)/test/hello.zip: $(A)/test/hello.plain
	@$(PACK) zip $@ $<

size: $(ZIP) $(P)/test/hello.zip
	@$(PACK) strip $(PACKED) $(P)/test/stripped
	@CC='$(CC)' sh test/build/size.sh $(PACKED) $(P)/test/stripped $(ZIP) $(P)/test/hello.zip \
	    $(BUDGET_$(PROCESSOR))

.PHONY: replay check test size

# Readers compared with references: exhaustively, and by fuzzing

build/exhaustive/exhaustive: $(call fast,test/unit/exhaustive.c $(REFERENCES) http.c json.c)
	$(call link_with,$(FAST) $(LDFLAGS))

exhaustive: build/exhaustive/exhaustive
	@$<

# A TARGET.fuzzer looks for inputs that a TARGET.replay has not been given yet,
# with libFuzzer.
FUZZ_SECONDS = 60
FUZZ_HEADERS = $(wildcard *.h test/unit/*.h test/fault/*.h test/fuzz/*.h)
FUZZ_CC = $(eval FUZZ_CC := $(shell sh test/fuzz/compiler.sh))$(FUZZ_CC)
FUZZED = $(FUZZ_CC) -O1 -g $(C11) -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=undefined
FUZZED_SIMULATED = $(FUZZED) $(SIMULATED)
$(eval $(call objects,build/fuzz/fuzzer,FUZZED_SIMULATED))

build/fuzz/loop.fuzzer: test/fuzz/loop.c test/fault/kernel.c $(REFERENCES) $(FUZZ_HEADERS) \
    $(RUNTIME:%.c=build/fuzz/fuzzer/%.o)
	$(call note,LINK,$@)
	$(Q)$(FUZZED) -o $@ $(filter %.c %.o,$^)

FUZZED_LAMBDA = $(FUZZED) $(LAMBDA_CALLS)
$(eval $(call objects,build/fuzz/lambda-fuzzer,FUZZED_LAMBDA))

build/fuzz/lambda.fuzzer: test/fuzz/lambda.c test/unit/http_reference.c \
    $(FUZZ_HEADERS) $(LAMBDA_SOURCES:%.c=build/fuzz/lambda-fuzzer/%.o)
	$(call note,LINK,$@)
	$(Q)$(FUZZED) -o $@ $(filter %.c %.o,$^)

build/fuzz/%.fuzzer: test/fuzz/%.c $(REFERENCES) $(FUZZ_HEADERS) http.c json.c
	@mkdir -p $(@D)
	$(call note,LINK,$@)
	$(Q)$(FUZZED) -o $@ $(filter %.c,$^)

# Not prerequisites: the compiler would be looked for by every make.
fuzz: $(REPLAYS) $(REPLAY_LISTS)
	@if [ -z '$(FUZZ_CC)' ]; then \
	    echo 'skipped: fuzz: no clang with libFuzzer'; \
	    echo '0 passed, 0 failed, 1 skipped'; \
	else \
	    $(MAKE) -s $(FUZZ_TARGETS:%=build/fuzz/%.fuzzer) && \
	    sh test/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_TARGETS); \
	fi

.PHONY: exhaustive fuzz

# Against the least that the wire allows: make bench, BENCH=--quick
BENCHED = $(PRODUCT) $(addprefix build/bench/,work floor)

$(eval $(call handler,test/bench/work.c))

build/bench/work: $(call object,test/bench/work.c) $(CORE)
	$(call link,$^)

build/bench/floor: $(A)/core/test/bench/floor.o
	$(call link,$<)

build/bench/bench: $(call native,test/bench/bench.c test/bench/texts.c)
	$(call link_with,$(LINK_NATIVE))

ifdef HOSTED
bench:
	@echo 'skipped: bench: its yardstick is built without a C library'
	@echo '0 passed, 0 failed, 1 skipped'
else
bench: build/bench/bench $(BENCHED)
	@build/bench/bench $(BENCH) $(BENCHED)
endif

.PHONY: bench

# Every system call fails, and the peer misbehaves
FAULT_CALLS = _exit clock_gettime close connect fcntl getsockopt main \
    nanosleep poll read setsockopt sigaction socket write writev

$(P)/fault/binary: $(call native,test/fault/binary.c test/fault/peer.c)
	$(call link_with,$(LINK_NATIVE))

$(P)/fault/%: $(P)/checked/test/fault/%.o \
    $(call checked,test/fault/kernel.c test/fault/peer.c test/unit/http_cases.c $(RUNTIME))
	$(call link_with,$(CHECKED) $(LDFLAGS) $(FAULT_CALLS:%=-Wl,--wrap=%))

fault: build/fault/fault build/fault/misbehave build/fault/binary $(PRODUCT)
	@sh test/tools/run.sh build/fault/fault build/fault/misbehave \
	    $(if $(HOSTED),,'build/fault/binary ./$(PRODUCT)') \
	    'sh test/fault/rows.sh'

.PHONY: fault

# A long life, freezes, and jumps of the wall clock: SOAK_EVENTS=1000000
SOAK_SEED = 20261122
SOAK_EVENTS = 100000
SOAK_FREEZES = 200
SOAK_LAMBDA = $(foreach f,base text,test/lambda/$(f).c)

build/soak/soak: $(call fast,test/soak/soak.c $(SOAK_LAMBDA))
	$(call link_with,$(FAST) $(LDFLAGS))

JUMPED = -Wl,--wrap=clock_gettime
build/soak/jumped: $(call fast,test/soak/soak_clock.c $(HANDLERS) $(CORE_SOURCES))
	$(call link_with,$(FAST) $(LDFLAGS) $(JUMPED))

soak: $(PRODUCT) build/soak/soak build/soak/jumped
	@build/soak/soak --seed $(SOAK_SEED) --events $(SOAK_EVENTS) \
	    --freezes $(SOAK_FREEZES) --jumped build/soak/jumped ./$(PRODUCT)

.PHONY: soak

# Many streams in one environment: WORKER_EVENTS=1000000
WORKER_EVENTS = 20000
WORKERS_TEST = test/workers/workers_test.py
WORKERS_OF = ./$(PRODUCT) $(A)/test/puppet.plain $(B)/lambda

workers: $(PRODUCT) $(A)/test/puppet.plain $(B)/lambda
	@if command -v python3 >/dev/null; then \
	    sh test/tools/run.sh 'workers: python3 $(WORKERS_TEST) $(WORKERS_OF)' \
	        'a soak: python3 $(WORKERS_TEST) --soak $(WORKER_EVENTS) $(WORKERS_OF)' \
	        'calls that fail: python3 $(WORKERS_TEST) --fault $(WORKERS_OF)' \
	        'a table: python3 $(WORKERS_TEST) --table $(WORKERS_OF)'; \
	else \
	    echo 'skipped: workers: no python3'; \
	    echo '0 passed, 0 failed, 1 skipped'; \
	fi

.PHONY: workers

# The same answers from every build, and from arm64
same: build/test/wire
	@sh test/build/same.sh

.PHONY: same

# What of the product its tests reach
coverage: build/test/wire build/lambda
	@sh test/seeded/coverage.sh

.PHONY: coverage

# Would the tests notice a fault in the product?
seeded:
	@CC='$(CC)' sh test/seeded/seeded.sh

mutation:
	@sh test/seeded/mutation.sh

.PHONY: seeded mutation

# The README's pictures: when each word of a response reached its client, and
# what `make bench` has put into its page, beside what others weigh
picture: $(PRODUCT) $(B)/lambda $(ZIP) $(P)/test/hello.zip
	@if command -v node >/dev/null; then \
	    node test/pictures/stream.mjs $(B)/lambda $(PRODUCT) >build/stream.svg && \
	    node test/pictures/speed.mjs test/bench/README.md $(ZIP) \
	        $(P)/test/hello.zip >build/speed.svg && \
	    mv build/stream.svg build/speed.svg test/pictures && \
	    echo '2 passed, 0 failed'; \
	else \
	    echo 'skipped: picture: no node'; echo '0 passed, 0 failed, 1 skipped'; \
	fi

.PHONY: picture

# Whether the figures of the pages are those that targets produce: BENCH_OUTPUT=
# is a file with what `make bench` printed now
BENCH_OUTPUT =
figures: $(ZIP) $(P)/test/hello.zip
	@! command -v aarch64-linux-gnu-gcc >/dev/null || $(MAKE) -s ARCH=arm64 zip >/dev/null
	@if command -v python3 >/dev/null; then \
	    python3 test/tools/figures.py $(BENCH_OUTPUT); \
	else \
	    echo 'skipped: figures: no python3'; echo '0 passed, 0 failed, 1 skipped'; \
	fi

.PHONY: figures

# Static analysis, and the rules of the house style
lint:
	@sh test/tools/lint.sh

.PHONY: lint

# Handlers as people write them

handlers: $(B)/lambda
	@sh test/tools/run.sh $(foreach h,gateway batch file gzip relay proxy \
	    cpp own metrics,'$(h): sh test/handlers/$(h).sh')

.PHONY: handlers
