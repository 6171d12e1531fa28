#!/bin/sh
# Builds the image of Containerfile with Debian's buildah and runs it, by hand
# and under the local Lambda: image.sh BOOTSTRAP
bootstrap=$1
. test/tools/ok.sh
if ! command -v buildah >/dev/null; then
    skip 'the image: no buildah here'
    finish
    exit
fi
dir=build/deploy/image
rm -rf $dir && mkdir -p $dir/context
cp "$bootstrap" $dir/context/bootstrap
store=$(mktemp -d) || exit
trap 'rm -rf "$store"' EXIT
# Neither user namespaces nor an overlay file system are asked of the kernel.
buildah="buildah --root $store/root --runroot $store/run --storage-driver vfs"
if ! $buildah from scratch >$dir/probe 2>$dir/probe.err ||
    ! $buildah mount "$(cat $dir/probe)" >$dir/mount 2>$dir/probe.err; then
    skip "the image: buildah cannot work here: $(tail -n 1 $dir/probe.err)"
    finish
    exit
fi

build() { $buildah build --isolation chroot -f test/deploy/Containerfile "$@"; }
# A member of the image's configuration.
member() { $buildah inspect --type image --format "{{$2}}" "$1"; }

build -t rawstream $dir/context >$dir/build 2>&1
ok 'the image is built' [ $? -eq 0 ]
ok 'its entry point' [ "$(member rawstream .OCIv1.Config.Entrypoint)" = \
    '[/bootstrap]' ]
container=$($buildah from --pull-never rawstream)
root=$($buildah mount "$container")
ok 'one file in it' [ "$(cd "$root" && find . -type f)" = ./bootstrap ]
ok 'its mode' [ -x "$root/bootstrap" ]

run="$buildah run --isolation chroot"
# On a busy machine buildah may lose the last that a program prints: what is
# printed is not looked at.
$run "$container" -- /bootstrap --delay 0 >$dir/run 2>&1
status=$?
if grep -qi 'not permitted\|permission denied' $dir/run; then
    skip "running the image: $(tail -n 1 $dir/run)"
    finish
    exit
fi
ok 'by hand' [ $status -eq 0 ]

# As Lambda runs it: the entry point, with the Runtime API's address.
cat >$dir/start <<END
#!/bin/sh
exec $run --env AWS_LAMBDA_RUNTIME_API="\$AWS_LAMBDA_RUNTIME_API" \
    $container -- /bootstrap
END
chmod +x $dir/start
build/lambda --invoke '{"delay":0,"format":"text"}' -- $dir/start \
    >$dir/invoked 2>$dir/invoked.err
ok 'under the local Lambda' [ "$(cat $dir/invoked)" = \
    'Hello this is a streaming Lambda function response' ]

build -t other --platform linux/arm64 $dir/context >$dir/build.arm64 2>&1
ok 'for arm64: its processor' [ "$(member other .OCIv1.Architecture)" = arm64 ]
finish
