#!/bin/sh
# gzip.c: what it accepts, and that each line can be read before the next.
handler='gzip'
. test/handlers/common.sh
has zlib.h -lz || give_up 'gzip: no zlib to compile with'
ok 'builds' built HOSTED=1 LDLIBS=-lz HANDLER=test/handlers/gzip.c || { finish; exit 1; }
serve
lines=$(seq -f 'line %g' 3)
# coded NAME CODING ACCEPT: with curl's own decoder.
coded() {
    answers "$1" 200 "$lines" '/?lines=3&delay=0' --compressed -H "Accept-Encoding:$3"
    ok "$1: coding" header Content-Encoding "$2"
    ok "$1: Vary" header Vary Accept-Encoding
}
for accept in gzip 'gzip;q=0.001' 'gzip;q=0.5, identity;q=0.5' 'br, GZIP' 'br;q=1.0, gzip; q=0.5' '*' \
    'identity;q=0, *;q=0.1' ' deflate ,gzip' 'x-gzip, gzip'; do
    coded "'$accept'" gzip " $accept"
done
for accept in '' identity 'gzip;q=0' 'gzip;q=0.000, *' '*;q=0' br gzipped 'br;q=1' \
    'gzip;q=0.5, identity;q=0.9' 'identity;q=0' 'identity;q=0, gzip;q=0'; do
    coded "'$accept'" '' " $accept"
done
for wrong in 'lines=0' 'lines=x' 'lines=-1' 'delay=-1' 'delay=nan' 'delay=inf' \
    'delay=1e99' 'delay=x' 'lines=99999999999' 'lines=100001' 'lines=5x' 'delay=1s'; do
    get "/?$wrong" -m 60
    ok "$wrong: 400" status 400
done
answers 'no parameters' 200 "$(seq -f 'line %g' 20)" '/?delay=0'

# The second line is ten minutes away: the first has been decoded.
first() {
    mkfifo $dir/words
    curl -sN -m 60 --compressed "$url/?lines=2&delay=600" >$dir/words 2>/dev/null &
    running=$!
    read -r line <$dir/words
    kill $running 2>/dev/null
    wait $running
    rm $dir/words
    [ "$line" = 'line 1' ]
}
serve --timeout 0
ok 'a line is there before the next' first
serve --timeout 1
get '/?lines=9&delay=0.3' --compressed
ok 'the deadline: a whole gzip member' grep -q 'line 2' $dir/body
serve
get '/?lines=2000&delay=0' -H 'Accept-Encoding: gzip'
ok 'one member for gzip -t' gzip -t <$dir/body
finish
