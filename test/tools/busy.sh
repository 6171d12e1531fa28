#!/bin/sh
# `make test` on a CPU that it shares with a process that spins.
if ! command -v taskset >/dev/null; then
    echo 'skipped: busy: no program taskset here'
    echo '0 passed, 0 failed, 1 skipped'
    exit
fi
cpu=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
taskset -c $cpu sh -c 'while :; do :; done' &
spinning=$!
trap 'kill $spinning' EXIT
taskset -c $cpu make -s test
