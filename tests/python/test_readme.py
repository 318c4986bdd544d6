"""The examples of the README run and print what their comments say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README.read_text(), flags=re.MULTILINE | re.DOTALL)


def programs(word: str) -> str:
    """The one whole program that has the word in it."""
    (example,) = (text for text in examples() if "__main__" in text and word in text)
    return example


def test_the_ten_lines_work_as_a_script(script) -> None:
    pytest.importorskip("numpy")
    works_as_promised(script, programs("cb.spawn("))


@pytest.mark.skipif(sys.version_info < (3, 13), reason="NumPy works in workers from 3.13 on")
def test_the_pool_works_as_a_script(script) -> None:
    pytest.importorskip("numpy")
    works_as_promised(script, programs("InterpreterPoolExecutor("))


@pytest.mark.parametrize("word", [".Pool(", ".Process(", "ProcessPoolExecutor(", "joblib"])
def test_processes_work_as_scripts(script, word: str) -> None:
    pytest.importorskip("numpy")
    if word == "joblib":
        pytest.importorskip("joblib", reason="joblib is not installed")
    works_as_promised(script, programs(word))


def works_as_promised(script, example: str) -> None:
    """It prints what the comments behind its prints say."""
    promised = re.findall(r"^ +print\(.*# (.*)$", example, flags=re.MULTILINE)
    assert promised
    done = script(example)
    assert (done.returncode, done.stderr, done.stdout.splitlines()) == (0, "", promised)


def test_programs_meet_by_a_name(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    publisher, client = (text.replace('"camera"', f'"camera {os.getpid()}"') for text in examples() if '("camera")' in text)
    (tmp_path / "publisher.py").write_text(publisher)
    # It may come before all is published.
    connect, background, rest = client.split("\n\n", 1)[1].split("\n", 2)
    again = f"while True:\n    try:\n        {connect}\n        {background}\n    except cb.ServiceError: continue\n    break\n"
    tried = f"import crossbuf as cb\n{again}{rest}print(means)"
    with subprocess.Popen([sys.executable, str(tmp_path / "publisher.py")], stderr=subprocess.PIPE, text=True) as published:
        try:
            done = subprocess.run([sys.executable, "-c", tried], capture_output=True, text=True, timeout=120, check=False)
            assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", str([float(number) for number in range(100)]))
            assert published.communicate(timeout=60)[1] == ""
        finally:
            published.kill()
    assert published.returncode == 0


def test_the_draft_and_its_handle_work() -> None:
    np = pytest.importorskip("numpy")
    import crossbuf

    names = {"np": np, "cb": crossbuf}
    draft, handle = (text for text in examples() if "__main__" not in text and '("camera")' not in text)
    exec(draft, names)
    assert crossbuf.Array is type(names["array"])
    assert names["array"].shape == (1000, 1000)
    exec(handle, names)
    names["array"].release()
    with pytest.raises(crossbuf.StaleHandle):
        crossbuf.open(names["handle"])
