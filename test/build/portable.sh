#!/bin/sh
# Whether what `make HOSTED=1 zip` makes starts where there is nothing else: the
# zip's content at /var/task of an empty root, under the local Lambda. With libm,
# zlib and libcurl, made here and on Debian 13. In /lib64, which comes first in
# Lambda's LD_LIBRARY_PATH, stand libraries that cannot be loaded.
#
# It needs Debian's
#     zip unzip zlib1g-dev libcurl4-openssl-dev openssl musl-tools debootstrap
# and to be root; what is not here is skipped.
dir=$PWD/build/portable
. test/tools/ok.sh
unset HANDLER EVENT HOSTED ARCH B V FILES LDLIBS CC CFLAGS
export MAKEFLAGS=

stop() {
    skip "$1"
    finish
    exit
}
have() { command -v "$1" >/dev/null; }
for tool in zip unzip chroot; do
    have $tool || stop "portable: no program $tool here"
done
[ "$(id -u)" = 0 ] || stop 'portable: chroot wants root'
make -s build/lambda bootstrap || exit 1
rm -rf $dir && mkdir -p $dir
# Without /proc and with Lambda's path of libraries, /var/task/lib at its end.
libraries=/lib64:/usr/lib64:/var/runtime:/var/task:/var/task/lib:/opt/lib

# makes NAME KIND MAKE-ARGUMENTS...: a zip that is static, or has libraries;
# and its empty root.
makes() {
    name=$1 kind=$2
    shift 2
    make -s B=$dir/$name HOSTED=1 FILES= "$@" zip >$dir/$name.txt 2>$dir/$name.err &&
        unpack $name $kind || {
        cat $dir/$name.err
        false
    }
}
unpack() {
    root=$dir/$1.root
    grep -q ' lib/' $dir/$1.txt
    case $?$2 in
    0shared | 1static) ;;
    *)
        echo "$2 was expected:"
        cat $dir/$1.txt
        return 1
        ;;
    esac
    mkdir -p $root/var/task $root/lib64 &&
        unzip -q $dir/$1/function.zip -d $root/var/task || return
    for library in libc.so.6 libm.so.6 libz.so.1 libcurl.so.4 libcrypto.so.3; do
        echo 'no library' >$root/lib64/$library
    done
}
# answers NAME WORDS [URL]: what it gives there.
answers() {
    output=$(build/lambda --invoke '{"a":1}' --env "URL=$3" \
        --env SSL_CERT_FILE=/ca.pem --env LD_LIBRARY_PATH=$libraries -- \
        "$(command -v chroot)" $dir/$1.root /var/task/bootstrap 2>$dir/$1.log)
    [ "$output" = "$2" ] || {
        echo "it answered: $output"
        cat $dir/$1.log
        false
    }
}
compiles() {
    printf '#include <%s>\nint main(void) { return 0; }\n' $1 >$dir/probe.c
    cc -o $dir/probe $dir/probe.c $2 2>/dev/null
}

ok 'libm' makes math static HANDLER=test/build/portable/math.c LDLIBS=-lm
ok 'libm: answers' answers math 0.250
if compiles zlib.h -lz; then
    ok 'zlib' makes zlib static HANDLER=test/build/portable/zlib.c LDLIBS=-lz
    ok 'zlib: answers' answers zlib 'words, words, words'
else
    skip 'zlib: not here'
fi
if have musl-gcc; then
    ok 'musl' makes musl static HANDLER=test/hello.c CC=musl-gcc
    answers musl '' >/dev/null
    ok 'musl: answers' grep -q 'Bytes: [1-9]' $dir/musl.log
else
    skip 'musl: no musl-gcc here'
fi

# A Function URL, and a TLS server whose certificate is in the root.
build/lambda --port 0 --runtime-api 127.0.0.1:0 -- ./bootstrap 2>$dir/url.log &
function=$!
port=
until [ -n "$port" ]; do
    kill -0 $function 2>/dev/null && sleep 0.1 || break
    port=$(sed -n 's,.*listening on http://127.0.0.1:\([0-9]*\).*,\1,p' $dir/url.log)
done
url="http://127.0.0.1:$port/?delay=0&format=text"
words='Hello this is a streaming Lambda function response'
server=
if have openssl; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=IP:127.0.0.1 -keyout $dir/key.pem \
        -out $dir/ca.pem 2>$dir/openssl.log
    echo 'over TLS' >$dir/page
    (cd $dir && exec openssl s_server -accept 127.0.0.1:0 -key key.pem -cert ca.pem \
        -WWW) >$dir/tls.log 2>&1 &
    server=$!
    tls=
    until [ -n "$tls" ]; do
        kill -0 $server 2>/dev/null && sleep 0.1 || break
        tls=$(sed -n 's/^ACCEPT .*://p' $dir/tls.log)
    done
fi
# with_curl NAME: a zip that is made shows what two servers say.
with_curl() {
    ok "$1: answers" answers $1 "$words" "$url"
    if [ -n "$server" ]; then
        cp $dir/ca.pem $dir/$1.root/ca.pem
        ok "$1: over TLS" answers $1 'over TLS' "https://127.0.0.1:$tls/page"
    else
        skip "$1: over TLS: no openssl here"
    fi
}

if compiles curl/curl.h -lcurl; then
    ok 'libcurl' makes curl shared HANDLER=test/build/portable/curl.c LDLIBS=-lcurl
    with_curl curl
else
    skip 'libcurl: not here'
fi

# named NAME: it knows a host by its name.
named() {
    mkdir -p $dir/$1.root/etc && echo '127.0.0.9 somewhere' >$dir/$1.root/etc/hosts
    ok "$1: answers" answers $1 127.0.0.9
}
ok 'getaddrinfo' makes names shared HANDLER=test/build/portable/names.c
named names

# The same, made on Debian 13.
debian=$PWD/build/roots/trixie
if ! have debootstrap; then
    skip 'made on Debian 13: no debootstrap here'
elif [ ! -e $debian.made ] && ! { rm -rf $debian && mkdir -p $debian &&
    debootstrap --variant=minbase --include=gcc,make,libc6-dev,zip,\
zlib1g-dev,libcurl4-openssl-dev trixie $debian >$debian.log 2>&1 &&
    touch $debian.made; }; then
    tail -n 1 $debian.log
    skip 'made on Debian 13: debootstrap does not make a root of it here'
else
    rm -rf $debian/src && mkdir -p $debian/src/test &&
        cp Makefile ./*.c ./*.h $debian/src &&
        cp -R test/*.mk test/tools test/build test/deploy $debian/src/test
    for handler in math zlib names curl; do
        made=$handler-trixie
        kind=static library=-l$handler
        case $handler in
        math) library=-lm ;;
        zlib) library=-lz ;;
        names) kind=shared library= ;;
        curl) kind=shared ;;
        esac
        chroot $debian make -s -C /src HOSTED=1 B=$made LDLIBS=$library \
            HANDLER=test/build/portable/$handler.c zip >$dir/$made.txt 2>$dir/$made.err
        ok "$handler of Debian 13" mv $debian/src/$made $dir
        ok "$handler of Debian 13: $kind" unpack $made $kind
    done
    ok 'libm of Debian 13: answers' answers math-trixie 0.250
    ok 'zlib of Debian 13: answers' answers zlib-trixie 'words, words, words'
    named names-trixie
    with_curl curl-trixie
fi

kill $function $server
wait
finish
