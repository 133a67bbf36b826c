"""Build dist/: the wheel, and a Debian package for the stable releases that are supported, bookworm and trixie.

The package has a virtual environment for each of their Pythons, with everything that the program
depends on; which of them is used is told by /usr/bin/python3, so that an upgrade of Debian needs no
other package. postinst says how it is put in place.

`./dev package` runs this; it needs a network, pip and dpkg-deb, no root.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

SOURCE = Path(__file__).parents[2]
DEB = Path(__file__).parent
PARTS = ("pyproject.toml", "README.md", "LICENSE", "policy", "speaker")
PYTHONS = ("3.11", "3.13")
"""Those of Debian 12 and 13."""
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
LIB = "usr/lib/vip-speaker"
PATHS = {
    "/opt/vip-speaker/bin/vip_": "/usr/sbin/vip_",
    "/opt/vip-speaker/bin/": "/usr/lib/vip-speaker/current/bin/",
    "/opt/vip-speaker/bin": "/usr/sbin",
    "EnvironmentFile=/etc/vip-speaker/exabgp.env": (
        "EnvironmentFile=/usr/lib/vip-speaker/exabgp.env\n"
        "# What differs here; it beats the package's.\n"
        "EnvironmentFile=-/etc/vip-speaker/exabgp.env"
    ),
}
"""What stands in the files of an installation without a package -> in this one's."""


def main() -> int:
    """Build both, and print where they are."""
    dist = SOURCE / "dist"
    dist.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vip-speaker-") as folder:
        wheel = build_wheel(Path(folder), dist)
        package = build_package(Path(folder) / "root", wheel, dist)
    sys.stdout.write(f"{wheel}\n{package}\n")
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


def build_package(root: Path, wheel: Path, dist: Path) -> Path:
    """Build the package from a tree of its files."""
    version = wheel.name.split("-")[1]
    architecture = run("dpkg", "--print-architecture").strip()
    root.mkdir(mode=0o755)
    _environment(root / LIB / "unpacked", f"/{LIB}/{version}", wheel, architecture)
    _files(root)
    size = sum(path.lstat().st_size for path in root.rglob("*")) // 1024
    values = {"VERSION": version, "ARCHITECTURE": architecture, "SIZE": str(size)}
    (root / "DEBIAN").mkdir()
    for name in ("control", "postinst", "prerm", "postrm", "triggers"):
        text = re.sub("@([A-Z]+)@", lambda match: values[match[1]], (DEB / name).read_text())
        _write(root / "DEBIAN" / name, text, 0o755 if text.startswith("#!") else 0o644)
    package = dist / f"vip-speaker_{version}_{architecture}.deb"
    run("dpkg-deb", "--root-owner-group", "--build", f"{root}", f"{package}")
    return package


# --- the program -------------------------------------------------------------------------------------


def _environment(folder: Path, home: str, wheel: Path, architecture: str) -> None:
    """Make a virtual environment for each Python, as it will be in its home."""
    for python in PYTHONS:
        packages = folder / f"lib/python{python}/site-packages"
        _install(packages, python, wheel, architecture)
        shutil.rmtree(packages / "bin")
    _write(folder / "pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n")
    (folder / "bin").mkdir()
    (folder / "bin/python3").symlink_to("/usr/bin/python3")
    for name, module, function in (*_programs(), ("exabgp", "exabgp.application.main", "main")):
        text = f"#!{home}/bin/python3\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
        _write(folder / "bin" / name, text, 0o755)


def _install(target: Path, python: str, wheel: Path, architecture: str) -> None:
    platform = PLATFORMS[architecture]
    platforms = [f"--platform=manylinux{each}_{platform}" for each in ("2014", "_2_17", "_2_28")]
    argv = [sys.executable, "-m", "pip", "install", *QUIET, "--no-compile", "--only-binary=:all:"]
    run(*argv, f"--python-version={python}", *platforms, f"--target={target}", f"{wheel}")


def _programs() -> list[tuple[str, str, str]]:
    scripts = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["scripts"]
    return [(name, *where.split(":")) for name, where in scripts.items()]


# --- what stands beside it ---------------------------------------------------------------------------


def _files(root: Path) -> None:
    docs = root / "usr/share/doc/vip-speaker"
    for unit in ("exabgp-vip.service", "vip-watchdog.service"):
        _write(root / "usr/lib/systemd/system" / unit, _adapted(SOURCE / "packaging" / unit))
    _write(root / LIB / "exabgp.env", _adapted(SOURCE / "packaging/exabgp.env"))
    _write(
        root / "usr/lib/tmpfiles.d/vip-speaker.conf",
        _adapted(SOURCE / "packaging/vip-speaker.conf"),
    )
    _write(root / "usr/lib/sysusers.d/vip-speaker.conf", (DEB / "sysusers.conf").read_text())
    for name in ("vip.toml", "exabgp.conf"):
        _write(docs / "examples" / name, _adapted(SOURCE / f"{name}.example"))
    older = _for_4_2((root / "usr/lib/systemd/system/exabgp-vip.service").read_text())
    _write(docs / "examples/exabgp-4.2.conf", older)
    _write(docs / "copyright", (SOURCE / "LICENSE").read_text())
    with gzip.GzipFile(docs / "changelog.gz", "wb", mtime=0) as file:
        file.write((SOURCE / "CHANGELOG.md").read_bytes())
    (root / "usr/sbin").mkdir()
    for name, _, _ in _programs():
        (root / "usr/sbin" / name).symlink_to(f"../lib/vip-speaker/current/bin/{name}")


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
