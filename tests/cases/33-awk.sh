# awk programs.

#case awk_fields
printf 'a b c\nd e\n\nf  g  h i\n' >f; awk '{print $2, NF}' f; awk '{print $NF}' f; awk 'NR==2' f; awk -F: '{print $1 "-" $3}' /etc/passwd | head -2; awk '{$2="X"; print}' f; awk '{print $(1+1)}' f; awk 'BEGIN{OFS=":"}{$1=$1; print}' f; awk '{NF=1; print}' f; awk '{$6="z"; print NF ":" $0}' f; echo 'a,b;c' | awk -F'[,;]' '{print $3 $2 $1}'; echo abc | awk 'BEGIN{FS=""}{print $2}'

#case awk_patterns
seq 1 10 >f; awk '/1/' f; awk '$1>7' f; awk 'NR==3,NR==5' f; awk 'END{print NR, $0}' f; awk '!/1/ && $1%2' f; awk 'NR%3==0{s+=$1}END{print s}' f; awk '/5/,0{print "x" $0}' f; awk 'BEGIN{print "only"}' f; awk 'NR==2{exit 3}END{print "end"}' f; echo $?; awk '$0 ~ "^[89]$"' f; awk 'NR==1{next}{print; nextfile}' f

#case awk_arrays
printf 'a 1\nb 2\na 3\n' | awk '{s[$1]+=$2}END{for(k in s)print k, s[k]}' | sort; awk 'BEGIN{a[1,2]=3; for(k in a){split(k,p,SUBSEP); print p[1], p[2], a[k]}; if((1,2) in a)print "in"; delete a; print length(a); n=split("x:y:z",v,":"); print n, v[3]; v["k"]; print length(v); delete v[1]; print (1 in v)}'; seq 5 | awk '{l[NR]=$0}END{for(i=NR;i;i--)printf "%s ", l[i]; print ""}'

#case awk_strings
awk 'BEGIN{s="hello world"; print length(s), index(s,"wor"), substr(s,7), substr(s,2,3), toupper(s), tolower("ABC"); print match(s,/o w/), RSTART, RLENGTH; t=s; print gsub(/o/,"0",t), t; sub(/l+/,"[&]",s); print s; print "a" "b" 1+1; print substr(s,0,2) "|" substr(s,50) "|" substr(s,-1); print sprintf("%05.1f|%-5s|%c|%x|%e", 3.14159, "ab", 65, 255, 12345)}'; echo 'a\b' | awk '{gsub(/\\/,"/"); print}'; awk 'BEGIN{print length()}' </dev/null; awk 'BEGIN{s="aaa"; gsub(/x*/,"-",s); print s; print "A\tB\\n\"q\" \101"}'

#case awk_numbers
awk 'BEGIN{print 1/3, 7%3, -7%3, int(3.9), int(-3.9), 1e6, 1e20, 100000 * 100000, 0.1+0.2, "3x"+4, +"0x10",7; x=5; print x++ + ++x, x--, -x, !x, x==6, 1<2, "a"<"b", 10<9, "10"<"9", 3; OFMT="%.2f"; print 3.14159; CONVFMT="%.3g"; y=3.14159; print y ""; print 1==1.0, "1"==1, "a"==0; print 9007199254740992, 2147483648, -2147483648; print substr("x",1.5), 017}'; echo '10 9' | awk '{print ($1>$2), ($1>"9")}'; awk 'BEGIN{print 1/0}'; echo $?; awk 'BEGIN{srand(1); r=rand(); print (r>=0 && r<1); print srand(5), srand()}'

#case awk_control_flow
awk 'BEGIN{for(i=0;i<10;i++){if(i==3)continue; if(i>5)break; printf "%d ",i}; print ""; while(j<3)j++; print j; do{k++}while(k<4); print k; print (1?"yes":"no"); if(!x)print "unset"; else print "set"; for(;;){if(++n>3)break}; print n; switch_=1; print switch_}'

#case awk_functions
awk 'function f(n){return n<2?1:n*f(n-1)} function g(a,  l){a["k"]=7; l=3; return l} function h(x){x=5} BEGIN{print f(10); r=g(arr); print r, arr["k"]; y=1; h(y); print y; print fib(15)} function fib(n){return n<2?n:fib(n-1)+fib(n-2)}'

#case awk_getline
printf 'l1\nl2\nl3\n' >f; awk 'BEGIN{while((getline line < "f")>0)n++; print n, line; print (getline x < "none"); close("f"); getline < "f"; print $0, NR; "echo cmd" | getline v; print v; "echo p q" | getline; print $2}'; awk 'NR==1{getline; print "second", $0; getline z; print z, NR}' f; echo in | awk '{print; while((getline l)>0)print l; print "done"}'; echo piped | awk 'BEGIN{getline; print "got", $0}'

#case awk_output
awk 'BEGIN{print "to file" > "o"; print "more" > "o"; close("o"); while((getline l<"o")>0)print l; print "c\na\nb" | "sort"; close("sort"); print "err" > "/dev/stderr"; printf "%s\n", "x" >> "o"; close("o"); system("tail -1 o"); r=system("exit 3"); print r; print "after"; fflush(); print "up" | "tr a-z A-Z"}'; awk 'BEGIN{ORS="|"; print "a"; print "b"; ORS="\n"; print ""}'; awk 'BEGIN{printf "%d %i %s %5s|%-5s|%05d|%.2f|%g|%G|%o|%u|%c%c|%%\n", "12ab", 3.9, "s", "r", "l", 42, 2.5, 1e10, 1e-10, 8, 7, "hello", 66}'; awk 'BEGIN{print > "/dev/full"}'; echo $?

#case awk_variables
awk -v a=5 -v 'b=x\ty' 'BEGIN{print a+1, b}'; echo x >f; awk '{print v, FILENAME, FNR, NR}' v=1 f v=2 f; A=env awk 'BEGIN{print ENVIRON["A"], ARGC, ARGV[1]}' arg; printf 'a;b;c' | awk 'BEGIN{RS=";"}{print NR ":" $0}'; printf 'p1\nx\n\n\np2\n' | awk 'BEGIN{RS=""}{print NR, $1, NF}'; echo 'a b' | awk '{print NF; $0="x y z"; print NF, $3}'; printf 'a1b22c' | awk -v RS='[0-9]+' '{print $0}'; awk 'BEGIN{FS=","; $0="a,b"; print $2}'

#case awk_script_file
printf '#!/bin/awk -f\nBEGIN { n = 0 } # count\n{ n += NF }\nEND { print n }\n' >s; chmod +x s; printf 'a b\nc\n' | ./s; printf 'function d(x) { return 2*x }\n' >lib; printf 'BEGIN { print d(21) }' >main; awk -f lib -f main; awk -f none; echo $?; awk 'BEGIN{'; echo $?; awk 'BEGIN{f()}'; echo $?; awk; echo $?

#case awk_regex
printf 'foo123\nbar\nbaz9\n' >f; awk '/[0-9]+$/' f; awk '/^ba[rz]/' f; awk '{if(match($0,/[0-9]+/))print substr($0,RSTART,RLENGTH)}' f; awk '$0~/a{1}r/' f; awk '{gsub(/[aeiou]/,"<&>"); print}' f; awk '/o{2}|z/' f; awk 'BEGIN{r="^b"; while((getline<"f")>0)if($0~r)n++; print n}'; awk 'BEGIN{print "a.b"~/a\.b/, "axb"~/a\.b/, "A"~/[[:upper:]]/, split("a1b2c",p,/[0-9]/), p[3]; print "x/y"~/x\/y/}'

#case awk_many_lines
seq 1 20000 | awk '{s+=$1; c[$1%7]++}END{print s, c[0], c[6], NR}'; seq 1 3000 | awk '{a[NR]=$0; k[$0]=NR}END{for(i=1;i<=NR;i++)if(k[a[i]]!=i)bad++; print bad+0}'; awk 'BEGIN{s="x"; for(i=0;i<16;i++)s=s s; print length(s)}'

#case awk_report
printf 'ann,30,5.5\nbob,25,7\ncy,41,1.25\n' >d; awk -F, 'BEGIN{printf "%-6s|%4s|%6s\n","name","age","pay"}{printf "%-6s|%4d|%6.2f\n",$1,$2,$3; a+=$2; p+=$3; if($2>m){m=$2; w=$1}}END{printf "%s %.3f %s\n",a/NR,p,w}' d; awk -F, '{print length($1) | "sort -n"}' d
