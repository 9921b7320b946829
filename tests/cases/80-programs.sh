# The programs of user-tests: what the shell cannot ask for. Each case is one part of one program.

p() { $T/bin/"$@"; }

#case fork_cow
p fork_cow

#case segv
p segv

#case pipes_basics
p pipes basics

#case pipes_no_writer
p pipes no_writer

#case pipes_no_reader
p pipes no_reader

#case pipes_atomic
p pipes atomic

#case pipes_blocked
p pipes blocked

#case pipes_interrupted
p pipes interrupted

#case pipes_vectors
p pipes vectors

#case pipes_select
p pipes select

#case pipes_fifos
p pipes fifos

#case pipes_copies
p pipes copies

#case pipes_proc
p pipes proc

#case fds_bad
p fds bad

#case fds_path
p fds path

#case fds_directory
p fds directory

#case fds_duplicates
p fds duplicates

#case fds_shared
p fds shared

#case fds_offsets
p fds offsets

#case fds_holes
p fds holes

#case fds_modes
p fds modes

#case fds_vectors
p fds vectors

#case fds_exec
p fds exec

#case fds_limit
p fds limit

#case fds_transfer
p fds transfer

#case fds_locks
p fds locks

#case files_open_errors
p files open_errors

#case files_mkdir
p files mkdir

#case files_links
p files links

#case files_rename
p files rename

#case files_modes
p files modes

#case files_times
p files times

#case files_stat
p files stat

#case files_getdents
p files getdents

#case files_at_calls
p files at_calls

#case files_mounts
p files mounts

#case files_cwd
p files cwd

#case mm_arguments
p mm arguments

#case mm_anonymous
p mm anonymous

#case mm_shared
p mm shared

#case mm_files
p mm files

#case mm_mremap
p mm mremap

#case mm_stack
p mm stack

#case mm_many
p mm many

#case mm_brk memory=128
p mm brk

#case mm_layout
p mm layout

#case signals_defaults
p signals defaults

#case signals_errors
p signals errors

#case signals_masks
p signals masks

#case signals_realtime
p signals realtime

#case signals_siginfo
p signals siginfo

#case signals_flags
p signals flags

#case signals_stack
p signals stack

#case signals_interrupts
p signals interrupts

#case signals_suspend
p signals suspend

#case signals_ppoll
p signals ppoll

#case signals_ignoring
p signals ignoring

#case signals_exec
p signals exec

#case signals_stop
p signals stop

#case signals_stop_and_cont
p signals stop_and_cont

#case signals_orphaned
p signals orphaned

#case signals_timers
p signals timers

#case signals_group
p signals group

#case wait_nothing
p wait nothing

#case wait_codes
p wait codes

#case wait_changes
p wait changes

#case wait_killed_stopped
p wait killed_stopped

#case wait_groups
p wait groups

#case wait_usage
p wait usage

#case wait_reaping
p wait reaping

#case wait_orphans
p wait orphans

#case wait_subreaper
p wait subreaper

#case wait_parent_death
p wait parent_death

#case wait_zombies
p wait zombies

#case wait_sessions
p wait sessions

#case threads_join
p threads join

#case threads_conditions
p threads conditions

#case threads_identity
p threads identity

#case threads_exits
p threads exits

#case threads_leader
p threads leader

#case threads_signals
p threads signals

#case threads_fault
p threads fault

#case threads_futex
p threads futex

#case threads_clone
p threads clone

#case threads_many
p threads many

#case clocks_read
p clocks read

#case clocks_across_cpus
p clocks across_cpus

#case clocks_sleep
p clocks sleep

#case clocks_interrupted
p clocks interrupted

#case clocks_alarm
p clocks alarm

#case clocks_cpu_time
p clocks cpu_time

#case clocks_set
p clocks set

#case clocks_overrun
p clocks overrun

#case clocks_queue_limit
p clocks queue_limit

#case clocks_cancel
p clocks cancel

#case cred_root
p cred root

#case cred_user
p cred user

#case cred_access
p cred access

#case cred_privileged
p cred privileged

#case cred_kill
p cred kill

#case cred_capabilities
p cred capabilities

#case vdso_symbols
p vdso symbols

#case vdso_agrees
p vdso agrees

#case vdso_forward timeout=60
p vdso forward

#case vdso_mappings
p vdso mappings

#case vdso_auxv
p vdso auxv

#case signalfd_kinds
p signalfd kinds

#case signalfd_errors
p signalfd errors

#case signalfd_waiting
p signalfd waiting

#case procfs_smaps
p procfs smaps

#case procfs_rollup
p procfs rollup

#case procfs_pagemap
p procfs pagemap

#case procfs_counters
p procfs counters

#case procfs_children
p procfs children
#case pidfd_basics
p pidfd basics

#case pidfd_descriptors
p pidfd descriptors

#case pidfd_clones
p pidfd clones
