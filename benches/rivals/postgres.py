#!/usr/bin/env python3
"""PostgreSQL 15 over TLS 1.3, the answer by COPY on one open connection, its bytes kept in memory.

usage: postgres.py [text|binary] [--index]

With --index there are B-trees over l_orderkey, l_partkey and l_shipdate.
"""

import grp
import os
import pwd
import shutil
import subprocess
import sys

import psycopg

from rival import CA, COLUMNS, CSV, THREADS, Rival, certificate_and_key, free_port, run, select

BIN = "/usr/lib/postgresql/15/bin"

CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
ssl = on
ssl_min_protocol_version = 'TLSv1.3'
max_connections = 300
shared_buffers = 4GB
work_mem = 64MB
maintenance_work_mem = 1GB
max_parallel_workers_per_gather = {threads}
max_wal_size = 8GB
wal_level = minimal
max_wal_senders = 0
fsync = off
random_page_cost = 1.1
"""


class Postgres(Rival):
    def __init__(self, form, index):
        self.form, self.index = form, index
        self.name = f"PostgreSQL, COPY {form}" + (", indexes" if index else "")
        self.data = self.connection = None

    def start(self, folder):
        # the server refuses to run as root
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        chain, key = certificate_and_key(folder)
        self.data, self.port = folder / "data", free_port()
        self.own(folder)
        self.server("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--locale=C", "-E", "UTF8")
        for source, name in ((chain, "server.crt"), (key, "server.key")):
            shutil.copy(source, self.data / name)
            self.own(self.data / name)
            (self.data / name).chmod(0o600)
        with open(self.data / "postgresql.conf", "a") as out:
            out.write(CONFIGURATION.format(port=self.port, folder=folder, threads=THREADS))
        with open(self.data / "pg_hba.conf", "w") as out:
            out.write("hostssl all all 127.0.0.1/32 trust\n")
        self.server("pg_ctl", "-D", self.data, "-w", "-l", self.data / "log", "start")
        self.connection = psycopg.connect(
            f"host=localhost port={self.port} user=postgres dbname=postgres sslmode=verify-full sslrootcert={CA}",
            autocommit=True,
        )
        self.fill()

    def fill(self):
        columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in COLUMNS)
        with self.connection.transaction():
            self.connection.execute(f"CREATE TABLE lineitem ({columns})")
            with self.connection.cursor().copy(
                "COPY lineitem FROM STDIN WITH (FORMAT csv, HEADER)"
            ) as copy, open(CSV, "rb") as file:
                while block := file.read(1 << 20):
                    copy.write(block)
        if self.index:
            for column in ("l_orderkey", "l_partkey", "l_shipdate"):
                self.connection.execute(f"CREATE INDEX ON lineitem ({column})")
        self.connection.execute("VACUUM (FREEZE, ANALYZE) lineitem")
        self.connection.execute("CREATE EXTENSION pg_prewarm")
        self.connection.execute("SELECT pg_prewarm('lineitem')")

    def processes(self):
        return [int((self.data / "postmaster.pid").read_text().split()[0])]

    def ask(self, question):
        options = " (FORMAT binary)" if self.form == "binary" else ""
        statement = f"COPY ({select(question, 'lineitem')}) TO STDOUT{options}"
        kept = []
        with self.connection.cursor().copy(statement) as copy:
            for block in copy:
                kept.append(bytes(block))
        # each block is a record, and the binary form has one for its header and trailer
        told = {"records": len(kept) - (1 if options else 0), "bytes_sent": sum(map(len, kept))}
        if len(kept) == 1 and not options and b"\t" not in kept[0]:
            told["value"] = kept[0].decode().strip()
        return told

    def stop(self):
        if self.connection:
            self.connection.close()
        if self.data and (self.data / "postmaster.pid").exists():
            self.server("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")

    def own(self, path):
        if os.geteuid() == 0:
            os.chown(path, pwd.getpwnam(self.user).pw_uid, grp.getgrnam(self.user).gr_gid)

    def server(self, program, *arguments):
        command = [f"{BIN}/{program}", *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["runuser", "-u", self.user, "--", *command]
        # a server that stays must not hold the output that others read
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done.returncode:
            sys.exit(f"{program}: {done.stderr.decode()}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    index = "--index" in arguments
    forms = [argument for argument in arguments if argument != "--index"] or ["text"]
    if len(forms) > 1 or forms[0] not in ("text", "binary"):
        sys.exit(__doc__)
    run(Postgres(forms[0], index))
