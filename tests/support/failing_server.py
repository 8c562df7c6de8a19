"""A process that runs commands in copies of itself, in which the n-th change of a file below a folder fails.

Reads one JSON request a line, `{"words", "root", "at", "onwards"}`. Answers with three lines: `{"pid"}` of the copy as it
begins; `{"code", "out", "err", "count", "failed"}` when it ends by itself; `{"status"}`. What takes long to import is
imported once. Nothing fails without `nth_failure.c` preloaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")


def _run(words: list[str]) -> int:
    from staypower.cli.commands import app

    try:
        return int(app(words, prog_name="staypower", standalone_mode=False) or 0)
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:
        return int(getattr(error, "exit_code", 99))


def _child(asked: dict, out: int) -> None:
    shim = ctypes.CDLL(None) if "nth_failure" in os.environ.get("LD_PRELOAD", "") else None
    shown, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(said):
        if shim:
            shim.nth_arm(asked["root"].encode(), ctypes.c_long(asked["at"]), int(asked["onwards"]))
        code = _run(asked["words"])
        if shim:
            shim.nth_disarm()
    answer = {"code": code, "out": shown.getvalue()[-2000:], "err": said.getvalue()[-4000:], "count": 0, "failed": ""}
    if shim:
        shim.nth_failed.restype, shim.nth_count.restype = ctypes.c_char_p, ctypes.c_long
        answer |= {"count": shim.nth_count(), "failed": shim.nth_failed().decode()}
    os.write(out, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Import what commands need, say so, and answer requests until the end of input."""
    import staypower.pipelines.models
    import staypower.pipelines.report
    import staypower.pipelines.score
    import staypower.pipelines.train
    import staypower.tracking.tracker  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            out = os.dup(1)
            devnull = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(devnull, number)
            try:
                _child(json.loads(line), out)
            finally:
                os._exit(0)
        print(json.dumps({"pid": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
