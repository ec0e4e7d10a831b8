"""From what was read to a valid `Config`, or to everything that is wrong with it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from engine.config.problems import ConfigInvalid, Problem
from engine.config.settings import PREFIX, RELATIONS, Config, sections
from engine.config.sources import FILE_NAME, Given, read
from engine.config.starter import HOW_TO_MAKE

MASK = "********"


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting in force, fit to be shown: secrets and passwords are masked."""

    key: str
    value: str
    source: str


def _is_secret(field: FieldInfo) -> bool:
    def holds_secret(annotation: Any) -> bool:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return any(map(_is_secret, annotation.model_fields.values()))
        return annotation is SecretStr or any(map(holds_secret, get_args(annotation)))

    return holds_secret(field.annotation)


def _shown(field: FieldInfo, value: object) -> str:
    if _is_secret(field):
        return str(value) if value == () else MASK
    if isinstance(value, str) and ("://" in value or not field.repr):
        return shown_url(value)
    return str(value)


def shown_url(url: str) -> str:
    """The URL with its password masked, fit to be shown."""
    scheme, mark, rest = url.rpartition("://")
    login, at, place = rest.rpartition("@")
    if ":" in login:
        login = f"{login.partition(':')[0]}:{MASK}"
    # libpq and redis-py take a password in the query, too.
    place = re.sub(r"([?&][^=&]*password=)[^&]*", rf"\1{MASK}", place)
    return f"{scheme}{mark}{login}{at}{place}"


def _problems(given: Given) -> Iterator[Problem]:
    yield from given.problems
    wrong: set[str] = set()
    for section, model in sections():
        try:
            model.model_validate(given.tree[section])
        except ValidationError as invalid:
            for error in invalid.errors(include_url=False):
                problem = _problem(section, model, error, given.sources)
                wrong.add(problem.key)
                yield problem
    for relation in RELATIONS:
        if wrong.isdisjoint(relation.keys) and not relation.holds(*(_value(given, k) for k in relation.keys)):
            key = relation.keys[0]
            section, name = key.split(".")
            shown = _shown(dict(sections())[section].model_fields[name], _value(given, key))
            yield Problem(key, shown, given.sources.get(key, "default"), relation.reason)


def _value(given: Given, key: str) -> Any:
    section, name = key.split(".")
    field = dict(sections())[section].model_fields[name]
    if name not in given.tree[section]:
        return field.get_default(call_default_factory=True)
    whole: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(whole).validate_python(given.tree[section][name])


def _problem(section: str, model: type[BaseModel], error: Any, sources: Mapping[str, str]) -> Problem:
    name, *below = map(str, error["loc"])
    key = f"{section}.{name}"
    field = model.model_fields.get(name)
    source = sources.get(key, "not set")
    if field is None:
        # A mistyped name may carry a secret, so its value stays unprinted.
        return Problem(key, None, source, f"is no setting; [{section}] has {', '.join(model.model_fields)}")
    if error["type"] == "missing" and not below:
        name_in_environ = key.replace(".", "_").upper()
        how = HOW_TO_MAKE.get(key, "set it")
        where = f"set it in {FILE_NAME} or as {PREFIX}{name_in_environ}"
        return Problem(key, None, source, f"is missing; {where}: {how}")
    reason = str(error["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    if error["type"] in ("too_short", "too_long") and isinstance(error["input"], str):
        least, most = (error["ctx"].get(bound) for bound in ("min_length", "max_length"))
        reason = f"must have {f'at least {least}' if least else f'at most {most}'} characters"
    if below:
        reason = f"under {'.'.join(part for part in below if part != '[key]')}: {reason}"
    return Problem(key, _shown(field, error["input"]), source, reason)


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The settings of `path` (None: no file) under those of `environ`; ConfigInvalid names all problems."""
    given = read(path, environ)
    if problems := tuple(_problems(given)):
        raise ConfigInvalid(problems)
    return Config(**given.tree)  # type: ignore[arg-type]


def origins(path: Path | None, environ: Mapping[str, str]) -> tuple[Origin, ...]:
    """Every setting in force, in this module's order, with where it came from; `ConfigInvalid` as above."""
    config = load_config(path, environ)
    sources = read(path, environ).sources
    return tuple(
        Origin(
            f"{section}.{key}",
            _shown(field, getattr(getattr(config, section), key)),
            sources.get(f"{section}.{key}", "default"),
        )
        for section, model in sections()
        for key, field in model.model_fields.items()
    )
