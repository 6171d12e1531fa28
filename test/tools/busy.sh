#!/bin/sh
# `make test` on a CPU that it shares with a process that spins: busy.sh
# [MAKE-ARGUMENT]...
if ! command -v taskset >/dev/null; then
    echo 'no program taskset here: on any CPU, beside nothing'
    exec make -s test "$@"
fi
cpu=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
taskset -c $cpu sh -c 'while :; do :; done' &
spinning=$!
trap 'kill $spinning' EXIT
taskset -c $cpu make -s test "$@"
