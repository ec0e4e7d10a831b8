"""The command `floodgate`: what people type, and one clear sentence when it cannot be done.

Commands parse, call one function of the house and print. They decide nothing themselves, and importing them
starts nothing: the heavy rooms are imported inside the command that needs them. A mistake of the user
ends with exit code 2 and a sentence; only a mistake of ours shows a traceback.
"""

import os
import sys
from pathlib import Path

import asyncpg

from engine.catalog.refusals import SaleFileInvalid
from engine.cli.commands import app
from engine.cli.terminal import Stop, complain
from engine.config import ConfigInvalid, config_file
from engine.infra.outage import Outage, PostgresAway, ProviderAway, RedisAway

EXIT_MISTAKE = 2
AWAY = {
    RedisAway: "Redis cannot be used",
    PostgresAway: "PostgreSQL cannot be used",
    ProviderAway: "WeChat does not answer",
}
LOCAL_FILE = Path(".run/stack/floodgate.toml")  # as `floodgate up` writes it


def main() -> None:
    """The entry point of the command line."""
    try:
        app()
    except ConfigInvalid as invalid:
        complain(str(invalid))
        if LOCAL_FILE.is_file() and "--config" not in sys.argv and config_file(None, os.environ) is None:
            complain(f"Is it about the stack of `make up`? Then: export FLOODGATE_CONFIG={LOCAL_FILE}")
    except (Stop, SaleFileInvalid) as mistake:
        complain(str(mistake))
    except asyncpg.UndefinedTableError:
        complain("The database has no tables yet, or old ones. Run: floodgate migrate")
    except Outage as outage:
        complain(
            f"{AWAY.get(type(outage), 'Not now')}: {str(outage).rstrip('.')}. See what is wrong with: floodgate doctor"
        )
    except asyncpg.PostgresError as refused:
        complain(f"PostgreSQL refused: {refused}. See what is wrong with: floodgate doctor")
    sys.exit(EXIT_MISTAKE)
