package WSChatEnv;

# Copyright (C) the ngx_wschat authors

# What Test::Nginx reads from the environment when it is loaded: which nginx,
# which module, a directory and ports of our own, so that any number of test
# files and checkouts can run at once.  Loaded before Test::Nginx.

use strict;
use warnings;

use Cwd ();
use File::Path ();
use IO::Socket::INET;

our $build = Cwd::abs_path($ENV{WSCHAT_BUILD} // 'build')
    or die "there is no build directory: run make\n";


# four ports in a row: HTTP, TLS, and two for tests; below those that the
# kernel gives to clients

sub free_ports {
    for (1 .. 1000) {
        my $port = 10000 + 4 * int rand 5000;

        my @free = grep {
            IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => $_,
                                  Listen => 1, ReuseAddr => 1)
        } $port .. $port + 3;

        return $port if @free == 4;
    }

    die "no free ports\n";
}


# a self-signed certificate, made once

sub certificate {
    my $cert = "$build/t/cert.pem";

    if (!-f $cert) {
        my $new = "$cert.$$";

        system("openssl req -x509 -newkey ec -pkeyopt "
               . "ec_paramgen_curve:prime256v1 -nodes -days 3650 "
               . "-subj /CN=localhost -keyout $new -out $new.crt "
               . "2>/dev/null") == 0
            or die "openssl req has failed\n";

        system("cat $new.crt >> $new && rm $new.crt") == 0 or die "$cert\n";
        rename $new, $cert or die "$cert: $!\n";
    }

    return $cert;
}


srand;

File::Path::make_path("$build/t");

my $port = $ENV{TEST_NGINX_PORT} ||= free_ports();

$ENV{TEST_NGINX_SERVROOT} ||= "$build/t/servroot-$port";

$ENV{TEST_NGINX_BINARY} ||=
    (grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin')[0];

$ENV{TEST_NGINX_LOAD_MODULES} //= "$build/ngx_wschat_module.so";

# the same worker would accept everything while the others sleep

$ENV{TEST_NGINX_REUSE_PORT} //= 1 if ($ENV{WSCHAT_WORKERS} // 1) > 1;


# nginx's directory stays if something has failed; this runs after Test::Nginx
# has stopped nginx, because it was compiled before

END {
    my $status = $?;

    if (-d $ENV{TEST_NGINX_SERVROOT} && !$ENV{TEST_NGINX_NO_CLEAN}
        && $status == 0 && Test::More->builder->is_passing)
    {
        File::Path::remove_tree($ENV{TEST_NGINX_SERVROOT});
    }

    $? = $status;
}


1;
