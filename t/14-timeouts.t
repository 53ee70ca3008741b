# Time: idle_timeout, max_duration, ping_interval and pong_timeout,
# read_timeout, send_timeout, close_timeout.  Each fires, none of them early.
#
# That nothing comes early is measured from before what starts the time, so a
# slow machine only makes it longer; that something comes is waited for.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';


# mark NAME: remembers now; after NAME SECONDS: so much time has passed since;
# pause SECONDS: as "sleep", but never longer in the sanitized run, as nginx's
# times are not longer either

our %mark;

sub WSConversation::_do_mark {
    my ($self, $name) = @_;
    $mark{$name} = Time::HiRes::time();
}

sub WSConversation::_do_after {
    my ($self, $rest, $text) = @_;

    my ($name, $least) = split / /, $rest;
    my $passed = Time::HiRes::time() - $mark{$name};

    $self->_ok($passed >= $least, $text, "only $passed s have passed");
}

sub WSConversation::_do_pause {
    my ($self, $rest) = @_;
    Time::HiRes::sleep($rest);
}

# NAME recv-until-close ...: skips messages, answers pings, then "recv-close"

sub WSConversation::_client_recv_until_close {
    my ($self, $who, $rest, $text) = @_;

    my $ws = $self->_ws($who);
    my $until = Time::HiRes::time() + 2 * $self->{timeout};

    while (Time::HiRes::time() < $until) {
        my ($got, $payload) = $ws->message;

        if ($got eq 'close') {
            $ws->frame(8, pack 'n', $payload =~ /^(\d+)/);
            return $self->_ok($payload eq $rest, $text, $payload);
        }

        $ws->frame(10, $payload) if $got eq 'ping';
        last if $got eq 'eof' || $got eq 'nothing';
    }

    $self->_miss($text, 'there is no close frame');
}


# NAME drip N SECONDS: reads a little, N times, with so much time between

sub WSConversation::_client_drip {
    my ($self, $who, $rest) = @_;

    my ($n, $pause) = split / /, $rest;
    my $ws = $self->_ws($who);

    for (1 .. $n) {
        Time::HiRes::sleep($pause);
        sysread $ws->{sock}, $ws->{in}, 16384, length $ws->{in};
    }
}


# blocks of one configuration stand together and share nginx

no_shuffle();
share_nginx();
run_tests();

__DATA__

=== TEST 1: idle_timeout, and what is activity
--- api
idle_timeout 2s;
ping_interval 0;
route $connect { if ($request.querystring.in) { join r; } }
route tick { send room=r '{"tick":true}'; }
route $disconnect {
    send all '{"code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}';
}
--- ws
mark silent
silent connect /ws
talks connect /ws
pings connect /ws
pongs connect /ws
hears connect /ws?in=1
pause 0.7
talks send {"action":"tick"}
pings ping
pongs pong
pause 0.7
talks send {"action":"tick"}
pings ping
pongs pong
silent recv-close 1001 Going away
silent recv-eof
after silent 2
# to be told of that is activity, too
talks recv {"code":1001,"reason":"Going away"}
hears recv {"tick":true}
hears recv {"tick":true}
hears recv {"code":1001,"reason":"Going away"}
pings recv-pong
pings recv-pong
pings recv {"code":1001,"reason":"Going away"}
pongs recv {"code":1001,"reason":"Going away"}
# nobody else went
talks send {"action":"tick"}
hears recv {"tick":true}
pings ping end
pings recv-pong end

=== TEST 2: idle_timeout when pings do not count
--- api
idle_timeout 1s;
ping_is_activity off;
ping_interval 0;
route echo { reply '{}'; }
--- ws
mark a
alice connect /ws
bob connect /ws
pause 0.4
alice ping 1
alice pong
bob send {"action":"echo"}
bob recv {}
mark b
pause 0.4
alice ping 2
alice recv-pong 1
alice recv-pong 2
alice recv-close 1001 Going away
after a 1.0
bob recv-close 1001 Going away
after b 1.0

=== TEST 3: what the server sends is activity, its pings are not
--- api
idle_timeout 1200ms;
ping_interval 300ms;
ping_is_activity off;
route $connect { reply '{"id":"$context.connectionId"}'; }
--- ws
mark a
alice connect /ws
alice recv-json {"id":"*"} => id=id
pause 0.5
mark b
http POST /ws/@connections/${id} one => 200
alice recv-ping
alice pong
alice recv-until-close 1001 Going away
after b 1.2

=== TEST 4: a time of 0 is no limit
--- api
idle_timeout 0;
max_duration 0;
ping_interval 0;
read_timeout 0;
send_timeout 0;
route echo { reply '{}'; }
--- ws
alice connect /ws
bob connect /ws
bob frame op=1,fin=0 {"action":
pause 0.5
alice recv-none 0.01
alice send {"action":"echo"}
alice recv {}
bob frame op=0 "echo"}
bob recv {}

=== TEST 5: max_duration, whatever is going on
--- api
max_duration 1s;
route echo { reply '{}'; }
--- http_config
log_format ws 'ws|$wschat_close_code|$wschat_close_reason|$wschat_messages_in|end';
--- config
location /ws { access_log $TEST_NGINX_SERVER_ROOT/logs/access.log ws; wschat chat; }
--- ws
mark a
alice connect /ws
bob connect /ws
pause 0.4
bob send {"action":"echo"}
bob recv {}
bob ping
bob recv-pong
alice recv-close 1001 Going away
after a 1
bob recv-close 1001 Going away
alice recv-eof
bob recv-eof
access-log ^ws\|1001\|Going away\|0\|end$
access-log ^ws\|1001\|Going away\|1\|end$

=== TEST 6: ping_interval: one that answers stays
--- api
ping_interval 300ms;
pong_timeout 1s;
route echo { reply '{}'; }
--- ws
mark a
alice connect /ws
alice recv-ping
after a 0.3
mark b
alice pong
alice recv-ping
after b 0.3
# any input is an answer
alice send {"action":"echo"}
alice recv {}
mark c
alice recv-ping
after c 0.2
alice frame op=1,fin=0 {"action"
alice recv-ping
alice frame op=0 :"echo"}
alice recv {}
alice ping x
alice recv-pong x
alice recv-ping
alice pong rubbish
alice recv-ping

=== TEST 7: ping_interval: one that does not answer goes, without a close frame
--- api
ping_interval 300ms;
pong_timeout 500ms;
--- http_config
log_format ws 'ws|$wschat_close_code|$wschat_close_reason|end';
--- config
location /ws { access_log $TEST_NGINX_SERVER_ROOT/logs/access.log ws; wschat chat; }
--- ws
mark a
alice connect /ws
alice recv-ping
after a 0.3
alice recv-eof
after a 0.8
log client did not answer a ping in 500 ms.*client: 127\.0\.0\.1
access-log ^ws\|1006\|Connection closed abnormally\|end$

=== TEST 8: no ping while there is traffic
--- api
ping_interval 700ms;
pong_timeout 1s;
route echo { reply '{}'; }
--- ws
alice connect /ws
mark a
pause 0.3
alice send {"action":"echo"}
pause 0.3
alice send {"action":"echo"}
mark b
alice recv {}
alice recv {}
alice recv-ping
after b 0.7

=== TEST 9: read_timeout: half a frame, half a message
--- api
read_timeout 600ms;
route echo { reply '{}'; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect {
    send room=spies '{"code":"$context.disconnectStatusCode"}';
}
--- ws
spy connect /ws?spy=1
a connect /ws
b connect /ws
c connect /ws
d connect /ws
e connect /ws
mark start
a send-raw 81
b send-raw 81850000000068
c frame op=1,fin=0 {"action"
d send-raw 8985000000
e send-raw 818500000000
e send-raw 68
a recv-eof
after start 0.6
b recv-eof
c recv-eof
d recv-eof
e recv-eof
spy recv {"code":1006}
spy recv {"code":1006}
spy recv {"code":1006}
spy recv {"code":1006}
spy recv {"code":1006}
log client did not complete a message in 600 ms
# a client between two messages may be as silent as it likes
spy send {"action":"echo"}
spy recv {}

=== TEST 10: read_timeout: dripping does not help
--- api
read_timeout 1s;
--- ws
alice connect /ws
bob connect /ws
carol connect /ws
mark a
alice frame op=1,fin=0 x
bob send-raw 81fe100000000000
carol frame op=1,fin=0 x
pause 0.2
alice frame op=0,fin=0 x
bob send-raw 61
carol ping
pause 0.2
alice frame op=0,fin=0 x
bob send-raw 61
carol ping
pause 0.2
alice frame op=0,fin=0 x
bob send-raw 61
carol ping
alice recv-eof
after a 1
bob recv-eof
carol recv-pong
carol recv-pong
carol recv-pong
carol recv-eof

=== TEST 11: read_timeout: each message has all of it
--- api
read_timeout 1s;
route $default { reply $request.body; }
--- ws
# the beginning of the next frame always comes with the end of this one
alice connect /ws
bob connect /ws
alice send-raw 81
bob frame op=1,fin=0 a
pause 0.4
alice send-raw 81000000006181
alice recv a
bob send-raw 808100000000 6101810000000061
bob recv aa
pause 0.4
alice send-raw 81000000006281
alice recv b
bob send-raw 808100000000 6201810000000062
bob recv ab
pause 0.4
alice send-raw 81000000006381
alice recv c
bob send-raw 808100000000 6301810000000063
bob recv bc
pause 0.4
alice send-raw 810000000064
alice recv d
bob send-raw 808100000000 64
bob recv cd
pause 0.4
alice send e
alice recv e
bob send e
bob recv e

=== TEST 12: read_timeout behind a delayed message
--- api
read_timeout 400ms;
idle_timeout 0;
ping_interval 0;
route slow { delay 600ms; reply '{"slow":true}'; }
route $default { reply $request.body; }
--- ws
# half a header, half a payload, half a message: they are on time or not only
# when they are looked at
a connect /ws
b connect /ws
c connect /ws
d connect /ws
a send {"action":"slow"}
a send-raw 81
b send {"action":"slow"}
b send-raw 818400000000
c send {"action":"slow"}
c frame op=1,fin=0 x
d send {"action":"slow"}
d frame op=1,fin=0 x
pause 0.5
d frame op=0 y
d recv {"slow":true}
d recv xy
a recv {"slow":true}
b recv {"slow":true}
c recv {"slow":true}
a recv-eof
b recv-eof
c recv-eof
d send z
d recv z

=== TEST 13: a pong behind a delayed message counts, and pings go on
--- api
ping_interval 300ms;
pong_timeout 800ms;
route slow { delay 1300ms; reply '{"slow":true}'; }
--- ws
alice connect /ws
alice recv-ping
alice send {"action":"slow"}
alice pong
alice recv {"slow":true}
alice recv-ping
alice pong
alice recv-ping

=== TEST 14: the end of the time comes while a message is worked on
--- api
max_duration 400ms;
close_timeout 60s;
route slow { delay 900ms; reply '{"slow":true}'; }
route $disconnect { send all '{"code":"$context.disconnectStatusCode"}'; }
--- ws
alice connect /ws
alice send {"action":"slow"}
alice recv-close 1001 Going away
# our close frame was answered, so there is an end soon after the message's
alice recv-eof

=== TEST 15: close_timeout
--- api
close_timeout 500ms;
route bye { close 4000; }
--- ws
alice connect /ws
mark a
alice send {"action":"bye"}
alice recv-close-only 4000
alice recv-eof
after a 0.5

=== TEST 16: send_timeout: a client that does not read for so long goes
--- api
send_timeout 1s;
max_body 1m;
send_queue 8m;
route fill { reply '$request.body.y$request.body.y$request.body.y$request.body.y$request.body.y$request.body.y$request.body.y$request.body.y'; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- config eval
'listen 127.0.0.1:' . (Test::Nginx::Util::server_port() + 2) . ' sndbuf=16k;
location /ws { wschat chat; }'
--- ws eval
my $port = Test::Nginx::Util::server_port() + 2;
<<"END"
spy connect /ws?spy=1
alice connect port=$port rcvbuf=2048 /ws
bob connect port=$port rcvbuf=2048 /ws
mark a
alice send {"action":"fill","y":"\${y*50000}"}
bob send {"action":"fill","y":"\${y*50000}"}
# bob reads, if slowly
pause 0.4
bob recv \${y*400000}
spy recv {"code":1006}
after a 1
log client does not read: nothing was written for 1000 ms
bob ping x
bob recv-pong x
END

=== TEST 17: send_timeout: slow is not stalled
--- api
send_timeout 1s;
max_body 1m;
send_queue 8m;
route fill { reply '$request.body.y$request.body.y$request.body.y$request.body.y$request.body.y$request.body.y$request.body.y$request.body.y'; }
--- config eval
'listen 127.0.0.1:' . (Test::Nginx::Util::server_port() + 2) . ' sndbuf=8k;
location /ws { wschat chat; }'
--- ws eval
my $port = Test::Nginx::Util::server_port() + 2;
<<"END"
alice connect port=$port rcvbuf=4096 /ws
alice send {"action":"fill","y":"\${y*20000}"}
alice drip 4 0.35
alice recv \${y*160000}
alice ping x
alice recv-pong x
END

=== TEST 18: many clients, all at their own times
--- api
idle_timeout 700ms;
route $connect { set $connection.n $request.querystring.n; }
--- ws eval
"mark a\n"
. CORE::join('', map { "c$_ connect /ws?n=$_\npause 0.005\n" } 1 .. 60)
. CORE::join('', map { "c$_ recv-close 1001 Going away\n" } 1 .. 60)
. "after a 0.7\n"
