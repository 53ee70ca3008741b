# The machinery itself: the module loads, nginx serves HTTP beside it.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

run_tests();

__DATA__

=== TEST 1: nginx with the module serves HTTP
--- config
location = /t { return 200 "hi\n"; }
--- request
GET /t
--- response_body
hi

=== TEST 2: an HTTP client in a conversation
--- config
location = /t { add_header X-Id abc7; return 201 "<$http_x_a $request_body>"; }
location = /len { return 200 $http_content_length; }
--- ws
http GET /t => 201 [X-Id: ^(?<id>\w+)$ | !X-No]
http GET /t [X-A: ${id}] => 201 ^<abc7 >$
http POST /len ${x*70} => 200 ^70$
until http GET /nothing => 404
repeat 3 http GET /t => 201

=== TEST 3: raw bytes over TCP and TLS
--- config
location = /t { return 200 "tls is $https"; }
--- tls
--- ws
alice open
alice write split=3 GET /t HTTP/1.0\r\n\r\n
alice recv-head 200 [Content-Type: ^text/plain]
alice recv-body ^tls is $
alice recv-eof
bob open tls
bob write GET /t HTTP/1.0\r\n\r\n
bob recv-head 200
bob recv-body ^tls is on$

=== TEST 4: a handshake that finds no WebSocket
--- config
location = /t { return 403 "no"; }
--- ws
alice connect /t => 403 [!Upgrade] ^no$
alice connect /nothing X-A: b | Host: => 400

=== TEST 5: nginx -t refuses
--- config
return 200;
no_such_directive;
--- nginx_t
unknown directive "no_such_directive" in config:2$

=== TEST 6: nginx -t accepts
--- http_config
map $uri $x { default 1; }
--- nginx_t_ok

=== TEST 7: access.log and error.log are waited for
--- config
location = /t { return 204; }
location = /missing { root /nonexistent; error_log $TEST_NGINX_SERVER_ROOT/logs/error.log error; }
--- ws
http GET /t => 204
access-log "GET /t HTTP/1\.1" 204
http GET /missing => 404
log /nonexistent/missing. failed
no-log \[alert\]
--- error_log
/nonexistent/missing
