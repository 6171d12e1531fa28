#!/bin/sh
# The runtime as somebody runs it by hand: by-hand.sh BOOTSTRAP PUPPET [EMULATOR]
# PUPPET is a bootstrap with the handler test/wire/puppet.c.
bootstrap=$1
puppet=$2
emulator=$3
unset AWS_LAMBDA_RUNTIME_API
dir=build/test/by-hand
rm -rf $dir && mkdir -p $dir
passed=0 failed=0

# Compares a file with what is expected on standard input.
same() {
    if [ "$(cksum <"$2")" = "$(cksum <$dir/expected)" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1: expected, then received:"
        cat $dir/expected "$2"
    fi
    [ -z "$TEST_PROGRESS" ] || printf '\r    %s ' $((passed + failed)) >&3
}

# run NAME STATUS ARGUMENT...: the status; output and errors go to files, ids
# and times in them become {id} and {time}.
run() {
    name=$1 status=$2
    shift 2
    $emulator "$bootstrap" "$@" >$dir/out 2>$dir/err <$dir/in
    echo $? >$dir/status
    for file in $dir/out $dir/err; do
        sed -e 's/"by-hand"/"{id}"/g' \
            -e 's/"timestamp":[0-9]*\.[0-9][0-9]\([},]\)/"timestamp":{time}\1/g' \
            $file >$file.s
    done
    echo "$status" >$dir/expected
    same "$name: status" $dir/status
}
out() {
    cat >$dir/expected
    same "$name: output" $dir/out.s
}
err() {
    cat >$dir/expected
    same "$name: errors" $dir/err.s
}
# The first line on standard error, and that the usage follows.
refused() {
    echo "$1" >$dir/expected
    head -n 1 $dir/err >$dir/first
    same "$name: message" $dir/first
    out </dev/null
    sed 1d $dir/err >$dir/rest
    $emulator "$bootstrap" --help >$dir/expected
    same "$name: usage" $dir/rest
}

: >$dir/in
run 'no options but the delay' 0 --delay 0
out <<'X'
{"status":"start","request_id":"{id}","word_count":8,"timestamp":{time}}
{"type":"word","data":"Hello","sequence":1,"total":8,"timestamp":{time}}
{"type":"word","data":"this","sequence":2,"total":8,"timestamp":{time}}
{"type":"word","data":"is","sequence":3,"total":8,"timestamp":{time}}
{"type":"word","data":"a","sequence":4,"total":8,"timestamp":{time}}
{"type":"word","data":"streaming","sequence":5,"total":8,"timestamp":{time}}
{"type":"word","data":"Lambda","sequence":6,"total":8,"timestamp":{time}}
{"type":"word","data":"function","sequence":7,"total":8,"timestamp":{time}}
{"type":"word","data":"response","sequence":8,"total":8,"timestamp":{time}}
{"status":"complete","word_count":8,"timestamp":{time}}
X
err </dev/null

run 'text' 0 --delay=0 --format text --sentence 'The quick brown fox'
echo 'The quick brown fox' | out
err </dev/null

run 'sse' 0 --delay 1e-3 --format=sse --sentence 'one "two\'
out <<'X'
event: start
data: {"status":"start","request_id":"{id}","word_count":2,"timestamp":{time}}
id: 0

event: word
data: {"type":"word","data":"one","sequence":1,"total":2,"timestamp":{time}}
id: 1

event: word
data: {"type":"word","data":"\"two\\","sequence":2,"total":2,"timestamp":{time}}
id: 2

event: complete
data: {"status":"complete","word_count":2,"timestamp":{time}}
id: 2

X

run 'no words' 0 --delay 0 --sentence ' '
out <<'X'
{"status":"start","request_id":"{id}","word_count":0,"timestamp":{time}}
{"status":"complete","word_count":0,"timestamp":{time}}
X

cat >$dir/direct.json <<'X'
{"delay": 0, "format": "text", "sentence": "from the event"}
X
run 'an event from a file' 0 --event $dir/direct.json
echo 'from the event' | out

cp $dir/direct.json $dir/in
run 'an event from standard input' 0 --event -
echo 'from the event' | out
run 'options over the event' 0 --event - --sentence 'from the options'
echo 'from the options' | out
: >$dir/in

prelude='{"statusCode":200,"headers":{"Content-Type":"text/plain; charset=utf-8","X-Content-Type-Options":"nosniff"}}'
cat >$dir/url.json <<'X'
{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"POST"}},
 "queryStringParameters":{"delay":"0","sentence":"from the query"},
 "body":"{\"format\":\"text\",\"sentence\":\"from the body\"}",
 "isBase64Encoded":false}
X
run 'a Function URL event' 0 --event $dir/url.json
echo 'from the body' | out
echo "$prelude" | err
run 'options over a Function URL event' 0 --event $dir/url.json \
    --sentence 'from the options'
echo 'from the options' | out

cat >$dir/base64.json <<'X'
{"requestContext":{},"isBase64Encoded":true,
 "body":"eyJkZWxheSI6MCwiZm9ybWF0IjoidGV4dCIsInNlbnRlbmNlIjoiYmFzZTY0In0="}
X
run 'a base64 body' 0 --event $dir/base64.json
echo 'base64' | out
echo "$prelude" | err

echo '{"requestContext":{},"queryStringParameters":{"delay":"-1"}}' >$dir/in
run 'a bad HTTP request is answered' 0 --event -
echo '{"status":"error","error":"delay must be a number from 0 to 900"}' | out
err <<'X'
{"statusCode":400,"headers":{"Content-Type":"application/x-ndjson","X-Content-Type-Options":"nosniff"}}
X

echo '{"delay":"0"}' >$dir/in
run 'a bad direct event' 1 --event -
out </dev/null
err <<'X'
{"errorMessage":"delay must be a number from 0 to 900","errorType":"Function.InvalidEvent","stackTrace":[]}
X
printf '{"delay":}' >$dir/in
run 'not JSON' 1 --event -
out </dev/null
err <<'X'
{"errorMessage":"event is not valid JSON at byte 9","errorType":"Function.InvalidEvent","stackTrace":[]}
X
: >$dir/in
run 'an empty event' 1 --event -
err <<'X'
{"errorMessage":"event is not valid JSON at byte 0","errorType":"Function.InvalidEvent","stackTrace":[]}
X

for delay in -1 900.0000000001 x .5 inf 0x1 ''; do
    run "--delay '$delay'" 2 --delay "$delay"
    refused '{"errorMessage":"delay must be a number from 0 to 900","errorType":"Function.InvalidOption","stackTrace":[]}'
done
run 'a wrong option, and no event' 2 --event $dir/none --delay x
refused '{"errorMessage":"delay must be a number from 0 to 900","errorType":"Function.InvalidOption","stackTrace":[]}'
run 'the largest delay' 0 --delay 900 --sentence one
run '--format xml' 2 --format xml
refused '{"errorMessage":"format must be \"json\", \"text\" or \"sse\"","errorType":"Function.InvalidOption","stackTrace":[]}'
for option in --delays --dela --delay0 --event- --HELP -delay delay -- - '' seconds; do
    run "the option $option" 2 --sentence=x "$option" 1
    refused "rawstream: $option: no such option"
done
for option in --delay1=1 --help= --= --delay~=1; do
    run "the option $option" 2 --delay x $option --format text
    refused "rawstream: $option: no such option"
done
run '--format json' 0 --format json --delay 0 --sentence ' '
out <<'X'
{"status":"start","request_id":"{id}","word_count":0,"timestamp":{time}}
{"status":"complete","word_count":0,"timestamp":{time}}
X
run 'an option in one word with its value' 2 '--event FILE' x
refused 'rawstream: --event FILE: no such option'
run 'an argument' 2 words
refused 'rawstream: words: no such option'
for option in --delay --event; do
    run "$option without its value" 2 --format=text $option
    refused "rawstream: $option: needs a value"
done
run 'of options given twice the last counts' 0 --delay x --delay=0 \
    --sentence=no --sentence yes --format text --event no --event=$dir/direct.json
echo yes | out
run 'values that look like options' 0 --delay=0 --sentence --format --format=text
echo '--format' | out
run 'a value with a sign of equality' 0 --delay=0 --format=text --sentence=a=b
echo 'a=b' | out
run 'an empty value' 0 --delay=0 --format=text --sentence=
echo | out
run 'an option that is UTF-8' 0 --delay=0 --format=text \
    --sentence "$(printf '\303\251 \360\237\230\200')"
printf '\303\251 \360\237\230\200\n' | out
run 'an option that is not UTF-8' 0 --delay=0 --format=text \
    --sentence "$(printf '\303\251 \303 a\377b')"
printf '\303\251 \357\277\275 a\357\277\275b\n' | out
words=$(head -c 65000 /dev/zero | tr '\0' w)
run 'a long option' 0 --delay 0 --format text --sentence "$words"
echo "$words" | out
run 'options that are too long' 2 --sentence "$words" --format "$words"
refused 'rawstream: options: longer than 64 KiB'
run 'a value that needs escapes' 0 --delay 0 --format text \
    --sentence '"a\u0020b" \'
echo '"a\u0020b" \' | out
run 'an event that is not there' 2 --event $dir/none
run 'an event that is a directory' 2 --event $dir
out </dev/null
dd if=/dev/zero of=$dir/in bs=6291557 count=1 2>/dev/null
run 'an event that is too large' 2 --event -
out </dev/null
: >$dir/in

for seconds in 0 901 1.5 -1 x ''; do
    run "--timeout '$seconds'" 2 --timeout "$seconds"
    refused 'rawstream: --timeout: must be a whole number from 1 to 900'
done
run 'a time-out that is far' 0 --timeout 900 --delay 0 --format text
echo 'Hello this is a streaming Lambda function response' | out
run 'a time-out that the second word would pass' 1 --timeout=900 --delay 900 \
    --format text --sentence 'a b'
echo a | out
err <<'X'
{"errorMessage":"the deadline came before the last word","errorType":"Function.DeadlineExceeded","stackTrace":[]}
X

run '--help' 0 --help
err </dev/null
cp $dir/out $dir/help
run '-h' 0 -h
out <$dir/help
run '--version' 0 --version
sed -n 's/^#define RAWSTREAM_VERSION "\(.*\)"/rawstream \1/p' http.h | out

# ends NAME STATUS SIGNAL: a signal ends a run that waits for its second word.
# The first line tells that it takes signals.
mkfifo $dir/words
ends() {
    $emulator "$bootstrap" --delay 60 --sentence 'one two' >$dir/words 2>/dev/null &
    pid=$!
    {
        read -r _
        kill -s "$3" $pid
        wait $pid
        echo $? >$dir/status
    } <$dir/words
    echo "$2" >$dir/expected
    same "$1" $dir/status
}
ends 'Ctrl-C' 130 INT
ends 'SIGTERM' 143 TERM
$emulator "$bootstrap" --delay 0 >&- 2>/dev/null
echo $? >$dir/status
echo 1 >$dir/expected
same 'a closed standard output' $dir/status
for option in --help --version; do
    $emulator "$bootstrap" $option >&- 2>/dev/null
    echo $? >$dir/status
    same "$option, and a closed standard output" $dir/status
done
# Words for ten minutes: it writes, however late the reader leaves.
words=$(head -c 3000 /dev/zero | tr '\0' w | sed 's/w/w /g')
{ $emulator "$bootstrap" --delay 0.2 --sentence "$words" 2>/dev/null; echo $? >$dir/status; } | head -n 1 >$dir/out
echo 1 >$dir/expected
same 'a reader that leaves' $dir/status

bootstrap=$puppet
refusal='{"errorMessage":"no strings","errorType":"Runtime.PuppetInit","stackTrace":[]}'
run 'another handler has options of its own' 2 --fail 'no strings'
refused "$refusal"
run 'and not those of handler.c' 2 --delay 1
refused 'rawstream: --delay: no such option'
run 'nor one that is only mentioned' 2 --other 1
refused 'rawstream: --other: no such option'
run 'the usage tells' 0 --help
[ "$(grep -c -e --fail -e --delay $dir/out)" = 1 ]
echo $? >$dir/status
echo 0 >$dir/expected
same 'its own options, and no others' $dir/status
echo 'write x' >$dir/in
PUPPET_INIT_GATHERS=1 run 'what initialisation gathers' 0 --event -
printf x | out
PUPPET_INIT_WRITES=1 run 'initialisation writes' 2 --event -
refused '{"errorMessage":"handler_init() has no response to write to","errorType":"Function.InvalidResponse","stackTrace":[]}'
export PUPPET_INIT='no strings'
run 'a failed initialisation' 2
refused "$refusal"
PUPPET_INIT_RETURNS=0 run 'a failed initialisation that returns 0' 2
refused "$refusal"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
