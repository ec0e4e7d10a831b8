"""The sale of a run, put up by the engine's own commands, and the commands that the run ends with."""

from __future__ import annotations

import asyncio
from pathlib import Path

from loadtest.books.reckoning import Tools
from loadtest.books.stack import StackError
from loadtest.lab.grounds import floodgate
from loadtest.profiles.casting import MEMBERS, member_openids
from loadtest.profiles.profile import Profile
from loadtest.profiles.sale_file import sale_toml

APPLY_TIMEOUT_S = 60.0
TIER_ID_MAX = 24
"""Characters of a tier's id in a profile."""


async def put_up(profile: Profile, *, sale: str, opens_in_s: float, config: str, folder: Path) -> None:
    """Apply the profile's sale, so that it opens then, with its members listed. Raises StackError."""
    file = folder / "sale.toml"
    await asyncio.to_thread(file.write_text, sale_toml(profile, sale=sale), encoding="utf-8")
    members = member_openids(profile)
    await _floodgate(config, "sale", "apply", str(file), "--opens-in", f"{opens_in_s:g}")
    if members:
        listed = folder / "members.txt"
        await asyncio.to_thread(listed.write_text, "\n".join(members) + "\n", encoding="utf-8")
        await _floodgate(config, "line", "members", sale, MEMBERS, str(listed))


async def _floodgate(config: str, *words: str) -> None:
    """Raises StackError with what the command complained about."""
    command = await asyncio.create_subprocess_exec(
        *(*floodgate(), "--config", config, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(APPLY_TIMEOUT_S):
        said, _ = await command.communicate()
    if command.returncode != 0:
        raise StackError(f"floodgate {' '.join(words[:2])} refused:\n{said.decode(errors='replace').strip()}")


def tools_of(sale: str, folder: Path) -> Tools:
    """The engine's own commands that the run ends with."""
    command = floodgate()
    return Tools(
        audit=lambda config: [*command, "--config", config, "audit", "--json"],
        line_audit=lambda config: [*command, "--config", config, "line", "audit", sale],
        verify_draw=[*command, "verify-draw"],
        draw_folder=folder / "draw",
    )


def with_own_tiers(profile: Profile, *, mark: str) -> Profile:
    """The same profile with SKUs of its own, for a stack that may have sold the others before."""
    tiers = [
        tier.model_copy(update={"id": _marked(tier.id, tail=f"-{number}-{mark}")})
        for number, tier in enumerate(profile.sale.tiers, start=1)
    ]
    return profile.model_copy(update={"sale": profile.sale.model_copy(update={"tiers": tiers})})


def _marked(name: str, *, tail: str) -> str:
    """The number keeps apart what the cut makes alike."""
    return name[: TIER_ID_MAX - len(tail)] + tail
