# inotify: what is told of which operation, and to whom.

p() { $T/bin/inotify "$@"; }

#case inotify_content
p content

#case inotify_attributes
p attributes

#case inotify_entries
p entries

#case inotify_removal
p removal

#case inotify_moves
p moves

#case inotify_flags
p flags

#case inotify_errors
p errors

#case inotify_waiting
p waiting

#case inotify_limits
p limits

#case inotify_systems
p systems

#case inotify_copies
p copies

#case inotify_programs
p programs

#case inotify_group_end
p group_end
