"""Which times are which, told by their order and by where they lie."""

from __future__ import annotations

from dataclasses import replace

from staypower.proposal.facts import ColumnFacts, FileFacts
from staypower.proposal.links import Link
from staypower.proposal.moments import Clock
from staypower.proposal.shapes import asks, by_shape, is_list_of_contracts, own_time, plausible_times

ACCOUNT = ColumnFacts("konto", 100, 20, words={})
UNTIL = 20_000.0


def time(name, *, filled=100, clock=False, middle=19_500.0, distinct=90, numbers=0):
    clock = Clock({(None, hour): 9 for hour in range(6)}) if clock else None
    return ColumnFacts(name, filled, distinct, numbers=numbers, times=(name,), clock=clock, middle=middle, last=middle + 300)


def number(name, distinct=50, low=0.0, high=900.0):
    return ColumnFacts(name, 100, distinct, numbers=100, wholes=100, low=low, high=high, number=name)


def file(*columns, rows=100, **after):
    pairs = {tuple(pair.split("__")): days for pair, days in after.items()}
    return FileFacts("f", {}, rows, (ACCOUNT, *columns), pairs)


def shaped(table, given, taken):
    named = {name: (0.9, given.column(column)) for name, column in taken.items()}
    each = ColumnFacts("konto", 100, 100) if table == "subscriptions" else ACCOUNT
    found = by_shape(table, given, Link(each), named, UNTIL)
    return {name: column.name for name, (_, column) in found.items()}


def test_a_total_is_known_at_the_end_of_what_it_adds_up():
    given = file(time("od"), time("do"), number("kwh"), od__do=30.0)
    assert own_time("usage", given, plausible_times(given, UNTIL)).name == "do"
    assert shaped("usage", given, {"at": "od"}) == {"at": "do", "quantity": "kwh"}
    # a session that begins and ends counts from its beginning
    session = file(time("od", clock=True), time("do", clock=True), number("km"), od__do=0.02)
    assert own_time("usage", session, plausible_times(session, UNTIL)).name == "od"
    assert shaped("usage", session, {"at": "od"}) == {"at": "od"}


def test_a_case_is_resolved_at_the_one_time_that_follows_by_hours():
    given = file(time("alpha", clock=True), time("beta", clock=True), alpha__beta=2.0)
    assert shaped("tickets", given, {"opened_at": "alpha"})["resolved_at"] == "beta"
    money = file(*given.columns[1:], ColumnFacts("price", 100, 60, numbers=100, wholes=10, number="price"), alpha__beta=2.0)
    assert "resolved_at" not in shaped("tickets", money, {"opened_at": "alpha"})


def test_an_end_that_most_have_yet_to_reach_is_that_of_the_term():
    given = file(time("start"), time("end", middle=UNTIL + 200), time("gone", filled=40))
    found = shaped("subscriptions", given, {"started_at": "start", "ended_at": "end"})
    assert (found["renews_at"], found["ended_at"]) == ("end", "gone")
    found = shaped("subscriptions", given, {"started_at": "start", "ended_at": "end", "cancel_requested_at": "gone"})
    assert (found["renews_at"], found["ended_at"]) == ("end", "gone")
    assert "cancel_requested_at" not in found
    past = file(time("start"), time("end"), time("gone", filled=40))
    assert shaped("subscriptions", past, {"started_at": "start", "ended_at": "end"})["ended_at"] == "end"


def test_births_copies_one_moment_and_plain_numbers_are_no_times_of_rows():
    births = time("born", middle=UNTIL - 12_000)
    given = file(births, time("updated"), time("x", distinct=1), time("nr", numbers=100), time("kept"))
    assert [column.name for column in plausible_times(given, UNTIL)] == ["kept"]
    assert [column.name for column in plausible_times(file(time("geboren")), None)] == []


def test_answers_under_a_question_and_the_two_times_of_a_form():
    question = number("How likely are you to tell a friend about us?", 11, 0, 10)
    given = file(question, time("shown", clock=True), time("sent back", clock=True), **{"shown__sent back": 0.01})
    found = shaped("surveys", given, {"answered_at": "shown"})
    assert (found["value"], found["sent_at"], found["answered_at"]) == (question.name, "shown", "sent back")


def test_answers_that_are_all_there_is():
    stars = number("zvezdy", 5, 1, 5)
    given = file(ColumnFacts("id", 100, 100), stars, time("kogda", clock=True))
    assert asks(given, Link(ACCOUNT))
    assert shaped("surveys", given, {"answered_at": "kogda"})["value"] == "zvezdy"
    # beside something else, or on no scale, numbers are amounts
    assert not asks(file(stars, ColumnFacts("kind", 100, 3, words={"a": 90, "b": 5, "c": 5})), Link(ACCOUNT))
    assert not asks(file(number("uses", 4, 1, 4)), Link(ACCOUNT))


def test_the_only_money_of_a_contract_is_what_it_costs():
    money = ColumnFacts("tarief", 100, 9, number="cast(replace(tarief, '$', '') as double)")
    given = file(time("start"), time("gone", filled=40), money)
    assert shaped("subscriptions", given, {"started_at": "start", "ended_at": "gone"})["mrr"] == "tarief"
    yearly = file(time("start"), time("gone", filled=40), replace(money, name="per jaar"))
    assert shaped("subscriptions", yearly, {"started_at": "start", "ended_at": "gone"})["arr"] == "per jaar"


def test_a_list_of_contracts_has_its_own_ids_first_and_ends():
    contract, account = ColumnFacts("sa_id", 100, 100), ColumnFacts("acct", 100, 100)
    given = FileFacts("agreements", {}, 100, (contract, account, time("start"), time("stop", filled=30)))
    assert is_list_of_contracts(given, Link(account, master=True))
    assert not is_list_of_contracts(given, Link(contract, master=True))
    named = FileFacts("customers", {}, 100, given.columns)
    assert not is_list_of_contracts(named, Link(account, master=True))


def test_lines_of_one_order_share_its_id_and_its_moment():
    at = time("when", clock=True, distinct=70)
    given = file(at, ColumnFacts("receipt", 100, 70), ColumnFacts("shelf", 100, 66))
    assert shaped("orders", given, {"at": "when"})["order_id"] == "receipt"
    assert "order_id" not in shaped("orders", file(at, ColumnFacts("shelf", 100, 60)), {"at": "when"})
