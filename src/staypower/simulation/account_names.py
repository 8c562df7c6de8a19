"""Names for the simulated accounts, made of word lists: any likeness to a company that exists is chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

__all__ = ["account_names"]

_STREAM = 200  # its own, so that names move nothing else; one for the whole company, so that no two accounts share a name
_FIRST = """
Alder Amber Anvil Apple Arrow Barley Beacon Birch Bramble Bronze Candle Cedar Chalk Cherry Clover Cobalt Copper Coral Cotton
Crane Dusk Ember Fallow Fern Finch Flint Frost Garnet Ginger Granite Hazel Heron Hollow Indigo Ivory Juniper Kestrel Lark
Lavender Linen Maple Marble Meadow Moss Nettle Oaken Olive Otter Pebble Plover Quill Raven Reed Rowan Saffron Sage Silver
Slate Sorrel Sparrow Teal Thistle Timber Umber Velvet Walnut Willow Winter Wren Yarrow
"""
_SECOND = """
bank barrow bay brook cliff combe cross dale den field fold ford glen grove ham haven hill holm hurst lake leigh marsh mead
mere mill moor port quay ridge stead stow thorpe vale wick wold worth
"""
_THIRD = {
    "retail": ("Stores", "Outfitters", "Market", "Supplies", "Trading", "Home"),
    "manufacturing": ("Works", "Tools", "Machines", "Foundry", "Components", "Packaging"),
    "healthcare": ("Clinics", "Care", "Dental", "Health", "Labs", "Therapies"),
    "finance": ("Finance", "Insurance", "Leasing", "Credit", "Pensions", "Advisers"),
    "education": ("School", "College", "Academy", "Learning", "Courses", "Tutors"),
    "agency": ("Studio", "Media", "Design", "Partners", "Agency", "Communications"),
}


def account_names(numbers: Whole, industries: list[str], seed: int) -> list[str]:
    """Name accounts by their number in the company: all names differ.

    >>> account_names(np.arange(3), ["retail", "finance", "retail"], seed=0)
    ['Bronzemarsh Stores', 'Tealstead Leasing', 'Marblebay Home']
    """
    firsts, seconds = _FIRST.split(), _SECOND.split()
    first, second = len(firsts), len(seconds)
    every = first * second * len(_THIRD["retail"])
    rng = np.random.default_rng([seed, 0, _STREAM])
    # steps of a length without a common factor with `every` reach each combination once before any comes again
    step = next(int(each) for each in rng.permutation(every) if np.gcd(each, every) == 1)
    again, place = np.divmod(numbers, every)
    place = (place * step + int(rng.integers(every))) % every
    parts = zip(place % first, place // first % second, place // (first * second), industries, again, strict=True)
    return [
        f"{firsts[a]}{seconds[b]} {_THIRD[industry][c]}" + (f" {more + 1}" if more else "") for a, b, c, industry, more in parts
    ]
