"""The tables, in the order in which they are made."""

from . import states  # noqa: F401
