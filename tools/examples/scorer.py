#!/usr/bin/env python3
"""A co-process for `bulkhead coprocess`: loads its model once, then scores a record a line.

    bulkhead coprocess -j4 -k --retries 1 python3 scorer.py < records.txt > scores.txt

Records are numbers. One that ends in 31313 is beyond the model and kills this process: only that record is lost.
"""
import os
import signal
import sys


def load_model():
    """Stands for what takes its time: it is done once a co-process, not once a record."""
    return [(i * 2654435761) % 1000 for i in range(100_000)]


def score(model, record):
    if record.endswith("31313"):
        print("scorer: beyond the model:", record, file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    return model[int(record) % len(model)]


def main():
    model = load_model()
    for line in sys.stdin:
        record = line.rstrip("\n")
        print(record, score(model, record), flush=True)  # each answer is waited for


main()
