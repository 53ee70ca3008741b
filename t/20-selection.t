# Which route a message goes to (spec sections 3.1 to 3.3), and the frame that
# the gateway sends when there is none (4.1).

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

share_nginx();
run_tests();

__DATA__

=== TEST 1: spec 3.3 with $default
--- api
route join { reply 'join'; }
route JOIN { reply 'upper case'; }
route $default { reply '$context.routeKey $request.body'; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv join
alice send {"action":"JOIN"}
alice recv upper case
# exact, case-sensitive
alice send {"action":"Join"}
alice recv $default {"action":"Join"}
alice send {"action":"join "}
alice recv $default {"action":"join "}
alice send {"action":" join"}
alice recv $default {"action":" join"}
alice send {"action":"joi"}
alice recv $default {"action":"joi"}
alice send {"action":"joined"}
alice recv $default {"action":"joined"}
# has no route
alice send {"action":"other","x":1}
alice recv $default {"action":"other","x":1}
# property missing
alice send {}
alice recv $default {}
alice send {"Action":"join"}
alice recv $default {"Action":"join"}
alice send {"data":{"action":"join"}}
alice recv $default {"data":{"action":"join"}}
# not JSON
alice send plain|text
alice recv $default plain|text
alice send join
alice recv $default join
alice send {"action":"join"
alice recv $default {"action":"join"
alice send {"action":"join"} x
alice recv $default {"action":"join"} x
alice send {'action':'join'}
alice recv $default {'action':'join'}
alice send {"action":"join",}
alice recv $default {"action":"join",}
# its name, and the lifecycle's routes
alice send {"action":"$default"}
alice recv $default {"action":"$default"}
alice send {"action":"$connect"}
alice recv $default {"action":"$connect"}
alice send {"action":"$disconnect"}
alice recv $default {"action":"$disconnect"}
# the empty message
alice send
alice recv-esc $default\x20
alice send {"action":""}
alice recv $default {"action":""}

=== TEST 2: spec 3.3 without $default
--- api
route join { reply 'join'; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv join
alice send {"action":"other"}
alice recv-like \A\{"message": "Forbidden", "connectionId":"(?<id>[A-Za-z0-9_-]{22}==)", "requestId":"(?<one>[A-Za-z0-9_-]{15}=)"\}\z
alice send {}
alice recv-like \A\{"message": "Forbidden", "connectionId":"${id}", "requestId":"(?!${one})[A-Za-z0-9_-]{15}="\}\z
alice send plain|text
alice recv-like \A\{"message": "Forbidden", "connectionId":"${id}", "requestId":"[A-Za-z0-9_-]{15}="\}\z
alice send
alice recv-like \A\{"message": "Forbidden", "connectionId":"${id}", "requestId":"[A-Za-z0-9_-]{15}="\}\z
alice send {"action":"$default"}
alice recv-like \A\{"message": "Forbidden", "connectionId":"${id}",
alice send {"action":"$connect"}
alice recv-like \A\{"message": "Forbidden", "connectionId":"${id}",
alice send {"action":"$disconnect"}
alice recv-like \A\{"message": "Forbidden", "connectionId":"${id}",
alice send {"action":["join"]}
alice recv-like \A\{"message": "Forbidden", "connectionId":"${id}",
# the connection lives on
alice send {"action":"join"}
alice recv join

=== TEST 3: a message never reaches the routes of the lifecycle
--- api
route $connect { set $connection.n 1; }
route $disconnect { send all 'DISCONNECT'; }
route n { reply '{"n":"$connection.n"}'; }
--- ws
bob connect /ws
alice connect /ws
alice send {"action":"$disconnect"}
alice recv-like "Forbidden"
alice send {"action":"$connect"}
alice recv-like "Forbidden"
alice send {"action":"n"}
alice recv {"n":1}
bob recv-none
alice close 1000
bob recv DISCONNECT

=== TEST 4: without a route at all
--- api
--- ws
alice connect /ws
alice send {"action":"x"}
alice recv-like \A\{"message": "Forbidden", "connectionId":"[A-Za-z0-9_-]{22}==", "requestId":"[A-Za-z0-9_-]{15}="\}\z
alice send x
alice recv-like \A\{"message": "Forbidden", "connectionId":"[A-Za-z0-9_-]{22}==", "requestId":"[A-Za-z0-9_-]{15}="\}\z

=== TEST 5: the frame's ids are the context's, each message has its own request
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
bob send {"action":"me"}
bob recv-json {"id":"*"} => id=id
alice send 1
alice recv-like \A\{"message": "Forbidden", "connectionId":"${alice.id}", "requestId":"(?<r1>[\w-]{15}=)"\}\z
alice send 2
alice recv-like \A\{"message": "Forbidden", "connectionId":"${alice.id}", "requestId":"(?<r2>(?!${r1})[\w-]{15}=)"\}\z
bob send 3
bob recv-like \A\{"message": "Forbidden", "connectionId":"${bob.id}", "requestId":"(?!${r1}|${r2})[\w-]{15}="\}\z
--- error_log
no route for the message, and no $default

=== TEST 6: values that are no strings are keys by their JSON text
--- api
route 1 { reply one; }
route 1.0 { reply one.zero; }
route 1e5 { reply exponent; }
route -0 { reply minus-zero; }
route 12345678901234567890123456789 { reply huge; }
route true { reply TRUE; }
route false { reply FALSE; }
route null { reply NULL; }
route '{"a":[1,{"b":"c d"}]}' { reply object; }
route '[]' { reply empty-array; }
route '{}' { reply empty-object; }
route '[x, y]' { reply array-of-two; }
route '[x, 1, true, null, {"k":"v"}, [a, [b]]]' { reply array-of-all; }
route '[a "quoted"]' { reply array-quotes; }
route $default { reply '$$default'; }
--- ws
alice connect /ws
alice send {"action":1}
alice recv one
alice send {"action":"1"}
alice recv one
alice send {"action":1.0}
alice recv one.zero
alice send {"action":1.00}
alice recv $default
alice send {"action":1e5}
alice recv exponent
alice send {"action":1E5}
alice recv $default
alice send {"action":100000}
alice recv $default
alice send {"action":-0}
alice recv minus-zero
alice send {"action":0}
alice recv $default
alice send {"action":12345678901234567890123456789}
alice recv huge
alice send {"action":12345678901234567890123456788}
alice recv $default
alice send {"action":true}
alice recv TRUE
alice send {"action":"true"}
alice recv TRUE
alice send {"action":false}
alice recv FALSE
alice send {"action":null}
alice recv NULL
alice send {"action":"null"}
alice recv NULL
alice send {"action": { "a" : [ 1 , { "b" : "c d" } ] } }
alice recv object
alice send {"action":[]}
alice recv empty-array
alice send {"action":[ ]}
alice recv empty-array
alice send {"action":{ }}
alice recv empty-object
alice send {"action":["x","y"]}
alice recv array-of-two
alice send {"action": [ "x" , "y" ] }
alice recv array-of-two
alice send {"action":["x",1,true,null,{"k" : "v"},["a",["b"]]]}
alice recv array-of-all
alice send {"action":["a \"quoted\""]}
alice recv array-quotes
alice send {"action":["x"]}
alice recv $default

=== TEST 7: messages that are JSON but no object
--- api
route join { reply join; }
route $default { reply 'default:$request.body'; }
--- ws
alice connect /ws
alice send ["join"]
alice recv default:["join"]
alice send "join"
alice recv default:"join"
alice send 1
alice recv default:1
alice send null
alice recv default:null
alice send true
alice recv default:true
alice send [{"action":"join"}]
alice recv default:[{"action":"join"}]
alice send []
alice recv default:[]
# white space around it is JSON's
alice send-esc  \t\r\n {"action":"join"}\r\n \t
alice recv join
# and nothing else is
alice send-esc \x0b{"action":"join"}
alice recv-esc default:\x0b{"action":"join"}
alice send-esc \xef\xbb\xbf{"action":"join"}
alice recv-esc default:\xef\xbb\xbf{"action":"join"}
alice send-esc {"action":"join"}\x00
alice recv-esc default:{"action":"join"}\x00

=== TEST 8: of two members with one name the last one counts
--- api
route first { reply first; }
route last { reply last; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"action":"first","action":"last"}
alice recv last
alice send {"action":"last","action":"first"}
alice recv first
alice send {"action":"first","\u0061ction":"last"}
alice recv last
alice send {"action":"first","action":{}}
alice recv default
alice send {"action":"first","x":{"action":"last"}}
alice recv first

=== TEST 9: escapes in names and values are what they stand for
--- api
route join { reply join; }
route 'a"b\\c/d' { reply odd; }
route ü { reply umlaut; }
route 😀 { reply emoji; }
route '�' { reply replacement; }
route "a\tb" { reply tab; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"\u0061\u0063tion":"\u006aoin"}
alice recv join
alice send {"action":"j\u006F\u0069n"}
alice recv join
alice send {"action":"a\"b\\c\/d"}
alice recv odd
alice send {"action":"a\u0022b\u005cc\u002fd"}
alice recv odd
alice send {"action":"\u00fc"}
alice recv umlaut
alice send {"action":"ü"}
alice recv umlaut
alice send {"action":"\u00FC"}
alice recv umlaut
alice send {"action":"\ud83d\ude00"}
alice recv emoji
alice send {"action":"😀"}
alice recv emoji
# a surrogate without its pair is U+FFFD
alice send {"action":"\ud83d"}
alice recv replacement
alice send {"action":"\ude00"}
alice recv replacement
alice send {"action":"a\tb"}
alice recv tab
alice send {"action":"a\u0009b"}
alice recv tab
# a control character as it is makes it no JSON
alice send-esc {"action":"a\tb"}
alice recv default
alice send {"action":"join\u0000"}
alice recv default
alice send {"action":"\u0000"}
alice recv default
alice send {"action":"\u00"}
alice recv default
alice send {"action":"\x6aoin"}
alice recv default

=== TEST 10: route keys with all kinds of characters
--- api
route 'two words' { reply '1 $context.routeKey'; }
route 'semi;colon' { reply '2 $context.routeKey'; }
route '{brace}' { reply '3 $context.routeKey'; }
route "it's" { reply '4 $context.routeKey'; }
route '#hash' { reply '5 $context.routeKey'; }
route a/b.c-d_e { reply '6 $context.routeKey'; }
route not$first { reply '7 $context.routeKey'; }
route ' ' { reply '8 $context.routeKey'; }
route "new\nline" { reply '{"key":"$context.routeKey"}'; }
route 日本語 { reply '9 $context.routeKey'; }
route reply { reply '10 $context.routeKey'; }
route default { reply '11 $context.routeKey'; }
route connect { reply '12 $context.routeKey'; }
--- ws
alice connect /ws
alice send {"action":"two words"}
alice recv 1 two words
alice send {"action":"semi;colon"}
alice recv 2 semi;colon
alice send {"action":"{brace}"}
alice recv 3 {brace}
alice send {"action":"it's"}
alice recv 4 it's
alice send {"action":"#hash"}
alice recv 5 #hash
alice send {"action":"a/b.c-d_e"}
alice recv 6 a/b.c-d_e
alice send {"action":"not$first"}
alice recv 7 not$first
alice send {"action":" "}
alice recv-esc 8 \x20
alice send {"action":"new\nline"}
alice recv {"key":"new\nline"}
alice send {"action":"日本語"}
alice recv 9 日本語
alice send {"action":"reply"}
alice recv 10 reply
alice send {"action":"default"}
alice recv 11 default
alice send {"action":"connect"}
alice recv 12 connect

=== TEST 11: a key of 256 bytes
--- api eval
'route ' . 'x' x 256 . ' { reply long; }'
. 'route ' . 'x' x 255 . ' { reply shorter; }'
. 'route $default { reply default; }'
--- ws
alice connect /ws
alice send {"action":"${x*256}"}
alice recv long
alice send {"action":"${x*255}"}
alice recv shorter
alice send {"action":"${x*257}"}
alice recv default
alice send {"action":"${x*5000}"}
alice recv default
alice send {"action":"${x*60000}"}
alice recv default
# longer than what an expression may make of escapes
alice send {"action":"\n${x*60000}"}
alice recv default

=== TEST 12: one of 300 routes
--- api eval
CORE::join('', map { "route r$_ { reply 'is $_'; }\n" } 0 .. 299)
. 'route $default { reply default; }'
--- ws
alice connect /ws
repeat 300 alice send {"action":"r${i}"}
repeat 300 alice recv is ${i}
alice send {"action":"r300"}
alice recv default

=== TEST 13: no more than 64 levels are JSON
--- api
route join { reply 'join $request.body.x[0][0][0]'; }
route $default { reply default; }
--- ws
alice connect /ws
# the object is the 1st level, 63 arrays
alice send {"action":"join","x":${[*63}${]*63}}
alice recv-esc join ${[*60}${]*60}
alice send {"action":"join","x":${[*64}${]*64}}
alice recv default
alice send {"action":"join","x":${[*50000}${]*50000}}
alice recv default
alice send ${[*100000}
alice recv default
alice send {"action":"join","x":[[["in"]]]}
alice recv join in

=== TEST 14: the expression is as if it were $request.body.action
--- api
route_selection_expression $request.body.action;
route join { reply join; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv join
alice send {"route":"join"}
alice recv default

=== TEST 15: another member, in braces
--- api
route_selection_expression ${request.body.type};
route join { reply join; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"type":"join"}
alice recv join
alice send {"action":"join"}
alice recv default

=== TEST 16: several variables and literals
--- api
route_selection_expression ${request.body.service}/${request.body.action};
route chat/join { reply both; }
route chat/ { reply service; }
route /join { reply action; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"service":"chat","action":"join","data":{"room":"room1234"}}
alice recv both
# a missing path is an empty string
alice send {"service":"chat"}
alice recv service
alice send {"action":"join"}
alice recv action
alice send {"service":"chat","action":""}
alice recv service
alice send {"service":"chat","action":"leave"}
alice recv default
alice send {"service":"chat/join"}
alice recv default

=== TEST 17: a missing path in the middle
--- api
route_selection_expression "${request.body.action}-${request.body.invalidPath}";
route join- { reply missing; }
route join-x { reply there; }
route join-null { reply NULL; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv missing
alice send {"action":"join","invalidPath":"x"}
alice recv there
alice send {"action":"join","invalidPath":null}
alice recv NULL
alice send {"action":"join-"}
alice recv default

=== TEST 18: a literal after the braces
--- api
route_selection_expression ${request.body.version}-beta;
route 2-beta { reply beta; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"version":2}
alice recv beta
alice send {"version":"2-beta"}
alice recv default

=== TEST 19: a static expression
--- api
route_selection_expression action;
route action { reply action; }
route $default { reply 'default $request.body'; }
--- ws
alice connect /ws
alice send {"action":"other"}
alice recv action
alice send {}
alice recv action
alice send [1]
alice recv action
# no JSON goes to $default also now
alice send plain
alice recv default plain
alice send
alice recv-esc default\x20

=== TEST 20: \$default
--- api
route_selection_expression \$default;
route default { reply wrong; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"action":"default"}
alice recv default
alice send x
alice recv default

=== TEST 21: \$connect does not select it, nor does \$disconnect
--- api
route_selection_expression \$${request.body.action};
route $connect { set $connection.n 1; }
route $disconnect { send all 'DISCONNECT'; }
route $default { reply 'default $context.routeKey $connection.n'; }
--- ws
bob connect /ws
alice connect /ws
alice send {"action":"connect"}
alice recv default $default 1
alice send {"action":"disconnect"}
alice recv default $default 1
bob recv-none

=== TEST 22: a dollar in the middle, written \$
--- api
route_selection_expression "a\$b ${request.body.x}";
route 'a$b c' { reply dollar; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"x":"c"}
alice recv dollar
alice send {"b":"c"}
alice recv default

=== TEST 23: what a value says is not evaluated again
--- api
route_selection_expression "x${request.body.action}";
route x$request.body.other { reply once; }
route 'x${request.body.other}' { reply 'once, too'; }
route 'x\$y' { reply backslash; }
route xjoin { reply twice; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"action":"$request.body.other","other":"join"}
alice recv once
alice send {"action":"${request.body.other}","other":"join"}
alice recv once, too
alice send {"action":"\\$y"}
alice recv backslash

=== TEST 24: paths
--- api
route_selection_expression "${request.body.a[1].b['c.d'][\"e f\"]}";
route deep { reply deep; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"a":[0,{"b":{"c.d":{"e f":"deep"}}}]}
alice recv deep
alice send {"a":[{"b":{"c.d":{"e f":"deep"}}}]}
alice recv default
alice send {"a":{"1":{"b":{"c.d":{"e f":"deep"}}}}}
alice recv default
alice send {"a":[0,{"b":{"c":{"d":{"e f":"deep"}}}}]}
alice recv default
alice send {"a":[0,{"b":{"c.d":["deep"]}}]}
alice recv default
alice send {"a":[0,{"b":"c.d"}]}
alice recv default

=== TEST 25: paths without braces
--- api
route_selection_expression $request.body.a[0]['x'].b_1;
route ok { reply ok; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"a":[{"x":{"b_1":"ok"}}]}
alice recv ok
alice send {"a":[{"x":{"b_1":"no"}}]}
alice recv default

=== TEST 26: a name with a dash, and one that ends the reference
--- api
route_selection_expression $request.body.my-action.name/x;
route go/x { reply ok; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"my-action":{"name":"go"}}
alice recv ok
alice send {"my":"go"}
alice recv default

=== TEST 27: the array's first
--- api
route_selection_expression $request.body[0];
route join { reply join; }
route $default { reply default; }
--- ws
alice connect /ws
alice send ["join","leave"]
alice recv join
alice send ["leave","join"]
alice recv default
alice send {"0":"join"}
alice recv default
alice send []
alice recv default

=== TEST 28: the whole message
--- api
route_selection_expression $request.body;
route '"ping"' { reply pong; }
route '{"a":1}' { reply object; }
route 7 { reply seven; }
route ping { reply never; }
route $default { reply default; }
--- ws
alice connect /ws
alice send "ping"
alice recv pong
alice send {"a":1}
alice recv object
alice send {"a": 1}
alice recv default
alice send 7
alice recv seven
# not JSON
alice send ping
alice recv default

=== TEST 29: routes are told apart by all of their bytes
--- api
route a { reply a; }
route aa { reply aa; }
route ab { reply ab; }
route b { reply b; }
route B { reply B; }
route ba { reply ba; }
route é { reply e; }
route é { reply e2; }
route $default { reply default; }
--- ws
alice connect /ws
alice send {"action":"a"}
alice recv a
alice send {"action":"aa"}
alice recv aa
alice send {"action":"ab"}
alice recv ab
alice send {"action":"b"}
alice recv b
alice send {"action":"B"}
alice recv B
alice send {"action":"ba"}
alice recv ba
# composed, and a letter with an accent behind it
alice send {"action":"\u00e9"}
alice recv e
alice send {"action":"e\u0301"}
alice recv e2
alice send {"action":"e"}
alice recv default
alice send {"action":"A"}
alice recv default

=== TEST 30: an api's routes are its own
--- http_config
wschat_zone chat 1m;
wschat_api one { route x { reply 'one $context.apiId'; } }
wschat_api two { route_selection_expression $request.body.t;
                 route x { reply 'two $context.apiId'; } route $default { reply 'two default'; } }
--- config
location /one { wschat one; }
location /two { wschat two; }
--- ws
alice connect /one
bob connect /two
alice send {"action":"x"}
alice recv one one
alice send {"t":"x"}
alice recv-like ^\{"message": "Forbidden"
bob send {"t":"x"}
bob recv two two
bob send {"action":"x"}
bob recv two default

=== TEST 31: fragments, and messages that follow each other at once
--- api
route join { reply 'join $request.body.n'; }
route $default { reply 'default $request.body'; }
--- ws
alice connect /ws
alice frame op=1,fin=0 {"act
alice frame op=0,fin=0 ion":"jo
alice frame op=9 x
alice frame op=0 in","n":1}
alice recv-pong x
alice recv join 1
repeat 200 alice send {"action":"join","n":${i}}
repeat 200 alice recv join ${i}
