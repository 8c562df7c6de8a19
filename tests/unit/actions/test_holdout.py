"""Who is held back: by id and seed alone, at random, as many as asked."""

from __future__ import annotations

import numpy as np
import pytest

from staypower.actions.ranking import held_back

ACCOUNTS = [f"A{number:05d}" for number in range(20_000)]


def test_it_never_depends_on_who_else_is_asked() -> None:
    everyone = dict(zip(ACCOUNTS, held_back(ACCOUNTS, share=0.1, seed=3).tolist(), strict=True))
    some = ACCOUNTS[::7][::-1]
    assert held_back(some, share=0.1, seed=3).tolist() == [everyone[name] for name in some]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.5])
def test_the_share_is_what_was_asked(share) -> None:
    found = held_back(ACCOUNTS, share=share, seed=0).mean()
    assert found == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(ACCOUNTS)))


def test_another_seed_draws_independently() -> None:
    one, two = (held_back(ACCOUNTS, share=0.3, seed=seed) for seed in (0, 1))
    assert (one & two).mean() == pytest.approx(0.09, abs=0.01)


def test_a_larger_share_keeps_those_of_a_smaller_one() -> None:
    small, large = (held_back(ACCOUNTS, share=share, seed=0) for share in (0.1, 0.2))
    assert (small <= large).all()


def test_the_draw_is_fixed_for_ever() -> None:
    # an experiment runs for months: these accounts were held back when it began
    assert [name for name in ACCOUNTS[:60] if held_back([name], share=0.1, seed=0)[0]] == ["A00020", "A00034", "A00055"]
