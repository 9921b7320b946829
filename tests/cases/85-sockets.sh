# Unix-domain sockets: each case is a part of a program of user-tests.

p() { $T/bin/"$@"; }

#case stream_create
p unix_stream create

#case stream_pair
p unix_stream pair

#case stream_full
p unix_stream full

#case stream_blocked
p unix_stream blocked

#case stream_interrupted
p unix_stream interrupted

#case stream_close
p unix_stream close

#case stream_shutdown
p unix_stream shutdown

#case stream_bind
p unix_stream bind

#case stream_connect
p unix_stream connect

#case stream_backlog
p unix_stream backlog

#case stream_permission
p unix_stream permission

#case dgram_pair
p unix_dgram pair

#case dgram_names
p unix_dgram names

#case dgram_full
p unix_dgram full

#case dgram_disconnect
p unix_dgram disconnect

#case dgram_seqpacket
p unix_dgram seqpacket

#case dgram_many
p unix_dgram many

#case dgram_peek_offset
p unix_dgram peek_offset

#case rights_pass
p unix_rights pass

#case rights_bad
p unix_rights bad

#case rights_room
p unix_rights room

#case rights_credentials
p unix_rights credentials

#case rights_cycles
p unix_rights cycles

#case rights_chain
p unix_rights chain

#case rights_limit
p unix_rights limit

#case options_values
p unix_options values

#case options_buffers
p unix_options buffers

#case options_peer
p unix_options peer

#case options_epoll
p unix_options epoll

#case options_proc
p unix_options proc

#case options_sendfile
p unix_options sendfile
