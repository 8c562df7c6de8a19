"""What words mean is told by the words beside them, and only where they say it."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files

import pytest
import yaml

from staypower.proposal.facts import ColumnFacts, FileFacts, words_of
from staypower.proposal.states import failures, kept_rows, means_period, means_term, period_words, status_words


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ({"Paid": 8, "Not paid": 1}, {"Paid": "paid", "Not paid": "failed"}),
        ({"Cobrada": 8, "Devuelta": 1}, {"Cobrada": "paid", "Devuelta": "failed"}),
        ({"Ikke betalt": 1, "Betalt": 8}, {"Ikke betalt": "failed", "Betalt": "paid"}),
        ({"opłacona": 8, "zwrócona": 1}, {"opłacona": "paid", "zwrócona": "refunded"}),
        # the other outcome, whatever it is called
        ({"geslaagd": 8, "gestorneerd": 1}, {"geslaagd": "paid", "gestorneerd": "failed"}),
        # not where the word of failure may be that of anything open, nor where others are commoner or more
        ({"erledigt": 8, "offen": 1}, {}),
        ({"gold": 3, "failed": 8}, {}),
        ({"north": 8, "south": 9, "failed": 1}, {}),
        ({"north": 8, "south": 9}, {}),
    ],
)
def test_words_of_payments(words, wanted):
    assert status_words(ColumnFacts("s", sum(words.values()), len(words), words=words)) == wanted


@pytest.mark.parametrize(
    ("words", "read", "written"),
    [
        (["monthly", "yearly"], True, ""),
        (["maand", "jaar"], True, "case p when 'maand' then 'monthly' when 'jaar' then 'annual' end"),
        (["per trimestre", "al mese"], True, "case p when 'per trimestre' then 'quarterly' when 'al mese' then 'monthly' end"),
        (["grow-monthly", "scale-yearly"], False, None),
        (["12 months", "24 months"], False, None),
        (["red", "blue"], False, None),
    ],
)
def test_periods(words, read, written):
    facts = ColumnFacts("p", 4, len(words), words=dict.fromkeys(words, 2))
    assert means_period(facts) is read
    if read:
        assert period_words(facts) == written


def test_months_of_a_contract_are_no_money():
    assert means_term(ColumnFacts("Engagement (mois)", 9, 3, numbers=9, wholes=9, words={"0": 3, "12": 3, "24": 3}))
    assert not means_term(ColumnFacts("Prix par mois", 9, 2, numbers=9, wholes=9, words={"29": 3, "49": 6}))
    assert not means_term(ColumnFacts("Monatspreis", 9, 1, numbers=9, wholes=9, words={"499,00": 9}))


def file(*columns):
    return FileFacts("f", {}, 9, columns)


def test_rows_that_a_flag_takes_out():
    deleted = ColumnFacts("_fivetran_deleted", 9, 2, words={"false": 8, "true": 1}, kind="flag")
    assert kept_rows(file(deleted), "tickets") == "not _fivetran_deleted"
    text = ColumnFacts("Is Deleted", 9, 2, words={"N": 8, "Y": 1})
    assert kept_rows(file(text), "tickets") == "\"Is Deleted\" = 'N'"
    number = ColumnFacts("deleted", 9, 2, numbers=9, wholes=9, words={"0": 8, "1": 1}, kind="number")
    assert kept_rows(file(number), "tickets") == "deleted = 0"
    # one word in all rows takes nothing out, and who came counts for uses only
    assert kept_rows(file(ColumnFacts("deleted", 9, 1, words={"N": 9})), "tickets") == ""
    state = ColumnFacts("status", 9, 3, words={"attended": 7, "no_show": 1, "late_cancelled": 1})
    assert kept_rows(file(state), "usage") == "status = 'attended'"
    assert kept_rows(file(state), "orders") == ""


def test_a_flag_of_returned_payments():
    flag = ColumnFacts("NSF_FLG", 9, 2, words={"N": 8, "Y": 1})
    assert failures(file(flag)) == "case NSF_FLG when 'Y' then 'failed' when 'N' then 'paid' end"
    assert failures(file(ColumnFacts("gift_flg", 9, 2, words={"N": 8, "Y": 1}))) == ""


def test_letters_that_are_no_accents_are_written_out():
    assert words_of("Ophørsårsag") == "ophorsarsag"
    assert words_of("Opłata Łódź") == "oplata lodz"


def test_no_word_stands_for_two():
    read = yaml.safe_load(files("staypower.proposal").joinpath("synonyms.yaml").read_text(encoding="utf-8"))
    listed = [word.strip() for words in read.values() for word in words.split(",")]
    assert [word for word, times in Counter(listed).items() if times > 1] == []
    assert [word for word in listed if words_of(word) != word] == []
