# Deeper checks than `make test`, which .ci/run calls: what each one promises
# and has found stands in test/README.md.

# Readers compared with references: exhaustively, and by fuzzing

build/exhaustive/exhaustive: $(call fast,test/exhaustive.c $(REFERENCES) http.c json.c)
	$(call link_with,$(FAST) $(LDFLAGS))

exhaustive: build/exhaustive/exhaustive
	@$<

# A TARGET.fuzzer looks for inputs that a TARGET.replay has not been given yet,
# with libFuzzer.
FUZZ_SECONDS = 60
FUZZ_HEADERS = $(wildcard *.h test/*.h test/fuzz/*.h)
FUZZ_CC = $(eval FUZZ_CC := $(shell sh test/fuzz/compiler.sh))$(FUZZ_CC)
FUZZED = $(FUZZ_CC) -O1 -g $(C11) -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=undefined
FUZZED_SIMULATED = $(FUZZED) $(SIMULATED)
$(eval $(call objects,build/fuzz/fuzzer,FUZZED_SIMULATED))

build/fuzz/loop.fuzzer: test/fuzz/loop.c $(REFERENCES) $(FUZZ_HEADERS) \
    $(RUNTIME:%.c=build/fuzz/fuzzer/%.o)
	$(call note,LINK,$@)
	$(Q)$(FUZZED) -o $@ $(filter %.c %.o,$^)

FUZZED_LAMBDA = $(FUZZED) $(LAMBDA_CALLS)
$(eval $(call objects,build/fuzz/lambda-fuzzer,FUZZED_LAMBDA))

build/fuzz/lambda.fuzzer: test/fuzz/lambda.c test/http_reference.c \
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
    $(call checked,test/fault/kernel.c test/fault/peer.c $(RUNTIME))
	$(call link_with,$(CHECKED) $(LDFLAGS) $(FAULT_CALLS:%=-Wl,--wrap=%))

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

build/soak/soak: $(call fast,test/soak.c $(SOAK_LAMBDA))
	$(call link_with,$(FAST) $(LDFLAGS))

JUMPED = -Wl,--wrap=clock_gettime
build/soak/jumped: $(call fast,test/soak_clock.c $(HANDLERS) $(CORE_SOURCES))
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
	    sh test/run.sh 'workers: python3 $(WORKERS_TEST) $(WORKERS_OF)' \
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
	@sh test/same.sh

.PHONY: same

# What of the product its tests reach
coverage: build/test/wire build/lambda
	@sh test/coverage.sh

.PHONY: coverage

# Would the tests notice a fault in the product?
seeded:
	@CC='$(CC)' sh test/seeded.sh

mutation:
	@sh test/mutation.sh

.PHONY: seeded mutation

# When each byte of a response reached its client: the README's picture
picture: $(PRODUCT) $(B)/lambda
	@if command -v node >/dev/null; then \
	    node test/pictures/stream.mjs $(B)/lambda $(PRODUCT) >build/stream.svg && \
	    mv build/stream.svg test/pictures/stream.svg && echo '1 passed, 0 failed'; \
	else \
	    echo 'skipped: picture: no node'; echo '0 passed, 0 failed, 1 skipped'; \
	fi

.PHONY: picture

# Static analysis, and the rules of the house style
lint:
	@sh test/lint.sh

.PHONY: lint
