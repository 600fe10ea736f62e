# SPDX-License-Identifier: GPL-3.0-or-later
# The sandbox's conscience. $1 is the sandbox's folder; standard input is a pipe that the sandbox holds open
# for as long as it lives. However the sandbox ends, the pipe closes: then the servers' process groups (a file
# each in groups/) and every process that carries the sandbox's mark are ended, and the folder is removed.
base=$1
cat > /dev/null
for file in "$base"/groups/*; do
    [ -e "$file" ] && kill -s KILL -- "-${file##*/}" 2> /dev/null
done
round=0
while [ "$round" -lt 50 ]; do
    found=$(grep -l -s -z -x -F -e "NS8_SANDBOX=$base" /proc/[0-9]*/environ)
    [ -n "$found" ] || break
    for file in $found; do
        pid=${file#/proc/}
        pid=${pid%/environ}
        kill -s KILL -- "-$pid" 2> /dev/null
        kill -s KILL "$pid" 2> /dev/null
    done
    sleep 0.02
    round=$((round + 1))
done
rm -rf -- "$base"
