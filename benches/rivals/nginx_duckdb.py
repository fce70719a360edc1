#!/usr/bin/env python3
"""nginx sends the whole file over TLS 1.3; DuckDB filters it at the client.

usage: nginx_duckdb.py [csv|parquet]
"""

import os
import subprocess
import sys

import duckdb

from rival import (
    CA, CSV, DATA, THREADS, Rival, arrow_answer, certificate_and_key, duckdb_csv, end, free_port,
    parquet, run, select, wait_for,
)

CONFIGURATION = """
daemon off; user {user}; worker_processes 2; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; tcp_nopush on;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl; server_name localhost; ssl_protocols TLSv1.3;
    ssl_certificate {chain}; ssl_certificate_key {key}; root {data};
  }}
}}
"""


class NginxDuckdb(Rival):
    def __init__(self, form):
        self.form, self.name = form, f"nginx sends {form}, DuckDB filters"
        self.server = None

    def start(self, folder):
        self.file = parquet() if self.form == "parquet" else CSV
        self.fetched = folder / self.file.name
        chain, key = certificate_and_key(folder)
        self.port = free_port()
        user = "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody")
        text = CONFIGURATION.format(
            user=user, folder=folder, port=self.port, chain=chain, key=key, data=DATA
        )
        (folder / "nginx.conf").write_text(text)
        self.server = subprocess.Popen(
            ["nginx", "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_for(self.port)
        self.engine = duckdb.connect(config={"threads": THREADS})

    def processes(self):
        return [self.server.pid]

    def ask(self, question):
        url = f"https://localhost:{self.port}/{self.file.name}"
        subprocess.run(["curl", "-sSf", "--cacert", CA, "-o", self.fetched, url], check=True)
        table = f"read_parquet('{self.fetched}')" if self.form == "parquet" else duckdb_csv(self.fetched)
        told = arrow_answer(self.engine.sql(select(question, table)).to_arrow_table())
        return {**told, "bytes_sent": self.fetched.stat().st_size}

    def stop(self):
        end(self.server)


if __name__ == "__main__":
    form = sys.argv[1] if len(sys.argv) > 1 else "parquet"
    if form not in ("csv", "parquet"):
        sys.exit(__doc__)
    run(NginxDuckdb(form))
