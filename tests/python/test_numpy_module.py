"""The example of a PyO3 module by another author: ndarrays to and from crossbuf's Rust library, without a copy."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "numpy_module"

pytestmark = pytest.mark.skipif(shutil.which("cargo") is None, reason="the example is built with cargo")


@pytest.fixture(scope="module")
def module() -> ModuleType:
    target = FOLDER.parents[1] / ".build" / "numpy_module"
    # Without a Python to build for it is one module for all of them.
    environment = os.environ | {"PYO3_NO_PYTHON": "1", "PYO3_BUILD_EXTENSION_MODULE": "1", "CARGO_TARGET_DIR": str(target)}
    environment.pop("PYO3_PYTHON", None)
    subprocess.run(["cargo", "build", "--quiet"], cwd=FOLDER, env=environment, check=True)
    spec = importlib.util.spec_from_file_location("numpy_module", target / "debug" / "libnumpy_module.so")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rust_makes_a_read_only_ndarray_where_the_data_is(module: ModuleType) -> None:
    ramp = module.ramp(1000)
    assert ramp.dtype == np.float64
    assert ramp.tolist() == list(range(1000))
    assert not ramp.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        ramp.flags.writeable = True


def test_an_ndarray_in_an_arena_comes_back_without_a_copy(module: ModuleType) -> None:
    ramp = module.ramp(1000)
    assert module.sum(ramp) == (499_500.0, 0)
    assert module.sum(ramp[::-2]) == (sum(range(1, 1000, 2)), 0)
    assert module.sum(ramp.reshape(10, 100).T[5:, ::3]) == (float(ramp.reshape(10, 100).T[5:, ::3].sum()), 0)


def test_any_other_ndarray_is_copied_once(module: ModuleType) -> None:
    assert module.sum(np.arange(1000.0)) == (499_500.0, 8000)
    assert module.sum(np.arange(1000.0)[::2]) == (float(sum(range(0, 1000, 2))), 4000)
    assert module.sum(np.empty((0, 3))) == (0.0, 0)


def test_the_block_lives_exactly_as_long_as_somebody_looks(module: ModuleType) -> None:
    before = module.blocks()
    ramp = module.ramp(10)
    part = ramp[3:]
    assert module.blocks() == before + 1
    del ramp
    assert part.tolist() == list(range(3, 10))
    del part
    assert module.blocks() == before


def test_a_wrong_dtype_is_refused(module: ModuleType) -> None:
    with pytest.raises(TypeError, match="float32"):
        module.sum(np.arange(3, dtype="f4"))
