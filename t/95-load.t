# Many talk as fast as they can, on four workers, while workers are killed and
# nginx is reloaded: whoever stays hears everything, in one order; in the end
# nothing is left.
#
# A worker that is killed may take with it what it had just numbered: then the
# number is missing everywhere, and the log says so.  If it was killed while it
# changed the zone, which is rare, the zone begins anew, and rooms have new
# epochs.  What happened of that is counted and told; anything else is a fault.
#
# WSCHAT_SEED repeats the choices, WSCHAT_LOAD_KILLS is the number of kills.

use strict;
use warnings;

use lib 't/lib';

use List::Util qw(min max);
use Test::More;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

use WSNginx;
use WSFleet;

my $scale = $WSNginx::scale;
my $seed = $ENV{WSCHAT_SEED} // int(time * 1000) % 1e9;
my $kills = $ENV{WSCHAT_LOAD_KILLS} // 5;

my ($N, $ROOMS) = (200, 20);

srand $seed;
diag "seed $seed";

my $nginx = WSNginx->new(workers => 4, server => 'location /ws { wschat c; }',
                         http => <<'END');
wschat_zone c 16m;
wschat_drain 2s;
wschat_api c {
    history 100 1h;
    send_queue 4m;

    route join {
        set  $connection.user $request.body.user;
        join $request.body.room  history=100;
        reply '{
            "joined": "$room", "offset": "$room.offset",
            "epoch": "$room.epoch", "history": "$room.history"
        }';
    }

    route say {
        join $request.body.r;
        send room=$request.body.r '{
            "m": "$request.body.m", "r": "$request.body.r",
            "e": "$room.epoch", "o": "$room.offset"
        }';
    }

    route log {
        join $request.body.r;
        send room=$request.body.r store '{
            "m": "$request.body.m", "r": "$request.body.r",
            "e": "$room.epoch", "o": "$room.offset"
        }';
    }

    on member_leave { set $connection.left $room; }
}
END

my $fleet = WSFleet->new(port => $nginx->{port}, timeout => 20 * $scale);

my %said;           # "room epoch offset" => the message
my %live;           # the same => it came to somebody, not only in a history
my %missing;        # the same => how many clients have missed it
my %fault;          # what should never happen
my %count = map { $_ => 0 } qw(delivered sent reconnected refused repeated
                               restarts);
my $serial = 0;
my $talk = 1;


sub fault {
    my ($what, $example) = @_;

    $fault{$what}{n}++;
    $fault{$what}{example} //= $example;
}


# a message: from the history of "join", or as it comes

sub heard {
    my ($c, $m, $r, $e, $o) = @_;

    my $key = "$r $e $o";
    my $known = $said{$key} //= $m;

    fault('not the same for all', "$key: $m, $known") if $known ne $m;
    fault('of another room', "$c->{room}: $key $m") if $r ne $c->{room};
}


sub text {
    my ($c, $text) = @_;

    if ($text =~ /^\{"m":"([^"]+)","r":"(\w+)","e":"(\d+)","o":(\d+)\}$/) {
        my ($m, $r, $e, $o) = ($1, $2, $3, $4);

        heard($c, $m, $r, $e, $o);

        $live{"$r $e $o"} = 1;
        $count{delivered}++;

        if (!defined $c->{epoch}) {
            fault('before the answer to join', $text);

        } elsif ($e == $c->{epoch}) {

            fault('twice, or not in order', "$text after $c->{offset}")
                if $o <= $c->{offset};

            $missing{"$r $e $_"}++ for $c->{offset} + 1 .. $o - 1;
            $c->{offset} = $o;

        } else {
            fault('of an older epoch', "$text in $c->{epoch}")
                if $e < $c->{epoch};

            $count{restarts}++;
            @$c{'epoch', 'offset'} = ($e, $o);
        }

        say($c) if defined $c->{waits} && $m eq $c->{waits};
        return;
    }

    my $j = eval { JSON::PP::decode_json($text) };

    if ($j && $j->{joined}) {
        my $before;

        @$c{'epoch', 'offset'} = @$j{'epoch', 'offset'};

        for (@{ $j->{history} }) {
            heard($c, @$_{'m', 'r', 'e', 'o'});

            fault('history is not in order', "$c->{room} $_->{o}")
                if defined $before && $_->{o} <= $before;
            fault('history from the future', "$c->{room} $_->{o}")
                if $_->{o} > $j->{offset};
            $before = $_->{o};
        }

        say($c);

    } elsif ($j && ($j->{message} // '') eq 'Internal server error') {

        # the zone has begun anew and does not know all rooms yet

        $count{refused}++;
        $c->{again} = time + 0.1;

    } else {
        fault('what is this', $text);
    }
}


# the next one when the last one has come back

sub say {
    my ($c) = @_;

    delete @$c{'waits', 'again'};

    return if !$talk;

    if (!defined $c->{epoch}) {
        $fleet->text($c, qq({"action":"join","room":"$c->{room}","user":)
                         . qq("$c->{user}"}));
        $c->{again} = time + 5 * $scale;
        return;
    }

    $c->{again} = time + 5 * $scale;

    # several at once, or workers would mostly wait for us

    for (1 .. 1 + rand 4) {
        my $action = rand() < 0.4 ? 'log' : 'say';

        $c->{waits} = "$c->{user}." . ++$serial;
        $count{sent}++;

        $fleet->text($c, qq({"action":"$action","r":"$c->{room}","m":)
                         . qq("$c->{waits}"}));
    }
}


# a client is N clients, one after the other: it comes back if it had to go

my @clients;

sub connect_all {
    for my $i (0 .. $N - 1) {
        next if $clients[$i] && !$clients[$i]{eof};

        $count{reconnected}++ if $clients[$i];

        $clients[$i] = $fleet->add('/ws', text => \&text, user => "u$i",
                                   room => 'r' . $i % $ROOMS);

        if (!$clients[$i]) {
            # its worker may be killed meanwhile

            fault('refused', $fleet->{answer}) if $fleet->{answer} ne 'eof';
            next;
        }

        say($clients[$i]);
    }
}


sub run {
    my ($seconds) = @_;

    my $until = time + $seconds;

    while ((my $left = $until - time) > 0) {
        $fleet->run(min($left, 0.1));

        for my $c (grep { $_ } @clients) {

            next if !$c->{eof};
            next if $c->{counted}++;

            fault('closed', $c->{close})
                if $c->{close} ne '' && $c->{close} ne '1001 Going away';
        }

        # what is lost when the zone begins anew is said again

        for my $c ($fleet->clients) {
            next if !$c->{again} || $c->{again} > time;

            $count{repeated}++ if defined $c->{waits};
            say($c);
        }

        connect_all() if $talk;
    }
}


sub zone { return $nginx->status->{zones}{c} }

my $before = zone();
my $fds = $nginx->fds;

connect_all();
run(1);


# trouble

my ($killed, $reloaded) = (0, 0);
my @old;

for my $i (1 .. $kills) {
    my @pids = $nginx->workers('all');
    my $pid = $pids[rand @pids];
    my $after = 0.3 + rand 1.2;

    # by another process: this one would kill when it has nothing to read,
    # and so the workers nothing to do

    my $killer = fork // die "fork: $!\n";

    if ($killer == 0) {
        sleep $after;
        POSIX::_exit(kill('KILL', $pid) ? 0 : 1);
    }

    run($after + 0.2);

    waitpid $killer, 0;
    $killed++ if $? == 0;

    if ($i % 2 == 0) {
        push @old, $nginx->reload;
        $reloaded++;
    }
}

run(2);

my $resets = () = $nginx->log =~ /begins anew/g;

note "killed $killed, reloaded $reloaded, "
     . join ', ', map { "$_ $count{$_}" } sort keys %count;
diag "the zone began anew $resets times" if $resets;


# all who are there have an answer to what they said

$talk = 0;

my @unanswered;

ok($fleet->run(20 * $scale, sub {
    @unanswered = grep { !$_->{eof} && defined $_->{waits} } @clients;

    # unless it went where the zone began anew
    return !grep { !$_->{again} || $_->{again} > time } @unanswered;
}), 'who says something hears it');

cmp_ok(scalar(@unanswered), '<=', $resets ? $N : 0, 'no message is lost');

ok($nginx->gone(20, @old), 'the old workers are gone');

# those who were on them have not come back

my $live = grep { $_ && !$_->{eof} } @clients;
my $zone;

ok(WSNginx::wait_for(sub {
    $fleet->run(0.05);
    $live = grep { $_ && !$_->{eof} } @clients;
    $zone = zone();
    return $zone->{connections} == $live;
}), "the zone knows the $live who are there") or diag explain $zone;

is($zone->{users}, $live, 'and as many users');

my %rooms = map { $_->{room} => 1 } grep { $_ && !$_->{eof} } @clients;
is($zone->{rooms}, scalar keys %rooms, 'and their rooms');

# A message says the epoch that its sender had when the step before was done:
# one in each worker may say that of before the zone began anew.

for ('twice, or not in order', 'not the same for all', 'of an older epoch') {
    delete $fault{$_}
        if $fault{$_} && $fault{$_}{n} <= $resets * 4 * 2 * $N / $ROOMS;
}

is_deeply(\%fault, {}, 'nothing strange') or diag explain \%fault;

cmp_ok($count{delivered}, '>', 20 * $N, 'much was said');
cmp_ok($count{reconnected}, '>', 10, 'many had to come back');


# what is missing was never heard by anybody, and the log knows

my @heard = grep { $live{$_} } keys %missing;
my %silent = map { $_ => 1 } grep { !$live{$_} } keys %missing;

# old messages are not waited for when there is a new epoch

is("@heard", '', 'what one has missed nobody has heard')
    or diag join "\n", map { "$_: missed by $missing{$_}" } @heard
    if !$resets;

my %gaps = map { $_ => 1 } $nginx->log =~ /room "(\w+)" has a gap/g;
my @unlogged = grep { !$gaps{ (split / /)[0] } } keys %missing;

is("@unlogged", '', 'gaps are logged');
note scalar(keys %silent), " numbers were lost with a killed worker: ",
     join ', ', sort keys %silent if %silent;

cmp_ok(scalar(keys %silent), '<=', $N * $killed,
       'no more than were on their way');

my @given_up = $nginx->log =~ /(gives up on|has lost records)/g;
is("@given_up", '', 'nobody was given up on');


# the end

$fleet->bye($_) for $fleet->clients;
ok($fleet->run(20 * $scale, sub { !$fleet->clients }), 'all leave');

ok(WSNginx::wait_for(sub {
    $zone = zone();
    return !grep { $zone->{$_} } qw(connections rooms users);
}), 'nothing is left') or diag explain $zone;

ok(WSNginx::wait_for(sub { zone()->{free} == $before->{free} }),
   'all memory of the zone is free') or diag explain [$before, zone()];

is(zone()->{refused}, 0, 'it was never full');

ok(WSNginx::wait_for(sub {
    return $nginx->workers('all') == 4 && $nginx->status->{bus}{workers} == 4;
}), 'four workers');

is($nginx->fds, $fds, "the master's descriptors");

my $died = () = $nginx->log =~ /exited on signal 9/g;
is($died, $killed, 'nobody else died');

# the master frees the lock of one that was killed with it

is($nginx->grave(qr/exited on signal 9|"c" was locked by \d+/), '', 'no alert');


# without trouble: memory stays

SKIP: {
    skip 'the sanitizers keep what was freed', 2
        if $ENV{TEST_NGINX_BINARY} =~ /asan/;

    my @workers = $nginx->workers;
    my (@sum, %missed);

    %missing = ();
    $talk = 1;

    for (1 .. 4) {
        @clients = ();
        connect_all();
        run(1.5);

        $talk = 0;
        $fleet->run(20 * $scale, sub {
            !grep { defined $_->{waits} } $fleet->clients
        });

        $fleet->bye($_) for $fleet->clients;
        $fleet->run(20 * $scale, sub { !$fleet->clients });
        WSNginx::wait_for(sub { !zone()->{connections} });
        $talk = 1;

        my $sum = 0;
        $sum += $nginx->memory($_) for @workers;
        push @sum, $sum;
    }

    note "kilobytes of all workers: @sum";

    # shared memory is not counted, a worker's buffers grow to a limit

    cmp_ok($sum[3] - min(@sum[1, 2]), '<', 2000, 'workers do not grow');
    is(join(' ', %missing), '', 'without trouble nothing is missing');
    is_deeply(\%fault, {}, 'still nothing strange') or diag explain \%fault;
}

done_testing();
