"""Run as the first process of a container in all but name: starts what the image starts, uses it, ends it.

    container_process.py PHOTO PHOTO ENTRYPOINT... -- COMMAND...

Prints what it saw as JSON. It uses nothing but Python's own library.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

SECONDS = 60


def main(first, second, *words):
    split = words.index("--")
    entrypoint, command = list(words[:split]), list(words[split + 1 :])
    seen = {"user": [os.getuid(), os.getgid()], "interfaces": [name for _, name in socket.if_nameindex()]}
    seen["written"] = [place for place in ("/x", "/etc/x", "/opt/recognizer/x", "/tmp/x", "/data/x") if _writes(place)]
    refused = subprocess.run([*entrypoint, *command], capture_output=True, text=True, timeout=SECONDS)
    seen["without_a_key"] = [refused.returncode, refused.stderr]
    key = _run(*entrypoint, "keys", "create", "first admin", "--role", "admin").stdout.strip()
    with Path("/data/out").open("wb") as out, Path("/data/err").open("wb") as err:
        service = subprocess.Popen([*entrypoint, *command], stdout=out, stderr=err)
    try:
        seen["before"] = subprocess.run([*entrypoint, "health"], capture_output=True).returncode
        seen["ready"] = _becomes_ready(entrypoint, service)
        seen["nobody"] = _ask("search", second, "rk_nobody")[0]
        seen["enrolled"] = _ask("people/Ann/photos", first, key)
        seen["found"] = _ask("search", second, key)
        began = time.monotonic()
        service.send_signal(signal.SIGTERM)
        seen["ended"] = [service.wait(SECONDS), time.monotonic() - began]
    finally:
        service.kill()
    seen["key"] = key
    for name in ("out", "err"):
        seen[name] = Path("/data", name).read_text(encoding="utf-8")
    seen["data"] = sorted(path.name for path in Path("/data").iterdir())
    print(json.dumps(seen))


def _writes(place):
    try:
        Path(place).write_bytes(b"")
        Path(place).unlink()
    except OSError:
        return False
    return True


def _run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)


def _becomes_ready(entrypoint, service):
    """What the health command says once the service answers."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and service.poll() is None:
        try:
            urllib.request.urlopen("http://127.0.0.1:8000/v1/ready", timeout=SECONDS).close()
            return _run(*entrypoint, "health").stdout
        except OSError:
            time.sleep(0.1)
    return None


def _ask(path, photo, key):
    """Post a photo as a form; the answer's status and body."""
    head = b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\nContent-Type: image/jpeg\r\n\r\n'
    request = urllib.request.Request(
        f"http://127.0.0.1:8000/v1/{path}", head + Path(photo).read_bytes() + b"\r\n--b--\r\n",
        {"Content-Type": "multipart/form-data; boundary=b", "Authorization": f"Bearer {key}"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return [answer.status, json.load(answer)]
    except urllib.error.HTTPError as error:
        return [error.code, json.load(error)]


if __name__ == "__main__":
    main(*sys.argv[1:])
