"""Audits: a verdict on a loss without training it, with evidence.

Rules over the traced program are in `static`, measurements in `measure`, judgments in `codes`;
training, and texts and figures for a reader, do not belong here.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.audit.judge import audit
    from landscape.audit.properties import PROPERTIES
    from landscape.storage.audit_records import Audit, Finding, Property, Suspect, Where

__all__ = ["PROPERTIES", "Audit", "Finding", "Property", "Suspect", "Where", "audit"]


_MODULES = {"audit": "landscape.audit.judge", "PROPERTIES": "landscape.audit.properties"}


def __getattr__(name: str) -> Any:
    """Imports a public name on first use, since `landscape` imports this folder."""
    if name not in __all__:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    module = importlib.import_module(_MODULES.get(name, "landscape.storage.audit_records"))
    return getattr(module, name)
