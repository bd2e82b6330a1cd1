"""The golden tables, by topic; importing a module registers its tables."""

from . import types  # noqa: F401
from . import rows  # noqa: F401
