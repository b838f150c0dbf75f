"""What may stand in a configuration, beside text and numbers; and errors that name the key.

Structures are msgspec's. What is wrong is said as ``place.key: what``, with the nearest key that exists.
"""

from __future__ import annotations

import difflib
import os
import re
import ssl
import tomllib
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import msgspec

from rct_tools.errors import ConfigError
from rct_tools.times import parse_duration, parse_size, show_duration, show_size

T = TypeVar("T")


class Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table of a configuration: frozen, compared by value, with no keys but its own."""


class Duration(int):
    """Nanoseconds, written as in ``5s`` or ``1.5h``."""

    @classmethod
    def read(cls, value: object) -> Self:
        """Return what is written. Raises ConfigError."""
        if not isinstance(value, str):
            raise ConfigError(f'expected a duration such as "5s", got {value!r}')
        return cls(parse_duration(value))

    @property
    def shown(self) -> str:
        """The same as people write it."""
        return show_duration(self)

    @property
    def seconds(self) -> float:
        """The same in seconds."""
        return self / 1e9


class Size(int):
    """Bytes, written as in ``100MB``."""

    @classmethod
    def read(cls, value: object) -> Self:
        """Return what is written. Raises ConfigError."""
        if not isinstance(value, str):
            raise ConfigError(f'expected a size such as "100MB", got {value!r}')
        return cls(parse_size(value))

    @property
    def shown(self) -> str:
        """The same as people write it."""
        return show_size(self)


class Secret:
    """A password or token: text, ``{ file = "PATH" }`` or ``{ env = "NAME" }``. Nothing shows it but ``reveal``."""

    def __init__(self, text: str = "", *, file: str = "", env: str = "") -> None:
        self._key = (text, file, env)

    @classmethod
    def read(cls, value: object) -> Self:
        """Return what is written; a file or variable is looked at by ``reveal`` only. Raises ConfigError."""
        match value:
            case str():
                return cls(value)
            case bool() | int() | float():  # digits without quotes
                return cls(str(value).lower())
            case {"file": str(path), **rest} if not rest:
                return cls(file=path)
            case {"env": str(name), **rest} if not rest:
                return cls(env=name)
        raise ConfigError('expected text, { file = "PATH" } or { env = "NAME" }')  # and no word of what was there

    def reveal(self) -> str:
        """Return the secret itself; the end of the last line of a file does not count. Raises ConfigError."""
        text, file, env = self._key
        if env:
            if env not in os.environ:
                raise ConfigError(f"the environment has no {env}, which is to hold a secret")
            return os.environ[env]
        if file:
            try:
                return Path(file).read_text("utf-8").removesuffix("\n").removesuffix("\r")
            except (OSError, UnicodeDecodeError) as exc:
                reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
                raise ConfigError(f"{file}: cannot be read, and is to hold a secret: {reason}") from exc
        return text

    @property
    def shown(self) -> str | dict[str, str]:
        """What may be seen of it: where it stands, or that there is one."""
        text, file, env = self._key
        return {"file": file} if file else {"env": env} if env else "…" if text else ""

    def __repr__(self) -> str:
        return f"Secret({self.shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


NO_SECRET = Secret()


class Tls(Table, frozen=True):
    """How a server proves who it is, and we to it; without a word, by the certificates this system trusts."""

    ca: Annotated[str, msgspec.Meta(description="file with the certificates to trust, in place of the system's")] = ""
    certificate: Annotated[str, msgspec.Meta(description="file with our own certificate, if a server wants one")] = ""
    key: Annotated[str, msgspec.Meta(description="file with the key of our own certificate")] = ""

    def context(self) -> ssl.SSLContext:
        """Return this for a connection. Raises ConfigError when a file cannot be used."""
        for name in ("ca", "certificate", "key"):
            path = getattr(self, name)
            try:
                if path:
                    Path(path).read_bytes()
            except OSError as exc:
                raise ConfigError(f"tls.{name}: {path} cannot be read: {exc.strerror}") from exc
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key or None)
        except ssl.SSLError as exc:
            raise ConfigError(f"tls: {self.ca or self.certificate}: no certificate that can be used: {exc}") from exc
        return context


def read_text(path: Path) -> str:
    """Return the text of a file. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: byte {exc.start} is not UTF-8") from exc


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Return the tree in a text; ``source`` is its name in errors. Raises ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{source}: not TOML: {exc}") from exc


def decode(value: object, kind: type[T], place: str = "") -> T:
    """Return a tree of TOML as a structure of ``kind``.

    ``place`` is a file, or a table in it such as ``rct.toml: sink[0]``, and stands before keys in errors.
    Raises ConfigError.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_read)
    except msgspec.ValidationError as exc:
        key, what = _explain(str(exc), kind)
        where = f"{place}.{key}" if key and place.endswith("]") else ": ".join(filter(None, (place, key)))
        raise ConfigError(f"{where}: {what}" if where else what) from exc


def unknown_key(key: str, known: Sequence[str]) -> str:
    """Return what is said about a key that does not exist."""
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
    return f"unknown key, {hint}"


def _read(kind: type, value: object) -> object:
    try:
        return kind.read(value)  # type: ignore[attr-defined]  # only the types above come here
    except ConfigError as exc:
        raise ValueError(str(exc)) from exc  # msgspec adds the key


def _explain(message: str, kind: type) -> tuple[str, str]:
    """Return the key that msgspec's message is about, "" for the whole, and what is wrong with it."""
    what, _, path = message.partition(" - at `$")
    key = path.rstrip("`").lstrip(".")
    dot = "." if key else ""
    if match := re.fullmatch("Object contains unknown field `(.*)`", what):
        return f"{key}{dot}{match[1]}", unknown_key(match[1], _keys_at(kind, key))
    if match := re.fullmatch("Object missing required field `(.*)`", what):
        return f"{key}{dot}{match[1]}", "missing"
    if what.startswith("Invalid enum value") and (choices := typing.get_args(_type_at(kind, key))):
        return key, f"{what[:1].lower()}{what[1:]}, expected one of {', '.join(map(repr, choices))}"
    return key, what[:1].lower() + what[1:]


def _keys_at(kind: Any, place: str) -> list[str]:
    """Return the keys of the structure at a place such as ``sink[0].tls``."""
    return [field.encode_name for field in msgspec.structs.fields(_structure(_type_at(kind, place)))]


def _type_at(kind: Any, place: str) -> Any:
    """Return the type of what stands at a place."""
    for name in re.findall(r"[^.\[\]]+", place):
        if not name.isdigit() and name != "...":
            kind = typing.get_type_hints(_structure(kind)).get(name, kind)
    return kind


def _structure(kind: Any) -> Any:
    """Return the structure in a type such as ``list[X]`` or ``X | None``."""
    while not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    return kind


def shown(value: Any) -> Any:
    """Return settings as a tree for TOML: all that is not by default, without secrets."""
    match value:
        case msgspec.Struct():
            fields = msgspec.structs.fields(value)
            return {
                f.encode_name: shown(v) for f in fields if (v := getattr(value, f.name)) not in (f.default, None, {})
            }
        case Secret():
            return value.shown
        case Duration() | Size():
            return value.shown
        case tuple() | list():
            return [shown(item) for item in value]
    return value
