# Mistakes in the configuration: nginx -t finds them, says where, and what was
# expected.  The number of workers makes no difference:
# once

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

run_tests();

__DATA__

=== TEST 1: unknown directive in an api
--- api
history 10;
histroy 10;
--- nginx_t
unknown directive "histroy" in api:2$

=== TEST 2: unknown step
--- api
route x {
    repl hi;
}
--- nginx_t
unknown directive "repl" in api:2$

=== TEST 3: step in an api
--- api
reply hi;
--- nginx_t
"reply" directive is not allowed here in api:1$

=== TEST 4: directive of an api within a route
--- api
route x {
    history 10;
}
--- nginx_t
"history" directive is not allowed here in api:2$

=== TEST 5: route within a route
--- api
route x {
    route y { }
}
--- nginx_t
"route" directive is not allowed here in api:2$

=== TEST 6: on within a route
--- api
route x {
    on room_empty { }
}
--- nginx_t
"on" directive is not allowed here in api:2$

=== TEST 7: directive of nginx in an api
--- api
root html;
--- nginx_t
"root" directive is not allowed here in api:1$

=== TEST 8: directive of nginx in a route
--- api
route x {
    return 200;
}
--- nginx_t
"return" directive is not allowed here in api:2$

=== TEST 9: location in an api
--- api
location / { }
--- nginx_t
"location" directive is not allowed here in api:1$

=== TEST 10: missing brace
--- api
route x {
    reply hi;

--- nginx_t
"server" directive is not allowed here

=== TEST 11: one brace too many
--- api
route x {
    reply hi;
}
}
--- nginx_t
"server" directive is not allowed here

=== TEST 12: missing semicolon
--- api
route x {
    reply hi
}
--- nginx_t
unexpected "\}" in api:3$

=== TEST 13: missing semicolon before a step
--- api
route x {
    reply hi
    reply ho;
}
--- nginx_t
invalid number of arguments in "reply" directive in api:3$

=== TEST 14: missing quote
--- api
route x {
    reply '{"a":1};
}
--- nginx_t
unexpected end of file, expecting ";" or "\}"

=== TEST 15: route without a key
--- api
route { reply x; }
--- nginx_t
invalid number of arguments in "route" directive in api:1$

=== TEST 16: route with two keys
--- api
route a b { reply x; }
--- nginx_t
invalid number of arguments in "route" directive in api:1$

=== TEST 17: route without a block
--- api
route a;
--- nginx_t
directive "route" has no opening "\{" in api:1$

=== TEST 18: route with an empty key
--- api
route '' { reply x; }
--- nginx_t
"route" directive needs a key of 1 to 256 bytes in api:1$

=== TEST 19: route with a key of 257 bytes
--- api eval
'route ' . 'x' x 257 . ' { reply x; }'
--- nginx_t
"route" directive needs a key of 1 to 256 bytes in api:1$

=== TEST 20: route given twice
--- api
route a { reply x; }
route b { reply x; }
route a { reply y; }
--- nginx_t
route "a" is given twice in api:3$

=== TEST 21: $default given twice
--- api
route $default { reply x; }
route $default { reply y; }
--- nginx_t
route "\$default" is given twice in api:2$

=== TEST 22: $connect given twice
--- api
route $connect { reply x; }
route $connect { reply y; }
--- nginx_t
route "\$connect" is given twice in api:2$

=== TEST 23: $disconnect given twice
--- api
route $disconnect { stop; }
route $disconnect { stop; }
--- nginx_t
route "\$disconnect" is given twice in api:2$

=== TEST 24: route key that begins with a dollar
--- api
route $foo { reply x; }
--- nginx_t
invalid route key "\$foo": "\$connect", "\$disconnect", "\$default" or a key that does not begin with "\$" was expected in api:1$

=== TEST 25: route key $
--- api
route $ { reply x; }
--- nginx_t
invalid route key "\$": "\$connect", "\$disconnect", "\$default" or a key that does not begin with "\$" was expected in api:1$

=== TEST 26: route key $Default
--- api
route $Default { reply x; }
--- nginx_t
invalid route key "\$Default": "\$connect", "\$disconnect", "\$default" or a key that does not begin with "\$" was expected in api:1$

=== TEST 27: on without an event
--- api
on { stop; }
--- nginx_t
invalid number of arguments in "on" directive in api:1$

=== TEST 28: on with an unknown event
--- api
on room_created { stop; }
--- nginx_t
unknown event "room_created": room_create, room_empty, member_join or member_leave was expected in api:1$

=== TEST 29: on with two events
--- api
on room_create room_empty { stop; }
--- nginx_t
invalid number of arguments in "on" directive in api:1$

=== TEST 30: event given twice
--- api
on room_create { stop; }
on room_create { stop; }
--- nginx_t
"on room_create" is given twice in api:2$

=== TEST 31: on without a block
--- api
on room_create;
--- nginx_t
directive "on" has no opening "\{" in api:1$

=== TEST 32: route_selection_expression: empty
--- api
route_selection_expression '';
--- nginx_t
invalid route selection expression "": the expression is empty in api:1$

=== TEST 33: route_selection_expression: a lone dollar
--- api
route_selection_expression $;
--- nginx_t
invalid route selection expression "\$": expression "\$", column 1: a reference expected after "\$"; a dollar as such is written "\\\$" in api:1$

=== TEST 34: route_selection_expression: a dollar at the end
--- api
route_selection_expression a$;
--- nginx_t
invalid route selection expression "a\$": expression "a\$", column 2: a reference expected after "\$"; a dollar as such is written "\\\$" in api:1$

=== TEST 35: route_selection_expression: a digit after the dollar
--- api
route_selection_expression $1;
--- nginx_t
invalid route selection expression "\$1": expression "\$1", column 1: a reference expected after "\$"; a dollar as such is written "\\\$" in api:1$

=== TEST 36: route_selection_expression: an unknown reference
--- api
route_selection_expression $request.header.x;
--- nginx_t
invalid route selection expression "\$request\.header\.x": expression "\$request\.header\.x": "request\.header\.x" cannot be selected by; \$request\.body or \$request\.body\.path expected, a dollar as such is written "\\\$" in api:1$

=== TEST 37: route_selection_expression: a context
--- api
route_selection_expression $context.connectionId;
--- nginx_t
invalid route selection expression "\$context\.connectionId": expression "\$context\.connectionId": "context\.connectionId" cannot be selected by; \$request\.body or \$request\.body\.path expected, a dollar as such is written "\\\$" in api:1$

=== TEST 38: route_selection_expression: a variable
--- api
route_selection_expression $action;
--- nginx_t
invalid route selection expression "\$action": expression "\$action": "action" cannot be selected by; \$request\.body or \$request\.body\.path expected, a dollar as such is written "\\\$" in api:1$

=== TEST 39: route_selection_expression: request
--- api
route_selection_expression $request;
--- nginx_t
invalid route selection expression "\$request": expression "\$request": "request" cannot be selected by; \$request\.body or \$request\.body\.path expected, a dollar as such is written "\\\$" in api:1$

=== TEST 40: route_selection_expression: bodyx
--- api
route_selection_expression $request.bodyx;
--- nginx_t
invalid route selection expression "\$request\.bodyx": expression "\$request\.bodyx": "request\.bodyx" cannot be selected by; \$request\.body or \$request\.body\.path expected, a dollar as such is written "\\\$" in api:1$

=== TEST 41: route_selection_expression: query
--- api
route_selection_expression $request.querystring.a;
--- nginx_t
invalid route selection expression "\$request\.querystring\.a": expression "\$request\.querystring\.a": "request\.querystring\.a" cannot be selected by; \$request\.body or \$request\.body\.path expected, a dollar as such is written "\\\$" in api:1$

=== TEST 42: route_selection_expression: an open brace
--- api
route_selection_expression "${request.body.a";
--- nginx_t
invalid route selection expression "\$\{request\.body\.a": expression "\$\{request\.body\.a", column 1: "\}" expected in api:1$

=== TEST 43: route_selection_expression: empty braces
--- api
route_selection_expression "${}";
--- nginx_t
invalid route selection expression "\$\{\}": expression "\$\{\}", column 1: a reference expected between the braces in api:1$

=== TEST 44: route_selection_expression: an open bracket
--- api
route_selection_expression $request.body[0;
--- nginx_t
invalid route selection expression "\$request\.body\[0": expression "\$request\.body\[0", column 1: \[number\] or \['key'\] expected in api:1$

=== TEST 45: route_selection_expression: an empty bracket
--- api
route_selection_expression $request.body[];
--- nginx_t
invalid route selection expression "\$request\.body\[\]": expression "\$request\.body\[\]", column 1: \[number\] or \['key'\] expected in api:1$

=== TEST 46: route_selection_expression: a bracket with a word
--- api
route_selection_expression $request.body[x];
--- nginx_t
invalid route selection expression "\$request\.body\[x\]": expression "\$request\.body\[x\]", column 1: \[number\] or \['key'\] expected in api:1$

=== TEST 47: route_selection_expression: an open quote
--- api
route_selection_expression $request.body['x];
--- nginx_t
invalid route selection expression "\$request\.body\['x\]": expression "\$request\.body\['x\]", column 1: a quote and "\]" expected in api:1$

=== TEST 48: route_selection_expression: a negative index
--- api
route_selection_expression $request.body[-1];
--- nginx_t
invalid route selection expression "\$request\.body\[-1\]": expression "\$request\.body\[-1\]", column 1: \[number\] or \['key'\] expected in api:1$

=== TEST 49: route_selection_expression: a wildcard
--- api
route_selection_expression $request.body[*];
--- nginx_t
invalid route selection expression "\$request\.body\[\*\]": expression "\$request\.body\[\*\]", column 1: \[number\] or \['key'\] expected in api:1$

=== TEST 50: route_selection_expression: a deep scan
--- api
route_selection_expression "${request.body..a}";
--- nginx_t
invalid route selection expression "\$\{request\.body\.\.a\}": path "\.\.a": a member's name expected after "\." in api:1$

=== TEST 51: route_selection_expression: a filter
--- api
route_selection_expression "${request.body[?(@.a)]}";
--- nginx_t
invalid route selection expression "\$\{request\.body\[\?\(@\.a\)\]\}": path "\[\?\(@\.a\)\]": \[number\] or \['key'\] expected in api:1$

=== TEST 52: route_selection_expression: an index that is too large
--- api
route_selection_expression $request.body[1000000];
--- nginx_t
invalid route selection expression "\$request\.body\[1000000\]": expression "\$request\.body\[1000000\]", column 1: the index is too large in api:1$

=== TEST 53: route_selection_expression: a dot at the end in braces
--- api
route_selection_expression "${request.body.}";
--- nginx_t
invalid route selection expression "\$\{request\.body\.\}": path "\.": a member's name expected after "\." in api:1$

=== TEST 54: route_selection_expression: a bracket that is closed only
--- api
route_selection_expression "${request.body.a]}";
--- nginx_t
invalid route selection expression "\$\{request\.body\.a\]\}": path "\.a\]": "\]" without "\[" in api:1$

=== TEST 55: route_selection_expression: something after a bracket
--- api
route_selection_expression "${request.body[0]a}";
--- nginx_t
invalid route selection expression "\$\{request\.body\[0\]a\}": path "\[0\]a": "\." or "\[" expected after "\]" in api:1$

=== TEST 56: route_selection_expression: nothing
--- api
route_selection_expression ;
--- nginx_t
invalid number of arguments in "route_selection_expression" directive in api:1$

=== TEST 57: route_selection_expression given twice
--- api
route_selection_expression $request.body.a;
route_selection_expression $request.body.b;
--- nginx_t
"route_selection_expression" directive is duplicate in api:2$

=== TEST 58: route_selection_expression: two
--- api
route_selection_expression $request.body.a $request.body.b;
--- nginx_t
invalid number of arguments in "route_selection_expression" directive in api:1$

=== TEST 59: idle_timeout: no time
--- api
idle_timeout soon;
--- nginx_t
"idle_timeout" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 60: idle_timeout given twice
--- api
idle_timeout 1s;
idle_timeout 2s;
--- nginx_t
"idle_timeout" directive is duplicate in api:2$

=== TEST 61: idle_timeout: nothing
--- api
idle_timeout;
--- nginx_t
invalid number of arguments in "idle_timeout" directive in api:1$

=== TEST 62: max_duration: no time
--- api
max_duration soon;
--- nginx_t
"max_duration" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 63: max_duration given twice
--- api
max_duration 1s;
max_duration 2s;
--- nginx_t
"max_duration" directive is duplicate in api:2$

=== TEST 64: max_duration: nothing
--- api
max_duration;
--- nginx_t
invalid number of arguments in "max_duration" directive in api:1$

=== TEST 65: ping_interval: no time
--- api
ping_interval soon;
--- nginx_t
"ping_interval" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 66: ping_interval given twice
--- api
ping_interval 1s;
ping_interval 2s;
--- nginx_t
"ping_interval" directive is duplicate in api:2$

=== TEST 67: ping_interval: nothing
--- api
ping_interval;
--- nginx_t
invalid number of arguments in "ping_interval" directive in api:1$

=== TEST 68: pong_timeout: no time
--- api
pong_timeout soon;
--- nginx_t
"pong_timeout" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 69: pong_timeout given twice
--- api
pong_timeout 1s;
pong_timeout 2s;
--- nginx_t
"pong_timeout" directive is duplicate in api:2$

=== TEST 70: pong_timeout: nothing
--- api
pong_timeout;
--- nginx_t
invalid number of arguments in "pong_timeout" directive in api:1$

=== TEST 71: send_timeout: no time
--- api
send_timeout soon;
--- nginx_t
"send_timeout" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 72: send_timeout given twice
--- api
send_timeout 1s;
send_timeout 2s;
--- nginx_t
"send_timeout" directive is duplicate in api:2$

=== TEST 73: send_timeout: nothing
--- api
send_timeout;
--- nginx_t
invalid number of arguments in "send_timeout" directive in api:1$

=== TEST 74: read_timeout: no time
--- api
read_timeout soon;
--- nginx_t
"read_timeout" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 75: read_timeout given twice
--- api
read_timeout 1s;
read_timeout 2s;
--- nginx_t
"read_timeout" directive is duplicate in api:2$

=== TEST 76: read_timeout: nothing
--- api
read_timeout;
--- nginx_t
invalid number of arguments in "read_timeout" directive in api:1$

=== TEST 77: close_timeout: no time
--- api
close_timeout soon;
--- nginx_t
"close_timeout" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 78: close_timeout given twice
--- api
close_timeout 1s;
close_timeout 2s;
--- nginx_t
"close_timeout" directive is duplicate in api:2$

=== TEST 79: close_timeout: nothing
--- api
close_timeout;
--- nginx_t
invalid number of arguments in "close_timeout" directive in api:1$

=== TEST 80: idle_timeout: negative
--- api
idle_timeout -1;
--- nginx_t
"idle_timeout" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 81: idle_timeout: too large
--- api
idle_timeout 99999999999999d;
--- nginx_t
"idle_timeout" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 82: max_frame: no size
--- api
max_frame big;
--- nginx_t
"max_frame" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 83: max_frame given twice
--- api
max_frame 1k;
max_frame 2k;
--- nginx_t
"max_frame" directive is duplicate in api:2$

=== TEST 84: max_frame: nothing
--- api
max_frame;
--- nginx_t
invalid number of arguments in "max_frame" directive in api:1$

=== TEST 85: max_message: no size
--- api
max_message big;
--- nginx_t
"max_message" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 86: max_message given twice
--- api
max_message 1k;
max_message 2k;
--- nginx_t
"max_message" directive is duplicate in api:2$

=== TEST 87: max_message: nothing
--- api
max_message;
--- nginx_t
invalid number of arguments in "max_message" directive in api:1$

=== TEST 88: max_body: no size
--- api
max_body big;
--- nginx_t
"max_body" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 89: max_body given twice
--- api
max_body 1k;
max_body 2k;
--- nginx_t
"max_body" directive is duplicate in api:2$

=== TEST 90: max_body: nothing
--- api
max_body;
--- nginx_t
invalid number of arguments in "max_body" directive in api:1$

=== TEST 91: send_queue: no size
--- api
send_queue big;
--- nginx_t
"send_queue" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 92: send_queue given twice
--- api
send_queue 1k;
send_queue 2k;
--- nginx_t
"send_queue" directive is duplicate in api:2$

=== TEST 93: send_queue: nothing
--- api
send_queue;
--- nginx_t
invalid number of arguments in "send_queue" directive in api:1$

=== TEST 94: max_message: too large
--- api
max_message 99999999999999999999g;
--- nginx_t
"max_message" directive invalid value "[^"]*": .* was expected in api:1$

=== TEST 95: max_message: 0
--- api
max_message 0;
--- nginx_t
in api:1$

=== TEST 96: max_body: 0
--- api
max_body 0;
--- nginx_t
in api:1$

=== TEST 97: send_queue: 0
--- api
send_queue 0;
--- nginx_t
in api:1$

=== TEST 98: max_frame larger than max_message
--- api
max_message 1k;
max_frame 2k;
--- nginx_t
"max_frame" of api "chat" must not be larger than "max_message" in http_config:2$

=== TEST 99: binary: unknown
--- api
binary on;
--- nginx_t
"?binary.*off.*text.* in api:1$

=== TEST 100: binary given twice
--- api
binary off;
binary text;
--- nginx_t
"binary" directive is duplicate in api:2$

=== TEST 101: ping_is_activity: no flag
--- api
ping_is_activity yes;
--- nginx_t
"ping_is_activity" directive invalid value "yes": "on" or "off" was expected in api:1$

=== TEST 102: ping_is_activity given twice
--- api
ping_is_activity on;
ping_is_activity on;
--- nginx_t
"ping_is_activity" directive is duplicate in api:2$

=== TEST 103: max_rooms: no number
--- api
max_rooms many;
--- nginx_t
"max_rooms" directive invalid value "many": a number from 1 to 10000 was expected in api:1$

=== TEST 104: max_rooms: 0
--- api
max_rooms 0;
--- nginx_t
max_rooms.*10000.* in api:1$

=== TEST 105: max_rooms: too many
--- api
max_rooms 10001;
--- nginx_t
max_rooms.*10000.* in api:1$

=== TEST 106: max_rooms given twice
--- api
max_rooms 1;
max_rooms 2;
--- nginx_t
"max_rooms" directive is duplicate in api:2$

=== TEST 107: history: no number
--- api
history all;
--- nginx_t
"history" directive needs a number of messages, 0 to 10000 in api:1$

=== TEST 108: history: negative
--- api
history -1;
--- nginx_t
"history" directive needs a number of messages, 0 to 10000 in api:1$

=== TEST 109: history: too many
--- api
history 10001;
--- nginx_t
"history" directive needs a number of messages, 0 to 10000 in api:1$

=== TEST 110: history: no age
--- api
history 10 old;
--- nginx_t
"history" directive needs an age, as 1h, behind the number of messages in api:1$

=== TEST 111: history: three arguments
--- api
history 10 1h x;
--- nginx_t
invalid number of arguments in "history" directive in api:1$

=== TEST 112: history given twice
--- api
history 10;
history 10;
--- nginx_t
"history" directive is duplicate in api:2$

=== TEST 113: history: nothing
--- api
history;
--- nginx_t
invalid number of arguments in "history" directive in api:1$

=== TEST 114: subprotocols: nothing
--- api
subprotocols;
--- nginx_t
invalid number of arguments in "subprotocols" directive in api:1$

=== TEST 115: subprotocols: no token
--- api
subprotocols "a b";
--- nginx_t
in api:1$

=== TEST 116: subprotocols: a comma
--- api
subprotocols a,b;
--- nginx_t
in api:1$

=== TEST 117: subprotocols: empty
--- api
subprotocols "";
--- nginx_t
in api:1$

=== TEST 118: zone of the api: nothing
--- api
zone;
--- nginx_t
invalid number of arguments in "zone" directive in api:1$

=== TEST 119: zone of the api: unknown
--- api
zone other;
--- nginx_t
no zone for "wschat_api chat" in http_config:1: "wschat_zone other 64m;" was expected$

=== TEST 120: zone of the api given twice
--- api
zone chat;
zone chat;
--- nginx_t
"zone" directive is duplicate in api:2$

=== TEST 121: reply: nothing
--- api
route x {
    reply;
}
--- nginx_t
invalid number of arguments in "reply" directive in api:2$

=== TEST 122: reply: two bodies
--- api
route x {
    reply a b;
}
--- nginx_t
invalid number of arguments in "reply" directive in api:2$

=== TEST 123: reply in $disconnect
--- api
route $disconnect {
    reply a;
}
--- nginx_t
step "reply" is not allowed in \$disconnect in api:2$

=== TEST 124: respond in a route of messages
--- api
route x {
    respond 403;
}
--- nginx_t
step "respond" is not allowed in a route of messages in api:2$

=== TEST 125: respond in $disconnect
--- api
route $disconnect {
    respond 403;
}
--- nginx_t
step "respond" is not allowed in \$disconnect in api:2$

=== TEST 126: respond in a hook
--- api
on member_join {
    respond 403;
}
--- nginx_t
step "respond" is not allowed in a hook in api:2$

=== TEST 127: respond: nothing
--- api
route $connect {
    respond;
}
--- nginx_t
invalid number of arguments in "respond" directive in api:2$

=== TEST 128: respond: no status
--- api
route $connect {
    respond no;
}
--- nginx_t
"respond" directive needs an HTTP status, 200 to 599; 2xx accepts the connection in api:2$

=== TEST 129: respond: 101
--- api
route $connect {
    respond 101;
}
--- nginx_t
"respond" directive needs an HTTP status, 200 to 599; 2xx accepts the connection in api:2$

=== TEST 130: respond: 600
--- api
route $connect {
    respond 600;
}
--- nginx_t
"respond" directive needs an HTTP status, 200 to 599; 2xx accepts the connection in api:2$

=== TEST 131: respond: 199
--- api
route $connect {
    respond 199;
}
--- nginx_t
"respond" directive needs an HTTP status, 200 to 599; 2xx accepts the connection in api:2$

=== TEST 132: respond: three arguments
--- api
route $connect {
    respond 403 a b;
}
--- nginx_t
invalid number of arguments in "respond" directive in api:2$

=== TEST 133: respond: body that is almost JSON
--- api
route $connect {
    respond 403 '{"a":}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 134: close in $connect
--- api
route $connect {
    close;
}
--- nginx_t
step "close" is not allowed in \$connect in api:2$

=== TEST 135: close in $disconnect
--- api
route $disconnect {
    close;
}
--- nginx_t
step "close" is not allowed in \$disconnect in api:2$

=== TEST 136: close: no code
--- api
route x {
    close now;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 137: close: 0
--- api
route x {
    close 0;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 138: close: 999
--- api
route x {
    close 999;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 139: close: 1004
--- api
route x {
    close 1004;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 140: close: 1005
--- api
route x {
    close 1005;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 141: close: 1006
--- api
route x {
    close 1006;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 142: close: 1015
--- api
route x {
    close 1015;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 143: close: 1016
--- api
route x {
    close 1016;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 144: close: 2999
--- api
route x {
    close 2999;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 145: close: 5000
--- api
route x {
    close 5000;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 146: close: 65536
--- api
route x {
    close 65536;
}
--- nginx_t
"close" directive needs a close code, 1000-1003, 1007-1014 or 3000-4999 in api:2$

=== TEST 147: close: three arguments
--- api
route x {
    close 1000 a b;
}
--- nginx_t
invalid number of arguments in "close" directive in api:2$

=== TEST 148: close: a constant reason that is too long
--- api eval
'route x {
    close 1000 ' . 'x' x 124 . ';
}'
--- nginx_t
123.* in api:2$

=== TEST 149: stop: something
--- api
route x {
    stop now;
}
--- nginx_t
invalid number of arguments in "stop" directive in api:2$

=== TEST 150: delay: nothing
--- api
route x {
    delay;
}
--- nginx_t
invalid number of arguments in "delay" directive in api:2$

=== TEST 151: delay: no time
--- api
route x {
    delay soon;
}
--- nginx_t
"delay" directive needs a time of at most 60s in api:2$

=== TEST 152: delay: too long
--- api
route x {
    delay 61s;
}
--- nginx_t
"delay" directive needs a time of at most 60s in api:2$

=== TEST 153: delay: two
--- api
route x {
    delay 1s 2s;
}
--- nginx_t
invalid number of arguments in "delay" directive in api:2$

=== TEST 154: join: nothing
--- api
route x {
    join;
}
--- nginx_t
invalid number of arguments in "join" directive in api:2$

=== TEST 155: join: unknown option
--- api
route x {
    join x once;
}
--- nginx_t
invalid option "once" of "join": "only", "create=no", "history=N", "since=OFFSET" or "epoch=EPOCH" was expected in api:2$

=== TEST 156: join: create=yes
--- api
route x {
    join x create=yes;
}
--- nginx_t
invalid option "create=yes" of "join": "only", "create=no", "history=N", "since=OFFSET" or "epoch=EPOCH" was expected in api:2$

=== TEST 157: join: create=
--- api
route x {
    join x create=;
}
--- nginx_t
invalid option "create=" of "join": "only", "create=no", "history=N", "since=OFFSET" or "epoch=EPOCH" was expected in api:2$

=== TEST 158: join: history without a number
--- api
route x {
    join x history;
}
--- nginx_t
invalid option "history" of "join": "only", "create=no", "history=N", "since=OFFSET" or "epoch=EPOCH" was expected in api:2$

=== TEST 159: join: history=
--- api
route x {
    join x history=;
}
--- nginx_t
invalid option "history=" of "join": "only", "create=no", "history=N", "since=OFFSET" or "epoch=EPOCH" was expected in api:2$

=== TEST 160: join: history=all
--- api
route x {
    join x history=all;
}
--- nginx_t
invalid option "history=all" of "join": "only", "create=no", "history=N", "since=OFFSET" or "epoch=EPOCH" was expected in api:2$

=== TEST 161: join: history=-1
--- api
route x {
    join x history=-1;
}
--- nginx_t
invalid option "history=-1" of "join": "only", "create=no", "history=N", "since=OFFSET" or "epoch=EPOCH" was expected in api:2$

=== TEST 162: join: history=REFERENCE
--- api
route x {
    join x history=$request.body.n;
}
--- nginx_t
invalid option "history=\$request\.body\.n" of "join": "only", "create=no", "history=N", "since=OFFSET" or "epoch=EPOCH" was expected in api:2$

=== TEST 163: join: since=
--- api
route x {
    join x since=;
}
--- nginx_t
since.* in api:2$

=== TEST 164: join: epoch=
--- api
route x {
    join x epoch=;
}
--- nginx_t
epoch.* in api:2$

=== TEST 165: join: since= twice
--- api
route x {
    join x since=1 since=2;
}
--- nginx_t
since.* in api:2$

=== TEST 166: join: constant since that is no number
--- api
route x {
    join x since=yesterday;
}
--- nginx_t
since.* in api:2$

=== TEST 167: join: an empty name
--- api
route x {
    join '';
}
--- nginx_t
empty.* in api:2$|1 to 256.* in api:2$

=== TEST 168: join: a constant name that is too long
--- api eval
'route x {
    join ' . 'x' x 257 . ';
}'
--- nginx_t
256.* in api:2$|too long.* in api:2$

=== TEST 169: join in $disconnect
--- api
route $disconnect {
    join x;
}
--- nginx_t
step "join" is not allowed in \$disconnect in api:2$

=== TEST 170: leave in $connect
--- api
route $connect {
    leave;
}
--- nginx_t
step "leave" is not allowed in \$connect in api:2$

=== TEST 171: leave in $disconnect
--- api
route $disconnect {
    leave;
}
--- nginx_t
step "leave" is not allowed in \$disconnect in api:2$

=== TEST 172: leave: two rooms
--- api
route x {
    leave a b;
}
--- nginx_t
invalid number of arguments in "leave" directive in api:2$

=== TEST 173: send: nothing
--- api
route x {
    send;
}
--- nginx_t
invalid number of arguments in "send" directive in api:2$

=== TEST 174: send: only a target
--- api
route x {
    send all;
}
--- nginx_t
invalid number of arguments in "send" directive in api:2$

=== TEST 175: send: unknown target
--- api
route x {
    send everybody x;
}
--- nginx_t
invalid target "everybody" of "send": "self", "all", "room=NAME", "user=NAME" or "connection=ID" was expected in api:2$

=== TEST 176: send: room without a name
--- api
route x {
    send room= x;
}
--- nginx_t
"send" directive needs a name behind "=" in api:2$

=== TEST 177: send: user without a name
--- api
route x {
    send user= x;
}
--- nginx_t
"send" directive needs a name behind "=" in api:2$

=== TEST 178: send: connection without an id
--- api
route x {
    send connection= x;
}
--- nginx_t
"send" directive needs a name behind "=" in api:2$

=== TEST 179: send: rooms=
--- api
route x {
    send rooms=x y;
}
--- nginx_t
invalid target "rooms=x" of "send": "self", "all", "room=NAME", "user=NAME" or "connection=ID" was expected in api:2$

=== TEST 180: send: unknown option
--- api
route x {
    send all except=others x;
}
--- nginx_t
invalid option "except=others" of "send": "except=self", "store", "store=BODY" or "ephemeral" was expected in api:2$

=== TEST 181: send: except
--- api
route x {
    send all except x;
}
--- nginx_t
invalid option "except" of "send": "except=self", "store", "store=BODY" or "ephemeral" was expected in api:2$

=== TEST 182: send: option behind the body
--- api
route x {
    send all x except=self;
}
--- nginx_t
invalid option "x" of "send": "except=self", "store", "store=BODY" or "ephemeral" was expected in api:2$

=== TEST 183: send: two targets
--- api
route x {
    send room=a user=b x;
}
--- nginx_t
invalid option "user=b" of "send": "except=self", "store", "store=BODY" or "ephemeral" was expected in api:2$

=== TEST 184: send: two bodies
--- api
route x {
    send all a b;
}
--- nginx_t
invalid option "a" of "send": "except=self", "store", "store=BODY" or "ephemeral" was expected in api:2$

=== TEST 185: send: store to all
--- api
route x {
    send all store x;
}
--- nginx_t
"send" directive can store only what goes to a room in api:2$

=== TEST 186: send: store to a user
--- api
route x {
    send user=u store x;
}
--- nginx_t
"send" directive can store only what goes to a room in api:2$

=== TEST 187: send: store to a connection
--- api
route x {
    send connection=c store x;
}
--- nginx_t
"send" directive can store only what goes to a room in api:2$

=== TEST 188: send: store to self
--- api
route x {
    send self store x;
}
--- nginx_t
"send" directive can store only what goes to a room in api:2$

=== TEST 189: send: store=BODY to all
--- api
route x {
    send all store=y x;
}
--- nginx_t
"send" directive can store only what goes to a room in api:2$

=== TEST 190: send: store= with nothing
--- api
route x {
    send room=r store= x;
}
--- nginx_t
store.* in api:2$

=== TEST 191: send: store twice
--- api
route x {
    send room=r store store=y x;
}
--- nginx_t
store.* in api:2$

=== TEST 192: send: except=self to self
--- api
route x {
    send self except=self x;
}
--- nginx_t
except=self.* in api:2$

=== TEST 193: send: constant room name that is too long
--- api eval
'route x {
    send room=' . 'x' x 257 . ' x;
}'
--- nginx_t
256.* in api:2$|too long.* in api:2$

=== TEST 194: send: quotes behind the =
--- api
route x {
    send room="x y" z;
}
--- nginx_t
invalid option "y"" of "send": "except=self", "store", "store=BODY" or "ephemeral" was expected in api:2$

=== TEST 195: send: single quotes behind the =
--- api
route x {
    send user='x' z;
}
--- nginx_t
invalid argument "user='x'": quotes must stand around the whole argument, as in "name=value" in api:2$

=== TEST 196: join: quotes behind the =
--- api
route x {
    join x since="1";
}
--- nginx_t
invalid argument "since="1"": quotes must stand around the whole argument, as in "name=value" in api:2$

=== TEST 197: set: nothing
--- api
route x {
    set;
}
--- nginx_t
invalid number of arguments in "set" directive in api:2$

=== TEST 198: set: no value
--- api
route x {
    set $x;
}
--- nginx_t
invalid number of arguments in "set" directive in api:2$

=== TEST 199: set: two values
--- api
route x {
    set $x a b;
}
--- nginx_t
invalid number of arguments in "set" directive in api:2$

=== TEST 200: set: no dollar
--- api
route x {
    set x 1;
}
--- nginx_t
can not set "x": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 201: set: only a dollar
--- api
route x {
    set $ 1;
}
--- nginx_t
can not set "\$": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 202: set: $connection.room
--- api
route x {
    set $connection.room x;
}
--- nginx_t
"set" directive can not set "\$connection\.room", that is what "join" does in api:2$

=== TEST 203: set: $connection
--- api
route x {
    set $connection x;
}
--- nginx_t
can not set "\$connection": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 204: set: $connection.
--- api
route x {
    set $connection. x;
}
--- nginx_t
can not set "\$connection\.": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 205: set: $connection.a.b
--- api
route x {
    set $connection.a.b x;
}
--- nginx_t
can not set "\$connection\.a\.b": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 206: set: $connection.a-b
--- api
route x {
    set $connection.a-b x;
}
--- nginx_t
can not set "\$connection\.a-b": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 207: set: a name of 65 bytes
--- api eval
'route x {
    set $connection.' . 'a' x 65 . ' x;
}'
--- nginx_t
"set" directive sets an attribute whose name is longer than 64 bytes in api:2$

=== TEST 208: set: $request
--- api
route x {
    set $request x;
}
--- nginx_t
can not set "\$request": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 209: set: $context
--- api
route x {
    set $context x;
}
--- nginx_t
can not set "\$context": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 210: set: $rooms
--- api
route x {
    set $rooms x;
}
--- nginx_t
can not set "\$rooms": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 211: set: $members
--- api
route x {
    set $members x;
}
--- nginx_t
can not set "\$members": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 212: set: $random
--- api
route x {
    set $random x;
}
--- nginx_t
can not set "\$random": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 213: set: $time
--- api
route x {
    set $time x;
}
--- nginx_t
can not set "\$time": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 214: set: $integration
--- api
route x {
    set $integration x;
}
--- nginx_t
can not set "\$integration": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 215: set: $stageVariables
--- api
route x {
    set $stageVariables x;
}
--- nginx_t
can not set "\$stageVariables": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 216: set: $request.body.a
--- api
route x {
    set $request.body.a x;
}
--- nginx_t
can not set "\$request\.body\.a": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 217: set: $context.connectionId
--- api
route x {
    set $context.connectionId x;
}
--- nginx_t
can not set "\$context\.connectionId": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 218: set: $room.count
--- api
route x {
    set $room.count 1;
}
--- nginx_t
can not set "\$room\.count": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 219: set: a name in braces
--- api
route x {
    set "${x}" 1;
}
--- nginx_t
can not set "\$\{x\}": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 220: set: a name with a dash
--- api
route x {
    set $a-b 1;
}
--- nginx_t
can not set "\$a-b": "\$name", "\$room" or "\$connection\.name" was expected in api:2$

=== TEST 221: set: a name that begins with a digit
--- api
route x {
    set $1 x;
}
--- nginx_t
can not set "\$1": .* was expected in api:2$

=== TEST 222: set: an empty room
--- api
route x {
    set $room '';
}
--- nginx_t
empty.* in api:2$|1 to 256.* in api:2$

=== TEST 223: if: nothing
--- api
route x {
    if { stop; }
}
--- nginx_t
invalid number of arguments in "if" directive in api:2$

=== TEST 224: if: no parentheses
--- api
route x {
    if $request.body.a { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 225: if: not closed
--- api
route x {
    if ($request.body.a { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 226: if: empty
--- api
route x {
    if () { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 227: if: empty apart
--- api
route x {
    if ( ) { stop; }
}
--- nginx_t
invalid condition.* was expected in api:2$

=== TEST 228: if: only !
--- api
route x {
    if (!) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 229: if: ! apart
--- api
route x {
    if (! $request.body.a) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 230: if: two words
--- api
route x {
    if ($request.body.a x) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 231: if: unknown operator
--- api
route x {
    if ($request.body.a == x) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 232: if: <
--- api
route x {
    if ($request.body.a < 1) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 233: if: and
--- api
route x {
    if ($request.body.a = 1 and $request.body.b = 2) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 234: if: &&
--- api
route x {
    if ($request.body.a && $request.body.b) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 235: if: operator without an operand
--- api
route x {
    if ($request.body.a =) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 236: if: operator without blanks
--- api
route x {
    if ($request.body.a=x) { stop; }
}
--- nginx_t
invalid condition.* was expected in api:2$

=== TEST 237: if: ! with an operator
--- api
route x {
    if (!$request.body.a = x) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 238: if: broken regex
--- api
route x {
    if ($request.body.a ~ "a(b") { stop; }
}
--- nginx_t
a\(b.* in api:2$

=== TEST 239: if: unknown test
--- api
route x {
    if (room_empty x) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 240: if: member without a room
--- api
route x {
    if (member) { stop; }
}
--- nginx_t
invalid condition.* was expected in api:2$

=== TEST 241: if: member with two
--- api
route x {
    if (member a b) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 242: if: -f
--- api
route x {
    if (-f x) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:2$

=== TEST 243: if: without a block
--- api
route x {
    if ($request.body.a) stop;
}
--- nginx_t
directive "if" has no opening "\{" in api:2$

=== TEST 244: if: semicolon
--- api
route x {
    if ($request.body.a);
}
--- nginx_t
directive "if" has no opening "\{" in api:2$

=== TEST 245: else without if
--- api
route x {
    else { stop; }
}
--- nginx_t
"else" directive must follow the block of an "if" in api:2$

=== TEST 246: else behind another step
--- api
route x {
    if ($request.body.a) { stop; }
    reply x;
    else { stop; }
}
--- nginx_t
"else" directive must follow the block of an "if" in api:4$

=== TEST 247: else twice
--- api
route x {
    if ($request.body.a) { stop; } else { stop; }
    else { stop; }
}
--- nginx_t
"else" directive must follow the block of an "if" in api:3$

=== TEST 248: else if behind else
--- api
route x {
    if ($request.body.a) { stop; } else { stop; }
    else if ($request.body.b) { stop; }
}
--- nginx_t
"else" directive must follow the block of an "if" in api:3$

=== TEST 249: else with a condition
--- api
route x {
    if ($request.body.a) { stop; }
    else ($request.body.b) { stop; }
}
--- nginx_t
"else" directive must be followed by a block or by "if \(\.\.\.\)" in api:3$

=== TEST 250: else if without a condition
--- api
route x {
    if ($request.body.a) { stop; }
    else if { stop; }
}
--- nginx_t
"else" directive must be followed by a block or by "if \(\.\.\.\)" in api:3$

=== TEST 251: elseif
--- api
route x {
    if ($request.body.a) { stop; }
    elseif ($request.body.b) { stop; }
}
--- nginx_t
unknown directive "elseif" in api:3$

=== TEST 252: else without a block
--- api
route x {
    if ($request.body.a) { stop; }
    else;
}
--- nginx_t
directive "else" has no opening "\{" in api:3$

=== TEST 253: broken condition of an else if
--- api
route x {
    if ($request.body.a) { stop; }
    else if ($request.body.b = ) { stop; }
}
--- nginx_t
invalid condition\b.*\(\$x\), .* was expected in api:3$

=== TEST 254: 33 blocks within each other
--- api eval
'route x {
' . 'if ($request.body.a) {
' x 33 . '' . '}
' x 33 . '}'
--- nginx_t
"if" directive has too many blocks around it, at most 32 are possible in api:34$

=== TEST 255: reference: unknown with a dot
--- api
route x {
    reply '<$foo.bar>';
}
--- nginx_t
line 1, column 2: reference \$foo\.bar: there is no reference "\$foo\.bar"; there are .* in api:2$

=== TEST 256: reference: unknown with a bracket
--- api
route x {
    reply '<$foo[0]>';
}
--- nginx_t
line 1, column 2: reference \$foo\[0\]: there is no reference "\$foo\[0\]"; there are .* in api:2$

=== TEST 257: reference: $request alone
--- api
route x {
    reply '<$request>';
}
--- nginx_t
line 1, column 2: reference \$request: "\$request" can not stand alone, "\$request\.NAME" was expected in api:2$

=== TEST 258: reference: $context alone
--- api
route x {
    reply '<$context>';
}
--- nginx_t
line 1, column 2: reference \$context: "\$context" can not stand alone, "\$context\.NAME" was expected in api:2$

=== TEST 259: reference: $connection alone
--- api
route x {
    reply '<$connection>';
}
--- nginx_t
line 1, column 2: reference \$connection: "\$connection" can not stand alone, "\$connection\.NAME" was expected in api:2$

=== TEST 260: reference: $random alone
--- api
route x {
    reply '<$random>';
}
--- nginx_t
line 1, column 2: reference \$random: "\$random" can not stand alone, "\$random\.NAME" was expected in api:2$

=== TEST 261: reference: $time alone
--- api
route x {
    reply '<$time>';
}
--- nginx_t
line 1, column 2: reference \$time: "\$time" can not stand alone, "\$time\.NAME" was expected in api:2$

=== TEST 262: reference: $integration alone
--- api
route x {
    reply '<$integration>';
}
--- nginx_t
line 1, column 2: reference \$integration: "\$integration" can not stand alone, "\$integration\.NAME" was expected in api:2$

=== TEST 263: reference: $stageVariables alone
--- api
route x {
    reply '<$stageVariables>';
}
--- nginx_t
line 1, column 2: reference \$stageVariables: "\$stageVariables" can not stand alone, "\$stageVariables\.NAME" was expected in api:2$

=== TEST 264: reference: $request.foo
--- api
route x {
    reply '<$request.foo>';
}
--- nginx_t
line 1, column 2: reference \$request\.foo: there is no reference "\$request\.foo"; there are .* in api:2$

=== TEST 265: reference: $request.headers
--- api
route x {
    reply '<$request.headers.x>';
}
--- nginx_t
line 1, column 2: reference \$request\.headers\.x: there is no reference "\$request\.headers\.x"; there are .* in api:2$

=== TEST 266: reference: $context.foo
--- api
route x {
    reply '<$context.foo>';
}
--- nginx_t
line 1, column 2: reference \$context\.foo: there is no reference "\$context\.foo"; there are .* in api:2$

=== TEST 267: reference: $context.connectionid
--- api
route x {
    reply '<$context.connectionid>';
}
--- nginx_t
line 1, column 2: reference \$context\.connectionid: there is no reference "\$context\.connectionid"; there are .* in api:2$

=== TEST 268: reference: $context.identity
--- api
route x {
    reply '<$context.identity>';
}
--- nginx_t
line 1, column 2: reference \$context\.identity: there is no reference "\$context\.identity"; there are .* in api:2$

=== TEST 269: reference: $context.identity.foo
--- api
route x {
    reply '<$context.identity.foo>';
}
--- nginx_t
line 1, column 2: reference \$context\.identity\.foo: there is no reference "\$context\.identity\.foo"; there are .* in api:2$

=== TEST 270: reference: $context.connectionId.x
--- api
route x {
    reply '<$context.connectionId.x>';
}
--- nginx_t
line 1, column 2: reference \$context\.connectionId\.x: nothing can follow "\$context\.connectionId", but "\.x" does in api:2$

=== TEST 271: reference: $context.connectionId[0]
--- api
route x {
    reply '<$context.connectionId[0]>';
}
--- nginx_t
line 1, column 2: reference \$context\.connectionId\[0\]: nothing can follow "\$context\.connectionId", but "\[0\]" does in api:2$

=== TEST 272: reference: $room.foo
--- api
route x {
    reply '<$room.foo>';
}
--- nginx_t
line 1, column 2: reference \$room\.foo: nothing can follow "\$room", but "\.foo" does in api:2$

=== TEST 273: reference: $room.count.x
--- api
route x {
    reply '<$room.count.x>';
}
--- nginx_t
line 1, column 2: reference \$room\.count\.x: nothing can follow "\$room\.count", but "\.x" does in api:2$

=== TEST 274: reference: $rooms.x
--- api
route x {
    reply '<$rooms.x>';
}
--- nginx_t
line 1, column 2: reference \$rooms\.x: nothing can follow "\$rooms", but "\.x" does in api:2$

=== TEST 275: reference: $members.a.b
--- api
route x {
    reply '<$members.a.b>';
}
--- nginx_t
line 1, column 2: reference \$members\.a\.b: "\$members\.NAME" was expected, not "\$members\.a\.b" in api:2$

=== TEST 276: reference: $members[0]
--- api
route x {
    reply '<$members[0]>';
}
--- nginx_t
line 1, column 2: reference \$members\[0\]: "\$members\.NAME" was expected, not "\$members\[0\]" in api:2$

=== TEST 277: reference: $random.hex
--- api
route x {
    reply '<$random.hex>';
}
--- nginx_t
line 1, column 2: reference \$random\.hex: there is no reference "\$random\.hex"; there are .* in api:2$

=== TEST 278: reference: $time.now
--- api
route x {
    reply '<$time.now>';
}
--- nginx_t
line 1, column 2: reference \$time\.now: there is no reference "\$time\.now"; there are .* in api:2$

=== TEST 279: reference: $time.msec.x
--- api
route x {
    reply '<$time.msec.x>';
}
--- nginx_t
line 1, column 2: reference \$time\.msec\.x: nothing can follow "\$time\.msec", but "\.x" does in api:2$

=== TEST 280: reference: $connection.a.b
--- api
route x {
    reply '<$connection.a.b>';
}
--- nginx_t
line 1, column 2: reference \$connection\.a\.b: "\$connection\.NAME" was expected, not "\$connection\.a\.b" in api:2$

=== TEST 281: reference: $connection[0]
--- api
route x {
    reply '<$connection[0]>';
}
--- nginx_t
line 1, column 2: reference \$connection\[0\]: "\$connection\.NAME" was expected, not "\$connection\[0\]" in api:2$

=== TEST 282: reference: $connection.room.x
--- api
route x {
    reply '<$connection.room.x>';
}
--- nginx_t
line 1, column 2: reference \$connection\.room\.x: nothing can follow "\$connection\.room", but "\.x" does in api:2$

=== TEST 283: reference: a name of 65 bytes
--- api eval
'route x {
    reply \'<$connection.' . 'a' x 65 . '>\';
}'
--- nginx_t
line 1, column 2: reference \$connection\.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: "\$connection\.NAME" was expected, not "\$connection\.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" in api:2$

=== TEST 284: reference: $request.header in a route of messages
--- api
route x {
    reply '<$request.header.x>';
}
--- nginx_t
line 1, column 2: reference \$request\.header\.x: "\$request\.header" can have no value here, only in \$connect in api:2$

=== TEST 285: reference: $request.querystring in a route of messages
--- api
route x {
    reply '<$request.querystring.x>';
}
--- nginx_t
line 1, column 2: reference \$request\.querystring\.x: "\$request\.querystring" can have no value here, only in \$connect in api:2$

=== TEST 286: reference: $request.header in $disconnect
--- api
route $disconnect {
    send all $request.header.x;
}
--- nginx_t
line 1, column 1: reference \$request\.header\.x: "\$request\.header" can have no value here, only in \$connect in api:2$

=== TEST 287: reference: $request.header in a hook
--- api
on member_join {
    send all $request.header.x;
}
--- nginx_t
line 1, column 1: reference \$request\.header\.x: "\$request\.header" can have no value here, only in \$connect in api:2$

=== TEST 288: reference: $request.body in $connect
--- api
route $connect {
    reply $request.body;
}
--- nginx_t
line 1, column 1: reference \$request\.body: "\$request\.body" can have no value here, only in routes of messages and in hooks in api:2$

=== TEST 289: reference: $request.body.a in $connect
--- api
route $connect {
    reply $request.body.a;
}
--- nginx_t
line 1, column 1: reference \$request\.body\.a: "\$request\.body" can have no value here, only in routes of messages and in hooks in api:2$

=== TEST 290: reference: $request.body in $disconnect
--- api
route $disconnect {
    send all $request.body.a;
}
--- nginx_t
line 1, column 1: reference \$request\.body\.a: "\$request\.body" can have no value here, only in routes of messages and in hooks in api:2$

=== TEST 291: reference: $context.disconnectStatusCode in a route of messages
--- api
route x {
    reply '<$context.disconnectStatusCode>';
}
--- nginx_t
line 1, column 2: reference \$context\.disconnectStatusCode: "\$context\.disconnectStatusCode" can have no value here, only in \$disconnect in api:2$

=== TEST 292: reference: $context.disconnectReason in $connect
--- api
route $connect {
    reply $context.disconnectReason;
}
--- nginx_t
line 1, column 1: reference \$context\.disconnectReason: "\$context\.disconnectReason" can have no value here, only in \$disconnect in api:2$

=== TEST 293: reference: $context.messageId in $connect
--- api
route $connect {
    reply $context.messageId;
}
--- nginx_t
line 1, column 1: reference \$context\.messageId: "\$context\.messageId" can have no value here, only in routes of messages and in hooks in api:2$

=== TEST 294: reference: $context.messageId in $disconnect
--- api
route $disconnect {
    send all $context.messageId;
}
--- nginx_t
line 1, column 1: reference \$context\.messageId: "\$context\.messageId" can have no value here, only in routes of messages and in hooks in api:2$

=== TEST 295: reference: $room.epoch in $disconnect
--- api
route $disconnect {
    send all $room.epoch;
}
--- nginx_t
line 1, column 1: reference \$room\.epoch: "\$room\.epoch" can have no value here, only in \$connect, in routes of messages and in hooks in api:2$

=== TEST 296: reference: $room.history in $disconnect
--- api
route $disconnect {
    send all $room.history;
}
--- nginx_t
line 1, column 1: reference \$room\.history: "\$room\.history" can have no value here, only in \$connect, in routes of messages and in hooks in api:2$

=== TEST 297: reference: $room.created in $disconnect
--- api
route $disconnect {
    send all $room.created;
}
--- nginx_t
line 1, column 1: reference \$room\.created: "\$room\.created" can have no value here, only in \$connect, in routes of messages and in hooks in api:2$

=== TEST 298: reference: open brace
--- api
route x {
    reply '<${request.body.a>';
}
--- nginx_t
line 1, column 2: reference \$\{request\.body\.a>: "\}" expected in api:2$

=== TEST 299: reference: empty braces
--- api
route x {
    reply '<${}>';
}
--- nginx_t
line 1, column 2: reference \$\{\}>: a reference expected between the braces in api:2$

=== TEST 300: reference: blank in braces
--- api
route x {
    reply '<${ request.body.a }>';
}
--- nginx_t
line 1, column 2: reference \$ request\.body\.a : there is no reference "\$ request\.body\.a "; there are .* in api:2$

=== TEST 301: reference: open bracket
--- api
route x {
    reply '<$request.body[0>';
}
--- nginx_t
line 1, column 2: reference \$request\.body\[0>: \[number\] or \['key'\] expected in api:2$

=== TEST 302: reference: empty bracket
--- api
route x {
    reply '<$request.body[]>';
}
--- nginx_t
line 1, column 2: reference \$request\.body\[\]>: \[number\] or \['key'\] expected in api:2$

=== TEST 303: reference: word in brackets
--- api
route x {
    reply '<$request.body[a]>';
}
--- nginx_t
line 1, column 2: reference \$request\.body\[a\]>: \[number\] or \['key'\] expected in api:2$

=== TEST 304: reference: path that ends in a dot
--- api
route x {
    reply '<${request.body.a.}>';
}
--- nginx_t
line 1, column 2: reference \$request\.body\.a\.: path "\.a\.": a member's name expected after "\." in api:2$

=== TEST 305: reference: two dots
--- api
route x {
    reply '<${request.body.a..b}>';
}
--- nginx_t
line 1, column 2: reference \$request\.body\.a\.\.b: path "\.a\.\.b": a member's name expected after "\." in api:2$

=== TEST 306: reference: $request.header alone
--- api
route $connect {
    reply '<$request.header>';
}
--- nginx_t
line 1, column 2: reference \$request\.header: there is no reference "\$request\.header"; there are .* in api:2$

=== TEST 307: reference: $request.header.a.b
--- api
route $connect {
    reply '<$request.header.a.b>';
}
--- nginx_t
line 1, column 2: reference \$request\.header\.a\.b: "\$request\.header\.NAME" was expected, not "\$request\.header\.a\.b" in api:2$

=== TEST 308: variable used before it is set
--- api
route a { reply $x; }
route b { set $x 1; }
--- nginx_t
variable "\$x" is used in api:1 before it is "set"

=== TEST 309: variable used in a hook before it is set
--- api
on member_join { reply $x; }
route b { set $x 1; join r; }
--- nginx_t
variable "\$x" is used in api:1 before it is "set"

=== TEST 310: variable that there is not
--- api
route x {
    reply $no_such_variable;
}
--- nginx_t
no_such_variable.*api:2\b

=== TEST 311: variable that there is not, in a condition
--- api
route x {
    if ($no_such_variable) { stop; }
}
--- nginx_t
no_such_variable.*api:2\b

=== TEST 312: body: reference without quotes
--- api
route x {
    reply '{"a":$request.body.a}';
}
--- nginx_t
line 1, column 6: the reference \$request\.body\.a must be written in quotes, "\$request\.body\.a"; the value that takes its place keeps its JSON type in api:2$

=== TEST 313: body: reference without quotes, in an array
--- api
route x {
    reply '[$request.body.a]';
}
--- nginx_t
line 1, column 2: the reference \$request\.body\.a must be written in quotes, "\$request\.body\.a"; the value that takes its place keeps its JSON type in api:2$

=== TEST 314: body: reference without quotes, in braces
--- api
route x {
    reply '{"a":${request.body.a}}';
}
--- nginx_t
line 1, column 6: the reference \$\{request\.body\.a\} must be written in quotes, "\$\{request\.body\.a\}"; the value that takes its place keeps its JSON type in api:2$

=== TEST 315: body: missing brace
--- api
route x {
    reply '{"a":1';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 316: body: missing bracket
--- api
route x {
    reply '[1,2';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 317: body: missing quote
--- api
route x {
    reply '{"a:1}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 318: body: trailing comma
--- api
route x {
    reply '{"a":1,}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 319: body: trailing comma in an array
--- api
route x {
    reply '[1,]';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 320: body: single quotes
--- api
route x {
    reply "{'a':1}";
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 321: body: name without quotes
--- api
route x {
    reply '{a:1}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 322: body: missing colon
--- api
route x {
    reply '{"a" 1}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 323: body: missing comma
--- api
route x {
    reply '{"a":1 "b":2}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 324: body: something behind it
--- api
route x {
    reply '{"a":1} x';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 325: body: two documents
--- api
route x {
    reply '{} {}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 326: body: key given twice
--- api
route x {
    reply '{"a":1,"b":2,"a":3}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 327: body: number with a leading zero
--- api
route x {
    reply '{"a":01}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 328: body: number with a plus
--- api
route x {
    reply '{"a":+1}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 329: body: NaN
--- api
route x {
    reply '{"a":NaN}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 330: body: True
--- api
route x {
    reply '{"a":True}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 331: body: a comment
--- api
route x {
    reply '{"a":1 /* x */}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 332: body: a raw newline in a string
--- api
route x {
    reply '{"a":"x\ny"}';
}
--- nginx_t
invalid text "\{"a":"x

=== TEST 333: body: an unknown escape
--- api
route x {
    reply '{"a":"\x41"}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 334: body: a surrogate alone
--- api
route x {
    reply '{"a":"\ud83d"}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 335: body: a zero character
--- api
route x {
    reply '{"a":"\u0000"}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 336: body: an open string
--- api
route x {
    reply '"abc';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 337: body: only a brace
--- api
route x {
    reply '{';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 338: body: 65 levels
--- api eval
'route x {
    reply \'' . '[' x 65 . '' . ']' x 65 . '\';
}'
--- nginx_t
line 1, column 65: the body is nested too deep in api:2$

=== TEST 339: body: in the third line
--- api
route x {
    reply '{
        "a": 1,
        "b": ,
    }';
}
--- nginx_t
invalid text "\{

=== TEST 340: body: no UTF-8 in JSON
--- api eval
qq(route x {
    reply '{"a":"\xff"}';
})
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 341: body: no UTF-8 in a text
--- api eval
qq(route x {
    reply '\xff';
})
--- nginx_t
line 1, column 1: the body is not UTF-8 in api:2$

=== TEST 342: body: open brace of a reference
--- api
route x {
    reply '{"a":"${request.body.a"}';
}
--- nginx_t
line 1, column 7: reference \$\{request\.body\.a: "\}" expected in api:2$

=== TEST 343: body: the offset twice
--- api
route x {
    send room=x '{"a":"$room.offset","b":"$room.offset"}';
}
--- nginx_t
line 1, column 26: reference \$room\.offset: it can be used only once in a body in api:2$

=== TEST 344: body: broken, of send
--- api
route x {
    send all '{"a":}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 345: body: broken, of store=
--- api
route x {
    send room=r 'store={"a":}' x;
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 346: body: broken, of set
--- api
route x {
    set $x '{"a":}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 347: body: broken, of a reason
--- api
route x {
    close 1000 '{"a":}';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 348: body: broken, of an operand
--- api
route x {
    if ( $request.body.a = '{"a":}' ) { stop; }
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 349: body: broken, of a name
--- api
route x {
    join '{x';
}
--- nginx_t
line 1, column \d+: the body is almost JSON: .* must be valid JSON in api:2$

=== TEST 350: no zone
--- http_config
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
no zone for "wschat_api chat" in http_config:1: "wschat_zone chat 64m;" was expected

=== TEST 351: no zone of that name
--- http_config
wschat_zone chat 1m;
wschat_api chat { zone other; }
--- config
location /ws { wschat chat; }
--- nginx_t
no zone for "wschat_api chat" in http_config:2: "wschat_zone other 64m;" was expected

=== TEST 352: two zones, none of the name
--- http_config
wschat_zone a 1m;
wschat_zone b 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
no zone for "wschat_api chat" in http_config:3: "wschat_zone chat 64m;" was expected

=== TEST 353: unknown api
--- http_config
wschat_zone chat 1m;
--- config
location /ws {
    wschat chat;
}
--- nginx_t
there is no api "chat": "wschat_api chat \{ \.\.\. \}" was expected before this in config:2$

=== TEST 354: unknown api of connections
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
location /c/ {
    wschat_connections other;
}
--- nginx_t
there is no api "other": "wschat_api other \{ \.\.\. \}" was expected before this in config:3$

=== TEST 355: api given twice
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
api "chat" is given twice in http_config:3$

=== TEST 356: api without a name
--- http_config
wschat_zone chat 1m;
wschat_api { }
--- config
location /ws { wschat chat; }
--- nginx_t
invalid number of arguments in "wschat_api" directive in http_config:2$

=== TEST 357: api with an empty name
--- http_config
wschat_zone chat 1m;
wschat_api "" { }
--- config
location /ws { wschat chat; }
--- nginx_t
"wschat_api" directive needs a name of 1 to 64 bytes in http_config:2$

=== TEST 358: api with a name of 65 bytes
--- http_config eval
'wschat_zone chat 1m;
wschat_api ' . 'a' x 65 . ' { }'
--- config
location /ws { wschat chat; }
--- nginx_t
"wschat_api" directive needs a name of 1 to 64 bytes in http_config:2$

=== TEST 359: api with two names
--- http_config
wschat_zone chat 1m;
wschat_api a b { }
--- config
location /ws { wschat chat; }
--- nginx_t
invalid number of arguments in "wschat_api" directive in http_config:2$

=== TEST 360: api without a block
--- http_config
wschat_zone chat 1m;
wschat_api a;
--- config
location /ws { wschat chat; }
--- nginx_t
directive "wschat_api" has no opening "\{" in http_config:2$

=== TEST 361: zone without a size
--- http_config
wschat_zone chat;
--- config
location /ws { wschat chat; }
--- nginx_t
invalid number of arguments in "wschat_zone" directive in http_config:1$

=== TEST 362: zone with a size that is none
--- http_config
wschat_zone chat big;
--- config
location /ws { wschat chat; }
--- nginx_t
invalid size "big" of zone "chat", as 64m was expected in http_config:1$

=== TEST 363: zone that is too small
--- http_config
wschat_zone chat 1k;
--- config
location /ws { wschat chat; }
--- nginx_t
wschat zone "chat" is too small: it needs at least 1024k in http_config:1$

=== TEST 364: zone given twice
--- http_config
wschat_zone chat 1m;
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
duplicate wschat zone "chat" in http_config:2$

=== TEST 365: zone with three arguments
--- http_config
wschat_zone chat 1m x;
--- config
location /ws { wschat chat; }
--- nginx_t
invalid number of arguments in "wschat_zone" directive in http_config:1$

=== TEST 366: zone with an empty name
--- http_config
wschat_zone "" 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
in http_config:1$

=== TEST 367: zone of another module
--- http_config
proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=chat:1m;
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
the shared memory zone "chat" is already declared for a different use in http_config:2$

=== TEST 368: bus: unknown parameter
--- http_config
wschat_bus rings=1m;
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
invalid parameter "rings=1m": "ring=SIZE" or "queue=SIZE", 64k to \S+, was expected in http_config:1$

=== TEST 369: bus: no size
--- http_config
wschat_bus ring=big;
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
invalid parameter "ring=big": "ring=SIZE" or "queue=SIZE", 64k to \S+, was expected in http_config:1$

=== TEST 370: bus: too small
--- http_config
wschat_bus ring=1k;
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
invalid parameter "ring=1k": "ring=SIZE" or "queue=SIZE", 64k to \S+, was expected in http_config:1$

=== TEST 371: bus: too large
--- http_config
wschat_bus queue=2g;
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
invalid parameter "queue=2g": "ring=SIZE" or "queue=SIZE", 64k to \S+, was expected in http_config:1$

=== TEST 372: bus: given twice
--- http_config
wschat_bus ring=64k ring=64k;
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
"wschat_bus" directive is duplicate in http_config:1$

=== TEST 373: bus: nothing
--- http_config
wschat_bus;
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
invalid number of arguments in "wschat_bus" directive in http_config:1$

=== TEST 374: drain: no time
--- http_config
wschat_drain soon;
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
"wschat_drain" directive invalid value in http_config:1$

=== TEST 375: drain given twice
--- http_config
wschat_drain 1s;
wschat_drain 1s;
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
"wschat_drain" directive is duplicate in http_config:2$

=== TEST 376: wschat twice in a location
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws {
    wschat chat;
    wschat chat;
}
--- nginx_t
"wschat" directive is duplicate in config:3$

=== TEST 377: wschat and wschat_connections in one location
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws {
    wschat chat;
    wschat_connections chat;
}
--- nginx_t
in config:3$

=== TEST 378: wschat in a server
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
--- config
wschat chat;
--- nginx_t
"wschat" directive is not allowed here in config:1$

=== TEST 379: wschat without an api
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws {
    wschat;
}
--- nginx_t
invalid number of arguments in "wschat" directive in config:2$

=== TEST 380: wschat with two
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws {
    wschat chat chat;
}
--- nginx_t
invalid number of arguments in "wschat" directive in config:2$

=== TEST 381: wschat_status with an argument
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /s {
    wschat_status chat;
}
--- nginx_t
invalid number of arguments in "wschat_status" directive in config:2$

=== TEST 382: wschat_connections twice
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
--- config
location /ws {
    wschat_connections chat;
    wschat_connections chat;
}
--- nginx_t
"wschat_connections" directive is duplicate in config:3$

=== TEST 383: wschat_zone in a server
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
--- config
wschat_zone other 1m;
--- nginx_t
"wschat_zone" directive is not allowed here in config:1$

=== TEST 384: wschat_api in a server
--- http_config
wschat_zone chat 1m;
wschat_api chat { }
--- config
wschat_api other { }
--- nginx_t
"wschat_api" directive is not allowed here in config:1$

=== TEST 385: wschat before the api
--- http_config
wschat_zone chat 1m;
server { listen unix:$TEST_NGINX_SERVER_ROOT/html/x.sock; location / { wschat chat; } }
wschat_api chat { }
--- config
location /ws { wschat chat; }
--- nginx_t
there is no api "chat": "wschat_api chat \{ \.\.\. \}" was expected before this in http_config:2$

=== TEST 386: a mistake in an included file
--- http_config
wschat_zone chat 1m;
wschat_api chat { include $TEST_NGINX_SERVER_ROOT/html/routes.conf; }
--- config
location /ws { wschat chat; }
--- user_files
>>> routes.conf
route ok { reply ok; }
route x {
    reply '{"a":}';
}
--- nginx_t
the body is almost JSON: .* in \S+/html/routes\.conf:3$

=== TEST 387: a mistake in steps that are included
--- http_config
wschat_zone chat 1m;
wschat_api chat { route x { include $TEST_NGINX_SERVER_ROOT/html/steps.conf; } }
--- config
location /ws { wschat chat; }
--- user_files
>>> steps.conf
reply ok;
close 1;
--- nginx_t
needs a close code, .* in \S+/html/steps\.conf:2$

=== TEST 388: a route that is given twice, once in an included file
--- http_config
wschat_zone chat 1m;
wschat_api chat { include $TEST_NGINX_SERVER_ROOT/html/routes.conf; route x { stop; } }
--- config
location /ws { wschat chat; }
--- user_files
>>> routes.conf
route x { reply x; }
--- nginx_t
route "x" is given twice in http_config:2$

=== TEST 389: what is stored where nothing is kept is said, and is no mistake
--- api
route x { send room=r store x; }
--- nginx_t_ok
"store" in api:1 keeps nothing: "history N;" was expected

=== TEST 390: what is right is accepted
--- http_config
proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=other:1m;
wschat_zone one 1m;
wschat_zone two 1024k;
wschat_bus ring=64k queue=1024m;
wschat_drain 0;
wschat_api one {
    route_selection_expression "${request.body['a b'].c[0]}-\$x";
    idle_timeout 10m; max_duration 2h; ping_interval 0; pong_timeout 1s; ping_is_activity off;
    send_timeout 100ms; read_timeout 1; close_timeout 1s;
    max_frame 1k; max_message 1k; max_body 1; max_rooms 10000; send_queue 1m;
    binary text; subprotocols a.b c-1 *; history 10000 30d; zone two;

    route $connect {
        if ($request.header.x-y = "$request.querystring['a b']") { respond 200 "$arg_x $http_y"; }
        else if (!$remote_user) { respond 599; }
        set $connection.user $remote_user;
        join r history=0 since=1 epoch=2 create=no only;
        send room=r except=self ephemeral store '$room.offset';
        reply "${room} $room.created $room.epoch $room.history $members $members.a $rooms";
        delay 0; delay 60s; stop;
    }
    route $disconnect { send all '$context.disconnectStatusCode $context.disconnectReason $room.count'; set $x 1; stop; }
    route $default { leave; leave $request.body.r; close 4999 "$x"; }
    on room_create { } on room_empty { } on member_join { } on member_leave { }
}
wschat_api two { }
wschat_api three { zone one; }
--- config
location /a { wschat one; }
location /b { wschat two; if ($arg_x) { wschat one; } }
location /c/@connections/ { wschat_connections three; }
location /d { wschat_status; }
--- nginx_t_ok
