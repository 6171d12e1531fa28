#!/bin/sh
# gateway.c: the same requests as a Function URL and as a REST API send them.
handler='gateway'
. test/handlers/common.sh
ok 'builds' built HANDLER=test/handlers/gateway.c || { finish; exit 1; }

for payload in url rest; do
    serve --payload $payload
    t=$payload
    answers "$t: hello" 200 '{"hello":"world"}' /hello
    ok "$t: hello: its type" header Content-Type application/json
    answers "$t: a name" 200 '{"hello":"A \"b\" é"}' '/hello?name=A+%22b%22%20%C3%A9'
    answers "$t: an empty name" 200 '{"hello":""}' '/hello?name='
    answers "$t: another parameter" 200 '{"hello":"world"}' '/hello?nam=x'
    long=$(printf '%0100d' 0)
    answers "$t: 99 bytes" 200 "{\"hello\":\"${long#0}\"}" "/hello?name=${long#0}"
    answers "$t: 100 bytes" 400 '{"error":"name is too long"}' "/hello?name=$long"
    answers "$t: whoami" 200 '{"client":"","user":""}' /whoami
    answers "$t: header and cookie" 200 '{"client":"me","user":"ada"}' /whoami \
        -H 'x-cLIENT: me' -H 'Cookie: a=1; user=ada; b=2'
    answers "$t: another's cookie" 200 '{"client":"","user":""}' /whoami \
        -b 'theuser=x; users=y; resu=z; user'
    get /items -d '{"n\u0061me":"a \"thing\""}'
    ok "$t: item: created" status 201
    id=$(sed -n 's/{"id":"\([^"]*\)".*/\1/p' $dir/body)
    ok "$t: item: body" body "{\"id\":\"$id\",\"name\":\"a \\\"thing\\\"\"}"
    ok "$t: item: Location" header Location "/items/$id"
    answers "$t: item: where it is" 200 "{\"id\":\"$id\"}" "/items/$id"
    answers "$t: item: encoded" 200 '{"id":"a b"}' /items/a%20b
    answers "$t: item: encoded once" 200 '{"id":"%2e"}' /items/%252e
    for odd in % a%4 %zz %4z %25; do
        answers "$t: item: $odd" 200 "{\"id\":\"${odd%25}\"}" "/items/$odd"
    done
    answers "$t: item: a NUL" 400 '{"error":"a malformed request"}' /items/a%00
    answers "$t: item: a slash" 404 '{"error":"no such path"}' /items/a%2Fb
    answers "$t: item: none" 404 '{"error":"no such path"}' /items/
    for wrong in '' '{' '[]' '{}' '{"name":1}' '{"name":""}' "{\"name\":\"$long\"}"; do
        answers "$t: item: $wrong" 400 \
            '{"error":"body: {\"name\": a text of 1 to 99 bytes}"}' /items \
            -d "$wrong"
    done
    answers "$t: login" 302 '{"user":"ada"}' '/login?user=ada'
    ok "$t: login: Location" header Location /whoami
    ok "$t: login: cookies" header Set-Cookie 'theme=plain; Path=/; Max-Age=86400
user=ada; Path=/; Secure; HttpOnly'
    for wrong in '' '?user=' '?user=a%3B+Domain%3Dx' "?user=$long"; do
        answers "$t: login$wrong" 400 \
            '{"error":"user must be 1 to 32 letters, digits or -_."}' "/login$wrong"
    done
    answers "$t: no such path" 404 '{"error":"no such path"}' /hello/
    answers "$t: wrong method" 405 '{"error":"no such method here"}' /hello -X PUT
    ok "$t: Allow" header Allow GET
    get /items
    ok "$t: Allow for items" header Allow POST
    answers "$t: a path too long" 400 '{"error":"a malformed request"}' \
        "/$long$long$long"
done

# Events that the front does not make.
event() {
    printf '%s' "$1" | $dir/bootstrap --event - 2>$dir/head
}
ok 'a list of values: the last of 1.0' contains "$(event '{"requestContext":{},
    "httpMethod":"GET","path":"/hello","queryStringParameters":{"name":"b"},
    "multiValueQueryStringParameters":{"name":["a","b"]}}')" '{"hello":"b"}'
ok 'null parameters' contains "$(event '{"requestContext":{},"httpMethod":"GET",
    "path":"/hello","queryStringParameters":null}')" '{"hello":"world"}'
event '{"name":"x"}' >/dev/null
ok 'a direct invocation is refused' grep -q Function.InvalidEvent $dir/head
ok 'a body that is no text' contains "$(event '{"requestContext":{},"body":1}')" \
    'a malformed request'
ok 'a body that is not base64' contains "$(event '{"requestContext":{},
    "rawPath":"/items","body":"&","isBase64Encoded":true}')" 'a malformed request'
ok 'headers and a query that are none' contains "$(event '{"requestContext":{},
    "rawPath":"/hello","queryStringParameters":1,"headers":[]}')" 'a malformed request'
event '{"requestContext":{}' >/dev/null
ok 'not JSON' grep -q 'event is not valid JSON at byte 20' $dir/head
finish
