# vi and ed in batch, httpd without a network, crond and other daemons for a moment.

#case vi_substitutes
printf 'one a\ntwo a\n' >f; printf ':%%s/a/b/\r:wq\r' | vi f >out 2>err; echo $?; cat f; wc -c <err

#case vi_inserts_and_deletes
printf 'l1\nl2\nl3\n' >f; printf 'ddonew line\033GAx\033kyyp:wq\r' | vi f >/dev/null 2>&1; cat f; printf 'ifresh\033:w g\r:q!\r' | vi >/dev/null 2>&1; cat g

#case vi_moves_and_changes
printf 'alpha beta gamma\nsecond line\n' >f; printf 'wcwBETA\033jdw$aend\033ggxp:x\r' | vi f >/dev/null 2>&1; cat f; printf '/sec\rdG:wq\r' | vi f >/dev/null 2>&1; cat f; printf '3rZ~.u:wq\r' | vi f >/dev/null 2>&1; cat f

#case vi_quits_unchanged
echo same >f; printf 'dd:q!\r' | vi f >/dev/null 2>&1; cat f; printf ':q\r' | vi -R f >/dev/null 2>&1; cat f; printf ':r f\r:wq! h\r:q!\r' | vi new >/dev/null 2>&1; ls; printf ':1,2d\r:wq\r' | vi -c 'set ic' f >/dev/null 2>&1; cat f

#case vi_reads_and_ranges
seq 1 9 >f; printf ':2,4d\r:$\r:r !echo cmd\r:1m$\r:wq\r' | vi f >/dev/null 2>&1; cat f; seq 1 4 >g; printf ':1,2s/^/# /\r:3,$s/$/;/\r:wq\r' | vi g >/dev/null 2>&1; cat g

#case ed_session
printf 'one\ntwo\nthree\n' >f; printf '1,$p\n2s/two/TWO/\n2a\nadded\n.\n1d\n$=\nw\nq\n' | ed f; cat f; printf 'a\nfresh\n.\nw new\nq\n' | ed; cat new; printf '/TWO/p\n.,$n\nx\nq\n' | ed f; echo $?; printf '1d\nq\nq\n' | ed f; cat f

#case httpd_get
mkdir w; echo '<p>hello</p>' >w/index.html; echo text >w/f.txt; touch -d '2001-02-03 04:05:06' w/f.txt w/index.html; printf 'GET /f.txt HTTP/1.0\r\n\r\n' | httpd -i -h w | tr -d '\r' | grep -v '^Date:'; printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | httpd -i -h w | tr -d '\r' | sed -n '1p;$p'; printf 'GET /none HTTP/1.0\r\n\r\n' | httpd -i -h w | tr -d '\r' | grep -v '^Date:'

#case httpd_requests
mkdir w; seq 1 100 >w/f.txt; printf 'HEAD /f.txt HTTP/1.0\r\n\r\n' | httpd -i -h w | tr -d '\r' | grep -E '^(HTTP|Content-Length|Content-type)'; printf 'GET /f.txt HTTP/1.0\r\nRange: bytes=0-9\r\n\r\n' | httpd -i -h w | tr -d '\r' | grep -vE '^(Date|Last|ETag)' ; printf 'GET /../etc/passwd HTTP/1.0\r\n\r\n' | httpd -i -h w | head -1 | tr -d '\r'; printf 'BOGUS\r\n\r\n' | httpd -i -h w | head -1 | tr -d '\r'; printf 'GET /%%66.txt HTTP/1.0\r\n\r\n' | httpd -i -h w | tail -1; mkdir w/d; printf 'GET /d HTTP/1.0\r\n\r\n' | httpd -i -h w | head -1 | tr -d '\r'

#case httpd_cgi
mkdir -p w/cgi-bin; printf '#!/bin/sh\necho "Content-type: text/plain"\necho\necho "$REQUEST_METHOD $QUERY_STRING $SCRIPT_NAME"\ncat\n' >w/cgi-bin/t; chmod +x w/cgi-bin/t; printf 'GET /cgi-bin/t?a=1&b=2 HTTP/1.0\r\n\r\n' | httpd -i -h w | tr -d '\r' | grep -v ^Date; printf 'POST /cgi-bin/t HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello' | httpd -i -h w | tail -2 | tr -d '\r'; echo; httpd -e '<a & b>'; echo; httpd -d 'a%20b+c'; echo; httpd -m pass 2>&1 | cut -c1-3

#case crond_starts_and_ends
mkdir c; echo '* * * * * echo tick >>/tmp/case/log' >c/root; crond -f -l 0 -L log -c c & p=$!; i=0; while ! grep -q 'user:root entry' log 2>/dev/null && [ $i -lt 50 ]; do usleep 100000; i=$((i+1)); done; kill $p; wait $p 2>/dev/null; echo $?; sed 's/^.*crond\[[0-9]*\]: //; s/^crond: //' log | grep -o 'user:root.*'

#case crontab_edits
mkdir -p c; echo '1 2 3 4 5 cmd' | crontab -c c -u root -; cat c/root; crontab -c c -u root -l; stat -c %a c/root; crontab -c c -u root -r; ls c; crontab -c none -l; echo $?

#case syslogd_and_logger
syslogd -n -O log -S 2>/dev/null & p=$!; i=0; while [ ! -S /dev/log ] && [ $i -lt 30 ]; do usleep 100000; i=$((i+1)); done; logger -t tag -p user.info hello there; i=0; while ! grep -q hello log 2>/dev/null && [ $i -lt 30 ]; do usleep 100000; i=$((i+1)); done; kill $p; wait $p 2>/dev/null; sed 's/^.* user/user/' log | grep hello; rm -f /dev/log

#case mdev_and_makedevs_shape
mkdir d; (cd d; mknod x c 1 3); ls d; mdev -h 2>&1 | head -1 | cut -c1-7

#case nc_over_unix_is_absent
nc -h 2>&1 | head -1 | cut -c1-7; wget -q -O - http://127.0.0.1:1/ 2>&1 | head -1 | cut -c1-5

#case mail_of_mime
printf 'body\n' | microcom -h 2>&1 | head -1 | cut -c1-7; echo 'x' | uuencode a | head -1

#case svok_and_inotify_shapes
svok none; echo $?; which init getty login | wc -l
