#!/bin/sh
# Whether a handler in C and C++ with tables of pointers, constructors, floating
# point and wide integers works as every compiler here makes it: gcc and clang,
# x86_64 and arm64, each level of optimisation, all files at once (-flto) or not.
# And whether linkers that cannot link this are refused. test/build/project is built,
# from outside. It needs Debian's
#     g++ clang lld g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
# What is not here is skipped.
. test/tools/ok.sh
unset HANDLER EVENT HOSTED ARCH B V FILES LDLIBS CC CXX CFLAGS CXXFLAGS LDFLAGS
export MAKEFLAGS=
here=$PWD
dir=build/toolchains
rm -rf $dir && mkdir -p $dir && cp -R test/build/project $dir/ || exit 1
have() { command -v "$1" >/dev/null; }
outside() { (cd $dir/project && make -s -f "$here/Makefile" "$@"); }

# works NAME SOURCES EMULATOR ARCH CC FLAGS
works() {
    if ! outside B=../$1 HANDLER="handler.c numbers.c $2" ARCH="$4" CC="$5" \
        CFLAGS="$6" CXXFLAGS="$6" >$dir/log 2>&1; then
        cat $dir/log
        return 1
    fi
    output=$($3 $dir/$1/${4:+$4/}bootstrap)
    status=$?
    [ "$output" = 'numbers: many
greeting: Hello' ] || {
        echo "status $status: $output"
        false
    }
}
# all COMPILER C++-COMPILER [ARCH EMULATOR]
all() {
    name="$1 ${3:-for this machine}"
    for tool in $1 $4 ${3:+"$5"}; do
        have $tool || { skip "$name: no $tool here" && return; }
    done
    source=greeting.cpp
    have $2 || {
        skip "$name, C++: no $2 here"
        source=greeting.c
    }
    for level in -O0 -O1 -Os -O2 -O3; do
        for lto in -flto -fno-lto; do
            case $1$lto in
            # clang's -flto wants lld: it links for another processor by that.
            *clang*-flto) [ -n "$3" ] || have ld.lld || continue ;;
            esac
            ok "$name $level $lto" works all $source "$4" "$3" "$1" "$level $lto"
        done
    done
}
all gcc g++
all clang clang++
all gcc aarch64-linux-gnu-g++ arm64 qemu-aarch64 aarch64-linux-gnu-gcc
all clang clang++ arm64 qemu-aarch64 ld.lld

# refused WORDS MAKE-ARGUMENTS...: one line says so, and there is no product.
refused() {
    words=$1
    shift
    rm -f $dir/refused/bootstrap
    ! outside B=../refused HANDLER="handler.c numbers.c greeting.c" "$@" \
        >$dir/log 2>&1 && [ ! -e $dir/refused/bootstrap ] || return
    grep -v '^make.*Error [0-9]*$' $dir/log >$dir/lines
    [ "$(wc -l <$dir/lines)" -eq 1 ] && grep -q "$words" $dir/lines || {
        cat $dir/log
        false
    }
}
if have ld.lld && have gcc; then
    ok 'gcc -flto with lld' refused 'LDFLAGS' CC=gcc LDFLAGS=-fuse-ld=lld
    ok 'gcc -fno-lto with lld' works lld greeting.c '' '' gcc \
        '-Os -fno-lto -fuse-ld=lld'
else
    skip 'gcc with lld: not here'
fi
if have clang; then
    echo 'static _Thread_local volatile int depth;
__attribute__((constructor)) static void deeper(void) { depth++; }' \
        >$dir/project/greeting.c
    cat test/build/project/greeting.c >>$dir/project/greeting.c
    ok 'clang: _Thread_local' refused _Thread_local CC=clang
    have qemu-aarch64 && have ld.lld &&
        ok 'clang, arm64: _Thread_local' refused _Thread_local CC=clang ARCH=arm64
fi
finish
