"""Prints what one tiny task costs a pool of Python processes, in nanoseconds.

usage: pool_peer.py POOL                         its version; status 3 where it is not installed
       pool_peer.py POOL TASKS WORKERS CHUNK     CHUNK 0: the pool's own choice
"""
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing import get_context


def square(x):
    return x * x


@contextmanager
def multiprocessing_pool(workers):
    with get_context("fork").Pool(workers) as pool:
        yield lambda items, chunk: pool.map(square, items, chunksize=chunk or None)


@contextmanager
def executor(workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        yield lambda items, chunk: list(pool.map(square, items, chunksize=chunk or 1))


@contextmanager
def pebble_pool(workers):
    with pebble.ProcessPool(workers, context=get_context("fork")) as pool:
        yield lambda items, chunk: list(pool.map(square, items, chunksize=chunk or 1).result())


@contextmanager
def joblib_loky(workers):
    task = joblib.delayed(square)
    with joblib.Parallel(n_jobs=workers, backend="loky", batch_size=CHUNK or "auto") as parallel:
        yield lambda items, chunk: parallel(task(item) for item in items)


POOLS = {"multiprocessing": multiprocessing_pool, "executor": executor, "pebble": pebble_pool, "joblib": joblib_loky}

kind, words = sys.argv[1], [int(word) for word in sys.argv[2:5]]
CHUNK = words[2] if words else 0
try:
    if kind == "pebble":
        import pebble
    if kind == "joblib":
        import joblib
except ImportError:
    sys.exit(3)


def main():
    if not words:
        print(f"{kind} {version(kind)}" if kind in ("pebble", "joblib") else f"Python {platform.python_version()}")
        return
    tasks, workers, chunk = words
    items = list(range(tasks))
    with POOLS[kind](workers) as run:
        run(range(workers * 10), 1)  # every worker has started
        start = time.perf_counter_ns()
        results = run(items, chunk)
        elapsed = time.perf_counter_ns() - start
    if results != [square(item) for item in items]:
        sys.exit("pool_peer.py: a result is wrong")
    print(elapsed / tasks)


if __name__ == "__main__":
    main()
