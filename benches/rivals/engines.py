#!/usr/bin/env python3
"""The questions of `cargo bench -p sift-select --bench selects` to engines over the same file.

    engines.py FILE.parquet [ROUNDS]        DuckDB, Polars and DataFusion read the file
    engines.py FILE.arrow [ROUNDS]          DataFusion has its record batches in memory already

Each engine has two threads and is up; each answer ends as Arrow. Prints the median of the rounds with the
least and the greatest, in milliseconds, and the number of rows. Needs duckdb, polars, datafusion and
pyarrow from PyPI.
"""

import os
import statistics
import sys
import time

os.environ["POLARS_MAX_THREADS"] = "2"

QUESTIONS = {
    "count": "SELECT count(*) FROM t WHERE l_shipdate <= DATE '1998-09-02'",
    "tpch_q1": """
        SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice) AS s2,
            sum(l_extendedprice * (1 - l_discount)) AS s3,
            sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS s4, avg(l_quantity) AS a1,
            avg(l_extendedprice) AS a2, avg(l_discount) AS a3, count(*) AS n
        FROM t WHERE l_shipdate <= DATE '1998-09-02'
        GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus""",
    "tpch_q6": """
        SELECT sum(l_extendedprice * l_discount) FROM t
        WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01'
            AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24""",
    "group_many": "SELECT l_orderkey, count(*) AS n FROM t GROUP BY l_orderkey",
    "top_100": "SELECT * FROM t ORDER BY l_extendedprice DESC LIMIT 100",
    "like": "SELECT count(*) FROM t WHERE l_comment LIKE '%special%requests%'",
    "1_percent": "SELECT * FROM t WHERE l_orderkey % 100 = 0",
    "one_order": "SELECT * FROM t WHERE l_orderkey = 100001",
    "sort": "SELECT l_extendedprice, l_quantity FROM t ORDER BY l_extendedprice, l_quantity",
}


def duckdb(path):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.execute(f"CREATE VIEW t AS SELECT * FROM '{path}'")
    return lambda sql: connection.execute(sql).to_arrow_table().num_rows


def polars(path):
    import polars

    return lambda sql: polars.SQLContext(t=polars.scan_parquet(path)).execute(sql).collect().height


def datafusion(path):
    import datafusion
    import pyarrow.ipc

    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(2))
    if path.endswith(".parquet"):
        context.register_parquet("t", path)
    else:
        with pyarrow.ipc.open_file(path) as file:
            batches = [file.get_batch(index) for index in range(file.num_record_batches)]
        middle = len(batches) // 2
        context.register_record_batches("t", [batches[:middle], batches[middle:]])
    return lambda sql: sum(batch.num_rows for batch in context.sql(sql).collect())


def main():
    path, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    makers = (duckdb, polars, datafusion) if path.endswith(".parquet") else (datafusion,)
    engines = {maker.__name__: maker(path) for maker in makers}
    for name, sql in QUESTIONS.items():
        times = {engine: [] for engine in engines}
        rows = set()
        for _ in range(rounds):
            for engine, ask in engines.items():
                start = time.perf_counter()
                rows.add(ask(sql))
                times[engine].append((time.perf_counter() - start) * 1e3)
        cells = (
            f"{engine} {statistics.median(of):.1f} ({min(of):.1f} to {max(of):.1f})"
            for engine, of in times.items()
        )
        print(name, *cells, f"rows {sorted(rows)}", sep="\t", flush=True)


main()
