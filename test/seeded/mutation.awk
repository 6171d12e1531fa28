# Reads assembly by gcc -fverbose-asm, which shows each source line above its
# code. Lists the conditional branches: a number, and a name that stays when
# lines move: FUNCTION: SOURCE LINE #N, for the Nth in that line. With n and
# how, prints the assembly, in which the branch of that number is taken always
# or never.
/^[a-z_0-9]+:/ {
    place = $1
    line = "entry"
}
/^# [^ ]*\.c:[0-9]+: / {
    line = $0
    sub(/^# [^ ]*\.c:[0-9]+: */, "", line)
}
/^\tj[a-z]+\t/ && !/^\tjmp/ {
    branch++
    inline[place, line]++
    if (!n)
        print branch "\t" place " " line " #" inline[place, line]
    if (branch == n && how == "always")
        print "\tjmp\t" $2
    if (branch == n)
        next
}
n
