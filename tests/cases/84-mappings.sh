# One case for each part of mappings.c and pagefaults.c: which mappings there are, and what accesses to them say.
p() { program=$1; shift; "$T/bin/$program" "$@"; }

#case neighbours
p mappings neighbours

#case flags_apart
p mappings flags_apart

#case three_parts
p mappings three_parts

#case offsets
p mappings offsets

#case anonymous_offsets
p mappings anonymous_offsets

#case heap
p mappings heap

#case stack_grows
p mappings stack_grows

#case stack_gap
p mappings stack_gap

#case stack_of_main
p mappings stack_of_main

#case noreplace
p mappings noreplace

#case validate
p mappings validate

#case huge_refused
p mappings huge_refused

#case names
p mappings names

#case links
p mappings links

#case named_areas
p mappings named_areas

#case devices
p mappings devices

#case holes
p mappings holes

#case hints
p mappings hints

#case too_many timeout=60 memory=256
cat /proc/sys/vm/max_map_count
p mappings too_many

#case fault_rights
p pagefaults rights

#case fault_running
p pagefaults running

#case fault_addresses
p pagefaults addresses

#case fault_across
p pagefaults across

#case fault_file_ends
p pagefaults file_ends

#case fault_cut_in_the_middle
p pagefaults cut_in_the_middle

#case fault_holes
p pagefaults holes

#case fault_system_calls
p pagefaults system_calls

#case fault_overflow
p pagefaults overflow
