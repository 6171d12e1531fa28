# The tests that a compiler and make are enough for: `make test`, `make check`.

# -O1: sanitizers find as much and take half the time.
ifndef ARCH
SANITIZE = $(eval SANITIZE := $(shell mkdir -p build && \
    echo 'int main(void) { return 0; }' >build/probe.c && \
    $(CC) -fsanitize=address,undefined -o build/probe build/probe.c 2>build/probe.log && \
    build/probe && echo -fsanitize=address,undefined -fno-sanitize-recover=undefined))$(SANITIZE)
endif
CHECKED = $(CC) $(CFLAGS) -O1 -g $(C11) $(SANITIZE)
WRAPPED = -Wl,--wrap=connect,--wrap=getsockopt,--wrap=poll,--wrap=read,--wrap=writev
WIRE = build/test/wire -j 4 $(foreach h,puppet hello,--bin $(h)=build/test/$(h).$(1))
SCRIPTS = $(wildcard test/wire/*.txt) README.md

$(B)/test/%.plain: test/handlers/%.c $(CORE) $(HEADERS) build/$(PRODUCT).command
	$(call LINK_BOOTSTRAP,$<)

$(B)/test/hello.plain: test/hello.c $(CORE) $(HEADERS) build/$(PRODUCT).command
	$(call LINK_BOOTSTRAP,$<)

$(B)/test/%.checked: test/handlers/%.c $(CORE) $(HEADERS) build/$(PRODUCT).command
	@mkdir -p $(@D)
	$(CHECKED) -o $@ $(CORE) $< $(LDFLAGS)

$(B)/test/hello.checked: test/hello.c $(CORE) $(HEADERS) build/$(PRODUCT).command
	@mkdir -p $(@D)
	$(CHECKED) -o $@ $(CORE) $< $(LDFLAGS)

$(B)/test/bootstrap.checked: $(HANDLER) $(CORE) $(HEADERS) build/$(PRODUCT).command
	@mkdir -p $(@D)
	$(CHECKED) -o $@ $(CORE) $(HANDLER) $(LDFLAGS)

$(B)/test/json_test: test/json_test.c test/json_reference.c test/json_reference.h \
    test/unit.h json.c json.h build/$(PRODUCT).command
	@mkdir -p $(@D)
	$(CHECKED) -o $@ test/json_test.c test/json_reference.c json.c $(LDFLAGS)

$(B)/test/http_test: test/http_test.c test/outcome.h test/unit.h http.c http.h build/$(PRODUCT).command
	@mkdir -p $(@D)
	$(CHECKED) $(WRAPPED) -o $@ test/http_test.c http.c $(LDFLAGS)

build/test/lambda_test: test/lambda_test.c $(wildcard test/lambda_test/*)
	@mkdir -p $(@D)
	$(NATIVE) $(CFLAGS) $(C11) -o $@ $(filter %.c,$^) $(LDFLAGS)

build/test/wire: test/wire.c
	@mkdir -p $(@D)
	$(NATIVE) $(CFLAGS) $(C11) -o $@ $< $(LDFLAGS)

build/jsoncheck: test/jsoncheck.c json.c json.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -O2 $(C11) -o $@ test/jsoncheck.c json.c $(LDFLAGS)

build/httpcheck: test/httpcheck.c test/outcome.h http.c http.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -O2 $(C11) -o $@ test/httpcheck.c http.c $(LDFLAGS)

TESTS = $(PRODUCT) build/lambda build/jsoncheck build/httpcheck \
    $(addprefix build/test/,json_test http_test lambda_test wire \
    puppet.plain hello.plain bootstrap.checked puppet.checked hello.checked)

test: $(TESTS)
	@sh test/run.sh build/test/json_test build/test/http_test \
	    '$(call WIRE,plain) $(if $(HOSTED),--no-limits,--calls README.md) ./$(PRODUCT) $(SCRIPTS)' \
	    'make -s replay' \
	    '$(call WIRE,checked) --no-limits build/test/bootstrap.checked $(SCRIPTS)' \
	    'sh test/by-hand.sh ./$(PRODUCT) build/test/puppet.plain' \
	    'sh test/by-hand.sh build/test/bootstrap.checked build/test/puppet.checked' \
	    'build/test/lambda_test build/lambda' \
	    'sh test/build.sh $(PRODUCT)'

.PHONY: test
