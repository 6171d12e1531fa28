#!/bin/sh
# The same answers everywhere: plays all transcripts against the production
# binary, hosted builds by gcc and by clang, and the production binary for
# arm64, emulated. Each case must pass, and what the runtime sent and wrote on
# stderr must be, byte for byte, what the production binary did. The player
# writes {port} and {time} for what these are; nothing else is let pass.
# Run after `make test`, which builds the player.
dir=build/same
passed=0 failed=0 skipped=0

# play NAME BOOTSTRAP 'PLAYER OPTIONS' MAKE-ARGUMENTS...: builds a copy of the
# project, plays it, and compares it with the first that was played.
play() {
    tree=$dir/$1 record=$dir/$1.txt bootstrap=$2 options=$3 name=$1
    shift 3
    rm -rf $tree && mkdir -p $tree/test/handlers
    cp Makefile ./*.c ./*.h $tree && cp test/hello.c test/deep.mk $tree/test &&
        cp test/handlers/*.c $tree/test/handlers
    if ! (cd $tree && MAKEFLAGS= make -s "$@" $bootstrap \
        build/test/puppet.plain build/test/hello.plain); then
        echo "FAIL $name: not built"
        failed=$((failed + 1))
        return
    fi
    build/test/wire -j 4 $options --record $record \
        --bin puppet=$tree/build/test/puppet.plain \
        --bin hello=$tree/build/test/hello.plain \
        $tree/$bootstrap test/wire/*.txt README.md >$dir/report
    sed '$d' $dir/report
    set -- $(tail -n 1 $dir/report)
    [ "$2" = passed, ] || set -- 0 '' 1
    passed=$((passed + $1)) failed=$((failed + $3))
    skipped=$((skipped + ${5:-0}))
    compare $record
}

# Lines are "SCRIPT:LINE: CASE", a tab, and what was sent.
compare() {
    LC_ALL=C awk -F '\t' -v build="$name" '
        NR == FNR { first[$1] = $2; next }
        !($1 in first) { next }
        first[$1] == $2 { same++; next }
        {
            other++
            for (i = 1; substr(first[$1], i, 1) == substr($2, i, 1);)
                i++
            from = i > 40 ? i - 40 : 1
            printf "FAIL %s: %s\n", build, $1
            printf "  character %d of its transcript\n", i
            printf "    %s\n", substr(first[$1], from, 80)
            printf "    %s\n", substr($2, from, 80)
        }
        END {
            printf "%s: the same in %d cases, not in %d\n", build, same, other
            exit other > 0
        }' $dir/production.txt $1 || failed=$((failed + 1))
}

has() {
    for tool; do
        if ! command -v $tool >/dev/null; then
            echo "skipped: $tool: not here"
            skipped=$((skipped + 1))
            return 1
        fi
    done
}

mkdir -p $dir
play production bootstrap '' CC=${CC:-cc}
has gcc && play hosted-gcc build/hosted/bootstrap --no-limits HOSTED=1 CC=gcc
has clang &&
    play hosted-clang build/hosted/bootstrap --no-limits HOSTED=1 CC=clang
has aarch64-linux-gnu-gcc qemu-aarch64 &&
    play arm64 bootstrap '--under qemu-aarch64' CC=aarch64-linux-gnu-gcc
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
