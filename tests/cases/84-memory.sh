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
