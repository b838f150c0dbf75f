"""How every command is run: exit codes, errors in one line, Ctrl-C and SIGTERM, log lines."""

from __future__ import annotations

import asyncio
import codecs
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, Final, NoReturn, TextIO

import click

from rct_tools.errors import ConfigError, ConnectFailed, EncodeError, NotNow, RctError, UnknownObject, WriteRefused
from rct_tools.times import iso_time

logger = logging.getLogger(__name__)

_PLAINER: Final = f"{__name__}.plainer"
_PLAIN: Final[Mapping[str, str]] = {"→": "->", "…": "...", "▲": "^", "▼": "v", "°": "", "–": "-", "−": "-", "×": "x"}

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_USAGE_ERRORS = (ConfigError, EncodeError, UnknownObject, WriteRefused)


def run_command(command: click.Command) -> NoReturn:
    """Run a click command as a program and exit: 1 for the device or I/O, 2 for usage, 130 for Ctrl-C.

    An error is one line on stderr; with ``-v`` its traceback comes first.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_PLAINER)
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
    except ConnectFailed as exc:
        code = _fail(f"{exc}; rct doctor says what to check", EXIT_FAILED)
    except RctError as exc:
        is_usage = isinstance(exc, _USAGE_ERRORS) and not isinstance(exc, NotNow)  # which may be good later
        code = _fail(str(exc), EXIT_USAGE if is_usage else EXIT_FAILED)
    except (KeyboardInterrupt, click.Abort):
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough, like head; Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILED
    except OSError as exc:
        code = _fail(describe_os_error(exc), EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _plainer(exc: UnicodeError) -> tuple[str, int]:
    """Stand in for a letter that a terminal does not know: by others that look like it, or a question mark."""
    assert isinstance(exc, UnicodeEncodeError), "of a stream to write to"  # noqa: S101  # for the type checker
    unknown = exc.object[exc.start : exc.end]
    return "".join(_PLAIN.get(letter, "?") for letter in unknown), exc.end


codecs.register_error(_PLAINER, _plainer)


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


def say(line: str) -> None:
    """Tell people something beside the output: a line on stderr."""
    if _is_json():
        logger.warning(line)
    else:
        click.echo(line, err=True)


def _is_json() -> bool:
    """Whether log lines are JSON: who reads such must not meet a line that is none."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


def _fail(message: str, code: int) -> int:
    if _is_json():
        logger.error(message, exc_info=logger.isEnabledFor(logging.DEBUG))
        return code
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        import traceback

        traceback.print_exc()
    click.echo(f"Error: {message}", err=True)
    return code


def set_verbosity(ctx: click.Context, _param: click.Parameter, count: int) -> None:
    """Send log lines to stderr: warnings, with ``-v`` information, with ``-vv`` everything."""
    ctx.meta[_LEVEL] = logging.WARNING if count == 0 else logging.INFO if count == 1 else logging.DEBUG
    _set_up_log(ctx)


def set_log_format(ctx: click.Context, _param: click.Parameter, name: str) -> None:
    """Choose how log lines are written, by a name of LOG_FORMATS."""
    ctx.meta[_FORMAT] = name
    _set_up_log(ctx)


def _set_up_log(ctx: click.Context) -> None:
    handler = _Stderr()
    handler.setFormatter(LOG_FORMATS[ctx.meta.get(_FORMAT, "text")])
    logging.basicConfig(level=ctx.meta.get(_LEVEL, logging.WARNING), handlers=[handler], force=True)


class JsonFormatter(logging.Formatter):
    """A log line as one JSON object: time (UTC), level, logger, peer when it is about one, message, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        line = {
            "time": iso_time(int(record.created * 1e6) * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if peer := _PEER.match(message):
            line["peer"] = peer[1]
        line["message"] = message
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


_PEER: Final = re.compile(r"([^\s/]+:\d{1,5}): ")  # messages about a peer begin with it: "192.0.2.7:8899: …"
_LEVEL: Final = f"{__name__}.level"
_FORMAT: Final = f"{__name__}.format"
LOG_FORMATS: Final[Mapping[str, logging.Formatter]] = {
    "text": logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"),
    "json": JsonFormatter(),
}


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what is stderr at the moment: a line that is shown live stands in for it, to keep out of the way."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: TextIO) -> None:
        """It is not for others to say."""
