"""Prints what one tiny task costs multiprocessing.Pool.map, in nanoseconds.

usage: pool_peer.py TASKS WORKERS CHUNKSIZE     (CHUNKSIZE 0: the pool's own choice)
"""
import multiprocessing
import sys
import time


def square(x):
    return x * x


def main():
    tasks, workers, chunk = (int(word) for word in sys.argv[1:4])
    items = list(range(tasks))
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        pool.map(square, range(workers * 10))  # every worker has started
        start = time.perf_counter_ns()
        results = pool.map(square, items, chunksize=chunk or None)
        elapsed = time.perf_counter_ns() - start
    if results != [square(item) for item in items]:
        sys.exit("pool_peer.py: a result is wrong")
    print(elapsed / tasks)


if __name__ == "__main__":
    main()
