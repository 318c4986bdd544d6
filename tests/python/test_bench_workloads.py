"""Workloads of the benchmark measure what their names say."""

from pathlib import Path

import puppets
import pytest

from crossbuf.bench import apart


@pytest.mark.parametrize(("method", "loaded"), [("spawn", False), ("forkserver", True)])
def test_a_starter_starts_processes_that_have_numpy_or_not_and_never_crossbuf(tmp_path: Path, method: str, loaded: bool) -> None:
    said = tmp_path / "said"
    with apart.Starter(method) as starter:
        for _ in range(2):
            starter.run(f"import sys; open({str(said)!r}, 'a').write(repr(('numpy' in sys.modules, 'crossbuf' in sys.modules)))")
    assert said.read_text() == repr((loaded, False)) * 2


def test_a_starter_says_what_failed_and_goes_on() -> None:
    with apart.Starter("forkserver") as starter:
        with pytest.raises(RuntimeError, match="'raise SystemExit\\(3\\)' ended with exit code 3"):
            starter.run("raise SystemExit(3)")
        starter.run("pass")


def test_a_forkserver_ends_with_its_starter(tmp_path: Path) -> None:
    with apart.Starter("forkserver") as starter:
        starter.run(f"import os; open({str(tmp_path / 'server')!r}, 'w').write(str(os.getppid()))")
        server = int((tmp_path / "server").read_text())
        assert Path(f"/proc/{server}").exists()
    puppets.until(lambda: not Path(f"/proc/{server}").exists(), "it is gone")
