#!/bin/sh
# What goes into function.zip.
#
#     pack.sh list STAMP BOOTSTRAP [FILE]...
#         refuses files that a zip must not hold; STAMP changes when they do
#     pack.sh zip ZIP BOOTSTRAP [FILE]...
#         with REPORT=, a file for what is inside; LIBRARIES=, a folder of shared
#         libraries for a binary with a C library
#     pack.sh strip FROM TO
#         as the zip holds it
#
# Only names, bytes and modes count: not when, where and by whom it is made.
refuse() {
    echo "rawstream: $1" >&2
    exit 1
}

# The files of a FILES=, a line each.
files() {
    [ $# -eq 0 ] || find -L "$@" -type f | sed 's,^\(\./*\)*,,; s,//*,/,g' |
        LC_ALL=C sort -u
}

list() {
    stamp=$1 bootstrap=$2
    shift 2
    for file; do
        case /$file/ in
        //*) refuse "FILES: $file: a name inside this folder was expected" ;;
        */../*) refuse "FILES: $file: a name without .. was expected" ;;
        esac
        [ -e "$file" ] || refuse "FILES: there is no $file"
        [ -r "$file" ] || refuse "FILES: $file cannot be read"
    done
    ! files "$@" | grep -qx bootstrap ||
        refuse 'FILES: bootstrap is the name of the program itself'
    {
        echo "$bootstrap $*"
        files "$@" | while IFS= read -r file; do
            cksum "$file"
            [ ! -x "$file" ] || echo 'may be executed'
        done
    } >"$stamp.new"
    if [ "$(cat "$stamp.new")" = "$(cat "$stamp" 2>/dev/null)" ]; then
        rm "$stamp.new"
    else
        mv "$stamp.new" "$stamp"
    fi
}

# strip FROM TO: without symbols and, where a tool can do that, without the table
# of sections, which nothing reads that runs it.
strip() {
    for tool in $(cd /usr/bin && ls llvm-objcopy llvm-objcopy-* 2>/dev/null); do
        $tool --strip-sections "$1" "$2" 2>/dev/null && return
    done
    for prefix in $TRIPLE- ''; do
        ${prefix}objcopy --strip-section-headers "$1" "$2" 2>/dev/null && return
    done
    for tool in "$TRIPLE-strip" strip llvm-strip; do
        command "$tool" -s -o "$2" "$1" 2>/dev/null && return
    done
    echo 'no strip or objcopy here (Debian: binutils or llvm): symbols are packed, too' >&2
    cp "$1" "$2"
}

# add FROM AS: into the folder that is to be zipped.
add() {
    [ ! -e "$dir/root/$2" ] || refuse "two files for the zip are named $2"
    mkdir -p "$dir/root/$(dirname "$2")" && cp "$1" "$dir/root/$2" || exit 1
    mode=0644
    [ ! -x "$1" ] || mode=0755
    chmod $mode "$dir/root/$2" && TZ=UTC touch -t 198001010000 "$dir/root/$2"
}

# Adds what is named on standard input, in that order.
compress() { (cd "$dir/root" && TZ=UTC zip -q -9 -X "$dir/zip.zip" -@); }

pack() {
    zip=$1 bootstrap=$2
    shift 2
    command -v zip >/dev/null ||
        refuse 'make zip needs the program zip (Debian: zip)'
    dir=$(mktemp -d) || exit 1
    trap 'rm -rf "$dir"' EXIT
    strip "$bootstrap" "$dir/bootstrap" && chmod 0755 "$dir/bootstrap" &&
        add "$dir/bootstrap" bootstrap
    echo bootstrap | compress || exit 1
    # It finds a shorter coding of the same bytes, and takes long for more.
    if [ -n "$LIBRARIES" ]; then
        :
    elif command -v advzip >/dev/null; then
        advzip -q -z -4 -i 100 "$dir/zip.zip"
    else
        echo 'no advzip here (Debian: advancecomp): about 4 % larger than need be' >&2
    fi
    for library in "${LIBRARIES:-/nothing}"/*; do
        [ ! -e "$library" ] || add "$library" "lib/${library##*/}"
    done
    files "$@" | while IFS= read -r file; do
        add "$file" "$file"
    done || exit 1
    rest=$(cd "$dir/root" && find . -type f | sed 's,^\./,,' |
        LC_ALL=C sort | grep -vx bootstrap)
    [ -z "$rest" ] || echo "$rest" | compress || exit 1
    cp "$dir/zip.zip" "$zip.new" && mv -f "$zip.new" "$zip" || exit 1
    [ -z "$REPORT" ] || {
        echo "$zip: $(wc -c <"$zip") bytes; inside, unpacked:"
        cd "$dir/root" && printf 'bootstrap\n%s\n' "$rest" |
            while IFS= read -r file; do
                [ -z "$file" ] ||
                    printf '%10d  %s\n' "$(wc -c <"$file")" "$file"
            done
    } >"$REPORT"
}

what=$1
shift
case $what in
list) list "$@" ;;
zip) pack "$@" ;;
strip) strip "$@" ;;
esac
