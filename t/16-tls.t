# The same over TLS: what OpenSSL holds back, records that do not fit frames,
# large messages both ways, ends without close_notify.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

# a TLS client says good bye to a server that has gone

$SIG{PIPE} = 'IGNORE';


# NAME cut: FIN, but no close_notify before it

sub WSConversation::_client_cut {
    my ($self, $who) = @_;
    shutdown $self->_ws($who)->{sock}, 1;
}


# blocks of one configuration stand together and share nginx

no_shuffle();
share_nginx();
run_tests();

__DATA__

=== TEST 1: the handshake and its refusals
--- api
route $connect {
    if ($request.querystring.no) { respond 403 '{"message":"no"}'; }
    reply '{"welcome":true}';
}
subprotocols chat.v1;
--- tls
--- ws
alice connect tls /ws Sec-WebSocket-Protocol: chat.v1 => 101 [Sec-WebSocket-Protocol: ^chat\.v1$ | Connection: (?i)^upgrade$]
alice recv {"welcome":true}
bob connect tls /ws?no=1 => 403 ^\{"message":"no"\}$
bob connect tls /ws Upgrade: => 426
bob connect tls /ws Sec-WebSocket-Key: x => 400
https GET /ws => 426
# plain text to the port of TLS
carol connect port=${tls_port} /ws => 400
alice ping p
alice recv-pong p
alice close 1000 bye
alice recv-close-only 1000 bye
alice recv-eof

=== TEST 2: lengths, text and control frames
--- api
route $default { reply $request.body; }
--- tls
--- ws eval
"alice connect tls /ws\n"
. CORE::join('', map { "alice send \${x*$_}\nalice recv \${x*$_}\n" }
                 1, 125, 126, 4096, 16383, 16384, 16385, 32767, 65535, 65536, 131072)
. CORE::join('', map { "alice ping \${p*$_}\nalice recv-pong \${p*$_}\n" } 1, 2, 124, 125)
. "alice frame op=1,fin=0 a\nalice ping x\nalice frame op=0 b\nalice recv-pong x\nalice recv ab\n"
. "alice frame op=3\nalice recv-close-only 1002\nalice recv-eof\n"

=== TEST 3: one byte a record
--- api
route $default { reply $request.body; }
--- tls
--- ws
alice connect tls /ws
alice frame op=1,split=1 ${x*200}
alice recv ${x*200}
alice frame op=1,fin=0,split=1 a\xc3
alice frame op=9,split=1 ping
alice frame op=0,split=1 \xbcb
alice recv-pong ping
alice recv-esc a\xc3\xbcb

=== TEST 4: many frames a record, more than are worked on in one go
--- api
route n { reply '{"n":"$request.body.n"}'; }
route $default { reply $request.body; }
--- tls
--- ws eval
"alice connect tls /ws\n"
. CORE::join '', map {
    my $n = $_;
    "alice send-raw " . CORE::join('', map { '818400000000' . unpack 'H*', sprintf '%04d', $_ } 1 .. $n) . "\n"
    . CORE::join('', map { sprintf "alice recv %04d\n", $_ } 1 .. $n)
} 63, 64, 65, 129, 1500

=== TEST 5: many frames behind the handshake
--- api
route $default { reply $request.body; }
--- tls
--- ws eval
my $ask = 'GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
my $frames = CORE::join '', map { '\x81\x84\x00\x00\x00\x00' . sprintf '%04d', $_ } 1 .. 1500;
"alice open tls\nalice write $ask$frames\nalice recv-head 101\n"
. CORE::join('', map { sprintf "alice recv %04d\n", $_ } 1 .. 1500)
. "bob open tls\nbob write split=9 $ask\\x81\\x84\\x00\\x00\\x00\\x00done\nbob recv-head 101\nbob recv done\n"

=== TEST 6: large messages both ways
--- api
max_message 4m;
max_body 8m;
send_queue 32m;
route $default { reply $request.body; }
--- tls
--- ws
alice connect tls /ws
alice send ${a*1000000}
alice recv ${a*1000000}
alice send ${b*4000000}
alice recv ${b*4000000}
alice frame op=1,split=10007 ${c*500000}
alice recv ${c*500000}
# several at once, read only then
alice send ${d*300000}
alice send ${e*300000}
alice send ${f*300000}
alice recv ${d*300000}
alice recv ${e*300000}
alice recv ${f*300000}

=== TEST 7: a room of both kinds, over workers
--- api
max_message 1m;
send_queue 8m;
route $connect { join r; }
route say { send room=r '{"pad":"$request.body.pad"}'; }
--- tls
--- ws eval
"alice connect tls /ws\nbob connect tls apart=alice /ws\ncarol connect /ws\ndave connect tls with=alice /ws\n"
. CORE::join '', map { my $n = $_; "alice send {\"action\":\"say\",\"pad\":\"\${x*$n}\"}\n"
    . CORE::join '', map { "$_ recv {\"pad\":\"\${x*$n}\"}\n" } qw(alice bob carol dave) }
    1, 100, 16370, 16384, 40000, 300000

=== TEST 8: the queue goes out although the client reads late
--- api
send_queue 8m;
route fill { reply '{"n":1,"pad":"$request.body.pad"}'; reply '{"n":2,"pad":"$request.body.pad"}'; reply '{"n":3,"pad":"$request.body.pad"}'; }
--- tls
--- config eval
'listen 127.0.0.1:' . (Test::Nginx::Util::server_port() + 2) . ' ssl sndbuf=8k;
location /ws { wschat chat; }'
--- ws eval
my $port = Test::Nginx::Util::server_port() + 2;
<<"END"
alice connect tls port=$port rcvbuf=2048 /ws
alice send {"action":"fill","pad":"\${x*100000}"}
sleep 0.2
alice ping p
alice recv {"n":1,"pad":"\${x*100000}"}
alice recv {"n":2,"pad":"\${x*100000}"}
alice recv {"n":3,"pad":"\${x*100000}"}
alice recv-pong p
END

=== TEST 9: one that does not read at all
--- api
send_queue 64k;
close_timeout 500ms;
route fill { reply '{"pad":"$request.body.pad"}'; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- tls
--- config eval
'listen 127.0.0.1:' . (Test::Nginx::Util::server_port() + 2) . ' ssl sndbuf=8k;
location /ws { wschat chat; }'
--- ws eval
my $port = Test::Nginx::Util::server_port() + 2;
<<"END"
spy connect tls /ws?spy=1
alice connect tls port=$port rcvbuf=2048 /ws
repeat 10 alice send {"action":"fill","pad":"\${x*60000}"}
spy recv {"code":1008}
spy ping p
spy recv-pong p
END

=== TEST 10: ends: with close frame, with close_notify, without either
--- api
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}'; }
--- tls
--- ws
spy connect tls /ws?spy=1
alice connect tls /ws
alice close 4001 bye
alice recv-close-only 4001 bye
alice recv-eof
spy recv {"code":4001,"reason":"bye"}
alice connect tls /ws
alice hangup
spy recv {"code":1006,"reason":"Connection closed abnormally"}
alice connect tls /ws
alice cut
alice recv-eof
spy recv {"code":1006,"reason":"Connection closed abnormally"}
alice connect tls /ws
alice abort
spy recv {"code":1006,"reason":"Connection closed abnormally"}
alice connect tls /ws
alice frame op=1,fin=0 half
alice cut
spy recv {"code":1006,"reason":"Connection closed abnormally"}
# what is no TLS record at all
alice connect tls /ws
alice close 1000
alice cut
spy recv {"code":1000,"reason":""}
spy recv-none

=== TEST 11: our close
--- api
route bye { reply '{"last":"$request.body.pad"}'; close 4000 'bye'; }
--- tls
--- ws
alice connect tls /ws
alice send {"action":"bye","pad":"${x*100000}"}
alice recv {"last":"${x*100000}"}
alice recv-close 4000 bye
alice recv-eof

=== TEST 12: frames that wait in OpenSSL behind a delayed one
--- api
route slow { delay 200ms; reply '{"slow":"$request.body.n"}'; }
route n { reply '{"n":"$request.body.n"}'; }
--- tls
--- ws eval
my $frame = sub { sprintf '81%02x00000000%s', 128 + length $_[0], unpack 'H*', $_[0] };
my $all = $frame->('{"action":"slow","n":0}') . CORE::join '', map { $frame->("{\"action\":\"n\",\"n\":$_}") } 1 .. 200;
# one record, and then records that nobody would hear of if the first stays
"alice connect tls /ws\nalice send-raw $all\nalice ping p\n"
. "alice recv {\"slow\":0}\n"
. CORE::join('', map { "alice recv {\"n\":$_}\n" } 1 .. 200)
. "alice recv-pong p\n"

=== TEST 13: time-outs
--- api
idle_timeout 1s;
ping_interval 200ms;
ping_is_activity off;
--- tls
--- ws
alice connect tls /ws
alice recv-ping
alice pong
alice recv-ping
alice pong
bob connect tls /ws
bob recv-ping
bob recv-close 1001 Going away
bob recv-eof
