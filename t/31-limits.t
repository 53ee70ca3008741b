# Limits: where each is, and that what is behind it does no harm.  Those of
# frames, times and rooms have files of their own.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

share_nginx();
run_tests();

__DATA__

=== TEST 1: 500 routes, and $default
--- api eval
CORE::join('', map { "route r$_ { reply 'is $_'; }\n" } 1 .. 500)
. 'route $default { reply default; }'
. 'route $connect { reply connect; }'
. 'route $disconnect { send all disconnect; }'
. 'on room_empty { stop; }'
--- ws
alice connect /ws
alice recv connect
alice send {"action":"r1"}
alice recv is 1
alice send {"action":"r500"}
alice recv is 500
alice send {"action":"r501"}
alice recv default
alice send x
alice recv default

=== TEST 2: 501 are too many
--- api eval
CORE::join('', map { "route r$_ { reply 'is $_'; }\n" } 1 .. 501)
--- nginx_t
500.* in api:501$

=== TEST 3: the last route is logged by its name
--- api eval
CORE::join('', map { "route r$_ { join \$connection.none; }\n" } 1 .. 500)
. 'route $default { join $connection.none; }'
--- ws
alice connect /ws
alice send {"action":"r500"}
alice recv-like ^\{"message": "Internal server error"
log wschat route "r500": .*, route: "r500"
alice send x
alice recv-like ^\{"message": "Internal server error"
log wschat route "\$default": .*, route: "\$default"

=== TEST 4: a message of as many values as bytes
--- api eval
'route $default { reply \'{"v":"$request.body[59999]","w":"$request.body[60000]","x":"$request.body[60001]"}\'; }
max_message 200k;'
--- ws eval
"alice connect /ws\n"
. "alice send [" . ('1,' x 60000) . "2]\n"
. 'alice recv {"v":1,"w":2}' . "\n"
. "alice send [" . ('[],' x 60000) . "{}]\n"
. 'alice recv {"v":[],"w":{}}' . "\n"
. "alice send [" . ('1,' x 60000) . "]\n"
. 'alice recv {}' . "\n"
. "alice send 1\n"
. 'alice recv {}' . "\n"

=== TEST 5: an object with very many members, the last of one name counts
--- api
route v { reply '{"v":"$request.body.v","k":"$request.body.k4999"}'; }
--- ws eval
"alice connect /ws\n"
. 'alice send {"action":"v","v":0,' . CORE::join(',', map { qq("k$_":$_) } 0 .. 4999) . ',"v":1}' . "\n"
. 'alice recv {"v":1,"k":4999}' . "\n"
. 'alice send {' . ('"action":"x",' x 5000) . '"action":"v"}' . "\n"
. "alice recv {}\n"

=== TEST 6: names of apis, users and rooms at their longest
--- http_config eval
'wschat_zone chat 1m; wschat_api ' . 'n' x 64 . ' {
    route $connect { set $connection.user $arg_u; join $arg_u; }
    route x { reply \'$context.apiId\'; send user=$request.body.u \'user\'; send room=$request.body.u \'room\'; }
    route id { reply \'{"id":"$context.connectionId"}\'; }
}'
--- config eval
'location /ws { wschat ' . 'n' x 64 . '; } location /ws/@connections/ { wschat_connections ' . 'n' x 64 . '; }'
--- ws
alice connect /ws?u=${u*256}
bob connect apart=alice /ws?u=${u*256}
alice send {"action":"x","u":"${u*256}"}
alice recv ${n*64}
alice recv user
alice recv room
bob recv user
bob recv room
alice send {"action":"id"}
alice recv-json {"id":"*"} => id=id
http POST /ws/@connections/${id} x => 200
alice recv x

=== TEST 7: a list of members that is very long is cut, and is JSON still
--- http_config
wschat_zone chat 16m;
wschat_api chat {
    max_body 4m;
    send_queue 4m;
    route $connect { set $connection.big "$arg_u-$http_x"; join x; }
    route m { set $room x; reply '{"m":"$members.big"}'; }
    route ids { set $room x; reply '{"m":"$members"}'; }
}
--- config
location /ws { wschat chat; }
--- ws
repeat 300 c${i} connect /ws?u=${i} X: ${x*3800}
c7 send {"action":"m"}
c7 recv-json {"m":"*"}
c7 send {"action":"ids"}
c7 recv-json {"m":"*"}
c7 send {"action":"m"}
c7 recv-like ^\{"m":\["0-x+","1-x+"

=== TEST 8: a list of very many rooms
--- api
max_rooms 10000;
route j { join r-$request.body.n; }
route r { reply '{"r":"$rooms"}'; }
route l { leave; reply '{"r":"$rooms"}'; }
--- ws
alice connect /ws
repeat 3000 alice send {"action":"j","n":${i}}
alice send {"action":"r"}
alice recv-json {"r":"*"}
alice send {"action":"r"}
alice recv-like ^\{"r":\["r-0","r-1","r-2",.*"r-\d+"\]\}$
alice send {"action":"l"}
alice recv {"r":[]}

=== TEST 9: a history of very many records
--- http_config
wschat_zone chat 32m;
wschat_api chat {
    history 10000;
    route $connect { join x; }
    route k { send room=x except=self store '{"n":"$request.body.n","o":"$room.offset"}'; }
    route h { join x history=10000; reply '"$room.history"'; }
    route s { join x since=9990; reply '"$room.history"'; }
}
--- config
location /ws { wschat chat; }
--- ws
alice connect /ws
repeat 10010 alice send {"action":"k","n":${i}}
alice send {"action":"s"}
alice recv-like ^\[\{"n":9990,"o":9991\},.*,\{"n":10009,"o":10010\}\]$
alice send {"action":"h"}
alice recv-like ^\[\{"n":\d+,"o":\d+\},.*\{"n":10009,"o":10010\}\]$

=== TEST 10: a history that would be longer than a body
--- http_config
wschat_zone chat 32m;
wschat_api chat {
    history 10000;
    max_body 100k;
    route $connect { join x; }
    route k { send room=x except=self store '$request.body.t'; }
    route h { join x history=10000; reply '"$room.history"'; }
    route l { join x history=3; reply '"$room.history"'; }
    route ok { reply ok; }
}
--- config
location /ws { wschat chat; }
--- ws
alice connect /ws
repeat 100 alice send {"action":"k","t":"${x*5000}"}
alice send {"action":"h"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"l"}
alice recv ["${x*5000}","${x*5000}","${x*5000}"]
alice send {"action":"ok"}
alice recv ok

=== TEST 11: send_queue: who asks for more than it reads is closed, and nobody else
--- api
send_queue 64k;
close_timeout 300ms;
route v { reply '$request.body.t'; }
route $disconnect { send all 'gone $context.disconnectStatusCode'; }
--- ws
bob connect /ws
alice connect rcvbuf=4096 /ws
alice stop-reading
repeat 150 alice send {"action":"v","t":"${x*50000}"}
bob recv-like ^gone 1(008|006)$
bob send {"action":"v","t":"ok"}
bob recv ok
log client is too slow

=== TEST 12: send_queue: one message alone may be longer
--- api
send_queue 64k;
route v { reply '$request.body.t'; }
--- ws
alice connect /ws
alice send {"action":"v","t":"${x*100000}"}
alice recv-len 100000
alice send {"action":"v","t":"y"}
alice recv y

=== TEST 13: a flood from one does not starve another
--- api
route v { reply '$request.body.n'; }
route q { set $x '$request.body'; }
--- ws
alice connect /ws
bob connect with=alice /ws
repeat 20000 alice send {"action":"q"}
bob send {"action":"v","n":"bob"}
bob recv bob
alice send {"action":"v","n":"end"}
alice recv end

=== TEST 14: max_body counts for what is made, not for what comes
--- api
max_body 100;
route v { reply '$request.body.t'; }
route set { set $connection.t $request.body.t; reply ok; }
route get { reply '{"t":"$connection.t"}'; }
route const { reply 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; }
--- ws
alice connect /ws
alice send {"action":"v","t":"${x*101}"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"v","t":"${x*100}"}
alice recv ${x*100}
alice send {"action":"v","t":"x","pad":"${y*60000}"}
alice recv x
# an attribute is no body, a constant has no limit but the configuration
alice send {"action":"set","t":"${z*1000}"}
alice recv ok
alice send {"action":"get"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"const"}
alice recv-like ^x{126}$

=== TEST 15: hundreds of attributes of one connection
--- api eval
CORE::join('', map { "route a$_ { set \$connection.a$_ \$request.body.v; }\n" } 0 .. 299)
. 'route get { reply \'["$connection.a0","$connection.a150","$connection.a299","$members.a299"]\'; }'
. 'route in { join x; reply \'["$connection.a0","$connection.a150","$connection.a299","$members.a299"]\'; }'
--- ws
alice connect /ws
repeat 300 alice send {"action":"a${i}","v":${i}}
alice send {"action":"get"}
alice recv [0,150,299,[]]
alice send {"action":"in"}
alice recv [0,150,299,[299]]
repeat 300 alice send {"action":"a${i}"}
alice send {"action":"in"}
alice recv [null,null,null,[]]

=== TEST 16: delays of many at once
--- api
route d { delay 100ms; reply '$request.body.n'; }
--- ws
repeat 100 c${i} connect /ws
repeat 100 c${i} send {"action":"d","n":${i}}
repeat 100 c${i} send {"action":"d","n":"again"}
repeat 100 c${i} recv ${i}
repeat 100 c${i} recv again

=== TEST 17: delay 0, and the longest
--- api
route zero { delay 0; reply zero; }
route long { delay 60s; reply long; }
route $disconnect { send all gone; }
--- ws
bob connect /ws
alice connect /ws
repeat 50 alice send {"action":"zero"}
repeat 50 alice recv zero
