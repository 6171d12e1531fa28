#!/bin/sh
# relay.c: commands that print, are silent, die, and do not want to.
handler='relay'
. test/handlers/common.sh
ok 'builds' built HOSTED=1 HANDLER=test/handlers/relay.c || { finish; exit 1; }

# relayed COMMAND OPTION...: its events are in $dir/body.
relayed() {
    command=$1
    shift
    build/lambda --invoke '{}' --env "RELAY_COMMAND=$command" "$@" -- $dir/bootstrap \
        >$dir/body 2>$dir/log
}
relayed 'echo one; echo; printf "two\r\nthree"; echo four >&2; exit 3'
ok 'lines, and its status' body 'data: one

data: 

data: two

data: threefour

event: exit
data: {"status":3}'
relayed 'true'
ok 'nothing' body 'event: exit
data: {"status":0}'
relayed 'kill -9 $$'
ok 'a signal' body 'event: exit
data: {"signal":9}'
relayed 'no-such-command'
ok 'no such command' contains "$(cat $dir/body)" '{"status":127}'
relayed 'yes | head -n 100000'
ok 'a lot' [ "$(grep -c '^data: y$' $dir/body)" = 100000 ]
relayed 'yes | head -n 1; echo $?; exec sh -c "trap"'
ok 'SIGPIPE is not ignored' contains "$(cat $dir/body)" '{"status":0}'
relayed 'grep SigIgn /proc/self/status; ls -l /proc/self/fd'
ok 'SIGPIPE: its bit' grep -q 'SigIgn:.*[02468ace]...$' $dir/body
ok 'no socket' [ "$(grep -c socket: $dir/body)" = 0 ]
relayed 'printf begun; sleep 2; echo; sleep 2; echo end' --env RELAY_HEARTBEAT=1
ok 'heartbeats' grep -q '^: alive' $dir/body
ok 'none inside a line' [ "$(sed -n '1,2p' $dir/body | tr '\n' _)" = 'data: begun__' ]
ok 'what comes after' grep -q '^data: end$' $dir/body

# ends PID-FILE: the process that is named there ends. Who reaps what has lost
# its parent is not our matter.
ends() {
    tries=0
    while [ $tries -lt 600 ]; do
        case $(ps -o stat= -p "$(cat $1)") in
        '' | Z*) return 0 ;;
        esac
        sleep 0.1
        tries=$((tries + 1))
    done
    return 1
}
ok 'at the deadline it fails' not relayed "sleep 900 & echo \$! >$PWD/$dir/pid; wait" --timeout 2
ok 'with a name' grep -q Function.DeadlineExceeded $dir/log
ok 'and no time-out of Lambda' [ "$(grep -c 'Task timed out' $dir/log)" = 0 ]
ok 'the command is gone' ends $dir/pid
relayed "trap '' TERM; echo \$\$ >$PWD/$dir/pid; while :; do sleep 1; done" --timeout 3
ok 'one that ignores SIGTERM' ends $dir/pid
relayed "trap 'echo gone >$PWD/$dir/gone; echo last; exit' TERM; while :; do sleep 0.1; done" \
    --timeout 3
ok 'one that ends by itself at SIGTERM' grep -q gone $dir/gone
relayed "trap 'echo last; echo gone >$PWD/$dir/gone; exit' TERM; while :; do sleep 0.1; done" \
    --timeout 3
ok 'and prints before' grep -q gone $dir/gone
relayed 'exec >&- 2>&-; sleep 0.3; exit 3'
ok 'one that ends after its output' body 'event: exit
data: {"status":3}'
relayed "exec >&- 2>&-; echo \$\$ >$PWD/$dir/pid; sleep 900" --timeout 3
ok 'one that closed its output' ends $dir/pid
# What a process leaves ends with it in Lambda: it has to run on for this.
serve --env "RELAY_COMMAND=sleep 900 >/dev/null 2>&1 & echo \$! >$PWD/$dir/pid; echo done"
get /
ok 'what it left behind' ends $dir/pid

# The same process answers again, by HTTP, without children of its own.
# shellcheck disable=SC2016 # the command's shell expands it
serve --env 'RELAY_COMMAND=echo $PPID'
get /
ok 'by HTTP' status 200
ok 'its type' header Content-Type text/event-stream
parent=$(sed -n 's/^data: \([0-9]*\)$/\1/p' $dir/body)
get /
get /
ok 'three of one process' contains "$(cat $dir/body)" "data: $parent"
ok 'no zombie' [ -z "$(ps -o pid= --ppid "$parent")" ]
build/lambda --invoke '{}' -- $dir/bootstrap >$dir/out 2>$dir/err
ok 'no command: it says so' grep -q Function.NoCommand $dir/err
for seconds in 0 x 901 5s; do
    relayed true --env RELAY_HEARTBEAT=$seconds
    ok "RELAY_HEARTBEAT=$seconds: it says so" grep -q Function.NoSeconds $dir/log
done
finish
