# Reload, graceful stop and binary upgrade: clients are told to go, not all at
# once, meanwhile both generations talk to each other, and nothing is left.
#
# What happened to clients is said in the room "watch", which stores it.

use strict;
use warnings;

use lib 't/lib';

use Test::More;
use JSON::PP ();
use Time::HiRes qw(time sleep);

use WSNginx;
use WSFleet;

my $scale = $WSNginx::scale;

my $locations = <<'END';
location /ws { wschat chat; }
location /ws/@connections/ { wschat_connections chat; }
END


sub http {
    my (%arg) = @_;

    my $steps = $arg{steps} // '';
    my $zone = $arg{zone} // '8m';
    my $more = $arg{more} // '';
    my $disconnect = $arg{disconnect} // '';

    return <<"END";
wschat_zone chat $zone;
wschat_drain $arg{drain};
$more
wschat_api chat {
    history 2000 1h;

    route me {
        set   \$connection.user \$request.body.user;
        reply '{"id":"\$context.connectionId"}';
    }

    route join {
        join  \$request.body.room  history=2000;
        reply '{
            "joined": "\$room", "offset": "\$room.offset",
            "epoch": "\$room.epoch", "count": "\$room.count",
            "history": "\$room.history"
        }';
    }

    route say {
        send room=\$request.body.room store '{
            "say": "\$request.body.say", "room": "\$request.body.room",
            "o": "\$room.offset"
        }';
    }

    route to {
        send user=\$request.body.to '{
            "to": "\$request.body.to", "n": "\$request.body.n"
        }';
    }

    route ping { reply '{"pong":"\$request.body.n"}'; }

    route \$disconnect {
        $disconnect
        send room=watch store '{
            "gone": "\$connection.user",
            "code": "\$context.disconnectStatusCode", "o": "\$room.offset"
        }';
    }

    on room_empty {
        send room=watch store '{"empty":"\$room","o":"\$room.offset"}';
    }

    $steps
}
END
}


# a client that keeps what it gets, by kind

sub client {
    my ($fleet, %arg) = @_;

    my $c = $fleet->add($arg{path} // '/ws', %arg, all => [], text => sub {
        my ($c, $text) = @_;

        my $m = eval { JSON::PP::decode_json($text) } // { text => $text };

        push @{ $c->{all} }, $m;
        $c->{joined}{ $m->{joined} } = $m if $m->{joined};
        $c->{id} = $m->{id} if $m->{id};
    }) or return;

    ask($fleet, $c, action => 'me', user => $arg{user}) if $arg{user};

    for (@{ $arg{rooms} // [] }) {
        ask($fleet, $c, action => 'join', room => $_);
    }

    return $c;
}


sub ask {
    my ($fleet, $c, %message) = @_;
    $fleet->text($c, JSON::PP::encode_json(\%message));
}


sub clients {
    my ($fleet, $n, %arg) = @_;
    return map { client($fleet, %arg, user => "$arg{user}$_") } 1 .. $n;
}


# all have their id and are in their rooms

sub settled {
    my ($fleet, @clients) = @_;

    return $fleet->run(20 * $scale, sub {
        !grep {
            my $c = $_;
            !$c->{eof} && ($c->{user} && !$c->{id}
                           || grep { !$c->{joined}{$_} } @{ $c->{rooms} })
        } @clients;
    });
}


sub ended {
    my ($fleet, $seconds, @clients) = @_;
    return $fleet->run($seconds * $scale, sub { !grep { !$_->{eof} } @clients });
}


# messages of a room: what the history of "join" had, and what came then; each
# has an offset, which must count by one

sub story {
    my ($c, $room) = @_;

    my (@story, @bad, $last);
    my $member = 0;

    for my $m (@{ $c->{all} }) {

        if ($m->{joined} && $m->{joined} eq $room) {
            push @story, @{ $m->{history} };
            $last = $m->{offset};
            $member = 1;
            next;
        }

        next unless $m->{o}
                    && ($room eq 'watch' ? !$m->{room} || $m->{room} eq 'watch'
                                         : ($m->{room} // '') eq $room);

        push @bad, "$m->{o} after $last" if defined $last && $m->{o} != $last + 1;
        push @bad, "$m->{o} before the answer to join" if !$member;

        $last = $m->{o};
        push @story, $m;
    }

    my $before;

    for (@story) {
        push @bad, "$_->{o} after $before in the story"
            if defined $before && $_->{o} != $before + 1;
        $before = $_->{o};
    }

    return (\@story, join ', ', @bad);
}


# who is gone, as the watcher tells it: each once, with this code

sub check_gone {
    my ($name, $watch, $code, @clients) = @_;

    my ($story, $bad) = story($watch, 'watch');
    my (%gone, %code);

    is($bad, '', "$name: the watcher has no gap");

    for (@$story) {
        next unless exists $_->{gone};
        $gone{ $_->{gone} }++;
        $code{ $_->{gone} } = $_->{code};
    }

    my @wrong = map { "$_->{user}: " . ($gone{ $_->{user} } // 0) . ' times' }
                grep { ($gone{ $_->{user} } // 0) != 1 } @clients;

    is("@wrong", '', "$name: \$disconnect of each, once");

    @wrong = map { "$_->{user}: $code{$_->{user}}" }
             grep { $code{ $_->{user} } && $code{ $_->{user} } !~ /^$code$/ }
             @clients;

    is("@wrong", '', "$name: with code $code");

    return $story;
}


# all that was said up to now has come to the watcher

sub mark {
    my ($fleet, $watch) = @_;

    my $mark = 'mark ' . ++$watch->{marks};

    ask($fleet, $watch, action => 'say', room => 'watch', say => $mark);

    return $fleet->run(20 * $scale, sub {
        grep { ($_->{say} // '') eq $mark } @{ $watch->{all} };
    });
}


sub zone_is {
    my ($name, $nginx, %want) = @_;

    my $got;

    WSNginx::wait_for(sub {
        $got = $nginx->status->{zones}{chat};
        return !grep { $got->{$_} != $want{$_} } keys %want;
    });

    is_deeply({ map { $_ => $got->{$_} } keys %want }, \%want,
              "$name: what the zone has");
}


# the old workers are gone and nginx has nothing to complain about

sub clean {
    my ($name, $nginx, $seconds, @old) = @_;

    ok($nginx->gone($seconds, @old), "$name: the old workers are gone");
    is($nginx->grave(qr/exited on signal 9/), '', "$name: no alert");
}


sub going_away {
    my ($name, @clients) = @_;

    my @wrong = map { ($_->{user} // '?') . ": [" . ($_->{close} // 'nothing')
                      . ']' }
                grep { ($_->{close} // '') ne '1001 Going away' } @clients;

    is("@wrong", '', "$name: all are told 1001 Going away");

    @wrong = map { $_->{user} } grep { !$_->{eof} } @clients;

    is("@wrong", '', "$name: and are closed");
}


# ---- a reload while all talk

{
    my $name = 'reload';
    my $drain = 4;

    my $nginx = WSNginx->new(http => http(drain => "${drain}s"),
                             server => $locations);
    my $fleet = WSFleet->new(port => $nginx->{port});

    my @old = clients($fleet, 60, user => 'old', rooms => ['watch', 'r']);

    ok(settled($fleet, @old), "$name: before") or diag $nginx->log;

    my $epoch = $old[0]{joined}{r}{epoch};

    ask($fleet, $_, action => 'say', room => 'r', say => "$_->{user}") for @old;

    $fleet->run(20 * $scale, sub {
        60 == grep { defined $_->{say} } @{ $old[0]{all} };
    });

    my $started = time;
    my @workers = $nginx->reload;

    my @new = clients($fleet, 4, user => 'new', rooms => ['watch', 'r']);

    ok(settled($fleet, @new), "$name: new ones are in the same rooms");

    is_deeply([map { $_->{joined}{r}{epoch} } @new], [($epoch) x 4],
              "$name: the room goes on");
    is(scalar(@{ $new[0]{joined}{r}{history} }),
       $new[0]{joined}{r}{offset}, "$name: with its history");

    # all chat, are written to, posted to

    my (@posts, @notes, $n);
    my $deadline = time + 30 * $scale;

    while (grep { !$_->{eof} } @old and time < $deadline) {
        $n++;

        for (@old, @new) {
            next if $_->{eof} || $_->{close} || rand > 0.2;
            ask($fleet, $_, action => 'say', room => 'r',
                 say => "$_->{user} $n");
        }

        my $to = $old[rand @old];

        my ($code) = $nginx->http('POST', "/ws/\@connections/$to->{id}",
                                  qq({"post":$n}));
        push @posts, [$to, $n, $code];

        $to = $old[rand @old];
        ask($fleet, $new[rand @new], action => 'to', to => $to->{user},
             n => $n);
        push @notes, [$to, $n, time];

        $fleet->run(0.1);
    }

    going_away($name, @old);

    my @times = sort { $a <=> $b } map { $_->{closed} // 0 } @old;
    my ($most, $i) = (0, 0);

    for my $j (0 .. $#times) {
        $i++ while $times[$j] - $times[$i] > $drain / 4;
        $most = $j - $i + 1 if $j - $i + 1 > $most;
    }

    cmp_ok($times[-1] - $started, '<', $drain + 5 * $scale,
           "$name: none later than the drain");
    cmp_ok($most, '<', 45, "$name: spread");
    cmp_ok($times[-1] - $times[0], '>', $drain / 2, "$name: over all of it");

    ok(mark($fleet, $new[0]), "$name: the new ones go on");

    # a message of "r" comes after all that was said there

    ask($fleet, $new[0], action => 'say', room => 'r', say => 'last');
    ok($fleet->run(20 * $scale, sub {
        @new == grep { grep { ($_->{say} // '') eq 'last' } @{ $_->{all} } } @new
    }), "$name: in the room, too");

    check_gone($name, $new[0], 1001, @old);

    my ($first) = story($new[0], 'r');
    my @bad;

    for (@old, @new) {
        my ($story, $bad) = story($_, 'r');

        push @bad, "$_->{user}: $bad" if $bad;

        # each one's part of the story is the same as in the story of all

        my $at = $story->[0]{o} - 1;

        for (@$story) {
            my $m = $first->[$at++];
            next if $m && $m->{o} == $_->{o} && $m->{say} eq $_->{say};
            push @bad, "$_->{o} is not the same for all";
            last;
        }
    }

    is("@bad", '', "$name: both generations have the same story, no gap");

    my $from_old = grep { $_->{say} =~ /^old\d+ \d/ } @$first;
    cmp_ok($from_old, '>', 20, "$name: in which the old ones talk to the end");

    @bad = ();

    for (@posts) {
        my ($c, $n, $code) = @$_;

        my $found = grep { ($_->{post} // 0) == $n } @{ $c->{all} };
        my $want = $code eq '200' ? 1 : 0;

        push @bad, "$n: $code and $found times"
            if $found != $want || $code !~ /^(?:200|410)$/;
    }

    is("@bad", '', "$name: \@connections finds who is there, and only them");
    cmp_ok(scalar(grep { $_->[2] eq '200' } @posts), '>', 5,
           "$name: of the old ones, too");

    @bad = ();

    for (@notes) {
        my ($c, $n, $time) = @$_;
        my $found = grep { $_->{to} && $_->{n} == $n } @{ $c->{all} };

        push @bad, "$n: $found times"
            if $found > 1
               || !$found && ($c->{closed} // 0) > $time + $scale;
    }

    is("@bad", '', "$name: users are found");

    clean($name, $nginx, 20, @workers);
    zone_is($name, $nginx, connections => 4, rooms => 2, users => 4);
}


# ---- worker_shutdown_timeout is over before the drain

{
    my $name = 'worker_shutdown_timeout';

    my $nginx = WSNginx->new(http => http(drain => '55s'),
                             server => $locations,
                             main => 'worker_shutdown_timeout 2s;');
    my $fleet = WSFleet->new(port => $nginx->{port});

    my @old = clients($fleet, 30, user => 'old', rooms => ['watch', 'r']);

    # who does not answer is not waited for

    push @old, client($fleet, user => 'silent', rooms => ['watch'],
                      silent => 1);

    ok(settled($fleet, @old), "$name: before") or diag $nginx->log;

    my @workers = $nginx->reload;
    my ($watch) = clients($fleet, 1, user => 'new', rooms => ['watch', 'r']);

    ok(settled($fleet, $watch), "$name: after") or diag $nginx->log;

    ok(ended($fleet, 20, @old), "$name: all have to go");
    going_away($name, @old);
    clean($name, $nginx, 10, @workers);
    zone_is($name, $nginx, connections => 1, rooms => 2, users => 1);
    ok(mark($fleet, $watch), "$name: the new one goes on");
    check_gone($name, $watch, 1001, @old);
}


# ---- messages that wait, and $disconnect that waits

for my $close (1, 55) {
    my $name = "delay, close_timeout ${close}s";

    # clients answer at once, so there is no close_timeout to be waited for

    my $nginx = WSNginx->new(
        http => http(drain => '1s', steps => <<"END",
close_timeout ${close}s;
route slow {
    send  room=watch store '{"begins":"\$connection.user","o":"\$room.offset"}';
    delay 4s;
    reply '{"late":"yes"}';
    send  room=watch store '{"ends":"\$connection.user","o":"\$room.offset"}';
}
END
                     disconnect => <<'END'), server => $locations);
send  room=watch store '{"going":"$connection.user","o":"$room.offset"}';
delay 2s;
END
    my $fleet = WSFleet->new(port => $nginx->{port});

    my @old = clients($fleet, 10, user => 'old', rooms => ['watch', 'r']);

    ok(settled($fleet, @old), "$name: before") or diag $nginx->log;

    ask($fleet, $_, action => 'slow') for @old[0 .. 4];

    ok($fleet->run(20 * $scale, sub {
        5 == grep { $_->{begins} } @{ $old[0]{all} }
    }), "$name: some wait");

    my @workers = $nginx->reload;
    my ($watch) = clients($fleet, 1, user => 'new', rooms => ['watch', 'r']);

    ok(settled($fleet, $watch), "$name: after") or diag $nginx->log;
    ok(ended($fleet, 20, @old), "$name: the clients go");
    going_away($name, @old);
    clean($name, $nginx, 20, @workers);
    zone_is($name, $nginx, connections => 1, rooms => 2, users => 1);
    ok(mark($fleet, $watch), "$name: the new one goes on");

    my $story = check_gone($name, $watch, 1001, @old);
    my (%seen, @bad);

    for (@$story) {
        $seen{"ends $_->{ends}"}++ if $_->{ends};
        $seen{"going $_->{going}"}++ if $_->{going};

        push @bad, $_->{gone} if $_->{gone} && !$seen{"going $_->{gone}"};
        push @bad, $_->{going} if $_->{going} && $_->{going} =~ /^old[1-5]$/
                                  && !$seen{"ends $_->{going}"};
    }

    is(join(' ', map { $_->{user} }
                 grep { ($seen{"ends $_->{user}"} // 0) != 1 } @old[0 .. 4]),
       '', "$name: messages are worked on to the end");
    is(join(' ', map { $_->{user} }
                 grep { ($seen{"going $_->{user}"} // 0) != 1 } @old),
       '', "$name: no step of \$disconnect is done twice");
    is("@bad", '', "$name: and it comes after the message");
}


# ---- the same, without so much time

{
    my $name = 'delay and worker_shutdown_timeout';

    my $nginx = WSNginx->new(
        main => 'worker_shutdown_timeout 1s;',
        http => http(drain => '1s', disconnect => 'delay 2s;',
                     steps => <<'END'), server => $locations);
route slow {
    send  room=watch store '{"begins":"$connection.user","o":"$room.offset"}';
    delay 50s;
    send  room=watch store '{"ends":"$connection.user","o":"$room.offset"}';
}
END
    my $fleet = WSFleet->new(port => $nginx->{port});

    my @old = clients($fleet, 6, user => 'old', rooms => ['watch', 'r']);

    ok(settled($fleet, @old), "$name: before") or diag $nginx->log;

    ask($fleet, $_, action => 'slow') for @old[0 .. 2];

    ok($fleet->run(20 * $scale, sub {
        3 == grep { $_->{begins} } @{ $old[0]{all} }
    }), "$name: some wait");

    my @workers = $nginx->reload;
    my ($watch) = clients($fleet, 1, user => 'new', rooms => ['watch', 'r']);

    ok(settled($fleet, $watch), "$name: after") or diag $nginx->log;
    ok(ended($fleet, 20, @old), "$name: the clients go");
    clean($name, $nginx, 20, @workers);
    zone_is($name, $nginx, connections => 1, rooms => 2, users => 1);
    ok(mark($fleet, $watch), "$name: the new one goes on");
    check_gone($name, $watch, qr/1001|1006/, @old);
}


# ---- handshakes that are under way

for my $others (0, 3) {
    my $name = "handshake, $others others";

    my $nginx = WSNginx->new(
        http => http(drain => '1s', steps => <<'END'), server => $locations);
route $connect {
    if ($request.querystring.slow) {
        set   $connection.user early;
        join  lobby;
        delay 3s;
    }
}
END
    my $fleet = WSFleet->new(port => $nginx->{port});
    my @old = clients($fleet, $others, user => 'old', rooms => ['watch']);

    ok(settled($fleet, @old), "$name: before") or diag $nginx->log;

    my $head = " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
               . "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    my @early = map {
        WSClient->new(host => '127.0.0.1', port => $nginx->{port},
                      timeout => 20 * $scale)
    } 1 .. 8;

    $_->write("GET /ws?slow=1$head") for @early[0 .. 3];
    $_->write("GET /ws HTTP/1.1\r\nHost: local") for @early[4 .. 7];

    ok(WSNginx::wait_for(sub {
        $nginx->status->{zones}{chat}{connections} == $others + 4
    }), "$name: they wait");

    my @workers = $nginx->reload;

    $_->write(substr $head, 22) for @early[4 .. 7];

    # an answer, any, and an end; in time

    my @bad;

    for (0 .. 7) {
        my $ws = $early[$_];
        my $status = $ws->read_head;

        next if $status eq 'eof';

        if ($status ne '101') {
            push @bad, "$_: $status" if $status !~ /^(?:4|5)\d\d$/;
            next;
        }

        my ($type, $payload) = $ws->message;

        if ($type ne 'close' || $payload ne '1001 Going away') {
            push @bad, "$_: $type $payload";
            next;
        }

        $ws->frame(8, pack 'n', 1001);
        ($type, $payload) = $ws->message;
        push @bad, "$_: then $type $payload" if $type ne 'eof';
    }

    is("@bad", '', "$name: they have an end");
    ended($fleet, 20, @old);
    clean($name, $nginx, 10, @workers);
    zone_is($name, $nginx, connections => 0, rooms => 0, users => 0);
}


# ---- those who do not answer, or not even read

{
    my $name = 'silence';

    my $nginx = WSNginx->new(
        http => http(drain => '1s', steps => <<'END'), server => $locations);
close_timeout 2s;
route much { reply '$request.body.much'; }
END
    my $fleet = WSFleet->new(port => $nginx->{port});

    my @old = clients($fleet, 4, user => 'old', rooms => ['watch']);
    my @silent = clients($fleet, 4, user => 'silent', rooms => ['watch'],
                         silent => 1);

    ok(settled($fleet, @old, @silent), "$name: before") or diag $nginx->log;

    my @deaf = map {
        WSClient->new(host => '127.0.0.1', port => $nginx->{port},
                      rcvbuf => 4096, timeout => 1)
    } 1 .. 4;

    my $much = JSON::PP::encode_json({ action => 'much', much => 'x' x 30000 });

    for my $ws (@deaf) {
        is($ws->handshake('/ws'), '101', "$name: a deaf one");
        $ws->frame(1, $much) for 1 .. 30;
    }

    my @workers = $nginx->reload;
    my ($watch) = clients($fleet, 1, user => 'new', rooms => ['watch']);

    ok(settled($fleet, $watch), "$name: after") or diag $nginx->log;
    ok(ended($fleet, 20, @old, @silent), "$name: all are closed");
    going_away($name, @old, @silent);
    clean($name, $nginx, 20, @workers);
    zone_is($name, $nginx, connections => 1, rooms => 1, users => 1);
    ok(mark($fleet, $watch), "$name: the new one goes on");
    check_gone($name, $watch, 1001, @old, @silent);
}


# ---- another api, and one less

{
    my $name = 'another api';

    my $other = <<'END';
wschat_zone other 4m;
wschat_api other {
    route $connect { join x; }
    route hello { reply hello; }
    route say { send room=x '{"say":"$request.body.say"}'; }
    on room_empty { delay 1s; send room=x never; }
}
END
    my $nginx = WSNginx->new(
        http => http(drain => '3s', more => $other,
                     steps => q(route who { reply '{"who":"old"}'; })),
        server => "$locations location /other { wschat other; }");

    my $fleet = WSFleet->new(port => $nginx->{port});

    my @old = clients($fleet, 10, user => 'old', rooms => ['watch']);
    my @other = map { client($fleet, path => '/other') } 1 .. 10;

    ok(settled($fleet, @old), "$name: before") or diag $nginx->log;
    is(scalar(@other), 10, "$name: the other, too");

    my @workers = $nginx->reload(server => $locations, http => http(
        drain => '3s', steps => <<'END'));
route who { reply '{"who":"new"}'; }
route more { reply '{"more":"new"}'; }
END

    my ($watch) = clients($fleet, 1, user => 'new', rooms => ['watch']);

    ok(settled($fleet, $watch), "$name: after") or diag $nginx->log;
    ok(!$fleet->add('/other'), "$name: is not there any more");

    # who still is there has the routes that he came for

    my @asked = grep { !$_->{close} && !$_->{eof} } @old;

    for (@asked, $watch) {
        ask($fleet, $_, action => 'who');
        ask($fleet, $_, action => 'more');
    }

    my @talkers = grep { !$_->{close} && !$_->{eof} } @other;

    ask($fleet, $_, action => 'say', say => 'bye') for @talkers;

    ok(ended($fleet, 20, @old, @other), "$name: the old ones go");
    ok(mark($fleet, $watch), "$name: the new one goes on");

    my %got;
    $got{ ($_->{who} // '') . ($_->{more} // '') }++ for @{ $watch->{all} };

    is($got{new}, 2, "$name: the new one has new routes");

    my @bad = map { $_->{user} }
              grep { grep { $_->{more} || ($_->{who} // '') eq 'new' }
                          @{ $_->{all} } } @asked;

    is("@bad", '', "$name: old ones have old routes");

    going_away($name, @old);
    check_gone($name, $watch, 1001, @old);
    clean($name, $nginx, 20, @workers);

    # and back again

    @workers = $nginx->reload(
        http => http(drain => '1s', more => $other),
        server => "$locations location /other { wschat other; }");

    my $c = client($fleet, path => '/other');

    ok($c, "$name: is there again");
    ask($fleet, $c, action => 'hello');
    ok($fleet->run(20 * $scale, sub { grep { $_->{text} } @{ $c->{all} } }),
       "$name: and answers");
    is($nginx->status->{zones}{other}{connections}, 1,
       "$name: with a zone that has nobody else");

    ok(ended($fleet, 20, $watch), "$name: this one goes, too");
    clean($name, $nginx, 20, @workers);
}


# ---- a zone of another size is another zone

{
    my $name = 'another zone';

    my $nginx = WSNginx->new(http => http(drain => '4s'),
                             server => $locations);
    my $fleet = WSFleet->new(port => $nginx->{port});

    my @old = clients($fleet, 20, user => 'old', rooms => ['watch', 'r']);

    ok(settled($fleet, @old), "$name: before") or diag $nginx->log;

    ask($fleet, $_, action => 'say', room => 'r', say => 'old') for @old;
    $fleet->run(20 * $scale, sub {
        20 == grep { defined $_->{say} } @{ $old[19]{all} };
    });

    my @workers = $nginx->reload(http => http(drain => '4s', zone => '9m'));
    my @new = clients($fleet, 4, user => 'new', rooms => ['watch', 'r']);

    ok(settled($fleet, @new), "$name: after") or diag $nginx->log;
    cmp_ok($new[0]{joined}{r}{epoch}, '!=', $old[0]{joined}{r}{epoch},
           "$name: another room");
    is_deeply($new[0]{joined}{r}{history}, [], "$name: without a history");

    # both talk in rooms of the same name, and do not hear each other; users
    # are not rooms: who is called so is found everywhere

    my $deadline = time + 30 * $scale;

    while (grep { !$_->{eof} } @old and time < $deadline) {
        for (@old, @new) {
            next if $_->{eof} || $_->{close};
            ask($fleet, $_, action => 'say', room => 'r',
                 say => "by $_->{user}");
        }

        $fleet->run(0.1);
    }

    going_away($name, @old);
    ok(mark($fleet, $new[0]), "$name: the new ones go on");

    my @bad;

    for (@old, @new) {
        my ($story, $bad) = story($_, 'r');
        my $not = $_->{user} =~ /old/ ? 'by new' : 'by old';

        push @bad, "$_->{user}: $bad" if $bad;
        push @bad, "$_->{user} hears the others"
            if grep { $_->{say} =~ $not } @$story;
    }

    is("@bad", '', "$name: each has the story of its room, no gap");

    clean($name, $nginx, 20, @workers);
    zone_is($name, $nginx, connections => 4, rooms => 2, users => 4);
}


# ---- a worker that is killed while it waits for its clients to go

for my $zone ('8m', '9m') {
    my $name = "killed, zone of $zone";

    # what happens in the old zone nobody of the new one sees, but a step that
    # fails is logged

    my $fails = 'set $a "$connection.user ' . 'x' x 1000 . '";'
                . ' set $b "$a$a$a$a$a$a$a$a";';

    my %arg = (drain => '30s', disconnect => $fails,
               steps => "max_body 4k; on member_leave { $fails }");

    my $nginx = WSNginx->new(http => http(%arg, zone => '8m'),
                             server => $locations);
    my $fleet = WSFleet->new(port => $nginx->{port});

    my @old = clients($fleet, 20, user => 'old', rooms => ['watch', 'r']);

    ok(settled($fleet, @old), "$name: before") or diag $nginx->log;

    my @workers = $nginx->reload(http => http(%arg, zone => $zone));

    kill 'KILL', $workers[0];

    my ($watch) = clients($fleet, 1, user => 'new', rooms => ['watch', 'r']);

    ok(settled($fleet, $watch), "$name: after") or diag $nginx->log;

    # each $disconnect has a step that fails, and so says the client's id

    $fleet->run(20 * $scale, sub {
        my %ids = $nginx->log =~ /step "set".*connection: (\S+)()/g;
        my @dead = grep { $_->{eof} && !$_->{close} } @old;

        return @dead && !grep { !exists $ids{ $_->{id} } } @dead;
    });

    my @dead = grep { $_->{eof} && !$_->{close} } @old;
    cmp_ok(scalar(@dead), '>', 0, "$name: some had no good-bye");

    my %count;
    $count{$_}++ for $nginx->log
                     =~ /"\$disconnect": .*step "set".*connection: (\S+)/g;

    # $disconnect itself and member_leave of two rooms

    my @bad = map { "$_->{user}: " . ($count{ $_->{id} } // 0) }
              grep { ($count{ $_->{id} } // 0) != 3 } @dead;

    is("@bad", '', "$name: \$disconnect and the hooks of each, once");

    kill 'KILL', $workers[1];
    ok(ended($fleet, 20, @old), "$name: both");
    clean($name, $nginx, 20, @workers);
    zone_is($name, $nginx, connections => 1, rooms => 2, users => 1);
    ok(mark($fleet, $watch), "$name: the new one goes on");
}


# ---- several reloads

{
    my $name = 'several';

    my $nginx = WSNginx->new(http => http(drain => '3s'),
                             server => $locations);
    my $fleet = WSFleet->new(port => $nginx->{port});
    my $fds = $nginx->fds;

    my (@old, @workers);
    my @fds;

    for my $i (1 .. 5) {
        push @old, clients($fleet, 10, user => "old$i.", rooms => ['watch']);
        ok(settled($fleet, @old), "$name: before $i") or diag $nginx->log;

        push @workers, $nginx->reload;
        $fleet->run(0.1);
    }

    my ($watch) = clients($fleet, 1, user => 'new', rooms => ['watch']);

    ok(settled($fleet, $watch), "$name: after") or diag $nginx->log;
    ok(ended($fleet, 20, @old), "$name: all go");
    going_away($name, @old);
    ok(mark($fleet, $watch), "$name: the new one goes on");
    check_gone($name, $watch, 1001, @old);
    clean($name, $nginx, 20, @workers);
    zone_is($name, $nginx, connections => 1, rooms => 1, users => 1);
    is($nginx->status->{bus}{workers}, 2, "$name: two are on the bus");
    push @fds, $nginx->fds;

    # none is waited for

    for (1 .. 5) {
        $nginx->signal('HUP');
        sleep 0.02;
    }

    ok(ended($fleet, 20, $watch), "$name: at once: it goes");

    ok(WSNginx::wait_for(sub {
        my $s = $nginx->status;
        return $nginx->workers('all') == 2 && $s && $s->{bus}{workers} == 2;
    }), "$name: at once: two workers are left") or diag join ' ',
                                                    $nginx->workers('all');
    push @fds, $nginx->fds;

    # another bus each time, and none

    for my $ring ('128k', '1m', undef, '256k') {
        @workers = $nginx->reload(
            $ring ? (http => http(drain => '1s', more => "wschat_bus ring=$ring;"),
                     server => $locations)
                  : (http => '', server => 'location = /x { return 204; }'));

        if ($ring) {
            my @c = clients($fleet, 6, user => 'c', rooms => ['watch']);

            ok(settled($fleet, @c), "$name: ring $ring") or diag $nginx->log;
            ok(mark($fleet, $c[0]), "$name: ring $ring: it carries");
            is($nginx->status->{bus}{workers}, 2, "$name: ring $ring: two");
        }

        clean("$name, another bus", $nginx, 20, @workers);
        push @fds, $nginx->fds if $ring;
    }

    is("@fds", join(' ', ($fds) x @fds), "$name: the master's descriptors");
}


# ---- a configuration that is wrong

{
    my $name = 'wrong';

    my $nginx = WSNginx->new(http => http(drain => '1s'),
                             server => $locations);
    my $fleet = WSFleet->new(port => $nginx->{port});

    my @c = clients($fleet, 6, user => 'c', rooms => ['watch']);
    ok(settled($fleet, @c), "$name: before") or diag $nginx->log;

    my @workers = $nginx->workers;
    my $fds = $nginx->fds;

    for ('route broken { no such step; }', 'route $connect {') {
        $nginx->configure(http => http(drain => '1s', steps => $_));
        $nginx->signal('HUP');

        my $n = () = $nginx->log =~ /\[emerg\]/g;
        WSNginx::wait_for(sub {
            my $now = () = $nginx->log =~ /\[emerg\]/g;
            return $now > $n;
        }, 5);
    }

    ok(mark($fleet, $c[0]), "$name: all go on");
    is_deeply([$nginx->workers], \@workers, "$name: the same workers");
    is($nginx->fds, $fds, "$name: the master's descriptors");
    is(scalar(grep { $_->{close} } @c), 0, "$name: nobody has to go");

    $nginx->reload(http => http(drain => '1s'));
    ok(ended($fleet, 20, @c), "$name: and then it is right");
    ok($nginx->gone(20, @workers), "$name: and the old workers are gone");
}


# ---- QUIT

{
    my $name = 'QUIT';

    my $nginx = WSNginx->new(http => http(drain => '2s'),
                             server => $locations);
    my $fleet = WSFleet->new(port => $nginx->{port});

    my @c = clients($fleet, 30, user => 'c', rooms => ['watch', 'r']);
    ok(settled($fleet, @c), "$name: before") or diag $nginx->log;

    my $master = $nginx->pid;

    $nginx->signal('QUIT');

    ok(ended($fleet, 20, @c), "$name: all go");
    going_away($name, @c);
    ok(WSNginx::wait_for(sub { WSNginx::ended($master) }), "$name: nginx ends");
    is($nginx->grave, '', "$name: no alert");
}


# ---- a new binary

{
    my $name = 'USR2';

    my $nginx = WSNginx->new(
        http => http(drain => '2s'), server => $locations,
        main => 'env LD_PRELOAD; env ASAN_OPTIONS; env UBSAN_OPTIONS;');
    my $fleet = WSFleet->new(port => $nginx->{port});

    my @old = clients($fleet, 12, user => 'old', rooms => ['watch', 'r']);
    ok(settled($fleet, @old), "$name: before") or diag $nginx->log;

    my $master = $nginx->pid;
    my $fds = $nginx->fds($master);

    $nginx->signal('USR2');

    my $next;

    ok(WSNginx::wait_for(sub {
        $next = $nginx->pid;
        return $next && $next != $master && $nginx->workers == 2;
    }), "$name: a new master") or diag $nginx->log;

    push @{ $nginx->{extra} }, $next;

    # two sets, which do not know of each other; both serve

    my @mixed = clients($fleet, 40, user => 'mixed', rooms => ['r']);

    ok(settled($fleet, @mixed), "$name: both serve") or diag $nginx->log;

    my $epoch = $old[0]{joined}{r}{epoch};
    my @with = grep { $_->{joined}{r}{epoch} == $epoch } @mixed;
    my @apart = grep { $_->{joined}{r}{epoch} != $epoch } @mixed;

    cmp_ok(scalar(@with), '>', 0, "$name: some come to the old ones");
    cmp_ok(scalar(@apart), '>', 0, "$name: some to the new ones");

    ask($fleet, $old[0], action => 'say', room => 'r', say => 'old');
    ask($fleet, $apart[0], action => 'say', room => 'r', say => 'new');

    my $heard = sub {
        my ($say, @clients) = @_;
        return scalar grep { grep { ($_->{say} // '') eq $say } @{ $_->{all} } }
                           @clients;
    };

    ok($fleet->run(20 * $scale, sub {
        $heard->('old', @old, @with) == @old + @with
            && $heard->('new', @apart) == @apart
    }), "$name: each set hears its own");

    $fleet->run(0.3);
    is($heard->('new', @old, @with) + $heard->('old', @apart), 0,
       "$name: and not the other");

    my @workers = $nginx->workers('all', $master);

    $nginx->signal('QUIT', $master);

    ok(ended($fleet, 20, @old, @with), "$name: the old ones go");
    going_away($name, @old, @with);
    ok(WSNginx::wait_for(sub { WSNginx::ended($master) }),
       "$name: the old master ends");

    my ($c) = clients($fleet, 1, user => 'last', rooms => ['r']);

    ok(settled($fleet, $c), "$name: the new one goes on") or diag $nginx->log;
    is($c->{joined}{r}{count}, @apart + 1, "$name: with those it has");
    is($nginx->fds($next), $fds, "$name: descriptors of the new master")
        or diag `ls -l /proc/$next/fd`;

    $nginx->signal('QUIT', $next);

    ok(ended($fleet, 20, @apart, $c), "$name: they go, too");
    going_away($name, @apart, $c);
    ok(WSNginx::wait_for(sub { WSNginx::ended($next) }), "$name: it ends");
    is($nginx->grave, '', "$name: no alert");
    $nginx->{extra} = [];
}


done_testing();
