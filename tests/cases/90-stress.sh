# Load: many processes, many files, big files; and the memory is free again afterwards.

free_kb() { awk '/^MemFree:/ {print $2}' /proc/meminfo; }
# back FREE: whether MemFree is what it was before, less 2 MiB; it may take the kernel a moment.
back() {
    i=0
    while [ $(($1 - $(free_kb))) -gt 2048 ] && [ $i -lt 50 ]; do usleep 100000; i=$((i+1)); done
    [ $(($1 - $(free_kb))) -le 2048 ] && echo memory ok || echo "memory not ok: $1 before, $(free_kb) after"
}

#case fork_exec_300 timeout=60
i=0; while [ $i -lt 10 ]; do /bin/true; i=$((i+1)); done; m=$(free_kb); i=0; while [ $i -lt 300 ]; do /bin/true || echo failed; i=$((i+1)); done; echo $i; back $m

#case fork_only_200 timeout=60
(:); m=$(free_kb); i=0; while [ $i -lt 200 ]; do (exit $((i%7))) ; s=$((s+$?)); i=$((i+1)); done; echo $s; back $m

#case eight_stage_pipelines timeout=60
m=$(free_kb); i=0; while [ $i -lt 10 ]; do seq 1 2000 | cat | tr 0-9 a-j | sort | uniq | sed 's/a/A/' | grep -v zz | md5sum; i=$((i+1)); done | uniq -c; back $m

#case pipeline_moves_8_mib timeout=60
m=$(free_kb); dd if=/dev/zero bs=64k count=128 2>/dev/null | cat | cat | cat | cat | cat | cat | wc -c; back $m

#case file_of_64_mib timeout=60 memory=256
m=$(free_kb); dd if=/dev/zero of=f bs=1M count=64 2>/dev/null; stat -c '%s %b' f; cp f g 2>/dev/null && cmp f g && echo equal; tail -c 3 f | od -An -tx1; rm f g; back $m

#case thousand_files timeout=60
m=$(free_kb); mkdir d; i=0; while [ $i -lt 1000 ]; do echo $i >d/$i; i=$((i+1)); done; ls d | wc -l; cat d/* | awk '{s+=$1}END{print s}'; find d -type f | wc -l; ls -l d | tail -n +2 | awk '{s+=$5}END{print s}'; rm -r d; ls; back $m

#case fork_tree_of_127 timeout=60
echo 't() { [ $1 -le 0 ] && { echo leaf >>n; return; }; echo node >>n; (t $(($1-1))) & (t $(($1-1))) & wait; }; t 6' >s; m=$(free_kb); sh s; sort n | uniq -c; back $m

#case six_cpu_hogs timeout=60
m=$(free_kb); for k in 1 2 3 4 5 6; do sh -c 'i=0; while [ $i -lt 8000 ]; do i=$((i+1)); done; echo done' & done; wait; back $m

#case hogs_do_not_starve_others timeout=60
for k in 1 2 3 4 5 6; do sh -c 'while :; do :; done' & p="$p $!"; done; i=0; while [ $i -lt 20 ]; do /bin/true; i=$((i+1)); done; echo went on; kill $p; wait; echo all gone

#case many_sleepers timeout=60
m=$(free_kb); i=0; while [ $i -lt 100 ]; do sleep 60 & p="$p $!"; i=$((i+1)); done; ps | grep -c '[s]leep 60' | awk '{print ($1>=95)}'; kill $p; wait; back $m

#case orphans_are_reaped timeout=60
m=$(free_kb); i=0; while [ $i -lt 50 ]; do sh -c 'usleep 1000 & usleep 1000 & :'; i=$((i+1)); done; i=0; while ps -o stat,comm | grep -q '^Z.*usleep' && [ $i -lt 50 ]; do usleep 100000; i=$((i+1)); done; ps -o stat,comm | grep -c '^Z.*usleep'; back $m

#case killed_in_the_middle timeout=60
m=$(free_kb); i=0; while [ $i -lt 20 ]; do sh -c 'while :; do /bin/true | /bin/cat; done' & p=$!; usleep 20000; kill -9 $p; wait $p 2>/dev/null; i=$((i+1)); done; echo $i; usleep 300000; back $m

#case signals_storm timeout=60
sh -c 'n=0; trap "n=\$((n+1))" USR1; echo $$ >pid; while [ ! -e stop ]; do :; done; [ $n -gt 0 ] && echo caught' & while [ ! -s pid ]; do :; done; i=0; while [ $i -lt 60 ]; do kill -USR1 $(cat pid); i=$((i+1)); done; touch stop; wait

#case deep_tree_of_directories timeout=60
m=$(free_kb); for a in 1 2 3 4 5; do for b in 1 2 3 4 5; do for c in 1 2 3 4; do mkdir -p d/$a/$b/$c; echo x >d/$a/$b/$c/f; done; done; done; find d | wc -l; cp -a d e; diff -r d e && echo equal; tar c d | tar t | wc -l; rm -r d e; back $m

#case sort_big_input timeout=60
m=$(free_kb); seq 1 8000 | awk '{print ($1*7919)%8009}' | sort -n | md5sum; seq 1 8000 | sort -r | sort -n | tail -1; back $m

#case compress_1_mib timeout=60
seq 1 150000 >f; m=$(free_kb); gzip -1 -c f | gunzip -c | cmp - f && echo equal; back $m

#case truncate_and_grow timeout=60
m=$(free_kb); i=0; while [ $i -lt 20 ]; do dd if=/dev/zero of=f bs=64k count=32 2>/dev/null; truncate -s 1000 f; i=$((i+1)); done; stat -c %s f; rm f; back $m

#case fifos_between_many timeout=60
mkfifo p; for i in 1 2 3 4 5 6 7 8; do (j=0; while [ $j -lt 50 ]; do echo line$i; j=$((j+1)); done >p) & done; sort p | uniq -c; wait

#case mount_and_unmount_100 timeout=60
mkdir m; m=$(free_kb); i=0; while [ $i -lt 100 ]; do mount -t tmpfs none m; echo x >m/f; umount m; i=$((i+1)); done; ls m; back $m

#case interpreter_allocates timeout=60
m=$(free_kb); awk 'BEGIN{for(i=0;i<100000;i++)a[i]="value " i; print length(a)}'; back $m

#case churn_in_full_memory timeout=120
m=$(free_kb); "$T/bin/churn" 1500 7; back $m
