#!/bin/busybox sh
# Process 1 of a conformance run: mounts what the cases need, runs them, powers off.
# Arguments (the words after `--` on the kernel command line) are handed to run.sh.
B=/bin/busybox
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
umask 022

$B mkdir -p /bin /sbin /usr/bin /usr/sbin /proc /sys /dev /tmp /etc /root /home/user /mnt
[ -e /bin/cat ] || $B --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /tmp
hostname testhost
# Each file only if the image brings none.
[ -e /etc/passwd ] || printf '%s\n' \
    'root:x:0:0:root:/root:/bin/sh' \
    'daemon:x:1:1:daemon:/:/bin/false' \
    'user:x:1000:1000:user:/home/user:/bin/sh' \
    'other:x:1001:1001:other:/:/bin/sh' \
    'nobody:x:65534:65534:nobody:/:/bin/sh' > /etc/passwd
[ -e /etc/group ] || printf '%s\n' 'root:x:0:' 'daemon:x:1:' 'tty:x:5:' 'shared:x:100:user,other' \
    'user:x:1000:' 'other:x:1001:' 'nogroup:x:65534:' > /etc/group
[ -e /etc/shadow ] || { printf '%s:*:19000:0:99999:7:::\n' root daemon user other nobody > /etc/shadow; chmod 640 /etc/shadow; }
chown 1000:1000 /home/user

sh "${0%/*}/run.sh" "$@"
# What the kernel says of itself that it never should.
dmesg | grep -E 'BUG|lockup|wrongly|cannot be claimed|no whole block' | sed 's/^/!!! /'
poweroff -f
