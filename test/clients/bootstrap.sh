#!/bin/sh
# A runtime of a shell and curl (7.84 or newer) alone: it answers every event
# with five lines, PAUSE seconds apart, and then with the event itself.
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
newline='
'

lines() {
    for n in 1 2 3 4 5; do
        echo "line $n"
        sleep "${PAUSE:-0.1}"
    done
    printf '%s' "$event"
}

while next=$(curl -sS --noproxy '*' "$api/next" \
    -w '\n%header{Lambda-Runtime-Aws-Request-Id}'); do
    id=${next##*"$newline"}
    event=${next%"$newline"*}
    lines | curl -sS --noproxy '*' -o /dev/null -X POST -T - \
        -H 'Transfer-Encoding: chunked' -H 'Content-Type: text/plain' \
        -H 'Lambda-Runtime-Function-Response-Mode: streaming' \
        "$api/$id/response"
done
