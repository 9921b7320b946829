#!/bin/busybox sh
# Runs the cases of tests/cases and prints a transcript; see README.md for the format of both.
# usage: run.sh [FAMILY | FAMILY/CASE]...    (patterns of the shell; without any, everything)
here=${0%/*}
work=/tmp/.run
rm -rf $work
mkdir -p $work
total=0
# The firmware may have left the console in the middle of a line.
echo

# wanted FAMILY CASE: is the case among the patterns of the command line?
wanted() {
    [ -n "$patterns" ] || return 0
    for p in $patterns; do
        case "$1" in $p) return 0 ;; esac
        case "$1/$2" in $p) return 0 ;; esac
    done
    return 1
}

# split FILE: writes each case of FILE, with the lines before the first case in front of it, to $work/NAME.sh,
# and its name and time limit to $work/list.
split() {
    awk -v dir=$work '
        /^#case / {
            if (out) close(out)
            name = $2; limit = 20
            for (i = 3; i <= NF; i++) if ($i ~ /^timeout=/) limit = substr($i, 9)
            out = dir "/" name ".sh"
            print name, limit > (dir "/list")
            printf "%s", prelude > out
            next
        }
        out { print > out; next }
        { prelude = prelude $0 "\n" }
    ' "$1"
}

# clear_away: makes /tmp/case anew although a case has left mounts there.
clear_away() {
    awk '$2 ~ "^/tmp/case/" { print $2 }' /proc/mounts | tac | while read -r m; do umount -l "$m"; done
    rm -rf /tmp/case
    mkdir /tmp/case
}

set -f
patterns=$*
set +f
for file in $here/cases/*.sh; do
    family=${file##*/}
    family=${family%.sh}
    set -f
    # A family no pattern can reach is not even split.
    if [ -n "$patterns" ]; then
        reach=
        for p in $patterns; do
            case "$family" in ${p%%/*}) reach=1 ;; esac
        done
        [ -n "$reach" ] || { set +f; continue; }
    fi
    set +f
    rm -f $work/*
    split $file
    echo "### $family"
    count=0
    while read -r name limit <&3; do
        set -f; wanted $family $name || { set +f; continue; }; set +f
        echo "=== $name"
        rm -rf /tmp/case 2>/dev/null
        mkdir /tmp/case 2>/dev/null || clear_away
        cd /tmp/case
        env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root LC_ALL=C TZ=UTC T=$here \
            timeout -s KILL $limit sh $work/$name.sh </dev/null >$work/.out 2>&1 3>&-
        status=$?
        cd /
        awk '{ print "| " $0 }' <$work/.out
        echo "--- $name status=$status"
        # What a killed case leaves behind must not disturb the next one; everything but this shell and process 1 goes.
        [ $status = 137 ] && kill -KILL -1
        count=$((count + 1))
    done 3<$work/list
    echo "### end $family cases=$count"
    total=$((total + count))
done
rm -rf /tmp/case $work
echo "### done cases=$total"
