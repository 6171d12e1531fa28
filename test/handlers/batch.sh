#!/bin/sh
# batch.c: SQS batches, by direct invocations of the local Lambda.
handler='batch'
. test/handlers/common.sh
ok 'builds' built HANDLER=test/handlers/batch.c || { finish; exit 1; }

# record BODY-AS-A-JSON-STRING: messages are numbered.
records= n=0
record() {
    n=$((n + 1))
    records=$records${records:+,}"{\"messageId\":\"m$n\",\"body\":$1,\"eventSource\":\"aws:sqs\"}"
}
# batch NAME FAILURES LOGGED: what of the records is told to fail, and logged.
batch() {
    printf '{"Records":[%s]}' "$records" >$dir/event
    build/lambda --invoke @$dir/event -- $dir/bootstrap >$dir/out 2>$dir/log
    ok "$1: failures" contains "$(cat $dir/out)" "{\"batchItemFailures\":[$2]}"
    grep / $dir/log | grep -v RequestId >$dir/logged
    ok "$1: log" [ "$(cat $dir/logged)" = "$3" ]
    records= n=0
}
object() { printf '{\\"s3\\":{\\"bucket\\":{\\"name\\":\\"%s\\"},\\"object\\":{\\"key\\":\\"%s\\"}}}' "$1" "$2"; }
s3() { printf '"{\\"Records\\":[%s]}"' "$1"; }

batch 'no message' '' ''
record "$(s3 "$(object photos a%20b+c.png)")"
record "$(s3 "$(object b 1),$(object b 2)")"
batch 'three objects' '' 'photos/a%20b+c.png
b/1
b/2'
record '"nonsense"'
record "$(s3 "$(object b good)")"
record '{"Records":[]}'
record '5'
record 'null'
record "$(s3 '{\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":1}}}')"
record "$(s3 '{\"s3\":1}')"
record '"{\"Records\":{}}"'
batch 'the bad among the good' '{"itemIdentifier":"m1"},{"itemIdentifier":"m3"},{"itemIdentifier":"m4"},{"itemIdentifier":"m5"},{"itemIdentifier":"m6"},{"itemIdentifier":"m7"},{"itemIdentifier":"m8"}' 'b/good'
record '"{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}"'
record '"{\"Event\":\"s3:TestEvent\""'
batch 's3:TestEvent, and half of it' '{"itemIdentifier":"m2"}' ''
record "$(s3 "$(object b "$(printf '%04096d' 0)")")"
batch 'a key that is too long' '{"itemIdentifier":"m1"}' ''
i=0
while [ $i -lt 1000 ]; do
    record '""'
    i=$((i + 1))
done
printf '{"Records":[%s]}' "$records" >$dir/event
$dir/bootstrap --event $dir/event >$dir/out
ok 'a thousand failures' [ "$(tr , '\n' <$dir/out | grep -c itemIdentifier)" = 1000 ]
ok 'with commas' contains "$(tail -c 60 $dir/out)" '},{"itemIdentifier":"m1000"}]}'
records='{"body":""}'
batch 'no messageId: all of it' '{"itemIdentifier":""}' ''
for wrong in '{}' '{"Records":1}' '[]' '{"Records":['; do
    printf '%s' "$wrong" | $dir/bootstrap --event - >$dir/out 2>$dir/err
    ok "$wrong: refused" grep -q Function.InvalidEvent $dir/err
done
finish
