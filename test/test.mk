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
WIRE = build/test/wire -j 4 $(foreach h,puppet hello,--bin $(h)=$(2)/test/$(h).$(1))
SCRIPTS = $(wildcard test/wire/*.txt) README.md

$(eval $(call objects,$(P)/checked,CHECKED))
$(eval $(call objects,$(P)/fast,FAST))
checked = $(1:%.c=$(P)/checked/%.o)
fast = $(1:%.c=$(P)/fast/%.o)
native = $(1:%.c=$(B)/native/%.o)
CORE_SOURCES = bootstrap.c http.c json.c

# Handlers for tests: NAME.plain as the product is made, NAME.checked.
TEST_HANDLERS = test/hello.c $(wildcard test/handlers/*.c)
$(foreach h,$(filter-out $(HANDLERS),$(TEST_HANDLERS)),$(eval $(call handler,$(h))))

$(A)/test/hello.plain: $(call object,test/hello.c) $(CORE)
	$(call link,$^)

$(A)/test/%.plain: $(A)/handler/test/handlers/%.c.o $(CORE)
	$(call link,$^)

$(P)/test/hello.checked: $(call checked,test/hello.c $(CORE_SOURCES))
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/bootstrap.checked: $(call checked,$(HANDLERS) $(CORE_SOURCES)) $(A)/sources
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/%.checked: $(P)/checked/test/handlers/%.o $(call checked,$(CORE_SOURCES))
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/json_test: $(call checked,test/json_test.c test/json_reference.c json.c)
	$(call link_with,$(CHECKED) $(LDFLAGS))

$(P)/test/http_test: $(call checked,test/http_test.c http.c)
	$(call link_with,$(CHECKED) $(LDFLAGS) $(WRAPPED))

$(B)/test/lambda_test: $(call native,$(wildcard test/lambda_test.c test/lambda_test/*.c))
	$(call link_with,$(LINK_NATIVE))

$(B)/test/wire: $(call native,test/wire.c)
	$(call link_with,$(LINK_NATIVE))

$(P)/jsoncheck: $(call fast,test/jsoncheck.c json.c)
	$(call link_with,$(FAST) $(LDFLAGS))

$(P)/httpcheck: $(call fast,test/httpcheck.c http.c)
	$(call link_with,$(FAST) $(LDFLAGS))

TESTS = $(PRODUCT) $(B)/lambda $(P)/jsoncheck $(P)/httpcheck \
    $(addprefix $(B)/test/,lambda_test wire) \
    $(addprefix $(A)/test/,puppet.plain hello.plain) \
    $(addprefix $(P)/test/,json_test http_test bootstrap.checked puppet.checked \
    hello.checked)

test: $(TESTS)
	@sh test/run.sh build/test/json_test build/test/http_test \
	    '$(call WIRE,plain,$(A)) $(if $(HOSTED),--no-limits,--calls README.md) ./$(PRODUCT) $(SCRIPTS)' \
	    'make -s replay' \
	    '$(call WIRE,checked,$(P)) --no-limits build/test/bootstrap.checked $(SCRIPTS)' \
	    'sh test/by-hand.sh ./$(PRODUCT) $(A)/test/puppet.plain' \
	    'sh test/by-hand.sh build/test/bootstrap.checked build/test/puppet.checked' \
	    'build/test/lambda_test build/lambda' \
	    'sh test/build.sh $(PRODUCT)'

$(P)/test/hello.zip: $(A)/test/hello.plain
	@$(PACK) zip $@ $<

size: $(ZIP) $(P)/test/hello.zip
	@$(PACK) strip $(PACKED) $(P)/test/stripped
	@CC='$(CC)' sh test/size.sh $(PACKED) $(P)/test/stripped $(ZIP) $(P)/test/hello.zip \
	    $(BUDGET_$(PROCESSOR))

.PHONY: test size
