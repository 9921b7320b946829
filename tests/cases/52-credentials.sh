# Who may do what: users, modes, set-id bits, the sticky bit.

u() { su user -c "$1"; }

#case su_becomes
su user -c id; su nobody -c 'id -u; echo $HOME $USER $SHELL'; su - user -c 'pwd; echo $HOME'; su nosuch -c id; echo $?; su user -c 'exit 7'; echo $?; su -s /bin/echo user -c hello; su user -c 'cat /proc/self/status' | grep -E '^(Uid|Gid|Groups)'

#case su_refused_to_users
u 'su other -c id </dev/null'; echo $?; u 'su root -c id </dev/null'; echo $?

#case read_write_search
echo secret >f; chmod 600 f; u 'cat /tmp/case/f'; echo $?; chmod 644 f; u 'cat /tmp/case/f; echo x >/tmp/case/f'; mkdir d; echo in >d/f; chmod 711 d; u 'ls /tmp/case/d; cat /tmp/case/d/f'; chmod 744 d; u 'ls /tmp/case/d; cat /tmp/case/d/f; cd /tmp/case/d'; chmod 755 d; u 'rm -f /tmp/case/d/f; touch /tmp/case/d/new; mkdir /tmp/case/d/n; mv /tmp/case/d/f /tmp/case/d/g; ln -s x /tmp/case/d/l'

#case group_permissions
echo g >f; chgrp shared f; chmod 640 f; u 'cat /tmp/case/f'; su other -c 'cat /tmp/case/f'; su nobody -c 'cat /tmp/case/f'; chmod 604 f; u 'cat /tmp/case/f'; su nobody -c 'cat /tmp/case/f'; chown user f; chmod 066 f; u 'cat /tmp/case/f'; su nobody -c 'cat /tmp/case/f'

#case root_overrides
echo x >f; chmod 0 f; cat f; echo y >f; cat f; mkdir d; chmod 0 d; touch d/f; ls d; [ -r f ] && [ -w f ] && echo rw; [ -x f ]; echo $?; ./f; echo $?; chown user f; cat f; chmod 700 f

#case chown_refused
touch f; chown user f; u 'chown other /tmp/case/f'; echo $?; u 'chgrp shared /tmp/case/f; stat -c "%U %G" /tmp/case/f; chgrp other /tmp/case/f'; echo $?; touch g; u 'chown user /tmp/case/g; chmod 777 /tmp/case/g; chgrp user /tmp/case/g'; u 'chown user /tmp/case/f; echo $?'

#case chmod_and_setgid_of_foreign_group
touch f; chown user:tty f; u 'chmod 2755 /tmp/case/f; stat -c %a /tmp/case/f; chmod 4755 /tmp/case/f; stat -c %a /tmp/case/f'; mkdir d; chown user:tty d; u 'chmod 2755 /tmp/case/d; stat -c %a /tmp/case/d'

#case sticky_directory
mkdir d; chmod 1777 d; u 'echo u >/tmp/case/d/f; chmod 666 /tmp/case/d/f'; su other -c 'rm -f /tmp/case/d/f; mv /tmp/case/d/f /tmp/case/d/g; cat /tmp/case/d/f; echo o >/tmp/case/d/o; mv /tmp/case/d/o /tmp/case/d/f'; u 'mv /tmp/case/d/f /tmp/case/d/h; rm /tmp/case/d/h; ls /tmp/case/d'; chown other d; u 'echo x >/tmp/case/d/x'; su other -c 'rm -f /tmp/case/d/x; ls /tmp/case/d'; chmod 777 d; u 'rm -f /tmp/case/d/o; ls /tmp/case/d'

#case setgid_directory_inherits
mkdir d; chgrp shared d; chmod 2777 d; u 'touch /tmp/case/d/f; mkdir /tmp/case/d/s; stat -c "%G %a" /tmp/case/d/f /tmp/case/d/s'; touch d/r; stat -c %G d/r; mkdir e; chmod 777 e; u 'touch /tmp/case/e/f; stat -c "%U %G" /tmp/case/e/f'

#case setuid_program
cp $T/bin/ids ids; u ./ids; chmod 4755 ids; u ./ids; chgrp shared ids; chmod 2755 ids; su other -c ./ids; su nobody -c ./ids; chown user ids; chmod 4755 ids; ./ids; su other -c ./ids; chmod 6755 ids; su nobody -c ./ids; chmod 4644 ids; u ./ids; ls -l ids | cut -c1-10; printf '#!/bin/sh\nid -u\n' >s; chmod 4755 s; u ./s

#case setuid_is_dropped_on_demand
cp /bin/busybox su; chmod 4755 su; su user -c 'echo | /tmp/case/su other -c id' 2>&1 | tail -1; cp /bin/busybox id; chmod 4755 id; u ./id

#case writing_clears_setuid
echo x >f; chmod 6777 f; u 'echo y >>/tmp/case/f'; stat -c %a f; chmod 6777 f; echo z >>f; stat -c %a f; chmod 4777 f; u ': >/tmp/case/f'; stat -c %a f; chmod 6777 f; u 'truncate -s 0 /tmp/case/f'; stat -c %a f

#case signals_between_users
{ sleep 41 & p=$!; u "kill $p; kill -0 $p; kill -CONT $p"; su user -c 'exec sleep 42' & q=$!; until grep -q sleep /proc/$q/comm; do usleep 10000; done; su other -c "kill $q"; kill -0 $q && echo lives; kill $q; kill $p; wait; u 'kill -0 1'; u 'kill -9 -1; echo spared itself'; echo $?; } 2>&1 | sed 's/pid [0-9][0-9]*/pid N/'

#case refused_to_users
u 'mount -t tmpfs none /mnt'; u 'umount /tmp'; u 'chroot / true'; u 'mknod /tmp/case/n c 1 3'; chmod 777 .; u 'mknod n c 1 3; mknod p p; ls'; u 'hostname evil'; u 'reboot -f'; u 'echo x >/proc/sys/kernel/hostname'; u 'echo 1 >/proc/self/oom_score_adj; echo -5 >/proc/self/oom_score_adj'; u 'cat /etc/shadow; ls /root >/dev/null && echo seen'; hostname

#case limits_of_users
u 'ulimit -Hn 5000000' 2>&1; u 'ulimit -n 50; ulimit -n 60; ulimit -n'; u 'swapoff -a; dmesg -c >/dev/null; sysctl -w kernel.hostname=x' 2>&1; u 'date -s "2001-01-01 00:00:00" >/dev/null'; ulimit -Hn 3000000; echo $?

#case proc_of_another_user
sleep 43 & p=$!; until grep -q sleep /proc/$p/comm; do usleep 10000; done; u "readlink /proc/$p/exe; ls /proc/$p/fd; cat /proc/$p/environ; cat /proc/$p/comm; head -1 /proc/$p/status; ls -ld /proc/$p | cut -c1-10" 2>&1 | sed "s/$p/P/"; kill $p; wait; u 'ls -ld /proc/self/fd | cut -c1-10; stat -c %U /proc/self/fd'

#case access_and_test
echo x >f; chmod 640 f; chown root:shared f; u '[ -r /tmp/case/f ] && echo r; [ -w /tmp/case/f ] || echo not w; [ -x /tmp/case/f ] || echo not x; [ -O /tmp/case/f ] || echo not mine'; mkdir d; chmod 700 d; touch d/f; u '[ -e /tmp/case/d/f ] || echo hidden; stat /tmp/case/d/f; readlink -f /tmp/case/d/f; echo $?'

#case open_descriptor_keeps_right
echo x >f; chmod 600 f; exec 3<f 4>>f; u 'cat <&3; echo more >&4; cat /tmp/case/f'; cat f; exec 3<&- 4>&-

#case execute_permission
printf '#!/bin/sh\necho ran\n' >s; chmod 711 s; u /tmp/case/s; echo $?; chmod 644 s; u /tmp/case/s; echo $?; cp /bin/busybox busybox; chmod 711 busybox; u '/tmp/case/busybox echo binary; cat /tmp/case/busybox >/dev/null'; chmod 100 busybox; u /tmp/case/busybox; echo $?; ./busybox echo root may; chmod 0 busybox; ./busybox; echo $?

#case fowner_times
echo x >f; chmod 666 f; u 'touch /tmp/case/f; echo $?; touch -d "2001-01-01 00:00:00" /tmp/case/f; echo $?'; chmod 644 f; u 'touch /tmp/case/f; echo $?'; chown user f; chmod 400 f; u 'touch -d "2001-01-01 00:00:00" /tmp/case/f; stat -c %Y /tmp/case/f; echo y >>/tmp/case/f'

#case link_of_foreign_file
echo x >f; chmod 666 f; chmod 777 .; u 'ln f g; ls; ln -s f h; cat h; mv f i; ls'; stat -c '%U %h' i 2>/dev/null

#case umask_per_process
chmod 777 .; u 'umask 027; touch a; mkdir b; (umask 0; touch c); stat -c "%a %n" a b c'; umask

#case start_as_other_user_and_group
start-stop-daemon -S -c nobody:shared -x /bin/id

#case passwd_tools
mkpasswd -m sha512 -S saltsalt pw; id -gn; id -Gn user; mkpasswd -m des -S ab x

#case who_logged_in
cat /proc/self/loginuid; echo; cat /proc/self/sessionid; echo; ls -l /proc/self/loginuid /proc/self/sessionid | cut -c1-10; sh -c 'echo 1000 >/proc/self/loginuid; cat /proc/$$/loginuid /proc/self/loginuid; echo; [ $(cat /proc/self/sessionid) -lt 1000 ] && echo a session; echo 5 >/proc/1/loginuid; echo 7x >/proc/self/loginuid; su user -c "cat /proc/self/loginuid; echo; echo 1001 >/proc/self/loginuid; cat /proc/self/loginuid; echo"; echo 4294967295 >/proc/self/loginuid; cat /proc/self/sessionid; echo; su other -c "echo 1001 >/proc/self/loginuid; cat /proc/self/loginuid"; echo; cat /proc/self/loginuid'; echo; cat /proc/self/loginuid; echo; logname; echo x >/proc/self/sessionid
