# The tests that a compiler and make are enough for: `make test`, `make check`.

# -O1: sanitizers find as much and take half the time.
ifndef ARCH
SANITIZE = $(eval SANITIZE := $(shell mkdir -p build && \
    echo 'int main(void) { return 0; }' >build/probe.c && \
    $(CC) -fsanitize=address,undefined -o build/probe build/probe.c 2>build/probe.log && \
    build/probe && echo -fsanitize=address,undefined -fno-sanitize-recover=undefined))$(SANITIZE)
endif
CHECKED = $(CC) $(CFLAGS) -O1 -g $(C11) $(SANITIZE)
FAST = $(CC) $(CFLAGS) -O2 $(C11)
WRAPPED = -Wl,--wrap=connect,--wrap=getsockopt,--wrap=poll,--wrap=read,--wrap=writev
WIRE = build/test/wire -j 8 $(foreach h,puppet hello,--bin $(h)=$(2)/test/$(h).$(1))
SCRIPTS = $(wildcard test/wire/*.txt) test/wire/README.md

$(eval $(call objects,$(P)/checked,CHECKED))
$(eval $(call objects,$(P)/fast,FAST))
checked = $(1:%.c=$(P)/checked/%.o)
fast = $(1:%.c=$(P)/fast/%.o)
native = $(1:%.c=$(B)/native/%.o)
CORE_SOURCES = bootstrap.c http.c json.c

# Handlers for tests: NAME.plain as the product is made, NAME.checked.
TEST_HANDLERS = test/hello.c $(wildcard test/wire/*.c)
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

$(P)/test/json_test: $(call checked,test/json_test.c test/json_reference.c json.c)
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/http_test: $(call checked,test/http_test.c http.c)
	$(call link_with,$(CHECKED) $(LDFLAGS) $(WRAPPED))

$(P)/test/log_test: $(call checked,test/log_test.c http.c json.c)
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(B)/test/lambda_test: $(call native,$(wildcard test/lambda_test.c test/lambda_test/*.c))
	$(call link_with,$(LINK_NATIVE))

$(B)/test/wire: $(call native,test/wire.c)
	$(call link_with,$(LINK_NATIVE))

$(P)/jsoncheck: $(call fast,test/jsoncheck.c json.c)
	$(call link_with,$(FAST) $(LDFLAGS))

$(P)/httpcheck: $(call fast,test/httpcheck.c http.c)
	$(call link_with,$(FAST) $(LDFLAGS))

# A TARGET.replay gives a fuzz target inputs that are known, with any compiler.
# The target `loop` is the whole runtime, its system calls replaced, and `lambda`
# the local Lambda.
FUZZ_TARGETS = http chunks json base64 endpoint loop lambda
REFERENCES = test/fuzz/compare.c test/http_reference.c test/json_reference.c
RUNTIME = bootstrap.c http.c json.c handler.c
SIMULATED = -include test/fuzz/simulated.h
CHECKED_SIMULATED = $(CHECKED) $(SIMULATED)
$(eval $(call objects,build/fuzz/replay,CHECKED_SIMULATED))

build/fuzz/loop.replay: $(RUNTIME:%.c=build/fuzz/replay/%.o) \
    $(call checked,test/fuzz/loop.c test/fuzz/replay.c $(REFERENCES))
	$(call link_with,$(CHECKED) $(LDFLAGS))

LAMBDA_SOURCES = $(wildcard test/lambda/*.c)
LAMBDA_CALLS = -include test/fuzz/lambda_calls.h
CHECKED_LAMBDA = $(CHECKED) $(LAMBDA_CALLS)
$(eval $(call objects,build/fuzz/lambda-replay,CHECKED_LAMBDA))

build/fuzz/lambda.replay: $(LAMBDA_SOURCES:%.c=build/fuzz/lambda-replay/%.o) \
    $(call checked,test/fuzz/lambda.c test/fuzz/replay.c test/http_reference.c)
	$(call link_with,$(CHECKED) $(LDFLAGS))

build/fuzz/%.replay: $(P)/checked/test/fuzz/%.o \
    $(call checked,test/fuzz/replay.c $(REFERENCES) http.c json.c)
	$(call link_with,$(CHECKED) $(LDFLAGS))

# Known inputs that other tests have.
build/fuzz/lists/%.txt: test/fuzz/lists.sh test/json-cases.txt \
    test/http-responses.jsonl
	@mkdir -p $(@D)
	@sh $< $* >$@

REPLAYS = $(FUZZ_TARGETS:%=build/fuzz/%.replay) \
    build/fuzz/lists/http.txt build/fuzz/lists/json.txt

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
    'by hand, $(PRODUCT): sh test/by-hand.sh ./$(PRODUCT) $(A)/test/puppet.plain'
TEST_SUITES = $(CHECK_SUITES) \
    'inputs that fuzzers found: sh test/fuzz/replay.sh $(FUZZ_TARGETS)' \
    'transcripts, sanitizers: $(call WIRE,checked,$(P)) --no-limits \
        $(P)/test/bootstrap.checked $(SCRIPTS)' \
    'by hand, sanitizers: sh test/by-hand.sh $(P)/test/bootstrap.checked \
        $(P)/test/puppet.checked' \
    'the local Lambda: build/test/lambda_test build/lambda' \
    'the build: sh test/build.sh $(PRODUCT)'

check: $(CHECKS)
	@echo 'This takes half a minute on two cores.'
	@sh test/run.sh $(CHECK_SUITES)

test: $(TESTS)
	@echo 'This takes about two minutes on two cores; `make check`, half a minute.'
	@sh test/run.sh $(TEST_SUITES)

# What function.zip may weigh, with handler.c and with test/hello.c, made by
# gcc 12 and advzip: bytes. The aim is 13312 and 8704.
BUDGET_x86_64 = 16100 11250
BUDGET_aarch64 = 17400 12200

$(P)/test/hello.zip: $(A)/test/hello.plain
	@$(PACK) zip $@ $<

size: $(ZIP) $(P)/test/hello.zip
	@$(PACK) strip $(PACKED) $(P)/test/stripped
	@CC='$(CC)' sh test/size.sh $(PACKED) $(P)/test/stripped $(ZIP) $(P)/test/hello.zip \
	    $(BUDGET_$(PROCESSOR))

.PHONY: replay check test size
