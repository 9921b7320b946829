# One case for each part of memory.c, and what the administrator may set about memory.
p() { program=$1; shift; "$T/bin/$program" "$@"; }
large=/sys/kernel/mm/transparent_hugepage

#case large_pages_setting
cat $large/enabled $large/hpage_pmd_size
was=$(sed 's/.*\[\(.*\)\].*/\1/' $large/enabled)
for word in always madvise never; do echo $word > $large/enabled; cat $large/enabled; done
echo sometimes > $large/enabled
cat $large/enabled
echo $was > $large/enabled
su user -c "echo always > $large/enabled"
stat -c '%a %s' $large/enabled $large/hpage_pmd_size

#case large_pages
was=$(sed 's/.*\[\(.*\)\].*/\1/' $large/enabled)
echo always > $large/enabled
p memory large
echo $was > $large/enabled

#case large_pages_gathered
was=$(sed 's/.*\[\(.*\)\].*/\1/' $large/enabled)
echo never > $large/enabled
p memory collapse
echo $was > $large/enabled

#case large_pages_only_when_advised
was=$(sed 's/.*\[\(.*\)\].*/\1/' $large/enabled)
echo madvise > $large/enabled
p memory large
p fork_cow
echo $was > $large/enabled

#case large_pages_until_memory_ends timeout=60
was=$(sed 's/.*\[\(.*\)\].*/\1/' $large/enabled)
echo always > $large/enabled
p oom bystander
p fork_cow | head -3
echo $was > $large/enabled

#case faults
p memory faults

#case merges
p memory merges

#case merges_of_touched
p memory merges_of_touched

#case merges_of_files
p memory merges_of_files

#case merges_by_advice
p memory merges_by_advice

#case advice
p memory advice

#case advice_taken
p memory advice_taken

#case locks
p memory locks

#case lock_limits
p memory lock_limits

#case seals
p memory seals

#case memfd
p memory memfd

#case remote
p memory remote

#case mincore
p memory mincore

#case msync
p memory msync

#case limits
p memory limits

#case moves
p memory moves

#case overcommit_heuristic
cat /proc/sys/vm/overcommit_memory /proc/sys/vm/overcommit_ratio
grep -c '^Committed_AS\|^CommitLimit' /proc/meminfo
echo 3 > /proc/sys/vm/overcommit_memory
echo x > /proc/sys/vm/overcommit_memory
cat /proc/sys/vm/overcommit_memory

#case overcommit_always
echo 1 > /proc/sys/vm/overcommit_memory
cat /proc/sys/vm/overcommit_memory
p memory overcommit
echo 0 > /proc/sys/vm/overcommit_memory
p memory overcommit

#case overcommit_never memory=256
echo 2 > /proc/sys/vm/overcommit_memory
p memory overcommit
echo 100 > /proc/sys/vm/overcommit_ratio
p memory overcommit
echo 50 > /proc/sys/vm/overcommit_ratio
echo 0 > /proc/sys/vm/overcommit_memory
cat /proc/sys/vm/overcommit_memory /proc/sys/vm/overcommit_ratio

#case out_of_memory timeout=60
p oom eat_all
p oom bystander
dmesg | grep 'Out of memory: Killed process' | tail -n 3 | sed 's/.*Out of/Out of/; s/[0-9]*kB/N/g; s/process [0-9]*/process N/'
echo the rest goes on > f && cat f
dmesg | grep -c 'no killable'

#case shm
p memory shm

#case shm_keys
p memory shm_keys
