#!/bin/sh
# The local Lambda as its clients meet it: AWS's SDK for JavaScript, curl, a
# browser, a thousand clients at once; and with runtimes of others. What is
# not here is skipped, and said so. It needs Debian's
#     nodejs npm (20 or newer), curl, chromium, wrk
# and, to build the native part of AWS's runtime for Node.js, node's headers
# (libnode-dev, or node's own package) and
#     g++ make cmake autoconf automake libtool python3
# Packages of npm go to build/clients; nothing else is installed.
cd "$(dirname "$0")/../.." || exit 1
unset MAKEFLAGS
make -s build/lambda bootstrap || exit 1
build=build/clients
mkdir -p $build

have() { command -v "$1" >/dev/null; }
# A command for test/tools/run.sh that says what is skipped.
skip() {
    printf "echo 'skipped: %s'; echo '0 passed, 0 failed, 1 skipped'" "$*"
}
# For what is here and does not work: in CI that is a failure.
broken() {
    if [ -n "$CI" ]; then
        printf "cat %s; echo 'FAIL %s'; echo '0 passed, 1 failed'" "$1" "$2"
    else
        skip "$2: see $1"
    fi
}

skip=
if ! have node; then
    skip=$(skip 'the tests of the clients: no node here')
elif [ "$(node -p 'parseInt(process.versions.node)')" -lt 20 ]; then
    skip=$(skip 'the tests of the clients: node is older than 20')
fi
if [ -n "$skip" ]; then
    exec sh test/tools/run.sh "$skip"
fi

# The packages; what there is of them from an earlier run is kept.
sdk='node test/clients/sdk.mjs'
log=$build/npm.log
if ! have npm; then
    sdk=$(skip 'the AWS SDK: no npm here')
elif ! cmp -s test/clients/package.json $build/package.json; then
    rm -rf $build/node_modules
    cp test/clients/package.json $build
    if ! (cd $build && npm install --ignore-scripts --no-package-lock \
        --no-audit --no-fund) >$log 2>&1; then
        rm -f $build/package.json
        sdk=$(broken $log 'npm does not install the packages')
    fi
fi
export AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true

# The native part of aws-lambda-ric.
ric=$build/node_modules/aws-lambda-ric
ric_test= missing=
for tool in g++ make cmake autoconf automake libtoolize python3; do
    have $tool || missing="$missing $tool"
done
if [ -d $ric ] && [ ! -e $ric/dist/rapid-client.node ]; then
    prefix=$(node -p 'path.dirname(path.dirname(process.execPath))')
    prefix=${npm_config_nodedir:-$prefix}
    [ -e "$prefix/include/node/node_api.h" ] || missing="$missing node_api.h"
    log=$build/ric.log
    if [ -n "$missing" ]; then
        ric_test=$(skip "building aws-lambda-ric: no$missing here")
    elif ! (cd $build && MAKEFLAGS=-j2 npm_config_nodedir=$prefix \
        npm rebuild --foreground-scripts aws-lambda-ric) >$log 2>&1; then
        ric_test=$(broken $log 'aws-lambda-ric does not build')
    fi
fi

# Version 4 of it, for several events at once, needs node 22, which npm has.
log=$build/node22.log
node22=
if ! have npm; then
    several=$(skip 'several streams in one environment: no npm here')
elif [ -n "$missing" ]; then
    several=$(skip "several streams in one environment: no$missing here")
else
    if ! cmp -s test/clients/node22.json $build/node22/package.json; then
        rm -rf $build/node22 && mkdir $build/node22
        cp test/clients/node22.json $build/node22/package.json
        (cd $build/node22 && npm install --ignore-scripts --no-package-lock \
            --no-audit --no-fund) >$log 2>&1 || rm -f $build/node22/package.json
    fi
    for node22 in "$build"/node22/node_modules/node-linux-*/bin/node; do
        [ -x "$node22" ] && break
    done
    ric=$build/node22/node_modules/aws-lambda-ric
    if [ -x "$node22" ] && [ ! -e $ric/rapid-client.node ]; then
        prefix=$(cd "$(dirname "$node22")/.." && pwd)
        (cd $build/node22 && PATH=$prefix/bin:$PATH MAKEFLAGS=-j2 \
            npm_config_nodedir=$prefix \
            npm rebuild --foreground-scripts aws-lambda-ric) >>$log 2>&1
    fi
    several="node test/clients/several.mjs $node22"
    if [ ! -x "$node22" ]; then
        several=$(skip 'several streams in one environment: npm has no node 22 for this machine')
    elif [ ! -e $ric/rapid-client.node ]; then
        several=$(broken $log 'aws-lambda-ric 4 does not build')
    fi
fi

for chromium in chromium chromium-browser google-chrome ''; do
    have "$chromium" && break
done
if [ -n "$chromium" ] && [ -d $build/node_modules/playwright-core ]; then
    chromium=$(command -v $chromium)
else
    chromium=
fi
browser="node test/clients/browser.mjs $chromium"
runtimes='node test/clients/runtimes.mjs'
if ! have curl; then
    browser=$(skip 'curl, the browser: no curl here')
    runtimes=$(skip 'other runtimes: no curl here')
fi

python='python3 test/clients/aws.py ./bootstrap'
have python3 || python=$(skip 'boto3, the AWS CLI: no python3 here')

set -- "$sdk" "$python" "$browser" "$runtimes" "$several"
[ -z "$ric_test" ] || set -- "$@" "$ric_test"
exec sh test/tools/run.sh "$@" 'node test/clients/load.mjs' \
    'node test/clients/measure.mjs'
