"""The parser of all commands, and how each of them ends.

In: arguments. Out: an exit status; results on stdout, all else on stderr.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import joblib

from sklearn_dae.archive._header import package_version
from sklearn_dae.cli import (
    _compress,
    _decompress,
    _demo_command,
    _evaluate,
    _inspect,
    _similarity,
    _train,
    _verify,
)
from sklearn_dae.cli._messages import told, warn
from sklearn_dae.cli._options import UsageError
from sklearn_dae.cli._signals import Terminated, raising_terminated
from sklearn_dae.exceptions import OutOfDomainWarning

#: Exit statuses; argparse exits with 2 too.
ERROR, USAGE, INTERRUPTED = 1, 2, 130

_EPILOG = """\
exit status: 0 if all is well, 1 after an error or if something is damaged, 2 after
wrong usage, 3 if files were left out, 130 after Ctrl-C, 143 after SIGTERM

  sklearn-dae compress photos -o photos.dae
  sklearn-dae decompress photos.dae -o restored
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments; those of the process when None.

    Returns
    -------
    int
        The exit status: 0, 1 after an error or where something is damaged, 3 where
        files were left out, 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
        Wrong usage exits with 2.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        # Commands that have no such option start no processes.
        n_jobs = getattr(arguments, "jobs", 1) or joblib.cpu_count()
        with (
            raising_terminated(),
            warnings.catch_warnings(),
            joblib.parallel_config(n_jobs=n_jobs),
        ):
            warnings.showwarning = _show_warning
            # Commands tell of such images by their names.
            warnings.simplefilter("ignore", OutOfDomainWarning)
            status = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(f"sklearn-dae: error: {error}", file=sys.stderr)
        raise SystemExit(USAGE) from None
    except KeyboardInterrupt:
        print("sklearn-dae: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Terminated as signal:
        # The terminal may be gone.
        with suppress(OSError):
            print("sklearn-dae: terminated", file=sys.stderr)
        return signal.status
    except BrokenPipeError:
        # Whoever read the output has gone; there is nobody left to tell, and Python
        # must not try again to write what is left.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except (OSError, ValueError, ImportError, MemoryError) as error:
        print(f"sklearn-dae: error: {told(error)}", file=sys.stderr)
        return ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sklearn-dae",
        description="Compress sets of similar images with a deep autoencoder.",
        epilog=_EPILOG,
        formatter_class=partial(
            argparse.RawDescriptionHelpFormatter, max_help_position=16
        ),
    )
    parser.add_argument("--version", action="version", version=package_version())
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in (
        _compress,
        _decompress,
        _inspect,
        _verify,
        _train,
        _evaluate,
        _similarity,
        _demo_command,
    ):
        command.add_command(commands)
    return parser


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    warn(str(message))
