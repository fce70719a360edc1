#!/usr/bin/env python3
"""Arrow Flight over TLS 1.3, DuckDB over Parquet or CSV behind it.

usage: flight.py [parquet|csv]
"""

import subprocess
import sys

import pyarrow.flight as flight

from rival import (
    CA, CSV, THREADS, Rival, arrow_answer, certificate_and_key, duckdb_csv, end, free_port, parquet,
    run, select, wait_for,
)


class Flight(Rival):
    def __init__(self, form):
        self.form, self.name = form, f"Arrow Flight, DuckDB over {form}"
        self.server = self.client = None

    def start(self, folder):
        chain, key = certificate_and_key(folder)
        table = f"read_parquet('{parquet()}')" if self.form == "parquet" else duckdb_csv(CSV)
        port = free_port()
        self.server = subprocess.Popen([sys.executable, __file__, "serve", str(port), table, chain, key])
        wait_for(port)
        self.client = flight.FlightClient(f"grpc+tls://localhost:{port}", tls_root_certs=CA.read_bytes())

    def processes(self):
        return [self.server.pid]

    def ask(self, question):
        ticket = flight.Ticket(select(question, "lineitem").encode())
        return arrow_answer(self.client.do_get(ticket).read_all())

    def stop(self):
        if self.client:
            self.client.close()
        end(self.server)


def serve(port, table, chain, key):
    import duckdb

    class Server(flight.FlightServerBase):
        def __init__(self):
            self.engine = duckdb.connect(config={"threads": THREADS})
            self.engine.execute(f"CREATE VIEW lineitem AS SELECT * FROM {table}")
            pair = (open(chain, "rb").read(), open(key, "rb").read())
            # last, since it opens the port
            super().__init__(f"grpc+tls://127.0.0.1:{port}", tls_certificates=[pair])

        def do_get(self, context, ticket):
            answer = self.engine.cursor().sql(ticket.ticket.decode())
            return flight.RecordBatchStream(answer.to_arrow_reader(32768))

    Server().serve()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        form = sys.argv[1] if len(sys.argv) > 1 else "parquet"
        if form not in ("csv", "parquet"):
            sys.exit(__doc__)
        run(Flight(form))
