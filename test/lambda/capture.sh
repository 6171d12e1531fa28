#!/bin/sh
# A capture of --wire=FILE.pcapng as tshark reads it: two sandboxes, a large
# event, responses in chunks, and one that ends in trailers.
cd "$(dirname "$0")/../.." || exit 1
if ! command -v tshark >/dev/null; then
    echo 'skipped: captures: no tshark here'
    echo '0 passed, 0 failed, 1 skipped'
    exit
fi
unset MAKEFLAGS
make -s build/lambda bootstrap || exit 1
dir=$(mktemp -d) || exit 1
server='' passed=0 failed=0
trap '[ -z "$server" ] || kill $server; rm -rf "$dir"' EXIT

# equal WHAT EXPECTED ACTUAL
equal() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s: expected\n%s\nbut got\n%s\n' "$1" "$2" "$3"
    fi
}
# read_capture FILTER FIELD...: the fields of the packets that the filter takes.
read_capture() {
    filter=$1
    shift
    tshark -n -r "$dir/w.pcapng" -Y "$filter" -T fields \
        $(printf -- ' -e %s' "$@") 2>"$dir/tshark.log"
}
count() { read_capture "$1" frame.number | wc -l | tr -d ' '; }

: >"$dir/log"
build/lambda "--wire=$dir/w.pcapng" --port 0 --runtime-api 127.0.0.1:0 \
    --timeout 900 --concurrency 2 -- ./bootstrap 2>"$dir/log" &
server=$!
url='' progress=0
while [ -z "$url" ] && [ $progress -lt 600 ]; do
    url=$(sed -n 's/^lambda: listening on \([^,]*\),.*/\1/p' "$dir/log")
    progress=$((progress + 1))
    sleep 0.1
done
stream=$url/2021-11-15/functions/function/response-streaming-invocations
sentence=$(awk 'BEGIN { while (i++ < 30000) printf "word " }')
printf '{"delay":0,"format":"text","sentence":"%s"}' "$sentence" >"$dir/large.json"
curl -sS -o "$dir/1" -d '{"delay":0.1}' "$url/" &
other=$!
curl -sS -o "$dir/2" -d '{"delay":0.1}' "$url/?format=text"
wait $other
curl -sS -o "$dir/3" -d @"$dir/large.json" "$stream"
curl -sS -o "$dir/4" -d '{"delay":900}' "$stream"
kill $server
wait $server
server=''

equal 'malformed packets' 0 "$(count _ws.malformed)"
equal 'warnings of TCP' 0 "$(count 'tcp.analysis.flags')"
equal 'errors and warnings of any kind' 0 \
    "$(count '_ws.expert.severity >= 0x600000')"
equal 'wrong checksums' 0 "$(tshark -n -o ip.check_checksum:TRUE \
    -o tcp.check_checksum:TRUE -r "$dir/w.pcapng" \
    -Y 'ip.checksum.status == 0 || tcp.checksum.status == 0' \
    2>"$dir/tshark.log" | wc -l | tr -d ' ')"
equal 'events asked for' /2018-06-01/runtime/invocation/next \
    "$(read_capture 'http.request.method == GET' http.request.uri | sort -u)"
equal 'responses, reassembled from chunks' 4 \
    "$(count 'http.request.method == POST && http.transfer_encoding == chunked')"
equal 'their answers' 4 "$(count 'http.response.code == 202')"
equal 'events' 4 "$(count 'http.response.code == 200')"
equal 'words of the large one' 30000 \
    "$(read_capture 'http.content_type == "text/plain; charset=utf-8"' \
        http.file_data | grep -o word | wc -l | tr -d ' ')"
equal 'the trailer' Function.DeadlineExceeded \
    "$(tshark -n -r "$dir/w.pcapng" -V -Y 'http.request.method == POST' \
        2>"$dir/tshark.log" |
        sed -n 's/.*Lambda-Runtime-Function-Error-Type: \(Function[A-Za-z.]*\).*/\1/p')"
equal 'requests of none of the two sandboxes' 0 \
    "$(count 'http.request && ip.src != 10.0.0.1 && ip.src != 10.0.0.2')"
equal 'invocations that a comment names' 4 \
    "$(read_capture 'frame.comment contains "invocation"' frame.comment | wc -l |
        tr -d ' ')"
[ $failed -eq 0 ] || cat "$dir/log" "$dir/tshark.log"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
