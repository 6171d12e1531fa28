#!/bin/sh
# The unit tests and runs by hand with arm64 binaries, cross-built and emulated.
# The transcripts are in test/build/same.sh.
skip() {
    echo "skipped: arm64: $1"
    echo '0 passed, 0 failed, 1 skipped'
    exit
}
command -v aarch64-linux-gnu-gcc >/dev/null || skip 'no aarch64-linux-gnu-gcc here'
command -v qemu-aarch64 >/dev/null || skip 'no qemu-aarch64 here'
test=build/arm64/test
make -s ARCH=arm64 all $test/json_test $test/http_test $test/puppet.plain || exit 1
emulator='qemu-aarch64 -L /usr/aarch64-linux-gnu'
exec sh test/tools/run.sh "$emulator $test/json_test" "$emulator $test/http_test" \
    "sh test/wire/by-hand.sh build/arm64/bootstrap $test/puppet.plain qemu-aarch64"
