#!/bin/sh
# Fuzzes: run.sh SECONDS TARGET... divides its time evenly. An input that shows
# a fault is kept in build/fuzz/found/. FUZZ_SEED=N tries others.
cd "$(dirname "$0")/../.." || exit 1
each=$(($1 / ($# - 1))) seed=${FUZZ_SEED:-20261122} passed=0 failed=0
shift
[ $each -gt 0 ] || each=1
mkdir -p build/fuzz/found
cat test/fuzz/*.dict >build/fuzz/dictionary
for target; do
    corpus=build/fuzz/corpus/$target log=build/fuzz/$target.log
    mkdir -p $corpus
    build/fuzz/$target.replay --unpack $corpus $(ls 2>/dev/null \
        build/fuzz/lists/$target.txt test/fuzz/*/$target.txt)
    build/fuzz/$target.fuzzer -seed=$seed -max_total_time=$each -max_len=1000 \
        -timeout=300 -dict=build/fuzz/dictionary -artifact_prefix=build/fuzz/found/$target- \
        -print_final_stats=1 $corpus >$log 2>&1
    status=$?
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' $log)" \
        "executions, $(sed -n 's/.* ft: \([0-9]*\) .*/\1/p' $log | tail -n 1)" \
        "features, seed $seed"
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        grep -v '^#' $log | grep -v '^stat::'
        echo "to keep it: build/fuzz/$target.replay --pack FILE" \
            ">>test/fuzz/crashes/$target.txt"
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
