# seccomp: strict mode, filters, what they answer and what they may be.

p() { $T/bin/seccomp "$@"; }

#case seccomp_strict
p strict

#case seccomp_answers
p answers

#case seccomp_trap
p trap

#case seccomp_arguments
p arguments

#case seccomp_errors
p errors

#case seccomp_threads
p threads

#case seccomp_one_thread
p one_thread
