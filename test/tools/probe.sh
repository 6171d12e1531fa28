#!/bin/sh
# probe.sh COMPILE LINK LDFLAGS: whether compiler, headers and linker can build this at
# all, with a program of two lines. If not, says in one line what is missing.
# KIND is `free` for a program without a C library.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
tools=$(dirname "$0")

refuse() {
    why=$(grep -m 1 -iE 'error|cannot|not found|invalid|unrecognized' "$dir/log" ||
        head -n 1 "$dir/log")
    case $why in
    *[[:alnum:]].h*) package=', Debian: libc6-dev, for arm64 libc6-dev-arm64-cross' ;;
    *lld*) package=', Debian: lld' ;;
    *cannot\ find\ -l* | *crt1.o* | *crti.o*) package=', Debian: libc6-dev' ;;
    *"cannot execute"* | *"'as'"* | *"'ld'"*) package=', Debian: gcc and binutils' ;;
    *) package= ;;
    esac
    echo "rawstream: this cannot be $1 here ($why$package)" >&2
    exit 1
}

if [ "$KIND" = free ]; then
    entry='_Noreturn void _start(void); void _start(void) { for (;;); }'
else
    entry='int main(void) { return 0; }'
fi
printf '%s\n' '#include <errno.h>' '#include <stdlib.h>' "$entry" >"$dir/probe.c"
# The words are those of a command line, with quotes in them.
eval "$1"' -c -o "$dir/probe.o" "$dir/probe.c" >"$dir/log" 2>&1' || refuse compiled
eval "$2"' -o "$dir/probe" "$dir/probe.o" '"$3"' >"$dir/log" 2>&1' || refuse linked
[ "$KIND" != free ] || sh "$tools/check.sh" "$dir/probe" 'a program of two lines'
