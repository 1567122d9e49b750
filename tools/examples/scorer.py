#!/usr/bin/env python3
"""A co-process for `bulkhead coprocess`: loads its model once, then scores a record a line.

    bulkhead coprocess -j4 -k --timeout 5s python3 scorer.py < records.txt > scores.txt

Records are numbers. Some are beyond the model, by their last digits, and each costs only itself:

    ...1313   this process is killed by a signal
    ...7474   it leaves with a status of its own
    ...4242   it says two lines for one record
    ...54545  it hangs, and --timeout ends it
"""
import os
import signal
import sys


def load_model():
    """Stands for what takes its time: it is done once a co-process, not once a record."""
    return [(i * 2654435761) % 1000 for i in range(100_000)]


def fall_over(record):
    if record.endswith("1313"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if record.endswith("7474"):
        os._exit(3)
    if record.endswith("4242"):
        print("one answer\nand another", flush=True)
    if record.endswith("54545"):
        signal.pause()


def score(model, record):
    if record.endswith(("1313", "7474", "4242", "54545")):
        print("scorer: beyond the model:", record, file=sys.stderr, flush=True)
        fall_over(record)
    return model[int(record) % len(model)]


def main():
    model = load_model()
    for line in sys.stdin:
        record = line.rstrip("\n")
        print(record, score(model, record), flush=True)  # each answer is waited for


main()
