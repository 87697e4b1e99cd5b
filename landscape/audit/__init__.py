"""Audits: a verdict on a loss without training it, with evidence.

Rules over the traced program are in `static`, measurements in `measure`, judgments in `codes`;
training, and texts and figures for a reader, do not belong here.
"""

from landscape.audit.judge import audit
from landscape.audit.properties import PROPERTIES
from landscape.storage.audit_records import Audit, Finding, Property, Suspect, Where

__all__ = ["PROPERTIES", "Audit", "Finding", "Property", "Suspect", "Where", "audit"]
