"""Arenas: their budget, what is recycled, what goes back to the system, and what they cost in descriptors and mappings."""

import gc
import re
import threading
from pathlib import Path

import numpy as np
import pytest

import crossbuf

MIB = 1 << 20


def test_a_full_arena_names_its_figures_and_stays_usable():
    arena = crossbuf.Arena(budget=4 * MIB)
    kept = arena.share(np.ones(MIB // 8))
    with pytest.raises(crossbuf.ArenaFull, match=r"asked for \d+ bytes.*of 4194304 bytes.*largest free run has \d+") as caught:
        arena.share(np.ones(4 * MIB // 8))
    assert isinstance(caught.value, MemoryError)
    assert kept[-1] == 1
    largest = int(re.search(r"largest free run has (\d+)", str(caught.value))[1])
    assert arena.statistics().largest == largest
    arena.share(np.ones(largest, "u1")).release()
    kept.release()
    arena.share(np.ones(4 * MIB // 8)).release()


def test_the_budget_is_checked_before_memory_is_touched():
    arena = crossbuf.Arena(budget=64 * MIB)
    before = resident()
    for _ in range(100):
        with pytest.raises(crossbuf.ArenaFull):
            arena.empty(10**12, "u1")
    assert resident() - before < 8 * MIB


@pytest.mark.parametrize("budget", [0, -1, 2**64, "1G", 1.5])
def test_an_impossible_budget_is_refused_by_name(budget):
    with pytest.raises((ValueError, TypeError), match="budget"):
        crossbuf.Arena(budget=budget)


def test_a_send_that_finds_the_arena_full_has_taken_nothing(nothing_left):
    arena = crossbuf.Arena(budget=2 * MIB)
    sender, receiver = crossbuf.channel()
    small = arena.share(np.arange(10))
    before = crossbuf.statistics(), arena.statistics()
    # The default arena's budget is half of the machine, so the ndarray is one that no machine can take.
    huge = np.broadcast_to(np.zeros(1), 2**50)
    with pytest.raises(crossbuf.ArenaFull):
        sender.send([small, {"huge": huge}])
    assert (crossbuf.statistics().blocks, arena.statistics().blocks) == (before[0].blocks, before[1].blocks)
    assert receiver.qsize() == 0
    sender.send(small)
    assert receiver.recv() == small


def test_memory_is_recycled():
    arena = crossbuf.Arena(budget=64 * MIB)
    addresses = set()
    for _ in range(50):
        array = arena.share(np.ones(MIB))
        addresses.add(array.address)
        array.release()
    assert len(addresses) == 1
    assert arena.statistics().resident <= 16 * MIB


def test_trim_and_the_watermark_give_memory_back():
    arena = crossbuf.Arena(budget=1024 * MIB)
    arrays = [arena.share(np.ones(32 * MIB, "u1")) for _ in range(16)]
    assert arena.statistics().resident >= 512 * MIB
    for array in arrays:
        array.release()
    assert arena.statistics().resident <= 256 * MIB, "a quarter of the budget may be kept"
    assert arena.trim() > 0
    assert arena.statistics().resident == 0
    assert arena.trim() == 0


def test_statistics_count_blocks_and_bytes():
    arena = crossbuf.Arena(budget=16 * MIB)
    arrays = [arena.share(np.zeros(100, "u1")) for _ in range(10)]
    seen = arena.statistics()
    assert (seen.blocks, seen.allocations, seen.copied, seen.budget) == (10, 10, 1000, 16 * MIB)
    assert 1000 <= seen.used <= seen.resident
    del arrays
    assert arena.statistics().blocks == 0
    assert arena.statistics().peak == seen.used


def test_descriptors_and_mappings_do_not_grow_with_arrays():
    arena = crossbuf.Arena(budget=256 * MIB)
    arrays = [arena.share(np.arange(4))]
    before = descriptors_and_mappings()
    arrays += [arena.share(np.arange(4)) for _ in range(10_000)]
    arrays += [arena.share(np.zeros(300_000, "u1")) for _ in range(100)]
    assert descriptors_and_mappings() == before


def test_a_closed_arena_makes_nothing_new():
    arena = crossbuf.Arena(budget=MIB)
    assert not arena.closed
    arena.close()
    arena.close()
    assert arena.closed
    for make in (lambda: arena.share(b"abc"), lambda: arena.empty(3), lambda: crossbuf.share(b"abc", arena=arena)):
        with pytest.raises(crossbuf.ArenaClosed):
            make()
    assert "closed" in repr(arena)


def test_threads_share_one_arena_without_losing_a_block():
    arena = crossbuf.Arena(budget=64 * MIB)

    def work(seed):
        random = np.random.default_rng(seed)
        live = []
        for _ in range(2000):
            size = int(random.integers(1, 5000))
            live.append((size, arena.share(np.full(size, seed, "u1"))))
            if len(live) > 20:
                size, array = live.pop(int(random.integers(len(live))))
                assert array.tobytes() == bytes([seed]) * size
                array.release()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert arena.statistics().blocks == 0


def resident():
    return int(re.search(r"RssShmem:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


def descriptors_and_mappings():
    # Arenas of earlier tests in reference cycles would go at any moment.
    gc.collect()
    lines = Path("/proc/self/maps").read_text().splitlines()
    return len(list(Path("/proc/self/fd").iterdir())), sum("memfd:crossbuf" in line for line in lines)
