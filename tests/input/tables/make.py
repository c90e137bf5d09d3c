#!/usr/bin/env python3
"""Makes the tables beside it with pyarrow: files of another writer than ours, for tests/input/tables.rs.

    pip install pyarrow && python tests/input/tables/make.py
"""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
# As TEXTS in tests/input/tables.rs.
TEXTS = ["The cat sat.", None, "Grüße, 😀", "", "two\nlines, \"quoted\"", "The cat sat on it.", None, "The cat ran."] * 2
ROWS = list(range(len(TEXTS)))


def write(name, table, **options):
    usual = {"row_group_size": 6, "store_schema": False, "write_statistics": False}
    pq.write_table(table, HERE / f"{name}.parquet", **{**usual, **options})


def texts(kind=pa.string()):
    return pa.table({"id": ROWS, "text": pa.array(TEXTS, kind), "score": [i / 4 for i in ROWS]})


write("plain", texts(), compression="none", use_dictionary=False)
write("snappy", texts(pa.large_string()), compression="snappy", write_page_checksum=True)
write("gzip", texts(), compression="gzip", data_page_version="2.0", write_statistics=True)
for name, encoding in [("lengths", "DELTA_LENGTH_BYTE_ARRAY"), ("prefixes", "DELTA_BYTE_ARRAY")]:
    encodings = {"text": encoding, "id": "DELTA_BINARY_PACKED"}
    more = {"use_dictionary": False, "column_encoding": encodings, "data_page_version": "2.0"}
    write(name, texts(), compression="zstd", **more)
for codec in ["lz4", "brotli"]:
    write(codec, texts(), compression=codec)
# A page for every two values.
write("pages", texts(), compression="none", row_group_size=100, data_page_size=1, write_batch_size=2)

said = [{"role": "user", "content": "Who sat?"}, {"role": "assistant", "content": "The cat."}]
message = pa.struct([("role", pa.string()), ("content", pa.string())])
write(
    "chat",
    pa.table(
        {
            "messages": pa.array([said, None, [], said[:1], said + said], pa.list_(message)),
            "meta": pa.array([{"note": f"Note {i}.", "size": i} for i in range(5)]),
            "deep": pa.array([[["a"], []], None, [], [[None, "b"]], [["c", "d"], ["e"]]], pa.list_(pa.list_(pa.string()))),
        }
    ),
    row_group_size=3,
)
write("bytes", pa.table({"text": pa.array([b"caf\xc3\xa9", b"caf\xe9"], pa.binary()), "when": pa.array([1, 2], pa.date32())}))
write("nothing", pa.table({"text": pa.array([None, None], pa.string())}))
write("empty", pa.table({"text": pa.array([], pa.string())}))
write(
    "hellaswag",
    pa.table(
        {
            "ind": pa.array([24, 25], pa.int32()),
            "activity_label": ["Running", "Eating"],
            "ctx_a": ["A boy runs.", "A cat eats."],
            "ctx_b": ["he", ""],
            "endings": [["falls.", "flies.", "sings.", "eats."], ["Well.", "Fast.", "Not.", "Slowly."]],
            "label": ["0", "3"],
            "is_good": [True, False],
        }
    ),
)
