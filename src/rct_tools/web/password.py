"""A password, kept as its hash. Needs argon2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rct_tools.errors import ConfigError
from rct_tools.web.door import SHORTEST

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_BEGIN: Final = "$argon2"


class Password:
    """What is asked for at the door."""

    def __init__(self, text: str, known: str = "") -> None:
        """``text`` is the password, or its hash; ``known`` a hash from earlier, which stays if it is of this password.

        Raises ConfigError for one that is too short, or no hash.
        """
        from argon2.exceptions import InvalidHashError

        self._hasher = _hasher()
        if not text.startswith(_BEGIN):
            self.hash = known if self._is_hash(known, text) else hash_password(text)
            return
        self.hash = text
        try:
            self._hasher.check_needs_rehash(text)
        except InvalidHashError as exc:
            raise ConfigError(
                "begins like the hash of a password, and is none; rct web --hash-password makes one"
            ) from exc

    def is_right(self, tried: str) -> bool:
        """Return whether this is the password; it takes a tenth of a second, and 64 MB meanwhile."""
        from argon2.exceptions import VerificationError

        try:
            return self._hasher.verify(self.hash, tried)
        except VerificationError:
            return False

    def _is_hash(self, known: str, text: str) -> bool:
        """Return whether something is a hash of a password that may be one, and would be made in this way today."""
        from argon2.exceptions import VerificationError

        try:  # what takes more memory or time than ours is not tried
            return (
                len(text) >= SHORTEST
                and not self._hasher.check_needs_rehash(known)
                and self._hasher.verify(known, text)
            )
        except (ValueError, VerificationError):
            return False


def hash_password(text: str) -> str:
    """Return what may stand in a configuration for a password. Raises ConfigError."""
    if len(text) < SHORTEST:
        raise ConfigError(f"a password of at least {SHORTEST} letters is needed")
    return _hasher().hash(text)


def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ImportError as exc:
        raise ConfigError("a password needs more than the core: pip install 'rct-tools[web]'") from exc
    return PasswordHasher()
