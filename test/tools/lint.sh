#!/bin/sh
# Static analysis of the product and of its tests: each tool with each file is
# a case, and what it says fails it. `sh test/tools/lint.sh TOOL FILE` runs one.
C11='-std=c11 -D_POSIX_C_SOURCE=200809L -I.'
# What is asked of this project, and two that the house style adds: no GNU
# extensions (-Wpedantic), nothing dead (-Wunused-macros).
WARNINGS='-Wall -Wextra -Wconversion -Wshadow -Wcast-qual -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wundef -Werror -Wpedantic -Wunused-macros'

# none GREP-ARGUMENTS: prints the lines that match, and fails if there are any.
none() { ! grep -nE "$@"; }

# The rules of the house that a text shows.
text_rules() {
    none ".{81}|[[:space:]]\$|$(printf '\t')" "$1" # columns
    none '^typedef |^#if 0|TODO|FIXME|XXX' "$1"
    none '/\*[*=~-]|^ \* ?[*=~#-]{4}' "$1" # banners
    # A tool is silenced about one thing by its name, and for a reason.
    grep -nE 'NOLINT|cppcheck-suppress|# *pragma' "$1" |
        grep -vE 'NOLINT(NEXTLINE)?\([a-zA-Z.*-]+\): [a-z]' |
        grep -vE 'cppcheck-suppress [a-zA-Z]+ ; [a-z]|# *pragma .*/\* [a-z]'
    # Functions of one screen: from the line of the brace to that of its end.
    awk '/^{/ { from = NR }
        /^}/ && from && NR - from - 1 > 70 {
            print from ": a function of " NR - from - 1 " lines" }
        /^}/ { from = 0 }' "$1"
}

# symbols FILE OWN USED: the names that the object of the file defines, and
# that it uses without defining them, all match; no static name looks public.
symbols() {
    object=build/lint/$1.o
    gcc $C11 -c -o "$object" "$1" && nm "$object" >"$object.names" || return
    sed -n 's/.* [TDBRC] //p' "$object.names" | none -vE "^($2)"
    sed -n 's/.* U //p' "$object.names" | none -vxE "$3"
    sed -n 's/.* [tdbr] //p' "$object.names" | none '^(http|json|handler)_'
}

# includes FILE HEADERS: which headers of the project it may name.
includes() { grep -n '#include "' "$1" | none -vE "\"($2)\""; }

# Who may know whom; also, no heap and no stdio. A result is tested for < 0.
layer_rules() {
    memory='mem(chr|cmp|cpy|move|set)|str(cmp|len)'
    clock='clock_gettime|nanosleep'
    kernel='__errno_location|read|sigaction'
    case $1 in
    http.c)
        includes "$1" 'http\.h'
        symbols "$1" http_ "$memory|$kernel|close|connect|fcntl|getsockopt|\
poll|setsockopt|socket|writev"
        ;;
    json.c)
        includes "$1" 'json\.h'
        symbols "$1" json_ "$memory"
        ;;
    handler.c) symbols "$1" handler_ "$memory|$clock|(http|json|lambda)_.*" ;;
    bootstrap.c)
        symbols "$1" 'main$|lambda_' "$memory|$clock|\
$kernel|_exit|openat|write|(get|set|unset)env|(http|json|handler)_.*|\
close|fcntl|fork|getpid|getppid|kill|pipe|prctl|waitpid"
        ;;
    http.h) includes "$1" 'json\.h' ;; # what a handler reads
    *.h) includes "$1" '' ;;
    esac
    none '[!=]= -1|goto [^o]' "$1"
}

# run TOOL FILE: what the tool has to say.
run() {
    case $1 in
    clang-tidy)
        # Paths through tests are looked at for a third as long as is usual:
        # it takes a third of the time.
        less=
        case $2 in
        */*) less='-Xclang -analyzer-config -Xclang max-nodes=75000' ;;
        esac
        clang-tidy --quiet "$2" -- $C11 $less 2>/dev/null
        ;;
    no-recursion)
        clang-tidy --quiet --checks=-*,misc-no-recursion "$2" -- $C11 2>/dev/null
        ;;
    # Without -O: of the code as it is written. What realloc() moved is freed
    # twice, says gcc 12, and what is pointed into is lost: clang-tidy sees to
    # that.
    analyzer)
        gcc $C11 -fanalyzer -Wno-analyzer-double-free \
            -Wno-analyzer-malloc-leak -S -o /dev/null "$2"
        ;;
    gcc | clang) $1 $C11 $WARNINGS -O2 -S -o /dev/null "$2" ;;
    gcc-without-libc | clang-without-libc)
        ${1%-without-libc} $C11 $WARNINGS -O2 -ffreestanding -S -o /dev/null "$2"
        ;;
    cppcheck)
        # What it knows of POSIX is wrong where only tests go: mmap() of -1.
        posix=--library=posix
        case $2 in */*) posix= ;; esac
        cppcheck -q --std=c11 $posix -I. --inline-suppr \
            --error-exitcode=1 --enable=warning,performance,portability "$2"
        ;;
    clang-format) clang-format --dry-run -Werror "$2" ;;
    sh) sh -n "$2" ;;
    # Words are split on purpose (SC2046, SC2086), VARIABLE= before a command
    # empties it for that command (SC1007), \' is a backslash (SC1003), and what
    # comes after `a && b ||` is for both (SC2015).
    shellcheck) shellcheck -x -e SC1003,SC1007,SC2015,SC2046,SC2086 "$2" ;;
    text) text_rules "$2" ;;
    layers) layer_rules "$2" ;;
    top) git ls-files | sed 's,/.*,,' | sort -u | none -vxE "\..*|$2" ;;
    esac
}

[ $# -eq 0 ] || { run "$@"; exit; }

passed=0 failed=0 skipped=0
skip() {
    skipped=$((skipped + 1))
    echo "skipped: $1: $2"
}

# cases PROGRAM TOOL FILES...: a line for each, where there is the program.
cases() {
    program=$1 tool=$2
    shift 2
    if command -v "$program" >/dev/null; then
        for file; do echo "$tool $file"; done >>$dir/cases
    else
        skip "$tool" "no $program here"
    fi
}

dir=build/lint
rm -rf $dir && mkdir -p $dir || exit 1
product='bootstrap.c http.c json.c handler.c'
headers='http.h json.h'
# The largest first: none of those is left for the end, when the others are done.
sources=$(ls -S $product $(find test -name '*.c'))
for header in curl/curl.h zlib.h; do
    if ! echo "#include <$header>" | cc -E - >/dev/null 2>&1; then
        skip "what needs $header" 'it is not here'
        sources=$(grep -L "<$header>" $sources)
    fi
done
texts="$sources $headers $(find test -name '*.h')"
scripts=$(find test -name '*.sh')
cases clang-tidy clang-tidy $sources
cases gcc analyzer $sources
# Not http.c: a stream's text that is full is sent, the first time with a head
# before it, which is text of no stream.
cases clang-tidy no-recursion bootstrap.c json.c handler.c
for compiler in gcc clang; do
    cases $compiler $compiler $sources
    cases $compiler $compiler-without-libc $product
done
cases cppcheck cppcheck $sources
cases clang-format clang-format $texts
cases shellcheck shellcheck $scripts .ci/run
cases sh sh $scripts
cases grep text $texts
cases nm layers $product $headers
if git ls-files >$dir/tracked 2>&1; then
    cases git top 'Makefile|README.md|bootstrap.c|(http|json).[ch]|handler.c|test'
else
    skip top 'no git, or not a repository of this user'
fi

# What each of them says, in a file of its own; and at last how it ended.
# shellcheck disable=SC2016 # the shell that xargs starts expands it
xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 2 sh -c '
    log="build/lint/$(echo "$*" | tr "/ " --).log"
    sh test/tools/lint.sh "$@" >"$log" 2>&1 || echo "status $?" >>"$log"
' sh <$dir/cases

while read -r tool file; do
    log="$dir/$(echo "$tool $file" | tr '/ ' --).log"
    if [ -f "$log" ] && [ ! -s "$log" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $tool $file"
        sed 's/^/    /' "$log"
    fi
done <$dir/cases
if [ $skipped -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ $failed -eq 0 ]
