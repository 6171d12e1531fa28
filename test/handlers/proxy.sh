#!/bin/sh
# proxy.c before an upstream with TLS that streams, stalls, breaks off, refuses.
handler='proxy'
. test/handlers/common.sh
has curl/curl.h -lcurl || give_up 'proxy: no libcurl to compile with'
for tool in node openssl; do
    command -v $tool >/dev/null || give_up "proxy: no $tool here"
done
ok 'builds' built HOSTED=1 LDLIBS=-lcurl HANDLER=test/handlers/proxy.c || { finish; exit 1; }

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout $dir/key.pem -out $dir/cert.pem 2>$dir/openssl.txt || exit 1
: >$dir/upstream.txt
node test/handlers/upstream.mjs $dir/key.pem $dir/cert.pem >$dir/upstream.txt &
upstream=$!
trap 'stop_serving; { kill $upstream && wait $upstream; } 2>/dev/null' EXIT
until grep -q '^listening' $dir/upstream.txt; do
    kill -0 $upstream || exit 1
    sleep 0.1
done
port=$(sed -n 's/^listening //p' $dir/upstream.txt)
to=https://127.0.0.1:$port/v1/chat
ca=$PWD/$dir/cert.pem
# proxy OPTION...: serves with an upstream whose certificate is known.
proxy() {
    serve --env "UPSTREAM_URL=$to" --env "UPSTREAM_CA=$ca" --env UPSTREAM_KEY=k-123 "$@"
}
post() { get / -m 120 -H 'Content-Type: application/json' -d "$1"; }

proxy
post '{"do":"stream","n":3,"ms":1}'
ok 'tokens' [ "$(sed 's/,"at":[0-9.]*//' $dir/body | tr '\n' _)" = \
    'data: {"token":1}__data: {"token":2}__data: {"token":3}__data: [DONE]__' ]
ok 'status' status 200
ok 'type' header Content-Type text/event-stream
ok 'the key, and what is asked for' grep -q \
    'POST Bearer k-123 text/event-stream application/json$' $dir/upstream.txt
printf '{"do":"length","x":"%0200000d"}' 0 >$dir/large
post @$dir/large
ok 'a large body' body 'data: 200022'
get / -d '{"do":"length"}'
ok 'a body in base64' body 'data: 15'
post '{"do":"refuses","status":500}'
post '{"do":"stream","n":1,"ms":1}'
ok 'one connection for all' [ \
    "$(sed -n 's/^port \([0-9]*\) .*/\1/p' $dir/upstream.txt | sort -u | wc -l)" = 1 ]

# The second token is a quarter of an hour away.
first() {
    mkfifo $dir/words
    curl -sN -m 60 -d '{"do":"stream","n":2,"ms":900000}' "$url/" >$dir/words 2>/dev/null &
    running=$!
    read -r line <$dir/words
    kill $running 2>/dev/null
    wait $running
    contains "$line" 'data: {"token":1,'
}
proxy --timeout 0
ok 'a token is there before the next' first
proxy

# Before the first byte.
for status in 400 401 429 500 503 302; do
    post "{\"do\":\"refuses\",\"status\":$status}"
    ok "$status: 502" status 502
    ok "$status: why" body "{\"error\":\"the upstream answered $status\"}"
done
post '{"do":"empty"}'
ok 'no token: 502' status 502
post '{"do":"hangs_up"}'
ok 'it hangs up: 502' status 502
ok 'why' contains "$(cat $dir/body)" '{"error":"'
answers 'GET' 405 '{"error":"POST it"}' /
ok 'Allow' header Allow POST
proxy --env UPSTREAM_TIMEOUT=1
for how in silent head; do
    post "{\"do\":\"$how\"}"
    ok "$how: 504" status 504
    ok "$how: why" body '{"error":"the upstream was too slow"}'
done
post '{"do":"stream","n":40,"ms":50}'
ok 'a stream may be longer than that' [ "$(grep -c token $dir/body)" = 40 ]
proxy --timeout 2
post '{"do":"silent"}'
ok 'the deadline: 504' status 504

# After it.
proxy
post '{"do":"breaks"}'
ok 'it breaks off: the tokens before' [ "$(grep -c '^data: {"token"' $dir/body)" = 2 ]
ok 'the half one is no event of its own' [ "$(sed -n '5,6p' $dir/body | tr '\n' _)" = \
    'data: {"tok_event: error_' ]
ok 'an error event' grep -q '^data: {"error":"' $dir/body
ok 'and its end' [ -z "$(tail -n 1 $dir/body)" ]
ok 'and trailers' grep -q 'Upstream.Failed' $dir/log
proxy --timeout 2
post '{"do":"stalls"}'
ok 'it stalls: the token before' [ "$(grep -c '^data: {"token"' $dir/body)" = 1 ]
ok 'an error event' grep -q '^event: error$' $dir/body
ok 'no time-out of Lambda' not grep -q 'Task timed out' $dir/log
post '{"do":"stream","n":2,"ms":1}'
ok 'and it goes on' [ "$(grep -c token $dir/body)" = 2 ]

# Directly.
direct() {
    build/lambda --invoke "$1" --env "UPSTREAM_URL=$to" --env "UPSTREAM_CA=$ca" \
        -- $dir/bootstrap >$dir/body 2>$dir/log
}
ok 'a direct invocation' direct '{"do":"stream","n":2,"ms":1}'
ok 'its tokens' [ "$(grep -c '"token"' $dir/body)" = 2 ]
ok 'refused' not direct '{"do":"refuses","status":500}'
ok 'with a type' grep -q Upstream.Failed $dir/log

# Certificates.
serve --env "UPSTREAM_URL=$to" --env "SSL_CERT_FILE=$ca"
post '{"do":"stream","n":1,"ms":1}'
ok 'SSL_CERT_FILE' status 200
serve --env "UPSTREAM_URL=$to"
post '{"do":"stream","n":1,"ms":1}'
ok 'one that nobody knows: 502' status 502
ok 'why' contains "$(cat $dir/body)" ertificate
serve --env UPSTREAM_URL=https://127.0.0.1:1/ --env "UPSTREAM_CA=$ca"
post '{}'
ok 'refused: 502' status 502
build/lambda --invoke '{}' -- $dir/bootstrap >$dir/out 2>$dir/err
ok 'no UPSTREAM_URL: it says so' grep -q UPSTREAM_URL $dir/err
for limit in soon 0 5s; do
    build/lambda --invoke '{}' --env "UPSTREAM_URL=$to" --env UPSTREAM_TIMEOUT=$limit \
        -- $dir/bootstrap >$dir/out 2>$dir/err
    ok "UPSTREAM_TIMEOUT=$limit: it says so" grep -q UPSTREAM_TIMEOUT $dir/err
done
proxy
post '{"do":"refuses","status":401}'
ok 'the key is in no log' not grep -r k-123 $dir/log $dir/body

# How much later a token comes than straight from the upstream: to be read.
proxy
node test/handlers/pace.mjs $dir/cert.pem 15 "$to" "$url/" >$dir/pace.txt &&
    cat $dir/pace.txt
ok 'paced' [ -s $dir/pace.txt ]
finish
