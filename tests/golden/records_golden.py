"""Writes batches with kafka-python, or reads kavka's with it.

usage: records_golden.py write DIR
       records_golden.py check DIR

The records are those of tests/records.rs, which see.
"""

import pathlib
import sys

from kafka.record import MemoryRecords, MemoryRecordsBuilder

TIME = 1_500_000_000_000
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def pattern(length):
    return bytes(ord("a") + i % 26 + i // 1000 % 3 for i in range(length))


def golden(compressed, headers):
    some = [("h1", b"one"), ("h1", None), ("ключ", b"")] if headers else []
    records = [
        (TIME, b"k0", b"v0", []),
        (TIME + 1, None, b"no key", some),
        (TIME + 300, b"no value", None, []),
        (TIME + 100_000, b"", b"", []),
        (TIME + 2, None, None, []),
        (TIME + 3, b"2000", pattern(2000), []),
        (TIME - 5, "früh".encode(), b"before the first", []),
    ]
    if compressed:
        records.append((TIME + 4, b"large", pattern(150_000), []))
    return records


def write(directory):
    for magic in (0, 1, 2):
        for codec, name in enumerate(CODECS):
            if magic < 2 and name == "zstd":
                continue
            builder = MemoryRecordsBuilder(magic=magic, compression_type=codec, batch_size=1 << 20)
            for time, key, value, headers in golden(codec != 0, magic == 2):
                builder.append(time if magic else None, key, value, headers)
            builder.close()
            (directory / f"python-m{magic}-{name}.bin").write_bytes(bytes(builder.buffer()))


def check(file):
    _, magic, name = file.stem.split("-")[:3]
    magic = int(magic[1:])
    expected = golden(name != "none", magic == 2)
    seen = 0
    for batch in MemoryRecords(file.read_bytes()):
        assert batch.validate_crc(), "wrong checksum"
        for record in batch:
            time, key, value, headers = expected[seen]
            assert record.offset == seen, f"offset {record.offset}"
            assert magic == 0 or record.timestamp == time, f"timestamp of {seen}"
            assert (record.key, record.value) == (key, value), f"key or value of {seen}"
            assert list(record.headers) == headers, f"headers of {seen}: {record.headers}"
            seen += 1
    assert seen == len(expected), f"{seen} records"
    print("ok", file.name)


def main():
    action, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    if action == "write":
        write(directory)
        return
    files = sorted(directory.glob("*.bin"))
    assert files, "no files"
    for file in files:
        check(file)


main()
