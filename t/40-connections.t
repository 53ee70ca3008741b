# @connections (spec section 6): POST, GET and DELETE, every error, on whichever
# worker the request lands.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

share_nginx();
run_tests();

__DATA__

=== TEST 1: POST sends a text message
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http POST /ws/@connections/${id} hello => 200 [Content-Length: ^0$ | Content-Type: ^application/json$ | x-amzn-RequestId: ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ | x-amz-apigw-id: ^[\w-]{15}=$ | X-Amzn-Trace-Id: ^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$ | !x-amzn-ErrorType]
alice recv hello
http POST /ws/@connections/${id} {"a":[1,2],"b":"ü"} => 200
alice recv {"a":[1,2],"b":"ü"}

=== TEST 2: whatever its content is, it is text; nothing is an empty message
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http POST /ws/@connections/${id} [Content-Type: application/octet-stream] raw => 200
alice recv raw
http POST /ws/@connections/${id} => 200 [Content-Length: ^0$]
alice recv-len 0
bob open
bob write POST /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n\x00\xff\xfe\x80native
bob recv-head 200
alice recv-esc \x00\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdnative
bob write POST /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\n\r\n
bob recv-head 200
alice recv-len 0
bob write POST /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab\xc3\xbc
bob recv-head 200
alice recv-esc ab\xc3\xbc
# a character that is cut off
bob write POST /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nab\xc3
bob recv-head 200
alice recv-esc ab\xef\xbf\xbd

=== TEST 3: 131072 bytes and no more
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http POST /ws/@connections/${id} ${x*131072} => 200
alice recv-len 131072
http POST /ws/@connections/${id} ${x*131073} => 413 [x-amzn-ErrorType: ^PayloadTooLargeException$ | Content-Type: ^application/json$ | !x-amzn-RequestId] ^\{"message":"Payload Too Large"\}$
alice recv-none
# too large by what it says: the body is not waited for
bob open
bob write POST /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n
bob recv-head 413 [Connection: ^close$]
# before the id is looked at
http POST /ws/@connections/! ${x*131073} => 413
alice send {"action":"me"}
alice recv-json {"id":"${id}"}

=== TEST 4: bodies in pieces, in a file
--- http_config
wschat_zone chat 8m;
wschat_api chat { route me { reply '{"id":"$context.connectionId"}'; } }
--- config
location /ws { wschat chat; }
location /ws/@connections/ { wschat_connections chat; }
location /file/@connections/ { wschat_connections chat; client_body_in_file_only clean; }
location /small/@connections/ { wschat_connections chat; client_body_buffer_size 1k; client_max_body_size 10; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http POST /file/@connections/${id} ${y*131072} => 200
alice recv-len 131072
http POST /file/@connections/${id} => 200
alice recv-len 0
http POST /file/@connections/${id} short => 200
alice recv short
http POST /small/@connections/${id} ${z*5000} => 200
alice recv ${z*5000}
bob open
bob write split=7 POST /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n${v*50}
bob recv-head 200
alice recv ${v*50}

=== TEST 5: GET tells about the connection
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws User-Agent: a "quoted" agent
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http GET /ws/@connections/${id} => 200 [Content-Type: ^application/json$ | x-amzn-RequestId: ^[0-9a-f-]{36}$ | x-amz-apigw-id: ^[\w-]{15}=$ | X-Amzn-Trace-Id: ^Root=1-] ^\{\n  "identity" : \{\n    "sourceIp" : "127\.0\.0\.1",\n    "userAgent" : "a \\"quoted\\" agent"\n  \},\n  "connectedAt" : "(?<since>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)",\n  "lastActiveAt" : "(?<active>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"\n\}\z
# is activity: a message of the client, what is posted; not: asking, a refused POST
sleep 0.02
http GET /ws/@connections/${id} => 200 "connectedAt" : "${since}",\n  "lastActiveAt" : "${active}"
http POST /ws/@connections/${id} ${x*131073} => 413
http GET /ws/@connections/${id} => 200 "lastActiveAt" : "${active}"
sleep 0.02
http POST /ws/@connections/${id} => 200
alice recv-len 0
http GET /ws/@connections/${id} => 200 "connectedAt" : "${since}",\n  "lastActiveAt" : "(?!${active})(?<posted>[^"]+)"
sleep 0.02
alice send {"action":"me"}
alice recv-json {"id":"${id}"}
http GET /ws/@connections/${id} => 200 "connectedAt" : "${since}",\n  "lastActiveAt" : "(?!${posted})[^"]+"

=== TEST 6: GET without a User-Agent
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http GET /ws/@connections/${id} => 200 "userAgent" : ""

=== TEST 7: DELETE closes, and then it is gone
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http DELETE /ws/@connections/${id} => 204 [Content-Type: ^application/json$ | !Content-Length | x-amzn-RequestId: . | x-amz-apigw-id: . | X-Amzn-Trace-Id: .]
alice recv-close-only 1000 Connection Closed Normally
# our close frame is not answered yet
http POST /ws/@connections/${id} x => 410
alice close 1000
alice recv-eof
http POST /ws/@connections/${id} x => 410 [x-amzn-ErrorType: ^GoneException$ | Content-Length: ^0$ | Content-Type: ^application/json$ | x-amzn-RequestId: . | x-amz-apigw-id: . | X-Amzn-Trace-Id: .]
http GET /ws/@connections/${id} => 410 [x-amzn-ErrorType: ^GoneException$ | Content-Length: ^0$]
http DELETE /ws/@connections/${id} => 410 [x-amzn-ErrorType: ^GoneException$ | Content-Length: ^0$]

=== TEST 8: what was queued is delivered before the close
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http POST /ws/@connections/${id} one => 200
http POST /ws/@connections/${id} two => 200
http DELETE /ws/@connections/${id} => 204
alice recv one
alice recv two
alice recv-close 1000 Connection Closed Normally
alice recv-eof

=== TEST 9: $disconnect runs after a DELETE, with its code and reason
--- api
route me { reply '{"id":"$context.connectionId"}'; }
route $disconnect {
    send all '{"left":"$context.connectionId","code":"$context.disconnectStatusCode","reason":"$context.disconnectReason"}';
}
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http DELETE /ws/@connections/${id} => 204
alice recv-close 1000 Connection Closed Normally
bob recv {"left":"${id}","code":1000,"reason":"Connection Closed Normally"}

=== TEST 10: a client that went away is gone
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
alice hangup
until http POST /ws/@connections/${id} x => 410 [x-amzn-ErrorType: ^GoneException$]
# the next one may have the same place, but not the id
bob connect /ws
http POST /ws/@connections/${id} x => 410
bob recv-none

=== TEST 11: ids
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-like ^\{"id":"(?<bare>[\w-]{22})=="\}$
http POST /ws/@connections/${bare}%3D%3D a => 200
alice recv a
http POST /ws/%40connections/${bare}%3d%3d b => 200
alice recv b
http POST /ws//@connections/${bare}== c => 200
alice recv c
# those that could be one are gone, wherever they say that they are
http GET /ws/@connections/AAAAAAAAAAAAAAA= => 410 [x-amzn-ErrorType: ^GoneException$]
http GET /ws/@connections/gbgHN0-zjQAYKEjhgA== => 410
http GET /ws/@connections/AAAAAAAAAAAAAAAAAAAAAA== => 410
http GET /ws/@connections/AAA_AAAAAAAAAAAAAAAAAA== => 410
http GET /ws/@connections/____________________-w== => 410
http GET /ws/@connections/______________________== => 410
# others are none
http GET /ws/@connections/${bare} => 400
http GET /ws/@connections/AAA => 400 [x-amzn-ErrorType: ^BadRequestException$ | x-amzn-RequestId: . | !X-Amzn-Trace-Id] ^\{"message":"Invalid connectionId: AAA"\}$
http POST /ws/@connections/${bare}=! x => 400 ^\{"message":"Invalid connectionId: ${bare}=!"\}$
http DELETE /ws/@connections/${bare}==/ => 400
http GET /ws/@connections/==== => 400
http GET /ws/@connections/a%22%5c%0a%ff => 400 ^\{"message":"Invalid connectionId: a\\"\\\\\\n\xef\xbf\xbd"\}$
http POST /ws/@connections/@connections/${bare}== d => 200
alice recv d
alice recv-none

=== TEST 12: no id, other methods, no length
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http GET /ws/@connections/ => 403 [x-amzn-ErrorType: ^ForbiddenException$ | Content-Type: ^application/json$ | !X-Amzn-Trace-Id] ^\{"message":"Forbidden"\}$
http PUT /ws/@connections/${id} x => 405 [Allow: ^POST, GET, DELETE$ | Content-Type: ^application/json$] ^\{"message":"Method Not Allowed"\}$
http PATCH /ws/@connections/${id} x => 405
http OPTIONS /ws/@connections/${id} => 405
http HEAD /ws/@connections/${id} => 405 [Allow: ^POST, GET, DELETE$]
http POST /ws/@connections/${id} [Transfer-Encoding: chunked] 0 => 411 [x-amzn-ErrorType: ^LengthRequiredException$] ^\{"message":"Length Required"\}$
alice recv-none

=== TEST 13: a location without an @connections in its path
--- http_config
wschat_zone chat 8m;
wschat_api chat { route me { reply '{"id":"$context.connectionId"}'; } }
--- config
location / { wschat_connections chat; }
location /ws { wschat chat; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http GET /${id} => 403 ^\{"message":"Forbidden"\}$
http GET / => 403
http GET /a/b/@connections/${id} => 200
http GET /@connections/${id} => 200

=== TEST 14: connections of another api are gone, another location of this one's are not
--- http_config
wschat_zone chat 8m;
wschat_api chat { route me { reply '{"id":"$context.connectionId"}'; } }
wschat_api other { route me { reply '{"id":"$context.connectionId"}'; } }
--- config
location /ws { wschat chat; }
location /ws/@connections/ { wschat_connections chat; }
location /stage/@connections/ { wschat_connections chat; }
location /other/@connections/ { wschat_connections other; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
http GET /stage/@connections/${id} => 200
repeat 8 http GET /other/@connections/${id} => 410
repeat 8 http POST /other/@connections/${id} x => 410
repeat 8 http DELETE /other/@connections/${id} => 410
http POST /ws/@connections/${id} x => 200
alice recv x

=== TEST 15: from every worker to every worker
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws User-Agent: alice
bob connect apart=alice /ws User-Agent: bob
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
bob send {"action":"me"}
bob recv-json {"id":"*"} => id=id
repeat 40 http POST /ws/@connections/${alice.id} to alice ${i} => 200
repeat 40 http POST /ws/@connections/${bob.id} to bob ${i} => 200
repeat 40 alice recv to alice ${i}
repeat 40 bob recv to bob ${i}
repeat 20 http GET /ws/@connections/${alice.id} => 200 "sourceIp" : "127\.0\.0\.1",\n    "userAgent" : "alice"
repeat 20 http GET /ws/@connections/${bob.id} => 200 "userAgent" : "bob"
repeat 5 http POST /ws/@connections/${bob.id} ${x*131072} => 200
repeat 5 bob recv-len 131072
http DELETE /ws/@connections/${alice.id} => 204
alice recv-close 1000 Connection Closed Normally
http DELETE /ws/@connections/${bob.id} => 204
bob recv-close 1000 Connection Closed Normally
repeat 20 http GET /ws/@connections/${alice.id} => 410
repeat 20 http GET /ws/@connections/${bob.id} => 410

=== TEST 16: requests one after the other on one connection
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
carol open
carol write POST /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\noneGET /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbodyDELETE /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n
carol recv-head 200
carol recv-head 200
carol recv-body connectedAt
carol recv-head 204
carol recv-head 410
carol recv-eof
alice recv one
alice recv-close 1000

=== TEST 17: callers that hang up
--- api
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
bob open
bob write POST /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf
bob abort
carol open
carol write GET /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\n\r\n
carol abort
dave open
dave write POST /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\ndave
dave hangup
alice recv dave
alice recv-none
http POST /ws/@connections/${id} still here => 200
alice recv still here

=== TEST 18: a client that does not read: 429, then 1008
--- api
send_queue 64k;
route me { reply '{"id":"$context.connectionId"}'; }
--- ws
alice connect rcvbuf=4096 /ws
alice send {"action":"me"}
alice recv-json {"id":"*"} => id=id
until http POST /ws/@connections/${id} ${x*60000} => 429 [x-amzn-ErrorType: ^LimitExceededException$ | Content-Type: ^application/json$] ^\{"message":"Too Many Requests"\}$
http POST /ws/@connections/${id} x => 410

=== TEST 19: the access phase runs before us, and $connect before there is an id
--- http_config
wschat_zone chat 8m;
wschat_api chat {
    route $connect { respond 403 '{"id":"$context.connectionId"}'; }
}
--- config
location /ws { wschat chat; }
location /ws/@connections/ { wschat_connections chat; }
location /denied/@connections/ { wschat_connections chat; deny all; }
--- ws
alice connect /ws => 403 "id":"(?<id>[^"]+)"
http GET /ws/@connections/${id} => 410
http GET /denied/@connections/${id} => 403
