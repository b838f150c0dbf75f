"""The sinks of a configuration, tried without a connection: what `rct config check` finds beyond the file itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import msgspec

from rct_tools.config import Config
from rct_tools.errors import ConfigError
from rct_tools.settings import Secret
from rct_tools.sinks import kind_of, open_sink
from rct_tools.status import page_address


async def rehearse(config: Config) -> list[str]:
    """Open the sinks that make no files, which connects to nothing; return what is said of secrets that are not there.

    These are no mistakes: the service may have them, and whoever checks its file not. Raises ConfigError for the rest.
    """
    if config.listen:
        page_address(config.listen)
    remarks = []
    for sink, settings in zip(config.setup.sinks, config.sinks, strict=True):
        if kind_of(settings.url).makes_files:
            continue
        sources = sink.sources(config.setup.inverters)
        try:
            opened = sink.opened(sources)
        except ConfigError as exc:
            known = {
                field.name: Secret("known")
                for field in msgspec.structs.fields(settings)
                if isinstance(secret := getattr(settings, field.name), Secret) and _is_missing(secret)
            }
            opened = replace(sink, open=partial(open_sink, msgspec.structs.replace(settings, **known))).opened(sources)
            remarks.append(str(exc))
        await opened.close()
    return remarks


def _is_missing(secret: Secret) -> bool:
    try:
        secret.reveal()
    except ConfigError:
        return True
    return False
