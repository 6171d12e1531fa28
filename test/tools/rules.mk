# How objects are made and linked: a short line for each file, or its command.

Q = $(if $(V),,@)
note = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@printf \
    '  %-4s  %s\n' $(1) '$(2)' >&2)
quote = '$(subst ','\'',$(1))'

# stamp TEXT COMMAND: the target changes when the text does, if the command
# succeeds.
define stamp
@mkdir -p $(@D)
@[ "$$(cat $@ 2>/dev/null)" = $(call quote,$(1)) ] || \
    { $(or $(2),:) && printf '%s\n' $(call quote,$(1)) >$@; }
endef

# objects FOLDER COMMAND: FOLDER/x.o is made of x.c by $(COMMAND). COMMAND_ALSO:
# what else they depend on; COMMAND_PROBE: whether that works at all.
define objects
FAMILIES += $(1)
.PRECIOUS: $(1)/%.o
$(1)/%.o: $(ROOT)%.c $(1)/flags
	$$(call note,CC,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$($(2)) -MMD -MP -c -o $$@ $$<

$(1)/flags: FORCE
	$$(call stamp,$$(COMPILER) $$($(2)) $$(LDFLAGS) $$($(2)_ALSO),$$($(2)_PROBE))
endef

# handler SOURCE: it may have any path; object SOURCE is what it becomes.
object = $(A)/handler/$(subst ..,__,$(1)).o
define handler
$(object): $(1) $(A)/core/flags
	$$(call note,$(if $(filter %.c,$(1)),CC,CXX),$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(COMPILE$(if $(filter %.c,$(1)),,_CXX)) -MMD -MP -c -o $$@ $$<
endef

# link OBJECTS LIBRARIES: beside the target, which may be running; and checked.
define link
$(call note,LINK,$@)
@mkdir -p $(@D)
$(Q)$(LINK) -o $@.new $(1) $(LDFLAGS) $(2) $(LIBGCC)
$(if $(CHECK),@$(call CHECK,$@.new,$@))
@mv -f $@.new $@
endef

# link_with COMMAND: the objects among the prerequisites.
define link_with
$(call note,LINK,$@)
@mkdir -p $(@D)
$(Q)$(1) -o $@.new $(filter %.o,$^)
@mv -f $@.new $@
endef
