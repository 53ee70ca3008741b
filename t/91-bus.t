#!/usr/bin/perl

# The bus between the workers, with real workers: what is sent arrives, once
# and in order, whoever stops, dies or is reloaded meanwhile.
#
# SANITIZE=1 runs it with AddressSanitizer and UBSan.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit/bus";

use Test::More;
use Time::HiRes qw(sleep time);

use BusTest;

my $valgrind = $ENV{BUS_TEST_VALGRIND};
my $slow = $valgrind ? 10 : 1;

my $t = BusTest->new(workers => 4, ring => '64k', queue => '8m');
my $fds = $t->fds;
my ($r, @s);


# What should not be in the log; that a worker was killed is the master's word.

sub alerts {
    my ($known) = @_;
    return join "\n", grep { /\[(alert|crit|emerg)\]/ && !/exited on signal 9/
                             && !($known && /$known/) } split /\n/, $t->log;
}


# So many records by each worker, at so many bytes per second.

sub load {
    my ($count, $rate) = @_;
    $t->ask(sprintf 'count=%d&rate=%d', $count / $slow, $rate / $slow);
}


sub clean {
    my ($r, $name) = @_;
    is(join(' ', map { $r->sum($_) } qw(order content tail errors)),
       '0 0 0 0', "$name: order, content")
        or diag(join "\n", grep { /\[error\]|\[warn\]|sweeps/ } split /\n/, $t->log);
}


# flow control

my $n = $valgrind ? 2000 : 50000;

$t->ask("count=$n&window=2000000");
$r = $t->await(sub { $_[0]->finished }, 60);
ok($r, 'everything arrives') or diag($t->ask('')->{text});
$r = $t->ask('');
clean($r, 'load');
is($r->sum('sent'), 4 * $n, "$n records by each of 4 workers");
is($r->sum('lost') + $r->sum('givenup') + $r->sum('unsynced'), 0, 'no loss');
cmp_ok($r->sum('queued'), '>', 0, 'the rings were full');


# one writer: nobody else's records wake it when there is space again

my ($one) = $r->slots;
$n = $valgrind ? 1000 : 5000;
$t->ask("count=$n&window=2000000&mask=" . (1 << $one->{n}));
$r = $t->await(sub { $_[0]->finished }, 5);
ok($r, 'one writer: everything arrives, and soon')
    or diag($t->ask('')->{text});
$r = $t->ask('');


# a live process with the pid of a dead worker: noticed at the slow check

$t->ask('impostor=40');


# a worker that stops for a while, and does not lose anything

my ($stopped) = $r->slots;
kill 'STOP', $stopped->{pid};
load(1200, 1000000);
sleep 1.5;
kill 'CONT', $stopped->{pid};
$r = $t->await(sub { $_[0]->finished }, 20);
ok($r, 'stopped and resumed: everything arrives')
    or diag($t->ask('')->{text});
$r = $t->ask('');
clean($r, 'stopped and resumed');
is($r->sum('lost') + $r->sum('givenup'), 0, 'stopped and resumed: no loss');


# a worker that stops for longer than the queues can hold

($stopped) = $r->slots;
kill 'STOP', $stopped->{pid};
load(10000, 6000000);
$r = $t->await(sub {
    my ($r) = @_;
    return 3 == grep { $_->{done} == $r->{job} } $r->slots;
}, 20);
ok($r, 'stopped for long: the others go on') or diag($t->ask('')->{text});

$r = $t->await(sub {
    my ($r) = @_;
    return !grep { !/^$stopped->{n}</ } split /, /, $r->missing;
}, 10);
ok($r, 'stopped for long: the others get everything')
    or diag($t->ask('')->missing);
$r = $t->ask('');
is($r->sum('lost'), 0, 'stopped for long: the others lose nothing');
is($r->sum('givenup'), 3, 'stopped for long: each writer gives up on it once');

kill 'CONT', $stopped->{pid};
$r = $t->await(sub { $_[0]->{slot}{$stopped->{n}}{lost} == 3 }, 10);
ok($r, 'resumed: it learns that it has lost something of each')
    or diag($t->ask('')->{text});

load(1000, 10000000);
$r = $t->await(sub { $_[0]->finished }, 20);
ok($r, 'resumed: it receives again') or diag($t->ask('')->{text});
$r = $t->ask('');
clean($r, 'resumed');
is($r->sum('lost'), 3, 'resumed: no further loss');

my @warn = $t->log =~ /\[warn\].*(gives up on|has lost records)/g;
is(scalar @warn, 6, 'each logged once by both sides');


# killed workers

my %killed;

load(1000000, 2000000);

for (1 .. 10) {
    my @live;

    # one killed before is there until it is swept
    while (!@live) {
        @live = grep { !$killed{"$_->{n}/$_->{gen}"} } $t->ask('')->slots;
    }

    my $victim = $live[rand @live];
    $killed{"$victim->{n}/$victim->{gen}"} = 1;
    $t->ask('kill_sweeper=1') if $_ == 5;
    kill 'KILL', $victim->{pid};
    sleep 0.2;
}

# a sweeper was killed with its victim not swept

$r = $t->await(sub {
    my ($r) = @_;
    return $r->live == 4 && $r->used == 4
           && !grep { !$r->{dead}{$_} } keys %killed;
}, 20);
ok($r, 'killed: 4 workers, 4 slots in use, all dead ones are swept')
    or diag($t->ask('')->{text});
$r = $t->ask('');

my %calls = %{$r->{dead}};
is(delete $calls{'40/9'}, 1, 'the impostor is found out');
is(join(' ', grep { $_ != 1 } values %calls), '2',
   'each one is swept once, but that of the killed sweeper again');
cmp_ok(scalar(keys %calls), '<=', 11, 'nobody else is swept');

my $before = $r->sum('received');
$r = $t->await(sub { $_[0]->sum('received') > $before + 1000 }, 10);
ok($r, 'killed: nobody hangs');
clean($t->ask(''), 'killed');
is(scalar(() = $t->log =~ /has lost records.*overwritten/g), 3,
   'killed: nothing lost but what was not written to its end');
like($t->log, qr/worker process \d+ exited on signal 9/, 'really killed');


# a worker killed while it writes over what a stopped one has not read: the
# next owner of its slot must not hide that

my $lost = $t->ask('')->sum('lost');
($stopped) = $t->ask('')->slots;
kill 'STOP', $stopped->{pid};
sleep 0.5;
my ($died) = sort { $a->{n} <=> $b->{n} }
             grep { $_->{pid} != $stopped->{pid} } $t->ask('')->slots;
$t->ask("die_writing=$died->{pid}");
$r = $t->await(sub { $_[0]->live == 4 && $_[0]->used == 4
                     && !$_[0]->by_pid($died->{pid}) }, 10);
ok($r, 'killed while writing: swept');

# the next workers take the lowest free slots

for (1 .. 5) {
    last if !$r || $r->{slot}{$died->{n}};
    my ($victim) = sort { $b->{n} <=> $a->{n} }
                   grep { $_->{pid} != $stopped->{pid} } $t->ask('')->slots;
    kill 'KILL', $victim->{pid};
    $r = $t->await(sub { $_[0]->live == 4 && $_[0]->used == 4
                         && !$_[0]->by_pid($victim->{pid}) }, 10);
}

ok($r && $r->{slot}{$died->{n}}, 'killed while writing: the slot is used again');
kill 'CONT', $stopped->{pid};
$r = $t->await(sub { $_[0]->{slot}{$stopped->{n}}{lost} > 0 }, 5);
ok($r, 'killed while writing: the reader knows');
$r = $t->await(sub { 0 == grep { $_->{bytes} == 0 } @{$_[0]->{pair}} }, 5);
clean($t->ask(''), 'killed while writing');
is(alerts(), '', 'killed while writing: no alert');


# more at once than the queues can hold: all are given up on, and recover

$lost = $t->ask('')->sum('lost');
$t->ask('count=500&size=300000');
$r = $t->await(sub {
    my ($r) = @_;
    return 4 == grep { $_->{done} == $r->{job} } $r->slots;
}, 20);
ok($r, 'overflow: nobody blocks') or diag($t->ask('')->{text});
sleep 0.2;
$r = load(1000, 10000000);
cmp_ok($r->sum('givenup'), '>', 0, 'overflow: readers are given up on');
cmp_ok($r->sum('lost'), '>', $lost, 'overflow: they know');
$r = $t->await(sub { $_[0]->finished }, 20);
ok($r, 'overflow: and receive again') or diag($t->ask('')->{text});
clean($t->ask(''), 'overflow');


# reload

my $linger = $valgrind ? 10000 : 1000;
$t->ask("linger=$linger");
load(1000000, 2000000);
my $generations = 0;

for (1 .. 3) {
    my %old = map { $_->{pid} => 1 } $t->ask('')->slots;
    kill 'HUP', $t->{pid};
    $r = $t->await(sub {
        my ($r) = @_;
        my @new = grep { !$old{$_->{pid}} } $r->slots;
        my %new = map { $_->{n} => $_->{gen} } @new;
        my %was = map { $_->{n} => 1 } grep { $old{$_->{pid}} } $r->slots;

        # old ones that have records of all new ones, and vice versa
        my $up = grep { $was{$_->{r}} && ($new{$_->{w}} // 0) == $_->{gen} }
                 @{$r->{pair}};
        my $down = grep { $new{$_->{r}} && $was{$_->{w}} } @{$r->{pair}};
        return @new == 4 && $up == 16 && $down == 16;
    }, 5);
    $generations++ if $r;
    $t->await(sub { $_[0]->live == 4 && $_[0]->used == 4 }, 10);
}

is($generations, 3, 'reload: both generations hear each other');
is($t->ask('')->live, 4, 'reload: the old slots are free');
clean($t->ask(''), 'reload');
is($t->ask('')->sum('lost'), 0, 'reload: no loss');


# reload with a worker that does not read what the leaving ones have queued

$t->ask('linger=0');
($stopped) = $t->ask('')->slots;
kill 'STOP', $stopped->{pid};
sleep 0.3;
my %old = map { $_->{pid} => 1 } $t->ask('')->slots;
kill 'HUP', $t->{pid};
$r = $t->await(sub { 1 == grep { $old{$_->{pid}} } $_[0]->slots }, 5);
ok($r, 'stopped: the others leave') or diag($t->ask('')->{text});
is(scalar(() = $t->log =~ /gives up on slot $stopped->{n} \(pid $stopped->{pid}/g),
   3, 'stopped: each says that it gives up on it');
kill 'CONT', $stopped->{pid};
$r = $t->await(sub { !grep { $old{$_->{pid}} } $_[0]->slots }, 5);
ok($r, 'resumed: it leaves');
is(scalar(() = $t->log =~ /$stopped->{pid}: .* has lost records.*overwritten/g),
   3, 'resumed: and knows that it has lost something');


# reload with another size: a fresh bus, and the workers of the old one, which
# have the same slots there, do not take its bells

$t->ask('linger=4000&count=0');
$t->configure(ring => '128k');
kill 'HUP', $t->{pid};
$r = $t->await(sub { ($_[0]->{slot}{0}{gen} // 0) == 1 && $_[0]->live == 4 },
               10);
ok($r, 'resized: a fresh bus');
$t->ask("count=$n&window=1000000&mask=1");
$r = $t->await(sub { $_[0]->finished }, 3);
ok($r, 'resized: everything arrives, and soon') or diag($t->ask('')->{text});
clean($t->ask(''), 'resized');
$t->await(sub { $t->fds == $fds }, 10);         # the old workers are gone
is($t->fds, $fds, 'the master has as many descriptors as at the start');


# nothing was wrong until now

is(alerts(), '', 'no alert');


# a bad record

$r = $t->ask('corrupt=1');
my $bad = $r->{me};
$t->await(sub {
    3 == grep { $_->{n} != $bad && $_->{lost} } $_[0]->slots
}, 5);
@s = grep { $_->{n} != $bad } $t->ask('')->slots;
is(join(' ', map { $_->{lost} } @s), '1 1 1', 'corrupt: all readers lose');
$t->ask("corrupt=1") for 1 .. 20;
$t->ask("count=1000&window=1000000");
$r = $t->await(sub { !$_[0]->missing && $_[0]->finished }, 20);
ok($r, 'corrupt: all goes on');
is(scalar(() = $t->log =~ /\[alert\].*bad record in the ring of slot $bad:/g),
   3, 'corrupt: each one says it once');

ok($t->stop, 'exits');
is(alerts(qr/bad record/), '', 'no other alert');
is($t->findings, '', 'no findings') if $ENV{SANITIZE} || $valgrind;


# a ring full of what is for others only

$t = BusTest->new(workers => 3);
my ($from, $to) = $t->ask('')->slots;
$t->ask('count=20000&size=500&plain=1&window=1000000&mask='
        . (1 << $from->{n}) . '&to=' . (1 << $to->{n}));
$r = $t->await(sub { $_[0]->{slot}{$to->{n}}{received} == 20000 }, 5);
ok($r, 'for one reader: all arrives, and soon') or diag($t->ask('')->{text});
$t->stop;


# a single process

$t = BusTest->new(master => 'off', workers => 1);
$fds = $t->fds;
is($t->ask('count=100')->live, 1, 'single process');
ok($t->await(sub { $_[0]->finished }, 5), 'single process: sends to nobody');

for (1 .. 3) {
    kill 'HUP', $t->{pid};
    sleep 0.3;
}

cmp_ok($t->fds, '<=', $fds + 3, 'single process: reload leaks no doorbells');
$t->configure(ring => '256k');
kill 'HUP', $t->{pid};
sleep 1.3;
cmp_ok($t->fds, '<=', $fds + 4, 'single process: nor with another size');
ok($t->stop('TERM'), 'single process: exits');
is($?, 0, 'cleanly');
is($t->findings, '', 'no findings') if $ENV{SANITIZE} || $valgrind;

done_testing();
