# One case for each part of memcalls.c, numa.c, sharing.c and memstat.c: what calls refuse, what is shared, what is told.
p() { program=$1; shift; "$T/bin/$program" "$@"; }

#case call_munmap
p memcalls munmap

#case call_mmap
p memcalls mmap

#case call_mprotect
p memcalls mprotect

#case call_mremap
p memcalls mremap

#case call_madvise
p memcalls madvise

#case call_process_madvise
p memcalls process_madvise

#case call_msync
p memcalls msync

#case call_mincore
p memcalls mincore

#case call_locking
p memcalls locking

#case call_process_vm
p memcalls process_vm

#case call_shmat
p memcalls shmat

#case call_remap_file_pages
p memcalls remap_file_pages

#case call_others
p memcalls others

#case policy_set
p numa set

#case policy_masks
p numa masks

#case policy_get
p numa get

#case policy_bind
p numa bind

#case policy_move
p numa move

#case policy_inherited
p numa inherited

#case coherence
p sharing coherence

#case written_and_mapped_at_once
p sharing written_and_mapped_at_once

#case over_fork
p sharing over_fork

#case last_reference
p sharing last_reference

#case vfork
p sharing vfork

#case posix_shm
[ -d /dev/shm ] || { mkdir /dev/shm; made=yes; }
mount -t tmpfs shm /dev/shm
p sharing posix_shm
umount /dev/shm
[ -z "$made" ] || rmdir /dev/shm

#case dontneed
p sharing dontneed

#case free
p sharing free

#case over_fork_by_advice
p sharing over_fork_by_advice

#case populated
p sharing populated

#case cold
p sharing cold

#case many_sharers
p sharing many_sharers

#case seen_by_others
p sharing seen_by_others

#case told_anonymous
p memstat anonymous

#case told_objects
p memstat objects

#case told_flags
p memstat flags

#case told_page_map
p memstat page_map

#case told_rows_of_status
p memstat rows_of_status

#case told_statm
p memstat statm

#case told_rollup
p memstat rollup

#case told_limit_of_addresses
p memstat limit_of_addresses

#case told_limit_of_data
p memstat limit_of_data

#case told_limit_of_locks
p memstat limit_of_locks

#case told_random
p memstat random

#case told_counters
p memstat counters

#case told_segments
p memstat segments
