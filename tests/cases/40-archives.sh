# tar, cpio, ar and the compressors; diff and patch.

tree() {
    mkdir -p t/d/e; seq 1 500 >t/a; printf hi >t/d/b; ln t/a t/d/hard; ln -s ../a t/d/sym; mkfifo t/p; chmod 4750 t/d/b; chmod 700 t/d/e
    chown 1000:100 t/d/b; find t -exec touch -h -d '2015-06-07 08:09:10' {} +
}

#case tar_create_list
tree; tar cf t.tar t/a t/d/b t/d/e t/d/hard t/d/sym t/p; tar tf t.tar; tar tvf t.tar | awk '{print $1,$2,$4,$5,$6,$7,$8,$9,$10}'; stat -c %s t.tar

#case tar_extract
tree; tar cf t.tar t; mkdir x; tar xf t.tar -C x; find x | sort; diff -r t/d/b x/t/d/b && cmp t/a x/t/a; stat -c '%a %u %g %y %n' x/t/d/b x/t/d/e; [ x/t/a -ef x/t/d/hard ] && echo linked; readlink x/t/d/sym; stat -c %F x/t/p; tar xf t.tar -C x t/a; echo $?; tar xOf t.tar t/d/b; echo; tar xvf t.tar -C x t/d/b

#case tar_compressed
tree; tar czf t.tgz t; tar tzf t.tgz | wc -l; tar cjf t.tbz t; tar tjf t.tbz | wc -l; mkdir x; tar xzf t.tgz -C x; cmp t/a x/t/a && echo same; tar tf t.tgz | wc -l; gzip -dc t.tgz | tar tf - | wc -l; tar cf - t | tar xf - -C x; rm -r x/t; tar c t | gzip | tar xz -C x; ls x/t

#case tar_options
tree; mkdir y; tar cf t.tar -C t a d; tar tf t.tar | sort; tar cf u.tar --no-recursion t; tar tf u.tar; tar chf v.tar t/d/sym; tar tvf v.tar | cut -c1-10; tar --numeric-owner -tvf t.tar | grep -c ' 0/0 '; tar xf t.tar -C y --strip-components 1; ls y; tar xf t.tar -C y a; echo old >y/a; tar xkf t.tar -C y a; cat y/a | head -1; tar xf t.tar -O a | head -1; tar xf t.tar --to-command 'wc -c' a; tar xf none.tar; echo $?; tar tf /etc/passwd; echo $?; echo x >big; tar cf z.tar /tmp/case/big; tar tf z.tar

#case tar_damaged
tree; tar cf t.tar t; head -c 1500 t.tar >s.tar; mkdir x; tar xf s.tar -C x; echo $?; printf garbage | dd of=t.tar bs=1 seek=100 conv=notrunc 2>/dev/null; tar tf t.tar; echo $?; : >e.tar; tar tf e.tar; echo $?; head -c 10240 /dev/zero >n.tar; tar tf n.tar; echo $?

#case tar_long_names
d=$(printf '%080d' 0); mkdir -p $d/$d; echo x >$d/$d/f; tar cf t.tar $d; tar tf t.tar | awk '{print length}'; rm -r $d; tar xf t.tar; cat $d/$d/f

#case cpio_newc
tree; find t | sort | cpio -o -H newc >c.cpio 2>/dev/null; cpio -t <c.cpio 2>/dev/null; mkdir x; cd x; cpio -id <../c.cpio 2>/dev/null; find . | sort; cmp ../t/a t/a && [ t/a -ef t/d/hard ] && echo linked; stat -c '%a %u' t/d/b; cpio -t 'x*' <../c.cpio 2>/dev/null | head -1; head -c 300 ../c.cpio | cpio -t 2>&1 | tail -1; echo nothing | cpio -t; echo $?

#case cpio_damaged
tree; find t | sort | cpio -o -H newc >c 2>/dev/null; stat -c %s c; head -c 100 c | cpio -t; echo $?; head -c 300 c | (mkdir x; cd x; cpio -i; echo $?); printf zzzzzzzz | dd of=c bs=1 seek=54 conv=notrunc 2>/dev/null; cpio -t <c; echo $?; echo nothing at all | cpio -t; echo $?

#case gzip_forms
seq 1 5000 >f; cp f g; gzip g; ls; gzip -dc g.gz | cmp - f && echo same; gunzip g.gz; cmp f g; gzip -k f; gzip -f g; gzip -c f | gzip -d | md5sum; md5sum <f; zcat f.gz | tail -1; gzip -t f.gz; echo $?; gzip -9c f | wc -c | awk '{print ($1<12000)}'; cat f.gz g.gz | zcat | wc -l; gzip none; echo $?; gzip f; echo $?

#case gzip_damaged
seq 1 5000 | gzip >f.gz; head -c 1000 f.gz >s.gz; zcat s.gz >/dev/null; echo $?; echo text >t.gz; gunzip t.gz; echo $?; gzip -t s.gz; echo $?; cp f.gz c.gz; printf XXXX | dd of=c.gz bs=1 seek=3000 conv=notrunc 2>/dev/null; zcat c.gz >/dev/null; echo $?; : >e.gz; zcat e.gz; echo $?; gunzip nosuffix; echo $?

#case bzip2_forms
seq 1 3000 >f; bzip2 -k f; bzcat f.bz2 | cmp - f && echo same; bunzip2 -c f.bz2 | md5sum; md5sum <f; cp f g; bzip2 g; ls; bunzip2 g.bz2; cmp f g; bzip2 -c f | bzip2 -dc | tail -1; bzip2 -t f.bz2; echo $?; head -c 500 f.bz2 | bzcat >/dev/null; echo $?; echo text | bunzip2; echo $?

#case xz_and_lzma_and_compress
printf '%s' /Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAEaGVsbG8AAAAA >b; base64 -d b >h.xz 2>/dev/null; xzcat h.xz 2>&1 | head -c 5; echo; echo text | unxz; echo $?; echo text | unlzma; echo $?; echo text | uncompress; echo $?; seq 1 100 | lzop 2>/dev/null | lzop -d 2>/dev/null | tail -1

#case unzip_stored
printf 'PK\3\4\n\0\0\0\0\0\0\0\0\0\206\246\020\066\5\0\0\0\5\0\0\0\1\0\0\0fhello' >l; { cat l; printf 'PK\1\2\36\3\n\0\0\0\0\0\0\0\0\0\206\246\020\066\5\0\0\0\5\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\244\201\0\0\0\0f'; printf 'PK\5\6\0\0\0\0\1\0\1\0\057\0\0\0\044\0\0\0\0\0'; } >z.zip; unzip -l z.zip | tail -1; unzip -q z.zip; cat f; echo; unzip -p z.zip; echo; echo junk >j.zip; unzip j.zip; echo $?

#case ar_archives
{ printf '!<arch>\n'; printf '%-16s%-12s%-6s%-6s%-8s%-10s`\n' a/ 0 0 0 100644 2; printf aa; printf '%-16s%-12s%-6s%-6s%-8s%-10s`\n' b/ 0 0 0 100644 3; printf 'bb\n\n'; } >x.a; ar -t x.a; ar -tv x.a; ar -p x.a b; echo;  ar -x x.a; cat a b; echo; ar -t none; echo $?; echo x >n; ar -t n; echo $?

#case diff_forms
printf 'a\nb\nc\nd\n' >x; printf 'a\nB\nc\nd\ne\n' >y; diff x y | grep -v '^[-+][-+]'; echo; diff -U 1 x y | sed 1,2d; diff -q x y; diff x x; echo $?; diff -s x x; diff x none; echo $?; printf 'a\nb' >n; diff x n | sed 1,2d; printf 'A\nb\nc\nd\n' >i; diff -i x i; echo $?; printf 'a \nb\nc\nd\n' >w; diff -b x w; echo $?; diff -L one -L two x y; diff - x <y | sed 1,2d; printf 'a\n\nb\nc\nd\n' >bl; diff -B x bl; echo $?; diff -w x w; echo $?

#case diff_directories
mkdir p q; echo 1 >p/same; echo 1 >q/same; echo 2 >p/diff; echo 3 >q/diff; touch p/only q/new; mkdir p/s q/s; echo x >p/s/f; diff -r p q | grep -v '^[-+][-+][-+]'; diff -rq p q; diff -rN -q p q; echo $?; diff p/same q; echo $?

#case patch_forms
printf 'a\nb\nc\nd\n' >x; printf 'a\nB\nc\nd\ne\n' >y; diff -u x y >p; cp x f; patch f p; cat f; patch -R f p; cmp f x && echo back; patch <p; cmp x y && echo same; patch x p; echo $?; mkdir a; printf 'a\nb\nc\nd\n' >a/x; printf -- '--- old/a/x\n+++ new/a/x\n@@ -1,2 +1,2 @@\n a\n-b\n+Q\n' | patch -p1; cat a/x; printf -- '--- /dev/null\n+++ newfile\n@@ -0,0 +1,1 @@\n+made\n' | patch -p0; cat newfile; printf 'no patch here\n' | patch f; echo $?

#case patch_offset_and_reject
seq 1 20 >f; cp f g; sed -i 's/^15$/fifteen/' g; diff -u f g >p; seq 2 20 >f; patch f p; grep fifteen f; seq 100 120 >f; patch f p; echo $?; ls; patch -N f p; echo $?; seq 1 20 >f; patch --dry-run f p; grep -c fifteen f; patch -E f p; grep -c fifteen f

#case compress_pipeline_of_64k
head -c 65536 /dev/zero | gzip -c | gzip -dc | md5sum; head -c 65536 /dev/zero | bzip2 -c | bunzip2 -c | md5sum; head -c 65536 /dev/zero | md5sum

#case rpm_and_dpkg_refuse
echo junk >x.deb; dpkg-deb -c x.deb; echo $?; echo junk >x.rpm; rpm -qpl x.rpm; echo $?; rpm2cpio x.rpm; echo $?
