#!/bin/sh
# Runs tests, each argument a command, and adds up the counts that they end
# with: "N passed, N failed", perhaps ", N skipped". What ends without such a
# line, or fails without saying so, counts as one failure.
passed=0 failed=0 skipped=0
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
for command; do
    printf '%s\n' "$command"
    sh -c "$command" >$output 2>&1 </dev/null
    status=$?
    counts=$(sed -n -e 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2 0/p' \
        -e 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' \
        $output | tail -n 1)
    sed 's/^/    /' $output
    set -- $counts
    if [ $# -lt 2 ] || { [ $status -ne 0 ] && [ "$2" -eq 0 ]; }; then
        echo "    ended with status $status"
        set -- "${1:-0}" $((${2:-0} + 1)) "${3:-0}"
    fi
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0}))
done
if [ $skipped -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ $failed -eq 0 ]
