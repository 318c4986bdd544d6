"""The examples of the README run and print what their comments say."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README.read_text(), flags=re.MULTILINE | re.DOTALL)


def test_the_ten_lines_work_as_a_script(script) -> None:
    pytest.importorskip("numpy")
    (example,) = (text for text in examples() if "__main__" in text)
    promised = re.search(r"print\(.*# (.*)$", example, flags=re.MULTILINE)
    assert promised
    done = script(example)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", promised[1] + "\n")


def test_the_draft_and_its_handle_work() -> None:
    np = pytest.importorskip("numpy")
    import crossbuf

    names = {"np": np, "cb": crossbuf}
    draft, handle = (text for text in examples() if "__main__" not in text)
    exec(draft, names)
    assert crossbuf.Array is type(names["array"])
    assert names["array"].shape == (1000, 1000)
    exec(handle, names)
    names["array"].release()
    with pytest.raises(crossbuf.StaleHandle):
        crossbuf.open(names["handle"])
