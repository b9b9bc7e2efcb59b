# t/lib/GlassheapSession.pm: psql sessions that stay open, for transactions that stand side by side.
#
# Why:    a test that steers several open transactions sends one statement at a time and reads its answer; a
#         statement that waits is started, and its end waited for later.
# SPDX-License-Identifier: PostgreSQL
package GlassheapSession;

use strict;
use warnings;

use IPC::Run ();

# new(class, node, database?, more of a connection string?): connected.
sub new
{
	my ($class, $node, $database, $more) = @_;
	my $self = bless { in => '', out => '', asked => 0 }, $class;
	$self->{run} = IPC::Run::start(
		[
			$node->installed_command('psql'), '-XAtq', '-v', 'VERBOSITY=sqlstate', '-f', '-', '-d',
			join(' ', $node->connstr($database // 'postgres'), $more // ())
		],
		'<', \$self->{in}, '>', \$self->{out}, '2>&1', IPC::Run::timeout(600));
	$self->ask('SELECT 1');
	return $self;
}

# Sends statements and does not wait for their end.
sub begin
{
	my ($self, $sql) = @_;
	die 'the statement before has not ended' if $self->{pending};
	$self->{pending} = ++$self->{asked};
	$self->{in} .= "$sql;\n\\echo =end $self->{asked}=\n";
	$self->{run}->pump_nb;
	return;
}

# Has it ended?
sub ended
{
	my ($self) = @_;
	$self->{run}->pump_nb;
	return index($self->{out}, "=end $self->{pending}=\n") >= 0;
}

# Waits for the end of what begin() sent; returns its output (of an error: "ERROR:  sqlstate").
sub end
{
	my ($self) = @_;
	my $mark = "=end $self->{pending}=\n";
	$self->{run}->pump until index($self->{out}, $mark) >= 0;
	my $at = index($self->{out}, $mark);
	my $answer = substr($self->{out}, 0, $at);
	substr($self->{out}, 0, $at + length $mark) = '';
	$self->{pending} = 0;
	$answer =~ s/^psql:.*?: (?=ERROR)//mg;
	chomp $answer;
	return $answer;
}

sub ask
{
	my ($self, $sql) = @_;
	$self->begin($sql);
	return $self->end;
}

sub close
{
	my ($self) = @_;
	$self->{in} .= "\\q\n";
	eval { $self->{run}->finish };
	return;
}

1;
