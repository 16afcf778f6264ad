from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from station_app.orders import cloud, devices, people, running
from station_core.errors import Malformed, NotFound, Starting, Unavailable
from station_core.health import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_app.orders.order import Order
    from station_core.home import Home

ORDERS: Final[Mapping[str, Order]] = {**running.ORDERS, **people.ORDERS, **devices.ORDERS, **cloud.ORDERS}
"""By name."""


class Desk:
    """Carries out orders over a home, whether a station lives around it or not; *more* orders beside the table's."""

    def __init__(self, home: Home, more: Mapping[str, Order] = MappingProxyType({})) -> None:
        self._home = home
        self._orders = {**ORDERS, **more}

    async def carry_out(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """What came of it; raise `NotFound` for no such order, `Malformed` for wrong arguments, or what it raises."""
        order = self._checked(name)
        if not order.always and self._home.health.phase is not Phase.SERVING:
            raise Starting if self._home.health.phase is Phase.STARTING else Unavailable("The station is stopping.")
        return await self._done(order, arguments)

    async def carry_out_offline(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """The same on the data of a station that doesn't run and whose locks are held: `Unavailable` if it has to."""
        order = self._checked(name)
        if order.live:
            raise Unavailable("The station isn't running.")
        return await self._done(order, arguments)

    def _checked(self, name: str) -> Order:
        order = self._orders.get(name)
        if order is None:
            raise NotFound("The station knows no such order: is it of another version?")
        return order

    async def _done(self, order: Order, arguments: Mapping[str, Any]) -> Any:
        try:
            wanted = msgspec.convert(arguments, order.wants)
        except msgspec.ValidationError as error:
            raise Malformed(f"{error}.") from None
        return await order.carry_out(self._home, wanted)
