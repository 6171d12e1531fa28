#!/bin/sh
# What make gives to deploy.sh; a dry run shows it.
dir=build/deploy/make
rm -rf $dir && mkdir -p $dir
. test/tools/ok.sh

# dry TARGET SETTING...: the words of what would be called, one a line.
dry() { make -s DRY_RUN=1 "$@" 2>$dir/err | tr ' ' '\n' >$dir/out; }
has() { grep -qxF -e "$1" $dir/out; }
unset AWS_REGION AWS_DEFAULT_REGION AWS_PROFILE ARCH

# What the environment says under these names does not count.
ROLE=x REGION=x MEMORY=1 TIMEOUT=1 FUNCTION=x AUTH=x PROFILE=x YES=1 EVENT=x \
    AWS_REGION=us-east-2 dry deploy
ok 'the environment: AWS_REGION counts' has us-east-2
ok 'the environment: FUNCTION does not' has rawstream
ok 'the environment: MEMORY does not' has 128
ok 'the environment: PROFILE does not' [ "$(grep -c profile $dir/out)" -eq 0 ]
case $(uname -m) in
aarch64 | arm64) here=arm64 ;;
*) here=x86_64 ;;
esac
ok 'the processor of this machine' has $here
dry deploy ZIP=$dir/none.zip
ok 'no zip is made in a dry run' has fileb://$dir/none.zip

dry deploy FUNCTION=words ARCH=arm64 REGION=eu-west-1 PROFILE=work \
    AUTH=AWS_IAM TIMEOUT=60 MEMORY=256 ROLE=arn:aws:iam::123456789012:role/mine
for word in words arm64 eu-west-1 work AWS_IAM 60 256 \
    arn:aws:iam::123456789012:role/mine fileb://build/arm64/function.zip; do
    ok "a setting: $word" has "$word"
done

dry deploy FUNCTION="a'b; touch $dir/ran"
ok 'a name with a quote is refused' grep -qF "FUNCTION=a'b; touch" $dir/err
ok '... and not run' [ ! -e $dir/ran ]
make -s deploy ARCH=mips DRY_RUN=1 >$dir/out 2>$dir/err
ok 'another processor: one line' [ "$(grep -c mips $dir/err)" -eq 1 ]
make -s deploy AUTH=other >$dir/out 2>$dir/err
ok 'a wrong setting: make fails' [ $? -ne 0 ]
for target in invoke logs undeploy; do
    dry $target FUNCTION=words REGION=eu-west-1
    ok "make $target" grep -q words $dir/out
done
finish
