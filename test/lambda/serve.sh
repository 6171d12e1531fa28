#!/bin/sh
# `make serve` and `make run` as a user meets them, with curl:
# serve.sh. Words must arrive one by one, not in one burst.
if ! command -v curl >/dev/null; then
    echo 'skipped: no curl here'
    echo '0 passed, 0 failed, 1 skipped'
    exit
fi
dir=build/test/serve
rm -rf $dir && mkdir -p $dir
. test/tools/ok.sh
export MAKEFLAGS=
mkfifo $dir/words

# first COMMAND...: the first word of its output comes, while the second is 25 s
# away, which is less than the time-out.
first() {
    "$@" >$dir/words 2>/dev/null &
    running=$!
    {
        read -r start && read -r word
        kill $running
        rest=$(cat)
    } <$dir/words
    wait $running
    case $word$rest in
    *'"data":"Hello"'*'}') ;;
    *) echo "$start $word $rest" && false ;;
    esac
    [ -z "$rest" ]
}

make -s run EVENT='{"delay":0}' >$dir/run 2>$dir/run.err
ok 'make run: ten lines' [ "$(wc -l <$dir/run)" -eq 10 ]
ok 'make run: a report' grep -q '^REPORT' $dir/run.err
ok 'make run: a word at a time' first make -s run EVENT='{"delay":25}'

make -s serve PORT=0 2>$dir/err &
serving=$!
until grep -q 'listening on' $dir/err; do
    kill -0 $serving && sleep 0.1 || exit 1
done
port=$(sed -n 's,.*listening on http://127.0.0.1:\([0-9]*\).*,\1,p' $dir/err)
url=http://127.0.0.1:$port/

ok 'JSON: ten lines' [ "$(curl -sN -d '{"delay":0}' $url | wc -l)" -eq 10 ]
ok 'text' [ "$(curl -sN "${url}?format=text&delay=0.1&sentence=a+b%20%C3%A9")" = 'a b é' ]
ok 'SSE' [ "$(curl -sN "${url}?format=sse&delay=0" | grep -c '^event: word$')" -eq 8 ]
ok 'SSE: its type' [ "$(curl -so $dir/body -w '%{content_type}' "${url}?format=sse&delay=0")" = 'text/event-stream; charset=utf-8' ]
ok 'a bad delay: 400' [ "$(curl -so $dir/body -w '%{http_code}' "${url}?delay=soon")" = 400 ]
ok 'a bad delay: why' [ "$(cat $dir/body)" = \
    '{"status":"error","error":"delay must be a number from 0 to 900"}' ]
message=$(make -s serve PORT="$port" 2>&1 | grep -v '^make')
ok 'a busy port: one line' [ "$(echo "$message" | wc -l)" -eq 1 ]
ok 'a busy port: which' [ "${message#*"$port"}" != "$message" ]


# Last: a function whose client has left runs on.
ok 'JSON: a word at a time' first curl -sN -d '{"delay":25}' $url
kill $serving
wait
finish
