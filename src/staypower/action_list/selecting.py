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

    Parameters
    ----------
    account, action : array of int64, shape (n,)
        Positions.
    group : array of int8, shape (n,)
        Pairs of a lower group come first, whatever they are worth: money before probabilities.
    worth : array of float, shape (n,)
        By which pairs of a group are ranked, highest first.
    room : array of int64, shape (n,)
        Whose time the pair takes, a position in `Room`.

    Examples
    --------
    >>> one = np.zeros(1, dtype=np.int64)
    >>> len(Candidates(one, one, one.astype(np.int8), np.ones(1), one))
    1
    """

    account: NDArray[np.int64]
    action: NDArray[np.int64]
    group: NDArray[np.int8]
    worth: NDArray[np.float64]
    room: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.account)

    def order(self) -> NDArray[np.int64]:
        """Return the positions, best first; equal ones by account, then in the order of the playbook."""
        return np.lexsort((self.action, self.account, -self.worth, self.group)).astype(np.int64)


@dataclass(frozen=True)
class Room:
    """How many accounts each owner, or several owners together, can act on.

    Parameters
    ----------
    names : tuple of str
        Who; `team` for the owners that share one number.
    places : array of int64, shape (n,)
        `NO_LIMIT` where there is none.
    of : mapping of str to int
        The position of each owner.

    Examples
    --------
    >>> make_room(["support", "sales", "automatic"], {"support": 3}, team=10).names
    ('support', 'team', 'automatic')
    """

    names: tuple[str, ...]
    places: NDArray[np.int64]
    of: Mapping[str, int]


def make_room(owners: Sequence[str], capacity: Mapping[str, int | None], *, team: int | None, free: str = "automatic") -> Room:
    """Settle who shares which places.

    Parameters
    ----------
    owners : sequence of str
        Everybody who may have to act, without repeats.
    capacity : mapping of str to int or None
        Places of some owners; None: no limit.
    team : int or None
        Places that the other owners share; None: no limit.
    free : str, default "automatic"
        The owner that has no limit unless one is named.

    Returns
    -------
    Room
    """
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

    Parameters
    ----------
    candidates : Candidates
    room : Room
    held : array of bool, shape (n_accounts,)
        Accounts that are left alone: they are listed while there is room, and take none of it.
    order : array of int64
        Positions of pairs.

    Returns
    -------
    array of int64, shape (n_accounts,)
        The position of the pair taken, -1 where there is none.

    Notes
    -----
    With one owner this is the best list there is; with several it is worth at least half of the best, as greedy matching is,
    and each choice can be said in a sentence: nobody further down could have used the place better.

    Examples
    --------
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
