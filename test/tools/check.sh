#!/bin/sh
# check.sh BINARY NAME: whether the entry of bootstrap.c can start what was
# linked without a C library. If not, says why in one line and removes it.
binary=$1 name=$2
refuse() {
    echo "rawstream: $name was linked, but $1" >&2
    rm -f "$binary"
    exit 1
}

for readelf in readelf llvm-readelf \
    "$($CC -print-prog-name=llvm-readelf 2>/dev/null)" ''; do
    command -v "$readelf" >/dev/null && break
done
[ -n "$readelf" ] || refuse 'cannot be checked: there is no program readelf (Debian: binutils or llvm)'
report=$($readelf -hldrsW "$binary" 2>&1) || refuse "$(echo "$report" | head -n 1)"
has() { echo "$report" | grep -Eq "$1"; }

# A linker that cannot read the objects that gcc makes with -flto leaves all
# out, and warns.
has '^ *LOAD .* R E ' && ! has 'Entry point address: *0x0$' ||
    refuse "is empty: the linker could not read what gcc makes with -flto (remove -fuse-ld= from LDFLAGS, or add -fno-lto to CFLAGS)"
! has '^ *INTERP ' || refuse 'wants a dynamic loader'
entry=$(echo "$report" | sed -n 's/.*Entry point address: *0x//p')
start=$(echo "$report" | sed -n 's/.*: 0*\([0-9a-f]*\) .* _start$/\1/p' | head -n 1)
[ "$entry" = "${start:-$entry}" ] || refuse "its entry is not _start"
library=$(echo "$report" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p')
[ -z "$library" ] || refuse "wants a shared library: $library"
! has '^ *TLS ' ||
    refuse 'has a _Thread_local variable, which needs a C library: make HOSTED=1'
! has '\((TEXTREL|RELR)\)' ||
    refuse 'has relocations in read-only memory, or packed ones (RELR), which nobody processes'
kind=$(echo "$report" | grep -oE 'R_(X86_64|AARCH64)_[A-Z0-9_]+' |
    grep -v '_RELATIV' | head -n 1)
[ -z "$kind" ] || refuse "has a relocation of the kind $kind, which nobody processes"
