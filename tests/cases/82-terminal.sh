# Terminals: the line discipline by a program, then shells and editors that a scripted user sits at.

p() { $T/bin/"$@"; }
# at PROGRAM...: runs it on a terminal; the script of the user is standard input.
at() { env TERM=linux PS1='$ ' HISTFILE= $T/bin/ptyrun "$@"; }

#case tty_defaults
p tty defaults

#case tty_canonical
p tty canonical

#case tty_long_line
p tty long_line

#case tty_echo
p tty echo

#case tty_output
p tty output

#case tty_input
p tty input

#case tty_flow
p tty flow

#case tty_raw
p tty raw

#case tty_packet_and_size
p tty packet_and_size

#case tty_signals
p tty signals

#case tty_job_control
p tty job_control

#case tty_hangup
p tty hangup

#case tty_open_takes
p tty open_takes

#case tty_sti
p tty sti

#case hangup_exclusive
p hangup exclusive

#case hangup_vhangup
p hangup vhangup

#case hangup_foreground
p hangup foreground_after_hangup

#case hangup_paste
p hangup paste

#case hangup_interrupted_write
p hangup interrupted_write

#case hangup_stopped_writers
p hangup stopped_writers

#case hangup_packets
p hangup packets

#case hangup_termio
p hangup termio

#case shell_prompt_and_echo
at sh <<'E'
expect $ 
type echo hello\n
expect hello\r\n
expect $ 
type tty | sed s/[0-9]*$/N/; stty size\n
expect 24 80
expect $ 
type exit 3\n
E

#case shell_line_editing
at sh <<'E'
expect $ 
type echo abX\x7fc\n
expect abc\r\n
type echo tail^Ahead\x20\n
expect $ 
type echo one two^Wthree\n
expect one three
expect $ 
type gone^Uecho kept\n
expect kept\r\n
expect $ 
hide
type exit\n
E

#case shell_history
at sh <<'E'
expect $ 
type echo first\n
expect first\r\n
expect $ 
type echo second\n
expect second\r\n
expect $ 
type \e[A\e[A\n
expect first\r\n
expect $ 
type \e[A\x7f\x7f\x7f\x7f\x7fagain\n
expect again\r\n
expect $ 
hide
type exit\n
E

#case shell_completion
mkdir dir_with_a_long_name; echo inside >dir_with_a_long_name/file
at sh <<'E'
expect $ 
type cat dir_\t
expect long_name/
type fi\t
expect file
type \n
expect inside
expect $ 
hide
type exit\n
E

#case interrupt_ends_a_loop
at sh <<'E'
expect $ 
type while :; do :; done\n
sleep 300
type ^C
expect $ 
type sleep 100\n
sleep 300
type ^C
expect $ 
type echo status $?\n
expect status 130
expect $ 
hide
type exit\n
E

#case interrupt_spares_the_shell
at sh <<'E'
expect $ 
type half a line^C
expect $ 
type trap 'echo trapped' INT\n
expect $ 
type sleep 100\n
sleep 300
type ^C
expect trapped
expect $ 
hide
type exit 4\n
E

#case quit_signal
at sh <<'E'
expect $ 
type ulimit -c 0; sleep 100\n
sleep 300
type ^\
expect $ 
type echo status $?\n
expect status 131
expect $ 
hide
type exit\n
E

#case end_of_file_ends_the_shell
at sh <<'E'
expect $ 
type cat\n
sleep 300
type text\n
expect text\r\ntext\r\n
type ^D
expect $ 
hide
type ^D
E

#case job_control
at sh <<'E'
expect $ 
type sleep 100\n
sleep 500
type ^Z
expect Stopped
expect $ 
type jobs\n
expect Stopped
expect $ 
type bg\n
expect $ 
type jobs\n
expect Running
expect $ 
type fg\n
sleep 300
type ^C
expect $ 
type jobs; echo none\n
expect none\r\n
expect $ 
hide
type exit\n
E

#case several_jobs
at sh <<'E'
expect $ 
type sleep 101 & sleep 102 &\n
expect $ 
type kill %1\n
expect $ 
sleep 300
type \n
expect $ 
type kill %2; sleep 1\n
expect $ 
type \n
expect $ 
type jobs; echo end of jobs\n
expect end of jobs\r\n
expect $ 
hide
type exit\n
E

#case stopped_pipeline_goes_on
at sh <<'E'
expect $ 
type sleep 1 | cat | cat; echo piped\n
sleep 300
type ^Z
expect Stopped
expect $ 
type fg >/dev/null; echo over\n
expect over\r\n
expect $ 
hide
type exit\n
E

#case background_reader_is_stopped
at sh <<'E'
expect $ 
type (sleep 0.5; exec cat) &\n
expect $ 
sleep 1500
type \n
expect Stopped (tty input)
expect $ 
type fg\n
sleep 300
type typed\n
expect typed\r\ntyped
type ^D
expect $ 
hide
type exit\n
E

#case background_writer_goes_on
at sh <<'E'
expect $ 
type stty -tostop; (sleep 0.3; echo from behind) &\n
expect $ 
expect from behind
type \n
expect $ 
hide
type exit\n
E

#case exit_with_stopped_jobs
at sh <<'E'
expect $ 
type sleep 100\n
sleep 500
type ^Z
expect Stopped
expect $ 
type exit\n
expect stopped jobs
expect $ 
hide
type kill %1; exit 5\n
E

#case hang_up_ends_the_shell
at sh <<'E'
expect $ 
type sleep 77\n
sleep 300
hang
E
sleep 0.5; ps | grep -c '[s]leep 77'

#case window_size_reaches_programs
at sh <<'E'
expect $ 
type stty size\n
expect 24 80
size 40 132
type stty size\n
expect 40 132
expect $ 
type sh -c 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.1; done'\n
expect ready\r\n
size 50 160
expect 50 160
expect $ 
hide
type exit\n
E

#case stty_settings
at sh <<'E'
expect $ 
type stty -echo; echo silent\n
expect silent\r\n
type stty echo\n
sleep 300
type stty -a | head -1\n
expect rows 24
expect $ 
type stty erase \^H; stty -a | grep -o 'erase = ..'\n
expect erase = \^H
expect $ 
hide
type exit\n
E

#case password_prompt_does_not_echo
cp /bin/busybox su; chmod 4755 su; printf 'other:$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1:19000:0:99999:7:::\n' >other; cp /etc/shadow saved; grep -v ^other: saved >/etc/shadow; cat other >>/etc/shadow
at su user -c '/tmp/case/su other -c "id -un; cat /dev/null"' <<'E'
expect Password: 
sleep 300
type secret\n
expect other\r\n
E
cat saved >/etc/shadow

#case vi_edits_a_file
printf 'first line\nsecond line\n' >f
at vi f <<'E'
expect second line
sleep 200
type dd
sleep 200
type Oinserted
sleep 200
type \e
sleep 300
type :s/ins/INS/\n
sleep 200
type :wq\n
sleep 300
silent
E
cat f

#case vi_moves_with_keys
seq 1 50 >f
at vi f <<'E'
expect 20
sleep 200
type \e[B\e[B
sleep 200
type x
sleep 200
type ^F
sleep 300
type dd
sleep 200
type G
sleep 200
type ofifty-one
sleep 200
type \e
sleep 300
type /\^4.$\n
sleep 200
type cwfound
sleep 200
type \e
sleep 300
type ZZ
sleep 300
silent
E
md5sum f; grep -n found f; tail -1 f; sed -n 3p f

#case vi_is_stopped_and_goes_on
printf 'text\n' >f
at sh <<'E'
expect $ 
type vi f\n
expect text
sleep 300
type ^Z
expect $ 
type echo at the shell\n
expect at the shell\r\n
expect $ 
type fg\n
sleep 500
type x
sleep 200
type :wq\n
expect $ 
hide
type exit\n
E
cat f

#case less_pages
seq 1 200 >f
at less f <<'E'
expect 20
type \x20
expect 40
type G
expect 200
sleep 200
silent
type q
E

#case more_pages
seq 1 60 >f
at more f <<'E'
expect --More--
type \x20
expect 40
expect --More--
silent
type q
E

#case top_refreshes
at top -d 1 <<'E'
expect Mem:
expect COMMAND
expect Mem:
expect COMMAND
silent
type q
E

#case read_from_a_terminal
at sh -c 'read -p "name? " n; echo "<$n>"; read -s -p "secret? " s; echo; echo "<$s>"; read -t 0.2 x; echo $?; read -n 3 y; echo; echo "<$y>"' <<'E'
expect name? 
type me\n
expect secret? 
sleep 200
type hidden\n
expect <hidden>
sleep 500
type abc
expect <abc>
E

#case here_is_no_second_owner
at sh -c 'setsid sh -c "echo x >/dev/tty; echo status \$?"; echo x >/dev/tty' <<'E'
expect status
expect x
E

#case getty_like_open
at sh -c 'tty >/dev/null && echo terminal; test -t 0 && test -t 1 && echo both; ls -l /proc/self/fd/0 | grep -o "/dev/pts/"; set -- $(cat /proc/self/stat); [ $7 != 0 ] && [ $8 = $5 ] && echo foreground' <<'E'
expect foreground
E

#case script_reads_commands_from_terminal
at sh -s <<'E'
expect $ 
type for i in 1 2\n
expect > 
type do echo item $i\n
expect > 
type done\n
expect item 2
expect $ 
type cat <<X\n
expect > 
type heredoc\n
expect > 
type X\n
expect heredoc\r\n
expect $ 
hide
type exit\n
E
