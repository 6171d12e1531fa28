#!/bin/sh
# The same answers everywhere: plays all transcripts against the production
# binary, hosted builds by gcc and by clang, and the production binary for
# arm64, emulated. Each case must pass, and what the runtime sent and wrote on
# stderr must be, byte for byte, what the production binary did. The player
# writes {port} and {time} for what these are; nothing else is let pass.
# Run after `make test`, which builds the player.
dir=build/same
passed=0 failed=0 skipped=0

# play NAME BOOTSTRAP TESTS 'PLAYER OPTIONS' MAKE-ARGUMENTS...: builds, with the
# other handlers in the folder TESTS, plays, and compares with the first played.
play() {
    name=$1 bootstrap=$2 tests=$3 options=$4 record=$dir/$1.txt
    shift 4
    if ! make -s "$@" $bootstrap $tests/puppet.plain $tests/hello.plain; then
        echo "FAIL $name: not built"
        failed=$((failed + 1))
        return
    fi
    build/test/wire -j 4 $options --record $record --bin puppet=$tests/puppet.plain \
        --bin hello=$tests/hello.plain $bootstrap test/wire/*.txt test/wire/README.md >$dir/report
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
play production bootstrap build/test ''
has gcc && play hosted-gcc $dir/gcc/hosted/bootstrap $dir/gcc/hosted/test --no-limits \
    B=$dir/gcc HOSTED=1 CC=gcc
has clang && play hosted-clang $dir/clang/hosted/bootstrap $dir/clang/hosted/test \
    --no-limits B=$dir/clang HOSTED=1 CC=clang
has aarch64-linux-gnu-gcc qemu-aarch64 &&
    play arm64 build/arm64/bootstrap build/arm64/test '--under qemu-aarch64' ARCH=arm64
play worker bootstrap build/test --worker
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
