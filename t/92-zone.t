#!/usr/bin/perl

# The zone engine of the store, inside nginx: what it does, what must hold in
# it at all times, workers that are killed anywhere, reloads.
#
# SANITIZE=1 runs it with AddressSanitizer and UBSan.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = "$FindBin::Bin/unit/zone";
my $root = abs_path("$FindBin::Bin/..");

my $sanitize = $ENV{SANITIZE};
my $build = "$root/build/zone-test" . ($sanitize ? '-sanitize' : '');
my $source = $ENV{NGX_SRC} || '/usr/share/nginx/src';
my $nginx = $ENV{NGINX_BINARY} || '/usr/sbin/nginx';

my $t = tempdir('zone-test-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0777, $t;

my $module = build();


# The module is built again only if something has changed.

sub build {
    my $flags = $sanitize
        ? "'--with-cc-opt=-fsanitize=address,undefined -fno-omit-frame-pointer"
          . " -O1' --with-ld-opt=-fsanitize=address,undefined"
        : '';

    # configure tests by running what it links, which ASan's leak check fails
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0';

    system('mkdir', '-p', $build) == 0 or die "no $build";

    my $configure = (!-e "$build/Makefile"
                     || -M "$build/Makefile" > -M "$dir/config")
        ? "./configure \"\${NGX_CONF_FLAGS[@]}\" $flags"
          . " --add-dynamic-module=$dir --builddir=$build &&"
        : '';

    my $command = "cd $source && . ./conf_flags && $configure"
        . " make -f $build/Makefile modules";

    system('bash', '-c', "($command) >$build/log 2>&1") == 0
        or die "the module does not build:\n" . `tail -30 $build/log`;

    return "$build/ngx_wschat_zone_test_module.so";
}


sub conf {
    my ($main) = @_;

    open my $f, '>', "$t/nginx.conf" or die "$t/nginx.conf: $!";
    print $f <<"CONF";
load_module $module;
daemon off;
pid $t/nginx.pid;
error_log $t/error.log notice;
$main
events { worker_connections 64; }
CONF
    close $f;
}


# nginx; what it writes goes to $t/out

sub start {
    my (@args) = @_;

    unlink "$t/error.log";

    my $pid = fork;
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        if ($sanitize) {
            my @so = map { chomp(my $p = `gcc -print-file-name=$_`); $p }
                     qw(libasan.so libubsan.so);
            $ENV{LD_PRELOAD} = join ' ', @so;
            $ENV{ASAN_OPTIONS} = "detect_leaks=0:log_path=$t/asan";
            $ENV{UBSAN_OPTIONS} = "print_stacktrace=1:log_path=$t/asan";
        }

        open STDOUT, '>', "$t/out";
        open STDERR, '>&', \*STDOUT;
        exec $nginx, '-p', $t, '-e', "$t/error.log", '-c', "$t/nginx.conf",
             @args or exit 1;
    }

    return $pid;
}


sub finish {
    my ($pid) = @_;
    waitpid $pid, 0;
    return $? >> 8 || $? & 127;
}


sub slurp {
    my ($file) = @_;
    open my $f, '<', $file or return '';
    local $/;
    return <$f>;
}


sub await {
    my ($re) = @_;

    for (1 .. 200) {
        return 1 if slurp("$t/error.log") =~ $re;
        sleep 0.05;
    }

    return 0;
}


# what the module says, line by line

conf(<<'CONF');
master_process off;
zone_test_zone 1m 1m;
zone_test_zone second 1m;
zone_test all;
CONF

my $rc = finish(start());
my ($plan, $n) = (0, 0);

for (split /\n/, slurp("$t/out")) {
    if (/^(not )?ok \d+ - (.*)/) {
        ok(!$1, $2);
        $n++;

    } elsif (/^1\.\.(\d+)/) {
        $plan = $1;
    }
}

is($rc, 0, 'all has run');
cmp_ok($plan, '>', 250, 'and was planned');
is($n, $plan, 'and reported');

if ($rc) {
    diag($_) for grep { /^#/ } split /\n/, slurp("$t/error.log");
}

my $log = slurp("$t/error.log");
like($log, qr/\[warn\].*zone "1m" is full, operations refused: \d+/,
     'a full zone is logged');
cmp_ok(scalar(() = $log =~ /is full/g), '<', 30, 'but not each time');
like($log, qr/\[error\].*zone "1m" was left in the middle of a change/,
     'a zone that begins anew is logged');


# reload: the zone stays, unless its size changes

conf("worker_processes 1;\nzone_test_zone 1m 1m;\nzone_test hold;");
my $pid = start();

ok(await(qr/zone test: 0 connections, incarnation 1/), 'a new zone');
kill 'HUP', $pid;
ok(await(qr/zone test: 1 connections, incarnation 1/), 'reload: it stays');
kill 'HUP', $pid;
ok(await(qr/zone test: 2 connections, incarnation 1/), 'once more');

conf("worker_processes 1;\nzone_test_zone 1m 2m;\nzone_test hold;");
kill 'HUP', $pid;
ok(await(qr/(?s)2 connections.*zone test: 0 connections, incarnation 1/),
   'another size: another zone');
kill 'QUIT', $pid;
is(finish($pid), 0, 'exit');
unlike(slurp("$t/error.log"), qr/\[(alert|crit|emerg|error)\]/, 'no alerts');


# a worker that is killed while it holds the lock

conf("worker_processes 1;\nzone_test_zone 1m 1m;\nzone_test die;");
$pid = start();

ok(await(qr/zone test: 0 connections, incarnation 2/),
   'killed with the lock: the next worker begins anew');
like(slurp("$t/error.log"), qr/zone "1m" was locked by/,
     'the master has taken the lock away');
kill 'QUIT', $pid;
is(finish($pid), 0, 'exit');


# mistakes

for (['zone_test_zone a 1023k;', qr/zone "a" is too small.*1024k.*conf:5/],
     ["zone_test_zone a 1m;\nzone_test_zone a 1m;",
      qr/duplicate wschat zone "a".*conf:6/],
     ["zone_test_zone a 1m;\nzone_test_zone a 2m;",
      qr/size .*"a" conflicts .*conf:6/])
{
    my ($conf, $re) = @$_;

    conf($conf);
    isnt(finish(start('-t')), 0, "-t: $conf");
    like(slurp("$t/out"), $re, 'says why and where');
}

conf("zone_test_zone a 1m;\nzone_test all;");
is(finish(start('-t')), 0, '-t: nothing is run') or diag(slurp("$t/out"));


is(join('', map { slurp($_) } glob("$t/asan*")), '', 'nothing to sanitize');

done_testing();
