"""What the rivals of `sift-bench compare --rival` and `sift-bench load --rival` share: the conversation, CPU time and data.

Each rival is a program with a client and a server of its own, on TLS 1.3 over loopback. It says
what it is called when its data is loaded, reads one question a line and answers each with one line;
see benches/src/rival.rs. Everything that it writes is below a temporary folder, which it removes.
"""

import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

DATA = pathlib.Path(os.environ["RIVAL_DATA"])
CERTIFICATE = pathlib.Path(os.environ["RIVAL_CERTIFICATE"])
CA = pathlib.Path(os.environ["RIVAL_CA"])
CSV = DATA / "lineitem.csv"
THREADS = 2

# name, SQL type, PostgreSQL's type where it is another
COLUMNS = [
    ("l_orderkey", "BIGINT"), ("l_partkey", "INTEGER"), ("l_suppkey", "INTEGER"),
    ("l_linenumber", "INTEGER"), ("l_quantity", "DECIMAL(15,2)"),
    ("l_extendedprice", "DECIMAL(15,2)"), ("l_discount", "DECIMAL(15,2)"),
    ("l_tax", "DECIMAL(15,2)"), ("l_returnflag", "VARCHAR(1)"), ("l_linestatus", "VARCHAR(1)"),
    ("l_shipdate", "DATE"), ("l_commitdate", "DATE"), ("l_receiptdate", "DATE"),
    ("l_shipinstruct", "VARCHAR(25)"), ("l_shipmode", "VARCHAR(10)"), ("l_comment", "VARCHAR(44)"),
]


def select(question, table):
    return f"SELECT {question['columns']} FROM {table} WHERE {question['predicate']}"


def duckdb_csv(path):
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS)
    return f"read_csv('{path}', header = true, auto_detect = false, columns = {{{columns}}})"


def parquet():
    """The same records as Parquet with zstd, written by DuckDB unless they are there."""
    path = DATA / "lineitem.duckdb.parquet"
    if not path.exists() or path.stat().st_mtime < CSV.stat().st_mtime:
        import duckdb

        made = path.with_suffix(".new")
        duckdb.sql(
            f"COPY (SELECT * FROM {duckdb_csv(CSV)}) TO '{made}' (FORMAT parquet, COMPRESSION zstd)"
        )
        made.rename(path)
    return path


def arrow_answer(table):
    """What is told of an answer that is an Arrow table."""
    told = {"records": table.num_rows, "bytes_sent": table.nbytes}
    if (table.num_rows, table.num_columns) == (1, 1):
        told["value"] = str(table.column(0)[0].as_py())
    return told


class Rival:
    """One way to bring the records. `start` may take long; `ask` is what is measured."""

    name = "?"

    def start(self, folder):
        raise NotImplementedError

    def processes(self):
        """The ids of the server's processes."""
        return []

    def ask(self, question):
        """Brings the whole answer into memory and tells its records."""
        raise NotImplementedError

    def stop(self):
        pass


def cpu_of(roots):
    """CPU seconds of processes and all that they have started and that still runs."""
    tick, times, children = os.sysconf("SC_CLK_TCK"), {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        times[int(entry.name)] = sum(map(int, fields[11:15])) / tick
        children.setdefault(int(fields[1]), []).append(int(entry.name))
    seen, waiting = set(), list(roots)
    while waiting:
        process = waiting.pop()
        if process not in seen:
            seen.add(process)
            waiting += children.get(process, [])
    return sum(times.get(process, 0.0) for process in seen)


def own_cpu():
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


def say(told):
    print(json.dumps(told), flush=True)


def converse(rival, answer):
    """Answers lines until there are no more."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rival-"))
    try:
        rival.start(folder)
        say({"arm": rival.name})
        for line in sys.stdin:
            say(answer(json.loads(line)))
    finally:
        rival.stop()
        shutil.rmtree(folder, ignore_errors=True)


def run(rival):
    """Answers questions until there are no more."""

    def measured(question):
        servers = rival.processes()
        server, client, start = cpu_of(servers), own_cpu(), time.perf_counter()
        told = rival.ask(question)
        seconds = time.perf_counter() - start
        return {
            "seconds": seconds,
            "server_cpu_seconds": cpu_of(servers) - server,
            "client_cpu_seconds": own_cpu() - client,
            **told,
        }

    converse(rival, measured)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def end(process):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def certificate_and_key(folder):
    """Chain and key as two files: what most servers want."""
    text = CERTIFICATE.read_text()
    cut = text.index("-----BEGIN PRIVATE KEY-----")
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_text(text[:cut])
    key.touch(0o600)
    key.write_text(text[cut:])
    return chain, key
