"""What each engine can do, in Markdown, from the lists that the code itself goes by."""

from __future__ import annotations

from staypower.engines.abilities import ALSO_ON_SPARK, ONE_MACHINE, REFUSED
from staypower.sources.formats import FORMATS

__all__ = ["document_engines"]


def document_engines() -> str:
    """Write the commands, the formats of sources and the options by engine."""
    rows = ["| | `embedded` | `spark` |", "|---|---|---|"]
    rows += [f"| `{name}` | yes | yes: {what} |" for name, what in ALSO_ON_SPARK.items()]
    rows += [f"| `{name}` | yes | refused: {why} |" for name, why in ONE_MACHINE.items()]
    for form in FORMATS.values():
        rows.append(f"| sources: {form.label} | yes | {'yes' if form.on_spark is not None else 'refused: write Parquet'} |")
    rows.append("| sources: tables and views of Spark's catalogue, Spark DataFrames | no | yes |")
    rows.append("| mappings, expressions, joins through ids and data rules | yes | the same code |")
    rows += [f"| {refusal.what} | yes | refused: {refusal.problem} |" for refusal in REFUSED.values()]
    return "\n".join(rows)
