# find, the greps and sed.

tree() {
    mkdir -p t/a/b t/c; printf 12345 >t/f1; : >t/empty; printf x >t/a/f2.txt; printf y >t/a/b/f3.txt; ln -s f1 t/link; mkfifo t/pipe
    ln t/f1 t/c/hard; chmod 600 t/a/f2.txt; chmod 4755 t/empty; touch -d '2001-01-01 00:00:00' t/a/b/f3.txt; chown 1000:100 t/c
}

#case find_by_name_and_type
tree; find t | sort; find t -name '*.txt' | sort; find t -iname 'F?' | sort; find t -type d | sort; find t -type l; find t -type p; find t -type f -name 'f*' | sort; find t ! -type d ! -type f | sort; find t -path '*/b/*'; find t -name f1 -o -name pipe | sort; find t -regex '.*/f[0-9]'

#case find_by_size_and_links
tree; find t -type f -size 0; find t -type f -size +0c -size -3c | sort; find t -type f -size 5c | sort; find t -links 2 -type f | sort; find t -empty | sort; find t -samefile t/f1 | sort; find t -inum $(stat -c %i t/f1) | sort

#case find_by_mode_and_owner
tree; find t -perm 600; find t -perm -4000; find t -perm /4000; find t -type f -perm -u=x; find t -user user; find t -group shared; find t -user 0 -type p; find t -type f -executable

#case find_by_time
tree; find t -newer t/a/b/f3.txt -type f | sort; find t ! -newer t/a/b/f3.txt; find t -mtime +1000; find t -mmin -5 -name f1; find t -mtime -1 -type d | wc -l

#case find_actions
tree; find t -name 'f*' -exec echo got {} \; | sort; find t -name '*.txt' -exec echo all {} + | wc -w; find t -name f1 -print0 | tr '\0' '!'; echo; find t -type f -name '*.txt' -exec rm {} +; find t -name '*.txt' | wc -l; find t -type f -exec false \; -print; find t -name f1 -exec sh -c 'echo $0 has $(wc -c <$0)' {} \;; find t -quit; find none; echo $?

#case find_prune_and_depth
tree; find t -name a -prune -o -print | sort; find t -maxdepth 1 | sort; find t -mindepth 2 | sort; find t -depth -type d | tail -1; find t -maxdepth 0; find -H t/link; find -L t -type l; find t -xdev -name b

#case find_ok_and_errors
tree; find t -badopt 2>&1 | head -1; find t -name; echo $?; find | sort; cd t; find . -name 'f?' | sort; find a c -type f | sort

#case find_across_a_mount
mkdir -p t/m; mount -t tmpfs none t/m; touch t/m/in t/out; find t -type f | sort; find t -xdev -type f; umount t/m; find t -type f

#case grep_basics
printf 'one two\nTwo three\nfour\n\nfive.six\n' >f; grep two f; grep -i two f; grep -v o f; grep -c o f; grep -n two f; grep -w two f; grep -x four f; grep -o 'f[a-z]*' f; grep nomatch f; echo $?; grep -q one f; echo $?; grep x none; echo $?; grep -s x none; echo $?; grep -l two f f; grep -L two f /dev/null; grep -h two f f; grep -H two f; cat f | grep -H two; grep '^$' -n f; grep -F . f

#case grep_extended
printf 'aab\nab\nb\nabab\na+b\n(x)\n' >f; grep -E 'a{2}' f; grep -E '^(ab)+$' f; grep -E 'a+b|x' f; grep 'a\{1,\}b' f; grep -F 'a+b' f; egrep '^a?b$' f; fgrep '(x)' f; grep '\(ab\)\1' f; grep -E '[[:alpha:]]{4}' f; grep -E '\bb' f; grep -E 'x{2' f; echo $?; grep '[' f; echo $?

#case grep_context
seq 1 20 >f; grep -A2 '^5$' f; grep -B1 '^9$' f; grep -C1 '^15$' f; grep -n -A1 '7' f; grep -m2 1 f; grep -e '^3$' -e '^4$' f; printf '^6$\n^8$\n' >p; grep -f p f; grep -A1 -e '^2$' -e '^10$' f

#case grep_recursive
mkdir -p d/e; echo needle >d/a; echo hay >d/b; echo needle >d/e/c; ln -s a d/l; grep -r needle d | sort; grep -rl needle d | sort; grep -rc needle d | sort; grep needle d; echo $?; (cd d && grep -r hay); grep -R needle d | sort

#case grep_binary_and_long
printf 'text\0needle here\n' >f; grep -c needle f; grep -a needle f | od -An -c | head -2; { head -c 100000 /dev/zero | tr '\0' x; echo end; } >g; grep -c 'xend$' g; grep -o 'x*end' g | wc -c; printf 'no newline at end' | grep end; grep -z needle f | tr '\0' '!'

#case sed_basics
printf 'one\ntwo\nthree\nfour\n' >f; sed s/o/0/ f; sed 's/o/0/g;s/e/E/2' f; sed -n 2p f; sed 2d f; sed -n '2,3p' f; sed '/two/d' f; sed -n '/two/,/four/p' f; sed '$d' f; sed -n '$=' f; sed 2q f; sed -n '2!p' f; sed 's/\(.\)\(.\)/\2\1/' f; sed -E 's/(.)(.)$/[\2\1]/' f; sed 's/o/&&/' f; sed y/abcdefgh/ABCDEFGH/ f; sed 5q none; echo $?

#case sed_insert_and_change
printf 'a\nb\nc\n' >f; sed '2i\inserted' f; sed '2a\
appended\
twice' f; sed '2c changed' f; sed '1!G;h;$!d' f; sed = f; sed -n 'l' f; sed 'N;s/\n/-/' f; sed '$!N;P;D' f; sed '2r f' f; sed '2w out' f; cat out; sed 'x;1d' f; sed -n 'H;${x;s/\n/,/g;p}' f

#case sed_flow_control
printf 'aaa\nbab\n' >f; sed ':l;s/a/x/;tl' f; sed -e ':a' -e 's/^.\{1,5\}$/ &/;ta' f; sed -e '/b/{s/a/A/;b' -e '}' -e s/a/Z/ f; sed -n '/a/{p;q}' f; echo 'x=1' | sed 's|=|/|;s/\//:/'; sed 's/A/i/I' f; echo aXbX | sed 's/X/\n/2'; sed '/aaa/,+1s/$/!/' f; sed T f | head -2

#case sed_in_place
printf 'a\nb\n' >f; chmod 640 f; sed -i 's/a/z/' f; cat f; stat -c %a f; sed -i.bak 's/b/y/' f; cat f f.bak; ln -s f l; sed -i s/z/q/ l; stat -c %F l; sed -i '1d' f l; cat f; sed -i x none; echo $?; sed -n -i p f; cat f

#case sed_scripts
printf 's/a/b/\n# comment\ns/b/c/g\np\n' >s; echo aab | sed -f s; printf '#!/bin/sed -nf\n/x/p\n' >t; chmod +x t; printf 'x1\ny\nx2\n' | ./t; echo abc | sed -e s/a/1/ -e s/b/2/; echo hello | sed 's/l*/<&>/g'; echo 'a.b' | sed 's/\./\\./'; echo path/to/f | sed 's,/[^/]*$,,'; sed s/x; echo $?; sed k f; echo $?; echo abc | sed 's/b*/X/2'; printf 'no nl' | sed s/n/N/

#case sed_special_cases
printf 'a b  c\n' | sed 's/[[:space:]]\+/_/g'; echo aaa | sed 's/a/b/3'; echo 'tab' | sed 's/a/\t/' | cat -A; echo "it's" | sed "s/'/\"/"; echo abcd | sed -E 's/(a)(b)(c)(d)/\4\3\2\1/'; echo x | sed 's/x/a\&b/'; echo hello world | sed 's/\w\+/[&]/g'; echo foo.bar | sed -n 's/\.bar$//p'; seq 3 | sed -n '2{p;n;p}'; echo | sed 's/^$/empty/'; seq 10 | sed -n '/3/,/5/{/4/!p}'; printf '1\n2\n' | sed '0,/1/d' ; printf 'k\n' | sed 's/k/x\
y/'; echo aBc | sed 's/.*/\L&/' ; echo 1 | sed 's/1/2/w /dev/stdout'
