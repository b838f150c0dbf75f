"""``rct.toml`` becomes the setup of a collector. docs/configuration.md is made from the types here and in the sinks."""

from __future__ import annotations

import difflib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from zlib import crc32
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from rct_tools.address import is_host, show_address
from rct_tools.components import COMPONENTS
from rct_tools.environment import overlay
from rct_tools.errors import ConfigError
from rct_tools.groups import GroupTable, Readings, build_plan, group_text
from rct_tools.link import PORT
from rct_tools.plan import Plan, Steerable
from rct_tools.proxy.table import ProxyTable
from rct_tools.settings import Duration, Size, Table, choose, decode, parse_toml, read_text, shown, unknown_key
from rct_tools.setups import PAGE, InverterSetup, Setup, SinkSetup, SpoolSetup
from rct_tools.sinks import is_store, kind_of, open_sink, settings_for, sink_keys
from rct_tools.sinks.sqlite import default_path, path_in_url
from rct_tools.spool import AGE_LIMIT, SIZE_LIMIT
from rct_tools.steering.table import ControlTable, watched
from rct_tools.times import local_zone
from rct_tools.web.table import WebSetup, WebTable
from rct_tools.web.tariff import TariffTable, tariff_of

T = TypeVar("T")

FILE_VARIABLE: Final = "RCT_CONFIG"
STATUS_ADDRESS: Final = "127.0.0.1:9832"


class InverterTable(Table, frozen=True):
    """An inverter to be read."""

    host: Annotated[str, msgspec.Meta(description="its name or address in the network")]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535, description="its TCP port")] = PORT
    name: Annotated[str, msgspec.Meta(description="what readings call it; the host without")] = ""
    time_zone: Annotated[
        str, msgspec.Meta(description='the time zone of its clock, as in "Europe/Berlin"; that of this machine without')
    ] = ""
    groups: Annotated[
        tuple[str, ...] | None, msgspec.Meta(description="names of the groups that are read; all without")
    ] = None
    has: Annotated[
        tuple[str, ...] | None,
        msgspec.Meta(description="the components that it has (docs/configuration.md lists them); without, it is asked"),
    ] = None
    backfill: Annotated[
        bool, msgspec.Meta(description="whether gaps of stores are filled from what it remembers (docs/backfill.md)")
    ] = True


class SinkTable(Table, frozen=True):
    """What every sink may have beside the keys of its kind."""

    url: Annotated[str, msgspec.Meta(description="where readings go, and what kind of sink it is")]
    label: Annotated[str, msgspec.Meta(description="how messages call it; the URL without")] = ""
    objects: Annotated[
        tuple[str, ...], msgspec.Meta(description="what it gets: names of objects, or patterns with *")
    ] = ("*",)
    names: Annotated[
        dict[str, str], msgspec.Meta(description="what it calls objects: object = name; others keep their names")
    ] = msgspec.field(default_factory=dict)
    spool_size: Annotated[
        Size, msgspec.Meta(description="how much is kept on disk while a server is away; beyond it, the oldest goes")
    ] = Size(SIZE_LIMIT)
    spool_age: Annotated[Duration, msgspec.Meta(description="how long it is kept on disk while a server is away")] = (
        Duration(AGE_LIMIT)
    )


class StatusTable(Table, frozen=True):
    """The address at which the collector says how it is."""

    listen: Annotated[str, msgspec.Meta(description='ADDRESS:PORT of /healthz, /status and /metrics; "" for none')] = (
        STATUS_ADDRESS
    )


class File(Table, frozen=True):
    """The whole file."""

    inverter: Annotated[tuple[InverterTable, ...], msgspec.Meta(description="one table each")]
    sink: Annotated[
        tuple[dict[str, Any], ...], msgspec.Meta(description="one table each; a SQLite file without any")
    ] = ()
    group: Annotated[
        tuple[GroupTable, ...], msgspec.Meta(description="what is read how often, beside the default groups")
    ] = ()
    default_groups: Annotated[
        bool, msgspec.Meta(description="whether the groups that `rct readings` prints are read, too")
    ] = True
    proxy: Annotated[
        ProxyTable | tuple[ProxyTable, ...], msgspec.Meta(description="shares an inverter; a list shares several")
    ] = ()
    control: ControlTable = ControlTable()
    status: StatusTable = StatusTable()
    web: Annotated[WebTable | None, msgspec.Meta(description="a page for browsers; there is none without")] = None
    tariff: Annotated[
        tuple[TariffTable, ...],
        msgspec.Meta(description="what energy costs, for the page; nothing is said of it without"),
    ] = ()
    data: Annotated[
        str,
        msgspec.Meta(
            description="folder of readings that wait, and of logins; without, $STATE_DIRECTORY, else your data folder"
        ),
    ] = ""


@dataclass(frozen=True, slots=True)
class Config:
    """What a file says: what the collector does, and what is around it."""

    setup: Setup
    listen: str  # of the status page; "" for none
    data: str  # folder; "" for the default
    file: File
    sinks: tuple[Any, ...]  # settings, in the order of ``setup``
    web: WebSetup | None = None  # the page


# --- groups alone ---------------------------------------------------------------------------------------------------


def default_readings() -> str:
    """Return the text of the readings file that is used when none is given."""
    return group_text("readings")


def load_plan(path: Path | None = None, default: str = "readings") -> Plan:
    """Return the plan in a readings file; without one, that of a file that comes with this program.

    Raises ConfigError with the file, the key and what was expected there.
    """
    if path is None:
        return parse_plan(group_text(default), f"{default}.toml")
    return parse_plan(read_text(path), str(path))


def parse_plan(text: str, source: str) -> Plan:
    """Return the plan in the text of a readings file; ``source`` is its name in errors. Raises ConfigError."""
    readings = decode(parse_toml(text, source), Readings, source)
    if not readings.group:
        raise ConfigError(f"{source}: group: expected at least one")
    return build_plan(readings.group, source)


# --- the arguments of a command -------------------------------------------------------------------------------------


def sink_of(url: str, keeper: str = "") -> SinkSetup:
    """Return the setup of a sink that a URL says everything about.

    While it is away, readings wait in a file of the data folder that belongs to ``keeper``; without one, in memory.
    Raises ConfigError.
    """
    settings = settings_for(url)
    label = _label(url)
    kind = kind_of(url)
    path = _spool_path(data_folder(""), f"{label} {keeper}")
    spool = SpoolSetup(path, hold=kind.unsafe) if keeper and kind.is_remote else None
    return SinkSetup(label, partial(open_sink, settings), settings, spool=spool, is_store=is_store(url))


def _label(url: str) -> str:
    """Return how a sink is called in messages: a database by its file, so that people find it."""
    return str(path_in_url(url)) if url.startswith("sqlite:") else url.removesuffix(":")


def data_folder(given: str) -> Path:
    """Return where files are kept: as given, or as systemd or the system has it."""
    state = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given or state or default_path().parent)


def _spool_path(folder: Path, name: str) -> Path:
    """Return the file in which readings wait for a sink; different names have different files."""
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:60]
    return folder / "spool" / f"{readable}-{crc32(name.encode()):08x}.db"


# --- the whole file -------------------------------------------------------------------------------------------------


def find_config(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the first configuration there is: $RCT_CONFIG, rct.toml here, the user's, the machine's."""
    environment = os.environ if environment is None else environment
    if given := environment.get(FILE_VARIABLE):
        return Path(given)
    return next((path for path in search_path(environment) if path.exists()), None)


def search_path(environment: Mapping[str, str] | None = None) -> Sequence[Path]:
    """Return where a configuration is looked for, in this order."""
    environment = os.environ if environment is None else environment
    home = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Path("rct.toml"), home / "rct-tools" / "rct.toml", Path("/etc/rct-tools/rct.toml")


def load_config(path: Path, environment: Mapping[str, str] | None = None, keeper: str = "") -> Config:
    """Return what a file says, with the keys that the environment has (``RCT_SINK__0__PASSWORD``) in place of its own.

    ``keeper`` names one of several processes that share the file: each has files of its own for what waits, and says
    of itself alone whether it is there.
    Raises ConfigError with the file, the key, and what was expected there.
    """
    return parse_config(read_text(path), str(path), os.environ if environment is None else environment, keeper)


def parse_config(text: str, source: str, environment: Mapping[str, str], keeper: str = "") -> Config:
    """Return what the text of a file says; ``source`` is its name in errors. Raises ConfigError."""
    tree = parse_toml(text, source)
    overlay(tree, environment, [field.encode_name for field in msgspec.structs.fields(File)])
    _check_layout(tree, source)
    file = decode(tree, File, source)
    if not file.inverter:
        raise ConfigError(f"{source}: inverter: expected at least one")
    defaults = load_plan() if file.default_groups else None
    if not file.group and defaults is None:
        raise ConfigError(f"{source}: group: expected at least one, as default_groups is false")
    plan = build_plan(file.group, source, defaults)
    inverters = _shared(file, _inverters(file, plan, source), source)
    steerable = file.control.steerable(f"{source}: control", [inverter.name for inverter in inverters])
    some = _steered(InverterSetup("", "", plan), next(iter(steerable.values()), None))
    sinks, settings = _sinks(file, some, source, keeper)
    inverters = tuple(_steered(inverter, steerable.get(inverter.name)) for inverter in inverters)
    stores = (path_in_url(each.url) for each in settings if each.url.startswith("sqlite:"))
    tariff = tariff_of(file.tariff, f"{source}: tariff")
    page = file.web.setup(f"{source}: web", next(stores, None), tariff, data_folder(file.data)) if file.web else None
    has_broker = any(kind_of(sink.url).module == "mqtt" for sink in settings)
    if steerable and not has_broker and not (page and page.is_guarded):
        raise ConfigError(
            f"{source}: control: nobody could order; expected a sink mqtt:// or mqtts://, or [web] with a login"
        )
    return Config(Setup(inverters, sinks), file.status.listen, file.data, file, settings, page)


def _check_layout(tree: Mapping[str, Any], source: str) -> None:
    """Find what TOML takes for something else than was meant."""
    for name, node in tree.items():
        if name in ("inverter", "sink", "group", "tariff") and isinstance(node, dict):
            raise ConfigError(f"{source}: {name}: write [[{name}]] in place of [{name}], since there may be several")
        places = _numbered(name, node) if isinstance(node, list) else {name: node}
        for place, table in places.items():
            for key in ("data", "default_groups"):
                if isinstance(table, dict) and key in table:
                    raise ConfigError(f"{source}: {place}.{key}: goes to the top of the file, before the first table")


def _inverters(file: File, plan: Plan, source: str) -> tuple[InverterSetup, ...]:
    setups: dict[str, InverterSetup] = {}
    for index, table in enumerate(file.inverter):
        place = f"{source}: inverter[{index}]"
        name = table.name or table.host
        if not table.host:
            raise ConfigError(f"{place}.host: is empty")
        if not is_host(table.host):
            raise ConfigError(f"{place}.host: {table.host!r} is no name or address; its port is a key of its own")
        if name in setups:
            first = list(setups).index(name)
            raise ConfigError(f"{place}.name: {name!r} is there already, at inverter[{first}]")
        groups = plan.groups
        if table.groups is not None:
            known = {group.name: group for group in plan.groups}
            groups = tuple(choose(known, wanted, f"{place}.groups", "group") for wanted in table.groups)
            if not groups:
                raise ConfigError(f"{place}.groups: expected at least one")
        for component in table.has or ():
            choose(COMPONENTS, component, f"{place}.has", "component")
        setups[name] = InverterSetup(
            name, table.host, Plan(groups), table.port, _zone(table.time_zone, f"{place}.time_zone"),
            None if table.has is None else frozenset(table.has), backfill=table.backfill,
        )  # fmt: skip
    return tuple(setups.values())


def _shared(file: File, inverters: tuple[InverterSetup, ...], source: str) -> tuple[InverterSetup, ...]:
    """Return the inverters with their proxies."""
    tables = {"proxy": file.proxy} if isinstance(file.proxy, ProxyTable) else _numbered("proxy", file.proxy)
    setups = {inverter.name: inverter for inverter in inverters}
    listening: dict[tuple[str, int], str] = {}  # address: who has it
    for name, table in tables.items():
        place = f"{source}: {name}"
        if not table.inverter and len(inverters) > 1:
            raise ConfigError(f"{place}.inverter: missing; expected one of {', '.join(setups)}")
        inverter = choose(setups, table.inverter or inverters[0].name, f"{place}.inverter", "inverter")
        if inverter.proxy is not None:
            raise ConfigError(f"{place}.inverter: {inverter.name!r} has a proxy already")
        proxy = table.setup(place)
        other = listening.setdefault((proxy.host, proxy.port), name)
        if other != name and proxy.port:  # 0 is any that is free
            raise ConfigError(f"{place}.listen: {show_address(proxy.host, proxy.port)} is that of {other} already")
        setups[inverter.name] = replace(inverter, proxy=proxy)
    return tuple(setups.values())


def _steered(inverter: InverterSetup, what: Steerable | None) -> InverterSetup:
    return replace(inverter, steerable=what, plan=watched(inverter.plan, what)) if what else inverter


def _numbered(name: str, tables: Sequence[T]) -> Mapping[str, T]:
    return {f"{name}[{index}]": table for index, table in enumerate(tables)}


def _sinks(file: File, some: InverterSetup, source: str, keeper: str) -> tuple[tuple[SinkSetup, ...], tuple[Any, ...]]:
    common = frozenset(field.encode_name for field in msgspec.structs.fields(SinkTable))
    setups: dict[str, SinkSetup] = {}
    every = []
    trees: tuple[dict[str, Any], ...] = file.sink or ({"url": "sqlite:"},)
    for index, tree in enumerate(trees):
        place = f"{source}: sink[{index}]"
        # A text under ``names`` is a set of names that the sink knows.
        ours = {k: v for k, v in tree.items() if k in common and not (k == "names" and isinstance(v, str))}
        table = decode(ours, SinkTable, place)
        rest = {k: v for k, v in tree.items() if k not in ours}
        try:
            known = common | sink_keys(table.url)
        except ConfigError as exc:
            raise ConfigError(f"{place}.url: {exc}") from exc
        for key in rest.keys() - known:
            raise ConfigError(f"{place}.{key}: {unknown_key(key, sorted(known))}")
        kind = kind_of(table.url)
        for key in {"spool_size", "spool_age"} & tree.keys():
            if not kind.is_remote:
                raise ConfigError(f"{place}.{key}: nothing waits on disk for such a sink, only for one on a server")
        if keeper and "part" in known:
            rest = {"part": keeper, **rest}  # what says of one process that it is gone must not say so of all
        settings = settings_for(table.url, place, **rest)
        label = table.label or _label(table.url)
        if label == PAGE and file.web:
            raise ConfigError(f"{place}.label: {label!r} is that of the page; choose another")
        if label in setups:
            raise ConfigError(f"{place}.label: {label!r} is there already, at sink[{list(setups).index(label)}]")
        spool = None
        if kind.is_remote:
            path = _spool_path(data_folder(file.data), f"{label} {keeper}")
            spool = SpoolSetup(path, table.spool_size, table.spool_age, kind.unsafe)
        setup = SinkSetup(
            label, partial(open_sink, settings), settings, table.objects, table.names, spool, is_store(table.url)
        )
        _check_objects(setup, some, place)
        setups[label] = setup
        every.append(settings)
    return tuple(setups.values()), tuple(every)


def _check_objects(sink: SinkSetup, some: InverterSetup, place: str) -> None:
    """Find what fits nothing, and what would be called the same."""
    (source,) = replace(sink, objects=("*",), names={}).sources([some])
    for name in sink.names:
        choose(source.expects, name, f"{place}.names", "object that is read")
    for index, pattern in enumerate(sink.objects):
        (fitting,) = replace(sink, objects=(pattern,)).sources([some])
        if not fitting.expects:
            near = difflib.get_close_matches(pattern, source.expects, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{place}.objects[{index}]: {pattern!r} fits no object that is read{hint}")
    (named,) = sink.sources([some])
    for names in ([e.name for e in named.expects.values()], [e.field or e.name for e in named.expects.values()]):
        name, count = Counter(names).most_common(1)[0]
        if count > 1:
            raise ConfigError(f"{place}.names: {name!r} would be the name of {count} objects")


def _zone(name: str, place: str) -> str:
    if not name:
        return local_zone()
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ConfigError(f"{place}: {name!r} is no time zone; expected a name such as Europe/Berlin") from exc
    return name


# --- shown ----------------------------------------------------------------------------------------------------------


def show_config(config: Config) -> dict[str, Any]:
    """Return what is in force as a tree for TOML: all that is not by default, without secrets."""
    tree: dict[str, Any] = shown(config.file)
    common = msgspec.structs.fields(SinkTable)
    trees = config.file.sink or ({"url": "sqlite:"},)
    tree["sink"] = [
        {key: value for key, value in table.items() if key in {field.encode_name for field in common}} | shown(settings)
        for table, settings in zip(trees, config.sinks, strict=True)
    ]
    return tree
