# Frames, as RFC 6455 section 5 and engineering notes section 10 have them: each
# opcode, bit, mask and length, the limits, text that is not UTF-8, and that
# nobody else notices.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';


# a conversation in which bad clients, one after the other, do what the steps
# say and are closed with the code, while bob stays

sub bad {
    my ($code, @cases) = @_;

    my $n = 0;

    return "bob connect /ws\n"
           . CORE::join('', map {
                 my $name = 'a' . $n++;
                 my $steps = CORE::join '', map { "$name $_\n" } split /\n/;
                 "$name connect /ws\n${steps}"
                 . "$name recv-close $code\n$name recv-eof\n$name hangup\n";
             } @cases)
           . "bob send still here\nbob recv still here\n"
           . "bob recv-none 0.02\n";
}


sub hex_of {
    return unpack 'H*', $_[0];
}


# NAME recv-raw HEX: exactly these bytes

sub WSConversation::_client_recv_raw {
    my ($self, $who, $hex, $text) = @_;

    my $ws = $self->_ws($who);
    my $want = pack 'H*', $hex;
    my $deadline = Time::HiRes::time() + $self->{timeout};

    while (length $ws->{in} < length $want) {
        last unless $ws->_fill($deadline);
    }

    my $got = substr $ws->{in}, 0, length $want, '';

    $self->_ok($got eq $want, $text, WSConversation::_show($got));
}


# blocks of one configuration stand together and share nginx

no_shuffle();
share_nginx();
run_tests();

__DATA__

=== TEST 1: reserved opcodes
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1002, (map { "frame op=$_ x" } 3 .. 7, 11 .. 15),
            (map { "frame op=$_,fin=0 x" } 3, 7, 11, 15),
            (map { "frame op=$_" } 3, 15),
            (map { "frame op=1,fin=0 x\nframe op=$_ y" } 3, 7, 11, 15))

=== TEST 2: reserved bits
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1002, (map { "frame op=1,rsv=$_ x" } 1 .. 7),
            (map { my $op = $_; map { "frame op=$op,rsv=$_ x" } 1, 2, 4 } 2, 8, 9, 10),
            (map { "frame op=1,fin=0 x\nframe op=0,rsv=$_ x" } 1, 2, 4),
            (map { "frame op=1,fin=0 x\nframe op=9,rsv=$_ x" } 1, 2, 4))

=== TEST 3: frames without a mask
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1002, (map { "frame op=$_,mask=0 xy" } 1, 2, 9, 10),
            (map { "frame op=$_,mask=0" } 1, 2, 8, 9, 10),
            'frame op=1,mask=0 ${x*200}', 'frame op=1,mask=0 ${x*70000}',
            "frame op=1,fin=0 x\nframe op=0,mask=0 y",
            # its first two bytes are enough to know
            'send-raw 8100', 'send-raw 817f', 'send-raw 8900')

=== TEST 4: lengths, each with the shortest form
--- api
route $default { reply $request.body; }
--- ws eval
"alice connect /ws\n"
. CORE::join('', map { "alice send \${x*$_}\nalice recv \${x*$_}\n" }
                 1, 2, 7, 8, 9, 15, 16, 17, 124, 125, 126, 127, 128, 255, 256,
                 1000, 4095, 4096, 4097, 65526, 65534, 65535, 65536, 65537,
                 131071, 131072)
. "alice recv-none 0.02\n"

=== TEST 5: an empty message is a message
--- api
route $default { reply '{"empty":true}'; }
--- ws
alice connect /ws
alice frame op=1
alice recv {"empty":true}
alice send-raw 818000000000
alice recv {"empty":true}
alice frame op=1,fin=0
alice frame op=0
alice recv {"empty":true}

=== TEST 6: lengths in a longer form than necessary
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1002, (map { "frame op=1,len=16 \${x*$_}" } 0, 1, 124, 125),
            (map { "frame op=1,len=64 \${x*$_}" } 0, 1, 125, 126, 65534, 65535),
            'frame op=2,len=16 x', "frame op=1,fin=0 x\nframe op=0,len=16 x",
            # the header is enough
            'send-raw 81fe007d00000000', 'send-raw 81ff000000000000ffff00000000')
. 'carol connect /ws
carol frame op=1,len=16 ${x*126}
carol recv ${x*126}
carol frame op=1,len=64 ${x*65536}
carol recv ${x*65536}
'

=== TEST 7: control frames have a short length and one frame
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1002, (map { ("frame op=$_,len=16 \${x*100}", "frame op=$_,len=64 \${x*100}",
                    "frame op=$_ \${x*126}", "frame op=$_ \${x*70000}",
                    "frame op=$_,fin=0 xy", "frame op=$_,fin=0") } 8, 9, 10),
            # two bytes are enough
            'send-raw 88fe', 'send-raw 89ff', 'send-raw 0980')

=== TEST 8: a length with the top bit
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1002, (map { "send-raw ${_}0000000000000000000000" =~ s/(raw \w{20})\w*/${1}00000000/r }
                 '81ff8000000000000001', '81ffffffffffffffffff', '82ff8000000000010000'))

=== TEST 9: huge lengths are refused by the header, nothing is allocated
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1009, (map { "send-raw ${_}00000000" }
                 '81ff7fffffffffffffff', '81ff7fffffffffff0000', '81ff0000000100000000',
                 '81ff00000000ffffffff', '81ff0000000080000000', '81ff000000007fffffff',
                 '01ff7fffffffffffffff', '81ff0000000000020001'),
            "frame op=1,fin=0 x\nsend-raw 80ff7fffffffffffffff00000000",
            "frame op=1,fin=0 x\nsend-raw 80ff000000000002000000000000",
            # adding them up is no way round
            "frame op=1,fin=0 x\nsend-raw 00ff7fffffffffffffff00000000")

=== TEST 10: max_message, which is max_frame too
--- api
max_message 3000;
route $default { reply $request.body; }
--- ws eval
::bad(1009, 'frame op=1 ${x*3001}',
            # the payload is not waited for
            'send-raw 81fe0bb900000000', 'send-raw 01fe0bb900000000',
            "frame op=1,fin=0 \${x*1500}\nsend-raw 80fe05dd00000000",
            "frame op=1,fin=0 \${x*3000}\nframe op=0,fin=0\nsend-raw 808100000000",
            "frame op=1,fin=0 \${x*1000}\nframe op=0,fin=0 \${x*1000}\nframe op=0,fin=0 \${x*1000}\nframe op=0,fin=0 x")
. 'carol connect /ws
carol send ${x*3000}
carol recv ${x*3000}
carol frame op=1,fin=0 ${x*1500}
carol frame op=0 ${y*1500}
carol recv ${x*1500}${y*1500}
carol frame op=1,fin=0 ${x*3000}
carol frame op=0,fin=0
carol ping ${p*125}
carol recv-pong ${p*125}
carol frame op=0
carol recv ${x*3000}
carol send ${x*3000}
carol recv ${x*3000}
'

=== TEST 11: max_frame
--- api
max_message 3000;
max_frame 1000;
route $default { reply $request.body; }
--- ws eval
::bad(1009, 'frame op=1 ${x*1001}', 'send-raw 81fe03e900000000',
            "frame op=1,fin=0 x\nsend-raw 00fe03e900000000",
            "frame op=1,fin=0 \${x*1000}\nframe op=0,fin=0 \${x*1000}\nframe op=0,fin=0 \${x*1000}\nframe op=0 x")
. 'carol connect /ws
carol send ${x*1000}
carol recv ${x*1000}
carol frame op=1,fin=0 ${x*1000}
carol frame op=0,fin=0 ${y*1000}
carol frame op=0 ${z*1000}
carol recv ${x*1000}${y*1000}${z*1000}
'

=== TEST 12: the usual limits: 128 KB
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1009, 'frame op=1 ${x*131073}', 'send-raw 81ff000000000002000100000000',
            "frame op=1,fin=0 \${x*65536}\nframe op=0,fin=0 \${x*65536}\nframe op=0 x")

=== TEST 13: small limits
--- api
max_message 1;
route $default { reply $request.body; }
--- ws eval
::bad(1009, 'frame op=1 xy', 'send-raw 818200000000') =~ s/still here/x/gr
. 'carol connect /ws
carol send x
carol recv x
carol ping ${p*125}
carol recv-pong ${p*125}
'

=== TEST 14: one byte at a time
--- api
route $default { reply $request.body; }
--- ws
alice connect /ws
alice frame op=1,split=1 hello
alice recv hello
alice frame op=1,split=1 ${x*200}
alice recv ${x*200}
alice frame op=1,split=1,fin=0 a\xc3
alice frame op=9,split=1 ping
alice recv-pong ping
alice frame op=0,split=1,fin=0 \xbcb
alice frame op=10,split=1 pong
alice frame op=0,split=1
alice recv-esc a\xc3\xbcb
alice frame op=9,split=1 ${p*125}
alice recv-pong ${p*125}
alice frame op=9,split=1
alice recv-pong
alice frame op=1,split=4999 ${x*65536}
alice recv ${x*65536}
alice frame op=8,split=1 \x03\xe8bye
alice recv-close 1000 bye
alice recv-eof

=== TEST 15: every split of a few frames into two writes
--- api
route $default { reply $request.body; }
--- ws eval
# text, a fragment, a ping, the message's end, a text of 126 bytes
my $head = pack 'C*', 0x81, 0x85, 1, 2, 3, 4;
my $mask = sub { my ($m, $p) = @_; $p ^ substr $m x length $p, 0, length $p };
my $bytes = '';
for ([1, 1, 'hello'], [1, 0, "w\xc3"], [9, 1, 'p'], [0, 1, "\xbcr"], [1, 1, 'x' x 126]) {
    my ($op, $fin, $payload) = @$_;
    my $key = pack 'C4', 1, 200, 77, 255;
    my $len = length $payload;
    $bytes .= pack('C', $fin << 7 | $op)
              . ($len < 126 ? pack('C', 128 | $len) : pack('Cn', 254, $len))
              . $key . $mask->($key, $payload);
}
"alice connect /ws\n" . CORE::join '', map {
    my $n = $_;
    "alice send-raw " . ::hex_of(substr $bytes, 0, $n) . "\n"
    . "sleep 0.002\n"
    . "alice send-raw " . ::hex_of(substr $bytes, $n) . "\n"
    . "alice recv hello\nalice recv-pong p\nalice recv-esc w\\xc3\\xbcr\nalice recv \${x*126}\n"
} 1 .. length($bytes) - 1

=== TEST 16: several frames per write
--- api
route $default { reply $request.body; }
--- ws eval
"alice connect /ws\n"
. "alice send-raw " . CORE::join('', map { '818100000000' . ::hex_of($_) } 'a' .. 'z') . "\n"
. CORE::join('', map { "alice recv $_\n" } 'a' .. 'z')
. "alice recv-none 0.02\n"
. "alice send-raw 818100000000" . ::hex_of('1') . '898100000000' . ::hex_of('2')
. '018100000000' . ::hex_of('3') . '898100000000' . ::hex_of('4')
. '808100000000' . ::hex_of('5') . '8a80000000008a8000000000'
. '818100000000' . ::hex_of('6') . '888200000000' . "03e8\n"
. "alice recv 1\nalice recv-pong 2\nalice recv-pong 4\nalice recv 35\nalice recv 6\n"
. "alice recv-close 1000\nalice recv-eof\n"

=== TEST 17: hundreds of frames in one write
--- api
route $default { reply $request.body; }
--- ws eval
"alice connect /ws\n"
. CORE::join '', map {
    my $n = $_;
    "alice send-raw " . CORE::join('', map { '818400000000' . ::hex_of(sprintf '%04d', $_) } 1 .. $n) . "\n"
    . CORE::join('', map { sprintf "alice recv %04d\n", $_ } 1 .. $n)
} 63, 64, 65, 66, 128, 129, 1000

=== TEST 18: binary messages are refused
--- api
route $default { reply $request.body; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}'; }
--- ws eval
"bob connect /ws?spy=1\n"
. CORE::join '', map { <<"END" } 'send-bin 00ff', 'frame op=2', 'frame op=2 x', 'frame op=2,fin=0 x', 'frame op=2 ${x*70000}'
alice connect /ws
alice $_
alice recv-close 1003 Binary is not supported
alice recv-eof
bob recv {"code":1003,"reason":"Binary is not supported"}
END

=== TEST 19: a binary message is refused before it is there
--- api
route $default { send all $request.body; }
--- ws
alice connect /ws
alice send-raw 82fe10000000000078
alice recv-close-only 1003 Binary is not supported
alice hangup

=== TEST 20: what comes behind the binary message is not worked on
--- api
route $default { send all $request.body; }
--- ws
bob connect /ws
alice connect /ws
alice send-raw 82810000000078818100000000788181000000007988820000000003e8
alice recv-close-only 1003 Binary is not supported
alice recv-eof
bob recv-none

=== TEST 21: binary messages as text for $default
--- api
binary text;
route a { reply '{"route":"a"}'; }
route $default { reply '{"body":"$request.body"}'; }
--- ws
alice connect /ws
alice send {"action":"a"}
alice recv {"route":"a"}
alice send-bin 6869
alice recv {"body":"hi"}
alice frame op=2,fin=0 h
alice ping p
alice recv-pong p
alice frame op=0 \xc3\xbc
alice recv-esc {"body":"h\xc3\xbc"}
alice frame op=2
alice recv-json {}
# what is no text must not go out as one
alice send-bin 61ff62
alice recv-close 1007
bob connect /ws
bob frame op=2,fin=0 a\xc3
bob frame op=0 a
bob recv-close 1007

=== TEST 22: text that is UTF-8
--- api
route $default { reply $request.body; }
--- ws eval
"alice connect /ws\n"
. CORE::join '', map { "alice send-esc a${_}b\nalice recv-esc a${_}b\n" }
    '\x00', '\x7f', '\xc2\x80', '\xdf\xbf', '\xe0\xa0\x80', '\xed\x9f\xbf', '\xee\x80\x80',
    '\xef\xbb\xbf', '\xef\xbf\xbd', '\xef\xbf\xbe', '\xef\xbf\xbf', '\xef\xb7\x90',
    '\xf0\x90\x80\x80', '\xf0\x9f\x91\x8d', '\xf4\x8f\xbf\xbf', '\xf4\x8f\xbf\xbe',
    'e\xcc\x81', '\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5'

=== TEST 23: text that is not UTF-8
--- api
route $default { reply $request.body; }
--- ws eval
my @bad = ('\x80', '\xbf', '\xc0\x80', '\xc0\xaf', '\xc1\xbf', '\xe0\x80\x80', '\xe0\x9f\xbf',
           '\xed\xa0\x80', '\xed\xaf\xbf', '\xed\xbf\xbf', '\xf0\x80\x80\x80', '\xf0\x8f\xbf\xbf',
           '\xf4\x90\x80\x80', '\xf5\x80\x80\x80', '\xf8\x88\x80\x80\x80', '\xfc\x84\x80\x80\x80\x80',
           '\xfe', '\xff', '\xc2a', '\xe1\x80a', '\xf1\x80\x80a', '\xc3\xc3', '\xed\xa0\x80\xed\xb0\x80');
my @cut = ('\xc3', '\xe2', '\xe2\x82', '\xf0', '\xf0\x9f', '\xf0\x9f\x91');
::bad(1007, (map { "send-esc a${_}b" } @bad),
            (map { "send-esc $_" } @cut), (map { "send-esc hello $_" } @cut),
            'send-esc ${x*1000}\xff${x*1000}', 'send-esc ${x*65535}\xc3')

=== TEST 24: not UTF-8: fail at once, inside a message and inside a frame
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1007, 'frame op=1,fin=0 a\xffb',
            "frame op=1,fin=0 ok\nframe op=0,fin=0 \\xff",
            # a character that goes on wrongly in the next frame
            "frame op=1,fin=0 a\\xc3\nframe op=0,fin=0 a",
            "frame op=1,fin=0 \\xf0\\x9f\nframe op=9 p\nrecv-pong p\nframe op=0,fin=0 \\x91a",
            "frame op=1,fin=0 \\xe2\\x82\nframe op=0",
            "frame op=1,fin=0 \\xc3\nframe op=0,fin=0\nframe op=0,fin=0\nframe op=0 a",
            # 4 bytes of 100: overlong, a surrogate, too large
            'send-raw 81e40000000061c0', 'send-raw 81e40000000061eda0', 'send-raw 81e40000000061f490',
            'send-raw 81fe10000000000061ff', 'send-raw 01ff000000000001000000000000ff',
            # Autobahn 6.4.1
            "frame op=1,fin=0 \\xce\\xba\\xe1\\xbd\\xb9\\xcf\\x83\\xce\\xbc\\xce\\xb5\nframe op=0,fin=0 \\xf4\\x90\\x80\\x80")

=== TEST 25: a character over many frames
--- api
route $default { reply $request.body; }
--- ws
alice connect /ws
alice frame op=1,fin=0 \xf0
alice frame op=0,fin=0 \x9f
alice frame op=0,fin=0
alice ping p
alice frame op=0,fin=0 \x91
alice frame op=0 \x8d
alice recv-pong p
alice recv-esc \xf0\x9f\x91\x8d
alice send x
alice recv x

=== TEST 26: pings of all sizes are answered with what they hold
--- api
route $default { reply $request.body; }
--- ws eval
"alice connect /ws\n"
. CORE::join('', map { "alice ping \${x*$_}\nalice recv-pong \${x*$_}\n" } 1 .. 125)
. "alice ping\nalice recv-pong\n"
. CORE::join('', map { "alice ping p$_\n" } 1 .. 50)
. CORE::join('', map { "alice recv-pong p$_\n" } 1 .. 50)

=== TEST 27: the bytes of a ping need not be text
--- api
--- ws eval
my $all = CORE::join '', map { chr } 0, 10, 13, 127 .. 248;
"alice connect /ws\nalice send-raw 89" . sprintf('%02x', 128 + length $all) . "00000000" . ::hex_of($all)
. "\nalice recv-raw 8a" . sprintf('%02x', length $all) . ::hex_of($all) . "\n"

=== TEST 28: pongs that nobody has asked for
--- api
route $default { reply $request.body; }
--- ws
alice connect /ws
alice pong
alice pong x
alice pong ${x*125}
alice frame op=10 \xff\xfe
alice send a
alice recv a
alice frame op=1,fin=0 a
alice pong x
alice frame op=0 b
alice recv ab
alice recv-none

=== TEST 29: a flood of pings, and somebody else
--- api
route $default { reply $request.body; }
--- ws eval
my $pings = CORE::join '', map { '898400000000' . ::hex_of(sprintf '%04d', $_) } 1 .. 2000;
my $pongs = CORE::join '', map { '8a04' . ::hex_of(sprintf '%04d', $_) } 1 .. 2000;
<<"END"
alice connect /ws
bob connect with=alice /ws
alice send-raw $pings
bob send x
bob recv x
alice recv-raw $pongs
alice send y
alice recv y
END

=== TEST 30: control frames between fragments are answered at once
--- api
route $default { reply $request.body; }
--- ws
alice connect /ws
alice frame op=1,fin=0 a
alice ping 1
alice recv-pong 1
alice ping 2
alice pong 3
alice ping 4
alice recv-pong 2
alice recv-pong 4
alice frame op=0,fin=0 b
alice ping 5
alice recv-pong 5
alice frame op=0 c
alice recv abc

=== TEST 31: a continuation of nothing
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1002, 'frame op=0 x', 'frame op=0,fin=0 x', 'frame op=0', 'frame op=0,fin=0',
            "frame op=9 p\nrecv-pong p\nframe op=0 x",
            "send a\nrecv a\nframe op=0 b",
            "frame op=1,fin=0 a\nframe op=0 b\nrecv ab\nframe op=0 c",
            'send-raw 0000', 'send-raw 8080')

=== TEST 32: a new message inside a fragmented one
--- api
route $default { reply $request.body; }
--- ws eval
::bad(1002, "frame op=1,fin=0 a\nframe op=1 b", "frame op=1,fin=0 a\nframe op=1,fin=0 b",
            "frame op=1,fin=0 a\nframe op=2 b", "frame op=1,fin=0\nframe op=1 b",
            "frame op=1,fin=0 a\nframe op=0,fin=0 b\nframe op=1 c",
            "frame op=1,fin=0 a\nframe op=9 p\nrecv-pong p\nframe op=1 c")

=== TEST 33: what was answered before the fault is delivered, what comes behind it is not worked on
--- api
route $default { send all $request.body; }
--- ws
bob connect /ws
alice connect /ws
# a, a reserved bit, b
alice send-raw 81810000000061 c1810000000061 81810000000062
alice recv a
alice recv-close 1002
alice recv-eof
bob recv a
bob recv-none

=== TEST 34: what a refused client goes on to send is swallowed
--- api
route $default { send all $request.body; }
--- ws
bob connect /ws
alice connect /ws
alice frame op=3 x
alice send ${x*100000}
alice send ${x*100000}
alice frame op=5 ${x*100000}
alice recv-close-only 1002
alice recv-eof
bob recv-none 0.05
bob send x
bob recv x

=== TEST 35: a client that sends rubbish without end
--- api
route $default { reply $request.body; }
--- ws
bob connect /ws
alice connect /ws
repeat 100 alice send-raw ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
alice recv-close-only 1002
alice recv-eof
carol open
carol write ${x*100000}
carol recv-head 400
bob send x
bob recv x
