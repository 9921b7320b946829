# System V semaphores and messages; the tables in /proc/sysvipc.

p() { $T/bin/sysv "$@"; }

#case sysv_sem_basics
p sem_basics

#case sysv_sem_errors
p sem_errors

#case sysv_sem_waiting
p sem_waiting

#case sysv_sem_undo
p sem_undo

#case sysv_msg_basics
p msg_basics

#case sysv_msg_errors
p msg_errors

#case sysv_msg_waiting
p msg_waiting

#case sysv_tables
p tables
