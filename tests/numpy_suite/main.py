"""One side of the comparison: pytest in the main interpreter. Arguments are pytest's."""

import faulthandler
import os
import sys

import pytest
from recorder import Recorder

if __name__ == "__main__":
    # Processes that a test starts with "spawn" import this module, and must run nothing.
    faulthandler.enable(os.dup(sys.stderr.fileno()), all_threads=False)  # a copy, as pytest takes standard error
    sys.exit(pytest.main(sys.argv[1:], plugins=[Recorder("record.jsonl")]))
