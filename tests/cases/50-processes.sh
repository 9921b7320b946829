# ps, kill and their like, priorities, sessions.

# wait_for FILE: until the file is not empty, five seconds at most.
wait_for() { i=0; while [ ! -s $1 ] && [ $i -lt 50 ]; do usleep 100000; i=$((i+1)); done; }

# started PID NAME: until the process has executed NAME and sleeps.
started() { until grep -q "^Name:	$2\$" /proc/$1/status && grep -q '^State:	S' /proc/$1/status; do usleep 10000; done; }
# state PID LETTER: until the process is in that state.
state() { until grep -q "^State:	$2" /proc/$1/status; do usleep 10000; done; }

#case ps_shape
sleep 31.5 & p=$!; started $p sleep; ps | head -1; ps | awk '$4=="sleep" && $5=="31.5" {print $2, $4, $5}'; ps -o pid,ppid,args | awk -v p=$p '$1==p {print ($2=='$$'), $3, $4}'; ps -o comm,user,args | grep '^sleep.*31[.]5'; ps -o nosuch; echo $?; ps | awk '$1==1{print $2}'; kill $p; wait

#case ps_states
sleep 32 & p=$!; started $p sleep; ps -o pid,stat | awk -v p=$p '$1==p {print substr($2,1,1)}'; kill -STOP $p; state $p T; ps -o pid,stat | awk -v p=$p '$1==p {print substr($2,1,1)}'; kill -CONT $p; kill $p; wait; ps -o pid | grep -c "^ *$p\$"

#case ps_columns
sh -c 'set -- $(ps -o pid,ppid,pgid,sid,comm | awk -v p=$$ "\$1==p"); [ $2 = $PPID ] && echo parent; echo $5'; sleep 9 & started $! sleep; ps -o user,group,comm,nice,vsz,rss | awk '$3=="sleep"{print $1,$2,$3,$4,($5>0),($6>0)}'; kill $!

#case pidof_and_killall
cp /bin/busybox ./sleeper; ln -sf sleeper sleep; ./sleep 33 & a=$!; ./sleep 33 & b=$!; started $a sleep; started $b sleep; set -- $(pidof sleep); [ $# -ge 2 ] && echo both; pidof nosuch; echo $?; killall nosuch; echo $?; killall -q nosuch; echo $?; killall sleep; wait $a 2>/dev/null; echo $?; wait $b 2>/dev/null; echo $?; killall -l | grep -cw TERM

#case kill_forms
sleep 34 & p=$!; kill -0 $p; echo $?; kill -s TERM $p; wait $p 2>/dev/null; echo $?; kill -0 $p 2>/dev/null; echo $?; sleep 34 & p=$!; kill -9 $p; wait $p 2>/dev/null; echo $?; kill -NOSUCH $$; echo $?; kill; echo $?; kill 999999 2>/dev/null; echo $?; kill -l | wc -l; /bin/kill -0 1; echo $?; kill abc; echo $?

#case kill_a_group
setsid sh -c 'echo $$ >g; sleep 35 & sleep 35 & wait' & wait_for g; g=$(cat g); until [ $(ps -o pgid,comm | awk -v g=$g '$1==g && $2=="sleep"' | wc -l) = 2 ]; do usleep 10000; done; ps -o pgid,comm | awk -v g=$g '$1==g && $2=="sleep"' | wc -l; kill -TERM -$g; wait; until [ $(ps -o pgid,comm | awk -v g=$g '$1==g' | wc -l) = 0 ]; do usleep 10000; done; ps -o pgid,comm | awk -v g=$g '$1==g' | wc -l; kill -0 -$g 2>/dev/null; echo $?

#case kill_init_is_harmless
kill -9 1; kill -TERM 1; ps -o pid,comm | awk '$1==1{print $1}'; cut -d' ' -f1,3 /proc/1/stat | sed 's/[RSD]$/alive/'

#case nice_and_renice
set -- $(cat /proc/self/stat); echo ${19}; sleep 36 & p=$!; renice -n 5 -p $p; cut -d' ' -f19 /proc/$p/stat; renice -n 3 $p; cut -d' ' -f19 /proc/$p/stat; ps -o pid,nice | awk -v p=$p '$1==p{print $2}'; su user -c "renice -n -5 -p $p"; kill $p; wait; renice -n 1 -p 999999; echo $?

#case user_cannot_lower_nice
su user -c 'sleep 37 & p=$!; usleep 100000; renice -n 10 -p $p; cut -d" " -f19 /proc/$p/stat; renice -n 0 -p $p; renice -n -10 -p $p; cut -d" " -f19 /proc/$p/stat; kill $p'

#case affinity
taskset -p $$ | sed 's/pid [0-9]*/pid N/; s/: .*/: M/'; taskset 1 sh -c 'taskset -p $$' | sed 's/.*: //'; taskset -c 0 nproc; taskset 0 true; echo $?; taskset 80000000 true 2>/dev/null; echo $?

#case sessions_and_groups
setsid sh -c 'cut -d" " -f1,5,6 /proc/self/stat' | awk '{print ($2==$3)}'; sh -c 'set -- $(cat /proc/self/stat); a=$5; set -- $(setsid sed "" /proc/self/stat); [ $a != $5 ] && [ $1 = $5 ] && [ $1 = $6 ] && echo new session'; cut -d' ' -f7,8 /proc/self/stat

#case start_stop_daemon
start-stop-daemon -S -b -m -p pid -x /bin/sleep -- 38; wait_for pid; kill -0 $(cat pid) && echo runs; start-stop-daemon -S -p pid -x /bin/sleep -- 38; echo $?; start-stop-daemon -K -q -p pid -x /bin/sleep; echo $?; i=0; while kill -0 $(cat pid) 2>/dev/null && [ $i -lt 20 ]; do usleep 50000; i=$((i+1)); done; start-stop-daemon -K -q -p pid -x /bin/sleep; echo $?; start-stop-daemon -S -c user -x /bin/sh -- -c 'id -un'

#case setpriv_shape
setpriv --nnp sh -c 'grep NoNewPrivs /proc/self/status'; grep NoNewPrivs /proc/self/status; setpriv -d 2>/dev/null | head -3

#case watch_top_batch
top -b -n 1 | head -1 | sed 's/[0-9][0-9]*/N/g'; top -b -n 1 | awk 'NR==2{print $1} NR==3{print $1,$2} NR==4{print}'; top -b -n 2 -d 0 | grep -c '^Mem'

#case uptime_and_load
cut -d' ' -f1 /proc/uptime | grep -c '^[0-9]*[.][0-9][0-9]$'; awk '{print NF, ($4~/^[0-9]+\/[0-9]+$/)}' /proc/loadavg; a=$(cut -d. -f1 /proc/uptime); sleep 1.1; b=$(cut -d. -f1 /proc/uptime); [ $b -gt $a ] && echo advances

#case process_limits_file
sh -c 'ulimit -n 77; grep "open files" /proc/self/limits' | awk '{print $1,$2,$3,$4,$5,$6}'; su user -c 'ulimit -u 0; true & wait' 2>&1 | head -1

#case fork_refused_by_limit
su other -c 'ulimit -u 5; for i in 1 2 3 4 5 6 7 8; do sleep 3 & done; echo not here' 2>&1 | sed 's/.*: //' | sort -u; killall -q sleep; sleep 0.1; su other -c 'echo works again'

#case pipes_of_dead_readers
sh -c 'trap "" PIPE; sleep 0.1; echo late; echo status $? >&2' 2>err | true; sleep 0.2; cat err | sed 's/.*: //'

#case usage_of_proc_by_shell
sleep 39 & p=$!; started $p sleep; tr '\0' ' ' </proc/$p/cmdline; echo; cat /proc/$p/comm; readlink /proc/$p/cwd; readlink /proc/$p/root; readlink /proc/$p/exe; ls /proc/$p/fd; tr '\0' '\n' </proc/$p/environ | sort | head -3; grep -E '^(Name|State|PPid|TracerPid|Uid|Gid|FDSize|Groups|Threads)' /proc/$p/status | sed "s/PPid:.*/PPid/"; kill $p; wait; ls /proc/$p 2>&1 | sed "s/$p/P/"

#case logger_and_klog_shape
dmesg | grep -c . | awk '{print ($1>0)}'; echo text >/dev/kmsg; dmesg | grep -c ' text$'

#case sysctl_and_limits
sysctl -n kernel.ostype; sysctl kernel.hostname; sysctl -n kernel.pid_max | awk '{print ($1>=32768)}'; sysctl no.such 2>&1; cat /proc/sys/fs/file-max | awk '{print ($1>1000)}'; sysctl -w kernel.hostname=h2; hostname; sysctl -w kernel.hostname=testhost
