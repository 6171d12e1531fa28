#!/bin/sh
# caught.sh [--all] TREE PRODUCT [MAKE-VARIABLE]...: whether the fast tests notice
# that the product in a copy of the project is broken. Runs them up to the first
# that fails, and prints which one that is and its first complaint. Status 0 when
# it is caught, 1 when nothing failed, 2 when it does not build.
#
# In the copy everything is built and has passed, but for what is broken: a unit
# test whose program is still up to date is not run again, without --all.
all=
[ "$1" != --all ] || { all=yes && shift; }
cd "$1" || exit 2
product=$2
shift 2
variables=$*
case $product in
*/*) plain=$(dirname $product)/test ;;
*) plain=build/test ;;
esac
here=$(pwd -P)
log=build/caught.log
: >build/caught.begun
export MAKEFLAGS=

build() {
    if ! make -s $variables "$@" >$log 2>&1; then
        echo "does not build: $(grep -m 1 -i error $log)"
        exit 2
    fi
}

# try NAME COMMAND...: what hangs is caught, too, after longer than any machine
# is busy. A bootstrap that it has left running is ended.
try() {
    name=$1
    shift
    # shellcheck disable=SC3045 # every sh of a Linux has it
    (ulimit -t 120 && exec timeout -k 1 600 "$@") >$log 2>&1 </dev/null
    status=$?
    [ $status -eq 0 ] && return
    for process in /proc/[0-9]*; do
        case $(readlink $process/exe) in
        "$here"/*) kill -9 ${process#/proc/} 2>/dev/null ;;
        esac
    done
    [ $status -eq 124 ] && echo "$name: hangs" && exit 0
    echo "$name: $(grep -aEm 1 \
        '^FAIL|\.[ch]:[0-9]+:|\.txt:[0-9]+: failed|Sanitizer' $log ||
        echo "status $status")"
    exit 0
}

# A program that is one test.
try_program() {
    build $2
    [ -n "$all" ] || [ -n "$(find $2 -newer build/caught.begun)" ] || return 0
    try $1 $2
}

# play FOLDER KIND BOOTSTRAP OPTION: the transcripts, those that take longest last.
play() {
    for script in test/wire/README.md $(wc -l test/wire/*.txt | grep -v -e total \
        -e common.txt | sort -n | sed 's/.* //'); do
        try "$2 transcripts" build/test/wire -x -j 4 $4 \
            --bin puppet=$1/puppet.$2 --bin hello=$1/hello.$2 $3 $script
    done
}

try_program json_test build/test/json_test
try_program http_test build/test/http_test
# The simulated kernel, for which a loop is a fault at once.
try_program pacing build/fault/pacing
try_program fault build/fault/fault
build $product $plain/puppet.plain $plain/hello.plain build/test/wire
try by-hand.sh sh test/wire/by-hand.sh ./$product $plain/puppet.plain
case $product in
*/hosted/*) play $plain plain $product --no-limits ;;
*) play $plain plain ./$product ;;
esac
case $product in
*/hosted/*) ;;
*)
    build build/test/bootstrap.checked build/test/puppet.checked \
        build/test/hello.checked
    play build/test checked build/test/bootstrap.checked --no-limits
    ;;
esac
try replay make -s $variables replay
exit 1
