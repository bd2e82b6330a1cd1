"""The golden tables, by topic; importing a module registers its tables."""

from . import types, rows, names, columns, lookups, storage, legacy, merge, partitioners, queries  # noqa: F401
