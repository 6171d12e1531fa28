#!/bin/sh
# Lines and branches of the product that its tests reach, and MC/DC: that each
# condition has decided by itself. Whatever is below 100 % fails, and is shown.
clang=clang-22 version=-22
command -v $clang >/dev/null || {
    echo "skipped: coverage: no $clang here: an older one cannot count what a signal ends"
    echo '0 passed, 0 failed, 1 skipped'
    exit
}
dir=build/coverage
rm -rf $dir/profiles && mkdir -p $dir/profiles
# Forked processes share their counters.
flags='-fprofile-instr-generate -fprofile-update=atomic -fcoverage-mapping -fcoverage-mcdc -Wno-pgo-coverage'
make -s B=$dir CC=$clang SANITIZE="$flags -fprofile-continuous" \
    $dir/test/json_test $dir/test/http_test $dir/test/log_test \
    $dir/fault/fault $dir/fault/pacing $dir/test/bootstrap.checked $dir/test/puppet.checked \
    $dir/test/hello.checked || exit 1
set -- $dir/test/json_test $dir/test/http_test "$dir/test/log_test 8000" \
    $dir/fault/fault $dir/fault/pacing \
    "python3 test/workers/workers_test.py $dir/test/bootstrap.checked \
     $dir/test/puppet.checked build/lambda" \
    "python3 test/workers/workers_test.py --fault $dir/test/bootstrap.checked \
     $dir/test/puppet.checked build/lambda" \
    "build/test/wire -j 4 --no-limits --bin puppet=$dir/test/puppet.checked \
     --bin hello=$dir/test/hello.checked $dir/test/bootstrap.checked \
     test/wire/*.txt test/wire/README.md" \
    "sh test/wire/by-hand.sh $dir/test/bootstrap.checked $dir/test/puppet.checked"
# A folder for each test: numbers of processes come again.
n=0
for test; do
    n=$((n + 1))
    LLVM_PROFILE_FILE=$PWD/$dir/profiles/$n/%c%p-%m.profraw \
        sh -c "$test" >$dir/log 2>&1 || { cat $dir/log; echo "coverage: $test"; exit 1; }
done
llvm-profdata$version merge -failure-mode=all -o $dir/all.profdata $dir/profiles/* 2>$dir/log || { cat $dir/log; exit 1; }
set -- $dir/test/bootstrap.checked
for object in test/puppet.checked test/hello.checked test/json_test test/http_test \
    test/log_test fault/fault fault/pacing; do
    set -- "$@" -object $dir/$object
done
sources='http.c json.c bootstrap.c handler.c'
llvm-cov$version report "$@" -instr-profile=$dir/all.profdata $sources \
    --show-branch-summary --show-mcdc-summary 2>/dev/null >$dir/report
# Its columns, from the name on: in fours (threes for functions, lines and the
# rest) how many there are, how many were missed, and the percentage.
awk 'BEGIN { print "                    lines  missed  branches  missed  conditions  missed" }
    $1 ~ /\.c$/ {
        printf "%-16s %8d%8d%10d%8d%12d%8d\n", $1, $8, $9, $11, $12, $14, $15
        $9 + $12 + $15 ? failed++ : passed++
    }
    END {
        failed += 4 - passed - failed # a source that has no row
        printf "%d passed, %d failed\n", passed, failed
        exit failed > 0
    }' $dir/report
status=$?
[ $status -eq 0 ] || llvm-cov$version show "$@" -instr-profile=$dir/all.profdata \
    $sources --show-branches=count --show-mcdc 2>/dev/null |
    grep -E -B 3 '^ +[0-9]+\| +0\||(True|False): 0[],]|MC/DC Coverage for.* ([0-9]|[0-9][0-9])\.' |
    head -n 200
exit $status
