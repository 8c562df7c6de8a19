"""Who is left alone at random: decided by each account's id and a seed, whoever else is in the list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["held_back"]


def held_back(accounts: Iterable[str], *, share: float, seed: int) -> NDArray[np.bool_]:
    """Say which accounts are held back.

    The first 8 bytes of BLAKE2b, keyed with the seed, of the id as UTF-8, taken as a number in [0, 1) and compared with the
    share. So a larger share holds back everybody that a smaller one did.

    >>> everyone = [str(n) for n in range(1000)]
    >>> int(held_back(everyone, share=0.1, seed=0).sum())
    114
    >>> held_back(["7"], share=0.1, seed=0)[0] == held_back(everyone, share=0.1, seed=0)[7]
    np.True_
    """
    keyed = hashlib.blake2b(key=f"staypower holdout {seed}".encode()[:64], digest_size=8)

    def draw(account: str) -> bytes:
        state = keyed.copy()
        state.update(account.encode())
        return state.digest()

    drawn = np.frombuffer(b"".join([draw(account) for account in accounts]), dtype=">u8")
    return np.asarray(drawn / 2.0**64 < share)
