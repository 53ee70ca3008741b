# The handshake: RFC 6455 section 4, spec section 2, nginx's own phases before
# it, $connect's say in it, and the line in the access log at the very end.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

our $key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
our $version = 'Sec-WebSocket-Version: 13\r\n';
our $upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\n';


# a request line and headers, for "write"

sub ask {
    my ($headers, $line) = @_;

    $line //= 'GET /ws HTTP/1.1';

    return "$line\\r\\nHost: localhost\\r\\n$headers\\r\\n";
}


# a client's frame whose mask is 0, for "write"

sub frame {
    my ($op, $payload) = @_;

    my $len = length $payload;
    my $head = pack 'C', 0x80 | $op;

    $head .= $len < 126   ? pack('C', 0x80 | $len)
           : $len < 65536 ? pack('Cn', 0xfe, $len)
           :                pack('CQ>', 0xff, $len);

    return CORE::join '', (map { sprintf '\x%02x', ord } split //, "$head\0\0\0\0"),
                    $payload;
}


# NAME recv-bytes REGEX: reads until what has come and is no head or frame yet
# matches; NAME has-no-bytes REGEX: it does not; NAME recv-rest REGEX: up to
# the end

sub WSConversation::_client_recv_bytes {
    my ($self, $who, $regex, $text) = @_;

    my $ws = $self->_ws($who);
    my $deadline = Time::HiRes::time() + $self->{timeout};

    until ($ws->{in} =~ /$regex/) {
        last unless $ws->_fill($deadline);
    }

    $self->_ok(scalar($ws->{in} =~ /$regex/), $text, WSConversation::_show($ws->{in}));
}

sub WSConversation::_client_has_no_bytes {
    my ($self, $who, $regex, $text) = @_;

    my $in = $self->_ws($who)->{in};
    $self->_ok(scalar($in !~ /$regex/), $text, WSConversation::_show($in));
}

sub WSConversation::_client_recv_rest {
    my ($self, $who, $regex, $text) = @_;

    my $ws = $self->_ws($who);
    my $deadline = Time::HiRes::time() + $self->{timeout};

    1 while $ws->_fill($deadline);

    $self->_ok(scalar($ws->{in} =~ /$regex/), $text, WSConversation::_show($ws->{in}));
}


# NAME balanced: as many {"in":...} as {"out":...} have come

sub WSConversation::_client_balanced {
    my ($self, $who, $rest, $text) = @_;

    my %n = (in => 0, out => 0);

    while (1) {
        my ($got, $payload) = $self->_ws($who)->message(0.3 * $self->{scale});

        last if $got ne 'text';
        $n{$1}++ if $payload =~ /^\{"(in|out)":/;
    }

    $self->_ok($n{in} && $n{in} == $n{out}, $text, "$n{in} in, $n{out} out");
}


# blocks of one configuration stand together and share nginx

no_shuffle();
share_nginx();
run_tests();

__DATA__

=== TEST 1: the 101 has these headers and no others
--- api
--- ws eval
my $handshake = ::ask($::upgrade . $::version . $::key)
                . '\x88\x82\x00\x00\x00\x00\x03\xe8';
<<"END"
alice open
alice write $handshake
alice recv-rest ^HTTP/1\\.1 101 Switching Protocols\\r\\n(?i)(?=(?s:.*\\n|)Date: \\w{3}, \\d\\d \\w{3} \\d{4} [\\d:]{8} GMT\\r)(?=(?s:.*\\n|)Connection: upgrade\\r)(?=(?s:.*\\n|)Upgrade: websocket\\r)(?=(?s:.*\\n|)Sec-WebSocket-Accept: (?-i:s3pPLMBiTxaQ9kYGzzhZRbK\\+xOo=)\\r)(?:(?:Date|Connection|Upgrade|Sec-WebSocket-Accept): [^\\r\\n]+\\r\\n){4}\\r\\n\\x88\\x02\\x03\\xe8\\z
END

=== TEST 2: what the client and the site say has no part in it
--- api
route $connect { set $connection.a $request.header.x-a; }
route a { reply '{"a":"$connection.a"}'; }
--- config
location /ws { add_header X-Added b; expires 1h; wschat chat; }
--- ws
alice connect /ws X-A: 1 | Cookie: a=b | Origin: http://a.example | Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits => 101 [Date: GMT$ | !X-Added | !Sec-WebSocket-Extensions | !Sec-WebSocket-Protocol | !Set-Cookie | !Content-Length | !Content-Type | !Transfer-Encoding | !Server | !Sec-WebSocket-Version]
alice send {"action":"a"}
alice recv {"a":"1"}

=== TEST 3: other methods: 405, and what is allowed
--- api
--- ws
http POST /ws body => 405 [Allow: ^GET$ | Content-Type: ^application/json] ^\{"message":"[^"]+"\}$
http PUT /ws body => 405 [Allow: ^GET$]
http DELETE /ws => 405 [Allow: ^GET$]
http OPTIONS /ws => 405 [Allow: ^GET$]
http POST /ws [Upgrade: websocket | Sec-WebSocket-Version: 13 | Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==] => 405 [Allow: ^GET$ | !Sec-WebSocket-Accept]
alice open
alice write HEAD /ws HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n
alice recv-head 405 [Allow: ^GET$]
alice recv-body ^$

=== TEST 4: no upgrade: 426, and to what
--- api
--- ws
http GET /ws => 426 [Upgrade: ^websocket$ | Sec-WebSocket-Version: ^13$ | Content-Type: ^application/json] ^\{"message":"Upgrade Required"\}$
alice connect /ws Upgrade: => 426 [Upgrade: ^websocket$ | !Sec-WebSocket-Accept]
alice connect /ws Upgrade: h2c => 426
alice connect /ws Upgrade: websockets => 426
alice connect /ws Upgrade: web socket => 426
alice connect /ws Upgrade: h2c, WebSocket

=== TEST 5: HTTP/1.0 and HTTP/0.9 cannot upgrade
--- api
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key, 'GET /ws HTTP/1.0');
<<"END"
alice open
alice write $ask
alice recv-head 426 [!Sec-WebSocket-Accept]
bob open
bob write GET /ws\\r\\n
bob recv-rest (?s)^(?!.*101 Switching)
END

=== TEST 6: HTTP/2 cannot either, and may not be told of an Upgrade
--- api
--- config eval
'listen 127.0.0.1:' . (Test::Nginx::Util::server_port() + 2) . ' http2;
location /ws { wschat chat; }'
--- ws eval
# the preface, SETTINGS, HEADERS of "GET /ws"
my $h2 = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
         . '\x00\x00\x00\x04\x00\x00\x00\x00\x00'
         . '\x00\x00\x12\x01\x05\x00\x00\x00\x01'
         . '\x82\x86\x04\x03/ws\x01\x09localhost';
'alice open port=' . (Test::Nginx::Util::server_port() + 2) . "\n"
. "alice write $h2\n"
. "alice recv-bytes \\x00\\x00\\x00\\x01(?:[\\x8c\\x8d\\x8e]|[\\x08\\x48]\\x03[45]\\d\\d)\n"
. "alice recv-bytes message.*\n"
# the name "upgrade", plain or in Huffman's code
. "alice has-no-bytes (?i)\\x07upgrade|\\x85\\xb6\\xb9\\xac\\x1c\\x85\n"

=== TEST 7: Connection is a list
--- api
--- ws
alice connect /ws Connection: upgrade
alice connect /ws Connection: UPGRADE
alice connect /ws Connection: keep-alive, Upgrade
alice connect /ws Connection: keep-alive,upgrade
alice connect /ws Connection: Upgrade , HTTP2-Settings
alice connect /ws Connection: ,, Upgrade,
alice connect /ws Connection: => 400
alice connect /ws Connection: close => 400 [!Sec-WebSocket-Accept]
alice connect /ws Connection: Upgraded => 400
alice connect /ws Connection: keep-alive Upgrade => 400
alice connect /ws Connection: "Upgrade" => 400
alice connect /ws Connection: keep-alive => 400 [Content-Type: ^application/json] ^\{"message":"[^"]+"\}$

=== TEST 8: header names and the values that are tokens have no case
--- api
--- ws eval
my $ask = ::ask('UPGRADE: WebSOCKET\r\ncOnNeCtIoN: uPgRaDe\r\n'
                . 'sec-websocket-version:13\r\n'
                . 'SEC-WEBSOCKET-KEY:   dGhlIHNhbXBsZSBub25jZQ==  \r\n');
<<"END"
alice open
alice write $ask
alice recv-head 101 [Sec-WebSocket-Accept: ^s3pPLMBiTxaQ9kYGzzhZRbK\\+xOo=\$]
alice ping x
alice recv-pong x
END

=== TEST 9: a list may stand in several headers
--- api
--- ws eval
my $two = ::ask('Upgrade: websocket\r\nConnection: keep-alive\r\n'
                . 'Connection: Upgrade\r\n' . $::version . $::key);
my $other = ::ask('Upgrade: h2c\r\nUpgrade: websocket\r\n'
                  . 'Connection: Upgrade\r\n' . $::version . $::key);
<<"END"
alice open
alice write $two
alice recv-head 101
bob open
bob write $other
bob recv-head 101
END

=== TEST 10: the version
--- api
--- ws
alice connect /ws Sec-WebSocket-Version: 8 => 426 [Sec-WebSocket-Version: ^13$ | Upgrade: ^websocket$]
alice connect /ws Sec-WebSocket-Version: 14 => 426 [Sec-WebSocket-Version: ^13$]
alice connect /ws Sec-WebSocket-Version: 0 => 426 [Sec-WebSocket-Version: ^13$]
alice connect /ws Sec-WebSocket-Version: 013 => 426
alice connect /ws Sec-WebSocket-Version: 130 => 426
alice connect /ws Sec-WebSocket-Version: 13, 8 => 426
alice connect /ws Sec-WebSocket-Version: => 400

=== TEST 11: the key
--- api
--- ws
alice connect /ws Sec-WebSocket-Key: => 400 [!Sec-WebSocket-Accept] ^\{"message":"[^"]+"\}$
alice connect /ws Sec-WebSocket-Key: abc => 400
# 15 and 17 bytes
alice connect /ws Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA => 400
alice connect /ws Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA= => 400
# what is no base64
alice connect /ws Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAA-== => 400
alice connect /ws Sec-WebSocket-Key: AAAAAAAAAA AAAAAAAAAAA== => 400
alice connect /ws Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=A => 400
alice connect /ws Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==AAAA => 400
alice connect /ws Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA== => 101

=== TEST 12: a key or a version given twice
--- api
--- ws eval
my $keys = ::ask($::upgrade . $::version . $::key . $::key);
my $versions = ::ask($::upgrade . $::version . $::version . $::key);
<<"END"
alice open
alice write $keys
alice recv-head 400 [!Sec-WebSocket-Accept]
bob open
bob write $versions
bob recv-head 426 [!Sec-WebSocket-Accept]
END

=== TEST 13: a refused handshake leaves the connection to HTTP
--- api
route $connect { if (!$request.querystring.in) { respond 401; } }
--- ws eval
my $bad = ::ask($::upgrade . $::version);
my $no = ::ask($::upgrade . $::version . $::key);
my $yes = ::ask($::upgrade . $::version . $::key, 'GET /ws?in=1 HTTP/1.1');
<<"END"
alice open
alice write $bad
alice recv-head 400
alice recv-body message
alice write $no
alice recv-head 401
alice recv-body ^\$
alice write $yes
alice recv-head 101
alice ping x
alice recv-pong x
END

=== TEST 14: no subprotocols are spoken
--- api
--- ws
alice connect /ws Sec-WebSocket-Protocol: a, b => 101 [!Sec-WebSocket-Protocol]

=== TEST 15: subprotocols: the first that is offered and spoken
--- api
subprotocols chat.v1 chat.v2;
--- ws
alice connect /ws => 101 [!Sec-WebSocket-Protocol]
alice connect /ws Sec-WebSocket-Protocol: chat.v1 => 101 [Sec-WebSocket-Protocol: ^chat\.v1$]
alice connect /ws Sec-WebSocket-Protocol: chat.v2, chat.v1 => 101 [Sec-WebSocket-Protocol: ^chat\.v2$]
alice connect /ws Sec-WebSocket-Protocol: x,chat.v1,chat.v2 => 101 [Sec-WebSocket-Protocol: ^chat\.v1$]
alice connect /ws Sec-WebSocket-Protocol: ,, chat.v2 , => 101 [Sec-WebSocket-Protocol: ^chat\.v2$]
# a protocol's name has a case
alice connect /ws Sec-WebSocket-Protocol: CHAT.V1 => 101 [!Sec-WebSocket-Protocol]
alice connect /ws Sec-WebSocket-Protocol: chat, chat.v, chat.v11 => 101 [!Sec-WebSocket-Protocol]
alice connect /ws Sec-WebSocket-Protocol: chat.v1 chat.v2 => 101 [!Sec-WebSocket-Protocol]

=== TEST 16: several headers are one list of subprotocols
--- api
subprotocols chat.v1 chat.v2;
--- ws
alice connect /ws Sec-WebSocket-Protocol: x | Sec-WebSocket-Protocol: chat.v2, chat.v1 => 101 [Sec-WebSocket-Protocol: ^chat\.v2$]

=== TEST 17: subprotocols: any
--- api
subprotocols *;
--- ws
alice connect /ws => 101 [!Sec-WebSocket-Protocol]
alice connect /ws Sec-WebSocket-Protocol: b, a => 101 [Sec-WebSocket-Protocol: ^b$]
# what is no token cannot be sent back
alice connect /ws Sec-WebSocket-Protocol: b/c, "d", a => 101 [Sec-WebSocket-Protocol: ^a$]

=== TEST 18: frames behind the handshake
--- api
route echo { reply '{"m":"$request.body.m"}'; }
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
my $frames = CORE::join '', map { ::frame(1, "{\"action\":\"echo\",\"m\":$_}") } 1 .. 3;
my $ping = ::frame(9, 'p');
my $close = ::frame(8, '');
<<"END"
alice open
alice write $ask$frames$ping$close
alice recv-head 101
alice recv {"m":1}
alice recv {"m":2}
alice recv {"m":3}
alice recv-pong p
alice recv-close 1005
alice recv-eof
bob open
bob write split=1 $ask$frames$ping$close
bob recv-head 101
bob recv {"m":1}
bob recv {"m":2}
bob recv {"m":3}
bob recv-pong p
bob recv-close 1005
bob recv-eof
END

=== TEST 19: many KB behind the handshake, in headers' buffers large and small
--- api
route echo { reply '{"m":"$request.body.m"}'; }
--- config
location /ws { wschat chat; }
client_header_buffer_size 64k;
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
my $many = CORE::join '', map { ::frame(1, "{\"action\":\"echo\",\"m\":$_}") } 1 .. 300;
my $big = ::frame(1, '{"action":"echo","m":"' . 'x' x 40000 . '"}');
my $huge = ::frame(1, '{"action":"echo","m":"' . 'y' x 100000 . '"}');
my $recv = CORE::join '', map { "alice recv {\"m\":$_}\n" } 1 .. 300;
<<"END"
alice open
alice write $ask$many$big$huge$many
alice recv-head 101
$recv
alice recv {"m":"\${x*40000}"}
alice recv {"m":"\${y*100000}"}
$recv
alice recv-none
END

=== TEST 20: the same with nginx's usual buffers
--- api
route echo { reply '{"m":"$request.body.m"}'; }
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
my $pad = ::ask('X-Pad: ' . 'p' x 3000 . '\r\n' . $::upgrade . $::version . $::key);
my $many = CORE::join '', map { ::frame(1, "{\"action\":\"echo\",\"m\":$_}") } 1 .. 300;
my $big = ::frame(1, '{"action":"echo","m":"' . 'x' x 40000 . '"}');
my $recv = CORE::join '', map { "NAME recv {\"m\":$_}\n" } 1 .. 300;
CORE::join '', map { s/NAME/$_->[0]/gr } map { my $c = $_; map { s/NAME/$c->[0]/gr } <<"END" } [alice => $ask, ''], [bob => $pad, ''], [carol => $pad, 'split=5000 '];
NAME open
NAME write $c->[2]$c->[1]$big$many
NAME recv-head 101
NAME recv {"m":"\${x*40000}"}
$recv
NAME recv-none
END

=== TEST 21: a frame that is split by the end of the first packet
--- api
route echo { reply '{"m":"$request.body.m"}'; }
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
my $whole = '\x81\x97\x00\x00\x00\x00{"action":"echo","m":1}';
my @bytes = $whole =~ /(\\x..|.)/g;
my $i = 0;
CORE::join '', map {
    my $name = 'a' . $i++;
    my $head = CORE::join '', @bytes[0 .. $_ - 1];
    my $tail = CORE::join '', @bytes[$_ .. $#bytes];
    <<"END"
$name open
$name write $ask$head
$name recv-head 101
$name recv-none 0.02
$name write $tail
$name recv {"m":1}
END
} 1, 2, 3, 5, 6, 7, $#bytes

=== TEST 22: rubbish behind the handshake
--- api
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
<<"END"
alice open
alice write ${ask}GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n
alice recv-head 101
alice recv-close 1002
alice recv-eof
END

=== TEST 23: a handshake has no body, and what is in one is no frame
--- api
route echo { reply '{"m":"$request.body.m"}'; }
--- ws eval
my $ask = ::ask('Content-Length: 5\r\n' . $::upgrade . $::version . $::key);
<<"END"
alice open
alice write ${ask}hello
alice recv-head 400 [Content-Type: json]
END

=== TEST 24: auth_basic
--- api
--- config
location /ws {
    auth_basic chat;
    auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/pw;
    wschat chat;
}
location = /status { wschat_status; }
--- user_files
>>> pw
bob:{PLAIN}secret
--- ws
alice connect /ws => 401 [WWW-Authenticate: ^Basic realm="chat"$ | !Sec-WebSocket-Accept]
alice connect /ws Authorization: Basic Ym9iOndyb25n => 401
http GET /status => 200 "connections":0,
alice connect /ws Authorization: Basic Ym9iOnNlY3JldA==
alice ping x
alice recv-pong x
http GET /status => 200 "connections":1,

=== TEST 25: allow and deny
--- api
--- config
location /ws { allow 127.0.0.2; deny all; wschat chat; }
--- ws
alice connect /ws => 403 [!Sec-WebSocket-Accept]
bob connect from=127.0.0.2 /ws

=== TEST 26: auth_request, and what it has found out
--- api
route $connect { set $connection.user $who; }
route who { reply '{"user":"$connection.user"}'; }
--- config
location /ws {
    auth_request /auth;
    auth_request_set $who $upstream_http_x_user;
    wschat chat;
}
location = /auth {
    internal;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/site;
    proxy_pass_request_body off;
}
location = /site {
    if ($http_cookie != "session=1") { return 401; }
    add_header X-User bob;
    return 204;
}
--- ws
alice connect /ws => 401 [!Sec-WebSocket-Accept]
alice connect /ws Cookie: session=1 => 101 [!X-User]
alice send {"action":"who"}
alice recv {"user":"bob"}

=== TEST 27: limit_req
--- api
--- http_config
limit_req_zone $binary_remote_addr zone=req:1m rate=1r/m;
--- config
location /ws { limit_req zone=req; limit_req_status 429; wschat chat; }
--- fresh
--- ws
alice connect /ws
bob connect /ws => 429 [!Sec-WebSocket-Accept]
carol connect from=127.0.0.2 /ws
alice ping x
alice recv-pong x

=== TEST 28: limit_conn counts handshakes that wait
--- api
route $connect { send all '{"waits":true}'; delay 1s; }
--- http_config
limit_conn_zone $binary_remote_addr zone=conn:1m;
--- config
location /ws { limit_conn conn 1; wschat chat; }
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
<<"END"
spy connect from=127.0.0.2 /ws
alice open
alice write $ask
spy recv {"waits":true}
bob connect /ws => 503
alice recv-head 101
carol connect /ws
END

=== TEST 29: without $connect everybody may come in, on any path
--- api
--- ws
alice connect /ws
bob connect /ws/a/b?c=d
carol connect /ws?
http GET /ws/@connections/abc => 400

=== TEST 30: $connect refuses: status, body and headers
--- api
route $connect {
    if ($request.querystring.how = json) {
        respond 403 '{"message":"not you","token":"$request.querystring.token"}';
    }
    if ($request.querystring.how = text) { respond 429 'slow down, $request.querystring.token'; }
    respond 401;
}
route $disconnect { send all '{"left":true}'; }
--- config
location /ws { wschat chat; }
location = /status { wschat_status; }
--- ws
alice connect /ws?how=json&token=a%22b => 403 [Content-Type: ^application/json; charset=UTF-8$ | Content-Length: ^36$ | x-amz-apigw-id: ^[\w-]{15}=$ | Connection: ^keep-alive$ | !Upgrade | !Sec-WebSocket-Accept | !x-amzn-ErrorType | !x-amzn-RequestId] ^\{"message":"not you","token":"a\\"b"\}$
alice connect /ws?how=text&token=t => 429 [Content-Type: ^text/plain] ^slow down, t$
alice connect /ws => 401 [Content-Length: ^0$ | x-amz-apigw-id: .] ^$
http GET /status => 200 "connections":0,"rooms":0,"users":0,

=== TEST 31: any status that is not 2xx refuses
--- api eval
"route \$connect {\n"
. CORE::join('', map { "if (\$request.querystring.s = $_) { respond $_ 'body'; }\n" }
           200, 201, 204, 299, 300, 301, 304, 400, 404, 409, 418, 426, 451, 499, 500, 501, 503, 599)
. "}\nroute x { reply '{\"here\":true}'; }\n"
--- ws eval
CORE::join '',
    (map { "a connect /ws?s=$_ => 101 [!Content-Length]\na send {\"action\":\"x\"}\na recv {\"here\":true}\n" }
         200, 201, 204, 299),
    (map { "a connect /ws?s=$_ => $_ [!Sec-WebSocket-Accept]\n" }
         300, 301, 304, 400, 404, 409, 418, 426, 451, 499, 500, 501, 503, 599)

=== TEST 32: a step that fails is the gateway's own 502
--- api
route $connect {
    join $request.querystring.room;
    set $connection.after yes;
}
route $disconnect { send all '{"left":true}'; }
--- config
location /ws { wschat chat; }
location = /status { wschat_status; }
--- ws
spy connect /ws?room=r
alice connect /ws => 502 [Content-Type: ^application/json; charset=UTF-8$ | x-amz-apigw-id: ^(?<id>[\w-]{15}=)$ | !x-amzn-ErrorType | !x-amzn-RequestId | !Sec-WebSocket-Accept] ^\{"message":"Internal server error","connectionId":"[\w-]{22}==","requestId":"(?<same>[^"]+)"\}$
http GET /status => 200 "connections":1,"rooms":1,
spy recv-none
# the id in the header is the one in the body
http GET /ws/${id}? [Host: ${same}] => 426

=== TEST 33: refused, it had joined and named itself: nothing is left
--- api
route $connect {
    set $connection.user u;
    join a;
    join b;
    respond 403;
}
on member_join  { send all '{"join":"$room"}'; }
on member_leave { send all '{"leave":"$room","user":"$connection.user"}'; }
on room_empty   { send all '{"empty":"$room"}'; }
--- config
location /ws { wschat chat; }
location = /status { wschat_status; }
--- ws
alice connect /ws => 403
until http GET /status => 200 "connections":0,"rooms":0,"users":0,
repeat 20 alice connect /ws => 403
until http GET /status => 200 "connections":0,"rooms":0,"users":0,

=== TEST 34: the hooks of one that was refused
--- api
route $connect {
    if ($request.querystring.spy) { join spies; stop; }
    join a;
    respond 403;
}
route $disconnect { send room=spies '{"disconnect":true}'; }
on member_join  { if ($room = a) { send room=spies '{"join":"$room"}'; } }
on member_leave { if ($room = a) { send room=spies '{"leave":"$room"}'; } }
on room_empty   { if ($room = a) { send room=spies '{"empty":"$room"}'; } }
--- ws
spy connect /ws?spy=1
alice connect /ws => 403
spy recv {"join":"a"}
spy recv {"leave":"a"}
spy recv {"empty":"a"}
# spec 7.2: there is no $disconnect
spy recv-none

=== TEST 35: delay holds the 101 back
--- api
route $connect {
    if ($request.querystring.spy) { stop; }
    send all '{"id":"$context.connectionId"}';
    delay 900ms;
}
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
my $ping = ::frame(9, 'p');
<<"END"
spy connect /ws?spy=1
alice open
alice write $ask$ping
spy recv-json {"id":"*"} => id=id
# spec 2.6
http POST /ws/\@connections/\${id} hello => 410
alice recv-none 0.05
alice recv-head 101
alice recv-pong p
http POST /ws/\@connections/\${id} hello => 200
alice recv hello
END

=== TEST 36: delay, then a refusal
--- api
route $connect { delay 100ms; respond 403 '{"message":"late"}'; }
--- config
location /ws { wschat chat; }
location = /status { wschat_status; }
--- ws
alice connect /ws => 403 [Content-Type: ^application/json; charset=UTF-8$] ^\{"message":"late"\}$
http GET /status => 200 "connections":0,"rooms":0,"users":0,

=== TEST 37: the client hangs up while $connect waits
--- api
route $connect {
    if ($request.querystring.spy) { stop; }
    set $connection.user u;
    join r;
    send all '{"waits":true}';
    delay 400ms;
    send all '{"goes":"on"}';
    join s;
    reply '{"hello":true}';
}
route $disconnect { send all '{"left":"$connection.user"}'; }
--- config
location /ws { wschat chat; }
location = /status { wschat_status; }
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
<<"END"
spy connect /ws?spy=1
alice open
alice write $ask
spy recv {"waits":true}
alice hangup
until http GET /status => 200 "connections":1,"rooms":0,"users":0,
bob open
bob write $ask
spy recv-until {"waits":true}
bob abort
until http GET /status => 200 "connections":1,"rooms":0,"users":0,
spy close
until http GET /status => 200 "connections":0,"rooms":0,"users":0,
END

=== TEST 38: many hang up at once
--- api
route $connect { join r; delay 300ms; }
--- config
location /ws { wschat chat; }
location = /status { wschat_status; }
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
CORE::join('', map { "a$_ open\na$_ write $ask\n" } 1 .. 30)
. "until http GET /status => 200 \"connections\":30,\n"
. CORE::join('', map { "a$_ " . ($_ % 2 ? 'abort' : 'hangup') . "\n" } 1 .. 30)
. "until http GET /status => 200 \"connections\":0,\"rooms\":0,\"users\":0,\n"

=== TEST 39: a reply in $connect comes after the 101
--- api
route $connect {
    reply '{"welcome":1}';
    join r;
    send room=r '{"in":"r"}';
    reply '{"welcome":2}';
}
--- ws
alice connect /ws
alice recv {"welcome":1}
alice recv {"in":"r"}
alice recv {"welcome":2}
alice recv-none

=== TEST 40: what a room gets while $connect waits comes after the 101, too
--- api
route $connect {
    join r;
    reply '{"first":true}';
    if ($request.querystring.wait) { delay 1s; }
    reply '{"last":true}';
}
route say { send room=r '{"say":"$request.body.say"}'; }
on member_join { send room=r except=self '{"joined":true}'; }
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key, 'GET /ws?wait=1 HTTP/1.1');
<<"END"
bob connect /ws
bob recv {"first":true}
bob recv {"last":true}
alice open
alice write $ask
bob recv {"joined":true}
bob send {"action":"say","say":1}
bob recv {"say":1}
alice recv-head 101
alice recv {"first":true}
alice recv {"say":1}
alice recv {"last":true}
END

=== TEST 41: one line in the access log, when it is over
--- api
route hello { set $connection.user $request.body.name; reply '{"a":1}'; }
--- http_config
log_format ws 'ws|$wschat_api|$wschat_connection_id|$wschat_route|$wschat_user|$wschat_close_code|$wschat_close_reason|$wschat_duration|$wschat_messages_in|$wschat_messages_out|$wschat_bytes_in|$wschat_bytes_out|$status|$request|$http_user_agent|$http_referer|$remote_addr|$request_method|$uri|end';
--- config
location /ws { access_log $TEST_NGINX_SERVER_ROOT/logs/access.log ws; wschat chat; }
--- fresh
--- ws
alice connect /ws/room?secret=1 User-Agent: test "1" | Referer: http://a.example/
alice send {"action":"hello","name":"Zo\u00eb"}
alice recv {"a":1}
alice send {"action":"no"}
alice recv-like Forbidden.*"connectionId":"(?<id>[^"]+)"
alice ping p
alice recv-pong p
alice close 1000 bye
alice recv-close 1000 bye
alice recv-eof
# 2 * 6 + 36 + 15 of the messages, 7 of the ping, 6 + 2 + 3 of the close frame
access-log \Aws\|chat\|${id}\|hello\|Zo(?:\\x..){2}\|1000\|bye\|\d+\.\d{3}\|2\|2\|81\|\d+\|101\|GET /ws/room HTTP/1\.1\|test (?:\\x22|\\")1(?:\\x22|\\")\|http://a\.example/\|127\.0\.0\.1\|GET\|/ws/room\|end\n\z

=== TEST 42: the line if there is little to tell
--- api
route $connect { if ($request.querystring.no) { respond 403; } }
--- http_config
log_format ws 'ws|$wschat_api|$wschat_connection_id|$wschat_route|$wschat_user|$wschat_close_code|$wschat_close_reason|$wschat_messages_in|$wschat_messages_out|$wschat_bytes_in|$status|end';
--- config
location /ws { access_log $TEST_NGINX_SERVER_ROOT/logs/access.log ws; wschat chat; }
--- fresh
--- ws
alice connect /ws
alice abort
access-log \Aws\|chat\|[\w-]{22}==\|-\|-\|1006\|Connection closed abnormally\|0\|0\|0\|101\|end\n\z
# no session: an ordinary line
bob connect /ws?no=1 => 403
bob hangup
access-log \nws\|-\|-\|-\|-\|-\|-\|-\|-\|-\|403\|end\n\z

=== TEST 43: the line of one that hung up before the 101
--- api
route $connect { send all '{"waits":true}'; delay 200ms; }
--- http_config
log_format ws 'ws|$wschat_api|$status|end';
--- config
location /ws { access_log $TEST_NGINX_SERVER_ROOT/logs/access.log ws; wschat chat; }
--- fresh
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
<<"END"
spy connect from=127.0.0.2 /ws
alice open
alice write $ask
spy recv {"waits":true}
alice hangup
access-log \\Aws\\|[^\\n]*\\|499\\|end\\n\\z
END

=== TEST 44: realip: the real address stays after the handshake
--- api
route $connect { if ($request.querystring.spy) { join spies; } reply '{"ip":"$context.identity.sourceIp","var":"$remote_addr"}'; }
route ip { reply '{"ip":"$context.identity.sourceIp","var":"$remote_addr","id":"$context.connectionId"}'; }
route $disconnect { send room=spies '{"gone":"$context.identity.sourceIp"}'; }
--- http_config
log_format ws 'ws|$remote_addr|$status|end';
--- config
location /ws {
    access_log $TEST_NGINX_SERVER_ROOT/logs/access.log ws;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Forwarded-For;
    wschat chat;
}
location /ws/@connections/ { wschat_connections chat; }
--- fresh
--- ws
spy connect /ws?spy=1
spy recv {"ip":"127.0.0.1","var":"127.0.0.1"}
alice connect /ws X-Forwarded-For: 192.0.2.77
alice recv {"ip":"192.0.2.77","var":"192.0.2.77"}
alice send {"action":"ip"}
alice recv-json {"ip":"192.0.2.77","var":"192.0.2.77","id":"*"} => id=id
http GET /ws/@connections/${id} => 200 "sourceIp" : "192\.0\.2\.77"
alice send {"action":"nothing"}
alice recv-like Forbidden
alice frame op=1,rsv=4 x
alice recv-close 1002
alice recv-eof
alice hangup
spy recv {"gone":"192.0.2.77"}
log client broke the WebSocket protocol.*client: 192\.0\.2\.77
access-log ^ws\|192\.0\.2\.77\|101\|end$
bob connect /ws X-Forwarded-For: 2001:db8::1:2
bob recv {"ip":"2001:db8::1:2","var":"2001:db8::1:2"}
bob send {"action":"ip"}
bob recv-json {"ip":"2001:db8::1:2"}
bob close
spy recv {"gone":"2001:db8::1:2"}
access-log ^ws\|2001:db8::1:2\|101\|end$

=== TEST 45: error_log lines say who it is
--- api
route bad { join $request.body.room; }
--- ws
alice connect /ws
alice send {"action":"bad"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"(?<id>[\w-]{22}==)", "requestId":"[\w-]{15}="\}$
log route "bad".*in step "join".*, client: 127\.0\.0\.1, api: "chat", connection: ${id}

=== TEST 46: many KB behind a handshake that waits
--- api
route $connect { delay 300ms; reply '{"welcome":true}'; }
route echo { reply '{"m":"$request.body.m"}'; }
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
my $many = CORE::join '', map { ::frame(1, "{\"action\":\"echo\",\"m\":$_}") } 0 .. 999;
my $big = ::frame(1, '{"action":"echo","m":"' . 'x' x 120000 . '"}');
<<"END"
alice open
alice write $ask$big$many
alice recv-head 101
alice recv {"welcome":true}
alice recv {"m":"\${x*120000}"}
repeat 1000 alice recv {"m":\${i}}
END

=== TEST 47: gone at the very moment: as many $disconnects as there were connections
--- api
route $connect {
    if ($request.querystring.spy) { join spies; stop; }
    if ($request.querystring.wait) { delay 1ms; }
    join r;
    send room=spies '{"in":true}';
}
route $disconnect { send room=spies '{"out":"$context.disconnectStatusCode"}'; }
--- config
location /ws { wschat chat; }
location = /status { wschat_status; }
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key);
my $wait = ::ask($::upgrade . $::version . $::key, 'GET /ws?wait=1 HTTP/1.1');
my $close = ::frame(8, '');
my $n = 0;
"spy connect /ws?spy=1\n"
. CORE::join('', map { my ($what, $how) = @$_; map { $n++; "c$n open\nc$n write $what\nc$n $how\n" } 1 .. 15 }
      [$ask, 'abort'], [$ask, 'hangup'], ["$ask$close", 'abort'], ["$ask$close", 'hangup'],
      ['GET /ws HTTP/1.1\r\nHost: l', 'abort'])
. "until http GET /status => 200 \"connections\":1,\"rooms\":1,\n"
. "spy balanced\n"
# here the end may come before the handshake, then there is no \$disconnect
. CORE::join('', map { my ($what, $how) = @$_; map { $n++; "c$n open\nc$n write $what\nc$n $how\n" } 1 .. 15 }
      [$wait, 'abort'], [$wait, 'hangup'])
. "until http GET /status => 200 \"connections\":1,\"rooms\":1,\n"

=== TEST 48: a handshake in a subrequest
--- api
--- config
location /ws { wschat chat; }
location = /t { auth_request /ws; root html; }
location = /status { wschat_status; }
--- error_log
auth request unexpected status
--- ws eval
my $ask = ::ask($::upgrade . $::version . $::key, 'GET /t HTTP/1.1');
<<"END"
alice open
alice write $ask
alice recv-head 500
http GET /t => 500
http GET /status => 200 "connections":0,
END

=== TEST 49: nginx's time-outs for requests are none of ours
--- api
--- config
location /ws { wschat chat; }
client_header_timeout 300ms;
client_body_timeout 300ms;
keepalive_timeout 300ms;
send_timeout 300ms;
lingering_timeout 300ms;
--- ws
alice connect /ws
bob connect /ws
bob frame op=9,split=1 half
sleep 1
alice ping x
alice recv-pong x
bob recv-pong half
bob ping x
bob recv-pong x

=== TEST 50: the PROXY protocol
--- api
route $connect { reply '{"ip":"$context.identity.sourceIp","var":"$proxy_protocol_addr"}'; }
route ip { reply '{"ip":"$context.identity.sourceIp"}'; }
--- config eval
'listen 127.0.0.1:' . (Test::Nginx::Util::server_port() + 2) . ' proxy_protocol;
set_real_ip_from 127.0.0.1;
real_ip_header proxy_protocol;
location /ws { wschat chat; }'
--- ws eval
my $port = Test::Nginx::Util::server_port() + 2;
my $ask = ::ask($::upgrade . $::version . $::key);
my $frame = ::frame(1, '{"action":"ip"}');
<<"END"
alice open port=$port
alice write PROXY TCP4 192.0.2.9 192.0.2.1 1234 80\\r\\n$ask$frame
alice recv-head 101
alice recv {"ip":"192.0.2.9","var":"192.0.2.9"}
alice recv {"ip":"192.0.2.9"}
END

=== TEST 51: filters that would change an answer
--- api
route $connect { if ($request.querystring.no) { respond 403 '{"message":"no"}'; } reply '{"welcome":true}'; }
--- config
location /ws {
    gzip on;
    gzip_min_length 1;
    gzip_types *;
    sub_filter no yes;
    sub_filter_types *;
    add_header X-A b always;
    chunked_transfer_encoding on;
    wschat chat;
}
--- ws
alice connect /ws Accept-Encoding: gzip => 101 [Upgrade: ^websocket$ | !Content-Encoding | !Transfer-Encoding]
alice recv {"welcome":true}
alice connect /ws?no=1 => 403 [X-A: ^b$]
