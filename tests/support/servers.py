"""Real servers on loopback that tests start for themselves."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's own programs, None where it is not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else [Path(each) for each in sorted(glob("/usr/lib/postgresql/*/bin"))]
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL server of its own and give its address; it refuses to run as root, so it runs as another user then."""
    programs, port = postgres_programs(), free_port()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)

    def run(*words: str) -> None:
        done = subprocess.run(words, user=user, cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr + done.stdout

    data = str(folder / "data")
    (folder / "word").write_text("s3cret")
    os.chmod(folder / "word", 0o644)
    run(str(programs / "initdb"), "-D", data, "-U", "ann", "-A", "password", f"--pwfile={folder / 'word'}", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run(str(programs / "pg_ctl"), "-D", data, "-o", options, "-w", "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql://ann:s3cret@127.0.0.1:{port}/postgres"
    finally:
        run(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


class _Store(BaseHTTPRequestHandler):
    """Answers as an S3 store does to reading: HEAD, GET with a range, and a list of keys."""

    folder: Path

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _object(self) -> bytes | None:
        path = self.folder / unquote(urlsplit(self.path).path).strip("/")
        return path.read_bytes() if path.is_file() else None

    def _answer(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), "ETag": '"1"', **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Last-Modified", "Wed, 01 Jan 2025 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        """Say how long an object is."""
        content = self._object()
        self._answer(404, b"") if content is None else self._answer(200, content)

    def do_GET(self) -> None:
        """Give an object, a range of it, or the list of keys below a prefix."""
        asked = parse_qs(urlsplit(self.path).query)
        if "list-type" in asked:
            self._list(asked.get("prefix", [""])[0])
            return
        content = self._object()
        if content is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        if not wanted:
            self._answer(200, content)
            return
        first, _, last = wanted.partition("-")
        part = content[int(first) : int(last) + 1 if last else None]
        self._answer(206, part, Content_Range=f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}")

    def _list(self, prefix: str) -> None:
        bucket = urlsplit(self.path).path.strip("/")
        home = self.folder / bucket
        keys = [file.relative_to(home).as_posix() for file in sorted(home.rglob("*")) if file.is_file()]
        listed = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{(home / key).stat().st_size}</Size>"
            "<LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in keys
            if key.startswith(prefix)
        )
        body = f'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>'
        self._answer(200, body.encode(), Content_Type="application/xml")


@contextmanager
def object_store(folder: Path) -> Iterator[str]:
    """Serve a folder, whose folders are buckets, and give the options of an address that lead there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Store", (_Store,), {"folder": folder}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"?endpoint_override=127.0.0.1:{server.server_port}&scheme=http&region=us-east-1"
    finally:
        server.shutdown()
        server.server_close()
