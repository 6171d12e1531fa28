#!/bin/sh
# Would the tests notice a wrong condition? Each conditional branch of http.c
# and json.c, compiled without optimisation so that each condition has its own,
# is taken always, and never: with that the unit test must fail, or else one of
# the other fast tests. Eight are tested at a time, for many wait; what is known
# of them is kept until the product or its unit test changes.
#
#     mutation.sh                  all of them
#     mutation.sh 'FILE N HOW'     one: mutation.sh 'http 17 never'
#
# test/seeded/mutation.txt lists those that change nothing that can be seen, each with
# the reason. One that is neither noticed nor listed is a failure, and so is one
# that is listed but noticed, or not there any more.
dir=build/mutation
export MAKEFLAGS=
C11='-std=c11 -D_POSIX_C_SOURCE=200809L -I. -w'
list=test/seeded/mutation.txt
variables='CC=gcc HOSTED=1 SANITIZE='

# Prepares a file's mutants, unless nothing has changed.
prepare() {
    file=$1
    shift
    done=$dir/$file.branches
    if [ -e $done ] && [ -z "$(find $file.c $file.h "$@" test/unit/unit.h \
        test/seeded/mutation.awk -newer $done)" ]; then
        return
    fi
    rm -rf "${dir:?}/$file" "${dir:?}/$file".* && mkdir -p $dir/$file
    for source in "$@"; do
        case $source in
        *.c) gcc -O1 $C11 -c -o $dir/$file/$(basename $source .c).o $source ;;
        esac || return
    done
    # No table of jumps: the cases of a switch are compared, each a branch.
    gcc -O0 $C11 -fno-jump-tables -S -fverbose-asm -o $dir/$file.s $file.c ||
        return
    gcc -o $dir/$file/none $dir/$file.s $dir/$file/*.o &&
        { $dir/$file/none >$dir/$file/log && times; } >$dir/$file/times || return
    # In seconds: a mutant that needs four times the CPU time is in a loop.
    awk -F '[ ms]+' 'NR == 2 { printf "%d\n", 4 * (60 * $1 + $2) + 5 }' \
        $dir/$file/times >$dir/$file/limit
    awk -f test/seeded/mutation.awk $dir/$file.s >$done
}

# caught TREE [--all]: prints what notices that its product is broken. First the
# simulated kernel, for which a mutant that waits for ever is a failure at once.
caught() {
    if ! make -s -C $1 $variables build/fault/fault build/fault/misbehave; then
        return 2
    fi
    for program in fault misbehave; do
        if ! (cd $1 && timeout -k 1 600 sh -c "ulimit -t 30; exec build/fault/$program") \
            >/dev/null 2>&1; then
            echo $program
            return 0
        fi
    done
    sh test/seeded/caught.sh $2 $1 build/hosted/bootstrap $variables
}

# The tree in which what a unit test does not notice is built. Its product has
# the mutant in the place of its source, but for the fuzz target that replaces
# system calls by macros.
prepare_tree() {
    tree=$dir/tree
    rm -rf $tree && mkdir -p $tree
    cp -p Makefile README.md ./*.c ./*.h $tree && cp -Rp test $tree || return
    for file in http json; do
        mv $tree/$file.c $tree/$file.source.c
        printf '%s\n' '#ifdef SIMULATED_H' "#include \"$file.source.c\"" \
            '#else' "__asm__(\".include \\\"$file.s\\\"\");" '#endif' \
            >$tree/$file.c
        cp $dir/$file.s $tree
    done
    make -s -j 2 -C $tree $variables all build/test/json_test \
        build/test/http_test build/test/wire build/fault/fault build/fault/misbehave \
        build/hosted/test/puppet.plain build/hosted/test/hello.plain || return
    if caught $tree --all; then
        echo 'FAIL without a mutant'
        return 1
    fi
}

stop() {
    echo '0 passed, 1 failed'
    exit 1
}

name() {
    awk -F '\t' -v n=$2 -v file=$1 '$1 == n { print file ".c " $2 }' \
        $dir/$1.branches
}

# Whether the list has it: a line that is this.
listed() {
    grep -qxF -- "$(name $1 $2) $3" $list
}

mutate() {
    file=$1
    base=$dir/$1/$2.$3
    awk -v n=$2 -v how=$3 -f test/seeded/mutation.awk $dir/$1.s >$base.s
    if ! gcc -o $base $base.s $dir/$1/*.o; then
        echo "FAIL $*: does not build"
        return
    fi
    if ! timeout -k 1 600 sh -c "ulimit -t $(cat $dir/$file/limit); $base" \
        >$base.log 2>&1; then
        echo unit >$base.verdict
    elif listed $1 $2 $3; then
        echo listed >$base.verdict
    else
        rm -rf $base.tree && cp -Rp $dir/tree $base.tree
        cp $base.s $base.tree/$1.s
        touch $base.tree/$1.c
        caught $base.tree >$base.log
        case $? in
        0) echo other ;;
        1) echo survived ;;
        *) cat $base.log ;;
        esac >$base.verdict
        rm -rf $base.tree
    fi
    rm -f $base $base.s
}

if [ $# -gt 0 ]; then
    mutate $1
    exit
fi
if [ "$(uname -m)" != x86_64 ] || ! command -v gcc >/dev/null; then
    echo 'skipped: mutation: wants gcc on x86_64'
    echo '0 passed, 0 failed, 1 skipped'
    exit
fi
mkdir -p $dir
prepare json test/unit/json_test.c test/unit/json_reference.c test/unit/json_reference.h \
    test/unit/json-cases.txt || stop
prepare http test/unit/http_test.c test/unit/http_cases.c test/unit/outcome.h \
    test/unit/http-cases.txt || stop
for file in json http; do
    # shellcheck disable=SC2013 # numbers
    for n in $(cut -f 1 $dir/$file.branches); do
        for how in always never; do
            [ -e $dir/$file/$n.$how.verdict ] || echo "$file $n $how"
        done
    done
done >$dir/todo
if [ -s $dir/todo ]; then
    prepare_tree || stop
fi
xargs -P 8 -d '\n' -n 1 sh "$0" <$dir/todo

for file in json http; do
    while IFS='	' read -r n where; do
        for how in always never; do
            printf '%s\t%s\n' "$file.c $where $how" \
                "$(cat $dir/$file/$n.$how.verdict 2>/dev/null)"
        done
    done <$dir/$file.branches
done | awk -F '\t' '
    FILENAME != "-" { if (/^[^ #]/) listed[$0] = 1; next }
    $2 == "unit" || $2 == "other" { passed++; noticed[$2]++; next }
    $2 && $1 in listed { passed++; same++; delete listed[$1]; next }
    { failed++; print "FAIL " $1 ": " ($2 ? "not noticed" : "not tried") }
    END {
        for (name in listed) {
            failed++
            print "FAIL " name ": listed, but noticed, or not there"
        }
        printf "%d noticed by unit tests, %d by others, %d change nothing\n",
            noticed["unit"], noticed["other"], same
        printf "%d passed, %d failed\n", passed, failed
        exit failed > 0
    }' $list -
