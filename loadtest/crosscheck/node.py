"""autocannon where Node is: installed once by its own lock file, and started as a process."""

from __future__ import annotations

import asyncio
import shutil
from hashlib import sha256
from pathlib import Path

SOURCE = Path(__file__).parent / "node"
FILES = ("package.json", "package-lock.json", "fire.mjs")
INSTALL_MAX_S = 60.0
TOOL = "autocannon"
COMPLAINT_CHARS = 300


class NotMade(Exception):
    """There is no cross-check; the message says why. The run is not failed by it."""


async def command(cache: Path) -> list[str]:
    """What starts autocannon. The first call installs it below `cache`; the next ones find it there. Raises NotMade."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = "Node" if node is None else "npm"
        raise NotMade(f"{missing} is not installed; {TOOL} runs on Node 18 or newer")
    digest = sha256(b"".join((SOURCE / name).read_bytes() for name in FILES)).hexdigest()[:12]
    home = cache / f"{TOOL}-{digest}"
    if not (home / "installed").exists():
        await asyncio.to_thread(_copy, home)
        await _install(npm, home)
        (home / "installed").touch()
    return [node, str((home / "fire.mjs").absolute())]


def _copy(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(SOURCE / name, home / name)


async def _install(npm: str, home: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"),
        cwd=home,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(INSTALL_MAX_S):
            _, said = await process.communicate()
    except TimeoutError:
        raise NotMade(f"npm did not install {TOOL} within {INSTALL_MAX_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        words = " ".join(said.decode(errors="replace").split())[-COMPLAINT_CHARS:]
        raise NotMade(f"npm could not install {TOOL}: {words}")
