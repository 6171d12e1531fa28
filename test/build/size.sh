#!/bin/sh
# What the runtime weighs, in bytes, and whether it keeps to its budget:
# size.sh BOOTSTRAP STRIPPED ZIP HELLO-ZIP BUDGET HELLO-BUDGET
# STRIPPED is what the zip holds. The budget is that of gcc 12 and advzip: what
# is made without them is printed and not judged.
for tool in size nm; do
    command -v $tool >/dev/null || {
        echo "make size needs the program $tool" >&2
        exit 1
    }
done

row() { printf '%-24s %8d\n' "$@"; }

size "$1" | tail -n 1 | {
    read -r text data bss rest
    row text "$text" data "$data" bss "$bss"
}
row 'in the zip: bootstrap' "$(wc -c <"$2")"
echo
nm -S --size-sort -r -t d "$1" | grep -i ' t ' | head -n 10 |
    awk '{ printf "%-24s %8d\n", $4, $2 }'
echo

passed=0 failed=0 skipped=0
# budget NAME ZIP BYTES
budget() {
    bytes=$(wc -c <"$2")
    row "$1" "$bytes"
    case $(command -v advzip)$(${CC:-cc} -dumpversion)$(${CC:-cc} --version) in
    */advzip12*'Free Software'*) ;;
    *)
        skipped=$((skipped + 1))
        return
        ;;
    esac
    if [ "$bytes" -le "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1: over its budget of $3 bytes"
    fi
}
budget 'zip' "$3" "$5"
budget 'zip with test/hello.c' "$4" "$6"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
