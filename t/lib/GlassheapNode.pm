# t/lib/GlassheapNode.pm: a server of the tests that is compared with its recovered copy and its standbys
# (GlassheapCompare.pm) without the test asking for it.
#
# Why:    what nobody has to call nobody forgets: the comparison hangs on stop(), start() and done_testing().
# SPDX-License-Identifier: PostgreSQL
package GlassheapNode;

use strict;
use warnings;

use parent -norequire, 'PostgreSQL::Test::Cluster';

use GlassheapCompare qw(relations_of cross_check_faults recovered_copy_faults standby_faults verdict);
use PostgreSQL::Test::Cluster;
use Test::More;

my @nodes;
our $own_work = 0;    # the comparison itself starts and stops servers

sub is_on { return ($ENV{GH_COMPARE} // '') ne 'off'; }

sub new
{
	my ($class, @args) = @_;
	my $node = $class->SUPER::new(@args);
	push @nodes, $node;
	return $node;
}

# This server's pages are wrong on purpose, or it cannot be asked; from now on.
sub not_compared
{
	my ($node, $why) = @_;
	note $node->name . " is not compared: $why";
	$node->{gh_not_compared} = $why;
	return;
}

sub judge
{
	my ($node, $what, @faults) = @_;
	verdict($node->name . $what, @faults);
	return;
}

sub is_compared { return is_on() && !$_[0]{gh_not_compared}; }

# gh_history: this server was killed or promoted, or has had a standby; only those are compared.
sub follows
{
	my ($standby, $primary) = @_;
	$standby->{gh_primary} = $primary;
	$primary->{gh_history} = 1;
	return;
}

# A standby no more.
sub promote
{
	my ($node) = @_;
	$node->{gh_primary} = undef;
	$node->{gh_history} = 1;
	return $node->SUPER::promote;
}

# Of all that was logged, also what nobody has flushed yet: a reader's pruning changes pages, and his commit flushes nothing.
sub wait_for_catchup
{
	my ($self, $standby, $mode, $lsn) = @_;
	return $self->SUPER::wait_for_catchup($standby, $mode, $lsn // $self->lsn('insert'));
}

sub was_killed { $_[0]{gh_killed} = $_[0]{gh_history} = 1; return; }

# After a crash the recovered server is asked at once, before anything heals.
sub start
{
	my ($node, %params) = @_;
	my %shim = %{ $node->{gh_shim} // {} };    # GlassheapShim.pm
	my $started = do { local @ENV{ keys %shim } = values %shim; $node->SUPER::start(%params) };
	my $killed = delete $node->{gh_killed};
	return $started unless $started && $killed && !$own_work && $node->is_compared && !$node->{gh_primary};
	$node->judge(': after the crash index and pages agree', cross_check_faults($node, relations_of($node)));
	return $started;
}

# A clean stop is where a test says good-bye: the recovered copy must equal what is written now.
sub stop
{
	my ($node, $mode, %params) = @_;
	my $plain = sub { $node->SUPER::stop($mode, %params) };
	return $plain->() if ($mode // 'fast') eq 'immediate' || $own_work || !defined $node->{_pid};
	return $plain->() if !$node->is_compared || $node->{gh_primary} || !$node->{gh_history};
	local $own_work = 1;
	my ($tables, @faults) = recovered_copy_faults($node, $plain);
	$node->judge(": a recovered copy holds the same in all forks ($tables tables)", @faults);
	return 1;
}

sub compare_standby
{
	my ($standby) = @_;
	my $primary = $standby->{gh_primary};
	local $own_work = 1;
	for my $node ($primary, $standby) { $node->start unless defined $node->{_pid}; }
	my $stop_primary = sub {
		local $own_work = 0;
		$primary->stop('fast');
	};
	my ($tables, @faults) = standby_faults($primary, $standby, sub { $standby->stop('fast') }, $stop_primary);
	$standby->judge(' holds the same as ' . $primary->name . " in all forks ($tables tables)", @faults);
	return;
}

# The end of a test: standbys first, which stops their primaries; then everybody who still runs.
sub compare_all
{
	for my $standby (grep { $_->{gh_primary} } @nodes)
	{
		$standby->compare_standby if $standby->is_compared && $standby->{gh_primary}->is_compared;
	}
	for my $node (grep { defined $_->{_pid} && !$_->{gh_primary} } @nodes) { $node->stop('fast'); }
	return;
}

{
	no warnings 'redefine';
	my $done_testing = \&Test::Builder::done_testing;
	*Test::Builder::done_testing = sub {
		GlassheapNode::compare_all() if is_on() && Test::Builder->new->is_passing;
		goto &$done_testing;
	};
}

1;
