#!/usr/bin/perl

# What a record costs: one worker writes, three read; CPU is the workers' own.
# bench.pl [bytes [records [ring [records per second, 0: as fast as it goes]]]]

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Time::HiRes qw(sleep);

use BusTest;

my ($size, $n, $ring, $rate) = @ARGV;
$size ||= 200;
$n ||= 1_000_000;
$ring ||= '1m';
$rate = ($rate || 0) * $size;

my $t = BusTest->new(workers => 4, ring => $ring, queue => '64m');
my $window = $rate ? 0 : 4_000_000;

for my $run (1 .. 3) {
    my $before = $t->ask('');
    my ($writer) = sort { $a->{n} <=> $b->{n} } $before->slots;
    my %cpu = map { $_->{n} => $_->{cpu} } $before->slots;

    $t->ask("count=$n&size=$size&window=$window&rate=$rate&plain=1&mask="
            . (1 << $writer->{n}));

    my $r = $t->await(sub {
        my ($r) = @_;
        return 3 == grep { $_->{received} >= $n * $run } $r->slots;
    }, 120) or die "not everything has arrived:\n" . $t->ask('')->{text};

    sleep 0.1;
    $r = $t->ask('');

    my ($last) = sort { $b <=> $a } map { $_->{at} } $r->slots;
    my %us = map { $_->{n} => ($_->{cpu} - $cpu{$_->{n}}) / $n } $r->slots;
    my $readers = 0;
    $readers += $us{$_} for grep { $_ != $writer->{n} } keys %us;

    printf "%d x %d bytes to 3 in %d ms: %.0f records/s, us of CPU per record:"
           . " writer %.3f, reader %.3f\n",
           $n, $size, $last - $r->{start}, $n * 1000 / ($last - $r->{start}),
           $us{$writer->{n}}, $readers / 3;
}

$t->stop;
