"""Who gets which action: best pairs first, while their owners have room, one action an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.compiled import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NO_LIMIT", "Candidates", "Room", "make_room", "select"]

NO_LIMIT = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Candidates:
    """Pairs of an account and an action that might be worth it.

    >>> one = np.zeros(1, dtype=np.int64)
    >>> len(Candidates(one, one, one.astype(np.int8), np.ones(1), one))
    1
    """

    account: NDArray[np.int64]  # shape (n,): Positions
    action: NDArray[np.int64]  # shape (n,): Positions
    # shape (n,): Pairs of a lower group come first, whatever they are worth: money before probabilities
    group: NDArray[np.int8]
    worth: NDArray[np.float64]  # shape (n,): By which pairs of a group are ranked, highest first
    room: NDArray[np.int64]  # shape (n,): Whose time the pair takes, a position in `Room`

    def __len__(self) -> int:
        return len(self.account)

    def order(self) -> NDArray[np.int64]:
        """Return the positions, best first; equal ones by account, then in the order of the playbook."""
        return np.lexsort((self.action, self.account, -self.worth, self.group)).astype(np.int64)


@dataclass(frozen=True)
class Room:
    """How many accounts each owner, or several owners together, can act on.

    >>> make_room(["support", "sales", "automatic"], {"support": 3}, team=10).names
    ('support', 'team', 'automatic')
    """

    names: tuple[str, ...]  # who; `team` for the owners that share one number
    places: NDArray[np.int64]  # shape (n,): `NO_LIMIT` where there is none
    of: Mapping[str, int]  # the position of each owner


def make_room(owners: Sequence[str], capacity: Mapping[str, int | None], *, team: int | None, free: str = "automatic") -> Room:
    """Settle who shares which places."""
    rooms: dict[str | None, int] = {}
    of: dict[str, int] = {}
    places: list[int] = []
    for owner in owners:
        alone = owner in capacity or owner == free or team is None
        limit = capacity.get(owner) if alone else team
        key = owner if alone else None
        if key not in rooms:
            rooms[key] = len(places)
            places.append(NO_LIMIT if limit is None else limit)
        of[owner] = rooms[key]
    names = tuple("team" if key is None else key for key in rooms)
    return Room(names, np.array(places, dtype=np.int64), of)


def select(candidates: Candidates, room: Room, held: NDArray[np.bool_], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Go through the pairs in an order and take each whose account is free and whose owner has room.

    With one owner this is the best list there is; with several it is worth at least half of the best, as greedy matching is,
    and each choice can be said in a sentence: nobody further down could have used the place better.

    >>> pairs = Candidates(np.array([0, 0, 1]), np.array([0, 1, 0]), np.zeros(3, np.int8), np.array([9.0, 5.0, 7.0]),
    ...                    np.array([0, 1, 0]))
    >>> room = make_room(["support", "sales"], {"support": 1, "sales": 1}, team=None)
    >>> select(pairs, room, np.array([False, False]), pairs.order()).tolist()
    [0, -1]
    >>> select(pairs, room, np.array([True, False]), pairs.order()).tolist()
    [0, 2]
    """
    return _take(order, candidates.account, candidates.room, room.places.copy(), held)


@jit
def _take(
    order: NDArray[np.int64],
    account: NDArray[np.int64],
    room: NDArray[np.int64],
    left: NDArray[np.int64],
    held: NDArray[np.bool_],
) -> NDArray[np.int64]:
    taken = np.full(len(held), -1, dtype=np.int64)
    for pair in order:
        who, where = account[pair], room[pair]
        if taken[who] >= 0 or left[where] == 0:
            continue
        taken[who] = pair
        if not held[who]:
            left[where] -= 1
    return taken
