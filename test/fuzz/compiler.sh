#!/bin/sh
# Prints the newest clang here that can make fuzzers; nothing without one.
probe=$(mktemp -d) || exit 1
trap 'rm -rf "$probe"' EXIT
cat >$probe/probe.c <<'END'
int LLVMFuzzerTestOneInput(const char *data, unsigned long size);
int LLVMFuzzerTestOneInput(const char *data, unsigned long size)
{
    return !data && size > 0;
}
END
for version in $(seq -f -%g 40 -1 11) ''; do
    clang$version -fsanitize=fuzzer,address,undefined -o $probe/probe \
        $probe/probe.c 2>/dev/null && echo clang$version && exit
done
