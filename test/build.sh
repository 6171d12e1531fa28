#!/bin/sh
# What `make` makes: build.sh BOOTSTRAP. Builds copies of the project under
# build/test, and reads the binary with readelf.
bootstrap=$1
dir=build/test/tree
. test/ok.sh

empty() { [ -z "$1" ]; }
same() { cmp -s "$1" "$2"; }

copy() {
    rm -rf "$1" && mkdir -p "$1/test"
    cp -R Makefile ./*.c ./*.h "$1" && cp test/hello.c test/*.mk "$1/test"
}
# Whether make, in the copy, runs the compiler.
builds() {
    case $(cd $dir && MAKEFLAGS= make "$@" 2>&1) in
    *' -o '*) true ;;
    *) false ;;
    esac
}
idle() { ! builds "$@"; }

if [ "$bootstrap" != bootstrap ]; then
    skip 'the binary: it has a C library on this system'
elif ! command -v readelf >/dev/null; then
    skip 'the binary: no readelf here'
else
    segments=$(readelf -lW $bootstrap)
    ok 'position-independent' [ "$(readelf -hW $bootstrap | grep -c 'DYN')" = 1 ]
    ok 'no interpreter' empty "$(echo "$segments" | grep INTERP)"
    ok 'no library' empty "$(readelf -dW $bootstrap | grep NEEDED)"
    ok 'no relocations' empty "$(readelf -rW $bootstrap | grep R_)"
    ok 'a stack that is not executable' \
        [ "$(echo "$segments" | grep -c 'GNU_STACK.* RW ')" = 1 ]
    ok 'no segment writable and executable' empty \
        "$(echo "$segments" | grep -e 'LOAD.* RWE ')"
fi

copy $dir
ok 'a first build' builds
ok 'nothing changed' idle
ok 'another handler' builds HANDLER=test/hello.c
ok 'and its result' [ "$(env -u AWS_LAMBDA_RUNTIME_API $dir/$bootstrap | head -n 1)" = Hello. ]
ok 'the same handler' idle HANDLER=test/hello.c
for flags in -O0 -O1 -O3 '-O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2'; do
    ok "CFLAGS='$flags'" builds HANDLER=test/hello.c CFLAGS="$flags"
    ok 'and its result' [ "$(env -u AWS_LAMBDA_RUNTIME_API $dir/$bootstrap | head -n 1)" = Hello. ]
    rm -f $dir/$bootstrap
done
ok 'a C library' builds HOSTED=1
ok 'a C library, again' idle HOSTED=1
touch $dir/json.h
ok 'a header' builds HOSTED=1

cp test/handlers/trace.c $dir/test
ok 'a handler with a C library' builds HOSTED=1 HANDLER=test/trace.c
build/lambda --invoke '{}' -- $dir/build/hosted/bootstrap >$dir/trace 2>/dev/null
ok '_X_AMZN_TRACE_ID is that of the invocation' \
    [ "$(sed -n 1p $dir/trace)" = "$(sed -n 2p $dir/trace)" ]
ok '_X_AMZN_TRACE_ID is set' [ -n "$(sed -n '/^Root=/p' $dir/trace)" ]

if ! command -v zip >/dev/null; then
    skip 'make zip: no program zip here'
    message=$(cd $dir && make zip 2>&1 >/dev/null | grep -c 'needs the program zip')
    ok 'make zip without zip says so' [ "$message" = 1 ]
else
    (cd $dir && MAKEFLAGS= make -s zip >/dev/null)
    copy $dir-elsewhere-with-a-longer-name
    (cd $dir-elsewhere-with-a-longer-name && umask 077 &&
        MAKEFLAGS= TZ=Asia/Kathmandu make -s zip >/dev/null)
    ok 'the same zip from another folder, time zone and mode' \
        same $dir/function.zip $dir-elsewhere-with-a-longer-name/function.zip
    if command -v unzip >/dev/null; then
        list=$(unzip -Z $dir/function.zip | sed -n '3,$p' | sed '$d')
        ok 'one file in the zip, named bootstrap' \
            [ "$(echo "$list" | sed 's/.* //')" = bootstrap ]
        ok 'and its mode is 0755' \
            [ "$(echo "$list" | cut -c 1-10)" = -rwxr-xr-x ]
    else
        skip 'what the zip holds: no unzip here'
    fi
fi
rm -rf $dir $dir-elsewhere-with-a-longer-name
finish
