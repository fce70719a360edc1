#!/usr/bin/env python3
"""PostgreSQL 15 over TLS 1.3 under pgbench, point selects by a prepared statement and a B-tree.

usage: pgbench.py

A rival of `sift-bench load --rival`.
"""

import math
import subprocess
import sys

from rival import CA, THREADS, converse
from postgres import BIN, Postgres

PERCENTILES = {"50": 50, "90": 90, "99": 99, "99.9": 99.9, "99.99": 99.99, "100": 100}


class Pgbench(Postgres):
    def __init__(self):
        super().__init__("text", index=True)
        self.name = "PostgreSQL"

    def start(self, folder):
        super().start(folder)
        self.folder = folder

    def load(self, step):
        """Runs one step; an outcome as the report keeps it."""
        script = self.folder / "script.sql"
        script.write_text(
            f"\\set key random(1, {step['keys']})\n"
            f"SELECT * FROM lineitem WHERE l_orderkey BETWEEN :key AND :key + {step['keys_each'] - 1};\n"
        )
        if step["warm_up"] > 0:
            self.pgbench(step, step["warm_up"], script)
        seconds, micros, failed = self.pgbench(step, step["seconds"], script)
        return {
            "sessions": step["sessions"],
            "rate_intended": step["rate"],
            "seconds": seconds,
            "answers": len(micros),
            "failures": {"failed": failed} if failed else {},
            "missed": 0,
            "latency_micros": {name: at_percentile(micros, share) for name, share in PERCENTILES.items()},
        }

    def pgbench(self, step, seconds, script):
        """How long it ran, the latencies in order, and how many failed."""
        for log in self.folder.glob("latency.*"):
            log.unlink()
        # whole seconds is what it takes
        seconds = max(1, math.ceil(seconds))
        command = [
            f"{BIN}/pgbench", "--no-vacuum", "--protocol=prepared", f"--client={step['sessions']}",
            f"--jobs={min(step['sessions'], THREADS)}", f"--time={seconds}", f"--file={script}",
            "--log", f"--log-prefix={self.folder}/latency",
        ]
        if step["connections"] == "full":
            command.append("--connect")
        if step["rate"]:
            command.append(f"--rate={step['rate']}")
        environment = {
            "PGHOST": "localhost", "PGPORT": str(self.port), "PGUSER": "postgres", "PGDATABASE": "postgres",
            "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(CA),
        }
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"pgbench: {done.stderr}")
        # client, transaction, time or `failed`, …
        times = [line.split()[2] for log in self.folder.glob("latency.*") for line in open(log)]
        micros = sorted(int(time) for time in times if time != "failed")
        return seconds, micros, len(times) - len(micros)


def at_percentile(ordered, share):
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)] if ordered else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    rival = Pgbench()
    converse(rival, rival.load)
