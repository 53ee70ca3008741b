# send and reply: who gets it, and in which order.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

share_nginx();

# NAME recv-each N TEXT...: these messages, N times; %i counts from 0

sub WSConversation::_client_recv_each {
    my ($self, $who, $rest, $text) = @_;

    my ($n, @texts) = split / +/, $rest;

    for my $i (0 .. $n - 1) {
        for (@texts) {
            my $want = s/%i/$i/gr;
            my ($type, $payload) = $self->{client}{$who}{ws}->message;

            return $self->_miss($text, "instead of $want: $type $payload")
                if $type ne 'text' || $payload ne $want;
        }
    }

    $self->_ok(1, $text);
}

my $api = <<'END';
route $connect { set $connection.user $arg_u; }
route join { join $request.body.r; reply ok; }
route leave { leave; reply ok; }
route id { reply '{"id":"$context.connectionId"}'; }
route user { set $connection.user $request.body.u; reply ok; }

route self { send self '$request.body.t'; }
route all { send all '$request.body.t'; }
route room { send room=$request.body.r '$request.body.t'; reply done; }
route others { send room=$request.body.r except=self '$request.body.t'; reply done; }
route allothers { send all except=self '$request.body.t'; reply done; }
route to { send user=$request.body.u '$request.body.t'; reply done; }
route toothers { send user=$request.body.u except=self '$request.body.t'; reply done; }
route conn { send connection=$request.body.id '$request.body.t'; reply done; }
route connothers { send connection=$request.body.id except=self '$request.body.t'; reply done; }
route json { send room=$request.body.r '"$request.body.t"'; reply '"$request.body.t"'; reply done; }
END

add_block_preprocessor {
    my ($block) = @_;
    $block->set_value('api', $api)
        unless defined $block->api || defined $block->http_config;
};

run_tests();

__DATA__

=== TEST 1: reply and send self
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"self","t":"to me"}
alice recv to me
alice send {"action":"id"}
alice recv-json {"id":"*"}
bob recv-none

=== TEST 2: a room
--- ws
alice connect /ws
bob connect apart=alice /ws
carol connect /ws
dave connect apart=bob /ws
alice send {"action":"join","r":"x"}
alice recv ok
bob send {"action":"join","r":"x"}
bob recv ok
carol send {"action":"join","r":"y"}
carol recv ok
dave send {"action":"join","r":"x"}
dave recv ok
alice send {"action":"room","r":"x","t":"hello"}
alice recv hello
alice recv done
bob recv hello
dave recv hello
alice send {"action":"others","r":"x","t":"others"}
alice recv done
bob recv others
dave recv others
# not a member, and heard
carol send {"action":"room","r":"x","t":"from carol"}
carol recv done
alice recv from carol
bob recv from carol
dave recv from carol
carol send {"action":"others","r":"x","t":"from carol, too"}
carol recv done
alice recv from carol, too
bob recv from carol, too
dave recv from carol, too
carol recv-none
bob send {"action":"leave"}
bob recv ok
alice send {"action":"room","r":"x","t":"bob has left"}
dave recv bob has left
bob recv-none

=== TEST 3: targets that there are not are no error
--- ws
alice connect /ws
alice send {"action":"room","r":"none","t":"x"}
alice recv done
alice send {"action":"room","t":"x"}
alice recv done
alice send {"action":"room","r":"","t":"x"}
alice recv done
alice send {"action":"room","r":"${x*257}","t":"x"}
alice recv done
alice send {"action":"room","r":"${x*70000}","t":"x"}
alice recv done
alice send {"action":"room","r":{"a":[1]},"t":"x"}
alice recv done
alice send {"action":"to","u":"none","t":"x"}
alice recv done
alice send {"action":"to","t":"x"}
alice recv done
alice send {"action":"to","u":"","t":"x"}
alice recv done
alice send {"action":"to","u":"${x*257}","t":"x"}
alice recv done
alice send {"action":"conn","id":"none","t":"x"}
alice recv done
alice send {"action":"conn","t":"x"}
alice recv done
alice send {"action":"conn","id":"","t":"x"}
alice recv done
alice send {"action":"conn","id":"AAAAAAAAAAAAAAAAAAAAAA==","t":"x"}
alice recv done
alice send {"action":"conn","id":"_____________________w==","t":"x"}
alice recv done
alice send {"action":"conn","id":"${A*5000}","t":"x"}
alice recv done
alice send {"action":"conn","id":[1],"t":"x"}
alice recv done
no-log \[(error|warn)\]

=== TEST 4: all
--- ws
alice connect /ws
bob connect apart=alice /ws
carol connect apart=bob /ws
dave connect /ws
alice send {"action":"all","t":"everybody"}
alice recv everybody
bob recv everybody
carol recv everybody
dave recv everybody
bob send {"action":"allothers","t":"but me"}
bob recv done
alice recv but me
carol recv but me
dave recv but me
bob recv-none

=== TEST 5: all is all of this api
--- http_config
wschat_zone chat 1m;
wschat_api one { route all { send all 'one'; reply done; } }
wschat_api two { route all { send all 'two'; reply done; } route to { send user=u hello; reply done; }
                 route $connect { set $connection.user u; } route conn { send connection=$request.body.id hello; reply done; } }
wschat_api three { route $connect { set $connection.user u; } route me { reply '{"id":"$context.connectionId"}'; } }
--- config
location /one { wschat one; }
location /two { wschat two; }
location /three { wschat three; }
location /three/too { wschat three; }
--- ws
a connect /one
b connect /two
c connect /two
d connect /three
e connect /three/too
a send {"action":"all"}
a recv one
a recv done
b send {"action":"all"}
b recv two
b recv done
c recv two
# nor are there users and connections of other apis
b send {"action":"to"}
b recv hello
b recv done
c recv hello
d send {"action":"me"}
d recv-json {"id":"*"} => id=id
b send {"action":"conn","id":"${id}"}
b recv done
a recv-none
d recv-none
e recv-none

=== TEST 6: one connection, on whichever worker
--- ws
alice connect /ws
bob connect apart=alice /ws
carol connect apart=bob /ws
dave connect /ws
alice send {"action":"id"}
alice recv-json {"id":"*"} => id=id
bob send {"action":"id"}
bob recv-json {"id":"*"} => id=id
bob send {"action":"conn","id":"${alice.id}","t":"from bob"}
bob recv done
alice recv from bob
carol send {"action":"conn","id":"${alice.id}","t":"from carol"}
carol recv done
alice recv from carol
dave send {"action":"conn","id":"${bob.id}","t":"from dave"}
dave recv done
bob recv from dave
alice send {"action":"conn","id":"${alice.id}","t":"from myself"}
alice recv from myself
alice recv done
# unpadded it is none
carol send {"action":"conn","id":"${alice.id}x","t":"x"}
carol recv done
alice recv-none
alice close 1000
alice recv-close 1000
alice recv-eof
carol send {"action":"conn","id":"${alice.id}","t":"gone"}
carol recv done

=== TEST 7: reply and send are in order
--- api
route join { join x; reply joined; }
route o {
    reply 1;
    send self 2;
    send room=x 3;
    reply 4;
    send all 5;
    send user=u 6;
    send connection=$context.connectionId 7;
    send room=x ephemeral 8;
    reply 9;
}
route $connect { set $connection.user u; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv joined
repeat 10 alice send {"action":"o"}
alice recv 1
alice recv 2
alice recv 3
alice recv 4
alice recv 5
alice recv 6
alice recv 7
alice recv 8
alice recv 9
repeat 81 alice recv-like ^[1-9]$
alice recv-none

=== TEST 8: messages of one connection are worked on one after the other
--- api
route slow { delay 200ms; reply '$request.body.n'; }
route fast { reply '$request.body.n'; }
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"slow","n":1}
alice send {"action":"fast","n":2}
alice send {"action":"slow","n":3}
alice send {"action":"fast","n":4}
repeat 100 alice send {"action":"fast","n":5}
# others do not wait
bob send {"action":"fast","n":"b"}
bob recv b
alice recv 1
alice recv 2
alice recv 3
alice recv 4
repeat 100 alice recv 5

=== TEST 9: nothing is sent where the body is a reference without a value
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"join","r":"x"}
alice recv ok
bob send {"action":"join","r":"x"}
bob recv ok
alice send {"action":"json","r":"x"}
alice recv done
alice send {"action":"json","r":"x","t":[1.0]}
alice recv [1.0]
alice recv [1.0]
alice recv done
bob recv [1.0]
# a text is empty then
alice send {"action":"room","r":"x"}
alice recv-len 0
alice recv done
bob recv-len 0

=== TEST 10: a message that was not sent has no offset
--- api
route join { join x; reply ok; }
route json { send room=x '"$request.body.t"'; }
route off { send room=x '$room.offset'; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv ok
alice send {"action":"json"}
alice send {"action":"off"}
alice recv 1
alice send {"action":"json","t":null}
alice recv null
alice send {"action":"off"}
alice recv 3

=== TEST 11: long messages across workers
--- api
send_queue 4m;
route join { join x; reply ok; }
route room { send room=x '$request.body.t'; }
route eight { set $t '$request.body.t$request.body.t'; set $t '$t$t'; send room=x '$t$t'; reply done; }
--- ws
alice connect /ws
bob connect apart=alice /ws
carol connect apart=alice /ws
alice send {"action":"join"}
alice recv ok
bob send {"action":"join"}
bob recv ok
carol send {"action":"join"}
carol recv ok
alice send {"action":"room","t":"${a*100000}"}
alice send {"action":"room","t":"short"}
alice send {"action":"room","t":"${b*130000}"}
alice recv-len 100000
bob recv-len 100000
carol recv-len 100000
alice recv short
bob recv short
carol recv short
alice recv-len 130000
bob recv-len 130000
carol recv-len 130000
# 1000000 bytes, the limit of a body is 1m
alice send {"action":"eight","t":"${x*125000}"}
alice recv-len 1000000
alice recv done
bob recv-len 1000000
carol recv-len 1000000
alice send {"action":"room","t":"after"}
alice recv after
bob recv after
carol recv after

=== TEST 12: send in $connect and $disconnect
--- api
route $connect {
    set $connection.user $arg_u;
    join x;
    send room=x except=self '["room","$connection.user","comes"]';
    send user=watch except=self '["user","$connection.user","comes"]';
    reply '"welcome"';
    send self '"really"';
}
route $disconnect {
    send room=x '["room","$connection.user","goes"]';
    send user=watch '["user","$connection.user","goes"]';
    send all '["all","$connection.user","goes"]';
    send self '"never"';
}
--- ws
watch connect /ws?u=watch
watch recv "welcome"
watch recv "really"
alice connect apart=watch /ws?u=alice
alice recv "welcome"
alice recv "really"
watch recv ["room","alice","comes"]
watch recv ["user","alice","comes"]
alice close 1000
watch recv ["room","alice","goes"]
watch recv ["user","alice","goes"]
watch recv ["all","alice","goes"]
alice connect with=watch /ws?u=alice
alice recv "welcome"
alice recv "really"
watch recv ["room","alice","comes"]
watch recv ["user","alice","comes"]
alice abort
watch recv ["room","alice","goes"]
watch recv ["user","alice","goes"]
watch recv ["all","alice","goes"]

=== TEST 13: ephemeral messages are dropped for a client that does not read, others are not
--- api
send_queue 64k;
route join { join x; reply ok; }
route e { send room=x ephemeral '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
route last { send room=x '{"last":true}'; }
--- ws
alice connect /ws
bob connect rcvbuf=4096 /ws
bob send {"action":"join"}
bob recv ok
repeat 200 alice send {"action":"e","n":${i},"pad":"${x*30000}"}
alice send {"action":"join"}
alice recv ok
# bob is there still, and gets what matters
alice send {"action":"last"}
alice recv {"last":true}
bob recv-until {"last":true}
alice send {"action":"e","n":"now"}
bob recv {"n":"now"}
alice recv {"n":"now"}
no-log too slow

=== TEST 14: ephemeral messages come in order to those who read
--- api
route join { join x; reply ok; }
route e { send room=x ephemeral '$room.offset'; reply '$request.body.n'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
bob send {"action":"join"}
bob recv ok
alice send {"action":"e","n":1}
alice recv 1
bob recv 1
alice send {"action":"e","n":2}
alice recv 2
bob recv 2

=== TEST 15: what one sends comes in order, whatever it is sent to
--- api
history 1;
route $connect { set $connection.user $arg_u; }
route join { join x; reply '{"id":"$context.connectionId"}'; }
route all {
    send room=x 'r$request.body.n';
    send user=bob 'u$request.body.n';
    send connection=$request.body.id 'c$request.body.n';
    send all except=self 'a$request.body.n';
    send room=x store ephemeral 's$request.body.n';
}
--- ws
alice connect /ws?u=alice
bob connect apart=alice /ws?u=bob
bob send {"action":"join"}
bob recv-json {"id":"*"} => id=id
repeat 200 alice send {"action":"all","n":${i},"id":"${id}"}
bob recv-each 200 r%i u%i c%i a%i s%i

=== TEST 16: a message that waits keeps what it says, whatever comes meanwhile
--- api
route wait {
    set $x $request.body.v;
    set $y "$request.body.v!";
    delay 100ms;
    reply '{"raw":"$request.body","v":"$request.body.v","x":"$x","y":"$y","a":"$connection.a","n":"$request.body.n"}';
}
route ok { reply ok; }
route set { set $connection.a $request.body.a; }
--- ws
alice connect /ws
bob connect with=alice /ws
alice send {"action":"set","a":"attr"}
alice send {"action":"wait","v":{"k": ["v",1.10]},"n":1}
alice send {"action":"wait","v":"second","n":2}
bob send {"action":"ok","pad":"${z*60000}"}
bob send {"action":"wait","v":"${y*30000}"}
bob recv ok
bob send {"action":"ok","pad":"${z*60000}"}
alice recv {"raw":"{\"action\":\"wait\",\"v\":{\"k\": [\"v\",1.10]},\"n\":1}","v":{"k":["v",1.10]},"x":{"k":["v",1.10]},"y":"{\"k\":[\"v\",1.10]}!","a":"attr","n":1}
alice recv {"raw":"{\"action\":\"wait\",\"v\":\"second\",\"n\":2}","v":"second","x":"second","y":"second!","a":"attr","n":2}
bob recv-like "x":"y{30000}"
bob recv ok

=== TEST 17: the same in $connect
--- api
route $connect {
    if ($arg_slow) { delay 100ms; }
    reply '{"h":"$request.header.x-a","q":"$request.querystring.q","v":"$http_x_a"}';
}
--- ws
alice open
alice write GET /ws?slow=1&q=a%22 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-A: ${a*3000}\r\n\r\n
bob connect /ws?q=bob X-A: ${b*3000}
bob recv {"h":"${b*3000}","q":"bob","v":"${b*3000}"}
alice recv-head 101
alice recv {"h":"${a*3000}","q":"a\"","v":"${a*3000}"}
