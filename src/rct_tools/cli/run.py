"""How every command is run: exit codes, errors in one line, Ctrl-C and SIGTERM, log lines."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, NoReturn, TextIO

import click

from rct_tools.errors import ConfigError, EncodeError, RctError, UnknownObject

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_USAGE_ERRORS = (ConfigError, EncodeError, UnknownObject)


def run_command(command: click.Command) -> NoReturn:
    """Run a click command as a program and exit: 1 for the device or I/O, 2 for usage, 130 for Ctrl-C.

    An error is one line on stderr; with ``-v`` its traceback comes first.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no arrows gets question marks
    signal.signal(signal.SIGTERM, _end)
    try:
        code = command.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as exc:
        code = exc.exit_code
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        code = exc.exit_code
    except click.ClickException as exc:
        help_hint = f" (see: {exc.ctx.command_path} --help)" if isinstance(exc, click.UsageError) and exc.ctx else ""
        code = _fail(exc.format_message().rstrip(".") + help_hint, exc.exit_code)
    except RctError as exc:
        code = _fail(str(exc), EXIT_USAGE if isinstance(exc, _USAGE_ERRORS) else EXIT_FAILED)
    except (KeyboardInterrupt, click.Abort):
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough, like head; Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILED
    except OSError as exc:
        code = _fail(describe_os_error(exc), EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def run_async(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end.

    Ctrl-C cancels it and raises KeyboardInterrupt; SIGTERM cancels it, which is how a service is ended, so no error.
    """

    async def guarded() -> None:
        task = asyncio.current_task()
        assert task is not None, "inside a coroutine there is always a task"  # noqa: S101  # for the type checker
        with suppress(NotImplementedError):  # Windows: a service is stopped otherwise there
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await main

    with suppress(asyncio.CancelledError):
        asyncio.run(guarded())


def _end(number: int, _frame: object) -> NoReturn:
    """End as on Ctrl-C, so that nothing half done is left."""
    sys.exit(128 + number)


def describe_os_error(exc: OSError) -> str:
    """Return on one line what failed and where."""
    return f"{f'{exc.filename}: ' if exc.filename else ''}{(exc.strerror or str(exc)).lower()}"


def _fail(message: str, code: int) -> int:
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        import traceback

        traceback.print_exc()
    click.echo(f"Error: {message}", err=True)
    return code


def set_verbosity(_ctx: click.Context, _param: click.Parameter, count: int) -> None:
    """Send log lines to stderr: warnings, with ``-v`` information, with ``-vv`` everything."""
    level = logging.WARNING if count == 0 else logging.INFO if count == 1 else logging.DEBUG
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler], force=True)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what is stderr at the moment: a line that is shown live stands in for it, to keep out of the way."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: TextIO) -> None:
        """It is not for others to say."""
