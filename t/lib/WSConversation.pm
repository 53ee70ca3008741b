package WSConversation;

# Copyright (C) the ngx_wschat authors

# Plays the conversation of a "--- ws" section: several named clients and an
# HTTP client against one nginx.  One step a line; a line starting with "#" is
# a comment.  Each expectation is one TAP test, named by its line in the file.
#
# Clients
#
#   NAME connect [OPTION...] PATH [HEADERS] [=> STATUS [HEADERS] [REGEX]]
#   NAME open [OPTION...]               a TCP (or TLS) connection, no handshake
#
#       HEADERS are "Name: value | Name: value", "Name:" leaves a standard one
#       out; those of the answer stand in [ ], their values are regexes, and
#       [!Name] is a header that must be absent.  OPTIONs are tls, port=N,
#       rcvbuf=BYTES, from=ADDRESS, worker=N (that it lands on the Nth worker),
#       apart=NAME and with=NAME (on another worker than NAME, or on the same);
#       the last three mean nothing if nginx runs one process.
#
#   NAME send TEXT                      a text message
#   NAME send-esc TEXT                  the same with \n, \r, \t, \\, \xHH
#   NAME send-bin HEX
#   NAME frame op=N[,fin=0][,rsv=N][,mask=0][,len=16|64][,split=N] TEXT
#                                       any frame, TEXT with escapes; split:
#                                       so many bytes a write
#   NAME send-raw HEX
#   NAME write [split=N] TEXT           raw bytes, with escapes
#   NAME ping TEXT
#   NAME pong TEXT
#   NAME close [CODE [REASON]]
#   NAME abort                          RST
#   NAME hangup                         FIN, without a close frame
#   NAME stop-reading                   shrinks the receive buffer; a client
#                                       reads only in recv-..., anyway
#
#   NAME recv TEXT                      a text message, exactly this
#   NAME recv-esc TEXT                  the same with escapes
#   NAME recv-json JSON [=> VAR=PATH...]
#                                       contains this: objects may have more
#                                       members, "*" is any value
#   NAME recv-like REGEX
#   NAME recv-until JSON [=> VAR=PATH...]
#                                       skips messages until one contains this
#   NAME recv-bin HEX
#   NAME recv-len N                     a message of so many bytes
#   NAME recv-none [SECONDS]            nothing comes, 0.1 s
#   NAME recv-ping|recv-pong TEXT
#   NAME recv-close [CODE [REASON]]     and answers it, unless it was the first
#                                       to close; no CODE: any, no REASON: any
#   NAME recv-close-only [CODE [REASON]]
#                                       does not answer
#   NAME recv-eof                       the connection ends (FIN or RST)
#   NAME recv-head STATUS [HEADERS]     an HTTP answer's head, after "open"
#   NAME recv-body REGEX                and its body
#
# HTTP
#
#   http METHOD PATH [[HEADERS]] [BODY] => STATUS [[HEADERS]] [REGEX]
#   https ...                           the same to the TLS port
#   until http ...                      repeated until it holds
#
# nginx
#
#   signal NAME                         to the master
#   reload                              HUP, and waits for new workers
#   old-workers-exit [SECONDS]          workers older than the reload have left
#   kill-worker N | NAME                kill -9 of the Nth worker, or of the
#                                       one that has the client NAME
#   log REGEX                           in error.log, waited for
#   no-log REGEX                        not in error.log
#   access-log REGEX                    in access.log, waited for
#
# Others
#
#   sleep SECONDS
#   repeat N STEP                       one test in all; ${i} counts from 0
#
# ${x} is what a PATH of recv-json (a.b.0), or a named group (?<x>...) of a
# regex, has put there; ${alice.x} is the same for what alice received;
# ${c*N} is N times the character c; ${port} and ${tls_port} are ours.

use strict;
use warnings;

use JSON::PP ();
use Time::HiRes qw(time sleep);

use WSClient;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;


# new(port =>, timeout =>, scale =>, limit =>, log => [error, access],
#     log_pos => [bytes to skip of each], pid => sub { the master's pid },
#     single => no worker processes, ok => sub ($ok, $what, $diagnosis))

sub new {
    my ($class, %arg) = @_;

    return bless {
        %arg,
        client => {},
        var    => { port => $arg{port}, tls_port => $arg{port} + 1 },
        until  => time + $arg{limit},
    }, $class;
}


# play([line number, step], ...): goes on after an answer that was wrong, stops
# when an answer is missing; returns the number of steps that were not played

sub play {
    my ($self, @steps) = @_;

    while (my $step = shift @steps) {
        my ($line, $text) = @$step;

        $self->{line} = $line;
        $self->{stop} = 0;

        if (time > $self->{until}) {
            $self->_ok(0, $text, "the conversation takes too long");
            last;
        }

        my $ok = eval { $self->_step($text); 1 };

        if (!$ok) {
            $self->_ok(0, $text, "$@");
            last;
        }

        last if $self->{stop};
    }

    return scalar @steps;
}


# all clients leave

sub finish {
    my ($self) = @_;

    $_->{ws}->hangup for values %{ $self->{client} };
    $self->{client} = {};
}


# killed workers leave an [alert] line that is no fault

sub killed {
    my ($self) = @_;
    return $self->{killed} // 0;
}


sub _ok {
    my ($self, $ok, $what, $diagnosis) = @_;

    if ($self->{repeat}) {

        # one test for all the rounds: the first that failed

        $self->{repeat}{failed} //= $diagnosis unless $ok;
        $self->{repeat}{count}++;
        return $ok;
    }

    $what = substr($what, 0, 150) . '...' if length $what > 150;

    $self->{ok}->($ok, "$self->{line}: $what", $diagnosis);
    return $ok;
}


# an answer is missing: what follows cannot be right

sub _miss {
    my ($self, $what, $diagnosis) = @_;

    $self->{stop} = 1;
    $self->_ok(0, $what, $diagnosis);
}


sub _unescape {
    my ($text) = @_;

    my %char = (n => "\n", r => "\r", t => "\t", '\\' => '\\');

    $text =~ s/\\(?:x([0-9a-fA-F]{2})|([nrt\\]))/defined $1 ? chr hex $1
                                                           : $char{$2}/ge;
    return $text;
}


sub _hex {
    my ($text) = @_;
    $text =~ s/\s+//g;
    return pack 'H*', $text;
}


sub _show {
    my ($text) = @_;

    my $len = length $text;
    $text = substr($text, 0, 400) . "... ($len bytes)" if $len > 500;

    $text =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ge;
    return $text;
}


sub _substitute {
    my ($self, $text) = @_;

    $text =~ s/\$\{(.)\*(\d+)\}/$1 x $2/ge;
    $text =~ s/\$\{([\w.]+)\}/$self->{var}{$1} \/\/ "\${$1}"/ge;

    return $text;
}


sub _set {
    my ($self, $who, $name, $value) = @_;

    $value = $json->encode($value) if ref $value;

    $self->{var}{$name} = $value;
    $self->{var}{"$who.$name"} = $value if length $who;
}


# a regex matched; its named groups become variables

sub _matches {
    my ($self, $who, $text, $regex) = @_;

    return 0 unless $text =~ /$regex/;

    my %group = %+;
    $self->_set($who, $_, $group{$_}) for keys %group;

    return 1;
}


sub _contains {
    my ($want, $got) = @_;

    return 1 if !ref $want && defined $want && $want eq '*';
    return 0 if ref $want ne ref $got;

    if (ref $want eq 'HASH') {
        for (keys %$want) {
            return 0 unless exists $got->{$_}
                            && _contains($want->{$_}, $got->{$_});
        }

        return 1;
    }

    if (ref $want eq 'ARRAY') {
        return 0 unless @$want == @$got;

        for (0 .. $#$want) {
            return 0 unless _contains($want->[$_], $got->[$_]);
        }

        return 1;
    }

    return $json->encode($want) eq $json->encode($got);
}


sub _step {
    my ($self, $text) = @_;

    if ($text =~ /^repeat +(\d+) +(.*)$/) {
        return $self->_repeat($1, $2, $text);
    }

    $text = $self->_substitute($text);

    my ($who, $rest) = split / +/, $text, 2;
    $rest //= '';

    if (my $sub = $self->can('_do_' . $who =~ tr/-/_/r)) {
        return $self->$sub($rest, $text);
    }

    (my $verb, $rest) = split / +/, $rest, 2;
    $verb //= '';
    $rest //= '';

    my $sub = $self->can('_client_' . $verb =~ tr/-/_/r)
        or die "there is no step like this\n";

    if ($verb ne 'connect' && $verb ne 'open') {
        die "$who is not connected\n" unless $self->{client}{$who};
    }

    return $self->$sub($who, $rest, $text);
}


sub _repeat {
    my ($self, $n, $step, $text) = @_;

    my $round = $self->{repeat} = { count => 0 };

    for my $i (0 .. $n - 1) {
        $self->{var}{i} = $i;

        eval { $self->_step($step); 1 } or $round->{failed} //= "$@";

        $round->{failed} //= "the conversation takes too long"
            if time > $self->{until};

        if (defined $round->{failed}) {
            $round->{failed} = "in round $i: $round->{failed}";
            last;
        }
    }

    delete $self->{repeat};

    $self->_ok(!defined $round->{failed}, $text, $round->{failed})
        if $round->{count} || defined $round->{failed};
}


# ---- nginx and its workers


# pids of the workers that are not on their way out, in order

sub _workers {
    my ($self, $all) = @_;

    my $master = $self->{pid}->();
    my @pids;

    for my $dir (glob '/proc/[0-9]*') {
        open my $fh, '<', "$dir/stat" or next;
        my ($pid, $ppid) = (<$fh> // '') =~ /^(\d+) \(.*\) \S (\d+)/s;

        next unless defined $ppid && $ppid == $master;

        open $fh, '<', "$dir/cmdline" or next;
        my $cmd = <$fh> // '';

        next unless $cmd =~ /worker process/;
        next if $cmd =~ /shutting down/ && !$all;

        push @pids, $pid;
    }

    return sort { $a <=> $b } @pids;
}


# the worker that has accepted a client; the connection is found by its ports

sub _worker_of {
    my ($self, $client, $port) = @_;

    my $ports = sprintf ':%04X %s:%04X', $port, '[0-9A-F]+',
                        $client->local_port;
    my $deadline = time + 1;

    do {
        open my $fh, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!\n";

        my ($inode) = map { (split)[9] } grep { /$ports/ } <$fh>;

        if ($inode) {
            for my $pid ($self->_workers('all')) {
                for (glob "/proc/$pid/fd/*") {
                    return $pid if (readlink $_ // '') eq "socket:[$inode]";
                }
            }
        }

        sleep 0.002;

    } while (time < $deadline);

    return 0;
}


sub _do_signal {
    my ($self, $rest) = @_;

    kill $rest, $self->{pid}->() or die "signal $rest: $!\n";
}


sub _do_reload {
    my ($self, $rest, $text) = @_;

    my %old = map { $_ => 1 } $self->_workers('all');

    $self->{old} = \%old;
    $self->_do_signal('HUP');

    if ($self->{single}) {
        sleep 0.2 * $self->{scale};
        return;
    }

    my $deadline = time + 10 * $self->{scale};

    until (grep { !$old{$_} } $self->_workers) {
        return $self->_miss($text, "no new worker") if time > $deadline;
        sleep 0.02;
    }

    # the old ones are told after the new ones were started

    until (!grep { $old{$_} } $self->_workers) {
        return $self->_miss($text, "old workers go on") if time > $deadline;
        sleep 0.02;
    }
}


sub _do_old_workers_exit {
    my ($self, $rest, $text) = @_;

    my $deadline = time + (length $rest ? $rest : 10) * $self->{scale};
    my @left;

    while (@left = grep { $self->{old}{$_} } $self->_workers('all')) {
        last if time > $deadline;
        sleep 0.02;
    }

    $self->_ok(!@left, $text, "still there: @left");
}


sub _do_kill_worker {
    my ($self, $rest, $text) = @_;

    die "there are no workers\n" if $self->{single};

    my $pid = $rest =~ /^\d+$/
              ? ($self->_workers)[$rest - 1]
              : $self->_worker_of(@{ $self->{client}{$rest} }{'ws', 'port'});

    die "there is no such worker\n" unless $pid;

    kill 'KILL', $pid or die "kill: $!\n";
    $self->{killed}++;

    my $deadline = time + 10 * $self->{scale};

    while (grep { $_ == $pid } $self->_workers('all')) {
        die "worker $pid does not die\n" if time > $deadline;
        sleep 0.005;
    }
}


sub _read_log {
    my ($self, $i) = @_;

    open my $fh, '<', $self->{log}[$i] or return '';
    seek $fh, $self->{log_pos}[$i], 0;

    local $/;
    return <$fh> // '';
}


sub _wait_log {
    my ($self, $i, $regex, $text) = @_;

    my $deadline = time + $self->{timeout};
    my $found;

    until ($found = $self->_matches('', $self->_read_log($i), "(?m:$regex)")) {
        last if time > $deadline;
        sleep 0.02;
    }

    $self->_ok($found, $text, "no such line in $self->{log}[$i]");
}


sub _do_log {
    my ($self, $rest, $text) = @_;
    $self->_wait_log(0, $rest, $text);
}


sub _do_access_log {
    my ($self, $rest, $text) = @_;
    $self->_wait_log(1, $rest, $text);
}


sub _do_no_log {
    my ($self, $rest, $text) = @_;

    my ($line) = grep { /$rest/ } split /^/, $self->_read_log(0);
    $self->_ok(!defined $line, $text, $line);
}


sub _do_sleep {
    my ($self, $rest) = @_;
    sleep $rest * $self->{scale};
}


# ---- HTTP


# "[Name: regex | !Name]" in front of $$rest is taken off it

sub _take_headers {
    my ($rest) = @_;

    return () unless $$rest =~ s/^\[(!?[A-Za-z][\w-]*(?::.*?)?)\](?: +|$)//;
    return split /\s*\|\s*/, $1;
}


# the diagnosis if a head or a body is not as expected, else undef

sub _answer_fault {
    my ($self, $who, $http, $got, $want) = @_;

    my $rest = $want;

    $rest =~ s/^(\d{3})(?: +|$)// or die "a status is missing after =>\n";

    return "got $got" . (defined $http->{head} ? ": $http->{head}" : '')
        if $got ne $1;

    for (_take_headers(\$rest)) {

        if (/^!(.*)$/) {
            my $value = $http->header($1);
            return "got $1: $value" if defined $value;
            next;
        }

        my ($name, $regex) = /^([^:]+):\s*(.*)$/ or die "bad header: $_\n";
        my $value = $http->header($name);

        return "no header $name in $http->{head}" unless defined $value;
        return "got $name: $value" unless $self->_matches($who, $value, $regex);
    }

    return unless length $rest;

    my $body = $http->read_body;

    return "got the body [" . _show($body) . "]"
        unless $self->_matches($who, $body, $rest);

    return;
}


sub _request {
    my ($self, $rest, $tls) = @_;

    my ($request, $want) = $rest =~ /^(.*) => *(\d{3}\b.*)$/
        or die "http METHOD PATH [[HEADERS]] [BODY] => STATUS ...\n";

    my ($method, $path, $body) = split / +/, $request, 3;
    $body //= '';

    my @headers = _take_headers(\$body);

    my $http = WSClient->new(host => '127.0.0.1', timeout => $self->{timeout},
                             port => $self->{port} + ($tls ? 1 : 0),
                             tls => $tls)
        or return $@;

    unshift @headers, 'Host: localhost' unless grep { /^host:/i } @headers;

    push @headers, 'Content-Length: ' . length $body
        if (length $body || $method eq 'POST')
           && !grep { /^(?:content-length|transfer-encoding):/i } @headers;

    $http->write("$method $path HTTP/1.1\r\n"
                 . join('', map { "$_\r\n" } @headers)
                 . "Connection: close\r\n\r\n$body");

    my $fault = $self->_answer_fault('', $http, $http->read_head, $want);
    $http->hangup;

    return $fault;
}


sub _do_http {
    my ($self, $rest, $text) = @_;

    my $fault = $self->_request($rest, 0);
    $self->_ok(!defined $fault, $text, $fault);
}


sub _do_https {
    my ($self, $rest, $text) = @_;

    my $fault = $self->_request($rest, 1);
    $self->_ok(!defined $fault, $text, $fault);
}


sub _do_until {
    my ($self, $rest, $text) = @_;

    my $tls = $rest =~ s/^http(s?) +// ? length $1
                                       : die "until http[s] ...\n";
    my $deadline = time + 2 * $self->{timeout};
    my $fault;

    while (defined($fault = $self->_request($rest, $tls))) {
        last if time > $deadline;
        sleep 0.02;
    }

    $self->_ok(!defined $fault, $text, $fault);
}


# ---- a client connects


sub _connection {
    my ($self, $who, $rest, $text) = @_;

    my %opt;

    while ($rest =~ s/^(tls)(?: +|$)//
           || $rest =~ s/^(port|rcvbuf|from|worker|apart|with)=(\S+)(?: +|$)//)
    {
        $opt{$1} = $2 // 1;
    }

    my $old = delete $self->{client}{$who};
    $old->{ws}->hangup if $old;

    my $port = $opt{port} // $self->{port} + ($opt{tls} ? 1 : 0);
    my $deadline = time + $self->{timeout};

    while (1) {
        my $ws = WSClient->new(host => '127.0.0.1', port => $port, %opt,
                               timeout => $self->{timeout});

        if (!$ws) {
            $self->_miss($text, $@);
            return;
        }

        my $client = { ws => $ws, port => $port };

        if ($self->_placed($client, \%opt)) {
            $self->{client}{$who} = $client;
            return $rest;
        }

        $ws->hangup;

        if (time > $deadline) {
            $self->_miss($text, "never landed on the right worker");
            return;
        }
    }
}


sub _placed {
    my ($self, $client, $opt) = @_;

    return 1 if $self->{single};
    return 1 unless grep { defined } @$opt{'worker', 'apart', 'with'};

    my $pid = $self->_worker_of(@$client{'ws', 'port'});

    if ($opt->{worker}) {
        return $pid == (($self->_workers)[$opt->{worker} - 1] // 0);
    }

    my $other = $self->{client}{ $opt->{apart} // $opt->{with} }
        or die "the other is not connected\n";

    my $theirs = $self->_worker_of(@$other{'ws', 'port'});

    return $opt->{with} ? $pid == $theirs : $pid != $theirs;
}


sub _client_open {
    my ($self, $who, $rest, $text) = @_;
    $self->_connection($who, $rest, $text);
}


sub _client_connect {
    my ($self, $who, $rest, $text) = @_;

    my $want = $rest =~ s/ *=> *(\d{3}\b.*)$// ? $1 : '101';

    $rest = $self->_connection($who, $rest, $text) // return;

    my ($path, $headers) = split / +/, $rest, 2;
    $headers //= '';

    my @headers = _take_headers(\$headers);
    @headers = split /\s*\|\s*/, $headers unless @headers;

    my $ws = $self->{client}{$who}{ws};
    my $got = $ws->handshake($path, @headers);
    my $fault = $self->_answer_fault($who, $ws, $got, $want);

    return $self->_ok(1, $text) unless defined $fault;

    $self->_miss($text, $fault);
}


# ---- a client sends


sub _ws {
    my ($self, $who) = @_;
    return $self->{client}{$who}{ws};
}


# a write fails if the server has closed or does not read, which is no error by
# itself: what the test expects is said by the lines that follow

sub _client_send {
    my ($self, $who, $rest) = @_;
    $self->_ws($who)->frame(1, $rest);
}


sub _client_send_esc {
    my ($self, $who, $rest) = @_;
    $self->_ws($who)->frame(1, _unescape($rest));
}


sub _client_send_bin {
    my ($self, $who, $rest) = @_;
    $self->_ws($who)->frame(2, _hex($rest));
}


sub _client_frame {
    my ($self, $who, $rest) = @_;

    my ($options, $payload) = split / +/, $rest, 2;
    my %opt = map { my ($k, $v) = split /=/; ($k, $v // 1) }
                  split /,/, $options;

    $self->_ws($who)->frame($opt{op} // die("op= is missing\n"),
                            _unescape($payload // ''), %opt);
}


sub _client_send_raw {
    my ($self, $who, $rest) = @_;
    $self->_ws($who)->write(_hex($rest));
}


sub _client_write {
    my ($self, $who, $rest) = @_;

    my @split = $rest =~ s/^split=(\d+) // ? (split => $1) : ();
    $self->_ws($who)->write(_unescape($rest), @split);
}


sub _client_ping {
    my ($self, $who, $rest) = @_;
    $self->_ws($who)->frame(9, $rest);
}


sub _client_pong {
    my ($self, $who, $rest) = @_;
    $self->_ws($who)->frame(10, $rest);
}


sub _client_close {
    my ($self, $who, $rest) = @_;

    my ($code, $reason) = split / +/, $rest, 2;

    $self->_ws($who)->frame(8, defined $code ? pack('n', $code)
                                               . _unescape($reason // '')
                                             : '');
}


sub _client_abort {
    my ($self, $who) = @_;
    (delete $self->{client}{$who})->{ws}->abort;
}


sub _client_hangup {
    my ($self, $who) = @_;
    (delete $self->{client}{$who})->{ws}->hangup;
}


sub _client_stop_reading {
    my ($self, $who) = @_;
    $self->_ws($who)->rcvbuf(1);
}


# ---- a client expects


# a message must be of the type and satisfy the check, which gets its payload

sub _expect {
    my ($self, $who, $type, $text, $check) = @_;

    my ($got, $payload) = $self->_ws($who)->message;

    return $self->_ok(1, $text) if $got eq $type && $check->($payload);

    my $diagnosis = "got $got" . (length $payload ? ": " . _show($payload) : '');

    return $self->_miss($text, $diagnosis)
        if $got eq 'nothing' || $got eq 'eof';

    $self->_ok(0, $text, $diagnosis);
}


sub _client_recv {
    my ($self, $who, $rest, $text) = @_;
    $self->_expect($who, 'text', $text, sub { $_[0] eq $rest });
}


sub _client_recv_esc {
    my ($self, $who, $rest, $text) = @_;
    $self->_expect($who, 'text', $text, sub { $_[0] eq _unescape($rest) });
}


sub _client_recv_like {
    my ($self, $who, $rest, $text) = @_;

    $self->_expect($who, 'text', $text,
                   sub { $self->_matches($who, $_[0], $rest) });
}


sub _client_recv_bin {
    my ($self, $who, $rest, $text) = @_;
    $self->_expect($who, 'bin', $text, sub { $_[0] eq _hex($rest) });
}


sub _client_recv_len {
    my ($self, $who, $rest, $text) = @_;
    $self->_expect($who, 'text', $text, sub { length $_[0] == $rest });
}


sub _client_recv_ping {
    my ($self, $who, $rest, $text) = @_;
    $self->_expect($who, 'ping', $text, sub { $_[0] eq $rest });
}


sub _client_recv_pong {
    my ($self, $who, $rest, $text) = @_;
    $self->_expect($who, 'pong', $text, sub { $_[0] eq $rest });
}


# JSON and the variables to set: (document, [name, path]...)

sub _json_arguments {
    my ($rest) = @_;

    my @captures = $rest =~ s/ +=> +([\w.]+=\S+(?: +\w+=\S+)*)$//
                   ? map { [split /=/, $_, 2] } split / +/, $1
                   : ();

    my $want = eval { $json->decode($rest) };
    die "the expected JSON is broken: $@" if $@;

    return ($want, @captures);
}


sub _json_matches {
    my ($self, $who, $payload, $want, @captures) = @_;

    my $got = eval { $json->decode($payload) };

    return 0 if $@ || !_contains($want, $got);

    for (@captures) {
        my ($name, $path) = @$_;
        my $value = $got;

        for (split /\./, $path) {
            $value = ref $value eq 'HASH'  ? $value->{$_}
                   : ref $value eq 'ARRAY' ? $value->[$_]
                   :                         undef;
        }

        die "there is no $path\n" unless defined $value;

        $self->_set($who, $name, $value);
    }

    return 1;
}


sub _client_recv_json {
    my ($self, $who, $rest, $text) = @_;

    my @want = _json_arguments($rest);

    $self->_expect($who, 'text', $text,
                   sub { $self->_json_matches($who, $_[0], @want) });
}


sub _client_recv_until {
    my ($self, $who, $rest, $text) = @_;

    my @want = _json_arguments($rest);
    my $deadline = time + $self->{timeout};
    my $skipped = '';

    while (1) {
        my $left = $deadline - time;
        my ($got, $payload) = $self->_ws($who)->message($left > 0 ? $left : 0);

        return $self->_ok(1, $text)
            if $got eq 'text' && $self->_json_matches($who, $payload, @want);

        $skipped .= "$got " . _show($payload) . "\n";

        return $self->_miss($text, "got only:\n$skipped")
            if $got eq 'nothing' || $got eq 'eof' || $got eq 'broken';
    }
}


sub _client_recv_none {
    my ($self, $who, $rest, $text) = @_;

    my ($got, $payload) = $self->_ws($who)->message(
                              (length $rest ? $rest : 0.1) * $self->{scale});

    $self->_ok($got eq 'nothing', $text, "got $got: " . _show($payload));
}


sub _client_recv_close_only {
    my ($self, $who, $rest, $text) = @_;

    $self->_expect($who, 'close', $text, sub {
        my ($got) = @_;

        $self->_ws($who)->{code} = $got =~ /^(\d+)/ ? $1 : 1005;

        return $rest eq '' || $got eq $rest
               || $rest =~ /^\d+$/ && $got =~ /^$rest /;
    });
}


sub _client_recv_close {
    my ($self, $who, $rest, $text) = @_;

    $self->_client_recv_close_only($who, $rest, $text);

    my $ws = $self->_ws($who);

    return if $ws->{closing} || !$ws->{code};

    $self->_client_close($who, $ws->{code} == 1005 ? '' : $ws->{code});
}


sub _client_recv_eof {
    my ($self, $who, $rest, $text) = @_;

    my ($got, $payload) = $self->_ws($who)->message;

    $self->_ok($got eq 'eof', $text, "got $got: " . _show($payload));
}


sub _client_recv_head {
    my ($self, $who, $rest, $text) = @_;

    my $ws = $self->_ws($who);
    my $fault = $self->_answer_fault($who, $ws, $ws->read_head, $rest);

    return $self->_ok(1, $text) unless defined $fault;

    $self->_miss($text, $fault);
}


sub _client_recv_body {
    my ($self, $who, $rest, $text) = @_;

    my $body = $self->_ws($who)->read_body;

    $self->_ok($self->_matches($who, $body, $rest), $text,
               "got [" . _show($body) . "]");
}


1;
