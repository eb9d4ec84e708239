"""Stop `snapseek serve` and `snapseek search` hundreds of times at random moments, and count bad ends.

    python -m benches.stops LIBRARY --stops 200

Each process gets SIGINT or SIGTERM while it starts, while it idles, or while four clients search by words and
by pictures; half of them get a second signal up to half a second later. A bad end is one by SIGABRT or
SIGSEGV, a traceback, a message of the C++ runtime, or none within 30 seconds.
"""

import argparse
import base64
import collections
import http.client
import io
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

from PIL import Image

PATIENCE_S = 30.0
START_S = 4.0
WORDS = ("dog", "red car", "beach at night", "two boats", "snow", "a face", "green tree", "city street")
BAD_WORDS = ("terminate called", "Traceback", "Fatal Python error", "panicked", "Exception ignored")


def picture_body() -> bytes:
    """A search by a picture of noise."""
    stream = io.BytesIO()
    Image.frombytes("RGB", (640, 480), random.randbytes(640 * 480 * 3)).save(stream, "JPEG")
    image = base64.b64encode(stream.getvalue()).decode()
    return json.dumps({"terms": [{"image": image}], "limit": 60}).encode()


def ask_until_closed(url: str, seed: int) -> None:
    """Search one query after another until the server no longer answers."""
    rng = random.Random(seed)
    address = urlsplit(url)
    body = picture_body()
    with suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        while True:
            words = quote(f"{rng.choice(WORDS)} {rng.randrange(10**6)}")
            if seed % 2:
                connection.request("POST", "/api/search", body, {"content-type": "application/json"})
            else:
                connection.request("GET", f"/api/search?q={words}&limit=60&exact=1")
            connection.getresponse().read()


def start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as errors:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)


def url_in(log: Path, process: subprocess.Popen[bytes]) -> str | None:
    """The address that the server prints, None if it ends before."""
    while process.poll() is None:
        if found := re.search(r"http://\S+", log.read_text(errors="replace")):
            return found.group()
        time.sleep(0.01)
    return None


def stop_once(library: str, moment: str, sent: signal.Signals, log: Path, rng: random.Random) -> str | None:
    """Start one process, stop it; the description of a bad end, or None."""
    words = ["search", rng.choice(WORDS), "--library", library] if moment == "search" else ["serve", library]
    words += [] if moment == "search" else ["--port", "0"]
    process = start([sys.executable, "-m", "snapseek", *words], log)
    clients: list[threading.Thread] = []
    try:
        if moment in ("starting", "search"):
            time.sleep(rng.uniform(0, START_S))
        elif url := url_in(log, process):
            if moment == "searching":
                clients = [threading.Thread(target=ask_until_closed, args=(url, n)) for n in range(4)]
                for client in clients:
                    client.start()
            time.sleep(rng.uniform(0, 0.5))
        process.send_signal(sent)
        if rng.random() < 0.5:
            time.sleep(rng.uniform(0, 0.5))
            process.send_signal(sent)
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            return f"{moment} {sent.name}: did not end in {PATIENCE_S:.0f} s: {log.read_text()[-300:]!r}"
    finally:
        process.kill()
        process.wait()
        for client in clients:
            client.join()
    output = log.read_text(errors="replace")
    if "Failed to import the site module" in output:
        return None  # Python itself had not started yet
    is_bad = code not in (0, 1, 130, -sent) or any(word in output for word in BAD_WORDS)
    return f"{moment} {sent.name}: exit code {code}: {output[-300:]!r}" if is_bad else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("library")
    parser.add_argument("--stops", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--moments", default="idle,searching,starting,search,searching")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    moments = options.moments.split(",")
    stops: collections.Counter[str] = collections.Counter()
    bad: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.stops):
            moment = moments[number % len(moments)]
            sent = rng.choice((signal.SIGINT, signal.SIGTERM))
            end = stop_once(options.library, moment, sent, Path(folder) / "stderr", rng)
            stops[moment] += 1
            if end:
                bad.append(end)
                print(f"{number}: {end}", flush=True)
    print(f"{len(bad)} bad ends in {options.stops} stops: {dict(stops)}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
