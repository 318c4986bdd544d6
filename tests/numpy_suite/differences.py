"""The tests that are known to differ, and why: reads `differences.toml`, which says how."""

import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from packaging.specifiers import SpecifierSet

#: More than these, and NumPy does not work in a worker as it does in main.
AT_MOST = 15


@dataclass(frozen=True)
class Difference:
    """Tests that end otherwise in a worker than in the main interpreter, for one reason."""

    why: str
    #: What becomes of them in either.
    main: str
    worker: str
    tests: tuple[str, ...]
    #: The versions on which they differ, as pip writes them; on others they must not.
    python: SpecifierSet
    numpy: SpecifierSet

    @classmethod
    def parse(cls, table: Mapping[str, object]) -> "Difference":
        match table:
            case {"why": str(why), "worker": str(worker), "tests": [*tests], **rest} if rest.keys() <= {"main", "python", "numpy"}:
                python, numpy = (SpecifierSet(str(rest.get(name, ""))) for name in ("python", "numpy"))
                return cls(why.strip(), str(rest.get("main", "passed")), worker, tuple(map(str, tests)), python, numpy)
        raise ValueError(f"a difference has why, worker, tests, and at most main, python and numpy beside them; this one is {table!r}")

    def is_expected_here(self) -> bool:
        here = ((self.python, platform.python_version()), (self.numpy, version("numpy")))
        return all(versions.contains(this, prereleases=True) for versions, this in here)


def load(path: Path) -> list[Difference]:
    """Those in the list that hold for the Python and the NumPy that run this."""
    differences = [Difference.parse(table) for table in tomllib.loads(path.read_text()).get("difference", [])]
    if (listed := sum(len(difference.tests) for difference in differences)) > AT_MOST:
        raise ValueError(f"{path.name} lists {listed} tests, at most {AT_MOST} may differ")
    return [difference for difference in differences if difference.is_expected_here()]
