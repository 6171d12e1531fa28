#!/bin/sh
# metrics.c: a line an invocation, that CloudWatch takes for a metric.
handler='metrics'
. test/handlers/common.sh
command -v node >/dev/null || give_up 'metrics: no node here'
ok 'builds' built HANDLER=test/handlers/metrics.c || { finish; exit 1; }
valid() { node test/handlers/metrics.mjs <$dir/lines; }
serve --timeout 30
get / -d one
get / -d two
# Its log comes on a way of its own.
waits=0
until [ "$(grep -c _aws $dir/log)" -ge 2 ] || [ $waits = 600 ]; do
    sleep 0.1
    waits=$((waits + 1))
done
grep _aws $dir/log >$dir/lines
ok 'a line for each' [ "$(wc -l <$dir/lines)" = 2 ]
ok 'as the schema says' valid
ok 'of this invocation' grep -q '"EventBytes":[1-9][0-9]*,"requestId":"[0-9a-f-]\{36\}"}$' $dir/lines
# The checker finds what is wrong.
good=$(head -n 1 $dir/lines)
for edit in 's/"Timestamp"/"timestamp"/' 's/:\[\[\]\]/:[]/' 's/:\[\[\]\]/:[["x"]]/' \
    's/"Unit":"Bytes"/"Unit":"Byte"/' 's/"EventBytes":/"other":/' \
    's/"Namespace":"rawstream"/"Namespace":""/' 's/"Metrics"/"metrics"/' \
    's/"EventBytes":\([0-9]*\)/"EventBytes":"\1"/' 's/"Timestamp":[0-9]*/"Timestamp":1/'; do
    echo "$good" | sed "$edit" >$dir/lines
    node test/handlers/metrics.mjs <$dir/lines >$dir/out
    ok "$edit: refused" [ $? = 1 ]
done
finish
