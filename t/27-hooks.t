# on room_create, member_join, member_leave, room_empty; $disconnect.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

share_nginx();

# NAME recv-balance A B: reads until as many messages A as B have come, at
# least one, and nothing else comes

sub WSConversation::_client_recv_balance {
    my ($self, $who, $rest, $text) = @_;

    my ($one, $two) = split / +/, $rest;
    my %n = ($one => 0, $two => 0);
    my $deadline = Time::HiRes::time() + $self->{timeout};

    while (1) {
        my $even = $n{$one} && $n{$one} == $n{$two};
        my ($type, $payload) = $self->{client}{$who}{ws}->message(
            $even ? 0.3 * $self->{scale} : $deadline - Time::HiRes::time());

        if ($type ne 'text' || !exists $n{$payload}) {
            return $self->_ok($type eq 'nothing' && $even, $text,
                              "$n{$one} $one, $n{$two} $two, $type $payload");
        }

        $n{$payload}++;
    }
}

# burst N NAME... : TEXT: all of them send, in turn, N times

sub WSConversation::_do_burst {
    my ($self, $rest, $text) = @_;

    my ($n, $names, $message) = $rest =~ /^(\d+) +(.*?) *: *(.*)$/
        or die "burst N NAME... : TEXT\n";

    for (1 .. $n) {
        for (split / +/, $names) {
            $self->{client}{$_}{ws}->frame(1, $message)
                or return $self->_miss($text, "$_ could not write");
        }
    }
}

# all hooks tell the watchers, and the one concerned

my $api = <<'END';
route $connect { set $connection.user $arg_u; }
route watch { join watch; reply watching; }
route join { join $request.body.r; reply '["joined","$room"]'; }
route only { join $request.body.r only; reply '["joined","$room"]'; }
route leave { leave $request.body.r; reply '["left"]'; }
route leaveall { leave; reply '["left"]'; }
route ping { reply pong; }

on room_create {
    if ($room != watch) {
        send room=watch '["create","$room","$room.count","$connection.user","$context.routeKey"]';
    }
}
on member_join {
    if ($room != watch) {
        send room=watch '["join","$room","$room.count","$connection.user","$context.routeKey"]';
    }
}
on member_leave {
    send room=watch '["leave","$room","$room.count","$connection.user","$context.routeKey"]';
}
on room_empty {
    send room=watch '["empty","$room","$room.count","$connection.user","$context.routeKey"]';
}
route $disconnect { send room=watch '["disconnect","$connection.user","$connection.room","$rooms"]'; }
END

add_block_preprocessor {
    my ($block) = @_;
    $block->set_value('api', $api)
        unless defined $block->api || defined $block->http_config;
};

run_tests();

__DATA__

=== TEST 1: all four, in the order of what happens
--- ws
watch connect /ws?u=w
watch send {"action":"watch"}
watch recv watching
alice connect apart=watch /ws?u=alice
bob connect apart=alice /ws?u=bob
alice send {"action":"join","r":"x"}
alice recv ["joined","x"]
watch recv ["create","x",1,"alice","join"]
watch recv ["join","x",1,"alice","join"]
bob send {"action":"join","r":"x"}
bob recv ["joined","x"]
watch recv ["join","x",2,"bob","join"]
# joined already: nothing
bob send {"action":"join","r":"x"}
bob recv ["joined","x"]
alice send {"action":"leave","r":"x"}
alice recv ["left"]
watch recv ["leave","x",1,"alice","leave"]
# not a member: nothing
alice send {"action":"leave","r":"x"}
alice recv ["left"]
bob send {"action":"leave","r":"x"}
bob recv ["left"]
watch recv ["leave","x",0,"bob","leave"]
watch recv ["empty","x",0,"bob","leave"]
bob send {"action":"join","r":"x"}
bob recv ["joined","x"]
watch recv ["create","x",1,"bob","join"]
watch recv ["join","x",1,"bob","join"]
watch recv-none

=== TEST 2: they run after the step that caused them and before the next
--- api
on room_create { reply 'create $room'; }
on member_join { reply 'join $room'; }
on member_leave { reply 'leave $room'; }
on room_empty { reply 'empty $room'; }
route all {
    reply 1; join x; reply 2; join y; reply 3; join z only; reply 4; leave z; reply 5;
}
route both { join a; join b; reply 1; leave; reply 2; }
--- ws
alice connect /ws
alice send {"action":"all"}
alice recv 1
alice recv create x
alice recv join x
alice recv 2
alice recv create y
alice recv join y
alice recv 3
alice recv create z
alice recv join z
alice recv-like ^(?<one>leave [xy])$
alice recv-like ^(?<two>(leave|empty) [xy])$
alice recv-like ^(?!${one}|${two})(leave|empty) [xy]$
alice recv-like ^(?!${one}|${two})(leave|empty) [xy]$
alice recv 4
alice recv leave z
alice recv empty z
alice recv 5
alice send {"action":"both"}
alice recv create a
alice recv join a
alice recv create b
alice recv join b
alice recv 1
repeat 4 alice recv-like ^(leave|empty) [ab]$
alice recv 2

=== TEST 3: of each room: left first, then empty
--- api
on member_leave { set $connection.log '$connection.log L$room'; }
on room_empty { set $connection.log '$connection.log E$room'; }
route all { join a; join b; join c; leave; reply $connection.log; }
--- ws
alice connect /ws
alice send {"action":"all"}
alice recv-like ^(?=.* La.* Ea)(?=.* Lb.* Eb)(?=.* Lc.* Ec)( [LE][abc]){6}$

=== TEST 4: a connection's end is the end of its memberships
--- ws
watch connect /ws?u=w
watch send {"action":"watch"}
watch recv watching
alice connect apart=watch /ws?u=alice
bob connect /ws?u=bob
bob send {"action":"join","r":"x"}
bob recv ["joined","x"]
watch recv ["create","x",1,"bob","join"]
watch recv ["join","x",1,"bob","join"]
alice send {"action":"join","r":"x"}
alice recv ["joined","x"]
watch recv ["join","x",2,"alice","join"]
# $disconnect comes first, when it is in its rooms still
alice close 1000
watch recv ["disconnect","alice","x",["watch","x"]]
watch recv ["leave","x",1,"alice","$disconnect"]
bob abort
watch recv ["disconnect","bob","x",["watch","x"]]
watch recv ["leave","x",0,"bob","$disconnect"]
watch recv ["empty","x",0,"bob","$disconnect"]
alice connect /ws?u=alice
alice send {"action":"join","r":"x"}
alice recv ["joined","x"]
watch recv ["create","x",1,"alice","join"]
watch recv ["join","x",1,"alice","join"]
alice hangup
watch recv ["disconnect","alice","x",["watch","x"]]
watch recv ["leave","x",0,"alice","$disconnect"]
watch recv ["empty","x",0,"alice","$disconnect"]
watch recv-none

=== TEST 5: of several rooms, all of them
--- api
route watch { join watch; reply watching; }
route join { join $request.body.r; }
route ok { reply ok; }
on member_leave { send room=watch 'leave $room $room.count'; }
on room_empty { send room=watch 'empty $room'; }
--- ws
watch connect /ws
watch send {"action":"watch"}
watch recv watching
alice connect apart=watch /ws
repeat 60 alice send {"action":"join","r":"r${i}"}
alice send {"action":"ok"}
alice recv ok
alice abort
repeat 60 watch recv-like ^(leave r\d+ 0|empty r\d+)$
repeat 60 watch recv-like ^(leave r\d+ 0|empty r\d+)$
watch recv-none
alice connect apart=watch /ws
repeat 60 alice send {"action":"join","r":"r${i}"}
alice send {"action":"ok"}
alice recv ok
alice close
repeat 120 watch recv-like ^(leave r\d+ 0|empty r\d+)$
watch recv-none
--- no_error_log
[error]

=== TEST 6: a room becomes empty once, whoever is the last one
--- api
route watch { join watch; reply watching; }
route join { join x; reply ok; }
on member_leave { send room=watch 'leave $room.count'; }
on room_empty { send room=watch 'empty $room'; }
--- ws
watch connect /ws
watch send {"action":"watch"}
watch recv watching
repeat 30 c${i} connect /ws
repeat 30 c${i} send {"action":"join"}
repeat 30 c${i} recv ok
repeat 30 c${i} abort
repeat 31 watch recv-like ^(leave \d+|empty x)$
watch recv-none
repeat 30 c${i} connect /ws
repeat 30 c${i} send {"action":"join"}
repeat 30 c${i} recv ok
repeat 15 c${i} close 1000
c20 close
c16 abort
c17 hangup
c18 abort
c19 abort
c21 abort
c22 abort
c23 hangup
c24 abort
c25 abort
c26 abort
c27 abort
c28 abort
c29 abort
c15 close
repeat 31 watch recv-like ^(leave \d+|empty x)$
watch recv-none

=== TEST 7: each count comes once
--- api
route watch { join watch; reply watching; }
route join { join x; reply ok; }
on member_leave { send room=watch '$room.count'; }
--- ws
watch connect /ws
watch send {"action":"watch"}
watch recv watching
a connect /ws
b connect /ws
c connect /ws
a send {"action":"join"}
a recv ok
b send {"action":"join"}
b recv ok
c send {"action":"join"}
c recv ok
a abort
b abort
c abort
watch recv-like ^(?<one>[012])$
watch recv-like ^(?<two>(?!${one})[012])$
watch recv-like ^(?!${one}|${two})[012]$
watch recv-none

=== TEST 8: in the same way when a room ends again and again
--- api
route watch { join watch; reply watching; }
route churn { join x; leave x; reply '$request.body.n'; }
on room_create { send room=watch create; }
on room_empty { send room=watch empty; }
--- ws
watch connect /ws
watch send {"action":"watch"}
watch recv create
watch recv watching
alice connect /ws
repeat 50 alice send {"action":"churn","n":${i}}
repeat 50 alice recv ${i}
repeat 100 watch recv-like ^(create|empty)$
watch recv-none

=== TEST 9: what a join knows is known in its hooks, and is no other room's
--- api
history 5;
route join { join $request.body.r history=5; reply '["route","$room","$room.count","$room.created","$room.offset","$room.history"]'; }
route only { join $request.body.r only history=5; reply '["route","$room","$room.count","$room.created","$room.offset","$room.history"]'; }
route leave { leave $request.body.r; reply '["route","$room","$room.count","$room.created","$room.offset"]'; }
route say { send room=$request.body.r store '$room.offset'; }
on room_create { reply '["create","$room","$room.count","$room.created","$room.offset","$room.history"]'; }
on member_join { reply '["join","$room","$room.count","$room.created","$room.offset","$room.history"]'; }
on member_leave { reply '["leave","$room","$room.count","$room.created","$room.offset","$room.history","$room.epoch"]'; }
on room_empty { reply '["empty","$room","$room.count","$room.created","$room.offset","$room.history","$room.epoch"]'; }
--- ws
alice connect /ws
alice send {"action":"join","r":"x"}
alice recv ["create","x",1,true,0,[]]
alice recv ["join","x",1,true,0,[]]
alice recv ["route","x",1,true,0,[]]
alice send {"action":"say","r":"x"}
alice recv 1
bob connect apart=alice /ws
bob send {"action":"join","r":"x"}
bob recv ["join","x",2,false,1,["1"]]
bob recv ["route","x",2,false,1,["1"]]
bob send {"action":"only","r":"y"}
bob recv ["create","y",1,true,0,[]]
bob recv ["join","y",1,true,0,[]]
bob recv ["leave","x",1,null,null,null,null]
bob recv ["route","y",1,true,0,[]]
bob send {"action":"leave","r":"y"}
bob recv ["leave","y",0,null,null,null,null]
bob recv ["empty","y",0,null,null,null,null]
bob recv ["route",null,null,null,null]

=== TEST 10: what a hook joins, leaves and sets is its own
--- api
on member_join {
    if ($room = x) { join inner; leave inner; }
    if ($room = y) { set $room somewhere; set $v inner; }
}
route join { set $v outer; join $request.body.r; reply '["$room","$room.count","$room.created","$room.offset","$v"]'; }
route say { send room=$request.body.r '$room.offset'; }
--- ws
bob connect /ws
bob send {"action":"join","r":"x"}
bob recv ["x",1,true,0,"outer"]
bob send {"action":"say","r":"x"}
bob recv 1
alice connect /ws
alice send {"action":"join","r":"x"}
alice recv ["x",2,false,1,"outer"]
alice send {"action":"join","r":"y"}
alice recv ["y",1,true,0,"inner"]

=== TEST 11: stop ends the hook and nothing else
--- api
on member_join { reply 'hook 1'; if ($room = x) { if ($room) { stop; reply never; } reply never; } reply 'hook 2'; }
on room_create { reply 'create'; stop; reply never; }
route join { reply 'route 1'; join $request.body.r; reply 'route 2'; stop; reply never; }
--- ws
alice connect /ws
alice send {"action":"join","r":"x"}
alice recv route 1
alice recv create
alice recv hook 1
alice recv route 2
alice send {"action":"join","r":"y"}
alice recv route 1
alice recv create
alice recv hook 1
alice recv hook 2
alice recv route 2

=== TEST 12: a step that fails ends its hook and nothing else
--- api
on room_create { reply create; }
on member_join { reply 'hook 1'; if ($room = x) { join $connection.none; reply never; } reply 'hook 2'; }
on member_leave { set $room $connection.none; reply never; }
on room_empty { reply 'empty $room'; }
route join { reply 'route 1'; join $request.body.r; reply 'route 2'; leave; reply 'route 3'; }
--- ws
alice connect /ws
alice send {"action":"join","r":"x"}
alice recv route 1
alice recv create
alice recv hook 1
alice recv route 2
alice recv empty x
alice recv route 3
log wschat .*the name of \w+ room is empty, in step "join" in \S+:2\d\b
log wschat .*the name of \w+ room is empty, in step "set" in \S+:2\d\b
alice send {"action":"join","r":"y"}
alice recv route 1
alice recv create
alice recv hook 1
alice recv hook 2
alice recv route 2
alice recv empty y
alice recv route 3

=== TEST 13: hooks cause hooks
--- api
on member_join { reply 'join $room'; if ($room != lobby) { join lobby; } }
on member_leave { reply 'leave $room'; if ($room != lobby) { leave lobby; } }
on room_create { reply 'create $room'; }
on room_empty { reply 'empty $room'; }
route join { join x; reply '$connection.room'; }
route leave { leave x; reply '$rooms'; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv create x
alice recv join x
alice recv create lobby
alice recv join lobby
alice recv lobby
alice send {"action":"leave"}
alice recv leave x
alice recv leave lobby
alice recv empty lobby
alice recv empty x
alice recv []

=== TEST 14: a hook sends away who has just joined
--- api
on member_join { if ($room.count = 3) { reply full; leave $room; } }
route join { join x; if (!member x) { stop; } reply joined; }
route say { send room=x '$request.body.t'; }
--- ws
a connect /ws
b connect apart=a /ws
c connect /ws
a send {"action":"join"}
a recv joined
b send {"action":"join"}
b recv joined
c send {"action":"join"}
c recv full
b send {"action":"say","t":"hi"}
a recv hi
b recv hi
c recv-none

=== TEST 15: a hook closes
--- api
on member_join { if ($room = banned) { close 4003 'not for $connection.user'; } }
on member_leave { send all 'leave $room'; }
on room_empty { send all 'empty $room'; }
route $connect { set $connection.user $arg_u; }
route join { join $request.body.r; reply joined; }
--- ws
bob connect /ws?u=bob
alice connect /ws?u=alice
alice send {"action":"join","r":"x"}
alice recv joined
alice send {"action":"join","r":"banned"}
alice recv-close 4003 not for alice
bob recv-like ^(leave|empty) (x|banned)$
bob recv-like ^(leave|empty) (x|banned)$
bob recv-like ^(leave|empty) (x|banned)$
bob recv-like ^(leave|empty) (x|banned)$
bob recv-none

=== TEST 16: who hears what hooks send to the room
--- api
on member_join { send room=$room except=self 'hello $connection.user'; }
on member_leave { send room=$room 'bye $connection.user'; }
on room_empty { send room=$room 'nobody'; reply 'empty $members $rooms'; }
route $connect { set $connection.user $arg_u; join lobby; reply welcome; }
route leave { leave; reply left; }
--- ws
alice connect /ws?u=alice
alice recv welcome
bob connect apart=alice /ws?u=bob
bob recv welcome
alice recv hello bob
carol connect apart=bob /ws?u=carol
carol recv welcome
alice recv hello carol
bob recv hello carol
bob send {"action":"leave"}
bob recv left
alice recv bye bob
carol recv bye bob
carol abort
alice recv bye carol
alice send {"action":"leave"}
alice recv empty [] []
alice recv left

=== TEST 17: a room begins anew in its own room_empty
--- api
on room_create { reply 'create $room'; }
on member_join { reply 'join $room'; }
on member_leave { reply 'leave $room'; }
on room_empty { reply 'empty $room'; if ($connection.again) { join $room; } }
route join { join x; set $connection.again 1; reply '{"epoch":"$room.epoch"}'; }
route leave { leave x; reply '$rooms'; }
route end { set $connection.again 0; leave; reply '$rooms'; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv create x
alice recv join x
alice recv-like ^\{"epoch":"(?<e>\d+)"\}$
alice send {"action":"leave"}
alice recv leave x
alice recv empty x
alice recv create x
alice recv join x
alice recv ["x"]
alice send {"action":"join"}
alice recv-like ^\{"epoch":"(?!${e})\d+"\}$
alice send {"action":"end"}
alice recv leave x
alice recv empty x
alice recv []

=== TEST 18: a hook that waits
--- api
on member_join { reply 'join $room'; delay 100ms; reply 'joined $room $request.body.n'; }
on member_leave { delay 100ms; send all 'left $room $connection.user'; }
on room_empty { delay 50ms; send all 'empty $room'; }
route $connect { set $connection.user $arg_u; }
route join { join $request.body.r; reply 'route $room $request.body.n'; }
route ping { reply 'pong $request.body.n'; }
--- ws
bob connect /ws?u=bob
alice connect /ws?u=alice
alice send {"action":"join","r":"x","n":1}
alice send {"action":"ping","n":2}
bob send {"action":"ping","n":3}
bob recv pong 3
alice recv join x
alice recv joined x 1
alice recv route x 1
alice recv pong 2
alice send {"action":"join","r":"y","n":4}
alice recv join y
alice abort
repeat 4 bob recv-like ^(left [xy] alice|empty [xy])$
bob recv-none

=== TEST 19: on a connection's end there is nobody to reply to, to join, to close
--- api
on member_leave {
    reply 'x'; send self 'x'; set $connection.user changed; leave; close;
    send all never;
}
on room_empty { join other; send all never; }
route $disconnect { set $connection.user changed2; send self x; send all 'user $connection.user'; if (member x) { send all 'member'; } }
route $connect { set $connection.user $arg_u; }
route join { join x; reply ok; }
route rooms { reply '$rooms'; }
--- ws
bob connect /ws?u=bob
alice connect /ws?u=alice
alice send {"action":"join"}
alice recv ok
alice abort
bob recv-like ^user alice$
bob recv member
bob recv-none
bob send {"action":"rooms"}
bob recv []

=== TEST 20: $connect that is refused: its rooms are left, $disconnect does not run
--- api
route $connect { set $connection.user $arg_u; join x; if ($arg_no) { respond 403 '{"no":"$connection.user"}'; } if ($arg_fail) { join $connection.none; } }
route $disconnect { send all 'disconnect $connection.user'; }
on member_join { send all 'join $room.count $connection.user'; }
on member_leave { send all 'leave $room.count $connection.user'; }
on room_empty { send all 'empty $connection.user'; }
route leave { leave; reply left; }
--- ws
bob connect /ws?u=bob
alice connect apart=bob /ws?u=alice&no=1 => 403 ^\{"no":"alice"\}$
bob recv join 2 alice
bob recv leave 1 alice
bob send {"action":"leave"}
bob recv leave 0 bob
bob recv empty bob
bob recv left
carol connect apart=bob /ws?u=carol&fail=1 => 502
bob recv join 1 carol
bob recv leave 0 carol
bob recv empty carol
bob recv-none

=== TEST 21: a loop of hooks comes to an end, with an error
--- api
on member_join { join $random.uuid; }
route join { join x; reply joined; }
route ping { reply '$rooms'; leave; reply pong; }
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"join"}
alice recv-like \A\{"message": "Internal server error", "connectionId":"[\w-]{22}==", "requestId":"[\w-]{15}="\}\z
alice send {"action":"ping"}
alice recv-like ^\["x",
alice recv pong
bob send {"action":"ping"}
bob recv []
bob recv pong
--- error_log
too many

=== TEST 22: a loop with "only"
--- api
on member_join { join $random.uuid only; }
on room_empty { set $connection.n $connection.n; }
route join { join x; reply joined; }
route ping { leave; reply '$rooms'; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"[\w-]{22}==", "requestId":"[\w-]{15}="\}$
alice send {"action":"ping"}
alice recv []
--- error_log
too many

=== TEST 23: a loop that branches ends after 1000 steps
--- api
on member_leave { join x; leave x; join x; leave x; join x; leave x; }
route join { join x; leave x; reply end; }
route ping { reply '$rooms'; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv-like ^\{"message": "Internal server error", "connectionId":"[\w-]{22}==", "requestId":"[\w-]{15}="\}$
bob connect /ws
bob send {"action":"ping"}
bob recv-like ^\[
alice send {"action":"ping"}
alice recv-like ^\[
--- error_log
too many

=== TEST 24: a thousand steps are possible, no more
--- api eval
'route ok { ' . ('set $x 1; ' x 999) . ' reply ok; }'
. 'route more { ' . ('set $x 1; ' x 1000) . ' reply more; }'
. 'route ping { reply pong; }'
--- ws
alice connect /ws
alice send {"action":"ok"}
alice recv ok
alice send {"action":"more"}
alice recv-like \A\{"message": "Internal server error", "connectionId":"[\w-]{22}==", "requestId":"[\w-]{15}="\}\z
alice send {"action":"ping"}
alice recv pong
alice send {"action":"ok"}
alice recv ok
--- error_log
too many steps

=== TEST 25: $disconnect with all codes, and after all ways to end
--- api
route $disconnect { send room=watch '["$context.disconnectStatusCode","$context.disconnectReason","$connection.user"]'; }
route $connect { set $connection.user $arg_u; }
route watch { join watch; reply ok; }
route close { close 4000 'by us'; }
route stay { close; reply 'not any more'; }
--- ws
watch connect /ws
watch send {"action":"watch"}
watch recv ok
a connect apart=watch /ws?u=a
a close 1000 bye
watch recv [1000,"bye","a"]
a connect /ws?u=b
a close 3000
watch recv [3000,"","b"]
a connect /ws?u=c
a close 4999 \xc3\xbc "quotes"
watch recv [4999,"ü \"quotes\"","c"]
a connect /ws?u=d
a close
watch recv [1005,"Client-side close frame status not set","d"]
a connect /ws?u=e
a abort
watch recv [1006,"Connection closed abnormally","e"]
a connect /ws?u=f
a hangup
watch recv [1006,"Connection closed abnormally","f"]
a connect /ws?u=g
a send {"action":"close"}
a recv-close 4000 by us
watch recv [4000,"by us","g"]
a connect /ws?u=h
a send {"action":"stay"}
a recv-close 1000
watch recv [1000,"","h"]
# a code that it must not send is a broken protocol
a connect /ws?u=i
a close 1005
a recv-close 1002
a recv-eof
a hangup
watch recv-like ^\[1002,"[^"]*","i"\]$

=== TEST 26: $disconnect that waits, that fails, that stops
--- api
route $disconnect {
    send room=watch 'one $connection.user';
    delay 50ms;
    send room=watch 'two $connection.user';
    if ($connection.user = stop) { stop; }
    if ($connection.user = fail) { set $room $connection.none; }
    send room=watch 'three $connection.user';
}
on room_empty { send room=watch 'empty $room'; }
route $connect { set $connection.user $arg_u; join r-$arg_u; }
route watch { join watch only; reply ok; }
--- ws
watch connect /ws?u=w
watch send {"action":"watch"}
watch recv empty r-w
watch recv ok
a connect /ws?u=a
a abort
watch recv one a
watch recv two a
watch recv three a
watch recv empty r-a
a connect /ws?u=stop
a abort
watch recv one stop
watch recv two stop
watch recv empty r-stop
a connect /ws?u=fail
a close 1000
watch recv one fail
watch recv two fail
watch recv empty r-fail
watch recv-none
log wschat route "\$disconnect".* in step "set" in \S+:\d+.*connection: [\w-]{22}==

=== TEST 27: a message that is being worked on when its connection ends
--- api
route $disconnect { send room=watch 'disconnect'; }
route slow { delay 200ms; send room=watch 'slow done $connection.user'; reply x; }
route $connect { set $connection.user $arg_u; join x; }
on room_empty { send room=watch 'empty $room'; }
on member_leave { if ($room != watch) { send room=watch 'leave $room'; } }
route watch { join watch; leave x; reply ok; }
route rooms { reply '$rooms'; }
--- ws
watch connect /ws?u=w
watch send {"action":"watch"}
watch recv leave x
watch recv empty x
watch recv ok
a connect /ws?u=a
a send {"action":"slow"}
a abort
watch recv slow done a
watch recv disconnect
watch recv leave x
watch recv empty x
watch recv-none
watch send {"action":"rooms"}
watch recv ["watch"]

=== TEST 28: many come and go at once, on all workers: each beginning has an end
--- api
route watch { join watch; reply ok; }
route churn { join x; leave x; }
route done { reply '$rooms'; }
on room_create { if ($room = x) { send room=watch create; } }
on room_empty { send room=watch empty; }
--- ws
watch connect /ws
watch send {"action":"watch"}
watch recv ok
repeat 8 c${i} connect /ws
burst 200 c0 c1 c2 c3 c4 c5 c6 c7 : {"action":"churn"}
repeat 8 c${i} send {"action":"done"}
repeat 8 c${i} recv-like ^\["watch"(,"x")?\]$
watch recv-balance create empty
c0 send {"action":"done"}
c0 recv ["watch"]

=== TEST 29: the same with connections that end
--- api
route watch { join watch; reply ok; }
route join { join x; join y; leave y; }
route done { reply '$rooms'; }
on room_create { if ($room != watch) { send room=watch create; } }
on room_empty { send room=watch empty; }
--- ws
watch connect /ws
watch send {"action":"watch"}
watch recv ok
repeat 100 a connect /ws
repeat 100 b${i} connect /ws
repeat 100 b${i} send {"action":"join"}
repeat 100 b${i} abort
watch recv-balance create empty
watch send {"action":"done"}
watch recv ["watch"]

=== TEST 30: the hooks of more rooms than a run has steps
--- api
max_rooms 1000;
route watch { join watch; reply ok; }
route join { join $request.body.r; }
route done { reply done; }
on member_leave { set $x 1; set $x 2; send room=watch leave; }
on room_empty { send room=watch empty; }
--- ws
watch connect /ws
watch send {"action":"watch"}
watch recv ok
alice connect /ws
repeat 700 alice send {"action":"join","r":"${i}"}
alice send {"action":"done"}
alice recv done
alice abort
watch recv-balance leave empty
no-log too many
