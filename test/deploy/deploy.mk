# From a clone to a Function URL on AWS, and back: test/deploy/README.md.

# The zip

PACK = TRIPLE='$(TRIPLE)' sh $(ROOT)test/tools/pack.sh

# A hosted binary is linked once more for the zip, so that it needs nothing of
# the machine where it was made.
ifdef HOSTED
PACKED = $(A)/zip/bootstrap
$(PACKED): $(OBJECTS) $(A)/sources $(wildcard $(LDLIBS)) \
    $(ROOT)test/tools/portable.sh
	$(call note,LINK,$@)
	$(Q)sh $(ROOT)test/tools/portable.sh $(@D) '$(ARCH)' \
	    $(LINK) $(OBJECTS) $(LDFLAGS) $(LDLIBS)
else
PACKED = $(PRODUCT)
endif

$(P)/files: FORCE
	@$(PACK) list $@ $(PACKED) $(FILES)

$(ZIP): $(PACKED) $(P)/files $(ROOT)test/tools/pack.sh
	$(call note,ZIP,$@)
	$(Q)LIBRARIES=$(HOSTED:%=$(A)/zip/lib) REPORT=$(P)/files.txt \
	    $(PACK) zip $@ $(PACKED) $(FILES)

zip: $(ZIP)
	@cat $(P)/files.txt

.PHONY: zip

# Deployment
#
# Set here, so that variables of the environment that happen to have these names
# do not count. What AWS's own tools read (AWS_REGION, AWS_PROFILE, ...) does.

FUNCTION = rawstream
REGION =
PROFILE =
ROLE =
AUTH = NONE
TIMEOUT = 30
MEMORY = 128
YES =
DRY_RUN =

DEPLOYED_ARCH = $(or $(ARCH),$(if $(filter aarch64,$(PROCESSOR)),arm64,x86_64))
QUOTED = '$(subst ','\'',$(1))'
DEPLOY = @sh $(ROOT)test/deploy/deploy.sh $@ ARCH=$(DEPLOYED_ARCH) ZIP=$(ZIP) \
    $(foreach s,FUNCTION REGION PROFILE ROLE AUTH TIMEOUT MEMORY YES DRY_RUN,\
    $(s)=$(call QUOTED,$($(s)))) "EVENT=$$EVENT"

deploy: $(if $(DRY_RUN),,$(ZIP))
	$(DEPLOY)

invoke logs undeploy:
	$(DEPLOY)

deploy-test: $(PRODUCT) build/lambda $(ZIP)
	@sh test/deploy/test.sh ./$(PRODUCT) $(ZIP)

.PHONY: deploy invoke logs undeploy deploy-test

# AWS SAM calls this for template.yaml, in a copy of the tree.
build-Rawstream: $(PRODUCT)
	@mkdir -p "$(ARTIFACTS_DIR)"
	@cp $(PRODUCT) "$(ARTIFACTS_DIR)/bootstrap"
	@chmod 0755 "$(ARTIFACTS_DIR)/bootstrap"

.PHONY: build-Rawstream
