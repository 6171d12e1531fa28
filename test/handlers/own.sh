#!/bin/sh
# How to test a handler of one's own: no server, no library. `bootstrap --event`
# calls it once; the body comes on standard output, status and headers, as a
# line of JSON, on standard error. The one tested here is test/greet.c.
handler='own'
. test/handlers/common.sh
ok 'builds' built HANDLER=test/greet.c || { finish; exit 1; }

# call EVENT [OPTION...]: $head and $body are the answer.
call() {
    printf '%s' "$1" >$dir/event
    shift
    body=$($dir/bootstrap --event $dir/event "$@" 2>$dir/err)
    code=$?
    head=$(cat $dir/err)
}

call '{"name":"Ada"}'
ok 'a direct event' [ "$body" = 'Hello Ada' ]
ok 'which succeeds' [ $code = 0 ]
call '{"name":7}'
ok 'a wrong one fails' [ $code = 1 ]
ok 'by name' contains "$head" '"errorType":"Function.InvalidEvent"'
call '{"requestContext":{},"queryStringParameters":{"name":"Bo"}}'
ok 'a request: the body' [ "$body" = 'Hello Bo' ]
ok 'its status' contains "$head" '"statusCode":200'
ok 'its headers' contains "$head" '"Content-Type":"text/plain; charset=utf-8"'
call '{"requestContext":{},"body":"{\"name\":\"Cy\"}"}' --timeout 3
ok 'a body' [ "$body" = 'Hello Cy' ]
call '{"requestContext":{},"body":"bm90IEpTT04=","isBase64Encoded":true}'
ok 'a body that is not JSON' contains "$head" '"statusCode":400'

# What --timeout says is the handler's deadline, as in Lambda.
echo '{"delay":2,"sentence":"a b"}' >$dir/event
ok 'the word streamer' built HANDLER=handler.c
$dir/bootstrap --event $dir/event --timeout 1 >$dir/out 2>$dir/err
ok '--timeout: it fails' [ $? = 1 ]
ok '--timeout: by name' grep -q Function.DeadlineExceeded $dir/err
$dir/bootstrap --event $dir/event --timeout 60 >$dir/out 2>$dir/err
ok '--timeout: enough' [ $? = 0 ]
finish
