# Clients that do not read: bounded queues, ephemeral messages first, 1008, and
# that nobody else notices.  Messages that are larger than any buffer.
#
# The listener has small socket buffers, so that what is sent waits in nginx.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

our $slow_port = Test::Nginx::Util::server_port() + 2;

our $config = <<"END";
listen 127.0.0.1:$slow_port sndbuf=8k;
location /ws { wschat chat; }
location = /status { wschat_status; }
END

our $slow = "port=$slow_port rcvbuf=2048";


# NAME recv-rising [SECONDS [N]]: what is there of {"n":...} is rising; it is
# remembered how many; until nothing comes, a close frame, the end, or N came
#
# NAME came MIN MAX: so many came; NAME ended WHAT: that is how it stopped

sub WSConversation::_client_recv_rising {
    my ($self, $who, $rest, $text) = @_;

    my ($seconds, $n) = split / /, $rest;
    my $ws = $self->_ws($who);
    my $last = -1;
    my $fault;

    @$ws{'came', 'other', 'ended'} = (0, 0, '');

    until (defined $n && $ws->{came} == $n) {
        my ($got, $payload) = $ws->message($seconds);

        if ($got eq 'text' && $payload =~ /^\{"n":"?(\d+)/) {
            $fault //= "$1 came after $last" if $1 <= $last;
            $last = $1;
            $ws->{came}++;
            next;
        }

        if ($got eq 'text') {
            $ws->{other}++;
            next;
        }

        $ws->{ended} = length $payload ? "$got $payload" : $got;
        last;
    }

    $self->_ok(!defined $fault, $text, $fault);
}

sub WSConversation::_client_came {
    my ($self, $who, $rest, $text) = @_;

    my ($min, $max) = split / /, $rest;
    my $came = $self->_ws($who)->{came};

    $self->_ok($came >= $min && $came <= $max, $text, "$came came");
}

sub WSConversation::_client_others_came {
    my ($self, $who, $rest, $text) = @_;

    my ($min, $max) = split / /, $rest;
    my $came = $self->_ws($who)->{other};

    $self->_ok($came >= $min && $came <= $max, $text, "$came came");
}

sub WSConversation::_client_ended {
    my ($self, $who, $rest, $text) = @_;

    my $ended = $self->_ws($who)->{ended};
    $self->_ok($ended =~ /$rest/, $text, "it was [$ended]");
}


# NAME recv-last-pong N: rising pongs, the last is that one

sub WSConversation::_client_recv_last_pong {
    my ($self, $who, $n, $text) = @_;

    my $last = 0;

    while ($last < $n) {
        my ($got, $payload) = $self->_ws($who)->message;

        last if $got ne 'pong' || $payload <= $last;
        $last = $payload;
    }

    $self->_ok($last == $n, $text, "the last was $last");
}


# NAME reads-beside N: a process of its own reads N of {"n":...}; has-read N: it
# has, and nothing else

sub WSConversation::_client_reads_beside {
    my ($self, $who, $n) = @_;

    my $ws = $self->_ws($who);

    pipe my $in, my $out or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        my $count = 0;

        while ($count < $n) {
            my ($got, $payload) = $ws->message;

            if ($got ne 'text' || $payload !~ /^\{"n":/) {
                syswrite $out, "$got " . substr $payload, 0, 100;
                last;
            }

            $count++;
        }

        syswrite $out, "\n$count";
        require POSIX;
        POSIX::_exit(0);
    }

    @$ws{'pipe', 'pid'} = ($in, $pid);
}

sub WSConversation::_client_has_read {
    my ($self, $who, $n, $text) = @_;

    my $ws = $self->_ws($who);
    my $in = $ws->{pipe};

    local $/;
    my $said = <$in>;
    waitpid $ws->{pid}, 0;

    $self->_ok($said eq "\n$n", $text, $said);
}


# freeze, thaw: nginx stands still, so that what is sent meanwhile comes at once

sub WSConversation::_do_freeze {
    my ($self) = @_;
    kill 'STOP', $self->{single} ? $self->{pid}->() : $self->_workers;
}

sub WSConversation::_do_thaw {
    my ($self) = @_;
    kill 'CONT', $self->{single} ? $self->{pid}->() : $self->_workers;
}


# NAME call ACTION N BYTES OTHER...: sends N messages, the next when all of them
# have got what comes of the one before

sub WSConversation::_client_call {
    my ($self, $who, $rest, $text) = @_;

    my ($action, $n, $bytes, @others) = split / /, $rest;
    my $pad = 'x' x $bytes;
    my $fault;

    MESSAGE:
    for my $i (0 .. $n - 1) {
        $self->_ws($who)->frame(1, qq({"action":"$action","n":$i,"pad":"$pad"}));

        for ($who, @others) {
            my ($got, $payload) = $self->_ws($_)->message;

            next if $got eq 'text'
                    && $payload =~ /^\{"\w+":$i,"pad":"$pad"\}\z/;

            $fault = "$_ got in round $i: $got $payload";
            last MESSAGE;
        }
    }

    $self->_ok(!defined $fault, $text, $fault);
}


# blocks of one configuration stand together and share nginx

no_shuffle();
share_nginx();
run_tests();

__DATA__

=== TEST 1: one of a room does not read: 1008, and the others get everything in order
--- api
send_queue 64k;
close_timeout 500ms;
route $connect { join r; }
route say { send room=r '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
route $disconnect {
    send room=r '{"code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}';
}
--- config eval: $::config
--- ws eval
<<"END"
slow connect $::slow /ws
alice connect /ws
bob connect apart=alice /ws
alice call say 300 1000 bob
bob recv {"code":1008,"reason":"Too many messages are waiting"}
log client is too slow: \\d+ bytes are waiting.*client: 127\\.0\\.0\\.1.*connection:
until http GET /status => 200 "connections":2,
alice send {"action":"say","n":1,"pad":""}
bob recv {"n":1,"pad":""}
END

=== TEST 2: it reads again in time: all that was queued, in order, then 1008
--- api
send_queue 64k;
close_timeout 30s;
send_timeout 30s;
route $connect { join r; }
route say { send room=r '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
route $disconnect { send room=r '{"code":"$context.disconnectStatusCode"}'; }
--- config eval: $::config
--- ws eval
<<"END"
slow connect $::slow /ws
alice connect /ws
alice call say 300 1000
slow recv-rising
slow came 60 299
slow ended ^close 1008 Too many messages are waiting\$
slow close 1008
slow recv-eof
alice recv {"code":1008}
END

=== TEST 3: messages that are ephemeral are lost first, and the client stays
--- api
send_queue 200k;
send_timeout 30s;
route $connect { join r; }
route say  { send room=r '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
route type { send room=r ephemeral '{"type":"$request.body.n","pad":"$request.body.pad"}'; }
--- config eval: $::config
--- ws eval
<<"END"
slow connect $::slow /ws
alice connect /ws
# far more of these than the queue would hold
alice call type 1000 1000
# the others have room still
alice call say 50 1000
slow recv-rising 0.5
slow came 50 50
slow others-came 50 300
slow ended ^nothing
# and when it reads all come again
alice send {"action":"type","n":1,"pad":""}
slow recv {"type":1,"pad":""}
alice send {"action":"say","n":1,"pad":""}
slow recv {"n":1,"pad":""}
END

=== TEST 4: a client that asks a lot and reads nothing
--- api
send_queue 64k;
close_timeout 500ms;
route echo { reply '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- config eval: $::config
--- ws eval
<<"END"
spy connect /ws?spy=1
greedy connect $::slow /ws
repeat 300 greedy send {"action":"echo","n":\${i},"pad":"\${x*1000}"}
spy recv {"code":1008}
spy send {"action":"echo","n":1}
spy recv {"n":1}
END

=== TEST 5: a client that floods with pings and does not read the pongs
--- api
send_queue 64k;
send_timeout 700ms;
route echo { reply '{"n":"$request.body.n"}'; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- config eval: $::config
--- ws eval
my $pings = ('89fd00000000' . '70' x 125) x 200;
<<"END"
spy connect /ws?spy=1
flood connect $::slow /ws
repeat 20 flood send-raw $pings
spy recv-like ^\\{"code":100[68]\\}\$
spy send {"action":"echo","n":1}
spy recv {"n":1}
END

=== TEST 6: one message is larger than the queue may be
--- api
send_queue 16k;
max_message 1m;
route echo { reply '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
--- config eval: $::config
--- ws eval
<<"END"
slow connect $::slow /ws
slow send {"action":"echo","n":1,"pad":"\${x*400000}"}
slow recv {"n":1,"pad":"\${x*400000}"}
slow send {"action":"echo","n":2,"pad":"\${x*400000}"}
slow recv {"n":2,"pad":"\${x*400000}"}
slow ping x
slow recv-pong x
END

=== TEST 7: large messages to many, on all workers
--- api
max_message 1m;
max_body 2m;
send_queue 16m;
route $connect { join r; }
route say { send room=r '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
carol connect with=alice /ws
dave connect /ws
alice send {"action":"say","n":1,"pad":"${a*900000}"}
alice recv {"n":1,"pad":"${a*900000}"}
bob recv {"n":1,"pad":"${a*900000}"}
carol recv {"n":1,"pad":"${a*900000}"}
dave recv {"n":1,"pad":"${a*900000}"}
bob send {"action":"say","n":2,"pad":"${b*1000000}"}
alice recv {"n":2,"pad":"${b*1000000}"}
bob recv {"n":2,"pad":"${b*1000000}"}
carol recv {"n":2,"pad":"${b*1000000}"}
dave recv {"n":2,"pad":"${b*1000000}"}

=== TEST 8: large and small ones mixed, in order
--- api
max_message 512k;
send_queue 32m;
route $connect { join r; }
route say { send room=r '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
--- config eval: $::config
--- ws eval
<<"END"
alice connect /ws
bob connect apart=alice /ws
slow connect port=$::slow_port rcvbuf=65536 /ws
@{[ CORE::join '', map { "alice send {\"action\":\"say\",\"n\":$_,\"pad\":\"\${x*" . (1, 20, 130, 5000, 17000, 66000, 140000)[$_ % 7] . "}\"}\n" } 1 .. 70 ]}
bob recv-rising 5 70
bob came 70 70
slow recv-rising 5 70
slow came 70 70
alice recv-rising 5 70
alice came 70 70
END

=== TEST 9: slow, and then gone
--- api
send_queue 1m;
route $connect { join r; }
route say { send room=r '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
route $disconnect { send room=r '{"code":"$context.disconnectStatusCode"}'; }
--- config eval: $::config
--- ws eval
<<"END"
alice connect /ws
a connect $::slow /ws
b connect $::slow /ws
alice call say 100 1000
a abort
alice recv {"code":1006}
b hangup
alice recv {"code":1006}
until http GET /status => 200 "connections":1,
END

=== TEST 10: our close waits behind what is queued
--- api
send_queue 1m;
close_timeout 30s;
route fill { reply '{"n":1,"pad":"$request.body.pad"}'; reply '{"n":2,"pad":"$request.body.pad"}'; close 4000 'enough'; }
--- config eval: $::config
--- ws eval
<<"END"
slow connect $::slow /ws
slow send {"action":"fill","pad":"\${x*100000}"}
slow recv-rising
slow came 2 2
slow ended ^close 4000 enough\$
slow close 4000
slow recv-eof
END

=== TEST 11: @connections to a client that does not read
--- api
send_queue 64k;
close_timeout 500ms;
route $connect { reply '{"id":"$context.connectionId"}'; }
--- config eval
$::config . 'location /ws/@connections/ { wschat_connections chat; }'
--- ws eval
<<"END"
slow connect $::slow /ws
slow recv-json {"id":"*"} => id=id
repeat 30 http POST /ws/\@connections/\${id} \${x*1000} => 200
until http POST /ws/\@connections/\${id} \${x*30000} => 410
until http GET /status => 200 "connections":0,
END

=== TEST 12: hundreds who do not read
--- api
send_queue 16k;
close_timeout 500ms;
route $connect { join r; }
route say { send room=r '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
--- config eval: $::config
--- ws eval
CORE::join('', map { "s$_ connect $::slow /ws\n" } 1 .. 100)
. <<"END"
alice connect /ws
bob connect apart=alice /ws
alice call say 200 1000 bob
until http GET /status => 200 "connections":2,
END

=== TEST 13: a burst is no slowness: who reads gets it all
--- api
send_queue 32k;
route $connect { join r; }
route say { send room=r '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
route type { send room=r ephemeral '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
--- ws eval
my $burst = sub {
    my ($action, $n) = @_;
    CORE::join '', map {
        my $m = sprintf '{"action":"%s","n":%d,"pad":"%s"}', $action, $_, 'x' x 1000;
        sprintf '81fe%04x00000000%s', length $m, unpack 'H*', $m;
    } 1 .. $n;
};
<<"END"
alice connect /ws
bob connect with=alice /ws
carol connect apart=alice /ws
alice send-raw @{[ $burst->('say', 60) ]}
bob recv-rising 5 60
bob came 60 60
carol recv-rising 5 60
carol came 60 60
alice recv-rising 5 60
alice came 60 60
# not even those that may be lost
alice send-raw @{[ $burst->('type', 60) ]}
bob recv-rising 5 60
bob came 60 60
carol recv-rising 5 60
carol came 60 60
END

=== TEST 14: the same with the usual queue: 1.2 MB from many at once
--- api
route $connect { if ($request.querystring.hear) { join r; } }
route say { send room=r '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
--- ws eval
my $m = sprintf '{"action":"say","n":1,"pad":"%s"}', 'x' x 1000;
my $burst = sprintf('81fe%04x00000000%s', length $m, unpack 'H*', $m) x 48;
CORE::join('', map { "c$_ connect /ws\n" } 1 .. 24)
. "bob connect /ws?hear=1\nalice connect apart=bob /ws?hear=1\n"
. "bob reads-beside 1152\nalice reads-beside 1152\nfreeze\n"
. CORE::join('', map { "c$_ send-raw $burst\n" } 1 .. 24)
. "thaw\nbob has-read 1152\nalice has-read 1152\n"

=== TEST 15: of a flood of pings the last one at least is answered
--- api
send_queue 64k;
send_timeout 30s;
--- config eval: $::config
--- ws eval
my $pings = CORE::join '', map { '89fd00000000' . unpack 'H*', sprintf '%0125d', $_ } 1 .. 3000;
<<"END"
alice connect $::slow /ws
alice send-raw $pings
alice recv-last-pong 3000
alice ping x
alice recv-pong x
END
