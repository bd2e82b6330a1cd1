"""The tables, in the order in which they are made."""

from . import states, types, columns, compact, indexed, files  # noqa: F401
