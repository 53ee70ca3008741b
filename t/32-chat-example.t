# The chat example, conf.example/chat/routes.conf, message by message as in
# docs/chat-protocol.md.

use lib 't/lib';
use Test::Nginx::WSChat 'no_plan';
use Cwd ();

share_nginx();

our $dir = Cwd::abs_path('conf.example');

add_block_preprocessor {
    my ($block) = @_;
    $block->set_value('api', "include $dir/chat/routes.conf;")
        unless defined $block->api || defined $block->http_config;
};

# chat.conf itself, on a port of ours

sub chat_conf {
    open my $fh, '<', "$dir/chat.conf" or die "$dir/chat.conf: $!";
    local $/;
    my $conf = <$fh>;

    my $port = $ENV{TEST_NGINX_PORT} + 2;

    $conf =~ s/listen 8080;/listen $port;/ or die "there is no listen 8080";
    $conf =~ s{include chat/}{include $dir/chat/} or die "there is no include";
    $conf =~ s{root +chat;}{root $dir/chat;} or die "there is no root";

    return $conf;
}

# the port of chat_conf() as ${chat}

my $new = \&WSConversation::new;

{
    no warnings 'redefine';
    *WSConversation::new = sub {
        my $self = $new->(@_);
        $self->{var}{chat} = $self->{port} + 2;
        return $self;
    };
}

run_tests();

__DATA__

=== TEST 1: join, and what the others see
--- ws
ann connect /ws
bob connect apart=ann /ws
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-like \A\{"type":"joined","room":"lobby","name":"Ann","count":1,"offset":0,"epoch":"(?<epoch>\d+)","members":\["Ann"\],"history":\[\]\}\z
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-like \A\{"type":"joined","room":"lobby","name":"Bob","count":2,"offset":\d+,"epoch":"${epoch}","members":\["Ann","Bob"\],"history":\[\]\}\z
ann recv {"type":"member","event":"join","room":"lobby","name":"Bob","count":2}
# one's own coming is no news
bob recv-none

=== TEST 2: joining again, and as somebody else
--- ws
ann connect /ws
bob connect apart=ann /ws
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined","count":1}
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined","count":2}
ann recv-json {"type":"member"}
bob send {"action":"join","room":"lobby","name":"Robert"}
bob recv-json {"type":"joined","name":"Robert","count":2,"members":["Ann","Robert"]}
ann recv-none
bob send {"action":"message","room":"lobby","text":"hi"}
ann recv-json {"type":"message","from":"Robert"}
bob recv-json {"type":"message","from":"Robert"}
ann send {"action":"direct","to":"Bob","text":"x"}
ann recv-json {"type":"direct","to":"Bob"}
bob recv-none
ann send {"action":"direct","to":"Robert","text":"x"}
ann recv-json {"type":"direct","to":"Robert"}
bob recv-json {"type":"direct","to":"Robert"}

=== TEST 3: what join needs
--- ws
ann connect /ws
ann send {"action":"join"}
ann recv {"type":"error","message":"A room is needed to join"}
ann send {"action":"join","room":"","name":"Ann"}
ann recv {"type":"error","message":"A room is needed to join"}
ann send {"action":"join","room":null,"name":"Ann"}
ann recv {"type":"error","message":"A room is needed to join"}
ann send {"action":"join","room":"lobby"}
ann recv {"type":"error","message":"A name is needed to join"}
ann send {"action":"join","room":"lobby","name":""}
ann recv {"type":"error","message":"A name is needed to join"}
ann send {"action":"join","room":"${x*257}","name":"Ann"}
ann recv-like ^\{"message": "Internal server error", "connectionId":"
ann send {"action":"join","room":"lobby","name":"${x*257}"}
ann recv-like ^\{"message": "Internal server error", "connectionId":"
# odd ones, and possible
ann send {"action":"join","room":"\"\\\u00fc\ud83d\ude00","name":"<b>\"\n"}
ann recv-json {"type":"joined","room":"\"\\ü😀","name":"<b>\"\n","members":["<b>\"\n"]}

=== TEST 4: a message
--- ws
ann connect /ws
bob connect apart=ann /ws
carol connect /ws
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined"}
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined"}
ann recv-json {"type":"member"}
carol send {"action":"join","room":"other","name":"Carol"}
carol recv-json {"type":"joined"}
ann send {"action":"message","room":"lobby","text":"Hello \"you\" \\ <b> $request.body.text \u00fc"}
ann recv-like \A\{"type":"message","room":"lobby","from":"Ann","text":"Hello \\"you\\" \\\\ <b> \$request\.body\.text \\u00fc","time":"(?<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)","offset":(?<o>\d+)\}\z
bob recv-like \A\{"type":"message","room":"lobby","from":"Ann","text":"Hello \\"you\\" \\\\ <b> \$request\.body\.text \\u00fc","time":"${time}","offset":${o}\}\z
carol recv-none
# the sender can not lie
bob send {"action":"message","room":"lobby","text":"x","from":"Ann","offset":99,"type":"member"}
ann recv-json {"type":"message","from":"Bob","text":"x"}
bob recv-json {"type":"message","from":"Bob","text":"x"}
# what is not possible
ann send {"action":"message","room":"other","text":"x"}
ann recv {"type":"error","message":"Join the room before you write"}
ann send {"action":"message","text":"x"}
ann recv {"type":"error","message":"Join the room before you write"}
ann send {"action":"message","room":"none","text":"x"}
ann recv {"type":"error","message":"Join the room before you write"}
ann send {"action":"message","room":"lobby"}
ann recv {"type":"error","message":"There is no text in the message"}
ann send {"action":"message","room":"lobby","text":""}
ann recv {"type":"error","message":"There is no text in the message"}
bob recv-none
carol recv-none
# any JSON is text
ann send {"action":"message","room":"lobby","text":{"a": [1.10]}}
ann recv-like "text":\{"a":\[1\.10\]\}
bob recv-like "text":\{"a":\[1\.10\]\}
# before any join
dave connect /ws
dave send {"action":"message","room":"lobby","text":"x"}
dave recv {"type":"error","message":"Join the room before you write"}

=== TEST 5: 64 KB, and no more
--- ws
ann connect /ws
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined"}
ann send {"action":"message","room":"lobby","text":"${x*65400}"}
ann recv-json {"type":"message","text":"${x*65400}"}
ann send {"action":"message","room":"lobby","text":"${x*65536}"}
ann recv-close 1009

=== TEST 6: typing
--- ws
ann connect /ws
bob connect apart=ann /ws
carol connect /ws
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined"}
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined"}
ann recv-json {"type":"member"}
ann send {"action":"typing","room":"lobby"}
bob recv {"type":"typing","room":"lobby","from":"Ann"}
ann recv-none
carol send {"action":"typing","room":"lobby"}
carol recv-none
bob recv-none

=== TEST 7: who
--- ws
ann connect /ws
bob connect apart=ann /ws
carol connect /ws
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined"}
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined"}
bob send {"action":"who","room":"lobby"}
bob recv {"type":"who","room":"lobby","members":["Ann","Bob"]}
carol send {"action":"who","room":"lobby"}
carol recv-none
bob send {"action":"who","room":"other"}
bob recv-none
bob send {"action":"who"}
bob recv-none

=== TEST 8: direct
--- ws
ann connect /ws
bob connect apart=ann /ws
bob2 connect /ws
carol connect /ws
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined"}
bob send {"action":"join","room":"other","name":"Bob"}
bob recv-json {"type":"joined"}
bob2 send {"action":"join","room":"third","name":"Bob"}
bob2 recv-json {"type":"joined"}
ann send {"action":"direct","to":"Bob","text":"Psst \""}
ann recv-like \A\{"type":"direct","from":"Ann","to":"Bob","text":"Psst \\"","time":"(?<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"\}\z
bob recv {"type":"direct","from":"Ann","to":"Bob","text":"Psst \"","time":"${time}"}
bob2 recv {"type":"direct","from":"Ann","to":"Bob","text":"Psst \"","time":"${time}"}
# to nobody: one's own copy
ann send {"action":"direct","to":"Nobody","text":"x"}
ann recv-json {"type":"direct","to":"Nobody"}
# to oneself: once
ann send {"action":"direct","to":"Ann","text":"me"}
ann recv-json {"type":"direct","from":"Ann","to":"Ann","text":"me"}
ann recv-none
# to one's other connection
bob send {"action":"direct","to":"Bob","text":"me too"}
bob recv-json {"type":"direct","text":"me too"}
bob2 recv-json {"type":"direct","text":"me too"}
bob recv-none
ann send {"action":"direct","text":"x"}
ann recv {"type":"error","message":"There is nobody to write to"}
ann send {"action":"direct","to":"","text":"x"}
ann recv {"type":"error","message":"There is nobody to write to"}
carol send {"action":"direct","to":"Bob","text":"x"}
carol recv {"type":"error","message":"Join a room before you write"}
bob recv-none

=== TEST 9: leave, and all other ways to go
--- ws
ann connect /ws
bob connect apart=ann /ws
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined"}
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined"}
ann recv-json {"type":"member","event":"join"}
bob send {"action":"leave","room":"lobby"}
ann recv {"type":"member","event":"leave","room":"lobby","name":"Bob","count":1}
bob send {"action":"message","room":"lobby","text":"x"}
bob recv {"type":"error","message":"Join the room before you write"}
# not a member: nothing
bob send {"action":"leave","room":"lobby"}
bob send {"action":"leave"}
# another room
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined"}
ann recv-json {"type":"member","event":"join","name":"Bob","count":2}
bob send {"action":"join","room":"other","name":"Bob"}
bob recv-json {"type":"joined","room":"other","count":1}
ann recv {"type":"member","event":"leave","room":"lobby","name":"Bob","count":1}
# the connection's end
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined"}
ann recv-json {"type":"member","event":"join","name":"Bob"}
bob abort
ann recv {"type":"member","event":"leave","room":"lobby","name":"Bob","count":1}
bob connect /ws
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined"}
ann recv-json {"type":"member","event":"join","name":"Bob"}
bob close 1001
ann recv {"type":"member","event":"leave","room":"lobby","name":"Bob","count":1}
ann recv-none

=== TEST 10: the history
--- ws
ann connect /ws
bob connect apart=ann /ws
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined"}
ann send {"action":"message","room":"lobby","text":"one"}
ann recv-like ^(?<one>.*)$
ann send {"action":"typing","room":"lobby"}
ann send {"action":"message","room":"lobby","text":{"two": 2.0}}
ann recv-like ^(?<two>.*)$
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined","history":[${one},${two}]}
ann recv-json {"type":"member"}
# at most 100
repeat 120 ann send {"action":"message","room":"lobby","text":1${i}}
repeat 120 ann recv-json {"text":1${i}}
carol connect /ws
carol send {"action":"join","room":"lobby","name":"Carol"}
carol recv-like "history":\[\{"type":"message","room":"lobby","from":"Ann","text":120,([^{]*\{){99}[^{]*"text":1119,[^{]*\}\]\}$

=== TEST 11: coming back
--- ws
ann connect /ws
bob connect apart=ann /ws
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined"} => epoch=epoch
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined"}
ann recv-json {"type":"member"}
ann send {"action":"message","room":"lobby","text":"one"}
ann recv-json {"text":"one"}
bob recv-json {"text":"one"} => since=offset
bob abort
ann recv-json {"type":"member","event":"leave"}
ann send {"action":"message","room":"lobby","text":"two"}
ann recv-like ^(?<two>.*)$
ann send {"action":"message","room":"lobby","text":"three"}
ann recv-like ^(?<three>.*)$
bob connect /ws
bob send {"action":"join","room":"lobby","name":"Bob","since":${since},"epoch":"${epoch}"}
bob recv-json {"type":"joined","epoch":"${epoch}","history":[${two},${three}]} => o=offset
ann recv-json {"type":"member","event":"join"}
# nothing new
bob abort
ann recv-json {"type":"member","event":"leave"}
bob connect /ws
bob send {"action":"join","room":"lobby","name":"Bob","since":${o},"epoch":"${epoch}"}
bob recv-json {"type":"joined","epoch":"${epoch}","history":[]}
ann recv-json {"type":"member","event":"join"}
# the room began anew meanwhile: all of its history
bob send {"action":"leave","room":"lobby"}
ann recv-json {"type":"member","event":"leave"}
ann send {"action":"leave","room":"lobby"}
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined","offset":0,"history":[]} => new=epoch
ann send {"action":"message","room":"lobby","text":"four"}
ann recv-like ^(?<four>.*)$
bob send {"action":"join","room":"lobby","name":"Bob","since":${o},"epoch":"${epoch}"}
bob recv-json {"type":"joined","epoch":"${new}","history":[${four}]}

=== TEST 12: what is no message of the protocol
--- ws
ann connect /ws
ann send {"action":"dance"}
ann recv-like \A\{"message": "Forbidden", "connectionId":"[\w-]{22}==", "requestId":"[\w-]{15}="\}\z
ann send hello
ann recv-like \A\{"message": "Forbidden", "connectionId":"[\w-]{22}==", "requestId":"[\w-]{15}="\}\z
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined"}

=== TEST 13: a name that nginx knows
--- api eval
"include $main::dir/chat/routes.conf;" . '
route $connect { set $connection.login $arg_login; }'
--- ws
ann connect /ws?login=ann
bob connect apart=ann /ws
bob send {"action":"join","room":"lobby","name":"ann"}
bob recv-json {"type":"joined","name":"ann"}
ann send {"action":"join","room":"lobby","name":"somebody else"}
ann recv-json {"type":"joined","name":"ann"}
ann send {"action":"join","room":"lobby"}
ann recv-json {"type":"joined","name":"ann"}

=== TEST 14: all see one order
--- ws
ann connect /ws
bob connect apart=ann /ws
carol connect apart=bob /ws
ann send {"action":"join","room":"r","name":"Ann"}
ann recv-json {"type":"joined"}
bob send {"action":"join","room":"r","name":"Bob"}
bob recv-json {"type":"joined"}
carol send {"action":"join","room":"r","name":"Carol"}
carol recv-json {"type":"joined"}
ann recv-json {"type":"member"}
ann recv-json {"type":"member"}
bob recv-json {"type":"member"}
ann send {"action":"message","room":"r","text":"a1"}
bob send {"action":"message","room":"r","text":"b1"}
ann send {"action":"message","room":"r","text":"a2"}
bob send {"action":"message","room":"r","text":"b2"}
carol recv-like ^(?<m1>.*)$
carol recv-like ^(?<m2>.*)$
carol recv-like ^(?<m3>.*)$
carol recv-like ^(?<m4>.*)$
ann recv ${m1}
bob recv ${m1}
ann recv ${m2}
bob recv ${m2}
ann recv ${m3}
bob recv ${m3}
ann recv ${m4}
bob recv ${m4}

=== TEST 15: chat.conf: the chat, @connections, the page, the status
--- http_config eval
main::chat_conf()
--- config
location / { return 404; }
--- ws
ann connect port=${chat} /chat
bob connect port=${chat} /chat
ann send {"action":"join","room":"lobby","name":"Ann"}
ann recv-json {"type":"joined"}
bob send {"action":"join","room":"lobby","name":"Bob"}
bob recv-json {"type":"joined"}
ann recv-json {"type":"member"}
bob send {"action":"message","room":"lobby","text":"hi"}
ann recv-json {"type":"message","text":"hi"}
bob recv-json {"type":"message","text":"hi"}
bob send {"action":"none"}
bob recv-json {"message":"Forbidden"} => id=connectionId
c open port=${chat}
c write POST /chat/@connections/${id} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nyo
c recv-head 200
bob recv yo
c open port=${chat}
c write GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n
c recv-head 200 [Content-Type: ^text/html]
c recv-body <html
c open port=${chat}
c write GET /chat.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n
c recv-head 200
c open port=${chat}
c write GET /chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n
c recv-head 426
c open port=${chat}
c write GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n
c recv-head 200
c recv-body connections
