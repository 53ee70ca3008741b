package WSNginx;

# Copyright (C) the ngx_wschat authors

# An nginx with a master of a test's own, for tests that change its
# configuration, reload it, kill its processes: what Test::Nginx does not do
# within one block.  It knows nothing of WebSockets.

use strict;
use warnings;

use WSChatEnv;

use File::Path ();
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(time sleep);

our $scale = $ENV{WSCHAT_SCALE} // 1;


# new(workers => 2, http => text [, main => text, server => text])
#
# "http" stands in http { }, "server" in its server { }, "main" in front of all

sub new {
    my ($class, %arg) = @_;

    my $self = bless {
        main => '', server => '', workers => 2, %arg,
        port  => $ENV{TEST_NGINX_PORT},
        dir   => $ENV{TEST_NGINX_SERVROOT},
        owner => $$,
    }, $class;

    File::Path::remove_tree($self->{dir});
    File::Path::make_path(map { "$self->{dir}/$_" } qw(conf logs temp));

    $self->configure;

    # a daemon, because a master that has its parent does not take USR2

    my $out = `$ENV{TEST_NGINX_BINARY} -p $self->{dir}/ \\
               -c $self->{dir}/conf/nginx.conf -e logs/error.log 2>&1`;

    die "nginx does not start:\n$out" if $?;

    wait_for(sub { $self->workers == $self->{workers} && $self->status }, 20)
        or die "nginx does not start:\n" . $self->log;

    return $self;
}


# waits until the condition holds; returns its last value

sub wait_for {
    my ($condition, $seconds) = @_;

    my $deadline = time + ($seconds // 20) * $scale;
    my $value;

    until ($value = $condition->()) {
        return $value if time > $deadline;
        sleep 0.02;
    }

    return $value;
}


# other texts or numbers; takes effect with the next reload

sub configure {
    my ($self, %arg) = @_;

    %$self = (%$self, %arg);

    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join ' ', map { $_ . '_temp_path temp;' }
                             qw(client_body proxy fastcgi uwsgi scgi);
    my $modules = join ' ', map { "load_module $_;" }
                                split ' ', $ENV{TEST_NGINX_LOAD_MODULES};

    open my $f, '>', "$self->{dir}/conf/nginx.conf" or die "nginx.conf: $!\n";
    print $f <<"END";
$modules
$user
worker_processes $self->{workers};
pid logs/nginx.pid;
error_log logs/error.log info;
$self->{main}
events { worker_connections 2048; }
http {
    access_log off;
    $temp
    $self->{http}
    server {
        listen 127.0.0.1:$self->{port} reuseport;
        location = /status { wschat_status; }
        $self->{server}
    }
}
END
    close $f;
}


sub pid {
    my ($self) = @_;

    open my $f, '<', "$self->{dir}/logs/nginx.pid" or return 0;
    return (<$f> // '') =~ /^(\d+)/ ? $1 : 0;
}


# workers that are not on their way out, or with "all" those, too; of a master

sub workers {
    my ($self, $all, $master) = @_;

    $master //= $self->pid;

    my @pids;

    for my $dir (glob '/proc/[0-9]*') {
        open my $f, '<', "$dir/stat" or next;
        my ($pid, $state, $ppid) = (<$f> // '') =~ /^(\d+) \(.*\) (\S) (\d+)/s;

        next unless defined $ppid && $ppid == $master && $state ne 'Z';

        open $f, '<', "$dir/cmdline" or next;
        my $cmd = <$f> // '';

        next unless $cmd =~ /worker process/;
        next if !$all && $cmd =~ /shutting down/;

        push @pids, $pid;
    }

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


sub signal {
    my ($self, $name, $pid) = @_;
    kill $name, $pid // $self->pid or die "signal $name: $!\n";
}


# HUP, until there are the new workers, and the old ones know that they are
# old; returns these

sub reload {
    my ($self, %arg) = @_;

    $self->configure(%arg);

    my %old = map { $_ => 1 } $self->workers('all');

    $self->signal('HUP');

    wait_for(sub {
        my @now = $self->workers;
        return @now == $self->{workers} && !grep { $old{$_} } @now;
    }, 30) or die "nginx does not reload:\n" . $self->log;

    return keys %old;
}


# true when none of the processes is there any more

sub gone {
    my ($self, $seconds, @pids) = @_;

    return wait_for(sub {
        my %all = map { $_ => 1 } $self->workers('all');
        return !grep { $all{$_} } @pids;
    }, $seconds);
}


# whether the process has ended; nobody may care for what is left of it

sub ended {
    my ($pid) = @_;

    open my $f, '<', "/proc/$pid/stat" or return 1;
    return (<$f> // '') !~ /^\d+ \(.*\) [^ZX]/s;
}


# whether nginx ends, when told to

sub stop {
    my ($self, $signal, $seconds) = @_;

    my $pid = $self->pid or return 1;

    kill $signal, $pid;

    return wait_for(sub { ended($pid) }, $seconds // 20);
}


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    # a test that failed may have left what does not end

    for my $pid (grep { $_ && !ended($_) } $self->pid, @{ $self->{extra} // [] })
    {
        kill 'TERM', $pid;

        wait_for(sub { ended($pid) }, 10)
            or kill 'KILL', $self->workers('all', $pid), $pid;
    }
}


sub log {
    my ($self) = @_;

    open my $f, '<', "$self->{dir}/logs/error.log" or return '';
    local $/;
    return <$f> // '';
}


# lines that should not be in the log, but for those that match

sub grave {
    my ($self, $known) = @_;

    return join "\n",
        grep { /\[(?:alert|crit|emerg)\]|runtime error: /
               && !(defined $known && /$known/) } split /\n/, $self->log;
}


sub fds {
    my ($self, $pid) = @_;
    return scalar(() = glob '/proc/' . ($pid // $self->pid) . '/fd/*');
}


# kilobytes that are the process's own

sub memory {
    my ($self, $pid) = @_;

    open my $f, '<', "/proc/$pid/smaps_rollup" or return 0;
    my $sum = 0;

    while (my $line = <$f>) {
        $sum += $1 if $line =~ /^Private_\w+:\s+(\d+)/;
    }

    return $sum;
}


# http(METHOD, PATH [, BODY]): status and body; nothing if there is no answer

sub http {
    my ($self, $method, $path, $body) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Timeout => 5,
                                  PeerPort => $self->{port}) or return;
    my $answer = '';
    my $len = length($body // '');

    print $s "$method $path HTTP/1.1\r\nHost: localhost\r\n"
             . "Content-Length: $len\r\nConnection: close\r\n\r\n"
             . ($body // '');

    my $deadline = time + 20 * $scale;
    vec(my $bits = '', fileno $s, 1) = 1;

    while (time < $deadline && select(my $ready = $bits, undef, undef, 1) >= 0)
    {
        next if !vec($ready, fileno $s, 1);
        last if !sysread $s, $answer, 65536, length $answer;
    }

    return $answer =~ m{^HTTP/1.1 (\d+) .*?\r\n\r\n(.*)}s ? ($1, $2) : ();
}


# what wschat_status says, decoded

sub status {
    my ($self) = @_;

    my ($code, $body) = $self->http('GET', '/status');
    return $code && $code == 200 ? JSON::PP::decode_json($body) : undef;
}


1;
