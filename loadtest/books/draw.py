"""The opening draw, checked as anybody can: with the engine's own verifier, from what the engine publishes.

The rules are kept while the lobby is open, so that afterwards nobody has to believe that they were the same; then
every entry is fetched and hashed, and one buyer's proof, whose position must be the one that the buyer was told.
Everything stays in a folder, where `floodgate verify-draw` checks it again without any server.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from loadtest.wires.port import Body

VERIFY_TIMEOUT_S = 120.0
BEFORE, PROOF = "before.json", "proof.json"


@dataclass(slots=True)
class DrawEvidence:
    """What came of it. lobby_size: people drawn, of all lanes; drawn_after_s: from the closing of the lobby until the
    public document showed the draw."""

    is_verified: bool = False
    lobby_size: int = 0
    drawn_after_s: float | None = None
    checks: list[Any] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def keep(folder: Path, name: str, document: Body) -> None:
    """Write a document as it was served."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(orjson.dumps(document))


def verify(command: Sequence[str], folder: Path, address: str, place: str, evidence: DrawEvidence) -> None:
    """Run the verifier on the sale's address with what was kept, and once more on the folder that it fills. `place` is
    the signed place that the proof belongs to, if there is one."""
    kept = ["--before", str(folder / BEFORE)] + (["--place", place] if place else [])
    if (folder / PROOF).exists():
        kept += ["--proof", str(folder / PROOF)]
    fetched = _run([*command, address, *kept, "--save", str(folder), "--json"], evidence)
    offline = _run([*command, str(folder), *kept, "--json"], evidence)
    evidence.checks = fetched.get("checks", [])
    evidence.is_verified = bool(fetched.get("verified") and offline.get("verified")) and not evidence.findings
    if evidence.is_verified:
        drawn = orjson.loads((folder / "draw.json").read_bytes())
        evidence.lobby_size = sum(lane["n"] for lane in drawn["lanes"])


def _run(command: Sequence[str], evidence: DrawEvidence) -> dict[str, Any]:
    try:
        done = subprocess.run(command, capture_output=True, timeout=VERIFY_TIMEOUT_S, check=False)  # noqa: S603
        found: dict[str, Any] = orjson.loads(done.stdout)
    except subprocess.TimeoutExpired:
        evidence.findings.append(f"no answer within {VERIFY_TIMEOUT_S:g} s")
        return {}
    except orjson.JSONDecodeError:
        said = done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace").strip()
        evidence.findings.append(f"exit status {done.returncode}: {said[-500:]}")
        return {}
    evidence.findings += [check["words"] for check in found["checks"] if check["verdict"] == "fails"]
    return found


def position_in(proof: Body) -> int | None:
    """The position that a proof proves."""
    position = proof.get("position")
    return position if isinstance(position, int) else None
