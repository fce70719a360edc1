#!/usr/bin/env python3
"""Writes the Parquet and Arrow files of this folder with pyarrow and DuckDB, each beside a CSV twin.

    pip install pyarrow duckdb && python3 make.py

The twin holds what a Select has to find in the file, in the order of its records.
"""

import csv
import datetime
import decimal
import pathlib
import struct

import duckdb
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption

FOLDER = pathlib.Path(__file__).parent
KEY = b"0123456789abcdefghijklmnopqrstuv"
UTC = datetime.timezone.utc
decimal.getcontext().prec = 60


def text(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, datetime.datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() if value.tzinfo else value.isoformat()
    return str(value)


def twin(name, columns, rows):
    with open(FOLDER / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([text(value) for value in row])


def types():
    """Every type that Selects have, from every type of Arrow that becomes one; NULL every fifth."""
    count = 40

    def column(make):
        return [None if i % 5 == 4 else make(i) for i in range(count)]

    day = datetime.date(2000, 2, 28)
    moment = datetime.datetime(1999, 12, 31, 23, 59, 59, 123456)
    columns = {
        "i8": (pa.int8(), column(lambda i: i - 20)),
        "i16": (pa.int16(), column(lambda i: 1000 * (i - 20))),
        "i32": (pa.int32(), column(lambda i: 100_000_000 * (i - 20))),
        "i64": (pa.int64(), column(lambda i: 400_000_000_000_000_000 * (i - 20))),
        "u8": (pa.uint8(), column(lambda i: 255 - i)),
        "u16": (pa.uint16(), column(lambda i: 65535 - i)),
        "u32": (pa.uint32(), column(lambda i: 4294967295 - i)),
        "u64": (pa.uint64(), column(lambda i: 18446744073709551615 - i)),
        "f16": (pa.float16(), column(lambda i: i / 2 - 4)),
        "f32": (pa.float32(), column(lambda i: i / 4 - 4)),
        "f64": (pa.float64(), column(lambda i: i / 8 - 4)),
        "d9": (pa.decimal128(9, 2), column(lambda i: decimal.Decimal(i * 12345 - 100000).scaleb(-2))),
        "d18": (pa.decimal128(18, 4), column(lambda i: decimal.Decimal(i * 10**15 - 10**16).scaleb(-4))),
        "d38": (pa.decimal128(38, 10), column(lambda i: decimal.Decimal((i - 20) * (10**36 + 7)).scaleb(-10))),
        "b": (pa.bool_(), column(lambda i: i % 3 == 0)),
        "s": (pa.string(), column(lambda i: "ä" * (i % 4) + f"x{i}")),
        "large": (pa.large_string(), column(lambda i: f"large {i}")),
        "view": (pa.string_view(), column(lambda i: f"a view of a text that is long {i}")),
        "dict": (pa.dictionary(pa.int32(), pa.string()), column(lambda i: f"word {i % 3}")),
        "day": (pa.date32(), column(lambda i: day + datetime.timedelta(days=i))),
        "ms": (pa.timestamp("ms"), column(lambda i: moment.replace(microsecond=123000) + datetime.timedelta(hours=i))),
        "us": (pa.timestamp("us"), column(lambda i: moment + datetime.timedelta(hours=i))),
        "ns": (pa.timestamp("ns"), column(lambda i: moment + datetime.timedelta(hours=i))),
        "utc": (pa.timestamp("us", "Europe/Berlin"), column(lambda i: (moment + datetime.timedelta(hours=i)).replace(tzinfo=UTC))),
    }
    arrays = [pa.array(values, type=kind) for kind, values in columns.values()]
    table = pa.table(arrays, names=list(columns))
    twin("types", list(columns), zip(*(values for _, values in columns.values())))
    pq.write_table(table, FOLDER / "types-pyarrow.parquet", row_group_size=15, data_page_size=64,
                   compression="zstd", write_page_index=True, write_page_checksum=True)
    pq.write_table(table, FOLDER / "types-v2.parquet", data_page_version="2.0", version="2.6",
                   use_dictionary=False, compression="gzip", data_page_size=64)
    pq.write_table(table, FOLDER / "types-v1.parquet", version="1.0", compression="snappy",
                   coerce_timestamps="us", allow_truncated_timestamps=True)
    for codec in ["uncompressed", "lz4", "zstd"]:
        feather.write_feather(table, FOLDER / f"types-{codec}.arrow", compression=codec, chunksize=15)
    as_duckdb = table.select(["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "d9",
                              "d18", "d38", "b", "s", "day", "ms", "us", "ns"])
    duckdb.register("t", as_duckdb)
    for codec in ["snappy", "zstd", "gzip", "lz4_raw", "brotli"]:
        duckdb.sql(f"COPY t TO '{FOLDER}/types-duckdb-{codec}.parquet' (FORMAT parquet, CODEC {codec})")


def nested():
    """Groups within groups, NULL at each level; a list and a map that nobody reads."""
    rows = [
        {"id": 1, "a": {"b": {"c": 10, "d": "x"}, "e": 1.5}, "tags": ["p", "q"], "m": [("k", 1)], "t": datetime.time(1, 2)},
        {"id": 2, "a": {"b": None, "e": 2.5}, "tags": [], "m": [], "t": None},
        {"id": 3, "a": None, "tags": None, "m": None, "t": datetime.time(3, 4)},
        {"id": 4, "a": {"b": {"c": None, "d": "y"}, "e": None}, "tags": [None], "m": [("k", None)], "t": None},
    ]
    inner = pa.struct([("c", pa.int32()), ("d", pa.string())])
    schema = pa.schema([
        ("id", pa.int64()), ("a", pa.struct([("b", inner), ("e", pa.float64())])),
        ("tags", pa.list_(pa.string())), ("m", pa.map_(pa.string(), pa.int32())), ("t", pa.time64("us")),
    ])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), FOLDER / "nested.parquet", compression="snappy")
    feather.write_feather(pa.Table.from_pylist(rows, schema=schema), FOLDER / "nested.arrow", compression="zstd")
    moments = pa.table({"id": [1, 2], "t": pa.array([datetime.datetime(2024, 2, 29), None], pa.timestamp("us"))})
    pq.write_table(moments, FOLDER / "int96.parquet", use_deprecated_int96_timestamps=True)
    twin("nested", ["id", "a.b.c", "a.b.d", "a.e"],
         [[1, 10, "x", 1.5], [2, None, None, 2.5], [3, None, None, None], [4, None, "y", None]])


def below_null():
    """A struct that is NULL once, with something below that could not be a value."""
    valid = pa.py_buffer(bytes([0b101]))
    texts, offsets = pa.py_buffer(b"a\xff\xfec"), [0, 1, 3, 4]
    small = pa.py_buffer(struct.pack("<4i", *offsets))
    large = pa.py_buffer(struct.pack("<4q", *offsets))
    # a view is a length and twelve bytes, here or elsewhere
    views = pa.py_buffer(b"".join([struct.pack("<i12s", 1, b"a"), b"\xff" * 16, struct.pack("<i12s", 1, b"c")]))
    codes = pa.Array.from_buffers(pa.int32(), 3, [None, pa.py_buffer(struct.pack("<3i", 0, 99, 1))])
    children = [
        pa.array([10, 77, 30], pa.int32()),
        pa.Array.from_buffers(pa.utf8(), 3, [None, small, texts]),
        pa.Array.from_buffers(pa.large_utf8(), 3, [None, large, texts]),
        pa.Array.from_buffers(pa.string_view(), 3, [None, views]),
        pa.DictionaryArray.from_arrays(codes, pa.array(["a", "c"]), safe=False),
        pa.array([0, 1, 2000], pa.timestamp("ns")),
    ]
    fields = [pa.field(name, child.type, nullable=False) for name, child in zip(["x", "t", "l", "v", "d", "n"], children)]
    group = pa.StructArray.from_buffers(pa.struct(fields), 3, [valid], 1, 0, children)
    # and a column that is declared to have no NULL
    schema = pa.schema([("id", pa.int64()), ("s", group.type), pa.field("r", pa.int64(), nullable=False)])
    table = pa.Table.from_arrays([pa.array([1, 2, 3]), group, pa.array([1, None, 3])], schema=schema)
    feather.write_feather(table, FOLDER / "below-null.arrow", compression="uncompressed")


def encrypted():
    """One table, encrypted by pyarrow with each algorithm and in both modes, and by DuckDB."""
    table = pa.table({"id": pa.array(range(40), pa.int64()), "name": [f"n{row % 7}" for row in range(40)],
                      "pay": [row * 1.5 for row in range(40)]})
    twin("encrypted", table.column_names, [list(row.values()) for row in table.to_pylist()])
    for name, key, options in [
        ("gcm", KEY[:16], {}),
        ("ctr", KEY[:24], {"encryption_algorithm": "AES_GCM_CTR_V1"}),
        ("footer", KEY[:32], {"plaintext_footer": True}),
        ("prefix", KEY[:16], {"aad_prefix": b"ours", "store_aad_prefix": False}),
    ]:
        properties = encryption.create_encryption_properties(key, **options)
        pq.write_table(table, FOLDER / f"encrypted-{name}.parquet", encryption_properties=properties,
                       data_page_size=64, write_page_index=True)
    duckdb.sql("SET force_mbedtls_unsafe = 'true'")
    duckdb.sql(f"PRAGMA add_parquet_key('k', '{KEY[:16].decode()}')")
    duckdb.register("e", table)
    duckdb.sql(f"COPY e TO '{FOLDER}/encrypted-duckdb.parquet' "
               "(FORMAT parquet, ENCRYPTION_CONFIG {footer_key: 'k'})")


if __name__ == "__main__":
    types()
    nested()
    below_null()
    encrypted()
