"""How the loyalty tier is defined, and when it is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = ["NPS_EDGES", "TIERS", "Bands", "TierSettings", "Told"]

TIERS = ("detractor", "passive", "promoter")
#: Lowest NPS answers of a passive and of a promoter, on the scales 0-10 and 1-10 alike.
NPS_EDGES = (7.0, 9.0)

Sign = Literal["renewed", "expanded", "referred"]
Told = Literal["median", "most_probable"]
Range = tuple[float, float]


def _read_range(value: object) -> object:
    """Read `1-3`, 4 or [1, 3] as the lowest and the highest answer of a band."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return (float(value), float(value))
    if isinstance(value, str):
        low, _, high = value.partition("-")
        try:
            return (float(low), float(high or low))
        except ValueError:
            raise ValueError(f"`{value}` is no range of answers Fix: write the lowest and the highest, such as `1-3`") from None
    return value


Bands = dict[str, Annotated[Range, BeforeValidator(_read_range)]]


class TierSettings(BaseModel):
    """How the loyalty tier is defined, and when it is unknown.

    >>> TierSettings().horizon
    90
    >>> csat = TierSettings(instrument="csat", bands={"detractor": "1-3", "passive": 4, "promoter": 5})
    >>> csat.edges, csat.higher_is_better
    ((4.0, 5.0), True)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["survey", "behaviour"] = Field(
        default="survey",
        description="`survey`: band of the next answer; `behaviour`, where there are no surveys: renewed, expanded, referred",
    )
    instrument: Literal["nps", "csat", "ces1", "ces2"] = Field(
        default="nps", description="survey instrument whose answers make the tier: `nps`, `csat`, `ces1` or `ces2`"
    )
    horizon: int = Field(default=90, ge=1, le=36_500, description="days after the cutoff in which the first answer counts")
    bands: Bands | None = Field(
        default=None,
        description="answers of each tier on the raw scale: `{detractor: 1-3, passive: 4, promoter: 5}`; NPS has its own",
    )
    classes: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=TIERS, min_length=2, max_length=10, description="the tiers from worst to best"
    )
    promoter_signs: tuple[Sign, ...] = Field(
        default=("expanded", "referred"), min_length=1, description="behaviour: one of these makes the best tier"
    )
    passive_signs: tuple[Sign, ...] = Field(default=("renewed",), description="behaviour: one of these makes the middle tier")
    referral_kinds: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=("referral",), min_length=1, description="behaviour: kinds of `advocacy` that count as referred (any case)"
    )
    told: Told = Field(
        default="median",
        description="tier to show: the median of the ordered probabilities (`median`), or the most probable tier "
        "(`most_probable`)",
    )
    abstain_below: float = Field(
        default=0.4, ge=0.0, le=1.0, description="the tier is unknown when no tier has a probability of at least this"
    )
    never_invited: Literal["flag", "unknown"] = Field(
        default="flag",
        description="accounts that were never invited to a survey: flagged only (`flag`), or tier unknown (`unknown`)",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> TierSettings:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("two tiers of one name in `classes` Fix: name each tier once, from worst to best")
        if self.kind == "behaviour" or self.instrument == "nps":
            what = "behaviour" if self.kind == "behaviour" else "NPS"
            if len(self.classes) != len(TIERS):
                raise ValueError(f"{what} makes three tiers, `classes` names {len(self.classes)} Fix: name three")
            if self.bands is not None:
                raise ValueError(f"{what} has its own bands Fix: leave `bands` out")
        elif self.bands is None:
            first = ", ".join(f"{name}: ..." for name in self.classes)
            raise ValueError(f"`{self.instrument}` needs declared bands Fix: write `bands: {{{first}}}` on the raw scale")
        else:
            _check_bands(self.bands, self.classes)
        if set(self.promoter_signs) & set(self.passive_signs):
            raise ValueError("one sign makes two tiers Fix: keep it in `promoter_signs` or in `passive_signs`")
        return self

    @property
    def tables_read(self) -> frozenset[str]:
        """The tables that a tier is read from, besides `accounts`."""
        return frozenset({"surveys"} if self.kind == "survey" else {"subscriptions", "orders", "advocacy"})

    @property
    def higher_is_better(self) -> bool:
        """Whether higher answers make better tiers, by the order of the bands."""
        if self.bands is None:
            return True
        return self.bands[self.classes[-1]][0] > self.bands[self.classes[0]][0]

    @property
    def edges(self) -> tuple[float, ...]:
        """The answer at which each tier but the worst begins, worst tier first.

        What lies between two bands, such as the median of two people's answers, belongs to the worse one.
        """
        if self.bands is None:
            return NPS_EDGES
        low, high = 0, 1
        return tuple(self.bands[name][low if self.higher_is_better else high] for name in self.classes[1:])


def _check_bands(bands: Mapping[str, Any], classes: tuple[str, ...]) -> None:
    if set(bands) != set(classes):
        raise ValueError(f"`bands` names {sorted(bands)} Fix: give one band to each of {list(classes)}")
    backwards = [name for name, (low, high) in bands.items() if low > high]
    if backwards:
        raise ValueError(f"the band of `{backwards[0]}` ends before it begins Fix: write the lower answer first")
    ranges = [bands[name] for name in classes]
    rising = all(first[1] < second[0] for first, second in pairwise(ranges))
    falling = all(first[0] > second[1] for first, second in pairwise(ranges))
    if not (rising or falling):
        raise ValueError("the bands overlap or are out of order Fix: let them rise (or fall) from the worst tier to the best")
