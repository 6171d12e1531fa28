# Deeper checks than `make test`, which .ci/run calls: what each one promises
# and has found stands in test/README.md.

# Readers compared with references: exhaustively, and by fuzzing

REFERENCES = test/fuzz/compare.c test/http_reference.c test/json_reference.c
REFERENCE_HEADERS = test/fuzz/compare.h test/http_reference.h \
    test/json_reference.h

build/exhaustive/exhaustive: test/exhaustive.c $(REFERENCES) \
    $(REFERENCE_HEADERS) http.c json.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -O2 $(C11) -o $@ test/exhaustive.c $(REFERENCES) \
	    http.c json.c $(LDFLAGS)

exhaustive: build/exhaustive/exhaustive
	@$<

# A TARGET.replay gives a target inputs that are known, with any compiler; a
# TARGET.fuzzer looks for others, with libFuzzer. The target `loop` is the whole
# runtime, its system calls replaced.
FUZZ_SECONDS = 60
FUZZ_TARGETS = http chunks json base64 endpoint loop
FUZZ_SOURCES = $(REFERENCES) $(REFERENCE_HEADERS) $(wildcard test/fuzz/*.h) \
    $(HEADERS) build/$(PRODUCT).command
FUZZ_CC = $(eval FUZZ_CC := $(shell sh test/fuzz/compiler.sh))$(FUZZ_CC)
FUZZED = $(FUZZ_CC) -O1 -g $(C11) -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=undefined
SIMULATED = $(foreach f,bootstrap http json handler,build/fuzz/$(f).$(1).o)

build/fuzz/%.replay.o: %.c test/fuzz/simulated.h $(HEADERS) build/$(PRODUCT).command
	@mkdir -p $(@D)
	$(CHECKED) -include test/fuzz/simulated.h -c -o $@ $<

build/fuzz/%.fuzzer.o: %.c test/fuzz/simulated.h $(HEADERS)
	@mkdir -p $(@D)
	$(FUZZED) -include test/fuzz/simulated.h -c -o $@ $<

build/fuzz/loop.replay: test/fuzz/loop.c test/fuzz/replay.c $(FUZZ_SOURCES) \
    $(call SIMULATED,replay)
	$(CHECKED) -o $@ $(filter %.c %.o,$^) $(LDFLAGS)

build/fuzz/loop.fuzzer: test/fuzz/loop.c $(FUZZ_SOURCES) $(call SIMULATED,fuzzer)
	$(FUZZED) -o $@ $(filter %.c %.o,$^)

build/fuzz/%.replay: test/fuzz/%.c test/fuzz/replay.c $(FUZZ_SOURCES) http.c json.c
	@mkdir -p $(@D)
	$(CHECKED) -o $@ $(filter %.c,$^) $(LDFLAGS)

build/fuzz/%.fuzzer: test/fuzz/%.c $(FUZZ_SOURCES) http.c json.c
	@mkdir -p $(@D)
	$(FUZZED) -o $@ $(filter %.c,$^)

# Known inputs that other tests have.
build/fuzz/lists/%.txt: test/fuzz/lists.sh test/json-cases.txt \
    test/http-responses.jsonl
	@mkdir -p $(@D)
	@sh $< $* >$@

REPLAYS = $(FUZZ_TARGETS:%=build/fuzz/%.replay)
REPLAY_LISTS = $(wildcard test/fuzz/seeds/*.txt test/fuzz/crashes/*.txt) \
    build/fuzz/lists/http.txt build/fuzz/lists/json.txt

replay: $(REPLAYS) $(REPLAY_LISTS)
	@sh test/run.sh $(foreach t,$(FUZZ_TARGETS),\
	    'build/fuzz/$(t).replay $(filter %/$(t).txt,$(REPLAY_LISTS))')

# Not prerequisites: the compiler would be looked for by every make.
fuzz: $(REPLAYS) $(REPLAY_LISTS)
	@if [ -z '$(FUZZ_CC)' ]; then \
	    echo 'skipped: fuzz: no clang with libFuzzer'; \
	    echo '0 passed, 0 failed, 1 skipped'; \
	else \
	    $(MAKE) -s $(FUZZ_TARGETS:%=build/fuzz/%.fuzzer) && \
	    sh test/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_TARGETS); \
	fi

.PHONY: exhaustive replay fuzz

# Against the least that the wire allows: make bench, BENCH=--quick
BENCHED = $(PRODUCT) $(addprefix build/bench/,work floor)

build/bench/work: test/bench/work.c $(CORE) $(HEADERS) build/$(PRODUCT).command
	$(call LINK_BOOTSTRAP,$<)

build/bench/floor: test/bench/floor.c build/$(PRODUCT).command
	@mkdir -p $(@D)
	$(COMPILE) $(INTEGERS) $(LINK) -o $@ $< $(LDFLAGS)
	$(CUT)

build/bench/bench: test/bench/bench.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(C11) -o $@ $< $(LDFLAGS)

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

$(B)/fault/%: test/fault/%.c test/fault/kernel.c test/fault/peer.c \
    $(wildcard test/fault/*.h) test/unit.h $(CORE) $(HEADERS) handler.c \
    build/$(PRODUCT).command
	@mkdir -p $(@D)
	$(CHECKED) $(FAULT_CALLS:%=-Wl,--wrap=%) -o $@ $(filter %.c,$^) $(LDFLAGS)

build/fault/binary: test/fault/binary.c test/fault/peer.c \
    $(wildcard test/fault/*.h) test/unit.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(C11) -o $@ $(filter %.c,$^) $(LDFLAGS)

fault: build/fault/fault build/fault/misbehave build/fault/binary $(PRODUCT)
	@sh test/run.sh build/fault/fault build/fault/misbehave \
	    $(if $(HOSTED),,'build/fault/binary ./$(PRODUCT)') \
	    'sh test/fault/rows.sh'

.PHONY: fault

# A long life, freezes, and jumps of the wall clock: SOAK_EVENTS=1000000
SOAK_SEED = 20261122
SOAK_EVENTS = 100000
SOAK_FREEZES = 200
SOAK_LAMBDA = $(foreach f,base text,test/lambda/$(f).c)

build/soak/soak: test/soak.c test/soak_clock.h test/unit.h http.h \
    $(SOAK_LAMBDA) $(SOAK_LAMBDA:.c=.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -O2 $(C11) -Itest -o $@ test/soak.c $(SOAK_LAMBDA) $(LDFLAGS)

build/soak/jumped: test/soak_clock.c test/soak_clock.h $(CORE) $(HANDLER) $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(C11) -Wl,--wrap=clock_gettime -o $@ $(CORE) $(HANDLER) \
	    test/soak_clock.c $(LDFLAGS)

soak: $(PRODUCT) build/soak/soak build/soak/jumped
	@build/soak/soak --seed $(SOAK_SEED) --events $(SOAK_EVENTS) \
	    --freezes $(SOAK_FREEZES) --jumped build/soak/jumped ./$(PRODUCT)

.PHONY: soak

# The same answers from every build, and from arm64
same: build/test/wire
	@sh test/same.sh

.PHONY: same

# What of the product its tests reach
coverage: build/test/wire
	@sh test/coverage.sh

.PHONY: coverage

# Would the tests notice a fault in the product?
seeded:
	@CC='$(CC)' sh test/seeded.sh

mutation:
	@sh test/mutation.sh

.PHONY: seeded mutation

# Static analysis, and the rules of the house style
lint:
	@sh test/lint.sh

.PHONY: lint
