# Every way in which a connection ends: the close handshake (RFC 6455 sections
# 5.5.1 and 7), ends without one, and what $disconnect is told (spec section
# 7), which is told exactly once.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';


# $disconnect tells the spies, who get exactly this

our $told = <<'END';
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect {
    send room=spies '{"code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}';
}
END


# NAME half-close: FIN, but goes on to read

sub WSConversation::_client_half_close {
    my ($self, $who) = @_;
    shutdown $self->_ws($who)->{sock}, 1;
}


# NAME last-raw HEX: these bytes and FIN in one packet

sub WSConversation::_client_last_raw {
    my ($self, $who, $hex) = @_;

    my $sock = $self->_ws($who)->{sock};

    # MSG_MORE: the bytes wait for what follows
    send $sock, pack('H*', $hex), 0x8000;
    shutdown $sock, 1;
}


# blocks of one configuration stand together and share nginx

no_shuffle();
share_nginx();
run_tests();

__DATA__

=== TEST 1: every valid code comes back
--- api eval: $::told
--- ws eval
"spy connect /ws?spy=1\n"
. CORE::join '', map { <<"END" } 1000 .. 1003, 1007 .. 1014, 3000, 3001, 3500, 3999, 4000, 4001, 4500, 4999
alice connect /ws
alice close $_
alice recv-close-only $_
alice recv-eof
spy recv {"code":$_,"reason":""}
END

=== TEST 2: and every reason with it
--- api eval: $::told
--- ws eval
"spy connect /ws?spy=1\n"
. CORE::join '', map { <<"END" } 1000 .. 1003, 1007 .. 1014, 3000, 3999, 4000, 4999
alice connect /ws
alice close $_ good bye, $_
alice recv-close-only $_ good bye, $_
alice recv-eof
spy recv {"code":$_,"reason":"good bye, $_"}
END

=== TEST 3: invalid codes
--- api eval: $::told
--- ws eval
"spy connect /ws?spy=1\n"
. CORE::join '', map { <<"END" } 0, 1, 100, 125, 255, 256, 500, 998, 999, 1004 .. 1006, 1015 .. 1020, (map { 1016 + 97 * $_ } 1 .. 20), 2000, 2997 .. 2999, 5000, 5001, 9999, 32768, 65534, 65535
alice connect /ws
alice close $_
alice recv-close-only 1002
alice recv-eof
alice hangup
spy recv-json {"code":1002,"reason":"*"}
bob connect /ws
bob close $_ reason
bob recv-close-only 1002
bob recv-eof
bob hangup
spy recv-json {"code":1002,"reason":"*"}
END

=== TEST 4: no code
--- api eval: $::told
--- ws
spy connect /ws?spy=1
alice connect /ws
alice close
alice recv-close-only 1005
alice recv-eof
spy recv {"code":1005,"reason":"Client-side close frame status not set"}

=== TEST 5: half a code
--- api eval: $::told
--- ws
spy connect /ws?spy=1
alice connect /ws
alice frame op=8 \x03
alice recv-close-only 1002
alice recv-eof
alice hangup
spy recv-json {"code":1002}
spy recv-none 0.05

=== TEST 6: reasons: as long as possible, UTF-8, control characters
--- api eval: $::told
--- ws
spy connect /ws?spy=1
alice connect /ws
alice close 1000 ${r*123}
alice recv-close 1000 ${r*123}
alice recv-eof
spy recv {"code":1000,"reason":"${r*123}"}
alice connect /ws
alice frame op=8 \x0f\xa1\xf0\x9f\x91\x8b\xe2\x82\xac
alice recv-close-only 4001
alice recv-eof
spy recv-esc {"code":4001,"reason":"\xf0\x9f\x91\x8b\xe2\x82\xac"}
alice connect /ws
alice frame op=8 \x0f\xa1say "\x5c"\n\x00
alice recv-close-only 4001
alice recv-eof
spy recv-json {"code":4001,"reason":"say \"\\\"\n\u0000"}

=== TEST 7: reasons that are not UTF-8
--- api eval: $::told
--- ws eval
"spy connect /ws?spy=1\n"
. CORE::join '', map { <<"END" } '\xff', 'a\x80b', '\xed\xa0\x80', '\xc3', 'abc\xf0\x9f\x91', '\xc0\xaf'
alice connect /ws
alice frame op=8 \\x03\\xe8$_
alice recv-close-only 1007
alice recv-eof
alice hangup
spy recv-json {"code":1007}
END

=== TEST 8: a close frame that is too long, or in pieces
--- api eval: $::told
--- ws
spy connect /ws?spy=1
alice connect /ws
alice frame op=8 \x03\xe8${r*124}
alice recv-close-only 1002
alice recv-eof
alice hangup
spy recv-json {"code":1002}
alice connect /ws
alice frame op=8,fin=0 \x03\xe8
alice recv-close-only 1002
alice recv-eof
alice hangup
spy recv-json {"code":1002}

=== TEST 9: what comes behind the close frame is nothing any more
--- api
route $connect { if ($request.querystring.spy) { join spies; } }
route say { send room=spies '{"say":"$request.body.say"}'; }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- ws eval
my $say = sub { my $m = "{\"action\":\"say\",\"say\":$_[0]}"; sprintf '81%02x00000000%s', 128 + length $m, unpack 'H*', $m };
my $close = sub { '888200000000' . sprintf '%04x', $_[0] };
<<"END"
spy connect /ws?spy=1
alice connect /ws
# a message, a close frame, a message, another close frame, rubbish, a ping
alice send-raw @{[ $say->(1), $close->(1001), $say->(2), $close->(4000), 'ffff', '898000000000' ]}
alice recv-close-only 1001
alice recv-eof
spy recv {"say":1}
spy recv {"code":1001}
bob connect /ws
bob close 1000
bob send {"action":"say","say":3}
bob recv-close-only 1000
bob recv-eof
spy recv {"code":1000}
spy recv-none 0.05
END

=== TEST 10: what was asked before the close frame is answered before it
--- api
route n { reply '{"n":"$request.body.n"}'; }
--- ws
alice connect /ws
repeat 50 alice send {"action":"n","n":${i}}
alice close 1000 done
repeat 50 alice recv {"n":${i}}
alice recv-close-only 1000 done
alice recv-eof

=== TEST 11: the peer of one that leaves without a word
--- api eval: $::told
--- ws
spy connect /ws?spy=1
alice connect /ws
alice hangup
spy recv {"code":1006,"reason":"Connection closed abnormally"}
alice connect /ws
alice abort
spy recv {"code":1006,"reason":"Connection closed abnormally"}
alice connect /ws
alice send-raw 8184
alice abort
spy recv {"code":1006,"reason":"Connection closed abnormally"}
spy recv-none 0.05

=== TEST 12: FIN of a client that would still read
--- api eval: $::told
--- ws
spy connect /ws?spy=1
alice connect /ws
alice half-close
alice recv-eof
spy recv {"code":1006,"reason":"Connection closed abnormally"}
spy recv-none 0.05

=== TEST 13: FIN behind messages: they count, then it is over
--- api
route $connect { if ($request.querystring.spy) { join spies; } }
route say { send room=spies '{"say":"$request.body.say"}'; }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- ws
spy connect /ws?spy=1
alice connect /ws
repeat 99 alice send {"action":"say","say":${i}}
alice last-raw 8199000000007b22616374696f6e223a22736179222c22736179223a39397d
repeat 100 spy recv {"say":${i}}
spy recv {"code":1006}
spy recv-none 0.05

=== TEST 14: FIN behind the close frame: it is a clean end, and answered
--- api eval: $::told
--- ws
spy connect /ws?spy=1
alice connect /ws
alice close 1000 bye
alice half-close
alice recv-close-only 1000 bye
alice recv-eof
spy recv {"code":1000,"reason":"bye"}
bob connect /ws
bob last-raw 898100000000708882000000000fa1
bob recv-pong p
bob recv-close-only 4001
bob recv-eof
spy recv {"code":4001,"reason":""}
spy recv-none 0.05

=== TEST 15: a close frame and gone: the code counts all the same
--- api eval: $::told
--- ws
spy connect /ws?spy=1
alice connect /ws
alice close 1001
alice hangup
spy recv {"code":1001,"reason":""}
alice connect /ws
alice close 4002 away
alice hangup
spy recv {"code":4002,"reason":"away"}
spy recv-none 0.05

=== TEST 16: the step close
--- api
route $connect { if ($request.querystring.spy) { join spies; } }
route bye   { close; }
route code  { close 4001; }
route why   { close 4002 'because of $request.body.why'; }
route ready { reply '{"last":true}'; close 1000 'ready'; reply '{"never":true}'; }
route $disconnect {
    send room=spies '{"code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}';
}
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send {"action":"bye"}
alice recv-close 1000
alice recv-eof
spy recv {"code":1000,"reason":""}
alice connect /ws
alice send {"action":"code"}
alice recv-close 4001
alice recv-eof
spy recv {"code":4001,"reason":""}
alice connect /ws
alice send {"action":"why","why":"you \"said\" so"}
alice recv-close 4002 because of you "said" so
alice recv-eof
spy recv {"code":4002,"reason":"because of you \"said\" so"}
alice connect /ws
alice send {"action":"ready"}
alice recv {"last":true}
alice recv-close 1000 ready
alice recv-eof
spy recv {"code":1000,"reason":"ready"}
spy recv-none 0.05

=== TEST 17: a reason that is too long is cut, between two characters
--- api
route $connect { if ($request.querystring.spy) { join spies; } }
route a { close 4000 '$request.body.why'; }
route $disconnect { send room=spies '{"reason":"$context.disconnectReason"}'; }
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send {"action":"a","why":"${r*124}"}
alice recv-close 4000 ${r*123}
alice recv-eof
spy recv {"reason":"${r*123}"}
alice connect /ws
alice send-esc {"action":"a","why":"${r*121}\xe2\x82\xac"}
alice recv-close 4000 ${r*121}
alice recv-eof
spy recv {"reason":"${r*121}"}
alice connect /ws
alice send-esc {"action":"a","why":"${r*122}\xc3\xbc"}
alice recv-close 4000 ${r*122}
alice recv-eof
spy recv {"reason":"${r*122}"}
alice connect /ws
alice send-esc {"action":"a","why":"${r*119}\xf0\x9f\x91\x8d"}
alice recv-close-only 4000
alice close 4000
alice recv-eof
spy recv-esc {"reason":"${r*119}\xf0\x9f\x91\x8d"}

=== TEST 18: our close: what the client answers makes no difference
--- api
close_timeout 60s;
route $connect { if ($request.querystring.spy) { join spies; } }
route a { close 4001 'mine'; }
route $disconnect {
    send room=spies '{"code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}';
}
--- ws eval
"spy connect /ws?spy=1\n"
. CORE::join('', map { <<"END" } 'close', 'close 1000 yours', 'close 4001 mine', 'close 1006', 'frame op=8 x', 'frame op=3 x', 'hangup', 'abort')
alice connect /ws
alice send {"action":"a"}
alice recv-close-only 4001 mine
alice $_
@{[ /hangup|abort/ ? '' : "alice recv-eof\nalice hangup\n" ]}
spy recv {"code":4001,"reason":"mine"}
END
. "spy recv-none 0.05\n"

=== TEST 19: our close: what is on its way is not worked on
--- api
route $connect { if ($request.querystring.spy) { join spies; } }
route a { close 4001; }
route say { send room=spies '{"say":"$request.body.say"}'; }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send {"action":"say","say":1}
alice send {"action":"a"}
repeat 200 alice send {"action":"say","say":2}
alice send-bin 00
alice recv-close-only 4001
alice send {"action":"say","say":3}
alice close 4001
alice recv-eof
spy recv {"say":1}
spy recv {"code":4001}
spy recv-none 0.05

=== TEST 20: our close and theirs cross
--- api
route $connect { if ($request.querystring.spy) { join spies; } }
route a { close 4001; }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send {"action":"a"}
alice close 1000
alice recv-close-only 4001
alice recv-eof
spy recv {"code":4001}
spy recv-none 0.05

=== TEST 21: a client that does not answer our close is left alone after a while
--- api
route $connect { if ($request.querystring.spy) { join spies; } }
close_timeout 300ms;
route a { close 4001 'mine'; }
route say { send room=spies '{"say":"$request.body.say"}'; }
route $disconnect {
    send room=spies '{"code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}';
}
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send {"action":"a"}
alice recv-close-only 4001 mine
alice recv-eof
spy recv {"code":4001,"reason":"mine"}
# even if it goes on to send
bob connect /ws
bob send {"action":"a"}
bob recv-close-only 4001 mine
repeat 20 bob send {"action":"say","say":1}
bob recv-eof
spy recv {"code":4001,"reason":"mine"}
# or broke the protocol and does not go
carol connect /ws
carol frame op=3
carol recv-close-only 1002
carol recv-eof
spy recv-json {"code":1002}
spy recv-none 0.05

=== TEST 22: @connections closes
--- api
route $connect { if ($request.querystring.spy) { join spies; } reply '{"id":"$context.connectionId"}'; }
route $disconnect {
    send room=spies '{"code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}';
}
--- ws
spy connect /ws?spy=1
spy recv-json {"id":"*"}
alice connect /ws
alice recv-json {"id":"*"} => id=id
http DELETE /ws/@connections/${id} => 204
alice recv-close 1000 Connection Closed Normally
alice recv-eof
spy recv {"code":1000,"reason":"Connection Closed Normally"}
http DELETE /ws/@connections/${id} => 410
spy recv-none 0.05

=== TEST 23: the protocol was broken
--- api eval: $::told
--- ws eval
"spy connect /ws?spy=1\n"
. CORE::join('', map { my ($step, $code) = @$_; <<"END" } ['frame op=3 x', 1002], ['send-esc \xff', 1007], ['frame op=1 ${x*131073}', 1009], ['frame op=1,rsv=4 x', 1002], ['frame op=1,mask=0 x', 1002])
alice connect /ws
alice $step
alice recv-close-only $code
alice recv-eof
alice hangup
spy recv-json {"code":$code,"reason":"*"}
END
. "spy recv-none 0.05\n"

=== TEST 24: a binary message
--- api eval: $::told
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send-bin 00
alice recv-close 1003 Binary is not supported
alice recv-eof
spy recv {"code":1003,"reason":"Binary is not supported"}
spy recv-none 0.05

=== TEST 25: idle, and for too long
--- api
idle_timeout 400ms;
route $connect { join r; }
--- http_config
log_format ws 'ws|$wschat_api|$wschat_close_code|$wschat_close_reason|end';
wschat_api long {
    max_duration 400ms;
    route $connect { join r; }
}
--- config
location /ws { access_log $TEST_NGINX_SERVER_ROOT/logs/access.log ws; wschat chat; }
location /long { access_log $TEST_NGINX_SERVER_ROOT/logs/access.log ws; wschat long; }
location = /status { wschat_status; }
--- ws
alice connect /ws
bob connect /long
alice recv-close 1001 Going away
alice recv-eof
bob recv-close 1001 Going away
bob recv-eof
# nobody can be there to be told, so the log is asked
access-log ^ws\|chat\|1001\|Going away\|end$
access-log ^ws\|long\|1001\|Going away\|end$
until http GET /status => 200 "connections":0,"rooms":0,

=== TEST 26: there is exactly one $disconnect for each of many
--- api
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
route tick { send room=spies '{"tick":true}'; }
route bye { close 4001; }
--- config
location /ws { wschat chat; }
location = /status { wschat_status; }
--- ws eval
my @how = ('close', 'close 1000', 'hangup', 'abort', 'send {"action":"bye"}', 'send-bin 00', 'frame op=3', 'close 999', 'half-close');
my $n = 0;
my $steps = "spy connect /ws?spy=1\n" . CORE::join '', map { "c$_ connect /ws\n" } 1 .. 90;
$steps .= CORE::join '', map { "c$_ $how[$_ % @how]\n" } 1 .. 90;
# those that close in turn
$steps .= CORE::join '', map { $how[$_ % @how] =~ /hangup|abort/ ? '' : "c$_ hangup\n" } 1 .. 90;
$steps . "until http GET /status => 200 \"connections\":1,\n"
. ('spy recv-json {"code":"*"}' . "\n") x 90
. 'spy send {"action":"tick"}' . "\nspy recv {\"tick\":true}\nspy recv-none\n"

=== TEST 27: rooms and attributes are there still in $disconnect
--- api
route in { set $connection.user $request.body.name; join a; join b; reply '{"in":true}'; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"user":"$connection.user","room":"$connection.room"}'; }
on member_leave { send room=spies '{"left":"$room","user":"$connection.user","count":"$room.count"}'; }
on room_empty { send room=spies '{"empty":"$room"}'; }
--- ws
spy connect /ws?spy=1
alice connect /ws
alice send {"action":"in","name":"al"}
alice recv {"in":true}
bob connect /ws
bob send {"action":"in","name":"bo"}
bob recv {"in":true}
alice abort
spy recv {"user":"al","room":"b"}
spy recv {"left":"a","user":"al","count":1}
spy recv {"left":"b","user":"al","count":1}
bob close
bob recv-close 1005
spy recv {"user":"bo","room":"b"}
spy recv-until {"empty":"b"}
spy recv-none 0.05

=== TEST 28: a step in $disconnect that has nobody to send to
--- api
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect {
    if ($context.disconnectStatusCode = 4001) { delay 100ms; }
    send connection=$context.connectionId '{"you":"left"}';
    send self '{"you":"left"}';
    send room=spies '{"left":true}';
}
--- ws
spy connect /ws?spy=1
alice connect /ws
alice close 4000
alice recv-close-only 4000
alice recv-eof
spy recv {"left":true}
alice connect /ws
alice close 4001
alice recv-close-only 4001
alice recv-eof
spy recv {"left":true}
spy recv-none 0.05
