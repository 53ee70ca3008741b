# The messages of one connection are worked on one after the other, "delay"
# holds up its own connection only, what is behind it comes after it, and a
# flood of one does not starve the others.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';


sub text_frame {
    my $len = length $_[0];

    return unpack 'H*', ($len < 126 ? pack('CC', 0x81, 0x80 | $len)
                                    : pack('CCn', 0x81, 0xfe, $len))
                        . "\0\0\0\0$_[0]";
}


# NAME floods HEX: a process of its own writes that; NAME flooded: it is done

sub WSConversation::_client_floods {
    my ($self, $who, $hex) = @_;

    my $ws = $self->_ws($who);
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        $ws->write(pack 'H*', $hex);
        require POSIX;
        POSIX::_exit(0);
    }

    $ws->{pid} = $pid;
}

sub WSConversation::_client_flooded {
    my ($self, $who) = @_;
    waitpid $self->_ws($who)->{pid}, 0;
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


# NAME fairly A B N: N messages of each, each's own in order, and when one is
# through the other has had at least a third of its own

sub WSConversation::_client_fairly {
    my ($self, $who, $rest, $text) = @_;

    my ($one, $two, $n) = split / /, $rest;
    my %next = ($one => 0, $two => 0);
    my $fault;

    while ($next{$one} < $n || $next{$two} < $n) {
        my ($got, $payload) = $self->_ws($who)->message;

        if ($got ne 'text' || $payload !~ /^\{"from":"(\w+)","n":(\d+)\}$/
            || $next{$1}++ != $2)
        {
            $fault = "got $got $payload";
            last;
        }

        $fault //= "$1 was through when the others were $next{$one}, $next{$two}"
            if $next{$1} == $n && ($next{$one} < $n / 3 || $next{$two} < $n / 3);
    }

    $self->_ok(!defined $fault, $text, $fault);
}


# blocks of one configuration stand together and share nginx

no_shuffle();
share_nginx();
run_tests();

__DATA__

=== TEST 1: answers in the order of the questions
--- api
route n { reply '{"n":"$request.body.n"}'; }
--- ws
alice connect /ws
repeat 1000 alice send {"action":"n","n":${i}}
repeat 1000 alice recv {"n":${i}}

=== TEST 2: to a room as well, whoever is where
--- api
route $connect { join r; }
route say { send room=r '{"n":"$request.body.n","o":"$room.offset"}'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
carol connect with=bob /ws
repeat 500 alice send {"action":"say","n":${i}}
repeat 500 bob recv-like ^\{"n":${i},
repeat 500 alice recv-like ^\{"n":${i},
repeat 500 carol recv-like ^\{"n":${i},

=== TEST 3: delay suspends its own connection only
--- api
route slow { delay 700ms; reply '{"slow":"$request.body.n"}'; }
route n { reply '{"n":"$request.body.n"}'; }
--- ws
alice connect /ws
bob connect with=alice /ws
carol connect apart=alice /ws
alice send {"action":"slow","n":1}
alice send {"action":"n","n":2}
repeat 50 bob send {"action":"n","n":${i}}
repeat 50 bob recv {"n":${i}}
carol send {"action":"n","n":3}
carol recv {"n":3}
http GET /nothing => 404
dave connect with=alice /ws
dave send {"action":"n","n":4}
dave recv {"n":4}
alice recv {"slow":1}
alice recv {"n":2}

=== TEST 4: one delay after another
--- api
route slow { delay 100ms; reply '{"slow":"$request.body.n"}'; }
route n { reply '{"n":"$request.body.n"}'; }
--- ws
alice connect /ws
alice send {"action":"slow","n":1}
alice send {"action":"n","n":2}
alice send {"action":"slow","n":3}
alice send {"action":"slow","n":4}
alice send {"action":"n","n":5}
alice recv {"slow":1}
alice recv {"n":2}
alice recv {"slow":3}
alice recv {"slow":4}
alice recv {"n":5}
alice recv-none 0.05

=== TEST 5: in one packet
--- api
route slow { delay 50ms; reply '{"slow":"$request.body.n"}'; }
route n { reply '{"n":"$request.body.n"}'; }
--- ws eval
"alice connect /ws\nalice send-raw "
. CORE::join('', map { ::text_frame('{"action":"' . ($_ % 10 ? 'n' : 'slow') . '","n":' . $_ . '}') } 1 .. 100) . "\n"
. CORE::join '', map { 'alice recv {"' . ($_ % 10 ? 'n' : 'slow') . '":' . $_ . "}\n" } 1 .. 100

=== TEST 6: many KB behind a delayed message
--- api
max_message 256k;
send_queue 16m;
route slow { delay 200ms; reply '{"slow":true}'; }
route n { reply '{"n":"$request.body.n","pad":"$request.body.pad"}'; }
--- ws eval
"alice connect /ws\nalice send {\"action\":\"slow\"}\n"
. CORE::join('', map { "alice send {\"action\":\"n\",\"n\":$_,\"pad\":\"\${x*" . (1, 5000, 70000, 200000)[$_ % 4] . "}\"}\n" } 1 .. 8)
. "alice recv {\"slow\":true}\n"
. CORE::join('', map { "alice recv {\"n\":$_,\"pad\":\"\${x*" . (1, 5000, 70000, 200000)[$_ % 4] . "}\"}\n" } 1 .. 8)

=== TEST 7: thousands of messages behind a delayed one
--- api
route slow { delay 200ms; reply '{"slow":true}'; }
route n { reply '{"n":"$request.body.n"}'; }
--- ws eval
"alice connect /ws\nalice send-raw "
. CORE::join('', ::text_frame('{"action":"slow"}'), map { ::text_frame('{"action":"n","n":' . $_ . '}') } 0 .. 2999) . "\n"
. "alice recv {\"slow\":true}\nrepeat 3000 alice recv {\"n\":\${i}}\n"

=== TEST 8: a close frame behind a delayed message
--- api
route slow { delay 200ms; reply '{"slow":true}'; send room=spies '{"done":true}'; }
route n { reply '{"n":"$request.body.n"}'; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send {"action":"slow"}
alice send {"action":"n","n":1}
alice ping p
alice close 4001 end
alice recv {"slow":true}
alice recv {"n":1}
alice recv-pong p
alice recv-close-only 4001 end
alice recv-eof
spy recv {"done":true}
spy recv {"code":4001}

=== TEST 9: a broken frame behind a delayed message
--- api
route slow { delay 150ms; reply '{"slow":true}'; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send {"action":"slow"}
alice frame op=3
alice recv {"slow":true}
alice recv-close-only 1002
alice recv-eof
alice hangup
spy recv {"code":1002}
bob connect /ws
bob send {"action":"slow"}
bob send-bin 00
bob recv {"slow":true}
bob recv-close 1003 Binary is not supported
spy recv {"code":1003}

=== TEST 10: gone behind a delayed message: it is finished, then $disconnect
--- api
route slow {
    set $connection.n $request.body.n;
    delay 200ms;
    send room=spies '{"done":"$connection.n","body":"$request.body.n"}';
    reply '{"nobody":true}';
    join late;
    send room=spies '{"late":"$room"}';
}
route n { send room=spies '{"n":"$request.body.n"}'; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode","n":"$connection.n"}'; }
--- config
location /ws { wschat chat; }
location = /status { wschat_status; }
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send {"action":"slow","n":1}
alice hangup
spy recv {"done":1,"body":1}
spy recv-until {"code":1006,"n":1}
alice connect /ws
alice send {"action":"slow","n":2}
alice abort
spy recv {"done":2,"body":2}
spy recv-until {"code":1006,"n":2}
spy recv-none 0.05
until http GET /status => 200 "connections":1,"rooms":1,

=== TEST 11: what was sent before the end counts, behind a delay as well
--- api
route slow { delay 150ms; send room=spies '{"slow":"$request.body.n"}'; }
route n { send room=spies '{"n":"$request.body.n"}'; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send {"action":"slow","n":0}
repeat 20 alice send {"action":"n","n":${i}}
alice close 1000
alice hangup
spy recv {"slow":0}
repeat 20 spy recv {"n":${i}}
spy recv {"code":1000}
spy recv-none 0.05

=== TEST 12: DELETE while a message is worked on
--- api
close_timeout 60s;
route $connect { reply '{"id":"$context.connectionId"}'; }
route slow { delay 900ms; reply '{"too":"late"}'; }
route $disconnect { send all '{"code":"$context.disconnectStatusCode"}'; }
--- ws
spy connect /ws
spy recv-json {"id":"*"}
alice connect /ws
alice recv-json {"id":"*"} => id=id
alice send {"action":"slow"}
alice send {"action":"slow"}
http DELETE /ws/@connections/${id} => 204
alice recv-close 1000 Connection Closed Normally
alice recv-eof
spy recv {"code":1000}
spy recv-none 0.05

=== TEST 13: the step close behind a delay
--- api
close_timeout 60s;
route slow { delay 100ms; reply '{"bye":true}'; close 4000; }
route n { reply '{"n":1}'; }
--- ws
alice connect /ws
alice send {"action":"slow"}
alice send {"action":"n"}
alice recv {"bye":true}
alice recv-close-only 4000
alice close 4000
alice recv-eof
bob connect /ws
bob send {"action":"slow"}
bob close 4999
bob recv {"bye":true}
bob recv-close-only 4000
bob recv-eof

=== TEST 14: what a delayed message knows is its own
--- api
route slow {
    set $x $request.body.x;
    set $y '<$request.body.x>';
    join $request.body.room;
    delay 200ms;
    reply '{"x":"$x","y":"$y","body":"$request.body.x","room":"$room","action":"$context.routeKey"}';
}
route n { set $x 'other'; set $y 'other'; reply '{"n":"$request.body.x"}'; }
--- ws
alice connect /ws
bob connect with=alice /ws
carol connect with=alice /ws
alice send {"action":"slow","x":"alice","room":"a"}
bob send {"action":"slow","x":{"b":[1.10,"\u00fc",null]},"room":"b"}
repeat 30 carol send {"action":"n","x":"${x*500}"}
repeat 30 carol recv {"n":"${x*500}"}
alice recv {"x":"alice","y":"<alice>","body":"alice","room":"a","action":"slow"}
bob recv-like ^\{"x":\{"b":\[1\.10,"[^"]+",null\]\},"y":"[^"].*"room":"b","action":"slow"\}$
# one that came in pieces
alice frame op=1,fin=0 {"action":"slow",
alice frame op=0 "x":"pieces","room":"a"}
bob send {"action":"n","x":"${y*2000}"}
bob recv {"n":"${y*2000}"}
alice recv {"x":"pieces","y":"<pieces>","body":"pieces","room":"a","action":"slow"}

=== TEST 15: many delayed at once, each at its own time
--- api
route slow { delay 300ms; reply '{"n":"$request.body.n"}'; }
route quick { delay 1ms; reply '{"n":"$request.body.n"}'; }
--- ws eval
CORE::join('', map { "c$_ connect /ws\n" } 1 .. 50)
. CORE::join('', map { "c$_ send {\"action\":\"slow\",\"n\":$_}\nc$_ send {\"action\":\"quick\",\"n\":-$_}\n" } 1 .. 50)
. CORE::join('', map { "c$_ recv {\"n\":$_}\nc$_ recv {\"n\":-$_}\n" } CORE::reverse 1 .. 50)

=== TEST 16: a flood of one, and the others
--- api
route n { reply '{"n":"$request.body.n"}'; }
route sink { set $x 1; }
--- ws eval
# some MB that wait in the socket while others ask
my $flood = ::text_frame('{"action":"sink"}') x 20000;
<<"END"
alice connect /ws
flood connect with=alice /ws
flood floods $flood
repeat 30 alice send {"action":"n","n":\${i}}
repeat 30 alice recv {"n":\${i}}
bob connect with=alice /ws
bob send {"action":"n","n":1}
bob recv {"n":1}
flood flooded
END

=== TEST 17: a flood of one does not come before what another said first
--- api
route $connect { join r; }
route say { send room=r '{"from":"$request.body.from","n":"$request.body.n"}'; }
--- ws eval
my $burst = sub { my $who = shift; CORE::join '', map { ::text_frame("{\"action\":\"say\",\"from\":\"$who\",\"n\":$_}") } 0 .. 499 };
<<"END"
spy connect /ws
a connect with=spy /ws
b connect with=spy /ws
freeze
a send-raw @{[ $burst->('a') ]}
b send-raw @{[ $burst->('b') ]}
thaw
spy fairly a b 500
END

=== TEST 18: a flood while one's own messages wait
--- api
route slow { delay 300ms; reply '{"slow":true}'; }
route n { reply '{"n":"$request.body.n"}'; }
--- ws eval
my $flood = ::text_frame('{"action":"n","n":1}') x 5000;
<<"END"
alice connect /ws
alice send {"action":"slow"}
alice floods $flood
bob connect with=alice /ws
bob send {"action":"n","n":1}
bob recv {"n":1}
alice recv {"slow":true}
repeat 5000 alice recv {"n":1}
alice flooded
END
