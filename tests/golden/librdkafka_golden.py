"""Writes the batches that librdkafka sends, as its own mock broker keeps them, or reads kavka's with it.

usage: librdkafka_golden.py write DIR
       librdkafka_golden.py check DIR

Needs confluent-kafka. Only batches of version 2: the mock broker keeps no others.

The records are those of tests/records.rs, which see.
"""

import pathlib
import socket
import struct
import sys

from confluent_kafka import Consumer, Producer, TopicPartition

TIME = 1_500_000_000_000


def pattern(length):
    return bytes(ord("a") + i % 26 + i // 1000 % 3 for i in range(length))


def golden(compressed):
    some = [("h1", b"one"), ("h1", None), ("ключ", b"")]
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


def call(host, port, request):
    with socket.create_connection((host, port), 5) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        return stream.read(struct.unpack(">i", stream.read(4))[0])


def produce(host, port, topic, records):
    """Appends bytes to partition 0, through Produce version 3."""
    name = topic.encode()
    request = struct.pack(">hhihhhi", 0, 3, 1, -1, -1, -1, 5000)
    request += struct.pack(">ih", 1, len(name)) + name + struct.pack(">iii", 1, 0, len(records)) + records
    answer = call(host, port, request)
    _, error = struct.unpack_from(">ih", answer, 4 + 4 + 2 + len(name) + 4)
    assert error == 0, error


def fetch(host, port, topic):
    """The log of partition 0, through Fetch version 4."""
    name = topic.encode()
    body = struct.pack(">iiiib", -1, 500, 1, 10_000_000, 0)
    body += struct.pack(">ih", 1, len(name)) + name + struct.pack(">iiqi", 1, 0, 0, 10_000_000)
    request = struct.pack(">hhih", 1, 4, 1, -1) + body
    answer = call(host, port, request)
    # Correlation id, throttle time, count of topics, name, count of partitions, partition, error, high
    # watermark, last stable offset, aborted transactions, length of the records.
    at = 4 + 4 + 4 + 2 + len(name) + 4
    _, error, _, _, aborted, length = struct.unpack_from(">ihqqii", answer, at)
    assert error == 0 and aborted <= 0, (error, aborted)
    at += struct.calcsize(">ihqqii")
    return answer[at : at + length]


def write(directory):
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer, broker = cluster({"compression.type": codec, "linger.ms": 500})
        for stamp, key, value, headers in golden(codec != "none"):
            producer.produce("golden", value, key, partition=0, timestamp=stamp, headers=headers)
        assert producer.flush(10) == 0
        log = fetch(broker.host, broker.port, "golden")
        (directory / f"librdkafka-m2-{codec}.bin").write_bytes(log)


def cluster(options):
    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 2, **options})
    return producer, next(iter(producer.list_topics("golden", timeout=10).brokers.values()))


def check(file):
    producer, broker = cluster({})
    produce(broker.host, broker.port, "golden", file.read_bytes())
    consumer = Consumer(
        {
            "bootstrap.servers": f"{broker.host}:{broker.port}",
            "group.id": "golden",
            "check.crcs": True,
            "isolation.level": "read_uncommitted",
        }
    )
    consumer.assign([TopicPartition("golden", 0, 0)])
    for offset, (stamp, key, value, headers) in enumerate(golden("-none" not in file.name)):
        record = consumer.poll(10)
        assert record is not None and record.error() is None, (offset, record and record.error())
        assert record.offset() == offset, record.offset()
        assert record.timestamp()[1] == stamp, f"timestamp of {offset}"
        assert (record.key(), record.value()) == (key, value), f"key or value of {offset}"
        assert (record.headers() or []) == headers, f"headers of {offset}"
    consumer.close()
    del producer
    print("ok", file.name)


def main():
    action, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    if action == "write":
        write(directory)
        return
    files = sorted(directory.glob("*-m2-*.bin"))
    assert files, "no files"
    for file in files:
        check(file)


main()
