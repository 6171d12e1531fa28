#!/bin/sh
# The tests of deployment: test.sh BOOTSTRAP ZIP. Nothing here reaches AWS. What
# is not here is skipped, and said so. They need Debian's
#     awscli python3 strace curl nodejs npm (20 or newer) chromium buildah
# Packages of npm go to build/deploy; nothing else is installed.
cd "$(dirname "$0")/../.." || exit 1
unset MAKEFLAGS
bootstrap=$1 zip=$2 build=build/deploy
mkdir -p $build

have() { command -v "$1" >/dev/null; }
# A command for test/tools/run.sh that says what is skipped.
skip() {
    printf "echo 'skipped: %s'; echo '0 passed, 0 failed, 1 skipped'" "$*"
}

# The packages; what there is of them from an earlier run is kept.
why=
if ! have node || ! have npm; then
    why='no node or npm here'
elif [ "$(node -p 'parseInt(process.versions.node)')" -lt 20 ]; then
    why='node is older than 20'
elif ! cmp -s test/deploy/package.json $build/package.json; then
    rm -rf $build/node_modules
    cp test/deploy/package.json $build
    if ! (cd $build && npm install --ignore-scripts --no-package-lock \
        --no-audit --no-fund) >$build/npm.log 2>&1; then
        rm -rf $build/package.json $build/node_modules
        why="npm does not install the packages, see $build/npm.log"
    fi
fi

set --
models=/usr/lib/python3/dist-packages/awscli/botocore/data
if ! have python3; then
    set -- "$@" "$(skip 'deploy.sh: no python3 here')"
elif [ ! -x /usr/bin/aws ] || [ ! -d $models ]; then
    set -- "$@" "$(skip "deploy.sh: no awscli of Debian's here")"
else
    set -- "$@" "python3 -B test/deploy/deploy_test.py $zip"
fi
if have python3; then
    set -- "$@" 'python3 test/deploy/messages.py'
fi
set -- "$@" 'sh test/deploy/make.sh'
for chromium in chromium chromium-browser google-chrome ''; do
    have "$chromium" && break
done
if [ -n "$why" ]; then
    set -- "$@" "$(skip "the templates, the pages: $why")"
else
    set -- "$@" "node test/deploy/templates.mjs $zip" \
        "node test/deploy/pages.mjs ${chromium:+"$(command -v "$chromium")"}"
fi
exec sh test/tools/run.sh "$@" "sh test/deploy/image.sh $bootstrap"
