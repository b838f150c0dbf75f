"""What takes longer than a second, shown on stderr while it goes on, if that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import ProgressColumn


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], object]]:
    """Yield what to call with how much more is done; shows a bar with the rest of the time."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.progress import MofNCompleteColumn, Progress

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with _bar(columns, title, total) as advance:
        yield advance


@contextmanager
def bytes_progress(title: str, total: int) -> Iterator[Callable[[int], object]]:
    """Yield what to call with how many more bytes are done; shows the rate, too. 0 bytes in all shows nothing."""
    if not total or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
    with _bar(columns, title, total) as advance:
        yield advance


@contextmanager
def reach(title: str, total: int) -> Iterator[Callable[[int, str], object]]:
    """Yield what to call with how much is done in all, and a text that says how far that is."""
    if not sys.stderr.isatty():
        yield lambda _done, _text: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, TextColumn

    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[reached]}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task(escape(title), total=total, reached="")
        yield lambda done, text: bar.update(task, completed=done, reached=text)


@contextmanager
def _bar(columns: Sequence[ProgressColumn], title: str, total: int) -> Iterator[Callable[[int], object]]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task(escape(title), total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def status(title: str) -> Iterator[Callable[[str], object]]:
    """Yield what to call with a text that replaces the one before, behind the title."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.markup import escape
    from rich.spinner import Spinner

    spinner = Spinner("dots", text=escape(title))
    # Not rich's own status: that takes what is printed to stdout along, even when stdout is a pipe or a file.
    is_shared = sys.stdout.isatty()
    with Live(spinner, console=Console(stderr=True), transient=True, redirect_stdout=is_shared):
        yield lambda text: spinner.update(text=escape(f"{title}: {text}"))
