"""Completions and man pages: made of what parses the command lines, and a shell completes names by them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speaker.cli.commands import COMMANDS, OPTIONS
from speaker.migration.options import import_parser
from speaker.vip_watchdog import watchdog_parser

SOURCE = Path(__file__).parents[2]
FILE = """
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
[peer."203.0.113.1"]
prepends = 1
[report.shop]
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
[vip."vip-2.tld"]
addresses = ["192.0.2.2"]
[vip."$(touch hacked)"]
addresses = ["192.0.2.3"]
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that packaging/pages.py writes."""
    out = tmp_path_factory.mktemp("pages")
    argv = [sys.executable, f"{SOURCE}/packaging/pages.py", f"{out}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


BASH = """
. "$1/bash/vip_mgmt"
COMP_WORDS=($2) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shtab_vip_mgmt
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = """
set -p fish_complete_path "$argv[1]/fish"
complete -C "$argv[2]" | string replace -r '\\t.*' ''
"""
ZSH = """
zmodload zsh/zpty
export FILES=$1 TYPED=$2 SAID=$3 TERM=dumb
print -r -- "$4" >$3.rc
zpty shell zsh -f
zpty -w shell 'source $SAID.rc'
zpty -w -n shell $'\\x18'
zpty -r shell shown '*<end>*' || print -r -- "$shown" >&2
cat $SAID
"""
"""zsh completes only what is typed at a terminal: it is given one, and the key that shows what it would insert."""
IN_ZSH = """
fpath=($FILES/zsh $fpath)
autoload -U compinit
compinit -D -u
compadd() {
    builtin compadd "$@"
    local status_of=$? found
    [[ ${@[1,(i)(-|--)]} == *-[OAD]* ]] && return status_of
    builtin compadd -A found "$@"
    print -rl -- $found >>$SAID
    return status_of
}
completed() {
    BUFFER=$TYPED CURSOR=$#TYPED
    zle complete-word
    print -n '<''end>'
}
zle -N completed
bindkey '^X' completed
"""


def shell_command(shell: str, files: Path, words: str, scratch: Path) -> list[str]:
    """Return what has a shell print what it completes, a line for each; `scratch` is a folder for its files."""
    match shell:
        case "bash":
            return ["bash", "-c", BASH, "bash", f"{files}", words]
        case "fish":
            return ["fish", "--no-config", "-c", FISH, f"{files}", words]
    return ["zsh", "-f", "-c", ZSH, "zsh", f"{files}", words, f"{scratch}/said", IN_ZSH]


def require_shell(shell: str) -> None:
    """Skip where a shell lacks; with CI=true, fail."""
    if shutil.which(shell) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"needs {shell}", pytrace=False)
        pytest.skip(f"needs {shell}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("vip_mgmt -d vip", {"vip-1.tld", "vip-2.tld"}),
        ("vip_mgmt -a a", {"all"}),
        ("vip_mgmt explain vip-2", {"vip-2.tld"}),
        ("vip_mgmt st", {"status"}),
        ("vip_mgmt plan --without l", {"lyo1"}),
        ("vip_mgmt compare --peer-as 203", {"203.0.113.1"}),
        ("vip_mgmt history --si", {"--since"}),
        ("vip_mgmt report s", {"shop"}),
        ("vip_mgmt history rep", {"report/shop"}),
    ],
)
def test_shells(
    pages: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    shell: str,
    words: str,
    found: set[str],
) -> None:
    """Each completes commands, options, VIPs and data centres of the machine's vip.toml, and runs nothing that stands in it."""
    require_shell(shell)
    (tmp_path / "vip.toml").write_text(FILE)
    scratch = tmp_path_factory.mktemp("shell")
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        shell_command(shell, pages / "completion", words, scratch),
        env={"PATH": path, "VIP_CONFIG": f"{tmp_path}/vip.toml", "HOME": f"{scratch}"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert {*done.stdout.split()} == found, done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["vip.toml"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command(pages: Path, shell: str) -> None:
    """Each shell's file knows every command and every option."""
    (text,) = (path.read_text() for path in (pages / "completion" / shell).glob("*vip_mgmt*"))
    for word in (*COMMANDS, "import", *(option.flag for option in OPTIONS)):
        assert word.lstrip("-") in text, word


def test_man(pages: Path) -> None:
    """The man page has every command with its options, and says what each does."""
    text = (pages / "man/vip_mgmt.1").read_text().replace("\\-", "-")
    for command in COMMANDS.values():
        assert command.help in text
        for option in OPTIONS:
            assert option.help in text or not option.commands
    assert (pages / "man/vip_watchdog.8").read_text().startswith(".TH VIP_WATCHDOG")


def test_docs() -> None:
    """README or docs/ name every command and every option of all three."""
    files = [SOURCE / "README.md", *(SOURCE / "docs").rglob("*.md")]
    text = "\n".join(file.read_text() for file in files)
    flags = {option.flag for option in OPTIONS}
    flags |= {
        flag
        for parser in (import_parser(), watchdog_parser())
        for action in parser._actions
        for flag in action.option_strings
        if flag.startswith("--") and flag != "--help"
    }
    assert len(flags) > 40
    assert not [flag for flag in flags if not re.search(rf"{flag}\b", text)]
    assert not [name for name in COMMANDS if not re.search(rf"vip_mgmt {name}\b", text)]
