"""The command `crossbuf`: each subcommand is a module of this package, imported when it is asked for."""

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import Error


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; the exit status."""
    _hold_standard_descriptors()
    try:
        try:
            return _main(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        # Who read it, as `head` does, has enough. At exit Python flushes again, which would be an error again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _hold_standard_descriptors() -> None:
    """Where a standard stream is closed, the next file opened would get its number, and interpreters would take that for the stream."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _main(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="crossbuf", description="Arrays between Python interpreters, without copying them.")
    parser.add_argument("--version", action="version", version=f"crossbuf {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="count the lines of real files in several interpreters at once, and compare")
    demo.add_argument("files", nargs="*", metavar="FILE", help="default: every source file of the standard library")
    demo.add_argument("--workers", type=int, metavar="N", help="interpreters beside the main one (default: one for each CPU, 2 to 8)")

    commands.add_parser("doctor", help="say what this machine offers to crossbuf")

    bench = commands.add_parser("bench", help="measure crossbuf against pickle 5 and every other way that is installed")
    bench.add_argument("--quick", action="store_true", help="a few minutes: fewer rounds, and no array above 128 MiB")
    bench.add_argument("--only", metavar="NAME", action="append", default=[], help="this workload only; may be given again")
    bench.add_argument("--json", metavar="FILE", help="write every sample to FILE")
    bench.add_argument("--html", metavar="FILE", help="write a page with plots to FILE (takes matplotlib)")

    options = parser.parse_args(arguments)
    try:
        return _run(options, " ".join(["crossbuf", *(sys.argv[1:] if arguments is None else arguments)]))
    except BrokenPipeError:
        raise
    except (Error, OSError, ValueError) as trouble:
        parser.exit(1, f"crossbuf {options.command}: {trouble}\n")
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace, command: str) -> int:
    match options.command:
        case "doctor":
            from .doctor import examine

            return examine()
        case "bench":
            from .bench import run as bench

            return bench(command, options.only, options.json, options.html, quick=options.quick)
        case _:
            from .demo import run as demo

            return demo(options.files, options.workers)
