# Rooms: join, leave, who is there, how they end.  With several workers the
# clients sit on different ones.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

share_nginx();

# most blocks use this

my $api = <<'END';
route $connect { set $connection.user $arg_n; }

route join {
    join $request.body.r;
    reply '{"room":"$room","created":"$room.created","count":"$room.count","offset":"$room.offset","users":"$members.user"}';
}
route only {
    join $request.body.r only;
    reply '{"room":"$room","created":"$room.created","count":"$room.count","users":"$members.user","rooms":"$rooms"}';
}
route nocreate {
    join $request.body.r create=no;
    reply '{"room":"$room","created":"$room.created","count":"$room.count","offset":"$room.offset","epoch":"$room.epoch","users":"$members.user"}';
}
route onlynocreate { join $request.body.r only create=no; reply '{"room":"$room","last":"$connection.room"}'; }
route leave { leave $request.body.r; reply '{"rooms":"$rooms","last":"$connection.room"}'; }
route leaveall { leave; reply '{"rooms":"$rooms","last":"$connection.room"}'; }
route users { set $room $request.body.r; reply '{"users":"$members.user"}'; }
route rooms { reply '{"rooms":"$rooms"}'; }
route say { send room=$request.body.r '{"t":"$request.body.t","o":"$room.offset"}'; }
route watch { join watch; reply ok; }
route epoch { join $request.body.r history=10; reply '{"created":"$room.created","epoch":"$room.epoch","offset":"$room.offset","history":"$room.history"}'; }
route close { close 1000 bye; }

on room_empty { send room=watch 'empty $room'; }
history 10;
END

add_block_preprocessor {
    my ($block) = @_;
    $block->set_value('api', $api)
        unless defined $block->api || defined $block->http_config;
};

run_tests();

__DATA__

=== TEST 1: joining, and who is there
--- ws
alice connect /ws?n=alice
bob connect apart=alice /ws?n=bob
carol connect apart=bob /ws?n=carol
alice send {"action":"join","r":"x"}
alice recv {"room":"x","created":true,"count":1,"offset":0,"users":["alice"]}
bob send {"action":"join","r":"x"}
bob recv {"room":"x","created":false,"count":2,"offset":0,"users":["alice","bob"]}
carol send {"action":"join","r":"x"}
carol recv {"room":"x","created":false,"count":3,"offset":0,"users":["alice","bob","carol"]}
# in order of joining
alice send {"action":"leave","r":"x"}
alice recv {"rooms":["x"]}
alice send {"action":"users","r":"x"}
alice recv {"users":["bob","carol"]}
alice send {"action":"join","r":"x"}
alice recv {"room":"x","created":false,"count":3,"offset":0,"users":["bob","carol","alice"]}
carol send {"action":"users","r":"x"}
carol recv {"users":["bob","carol","alice"]}

=== TEST 2: joining twice
--- ws
alice connect /ws?n=alice
bob connect apart=alice /ws?n=bob
alice send {"action":"join","r":"x"}
alice recv {"room":"x","created":true,"count":1,"offset":0,"users":["alice"]}
bob send {"action":"join","r":"x"}
bob recv {"room":"x","created":false,"count":2,"offset":0,"users":["alice","bob"]}
alice send {"action":"join","r":"x"}
alice recv {"room":"x","created":false,"count":2,"offset":0,"users":["alice","bob"]}
# each message comes once
bob send {"action":"say","r":"x","t":1}
alice recv {"t":1,"o":1}
bob recv {"t":1,"o":1}
alice recv-none
# one leave is enough
alice send {"action":"leave","r":"x"}
alice recv {"rooms":["x"]}
bob send {"action":"users","r":"x"}
bob recv {"users":["bob"]}
bob send {"action":"say","r":"x","t":2}
bob recv {"t":2,"o":2}
alice recv-none

=== TEST 3: only moves
--- ws
alice connect /ws?n=alice
bob connect apart=alice /ws?n=bob
watch connect /ws?n=w
watch send {"action":"watch"}
watch recv ok
alice send {"action":"join","r":"x"}
alice recv-json {"room":"x"}
alice send {"action":"join","r":"y"}
alice recv-json {"room":"y"}
bob send {"action":"join","r":"y"}
bob recv-json {"room":"y","users":["alice","bob"]}
alice send {"action":"only","r":"z"}
# the rooms left are left before the next step
alice recv {"room":"z","created":true,"count":1,"users":["alice"],"rooms":["watch","y","z"]}
watch recv empty x
bob send {"action":"users","r":"y"}
bob recv {"users":["bob"]}
# again, without a change
alice send {"action":"only","r":"z"}
alice recv {"room":"z","created":false,"count":1,"users":["alice"],"rooms":["watch","y","z"]}
watch recv-none
bob send {"action":"say","r":"y","t":1}
bob recv {"t":1,"o":1}
alice recv-none
# to a room that it is in besides others
alice send {"action":"join","r":"y"}
alice recv-json {"room":"y","created":false,"count":2,"offset":1}
alice send {"action":"only","r":"y"}
alice recv {"room":"y","created":false,"count":2,"users":["bob","alice"],"rooms":["watch","y"]}
watch recv empty z

=== TEST 4: create=no
--- ws
alice connect /ws?n=alice
bob connect apart=alice /ws?n=bob
alice send {"action":"nocreate","r":"x"}
alice recv {"users":[]}
alice send {"action":"rooms"}
alice recv {"rooms":[]}
bob send {"action":"join","r":"x"}
bob recv-json {"room":"x"}
alice send {"action":"nocreate","r":"x"}
alice recv-json {"room":"x","created":false,"count":2,"offset":0,"epoch":"*","users":["bob","alice"]}
# the rooms it is in are left only for one that there is
alice send {"action":"onlynocreate","r":"none"}
alice recv {"last":"x"}
bob send {"action":"users","r":"x"}
bob recv {"users":["bob","alice"]}
bob send {"action":"join","r":"y"}
bob recv-json {"room":"y"}
alice send {"action":"onlynocreate","r":"y"}
alice recv {"room":"y","last":"y"}
bob send {"action":"users","r":"x"}
bob recv {"users":["bob"]}

=== TEST 5: leaving what one is not in
--- ws
alice connect /ws?n=alice
bob connect apart=alice /ws?n=bob
bob send {"action":"join","r":"x"}
bob recv-json {"room":"x"}
alice send {"action":"leave","r":"x"}
alice recv {"rooms":["x"]}
alice send {"action":"leave","r":"none"}
alice recv {"rooms":["x"]}
alice send {"action":"leave"}
alice recv {"rooms":["x"]}
alice send {"action":"leave","r":""}
alice recv {"rooms":["x"]}
alice send {"action":"leave","r":"${x*5000}"}
alice recv {"rooms":["x"]}
alice send {"action":"leaveall"}
alice recv {"rooms":["x"]}
bob send {"action":"users","r":"x"}
bob recv {"users":["bob"]}

=== TEST 6: leaving all
--- ws
alice connect /ws?n=alice
bob connect apart=alice /ws?n=bob
watch connect /ws?n=w
watch send {"action":"watch"}
watch recv ok
bob send {"action":"join","r":"b"}
bob recv-json {"room":"b"}
repeat 20 alice send {"action":"join","r":"r${i}"}
repeat 20 alice recv-json {"room":"r${i}","created":true}
alice send {"action":"join","r":"b"}
alice recv-json {"room":"b","created":false}
alice send {"action":"leaveall"}
alice recv {"rooms":["watch","b"]}
# in the order they were joined, or in the reverse one; each once
repeat 20 watch recv-like ^empty r\d+$
watch recv-none
bob send {"action":"users","r":"b"}
bob recv {"users":["bob"]}

=== TEST 7: a room ends with its last member, and begins anew
--- ws
watch connect /ws?n=w
watch send {"action":"watch"}
watch recv ok
alice connect /ws?n=alice
alice send {"action":"epoch","r":"x"}
alice recv-like ^\{"created":true,"epoch":"(?<e1>\d{16,17})","offset":0,"history":\[\]\}$
alice send {"action":"say","r":"x","t":1}
alice recv {"t":1,"o":1}
# joining again changes nothing
alice send {"action":"epoch","r":"x"}
alice recv {"created":false,"epoch":"${e1}","offset":1,"history":[]}
alice send {"action":"leave","r":"x"}
alice recv {"rooms":["watch"]}
watch recv empty x
alice send {"action":"epoch","r":"x"}
alice recv-like ^\{"created":true,"epoch":"(?!${e1})(?<e2>\d{16,17})","offset":0,"history":\[\]\}$
# a close frame
alice close 1000
watch recv empty x
alice connect /ws?n=alice
alice send {"action":"epoch","r":"x"}
alice recv-like ^\{"created":true,"epoch":"(?!${e1}|${e2})(?<e3>\d{16,17})","offset":0,"history":\[\]\}$
# RST
alice abort
watch recv empty x
alice connect /ws?n=alice
alice send {"action":"epoch","r":"x"}
alice recv-like ^\{"created":true,"epoch":"(?!${e1}|${e2}|${e3})(?<e4>\d{16,17})","offset":0,"history":\[\]\}$
# FIN
alice hangup
watch recv empty x
alice connect /ws?n=alice
alice send {"action":"epoch","r":"x"}
alice recv-like ^\{"created":true,"epoch":"(?!${e1}|${e2}|${e3}|${e4})(?<e5>\d{16,17})","offset":0,"history":\[\]\}$
# closed by us
alice send {"action":"close"}
alice recv-close 1000 bye
watch recv empty x
alice connect /ws?n=alice
alice send {"action":"epoch","r":"x"}
alice recv-like ^\{"created":true,"epoch":"(?!${e1}|${e2}|${e3}|${e4}|${e5})\d{16,17}","offset":0,"history":\[\]\}$
# a broken protocol
alice frame op=3 x
alice recv-close 1002
alice recv-eof
alice hangup
watch recv empty x
watch recv-none
watch send {"action":"rooms"}
watch recv {"rooms":["watch"]}

=== TEST 8: epochs grow
--- ws
alice connect /ws?n=alice
bob connect apart=alice /ws?n=bob
alice send {"action":"epoch","r":"a"}
alice recv-like "epoch":"(?<e1>\d+)"
bob send {"action":"epoch","r":"b"}
bob recv-like "epoch":"(?!${e1})(?<e2>\d+)"
alice send {"action":"epoch","r":"b"}
alice recv-like "epoch":"${e2}"
bob send {"action":"epoch","r":"a"}
bob recv-like "epoch":"${e1}"

=== TEST 9: the end is that of the last one only, on whichever worker
--- ws
watch connect /ws?n=w
watch send {"action":"watch"}
watch recv ok
a connect /ws?n=a
b connect apart=a /ws?n=b
c connect apart=b /ws?n=c
d connect /ws?n=d
a send {"action":"join","r":"x"}
a recv-json {"count":1}
b send {"action":"join","r":"x"}
b recv-json {"count":2}
c send {"action":"join","r":"x"}
c recv-json {"count":3}
d send {"action":"join","r":"x"}
d recv-json {"count":4}
a abort
c send {"action":"leave","r":"x"}
c recv {"rooms":["watch","x"]}
d close 1000
watch recv-none
b send {"action":"say","r":"x","t":1}
b recv {"t":1,"o":1}
b hangup
watch recv empty x
watch recv-none

=== TEST 10: many clients on all workers
--- ws
repeat 60 c${i} connect /ws?n=c${i}
repeat 60 c${i} send {"action":"join","r":"x"}
repeat 60 c${i} recv-json {"room":"x"}
c0 send {"action":"say","r":"x","t":"hello"}
repeat 60 c${i} recv {"t":"hello","o":1}
c59 send {"action":"say","r":"x","t":"you"}
repeat 60 c${i} recv {"t":"you","o":2}
alice connect /ws?n=alice
alice send {"action":"join","r":"x"}
alice recv-json {"room":"x","created":false,"count":61,"offset":2}
repeat 30 c${i} abort
alice send {"action":"say","r":"x","t":"left"}
alice recv {"t":"left","o":3}
c30 recv {"t":"left","o":3}
c59 recv {"t":"left","o":3}

=== TEST 11: members in order, whichever worker they are on
--- ws
alice connect /ws?n=alice
repeat 40 c${i} connect /ws?n=${i}
repeat 40 alice send {"action":"rooms"}
repeat 40 alice recv {"rooms":[]}
c0 send {"action":"join","r":"x"}
c0 recv-json {"count":1}
c1 send {"action":"join","r":"x"}
c1 recv-json {"count":2}
c2 send {"action":"join","r":"x"}
c2 recv-json {"count":3}
c3 send {"action":"join","r":"x"}
c3 recv-json {"count":4}
c4 send {"action":"join","r":"x"}
c4 recv-json {"count":5,"users":["0","1","2","3","4"]}
c2 send {"action":"leave","r":"x"}
c2 recv-json {"rooms":["x"]}
c0 send {"action":"leave","r":"x"}
c0 recv-json {"rooms":["x"]}
c2 send {"action":"join","r":"x"}
c2 recv-json {"count":4,"users":["1","3","4","2"]}
alice send {"action":"users","r":"x"}
alice recv {"users":["1","3","4","2"]}

=== TEST 12: names of rooms
--- ws
alice connect /ws?n=alice
bob connect apart=alice /ws?n=bob
alice send {"action":"join","r":"${x*256}"}
alice recv {"room":"${x*256}","created":true,"count":1,"offset":0,"users":["alice"]}
bob send {"action":"say","r":"${x*256}","t":1}
alice recv {"t":1,"o":1}
alice send {"action":"leave","r":"${x*256}"}
alice recv {"rooms":[]}
# in bytes: 85 times 3 and 1
alice send {"action":"join","r":"${x*253}日"}
alice recv-json {"room":"${x*253}日"}
alice send {"action":"leaveall"}
alice recv {"rooms":[]}
alice send {"action":"join","r":"${x*254}日"}
alice recv-like \A\{"message": "Internal server error", "connectionId":"[\w-]{22}==", "requestId":"[\w-]{15}="\}\z
log the name of \w+ room is too long, in step "join" in \S+:\d+
alice send {"action":"join","r":"${x*257}"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"join","r":"${x*100000}"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"join","r":""}
alice recv-like ^\{"message": "Internal server error"
log the name of \w+ room is empty, in step "join" in \S+:\d+
alice send {"action":"join"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"nocreate"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"users"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"rooms"}
alice recv {"rooms":[]}
no-log xxxxxxxx

=== TEST 13: a room's name is a text
--- ws
alice connect /ws?n=alice
bob connect apart=alice /ws?n=bob
alice send {"action":"only","r":1}
alice recv-json {"room":"1","rooms":["1"]}
bob send {"action":"join","r":"1"}
bob recv-json {"room":"1","count":2}
bob send {"action":"join","r":1.0}
bob recv-json {"room":"1.0","count":1}
bob send {"action":"leaveall"}
bob recv {"rooms":["1"]}
alice send {"action":"only","r":true}
alice recv-json {"room":"true","rooms":["true"]}
alice send {"action":"only","r":null}
alice recv-json {"room":"null","rooms":["null"]}
alice send {"action":"only","r":{"a": [1]}}
alice recv-json {"room":"{\"a\":[1]}","rooms":["{\"a\":[1]}"]}
alice send {"action":"only","r":"\"\\\n\t\u0001\u001f/"}
alice recv-json {"room":"\"\\\n\t\u0001\u001f/","rooms":["\"\\\n\t\u0001\u001f/"]}
bob send {"action":"rooms"}
bob recv-json {"rooms":["\"\\\n\t\u0001\u001f/"]}
alice send {"action":"only","r":"a\u0000b"}
alice recv-json {"room":"a\u0000b","rooms":["a\u0000b"]}
bob send {"action":"nocreate","r":"a"}
bob recv {"users":[]}
bob send {"action":"nocreate","r":"a\u0000b"}
bob recv-json {"count":2}
bob send {"action":"leaveall"}
bob recv-json {"rooms":["a\u0000b"]}
alice send {"action":"only","r":"\ud83d\ude00 ü 日本"}
alice recv-json {"room":"😀 ü 日本","rooms":["😀 ü 日本"]}
bob send {"action":"say","r":"😀 ü \u65e5本","t":1}
alice recv {"t":1,"o":1}
# a surrogate alone is U+FFFD
alice send {"action":"only","r":"\ud83d"}
alice recv-json {"room":"�","rooms":["�"]}
alice send {"action":"only","r":"$room ${room}"}
alice recv-json {"room":"$room ${room}","rooms":["$room ${room}"]}
alice send {"action":"only","r":" x "}
alice recv-json {"room":" x ","rooms":[" x "]}
# names are case-sensitive
alice send {"action":"only","r":"Room"}
alice recv-json {"room":"Room"}
bob send {"action":"nocreate","r":"room"}
bob recv {"users":[]}

=== TEST 14: max_rooms
--- api
max_rooms 3;
route join { join $request.body.r; reply '{"room":"$room","rooms":"$rooms"}'; }
route only { join $request.body.r only; reply '{"room":"$room","rooms":"$rooms"}'; }
route leave { leave $request.body.r; reply '{"rooms":"$rooms"}'; }
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"join","r":"a"}
alice recv-json {"room":"a"}
alice send {"action":"join","r":"b"}
alice recv-json {"room":"b"}
alice send {"action":"join","r":"c"}
alice recv {"room":"c","rooms":["a","b","c"]}
alice send {"action":"join","r":"d"}
alice recv-like \A\{"message": "Internal server error", "connectionId":"[\w-]{22}==", "requestId":"[\w-]{15}="\}\z
log the connection is in max_rooms rooms, in step "join" in \S+:\d+
# one that it is in does not count
alice send {"action":"join","r":"b"}
alice recv {"room":"b","rooms":["a","b","c"]}
# it is the connection's limit
bob send {"action":"join","r":"d"}
bob recv {"room":"d","rooms":["a","b","c","d"]}
alice send {"action":"leave","r":"a"}
alice recv {"rooms":["b","c","d"]}
alice send {"action":"join","r":"d"}
alice recv {"room":"d","rooms":["b","c","d"]}
alice send {"action":"join","r":"a"}
alice recv-like ^\{"message": "Internal server error"
# this one leaves the others
alice send {"action":"only","r":"e"}
alice recv {"room":"e","rooms":["d","e"]}
alice send {"action":"join","r":"f"}
alice recv {"room":"f","rooms":["d","e","f"]}

=== TEST 15: a user's attribute does not count as a room
--- api
max_rooms 1;
route join { set $connection.user $request.body.r; join $request.body.r; reply '$room $connection.room'; }
--- ws
alice connect /ws
alice send {"action":"join","r":"a"}
alice recv a a
alice send {"action":"join","r":"b"}
alice recv-like ^\{"message": "Internal server error"

=== TEST 16: max_rooms is 100 if nothing else is said
--- ws
alice connect /ws?n=a
repeat 100 alice send {"action":"join","r":"r${i}"}
repeat 100 alice recv-json {"room":"r${i}"}
alice send {"action":"join","r":"r100"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"join","r":"r50"}
alice recv-json {"room":"r50","created":false}
alice abort
bob connect /ws?n=b
until http GET /ws => 426
bob send {"action":"rooms"}
bob recv-json {"rooms":"*"}

=== TEST 17: joined in $connect
--- api
route $connect {
    join $arg_r;
    reply '{"room":"$room","created":"$room.created","count":"$room.count"}';
    if ($arg_no) { respond 403 no; }
}
route rooms { reply '{"rooms":"$rooms"}'; }
route say { send room=$request.body.r '$request.body.t'; }
on room_empty { send all 'empty $room'; }
--- ws
alice connect /ws?r=x
alice recv {"room":"x","created":true,"count":1}
bob connect apart=alice /ws?r=x
bob recv {"room":"x","created":false,"count":2}
bob send {"action":"say","r":"x","t":"hi"}
alice recv hi
bob recv hi
# refused: it was never there
carol connect /ws?r=x&no=1 => 403 ^no$
carol connect /ws?r=y&no=1 => 403 ^no$
alice recv empty y
bob recv empty y
alice send {"action":"rooms"}
alice recv {"rooms":["x"]}
# a room without a name: the handshake fails
carol connect /ws => 502 [Content-Type: ^application/json] \A\{"message":"Internal server error","connectionId":"[\w-]{22}==","requestId":"[\w-]{15}="\}\z
alice recv-none
bob recv-none

=== TEST 18: rooms of one name in two apis
--- http_config
wschat_zone chat 1m;
wschat_api one {
    route join { join x; reply '{"count":"$room.count","created":"$room.created"}'; }
    route say { send room=x one; }
    on room_empty { send all 'one empty'; }
}
wschat_api two {
    route join { join x; reply '{"count":"$room.count","created":"$room.created"}'; }
    route say { send room=x two; }
    on room_empty { send all 'two empty'; }
}
--- config
location /one { wschat one; }
location /two { wschat two; }
--- ws
a connect /one
b connect /two
c connect /one
d connect /two
a send {"action":"join"}
a recv {"count":1,"created":true}
b send {"action":"join"}
b recv {"count":1,"created":true}
a send {"action":"say"}
a recv one
b send {"action":"say"}
b recv two
a abort
c recv one empty
d recv-none
d send {"action":"join"}
d recv {"count":2,"created":false}

=== TEST 19: rooms that come and go all the time leave nothing behind
--- http_config
wschat_zone chat 1m;
wschat_api chat {
    history 10;
    route churn { join $random.uuid only; send room=$room store '$request.body.x'; }
    route rooms { leave; reply '{"rooms":"$rooms"}'; }
}
--- config
location /ws { wschat chat; }
--- ws
alice connect /ws
repeat 3000 alice send {"action":"churn","x":"${x*300}"}
repeat 3000 alice recv ${x*300}
alice send {"action":"rooms"}
alice recv {"rooms":[]}
no-log full

=== TEST 20: the message that follows a join comes to it, the one before does not
--- ws
alice connect /ws?n=alice
bob connect apart=alice /ws?n=bob
alice send {"action":"join","r":"x"}
alice recv-json {"room":"x"}
repeat 50 alice send {"action":"say","r":"x","t":${i}}
alice recv-until {"t":20}
bob send {"action":"join","r":"x"}
bob recv-json {"room":"x","offset":"*"} => o=offset
alice recv-until {"t":49}
alice send {"action":"say","r":"x","t":"last"}
bob recv-until {"t":"last","o":51}
