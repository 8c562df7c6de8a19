"""A canary in every place where an address may stand: no command shows or keeps it, whether it succeeds or fails."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from command_line import run
from depth import DEEP
from servers import free_port, object_store
from tiny_company import tiny_company, tiny_orders

from staypower.cli.commands import app

CANARY = "c4n4ry0f55"
pytestmark = pytest.mark.filterwarnings("ignore")

# every command, with the options that it needs and those that take a place
WORDS = {
    "check": ["", "--all"],
    "features": ["", "--build", "--build -o {output}"],
    "train": [""],
    "tune": ["--trials 2"],
    "evaluate": [""],
    "backtest": ["--folds 1"],
    "score": ["", "-o {output}", "--model {output}", "--previous {output}"],
    "explain": ["", "--account c001"],
    "actions": ["", "-o {output}"],
    "audit": [""],
    "monitor": [""],
    "portfolio": [""],
    "report": ["", "-o {output}"],
    "models list": [""],
    "models promote": ["1"],
    "models rollback": [""],
    "models verify": ["1"],
    "models log": [""],
    "config show": [""],
}
WITHOUT_CONFIG = {"demo", "init"}


def commands(of: typer.Typer = app, before: str = "") -> Iterator[str]:
    """Name every command that there is."""
    for one in of.registered_commands:
        yield before + (one.name or one.callback.__name__)
    for group in of.registered_groups:
        yield from commands(group.typer_instance, f"{group.name} ")


# a command that stands in no list is driven, too
EVERY = {name: WORDS.get(name, [""]) for name in commands() if name not in WITHOUT_CONFIG}


def test_the_words_are_those_of_commands():
    assert set(WORDS) <= set(EVERY)


class Watch:
    """Drives commands and looks for the canary in what they show, log and leave."""

    def __init__(self, folder: Path, capture, log) -> None:
        self.folder, self.capture, self.log = folder, capture, log
        self.codes: dict[str, int] = {}

    def drive(self, line: str) -> int:
        code, out, err = run(*shlex.split(line))
        printed = self.capture.readouterr()
        shown = "\n".join((out, err, printed.out, printed.err, self.log.text))
        assert "Traceback" not in err, (line, err)
        assert CANARY not in shown, (line, shown[max(0, shown.find(CANARY) - 300) :][:600])
        self.codes[line] = code
        return code

    def search(self) -> None:
        for file in self.folder.rglob("*"):
            if file.is_file() and file.name != "staypower.yaml":
                assert CANARY.encode() not in file.read_bytes(), file
            assert CANARY not in str(file.relative_to(self.folder)), file


@pytest.fixture
def watch(tmp_path, capfd, caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    return Watch(tmp_path, capfd, caplog)


def test_successes_with_secrets_in_every_address(watch, tmp_path_factory, monkeypatch):
    """The source is an object store with its keys in the address, from a variable; the tracking server is gone."""
    store = tmp_path_factory.mktemp("store")
    (store / "bucket").mkdir()
    tiny_orders().to_csv(store / "bucket" / "orders.csv", index=False)
    config = tiny_company(watch.folder / "home")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{CANARY}@127.0.0.1:{free_port()}/x?token={CANARY}")
    with object_store(store) as options:
        monkeypatch.setenv("ORDERS", f"s3://AKIAXYZ:{CANARY}@bucket/orders.csv{options}")
        config.write_text(config.read_text().replace("source: orders.csv", 'source: "${ORDERS}"'))
        for command, cases in EVERY.items():
            for case in cases:
                if "{output}" not in case:
                    watch.drive(f"{command} -c {config} {case}")
        watch.drive(f"config show -c {config} --json")
        watch.drive(f"score -c {config} --json --output scored.csv")
        watch.drive(f"init {store} --output {watch.folder / 'proposed.yaml'}")
        watch.search()
        done = {line.split(" -")[0] for line, code in watch.codes.items() if code == 0}
        assert done >= {
            "check",
            "features",
            "train",
            "models verify",
            "models promote",
            "score",
            "explain",
            "actions",
            "report",
            "models list",
            "config show",
        }


ADDRESSES = (
    "postgresql://ann:{canary}@127.0.0.1:{port}/db",
    "postgresql://127.0.0.1:{port}/db?user=ann&password={canary}",
    "s3://AKIAXYZ:{canary}@bucket/x.csv?scheme=http&endpoint_override=127.0.0.1:{port}&region=us-east-1",
    "mysql://ann:{canary}@127.0.0.1:{port}/db",
    "host=127.0.0.1 port={port} password={canary}",
)


@pytest.mark.parametrize("number", range(len(ADDRESSES)))
def test_failures_with_secrets_in_every_address(watch, number, monkeypatch):
    """Sources, outputs and stores that cannot be reached or do not exist."""
    address = ADDRESSES[number].format(canary=CANARY, port=free_port())
    config = tiny_company(watch.folder / "home")
    common, quoted = f"-c {config} --quiet", shlex.quote(address)
    sourced = f"{common} --set {shlex.quote(f'tables.orders.source={address}')}"
    tracked = shlex.quote(f"tracking.uri={address}")
    # a store that is gone is asked several times before it is given up
    reading = ("check", "config show") if address.startswith("s3") and not DEEP else ("check", "train", "score", "config show")
    for command in reading:
        watch.drive(f"{command} {sourced}")
    if number == 0:
        watch.drive(f"train {common}")
    for command, cases in EVERY.items():
        for case in cases:
            if "{output}" in case:
                watch.drive(f"{command} {common} {case.format(output=quoted)}")
    for place in ("output.folder", "models_folder", "playbook", "tracking.folder", "tables.orders.format", "name", "nothing"):
        watch.drive(f"models list {common} --set {shlex.quote(f'{place}={address}')}")
    watch.drive(f"models log {common} --set {tracked}")
    watch.drive(f"init {quoted} -o {watch.folder / 'proposed.yaml'}")
    watch.drive(f"check -c {quoted}")
    config.write_text(config.read_text().replace("source: orders.csv", f"source: {address!r}, sorce: {address!r}"))
    watch.drive(f"check {common}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    watch.drive(f"models log {common}")
    watch.search()
