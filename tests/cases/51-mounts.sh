# mount, umount, chroot and the lists of them.

#case mount_tmpfs_options
mkdir m; mount -t tmpfs -o size=1M,mode=1770,uid=1000,gid=100,nr_inodes=50 mine m; stat -c '%a %u %g' m; grep /tmp/case/m /proc/mounts | cut -d' ' -f1-3; df -k m | tail -1 | awk '{print $2}'; df -i m | tail -1 | awk '{print $2,$3,$4}'; dd if=/dev/zero of=m/f bs=64k count=20; echo $?; stat -c %s m/f; rm m/f; dd if=/dev/zero of=m/f bs=64k count=16 2>/dev/null; echo $?; umount m; ls m

#case tmpfs_runs_out_of_inodes
mkdir m; mount -t tmpfs -o nr_inodes=5 none m; for i in 1 2 3 4 5 6; do echo -n >m/$i || echo stopped at $i; done 2>&1; mkdir m/d; echo $?; rm m/1; mkdir m/d; echo $?; umount m

#case tmpfs_runs_out_of_space
mkdir m; mount -t tmpfs -o size=100k none m; yes | dd of=m/f bs=1k 2>/dev/null; echo $?; stat -c %s m/f; echo more >>m/f; echo $?; echo x >m/g; echo $?; echo -n >m/f; echo x >m/g; cat m/g; truncate -s 1G m/s; echo $?; stat -c '%s %b' m/s; umount m

#case mount_read_only
mkdir m; mount -t tmpfs none m; echo a >m/f; mount -o remount,ro m; echo b >m/f; echo $?; cat m/f; touch m/new; mkdir m/d; rm m/f; chmod 600 m/f; ln -s x m/l; mv m/f m/g; touch m/f; echo b >>m/f; grep -o ' ro[, ]' /proc/mounts | head -1; mount -o remount,rw m; echo c >m/f; cat m/f; umount m

#case mount_bind
mkdir a b; echo x >a/f; mount --bind a b; cat b/f; echo y >b/g; cat a/g; [ a/f -ef b/f ] && echo same; mkdir a/s; mount -t tmpfs none a/s; touch a/s/t; ls b/s; umount a/s; ln a/f b/h; echo $?; mv a/f b/i; echo $?; umount b; ls b; touch t1 t2; echo file >t1; mount -o bind t1 t2; cat t2; rm t2; echo $?; umount t2; cat t2

#case mount_bind_recursive
mkdir a a/s a/t b c; mount -t tmpfs none a/s; mkdir a/s/u; mount -t tmpfs none a/s/u; echo deep >a/s/u/f; echo side >a/t/f
mount -o bind a b; ls b/s; mount -o rbind a c; cat c/s/u/f c/t/f; awk '$2 ~ "/tmp/case/" {print $2, $3}' /proc/mounts | sort
echo more >c/s/u/g; cat a/s/u/g; umount c 2>/dev/null; echo $?; umount -l c; ls c; cat a/s/u/f; mount -o rbind a a/t; ls a/t/s/u; umount -l a/t; mount --rbind a/s/u b; cat b/f; umount b b a/s/u a/s; ls a/s

#case remount_keeps_access_times
mkdir m; mount -t tmpfs -o noatime none m; mount -o remount,ro,bind m; grep -o 'm tmpfs ro,[a-z]*' /proc/mounts; mount -o remount,rw,bind,strictatime m; grep -o 'm tmpfs rw,[a-z]*' /proc/mounts; umount m

#case mount_private
mkdir m; mount --make-private m 2>/dev/null; echo $?; mount -t tmpfs none m; mount --make-private m; echo $?; mount --make-rprivate m; echo $?; mount --make-slave m; echo $?; mount --make-private nowhere 2>/dev/null; echo $?; umount m

#case mount_bind_read_only
mkdir a b; echo x >a/f; mount -o bind a b; mount -o remount,ro,bind b; echo y >b/f; echo $?; echo z >a/f; cat b/f; umount b

#case mount_move
mkdir a b; mount -t tmpfs none a; echo x >a/f; mount --move a b; cat b/f; ls a; grep -c /tmp/case/a /proc/mounts; umount b

#case mount_stacked
mkdir m; echo under >m/f; mount -t tmpfs one m; echo one >m/f; mount -t tmpfs two m; echo two >m/f; cat m/f; umount m; cat m/f; umount m; cat m/f; umount m; echo $?

#case mount_proc_and_sys
mkdir p s; mount -t proc proc p; cmp p/version /proc/version && echo same; [ "$(readlink p/self)" ] && echo self; umount p; mount -t sysfs sysfs s; ls s | grep -c kernel; umount s; mkdir d; mount -t devtmpfs dev d; stat -c '%F %t %T' d/null; umount d; ls p s d

#case mount_errors
mount -t nosuch none /mnt; echo $?; mount -t tmpfs none none; echo $?; touch f; mount -t tmpfs none f; echo $?; umount /tmp/case; echo $?; umount none; echo $?; mkdir m; mount -t tmpfs -o size=bogus none m; echo $?; mount --bind nodir m; echo $?

#case umount_busy
mkdir m; mount -t tmpfs none m; cd m; umount /tmp/case/m; echo $?; cd ..; exec 3>m/f; umount m; echo $?; exec 3>&-; umount m; echo $?; mount -t tmpfs none m; exec 3>m/f; umount -l m; echo $?; ls m; echo still >&3; echo $?; grep -c /tmp/case/m /proc/mounts

#case mountpoint_is_protected
mkdir m; mount -t tmpfs none m; rmdir m; echo $?; mv m n; echo $?; rm -r m; echo $?; umount m; rmdir m; echo $?

#case links_across_mounts
mkdir m; mount -t tmpfs none m; echo x >f; ln f m/f; echo $?; mv f m/; cat m/f; [ $(stat -c %d m) != $(stat -c %d .) ] && echo other device; ln -s ../g m/l; echo g >g; cat m/l; umount m

#case dotdot_of_a_mount
mkdir -p a/m; mount -t tmpfs none a/m; mkdir a/m/s; cd a/m/s; cd ../..; pwd; cd -P m/..; pwd; ls; umount m

#case mount_listing
mkdir m; mount -t tmpfs -o nosuid,nodev,noexec,size=64k src m; mount | grep '/tmp/case/m '; tail -1 /proc/mounts; tail -1 /proc/self/mountinfo | awk '{print $5,$6,$(NF-2),$(NF-1),$NF}'; umount /tmp/case/m; mount | grep -c /tmp/case/m

#case mount_flags_work
mkdir m; mount -t tmpfs -o nodev,noexec none m; mknod m/null c 1 3; cat m/null; echo $?; cp /bin/busybox m/true; m/true; echo $?; printf '#!/bin/sh\necho ran\n' >m/s; chmod +x m/s; m/s; echo $?; sh m/s; umount m

#case mount_nosuid
mkdir m; mount -t tmpfs -o nosuid none m; cp $T/bin/ids m/ids; chmod 4755 m/ids; su user -c /tmp/case/m/ids; mount -o remount,suid m; su user -c /tmp/case/m/ids; umount m

#case chroot_mini_root
mkdir -p r/bin r/dev r/etc; cp /bin/busybox r/bin; for a in sh ls cat pwd id; do ln -s busybox r/bin/$a; done; echo inside >r/etc/f; chroot r /bin/ls /; chroot r cat /etc/f; chroot r /bin/pwd; chroot r sh -c 'cd /..; pwd; ls; cat /../etc/f; ls /proc 2>&1; echo $0'; chroot r /bin/nosuch; echo $?; chroot none ls; echo $?; ln -s /etc/f r/abs; chroot r cat /abs; cat r/abs; ln -s ../../../../etc/f r/rel; chroot r cat /rel

#case chroot_escape_by_descriptor
mkdir -p r/bin; cp /bin/busybox r/bin/; exec 5</; chroot r /bin/busybox sh -c 'cd /proc/self/fd/5 2>/dev/null || echo no proc; cd ..; /bin/busybox pwd; ls -d etc 2>&1 | head -1'; readlink /proc/self/root

#case chroot_shows_in_proc
mkdir -p r/bin r/proc; cp /bin/busybox r/bin/; mount -t proc proc r/proc; chroot r /bin/busybox sh -c '/bin/busybox readlink /proc/self/root; /bin/busybox readlink /proc/self/exe; /bin/busybox head -1 /proc/mounts | /bin/busybox cut -d" " -f2'; umount r/proc

#case switch_root_refuses
switch_root /tmp/case /bin/sh; echo $?; pivot_root . . ; echo $?; switch_root; echo $? 

#case losetup_and_swap_shape
swapon nosuch; echo $?; cat /proc/swaps | awk '{print $1,$2,$3}'; mkdir m; mount -t ext2 /dev/null m 2>/dev/null; [ $? != 0 ] && echo refused; mount -t ext4 f m 2>/dev/null; [ $? != 0 ] && echo refused

#case statfs_of_each
for d in /proc /sys /dev/pts; do stat -f -c '%n %T %a %b' $d; done; mkdir m; mount -t tmpfs -o size=40k,nr_inodes=9 none m; stat -f -c '%b %f %a %c %d %s' m; echo x >m/f; stat -f -c '%b %f %a %c %d %s' m; umount m
