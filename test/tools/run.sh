#!/bin/sh
# Runs tests, each argument a command or `NAME: COMMAND`, and adds up the counts
# that they end with: "N passed, N failed", perhaps ", N skipped". What ends
# without such a line, or fails without saying so, counts as one failure.
#
# A line when a test begins, and its output when it has ended. On a terminal a
# test is told by TEST_PROGRESS that it may write to descriptor 3, behind a
# carriage return, how far it is.
passed=0 failed=0 skipped=0
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
now() { date +%s; }
if [ -t 1 ]; then
    exec 3>&1
    export TEST_PROGRESS=yes
fi
for test; do
    command=${test#*: }
    printf '%s\n' "${test%%: *}"
    begin=$(now)
    sh -c "$command" >$output 2>&1 </dev/null
    status=$?
    took=$(($(now) - begin))
    [ -z "$TEST_PROGRESS" ] || printf '\r                    \r' >&3
    counts=$(sed -n -e 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2 0/p' \
        -e 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' \
        $output | tail -n 1)
    sed -e 's/^/    /' -e "\$s/ failed\$/ failed  ($took s)/" \
        -e "\$s/ skipped\$/ skipped  ($took s)/" $output
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
