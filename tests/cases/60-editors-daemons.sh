# vi and ed in batch, httpd without a network, crond and other daemons for a moment.

# v KEYS [ARGUMENT]...: runs vi with those keys; without a terminal it asks for the screen's size, which may eat one key.
v() { printf "\f$1" >keys; shift; vi "$@" <keys >screen 2>err; }
# slowly FILE KEYS...: the same with a pause after each KEYS, so that an escape is not taken for the start of a sequence.
slowly() { file=$1; shift; { printf '\f'; for k; do printf "$k"; usleep 200000; done; } | vi $file >screen 2>err; }

#case vi_substitutes
printf 'one a\ntwo a\n' >f; v ':%%s/a/b/\r:wq\r' f; echo $?; cat f; wc -c <err

#case vi_inserts_and_deletes
printf 'l1\nl2\nl3\n' >f; slowly f 'ddonew line\033' 'GAx\033' 'kyyp:wq\r'; cat f; slowly '' 'ifresh\033' ':w g\r' ':q!\r'; cat g; slowly f 'ggOtop\033' 'jIin \033' ':x\r'; cat f

#case vi_moves_and_changes
printf 'alpha beta gamma\nsecond line\n' >f; slowly f 'wcwBETA\033' 'jdw$aend\033' 'ggxp:x\r'; cat f; v '/end\rdG:wq\r' f; cat f; printf 'abcdef\nxyz\n' >g; v '3rZ~.u:wq\r' g; cat g; v 'ddpJ:wq\r' g; cat g; v 'yyPw2xGdd:wq\r' g; cat g; printf 'f(a[1])\n{\n}\n' >h; v 'f(%%xjdd:wq\r' h; cat h

#case vi_quits_unchanged
echo same >f; v 'dd:q!\r' f; cat f; v ':q\r' -R f; cat f; v ':r f\r:wq! h\r:q!\r' new; rm keys screen err; ls; v ':1,2d\r:wq\r' -c 'set ic' f; cat f

#case vi_reads_and_ranges
seq 1 9 >f; v ':2,4d\r:$\r:r !echo cmd\r:1m$\r:wq\r' f; cat f; seq 1 4 >g; v ':1,2s/^/# /\r:3,$s/$/;/\r:wq\r' g; cat g

#case ed_session
printf 'one\ntwo\nthree\n' >f; printf '1,$p\n2s/two/TWO/\n2a\nadded\n.\n1d\n$=\nw\nq\n' | ed f; cat f; printf 'a\nfresh\n.\nw new\nq\n' | ed; cat new; printf '/TWO/p\n.,$n\nx\nq\n' | ed f; echo $?; printf '1d\nq\nq\n' | ed f; cat f

#case httpd_get
mkdir w; echo '<p>hello</p>' >w/index.html; echo text >w/f.txt; touch -d '2001-02-03 04:05:06' w/f.txt w/index.html; printf 'GET /f.txt HTTP/1.0\r\n\r\n' | httpd -i -h w | tr -d '\r' | grep -v '^Date:'; printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | httpd -i -h w | tr -d '\r' | sed -n '1p;$p'; printf 'GET /none HTTP/1.0\r\n\r\n' | httpd -i -h w | tr -d '\r' | grep -v '^Date:'

#case httpd_requests
mkdir w; seq 1 100 >w/f.txt; printf 'HEAD /f.txt HTTP/1.0\r\n\r\n' | httpd -i -h w | tr -d '\r' | grep -E '^(HTTP|Content-Length|Content-type)'; printf 'GET /f.txt HTTP/1.0\r\nRange: bytes=0-9\r\n\r\n' | httpd -i -h w | tr -d '\r' | grep -vE '^(Date|Last|ETag)' ; printf 'GET /../etc/passwd HTTP/1.0\r\n\r\n' | httpd -i -h w | head -1 | tr -d '\r'; printf 'BOGUS\r\n\r\n' | httpd -i -h w | head -1 | tr -d '\r'; printf 'GET /%%66.txt HTTP/1.0\r\n\r\n' | httpd -i -h w | tail -1; mkdir w/d; printf 'GET /d HTTP/1.0\r\n\r\n' | httpd -i -h w | head -1 | tr -d '\r'

#case httpd_cgi
mkdir -p w/cgi-bin; printf '#!/bin/sh\necho "Content-type: text/plain"\necho\necho "$REQUEST_METHOD $QUERY_STRING $SCRIPT_NAME"\ncat\n' >w/cgi-bin/t; chmod +x w/cgi-bin/t; printf 'GET /cgi-bin/t?a=1&b=2 HTTP/1.0\r\n\r\n' | httpd -i -h w | tr -d '\r' | grep -v ^Date; printf 'POST /cgi-bin/t HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello' | httpd -i -h w | tail -2 | tr -d '\r'; echo; httpd -e '<a & b>'; echo; httpd -d 'a%20b+c'; echo; httpd -m pass 2>&1 | cut -c1-3

#case crond_starts_and_ends
mkdir c; echo '* * * * * echo tick' >c/root; echo '0 0 1 1 * true' >c/user; crond -f -l 0 -L log -c /tmp/case/c & p=$!; i=0; while ! grep -q '^1111111$' log 2>/dev/null && [ $i -lt 50 ]; do usleep 100000; i=$((i+1)); done; kill $p; wait $p 2>/dev/null; echo $?; grep -o 'user:.*' log | sort; grep -c '^1' log

#case crontab_edits
mkdir -p c; echo '1 2 3 4 5 cmd' | crontab -c c -u root -; cat c/root; crontab -c c -u root -l; stat -c %a c/root; crontab -c c -u root -r; ls c; crontab -c none -l; echo $?

