# The log of a room, offsets, and the order of messages.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';
use Digest::SHA ();
use JSON::PP ();

share_nginx();

# more steps for the conversations: messages are {"o":OFFSET,"f":SENDER,"n":N}
#
#   burst N NAME... : TEXT    all of them send, in turn, N times; %i counts
#                             what each has sent
#   NAME recv-run OFFSET      messages up to that offset, without a gap, and of
#                             each sender in order
#   NAME recv-joined          {"offset":OFFSET,"history":[...]}: a run goes on
#                             behind it; the history has no gap, either
#   same NAME NAME...         the same was received in all runs

my $json = JSON::PP->new->utf8->canonical;

sub WSConversation::_do_burst {
    my ($self, $rest, $text) = @_;

    my ($n, $names, $message) = $rest =~ /^(\d+) +(.*?) *: *(.*)$/
        or die "burst N NAME... : TEXT\n";

    for (1 .. $n) {
        for (split / +/, $names) {
            my $i = $self->{client}{$_}{sent}++ // 0;
            my $body = $message =~ s/%i/$i/gr;
            $self->{client}{$_}{ws}->frame(1, $body)
                or return $self->_miss($text, "$_ could not write");
        }
    }
}

sub WSConversation::_client_recv_joined {
    my ($self, $who, $rest, $text) = @_;

    my ($type, $payload) = $self->{client}{$who}{ws}->message;
    my $got = eval { $json->decode($payload) };

    return $self->_miss($text, "got $type $payload")
        if $type ne 'text' || !$got || !defined $got->{offset};

    my $run = $self->{client}{$who}{run} = { o => $got->{offset} };
    my $o = $got->{offset} - @{ $got->{history} // [] };

    for (@{ $got->{history} // [] }) {
        return $self->_ok(0, $text, "offset $_->{o} in the history, not "
                                    . ($o + 1))
            if $_->{o} != ++$o;

        $run->{n}{$_->{f}} = $_->{n};
    }

    $self->_ok(1, $text);
}

sub WSConversation::_client_recv_run {
    my ($self, $who, $to, $text) = @_;

    my $run = $self->{client}{$who}{run} //= { o => 0 };

    while ($run->{o} < $to) {
        my ($type, $payload) = $self->{client}{$who}{ws}->message;

        return $self->_miss($text, "after offset $run->{o}: got $type $payload")
            if $type ne 'text';

        my $got = eval { $json->decode($payload) } // {};

        return $self->_miss($text, "after offset $run->{o}: got $payload")
            if ($got->{o} // '') ne ++$run->{o};

        return $self->_miss($text, "sender $got->{f} after $run->{n}{$got->{f}}"
                                   . ": got $payload")
            if defined $run->{n}{$got->{f}}
               && $run->{n}{$got->{f}} + 1 != $got->{n};

        $run->{n}{$got->{f}} = $got->{n};
        $run->{sha} = Digest::SHA::sha1_hex(($run->{sha} // '') . $payload);
    }

    $self->_ok(1, $text);
}

sub WSConversation::_do_same {
    my ($self, $rest, $text) = @_;

    my %sha;
    push @{ $sha{ $self->{client}{$_}{run}{sha} // '' } }, $_
        for split / +/, $rest;

    $self->_ok(keys %sha == 1, $text,
               CORE::join("\n", map { "@{ $sha{$_} }" } keys %sha));
}

run_tests();

__DATA__

=== TEST 1: what is stored comes to those who join
--- api
history 10;
route join { join $request.body.r history=5; reply '{"offset":"$room.offset","history":"$room.history"}'; }
route say { send room=$request.body.r store '{"t":"$request.body.t","o":"$room.offset"}'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"join","r":"x"}
alice recv {"offset":0,"history":[]}
alice send {"action":"say","r":"x","t":"one"}
alice recv {"t":"one","o":1}
alice send {"action":"say","r":"x","t":{"two": [2.0]}}
alice recv {"t":{"two":[2.0]},"o":2}
bob send {"action":"join","r":"x"}
bob recv {"offset":2,"history":[{"t":"one","o":1},{"t":{"two":[2.0]},"o":2}]}
bob send {"action":"say","r":"x","t":"\"\\\n\u00fc\ud83d"}
alice recv {"t":"\"\\\n\u00fc\ud83d","o":3}
bob recv {"t":"\"\\\n\u00fc\ud83d","o":3}
# joined already: it gets it, too
bob send {"action":"join","r":"x"}
bob recv {"offset":3,"history":[{"t":"one","o":1},{"t":{"two":[2.0]},"o":2},{"t":"\"\\\n\u00fc\ud83d","o":3}]}
# no more than asked for, the last ones, the oldest first
alice send {"action":"say","r":"x","t":4}
alice recv {"t":4,"o":4}
alice send {"action":"say","r":"x","t":5}
alice recv {"t":5,"o":5}
alice send {"action":"say","r":"x","t":6}
alice recv {"t":6,"o":6}
carol connect /ws
carol send {"action":"join","r":"x"}
carol recv {"offset":6,"history":[{"t":{"two":[2.0]},"o":2},{"t":"\"\\\n\u00fc\ud83d","o":3},{"t":4,"o":4},{"t":5,"o":5},{"t":6,"o":6}]}
# another room's is its own
carol send {"action":"join","r":"y"}
carol recv {"offset":0,"history":[]}

=== TEST 2: no more is kept than the api says
--- api
history 3;
route join { join x history=100; reply '$room.history'; }
route all { join x since=0; reply '$room.history'; }
route say { send room=x store '$request.body.t'; }
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"join"}
alice recv []
repeat 5 alice send {"action":"say","t":${i}}
repeat 5 alice recv ${i}
bob send {"action":"join"}
bob recv ["2","3","4"]
bob send {"action":"all"}
bob recv ["2","3","4"]

=== TEST 3: without a history nothing is kept
--- api
route join { join x history=100; reply '{"offset":"$room.offset","history":"$room.history"}'; }
route say { send room=x store '{"t":"$request.body.t","o":"$room.offset"}'; }
--- ws
alice connect /ws
bob connect /ws
alice send {"action":"join"}
alice recv {"offset":0,"history":[]}
alice send {"action":"say","t":1}
alice recv {"t":1,"o":1}
bob send {"action":"join"}
bob recv {"offset":1,"history":[]}

=== TEST 4: the history is absent unless it is asked for
--- api
history 10;
route join { join x; reply '{"offset":"$room.offset","history":"$room.history"}'; }
route none { join x history=0; reply '{"offset":"$room.offset","history":"$room.history"}'; }
route one { join x history=1; reply '{"offset":"$room.offset","history":"$room.history"}'; }
route state { reply '{"history":"$room.history"}'; }
route say { send room=x store '$request.body.t'; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv {"offset":0}
alice send {"action":"say","t":"a"}
alice recv a
alice send {"action":"say","t":"b"}
alice recv b
alice send {"action":"join"}
alice recv {"offset":2}
alice send {"action":"none"}
alice recv {"offset":2,"history":[]}
alice send {"action":"one"}
alice recv {"offset":2,"history":["b"]}
alice send {"action":"state"}
alice recv {}

=== TEST 5: store=BODY is kept instead of what is sent
--- api
history 10;
route join { join x history=10; reply '$room.history'; }
route say { send room=x 'store={"kept":"$request.body.t","o":"$room.offset"}' '{"sent":"$request.body.t","o":"$room.offset"}'; }
route text { send room=x store=kept-$request.body.t '{"sent":"$request.body.t"}'; }
route json { send room=x 'store=["$request.body.k"]' 'sent'; }
route late { send room=x store=$room.offset '<$room.offset>'; }
route different { send room=x 'store={"a":"a $room.offset b"}' '[1,"$room.offset"]'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"join"}
alice recv []
alice send {"action":"say","t":1.10}
alice recv {"sent":1.10,"o":1}
alice send {"action":"text","t":"q\"\\\n\u00fc"}
alice recv-json {"sent":"q\"\\\nü"}
alice send {"action":"json","k":{"a": [1]}}
alice recv sent
alice send {"action":"json"}
alice recv sent
alice send {"action":"late"}
alice recv <5>
alice send {"action":"different"}
alice recv [1,6]
bob send {"action":"join"}
bob recv-json [{"kept":1.1,"o":1},"kept-q\"\\\nü",[{"a":[1]}],[null],"5",{"a":"a 6 b"}]

=== TEST 6: texts are kept as JSON strings
--- api
history 20;
route join { join x history=20; reply '{"history":"$room.history"}'; }
route say { send room=x store '$request.body.t'; }
route off { send room=x store 'no. $room.offset "$request.body.t" $room'; }
route const { send room=x store 'constant "text" \\'; }
route empty { send room=x store ''; }
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"join"}
alice recv {"history":[]}
alice send {"action":"say","t":"plain"}
alice recv plain
alice send {"action":"say","t":"\"\\/\b\f\n\r\t\u0000\u001f\u007f\u2028😀"}
alice recv-esc "\\/\x08\x0c\n\r\t\x00\x1f\x7f\xe2\x80\xa8\xf0\x9f\x98\x80
alice send {"action":"say","t":"\ud83d"}
alice recv-esc \xef\xbf\xbd
alice send {"action":"say","t":{"a":"b"}}
alice recv {"a":"b"}
alice send {"action":"say","t":1.10}
alice recv 1.10
alice send {"action":"off","t":"\""}
alice recv-esc no. 6 """\x20
alice send {"action":"const"}
alice recv constant "text" \
alice send {"action":"empty"}
alice recv-len 0
bob send {"action":"join"}
bob recv-json {"history":["plain","\"\\/\b\f\n\r\t\u0000\u001f\u007f\u2028😀","�","{\"a\":\"b\"}","1.10","no. 6 \"\"\" ","constant \"text\" \\",""]}

=== TEST 7: records of all sizes
--- api
history 200;
route join { join x history=200; reply '{"history":"$room.history"}'; }
route say { send room=x store '"$request.body.t"'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"join"}
alice recv {"history":[]}
alice send {"action":"say","t":"${a*1}"}
alice recv "${a*1}"
alice send {"action":"say","t":"${b*1900}"}
alice recv "${b*1900}"
alice send {"action":"say","t":"${c*2047}"}
alice recv "${c*2047}"
alice send {"action":"say","t":"${d*4096}"}
alice recv "${d*4096}"
alice send {"action":"say","t":"${e*50000}"}
alice recv "${e*50000}"
alice send {"action":"say","t":"${f*100000}"}
alice recv "${f*100000}"
bob send {"action":"join"}
bob recv {"history":["${a*1}","${b*1900}","${c*2047}","${d*4096}","${e*50000}","${f*100000}"]}

=== TEST 8: every size around that of the zone's pieces
--- api
history 1;
route say { leave; join x; send room=x store '"$request.body.t"'; join x history=1; reply '$room.history'; }
--- ws
alice connect /ws
alice send {"action":"say","t":"${a*1950}"}
alice recv "${a*1950}"
alice recv ["${a*1950}"]
alice send {"action":"say","t":"${a*2000}"}
alice recv "${a*2000}"
alice recv ["${a*2000}"]
alice send {"action":"say","t":"${a*2010}"}
alice recv "${a*2010}"
alice recv ["${a*2010}"]
alice send {"action":"say","t":"${a*2020}"}
alice recv "${a*2020}"
alice recv ["${a*2020}"]
alice send {"action":"say","t":"${a*4000}"}
alice recv "${a*4000}"
alice recv ["${a*4000}"]
alice send {"action":"say","t":"${a*4050}"}
alice recv "${a*4050}"
alice recv ["${a*4050}"]

=== TEST 9: since, with and without an epoch
--- api
history 100;
route join { join x since=$request.body.s epoch=$request.body.e; reply '{"epoch":"$room.epoch","history":"$room.history"}'; }
route both { join x history=3 since=$request.body.s epoch=$request.body.e; reply '{"history":"$room.history"}'; }
route say { send room=x store '$room.offset'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"join"}
alice recv-like ^\{"epoch":"(?<e>\d+)"\}$
repeat 6 alice send {"action":"say"}
repeat 6 alice recv-like ^[1-6]$
bob send {"action":"join","s":4}
bob recv {"epoch":"${e}","history":["5","6"]}
bob send {"action":"join","s":4,"e":"${e}"}
bob recv {"epoch":"${e}","history":["5","6"]}
bob send {"action":"join","s":4,"e":${e}}
bob recv {"epoch":"${e}","history":["5","6"]}
bob send {"action":"join","s":"4"}
bob recv {"epoch":"${e}","history":["5","6"]}
bob send {"action":"join","s":0}
bob recv {"epoch":"${e}","history":["1","2","3","4","5","6"]}
bob send {"action":"join","s":6}
bob recv {"epoch":"${e}","history":[]}
bob send {"action":"join","s":1000}
bob recv {"epoch":"${e}","history":[]}
bob send {"action":"join","s":9223372036854775807}
bob recv {"epoch":"${e}","history":[]}
# what is no offset is as if it was not given
bob send {"action":"join"}
bob recv {"epoch":"${e}"}
bob send {"action":"join","s":""}
bob recv {"epoch":"${e}"}
bob send {"action":"join","s":null}
bob recv {"epoch":"${e}"}
bob send {"action":"join","s":"x"}
bob recv {"epoch":"${e}"}
bob send {"action":"join","s":-1}
bob recv {"epoch":"${e}"}
bob send {"action":"join","s":4.0}
bob recv {"epoch":"${e}"}
bob send {"action":"join","s":1e0}
bob recv {"epoch":"${e}"}
bob send {"action":"join","s":[4]}
bob recv {"epoch":"${e}"}
bob send {"action":"join","s":" 4"}
bob recv {"epoch":"${e}"}
bob send {"action":"join","s":99999999999999999999999999}
bob recv {"epoch":"${e}"}
# the last of what is after it
bob send {"action":"both","s":1}
bob recv {"history":["4","5","6"]}
bob send {"action":"both","s":4}
bob recv {"history":["5","6"]}
bob send {"action":"both"}
bob recv {"history":["4","5","6"]}
# of another epoch: as if it was not given
bob send {"action":"both","s":5,"e":"1"}
bob recv {"history":["4","5","6"]}
bob send {"action":"both","s":5,"e":"${e}"}
bob recv {"history":["6"]}
bob send {"action":"join","s":4,"e":"1"}
bob recv-like ^\{"epoch":"${e}"(,"history":\["1","2","3","4","5","6"\])?\}$
bob send {"action":"both","s":5,"e":"x"}
bob recv-like ^\{"history":\[("4","5",)?"6"\]\}$
bob send {"action":"both","s":5,"e":""}
bob recv {"history":["6"]}

=== TEST 10: messages that are not stored have offsets, too
--- api
history 100;
route join { join x history=100; reply '{"offset":"$room.offset","history":"$room.history"}'; }
route say { send room=x '$room.offset'; }
route keep { send room=x store '{"o":"$room.offset"}'; }
route eph { send room=x ephemeral '$room.offset'; }
route both { send room=x ephemeral store '{"o":"$room.offset"}'; }
route except { send room=x except=self store '{"o":"$room.offset"}'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"join"}
alice recv-json {"offset":0}
alice send {"action":"say"}
alice recv 1
alice send {"action":"keep"}
alice recv {"o":2}
alice send {"action":"eph"}
alice recv 3
alice send {"action":"both"}
alice recv {"o":4}
alice send {"action":"except"}
alice send {"action":"keep"}
alice recv {"o":6}
bob send {"action":"join"}
bob recv {"offset":6,"history":[{"o":2},{"o":4},{"o":5},{"o":6}]}
bob send {"action":"say"}
alice recv 7
bob recv 7

=== TEST 11: sending from outside of the room
--- api
history 100;
route join { join x history=100; reply '{"offset":"$room.offset","history":"$room.history"}'; }
route say { send room=x store '{"t":"$request.body.t","o":"$room.offset"}'; reply sent; }
--- ws
alice connect /ws
bob connect apart=alice /ws
# there is no room: nobody hears it, nothing is kept
bob send {"action":"say","t":1}
bob recv sent
alice send {"action":"join"}
alice recv {"offset":0,"history":[]}
bob send {"action":"say","t":2}
bob recv sent
alice recv {"t":2,"o":1}
alice send {"action":"join"}
alice recv {"offset":1,"history":[{"t":2,"o":1}]}

=== TEST 12: where the offset can stand
--- api
route join { join x; reply ok; }
route a { send room=x '{"o":"$room.offset"}'; }
route b { send room=x '["$room.offset"]'; }
route c { send room=x '{"t":"no. $room.offset!"}'; }
route d { send room=x '"$room.offset"'; }
route e { send room=x '$room.offset'; }
route f { send room=x '<$room.offset>'; }
route g { send room=x '{"$room.offset":1}'; }
route h { send room=x '{"a":"$request.body.none","o":"$room.offset","b":"$request.body.none"}'; }
route i { send room=x '{"a":"$request.body.v","o":"$room.offset","b":"$request.body.v"}'; }
route j { send room=x '{"deep":[{"o":["$room.offset"]}],"z":"$request.body.v"}'; }
route k { send room=x '{"k$room.offset":"$request.body.v"}'; }
# somewhere else it is that of the join
route l { join x; send user=u '{"o":"$room.offset"}'; send all '{"o":"$room.offset"}'; reply '{"o":"$room.offset"}'; }
route m { join x; set $o $room.offset; send room=x '{"before":"$o","o":"$room.offset"}'; }
--- ws
alice connect /ws
alice send {"action":"join"}
alice recv ok
alice send {"action":"a"}
alice recv {"o":1}
alice send {"action":"b"}
alice recv [2]
alice send {"action":"c"}
alice recv {"t":"no. 3!"}
alice send {"action":"d"}
alice recv 4
alice send {"action":"e"}
alice recv 5
alice send {"action":"f"}
alice recv <6>
alice send {"action":"g"}
alice recv {"7":1}
alice send {"action":"h"}
alice recv {"o":8}
alice send {"action":"i","v":"\"$room.offset"}
alice recv {"a":"\"$room.offset","o":9,"b":"\"$room.offset"}
alice send {"action":"j","v":1}
alice recv {"deep":[{"o":[10]}],"z":1}
alice send {"action":"k","v":[ ]}
alice recv {"k11":[]}
alice send {"action":"k"}
alice recv {}
alice send {"action":"l"}
alice recv {"o":12}
alice recv {"o":12}
alice send {"action":"m"}
alice recv {"before":12,"o":13}

=== TEST 13: old records go by their age
--- api
history 100 1s;
route join { join x history=100; reply '{"offset":"$room.offset","history":"$room.history"}'; }
route say { send room=x store '{"o":"$room.offset"}'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"join"}
alice recv-json {"offset":0}
alice send {"action":"say"}
alice recv {"o":1}
alice send {"action":"join"}
alice recv {"offset":1,"history":[{"o":1}]}
sleep 2.1
bob send {"action":"join"}
bob recv {"offset":1,"history":[]}
bob send {"action":"say"}
bob recv {"o":2}
bob send {"action":"join"}
bob recv {"offset":2,"history":[{"o":2}]}

=== TEST 14: the history dies with the room, also that of the same name
--- api
history 100;
route join { join x history=100 since=$request.body.s epoch=$request.body.e; reply '{"created":"$room.created","epoch":"$room.epoch","offset":"$room.offset","history":"$room.history"}'; }
route leave { leave; reply ok; }
route say { send room=x store '{"o":"$room.offset"}'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
alice send {"action":"join"}
alice recv-like ^\{"created":true,"epoch":"(?<e>\d+)","offset":0,"history":\[\]\}$
repeat 3 alice send {"action":"say"}
repeat 3 alice recv-json {"o":"*"}
alice send {"action":"leave"}
alice recv ok
bob send {"action":"join","s":1,"e":"${e}"}
bob recv-like ^\{"created":true,"epoch":"(?!${e})\d+","offset":0,"history":\[\]\}$
bob send {"action":"say"}
bob recv {"o":1}
# an offset of the room's former life
alice send {"action":"join","s":3,"e":"${e}"}
alice recv-like ^\{"created":false,"epoch":"\d+","offset":1,"history":\[\{"o":1\}\]\}$

=== TEST 15: all see one order, from one sender
--- api
history 100;
route join { join x history=100; reply '{"offset":"$room.offset","history":"$room.history"}'; }
route say { send room=x '{"o":"$room.offset","f":"$request.body.f","n":"$request.body.n"}'; }
--- ws
alice connect /ws
bob connect apart=alice /ws
carol connect apart=bob /ws
alice send {"action":"join"}
alice recv-joined
bob send {"action":"join"}
bob recv-joined
carol send {"action":"join"}
carol recv-joined
burst 500 alice : {"action":"say","f":"a","n":%i}
alice recv-run 500
bob recv-run 500
carol recv-run 500
same alice bob carol

=== TEST 16: all see one order, from many senders on all workers
--- api
history 100;
route join { join x; reply '{"offset":"$room.offset"}'; }
route $connect { set $connection.n $arg_n; }
route say { send room=x '{"o":"$room.offset","f":"$connection.n","n":"$request.body.n","pad":"$request.body.pad"}'; }
--- ws
repeat 12 c${i} connect /ws?n=c${i}
repeat 12 c${i} send {"action":"join"}
repeat 12 c${i} recv-joined
burst 100 c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11 : {"action":"say","n":%i,"pad":"${x*50}"}
repeat 12 c${i} recv-run 1200
same c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11
no-log has a gap

=== TEST 17: the same with messages that are stored, in four rooms at once
--- api
history 1000;
route join { join $request.body.r; reply '{"offset":"$room.offset"}'; }
route $connect { set $connection.n $arg_n; }
route say { send room=$request.body.r store '{"o":"$room.offset","f":"$connection.n","n":"$request.body.n"}'; }
--- ws
repeat 16 c${i} connect /ws?n=c${i}
repeat 4 c${i} send {"action":"join","r":"r0"}
c4 send {"action":"join","r":"r1"}
c5 send {"action":"join","r":"r1"}
c6 send {"action":"join","r":"r1"}
c7 send {"action":"join","r":"r1"}
repeat 8 c${i} recv-joined
burst 100 c0 c1 c2 c3 : {"action":"say","r":"r0","n":%i}
burst 100 c4 c5 c6 c7 : {"action":"say","r":"r1","n":%i}
# and from outside of the room
burst 100 c12 c13 : {"action":"say","r":"r0","n":%i}
burst 100 c14 c15 : {"action":"say","r":"r1","n":%i}
repeat 8 c${i} recv-run 600
same c0 c1 c2 c3
same c4 c5 c6 c7

=== TEST 18: joining amidst messages: the history and what follows have no gap and nothing twice
--- api
history 2000;
route $connect { set $connection.n $arg_n; }
route join { join x history=2000; reply '{"offset":"$room.offset","history":"$room.history"}'; }
route say { send room=x store '{"o":"$room.offset","f":"$connection.n","n":"$request.body.n"}'; }
--- ws
repeat 6 c${i} connect /ws?n=c${i}
repeat 6 c${i} send {"action":"join"}
repeat 6 c${i} recv-joined
repeat 10 j${i} connect /ws?n=j${i}
burst 50 c0 c1 c2 c3 c4 c5 : {"action":"say","n":%i}
repeat 5 j${i} send {"action":"join"}
burst 50 c0 c1 c2 c3 c4 c5 : {"action":"say","n":%i}
j5 send {"action":"join"}
j6 send {"action":"join"}
burst 10 c0 c1 c2 c3 c4 c5 : {"action":"say","n":%i}
j7 send {"action":"join"}
j8 send {"action":"join"}
j9 send {"action":"join"}
burst 10 c0 c1 c2 c3 c4 c5 : {"action":"say","n":%i}
repeat 10 j${i} recv-joined
repeat 6 c${i} recv-run 720
repeat 10 j${i} recv-run 720
same c0 c1 c2 c3 c4 c5

=== TEST 19: the same without the log, again and again
--- api
route $connect { set $connection.n $arg_n; }
route join { join x; reply '{"offset":"$room.offset"}'; }
route leave { leave x; reply left; }
route say { send room=x '{"o":"$room.offset","f":"$connection.n","n":"$request.body.n"}'; }
--- ws
repeat 6 c${i} connect /ws?n=c${i}
repeat 6 c${i} send {"action":"join"}
repeat 6 c${i} recv-joined
repeat 20 j${i} connect /ws?n=j${i}
burst 100 c0 c1 c2 c3 c4 c5 : {"action":"say","n":%i}
repeat 20 j${i} send {"action":"join"}
burst 100 c0 c1 c2 c3 c4 c5 : {"action":"say","n":%i}
repeat 20 j${i} recv-joined
repeat 20 j${i} recv-run 1200
repeat 6 c${i} recv-run 1200
same c0 c1 c2 c3 c4 c5
