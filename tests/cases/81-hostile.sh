# Hostile programs of user-tests: bad pointers, broken executables, everything eaten up.

p() { $T/bin/"$@"; }

#case badptr_io timeout=60
p badptr io

#case badptr_names timeout=60
p badptr names

#case badptr_signals timeout=60
p badptr signals

#case badptr_time timeout=60
p badptr time

#case badptr_process timeout=60
p badptr process

#case badptr_terminal timeout=60
p badptr terminal

#case badptr_other timeout=60
p badptr other

#case badptr_rubbish timeout=60
p badptr rubbish

#case badptr_numbers timeout=60
p badptr numbers

#case badptr_frames timeout=60
p badptr frames

#case elf_bad_cut_short timeout=60
p elf_bad cut_short

#case elf_bad_header timeout=60
p elf_bad header

#case elf_bad_segments timeout=60
p elf_bad segments

#case elf_bad_interpreter timeout=60
p elf_bad interpreter

#case elf_bad_noise timeout=60
p elf_bad noise

#case elf_bad_scripts timeout=60
p elf_bad scripts

#case elf_bad_arguments timeout=60
p elf_bad arguments

#case oom_eat_all timeout=60
p oom eat_all

#case oom_bystander timeout=60
p oom bystander

#case oom_shared_and_files timeout=60
p oom shared_and_files

#case oom_tmpfs timeout=60
p oom tmpfs

#case oom_fork_limit timeout=60
p oom fork_limit

#case oom_descriptors timeout=60
p oom descriptors

#case oom_many_mappings timeout=60
p oom many_mappings

#case oom_arguments timeout=60
p oom arguments

#case oom_fragments timeout=60
p oom fragments
