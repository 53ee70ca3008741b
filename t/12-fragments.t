# Fragmented messages: put together from any number of any pieces, each
# connection's apart from all others', and nothing left if one never ends.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

# blocks of one configuration stand together and share nginx

no_shuffle();
share_nginx();
run_tests();

__DATA__

=== TEST 1: pieces of all sizes
--- api
route $default { reply $request.body; }
--- ws eval
"alice connect /ws\n"
. CORE::join '', map {
    my @sizes = @$_;
    my $char = 'a';
    my $all = '';
    my $steps = '';
    for my $i (0 .. $#sizes) {
        my $piece = $sizes[$i] ? "\${$char*$sizes[$i]}" : '';
        $steps .= sprintf "alice frame op=%d,fin=%d %s\n", $i ? 0 : 1, $i == $#sizes, $piece;
        $all .= $piece;
        $char = $char eq 'z' ? 'a' : chr 1 + ord $char;
    }
    "${steps}alice recv $all\n"
} [1, 1], [1, 0], [0, 1], [1, 0, 1], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0, 0, 1],
  [125, 126], [126, 125], [127, 1, 127], [65535, 1], [1, 65535], [65536, 65536],
  [1, 131071], [131071, 1], [131071, 0, 1], [131072, 0], [0, 131072],
  [32768, 32768, 32768, 32768], [1 .. 100], [CORE::reverse 1 .. 100], [(1) x 300],
  [4096, 1, 4096, 1, 4096, 1], [16384, 16383, 16385], [65530, 6, 65530, 6]

=== TEST 2: nothing but empty pieces is an empty message
--- api
route $default { reply '{"empty":true}'; }
--- ws
alice connect /ws
alice frame op=1,fin=0
repeat 500 alice frame op=0,fin=0
alice frame op=0
alice recv {"empty":true}
alice recv-none 0.02

=== TEST 3: ten thousand pieces of a byte
--- api
route $default { reply $request.body; }
--- ws eval
"alice connect /ws\n"
. "alice send-raw 01810000000078" . '00810000000079' x 9998 . "8081000000007a\n"
. "alice recv x\${y*9998}z\n"

=== TEST 4: as JSON it is routed when it is whole
--- api
route join { join $request.body.room; reply '{"joined":"$room"}'; }
route $default { reply '{"default":true}'; }
--- ws
alice connect /ws
alice frame op=1,fin=0 {"act
alice frame op=0,fin=0 ion":"jo
alice recv-none 0.02
alice frame op=0 in","room":"r"}
alice recv {"joined":"r"}

=== TEST 5: each piece a byte at a time, with pings between
--- api
route $default { reply $request.body; }
--- ws
alice connect /ws
alice frame op=1,fin=0,split=1 ab\xe2
alice frame op=9,split=1 one
alice frame op=0,fin=0,split=1 \x82
alice frame op=9,split=1
alice frame op=0,fin=0,split=1
alice frame op=10,split=1 two
alice frame op=0,fin=0,split=1 \xaccd
alice frame op=9,split=1 ${p*125}
alice frame op=0,split=1 ${e*130}
alice recv-pong one
alice recv-pong
alice recv-pong ${p*125}
alice recv-esc ab\xe2\x82\xaccd${e*130}

=== TEST 6: those of several clients do not mix
--- api
route $default { reply $request.body; }
--- ws eval
my @who = map { "c$_" } 1 .. 12;
CORE::join('', map { "$_ connect /ws\n" } @who)
. CORE::join('', map { my $n = $_; map { "$_ frame op=" . ($n == 1 ? 1 : 0) . ",fin=" . ($n == 20 ? 1 : 0) . " $_-$n;\n" } @who } 1 .. 20)
. CORE::join('', map { my $w = $_; "$w recv " . CORE::join('', map { "$w-$_;" } 1 .. 20) . "\n" } @who)

=== TEST 7: halves of frames of several clients do not mix
--- api
route $default { reply $request.body; }
--- ws eval
my @who = map { "c$_" } 0 .. 9;
my $hex = sub { unpack 'H*', $_[0] };
CORE::join('', map { "$_ connect /ws\n" } @who)
. CORE::join('', map {
    my $n = $_;
    my $frame = '818600000000' . $hex->("hello$n");
    # it is cut at another place for each
    my $cut = 2 * ($n + 1);
    "c$n send-raw " . substr($frame, 0, $cut) . "\n"
    } 0 .. 9)
. CORE::join('', map {
    my $n = $_;
    my $frame = '818600000000' . $hex->("hello$n");
    "c$n send-raw " . substr($frame, 2 * ($n + 1)) . "\n"
    } CORE::reverse 0 .. 9)
. CORE::join('', map { "c$_ recv hello$_\n" } 0 .. 9)

=== TEST 8: a message that never ends is no message
--- api
route $default { send all $request.body; }
route $connect { if ($request.querystring.spy) { join spies; } }
route $disconnect { send room=spies '{"code":"$context.disconnectStatusCode"}'; }
--- ws
bob connect /ws?spy=1
alice connect /ws
alice frame op=1,fin=0 one
alice frame op=0,fin=0 ${x*100000}
alice ping p
alice recv-pong p
alice hangup
bob recv {"code":1006}
carol connect /ws
carol frame op=1,fin=0 ${x*100000}
carol ping p
carol recv-pong p
carol abort
bob recv {"code":1006}
dave connect /ws
dave frame op=1,fin=0 ${x*100000}
dave close 1000 enough
dave recv-close 1000 enough
dave recv-eof
bob recv {"code":1000}
# in the middle of a frame
erin connect /ws
erin send-raw 81ff00000000000186a00000000061616161
erin hangup
bob recv {"code":1006}
bob recv-none 0.02

=== TEST 9: we close while a message is half there
--- api
route $default { reply $request.body; }
route $connect { reply '{"id":"$context.connectionId"}'; }
route $disconnect { send all '{"code":"$context.disconnectStatusCode"}'; }
--- ws
bob connect /ws
bob recv-json {"id":"*"}
alice connect /ws
alice recv-json {"id":"*"} => id=id
alice frame op=1,fin=0 ${x*50000}
alice ping p
alice recv-pong p
http DELETE /ws/@connections/${id} => 204
alice recv-close-only 1000 Connection Closed Normally
# the rest of it is still on its way
alice frame op=0,fin=0 ${x*50000}
alice frame op=0 ${x*20000}
alice close 1000
alice recv-eof
bob recv {"code":1000}
bob recv-none 0.02

=== TEST 10: messages before, between and behind
--- api
route $default { reply $request.body; }
--- ws
alice connect /ws
alice send 1
alice frame op=1,fin=0 2
alice frame op=0 2
alice send 3
alice frame op=1,fin=0 4
alice frame op=0 4
alice send 5
alice recv 1
alice recv 22
alice recv 3
alice recv 44
alice recv 5

=== TEST 11: a thousand fragmented messages, one after the other
--- api
route $default { reply $request.body; }
--- ws eval
my $frames = CORE::join '', map { '0184000000004d5f5f5f0080000000008084' . '00000000' . unpack 'H*', sprintf '%04d', $_ } 1 .. 1000;
"alice connect /ws\nalice send-raw $frames\n"
. CORE::join '', map { sprintf "alice recv M___%04d\n", $_ } 1 .. 1000

=== TEST 12: half a message behind a delayed one
--- api
route slow { delay 200ms; reply '{"slow":true}'; }
route $default { reply $request.body; }
--- ws
alice connect /ws
alice send {"action":"slow"}
alice frame op=1,fin=0 ab
alice frame op=0,fin=0 ${x*70000}
alice recv {"slow":true}
alice frame op=0 cd
alice recv ab${x*70000}cd
alice frame op=1,fin=0 {"action"
alice frame op=0 :"slow"}
alice send-raw 018200000000
alice recv {"slow":true}
alice send-raw 61628082000000006364
alice recv abcd
