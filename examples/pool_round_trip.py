"""ndarrays into a pool of interpreters and out again. Only the import differs from a pool of the standard library, which refuses them.

python examples/pool_round_trip.py
"""

from operator import pos

import numpy as np

# instead of: from concurrent.futures import InterpreterPoolExecutor
from crossbuf.futures import InterpreterPoolExecutor


def first(*arguments):
    return arguments[0]


def main() -> None:
    x = np.random.default_rng(0).random(10_003)
    with InterpreterPoolExecutor(max_workers=4) as pool:
        pieces = list(pool.map(first, np.array_split(x, 4)))
    print("pieces put together again:", np.array_equal(np.concatenate(pieces), x))

    numbers = np.arange(10)
    with InterpreterPoolExecutor() as pool:
        # +x, computed by another interpreter. On CPython 3.12 NumPy is not there, and an Array takes its place.
        result = pool.submit(pos, numbers).result()
    print("+x is x:", np.all(numbers == result))


if __name__ == "__main__":
    main()
