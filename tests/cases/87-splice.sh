# splice, tee, vmsplice, sendfile: what moves between pipes, files and memory.

p() { $T/bin/splice "$@"; }

#case splice_between
p between

#case splice_files
p files

#case splice_others
p others

#case splice_errors
p errors

#case splice_memory
p memory

#case splice_sending
p sending

#case splice_waiting
p waiting
