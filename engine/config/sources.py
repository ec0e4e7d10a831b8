"""Where settings come from: one TOML file, and over it the environment that the caller hands in.

Reads and merges, and remembers who said what; judging values is not its work.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_settings import EnvSettingsSource

from engine.config.problems import ConfigInvalid, Problem
from engine.config.settings import PREFIX, Config, sections

FILE_NAME = "floodgate.toml"


class _Environment(EnvSettingsSource):
    """The environment it is given, read by pydantic-settings' rules, not the process's own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Config)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        # FLOODGATE_WEB alone would be read as a whole section in JSON; one way to say a thing is enough.
        return {name.lower(): text for name, text in self._environ.items() if name.count("_") >= 2}


def config_file(flag: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: named by --config, else by FLOODGATE_CONFIG, else ./floodgate.toml if there."""
    if flag is not None:
        return flag
    if named := environ.get(f"{PREFIX}CONFIG"):
        return Path(named)
    here = Path(FILE_NAME)
    return here if here.is_file() else None


Tree = dict[str, dict[str, Any]]


def _read_file(path: Path) -> tuple[Tree, list[Problem]]:
    source = str(path)
    try:
        parsed = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigInvalid((Problem("file", None, source, f"cannot be read: {error.strerror}"),)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid((Problem("file", None, source, f"is not TOML: {error}"),)) from None
    tree: Tree = {}
    problems = []
    for name, content in parsed.items():
        if name not in Config.model_fields:
            known = ", ".join(Config.model_fields)
            problems.append(Problem(name, None, source, f"is no section; the sections are {known}"))
        elif not isinstance(content, dict):
            problems.append(Problem(name, None, source, f"must be a section: [{name}]"))
        else:
            tree[name] = content
    for section, model in sections():
        _from_folder(path.parent, model, tree.get(section, {}))
    return tree, problems


def _from_folder(folder: Path, model: type[BaseModel], given: dict[str, Any]) -> None:
    """A path in the file is meant from the file's own folder, whatever folder the command runs in."""
    for key, field in model.model_fields.items():
        value = given.get(key)
        kinds = (field.annotation, *get_args(field.annotation))
        if Path in kinds and isinstance(value, str):
            given[key] = str(folder / value)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, list):
                for each in value:
                    if isinstance(each, dict):
                        _from_folder(folder, kind, each)


def _read_environ(environ: Mapping[str, str]) -> Tree:
    found = _Environment(environ)()
    return {section: keys for section, keys in found.items() if isinstance(keys, dict)}


@dataclass(frozen=True, slots=True)
class Given:
    """What the file and the environment say, merged, and which of them said it."""

    tree: Tree
    sources: Mapping[str, str]
    problems: tuple[Problem, ...]


def read(path: Path | None, environ: Mapping[str, str]) -> Given:
    """Both sources in one tree; raises `ConfigInvalid` only when the file cannot be read as TOML at all."""
    tree: Tree = {name: {} for name, _ in sections()}
    sources: dict[str, str] = {}
    from_file, problems = _read_file(path) if path else ({}, [])
    for section, keys in from_file.items():
        tree[section].update(keys)
        sources.update({f"{section}.{key}": str(path) for key in keys})
    for section, keys in _read_environ(environ).items():
        tree[section].update(keys)
        sources.update({f"{section}.{key}": f"{PREFIX}{section}_{key}".upper() for key in keys})
    return Given(tree, sources, tuple(problems))
