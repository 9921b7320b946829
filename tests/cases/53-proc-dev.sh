# What programs read in /proc and /sys, and the devices.

#case self_status_fields
awk -F: '{print $1}' /proc/self/status | grep -E '^(Name|Umask|State|Tgid|Ngid|Pid|PPid|TracerPid|Uid|Gid|FDSize|Groups|VmPeak|VmSize|VmRSS|VmData|VmStk|VmExe|Threads|SigQ|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt|CapInh|CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp|Cpus_allowed|voluntary_ctxt_switches)$'; grep -E '^(Name|Umask|State|Seccomp|CapEff|CapInh):' /proc/self/status; grep -c '^Vm.* kB$' /proc/self/status | awk '{print ($1>5)}'

#case self_links
readlink /proc/self/exe; readlink /proc/self/cwd; readlink /proc/self/root; [ "$(readlink /proc/self)" -gt 1 ] && echo number; readlink /proc/thread-self | sed 's/[0-9][0-9]*/N/g'; ls -l /proc/self/fd/0 | sed 's/.*-> //'; stat -c '%F %a' /proc/self/fd/0 /proc/self/exe

#case self_stat_shape
sh -c 'cat /proc/$$/stat' | awk '{print NF, $2, $3, ($1>1)}'; set -- $(cat /proc/self/stat); echo $2 $8 ${18} ${19} ${20}; awk '{print NF}' /proc/self/statm; sh -c 'f=1; read a </proc/$$/stat; echo ${a#* }' | cut -d' ' -f1,2

#case self_signals
sh -c 'trap "" USR1; trap : USR2; grep -E "^Sig(Ign|Cgt|Blk)" /proc/$$/status' | sed 's/SigCgt:.*\(...\)$/SigCgt ...\1/'; sleep 44 & p=$!; kill -STOP $p; until grep -q '^State:	T' /proc/$p/status; do :; done; kill -USR1 $p; grep ShdPnd /proc/$p/status; kill -9 $p

#case self_maps
cat /proc/self/maps | awk '{print $2, $6}' | grep -E 'busybox|heap|stack|vdso' | sort -u; awk 'NR==1{print length($1)>10, NF}' /proc/self/maps; grep -c 'rwxp' /proc/self/maps; awk '$6=="[stack]"{print $2,$3,$4,$5}' /proc/self/maps

#case self_maps_are_sorted
awk -F'[- ]' '{if ($1 <= last) bad=1; last=$1} END{print bad+0, (NR>=6)}' /proc/self/maps; cut -c1-4 /proc/self/smaps 2>/dev/null | grep -c '^Rss:' | awk '{print ($1>3)}'

#case cmdline_and_comm
sh -c 'tr "\0" "|" </proc/$$/cmdline; echo; cat /proc/$$/comm; echo -n renamed >/proc/$$/comm; cat /proc/$$/comm; cut -d" " -f2 /proc/$$/stat' arg0 'a b' ''; cp /bin/busybox ./busybox_with_a_long_name; ./busybox_with_a_long_name cat /proc/self/comm

#case environ_and_limits
A=1 B='two words' sh -c 'tr "\0" "\n" </proc/$$/environ | grep "^[AB]="'; grep -E '^(Limit|Max (cpu time|core file size|stack size|file locks))' /proc/self/limits | sed 's/  */ /g'

#case fd_directory
exec 5<>f 6</dev/null; ls -l /proc/self/fd | awk 'NR>1{print $9,$10,$11}' | grep '^[56]'; echo via >/proc/self/fd/5; cat f; rm f; ls -l /proc/self/fd/5 | sed 's/.*-> //'; cat /proc/$$/fd/5; sh -c 'echo piped | cat /proc/self/fd/0'; readlink /proc/self/fd/77; echo $?; cat /proc/self/fdinfo/6 | head -2

#case task_directory
ls /proc/self/task | wc -l; sh -c '[ $(ls /proc/$$/task) = $$ ] && echo own'; sh -c 'cat /proc/$$/task/*/comm'; ls -d /proc/self/task/*/stat | wc -l

#case root_files
for f in version uptime loadavg meminfo cpuinfo stat mounts filesystems cmdline; do [ -e /proc/$f ] && stat -c '%n %s %a %F' /proc/$f; done; grep -c '^cpu ' /proc/stat; awk '/^(ctxt|btime|processes|procs_running|procs_blocked|intr)/{print $1}' /proc/stat; cut -d' ' -f1,2 /proc/version; grep -E '^(MemTotal|MemFree|MemAvailable|Buffers|Cached|SwapTotal|SwapFree|Shmem):' /proc/meminfo | awk '{print $1,$3}'

#case cpuinfo_fields
awk -F'[ \t]*:' 'NF{print $1}' /proc/cpuinfo | sort -u | grep -E '^(processor|vendor_id|model name|flags|cpu MHz|bogomips)$'; [ $(grep -c ^processor /proc/cpuinfo) = $(nproc) ] && echo agrees; [ $(grep -c '^cpu[0-9]' /proc/stat) = $(nproc) ] && echo agrees; grep -m1 -ow 'fpu\|sse2' /proc/cpuinfo | head -1; grep -m1 -cw 'sse2' /proc/cpuinfo

#case filesystems_list
grep -E '	(tmpfs|proc|sysfs|devtmpfs|devpts)$' /proc/filesystems | sort

#case sys_kernel
for f in ostype hostname pid_max osrelease version random/boot_id random/uuid cap_last_cap ngroups_max; do [ -s /proc/sys/kernel/$f ] || [ "$(cat /proc/sys/kernel/$f)" ] && echo $f; done; cat /proc/sys/kernel/ostype; cat /proc/sys/kernel/random/uuid | grep -cE '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'; [ "$(cat /proc/sys/kernel/random/boot_id)" = "$(cat /proc/sys/kernel/random/boot_id)" ] && echo same; [ "$(cat /proc/sys/kernel/osrelease)" = "$(uname -r)" ] && echo release; echo changed >/proc/sys/kernel/hostname; hostname; echo testhost >/proc/sys/kernel/hostname; echo x >/proc/sys/kernel/ostype; echo $?; cat /proc/sys/kernel/cap_last_cap

#case proc_is_guarded
echo x >/proc/version; echo $?; mkdir /proc/new; echo $?; rm /proc/version; echo $?; touch /proc/file; echo $?; mv /proc/version /proc/v; chmod 777 /proc/self/maps; ls /proc/999999; cat /proc/self/mem >/dev/null; echo $?; ln -s x /proc/l; cd /proc/self; ls -d task

#case proc_lists_processes
sleep 45 & p=$!; ls /proc | grep -c "^$p\$"; [ -d /proc/$p ] && echo there; stat -c '%F %a %h' /proc/$p | sed 's/ [0-9]*$/ N/'; kill $p; wait; [ -d /proc/$p ] || echo gone; ls -d /proc/1 /proc/self/fd; ls /proc/1 | grep -xE 'cmdline|comm|cwd|environ|exe|fd|maps|root|stat|statm|status|task|mounts|limits|fdinfo|mountinfo|oom_score_adj' | sort | tr '\n' ' '

#case proc_reads_in_pieces
a=$(cat /proc/self/mounts | md5sum); b=$(dd if=/proc/self/mounts bs=7 2>/dev/null | md5sum); [ "$a" = "$b" ] && echo same; dd if=/proc/version bs=1 skip=6 count=7 2>/dev/null; echo; tail -c 2 /proc/version | od -An -c | sed 's/.*  //'; head -c 5 /proc/version; echo; (exec 3</proc/version; read -r a <&3; cat <&3 | wc -c)

#case oom_score_adj
cat /proc/self/oom_score_adj; sh -c 'echo 500 >/proc/self/oom_score_adj; cat /proc/self/oom_score_adj; sh -c "cat /proc/self/oom_score_adj"'; echo 1001 >/proc/self/oom_score_adj; echo $?; echo abc >/proc/self/oom_score_adj; echo $?

#case dev_null_zero_full
echo x >/dev/null; cat /dev/null | wc -c; head -c 5 /dev/zero | od -An -tx1; echo x >/dev/zero; echo $?; echo x >/dev/full; echo $?; head -c 3 /dev/full | od -An -tx1; stat -c '%F %t:%T %a' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/console /dev/kmsg /dev/ptmx; dd if=/dev/zero bs=1M count=3 2>/dev/null | wc -c; dd if=/dev/null bs=1 seek=5 of=/dev/null; truncate -s 0 /dev/null; echo $?

#case dev_random
a=$(head -c 32 /dev/urandom | md5sum); b=$(head -c 32 /dev/urandom | md5sum); [ "$a" != "$b" ] && echo differ; head -c 100000 /dev/urandom | gzip | wc -c | awk '{print ($1>99000)}'; head -c 16 /dev/random | wc -c; echo seed >/dev/urandom; echo $?; dd if=/dev/urandom bs=1 count=3 2>/dev/null | wc -c

#case dev_tty_without_terminal
cat /dev/tty; echo $?; echo x >/dev/tty; echo $?; setsid sh -c 'echo x >/dev/tty'; echo $?; tty </dev/console; test -t 0 </dev/console && echo terminal; stty size </dev/null; echo $?

#case dev_links_and_dirs
ls -ld /dev/pts /dev/fd /dev/stdin 2>/dev/null | awk '{print $1, $NF}' | head -1; [ -c /dev/pts/ptmx ] && echo ptmx; echo hello | cat /dev/stdin 2>/dev/null | head -0; mkdir /dev/case; mknod /dev/case/z c 1 5; head -c 2 /dev/case/z | od -An -tx1; rm -r /dev/case; ls /dev/case; echo $?

#case dev_console_settings
stty -F /dev/console -a | grep -oE '(^|[ -])(icanon|echo|isig|onlcr|icrnl|opost|echoe|echok|iexten|ixon|cread)( |$)' | tr -d ' ' | sort | tr '\n' ' '; stty -F /dev/console | grep -o 'line = [0-9]*'; old=$(stty -F /dev/console -g); stty -F /dev/console -echo -icanon min 1 time 0; stty -F /dev/console -a | grep -oE -- '-(echo|icanon)\b' | sort -u; stty -F /dev/console "$old"; stty -F /dev/console -a | grep -c ' -echo '; stty -F /dev/console rows 30 cols 100; stty -F /dev/console size; stty -F /dev/console rows 24 cols 80

#case sysfs_shape
ls /sys | grep -x kernel; stat -c '%F %a' /sys; grep ' /sys ' /proc/mounts | cut -d' ' -f1-3; mkdir /sys/x; echo $?

#case kmsg_levels
echo '<6>from a case' >/dev/kmsg; dmesg | grep -c 'from a case'; dmesg | tail -1 | sed 's/^\[[ 0-9.]*\] //'

#case consoles_and_tables
cat /proc/consoles; wc -l </proc/diskstats; awk '{print $1,$2,$3}' /proc/buddyinfo | grep -c 'Node 0, zone' | awk '{print ($1>=1)}'; head -1 /proc/softirqs | tr -s ' ' | cut -d' ' -f2; awk '{print $1}' /proc/softirqs | tail -n +2; grep -c '^intr [1-9]' /proc/stat; tail -1 /proc/stat | awk '{print $1,NF}'; awk '/ttyS0/{print $NF}' /proc/interrupts; grep -o 'Local timer interrupts' /proc/interrupts; cd /proc/sys/vm; grep . legacy_va_layout max_map_count mmap_min_addr nr_hugepages nr_overcommit_hugepages oom_kill_allocating_task overcommit_kbytes overcommit_memory overcommit_ratio panic_on_oom swappiness unprivileged_userfaultfd zone_reclaim_mode
