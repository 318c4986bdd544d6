"""What users see of an arena cannot be written: the memory management unit says so."""

import ctypes
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crossbuf


def permissions(address):
    """Those of the mapping that `address` lies in, as `/proc/self/maps` writes them."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        extent, flags = line.split()[:2]
        start, end = (int(part, 16) for part in extent.split("-"))
        if start <= address < end:
            return flags
    raise AssertionError(f"{address:#x} is not mapped")


def test_addresses_lie_in_a_read_only_shared_mapping():
    array = crossbuf.share(np.arange(1000.0))
    view = ctypes.c_char.from_buffer_copy  # a writable ctypes view cannot even be made
    with pytest.raises(TypeError):
        ctypes.c_char.from_buffer(array)
    assert view(array).value == b"\0"
    for address in (array.address, array[500:].address, array.numpy().ctypes.data, array.numpy()[::-1].ctypes.data):
        assert permissions(address) == "r--s"


def test_a_draft_is_writable_until_it_is_frozen_elsewhere():
    draft = crossbuf.empty(1000)
    writable = draft.numpy().ctypes.data
    assert permissions(writable) == "rw-s"
    array = draft.freeze()
    assert array.address != writable
    assert permissions(array.address) == "r--s"


def test_numpy_cannot_be_talked_into_writing():
    ndarray = crossbuf.share(np.arange(5)).numpy()
    with pytest.raises(ValueError, match="WRITEABLE"):
        ndarray.flags.writeable = True
    with pytest.raises(ValueError, match="WRITEABLE"):
        ndarray.setflags(write=True)
    with pytest.raises(ValueError, match="read-only"):
        ndarray[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        ndarray.sort()
    for view in (ndarray[1:], ndarray.view("u1"), np.asarray(crossbuf.share(b"abc")), np.frombuffer(crossbuf.share(b"abc"), "u1")):
        assert not view.flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.flags.writeable = True


def test_a_memoryview_is_read_only():
    view = memoryview(crossbuf.share(b"abc"))
    assert view.readonly
    with pytest.raises(TypeError, match="read-only"):
        view[0] = 1


@pytest.mark.parametrize("address", ["array.address", "array.numpy().ctypes.data"])
def test_a_write_past_all_safeguards_kills_the_process(address):
    code = f"""
import ctypes, resource, numpy, crossbuf
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
array = crossbuf.share(numpy.arange(5))
print("about to write", flush=True)
ctypes.memset({address}, 0, 1)
print("written", flush=True)
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert child.stdout == "about to write\n", child.stderr
    assert child.returncode == -signal.SIGSEGV
