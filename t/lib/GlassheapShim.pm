# t/lib/GlassheapShim.pm: a server whose files are behind test/shim: rules for its calls, and power that can be cut.
#
# How:    attach_shim between stop and start; from then on each start of this server loads the shim.
# SPDX-License-Identifier: PostgreSQL
package GlassheapShim;

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(dirname);
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(shim_folder new_shim_node attach_shim set_rules fired lose_power cut_power);

use constant { HEADER => 16, RULE => 264 };

my $sources = dirname(__FILE__) . '/../../test/shim';

# Where gh_shim.so and power_loss are: beside GH_SHIM, which tools/check has built, or made now.
sub shim_folder
{
	return dirname($ENV{GH_SHIM}) if $ENV{GH_SHIM};
	my $folder = PostgreSQL::Test::Utils::tempdir() . '/shim';
	system_or_bail('make', '-s', '-f', "$sources/Makefile", "OUT=$folder");
	system_or_bail('cp', "$sources/power_loss", $folder);
	$ENV{GH_SHIM} = "$folder/gh_shim.so";
	return $folder;
}

# The server is stopped.  From its next start on it has rules and, if wanted, a journal.
sub attach_shim
{
	my ($node, %what) = @_;
	my $library = shim_folder() . '/gh_shim.so';
	my $folder = PostgreSQL::Test::Utils::tempdir() . '/shim_of_' . $node->name;
	mkdir $_ or die "$_: $!" for $folder, "$folder/journal";
	$node->{gh_shim} = { LD_PRELOAD => $library, GH_SHIM_RULES => "$folder/rules" };
	$node->{gh_shim}{GH_SHIM_JOURNAL} = "$folder/journal" if $what{journal};
	set_rules($node);
	return;
}

# A started server behind the shim; arguments of new_node, but journal => 1 for one that can lose power.
sub new_shim_node
{
	my ($name, %settings) = @_;
	my $journal = delete $settings{journal};
	my $node = new_node($name, fsync => 'on', %settings);
	$node->stop('fast');
	attach_shim($node, journal => $journal);
	$node->start;
	return $node;
}

# From now on these lines hold; none ends them.
sub set_rules
{
	my ($node, @lines) = @_;
	my $path = $node->{gh_shim}{GH_SHIM_RULES};
	unlink glob("$path.counts.*");
	append_to_file("$path.new", join '', map { "$_\n" } @lines);
	rename "$path.new", $path or die "$path: $!";
	local @ENV{qw(LD_PRELOAD GH_SHIM_RULES GH_SHIM_CHECK)} = (@{ $node->{gh_shim} }{qw(LD_PRELOAD GH_SHIM_RULES)}, 1);
	system('true') == 0 or die "the shim does not understand all of: @lines";
	return;
}

# How often the rule of that number (from 0) has fired since it was set.
sub fired
{
	my ($node, $number) = @_;
	my ($counts) = glob("$node->{gh_shim}{GH_SHIM_RULES}.counts.*");
	return 0 unless $counts;
	return unpack 'Q<', substr slurp_file($counts), HEADER + RULE * ($number // 0) + 8, 8;
}

# What power_loss makes of a dead server's files; its counts by name.
sub lose_power
{
	my ($node, %what) = @_;
	my @command = (shim_folder() . '/power_loss', '--data', $node->data_dir, '--journal', $node->{gh_shim}{GH_SHIM_JOURNAL});
	push @command, map { ("--$_", $what{$_}) } sort keys %what;
	my ($out, $err) = run_command(\@command);
	die "power_loss: $err" if $err;
	note "power is lost: $out";
	return { $out =~ /(\w+)=(\w+)/g };
}

sub cut_power
{
	my ($node, %what) = @_;
	kill_server_9($node);
	return lose_power($node, %what);
}

1;
