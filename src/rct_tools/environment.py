"""Keys of a configuration that the environment has, in place of those of the file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from rct_tools.errors import ConfigError
from rct_tools.settings import unknown_key

KEY_PREFIX: Final = "RCT_"


def overlay(tree: dict[str, Any], environment: Mapping[str, str], known: Sequence[str]) -> None:
    """Put the keys of the environment into a tree: RCT_SINK__0__URL is ``url`` of the first ``[[sink]]``.

    ``known`` are the keys at the top of the tree. Raises ConfigError for a variable that leads nowhere.
    """
    for variable in sorted(environment, key=_by_number):
        path = variable.removeprefix(KEY_PREFIX).lower().split("__")
        if not variable.startswith(KEY_PREFIX) or (len(path) == 1 and path[0] not in known):
            continue  # of something else, or of ours but no key: RCT_CONFIG
        if path[0] not in known:
            raise ConfigError(f"{variable}: {unknown_key(path[0], known)}")
        node: Any = tree
        for step, following in pairwise(path):
            node = _enter(node, step, [] if following.isdecimal() else {}, variable)
        if not isinstance(node, dict):
            raise ConfigError(f"{variable}: expected a key behind the number of a table, as in RCT_SINK__0__URL")
        node[path[-1]] = _from_text(environment[variable])


def _by_number(variable: str) -> list[tuple[int, str]]:
    """Return what sorts variables so that the table 10 comes behind the table 9."""
    return [(int(step) if step.isdecimal() else -1, step) for step in variable.split("__")]


def _enter(node: Any, step: str, new: Any, variable: str) -> Any:
    """Return what is at a step below a node, made when missing."""
    match node:
        case dict():
            return node.setdefault(step, new)
        case list() if step.isdecimal() and int(step) <= len(node):
            if int(step) == len(node):
                node.append(new)
            return node[int(step)]
        case list():
            raise ConfigError(f"{variable}: expected the number of a table, 0 to {len(node)}, got {step!r}")
    raise ConfigError(f"{variable}: there is no table for {step!r}")


def _from_text(text: str) -> Any:
    """Return the value that a text writes in TOML, if that loses nothing; else the text: a password may be digits."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text
    exact = isinstance(value, list | dict) or (isinstance(value, str) and text[:1] in ("'", '"'))
    exact |= isinstance(value, int | float) and str(value) == text  # and no date, which is no key's
    return value if exact or text in ("true", "false") else text
