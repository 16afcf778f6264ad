"""
Frozen values at the pace of reports.

The constructor of a frozen dataclass sets every field through `object.__setattr__`, and takes ten times as long as
assignments do: for the values of one report as long as all else that the core does with it. A draft is assigned to,
and then becomes the frozen value.
"""

from __future__ import annotations

from typing import Any


def draft_of(kind: type) -> type[Any]:
    """
    A class laid out as this slotted dataclass, whose fields can be assigned.

    Assign all of them, then the dataclass itself to `__class__`: from then on the draft is one of it, and frozen.
    """
    own = {
        "__slots__": kind.__dict__["__slots__"],
        "__init__": object.__init__,
        "__setattr__": object.__setattr__,
    }
    return type(f"{kind.__name__}Draft", kind.__bases__, own)
