#!/bin/sh
# Handlers in C++17: one with its standard library, one without any.
handler='cpp'
. test/handlers/common.sh
echo 'int main() { return 0; }' >$dir/probe.cpp
${CXX:-c++} -std=c++17 -o $dir/probe $dir/probe.cpp 2>/dev/null ||
    give_up 'cpp: no C++17 compiler here'
STRICT='-Os -std=c++17 -Werror -pedantic -Wshadow'

ok 'without a library' built CXXFLAGS="$STRICT" HANDLER=test/handlers/primes.cpp
ok 'its answer' [ "$($dir/bootstrap)" = '2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97 and no more' ]

ok 'with the standard library' built HOSTED=1 CXXFLAGS="$STRICT" \
    HANDLER=test/handlers/capitals.cpp
serve --timeout 30
answers 'a capital' 200 '"Tōkyō"' '/?of=Japan'
answers 'again, from the same table' 200 '"Paris"' '/?of=France'
answers 'an exception, caught' 404 null '/?of=Atlantis'
answers 'all' 200 '"France: Paris""Japan: Tōkyō""Kenya: Nairobi"' /
ok 'directly' contains "$($dir/bootstrap)" Nairobi
finish
