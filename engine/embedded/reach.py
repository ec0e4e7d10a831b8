"""Where PostgreSQL can live when it may not run as us.

PostgreSQL refuses to run as root. For root it therefore runs as an unprivileged account, which must be able
to reach its programs and its data folder; a clone under /root is closed to it. These functions answer what an
account can reach, and name the places that stand in where it cannot.

Nothing here opens a closed folder to others: the owner closed it on purpose.
"""

import hashlib
import os
import pwd
import stat
from pathlib import Path

from engine.embedded.child import Account, StartError

# Accounts that exist nearly everywhere and own nothing, in the order they are tried.
_UNPRIVILEGED = ("nobody", "daemon")

_OTHERS_WRITE = 0o022

# Everybody can enter it, and it outlives a restart of the machine.
SHARED = Path("/var/tmp")  # noqa: S108 - the owner of our folder in it is checked


def account_for(uid: int) -> Account | None:
    """The account PostgreSQL runs as when we are `uid`: None is ourselves."""
    if uid != 0:
        return None
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise StartError(
        "PostgreSQL does not run as root and this system has no account 'nobody': run Floodgate as an "
        "ordinary user, or name a server of your own with FLOODGATE_POSTGRES_URL"
    )


def allows(*, mode: int, owner: int, group: int, account: Account, wanted: int) -> bool:
    """Whether permission bits let `account` do `wanted` (an octal digit: 4 read, 2 write, 1 enter or run)."""
    if owner == account.uid:
        return mode >> 6 & wanted == wanted
    if group == account.gid:
        return mode >> 3 & wanted == wanted
    return mode & wanted == wanted


def can_reach(account: Account, path: Path, *, wanted: int) -> bool:
    """Whether `account` can enter every folder above `path` and do `wanted` with `path` itself."""
    real = path.resolve()
    for step in (*reversed(real.parents), real):
        found = step.stat()
        if not allows(
            mode=found.st_mode,
            owner=found.st_uid,
            group=found.st_gid,
            account=account,
            wanted=wanted if step == real else 1,
        ):
            return False
    return True


def shared_folder(uid: int, *, above: Path = SHARED) -> Path:
    """Our own folder that other accounts can enter, made on first use.

    Everybody may write to the folder above, so a folder of this name that somebody else made is refused.
    """
    folder = above / f"floodgate-{uid}"
    folder.mkdir(mode=0o711, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & _OTHERS_WRITE:
        raise StartError(f"{folder} is not a folder that only uid {uid} can write to: remove it and start again")
    folder.chmod(0o711)
    return folder


def data_folder(wanted: Path, *, account: Account | None, uid: int, above: Path = SHARED) -> Path:
    """`wanted`, or the one folder that stands in for it where `account` cannot reach it."""
    if account is None:
        return wanted
    existing = next(step for step in (wanted, *wanted.parents) if step.exists())
    if can_reach(account, existing, wanted=1):
        return wanted
    name = hashlib.sha256(os.fsencode(wanted.absolute())).hexdigest()[:16]
    return shared_folder(uid, above=above) / f"postgres-{name}"
