# test/crash/session.py: a connection of an actor, and what its errors mean.
#
#   Refused   the statement failed as statements may: the transaction is gone, the session lives
#   Lost      the connection is gone; a COMMIT under way may have happened
#   Fault     an error that no load justifies
# SPDX-License-Identifier: PostgreSQL
import psycopg2

from faults import Fault

# serialization, deadlock, lock timeout, cancelled, foreign key, object being dropped or in use
EXPECTED = {"40001", "40P01", "55P03", "57014", "23503", "55006"}


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Lost(Exception):
    pass


def is_lost(error, connection):
    code = getattr(error, "pgcode", None)
    return connection.closed or code is None or code.startswith("57P") or code.startswith("08")


class Session:
    def __init__(self, server, actor, options=""):
        self.actor = actor
        self.pid = None
        try:
            self.connection = server.connect(actor.name, options)
        except psycopg2.OperationalError as error:
            if "sorry, too many clients" in str(error) or "could not fork" in str(error):
                raise Fault(f"{actor.name} cannot connect: {error}") from error
            raise Lost from error
        self.connection.autocommit = True
        self.pid = self.connection.get_backend_pid()

    def run(self, statement, arguments=None, copy=None):
        """Rows of a query, the number of rows of anything else."""
        self.actor.begins(statement)
        try:
            with self.connection.cursor() as cursor:
                if copy is not None:
                    cursor.copy_expert(statement, copy)
                else:
                    cursor.execute(statement, arguments)
                self.actor.ends()
                return cursor.fetchall() if cursor.description else cursor.rowcount
        except psycopg2.Error as error:
            self.actor.ends()
            if is_lost(error, self.connection):
                raise Lost from error
            if error.pgcode in EXPECTED:
                raise Refused(error.pgcode) from error
            raise Fault(f"{self.actor.name}: {error.pgcode} {str(error).strip()} in: {statement[:200]}") from error

    def roll_back(self):
        if self.connection.info.transaction_status != 0:
            self.run("ROLLBACK")

    def close(self):
        self.connection.close()
