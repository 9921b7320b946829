# Threads that wait for each other, and who runs when: locks with priority inheritance, restartable sequences, policies.

p() { $T/bin/"$@"; }

#case pi_alone
p pi alone

#case pi_order
p pi order

#case pi_chain
p pi chain

#case pi_timeout
p pi timeout

#case pi_signal
p pi signal

#case pi_owner_dies
p pi owner_dies

#case pi_mutex
p pi mutex

#case pi_requeue
p pi requeue

#case pi_mixed
p pi mixed

#case pi_contended
p pi contended

#case pi_shared
p pi shared

#case waitv
p sync waitv

#case futex_turns
p sync turns

#case futex_interrupted
p sync interrupted

#case rseq
p sync rseq

#case rseq_cpu
p sync rseq_cpu

#case rseq_abort
p sync rseq_abort

#case rseq_broken
p sync rseq_broken

#case membarrier
p sync membarrier

#case sched_attr
p sched attr

#case sched_fork
p sched fork

#case sched_limits
p sched limits

#case sched_rttime
p sched rttime

#case sched_ioprio
p sched ioprio

#case sched_sigwait
p sched sigwait

#case sched_autogroup
p sched autogroup

# Ten thousand threads in one process, which need more than a usual machine has.
#case threads_crowd timeout=120 memory=1024
p threads crowd
