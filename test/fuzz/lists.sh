#!/bin/sh
# Prints a list of inputs for a fuzz target, in the form that replay.c reads,
# from the data of other tests: lists.sh http|json
cd "$(dirname "$0")/../unit" || exit 1
if [ "$1" = json ]; then
    sed -n 's/^accept //p; s/^reject [0-9]* //p' json-cases.txt
    exit
fi
sed -n 's/.*"bytes_b64": *"\([^"]*\)".*/\1/p' http-responses.jsonl |
    while read -r bytes; do
        [ ${#bytes} -gt 6000 ] ||
            printf '%%%s\n' "$(printf %s "$bytes" | base64 -d | od -An -v -tx1 |
                tr -d '\n' | sed 's/^ //; s/ /%/g')"
    done
