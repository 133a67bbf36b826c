"""Whatever stands in exabgp.conf: it is read, or refused with what to do; never a traceback."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speaker.errors import SpeakerError
from speaker.migration.healthcheck import command
from speaker.migration.options import parse
from tests.unit.migration.healthcheck.shapes import SHAPES

WORDS = sorted({word for shape in SHAPES.values() for word in re.split(r"([\s;{}])", shape.text)})
ODD = st.sampled_from(
    [*("", "0", "-1", "1e400", "nan", "9" * 40, "é", "\x1b", "\0", '"', "'", "\\", "{address}")]
    + [*("all", "::/0", "0.0.0.0/0", "10.0.0.0/8", "64699 64699", "no-export", "65536:1", "*")]
    + [f"--{option}" for option in ("ip", "config", "start-ip", "increase", "neighbor", "disable")]
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Draw a site's file in which some words are others."""
    words = re.split(r"([\s;{}])", draw(st.sampled_from([*SHAPES.values()])).text)
    for _ in range(draw(st.integers(1, 4))):
        words[draw(st.integers(0, len(words) - 1))] = draw(ODD | st.sampled_from(WORDS))
    return "".join(words)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=texts())
def test_any_input(text: str) -> None:
    """An import ends with an exit status, or an error that names its file, or a VIP."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "par1.conf"
        file.write_text(text, "utf-8")
        words = ["--healthcheck", f"par1={file}", "--out", f"{folder}/out", "--force"]
        try:
            status = command.run(parse(words), lambda program: f"/usr/bin/{program}")
        except SpeakerError:
            status = 255
        assert status in (0, 2, 255)
        assert (status == 255) is not (Path(folder) / "out").exists()
