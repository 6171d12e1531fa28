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
. test/ok.sh
# Passes lines on, each behind the second of its arrival.
stamp() { while IFS= read -r line; do echo "$(date +%s) $line"; done; }
# Whether more than a second lies between the first line and the last.
spread() {
    first=$(head -n 1 "$1" | cut -d ' ' -f 1)
    last=$(tail -n 1 "$1" | cut -d ' ' -f 1)
    [ $((last - first)) -ge 1 ]
}

MAKEFLAGS= make -s run 2>$dir/run.err | stamp >$dir/run
ok 'make run: ten lines' [ "$(wc -l <$dir/run)" -eq 10 ]
ok 'make run: one by one' spread $dir/run
ok 'make run: a report' grep -q '^REPORT' $dir/run.err

MAKEFLAGS= make -s serve PORT=0 2>$dir/err &
tries=0
while ! grep -q 'listening on' $dir/err && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
port=$(sed -n 's,.*listening on http://127.0.0.1:\([0-9]*\).*,\1,p' $dir/err)
url=http://127.0.0.1:$port/

curl -sN -d '{"delay":0.3}' $url | stamp >$dir/json
ok 'JSON: ten lines' [ "$(wc -l <$dir/json)" -eq 10 ]
ok 'JSON: one by one' spread $dir/json
ok 'text' [ "$(curl -sN "${url}?format=text&delay=0.1&sentence=a+b%20%C3%A9")" = 'a b é' ]
ok 'SSE' [ "$(curl -sN "${url}?format=sse&delay=0" | grep -c '^event: word$')" -eq 8 ]
ok 'SSE: its type' [ "$(curl -so $dir/body -w '%{content_type}' "${url}?format=sse&delay=0")" = text/event-stream ]
ok 'a bad delay: 400' [ "$(curl -so $dir/body -w '%{http_code}' "${url}?delay=soon")" = 400 ]
ok 'a bad delay: why' [ "$(cat $dir/body)" = \
    '{"status":"error","error":"delay must be a number from 0 to 900"}' ]
message=$(MAKEFLAGS= make -s serve PORT="$port" 2>&1 | grep -v '^make')
ok 'a busy port: one line' [ "$(echo "$message" | wc -l)" -eq 1 ]
ok 'a busy port: which' [ "${message#*"$port"}" != "$message" ]

pkill -P $! 2>/dev/null || kill $!
wait
finish
