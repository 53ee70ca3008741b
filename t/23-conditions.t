# if, else, else if: what is true, what is equal, what matches.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

share_nginx();
run_tests();

__DATA__

=== TEST 1: truth is JavaScript's
--- api
route t {
    if ($request.body.v) { reply true; } else { reply false; }
}
route f {
    if (!$request.body.v) { reply false; } else { reply true; }
}
--- ws
alice connect /ws
alice send {"action":"t"}
alice recv false
alice send {"action":"t","v":""}
alice recv false
alice send {"action":"t","v":null}
alice recv false
alice send {"action":"t","v":false}
alice recv false
alice send {"action":"t","v":0}
alice recv false
alice send {"action":"t","v":-0}
alice recv false
alice send {"action":"t","v":0.00}
alice recv false
alice send {"action":"t","v":0e5}
alice recv false
alice send {"action":"t","v":-0.0E-7}
alice recv false
alice send {"action":"t","v":true}
alice recv true
alice send {"action":"t","v":1}
alice recv true
alice send {"action":"t","v":-1}
alice recv true
alice send {"action":"t","v":0.1}
alice recv true
alice send {"action":"t","v":0.01e1}
alice recv true
alice send {"action":"t","v":"0"}
alice recv true
alice send {"action":"t","v":"false"}
alice recv true
alice send {"action":"t","v":"null"}
alice recv true
alice send {"action":"t","v":" "}
alice recv true
alice send {"action":"t","v":"\u0000"}
alice recv true
alice send {"action":"t","v":[]}
alice recv true
alice send {"action":"t","v":{}}
alice recv true
alice send {"action":"t","v":[0]}
alice recv true
alice send {"action":"f"}
alice recv false
alice send {"action":"f","v":""}
alice recv false
alice send {"action":"f","v":null}
alice recv false
alice send {"action":"f","v":false}
alice recv false
alice send {"action":"f","v":0}
alice recv false
alice send {"action":"f","v":"0"}
alice recv true
alice send {"action":"f","v":[]}
alice recv true
alice send {"action":"f","v":1e-300}
alice recv true

=== TEST 2: truth of attributes, variables and others
--- api
route a {
    set $connection.v $request.body.v;
    set $x $request.body.v;
    if ($connection.v) { if ($x) { reply 'true true'; } else { reply 'true false'; } }
    else { if ($x) { reply 'false true'; } else { reply 'false false'; } }
}
route json { set $x '"$request.body.v"'; if ($x) { reply true; } else { reply false; } }
route text { set $x '<$request.body.v>'; if ($x) { reply true; } else { reply false; } }
route two { set $x '$request.body.v$request.body.w'; if ($x) { reply true; } else { reply false; } }
route room { if ($room) { reply true; } else { reply false; } if ($connection.room) { reply true; } else { reply false; } join r; if ($room) { reply true; } if ($connection.room) { reply true; } }
route var { if ($http_x_a) { reply true; } else { reply false; } if ($remote_addr) { reply true; } }
--- ws
alice connect /ws
alice send {"action":"a"}
alice recv false false
alice send {"action":"a","v":0}
alice recv false false
alice send {"action":"a","v":"0"}
alice recv true true
alice send {"action":"a","v":{}}
alice recv true true
alice send {"action":"a","v":""}
alice recv false false
alice send {"action":"json","v":0}
alice recv false
alice send {"action":"json"}
alice recv false
alice send {"action":"json","v":"x"}
alice recv true
alice send {"action":"text"}
alice recv true
alice send {"action":"two"}
alice recv false
alice send {"action":"two","w":""}
alice recv false
alice send {"action":"two","w":"0"}
alice recv true
alice send {"action":"room"}
alice recv false
alice recv false
alice recv true
alice recv true
alice send {"action":"var"}
alice recv false
alice recv true
bob connect /ws X-A: 0
bob send {"action":"var"}
bob recv true
bob recv true

=== TEST 3: = compares texts
--- api
route eq { if ($request.body.a = $request.body.b) { reply equal; } else { reply different; } }
route ne { if ($request.body.a != $request.body.b) { reply different; } else { reply equal; } }
route x { if ($request.body.a = x) { reply x; } else { reply 'not x'; } }
route one { if ($request.body.a = 1) { reply one; } else { reply 'not one'; } }
--- ws
alice connect /ws
alice send {"action":"eq","a":"x","b":"x"}
alice recv equal
alice send {"action":"eq","a":"x","b":"y"}
alice recv different
alice send {"action":"eq","a":"x","b":"xx"}
alice recv different
alice send {"action":"eq","a":"x","b":"X"}
alice recv different
alice send {"action":"eq","a":"\u0061\/\"","b":"a/\""}
alice recv equal
alice send {"action":"eq","a":"\ud83d\ude00","b":"😀"}
alice recv equal
alice send {"action":"eq","a":"😀","b":"\ud83d\ude00"}
alice recv equal
# a number is its digits, and so equal to the string of them
alice send {"action":"eq","a":1,"b":"1"}
alice recv equal
alice send {"action":"eq","a":1,"b":1.0}
alice recv different
alice send {"action":"eq","a":true,"b":"true"}
alice recv equal
alice send {"action":"eq","a":null,"b":"null"}
alice recv equal
# absent is the empty text
alice send {"action":"eq"}
alice recv equal
alice send {"action":"eq","a":""}
alice recv equal
alice send {"action":"eq","b":""}
alice recv equal
alice send {"action":"eq","a":null}
alice recv different
alice send {"action":"eq","b":null}
alice recv different
alice send {"action":"eq","a":[1, {"x" : " "}],"b":[ 1,{ "x":" " } ]}
alice recv equal
alice send {"action":"eq","a":{"x":1,"y":2},"b":{"y":2,"x":1}}
alice recv different
alice send {"action":"eq","a":{"x":1},"b":"{\"x\":1}"}
alice recv equal
alice send {"action":"ne","a":"x","b":"x"}
alice recv equal
alice send {"action":"ne","a":"x"}
alice recv different
alice send {"action":"ne"}
alice recv equal
alice send {"action":"eq","a":"${x*30000}","b":"${x*30000}"}
alice recv equal
alice send {"action":"eq","a":"${x*30000}y","b":"${x*30000}z"}
alice recv different
alice send {"action":"x","a":"x"}
alice recv x
alice send {"action":"x","a":"\u0078"}
alice recv x
alice send {"action":"x"}
alice recv not x
alice send {"action":"x","a":["x"]}
alice recv not x
alice send {"action":"one","a":1}
alice recv one
alice send {"action":"one","a":"1"}
alice recv one
alice send {"action":"one","a":1.0}
alice recv not one

=== TEST 4: operands of all kinds
--- api
route q  { if ($request.body.a = "two words") { reply yes; } else { reply no; } }
route q1 { if ($request.body.a = 'it\'s') { reply yes; } else { reply no; } }
route e  { if ($request.body.a = "") { reply empty; } else { reply no; } }
route e1 { if ( "" = $request.body.a) { reply empty; } else { reply no; } }
route l  { if ( "a $request.body.a" = "a $request.body.b") { reply yes; } else { reply no; } }
route r  { if (x = $request.body.a) { reply yes; } else { reply no; } }
route t  { if ( "two words" = $request.body.a) { reply yes; } else { reply no; } }
route b  { if ($request.body.a = ${request.body.b}!) { reply yes; } else { reply no; } }
route s  { if ($request.body = '{"action":"s"}') { reply yes; } else { reply no; } }
route n  { if ($request.body.a = null) { reply null; } else { reply no; } }
route p  { if ($request.body.a = "(x)") { reply yes; } else { reply no; } }
route op { if ($request.body.a = "=") { reply yes; } else { reply no; } }
--- ws
alice connect /ws
alice send {"action":"q","a":"two words"}
alice recv yes
alice send {"action":"q","a":"two"}
alice recv no
alice send {"action":"q1","a":"it's"}
alice recv yes
alice send {"action":"e"}
alice recv empty
alice send {"action":"e","a":0}
alice recv no
alice send {"action":"e1","a":""}
alice recv empty
alice send {"action":"e1","a":" "}
alice recv no
alice send {"action":"l","a":1,"b":"1"}
alice recv yes
alice send {"action":"l","a":1,"b":2}
alice recv no
alice send {"action":"r","a":"x"}
alice recv yes
alice send {"action":"t","a":"two words"}
alice recv yes
alice send {"action":"b","a":"x!","b":"x"}
alice recv yes
alice send {"action":"s"}
alice recv yes
alice send { "action":"s"}
alice recv no
alice send {"action":"n","a":null}
alice recv null
alice send {"action":"n"}
alice recv no
alice send {"action":"p","a":"(x)"}
alice recv yes
alice send {"action":"op","a":"="}
alice recv yes

=== TEST 5: ~, ~*, !~ and !~*
--- api
route m  { if ($request.body.a ~ ^ab+c$) { reply yes; } else { reply no; } }
route i  { if ($request.body.a ~* ^ab+c$) { reply yes; } else { reply no; } }
route nm { if ($request.body.a !~ ^ab+c$) { reply no; } else { reply yes; } }
route ni { if ($request.body.a !~* ^ab+c$) { reply no; } else { reply yes; } }
route q  { if ($request.body.a ~ "^\w+ \d{2}$") { reply yes; } else { reply no; } }
route l  { if ( "<$request.body.a>" ~ ^<x?>$) { reply yes; } else { reply no; } }
route g  { if ($request.body.a ~ "^(a|b)\)$") { reply yes; } else { reply no; } }
route d  { if ($request.body.a ~ ^a$) { reply yes; } else { reply no; } }
--- ws
alice connect /ws
alice send {"action":"m","a":"abbc"}
alice recv yes
alice send {"action":"m","a":"ABC"}
alice recv no
alice send {"action":"m","a":"xabc"}
alice recv no
alice send {"action":"m"}
alice recv no
alice send {"action":"m","a":"\u0061bc"}
alice recv yes
alice send {"action":"i","a":"aBBc"}
alice recv yes
alice send {"action":"i","a":"ac"}
alice recv no
alice send {"action":"nm","a":"abc"}
alice recv yes
alice send {"action":"nm","a":"ABC"}
alice recv no
alice send {"action":"nm"}
alice recv no
alice send {"action":"ni","a":"ABC"}
alice recv yes
alice send {"action":"ni","a":"AC"}
alice recv no
alice send {"action":"q","a":"word 12"}
alice recv yes
alice send {"action":"q","a":"word 1"}
alice recv no
alice send {"action":"l"}
alice recv yes
alice send {"action":"l","a":"x"}
alice recv yes
alice send {"action":"l","a":"y"}
alice recv no
alice send {"action":"g","a":"b)"}
alice recv yes
alice send {"action":"g","a":"c)"}
alice recv no
# values of all types are texts
alice send {"action":"d","a":["a"]}
alice recv no
alice send {"action":"d","a":"a"}
alice recv yes

=== TEST 6: regular expressions against all types, and long texts
--- api
route n { if ($request.body.a ~ ^1\.10$) { reply yes; } else { reply no; } }
route j { if ($request.body.a ~ ^\[1,2\]$) { reply yes; } else { reply no; } }
route z { if ($request.body.a ~ "a\x00b") { reply yes; } else { reply no; } }
route long { if ($request.body.a ~ ^x+y$) { reply yes; } else { reply no; } }
route evil { if ($request.body.a ~ ^(x+x+)+y$) { reply yes; } else { reply no; } }
--- ws
alice connect /ws
alice send {"action":"n","a":1.10}
alice recv yes
alice send {"action":"n","a":1.1}
alice recv no
alice send {"action":"j","a":[ 1, 2 ]}
alice recv yes
alice send {"action":"z","a":"a\u0000b"}
alice recv yes
alice send {"action":"long","a":"${x*60000}y"}
alice recv yes
# gives up at PCRE's limits, which is no match
alice send {"action":"evil","a":"${x*40}"}
alice recv no

=== TEST 7: room_exists and member
--- api
route join { join $request.body.r; reply ok; }
route leave { leave $request.body.r; reply ok; }
route e  { if (room_exists $request.body.r) { reply exists; } else { reply 'no room'; } }
route ne { if (!room_exists $request.body.r) { reply 'no room'; } else { reply exists; } }
route m  { if (member $request.body.r) { reply member; } else { reply stranger; } }
route nm { if (!member $request.body.r) { reply stranger; } else { reply member; } }
route q  { if (room_exists "x $request.body.r") { reply exists; } else { reply 'no room'; } if (member "x $request.body.r") { reply member; } else { reply stranger; } }
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"e","r":"x"}
alice recv no room
alice send {"action":"m","r":"x"}
alice recv stranger
bob send {"action":"join","r":"x"}
bob recv ok
alice send {"action":"e","r":"x"}
alice recv exists
alice send {"action":"ne","r":"x"}
alice recv exists
alice send {"action":"e","r":"X"}
alice recv no room
alice send {"action":"m","r":"x"}
alice recv stranger
alice send {"action":"nm","r":"x"}
alice recv stranger
bob send {"action":"m","r":"x"}
bob recv member
bob send {"action":"nm","r":"x"}
bob recv member
# such names no room can have
alice send {"action":"e"}
alice recv no room
alice send {"action":"ne","r":""}
alice recv no room
alice send {"action":"e","r":"${x*257}"}
alice recv no room
alice send {"action":"m"}
alice recv stranger
alice send {"action":"m","r":"${x*5000}"}
alice recv stranger
# the text of a number
bob send {"action":"join","r":5}
bob recv ok
alice send {"action":"e","r":"5"}
alice recv exists
bob send {"action":"m","r":5}
bob recv member
bob send {"action":"leave","r":"x"}
bob recv ok
alice send {"action":"e","r":"x"}
alice recv no room
bob send {"action":"m","r":"x"}
bob recv stranger
bob send {"action":"join","r":"x y"}
bob recv ok
bob send {"action":"q","r":"y"}
bob recv exists
bob recv member
alice send {"action":"q","r":"y"}
alice recv exists
alice recv stranger

=== TEST 8: the parentheses stand apart or not, and the blocks, too
--- api
route a { if ( $request.body.a ) { reply yes; } else { reply no; } }
route b { if ($request.body.a ) { reply yes; } else { reply no; } }
route c { if ( $request.body.a) { reply yes; } else { reply no; } }
route d { if ( !$request.body.a ) { reply no; } else { reply yes; } }
route e { if ( $request.body.a = x ) { reply yes; } else { reply no; } }
route f { if ( $request.body.a != "x" ) { reply no; } else { reply yes; } }
route g { if ( room_exists $request.body.a ) { reply yes; } else { reply no; } }
route h { if ( !member $request.body.a ) { reply no; } else { reply yes; } }
route i { if ( $request.body.a ~ "^x$" ) { reply yes; } else { reply no; } }
route j {
    if
    (
        $request.body.a
        =
        x
    )
    {
        reply yes
        ;
    }
    else
    {
        reply no;
    }
}
route k { if ($request.body.a){reply yes;}else{reply no;} }
--- ws
alice connect /ws
alice send {"action":"a","a":"x"}
alice recv yes
alice send {"action":"a"}
alice recv no
alice send {"action":"b","a":"x"}
alice recv yes
alice send {"action":"b"}
alice recv no
alice send {"action":"c","a":"x"}
alice recv yes
alice send {"action":"c"}
alice recv no
alice send {"action":"d","a":"x"}
alice recv yes
alice send {"action":"d"}
alice recv no
alice send {"action":"e","a":"x"}
alice recv yes
alice send {"action":"e"}
alice recv no
alice send {"action":"f","a":"x"}
alice recv yes
alice send {"action":"f"}
alice recv no
alice send {"action":"g","a":"x"}
alice recv no
alice send {"action":"h","a":"x"}
alice recv no
alice send {"action":"i","a":"x"}
alice recv yes
alice send {"action":"i"}
alice recv no
alice send {"action":"j","a":"x"}
alice recv yes
alice send {"action":"j"}
alice recv no
alice send {"action":"k","a":"x"}
alice recv yes
alice send {"action":"k"}
alice recv no

=== TEST 9: else if
--- api
route c {
    if ($request.body.a = 1) { reply one; }
    else if ($request.body.a = 2) { reply two; }
    else if ($request.body.a ~ ^3) { reply three; }
    else if (room_exists $request.body.a) { reply room; }
    else if (!$request.body.a) { reply none; }
    else { reply other; }
    reply end;
}
route d {
    if ($request.body.a) { reply a; }
    else if ($request.body.b) { reply b; }
    reply end;
}
route join { join $request.body.r; reply ok; }
--- ws
alice connect /ws
alice send {"action":"c","a":1}
alice recv one
alice recv end
alice send {"action":"c","a":2}
alice recv two
alice recv end
alice send {"action":"c","a":345}
alice recv three
alice recv end
alice send {"action":"c","a":"x"}
alice recv other
alice recv end
alice send {"action":"c"}
alice recv none
alice recv end
alice send {"action":"join","r":"x"}
alice recv ok
alice send {"action":"c","a":"x"}
alice recv room
alice recv end
alice send {"action":"d","a":1,"b":1}
alice recv a
alice recv end
alice send {"action":"d","b":1}
alice recv b
alice recv end
alice send {"action":"d"}
alice recv end

=== TEST 10: $members and $rooms in the conditions of an else if
--- api
route j { join $request.body.r; reply ok; }
route c {
    set $room x;
    if ($rooms = '[]') { reply 'no rooms'; }
    else if ($members = '[]') { reply 'nobody'; }
    else if ($members.user ~ alice) { reply '$members.user'; }
    else { reply 'others'; }
}
route u { set $connection.user $request.body.u; reply ok; }
--- ws
alice connect /ws
alice send {"action":"c"}
alice recv no rooms
alice send {"action":"j","r":"y"}
alice recv ok
alice send {"action":"c"}
alice recv nobody
alice send {"action":"j","r":"x"}
alice recv ok
alice send {"action":"c"}
alice recv others
alice send {"action":"u","u":"alice"}
alice recv ok
alice send {"action":"c"}
alice recv ["alice"]

=== TEST 11: blocks within blocks, and stop
--- api
route n {
    if ($request.body.a) {
        reply a;
        if ($request.body.b) {
            reply b;
            if ($request.body.c) {
                reply c;
                if ($request.body.stop) { reply stop; stop; reply never; }
                reply 'end c';
            } else {
                reply 'no c';
            }
            reply 'end b';
        }
        reply 'end a';
    } else {
        if ($request.body.b) { } else { reply 'neither'; }
    }
    reply end;
}
--- ws
alice connect /ws
alice send {"action":"n","a":1,"b":1,"c":1}
alice recv a
alice recv b
alice recv c
alice recv end c
alice recv end b
alice recv end a
alice recv end
alice send {"action":"n","a":1,"b":1,"c":1,"stop":1}
alice recv a
alice recv b
alice recv c
alice recv stop
alice send {"action":"n","a":1,"b":1}
alice recv a
alice recv b
alice recv no c
alice recv end b
alice recv end a
alice recv end
alice send {"action":"n","b":1}
alice recv end
alice send {"action":"n"}
alice recv neither
alice recv end

=== TEST 12: thirty blocks within each other
--- api eval
'route n { ' . ('if ($request.body.a) { ' x 30) . 'reply deep;' . (' }' x 30) . ' reply end; }'
. ' route ok { reply ok; }'
--- ws
alice connect /ws
alice send {"action":"n","a":1}
alice recv deep
alice recv end
alice send {"action":"n"}
alice recv end

=== TEST 13: more blocks within each other than are possible are no accident
--- api eval
'route n { ' . ('if ($request.body.a) { ' x 40) . 'reply deep;' . (' }' x 40) . ' reply end; }'
. ' route ok { reply ok; }'
--- nginx_t
too many blocks around it, at most 32 are possible

=== TEST 14: a long chain of else if takes no depth
--- api eval
'route n { if ($request.body.a = 0) { reply 0; } '
. CORE::join('', map { "else if (\$request.body.a = $_) { reply $_; } " } 1 .. 25)
. 'else { reply other; } }'
--- ws
alice connect /ws
alice send {"action":"n","a":0}
alice recv 0
alice send {"action":"n","a":13}
alice recv 13
alice send {"action":"n","a":25}
alice recv 25
alice send {"action":"n","a":26}
alice recv other

=== TEST 15: a chain of a hundred
--- api eval
'route n { if ($request.body.a = 0) { reply 0; } '
. CORE::join('', map { "else if (\$request.body.a = $_) { reply $_; } " } 1 .. 100)
. 'else { reply other; } }'
--- ws
alice connect /ws
alice send {"action":"n","a":100}
alice recv 100
alice send {"action":"n","a":101}
alice recv other

=== TEST 16: conditions in $connect, $disconnect and hooks
--- api
route $connect { if ($arg_no) { respond 403 no; } else if ($request.querystring.q = x) { reply x; } else { reply other; } }
route $disconnect { if ($context.disconnectStatusCode = 4000) { send all 'left with 4000'; } else { send all 'left otherwise'; } if (member r) { send all 'was in r'; } }
on member_leave { if (!$connection.room) { send all 'no room'; } }
route join { join r; reply ok; }
--- ws
bob connect /ws
bob recv other
alice connect /ws?no=1 => 403 ^no$
alice connect /ws?q=x
alice recv x
alice close 4000
bob recv left with 4000
carol connect /ws
carol recv other
carol send {"action":"join"}
carol recv ok
carol close 1000
bob recv left otherwise
bob recv was in r

=== TEST 17: literals are what they are in JavaScript, too
--- api
route a { if (0) { reply true; } else { reply false; } }
route b { if (false) { reply true; } else { reply false; } }
route c { if (null) { reply true; } else { reply false; } }
route d { if ( "" ) { reply true; } else { reply false; } }
route e { if (1) { reply true; } else { reply false; } }
route f { if (!true) { reply true; } else { reply false; } }
route g { if ( '{"a":1}' ) { reply true; } else { reply false; } }
route h { if ( '<$request.body.x>' ) { reply true; } else { reply false; } }
route i { if ($request.body.x$request.body.x) { reply true; } else { reply false; } }
--- ws
alice connect /ws
alice send {"action":"a"}
alice recv false
alice send {"action":"b"}
alice recv false
alice send {"action":"c"}
alice recv false
alice send {"action":"d"}
alice recv false
alice send {"action":"e"}
alice recv true
alice send {"action":"f"}
alice recv false
alice send {"action":"g"}
alice recv true
alice send {"action":"h"}
alice recv true
alice send {"action":"i"}
alice recv false
alice send {"action":"i","x":0}
alice recv true


=== TEST 18: an empty block, an empty route
--- api
route a { }
route b { if ($request.body.x) { } reply b; }
route c { if ($request.body.x) { } else { } reply c; }
route d { if ($request.body.x) { stop; } reply d; }
--- ws
alice connect /ws
alice send {"action":"a"}
alice send {"action":"b","x":1}
alice recv b
alice send {"action":"c","x":1}
alice recv c
alice send {"action":"d","x":1}
alice send {"action":"d"}
alice recv d
