#!/bin/sh
# For the tests of handlers, which are built as their users build them and
# called by curl through the local Lambda. Sourced; $handler is its name.
. test/tools/ok.sh
unset HANDLER EVENT HOSTED ARCH B V FILES LDLIBS
export MAKEFLAGS=
# shellcheck disable=SC2154 # whoever sources this sets it
dir=build/handlers/$handler
rm -rf $dir && mkdir -p $dir
serving=
trap 'stop_serving' EXIT

give_up() {
    skip "$1"
    finish
    exit
}
command -v curl >/dev/null || give_up "$handler: no curl here"

# has HEADER [LIBRARY...]: whether a program that includes it can be linked.
has() {
    printf '#include <%s>\nint main(void) { return 0; }\n' "$1" >$dir/probe.c
    shift
    cc -o $dir/probe $dir/probe.c "$@" 2>/dev/null
}

# weighs FILE BYTES: where README.md has a row for that file and was measured on
# such a machine, what it says is right to a tenth.
weighs() {
    grep -qs '^VERSION_ID="12"' /etc/os-release && command -v advzip >/dev/null || return 0
    awk -F '|' -v name="\`${1##*/}\`" -v bytes="$2" '
        index($2, name) {
            split($4, told, " ")
            of = bytes / told[1] / (told[2] == "MB" ? 1e6 : 1e3)
            wrong = of < 0.9 || of > 1.1
            if (wrong) print name ": " bytes " bytes, the table says" $4
        }
        END { exit wrong }' test/handlers/README.md
}

# built ARGUMENT...: makes $dir/bootstrap, and prints what its zip weighs. With
# BOOTSTRAP in the environment the test is of that.
built() {
    [ -z "$BOOTSTRAP" ] || { cp "$BOOTSTRAP" $dir/bootstrap && return; }
    goal="all zip" from=build/handlers/core
    command -v zip >/dev/null || goal=all
    make -s B=$from CFLAGS="${CFLAGS:--Os -Werror}" "$@" $goal >$dir/zip.txt \
        2>$dir/make.err || {
        cat $dir/make.err
        return 1
    }
    case " $*" in
    *' HOSTED=1'*) cp $from/hosted/bootstrap $dir/bootstrap ;;
    *) cp $from/bootstrap $dir/bootstrap ;;
    esac
    [ "$goal" != all ] || return 0
    bytes=$(sed -n '1s/.*zip: \([0-9]*\) bytes.*/\1/p' $dir/zip.txt)
    for argument; do
        case $argument in
        HANDLER=*) source=${argument#*=} ;;
        esac
    done
    echo "$source: a zip of $bytes bytes"
    weighs "$source" "$bytes"
}

# serve OPTION...: starts the local Lambda; $url is where it answers.
serve() {
    stop_serving
    : >$dir/log
    build/lambda --port 0 --runtime-api 127.0.0.1:0 \
        ${LLVM_PROFILE_FILE:+--env LLVM_PROFILE_FILE} "$@" -- $dir/bootstrap >$dir/log 2>&1 &
    serving=$!
    until grep -q 'listening on' $dir/log; do
        kill -0 $serving || exit 1
        sleep 0.1
    done
    url=$(sed -n 's,.*listening on \(http://127.0.0.1:[0-9]*\).*,\1,p' $dir/log)
}
stop_serving() {
    [ -z "$serving" ] || { kill $serving && wait $serving; } 2>/dev/null
    serving=
}

# get PATH OPTION...: the body goes to $dir/body, the head to $dir/head.
get() {
    path=$1
    shift
    curl -sS --path-as-is -D $dir/head -o $dir/body "$@" "$url$path"
}
# What the last answer had. Header names in any case.
status() {
    [ "$(sed -n '1s/[^ ]* \([0-9]*\).*/\1/p' $dir/head)" = "$1" ] || {
        sed -n 1p $dir/head
        false
    }
}
header() {
    grep -i "^$1:" $dir/head | cut -d ' ' -f 2- | tr -d '\r' >$dir/values
    [ "$(cat $dir/values)" = "$2" ] || {
        cat $dir/values
        false
    }
}
body() {
    [ "$(cat $dir/body)" = "$1" ] || {
        cat $dir/body
        false
    }
}
# answers NAME STATUS BODY PATH OPTION...
answers() {
    of=$1 expected=$2 text=$3
    shift 3
    : >$dir/body
    get "$@"
    ok "$of: status $expected" status "$expected"
    ok "$of: body" body "$text"
}
not() { ! "$@"; }
contains() {
    case $1 in
    *"$2"*) ;;
    *) echo "$1" && false ;;
    esac
}
