"""Build dist/: the wheel, a Debian package, and vip_mgmt as a single file, for Debian 12 and 13 alike.

Package and file hold all that the program depends on, for the Pythons of both releases: their modules
are the same but for what is compiled, which has the Python's version in its name. So an upgrade of
Debian needs no other package. packaging/deb/postinst says how the package is put in place.

`./dev package` runs this; it needs a network, pip and dpkg-deb, and pex for the single file; no root.
"""

from __future__ import annotations

import filecmp
import gzip
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

SOURCE = Path(__file__).parents[1]
DEB = SOURCE / "packaging/deb"
PARTS = ("pyproject.toml", "README.md", "LICENSE", "policy", "speaker")
PYTHONS = ("3.11", "3.13")
"""Those of Debian 12 and 13."""
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
SHELLS = {
    "bash": "bash-completion/completions",
    "zsh": "zsh/vendor-completions",
    "fish": "fish/vendor_completions.d",
}
LIB = "usr/lib/vip-speaker"
PATHS = {
    "/opt/vip-speaker/bin/vip_": "/usr/sbin/vip_",
    "/opt/vip-speaker/bin/": "/usr/lib/vip-speaker/current/bin/",
    "/opt/vip-speaker/bin": "/usr/sbin",
    "docs/configuration.md has": "vip.toml(5) has",
    "docs/": "/usr/share/doc/vip-speaker/docs/",
    "packaging/exabgp.env": "/usr/lib/vip-speaker/exabgp.env",
    "EnvironmentFile=/etc/vip-speaker/exabgp.env": (
        "EnvironmentFile=/usr/lib/vip-speaker/exabgp.env\n"
        "# What differs here; it beats the package's.\n"
        "EnvironmentFile=-/etc/vip-speaker/exabgp.env"
    ),
}
"""What stands in the files of an installation without a package -> in this one's."""


def main() -> int:
    """Build all three, and print where they are."""
    dist = SOURCE / "dist"
    dist.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vip-speaker-") as name:
        folder = Path(name)
        wheel = build_wheel(folder, dist)
        architecture = run("dpkg", "--print-architecture").strip()
        modules = collect(folder / "modules", wheel, architecture)
        package = build_package(folder / "root", modules, wheel, architecture)
        made = [wheel, package, *build_single_file(modules, dist)]
    sys.stdout.writelines(f"{each}\n" for each in made)
    return 0


def build_wheel(folder: Path, dist: Path) -> Path:
    """Build the wheel from a copy of its sources: setuptools takes what an older build/ has besides."""
    made, source = folder / "wheel", folder / "source"
    source.mkdir()
    for name in PARTS:
        found = SOURCE / name
        (shutil.copytree if found.is_dir() else shutil.copy)(found, source / name)
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        *QUIET,
        "--no-deps",
        f"--wheel-dir={made}",
        f"{source}",
    )
    (wheel,) = made.iterdir()
    return Path(shutil.copy(wheel, dist))


def collect(folder: Path, wheel: Path, architecture: str) -> Path:
    """Collect the program and all that it depends on, for each Python, in one folder of modules.

    What two Pythons have under one name is the same, but for pip's notes on what it installed.
    """
    platform = PLATFORMS[architecture]
    platforms = [f"--platform=manylinux{each}_{platform}" for each in ("2014", "_2_17", "_2_28")]
    argv = [sys.executable, "-m", "pip", "install", *QUIET, "--no-compile", "--only-binary=:all:"]
    for python in PYTHONS:
        target = folder.with_name(f"python{python}")
        run(*argv, f"--python-version={python}", *platforms, f"--target={target}", f"{wheel}[grpc]")
        shutil.rmtree(target / "bin")
        for path in target.rglob("*"):
            other = folder / path.relative_to(target)
            is_note = any(part.endswith(".dist-info") for part in other.parts)
            if (
                path.is_file()
                and other.exists()
                and not is_note
                and not filecmp.cmp(path, other, shallow=False)
            ):
                sys.exit(f"package: {other}: differs between Python {' and '.join(PYTHONS)}")
        shutil.copytree(target, folder, dirs_exist_ok=True)
    return folder


def build_package(root: Path, modules: Path, wheel: Path, architecture: str) -> Path:
    """Build the package from a tree of its files."""
    version = wheel.name.split("-")[1]
    root.mkdir(mode=0o755)
    _environment(root / LIB / "unpacked", f"/{LIB}/{version}", modules)
    _files(root)
    _pages(root)
    size = sum(path.lstat().st_size for path in root.rglob("*")) // 1024
    values = {"VERSION": version, "ARCHITECTURE": architecture, "SIZE": str(size)}
    (root / "DEBIAN").mkdir()
    for name in ("control", "postinst", "prerm", "postrm", "triggers"):
        text = re.sub("@([A-Z]+)@", lambda match: values[match[1]], (DEB / name).read_text())
        _write(root / "DEBIAN" / name, text, 0o755 if text.startswith("#!") else 0o644)
    package = SOURCE / f"dist/vip-speaker_{version}_{architecture}.deb"
    run("dpkg-deb", "--root-owner-group", "--build", f"{root}", f"{package}")
    return package


def build_single_file(modules: Path, dist: Path) -> list[Path]:
    """Build vip_mgmt as a file that needs nothing but a Python, for a bastion; none without pex."""
    pex = Path(sys.executable).with_name("pex")
    if not pex.exists():
        return []
    made = dist / "vip_mgmt"
    argv = [f"--sources-directory={modules}", "--entry-point=speaker.vip_mgmt:main", "--venv"]
    run(f"{pex}", *argv, "--python-shebang=/usr/bin/env python3", f"--output-file={made}")
    return [made]


# --- the program -------------------------------------------------------------------------------------


def _environment(folder: Path, home: str, modules: Path) -> None:
    """Make a virtual environment that is one for each Python, as it will be in its home."""
    shutil.copytree(modules, folder / "lib/modules")
    for python in PYTHONS:
        (folder / f"lib/python{python}").mkdir()
        (folder / f"lib/python{python}/site-packages").symlink_to("../modules")
    _write(folder / "pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n")
    # Without it, ExaBGP advises at each start to make it.
    _write(folder / "etc/exabgp/exabgp.env", f"# ExaBGP's settings are in /{LIB}/exabgp.env.\n")
    (folder / "bin").mkdir()
    (folder / "bin/python3").symlink_to("/usr/bin/python3")
    for name, module, function in (*_programs(), ("exabgp", "exabgp.application.main", "main")):
        text = f"#!{home}/bin/python3\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
        _write(folder / "bin" / name, text, 0o755)


def _programs() -> list[tuple[str, str, str]]:
    scripts = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["scripts"]
    return [(name, *where.split(":")) for name, where in scripts.items()]


# --- what stands beside it ---------------------------------------------------------------------------


def _files(root: Path) -> None:
    docs, share = root / "usr/share/doc/vip-speaker", root / "usr/share/vip-speaker"
    for unit in ("exabgp-vip.service", "vip-watchdog.service"):
        _write(root / "usr/lib/systemd/system" / unit, _adapted(SOURCE / "packaging" / unit))
    _write(root / LIB / "exabgp.env", _adapted(SOURCE / "packaging/exabgp.env"))
    _write(
        root / "usr/lib/tmpfiles.d/vip-speaker.conf",
        _adapted(SOURCE / "packaging/vip-speaker.conf"),
    )
    _write(root / "usr/lib/sysusers.d/vip-speaker.conf", (DEB / "sysusers.conf").read_text())
    for name in ("vip.toml", "exabgp.conf"):
        _write(share / name, _adapted(SOURCE / f"{name}.example"))
    _write(share / "etcd.default", _adapted(SOURCE / "packaging/etcd.default"))
    older = _for_4_2((root / "usr/lib/systemd/system/exabgp-vip.service").read_text())
    _write(share / "exabgp-4.2.conf", older)
    for page in (SOURCE / "README.md", *sorted((SOURCE / "docs").rglob("*.md"))):
        _write(docs / page.relative_to(SOURCE), page.read_text())
    _write(docs / "copyright", (SOURCE / "LICENSE").read_text())
    _compressed(docs / "changelog.gz", (SOURCE / "CHANGELOG.md").read_bytes())
    (root / "usr/sbin").mkdir()
    for name, _, _ in _programs():
        (root / "usr/sbin" / name).symlink_to(f"../lib/vip-speaker/current/bin/{name}")


def _pages(root: Path) -> None:
    """Put completions and man pages where shells and man look for them."""
    made, share = root.with_name("pages"), root / "usr/share"
    run(sys.executable, f"{SOURCE}/packaging/pages.py", f"{made}")
    for shell, folder in SHELLS.items():
        shutil.copytree(made / "completion" / shell, share / folder)
    _write(share / "vip-speaker/vip.toml.schema.json", (made / "vip.toml.schema.json").read_text())
    for page in (made / "man").glob("*.[1-8]"):
        _compressed(share / f"man/man{page.suffix[1:]}/{page.name}.gz", page.read_bytes())


def _compressed(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(content)


def _adapted(path: Path) -> str:
    """Return a file with the paths of the package, and without its remarks on how to install it."""
    text = path.read_text()
    for old, new in PATHS.items():
        text = text.replace(old, new)
    return re.sub(r"(?m)^# (Install as|Copy to) [^#]*?(?=^#$|^$|^#  )", "", text)


def _for_4_2(unit: str) -> str:
    """Return the drop-in that takes Debian's ExaBGP: the unit's lines that are marked 4.2, in their places."""
    lines = re.sub(r"(?m)^.*\n#4\.2: ", "", unit).splitlines()
    chosen = [
        line for line in lines if line.startswith(("ExecStartPre=", "ExecStart=", "ExecReload="))
    ]
    reset = [f"{key}=" for key in dict.fromkeys(line.partition("=")[0] for line in chosen)]
    head = "# Debian's ExaBGP 4.2 in place of the one that came along: copy into\n"
    head += "# /etc/systemd/system/exabgp-vip.service.d/, then systemctl daemon-reload.\n"
    return "\n".join([f"{head}[Service]", *reset, *chosen, ""])


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


QUIET = ("--quiet", "--disable-pip-version-check")


def run(*argv: str) -> str:
    """Run a command and return what it prints."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"package: {argv[0]} failed: exit status {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
