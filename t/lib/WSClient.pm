package WSClient;

# Copyright (C) the ngx_wschat authors

# A blocking WebSocket client for tests.  It knows bytes and frames and does
# nothing by itself: no automatic pong, no automatic close, no checks of what
# the server sends but what is asked for.  Every wait has a deadline.

use strict;
use warnings;

use Digest::SHA ();
use IO::Select;
use IO::Socket::INET;
use MIME::Base64 ();
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER SO_RCVBUF TCP_NODELAY
              SOCK_STREAM pack_sockaddr_in inet_aton);
use Time::HiRes qw(time sleep);

my @opcode = ('cont', 'text', 'bin', ('?') x 5, 'close', 'ping', 'pong');


# new(host =>, port =>, timeout => [, tls => 1, rcvbuf => bytes, from => ip])
# connects; returns nothing if that fails, with the reason in $@

sub new {
    my ($class, %arg) = @_;

    # made by hand, because a receive buffer must be set before connecting

    my $sock = IO::Socket::INET->new(Proto => 'tcp', Type => SOCK_STREAM);

    if (!$sock) {
        $@ = "socket: $!";
        return;
    }

    setsockopt($sock, SOL_SOCKET, SO_RCVBUF, pack('i', $arg{rcvbuf}))
        if $arg{rcvbuf};

    if ($arg{from} && !bind($sock, pack_sockaddr_in(0, inet_aton($arg{from}))))
    {
        $@ = "bind $arg{from}: $!";
        return;
    }

    $sock->timeout($arg{timeout});

    my $to = pack_sockaddr_in($arg{port}, inet_aton($arg{host}));

    if (!$sock->connect($to)) {
        $@ = "connect: $!";
        return;
    }

    $sock->timeout(undef);
    setsockopt($sock, IPPROTO_TCP, TCP_NODELAY, pack('i', 1));

    my $self = bless {
        timeout => $arg{timeout},
        port    => $sock->sockport,
        in      => '',
    }, $class;

    if ($arg{tls}) {
        require IO::Socket::SSL;

        $sock = IO::Socket::SSL->start_SSL($sock, SSL_verify_mode => 0,
                                           Timeout => $arg{timeout});
        if (!$sock) {
            $@ = "TLS: " . IO::Socket::SSL::errstr();
            return;
        }
    }

    $sock->blocking(0);
    $self->{sock} = $sock;

    return $self;
}


# the port on the client's side, which tells the worker that has it

sub local_port {
    my ($self) = @_;
    return $self->{port};
}


sub rcvbuf {
    my ($self, $bytes) = @_;
    setsockopt($self->{sock}, SOL_SOCKET, SO_RCVBUF, pack('i', $bytes));
}


# waits for the socket; true if it is ready before the deadline

sub _wait {
    my ($self, $deadline, $for) = @_;

    my $sock = $self->{sock};

    return 1 if $for eq 'read' && $sock->can('pending') && $sock->pending;

    my $left = $deadline - time;
    $left = 0 if $left < 0;

    my $select = IO::Select->new($sock);

    return $for eq 'read' ? scalar $select->can_read($left)
                          : scalar $select->can_write($left);
}


# writes it all, or as much as the server takes before the timeout; true if all

sub write {
    my ($self, $data, %opt) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $deadline = time + $self->{timeout};
    my $piece = $opt{split} || length $data;
    my $pos = 0;

    while ($pos < length $data) {

        my $n = syswrite($self->{sock}, $data, $piece, $pos);

        if ($n) {
            $pos += $n;
            sleep 0.0005 if $opt{split};
            next;
        }

        return 0 unless !defined $n && ($!{EAGAIN} || $!{EINTR});
        return 0 unless $self->_wait($deadline, 'write');
    }

    return 1;
}


# reads something into $self->{in}: the number of bytes, 0 at the end, undef
# if the deadline passes; a reset connection has ended, too

sub _fill {
    my ($self, $deadline) = @_;

    while ($self->_wait($deadline, 'read')) {

        my $n = sysread($self->{sock}, $self->{in}, 65536,
                        length $self->{in});

        return $n if defined $n;
        return 0 unless $!{EAGAIN} || $!{EINTR};
        return undef if time >= $deadline;
    }

    return undef;
}


# an HTTP head is read and kept: $client->{head}; returns its status, or
# "timeout", "eof", "garbage"

sub read_head {
    my ($self) = @_;

    my $deadline = time + $self->{timeout};

    my $end;

    while (($end = index $self->{in}, "\r\n\r\n") < 0) {
        my $n = $self->_fill($deadline);

        return 'timeout' unless defined $n;
        return 'eof' unless $n;
    }

    $self->{head} = substr $self->{in}, 0, $end + 2;
    substr($self->{in}, 0, $end + 4) = '';

    return $self->{head} =~ m{\AHTTP/1\.[01] (\d{3})[ \r]} ? $1 : 'garbage';
}


# the value of a header in the head that was read; undef if absent

sub header {
    my ($self, $name) = @_;
    my @values = $self->{head} =~ /^\Q$name\E:[ \t]*(.*?)[ \t]*\r$/mig;
    return @values ? join(', ', @values) : undef;
}


# the body that belongs to the head that was read

sub read_body {
    my ($self) = @_;

    my $deadline = time + $self->{timeout};
    my $length = $self->header('Content-Length');

    while (!defined $length || length $self->{in} < $length) {
        last unless $self->_fill($deadline);
    }

    my $body = substr($self->{in}, 0, $length // length $self->{in}, '');

    if (lc($self->header('Transfer-Encoding') // '') eq 'chunked') {
        my $whole = '';

        while ($body =~ s/\A([0-9a-f]+)[^\r\n]*\r\n//i && hex $1) {
            $whole .= substr($body, 0, hex $1, '');
            $body =~ s/\A\r\n//;
        }

        $body = $whole;
    }

    return $body;
}


# handshake(path, 'Name: value' ...): the status, or what read_head() says,
# or "bad accept"; "Name:" without a value leaves out a header of the standard
# set, others are added

sub handshake {
    my ($self, $path, @headers) = @_;

    my @standard = (
        ['Host',                  'localhost'],
        ['Upgrade',               'websocket'],
        ['Connection',            'Upgrade'],
        ['Sec-WebSocket-Version', '13'],
        ['Sec-WebSocket-Key',
         MIME::Base64::encode_base64(pack('C16', map { rand 256 } 1 .. 16),
                                     '')],
    );

    my @added;

    for (@headers) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/;
        my ($known) = grep { lc $_->[0] eq lc $name } @standard;

        if ($known) {
            $known->[1] = $value;

        } else {
            push @added, [$name, $value];
        }
    }

    @standard = grep { length $_->[1] } @standard;

    $self->write("GET $path HTTP/1.1\r\n"
                 . join('', map { "$_->[0]: $_->[1]\r\n" } @standard, @added)
                 . "\r\n");

    my $status = $self->read_head;

    if ($status eq '101') {
        my ($key) = map { $_->[1] }
                    grep { $_->[0] eq 'Sec-WebSocket-Key' } @standard;

        my $accept = Digest::SHA::sha1_base64(
                         $key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=';

        return 'bad accept'
            if ($self->header('Sec-WebSocket-Accept') // '') ne $accept;
    }

    return $status;
}


# frame(opcode, payload, fin => 0|1, rsv => 0..7, mask => 0|1,
#       len => 16|64 (bits of the length, where a shorter form would do),
#       split => bytes per write): false if it could not be written

sub frame {
    my ($self, $op, $payload, %opt) = @_;

    $self->{closing} = 1 if $op == 8;

    my $len = length $payload;
    my $mask = $opt{mask} // 1;
    my $bits = $opt{len} // ($len < 126 ? 7 : $len < 65536 ? 16 : 64);

    my $frame = pack 'C', ($opt{fin} // 1) << 7 | ($opt{rsv} // 0) << 4 | $op;
    my $m = $mask ? 0x80 : 0;

    $frame .= $bits == 7  ? pack('C', $m | $len)
            : $bits == 16 ? pack('Cn', $m | 126, $len)
            :               pack('CQ>', $m | 127, $len);

    if ($mask) {
        my $key = pack 'C4', map { rand 256 } 1 .. 4;

        $frame .= $key;
        $payload ^= substr($key x (($len + 3) / 4), 0, $len);
    }

    return $self->write($frame . $payload, %opt);
}


# next_frame([seconds]): { op, fin, rsv, masked, payload }, or "eof", or undef

sub next_frame {
    my ($self, $timeout) = @_;

    my $deadline = time + ($timeout // $self->{timeout});

    while (1) {
        my $in = \$self->{in};
        my $have = length $$in;

        if ($have >= 2) {
            my ($b0, $b1) = unpack 'CC', $$in;
            my $len = $b1 & 0x7f;
            my $head = 2;

            if ($len == 126) {
                $head = 4;
                $len = $have < 4 ? undef : unpack 'x2n', $$in;

            } elsif ($len == 127) {
                $head = 10;
                $len = $have < 10 ? undef : unpack 'x2Q>', $$in;
            }

            if (defined $len && $have >= $head + $len) {
                my $payload = substr $$in, $head, $len;
                substr($$in, 0, $head + $len) = '';

                return {
                    op      => $b0 & 15,
                    fin     => $b0 >> 7,
                    rsv     => $b0 >> 4 & 7,
                    masked  => $b1 >> 7,
                    payload => $payload,
                };
            }
        }

        my $n = $self->_fill($deadline);

        return undef unless defined $n;
        return 'eof' unless $n;
    }
}


# message([seconds]): the type and the payload of a whole message or of a
# control frame.  Types are text, bin, ping, pong, close, eof, and nothing
# (the time is over), and broken: a server's frame that RFC 6455 forbids, the
# payload says why.  A close frame's payload is "CODE" or "CODE REASON",
# "1005" if it was empty

sub message {
    my ($self, $timeout) = @_;

    my $deadline = time + ($timeout // $self->{timeout});

    while (1) {
        my $left = $deadline - time;
        my $frame = $self->next_frame($left > 0 ? $left : 0);

        return ('nothing', '') unless defined $frame;
        return ('eof', '') unless ref $frame;

        my ($op, $payload) = @$frame{'op', 'payload'};

        return ('broken', 'masked frame') if $frame->{masked};
        return ('broken', "rsv $frame->{rsv}") if $frame->{rsv};
        return ('broken', "opcode $op") if $op > 10 || $op > 2 && $op < 8;

        if ($op >= 8) {
            return ('broken', 'fragmented control frame') if !$frame->{fin};
            return ('broken', 'long control frame') if length $payload > 125;

            return ($opcode[$op], $payload) if $op != 8;

            return ('close', '1005') if $payload eq '';
            return ('broken', 'close frame of 1 byte') if length $payload == 1;

            my ($code, $reason) = unpack 'na*', $payload;
            return ('close', length $reason ? "$code $reason" : $code);
        }

        if ($op == 0) {
            return ('broken', 'stray continuation')
                unless defined $self->{type};

        } else {
            return ('broken', 'interrupted message') if defined $self->{type};

            @$self{'type', 'part'} = ($opcode[$op], '');
        }

        $self->{part} .= $payload;

        if ($frame->{fin}) {
            return (delete $self->{type}, delete $self->{part});
        }
    }
}


# the connection is reset, the server gets no FIN

sub abort {
    my ($self) = @_;

    my $sock = $self->{sock};

    setsockopt($sock, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    $sock->isa('IO::Socket::SSL') ? $sock->close(SSL_no_shutdown => 1)
                                  : close $sock;
}


# the socket is closed as a program's end would do it

sub hangup {
    my ($self) = @_;
    close $self->{sock};
}


1;
