# The applets that make, copy, name, mark and remove files.

#case cat_forms
printf 'a\n\nb\tc\n\n\n' >f; cat f f; cat -n f; cat -b f; cat -A f; cat -s f 2>&1 | head -3; echo in | cat f - f | wc -l; cat f none; echo $?; cat .; echo $?

#case touch_dates
touch -d '2001-02-03 04:05:06' f; stat -c '%y %Y %X' f; touch -t 199912312359.58 g; stat -c %y g
touch -r f h; stat -c %y h; touch -c none; ls; touch -d @86400 f; date -r f; touch -d '1970-01-01 00:00:00' f; stat -c %Y f

#case chmod_numeric_and_symbolic
touch f; for m in 644 0 777 4755 2755 1777 7777 u=rw,g=r,o= a+x g-x u+s g+s +t o=u -w; do chmod $m f; stat -c "$m %a %A" f; done
mkdir -p d/e; touch d/e/f; chmod -R go= d; find d -exec stat -c '%a %n' {} +; chmod 999 f; echo $?; chmod 600 none; echo $?

#case chmod_x_capital
mkdir d; touch f g; chmod 644 f; chmod 744 g; chmod 700 d; chmod a+X f g d; stat -c '%a %n' f g d

#case chown_root
touch f; chown 1000:1001 f; stat -c '%u %g %U %G' f; chown nobody f; stat -c '%u %g' f; chown :shared f; stat -c '%U %G' f
chown user: f; stat -c '%U %G' f; ln -s f l; chown -h 5:6 l; stat -c '%u %g' f l; chgrp tty f; stat -c %G f; chown nosuch f; echo $?
mkdir d; touch d/x; chown -R 7:8 d; stat -c '%u:%g' d d/x

#case chown_clears_setuid
touch f; chmod 6755 f; chown 1000:1000 f; stat -c '%a %u' f; chmod 2644 f; chown 0:0 f; stat -c %a f; echo x >>f; stat -c %a f

#case mkdir_forms
mkdir a; mkdir a; echo $?; mkdir -p a/b/c a/b/c; mkdir x/y; echo $?; mkdir -m 700 m; mkdir -p -m 711 n/o; stat -c '%a %n' m n n/o; touch f; mkdir f/x; echo $?; mkdir -p f/x; echo $?

#case rmdir_forms
mkdir -p a/b/c e; rmdir a; echo $?; rmdir -p a/b/c; ls; rmdir e/; ls; touch f; rmdir f; echo $?; rmdir none; echo $?; mkdir g; rmdir g/.; echo $?; rmdir --ignore-fail-on-non-empty . ; echo $?

#case rm_forms
mkdir -p d/e; touch f g d/x d/e/y; rm f none; echo $?; rm -f none; echo $?; rm d; echo $?; rm -r d; ls; rm -rf none; echo $?; rm -r .; echo $?; touch -- -x; rm -- -x; ls; ln -s /tmp l; rm -r l; ls -d /tmp

#case rm_readonly_and_prompt
touch f; chmod 0 f; echo n | rm -i f; ls; echo y | rm -i f; ls; mkdir d; touch d/x; chmod 500 d; rm -r d; ls; echo $?

#case unlink_applet
touch f; unlink f; ls; mkdir d; unlink d; echo $?; unlink none; echo $?

#case ln_hard
echo one >a; ln a b; stat -c '%h %n' a b; [ a -ef b ] && echo same; echo two >>b; cat a; rm a; stat -c %h b; ln b b; echo $?; ln none c; echo $?; mkdir d; ln d e; echo $?; ln b d; ls d; ln -f b d/b; echo $?

#case ln_symbolic
echo x >f; ln -s f l; cat l; readlink l; ln -s f l; echo $?; ln -sf none l; readlink l; cat l; mkdir d; ln -s ../f d; cat d/f; ln -sn d e; readlink e; ln -sfn f e; readlink e; stat -c '%s %F %a' l e; ln -s '' m; echo $?

#case ln_on_symlink
echo x >f; ln -s f l; ln l h; stat -c '%F %h' h f; ln -s none d; ln d d2; stat -c %F d2

#case symlink_loops
ln -s a b; ln -s b a; cat a; echo $?; ls -L a; echo $?; echo x >a; echo $?; ls -l a | sed 's/.* a/a/'; readlink -f a; echo $?; ln -s self/x self; cat self; ls self/; rm a b self; ls
i=0; p=f; touch f; while [ $i -lt 41 ]; do ln -s $p l$i; p=l$i; i=$((i+1)); done; cat l39 && echo 40 links; cat l40; echo $?

#case readlink_and_realpath
mkdir -p d/e; touch d/e/f; ln -s d/e l; ln -s f d/e/k; readlink -f l/k; realpath l/k; realpath l/../x; realpath none/x; echo $?; readlink d; echo $?; readlink -f none; readlink -n l; echo; realpath /proc/self/../sys/. ; readlink -f .

#case cp_forms
echo one >a; cp a b; cat b; mkdir d; cp a b d; ls d; cp a; echo $?; cp a none/x; echo $?; cp none b; echo $?; cp d e; echo $?; cp -r d e; ls e; cp -r d e; ls e/d; cp a a; echo $?; ln -s a l; cp l c; stat -c %F c; cp -d l m; readlink m

#case cp_preserve
echo x >f; chmod 4751 f; chown 1000:1001 f; touch -d '2010-01-02 03:04:05' f; cp f g; stat -c '%a %u' g; cp -p f h; stat -c '%a %u %g %y' h
mkdir -p t/s; ln -s s t/l; mkfifo t/p; ln f t/h1; ln f t/h2; chmod 700 t/s; touch -d '2011-01-01 00:00:00' t/s; cp -a t u; ls -l u | sed 1d | awk '{print $1,$2,$3,$4,$9,$10,$11}' ; stat -c '%y' u/s

#case cp_update_and_force
echo new >a; echo old >b; touch -d '2000-01-01 00:00:00' a; touch -d '2001-01-01 00:00:00' b; cp -u a b; cat b; touch -d '2002-01-01 00:00:00' a; cp -u a b; cat b; chmod 0 b; cp -f a b; cat b; echo n | cp -i a b; cp -l a hard; stat -c %h a; cp -s a sym; readlink sym; cp -rv . /tmp/case/../.cpv 2>&1 | head -0; rm -rf /tmp/.cpv

#case cp_special
mkfifo p; mknod n c 1 3; cp -a p q; cp -a n m; stat -c '%F %t %T' q m; mkdir d; cp -r d/. e; ls -d e; cp -T a b; echo $?; mkdir x; touch x/a; cp x/a x/b y 2>&1; echo $?; cp --parents x/a d; find d | sort

#case mv_forms
echo 1 >a; mv a b; ls; mkdir d; mv b d; ls d; mv d/b d/c; mv d e; ls e; mv none x; echo $?; mv e e/f; echo $?; touch g; mv g e; mkdir h; mv h e; ls e; mkdir e2 e2/h; mv e2/h e; echo $?; touch e2/h/x 2>/dev/null; mv e/c e2/h; echo $?

#case mv_over
echo 1 >a; echo 2 >b; mv a b; cat b; ls; touch c; chmod 0 c; mv -f b c; cat c; echo x >d; echo n | mv -i c d; cat d; ls; mv -n c d; cat d; mkdir e; mv c e/; mv e/c e; ls e

#case mv_dir_over_dir
mkdir -p a/x b; mv -T a b; ls b; mkdir -p c/y d; touch d/full; mv -T c d; echo $?; touch f; mv -T c f; echo $?; mv -T f c; echo $?; ls

#case mv_across_mounts
mkdir m; mount -t tmpfs none m; mkdir -p a/b; echo data >a/b/f; ln -s b a/l; chmod 750 a/b; touch -d '2005-05-05 00:00:00' a/b/f; mv a m; ls; find m | sort; stat -c '%a %y' m/a/b m/a/b/f | cut -c1-23 | tail -1; readlink m/a/l; cat m/a/b/f; umount m

#case ls_long_format
touch -d '2003-04-05 06:07:08' f; chmod 4644 f; mkdir d; chmod 1777 d; touch -d '2003-04-05 00:00:00' d; ln -s f l; touch -h -d '2003-04-05 00:00:00' l 2>/dev/null; mkfifo -m 600 p; mknod -m 620 c c 5 1; mknod b b 8 1; touch -d '2003-04-05 00:00:00' p c b
ls -l f; ls -l p c b; ls -ld d | sed 's/ [0-9]* Apr/ N Apr/'; ls -ln f; ls -l l | awk '{print $1,$2,$9,$10,$11}'; ls -l --full-time f 

#case ls_options
mkdir d; touch a .h d/x; printf 12345 >b; ln -s d l; touch -d '2001-01-01 00:00:00' old; chmod +x a
ls; ls -a; ls -A; ls -1F; ls -p; ls -d d; ls l; ls -R; ls -r; ls -S | head -1; ls -t | tail -1; ls -tr | head -1; ls -C; ls none; echo $?; ls -x; ls -1 a b; ls d a

#case ls_sizes_and_inodes
printf 1 >a; ln a b; set -- $(ls -i a b); [ $1 = $3 ] && echo same inode; dd if=/dev/zero of=k bs=1k count=300 2>/dev/null; ls -s k; ls -sh k; ls -lh k | awk '{print $5}'; dd if=/dev/zero of=m bs=1M count=2 2>/dev/null; ls -lh m | awk '{print $5}'; ls -l | head -1

#case ls_escapes_and_width
touch 'a b' 'new
line' 'tab	x'; ls | cat -A; ls -w 20 -C a* ; touch 1 2 10 9; ls -v [0-9]*; ls --color=always -d . | cat -v

#case stat_formats
printf 12345 >f; chmod 640 f; touch -d '2020-02-29 12:34:56' f; stat -c '%n %s %b %B %f %F %a %A %h %u %U %g %G %t %T %Y %X %o' f; stat -c '%y|%x' f; stat -t f | awk '{print $1,$2,$3,$4,$5,$6}'; mkdir d; stat -c '%F %h' d; ln -s f l; stat -c '%N %F' l; stat -L -c %F l; stat -c '%F %t %T %a' /dev/null; stat none; echo $?

#case stat_default_layout
touch -d '2001-01-01 00:00:00' f; stat f | sed -e 's/Device: [^ 	]*/Device: D/' -e 's/Inode: [0-9]*/Inode: I/' -e '/^Change/d' -e 's/ *$//'

#case stat_file_system
stat -f -c '%T %t %s %S %l' /tmp; stat -f -c '%T %l' /proc; stat -f -c %T /dev/pts; stat -f -c %T /sys; stat -f -c '%T' /

#case stat_link_counts
mkdir d; stat -c %h d; mkdir d/a d/b; stat -c %h d; touch d/f; stat -c %h d; rmdir d/a; stat -c %h d; mv d/b .; stat -c %h d . 

#case mktemp_shape
f=$(mktemp); echo $f | sed 's/[A-Za-z0-9]\{6\}$/XXXXXX/'; stat -c '%a %s' $f; rm $f; d=$(mktemp -d); stat -c '%a %F' $d; rmdir $d; f=$(mktemp ./abcXXXXXX); expr length $f; f=$(mktemp -u); ls $f 2>/dev/null; echo $?; mktemp x; echo $?; mktemp -p . yXXXXXX | cut -c1-3; TMPDIR=/tmp/case mktemp -t zXXXXXX | cut -c1-11

#case truncate_and_sparse
truncate -s 10M f; stat -c '%s %b' f; du -k f; printf x | dd of=f bs=1 seek=5000000 conv=notrunc 2>/dev/null; stat -c %s f; du -k f; truncate -s 5 f; stat -c '%s %b' f; od -An -tx1 f; truncate -c -s 5 none; ls; truncate -s 1k g; stat -c %s g; truncate -s 0 f; stat -c '%s %b' f

#case truncate_regrow_zeroes
printf 'abcdefgh' >f; truncate -s 3 f; truncate -s 8 f; od -An -c f; printf XXXX >f; od -An -c f; yes | head -c 9000 >g; truncate -s 4100 g; truncate -s 9000 g; tail -c 4900 g | tr -d '\0' | wc -c

#case dd_blocks
seq 1 100 >f; dd if=f bs=10 count=2 2>/dev/null; dd if=f bs=3 skip=4 count=3 2>/dev/null | od -An -c; dd if=f of=g bs=10 seek=2 count=1 2>&1 | head -2; od -An -c g | head -2; dd if=f of=g bs=5 seek=1 count=1 conv=notrunc 2>/dev/null; stat -c %s g; dd if=f ibs=7 obs=20 2>/dev/null | md5sum; md5sum <f; dd if=none of=x; echo $?; dd if=f bs=0; echo $?

#case dd_conversions
printf abcd | dd conv=swab 2>/dev/null; echo; printf abc | dd bs=8 conv=sync 2>/dev/null | od -An -c; printf 'xyz' >f; printf 'Q' | dd of=f conv=notrunc 2>/dev/null; cat f; echo; dd if=/dev/zero of=s bs=1k count=4 seek=1 conv=fsync 2>/dev/null; stat -c %s s; dd if=f of=a oflag=append conv=notrunc 2>/dev/null; dd if=f of=a oflag=append conv=notrunc 2>/dev/null; cat a

#case dd_status_and_full_block
dd if=/dev/zero of=f bs=1000 count=3 2>&1 | head -2; (printf abc; usleep 50000; printf def) | dd bs=6 count=1 2>/dev/null | wc -c; (printf abc; usleep 50000; printf def) | dd bs=6 count=1 iflag=fullblock 2>/dev/null | wc -c; dd if=f bs=1000 iflag=skip_bytes skip=500 2>/dev/null | wc -c; dd if=/dev/zero of=/dev/full bs=1 count=1; echo $?

#case fallocate_applet
fallocate -l 100000 f; stat -c '%s %b' f; fallocate -o 100000 -l 1 f; stat -c %s f; fallocate -l 0 f; echo $?

#case mkfifo_and_mknod
mkfifo p q; stat -c '%F %a' p; mkfifo p; echo $?; mkfifo -m 640 r; stat -c %a r; mknod c c 1 3; mknod b b 7 0; mknod s p; stat -c '%n %F %t:%T' c b s; echo lost >c; cat c; mknod c c 1 5; echo $?; mknod x z; echo $?; head -c 4 </dev/zero | od -An -tx1; mknod z c 1 5; head -c 3 z | od -An -tx1; mknod bad c 200 9; cat bad; echo $?; mknod worse b 200 9; cat worse; echo $?; mknod pts c 136 999; cat pts; echo $?

#case df_shape
mkdir m; mount -t tmpfs -o size=4M none m; df -k m; df -h m | tail -1; dd if=/dev/zero of=m/f bs=1M count=1 2>/dev/null; df -k m | tail -1; df -m m | tail -1; df -i m | tail -1 | awk '{print NF, $NF}'; rm m/f; df -P m | tail -1; umount m; df none; echo $?

#case du_shape
mkdir -p d/e; dd if=/dev/zero of=d/f bs=1k count=40 2>/dev/null; dd if=/dev/zero of=d/e/g bs=1k count=4 2>/dev/null; ln d/f d/h; du -k d; du -sk d; du -a d | sort -k2; du -sh d; du -ck d/f d/e/g; du -kl d | tail -1; du -d 0 d

#case sync_applets
echo x >f; sync; echo $?; sync f; echo $?; sync -d f; echo $?

#case basename_dirname
basename /a/b/c.txt; basename /a/b/c.txt .txt; basename /; basename a/; dirname /a/b/c; dirname a; dirname /; dirname a/b/; basename .txt .txt

#case which_and_paths
which sh; which nosuch; echo $?; which -a ls; printf '#!/bin/sh\necho mine\n' >ls; chmod +x ls; PATH=/tmp/case; hash -r; ls; command -v ls

#case shred_and_mv_backup
echo secret >f; shred -n 1 -u f; ls; echo x >g; shred -n 0 -z g; tr -d '\0' <g | wc -c

#case run_parts_order
mkdir d; for i in 30c 10a 20b; do printf '#!/bin/sh\necho run %s $1\n' $i >d/$i; chmod +x d/$i; done; touch d/40x; run-parts d; run-parts -a arg d; run-parts --test d
