"""A new file, which is there under its name only when all of it is, on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield where to write what becomes the file at a path when the block ends well, in place of one that was there.

    When it fails, or is interrupted, nothing new is left and an old file is as it was. Raises OSError, which names the
    path as it was given, also where it had no name.
    """
    target = path.resolve()  # a link goes on to point there
    part = target.with_name(f".{target.name}.part")
    try:
        yield part
        with part.open("r+b") as file:  # or a power failure could leave neither this nor what it takes the place of
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as exc:
        if exc.filename is None or Path(exc.filename) == part:
            raise OSError(exc.errno, exc.strerror or str(exc), str(path)) from exc
        raise
    finally:
        part.unlink(missing_ok=True)
