#!/bin/sh
# Plays inputs that are known to the targets: replay.sh TARGET...
for target; do
    command=build/fuzz/$target.replay
    for list in build/fuzz/lists/$target.txt test/fuzz/*/"$target.txt"; do
        [ ! -e $list ] || command="$command $list"
    done
    set -- "$@" "$target: $command"
    shift
done
exec sh test/tools/run.sh "$@"
