# References: each of them, in each place where it can have a value.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

share_nginx();
run_tests();

__DATA__

=== TEST 1: $request.header in $connect
--- api
route $connect {
    respond 400 '{"a":"$request.header.X-A","b":"$request.header.x-b","q":"$request.header[\'x-a\']","t":"<$request.header.X_C>","h":"$request.header.host"}';
}
--- ws
alice connect /ws => 400 \A\{"t":"<>","h":"localhost"\}\z
alice connect /ws X-A: one => 400 \A\{"a":"one","q":"one","t":"<>","h":"localhost"\}\z
alice connect /ws x-a: one => 400 \A\{"a":"one","q":"one",
# of several the last
alice connect /ws X-A: one | X-B: b | x-a: two => 400 \A\{"a":"two","b":"b","q":"two",
alice connect /ws X-A: one | X-A: => 400 \A\{"a":"","q":"",
alice connect /ws X-A: {"x": "y\\"} => 400 \A\{"a":"\{\\"x\\": \\"y\\\\\\\\\\"\}","q":
alice connect /ws X-A: 1.10 => 400 \A\{"a":"1.10",
alice connect /ws X-A: ü😀 => 400 \A\{"a":"ü😀",
alice connect /ws X-AA: no | A: no | X: no => 400 \A\{"t":"<>",
# what is not UTF-8 is made it
bob open
bob write GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-A: a\xff\xc3b\x01\r\n\r\n
bob recv-head 400
bob recv-body \A\{"a":"a\xef\xbf\xbd\xef\xbf\xbdb\\u0001",

=== TEST 2: $request.querystring in $connect
--- api
route $connect {
    respond 400 '{"a":"$request.querystring.a","b":"$request.querystring[\'b c\']","t":"<$request.querystring.t>"}';
}
--- ws
alice connect /ws => 400 \A\{"t":"<>"\}\z
alice connect /ws? => 400 \A\{"t":"<>"\}\z
alice connect /ws?a=one => 400 \A\{"a":"one","t":"<>"\}\z
# of several the last
alice connect /ws?a=one&b=x&a=two&t=3 => 400 \A\{"a":"two","t":"<3>"\}\z
alice connect /ws?a=one&a => 400 \A\{"a":"","t":"<>"\}\z
alice connect /ws?a=one&a=&t => 400 \A\{"a":"","t":"<>"\}\z
alice connect /ws?a=x=y&&t==&& => 400 \A\{"a":"x=y","t":"<=>"\}\z
# blanks and percents
alice connect /ws?a=query+value => 400 \A\{"a":"query value",
alice connect /ws?a=%2B%20%25+%26%3d => 400 \A\{"a":"\+ % &=",
alice connect /ws?a=%22,%22admin%22:%22%5C => 400 \A\{"a":"\\",\\"admin\\":\\"\\\\",
alice connect /ws?a=%C3%BC%F0%9F%98%80 => 400 \A\{"a":"ü😀",
alice connect /ws?a=%2525 => 400 \A\{"a":"%25",
alice connect /ws?a=%00%0A => 400 \A\{"a":"\\u0000\\n",
# what is not UTF-8
alice connect /ws?a=%FF => 400 \A\{"a":"\xef\xbf\xbd",
alice connect /ws?a=x%C3 => 400 \A\{"a":"x\xef\xbf\xbd",
alice connect /ws?a=%C0%80 => 400 \A\{"a":"(\xef\xbf\xbd){2}",
alice connect /ws?a=%ED%A0%BD => 400 \A\{"a":"(\xef\xbf\xbd){3}",
alice connect /ws?a=%F4%90%80%80 => 400 \A\{"a":"(\xef\xbf\xbd){4}",
# names are case-sensitive
alice connect /ws?A=1&aa=2&xa=3 => 400 \A\{"t":"<>"\}\z
alice connect /ws?a=1.10&a=1 => 400 \A\{"a":"1","t":"<>"\}\z

=== TEST 3: what is said in the handshake can be kept
--- api
route $connect {
    set $connection.user  $request.querystring.name;
    set $connection.agent "$request.header.user-agent!";
    if (!$request.querystring.name) { respond 401 '{"message":"Unauthorized"}'; }
    reply '{"q":"$request.querystring.name","h":"$request.header.user-agent"}';
}
route who { reply '{"user":"$connection.user","agent":"$connection.agent"}'; }
--- ws
alice connect /ws => 401 \A\{"message":"Unauthorized"\}\z
alice connect /ws?name=Al%20ice User-Agent: test/1
alice recv {"q":"Al ice","h":"test/1"}
alice send {"action":"who"}
alice recv {"user":"Al ice","agent":"test/1!"}

=== TEST 4: nginx's variables, as they were at the handshake
--- http_config
map $arg_m $mapped { a 'mapped a'; default ''; }
map $uri $last { volatile; ~/(?<tail>[^/]+)$ $tail; }
wschat_zone chat 1m;
wschat_api chat {
    on member_leave { send room=obs '{"hook":"$remote_addr","x":"$arg_x"}'; }
    route $connect { join r; reply '{"addr":"$remote_addr","x":"$arg_x","m":"$mapped"}'; }
    route v {
        reply '{"addr":"$remote_addr","h":"$http_x_a","x":"$arg_x","m":"$mapped","u":"$remote_user","c":"$cookie_c","scheme":"$scheme","uri":"$uri","last":"$last","method":"$request_method","args":"<$args>","host":"$host"}';
    }
    route t { reply 'addr $remote_addr x ${arg_x}s none:$http_none.'; }
    route obs { join obs; reply ok; }
    route $disconnect { send room=obs '{"gone":"$remote_addr","x":"$arg_x"}'; }
}
--- config
location /ws { wschat chat; }
--- ws
obs connect /ws
obs recv {"addr":"127.0.0.1"}
obs send {"action":"obs"}
obs recv ok
obs send {"action":"v"}
obs recv {"addr":"127.0.0.1","scheme":"http","uri":"/ws","last":"ws","method":"GET","args":"<>","host":"localhost"}
alice connect from=127.0.0.2 /ws/x?m=a&x=1+%22 X-A: a"b\ | Authorization: Basic YWxpY2U6eA== | Cookie: b=1; c=2
alice recv {"addr":"127.0.0.2","x":"1+%22","m":"mapped a"}
alice send {"action":"v"}
alice recv {"addr":"127.0.0.2","h":"a\"b\\","x":"1+%22","m":"mapped a","u":"alice","c":"2","scheme":"http","uri":"/ws/x","last":"x","method":"GET","args":"<m=a&x=1+%22>","host":"localhost"}
alice send {"action":"t"}
alice recv addr 127.0.0.2 x 1+%22s none:.
bob connect /ws?x=2
bob recv {"addr":"127.0.0.1","x":"2"}
bob send {"action":"t"}
bob recv addr 127.0.0.1 x 2s none:.
# each its own
alice send {"action":"t"}
alice recv addr 127.0.0.2 x 1+%22s none:.
alice close
obs recv {"gone":"127.0.0.2","x":"1+%22"}
obs recv {"hook":"127.0.0.2","x":"1+%22"}

=== TEST 5: a variable of nginx that is no UTF-8, and one that is too long
--- api
route v { reply '{"a":"$http_x_a","b":"$http_x_b"}'; }
--- ws
bob open
bob write GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-A: a\xff\xe2\x80\r\nX-B: b\r\n\r\n
bob recv-head 101
bob send {"action":"v"}
bob recv-esc {"a":"a\xef\xbf\xbd\xef\xbf\xbd","b":"b"}
alice connect /ws X-A: ${x*5000} | X-B: b
alice send {"action":"v"}
alice recv {"b":"b"}
log variable "http_x_a" is too long
no-log xxxxxx

=== TEST 6: $remote_user of auth_basic
--- http_config
wschat_zone chat 1m;
wschat_api chat {
    route $connect { set $connection.user $remote_user; }
    route who { reply '{"user":"$connection.user"}'; }
    route to { send user=$request.body.to 'from $connection.user'; }
}
--- config
location /ws { auth_basic x; auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users; wschat chat; }
--- user_files
>>> users
alice:{PLAIN}secret
bob:{PLAIN}secret
--- ws
alice connect /ws => 401
alice connect /ws Authorization: Basic YWxpY2U6c2VjcmV0
alice send {"action":"who"}
alice recv {"user":"alice"}
bob connect /ws Authorization: Basic Ym9iOnNlY3JldA==
bob send {"action":"to","to":"alice"}
alice recv from bob

=== TEST 7: $context of a message
--- api
route a {
    reply '{"connectionId":"$context.connectionId","routeKey":"$context.routeKey","apiId":"$context.apiId","requestId":"$context.requestId","extendedRequestId":"$context.extendedRequestId","messageId":"$context.messageId","messageDirection":"$context.messageDirection","eventType":"$context.eventType","connectedAt":"$context.connectedAt","requestTime":"$context.requestTime","requestTimeEpoch":"$context.requestTimeEpoch","identity":{"sourceIp":"$context.identity.sourceIp"}}';
}
route $default { reply 'default $context.routeKey $context.eventType'; }
--- ws
alice connect /ws
alice send {"action":"a"}
alice recv-like \A\{"connectionId":"(?<id>[\w-]{22}==)","routeKey":"a","apiId":"chat","requestId":"(?<r>[\w-]{15}=)","extendedRequestId":"\k<r>","messageId":"(?<m>[\w-]{15}=)","messageDirection":"IN","eventType":"MESSAGE","connectedAt":(?<at>1[78]\d{11}),"requestTime":"\d\d/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/20\d\d:\d\d:\d\d:\d\d \+0000","requestTimeEpoch":1[78]\d{11},"identity":\{"sourceIp":"127\.0\.0\.1"\}\}\z
alice send {"action":"a"}
# the connection's stay, the message's are new
alice recv-like \A\{"connectionId":"${id}","routeKey":"a","apiId":"chat","requestId":"(?!${r})[\w-]{15}=","extendedRequestId":"[\w-]{15}=","messageId":"(?!${m})[\w-]{15}=","messageDirection":"IN","eventType":"MESSAGE","connectedAt":${at},
alice send x
alice recv default $default MESSAGE
bob connect from=127.0.0.3 /ws
bob send {"action":"a"}
bob recv-like \A\{"connectionId":"(?!${id})[\w-]{22}==".*"identity":\{"sourceIp":"127\.0\.0\.3"\}\}\z

=== TEST 8: $context is the same throughout a run, also after waiting
--- api
on member_join { reply '$context.requestId $context.messageId $context.requestTimeEpoch $context.requestTime $time.msec $time.iso8601 $context.routeKey $context.connectionId $context.eventType'; }
route a {
    set $x '$context.requestId $context.messageId $context.requestTimeEpoch $context.requestTime $time.msec $time.iso8601 $context.routeKey $context.connectionId $context.eventType';
    reply $x;
    delay 50ms;
    reply '$context.requestId $context.messageId $context.requestTimeEpoch $context.requestTime $time.msec $time.iso8601 $context.routeKey $context.connectionId $context.eventType';
    join r;
    reply $x;
}
--- ws
alice connect /ws
alice send {"action":"a"}
alice recv-like ^(?<all>[\w-]{15}= [\w-]{15}= \d{13} \d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d )\+0000(?<rest> \d{13} [\dT:.-]+Z a [\w-]{22}== MESSAGE)$
alice recv ${all}+0000${rest}
alice recv ${all}+0000${rest}
alice recv ${all}+0000${rest}

=== TEST 9: no two messages have the same ids
--- api
on member_join { set $connection.all "$connection.all $context.requestId $context.messageId"; }
route next { set $connection.all "$connection.all $context.requestId $context.messageId"; }
route show { reply $connection.all; }
--- ws
alice connect /ws
repeat 60 alice send {"action":"next"}
alice send {"action":"show"}
alice recv-like ^(?!.*( \S+)(?= ).*\1(?: |$))( [\w-]{15}=){120}$

=== TEST 10: $context in $connect and $disconnect
--- api
route $connect {
    if ($request.querystring.no) {
        respond 403 '{"connectionId":"$context.connectionId","requestId":"$context.requestId"}';
    }
    set $connection.c '{"connectionId":"$context.connectionId","routeKey":"$context.routeKey","apiId":"$context.apiId","requestId":"$context.requestId","direction":"$context.messageDirection","eventType":"$context.eventType","connectedAt":"$context.connectedAt","epoch":"$context.requestTimeEpoch","time":"$context.requestTime","ip":"$context.identity.sourceIp"}';
    reply '"$connection.c"';
}
route obs { join obs; reply '$context.connectionId $context.connectedAt'; }
route $disconnect {
    send room=obs '{"connectionId":"$context.connectionId","routeKey":"$context.routeKey","apiId":"$context.apiId","requestId":"$context.requestId","direction":"$context.messageDirection","eventType":"$context.eventType","connectedAt":"$context.connectedAt","epoch":"$context.requestTimeEpoch","time":"$context.requestTime","ip":"$context.identity.sourceIp","code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}';
}
--- ws
alice connect /ws?no=1 => 403 [x-amz-apigw-id: ^(?<r>[\w-]{15}=)$] \A\{"connectionId":"[\w-]{22}==","requestId":"[\w-]{15}="\}\z
obs connect /ws
obs recv-like ^\{"connectionId"
obs send {"action":"obs"}
obs recv-like ^[\w-]{22}== \d{13}$
alice connect from=127.0.0.4 /ws
alice recv-like \A\{"connectionId":"(?<id>[\w-]{22}==)","routeKey":"\$connect","apiId":"chat","requestId":"(?<r>[\w-]{15}=)","direction":"IN","eventType":"CONNECT","connectedAt":(?<at>\d{13}),"epoch":\d{13},"time":"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000","ip":"127\.0\.0\.4"\}\z
alice close 4321 so long
obs recv-like \A\{"connectionId":"${id}","routeKey":"\$disconnect","apiId":"chat","requestId":"(?!${r})[\w-]{15}=","direction":"IN","eventType":"DISCONNECT","connectedAt":${at},"epoch":\d{13},"time":"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000","ip":"127\.0\.0\.4","code":4321,"reason":"so long"\}\z
alice connect /ws
alice recv-like ^\{"connectionId"
alice close
obs recv-like "code":1005,"reason":"Client-side close frame status not set"\}\z
alice connect /ws
alice recv-like ^\{"connectionId"
alice close 1001
obs recv-like "code":1001,"reason":""\}\z
alice connect /ws
alice recv-like ^\{"connectionId"
alice close 1000 "quoted" \\ ü
obs recv-like "code":1000,"reason":"\\"quoted\\" \\\\ ü"\}\z
alice connect /ws
alice recv-like ^\{"connectionId"
alice abort
obs recv-like "code":1006,"reason":"[^"]+"\}\z
alice connect /ws
alice recv-like ^\{"connectionId"
alice hangup
obs recv-like "code":1006,"reason":"[^"]+"\}\z
alice connect /ws
alice recv-like ^\{"connectionId"
alice send-bin 00
alice recv-close 1003 Binary is not supported
obs recv-like "code":1003,"reason":"Binary is not supported"\}\z

=== TEST 11: the times agree
--- api
route t { reply '$time.sec $time.msec $context.requestTimeEpoch $time.iso8601 $context.requestTime'; }
route j { reply '{"sec":"$time.sec","msec":"$time.msec","iso":"$time.iso8601"}'; }
--- ws
alice connect /ws
alice send {"action":"t"}
alice recv-like ^(?<s>\d{10}) (?<ms>\k<s>(?<frac>\d{3})) \k<ms> (?<y>20\d\d)-\d\d-(?<d>\d\d)T(?<hms>\d\d:\d\d:\d\d)\.\k<frac>Z \k<d>/[A-Z][a-z]{2}/\k<y>:\k<hms> \+0000$
alice send {"action":"j"}
alice recv-like ^\{"sec":1[78]\d{8},"msec":1[78]\d{11},"iso":"20\d\d-[01]\d-[0-3]\dT[012]\d:[0-5]\d:[0-6]\d\.\d{3}Z"\}$

=== TEST 12: $random is another one each time
--- api
route r { reply '{"h":"$random.hex8","i":"$random.hex8","u":"$random.uuid","v":"$random.uuid"}'; }
route s { set $x $random.uuid; reply '$x $x'; }
route many { set $connection.all "$connection.all $random.uuid$random.hex8"; }
route show { reply $connection.all; }
--- ws
alice connect /ws
alice send {"action":"r"}
alice recv-like ^\{"h":"(?<h>[0-9a-f]{8})","i":"(?!\k<h>)[0-9a-f]{8}","u":"(?<u>[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})","v":"(?!\k<u>)[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"\}$
alice send {"action":"s"}
alice recv-like ^(\S{36}) \1$
repeat 60 alice send {"action":"many"}
alice send {"action":"show"}
alice recv-like ^(?!.*( \S+)(?= ).*\1(?: |$))( [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{20}){60}$

=== TEST 13: attributes keep their type
--- api
route set { set $connection.v $request.body.v; reply '{"v":"$connection.v","t":"<$connection.v>"}'; }
route get { reply '{"v":"$connection.v","b":"$connection[\'v\']"}'; }
route text { reply 'v:$connection.v'; }
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"get"}
alice recv {}
alice send {"action":"set","v":1.10}
alice recv {"v":1.10,"t":"<1.10>"}
alice send {"action":"get"}
alice recv {"v":1.10,"b":1.10}
alice send {"action":"set","v":"1.10"}
alice recv {"v":"1.10","t":"<1.10>"}
alice send {"action":"get"}
alice recv {"v":"1.10","b":"1.10"}
alice send {"action":"set","v":[ 1 , { "a" : null } ]}
alice recv {"v":[1,{"a":null}],"t":"<[1,{\"a\":null}]>"}
alice send {"action":"text"}
alice recv v:[1,{"a":null}]
alice send {"action":"set","v":false}
alice recv {"v":false,"t":"<false>"}
alice send {"action":"set","v":null}
alice recv {"v":null,"t":"<null>"}
alice send {"action":"get"}
alice recv {"v":null,"b":null}
alice send {"action":"set","v":""}
alice recv {"v":"","t":"<>"}
alice send {"action":"set","v":"\"\\\n\u00fc\ud83d\ude00"}
alice recv-json {"v":"\"\\\nü😀","t":"<\"\\\nü😀>"}
alice send {"action":"text"}
alice recv-esc v:"\\\n\xc3\xbc\xf0\x9f\x98\x80
alice send {"action":"set","v":12345678901234567890123}
alice recv {"v":12345678901234567890123,"t":"<12345678901234567890123>"}
# a value that is absent takes the attribute away
alice send {"action":"set"}
alice recv {"t":"<>"}
alice send {"action":"get"}
alice recv {}
# each connection has its own
alice send {"action":"set","v":"a"}
alice recv {"v":"a","t":"<a>"}
bob send {"action":"get"}
bob recv {}

=== TEST 14: attributes of all lengths up to 4096 bytes of JSON
--- api
route set { set $connection.v $request.body.v; reply ok; }
route get { reply '{"v":"$connection.v"}'; }
route members { join r; reply '{"v":"$members.v"}'; }
--- ws
alice connect /ws
alice send {"action":"set","v":"${x*4094}"}
alice recv ok
alice send {"action":"get"}
alice recv {"v":"${x*4094}"}
alice send {"action":"members"}
alice recv {"v":["${x*4094}"]}
alice send {"action":"set","v":"short"}
alice recv ok
alice send {"action":"members"}
alice recv {"v":["short"]}
alice send {"action":"set","v":"${y*4095}"}
alice recv-like ^\{"message": "Internal server error"
# it has the one before
alice send {"action":"get"}
alice recv {"v":"short"}
alice send {"action":"members"}
alice recv {"v":["short"]}
alice send {"action":"set","v":"${z*2000}"}
alice recv ok
alice send {"action":"members"}
alice recv {"v":["${z*2000}"]}
log wschat route "set": the value of an attribute is too long, in step "set" in \S+:\d+\b.* connection: [\w-]{22}==, route: "set"$
no-log yyyyyy

=== TEST 15: names of attributes
--- api
route set {
    set $connection.a 1;
    set $connection.a_b 2;
    set $connection.A 3;
    set $connection._1 4;
    set $connection.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 5;
    reply '{"a":"$connection.a","a_b":"$connection.a_b","A":"$connection.A","_1":"$connection._1","a64":"$connection.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}';
}
--- ws
alice connect /ws
alice send {"action":"set"}
alice recv {"a":1,"a_b":2,"A":3,"_1":4,"a64":5}

=== TEST 16: many attributes
--- api eval
'route set { ' . CORE::join('', map { "set \$connection.a$_ '\$request.body.v$_'; " } 1 .. 100) . "reply ok; }\n"
. 'route get { reply \'[' . CORE::join(',', map { "\"\$connection.a$_\"" } 1 .. 100) . ']\'; }'
--- ws
alice connect /ws
alice send {"action":"set","v":"$"}
alice recv ok
alice send {"action":"get"}
alice recv-like ^\[(null|""|,)*\]$

=== TEST 17: values that are made of several things
--- api
route set {
    set $connection.name '$request.body.first $request.body.last';
    set $connection.obj  '{"first":"$request.body.first","n":[1.0]}';
    set $connection.num  42;
    set $connection.yes  true;
    set $connection.text "plain text";
    set $connection.str  '"a json string"';
    set $connection.none null;
    reply '{"name":"$connection.name","obj":"$connection.obj","num":"$connection.num","yes":"$connection.yes","text":"$connection.text","str":"$connection.str","none":"$connection.none"}';
}
--- ws
alice connect /ws
alice send {"action":"set","first":"Al","last":"B"}
alice recv {"name":"Al B","obj":{"first":"Al","n":[1.0]},"num":42,"yes":true,"text":"plain text","str":"a json string","none":null}
alice send {"action":"set"}
alice recv {"name":" ","obj":{"n":[1.0]},"num":42,"yes":true,"text":"plain text","str":"a json string","none":null}

=== TEST 18: route variables live as long as the run
--- api
route set { set $x $request.body.x; reply '{"x":"$x"}'; }
on member_join { reply 'hook $x'; set $x inner; }
route get { reply '{"x":"$x"}'; }
route hook { set $x outer; join r; reply 'after $x'; }
route again { set $x 1; set $x "$x$x"; set $x "$x$x"; reply '{"x":"$x"}'; }
route none { set $x 1; set $x $request.body.none; reply '{"x":"$x"}'; }
--- ws
alice connect /ws
alice send {"action":"set","x":{"a": 1.10}}
alice recv {"x":{"a":1.10}}
alice send {"action":"get"}
alice recv {}
alice send {"action":"hook"}
alice recv hook outer
alice recv after inner
alice send {"action":"get"}
alice recv {}
alice send {"action":"again"}
alice recv {"x":"1111"}
alice send {"action":"none"}
alice recv {}

=== TEST 19: $room, $rooms, $members, $connection.room
--- api
route state {
    reply '{"room":"$room","count":"$room.count","created":"$room.created","offset":"$room.offset","epoch":"$room.epoch","history":"$room.history","rooms":"$rooms","members":"$members","users":"$members.user","last":"$connection.room"}';
}
route $connect { set $connection.user $request.querystring.u; }
route join {
    join $request.body.r;
    reply '{"room":"$room","count":"$room.count","created":"$room.created","offset":"$room.offset","rooms":"$rooms","users":"$members.user","last":"$connection.room"}';
}
route leave { leave $request.body.r; reply '{"room":"$room","last":"$connection.room"}'; }
route set { set $room $request.body.r; reply '{"room":"$room","users":"$members.user","last":"$connection.room"}'; }
route id { reply $context.connectionId; }
route ids { set $room $request.body.r; reply '$members'; }
--- ws
alice connect /ws?u=alice
bob connect /ws?u=bob
carol connect /ws
alice send {"action":"state"}
alice recv {"rooms":[],"members":[],"users":[]}
alice send {"action":"join","r":"one"}
alice recv {"room":"one","count":1,"created":true,"offset":0,"rooms":["one"],"users":["alice"],"last":"one"}
bob send {"action":"join","r":"one"}
bob recv {"room":"one","count":2,"created":false,"offset":0,"rooms":["one"],"users":["alice","bob"],"last":"one"}
# without a name it is no user
carol send {"action":"join","r":"one"}
carol recv {"room":"one","count":3,"created":false,"offset":0,"rooms":["one"],"users":["alice","bob"],"last":"one"}
bob send {"action":"join","r":"\"two\""}
bob recv {"room":"\"two\"","count":1,"created":true,"offset":0,"rooms":["one","\"two\""],"users":["bob"],"last":"\"two\""}
# what a message joined is no other message's
bob send {"action":"state"}
bob recv {"rooms":["one","\"two\""],"members":[],"users":[],"last":"\"two\""}
bob send {"action":"set","r":"one"}
bob recv {"room":"one","users":["alice","bob"],"last":"\"two\""}
bob send {"action":"set","r":"none"}
bob recv {"room":"none","users":[],"last":"\"two\""}
bob send {"action":"leave","r":"\"two\""}
bob recv {"last":"one"}
bob send {"action":"leave","r":"one"}
bob recv {}
alice send {"action":"id"}
alice recv-like ^(?<id>.*)$
carol send {"action":"id"}
carol recv-like ^(?<id>.*)$
bob send {"action":"ids","r":"one"}
bob recv ["${alice.id}","${carol.id}"]
bob send {"action":"ids","r":"none"}
bob recv []

=== TEST 20: after "set $room" there is no count but of the room itself
--- api
route join { join $request.body.r; reply ok; }
route set { set $room $request.body.r; reply '{"room":"$room","count":"$room.count"}'; }
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"join","r":"x"}
alice recv ok
bob send {"action":"join","r":"x"}
bob recv ok
# absent or right, but not wrong
bob send {"action":"set","r":"x"}
bob recv-like ^\{"room":"x"(,"count":2)?\}$

=== TEST 21: $members in conditions and in texts, $rooms of this api only
--- http_config
wschat_zone chat 2m;
wschat_api one { route join { join $request.body.r; if ($members ~ ,) { reply 'several'; stop; } reply 'rooms $rooms'; } }
wschat_api two { route join { join $request.body.r; reply 'rooms $rooms count $room.count'; } }
--- config
location /one { wschat one; }
location /two { wschat two; }
--- ws
a connect /one
b connect /two
c connect /one
a send {"action":"join","r":"x"}
a recv rooms ["x"]
b send {"action":"join","r":"x"}
b recv rooms ["x"] count 1
b send {"action":"join","r":"y"}
b recv rooms ["x","y"] count 1
c send {"action":"join","r":"z"}
c recv rooms ["x","z"]
c send {"action":"join","r":"x"}
c recv several

=== TEST 22: references as names, options and reasons
--- api
route $connect { set $connection.user "u$arg_n"; }
route join { join "$request.body.r-$connection.user"; reply $room; }
route send { send "room=$request.body.r-${connection.user}" '<$request.body.t>'; }
route user { send user=u$request.body.n 'hello $connection.user'; }
route conn { send "connection=$request.body.id" 'direct'; }
route me { reply $context.connectionId; }
route close { close 4000 'bye $connection.user, $request.body.t'; }
route leave { leave "$request.body.r-$connection.user"; reply '$rooms'; }
--- ws
alice connect /ws?n=1
bob connect /ws?n=2
alice send {"action":"join","r":"r"}
alice recv r-u1
alice send {"action":"send","r":"r","t":1.10}
alice recv <1.10>
bob send {"action":"user","n":1}
alice recv hello u2
alice send {"action":"me"}
alice recv-like ^(?<id>.*)$
bob send {"action":"conn","id":"${id}"}
alice recv direct
alice send {"action":"leave","r":"r"}
alice recv []
alice send {"action":"close","t":"\u00fc"}
alice recv-close 4000 bye u1, ü

=== TEST 23: a name that is a computed value is not disturbed by the body's
--- api
route join { join $context.connectionId; send room=$context.connectionId 'at $random.uuid $time.msec $context.requestTime $room.epoch'; reply ok; }
route user { set $connection.user $context.connectionId; send user=$context.connectionId '{"a":"$random.uuid","b":"$time.msec"}'; reply ok; }
route conn { send connection=$context.connectionId '$random.uuid'; reply ok; }
route since { join $context.connectionId since=$time.msec epoch=$time.sec; reply ok; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv-like ^at
alice recv ok
alice send {"action":"user"}
alice recv-json {"a":"*"}
alice recv ok
alice send {"action":"conn"}
alice recv-like ^[0-9a-f-]{36}$
alice recv ok
alice send {"action":"since"}
alice recv ok

=== TEST 24: variables of all kinds of nginx's modules, in routes and in hooks
--- http_config
geo $where { default elsewhere; 127.0.0.0/8 here; }
split_clients "$arg_x" $part { 100% all; }
map $arg_tier $tier { ~^(?<mapped>g.*)$ $mapped; default none; }
wschat_zone chat 1m;
wschat_api chat {
    on member_join { reply '["$where","$part","$place","$from_set","$tier","$login"]'; }
    route $connect { join $place; }
    route v { reply '$where $part $place $from_set $tier $login ${place}s'; }
}
--- config
set $from_set server;
location ~ ^/r/(?<place>\w+)$ { set $from_set "location $arg_x"; wschat chat; }
location /auth { auth_request /who; auth_request_set $login $upstream_http_x_login; set $place auth; wschat chat; }
location = /who { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/me; }
location = /me { add_header X-Login "ann \"x\""; return 204; }
location /rewritten { set $place rewritten; rewrite ^ /r/final last; }
--- ws
alice connect /r/lobby?x=1&tier=gold
alice recv-like ^\["here","all","lobby","location 1","gold",(null|"")\]$
alice send {"action":"v"}
alice recv here all lobby location 1 gold  lobbys
bob connect /auth?x=2
bob recv ["here","all","auth","server","none","ann \"x\""]
bob send {"action":"v"}
bob recv here all auth server none ann "x" auths
carol connect /rewritten?x=3
carol recv-like ^\["here","all","final","location 3","none",(null|"")\]$
# as they were at the handshake
alice send {"action":"v"}
alice recv here all lobby location 1 gold  lobbys

=== TEST 25: a variable of two routes is one
--- api
route a { set $x 1; set $x a$x; reply $x; }
route b { set $x b$x; set $y $x; reply '$x $y'; }
--- ws
alice connect /ws
alice send {"action":"a"}
alice recv a1
alice send {"action":"b"}
alice recv b b
