#!/bin/busybox sh
# The stress of `cargo xtask test --stress`: `stress.sh SECONDS SEED`. Churn in nearly full memory, then every frame must
# be accounted for, and as much in use as before.
T=${0%/*}
# Whoever runs out of memory, it is not this shell's fault.
echo -1000 > /proc/self/oom_score_adj

# Lets what ends by itself end, then takes the kernel's audit, by a program whose stack takes as many pages each time.
settle() { sleep 2; linux64 -R cat /proc/exo/audit; }
# A row of the audit in $2: what comes behind its name.
row() { echo "$2" | sed -n "s/^$1 //p"; }

# The first time what the kernel keeps for good is made.
"$T/bin/churn" 2000 "$2" || exit 1
# So is what this shell takes to keep the answers: of its own pages the audit tells as well.
before=$(settle) failed='0 failed' after=$(settle)
before=$(settle)
failed=$("$T/bin/churn" 0 "$(($2 + 1))" "$1")
after=$(settle)
echo "churn: $failed"
[ "$failed" = '0 failed' ] || status=1

for name in unaccounted broken; do
    [ "$(row $name "$before")" = 0 ] && [ "$(row $name "$after")" = 0 ] || status=1
done
# What must be the same to the frame.
for name in frames reserved mapped page_cache buffers other; do
    [ "$(row $name "$before")" = "$(row $name "$after")" ] || { echo "$name is not as before"; status=1; }
done
# What the kernel keeps at hand differs, by as much as it says that it keeps: unused stacks and their tables, and free
# slots of the heap.
for name in page_tables stacks heap; do
    [ "$(row $name "$after")" -le $(($(row $name "$before") + 64)) ] || { echo "$name has grown"; status=1; }
done
if dmesg | grep -E 'BUG|lockup|wrongly|cannot be claimed|no whole block|Out of memory'; then
    echo 'the kernel complains'
    status=1
fi
echo 'frames before and after:'
echo "$before" | while read -r name count; do echo "  $name $count $(row "$name" "$after")"; done
exit ${status:-0}
