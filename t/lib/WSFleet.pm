package WSFleet;

# Copyright (C) the ngx_wschat authors

# Many WebSocket clients of one process, driven by one loop: they answer pings
# and close frames and call back with what else comes.  What WSClient knows is
# not done again: it makes the handshake.

use strict;
use warnings;

use Errno ();
use Time::HiRes qw(time sleep);

use WSClient;


# new(port => [, timeout => seconds])

sub new {
    my ($class, %arg) = @_;
    return bless { timeout => 20, client => {}, read => '', %arg }, $class;
}


# add(PATH, text => sub ($client, $text) [, anything else]): the client, a hash
# for the caller's use, too; undef if the server does not want it, and why is
# in $fleet->{answer}: the status or what else there was.  When it has ended: "close", the code and reason of the close frame that has come, or
# '', and "closed", when; and "eof", when.

sub add {
    my ($self, $path, %arg) = @_;

    my $ws = WSClient->new(host => '127.0.0.1', port => $self->{port},
                           timeout => $self->{timeout});

    if (!$ws) {
        $self->{answer} = $@;
        return;
    }

    $self->{answer} = $ws->handshake($path);

    if ($self->{answer} ne '101') {
        $ws->hangup;
        return;
    }

    my $c = { %arg, sock => $ws->{sock}, fd => fileno $ws->{sock},
              in => $ws->{in}, out => '' };

    $self->{client}{ $c->{fd} } = $c;
    vec($self->{read}, $c->{fd}, 1) = 1;

    $self->_frames($c);

    return $c;
}


sub clients {
    my ($self) = @_;
    return values %{ $self->{client} };
}


sub text {
    my ($self, $c, $text) = @_;
    $self->_send($c, 1, $text);
}


# the mask is zero: the payload is not changed by it

sub _send {
    my ($self, $c, $op, $payload) = @_;

    return if $c->{eof};

    my $len = length $payload;

    $c->{out} .= $len < 126
                 ? pack('CCN', 0x80 | $op, 0x80 | $len, 0) . $payload
                 : pack('CCnN', 0x80 | $op, 0x80 | 126, $len, 0) . $payload;

    $self->_write($c);
}


sub _write {
    my ($self, $c) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $n = syswrite $c->{sock}, $c->{out};

    if (defined $n) {
        substr($c->{out}, 0, $n) = '';

    } elsif (!$!{EAGAIN} && !$!{EINTR}) {

        # the end is read

        $c->{out} = '';
    }
}


sub bye {
    my ($self, $c, $code) = @_;

    $c->{closing} = 1;
    $self->_send($c, 8, pack 'n', $code // 1000);
}


# without a word

sub hangup {
    my ($self, $c) = @_;
    $self->_end($c);
}


sub _end {
    my ($self, $c) = @_;

    return if $c->{eof};

    $c->{eof} = time;
    $c->{close} //= '';

    delete $self->{client}{ $c->{fd} };
    vec($self->{read}, $c->{fd}, 1) = 0;

    close $c->{sock};
}


# runs until the condition holds, which is returned, or for so long

sub run {
    my ($self, $seconds, $condition) = @_;

    my $deadline = time + $seconds;

    while (1) {
        return 1 if $condition && $condition->();

        my $left = $deadline - time;
        return 0 if $left <= 0;

        my $write = '';

        for my $c (values %{ $self->{client} }) {
            vec($write, $c->{fd}, 1) = 1 if length $c->{out};
        }

        my $n = select my $r = $self->{read}, $write, undef,
                       $left < 0.02 ? $left : 0.02;
        next if $n <= 0;

        for my $c (values %{ $self->{client} }) {
            $self->_write($c) if length $c->{out} && vec($write, $c->{fd}, 1);

            next unless vec($r, $c->{fd}, 1);

            my $got = sysread $c->{sock}, $c->{in}, 65536, length $c->{in};

            if ($got) {
                $self->_frames($c);

            } elsif (defined $got || !$!{EAGAIN} && !$!{EINTR}) {
                $self->_end($c);
            }
        }
    }
}


# server's frames are not masked, and here never in fragments

sub _frames {
    my ($self, $c) = @_;

    my $pos = 0;
    my $have = length $c->{in};

    while ($have - $pos >= 2) {
        my ($op, $len) = unpack "x${pos}CC", $c->{in};
        my $head = 2;

        if ($len == 126) {
            last if $have - $pos < 4;
            $len = unpack 'x' . ($pos + 2) . 'n', $c->{in};
            $head = 4;

        } elsif ($len == 127) {
            last if $have - $pos < 10;
            $len = unpack 'x' . ($pos + 2) . 'Q>', $c->{in};
            $head = 10;
        }

        last if $have - $pos < $head + $len;

        my $payload = substr $c->{in}, $pos + $head, $len;
        $pos += $head + $len;

        if ($op == 0x81) {
            $c->{text}->($c, $payload) if $c->{text};

        } elsif ($op == 0x89) {
            $self->_send($c, 10, $payload);

        } elsif ($op == 0x88) {
            $c->{close} = $len < 2 ? '1005'
                                   : join ' ', unpack 'na*', $payload;
            $c->{closed} = time;

            $self->_send($c, 8, substr $payload, 0, 2)
                unless $c->{closing} || $c->{silent};

        } elsif ($op != 0x8a) {
            $c->{broken} = sprintf 'frame %02x', $op;
            $self->_end($c);
            return;
        }
    }

    substr($c->{in}, 0, $pos) = '';
}


1;
