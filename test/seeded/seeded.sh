#!/bin/sh
# Would the tests notice? Each patch in test/seeded/ puts a fault into a copy of
# the project: its first line says which, the second what would come of it in
# Lambda. The fast tests must notice each one. They must pass without a patch,
# too, or else they would notice everything. Two copies are tested at a time.
#
#     seeded.sh             all of them
#     seeded.sh PATCH|none  one, when the first copy has been built
dir=build/seeded
export MAKEFLAGS=

if [ $# -eq 0 ]; then
    if ! command -v patch >/dev/null; then
        echo 'skipped: seeded: no program patch'
        echo '0 passed, 0 failed, 1 skipped'
        exit
    fi
    rm -rf $dir && mkdir -p $dir/none
    cp -p Makefile README.md ./*.c ./*.h $dir/none && cp -Rp test $dir/none
    if ! make -s -j 2 -C $dir/none CC="${CC:-cc}" all \
        build/test/json_test build/test/http_test build/test/wire \
        $(for kind in plain checked; do
            echo build/test/puppet.$kind build/test/hello.$kind
        done) build/test/bootstrap.checked build/fault/fault build/fault/pacing \
        $(for target in http chunks json base64 endpoint loop; do
            echo build/fuzz/$target.replay
        done) $(for list in http json loop; do echo build/fuzz/lists/$list.txt; done); then
        echo '0 passed, 1 failed'
        exit 1
    fi
    { echo none; ls test/seeded/*.patch; } |
        xargs -P 2 -n 1 sh "$0" | tee $dir/report
    passed=$(grep -c '^ok ' $dir/report)
    failed=$(grep -c '^FAIL ' $dir/report)
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ] && [ $passed -gt 0 ]
    exit
fi

name=$(basename "$1" .patch)
tree=$dir/$name.tree
rm -rf $tree && cp -Rp $dir/none $tree
if [ $name != none ] && ! patch -s -f -p 1 -d $tree <$1 >$dir/$name.log; then
    echo "FAIL $name: the patch does not apply to the product as it is now:" \
        "$(tail -n 1 $dir/$name.log)"
    exit
fi
[ $name = none ] && all=--all || all=
what=$(sh test/seeded/caught.sh $all $tree bootstrap CC="${CC:-cc}")
case $?$name in
0none) echo "FAIL the product as it is: $what" ;;
1none) echo 'ok the product as it is' ;;
0*) echo "ok $name: $what" ;;
1*) echo "FAIL $name: nothing noticed: $(head -n 1 $1)" ;;
*) echo "FAIL $name: $what" ;;
esac
rm -rf $tree
