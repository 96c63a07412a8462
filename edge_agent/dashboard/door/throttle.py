"""How fast passwords may be tried: from one address, and from everywhere together. Pure but for the clock it is given.

After a few wrong ones an address waits, twice as long each time. Many wrong ones from everywhere slow down all but
those addresses from which somebody signed in before: whoever tries at random shuts nobody out.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

FREE = 5
"""Wrong passwords from an address before it has to wait."""
WAIT_S = (1.0, 900.0)
"""The first wait, and the longest."""
FORGET_S = 3600.0
"""After so long an address begins anew."""
ALL_FREE, ALL_WITHIN_S, ALL_WAIT_S = 60, 600.0, 5.0
"""From so many wrong ones within so long from everywhere, strangers may try one in so many seconds, all together."""
ADDRESSES_MAX = 1024


@dataclass(slots=True)
class _Address:
    wrong: int = 0
    last_s: float = float("-inf")
    known: bool = False


class Throttle:
    """Counts wrong passwords by address. An IPv6 host may have a whole network (/64), which counts as one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody has tried."""
        self._clock = clock
        self._by_address: OrderedDict[str, _Address] = OrderedDict()
        self._all: list[float] = []

    def wait_s(self, address: str) -> int:
        """For how many seconds this address must not try; 0 where it may."""
        now_s, who = self._clock(), self._by_address.get(_network(address))
        own_s = 0.0
        if who is not None and who.wrong >= FREE:
            pause_s = min(WAIT_S[1], WAIT_S[0] * 2.0 ** min(who.wrong - FREE, 20))
            own_s = who.last_s + pause_s - now_s
        self._all = [at_s for at_s in self._all if now_s - at_s < ALL_WITHIN_S]
        if len(self._all) >= ALL_FREE and not (who is not None and who.known):
            own_s = max(own_s, self._all[-1] + ALL_WAIT_S - now_s)
        return max(0, ceil(own_s))

    def tried(self, address: str, *, right: bool) -> None:
        """Note how it went."""
        now_s, network = self._clock(), _network(address)
        who = self._by_address.get(network)
        if who is None or (now_s - who.last_s > FORGET_S and not who.known):
            who = _Address()
        if right:
            who.wrong, who.known = 0, True
        else:
            who.wrong = who.wrong + 1 if now_s - who.last_s <= FORGET_S else 1
            self._all = [*self._all[-ALL_FREE:], now_s]
        who.last_s = now_s
        self._by_address[network] = who
        self._by_address.move_to_end(network)
        while len(self._by_address) > ADDRESSES_MAX:
            del self._by_address[self._least()]

    def _least(self) -> str:
        """The address to forget: a stranger's, the one that was silent for longest."""
        oldest = next(iter(self._by_address))
        return next((network for network, who in self._by_address.items() if not who.known), oldest)


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)
