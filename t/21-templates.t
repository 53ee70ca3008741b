# Bodies: JSON documents with references, and texts.  What a client says can
# not change what it stands in.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

share_nginx();
run_tests();

__DATA__

=== TEST 1: a value keeps its type and its digits
--- api
route v { reply '{"v":"$request.body.v"}'; }
--- ws
alice connect /ws
alice send {"action":"v","v":"text"}
alice recv {"v":"text"}
alice send {"action":"v","v":""}
alice recv {"v":""}
alice send {"action":"v","v":0}
alice recv {"v":0}
alice send {"action":"v","v":-0}
alice recv {"v":-0}
alice send {"action":"v","v":1.10}
alice recv {"v":1.10}
alice send {"action":"v","v":1e5}
alice recv {"v":1e5}
alice send {"action":"v","v":1E+05}
alice recv {"v":1E+05}
alice send {"action":"v","v":-0.0e-0}
alice recv {"v":-0.0e-0}
alice send {"action":"v","v":12345678901234567890}
alice recv {"v":12345678901234567890}
alice send {"action":"v","v":0.1000000000000000055511151231257827}
alice recv {"v":0.1000000000000000055511151231257827}
alice send {"action":"v","v":1e999999}
alice recv {"v":1e999999}
alice send {"action":"v","v":${9*3000}}
alice recv {"v":${9*3000}}
alice send {"action":"v","v":true}
alice recv {"v":true}
alice send {"action":"v","v":false}
alice recv {"v":false}
alice send {"action":"v","v":null}
alice recv {"v":null}
alice send {"action":"v","v":[]}
alice recv {"v":[]}
alice send {"action":"v","v":{}}
alice recv {"v":{}}
alice send {"action":"v","v":[1.0,"a",null,true,{"b":[ -0 ]}]}
alice recv {"v":[1.0,"a",null,true,{"b":[-0]}]}
alice send {"action":"v","v":"1.10"}
alice recv {"v":"1.10"}
alice send {"action":"v","v":"true"}
alice recv {"v":"true"}
alice send {"action":"v","v":"null"}
alice recv {"v":"null"}

=== TEST 2: values are compact, their members keep their order and their names
--- api
route v { reply '{"v":"$request.body.v"}'; }
--- ws
alice connect /ws
alice send-esc {"action":"v","v": {\n  "z" : 1 ,\t"a" : [ 1 ,\r\n 2 ] , "m" : { } } }
alice recv {"v":{"z":1,"a":[1,2],"m":{}}}
# white space within strings is not white space of JSON
alice send {"action":"v","v": { "a b" : " c  d " , " \" e " : "\\ " } }
alice recv {"v":{"a b":" c  d "," \" e ":"\\ "}}
alice send {"action":"v","v":{"a":1,"a":2,"":3}}
alice recv {"v":{"a":1,"a":2,"":3}}

=== TEST 3: an absent member goes, wherever it is
--- api
route one { reply '{"a":"$request.body.a"}'; }
route first { reply '{"a":"$request.body.a","x":1}'; }
route last { reply '{"x":1,"a":"$request.body.a"}'; }
route middle { reply '{"x":1,"a":"$request.body.a","y":2}'; }
route three { reply '{"a":"$request.body.a","b":"$request.body.b","c":"$request.body.c"}'; }
route mixed { reply '{"a":"$request.body.a","x":1,"b":"$request.body.b","y":"$request.body.y!","c":"$request.body.c"}'; }
route within { reply '{"o":{"a":"$request.body.a"},"l":[{"a":"$request.body.a"}]}'; }
--- ws
alice connect /ws
alice send {"action":"one"}
alice recv {}
alice send {"action":"first"}
alice recv {"x":1}
alice send {"action":"last"}
alice recv {"x":1}
alice send {"action":"middle"}
alice recv {"x":1,"y":2}
alice send {"action":"middle","a":0}
alice recv {"x":1,"a":0,"y":2}
alice send {"action":"three"}
alice recv {}
alice send {"action":"three","a":1}
alice recv {"a":1}
alice send {"action":"three","b":1}
alice recv {"b":1}
alice send {"action":"three","c":1}
alice recv {"c":1}
alice send {"action":"three","a":1,"c":2}
alice recv {"a":1,"c":2}
alice send {"action":"three","b":1,"c":2}
alice recv {"b":1,"c":2}
alice send {"action":"three","c":3,"b":2,"a":1}
alice recv {"a":1,"b":2,"c":3}
# null is not absent, nor are the other falsy values
alice send {"action":"three","a":null,"b":"","c":false}
alice recv {"a":null,"b":"","c":false}
alice send {"action":"mixed"}
alice recv {"x":1,"y":"!"}
alice send {"action":"mixed","c":3}
alice recv {"x":1,"y":"!","c":3}
alice send {"action":"mixed","a":1,"b":2,"y":"y","c":3}
alice recv {"a":1,"x":1,"b":2,"y":"y!","c":3}
alice send {"action":"within"}
alice recv {"o":{},"l":[{}]}
alice send {"action":"within","a":{"{":"{"}}
alice recv {"o":{"a":{"{":"{"}},"l":[{"a":{"{":"{"}}]}

=== TEST 4: a value that ends in a brace or says so does not mislead the commas
--- api
route v { reply '{"a":"$request.body.a","b":"$request.body.b","c":"$request.body.c"}'; }
--- ws
alice connect /ws
alice send {"action":"v","a":"{","b":"{"}
alice recv {"a":"{","b":"{"}
alice send {"action":"v","a":{},"c":"}"}
alice recv {"a":{},"c":"}"}
alice send {"action":"v","b":"\"{","c":"{\""}
alice recv {"b":"\"{","c":"{\""}
alice send {"action":"v","a":",","b":"{,","c":","}
alice recv {"a":",","b":"{,","c":","}

=== TEST 5: an absent element is null
--- api
route one { reply '["$request.body.a"]'; }
route three { reply '["$request.body.a",1,"$request.body.b","$request.body.c"]'; }
route nested { reply '[["$request.body.a"],[["$request.body.a","$request.body.b"]]]'; }
--- ws
alice connect /ws
alice send {"action":"one"}
alice recv [null]
alice send {"action":"one","a":[1]}
alice recv [[1]]
alice send {"action":"three"}
alice recv [null,1,null,null]
alice send {"action":"three","a":"x","c":null}
alice recv ["x",1,null,null]
alice send {"action":"nested","b":{"x": 1}}
alice recv [[null],[[null,{"x":1}]]]

=== TEST 6: a document that is one reference, and nothing if that is absent
--- api
route v { reply '"$request.body.v"'; reply end; }
--- ws
alice connect /ws
alice send {"action":"v","v":"text \"x\""}
alice recv "text \"x\""
alice recv end
alice send {"action":"v","v":{ "a": 1.10 }}
alice recv {"a":1.10}
alice recv end
alice send {"action":"v","v":null}
alice recv null
alice recv end
alice send {"action":"v","v":""}
alice recv ""
alice recv end
alice send {"action":"v"}
alice recv end

=== TEST 7: what is written is compact, in the order written, with its own digits
--- api
route v {
    reply '
        {  "z" : 1.10 ,
           "a" : [ 1e5 , -0 , 12345678901234567890 , null , true ] ,
           "A" : { } , "l" : [ ] ,
           "s" : "two  blanks" , "b" : "$request.body.b" ,
           "" : "" }
    ';
}
--- ws
alice connect /ws
alice send {"action":"v","b":2}
alice recv {"z":1.10,"a":[1e5,-0,12345678901234567890,null,true],"A":{},"l":[],"s":"two  blanks","b":2,"":""}

=== TEST 8: documents without references
--- api
route object { reply '{ "a" : 1 }'; }
route array { reply '[ 1 , 2 ]'; }
route string { reply '"text"'; }
route number { reply 1.10; }
route true { reply true; }
route null { reply null; }
route empty { reply ''; }
route escapes { reply '{"a":"\\u00fc\\n\\"\\/\\\\ \\ud83d\\ude00"}'; }
--- ws
alice connect /ws
alice send {"action":"object"}
alice recv {"a":1}
alice send {"action":"array"}
alice recv [1,2]
alice send {"action":"string"}
alice recv "text"
alice send {"action":"number"}
alice recv 1.10
alice send {"action":"true"}
alice recv true
alice send {"action":"null"}
alice recv null
alice send {"action":"empty"}
alice recv-len 0
alice send {"action":"escapes"}
alice recv-json {"a":"ü\n\"/\\ 😀"}

=== TEST 9: a reference in a longer string is text
--- api
route v { reply '{"v":"<$request.body.v>"}'; }
--- ws
alice connect /ws
alice send {"action":"v","v":"x"}
alice recv {"v":"<x>"}
alice send {"action":"v"}
alice recv {"v":"<>"}
alice send {"action":"v","v":1.10}
alice recv {"v":"<1.10>"}
alice send {"action":"v","v":true}
alice recv {"v":"<true>"}
alice send {"action":"v","v":null}
alice recv {"v":"<null>"}
alice send {"action":"v","v":[1, "a\"b"]}
alice recv {"v":"<[1,\"a\\\"b\"]>"}
alice send {"action":"v","v":{ "a" : "b\\c" , "d" : " " }}
alice recv {"v":"<{\"a\":\"b\\\\c\",\"d\":\" \"}>"}

=== TEST 10: injection, as a value
--- api
route v { reply '{"v":"$request.body.v","end":1}'; }
--- ws
alice connect /ws
alice send {"action":"v","v":"\",\"admin\":true,\"x\":\""}
alice recv {"v":"\",\"admin\":true,\"x\":\"","end":1}
alice send {"action":"v","v":"\u0022,\u0022admin\u0022:true"}
alice recv-json {"v":"\",\"admin\":true","end":1}
alice send {"action":"v","v":"\\"}
alice recv {"v":"\\","end":1}
alice send {"action":"v","v":"\\\""}
alice recv {"v":"\\\"","end":1}
alice send {"action":"v","v":"$request.body.action ${request.body.action} $connection.user $$"}
alice recv {"v":"$request.body.action ${request.body.action} $connection.user $$","end":1}
alice send {"action":"v","v":"\u0000\u001f\n\r\t\b\f"}
alice recv-json {"v":"\u0000\u001f\n\r\t\b\f","end":1}
alice send {"action":"v","v":"</script><!--"}
alice recv {"v":"</script><!--","end":1}
alice send-esc {"action":"v","v":"\xe2\x80\xa8\xe2\x80\xa9"}
alice recv-esc {"v":"\xe2\x80\xa8\xe2\x80\xa9","end":1}
alice send {"action":"v","v":"😀\ud83d\ude00ü"}
alice recv-json {"v":"😀😀ü","end":1}
# a surrogate without its pair stays an escape, which is JSON
alice send {"action":"v","v":"\ud83d"}
alice recv {"v":"\ud83d","end":1}
alice send {"action":"v","v":"\ude00\ud83dx"}
alice recv {"v":"\ude00\ud83dx","end":1}
alice send-esc {"action":"v","v":"\x7f\xc2\x80\xef\xbf\xbd\xf4\x8f\xbf\xbf"}
alice recv-esc {"v":"\x7f\xc2\x80\xef\xbf\xbd\xf4\x8f\xbf\xbf","end":1}
alice send {"action":"v","v":{"\",\"x":"\"}"}}
alice recv {"v":{"\",\"x":"\"}"},"end":1}

=== TEST 11: injection, within a string
--- api
route v { reply '{"v":"<$request.body.v>","end":1}'; }
--- ws
alice connect /ws
alice send {"action":"v","v":"\",\"admin\":true,\"x\":\""}
alice recv-json {"v":"<\",\"admin\":true,\"x\":\">","end":1}
alice send {"action":"v","v":"\u0022}"}
alice recv-json {"v":"<\"}>","end":1}
alice send {"action":"v","v":"\\"}
alice recv {"v":"<\\>","end":1}
alice send {"action":"v","v":"$request.body.action ${request.body.action} $$"}
alice recv {"v":"<$request.body.action ${request.body.action} $$>","end":1}
alice send {"action":"v","v":"\u0000\u001f\n"}
alice recv-json {"v":"<\u0000\u001f\n>","end":1}
alice send {"action":"v","v":{"\",\"x":"\"}\\"}}
alice recv-json {"v":"<{\"\\\",\\\"x\":\"\\\"}\\\\\"}>","end":1}
alice send {"action":"v","v":"\ud83d"}
alice recv-like ^\{"v":"<(\\ud83d|\xef\xbf\xbd)>","end":1\}$
alice send-esc {"action":"v","v":"\xe2\x80\xa8"}
alice recv-esc {"v":"<\xe2\x80\xa8>","end":1}

=== TEST 12: two values side by side stay what they are
--- api
route v { reply '{"v":"$request.body.a$request.body.b"}'; }
--- ws
alice connect /ws
alice send {"action":"v","a":"x","b":"y"}
alice recv {"v":"xy"}
alice send {"action":"v","a":"\\","b":"\""}
alice recv-json {"v":"\\\""}
alice send {"action":"v","a":"\\","b":"u0022"}
alice recv-json {"v":"\\u0022"}
alice send {"action":"v","a":"$request.body.","b":"b"}
alice recv {"v":"$request.body.b"}
alice send {"action":"v","b":1}
alice recv {"v":"1"}
alice send {"action":"v"}
alice recv {"v":""}

=== TEST 13: references in keys
--- api
route key { reply '{"$request.body.k":1}'; }
route both { reply '{"$request.body.k":"$request.body.v","x":1}'; }
route part { reply '{"<$request.body.k>":"$request.body.v"}'; }
route many { reply '{"$request.body.a":"$request.body.a","$request.body.b":"$request.body.b","c":"$request.body.c"}'; }
--- ws
alice connect /ws
alice send {"action":"key","k":"name"}
alice recv {"name":1}
alice send {"action":"key","k":"\",\"admin\":true,\""}
alice recv-json {"\",\"admin\":true,\"":1}
alice send {"action":"key","k":1.10}
alice recv {"1.10":1}
alice send {"action":"key","k":{"a": [1]}}
alice recv {"{\"a\":[1]}":1}
alice send {"action":"key","k":null}
alice recv {"null":1}
alice send {"action":"key"}
alice recv {"":1}
# a member without a value goes together with its key
alice send {"action":"both","k":"name"}
alice recv {"x":1}
alice send {"action":"both","k":"name","v":[1]}
alice recv {"name":[1],"x":1}
alice send {"action":"both","v":true}
alice recv {"":true,"x":1}
alice send {"action":"part","k":"\\","v":null}
alice recv {"<\\>":null}
alice send {"action":"part","k":"x"}
alice recv {}
alice send {"action":"many"}
alice recv {}
alice send {"action":"many","b":"y"}
alice recv {"y":"y"}
alice send {"action":"many","a":"{","c":"z"}
alice recv {"{":"{","c":"z"}
alice send {"action":"many","a":"x","b":"y","c":"z"}
alice recv {"x":"x","y":"y","c":"z"}

=== TEST 14: texts take values as text, unescaped
--- api
route v { reply 'v: $request.body.v.'; }
route single { reply $request.body.v; }
route two { reply '$request.body.v$request.body.w'; }
--- ws
alice connect /ws
alice send {"action":"v","v":"a\"b\\c\nd\u00fc\ud83d\ude00"}
alice recv-esc v: a"b\\c\nd\xc3\xbc\xf0\x9f\x98\x80.
alice send {"action":"v","v":1.10}
alice recv v: 1.10.
alice send {"action":"v","v":{ "a" : "b\n" }}
alice recv v: {"a":"b\n"}.
alice send {"action":"v"}
alice recv v: .
alice send {"action":"v","v":null}
alice recv v: null.
alice send {"action":"v","v":"\u0000\u0007"}
alice recv-esc v: \x00\x07.
# what is sent is UTF-8, whatever comes
alice send {"action":"v","v":"\ud83d"}
alice recv-esc v: \xef\xbf\xbd.
alice send {"action":"v","v":"\ude00\ud83d"}
alice recv-esc v: \xef\xbf\xbd\xef\xbf\xbd.
alice send {"action":"v","v":"$request.body.action ${request.body.action}"}
alice recv v: $request.body.action ${request.body.action}.
alice send {"action":"single","v":"text"}
alice recv text
alice send {"action":"single","v":{"a" : 1}}
alice recv {"a":1}
alice send {"action":"single","v":"\ud83d"}
alice recv-esc \xef\xbf\xbd
# halves of a pair in two values are no pair
alice send {"action":"two","v":"\ud83d","w":"\ude00"}
alice recv-esc \xef\xbf\xbd\xef\xbf\xbd
alice send {"action":"single","v":""}
alice recv-len 0

=== TEST 15: dollars
--- api
route text { reply 'costs $5, $$ 5, $ 5, 5$, $$request.body.v, a$$'; }
route json { reply '{"v":"$5 $$ $","w":"$$request.body.v","x":"$$","y":"5$"}'; }
route braces { reply '${request.body.v}s and {$request.body.v}'; }
route brjson { reply '{"v":"${request.body.v}s","w":"${request.body.v}","x":"${request.body.o.a[0]}"}'; }
--- ws
alice connect /ws
alice send {"action":"text","v":"x"}
alice recv costs $5, $ 5, $ 5, 5$, $request.body.v, a$
alice send {"action":"json","v":"x"}
alice recv {"v":"$5 $ $","w":"$request.body.v","x":"$","y":"5$"}
alice send {"action":"braces","v":"x"}
alice recv xs and {x}
alice send {"action":"brjson","v":1.10,"o":{"a":[[2]]}}
alice recv {"v":"1.10s","w":1.10,"x":[2]}

=== TEST 16: where a reference ends
--- api
route v { reply '$request.body.v. $request.body.v.. $request.body.v, $request.body.v-x $request.body.v/y $request.body.v:z ($request.body.v) "$request.body.v" $request.body.v[0]! $request.body.v@'; }
route j { reply '{"a":"$request.body.v.","b":"$request.body.v-x","c":"$request.body.v "}'; }
--- ws
alice connect /ws
alice send {"action":"v","v":1}
alice recv 1. 1.. 1, 1-x 1/y 1:z (1) "1" ! 1@
alice send {"action":"j","v":1}
alice recv {"a":"1.","b":"1-x","c":"1 "}

=== TEST 17: paths
--- api
route p { reply '{"a":"$request.body.o.a","b":"$request.body.o[\'b c\']","c":"$request.body.l[1]","d":"$request.body.l[2].x[0]","e":"$request.body[\'o\'].a","f":"${request.body.o[\'d.e\']}","g":"${request.body.o.d-e}","h":"$request.body.l[9]","i":"$request.body.l.length","j":"$request.body.o[0]","k":"$request.body.o.a.b"}'; }
--- ws
alice connect /ws
alice send {"action":"p","o":{"a":1,"b c":2,"d.e":3,"d-e":4},"l":[0,5,{"x":[6]}]}
alice recv {"a":1,"b":2,"c":5,"d":6,"e":1,"f":3,"g":4}
alice send {"action":"p","o":{"\u0061":1,"b\u0020c":2}}
alice recv {"a":1,"b":2,"e":1}
alice send {"action":"p","o":[7],"l":{"1":1,"length":2}}
alice recv {"i":2,"j":7}
# the last one counts
alice send {"action":"p","o":{"a":1},"o":{"a":2,"a":3}}
alice recv {"a":3,"e":3}

=== TEST 18: the message itself
--- api
route raw { reply '{"raw":"$request.body"}'; }
route text { reply 'raw: $request.body'; }
route in { reply '{"raw":"<$request.body>"}'; }
route $default { reply '{"raw":"$request.body"}'; }
--- ws
alice connect /ws
alice send-esc {"action":"raw",\n "x":"\\n\\u0022" }
alice recv {"raw":"{\"action\":\"raw\",\n \"x\":\"\\n\\u0022\" }"}
alice send { "action" : "text" }
alice recv raw: { "action" : "text" }
alice send {"action":"in","v":"\\"}
alice recv {"raw":"<{\"action\":\"in\",\"v\":\"\\\\\"}>"}
alice send-esc no "JSON" \\ \n\t\x01\xc3\xbc\xe2\x80\xa8\x7f
alice recv-esc {"raw":"no \\"JSON\\" \\\\ \\n\\t\\u0001\xc3\xbc\xe2\x80\xa8\x7f"}
alice send
alice recv {"raw":""}
alice send "},{"
alice recv {"raw":"\"},{\""}

=== TEST 19: members of a message that is no object
--- api
route $default { reply '{"a":"$request.body.a","z":"$request.body[0]","n":"$request.body[0].a","t":"<$request.body.a>"}'; }
--- ws
alice connect /ws
alice send no JSON
alice recv {"t":"<>"}
alice send [1]
alice recv {"z":1,"t":"<>"}
alice send [{"a":null}]
alice recv {"z":{"a":null},"n":null,"t":"<>"}
alice send "abc"
alice recv {"t":"<>"}
alice send null
alice recv {"t":"<>"}
alice send 12
alice recv {"t":"<>"}

=== TEST 20: values that other references have made
--- api
route v {
    set $a '{"x":"$request.body.v","y":[1.10]}';
    set $b "text $request.body.v";
    set $c '"$a"';
    reply '{"a":"$a","b":"$b","c":"$c","in":"<$a>"}';
}
--- ws
alice connect /ws
alice send {"action":"v","v":"q\"$b"}
alice recv-json {"a":{"x":"q\"$b","y":[1.1]},"b":"text q\"$b","c":{"x":"q\"$b","y":[1.1]},"in":"<{\"x\":\"q\\\"$b\",\"y\":[1.10]}>"}

=== TEST 21: a long message comes back whole
--- api
route v { reply '{"v":"$request.body.v"}'; }
route t { reply '$request.body.v'; }
--- ws
alice connect /ws
alice send {"action":"v","v":"${x*100000}"}
alice recv {"v":"${x*100000}"}
alice send {"action":"t","v":"${y*100000}"}
alice recv ${y*100000}
alice send {"action":"v","v":[${[*20}${]*20}]}
alice recv {"v":[${[*20}${]*20}]}

=== TEST 22: what would be longer than max_body fails, and nothing else
--- api
max_body 1k;
route v { reply '{"v":"$request.body.v"}'; reply end; }
route t { reply '$request.body.v'; }
route s { set $x "<$request.body.v>"; reply end; }
route m { reply '$request.body.v$request.body.v$request.body.v'; }
route ok { reply ok; }
--- ws
alice connect /ws
# {"v":""} are 8
alice send {"action":"v","v":"${x*1016}"}
alice recv {"v":"${x*1016}"}
alice recv end
alice send {"action":"v","v":"${x*1017}"}
alice recv-like \A\{"message": "Internal server error", "connectionId":"(?<id>[\w-]{22}==)", "requestId":"[\w-]{15}="\}\z
alice send {"action":"t","v":"${x*1024}"}
alice recv ${x*1024}
alice send {"action":"t","v":"${x*1025}"}
alice recv-like \A\{"message": "Internal server error", "connectionId":"${id}", "requestId":"[\w-]{15}="\}\z
alice send {"action":"s","v":"${x*1023}"}
alice recv-like \A\{"message": "Internal server error", "connectionId":"${id}"
alice send {"action":"m","v":"${x*341}"}
alice recv ${x*1023}
alice send {"action":"m","v":"${x*342}"}
alice recv-like \A\{"message": "Internal server error", "connectionId":"${id}"
alice send {"action":"ok"}
alice recv ok
log wschat route "v": the text would be longer than max_body, in step "reply" in .*:\d+
no-log xxxxxxxx

=== TEST 23: escapes count for max_body as what they become
--- api
max_body 100;
route v { reply '{"v":"<$request.body>"}'; }
route $default { reply '{"v":"$request.body"}'; }
route ok { reply ok; }
--- ws
alice connect /ws
# \u0001 six times, as one byte each
alice send-esc \x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01
alice recv {"v":"\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001"}
alice send-esc \x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01
alice recv-like \A\{"message": "Internal server error"
alice send {"action":"ok"}
alice recv ok

=== TEST 24: the same api, a multiplying body
--- api
route bomb {
    set $a '$request.body.v$request.body.v$request.body.v$request.body.v';
    set $b '$a$a$a$a$a$a$a$a';
    set $c '$b$b$b$b$b$b$b$b';
    set $d '$c$c$c$c$c$c$c$c';
    reply '$d';
}
route ok { reply ok; }
--- ws
alice connect /ws
alice send {"action":"bomb","v":"${x*1000}"}
alice recv-like \A\{"message": "Internal server error"
alice send {"action":"ok"}
alice recv ok

=== TEST 25: one body after the other, of all sizes
--- api
route v { reply '{"v":"$request.body.v","w":"$request.body.w"}'; }
--- ws
alice connect /ws
alice send {"action":"v","v":"${x*50000}"}
alice send {"action":"v","w":1}
alice send {"action":"v","v":"${y*60000}","w":[]}
alice send {"action":"v"}
alice recv {"v":"${x*50000}"}
alice recv {"w":1}
alice recv {"v":"${y*60000}","w":[]}
alice recv {}

=== TEST 26: quotes and backslashes of the configuration
--- api
route single { reply '{"a":"it\'s","b":"back\\\\slash","c":"x\\"y"}'; }
route double { reply "{\"a\":\"$request.body.v\"}"; }
route newline { reply "a\nb"; }
route comment { reply '# no comment; {}'; }
--- ws
alice connect /ws
alice send {"action":"single"}
alice recv {"a":"it's","b":"back\\slash","c":"x\"y"}
alice send {"action":"double","v":1}
alice recv {"a":1}
alice send {"action":"newline"}
alice recv-esc a\nb
alice send {"action":"comment"}
alice recv # no comment; {}

=== TEST 27: an escape in a body is its character, also where it makes a reference
--- api
route v { reply '{"a":"\\u0024request.body.v","b":"x\\u0024\\u0024","\\u0024{request.body.k}":1}'; }
--- ws
alice connect /ws
alice send {"action":"v","v":[1],"k":"key"}
alice recv {"a":[1],"b":"x$","key":1}
