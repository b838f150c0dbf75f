"""The view itself: what is on the screen, and what keys do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Footer

from rct_tools.errors import RctError
from rct_tools.live import STEPS, Picture
from rct_tools.top.curves import COLUMNS, curves
from rct_tools.top.drawn import Drawn
from rct_tools.top.facts import facts
from rct_tools.top.flow import HEIGHT, flow
from rct_tools.top.head import ago, head
from rct_tools.top.help import Help
from rct_tools.top.objects import Objects
from rct_tools.top.source import Source
from rct_tools.top.today import Today
from rct_tools.values import LoggedEvent

_DRAW: Final = 0.5  # seconds between two pictures
_LOOK: Final = 300.0  # seconds between two looks at the log of events
_EVENTS: Final = 50  # as many as the highest terminal shows
_WIDE: Final = 132  # columns from which on there are two parts beside each other
_OF_PICTURE: Final = ("objects", "today", "step", "pause", "help", "quit")  # what its keys do


class Top(App[None]):
    """An inverter, watched."""

    TITLE = "rct top"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_WIDE, "-wide")]  # noqa: RUF012  # as its base has it
    CSS = f"""
    Screen {{ layout: vertical; }}
    #head {{ height: 1; }}
    #body, #left, #right {{ height: 1fr; }}
    #left {{ min-height: {HEIGHT + 6}; padding: 0 1; }}
    #right {{ min-height: 8; padding: 0 1; }}
    #flow {{ height: {HEIGHT}; }}
    #curves, #facts {{ height: 1fr; }}
    #body {{ overflow-y: auto; }}
    .-narrow #left {{ height: 14fr; }}
    .-narrow #right {{ height: 8fr; }}
    .-wide #body {{ layout: horizontal; overflow: hidden; }}
    .-wide #left {{ width: 3fr; }}
    .-wide #right {{ width: 2fr; }}
    .away {{ text-style: dim; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "objects", "Objects", key_display="/"),
        Binding("h", "today", "Today"),
        Binding("s", "step", "Scale"),
        Binding("p", "pause", "Pause"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "interrupt", show=False, priority=True),
    ]

    def __init__(self, source: Source, *, step: int | None = None, seconds: float | None = None) -> None:
        """``step`` is what a column stands for first, one of STEPS; after ``seconds`` it ends by itself."""
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"  # whose colours are those of the terminal, be it dark or light
        self.source = source
        self.picture: Picture = source.picture(STEPS[0], 1)
        self.error: RctError | None = None
        self.was_interrupted = False
        self._step = STEPS[0] if step is None else step
        self._seconds = seconds
        self._paused: Picture | None = None
        self._events: list[LoggedEvent] | None = None

    async def show(self) -> None:
        """Run until its user quits. Raises what ended the source, KeyboardInterrupt after Ctrl-C."""
        with _log_lines(self):
            await self.run_async()
        if self.error is not None:
            raise self.error
        if self.was_interrupted:
            raise KeyboardInterrupt

    def compose(self) -> ComposeResult:
        """Make the parts of the screen."""
        yield Drawn(self.draw_head, id="head")
        with Container(id="body"):
            with Container(id="left"):
                yield Drawn(lambda width, _: flow(self.picture.health, width), id="flow")
                yield Drawn(self._draw_curves, id="curves")
            with Container(id="right"):
                yield Drawn(lambda w, h: facts(self.picture.health, self._events, self.source.zone, w, h), id="facts")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to watch."""
        self.run_worker(self._run(), exit_on_error=True)
        if self.source.log is not None:
            self.set_timer(1.0, self._look)
            self.set_interval(_LOOK, self._look)
        self.set_interval(_DRAW, self.redraw)
        if self._seconds is not None:
            self.set_timer(self._seconds, self.exit)

    async def _run(self) -> None:
        try:
            await self.source.run()
        except RctError as exc:
            self.error = exc
            self.exit()

    def _look(self) -> None:
        self.run_worker(self._read_events(), group="events", exclusive=True)

    async def _read_events(self) -> None:
        if self.source.log is not None:
            try:
                self._events = await self.source.log.events(_EVENTS)
            except RctError as exc:
                logging.getLogger(__name__).info("%s", exc)  # the peer stands in it already

    # --- drawing ------------------------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Draw what is known now, or stand still where it was paused."""
        main = self.screen_stack[0]
        drawn = main.query("#curves")
        if not drawn:  # the screen is still being made
            return
        columns = max(1, drawn.first().content_size.width - COLUMNS)
        now = self.source.picture(self._step, columns)
        self.picture = now if self._paused is None else self._paused
        main.query_one("#body").set_class(self.picture.up is False, "away")
        for part in main.query(Drawn):
            part.refresh()
        if self.screen is not main:
            for part in self.screen.query(Drawn):
                part.refresh()

    def draw_head(self, width: int, _height: int) -> Text:
        """Return the line above all, on each screen: how old the picture is."""
        paused = None
        if self._paused is not None:
            paused = self.source.picture(self._step, 1).time - self._paused.time
        return head(
            self.picture, self.source.title, self.source.zone, width, is_over=self.source.is_over, paused=paused
        )

    def _draw_curves(self, _width: int, height: int) -> Text:
        columns = len(self.picture.curves["sun"])
        step = self.picture.step
        axis = f"the last {ago(columns * step)}, a column is {ago(step)}"
        return curves(self.picture.curves, axis, height)

    # --- keys ---------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  # textual's
        """Leave keys of the picture alone where it is not in front."""
        return len(self.screen_stack) == 1 or action not in _OF_PICTURE

    def action_objects(self) -> None:
        """Search objects."""
        self.push_screen(Objects(self.source, self.draw_head))

    def action_today(self) -> None:
        """Show what the log has of today."""
        self.push_screen(Today(self.source, self.draw_head))

    def action_step(self) -> None:
        """Let a column stand for more time, and after the most for the least."""
        self._step = STEPS[(STEPS.index(self._step) + 1) % len(STEPS)]
        self.redraw()

    def action_pause(self) -> None:
        """Stand still, or go on."""
        self._paused = self.picture if self._paused is None else None
        self.redraw()

    def action_help(self) -> None:
        """Show what keys do."""
        self.push_screen(Help())

    def action_interrupt(self) -> None:
        """End as on Ctrl-C."""
        self.was_interrupted = True
        self.exit()


class _Notices(logging.Handler):
    """Shows log lines for some seconds: below the picture there is no room for them, and above it no screen."""

    def __init__(self, app: Top) -> None:
        super().__init__()
        self._app = app

    def emit(self, record: logging.LogRecord) -> None:
        if self._app.is_running:
            severity = "warning" if record.levelno >= logging.WARNING else "information"
            self._app.notify(record.getMessage(), severity=severity, markup=False)  # type: ignore[arg-type]


@contextmanager
def _log_lines(app: Top) -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers
    root.handlers = [_Notices(app)]
    try:
        yield
    finally:
        root.handlers = before
