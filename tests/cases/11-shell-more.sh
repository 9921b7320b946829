# The shell as a process: jobs, signals, descriptors, limits.

#case job_control_without_tty
set -m
sleep 0.1 & jobs | sed 's/  */ /g'; wait; echo $?
jobs; sh -mc 'sleep 5 & kill %1; wait %1 2>/dev/null; echo $?'

#case jobs_kill_spec
sleep 30 & kill %1; wait %1 2>/dev/null; echo $?
(exit 3) & wait %1 2>/dev/null; echo $?
kill %9; echo $?

#case process_group_of_job
set -m 2>/dev/null
sh -c 'set -- $(cat /proc/self/stat); [ $5 = $$ ] && echo leads || echo follows'
sh -c 'set -- $(sed "s/.*) //" /proc/$$/stat); [ "$3" = $$ ] && echo leads' & wait
sh -c 'cut -d" " -f5 /proc/$$/stat' | { read g; [ $g = $$ ] && echo own || echo not own; }

#case stop_and_continue
sleep 30 & p=$!
kill -STOP $p; while ! grep -q '^State:	T' /proc/$p/status; do :; done; grep ^State /proc/$p/status
kill -CONT $p; while ! grep -q '^State:	S' /proc/$p/status; do :; done; grep ^State /proc/$p/status
kill -STOP $p; kill -KILL $p; wait $p 2>/dev/null; echo $?

#case term_waits_for_cont
sleep 30 & p=$!
kill -STOP $p; while ! grep -q '^State:	T' /proc/$p/status; do :; done
kill -TERM $p; usleep 50000; grep ^State /proc/$p/status; kill -CONT $p; wait $p 2>/dev/null; echo $?

#case signal_names
kill -l 1; kill -l 9; kill -l 15; kill -l TERM; kill -l 137
for s in HUP INT QUIT ABRT KILL USR1 SEGV PIPE ALRM TERM; do sh -c "kill -$s \$\$" 2>/dev/null; echo $s $?; done

#case default_ignored_signals
for s in CHLD URG WINCH CONT; do sh -c "kill -$s \$\$; echo $s lives"; done

#case sigpipe_ends_writer
{ yes; echo $? >st; } | head -2; cat st
{ (trap '' PIPE; yes 2>err; echo $? >st); } | head -1; cat st err

#case trap_matrix
for s in HUP INT QUIT USR1 USR2 ALRM TERM CHLD; do
    sh -c "trap 'echo caught $s' $s; kill -$s \$\$; echo went on"
done

#case trap_in_subshell_is_reset
trap 'echo parent' USR1
(sh -c 'kill -USR1 $PPID'; echo unreachable?) ; echo $?
sh -c 'kill -USR1 $PPID'; :
trap '' USR2; sh -c 'kill -USR2 $$; echo inherited ignore'

#case trap_interrupts_wait
trap 'echo in trap' USR1
sleep 30 & p=$!
(usleep 100000; kill -USR1 $$) &
wait $p 2>/dev/null; s=$?; kill $p; [ $s -gt 128 ] && echo $s; wait $p 2>/dev/null; echo $?

#case trap_chld
trap 'echo child ended' CHLD
sleep 0.05 & wait; :; trap - CHLD; sleep 0; echo done

#case exit_in_trap
sh -c 'trap "exit 42" TERM; kill -TERM $$; echo not here'; echo $?

#case timeout_applet
timeout 0.2 sleep 30; echo $?
timeout -s KILL 1 sleep 30; echo $?
timeout 5 true; echo $?; timeout 5 sh -c 'exit 3'; echo $?

#case ignored_hup_is_inherited
(trap '' HUP; sh -c 'kill -HUP $$; echo survived; trap "echo no" HUP; kill -HUP $$; echo still')

#case orphan_is_adopted
sh -c 'sh -c "usleep 100000; cut -d\" \" -f4 /proc/self/stat" &' | { read p; echo parent $p; }

#case zombie_is_visible
sh -c ': & exec sleep 1' & p=$!
until z=$(ps -o pid,ppid,stat,comm | awk -v p=$p '$2==p && $3~/^Z/ {print $1}') && [ $z ]; do usleep 10000; done
cut -d' ' -f2,3 /proc/$z/stat; wc -c </proc/$z/cmdline; grep -E '^(Name|State|Threads)' /proc/$z/status; grep -c ^Vm /proc/$z/status; kill -9 $z; ls /proc/$z/fd 2>&1 | wc -l; wait

#case setsid_makes_session
setsid sh -c 'set -- $(cat /proc/$$/stat); [ $5 = $$ ] && [ $6 = $$ ] && echo leader tty=$7'
setsid -c true; echo $?

#case exec_replaces
sh -c 'a=$$; exec sh -c "[ $a = \$\$ ] && echo same process"'
(exec nosuch; echo no); echo $?
sh -c 'exec 7>f; exec sh -c "echo inherited >&7"'; cat f

#case descriptors_inherited
exec 3<>a 9>b; ls /proc/self/fd | tr '\n' ' '; echo; (exec 3>&-; ls /proc/self/fd | tr '\n' ' '; echo)
sh -c 'readlink /proc/self/fd/9'

#case here_doc_large
{ echo 'cat <<EOF | md5sum'; i=0; while [ $i -lt 3000 ]; do echo "line $i of a document longer than a pipe holds"; i=$((i+1)); done; echo EOF; } >big
sh big

#case pipeline_large
dd if=/dev/zero bs=64k count=32 2>/dev/null | tr '\0' x | cat | wc -c

#case eight_stages
seq 1 1000 | cat | grep -v 7 | sed 's/$/x/' | tr x y | sort -r | head -5 | tail -1

#case ulimit_descriptors
ulimit -n 20; ulimit -n; ulimit -S -n 12; ulimit -Hn; ulimit -Sn; ulimit -n 13; ulimit -n
(ulimit -Hn 30; su user -c 'ulimit -n 40') 2>&1; echo $?
ulimit -n 3; cat /dev/null; echo $?; echo 3</dev/null; echo $?

#case ulimit_file_size
ulimit -f 8; dd if=/dev/zero of=f bs=1k count=8 2>/dev/null; echo $?; stat -c %s f
dd if=/dev/zero of=f bs=1k count=5; echo $?; stat -c %s f
(trap '' XFSZ; dd if=/dev/zero of=f bs=3k count=2; echo $?; stat -c %s f) 2>&1

#case ulimit_others
ulimit -c 0; ulimit -c; ulimit -s 1024; ulimit -s; sh -c 'ulimit -s'; ulimit -v unlimited; ulimit -v; ulimit -u 50; ulimit -u
ulimit -t 1; sh -c 'while :; do :; done'; echo $?

#case ulimit_address_space
ulimit -v 20000; dd if=/dev/zero of=/dev/null bs=40M count=1; echo $?

#case ulimit_stack_overflow
ulimit -s 256; sh -c 'f() { f; }; f' 2>/dev/null; echo $?

#case times_builtin
times | sed 's/[0-9][0-9]*/N/g'

#case subshell_isolated
x=1; cd /; (x=2; cd /tmp; umask 077; exit 3); echo $? $x $PWD; umask
x=1 | x=2; echo $x; echo a | read x; echo "[$x]"

#case pipe_status_of_killed
sh -c 'kill -9 $$' | cat; echo $?; cat /dev/null | sh -c 'kill -9 $$'; echo $?

#case command_not_found_forms
./none; echo $?; none/x; echo $?; : >f; f 2>&1; echo $?; mkdir d; ./d; echo $?
printf 'not a program' >g; chmod +x g; ./g; echo $?
printf '#!/no/such/interp\n' >h; chmod +x h; ./h; echo $?

#case shebang
printf '#!/bin/sh -e\necho "$0 $1 $-"\n' >s; chmod +x s; ./s arg | tr -d hBsi
printf '#! /bin/echo  two words \n' >e; chmod +x e; ./e x
printf '#!./s\n' >n; chmod +x n; ./n; echo $?
printf '#!/bin/cat\ntext\n' >c; chmod +x c; ./c

#case script_without_shebang
printf 'echo plain $0 $#\n' >p; chmod +x p; ./p a b

#case long_arguments
a=$(seq 1 20000); set -- $a; echo $#; /bin/echo $a | wc -c
x=$(printf '%0131071d' 0); /bin/echo $x | wc -c; x=0$x; /bin/true $x; echo $?

#case environment_large
i=0; while [ $i -lt 500 ]; do export V$i=$i$i$i; i=$((i+1)); done; env | grep -c '^V'; sh -c 'echo $V499'

#case fifo_rendezvous
mkfifo p; cat p & echo through >p; wait
mkfifo q; (sleep 0.1; echo late >q) & cat q; wait
(cat <p >o) & exec 3>p; echo one >&3; echo two >&3; exec 3>&-; wait; cat o

#case fifo_read_write_open
mkfifo p; exec 3<>p; echo x >&3; read a <&3; echo $a; exec 3>&-
(: <p; echo reader) & : >p; wait

#case coprocess_over_fifos
mkfifo in out; tr a-z A-Z <in >out & exec 3>in 4<out; echo hello >&3; exec 3>&-; cat <&4; wait; echo $?

#case last_background_pid
sleep 0 & a=$!; sleep 0 & b=$!; [ $a != $b ] && kill -0 $$ && echo different; wait; kill -0 $a 2>/dev/null; echo $?

#case wait_all_status
for i in 1 2 3 4 5; do (exit $i) & eval p$i=$!; done
for i in 5 4 3 2 1; do eval wait \$p$i 2>/dev/null; echo $?; done

#case builtin_kill_all_children
for i in 1 2 3 4 5 6; do sleep 30 & p="$p $!"; done; kill $p; for i in $p; do wait $i 2>/dev/null; echo -n "$? "; done; echo

#case read_timeout
mkfifo p; exec 3<>p; read -t 0.1 x <&3; echo $?; echo y >&3; read -t 1 x <&3; echo $? $x

#case command_v_hash
command -v sh; type cat; hash -r; command echo via command; command -p true; echo $?

#case shift_errors
set -- a; shift 2; echo no

#case syntax_errors
sh -c 'if true; echo'; echo $?; sh -c 'echo "unterminated'; echo $?; sh -c 'for'; echo $?; sh -c ')'; echo $?

#case brace_and_tilde
echo ~ ~root ~user ~nobody/x; HOME=/h; echo ~ "~" a~; x=~/y; echo $x; echo {a,b}

#case ifs_read_loop
printf 'root:x:0\nuser:y:5\n' | while IFS=: read -r n p u; do echo "$u $n"; done
while read -r l; do echo "<$l>"; done <<E
 a b 
\x
E

#case local_and_unset
f() { local a b=2; a=1; unset b; echo ${b-unset}; }; b=9; f; echo $b; unset -f f; f; echo $?

#case large_loop
i=0; s=0; while [ $i -lt 20000 ]; do s=$((s+i)); i=$((i+1)); done; echo $s

#case deep_recursion
f() { [ $1 = 0 ] && { echo bottom; return; }; f $(($1-1)); }; f 500

#case nested_substitution_depth
x='echo x'; i=0; while [ $i -lt 12 ]; do x="echo \$($x)"; i=$((i+1)); done; eval "$x"

#case exit_code_of_trap_kill
sh -c 'trap "echo term; trap - TERM; kill -TERM \$\$" TERM; kill -TERM $$; echo no'; echo $?
