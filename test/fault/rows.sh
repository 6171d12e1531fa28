#!/bin/sh
# Each promise in rows.txt has cases, and each case that it names is there.
cases=build/fault/cases
cat test/wire/*.txt test/wire/README.md | sed -n 's/^case //p' >$cases
while IFS= read -r line; do
    case $line in
    '' | '#'*) ;;
    '    wire: '*)
        echo case
        grep -qxF -- "${line#    wire: }" $cases || echo "missing:$line"
        ;;
    '    '*)
        echo case
        line=${line#    }
        grep -qF -- "${line#*: }" "${line%%: *}" || echo "missing: $line"
        ;;
    *) echo "promise $line" ;;
    esac
done <test/fault/rows.txt | awk '
    function settle() {
        if (promise != "" && (!good || bad)) { failed++; print "FAIL " promise }
        else if (promise != "") passed++
        good = bad = 0
    }
    /^promise / { settle(); promise = substr($0, 9) }
    /^case/ { good = 1 }
    /^missing/ { bad = 1; print }
    END { settle(); printf "%d passed, %d failed\n", passed, failed
          exit failed > 0 }'
