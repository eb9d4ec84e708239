"""snapseek.models.onnx.session: no thread is inside ONNX Runtime when the interpreter ends."""

import subprocess
import sys
import threading

from snapseek.models.onnx.session import NativeCalls

PROGRAM = """
import threading
from PIL import Image
from snapseek.models import Encoder

encoder = Encoder.load("starter")
pictures = [Image.new("RGB", (256, 256))] * 8
is_running = threading.Event()

def embed():
    while True:
        encoder.embed_images(pictures)
        is_running.set()

for _ in range(2):
    threading.Thread(target=embed, daemon=True).start()
is_running.wait(60)
"""


def test_a_process_with_threads_in_a_model_ends_in_order():
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_close_waits_for_running_calls_and_blocks_new_ones():
    calls = NativeCalls()
    entered, leave, second = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with calls:
            entered.set()
            leave.wait(60)

    def late() -> None:
        with calls:
            second.set()

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait(60)
    threading.Timer(0.05, leave.set).start()
    closer = threading.Thread(target=calls.close)
    closer.start()
    closer.join(60)
    assert leave.is_set()
    threading.Thread(target=late, daemon=True).start()
    assert not second.wait(0.1)
    with calls:  # the main thread may still have to finish its own work
        pass
    calls.reset()
    thread.join()
