# Workers that are killed: what their clients had is swept by a survivor, once,
# and nobody else notices.
#
# Everything that happens is told to the room "watch".  Its order says what
# came before what: a mark that is sent there when the zone knows nobody of the
# dead any more comes after all that there was to tell of them.

BEGIN { $ENV{TEST_NGINX_REUSE_PORT} //= 1 }

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';

my $scale = $ENV{WSCHAT_SCALE} // 1;

#   --- steps        more routes
#   --- disconnect   steps in front of $disconnect's own
#   --- workers: 3

my $api = <<'END';
history 1000;

route me {
    set   $connection.user $request.body.user;
    set   $connection.note $request.body.note;
    reply '{"id":"$context.connectionId","at":"$context.connectedAt"}';
}

route join {
    join  $request.body.room  history=100;
    reply '{
        "joined": "$room", "offset": "$room.offset", "epoch": "$room.epoch",
        "count": "$room.count", "history": "$room.history"
    }';
}

route leave { leave $request.body.room; }

route say {
    send room=$request.body.room store '{
        "say": "$request.body.say", "room": "$request.body.room",
        "o": "$room.offset"
    }';
}

route mark {
    send room=watch '{"mark":"$request.body.mark","o":"$room.offset"}';
}

route to { send user=$request.body.to '{"to":"$request.body.to"}'; }

route slow {
    send  room=watch '{"slow":"begins","o":"$room.offset"}';
    delay 60s;
    send  room=watch '{"slow":"ends","o":"$room.offset"}';
}

route members {
    set   $room $request.body.room;
    reply '{"members":"$members.user"}';
}

route $disconnect {
    %disconnect%
    send room=watch '{
        "gone": "$connection.user", "note": "$connection.note",
        "id": "$context.connectionId", "room": "$connection.room",
        "at": "$context.connectedAt", "ip": "$context.identity.sourceIp",
        "code": "$context.disconnectStatusCode",
        "reason": "$context.disconnectReason", "o": "$room.offset"
    }';
}

on member_join {
    send room=watch '{
        "join": "$room", "count": "$room.count", "o": "$room.offset"
    }';
}

on member_leave {
    send room=watch '{
        "leave": "$room", "who": "$connection.user", "count": "$room.count",
        "o": "$room.offset"
    }';
}
END

my $on_empty = <<'END';
on room_empty { send room=watch '{"empty":"$room","o":"$room.offset"}'; }
END

add_block_preprocessor {
    my ($block) = @_;

    my $disconnect = $block->disconnect // '';
    my $steps = $block->steps // '';

    $steps .= $on_empty if $steps !~ /^on room_empty/m;

    $block->set_value('api', ($api =~ s/%disconnect%/$disconnect/r) . $steps);
    $block->set_value('config', <<'END');
location /ws { wschat chat; }
location /ws/@connections/ { wschat_connections chat; }
location = /status { wschat_status; }
END

    workers($block->workers // 3);
};

# Test::Nginx tells of each [alert], and these are what it is about

$SIG{__WARN__} = sub { warn @_ if $_[0] !~ /exited on signal 9/ };

master_on();
repeat_each(1);
timeout(20 * $scale);


# Steps of this file's own.
#
#   kill-workers NAME...       those of these clients, all at the same time
#   kill-sweeper [SECONDS]     the worker that says that it sweeps another one,
#                              so long after it has said so
#   stop-worker NAME           that of the client gets SIGSTOP; "cont-worker"
#                              lets all of them go on
#   many N NAME HOW [| STEP]...
#                              N clients, NAME1, NAME2, ..., connect like this
#                              and play the steps, in which # is the number
#   NAME collect [N] JSON      reads all messages up to one, or the Nth, that
#                              contains this
#   NAME collected N REGEX     so many of them match
#   NAME once N REGEX          one of them matches for each number # to N
#   NAME once-but M N REGEX    the same, but for one number there may be M; not
#                              looked at if the zone began anew, which is
#                              allowed to lose what the dead one had
#   NAME gapless               all that were collected ever: "o" counts by one
#   NAME gapless-but M         but for up to M gaps

package WSConversation;

sub _do_kill_workers {
    my ($self, $rest, $text) = @_;

    my %pid = map { $_ => 1 } grep { $_ }
              map { $self->_worker_of(@{ $self->{client}{$_} }{'ws', 'port'}) }
                  split / +/, $rest;

    die "there are no such workers\n" unless %pid;

    kill 'KILL', keys %pid;
    $self->_wait_dead(keys %pid);
}


sub _wait_dead {
    my ($self, @pids) = @_;

    my %pid = map { $_ => 1 } @pids;
    my $deadline = time + 10 * $self->{scale};

    $self->{killed} += @pids;

    while (grep { $pid{$_} } $self->_workers('all')) {
        die "workers do not die\n" if time > $deadline;
        sleep 0.005;
    }
}


sub _do_kill_sweeper {
    my ($self, $rest, $text) = @_;

    my $deadline = time + $self->{timeout};
    my @pids;

    until (@pids = $self->_read_log(0) =~ / (\d+)#\d+: .*sweeps slot/g) {
        return $self->_miss($text, "nobody sweeps") if time > $deadline;
        sleep 0.001;
    }

    sleep $rest if length $rest;

    kill 'KILL', $pids[-1];
    $self->_wait_dead($pids[-1]);
}


sub _do_stop_worker {
    my ($self, $rest) = @_;

    my $pid = $self->_worker_of(@{ $self->{client}{$rest} }{'ws', 'port'})
        or die "there is no such worker\n";

    push @{ $self->{stopped} }, $pid;
    kill 'STOP', $pid;
}


sub _do_cont_worker {
    my ($self) = @_;
    kill 'CONT', @{ delete $self->{stopped} };
}


sub _do_many {
    my ($self, $rest, $text) = @_;

    my ($n, $name, $steps) = split / +/, $rest, 3;

    $self->{repeat} = my $round = { count => 0 };

    for my $i (1 .. $n) {
        for my $step (split / \| /, "connect $steps") {
            my $this = $step =~ s/#/$i/gr;

            eval { $self->_step("$name$i $this"); 1 }
                or $round->{failed} //= "$@";
        }

        last if defined $round->{failed};
    }

    delete $self->{repeat};
    $self->_ok(!defined $round->{failed}, $text, $round->{failed});
}


sub _client_collect {
    my ($self, $who, $rest, $text) = @_;

    my $n = $rest =~ s/^(\d+) +// ? $1 : 1;
    my ($want) = _json_arguments($rest);
    my $all = $self->{collected}{$who} = [];
    my $deadline = time + $self->{timeout};

    while (1) {
        my $left = $deadline - time;
        my ($got, $payload) = $self->_ws($who)->message($left > 0 ? $left : 0);

        return $self->_miss($text, "got $got after\n" . join "\n", @$all)
            if $got ne 'text';

        push @$all, $payload;

        return $self->_ok(1, $text)
            if $self->_json_matches($who, $payload, $want) && --$n == 0;
    }
}


sub _client_collected {
    my ($self, $who, $rest, $text) = @_;

    my ($n, $regex) = split / +/, $rest, 2;
    my $all = $self->{collected}{$who};
    my $found = grep { /$regex/ } @$all;

    $self->_ok($found == $n, $text, "$found in\n" . join "\n", @$all);
}


sub _client_once {
    my ($self, $who, $rest, $text) = @_;
    $self->_client_once_but($who, "1 $rest", $text);
}


sub _client_once_but {
    my ($self, $who, $rest, $text) = @_;

    my ($but, $n, $regex) = split / +/, $rest, 3;
    my (@bad, $one);

    return $self->_ok(1, "$text: the zone began anew")
        if $but != 1 && $self->_read_log(0) =~ /begins anew/;

    for my $i (1 .. $n) {
        my $this = $regex =~ s/#/$i/gr;
        my $found = grep { /$this/ } @{ $self->{collected}{$who} };

        push @bad, "$i: $found times"
            if $found != 1 && ($found != $but || $one++);
    }

    $self->_ok(!@bad, $text, join "\n", @bad);
}


sub _client_gapless {
    my ($self, $who, $rest, $text) = @_;
    $self->_client_gapless_but($who, 0, $text);
}


sub _client_gapless_but {
    my ($self, $who, $rest, $text) = @_;

    my @bad;

    for (@{ $self->{collected}{$who} }) {
        my ($o) = /"o":(\d+)/ or next;
        my $last = $self->{offset}{$who};

        push @bad, "$o after $last" if defined $last && $o != $last + 1;
        $self->{offset}{$who} = $o;
    }

    $self->_ok(@bad <= $rest, $text,
               join "\n", @bad, @{ $self->{collected}{$who} });
}


package main;

run_tests();

__DATA__

=== TEST 1: each client of the dead one is gone, once
--- ws
watch connect /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
alice connect from=127.0.0.5 apart=watch /ws
alice send {"action":"me","user":"alice","note":{"a":[1,"ü"]}}
alice recv-json {"id":"*"} => alice=id at=at
alice send {"action":"join","room":"one"}
alice recv-json {"joined":"one","count":1}
alice send {"action":"join","room":"both"}
alice recv-json {"joined":"both","count":1}
bob connect with=alice /ws
bob send {"action":"me","user":"bob"}
bob recv-json {"id":"*"} => bob=id
bob send {"action":"join","room":"one"}
bob recv-json {"joined":"one","count":2}
nobody connect with=alice /ws
nobody send {"action":"me"}
nobody recv-json {"id":"*"} => nobody=id
carol connect apart=alice /ws
carol send {"action":"me","user":"carol"}
carol recv-json {"id":"*"} => carol=id
carol send {"action":"join","room":"both"}
carol recv-json {"joined":"both","count":2}
watch send {"action":"mark","mark":"before"}
watch collect {"mark":"before"}
watch gapless
http GET /status => 200 "connections":5,"rooms":3,"users":3,
kill-worker alice
alice recv-eof
bob recv-eof
nobody recv-eof
until http GET /status => 200 "connections":2,"rooms":2,"users":1,
watch send {"action":"mark","mark":"after"}
watch collect {"mark":"after"}
watch gapless
watch collected 3 "code"
watch collected 1 ^\{"gone":"alice","note":\{"a":\[1,"ü"\]\},"id":"${alice}","room":"both","at":${at},"ip":"127\.0\.0\.5","code":1006,"reason":"[^"]+","o":\d+\}$
watch collected 1 ^\{"gone":"bob","id":"${bob}","room":"one","at":\d+,"ip":"127\.0\.0\.1","code":1006,
watch collected 1 ^\{"id":"${nobody}","at":\d+,"ip":"127\.0\.0\.1","code":1006,
watch collected 3 "leave"
watch collected 1 "leave":"one","who":"alice"
watch collected 1 "leave":"one","who":"bob"
watch collected 1 "leave":"one",.*"count":1
watch collected 1 "leave":"one",.*"count":0
watch collected 1 "leave":"both","who":"alice","count":1
watch collected 1 "empty"
watch collected 1 "empty":"one"
http POST /ws/@connections/${alice} x => 410
http GET /ws/@connections/${bob} => 410
http DELETE /ws/@connections/${nobody} => 410
http POST /ws/@connections/${carol} hello => 200
carol recv hello
carol send {"action":"members","room":"both"}
carol recv {"members":["carol"]}
carol send {"action":"say","room":"both","say":"still here"}
carol recv-json {"say":"still here","o":1}
carol send {"action":"join","room":"one"}
carol recv-json {"joined":"one","count":1,"offset":0,"history":[]}
watch send {"action":"to","to":"alice"}
watch send {"action":"to","to":"carol"}
carol recv {"to":"carol"}


=== TEST 2: the others go on, in order and without a gap
--- ws
watch connect /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
alice connect apart=watch /ws
alice send {"action":"join","room":"watch"}
alice collect {"joined":"watch","count":2}
bob connect apart=alice /ws
bob send {"action":"join","room":"watch"}
bob collect {"joined":"watch","count":3}
repeat 20 alice send {"action":"say","room":"watch","say":"alice ${i}"}
repeat 20 watch send {"action":"say","room":"watch","say":"watch ${i}"}
alice recv-until {"say":"alice 19"}
watch send {"action":"say","room":"watch","say":"both"}
watch collect {"say":"both"}
watch gapless
watch collected 20 "say":"alice
watch collected 20 "say":"watch
bob collect {"say":"both"}
bob gapless
kill-worker alice
repeat 200 watch send {"action":"say","room":"watch","say":"watch ${i}"}
watch send {"action":"say","room":"watch","say":"end"}
watch collect {"say":"end"}
watch gapless
watch collected 200 "say":"watch
bob collect {"say":"end"}
bob gapless
bob collected 200 "say":"watch
until http GET /status => 200 "connections":2,"rooms":1,
dave connect apart=watch /ws
dave send {"action":"join","room":"watch"}
dave recv-until {"joined":"watch","count":3}
dave send {"action":"say","room":"watch","say":"dave"}
watch collect {"say":"dave"}
watch gapless
bob collect {"say":"dave"}
bob gapless


=== TEST 3: the one that took the dead one's place serves
--- ws
watch connect worker=1 /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
alice connect worker=3 /ws
alice send {"action":"me","user":"alice"}
alice recv-json {"id":"*"} => dead=id
kill-worker alice
until http GET /status => 200 "connections":1,
until http GET /status => 200 "workers":3,
bob connect worker=3 /ws
bob send {"action":"me","user":"bob"}
bob recv-json {"id":"*"} => bob=id
bob send {"action":"join","room":"watch"}
bob recv-until {"joined":"watch","count":2}
http POST /ws/@connections/${bob} hello => 200
bob recv hello
http POST /ws/@connections/${dead} hello => 410
watch send {"action":"say","room":"watch","say":"to all"}
bob recv-json {"say":"to all"}
bob send {"action":"say","room":"watch","say":"from bob"}
watch collect {"say":"from bob"}
watch gapless
watch collected 1 "gone":"alice"


=== TEST 4: two at the same time
--- ws
watch connect worker=1 /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
many 20 a worker=2 /ws | send {"action":"me","user":"a#."} | recv-json {"id":"*"} | send {"action":"join","room":"r"} | recv-json {"joined":"r"}
many 20 b worker=3 /ws | send {"action":"me","user":"b#."} | recv-json {"id":"*"} | send {"action":"join","room":"r"} | recv-json {"joined":"r"}
watch send {"action":"mark","mark":"before"}
watch collect {"mark":"before"}
watch gapless
http GET /status => 200 "connections":41,"rooms":2,"users":40,
kill-workers a1 b1
until http GET /status => 200 "connections":1,"rooms":1,"users":0,
watch send {"action":"mark","mark":"after"}
watch collect {"mark":"after"}
watch gapless
watch collected 40 "code":1006
watch once 20 "gone":"a#\."
watch once 20 "gone":"b#\."
watch once 20 "leave":"r","who":"a#\."
watch once 20 "leave":"r","who":"b#\."
watch once 39 "leave":"r",.*"count":#,
watch collected 1 "leave":"r",.*"count":0,
watch collected 1 "empty":"r"
until http GET /status => 200 "workers":3,
alice connect apart=watch /ws
alice send {"action":"join","room":"watch"}
alice recv-until {"joined":"watch","count":2}
alice send {"action":"say","room":"watch","say":"alice"}
watch collect {"say":"alice"}
watch gapless


=== TEST 5: the only one: the next sweeps
--- workers: 1
--- disconnect
delay 5s;
--- ws
watch connect /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
many 40 a /ws | send {"action":"me","user":"a#."} | recv-json {"id":"*"} => a#=id | send {"action":"join","room":"r"} | recv-json {"joined":"r"}
http GET /status => 200 "connections":41,"rooms":2,"users":40,
kill-worker watch
a40 recv-eof
watch connect /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
http POST /ws/@connections/${a1} x => 410
until http GET /status => 200 "connections":1,"rooms":1,"users":0,
watch send {"action":"mark","mark":"after"}
watch collect {"mark":"after"}
watch gapless
watch collected 41 "code":1006
watch once 40 "gone":"a#\."
watch once 40 "leave":"r","who":"a#\."
watch once 39 "leave":"r",.*"count":#,
watch collected 1 "leave":"r",.*"count":0,
watch collected 1 "empty":"r"
watch collected 1 "leave":"watch"
watch collected 0 "empty":"watch"
log swept 41 connections of dead workers


=== TEST 6: in the middle of a message that waits
--- ws
watch connect /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
alice connect apart=watch /ws
alice send {"action":"me","user":"alice"}
alice recv-json {"id":"*"}
alice send {"action":"join","room":"r"}
alice recv-json {"joined":"r"}
alice send {"action":"slow"}
alice send {"action":"leave","room":"r"}
watch collect {"slow":"begins"}
watch gapless
kill-worker alice
until http GET /status => 200 "connections":1,"rooms":1,
watch send {"action":"mark","mark":"after"}
watch collect {"mark":"after"}
watch gapless
watch collected 0 "slow"
watch collected 1 "gone":"alice"
watch collected 1 "leave":"r","who":"alice","count":0
watch collected 1 "empty":"r"


=== TEST 7: in the middle of $connect: the client never was there
--- steps
route $connect {
    set   $connection.user early;
    join  lobby;
    delay 60s;
}
--- ws
early open /ws
early write GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
until http GET /status => 200 "connections":1,"rooms":1,"users":1,
kill-worker early
early recv-eof
until http GET /status => 200 "connections":0,"rooms":0,"users":0,


=== TEST 8: the same, seen by one who is there
--- steps
route $connect {
    if ($request.querystring.slow) {
        set   $connection.user early;
        join  lobby;
        delay 60s;
    }
}
--- ws
watch connect /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
early open apart=watch
early write GET /ws?slow=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
watch collect {"join":"lobby"}
kill-worker early
early recv-eof
until http GET /status => 200 "connections":1,"rooms":1,"users":0,
watch send {"action":"mark","mark":"after"}
watch collect {"mark":"after"}
watch gapless
watch collected 1 "leave":"lobby","who":"early","count":0
watch collected 1 "empty":"lobby"
# who was refused by a 4xx has no $disconnect either
watch collected 0 "code"


=== TEST 9: the sweeper is killed while it sweeps
--- disconnect
delay 1s;
--- ws
watch connect worker=1 /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
many 60 a worker=2 /ws | send {"action":"me","user":"a#."} | recv-json {"id":"*"} | send {"action":"join","room":"r"} | recv-json {"joined":"r"}
watch send {"action":"mark","mark":"before"}
watch collect {"mark":"before"}
watch gapless
# it would be the sweeper, or the one who is killed
stop-worker watch
kill-worker a1
kill-sweeper 0.03
cont-worker
until http GET /status => 200 "connections":1,"rooms":1,"users":0,
watch send {"action":"mark","mark":"after"}
watch collect {"mark":"after"}
watch gapless
watch collected 60 "code":1006
watch once 60 "gone":"a#\."
watch once 60 "leave":"r","who":"a#\."
watch once 59 "leave":"r",.*"count":#,
watch collected 1 "leave":"r",.*"count":0,
watch collected 1 "empty":"r"
until http GET /status => 200 "workers":3,


=== TEST 10: in the middle of a hook: an ended room
--- steps
on room_empty {
    send  room=watch '{"begins":"$room","o":"$room.offset"}';
    delay 2s;
    send  room=watch '{"empty":"$room","o":"$room.offset"}';
}
--- ws
watch connect /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
alice connect apart=watch /ws
alice send {"action":"join","room":"one"}
alice recv-json {"joined":"one"}
alice send {"action":"join","room":"two"}
alice recv-json {"joined":"two"}
alice send {"action":"leave","room":"one"}
watch collect {"begins":"one"}
watch gapless
# its name is free
watch send {"action":"join","room":"one"}
watch collect {"joined":"one","count":1}
watch gapless
kill-worker alice
until http GET /status => 200 "connections":1,"rooms":2,
watch recv-until {"empty":"one"}
watch recv-until {"empty":"two"}
watch send {"action":"say","room":"one","say":"another one"}
watch recv-json {"say":"another one","room":"one","o":1}
watch recv-none 2.5


=== TEST 11: who waits for an answer of the dead one gets one
--- ws
alice connect worker=1 /ws
alice send {"action":"me","user":"alice"}
alice recv-json {"id":"*"} => id=id
a open worker=2
b open worker=3
c open worker=3
stop-worker alice
a write POST /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx
b write GET /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\n\r\n
c write DELETE /ws/@connections/${id} HTTP/1.1\r\nHost: localhost\r\n\r\n
sleep 0.2
kill-worker alice
a recv-head 410
b recv-head 410
c recv-head 410
until http GET /status => 200 "connections":0,


=== TEST 12: all that a connection can have
--- steps
max_rooms 100;
route more {
    set $connection.long   $request.body.long;
    set $connection.empty  '';
    set $connection.number 1.10;
    set $connection.null   $request.body.null;
    set $connection.list   $request.body.list;
    reply ok;
}
--- disconnect
send room=watch '{"last":{
    "long":"$connection.long", "empty":"$connection.empty",
    "number":"$connection.number", "null":"$connection.null",
    "list":"$connection.list"}, "o":"$room.offset"}';
--- ws
watch connect /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
alice connect apart=watch /ws User-Agent: ${u*500}
alice send {"action":"me","user":"ü\"${x*100}","note":1.50}
alice recv-json {"id":"*"}
alice send {"action":"more","long":"${y*1500}","null":null,"list":[1.10,1e3,{"b":true}]}
alice recv ok
repeat 100 alice send {"action":"join","room":"room ${i}"}
alice recv-until {"joined":"room 99"}
repeat 100 alice send {"action":"say","room":"room ${i}","say":"${z*900}"}
alice recv-until {"room":"room 99"}
watch send {"action":"mark","mark":"before"}
watch collect {"mark":"before"}
watch gapless
http GET /status => 200 "connections":2,"rooms":101,"users":1,"size":\d+,"free":(?<used>\d+),
alice close 1000
alice recv-close 1000
until http GET /status => 200 "connections":1,"rooms":1,"users":0,"size":\d+,"free":(?<free>(?!${used},)\d+),
watch send {"action":"mark","mark":"closed"}
watch collect {"mark":"closed"}
watch gapless
watch collected 1 ^\{"last":\{"long":"y{1500}","empty":"","number":"?1\.10"?,"null":null,"list":\[1\.10,1e3,\{"b":true\}\]\}
watch collected 1 "note":1\.50,.*"room":"room 99".*"code":1000
watch collected 100 "leave":"room \d+".*"count":0
watch collected 100 "empty":"room \d+"
alice connect apart=watch /ws User-Agent: ${u*500}
alice send {"action":"me","user":"ü\"${x*100}","note":1.50}
alice recv-json {"id":"*"}
alice send {"action":"more","long":"${y*1500}","null":null,"list":[1.10,1e3,{"b":true}]}
alice recv ok
repeat 100 alice send {"action":"join","room":"room ${i}"}
alice recv-until {"joined":"room 99"}
repeat 100 alice send {"action":"say","room":"room ${i}","say":"${z*900}"}
alice recv-until {"room":"room 99"}
watch send {"action":"mark","mark":"before"}
watch collect {"mark":"before"}
watch gapless
kill-worker alice
# not a page more than before
# that all pages come back is shown in t/92-zone.t and t/95-load.t
until http GET /status => 200 "connections":1,"rooms":1,"users":0,
watch send {"action":"mark","mark":"killed"}
watch collect {"mark":"killed"}
watch gapless
watch collected 1 ^\{"last":\{"long":"y{1500}","empty":"","number":"?1\.10"?,"null":null,"list":\[1\.10,1e3,\{"b":true\}\]\}
watch collected 1 "note":1\.50,.*"room":"room 99".*"code":1006
watch collected 100 "leave":"room \d+".*"count":0
watch collected 100 "empty":"room \d+"
watch once 99 "empty":"room #"


=== TEST 13: again and again
--- ws
watch connect worker=1 /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
many 5 a apart=watch /ws | send {"action":"me","user":"a#"} | recv-json {"id":"*"} | send {"action":"join","room":"r"} | recv-json {"joined":"r"}
kill-workers a1 a2 a3 a4 a5
many 5 b apart=watch /ws | send {"action":"me","user":"b#"} | recv-json {"id":"*"} | send {"action":"join","room":"r"} | recv-json {"joined":"r"}
kill-workers b1 b2 b3 b4 b5
many 5 c apart=watch /ws | send {"action":"me","user":"c#"} | recv-json {"id":"*"} | send {"action":"join","room":"r"} | recv-json {"joined":"r"}
kill-workers c1 c2 c3 c4 c5
many 5 d apart=watch /ws | send {"action":"me","user":"d#"} | recv-json {"id":"*"} | send {"action":"join","room":"r"} | recv-json {"joined":"r"}
kill-workers d1 d2 d3 d4 d5
until http GET /status => 200 "connections":1,"rooms":1,"users":0,
watch send {"action":"mark","mark":"after"}
watch collect {"mark":"after"}
watch gapless
watch collected 20 "code":1006
watch once 5 "gone":"a#"
watch once 5 "gone":"b#"
watch once 5 "gone":"c#"
watch once 5 "gone":"d#"
watch collected 20 "leave":"r"
until http GET /status => 200 "workers":3,


=== TEST 14: a user who is also elsewhere
--- ws
watch connect worker=1 /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
phone connect worker=2 /ws
phone send {"action":"me","user":"alice"}
phone recv-json {"id":"*"}
desk connect worker=3 /ws
desk send {"action":"me","user":"alice"}
desk recv-json {"id":"*"}
http GET /status => 200 "users":1,
watch send {"action":"to","to":"alice"}
phone recv {"to":"alice"}
desk recv {"to":"alice"}
kill-worker phone
watch send {"action":"to","to":"alice"}
desk recv {"to":"alice"}
until http GET /status => 200 "connections":2,"rooms":1,"users":1,
watch send {"action":"to","to":"alice"}
desk recv {"to":"alice"}
kill-worker desk
watch send {"action":"to","to":"alice"}
until http GET /status => 200 "connections":1,"rooms":1,"users":0,
watch send {"action":"mark","mark":"after"}
watch collect {"mark":"after"}
watch collected 2 "gone":"alice"


=== TEST 15: one that only stops for a while is not swept
--- ws
watch connect /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
alice connect apart=watch /ws
alice send {"action":"me","user":"alice"}
alice recv-json {"id":"*"}
alice send {"action":"join","room":"watch"}
alice collect {"joined":"watch"}
stop-worker alice
repeat 1000 watch send {"action":"mark","mark":"${i}"}
watch collect {"mark":"999"}
sleep 2.5
cont-worker
alice collect {"mark":"999"}
alice gapless
alice collected 1000 "mark"
alice send {"action":"mark","mark":"alice"}
watch collect {"mark":"alice"}
watch gapless
watch collected 0 "gone"
http GET /status => 200 "connections":2,"rooms":1,"users":1,
# and one that is killed then
stop-worker alice
repeat 1000 watch send {"action":"mark","mark":"${i}"}
kill-worker alice
until http GET /status => 200 "connections":1,"rooms":1,"users":0,
watch send {"action":"mark","mark":"after"}
watch collect {"mark":"after"}
watch gapless
watch collected 1 "gone":"alice"


=== TEST 16: the sweeper is killed at any moment
--- ws
watch connect worker=1 /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
many 80 a worker=2 /ws | send {"action":"me","user":"a#."} | recv-json {"id":"*"} | send {"action":"join","room":"r"} | recv-json {"joined":"r"}
stop-worker watch
kill-worker a1
kill-sweeper
cont-worker
until http GET /status => 200 "connections":1,"rooms":1,"users":0,
watch send {"action":"mark","mark":"after"}
watch collect {"mark":"after"}
# a message may have had its number only
watch gapless-but 1
# the one that it was at: all of it is done again, but what had been left is left
watch once-but 2 80 "gone":"a#\."
watch once-but 0 80 "leave":"r","who":"a#\."
watch once-but 2 1 "empty":"r"


=== TEST 17: what the sweeper was done with is not done again by the next one
--- steps
on room_empty {
    delay 2s;
    send  room=watch '{"empty":"$room","o":"$room.offset"}';
}
--- ws
watch connect worker=1 /ws
watch send {"action":"join","room":"watch"}
watch collect {"joined":"watch"}
many 20 a worker=2 /ws | send {"action":"me","user":"a#."} | recv-json {"id":"*"} | send {"action":"join","room":"r#."} | recv-json {"joined":"r#."}
stop-worker watch
kill-worker a1
# $disconnect and member_leave are over, room_empty is not
kill-sweeper 0.5
cont-worker
until http GET /status => 200 "connections":1,"rooms":1,"users":0,
watch collect 20 {"empty":"*"}
watch gapless
watch once 20 "gone":"a#\."
watch once 20 "leave":"r#\.","who":"a#\."
watch once 20 "empty":"r#\."
watch recv-none 3
