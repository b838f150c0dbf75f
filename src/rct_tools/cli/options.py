"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click
from click.shell_completion import CompletionItem

from rct_tools.address import is_host
from rct_tools.cli.run import LOG_FORMATS, set_log_format, set_verbosity
from rct_tools.clock import Clock
from rct_tools.errors import ConfigError, UnknownObject
from rct_tools.link import PORT
from rct_tools.objects import ObjectInfo, registry
from rct_tools.times import parse_duration

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class ObjectType(click.ParamType[ObjectInfo]):
    """An object, by name, unique prefix or 0x… id; completes names."""

    name = "object"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ObjectInfo:
        if isinstance(value, ObjectInfo):
            return value
        try:
            return registry.find(value)
        except UnknownObject as exc:
            self.fail(str(exc), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002  # as click calls it
        fitting = [info for info in registry if info.name.startswith(incomplete)]
        return [CompletionItem(info.name, help=info.description) for info in sorted(fitting, key=attrgetter("name"))]


class DurationType(click.ParamType[float]):
    """A duration such as 250ms, 5s or 1h, given as seconds; a bare number is seconds."""

    name = "duration"

    def __init__(self, *, or_none: bool = False) -> None:
        self._or_none = or_none  # whether 0 is a good answer

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float | int):
            return float(value)
        try:
            seconds = parse_duration(value if value[-1:].isalpha() else f"{value}s") / 1e9
        except ConfigError:
            self.fail(
                f"{value!r} is not a duration; expected seconds, or a number and a unit, such as 250ms", param, ctx
            )
        if not seconds and not self._or_none:
            self.fail("must be more than 0", param, ctx)
        return seconds


class ZoneType(click.ParamType[ZoneInfo]):
    """A time zone, by a name such as Europe/Berlin."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        if isinstance(value, ZoneInfo):
            return value
        try:
            return Clock.of(value).zone
        except ConfigError as exc:
            self.fail(str(exc), param, ctx)


def _find_config(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path:
    from rct_tools.config import find_config, search_path  # which is much to load for commands that need none

    found = value or find_config()
    if found is None:
        places = ", ".join(map(str, search_path()))
        raise click.UsageError(f"no configuration: none of {places} is there; `rct init --host HOST` writes one")
    return found


def _config_option(
    callback: Callable[[click.Context, click.Parameter, Path | None], Path] | None,
) -> Callable[[Decorated], Decorated]:
    return click.option(
        "-c", "--config", type=click.Path(path_type=Path), callback=callback, metavar="FILE",
        help="The configuration.  [default: $RCT_CONFIG, rct.toml here, in ~/.config/rct-tools, in /etc/rct-tools]",
    )  # fmt: skip


config_option = _config_option(_find_config)  # an error without any
config_or_none_option = _config_option(None)


def not_empty(_ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse what an unset variable of a shell leaves."""
    if value == "":
        raise click.BadParameter("is empty", param=param)
    return value


def host_alone(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse what could not be found in any network, and would be looked for."""
    if not_empty(ctx, param, value) is not None and not is_host(str(value)):
        raise click.BadParameter(f"{value!r} is no name or address; a port goes behind --port", param=param)
    return value


host_option = click.option("--host", required=True, callback=host_alone, help="Name or address of the inverter.")
port_option = click.option(
    "--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, metavar="PORT", help="Its TCP port."
)
timeout_option = click.option(
    "--timeout",
    type=DurationType(),
    default="1s",
    show_default=True,
    help="How long to wait for an answer before asking again (up to three times).",
)
time_zone_option = click.option(
    "--time-zone", "zone", type=ZoneType(), metavar="ZONE",
    help="The time zone of the inverter's clock, such as Europe/Berlin.  [default: that of this machine]",
)  # fmt: skip
verbose_option = click.option(
    "-v", "--verbose", count=True, expose_value=False, callback=set_verbosity, is_eager=True,
    help="Say more on stderr; twice for everything, tracebacks too.",
)  # fmt: skip
log_format_option = click.option(
    "--log-format", type=click.Choice(list(LOG_FORMATS)), default="text", show_default=True, expose_value=False,
    callback=set_log_format, is_eager=True, help="How log lines on stderr are written; json is one object a line.",
)  # fmt: skip


def format_option(*formats: str) -> Callable[[Decorated], Decorated]:
    """Return the option ``--format``; text is the default."""
    return click.option(
        "--format", "output_format", type=click.Choice(formats or ("text", "json", "jsonl", "csv")),
        default="text", show_default=True, help="How to print it.",
    )  # fmt: skip
