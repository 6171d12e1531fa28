#!/bin/sh
# What `make` makes: build.sh BOOTSTRAP. Builds copies of the project under
# build/test, and reads the binary with readelf. A compiler and make are enough.
bootstrap=$1
dir=build/test/tree
. test/tools/ok.sh
# What these tests set themselves. CC and CFLAGS are those of `make test`.
unset HANDLER EVENT PORT HOSTED ARCH B V FILES LDLIBS CXX CXXFLAGS MAKELEVEL
export MAKEFLAGS=
here=$PWD

empty() { [ -z "$1" ]; }
same() { [ "$(cksum <"$1")" = "$(cksum <"$2")" ]; }
contains() {
    case $1 in
    *"$2"*) ;;
    *)
        printf 'not in this output: %s\n%s\n' "$2" "$1"
        false
        ;;
    esac
}

copy() {
    rm -rf "$1" && mkdir -p "$1/test"
    cp -R Makefile ./*.c ./*.h "$1" &&
        cp -R test/*.mk test/hello.c test/tools test/lambda test/lambda/main.c \
            test/wire test/handlers test/build/project test/deploy "$1/test"
}
in_copy() { (cd "$dir" && "$@" 2>&1); }
# Whether make, in the copy, links something. The kernel's clock for files has
# steps of some milliseconds, in which an edit cannot be seen.
builds() { contains "$(in_copy make "$@")" '  LINK  '; }
idle() { [ -z "$(in_copy make "$@")" ]; }
touches() { sleep 0.1 && touch "$@"; }
works() { in_copy make -s "$@" >/dev/null; }
prints() {
    output=$(env -u AWS_LAMBDA_RUNTIME_API "$dir/${2:-bootstrap}" </dev/null)
    contains "$output" "$1"
}
# refused WORDS MAKE-ARGUMENTS...: make fails with one line that has the words,
# beside its own, and leaves no product.
refused() {
    words=$1
    shift
    rm -f "$dir/bootstrap" "$dir/function.zip"
    if output=$(in_copy make -s "$@"); then
        echo "make $*: succeeded: $output"
        return 1
    fi
    lines=$(echo "$output" | grep -v '^make.*Error [0-9]*$')
    contains "$lines" "$words" && [ "$(echo "$lines" | wc -l)" = 1 ] &&
        [ ! -e "$dir/function.zip" ] &&
        case "$*" in *FILES=*) ;; *) [ ! -e "$dir/bootstrap" ] ;; esac
}

if [ "$bootstrap" != bootstrap ]; then
    skip 'the binary: it has a C library on this system'
elif ! command -v readelf >/dev/null; then
    skip 'the binary: no readelf here'
else
    segments=$(readelf -lW $bootstrap)
    ok 'position-independent' \
        [ "$(readelf -hW $bootstrap | grep -c 'DYN')" = 1 ]
    ok 'no interpreter' empty "$(echo "$segments" | grep INTERP)"
    ok 'no library' empty "$(readelf -dW $bootstrap | grep NEEDED)"
    # A handler's tables may need some; the word streamer has none.
    ok 'no relocations' empty "$(readelf -rW $bootstrap | grep -o 'R_[A-Z].*')"
    ok 'a stack that is not executable' \
        [ "$(echo "$segments" | grep -c 'GNU_STACK.* RW ')" = 1 ]
    ok 'no segment writable and executable' empty \
        "$(echo "$segments" | grep -e 'LOAD.* RWE ')"
fi

copy $dir
ok 'a first build' builds
ok 'nothing changed' idle
ok 'another handler' builds HANDLER=test/hello.c
ok 'and its result' prints Hello.
ok 'the same handler' idle HANDLER=test/hello.c

# One line a file, and the commands when asked for.
touches $dir/json.c
ok 'quiet' [ "$(in_copy make HANDLER=test/hello.c)" = '  CC    json.c
  LINK  bootstrap' ]
touches $dir/json.c
ok 'V=1: the commands' contains "$(in_copy make V=1 HANDLER=test/hello.c)" \
    '-c -o build/core/json.o json.c'
touches $dir/json.c
ok '-s: silent' [ -z "$(in_copy make -s HANDLER=test/hello.c)" ]

for flags in -O0 -O1 -O3 '-O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2' \
    '-Os -fno-lto' "-Os -DX='a b' -DY=\"c\""; do
    ok "CFLAGS='$flags'" builds HANDLER=test/hello.c CFLAGS="$flags"
    ok 'and its result' prints Hello.
done

# The environment counts, and the command line over it.
ok 'HANDLER of the environment' works HANDLER=handler.c
ok 'HANDLER of the environment' env HANDLER=test/hello.c sh -c \
    "cd $dir && make -s"
ok 'and its result' prints Hello.
ok 'the command line over it' env HANDLER=test/hello.c sh -c \
    "cd $dir && make -s HANDLER=handler.c"
ok 'and its result' prints '"status":"complete"'
ok 'PORT of the environment' contains "$(PORT=81 in_copy make -n serve)" \
    '--port 81 '
ok 'CFLAGS of the environment' contains \
    "$(CFLAGS=-DX_Y in_copy make -n B=elsewhere)" ' -DX_Y '
ok 'HOSTED=0 is none' works HOSTED=0
event="{\"delay\":0,\"sentence\":\"\$a 'b\"}"
ok 'EVENT' contains "$(in_copy make run EVENT="$event")" "\"data\":\"\$a\""
ok 'EVENT of the environment' contains "$(EVENT=$event in_copy make run)" "\"'b\""
echo '{"delay":0,"sentence":"from a file"}' >$dir/event.json
ok 'EVENT=@FILE' contains "$(in_copy make run EVENT=@event.json)" '"data":"file"'

# What is compiled again.
cp test/wire/trace.c $dir/mine.c
echo '#include "mine.h"' >>$dir/mine.c
touch $dir/mine.h
ok 'a C library' builds HOSTED=1 HANDLER=mine.c
ok 'a C library, again' idle HOSTED=1 HANDLER=mine.c
touches $dir/mine.h
ok "a header of the handler's" builds HOSTED=1 HANDLER=mine.c
touches $dir/json.h
ok 'a header' builds HOSTED=1 HANDLER=mine.c
rm -f $dir/mine.h
sed -i '$d' $dir/mine.c
ok 'a header that is gone' builds HOSTED=1 HANDLER=mine.c
build/lambda --invoke '{}' -- $dir/build/hosted/bootstrap >$dir/trace 2>/dev/null
ok '_X_AMZN_TRACE_ID is that of the invocation' \
    [ "$(sed -n 1p $dir/trace)" = "$(sed -n 2p $dir/trace)" ]
ok '_X_AMZN_TRACE_ID is set' [ -n "$(sed -n '/^Root=/p' $dir/trace)" ]
ok 'HOSTED=1 bootstrap' works HOSTED=1 bootstrap
object=build/native/test/lambda/base.o
ok 'an object of the local Lambda' works $object
ok 'nothing changed' idle $object
touches $dir/test/lambda/base.h
ok 'a header of its' [ "$(in_copy make $object)" = '  CC    test/lambda/base.c' ]

# What is refused: in one line, and nothing old is taken for it.
mkdir -p $dir/folder.c
for wrong in x.o /etc/hostname test nothing.c folder.c 'a handler.c' \
    test/hello; do
    ok "HANDLER='$wrong'" refused "$wrong" zip HANDLER="$wrong"
done
ok 'CC=nothing' refused 'there is no program nothing' CC=nothing
ok 'CC=nothing clean' works CC=nothing clean
ok 'ARCH=z80' refused 'x86_64 or arm64' ARCH=z80
ok "B='a b'" refused 'without a space' B='a b'
ok 'LDFLAGS=-fuse-ld=nothing' refused nothing LDFLAGS=-fuse-ld=nothing
ok 'CFLAGS=-fnothing' refused nothing CFLAGS=-fnothing
ok 'FILES=nothing' refused nothing zip FILES=nothing
ok 'FILES=../tree' refused '..' zip FILES=../tree/Makefile
ok 'FILES=/etc/hostname' refused '/etc/hostname' zip FILES=/etc/hostname
ok 'FILES=.' refused bootstrap zip FILES=.
ok 'FILES=./bootstrap' refused 'bootstrap' zip FILES=./bootstrap
if [ "$bootstrap" = bootstrap ]; then
    echo 'static _Thread_local volatile int depth;
__attribute__((constructor)) static void deeper(void) { depth++; }' >$dir/thread.c
    ok '_Thread_local' refused '_Thread_local' HANDLER='test/hello.c thread.c'
    echo 'int resolved(void); typedef int function(void);
static int one(void) { return 1; }
__attribute__((used)) static function *resolve(void) { return one; }
int resolved(void) __attribute__((ifunc("resolve")));
static volatile int result;
__attribute__((constructor)) static void call(void) { result = resolved(); }' \
        >$dir/late.c
    ok 'a relocation of another kind' refused _IRELATIV \
        HANDLER='test/hello.c late.c'
    ok 'an entry elsewhere' refused 'was linked, but' \
        LDFLAGS=-Wl,-e,handler_init
fi

# Tools that are not there: a folder of links to those that are.
bin=$here/build/test/bin
rm -rf $bin && mkdir -p $bin
for tool in sh make gcc cc as ld readelf basename cat chmod cksum cp cut dirname \
    env find grep head ls mkdir mktemp mv od printf rm sed sort tail touch tr \
    true uname wc zip; do
    path=$(command -v $tool) && case $path in
    /*) ln -s "$path" $bin/$tool ;;
    esac
done
if [ -e $bin/gcc ] && [ "$(uname -m)" = x86_64 ]; then
    ok 'without cmp and diff' env PATH=$bin CC=gcc sh -c "cd $dir && make -s"
    ok 'ARCH=arm64 without a compiler for it' env PATH=$bin CC=gcc sh -c "
        cd $dir && make ARCH=arm64 2>&1 | grep -q 'needs the program aarch64-linux-gnu-gcc'"
    rm -f $bin/readelf
    rm -f $dir/bootstrap
    ok 'without readelf' env PATH=$bin CC=gcc sh -c "
        cd $dir && make HANDLER=test/hello.c CFLAGS=-O1 2>&1 | grep -q 'no program readelf'"
    ok 'and no product' [ ! -e $dir/bootstrap ]
else
    skip 'tools that are not there: wants gcc on x86_64'
fi

# A program that runs is replaced, not written to.
ok 'to be run' works
mkfifo $dir/fifo
$dir/$bootstrap --event $dir/fifo --delay 0 >/dev/null 2>&1 &
ok 'replaced while it runs' builds HANDLER=test/hello.c
echo '{}' >$dir/fifo
wait $!
ok 'which it survives' [ $? -eq 0 ]

# Elsewhere, and in folders with a space.
ok 'B=' works B=out/here HANDLER=test/hello.c
ok 'and its result' prints Hello. out/here/bootstrap
touch $dir/out/here/mine
ok 'B= clean' works B=out/here clean
ok 'what it leaves alone' [ "$(ls $dir/out/here)" = mine ]
space="build/test/a tree"
rm -rf "$space" && mv $dir "$space"
dir=$space
ok 'a folder with a space' builds HANDLER=test/hello.c
ok 'and its result' prints Hello.
ok 'a Makefile in a path with a space' contains \
    "$(make -n -f "$dir/Makefile" 2>&1)" 'the path of this Makefile has a space'
ok 'make -C' make -s -C "$dir"
ok 'B= with a whole path' works B="$here/build/test/out" HANDLER=test/hello.c
ok 'which runs' contains "$(in_copy make run B="$here/build/test/out" \
    HANDLER=test/hello.c)" Hello.
rm -rf build/test/out
if command -v zip >/dev/null; then
    echo a >"$dir/one file" && mkdir "$dir/more" && echo b >"$dir/more/two files"
    ok 'zip there' contains "$(in_copy make zip FILES=more)" '2  more/two files'
    ok 'FILES=' refused 'no one' zip FILES='one file'
fi

# Another's project: test/build/project, copied away, and this Makefile from there.
project=build/test/project
rm -rf $project && cp -R test/build/project $project
dir=$project
sources='handler.c numbers.c greeting.c'
outside() { in_copy make -s -f "$here/Makefile" "$@"; }
ok 'from outside' outside HANDLER="$sources"
ok 'and its result' prints 'numbers: many
greeting: Hello'
ok 'its names are its own' [ "$(ls $here/numbers.c 2>/dev/null)" = '' ]
ok 'run' contains "$(outside HANDLER="$sources" run)" 'numbers: many'
ok 'libraries are for the product' outside LDLIBS=-lnothing build/lambda
ok 'and for that' contains "$(outside HANDLER="$sources" LDLIBS=-lnothing)" \
    nothing
ok 'clean' outside clean
ok 'leaves the sources' [ "$(cd $project && echo ./*)" = "$(cd test/build/project && echo ./*)" ]
dir=build/test/tree

if ! command -v zip >/dev/null; then
    skip 'make zip: no program zip here'
    copy $dir
    ok 'make zip without zip says so' \
        contains "$(in_copy make -s zip)" 'needs the program zip'
    rm -rf build/test/tree "build/test/a tree" build/test/bin $project
    finish
    exit
fi

# function.zip is what the last command line asked for.
copy $dir
ok 'zip' works zip
cp $dir/function.zip $dir/first.zip
ok 'zip of a handler' works HANDLER=test/hello.c zip
cp $dir/function.zip $dir/hello.zip
ok 'zip, HOSTED' works HOSTED=1 zip
cp $dir/function.zip $dir/hosted.zip
ok 'zip, again' works zip
ok 'is the first' same $dir/function.zip $dir/first.zip
ok 'zip, HOSTED, again' works HOSTED=1 zip
ok 'is that one' same $dir/function.zip $dir/hosted.zip
ok 'zip of the handler, again' works HANDLER=test/hello.c zip
ok 'is that one' same $dir/function.zip $dir/hello.zip
echo one >$dir/extra
ok 'zip, with a file' contains "$(in_copy make zip FILES=extra)" '         4  extra'
cp $dir/function.zip $dir/extra.zip
echo two >$dir/extra
ok 'which has changed' works zip FILES=extra
ok 'is another' [ "$(cksum <$dir/function.zip)" != "$(cksum <$dir/extra.zip)" ]
ok 'zip names what it made' contains "$(in_copy make zip B=out)" 'out/function.zip: '

elsewhere=$dir-elsewhere-with-a-longer-name
copy $elsewhere
(cd $elsewhere && umask 077 && TZ=Asia/Kathmandu make -s zip >/dev/null)
ok 'the same zip from another folder, time zone and mode' \
    same $dir/first.zip $elsewhere/function.zip
if command -v unzip >/dev/null; then
    list=$(unzip -Z $dir/first.zip | sed -n '3,$p' | sed '$d')
    ok 'one file in the zip, named bootstrap' \
        [ "$(echo "$list" | sed 's/.* //')" = bootstrap ]
    ok 'and its mode is 0755' [ "$(echo "$list" | cut -c 1-10)" = -rwxr-xr-x ]
    unzip -qo $dir/first.zip -d $dir/out
    ok 'and it starts' prints '"status":"complete"' out/bootstrap
    ok 'names in the zip' [ "$(unzip -Z -1 $dir/extra.zip)" = 'bootstrap
extra' ]
else
    skip 'what the zip holds: no unzip here'
fi
rm -rf $dir $elsewhere "build/test/a tree" build/test/bin $project
finish
