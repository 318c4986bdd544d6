"""SciPy and pandas in interpreters that own their GIL: the second tier, tested by what their users do most."""

import sys

import pytest

import crossbuf as cb
from crossbuf.futures import InterpreterPoolExecutor

if sys.version_info < (3, 13):
    pytest.skip("isolation needs CPython 3.13", allow_module_level=True)


def at_once(work, number: int = 3) -> list[object]:
    """What `work` returns in some interpreters that run at once, which must be what it returns here."""
    workers = [cb.spawn(work) for _ in range(number)]
    here = work()
    assert [worker.join() for worker in workers] == [here] * number
    return here


def with_scipy() -> list[float]:
    import numpy as np
    from scipy import fft, integrate, interpolate, linalg, ndimage, optimize, signal, sparse, spatial, special, stats
    from scipy.sparse import linalg as sparse_linalg

    random = np.random.default_rng(1)
    a = random.random((30, 30))
    matrix = sparse.csr_array(np.eye(30) * 3 + np.diag(np.ones(29), 1))
    tree = spatial.KDTree(random.random((200, 3)))
    return [
        float(linalg.lu(a)[2].trace()),
        float(linalg.expm(a / 30).sum()),
        float(np.abs(fft.dctn(a)).sum()),
        float(optimize.minimize(optimize.rosen, [1.3, 0.7], method="BFGS").x.sum().round(3)),
        float(optimize.brentq(lambda x: x**3 - 2, 0, 2)),
        float(integrate.quad(lambda x: np.exp(-(x**2)), -3, 3)[0]),
        float(integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0]).y[0, -1]),
        float(interpolate.CubicSpline(np.arange(10), a[0, :10])(3.3)),
        float(signal.savgol_filter(a[0], 5, 2).sum()),
        float(ndimage.gaussian_filter(a, 1.5)[3, 3]),
        float(sparse_linalg.spsolve(matrix.tocsc(), np.ones(30)).sum()),
        float(tree.query([0.5, 0.5, 0.5])[0]),
        float(special.gamma(4.5) + special.jv(1, 2.0)),
        float(stats.norm.ppf(0.9) + stats.ttest_ind(a[0], a[1]).pvalue),
    ]


def with_pandas() -> list[object]:
    import io

    import pandas as pd

    frame = pd.DataFrame(
        {"key": ["a", "b", "a", "c"] * 50, "value": range(200), "when": pd.date_range("2026-01-01", periods=200, freq="h")}
    )
    text = frame.to_csv(index=False)
    return [
        frame.groupby("key")["value"].mean().to_dict(),
        float(frame.set_index("when")["value"].rolling("6h").mean().sum()),
        frame.merge(frame, on="key").shape,
        pd.read_csv(io.StringIO(text), parse_dates=["when"]).equals(pd.read_csv(io.StringIO(text), parse_dates=["when"])),
        frame.pivot_table(index="key", values="value", aggfunc="sum")["value"].to_list(),
        frame["key"].str.upper().value_counts().to_dict(),
        str(frame["when"].dt.tz_localize("UTC").max()),
        frame.query("value > 100 and key == 'a'")["value"].sum().item(),
    ]


def test_scipy() -> None:
    pytest.importorskip("scipy")
    at_once(with_scipy)


def test_pandas() -> None:
    pytest.importorskip("pandas")
    at_once(with_pandas)


def blas_threads() -> dict[str, int]:
    """How many threads each OpenBLAS of the process uses: NumPy and SciPy bring one each."""
    import ctypes
    from pathlib import Path

    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401

    threads = {}
    for path in {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "openblas" in line}:
        library = ctypes.CDLL(path)
        names = [name for name in ("scipy_openblas_get_num_threads64_", "scipy_openblas_get_num_threads") if hasattr(library, name)]
        threads[path] = getattr(library, names[0])()
    return threads


def test_one_thread_for_each_blas_of_a_pools_worker() -> None:
    pytest.importorskip("scipy")
    from crossbuf._core import _hold_openblas, _release_openblas

    before = blas_threads()
    _hold_openblas(3)
    try:
        assert list(blas_threads().values()) == [3, 3]
        with InterpreterPoolExecutor(2) as pool:
            assert list(pool.submit(blas_threads).result().values()) == [1, 1]
            assert list(blas_threads().values()) == [1, 1], "they are the same libraries for all interpreters"
    finally:
        _release_openblas()
    assert blas_threads() == before


def test_they_come_by_name_too(elsewhere) -> None:
    pytest.importorskip("scipy")
    elsewhere("""
from crossbuf import isolation
isolation.enable("scipy")
assert set(isolation.status().packages) == {"numpy", "scipy"}
from scipy import special
assert special.expit(0.0) == 0.5
assert "scipy.special._ufuncs" in [module.name for module in isolation.status().modules]
""")


def test_their_copies_stay_when_the_interpreter_is_closed(elsewhere) -> None:
    # Some have threads of their own, which may be in them still.
    pytest.importorskip("scipy")
    for _ in range(3):
        elsewhere("from crossbuf import isolation; isolation.enable('scipy'); from scipy import fft; fft.fft(range(9), workers=2)")
