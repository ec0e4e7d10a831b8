"""The room's SQL, read once."""

from pathlib import Path

from engine.infra.postgres import load_queries

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
