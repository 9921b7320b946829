# The applets that read and turn text and bytes.

#case head_and_tail
seq 1 30 >f; head f | tail -1; head -n 3 f; head -c 5 f; head -n -27 f; tail -n 2 f; tail -n +28 f; tail -c 6 f; tail -c +75 f; head -n 1 f f; tail -q -n 1 f f; tail -v -n 1 f; head none; echo $?; seq 5 | tail -n 2; head -c 1k /dev/zero | wc -c

#case tail_follow
echo one >f; tail -f f >out & p=$!; sleep 0.3; echo two >>f; i=0; while ! grep -q two out && [ $i -lt 50 ]; do usleep 100000; i=$((i+1)); done; kill $p; wait $p 2>/dev/null; cat out
tail -F -s 1 g >out 2>&1 & p=$!; sleep 0.2; echo made >g; i=0; while ! grep -q made out && [ $i -lt 50 ]; do usleep 100000; i=$((i+1)); done; kill $p; wait $p 2>/dev/null; grep -c made out

#case tac_and_rev
printf 'a1\nb2\nc3\n' | tac; printf 'abc\nxyz\n' | rev; printf 'x\ny' | tac | od -An -c

#case tee_applet
echo data | tee a b; cat a b; echo more | tee -a a >/dev/null; cat a; echo x | tee none/y; echo $?; echo full | tee /dev/full; echo $?

#case cut_forms
printf 'a:b:c:d\ne:f\nnone\n' >f; cut -d: -f2 f; cut -d: -f1,3- f; cut -d: -f2 -s f; cut -c2-3 f; cut -b -2 f; cut -d: -f -2 f; echo 'a b c' | cut -d' ' -f3,1; cut f; echo $?

#case tr_forms
echo Hello World | tr a-z A-Z; echo aabbcc | tr -s ab; echo a1b2 | tr -d 0-9; echo 'a b' | tr ' ' '\n'; echo abc | tr -c 'a\n' x; echo abc | tr abc xy; echo 'x[y]z' | tr '[]' '()'; echo AbC | tr '[:upper:]' '[:lower:]'; printf 'a\0b' | tr '\0' ' '; echo; echo a-b | tr -- - +; echo tab | tr a '\t'; echo 'aaa   b' | tr -ds a ' '

#case sort_orders
printf '10\n9\n2\n33\n1\n' >n; sort n | tr '\n' ' '; sort -n n | tr '\n' ' '; sort -rn n | tr '\n' ' '; echo; printf 'b 2\na 10\nc 1\na 2\n' >f; sort f; sort -k2 f; sort -k2n f; sort -k1,1 -k2,2nr f; sort -t' ' -k2,2n -s f; printf 'B\na\nA\nb\n' | sort -f; printf 'B\na\nA\nb\n' | sort | tr '\n' ' '; printf 'a\nb\na\n' | sort -u; printf 'x\nx\ny\n' | sort -c; echo $?; printf 'y\nx\n' | sort -c; echo $?

#case sort_more
printf '1K\n2M\n3\n1G\n' | sort -h; printf 'Mar\nJan\nFeb\n' | sort -M; printf ' b\na\n  c\n' | sort -b; printf 'a.b\nab\na-c\n' | sort -d; printf '1.5\n1.25\n-3\n' | sort -g; printf 'b\0a\0' | sort -z | tr '\0' ' '; echo; printf '3\n1\n' >f; sort -n -o f f; cat f; printf 'v1.10\nv1.9\n' | sort -V; sort none; echo $?; printf 'a\nb\n' >x; printf 'a\nc\n' >y; sort -m x y

#case uniq_forms
printf 'a\na\nb\nc\nc\nc\na\n' >f; uniq f; uniq -c f; uniq -d f; uniq -u f; printf '1 a\n2 a\n3 b\n' | uniq -f 1; printf 'xa\nya\n' | uniq -s 1; printf 'ab1\nab2\n' | uniq -w 2; printf 'A\na\n' | uniq -i; uniq f o; cat o | wc -l

#case wc_forms
printf 'one two\nthree\n\n' >f; wc f; wc -l f; wc -w f; wc -c f; wc -L f; wc f f; wc <f; printf 'no newline' | wc; wc none; echo $?; wc -m f; wc /dev/null

#case compare_columns
printf 'a\nb\nd\n' >x; printf 'b\nc\nd\n' >y; sh -c 'comm x y' 2>&1; diff x y | grep '^[<>]'

#case paste_forms
printf '1\n2\n3\n' >a; printf 'x\ny\n' >b; paste a b; paste -d, a b; paste -s a; paste -d '\n' a b; paste -sd+ a; seq 6 | paste - - -; seq 4 | paste -d'ab' - - 

#case fold_expand_nl
echo abcdefghij | fold -w 4; echo 'ab cd ef gh' | fold -s -w 6; printf 'a\tb\tc\n' | expand | cat -A; printf '\tx\n' | expand -t 3 | cat -A; printf '        x       y\n' | unexpand -a | cat -A; printf 'a\n\nb\n' | nl; printf 'a\nb\n' | nl -b a -w 3 -s: -v 5; printf 'a\n\nb\n' | nl -ba

#case od_forms
printf 'AB\n\0\377\t~xyz0123456789' >f; od f; od -c f; od -x f; od -An -tx1 f; od -tu1 -N 4 f; od -j 5 -N 4 -An -c f; od -td2 -An f; od -to1 -N 3 f; od -A d -tx4 -N 8 f; od -A x -a -N 6 f; head -c 64 /dev/zero | od; head -c 64 /dev/zero | od -v | wc -l; od -tf4 -An -N 4 /dev/zero; od -b -N 3 f; od -i -N 4 f

#case hexdump_forms
printf 'hello world, hex!\n\1\2' >f; hexdump f; hexdump -C f; hexdump -n 4 -C f; hexdump -s 6 -n 5 -c f; hexdump -e '4/1 "%02x " "\n"' f; hexdump -v -e '1/1 "%d,"' -n 3 f; echo; hexdump -d -n 4 f; hexdump -b -n 3 f; hexdump -x -n 4 f; head -c 48 /dev/zero | hexdump -C

#case xxd_forms
printf 'hello world, hex!\n' >f; xxd f; xxd -p f; xxd -l 5 -s 2 f; xxd -g 4 -c 8 f; xxd -p f | xxd -r -p; xxd f >d; xxd -r d; xxd -i <f 2>&1 | head -2

#case digests
seq 1 10000 >f; md5sum f; sha1sum f; sha256sum f; sha512sum f; sha3sum f; crc32 f; md5sum /dev/null; printf abc | sha256sum; printf abc | sha1sum -

#case digest_checks
seq 5 >a; seq 6 >b; sha256sum a b >s; sha256sum -c s; echo x >>b; sha256sum -c s; echo $?; md5sum a >m; md5sum -s -c m; echo $?; rm a; md5sum -c m; echo $?; sha512sum -w -c /dev/null; echo $?

#case base64_uuencode
printf 'any carnal pleas' | base64; printf 'YWJj\n' | base64 -d; echo; seq 1 40 | base64 -w 30 | tail -2; head -c 100 /dev/zero | base64; echo '!!!' | base64 -d; echo $?; printf abc | uuencode name; printf abc | uuencode -m n; printf 'the text' | uuencode o | uudecode; cat o

#case seq_forms
seq 3; seq 2 4; seq 1 2 7; seq 5 -2 1; seq -w 8 10; seq -s, 1 4; seq 0.5 0.5 2; seq 3 1; echo $?; seq; echo $?; seq -s ' ' -w -2 2

#case yes_head_loop
yes | head -n 3; yes no way | head -n 2; yes | head -c 100000 | md5sum

#case expr_forms
expr 1 + 2 \* 3; expr 7 / 2 ; expr 7 % 4; expr 3 \< 5; expr abc = abc; expr 0; echo $?; expr abcdef : 'abc\(.*\)'; expr abcdef : '.*'; expr length hello; expr substr hello 2 3; expr index hello l; expr 1 / 0; echo $?; expr 1 +; echo $?; expr '' \| 5; expr a \& 0; echo $?; expr \( 1 + 2 \) \* 3; expr match abc 'b'

#case factor_applet
factor 1 2 12 97 65536 1000003 600851475143; echo 360 | factor; factor x; echo $?

#case bc_and_dc
echo '2^100; scale=10; 1/3; sqrt(2); 7%3' | bc; printf 'define f(n){if(n<2)return 1;return n*f(n-1)}\nf(25)\nfor(i=0;i<3;i++)i\n' | bc; echo 'obase=16; 255; ibase=2; 101' | bc; dc -e '3 4 + p 2 ^ p 5 k 2 v p [x]P 10 P'; echo '1/0' | bc; echo 's(1);a(1)*4' | bc -l

#case strings_applet
printf 'ab\0longer string\1\2xyz\0four\n' >f; strings f; strings -n 3 f; strings -t d f; strings -o f; strings -f f

#case dos_unix_text
printf 'a\r\nb\r\n' >f; dos2unix f; od -An -c f; unix2dos f; od -An -c f; printf 'x\n' | unix2dos | od -An -c; printf 'q\r\n' | dos2unix | od -An -c

#case shuf_applet
seq 20 | shuf | sort -n | md5sum; seq 20 | md5sum; shuf -e a b c | sort; shuf -i 5-9 -n 2 | wc -l; shuf -n 0 /dev/null

#case cmp_applet
printf abcd >a; printf abXd >b; printf ab >c; cmp a b; echo $?; cmp a a; echo $?; cmp a c; echo $?; cmp -s a b; echo $?; cmp -l a b; cmp a none; echo $?; cmp a b 3 3; cmp -n 2 a b; echo $?; cat a | cmp - b

#case tsort_like_pipeline
printf 'the cat the dog the end\n' | tr ' ' '\n' | sort | uniq -c | sort -k1,1nr -k2 | awk '{print $2,$1}'

#case cal_and_ascii
cal 2 2024; cal -j 1 2000; cal 9 1752; ascii | head -3

#case getopt_applet
getopt ab:c -a -b x y -c z; getopt -o ab: -l long,arg: -- --long --arg=v -a rest 'q s'; getopt a -x; echo $?

#case printf_applet
env printf '%s %d %x %o %c %5.2f %%\n' str 10 255 8 char 3.14159; env printf '%b\n' 'a\tb'; env printf '%s\n' a b; env printf '%d\n' zz; echo $?; env printf '%*d|%-*d|\n' 5 42 5 42; env printf

#case id_and_who
id; id -u; id -g; id -un; id -G; id user; id -G user; id nosuch; echo $?; whoami; groups; groups user; logname; echo $?; tty; echo $?; who | wc -l

#case uname_and_hostname
uname -s; uname -m; uname -n; uname -o; uname -snm; hostname; hostname -s; uname -r | grep -c '^[0-9]*\.[0-9]*'; uname -v | grep -c .; cat /etc/hostname 2>/dev/null; hostname newname; hostname; uname -n; cat /proc/sys/kernel/hostname; hostname testhost; (arch)

#case env_applet
env -i A=1 B=2 sh -c 'echo $A$B'; env -u HOME sh -c 'echo ${HOME-gone}'; env -i env; env X=1 nosuchcmd; echo $?; env -0 -i A=1 | tr '\0' '!'; echo; env - P=q env

#case date_formats
date -u -d '2024-02-29 13:05:09' '+%Y-%m-%d %H:%M:%S %j %a %A %b %B %u %w %y %I %p %e %s %Z %z %D %T %F %R %n%t%%'; date -u -d @0; date -u -d @1700000000 +%c; date -d '2024-03-01' +%U:%V:%G:%W; TZ=EST5EDT date -d @1720000000; TZ=CET-1CEST,M3.5.0,M10.5.0/3 date -d @1720000000 '+%F %T %Z %z'; date -u -R -d @1000000000; date -I -d @1000000000; date -Iseconds -u -d @1000000000; date -d nonsense; echo $?; date -u -d '12:30' +%H:%M; date -u -D '%d/%m/%Y' -d 25/12/2001 +%F

#case date_set_and_read
a=$(date +%s); [ $a -gt 1600000000 ] && echo plausible; su user -c 'date -s 2020-01-01\ 00:00:00 >/dev/null'; echo $?; touch -d '2009-09-09 09:09:09' f; date -u -r f '+%F %T'

#case sleep_forms
sleep 0; echo $?; usleep 1000; echo $?; sleep 0.01; sleep 0m 0s; sleep x; echo $?; sleep; echo $?; a=$(date +%s); sleep 1; b=$(date +%s); [ $((b-a)) -ge 1 ] && [ $((b-a)) -le 3 ] && echo slept

#case time_applet
time -p true 2>&1 | sed 's/[0-9.]*$/N/'; time sh -c 'exit 3' 2>&1 | sed 's/[0-9][0-9.]*/N/g'; env time -f '%x %C' sh -c 'exit 4'; echo $?

#case nproc_and_uptime_shape
[ $(nproc) -ge 1 ] && echo cpus; nproc --all | grep -c '^[0-9]'; uptime | sed 's/[0-9][0-9.:]*/N/g' | grep -c 'up.*load average: N, N, N'; free | awk 'NR<3{print $1, NF}'; free -m | awk '/^Mem/{print ($2>0&&$3>0)}'; hostid | grep -c '^[0-9a-f]*$'

#case xargs_forms
printf 'a b\nc\n' | xargs echo x; printf 'a b c d' | xargs -n 2 echo; printf 'a b\nc d\n' | xargs -I{} echo '<{}>'; printf 'a b\0c' | xargs -0 -n 1 echo; echo "'q r' \"s t\" u\\ v" | xargs -n 1 echo; xargs -r echo no </dev/null; xargs echo empty </dev/null; echo 1 | xargs sh -c 'exit 255'; echo $?; echo 1 | xargs false; echo $?; seq 5000 | xargs echo | wc -w; echo a | xargs -t echo; echo x | xargs nosuch; echo $?; seq 10 | xargs -n 3 -P 4 echo | wc -w; printf 'a,b' | xargs -E b -n1 echo; seq 3 | xargs -L 1 echo l; seq 6 | xargs -s 12 echo; echo a b | xargs sh -c 'kill -9 $$'; echo $?

#case more_on_no_terminal
seq 3 | more; seq 3 | less; echo text >f; more f; less f

#case ts_and_others
echo hi | ts 2>&1 | sed 's/^[A-Z][a-z][a-z] .* hi/STAMP hi/'; mkpasswd -m md5 -S abcdefgh secret; ipcalc -n -b 10.1.2.3/24
