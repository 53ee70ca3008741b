package BusTest;

# Knows how to build the bus's test module, how to run an nginx with it, and
# how to read its report.  Never knows what is to be proved.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

my $dir = abs_path(dirname(__FILE__));
my $root = abs_path("$dir/../../..");

my $sanitize = $ENV{SANITIZE};
my $build = "$root/build/bus-test" . ($sanitize ? '-sanitize' : '');
my $source = $ENV{NGINX_SRC} || '/usr/share/nginx/src';
my $nginx = $ENV{NGINX} || '/usr/sbin/nginx';


# The module's path; it is built again only if something has changed.  Dies
# with the compiler's words.

sub build {
    my $makefile = "$build/Makefile";
    my $flags = $sanitize
        ? "'--with-cc-opt=-fsanitize=address,undefined -fno-omit-frame-pointer"
          . " -O1' --with-ld-opt=-fsanitize=address,undefined"
        : '';

    # configure tests by running what it links, which ASan's leak check fails
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0';

    system('mkdir', '-p', $build) == 0 or die "no $build";

    my $configure = (!-e $makefile || -M $makefile > -M "$dir/config")
        ? "./configure \"\${NGX_CONF_FLAGS[@]}\" $flags"
          . " --add-dynamic-module=$dir --builddir=$build &&"
        : '';

    my $command = "cd $source && . ./conf_flags && $configure"
        . " make -f $makefile modules";

    system('bash', '-c', "($command) >$build/log 2>&1") == 0
        or die "the module does not build:\n" . `tail -30 $build/log`;

    return "$build/ngx_http_wschat_bus_test_module.so";
}


# Options: workers, ring, queue, master (on).

sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        workers => 4, ring => '64k', queue => '8m', master => 'on', %opt,
        dir => tempdir('bus-test-XXXXXX', TMPDIR => 1, CLEANUP => 1),
        owner => $$,
    }, $class;

    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        or die "no free port: $!";
    $self->{port} = $socket->sockport;
    close $socket;

    $self->{module} = build();
    $self->configure;
    $self->start;

    return $self;
}


sub configure {
    my ($self, %opt) = @_;

    %$self = (%$self, %opt);
    my $d = $self->{dir};
    chmod 0755, $d;

    open my $f, '>', "$d/nginx.conf" or die "$d/nginx.conf: $!";
    print $f <<"CONF";
load_module $self->{module};
daemon off;
master_process $self->{master};
worker_processes $self->{workers};
pid $d/nginx.pid;
error_log $d/error.log notice;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $d/body;
    proxy_temp_path $d/proxy;
    fastcgi_temp_path $d/fastcgi;
    uwsgi_temp_path $d/uwsgi;
    scgi_temp_path $d/scgi;
    bus_test_zone $self->{ring} $self->{queue};
    server { listen 127.0.0.1:$self->{port}; location / { bus_test; } }
}
CONF
    close $f;
}


sub start {
    my ($self) = @_;

    my @wrap = $ENV{BUS_TEST_VALGRIND}
        ? ('valgrind', '-q', '--vgdb=no', "--log-file=$self->{dir}/valgrind.%p") : ();

    my $pid = fork;
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        if ($sanitize) {
            my @so = map { chomp(my $p = `gcc -print-file-name=$_`); $p }
                     qw(libasan.so libubsan.so);
            $ENV{LD_PRELOAD} = join ' ', @so;
            $ENV{ASAN_OPTIONS} = "detect_leaks=0:log_path=$self->{dir}/asan";
            $ENV{UBSAN_OPTIONS} = "print_stacktrace=1:log_path=$self->{dir}/asan";
        }
        open STDERR, '>>', "$self->{dir}/stderr";
        exec @wrap, $nginx, '-p', $self->{dir}, '-e', "$self->{dir}/error.log",
             '-c', "$self->{dir}/nginx.conf" or exit 1;
    }

    $self->{pid} = $pid;
    my $n = $self->{master} eq 'on' ? $self->{workers} : 1;
    $self->await(sub { $_[0]->live == $n }, 20)
        or die "nginx does not start:\n" . $self->log;
}


sub stop {
    my ($self, $signal) = @_;

    my $pid = delete $self->{pid} or return;
    kill $signal || 'QUIT', $pid;

    my $until = time + 10;
    while (time < $until) {
        return 1 if waitpid($pid, 1) == $pid;
        sleep 0.02;
    }

    kill 'KILL', $pid;
    waitpid $pid, 0;
    return 0;
}


sub DESTROY {
    my ($self) = @_;
    $self->stop if $self->{owner} == $$;
}


sub log {
    my ($self) = @_;
    open my $f, '<', "$self->{dir}/error.log" or return '';
    local $/;
    return <$f>;
}


# What the sanitizers and valgrind have said.

sub findings {
    my ($self) = @_;
    return join '', map { `cat $_` } glob "$self->{dir}/asan* $self->{dir}/valgrind*";
}


sub fds {
    my ($self) = @_;
    return scalar(() = glob "/proc/$self->{pid}/fd/*");
}


sub request {
    my ($self, $args) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Timeout => 2,
                                  PeerPort => $self->{port}) or return;
    my $answer = '';

    local $SIG{ALRM} = sub { die "timeout\n" };
    eval {
        alarm 3;
        print $s "GET /?$args HTTP/1.0\r\n\r\n";
        while (sysread $s, $answer, 65536, length $answer) { }
        alarm 0;
    };
    alarm 0;

    return $answer =~ /^end$/m ? BusTest::Report->new($answer) : undef;
}


sub ask {
    my ($self, $args) = @_;

    for (1 .. 20) {
        my $report = $self->request($args // '');
        return $report if $report;
        sleep 0.1;
    }

    die "nginx does not answer:\n" . $self->log;
}


# Asks until the condition holds; the report or undef.

sub await {
    my ($self, $condition, $seconds) = @_;

    my $until = time + $seconds * ($ENV{BUS_TEST_VALGRIND} ? 10 : 1);

    while (time < $until) {
        my $report = $self->request('');
        return $report if $report && $condition->($report);
        sleep 0.03;
    }

    return;
}


package BusTest::Report;

use strict;
use warnings;
use List::Util qw(sum0);


sub new {
    my ($class, $text) = @_;
    my $self = bless { slot => {}, pair => [], dead => {}, text => $text },
                     $class;

    for (split /\n/, $text) {
        if (/^me=(\d+) job=(\d+)/) {
            @$self{qw(me job)} = ($1, $2);
        } elsif (/^slot (.*)/) {
            my %v = map { split /=/ } split / /, $1;
            $self->{slot}{$v{n}} = \%v;
        } elsif (/^pair (.*)/) {
            push @{$self->{pair}}, { map { split /=/ } split / /, $1 };
        } elsif (/^dead n=(\d+) gen=(\d+) calls=(\d+)/) {
            $self->{dead}{"$1/$2"} = $3;
        } elsif (/^start=(\d+)/) {
            $self->{start} = $1;
        }
    }

    return $self;
}


sub slots { my ($s) = @_; return grep { $_->{live} } values %{$s->{slot}} }
sub live { my ($s) = @_; return scalar(() = $s->slots) }
sub used { my ($s) = @_; return scalar keys %{$s->{slot}} }
sub sum { my ($s, $key) = @_; return sum0 map { $_->{$key} } $s->slots }

sub by_pid {
    my ($s, $pid) = @_;
    return (grep { $_->{pid} == $pid } values %{$s->{slot}})[0];
}


# All live writers have finished the job, and all live readers have all that
# was sent to them: "next" skips what is not for a reader.

sub finished {
    my ($s) = @_;
    return if grep { $_->{done} != $s->{job} } $s->slots;
    return !$s->missing;
}


sub missing {
    my ($s) = @_;
    my (%next, @missing);

    $next{"$_->{r} $_->{w} $_->{gen}"} = $_->{next} for @{$s->{pair}};

    for my $r ($s->slots) {
        for my $w ($s->slots) {
            next if $r->{n} == $w->{n} || $w->{sent} == 0;

            my $n = $next{"$r->{n} $w->{n} $w->{gen}"} // 0;
            $n++ while $n < $w->{sent} && $n % 8 == 7
                       && $r->{n} % 4 != int($n / 8) % 4;
            push @missing, "$r->{n}<$w->{n}: $n of $w->{sent}"
                if $n != $w->{sent};
        }
    }

    return join ', ', @missing;
}


1;
