#!/bin/sh
# Plays inputs that are known to the targets: replay.sh TARGET...
for target; do
    set -- "$@" "$target: build/fuzz/$target.replay $(ls 2>/dev/null \
        build/fuzz/lists/$target.txt test/fuzz/*/$target.txt | tr '\n' ' ')"
    shift
done
exec sh test/run.sh "$@"
