"""Values with a fixed vocabulary: survey scales and payment statuses. What is not declared is refused, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.errors import nearest
from staypower.schemas import DIRECTIONS, INSTRUMENTS, PAYMENT_STATUSES, Scale
from staypower.sources.drafts import Draft
from staypower.sources.findings import Counted, Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NPS_SCALES = (Scale(0, 10), Scale(1, 10))


class _Words:
    """A text column as positions among its distinct words; -1 where it is blank or not there."""

    def __init__(self, draft: Draft, column: str) -> None:
        if draft.table.has(column):
            folded = pc.utf8_lower(pc.utf8_trim_whitespace(draft.table.data.column(column)))
            encoded = folded.combine_chunks().dictionary_encode()
            self.words: list[str] = encoded.dictionary.to_pylist()
            self.codes = np.asarray(pc.fill_null(encoded.indices, -1), dtype=np.int64)
        else:
            self.words, self.codes = [], np.full(len(draft.table), -1, dtype=np.int64)

    def where(self, test: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Say for which rows the word passes a test; never for a blank one."""
        return np.array([*(test(word) for word in self.words), False])[self.codes]

    def look_up(self, value: Callable[[str], Any], blank: Any, dtype: Any) -> NDArray[Any]:
        """Map each row's word to a value."""
        return np.array([*(value(word) for word in self.words), blank], dtype=dtype)[self.codes]

    def array(self) -> pa.Array:
        """Write the words out again."""
        return pa.DictionaryArray.from_arrays(
            pa.array(self.codes, mask=self.codes < 0), pa.array(self.words, pa.string())
        ).dictionary_decode()


def check_words(draft: Draft) -> list[Counted]:
    """Fold the words of surveys and payments, and return what they are refused for."""
    return CHECKED[draft.name](draft) if draft.name in CHECKED else []


def _survey_problems(draft: Draft) -> list[Counted]:
    """Check every answer against its scale, and add the ends of its scale."""
    table = draft.table
    values = table.numbers("value") if table.has("value") else np.full(len(table), np.nan)
    answered = np.isfinite(values)
    instrument, scale, direction = (_Words(draft, column) for column in ("instrument", "scale", "direction"))
    problems: list[Counted] = []

    def refuse(rows: NDArray[np.bool_], problem: str, column: str, fix: str) -> None:
        if rows.any():
            problems.append(_problem(draft, rows, problem, column, fix))

    known = instrument.where(INSTRUMENTS.__contains__)
    wrong = next((word for word in instrument.words if word not in INSTRUMENTS), "")
    fix = "write `instrument: nps` (or csat, ces1, ces2), or map a column that says it"
    refuse(answered & (instrument.codes < 0), "answers of an undeclared instrument", "instrument", fix)
    refuse(
        (instrument.codes >= 0) & ~known, "unknown survey instruments", "instrument", f"{nearest(wrong, INSTRUMENTS)}; {_CASE}"
    )
    readable = scale.where(Scale.is_one)
    fix = "write `scale: 0-10`, the lowest and the highest answer that could be given"
    refuse(answered & (scale.codes < 0), "answers on an undeclared scale", "scale", fix)
    refuse((scale.codes >= 0) & ~readable, "not a survey scale", "scale", fix)
    refuse(
        (direction.codes >= 0) & ~direction.where(DIRECTIONS.__contains__),
        "unknown directions",
        "direction",
        "write higher or lower",
    )
    low = scale.look_up(lambda word: Scale.parse(word).low if Scale.is_one(word) else np.nan, np.nan, float)
    high = scale.look_up(lambda word: Scale.parse(word).high if Scale.is_one(word) else np.nan, np.nan, float)
    outside = answered & readable & ((values < low) | (values > high))
    refuse(outside, "answers outside their scale", "value", "declare the scale that was used, or fix the source")
    nps = answered & instrument.where("nps".__eq__) & readable
    banded = scale.where(lambda word: Scale.is_one(word) and Scale.parse(word) in _NPS_SCALES)
    refuse(
        nps & ~banded, "NPS answers on a scale without bands", "scale", "NPS is asked on 0-10 or 1-10; call it `csat` otherwise"
    )
    if not problems:
        higher = instrument.look_up(lambda word: INSTRUMENTS.get(word, True), True, bool)
        higher_given = direction.look_up(lambda word: word == "higher", True, bool)
        _put(draft, (instrument, scale, direction), low, high, np.where(direction.codes >= 0, higher_given, higher))
    return problems


_CASE = "translate with `case when kind = 'Net Promoter' then 'nps' end`"


def _put(draft: Draft, words: Sequence[_Words], low: NDArray[Any], high: NDArray[Any], higher: NDArray[np.bool_]) -> None:
    for column, found in zip(("instrument", "scale", "direction"), words, strict=True):
        if draft.table.has(column) or column != "direction":
            draft.put(column, found.array())
    draft.put("low", pa.array(low, mask=np.isnan(low)))
    draft.put("high", pa.array(high, mask=np.isnan(high)))
    draft.put("higher_is_better", pa.array(higher))
    if draft.table.has("value") and draft.table.has("answered_at"):
        lost = np.isfinite(draft.table.numbers("value")) & np.asarray(pc.is_null(draft.table.data.column("answered_at")))
        meaning = "never used: an answer is known from `answered_at`"
        if lost.any():
            draft.find("warning", "answered_at", int(lost.sum()), "answers without the time they were given", meaning, "map it")


def _payment_problems(draft: Draft) -> list[Counted]:
    """Fold the statuses of payments to paid, failed and refunded; refuse other words."""
    if not draft.table.has("status"):
        return []
    status = _Words(draft, "status")
    unknown = (status.codes >= 0) & ~status.where(PAYMENT_STATUSES.__contains__)
    if unknown.any():
        fix = "translate to paid, failed or refunded: `status: case when state = 'ok' then 'paid' else 'failed' end`"
        words = pc.value_counts(draft.table.data.column("status").filter(pa.array(unknown))).to_pylist()
        found = Finding("error", "payments", "status", int(unknown.sum()), "unknown payment statuses", "", fix)
        return [Counted(found, len(unknown), words={word["values"]: word["counts"] for word in words})]
    draft.put("status", status.array())
    return []


def _problem(draft: Draft, rows: NDArray[np.bool_], problem: str, column: str, fix: str) -> Counted:
    """Name the first rows concerned: the value, and what else identifies the row."""
    table = draft.table
    telling = [name for name in dict.fromkeys((column, "instrument", "scale", "account_id", table.schema.row_id)) if name]
    shown = [name for name in telling if table.has(name)]
    first = table.data.select(shown).take(pa.array(np.flatnonzero(rows)[:3])).to_pylist()
    texts = tuple("(" + ", ".join(f"{name} {value}" for name, value in row.items()) + ")" for row in first)
    return Counted(Finding("error", draft.name, column, int(rows.sum()), problem, "", fix, texts), len(table))


CHECKED: Mapping[str, Callable[[Draft], list[Counted]]] = MappingProxyType(
    {"surveys": _survey_problems, "payments": _payment_problems}
)
