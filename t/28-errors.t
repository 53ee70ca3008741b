# What fails at run time: the frame, the line in error.log, and that nothing
# else suffers; a zone that is full.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

# connect-until PREFIX STATUS N PATH: connections PREFIX0, PREFIX1...
# until one is answered with the status (a regex), at most N

sub WSConversation::_do_connect_until {
    my ($self, $rest, $text) = @_;

    my ($prefix, $status, $n, $path) = split / +/, $rest, 4;

    for my $i (0 .. $n - 1) {
        my $ws = WSClient->new(host => '127.0.0.1', port => $self->{port},
                               timeout => $self->{timeout})
            or return $self->_miss($text, $@);

        my $got = $ws->handshake($path);

        if ($got =~ /^(?:$status)$/) {
            $ws->hangup;
            return $self->_ok(1, $text);
        }

        return $self->_miss($text, "got $got") if $got ne '101';

        $self->{client}{"$prefix$i"} = { ws => $ws, port => $self->{port} };
    }

    $self->_miss($text, "$n connections were accepted");
}

# send-until N NAME MESSAGE => REGEX: sends until the answer is like that

sub WSConversation::_do_send_until {
    my ($self, $rest, $text) = @_;

    my ($n, $who, $message, $regex) = $rest =~ /^(\d+) +(\w+) +(.*) => (.*)$/
        or die "send-until N NAME MESSAGE => REGEX\n";

    my $ws = $self->{client}{$who}{ws};

    for my $i (1 .. $n) {
        $ws->frame(1, $message);
        my ($type, $payload) = $ws->message;

        return $self->_miss($text, "got $type") if $type ne 'text';

        if ($self->_matches($who, $payload, $regex)) {
            return $self->_ok(1, $text);
        }
    }

    $self->_miss($text, "not in $n messages");
}

run_tests();

__DATA__

=== TEST 1: the frame, the steps that do not follow, the connection that stays
--- api
route join { reply '$context.requestId'; join $connection.none; reply never; send all never; }
route ok { reply ok; }
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"join"}
alice recv-like ^(?<r>[\w-]{15}=)$
# it is of the same request
alice recv-like \A\{"message": "Internal server error", "connectionId":"(?<id>[\w-]{22}==)", "requestId":"${r}"\}\z
alice send {"action":"join"}
alice recv-like ^(?!${r})(?<r2>[\w-]{15}=)$
alice recv {"message": "Internal server error", "connectionId":"${id}", "requestId":"${r2}"}
alice send {"action":"ok"}
alice recv ok
bob recv-none

=== TEST 2: each step that can fail, in a route of messages
--- api
max_body 64;
max_rooms 1;
route reply { reply '$request.body.v$request.body.v'; }
route self { send self '$request.body.v$request.body.v'; }
route room { send room=x '$request.body.v$request.body.v'; }
route all { send all '$request.body.v$request.body.v'; }
route name { send room=$request.body.v$request.body.v x; }
route record { send room=x store=$request.body.v$request.body.v x; }
route set { set $x '$request.body.v$request.body.v'; }
route attr { set $connection.a '$request.body.v$request.body.v'; }
route setroom { set $room $request.body.none; }
route setlong { set $room '$request.body.v$request.body.v'; }
route join { join $request.body.none; }
route joinlong { join '$request.body.v$request.body.v'; }
route rooms { join r$request.body.n; }
route leave { leave '$request.body.v$request.body.v'; }
route close { close 1000 '$request.body.v$request.body.v'; }
route if { if ($request.body.v$request.body.v) { reply yes; } }
route eq { if (x = $request.body.v$request.body.v) { reply yes; } }
route match { if ($request.body.v$request.body.v ~ x) { reply yes; } }
route exists { if (room_exists $request.body.v$request.body.v) { reply yes; } }
route member { if (member $request.body.v$request.body.v) { reply yes; } }
route else { if ($request.body.none) { } else if ($request.body.v$request.body.v) { reply yes; } }
route nested { if ($request.body.v) { if ($request.body.v) { reply '$request.body.v$request.body.v'; } } reply never; }
route ok { reply ok; }
--- ws
alice connect /ws
alice send {"action":"reply","v":"${s*40}"}
alice recv-like \A\{"message": "Internal server error", "connectionId":"(?<id>[\w-]{22}==)", "requestId":"[\w-]{15}="\}\z
log wschat route "reply": .*, in step "reply" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"self","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "self": .*, in step "send" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"room","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "room": .*, in step "send" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"all","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "all": .*, in step "send" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"name","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "name": .*, in step "send" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"record","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "record": .*, in step "send" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"set","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "set": .*, in step "set" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"attr","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "attr": .*, in step "set" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"setroom"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "setroom": .*, in step "set" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"setlong","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "setlong": .*, in step "set" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"join"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "join": .*, in step "join" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"joinlong","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "joinlong": .*, in step "join" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"rooms","n":1}
alice send {"action":"rooms","n":2}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "rooms": .*, in step "join" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"leave","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "leave": .*, in step "leave" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"close","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "close": .*, in step "close" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"if","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "if": .*, in step "if" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"eq","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "eq": .*, in step "if" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"match","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "match": .*, in step "if" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"exists","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "exists": .*, in step "if" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"member","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "member": .*, in step "if" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"else","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "else": .*, in step "(if|else)" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"nested","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"${id}"
log wschat route "nested": .*, in step "reply" in \S+:\d+\b.*, connection: ${id},
alice send {"action":"ok"}
alice recv ok
no-log ssss

=== TEST 3: what a message says is not in the log
--- api
max_body 64;
route join { join '$request.body.v'; }
route user { set $connection.user $request.body.v; }
route reply { reply '$request.body.v $request.body.v'; }
--- ws
alice connect /ws
alice send {"action":"join","v":"${s*300}"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"user","v":"${s*300}"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"user","v":"${s*5000}"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"reply","v":"${s*40}"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"secret-route","v":"${s*40}"}
alice recv-like ^\{"message": "Forbidden"
alice send secret-text
alice recv-like ^\{"message": "Forbidden"
no-log sssss|secret

=== TEST 4: the line of an included file
--- http_config
wschat_zone chat 1m;
wschat_api chat { include $TEST_NGINX_SERVER_ROOT/html/routes.conf; }
--- config
location /ws { wschat chat; }
--- user_files
>>> routes.conf
# first line
route join {
    if ($request.body.go) {

        join $request.body.r;
    }
}
--- ws
alice connect /ws
alice send {"action":"join","go":1}
alice recv-like ^\{"message": "Internal server error"
log wschat route "join": .*, in step "join" in \S+/html/routes\.conf:5\b

=== TEST 5: in $connect
--- api
route $connect { set $connection.user $arg_u; join $arg_r; reply welcome; }
route ok { reply ok; }
--- ws
alice connect /ws => 502 [Content-Type: ^application/json; charset=UTF-8$ | x-amz-apigw-id: ^(?<r>[\w-]{15}=)$ | !x-amzn-ErrorType | !Upgrade] \A\{"message":"Internal server error","connectionId":"[\w-]{22}==","requestId":"[\w-]{15}="\}\z
log wschat route "\$connect": .*, in step "join" in \S+:\d+\b.*[0-9A-Za-z_-]{22}==
alice connect /ws?r=x
alice recv welcome
alice send {"action":"ok"}
alice recv ok

=== TEST 6: the id in the refusal is that of the header
--- api
route $connect { join $connection.none; }
--- ws
alice connect /ws => 502 [x-amz-apigw-id: ^(?<r>[\w-]{15}=)$]
alice connect /ws => 502 [x-amz-apigw-id: ^(?!${r})[\w-]{15}=$]
alice open
alice write GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
alice recv-head 502 [x-amz-apigw-id: ^(?<r2>[\w-]{15}=)$]
alice recv-body "requestId":"${r2}"

=== TEST 7: respond
--- api
route $connect {
    if ($arg_s = 200) { respond 200 'dropped'; reply never; }
    if ($arg_s = 204) { respond 204; }
    if ($arg_s = 299) { respond 299; }
    if ($arg_s = 301) { respond 301 '{"a":1}'; }
    if ($arg_s = 400) { respond 400 'plain $arg_x'; }
    if ($arg_s = 401) { respond 401 '{ "m" : "$arg_x" , "none" : "$arg_none" }'; }
    if ($arg_s = 403) { respond 403; }
    if ($arg_s = 404) { respond 404 ''; }
    if ($arg_s = 500) { respond 500 '"$arg_x"'; }
    if ($arg_s = 501) { respond 501 '"$arg_none"'; }
    if ($arg_s = 503) { respond 503 '[1]'; }
    if ($arg_s = 599) { respond 599 x; }
}
route ok { reply ok; }
--- ws
alice connect /ws?s=200
alice send {"action":"ok"}
alice recv ok
alice connect /ws?s=204
alice connect /ws?s=299
alice connect /ws?s=301 => 301 [Content-Type: ^application/json; charset=UTF-8$] \A\{"a":1\}\z
alice connect /ws?s=400&x=y => 400 [Content-Type: ^text/plain; charset=UTF-8$] \Aplain y\z
alice connect /ws?s=401&x=%22 => 401 [Content-Type: ^application/json; charset=UTF-8$ | Content-Length: ^11$ | x-amz-apigw-id: ^[\w-]{15}=$] \A\{"m":"%22"\}\z
alice connect /ws?s=403 => 403 [Content-Length: ^0$] \A\z
alice connect /ws?s=404 => 404 [Content-Length: ^0$] \A\z
alice connect /ws?s=500&x=y => 500 \A"y"\z
alice connect /ws?s=501 => 501 \A\z
alice connect /ws?s=503 => 503 \A\[1\]\z
alice connect /ws?s=599 => 599 \Ax\z
alice connect /ws
alice send {"action":"ok"}
alice recv ok

=== TEST 8: a zone that is full refuses the newcomer, and nobody else
--- http_config
wschat_zone chat 1m;
wschat_api chat {
    history 10000;
    on room_empty { send all 'empty $room'; }
    route join { join $request.body.r; reply '$room.count'; }
    route leave { leave; reply left; }
    route keep { send room=$request.body.r except=self store '$request.body.t'; reply kept; }
    route say { send room=$request.body.r '$request.body.t'; }
    route attr { set $connection.a $request.body.t; reply ok; }
    route ok { reply ok; }
}
--- config
location /ws { wschat chat; }
--- ws
alice connect /ws
alice send {"action":"join","r":"x"}
alice recv 1
alice send {"action":"attr","t":"${a*100}"}
alice recv ok
send-until 2000 alice {"action":"keep","r":"x","t":"${x*3000}"} => \A\{"message": "Internal server error", "connectionId":"(?<id>[\w-]{22}==)", "requestId":"[\w-]{15}="\}\z
log wschat route "keep": .*, in step "send" in \S+:\d+\b.*, connection: ${alice.id},
connect-until c 503 3000 /ws
log zone "chat"
dave open
dave write GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
dave recv-head 503 [Content-Type: ^application/json]
dave recv-body \A\{"message":"Service Unavailable"\}\z
# those who are there go on
alice send {"action":"say","r":"x","t":"still there"}
alice recv still there
alice send {"action":"attr","t":"${b*90}"}
alice recv ok
alice send {"action":"ok"}
alice recv ok
# the room's end makes place
alice send {"action":"leave"}
alice recv empty x
alice recv left
dave connect /ws
dave send {"action":"join","r":"y"}
dave recv 1
dave send {"action":"keep","r":"y","t":"${x*3000}"}
dave recv kept
alice send {"action":"join","r":"y"}
alice recv 2
no-log xxxx

=== TEST 9: full of rooms and attributes: the step fails, and nothing is half done
--- http_config
wschat_zone chat 1m;
wschat_api chat {
    max_rooms 10000;
    on member_join { set $connection.log $room; }
    route ok { reply ok; }
    route fill { set $connection.x $request.body.t; join $request.body.r$random.uuid; reply ok; }
    route attr { set $connection.b $request.body.t; reply '$connection.b'; }
    route get { reply '{"b":"$connection.b"}'; }
    route join { join $request.body.r; reply joined; }
    route member { if (member $request.body.r) { reply member; } else { reply stranger; } }
    route exists { if (room_exists $request.body.r) { reply exists; } else { reply none; } }
    route leave { leave; reply left; }
}
--- config
location /ws { wschat chat; }
--- ws
alice connect /ws
bob connect /ws
bob send {"action":"attr","t":"before"}
bob recv before
send-until 20000 alice {"action":"fill","r":"${r*200}"} => \A\{"message": "Internal server error"
log wschat route "fill": .*, in step "(join|set)" in \S+:\d+\b
# whatever is left is used up
send-until 5000 alice {"action":"fill","r":"r"} => \A\{"message": "Internal server error"
bob send {"action":"attr","t":"${y*3000}"}
bob recv-like ^\{"message": "Internal server error"
bob send {"action":"get"}
bob recv {"b":"before"}
bob send {"action":"exists","r":"${z*200}"}
bob recv none
bob send {"action":"ok"}
bob recv ok
alice send {"action":"leave"}
alice recv left
bob send {"action":"attr","t":"${y*3000}"}
bob recv ${y*3000}
bob send {"action":"join","r":"${z*200}"}
bob recv joined
bob send {"action":"member","r":"${z*200}"}
bob recv member

=== TEST 10: a join that finds the zone full joins nothing
--- http_config
wschat_zone chat 1m;
wschat_api chat {
    max_rooms 10000;
    on room_create { set $connection.created $room; }
    on member_join { set $connection.joined $room; }
    route fill { join $random.uuid; reply ok; }
    route join { set $connection.tried $request.body.r; join $request.body.r; reply joined; }
    route state { reply '{"joined":"$connection.joined","created":"$connection.created","room":"$connection.room","rooms":"$rooms"}'; }
    route say { send room=$request.body.r '$request.body.t'; reply done; }
    route leave { leave; reply left; }
}
--- config
location /ws { wschat chat; }
--- ws
alice connect /ws
bob connect /ws
bob send {"action":"state"}
bob recv {"rooms":[]}
send-until 20000 alice {"action":"fill"} => \A\{"message": "Internal server error"
bob send {"action":"join","r":"mine"}
bob recv-like ^\{"message": "Internal server error"
bob send {"action":"say","r":"mine","t":"x"}
bob recv done
alice send {"action":"leave"}
alice recv left
bob send {"action":"state"}
bob recv {"rooms":[]}
bob send {"action":"join","r":"mine"}
bob recv joined
bob send {"action":"state"}
bob recv {"joined":"mine","created":"mine","room":"mine","rooms":["mine"]}

=== TEST 11: full, and one goes: the next comes in
--- http_config
wschat_zone chat 1m;
wschat_api chat {
    history 10000;
    route $connect { join x; }
    route keep { send room=x except=self store '$request.body.t'; reply kept; }
    route ok { reply ok; }
}
--- config
location /ws { wschat chat; }
--- ws
alice connect /ws
send-until 2000 alice {"action":"keep","t":"${x*3000}"} => \A\{"message": "Internal server error"
send-until 2000 alice {"action":"keep","t":"${x*20}"} => \A\{"message": "Internal server error"
# the newcomer is known, or is not; its join fails
connect-until c 502|503 3000 /ws
alice send {"action":"ok"}
alice recv ok
