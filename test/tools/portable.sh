#!/bin/sh
# portable.sh DIR ARCH LINK...: links DIR/bootstrap, with a C library, so that it
# needs nothing of the machine where it runs: Lambda's has an older C library
# than most and few others. LINK is a compiler's command without -o.
#
# It is linked statically where that works. Where a library has no archive, or
# loads others while it runs (as glibc does for dlopen() and to look up host and
# user names), the shared libraries and their loader go into DIR/lib, which
# stands for /var/task/lib.
dir=$1 arch=$2
shift 2
refuse() {
    echo "rawstream: $1" >&2
    exit 1
}
say() { echo "rawstream: $1" >&2; }

rm -rf "$dir" && mkdir -p "$dir" || exit 1
binary=$dir/bootstrap

why='a library has no archive'
if "$@" -static -o "$binary" 2>"$dir/log"; then
    # glibc's linker warnings name the functions. musl's archive has none, and
    # of its functions only dlopen() does not work.
    loads=$(sed -n "s/.*Using '\(.*\)' in statically linked.*/\1/p" "$dir/log" | head -n 1)
    symbols=$(readelf -sW "$binary" 2>/dev/null | sed 's/.* //')
    if echo "$symbols" | grep -qx __init_libc; then
        loads=$(echo "$symbols" | grep -x dlopen)
    elif [ -z "$loads" ]; then
        loads=$(echo "$symbols" | grep -x -m 1 '__nss_module_load')
    fi
    if [ -z "$loads" ]; then
        rm "$dir/log"
        exit
    fi
    why="$loads() loads libraries while it runs"
fi
rm -f "$dir/log" "$binary"

[ -z "$arch" ] || refuse "ARCH=$arch HOSTED=1 zip: $why, so that shared libraries would have to go into it: make it on such a machine"
"$@" -o "$binary" || exit 1

# What a loader says that it would load: NAME => PATH, and its own path.
ldd "$binary" >"$dir/libraries" || refuse 'ldd does not tell what it loads'
missing=$(sed -n 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p' "$dir/libraries" | head -n 1)
[ -z "$missing" ] ||
    refuse "$missing is not found when it starts: add -Wl,-rpath,FOLDER to LDFLAGS"
loader=$(sed -n 's/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' "$dir/libraries" | head -n 1)
mkdir "$dir/lib" && cp -L "$loader" "$dir/lib" || exit 1
set -- "$@" -Wl,--no-as-needed
while read -r name arrow path rest; do
    [ "$arrow" = '=>' ] && [ -f "$path" ] || continue
    cp -L "$path" "$dir/lib/$name" || exit 1
    [ "$path" = "$loader" ] || set -- "$@" "$path"
done <"$dir/libraries"
# glibc before 2.34 looks up names by these, which it loads by itself.
minor=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc 2\.\([0-9]*\).*/\1/p')
if [ "${minor:-99}" -lt 34 ]; then
    libc=$(sed -n 's/.*libc\.so\.6 => \([^ ]*\) .*/\1/p' "$dir/libraries")
    for name in libnss_files.so.2 libnss_dns.so.2 libresolv.so.2; do
        [ ! -e "${libc%/*}/$name" ] || cp -L "${libc%/*}/$name" "$dir/lib" || exit 1
    done
fi
rm "$dir/libraries"

# DT_RPATH and not DT_RUNPATH: it comes before Lambda's LD_LIBRARY_PATH, which
# begins with /lib64. All libraries are named, since one that has a DT_RUNPATH
# of its own would look there for those that it needs. $ORIGIN is not known to
# the loader where there is no /proc.
"$@" -Wl,--disable-new-dtags "-Wl,-rpath,\$ORIGIN/lib:/var/task/lib" \
    "-Wl,--dynamic-linker,/var/task/lib/${loader##*/}" \
    -o "$binary" || exit 1
say "$why: shared libraries go into the zip"
