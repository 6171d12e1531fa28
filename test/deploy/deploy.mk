# From a clone to a Function URL on AWS, and back: test/deploy/README.md.
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
