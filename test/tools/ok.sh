#!/bin/sh
# Counts, for the tests that source it.
passed=0 failed=0 skipped=0

# ok NAME COMMAND...: it succeeds.
ok() {
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
    fi
    [ -z "$TEST_PROGRESS" ] || printf '\r    %s ' $((passed + failed)) >&3
}
skip() {
    skipped=$((skipped + 1))
    echo "skipped: $1"
}
# The last line, and the exit status.
finish() {
    if [ $skipped -gt 0 ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
    [ $failed -eq 0 ]
}
