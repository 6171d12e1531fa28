#!/bin/sh
# The two commands of the README as somebody types them who has just installed
# Debian: roots.sh [SUITE]..., which are bookworm and trixie. In each root there
# are gcc, make and libc6-dev, and an ordinary user.
#
# It needs Debian's debootstrap, and to be root. The roots stay in build/roots.
dir=build/roots
. test/tools/ok.sh
[ $# -gt 0 ] || set -- bookworm trixie
stop() {
    skip "$1"
    finish
    exit
}
for tool in debootstrap unshare pivot_root; do
    command -v $tool >/dev/null || stop "roots: no program $tool here"
done
[ "$(id -u)" = 0 ] || stop 'roots: they want root'
unshare --mount --pid --fork true 2>/dev/null || stop 'roots: no namespaces here'

# Where this machine's apt has Debian from.
# shellcheck disable=SC2016 # for apt-get to expand
mirror=$(apt-get indextargets --format '$(SITE) $(LABEL)' 'Created-By: Packages' \
    2>/dev/null | sed -n 's/ Debian$//p' | head -n 1)

prepare() {
    root=$dir/$1.bare
    [ -e $root.made ] && return
    rm -rf $root && mkdir -p $root &&
        debootstrap --variant=minbase --include=gcc,make,libc6-dev \
            $1 $root $mirror >$root.log 2>&1 &&
        chroot $root useradd --create-home user >>$root.log 2>&1 && touch $root.made
}

# The sources, as they are in a fresh clone.
clone() {
    home=$dir/$1.bare/home/user
    rm -rf $home/rawstream && mkdir $home/rawstream &&
        tar -cf - --exclude=./build --exclude=./.git --exclude=./bootstrap \
            --exclude=./function.zip . | tar -xf - -C $home/rawstream &&
        chroot $dir/$1.bare chown -R user: /home/user
}

# inside SUITE COMMAND: as the user, with the root as / of a mount namespace: in
# a chroot some of the tests would be skipped.
# shellcheck disable=SC2016 # for the shell inside to expand
inside() {
    unshare --mount --pid --fork sh -c '
        mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc &&
            pivot_root . mnt && cd /home/user/rawstream && umount -l /mnt &&
            exec setpriv --reuid=user --regid=user --init-groups env -i \
                HOME=/home/user PATH=/usr/bin:/bin $2' inside $dir/$1.bare "$2"
}

# Both commands; where they have come to goes to files.
try() {
    rm -f $dir/$1.run $dir/$1.test
    prepare $1 && clone $1 || return
    { inside $1 'make run' && echo 'it ran'; } >$dir/$1.run 2>&1
    { inside $1 'make test' && echo 'all passed'; } >$dir/$1.test 2>&1
}
says() { [ "$(tail -n 1 $1)" = "$2" ] || { tail -n 30 $1 && false; }; }

mkdir -p $dir
for suite; do
    try $suite &
done
wait
for suite; do
    if [ ! -e $dir/$suite.test ]; then
        tail -n 1 $dir/$suite.bare.log
        skip "$suite: debootstrap does not make a root of it here"
        continue
    fi
    echo "$suite: $(grep -x '[0-9]* passed, .*' $dir/$suite.test)"
    ok "$suite: make run" says $dir/$suite.run 'it ran'
    ok "$suite: make test" says $dir/$suite.test 'all passed'
done
finish
