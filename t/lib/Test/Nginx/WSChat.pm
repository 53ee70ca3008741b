package Test::Nginx::WSChat;

# Copyright (C) the ngx_wschat authors

# Test::Nginx::Socket with sections of our own.
#
#   use lib 't/lib';
#   use Test::Nginx::WSChat 'no_plan';
#   run_tests();
#   __DATA__
#   === TEST 1: two in a room
#   --- api
#       route join { join $request.body.room; }
#   --- ws
#       alice connect /ws
#       ...
#
#   --- api         what stands in wschat_api chat { ... }; brings a zone and
#                   the locations /ws and /ws/@connections/, unless there
#                   is a --- config
#   --- zone: 64k   the size of the zone, 8m
#   --- tls         the server listens with TLS, too
#   --- ws          a conversation, see WSConversation.pm
#   --- nginx_t     "nginx -t" must fail, each line is a regex that its output
#                   must match; "in api:3" is line 3 of the section --- api
#                   (or config, http_config); nginx is not started
#   --- nginx_t_ok  "nginx -t" must succeed; the lines as above
#   --- fresh       a new nginx in spite of share_nginx()
#
# Every block fails if [alert], [crit] or [emerg] is in error.log, during the
# block or when nginx stops; lines that match a pattern of --- error_log are
# allowed.
#
# WSCHAT_WORKERS (1) is the number of workers; with 1 there is no master.  A
# file that calls workers() or master_on() decides itself and is run once, so
# is one that has a line "# once" and t/9*.t.  WSCHAT_STORE (zone) is the engine of the
# store.  share_nginx() lets blocks of one configuration use one nginx.

BEGIN { require WSChatEnv; }

use Test::Nginx::Socket -Base;
use Test::Nginx::Util;
use WSConversation;

our @EXPORT = qw(share_nginx);

our $http_helper = $Test::Nginx::Util::RunTestHelper;

our $scale = $ENV{WSCHAT_SCALE} // 1;
our $share;
our $no_root;
our $signature = '';
our @section_line;

# what nginx calls grave, and UBSan's reports, which go to nginx's stderr

my $fatal = qr/\[(?:alert|crit|emerg)\]|runtime error: /;

$Test::Nginx::Util::RunTestHelper = \&run_block;

if (($ENV{WSCHAT_WORKERS} // 1) > 1) {
    master_on();
    workers($ENV{WSCHAT_WORKERS});
}

# one file's trouble must not end the whole run, as BAIL_OUT would

{
    no warnings 'redefine';

    *Test::Nginx::Util::bail_out = *Test::Nginx::Socket::bail_out = sub (@) {
        Test::More::fail('the file is given up');
        Test::More::diag(@_);
        exit 1;
    };
}

worker_connections(1024);
log_level($ENV{TEST_NGINX_LOG_LEVEL} // 'info');
timeout($ENV{TEST_NGINX_TIMEOUT} // 5 * $scale);

add_block_preprocessor { prepare($_[0]) };

# prove's clock runs out: nginx must be stopped, which the END blocks do

$SIG{TERM} = sub { Test::More::diag('killed by a signal'); exit 1 };


sub share_nginx () {
    $share = 1;
}


# the sections that stand for others

sub prepare ($) {
    my ($block) = @_;

    my $api = $block->api;
    my $http = $block->http_config // '';
    my $config = $block->config;

    if (defined $api) {
        my $zone = trim($block->zone // '8m');
        my $store = $ENV{WSCHAT_STORE} // 'zone';

        my $head = "wschat_zone chat $zone;";
        $head .= " wschat_redis chat $ENV{WSCHAT_REDIS};" if $store eq 'redis';

        $http = "$head wschat_api chat { #begin api\n$api\n#end\n}\n$http";
        $block->set_value('http_config', $http);

        $config //= "location /ws { wschat chat; }\n"
                    . "location /ws/\@connections/ "
                    . "{ wschat_connections chat; }\n";
    }

    if (defined $block->tls) {
        my $port = server_port() + 1;
        my $cert = WSChatEnv::certificate();

        $config = "listen $port ssl; ssl_certificate $cert;"
                  . " ssl_certificate_key $cert;\n" . ($config // '');
    }

    $block->set_value('config', $config) if defined $config;

    # a block's own "location /" takes the place of Test::Nginx's

    $no_root //= $Test::Nginx::Util::NoRootLocation;
    $Test::Nginx::Util::NoRootLocation =
        $no_root || ($config // '') =~ /^\s*location\s+\/\s*\{/m;

    if (defined $block->nginx_t || defined $block->nginx_t_ok) {
        check_config($block);

        # Test::Nginx is done with this block
        $block->set_value('SKIP', 1);
        return;
    }

    # Test::Nginx would try for half a minute and give up on the whole file

    my ($status, $out) = nginx_t($block);

    if ($out =~ /runtime error: / || $status && !defined $block->must_die) {
        Test::More::fail("$0 " . $block->name . " - configuration");
        Test::More::diag($out);
        $block->set_value('SKIP', 1);
        return;
    }

    if (!defined $block->shutdown_error_log
        && !defined $block->no_shutdown_error_log)
    {
        $block->set_value('no_shutdown_error_log', $fatal);
    }

    my $new = join "\0", map { $_ // '' }
                  scalar $block->config, $http, scalar $block->main_config,
                  scalar $block->post_main_config, scalar $block->log_level,
                  scalar $block->user_files;

    $Test::Nginx::Util::ForceRestartOnTest =
        !$share || defined $block->fresh || $new ne $signature ? 1 : 0;

    $signature = $new;
}


# "nginx -t" with the block's configuration, on a socket that nobody else can
# have: the exit status as in $?, and the output, where places in the
# configuration are those in the block's sections

sub nginx_t ($) {
    my ($block) = @_;

    my $name = "$0 " . $block->name;
    my $root = server_root();
    my $dir = "$root-t";

    File::Path::make_path(map { "$dir/$_" } qw(conf html logs));

    {
        local $Test::Nginx::Util::HtmlDir = "$dir/html";
        Test::Nginx::Util::write_user_files($block, {});
    }

    my $modules = join ' ', map { "load_module $_;" }
                                split ' ', $ENV{TEST_NGINX_LOAD_MODULES};
    my $temp = join ' ', map { $_ . "_temp_path $dir/temp;" }
                             qw(client_body proxy fastcgi uwsgi scgi);

    my ($main, $http, $config) =
        map { expand_env_in_text($_ // '', $name, {}) }
            scalar $block->main_config, scalar $block->http_config,
            scalar $block->config;

    s/\Q$root\E\b/$dir/g for $main, $http, $config;

    my $conf = join '',
        "$modules pid $dir/pid; error_log stderr info;",
        ($> == 0 ? ' user root;' : ''), "\n",
        "$main\n",
        "events { worker_connections 64; }\n",
        "http { access_log off; $temp #begin http_config\n$http\n#end\n",
        "server { listen unix:$dir/socket; server_name localhost;",
        " #begin config\n$config\n#end\n",
        "} }\n", $block->post_main_config // '';

    open my $fh, '>', "$dir/nginx.conf" or bail_out("$dir/nginx.conf: $!");
    print $fh $conf;
    close $fh;

    my $out = `timeout 30 $ENV{TEST_NGINX_BINARY} -t -e stderr -p $dir/ \\
               -c $dir/nginx.conf 2>&1`;
    my $status = $?;

    # lines of the sections instead of lines of the file; sections nest

    my (%place, @open);
    my $n = 0;

    for (split /\n/, $conf) {
        $n++;

        $open[-1][1]++ if @open;
        pop @open if /^#end$/;

        $place{$n} = "$open[-1][0]:$open[-1][1]" if @open;
        push @open, [$1, 0] if /#begin (\w+)$/;
    }

    $out =~ s/\Q$dir\E\/nginx\.conf:(\d+)/$place{$1} \/\/ "nginx.conf:$1"/ge;

    File::Path::remove_tree($dir);

    return ($status, $out);
}


# a block that is about "nginx -t"

sub check_config ($) {
    my ($block) = @_;

    my $name = "$0 " . $block->name;
    my $ok = defined $block->nginx_t_ok;
    my ($status, $out) = nginx_t($block);

    my @regex = grep { length } map { s/^\s+|\s+$//gr }
                    split /\n/, $block->nginx_t_ok // $block->nginx_t;

    if ($ok || !@regex || $status == 0) {
        Test::More::ok($ok ? $status == 0 : $status != 0,
                       "$name - nginx -t " . ($ok ? 'succeeds' : 'fails'))
            or Test::More::diag($out);
    }

    if ($ok || $status != 0) {
        for (@regex) {
            Test::More::like($out, qr/$_/m, "$name - nginx -t says $_");
        }
    }

    # a crash is no answer

    Test::More::fail("$name - nginx -t has crashed: $out")
        if $status & 127 || $status >> 8 > 1 || $out =~ /runtime error: /;
}


# the lines of the --- ws sections in the file, by the blocks' numbers

sub section_line ($) {
    my ($block) = @_;

    if (!@section_line) {
        open my $fh, '<', $0 or return 0;
        my $n = 0;

        while (<$fh>) {
            $n++ if /^===/;
            $section_line[$n] = $. if /^---\s+ws\b/;
        }
    }

    return $section_line[$block->seq_num] // 0;
}


sub run_block ($$@) {
    my ($block, $dry_run, $idx) = @_;

    my $log = "$Test::Nginx::Util::LogDir/error.log";
    my $restarted = $Test::Nginx::Util::ForceRestartOnTest || $idx;
    my $pos = $restarted && !$idx ? 0 : -s $log;
    my $killed = 0;

    $Test::Nginx::Util::ErrLogFilePos = $pos;

    if (defined $block->ws) {
        $killed = converse($block, $dry_run, $idx, $pos);

    } else {
        $http_helper->($block, $dry_run, $idx);
    }

    return if $dry_run;

    # nothing that nginx itself calls grave

    open my $fh, '<', $log or return;
    seek $fh, $pos, 0;

    my $expected = $block->error_log;
    my @expected = !defined $expected    ? ()
                 : ref $expected eq ''   ? map { qr/\Q$_\E/ } grep { length }
                                               split /\n+/, $expected
                 : ref $expected eq 'ARRAY'
                                         ? map { ref $_ ? $_ : qr/\Q$_\E/ }
                                               @$expected
                 :                         $expected;

    push @expected, qr/worker process \d+ exited on signal 9/ if $killed;

    my @bad;

    while (my $line = <$fh>) {
        next if $line !~ $fatal || grep { $line =~ $_ } @expected;
        push @bad, $line;
    }

    Test::More::ok(!@bad, $block->name . " - no alert in error.log (req $idx)")
        or Test::More::diag(@bad > 10 ? @bad[0 .. 9] : @bad);
}


sub converse ($$$$) {
    my ($block, $dry_run, $idx, $pos) = @_;

    my $name = $block->name;
    my $access = "$Test::Nginx::Util::LogDir/access.log";

    my $play = WSConversation->new(
        port    => server_port_for_client(),
        timeout => $block->timeout // timeout(),
        scale   => $scale,
        limit   => 60 * $scale,
        log     => ["$Test::Nginx::Util::LogDir/error.log", $access],
        log_pos => [$pos, $pos ? -s $access : 0],
        single  => master_process_enabled() eq 'off',
        pid     => sub { get_pid_from_pidfile($name) },
        ok      => sub {
            my ($ok, $what, $diagnosis) = @_;

            # the name has the file already
            Test::More::ok($ok, "$name - line $what (req $idx)")
                or Test::More::diag($diagnosis // '');
        },
    );

    my $line = section_line($block);
    my @steps;

    for (split /\n/, $block->ws) {
        $line++;
        s/^\s+|\s+$//g;
        push @steps, [$line, $_] unless /^(?:#|$)/;
    }

    Test::More::fail("$name - the conversation is empty") unless @steps;

    my $left = $play->play(@steps);
    Test::More::diag("$left more steps were not played") if $left;

    $play->finish;

    Time::HiRes::sleep(parse_time($block->wait)) if defined $block->wait;

    Test::Nginx::Socket::check_error_log($block, undef, $dry_run, $idx);
    Test::Nginx::Socket::check_access_log($block, $dry_run, $idx);

    return $play->killed;
}


1;
