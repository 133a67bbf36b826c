"""The end of a process one of whose threads is still at work."""

import subprocess
import sys

PROGRAM = """
import threading, time
from typing import Annotated
from pydantic import BeforeValidator, TypeAdapter
from speaker import interpreter
checks = threading.Event()
def check(value):
    checks.set()
    while True:
        time.sleep(0.0001)
checked = TypeAdapter(Annotated[int, BeforeValidator(check)])
threading.Thread(target=checked.validate_python, args=(1,), daemon=True).start()
checks.wait()
interpreter.leave(3)
"""


def test_a_thread_that_checks_a_value() -> None:
    """A process ends with the status that it is given, without a word, whatever its threads do."""
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (3, "")


COMMAND = """
import gc, sys
from speaker.vip_mgmt import main
sys.argv = ["vip_mgmt", "--help"]
main()
sys.exit(gc.isenabled() or not gc.get_freeze_count())
"""


def test_garbage_of_a_command() -> None:
    """A command, which is soon over, looks for no garbage, at its end neither."""
    ended = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, check=False)
    assert ended.returncode == 0
