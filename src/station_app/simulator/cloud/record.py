from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

REMEMBERED: Final = 100_000  # entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    Something that happened on a link: `open`, `heard`, `said`, or `closed` with a code.

    *frame* is the object, or the text or bytes that are none. *link* counts connections from 1.
    """

    at: datetime
    link: int
    what: str
    frame: Any = None

    @property
    def text(self) -> str:
        """The frame as a text."""
        if self.frame is None or isinstance(self.frame, str):
            return self.frame or ""
        return json.dumps(self._shown(), ensure_ascii=False)

    def line(self) -> str:
        """As a line of JSON."""
        told = {"at": self.at.isoformat(), "link": self.link, "what": self.what}
        return json.dumps(told if self.frame is None else {**told, "frame": self._shown()}, ensure_ascii=False)

    def _shown(self) -> Any:
        return {"hex": self.frame.hex()} if isinstance(self.frame, bytes) else self.frame


class Record:
    """What a stand-in has heard and said, the newest `REMEMBERED`; each entry goes to *tell* too."""

    def __init__(self, tell: Callable[[Entry], None] | None = None) -> None:
        self._tell = tell
        self.entries: deque[Entry] = deque(maxlen=REMEMBERED)

    def add(self, link: int, what: str, frame: Any = None) -> None:
        """It has happened now."""
        entry = Entry(at=datetime.now(UTC), link=link, what=what, frame=frame)
        self.entries.append(entry)
        if self._tell is not None:
            self._tell(entry)

    def frames(self, what: str = "heard") -> list[Any]:
        """All that was heard, or said."""
        return [entry.frame for entry in self.entries if entry.what == what]
