#!/bin/sh
# The wire transcripts with the arm64 binary, cross-built and emulated. Run
# after `make test`, which builds the player.
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    if ! command -v $tool >/dev/null; then
        echo "skipped: arm64: no $tool here"
        echo '0 passed, 0 failed, 1 skipped'
        exit
    fi
done
dir=build/test/arm64
rm -rf $dir && mkdir -p $dir/test/handlers
cp Makefile ./*.c ./*.h $dir && cp test/hello.c test/deep.mk $dir/test &&
    cp test/handlers/*.c $dir/test/handlers
(cd $dir && MAKEFLAGS= make -s CC=aarch64-linux-gnu-gcc bootstrap \
    build/test/puppet.plain build/test/hello.plain) || exit 1
exec build/test/wire -j 4 --under qemu-aarch64 \
    --bin puppet=$dir/build/test/puppet.plain \
    --bin hello=$dir/build/test/hello.plain \
    $dir/bootstrap test/wire/*.txt README.md
