"""A small stand-in for the hub: serves folders over HTTP as far as snapshot_download asks for them.

hub = Hub({"author/model": Path("folder")})      hub.url for HF_ENDPOINT; hub.asked: the paths that came
"""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """`gated`: names that want terms accepted. `sizes`: sizes that are claimed of files instead of their own. `cut`: files
    whose connection breaks off half way, so many times.
    """

    def __init__(self, models: dict[str, Path]) -> None:
        self.models, self.gated, self.sizes, self.cut, self.asked = models, set(), {}, {}, []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def do_GET(self) -> None:
                hub.answer(self, body=True)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        path = unquote(urlsplit(request.path).path)
        self.asked.append(f"{request.command} {path}")
        words = path.strip("/").split("/")
        api = words[:2] == ["api", "models"]
        name = "/".join(words[2:4] if api else words[:2])
        if name in self.gated:
            return _send(request, 403, b"", {"X-Error-Code": "GatedRepo"}, body)
        if name not in self.models:
            return _send(request, 404, b"", {"X-Error-Code": "RepoNotFound"}, body)
        folder = self.models[name]
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        if api and words[4:5] == ["tree"]:
            listed = [
                {"type": "file", "oid": _oid(file), "size": self._size(file), "path": str(file.relative_to(folder))}
                for file in files
            ]
            return _send(request, 200, json.dumps(listed).encode(), {}, body)
        if api:
            about = {
                "id": name,
                "sha": COMMIT,
                "siblings": [
                    {"rfilename": str(f.relative_to(folder)), "size": self._size(f), "blobId": _oid(f)} for f in files
                ],
            }
            return _send(request, 200, json.dumps(about).encode(), {}, body)
        file = folder.joinpath(*words[4:])
        if not file.is_file():
            return _send(request, 404, b"", {"X-Error-Code": "EntryNotFound"}, body)
        data, headers, status = file.read_bytes(), {"X-Repo-Commit": COMMIT, "ETag": f'"{_oid(file)}"'}, 200
        if (given := request.headers.get("Range")) and given.startswith("bytes="):
            start = int(given.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            data, status = data[start:], 206
        broken = body and self.cut.get(file.name, 0) > 0
        if broken:
            self.cut[file.name] -= 1
        return _send(request, status, data, headers, body, len(data) // 2 if broken else None)

    def _size(self, file: Path) -> int:
        return self.sizes.get(file.name, file.stat().st_size)


def _oid(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()


def _send(
    request: BaseHTTPRequestHandler, status: int, data: bytes, headers: dict, body: bool, cut: int | None = None
) -> None:
    request.send_response(status)
    for key, value in {"Content-Length": str(len(data)), "Content-Type": "application/json", **headers}.items():
        request.send_header(key, value)
    request.end_headers()
    if body:
        request.wfile.write(data[:cut])
    if cut is not None:
        request.close_connection = True
