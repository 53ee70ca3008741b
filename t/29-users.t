# Users: the attribute "user", and "send user=".

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

share_nginx();

my $api = <<'END';
route $connect { set $connection.user $arg_u; }
route user { set $connection.user $request.body.u; reply ok; }
route who { reply '{"user":"$connection.user"}'; }
route join { join $request.body.r; reply '{"users":"$members.user"}'; }
route to { send user=$request.body.u '$request.body.t'; reply done; }
route toothers { send user=$request.body.u except=self '$request.body.t'; reply done; }
END

add_block_preprocessor {
    my ($block) = @_;
    $block->set_value('api', $api)
        unless defined $block->api || defined $block->http_config;
};

run_tests();

__DATA__

=== TEST 1: a user, on as many connections as there are
--- ws
a1 connect /ws?u=alice
a2 connect apart=a1 /ws?u=alice
a3 connect /ws?u=alice
bob connect apart=a2 /ws?u=bob
bob send {"action":"to","u":"alice","t":"hi"}
bob recv done
a1 recv hi
a2 recv hi
a3 recv hi
bob recv-none
a2 send {"action":"toothers","u":"alice","t":"my other ones"}
a2 recv done
a1 recv my other ones
a3 recv my other ones
a2 recv-none
a2 send {"action":"to","u":"alice","t":"all of me"}
a2 recv all of me
a2 recv done
a1 recv all of me
a3 recv all of me
bob send {"action":"toothers","u":"alice","t":"not me anyway"}
bob recv done
a1 recv not me anyway
a2 recv not me anyway
a3 recv not me anyway
# names are case-sensitive
bob send {"action":"to","u":"Alice","t":"x"}
bob recv done
a1 abort
a3 close 1000
bob send {"action":"to","u":"alice","t":"still there"}
bob recv done
a2 recv still there

=== TEST 2: a user changes names
--- ws
alice connect /ws?u=alice
bob connect apart=alice /ws?u=bob
alice send {"action":"user","u":"carol"}
alice recv ok
bob send {"action":"to","u":"alice","t":"old"}
bob recv done
bob send {"action":"to","u":"carol","t":"new"}
bob recv done
alice recv new
# again the same
alice send {"action":"user","u":"carol"}
alice recv ok
bob send {"action":"to","u":"carol","t":"once"}
bob recv done
alice recv once
# no user any more
alice send {"action":"user"}
alice recv ok
bob send {"action":"to","u":"carol","t":"none"}
bob recv done
alice send {"action":"user","u":""}
alice recv ok
bob send {"action":"to","u":"","t":"none"}
bob recv done
# the text of any value
alice send {"action":"user","u":5}
alice recv ok
bob send {"action":"to","u":"5","t":"five"}
bob recv done
alice recv five
bob send {"action":"to","u":5,"t":"also five"}
bob recv done
alice recv also five
alice send {"action":"user","u":"q\"\\\u00fc\ud83d\ude00\u0000"}
alice recv ok
bob send {"action":"to","u":"q\u0022\\ü😀\u0000","t":"odd"}
bob recv done
alice recv odd
alice send {"action":"user","u":"${x*256}"}
alice recv ok
bob send {"action":"to","u":"${x*256}","t":"long"}
bob recv done
alice recv long
alice send {"action":"user","u":"${x*257}"}
alice recv-like ^\{"message": "Internal server error"

=== TEST 3: a user's name that was refused leaves the one before
--- api
route user { set $connection.user $request.body.u; reply ok; }
route who { reply '{"user":"$connection.user"}'; }
route to { send user=$request.body.u '$request.body.t'; reply done; }
route join { join r; reply '$members.user'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"user","u":"alice"}
alice recv ok
alice send {"action":"user","u":"${x*257}"}
alice recv-like ^\{"message": "Internal server error"
alice send {"action":"who"}
alice recv {"user":"alice"}
alice send {"action":"join"}
alice recv ["alice"]
bob send {"action":"to","u":"alice","t":"hi"}
bob recv done
alice recv hi

=== TEST 4: members of a room by their users
--- ws
a connect /ws?u=a
b connect apart=a /ws?u=b
c connect apart=b /ws
d connect /ws?u=a
a send {"action":"join","r":"x"}
a recv {"users":["a"]}
b send {"action":"join","r":"x"}
b recv {"users":["a","b"]}
c send {"action":"join","r":"x"}
c recv {"users":["a","b"]}
# one with two connections is there twice
d send {"action":"join","r":"x"}
d recv {"users":["a","b","a"]}
c send {"action":"user","u":{"name": "C", "n": 1.10}}
c recv ok
a send {"action":"user","u":5}
a recv ok
d send {"action":"join","r":"x"}
d recv {"users":[5,"b",{"name":"C","n":1.10},"a"]}
b send {"action":"user"}
b recv ok
d send {"action":"join","r":"x"}
d recv {"users":[5,{"name":"C","n":1.10},"a"]}
d send {"action":"to","u":{"name":"C","n":1.10},"t":"object"}
d recv done
c recv object
d send {"action":"to","u":"{\"name\":\"C\",\"n\":1.10}","t":"its text"}
d recv done
c recv its text

=== TEST 5: a user with forty connections on all workers
--- ws
repeat 40 c${i} connect /ws?u=many
alice connect /ws?u=alice
alice send {"action":"to","u":"many","t":"one"}
alice recv done
repeat 40 c${i} recv one
c7 send {"action":"toothers","u":"many","t":"two"}
c7 recv done
repeat 7 c${i} recv two
c8 recv two
c39 recv two
c7 recv-none
repeat 20 c${i} abort
alice send {"action":"to","u":"many","t":"three"}
alice recv done
c38 recv two
c38 recv three
c39 recv three
c20 recv two
c20 recv three

=== TEST 6: a user is there as long as one connection is
--- ws
watch connect /ws?u=watch
a1 connect /ws?u=a
a2 connect apart=a1 /ws?u=a
a1 close 1000
a1 recv-close 1000
a1 recv-eof
watch send {"action":"to","u":"a","t":"still"}
watch recv done
a2 recv still
a2 close 1000
a2 recv-close 1000
a2 recv-eof
watch send {"action":"to","u":"a","t":"gone"}
watch recv done
a3 connect /ws?u=a
watch send {"action":"to","u":"a","t":"back"}
watch recv done
a3 recv back

=== TEST 7: a room and a user of one name are two
--- api
route $connect { set $connection.user $arg_u; join $arg_r; }
route both { send room=x 'to the room'; send user=x 'to the user'; reply done; }
route leave { leave; reply left; }
route user { set $connection.user $request.body.u; reply ok; }
--- ws
a connect /ws?u=x&r=y
b connect apart=a /ws?u=y&r=x
c connect /ws?u=x&r=x
c send {"action":"both"}
c recv to the room
c recv to the user
c recv done
a recv to the user
b recv to the room
c send {"action":"leave"}
c recv left
b send {"action":"both"}
b recv to the room
b recv done
c recv to the user
a recv to the user
c send {"action":"user","u":"none"}
c recv ok
b send {"action":"both"}
b recv to the room
b recv done
a recv to the user
c recv-none

=== TEST 8: users of one name in two apis
--- http_config
wschat_zone chat 1m;
wschat_api one { route $connect { set $connection.user u; } route to { send user=u one; reply done; } }
wschat_api two { route $connect { set $connection.user u; } route to { send user=u two; reply done; } }
--- config
location /one { wschat one; }
location /two { wschat two; }
--- ws
a connect /one
b connect /two
a send {"action":"to"}
a recv one
a recv done
b send {"action":"to"}
b recv two
b recv done
a recv-none

=== TEST 9: set in a hook, and in $connect that is refused
--- api
on member_join { set $connection.user "in $room"; }
route $connect { if ($arg_no) { set $connection.user refused; respond 403; } }
route join { join x; reply '$connection.user'; }
route to { send user=$request.body.u hello; reply done; }
--- ws
a connect /ws
b connect apart=a /ws
a connect /ws
a send {"action":"join"}
a recv in x
b send {"action":"to","u":"in x"}
b recv done
a recv hello
c connect /ws?no=1 => 403
b send {"action":"to","u":"refused"}
b recv done

=== TEST 10: the access log knows the user
--- http_config
log_format who 'who:$wschat_user:$wschat_route:$wschat_close_code:';
access_log $TEST_NGINX_SERVER_ROOT/logs/access.log who;
wschat_zone chat 1m;
wschat_api chat {
    route $connect { set $connection.user $arg_u; }
    route user { set $connection.user $request.body.u; reply ok; }
}
--- config
location /ws { wschat chat; }
--- ws
a connect /ws?u=alice
a close 1000
access-log ^who:alice:-?:1000:$
b connect /ws
b send {"action":"user","u":5}
b recv ok
b close 4000
access-log ^who:5:user:4000:$
c connect /ws
c close 4001
access-log ^who:-?:-?:4001:$
