# Tracing: each case is a part of user-tests/ptrace.c.

p() { $T/bin/"$@"; }

#case ptrace_traceme
p ptrace traceme

#case ptrace_signals
p ptrace signals

#case ptrace_ignored
p ptrace ignored

#case ptrace_calls
p ptrace calls

#case ptrace_change_calls
p ptrace change_calls

#case ptrace_memory
p ptrace memory

#case ptrace_registers
p ptrace registers

#case ptrace_step
p ptrace step

#case ptrace_fork
p ptrace fork

#case ptrace_exec
p ptrace exec

#case ptrace_seize
p ptrace seize

#case ptrace_attach
p ptrace attach

#case ptrace_errors
p ptrace errors

#case ptrace_tracer_ends
p ptrace tracer_ends
