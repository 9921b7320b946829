# What the file system must hold to: names, links, descriptors, holes, limits.

long=$(printf '%0255d' 0)

#case name_too_long
: >$long; echo $?; ls | awk '{print length}'; echo x >${long}1; mkdir ${long}1 2>&1 | sed 's/0000*/0/'; echo $?; ln -s ${long}1 ok; cat ok 2>&1 | sed 's/.*: //'; ls ${long}1 2>&1 | sed 's/.*: //'

#case path_too_long
p=$(printf '%04000d' 0 | sed 's/0000000000/000000000\//g'); cat $p 2>&1 | sed 's/.*: //'; p=$p/$p; cat $p 2>&1 | sed 's/.*: //'; ln -s $p l 2>&1 | sed 's/.*: //'; p=./; i=0; while [ $i -lt 11 ]; do p=$p$p; i=$((i+1)); done; echo ${#p}; cat ${p}f 2>&1 | sed 's/.*: //'; echo x >f; p=${p%./././}; cat ${p}f 2>&1 | sed 's/.*: //'

#case deep_directories
d=dddddddddddddddddddddddddddddd; i=0; while [ $i -lt 150 ]; do mkdir $d && cd $d || break; i=$((i+1)); done; echo $i; touch bottom; pwd | wc -c; /bin/pwd 2>&1 | wc -c; cd /tmp/case; find . -name bottom 2>/dev/null | wc -l; rm -rf $d; ls

#case errors_by_kind
mkdir d; echo x >f; cat f/x; cat d; echo x >d; cat none/f; cd f; rmdir f; rm d; mkdir f; ln f d/../f; mv d f; mv f d/none/x; cat ''; ls ''; mkdir ''; rm ''; echo x >''; cat f/; cat f/.; ls d/../f/..; mkdir d/; echo end

#case trailing_slashes
mkdir d; mkdir e/; ls -d e/ d//; rmdir e//; touch f/; echo $?; touch d/; echo $?; ln -s d l; ls -d l/ l; rmdir l/; rm l/; echo $?; mv l/ m; echo $?; ls; mkdir x/ ; mv x/ y/; ls -d y; mkdir l/; echo $?; ln -s none dang; mkdir dang; echo $?; mkdir dang/; echo $?; echo x >dang; cat none; echo x >dang/; echo $?

#case dot_names
mkdir d; cd d; ls -a; cd .; pwd; ls ./././../d/.; rm -rf .. ; mv . x; mv .. x; rmdir ..; mkdir ..; mkdir .; ln . y; touch ...; ls -A; cat .../x; ls /..  >/dev/null && echo root; [ / -ef /.. ] && echo same

#case unlinked_but_open
echo data >f; exec 3<>f; rm f; ls; cat <&3; echo more >&3; stat -L -c '%s %h' /proc/self/fd/3; cat /proc/self/fd/3; readlink /proc/self/fd/3; ln /proc/self/fd/3 g 2>&1 | sed 's/.*: //'; echo new >f; cat /proc/self/fd/3 | wc -l

#case unlinked_directory_as_cwd
mkdir d; cd d; rmdir ../d; ls; touch x; mkdir y; ls ..; /bin/pwd; cd .; echo $?; cat ./f; readlink /proc/self/cwd; cd ..; pwd; ls

#case append_from_two_writers
: >f; (i=0; while [ $i -lt 300 ]; do echo aaaaaaaaaa; i=$((i+1)); done) >>f & (i=0; while [ $i -lt 300 ]; do echo bbbbbbbbbb; i=$((i+1)); done) >>f; wait; sort f | uniq -c

#case shared_offset_of_two_writers
(i=0; while [ $i -lt 200 ]; do echo aaaaaaaaaa; i=$((i+1)); done & i=0; while [ $i -lt 200 ]; do echo bbbbbbbbbb; i=$((i+1)); done; wait) >f; sort f | uniq -c

#case two_descriptors_two_offsets
echo 0123456789 >f; exec 3<f 4<f; dd bs=1 count=3 <&3 2>/dev/null; echo; dd bs=1 count=2 <&4 2>/dev/null; echo; dd bs=1 count=2 <&3 2>/dev/null; echo; exec 5>f; echo ab >&5; cat f; : >f; echo cd >&5; od -An -c f

#case rename_over_open_file
echo old >a; echo new >b; exec 3<a; mv b a; cat <&3; cat a; ls; ln a c; mv a c; ls; mv c c; echo $?; stat -c %h a

#case rename_hard_links_of_one_file
echo x >a; ln a b; mv a b; ls; stat -c %h a b 2>&1

#case rename_directories
mkdir -p a/b/c; mv a a/b/d; mv a/b a/b/c; mv a/b/c a; mv a/b .; ls; ls a; mkdir e; mv -T a e; ls -R; cd e/c; mv /tmp/case/e /tmp/case/f; /bin/pwd; cd ..; /bin/pwd

#case hard_link_counts
touch a; i=0; while [ $i -lt 200 ]; do ln a l$i; i=$((i+1)); done; stat -c %h a; rm l1*; stat -c %h a; rm l*; stat -c %h a; mkdir d; i=0; while [ $i -lt 50 ]; do mkdir d/$i; i=$((i+1)); done; stat -c %h d; rmdir d/4*; stat -c %h d

#case times_change
touch -d '2001-01-01 00:00:00' f; mkdir d; touch -d '2001-01-01 00:00:00' d; y() { stat -c %y $1 | cut -c1-4; }; now=$(date +%Y); cat f; [ $(y f) = 2001 ] && echo kept; chmod 600 f; [ $(y f) = 2001 ] && echo kept; mv f g; [ $(y g) = 2001 ] && echo kept; echo x >>g; [ $(y g) = $now ] && echo written; touch d/x; [ $(y d) = $now ] && echo dir; touch -d '2001-01-01 00:00:00' d; rm d/x; [ $(y d) = $now ] && echo dir; touch -d '2001-01-01 00:00:00' d; touch -d '2001-01-01 00:00:00' g; : >g; [ $(y g) = $now ] && echo truncated; [ $(y d) = 2001 ] && echo kept; ln g h; [ $(stat -c %z g | cut -c1-4) = $now ] && echo changed

#case access_time
echo x >f; touch -a -d '2001-01-01 00:00:00' f 2>&1; stat -c %X f >a; cat f; [ $(stat -c %X f) -gt $(cat a) ] && echo read

#case holes_read_as_zero
dd if=/dev/zero of=f bs=1 count=1 seek=1000000 2>/dev/null; stat -c '%s %b' f; od -An -tx1 -j 999990 f; md5sum f; cp f g; stat -c %s g; cat f | wc -c; printf abc | dd of=f bs=1 seek=4094 conv=notrunc 2>/dev/null; od -An -c -j 4092 -N 8 f; stat -c %b f

#case big_offsets
dd if=/dev/zero of=f bs=1 count=1 seek=5000000000 2>/dev/null; stat -c '%s %b' f; printf end | dd of=f bs=1 seek=9000000000000 conv=notrunc 2>/dev/null; stat -c %s f; dd if=f bs=1 skip=9000000000000 2>/dev/null; echo; truncate -s 9223372036854771712 g; stat -c %s g; truncate -s 9223372036854775807 h; stat -c %s h; rm f g h

#case fill_and_free
dd if=/dev/zero of=f bs=1M count=8 2>/dev/null; stat -c '%s %b' f; ln f g; rm f; stat -c %h g; : >g; stat -c '%s %b' g; du -k g

#case many_files_listed_once
mkdir d; i=0; while [ $i -lt 300 ]; do : >d/f$i; i=$((i+1)); done; ls d | wc -l; ls d | sort -u | wc -l; rm d/f*5; ls d | wc -l; for f in d/f1*; do rm $f; done; ls d | wc -l; rm -r d; ls

#case remove_while_listing
mkdir d; i=0; while [ $i -lt 200 ]; do : >d/f$i; i=$((i+1)); done; find d -type f -exec rm {} \; ; ls d | wc -l; rmdir d; echo $?

#case fifo_semantics
mkfifo p; { echo one; echo two; } >p & cat p; wait; (sleep 0.2; cat p >/dev/null) & echo x >p; echo opened; wait; stat -c '%F %s' p; mkfifo q; ln q r; cat r & echo linked >q; wait

#case pipe_capacity
(dd if=/dev/zero bs=4096 count=16 2>/dev/null; echo done >st) | (i=0; while [ ! -s st ] && [ $i -lt 100 ]; do usleep 50000; i=$((i+1)); done; cat st; cat >/dev/null); (dd if=/dev/zero bs=4096 count=17 2>/dev/null; echo done >st2) | (sleep 0.3; cat st2 2>&1; cat | wc -c)

#case directory_is_not_a_file
mkdir d; echo x >d; dd if=d of=/dev/null 2>&1 | head -1; exec 3<d; cat <&3; read x <&3; echo $?; cp d e; cmp d d; wc d; head d; sort d; truncate -s 0 d; ln -s d l; cat l; : >>l

#case open_flags_by_shell
set -C; echo a >f; echo b >f; echo $?; echo c >|f; cat f; ln -s none dang; echo x >dang; echo $?; ls; set +C; echo y >dang; ls; mkfifo p; set -C; (cat p &) ; echo z >p; sleep 0.1

#case symlink_resolution
mkdir -p a/b c; echo x >a/f; ln -s ../a c/up; cat c/up/f; ln -s /tmp/case/a abs; cat abs/f; ln -s a/b ab; cd ab; /bin/pwd; cat ../f; cd ..; ln -s f a/rel; cat a/rel; ln -s a/rel two; cat two; echo via >two; cat a/f; rm two; cat a/f; ln -s . self; cat self/self/self/a/f; ln -s .. a/parent; ls a/parent/a/parent | head -1; readlink -f a/parent/c/up

#case symlink_dangling_create
ln -s d/target l; echo x >l; echo $?; mkdir d; echo x >l; cat d/target; mkdir e; ln -s ../e/new d/n; touch d/n; ls e; ln -s /nonexistent/x bad; cp l bad; echo $?; mv l bad; cat bad

#case device_nodes_work_anywhere
mknod n c 1 3; mknod z c 1 5; mkdir d; mknod d/full c 1 7; echo x >n; head -c 3 z | od -An -tx1; echo x >d/full; stat -c '%t %T %s' n z d/full; mknod -m 600 m c 1 8; head -c 4 m | wc -c; mv n n2; echo gone >n2; cat n2; ln z z2; head -c 1 z2 | od -An -tx1; mknod blk b 1 99; cat blk; mknod sock p

#case lots_of_open_files
i=3; ulimit -n 300; while [ $i -lt 10 ]; do eval "exec $i>f$i"; i=$((i+1)); done; ls /proc/$$/fd >list; wc -l <list; echo to seven >&7; cat f7

#case large_directory_rename
mkdir d; i=0; while [ $i -lt 100 ]; do : >d/a$i; i=$((i+1)); done; for f in d/a*; do mv $f d/b${f#d/a}; done; ls d | head -2; ls d | wc -l

#case write_at_limits
dd if=/dev/zero of=f bs=4095 count=3 2>/dev/null; printf x | dd of=f bs=1 seek=4095 conv=notrunc 2>/dev/null; printf y | dd of=f bs=1 seek=4096 conv=notrunc 2>/dev/null; od -An -c -j 4094 -N 4 f; stat -c %s f; dd if=f bs=4097 count=2 2>/dev/null | wc -c; dd if=f bs=100000 skip=1 2>/dev/null | wc -c; dd if=f bs=1 skip=12285 2>/dev/null | wc -c; cat f f f | md5sum

#case copy_a_tree
mkdir -p t/a/b; seq 100 >t/a/f; ln -s a/f t/l; cp -a t u; diff -r t u && echo equal; rm -r t; cat u/l | tail -1; tar c u | (mkdir v; cd v; tar x); diff -r u v/u && echo equal; find v | wc -l

#case times_of_far_dates
touch -d '1902-01-01 00:00:00' a; stat -c %Y a; touch -d '2100-06-01 12:00:00' b; stat -c '%Y %y' b; touch -d @4294967296 c; stat -c %Y c; ls -l --full-time b | awk '{print $6}'
