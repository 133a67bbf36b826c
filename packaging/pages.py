"""Write the completions and man pages of both commands, and vip.toml's JSON schema, from what reads them.

`python packaging/pages.py OUT` makes OUT/completion/SHELL/NAME, OUT/man/NAME.SECTION and OUT/vip.toml.schema.json. With Sphinx,
docs/configuration.md is vip.toml(5) besides.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import shtab
from argparse_manpage.manpage import Manpage

from speaker.cli.commands import ADD, COMMANDS, DELETE, IMPORT, OPTIONS, whole_parser
from speaker.config.json_schema import json_schema
from speaker.migration.options import import_parser
from speaker.vip_watchdog import watchdog_parser

SOURCE = Path(__file__).parents[1]

SHELLS = {"bash": "{}", "zsh": "_{}", "fish": "{}.fish"}
"""Those that are written, and the name of a command's file."""
TAKES_FILES = frozenset({"check", "compare", IMPORT})
VIPS, DCS, PEERS, REPORTS, PAST = (
    shtab.cmd(f"vip_mgmt --names {kind} 2>/dev/null")
    for kind in ("vip", "dc", "peer", "report", "history")
)


def main() -> int:
    """Write all of them."""
    out = Path(sys.argv[1])
    for section, parser in ((1, parser_of_vip_mgmt()), (8, watchdog_parser())):
        complete(out / "completion", parser)
        titles = {"project_name": "vip-speaker", "manual_title": "vip-speaker"}
        page = Manpage(parser, {**titles, "manual_section": section})
        _write(out / f"man/{parser.prog}.{section}", str(page))
    configuration(out / "man")
    _write(out / "vip.toml.schema.json", json.dumps(json_schema(), indent=2) + "\n")
    return 0


def parser_of_vip_mgmt() -> argparse.ArgumentParser:
    """Return the parser of all commands, which knows what its words and options stand for."""
    parser = whole_parser()
    for option in OPTIONS:
        if {ADD, DELETE} & {*option.commands}:
            option.add(parser)
    (group,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001 - as shtab does
    group.choices[IMPORT] = import_parser()
    for name, of in ((parser.prog, parser), *group.choices.items()):
        for action in of._actions:  # noqa: SLF001 - as shtab does
            found = _meaning(name, action)
            if found is not None:
                if action.help == argparse.SUPPRESS:
                    action.help = str(action.metavar)
                action.complete = found  # where shtab looks for it
    return parser


def _meaning(command: str, action: argparse.Action) -> object:
    """Return what completes an argument, None where nothing does."""
    match action.dest:
        case "config" | "exabgp":
            return shtab.FILE
        case "out":
            return shtab.DIRECTORY
        case "without" | "local_from_kernel" | "at":
            return DCS
        case "peer_as":
            return PEERS
        case "words" | "files" if command in TAKES_FILES:
            return shtab.FILE
        case "words" if command == "report":
            return REPORTS
        case "words" if command == "history":
            return PAST
        case "words" if COMMANDS[command].words:
            return VIPS
        case "a" | "d":
            return VIPS
    return None


def complete(folder: Path, parser: argparse.ArgumentParser) -> None:
    """Write the completions of a command."""
    for shell, name in SHELLS.items():
        _write(folder / shell / name.format(parser.prog), shtab.complete(parser, shell))


def configuration(folder: Path) -> None:
    """Write vip.toml(5), where there is a Sphinx: docs/conf.py names its page."""
    if importlib.util.find_spec("sphinx") is not None:
        argv = [sys.executable, "-m", "sphinx", "-q", "-b", "man", "-c", f"{SOURCE}/docs"]
        subprocess.run([*argv, f"{SOURCE}", f"{folder}"], check=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
