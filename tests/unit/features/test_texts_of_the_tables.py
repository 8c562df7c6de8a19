"""What a catalogue learns from texts is the same whether the tables lie in memory or in buckets."""

from __future__ import annotations

import random

from bucketed_tables import whole_and_buckets

from staypower.cutoffs import instant_of
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.features.texts import TextColumn, count_texts, texts_in
from staypower.sources.settings import TableSource


def tables(folder):
    generator = random.Random(5)
    accounts = [f"{n:03d},2023-01-01,{'big' if n % 3 else 'rare' if n == 9 else 'small'}" for n in range(60)]
    days = [f"2024-0{generator.randrange(1, 9)}-1{generator.randrange(9)} 10:00" for _ in range(800)]
    usage = [f"{generator.randrange(60):03d},{day},e{generator.randrange(9) ** 2 // 9}" for day in days]
    surveys = [f"{n:03d},2024-0{1 + n % 9}-01,{'nps' if n % 7 else 'csat'},mail,2024-09-01,5,0-10" for n in range(60)]
    for name, header, rows in (
        ("accounts", "account_id,signed_up_at,segment", accounts),
        ("usage", "account_id,at,event", usage),
        ("surveys", "account_id,sent_at,instrument,touchpoint,answered_at,value,scale", surveys),
    ):
        (folder / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")
    listed = {name: [TableSource.model_validate({"source": f"{name}.csv"})] for name in ("usage", "surveys")}
    return {"accounts": [TableSource.model_validate({"source": "accounts.csv", "static": ["segment"]})], **listed}


def test_catalogues_are_equal(tmp_path):
    whole, stored = whole_and_buckets(tables(tmp_path), tmp_path, buckets=8)
    for cutoff in (instant_of("2024-02-05"), instant_of("2024-10-01")):
        for settings in (FeatureSettings(), FeatureSettings(top_events=3, rare=2), FeatureSettings(families=("surveys",))):
            one, other = (declare(each, settings, cutoff=cutoff) for each in (whole, stored))
            assert one == other
            assert one.codes == other.codes
    assert any("csat" in name for name in one.names)
    hidden = declare(stored, FeatureSettings(), cutoff=cutoff, hidden=("usage", "segment"))
    assert hidden == declare(whole, FeatureSettings(), cutoff=cutoff, hidden=("usage", "segment"))
    assert not [name for name in hidden.names if "event" in name or "segment" in name]


def test_only_what_was_known_is_counted_and_only_of_the_tables_asked_for(tmp_path, monkeypatch):
    whole, stored = whole_and_buckets(tables(tmp_path), tmp_path, buckets=4)
    column, cutoff = TextColumn("surveys", "instrument"), instant_of("2024-04-01")
    counted = count_texts(whole, column, FeatureSettings(), cutoff)
    rows = [row for row in whole["surveys"].data.to_pylist() if row["sent_at"].month < 4 and row["sent_at"].day < 31]
    assert counted.counts == {word: sum(row["instrument"] == word for row in rows) for word in ("nps", "csat")}
    read = []
    bucket = type(stored).bucket
    monkeypatch.setattr(
        type(stored), "bucket", lambda self, number, only=None: (read.append(only), bucket(self, number, only))[1]
    )
    assert texts_in(stored, [column], FeatureSettings(), cutoff=cutoff)(column) == counted
    assert all(set(only) == {"surveys"} for only in read)
