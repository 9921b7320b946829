# The shell language: what ash itself does with few calls of the system.

#case quoting
a='x  y'
echo $a "$a" '$a' \$a "\$a" "a\"b" 'it'"'"'s'
printf '<%s>' "$a" $a '' ""; echo
echo "back\\slash" 'back\\slash' a\
b
printf '%s\n' $'tab\there' $'\x41\102'

#case default_values
unset u; e=
echo "${u-one}" "${e-two}" "${e:-three}" "${u:=four}" "$u" "${e:+no}" "${u:+yes}"
( unset v; echo "${v:?is missing}" ); echo "status $?"

#case trim_and_length
p=/usr/local/lib/libx.so.6
echo ${p##*/} ${p#*/} ${p%/*} ${p%%.*} ${#p}
s=aXbXc; echo ${s/X/-} ${s//X/-} ${s:1:3} ${s: -2}

#case positional
set -- a 'b c' d
echo $# "$1" "$2"; printf '[%s]' "$@"; printf '[%s]' "$*"; echo
IFS=,; echo "$*"; unset IFS
shift 2; echo $# $1
set --; echo $#
set -- 1 2 3 4 5 6 7 8 9 ten eleven; echo ${10} ${11} $10

#case field_splitting
IFS=:; v=a::b:c:; set -- $v; echo $#; printf '<%s>' "$@"; echo
IFS=' 	
'; v='  lead  trail  '; set -- $v; echo $#

#case globs
mkdir d; touch a.c b.c .hid d/x 'sp ace'
echo *.c *; echo [ab].? .h*; echo nomatch*; echo */x
set -f; echo *.c; set +f
case abc in a?c) echo one;; esac
case x.y in *[!a-z]*) echo two;; esac

#case arithmetic
echo $((1+2*3)) $((7/2)) $((-7/2)) $((7%3)) $((1<<40)) $((0x10)) $((010)) $((5>3&&2<1)) $((~0))
x=5; echo $((x++ + ++x)) $x $((x+=10)) $((x>5?1:0)) $((1,2))
echo $((9223372036854775807+1))
( echo $((1/0)) ); echo status $?

#case loops
for i in 1 2 3; do [ $i = 2 ] && continue; echo for $i; done
i=0; while :; do i=$((i+1)); [ $i -gt 3 ] && break; echo while $i; done
until [ $i -le 0 ]; do i=$((i-2)); done; echo $i
for a in x y; do for b in 1 2; do [ $b = 2 ] && continue 2; echo $a$b; done; done

#case functions
f() { echo "f $# $1"; local v=in; g; echo "v=$v"; return 3; }
g() { echo "g sees $v"; v=changed; }
v=out; f hello; echo "status $? v=$v"
rec() { [ $1 -eq 0 ] && return; echo $1; rec $(($1-1)); }
rec 3

#case here_documents
x=val
cat <<A; cat <<'B'; cat <<-C
$x $(echo sub) \$x
A
$x $(echo sub)
B
	tabs gone $x
	C
cat <<A | tr a-z A-Z
piped $((1+1))
A

#case command_substitution
echo "[$(printf 'a\nb\n\n\n')]" `echo back \`echo nested\``
x=$(false); echo $?
x=$(exit 7); echo $?
echo $(echo $(echo deep))

#case pipelines
echo hello | tr a-z A-Z | sed s/L/l/g
false | true; echo $?
true | false; echo $?
! true; echo $?
! false | false; echo $?
set -o pipefail; false | true; echo $?

#case and_or_lists
true && echo a || echo b
false && echo a || echo b
false || false || echo c
{ echo grouped; false; } || echo d
(exit 4) || echo $?

#case case_statement
for w in a bb 12 '' 'x y' -; do
    case $w in
        a|b) echo single;; [0-9]*) echo number;; '') echo empty;; *' '*) echo space;; ??) echo two;; *) echo else;;
    esac
done

#case redirections
echo one >f; echo two >>f; cat <f
{ echo out; echo err >&2; } 2>e >o; cat o; cat e
{ echo out; echo err >&2; } >both 2>&1; cat both
cat nofile 2>/dev/null || echo failed
: >f; wc -c <f
set -C; echo x >f; echo status $?; echo y >|f; cat f

#case descriptors
exec 3>f 4<&0; echo to three >&3; exec 3>&-; cat f
echo bad >&3; echo status $?
exec 5<f; read a <&5; echo "$a"; exec 5<&-
exec 6<>rw; echo data >&6; exec 6>&-; cat rw
(exec >g; echo in g); cat g

#case read_builtin
printf 'a b c\nsecond\\\nline\nraw\\n\nlast' >f
{ read x y; echo "$x|$y"; read x; echo "$x"; read -r x; echo "$x"; read x; echo "$? $x"; read x; echo "$? [$x]"; } <f
echo 1:2:3 | { IFS=: read a b; echo "$a-$b"; }
echo abcdef | { read -n 3 x; echo $x; }

#case getopts_builtin
f() { OPTIND=1; while getopts ab:c o "$@"; do echo "$o ${OPTARG-none}"; done; shift $((OPTIND-1)); echo "rest $*"; }
f -a -b val -c x y
f -acbval z
f -x; f -b

#case test_operators
touch f; mkdir d; ln -s f l; ln -s none dang; echo x >s; mkfifo p; chmod 4755 s
for t in '-e f' '-f f' '-d d' '-L l' '-h dang' '-e dang' '-s f' '-s s' '-p p' '-u s' '-x s' '-x f' '-c /dev/null' '-b f' \
    'f -ef l' '1 -lt 2' 'a = a' 'a != a' '-n x' '-z x' '! -e f' '-e f -a -d d' '-e no -o -d d' '-t 0'; do
    [ $t ]; echo "$t: $?"
done

#case exit_and_status
(exit 300); echo $?
sh -c 'exit 5'; echo $?
nosuchcommand; echo $?
: >notexec; ./notexec; echo $?
sh -c 'kill -TERM $$'; echo $?
sh -c 'kill -9 $$'; echo $?
/tmp; echo $?

#case set_e
sh -ec 'false; echo not reached'; echo $?
sh -ec 'if false; then :; fi; false || true; ! true; echo reached'; echo $?
sh -uc 'echo $nosuch; echo not'; echo $?
sh -c 'set -x; x=1; echo $x' 2>&1
sh -nc 'echo not run'; echo $?

#case trap_exit
trap 'echo bye $?' EXIT
(trap 'echo sub' EXIT; echo in sub)
sh -c 'trap "echo inner; exit 9" EXIT; exit 3'; echo $?
false
exit 6

#case trap_signals
trap 'echo got USR1' USR1
kill -USR1 $$; echo after
trap '' TERM; kill -TERM $$; echo ignored
trap - USR1; trap
(kill -USR1 $(sh -c 'echo $PPID'); echo no) ; echo $?

#case background_wait
(exit 3) & p=$!; wait $p 2>/dev/null; echo $?
sleep 0 & wait; echo $?
(exit 1) & a=$!; (exit 2) & b=$!; wait $b 2>/dev/null; echo $?; wait $a 2>/dev/null; echo $?
wait 99999; echo $?
sleep 30 & p=$!; kill $p; wait $p 2>/dev/null; echo $?

#case eval_and_alias
a='echo one; echo two'; eval "$a"
x=y; y=z; eval echo \$$x
alias hi='echo hello'
eval hi there
unalias hi; type hi; type cd; type -t 2>&1 | head -1; command -v cat

#case dot_and_return
echo 'v=sourced; return 4; echo no' >lib
. ./lib; echo $? $v
. ./none; echo not reached

#case special_parameters
set -- a b; echo "$#" "$-" | tr -d hBis
sh -c 'echo $0 $1' name arg
[ $$ = $(exec sh -c 'echo $PPID') ] && echo ppid ok
echo $_ x; echo ${#@}
echo "$LINENO"

#case export_env
a=1; sh -c 'echo ${a-unset}'; export a; sh -c 'echo ${a-unset}'
b=2 sh -c 'echo $b'; echo ${b-unset}
env -i x=1 env; readonly r=1; (r=2); echo $?
unset a; env | grep '^a=' || echo none

#case printf_builtin
printf '%5d|%-5d|%05d|%x|%X|%o|%c|%s\n' 42 42 42 255 255 8 xyz str
printf '%b' 'a\tb\n'; printf '%%|%.3s|%8.3f|%e\n' abcdef 3.14159 12345.678
printf '%s-%s\n' a b c; printf '%d\n' "'A" 0x1f 010; printf '\101\n'
printf '%d\n' abc; echo $?

#case echo_builtin
echo -n a; echo -e 'b\tc\n\x41\0101'; echo -E 'd\te'; echo -ne 'f\c'; echo; echo -- -x; echo -z

#case umask_builtin
umask; umask 077; touch f; mkdir d; stat -c %a f d; umask -S; umask u=rwx,g=rx,o=; umask
umask 000; mkfifo p; : >g; stat -c %a p g

#case cd_and_pwd
mkdir -p a/b; ln -s a/b l; cd l; pwd; pwd -P; cd ..; pwd; cd a/b; cd -; echo $OLDPWD
cd /nonexistent; echo $?; cd ./../..; pwd; CDPATH=/tmp/case; cd a; cd "$HOME"; pwd
cd /tmp/case; mkdir gone; cd gone; rmdir ../gone; sh -c '/bin/pwd'; echo $?
