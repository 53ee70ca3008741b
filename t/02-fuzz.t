# Each fuzzer for a few seconds, WSCHAT_FUZZ_SECONDS of them, from the corpus
# in t/fuzz/corpus/NAME if there is one.  make builds the fuzzers.
# once

use strict;
use warnings;
use Test::More;

my $seconds = $ENV{WSCHAT_FUZZ_SECONDS} // 5;
my @sources = glob 't/fuzz/fuzz_*.c';

plan skip_all => 'there are no fuzzers' unless @sources;

plan skip_all => 'clang with libFuzzer is not here (libclang-rt-dev)'
    if system('tools/have-fuzzer') != 0;

plan tests => scalar @sources;

for (@sources) {
    my ($name) = m{fuzz_(\w+)\.c$};

    # what is found is kept for the next run

    my $found = "build/fuzz/corpus/$name";
    my @corpus = ($found, grep { -d } "t/fuzz/corpus/$name");
    my @dict = grep { -f } "t/fuzz/$name.dict";

    system('mkdir', '-p', $found);

    my $command = "build/fuzz/fuzz_$name -max_total_time=$seconds -timeout=10"
                  . " -rss_limit_mb=1024 -artifact_prefix=build/fuzz/$name-"
                  . (@dict ? " -dict=@dict" : '')
                  . " @corpus";

    my $out = `$command 2>&1`;

    ok($? == 0, "$name for $seconds s")
        or diag("$command\n", substr $out, -8000);

    note($1) if $out =~ /^(Done \d+ runs.*)$/m;
}
