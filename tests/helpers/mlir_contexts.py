"""MLIR contexts that many programs share while JAX lowers them.

JAX creates a context for each program. It takes 4 ms, as long as lowering a small program, and most
programs of the tests are small.
"""

import itertools
import threading

from jax._src.interpreters import mlir

# A context keeps every constant of its programs, so it is replaced now and then.
_PROGRAMS_PER_CONTEXT = 100


class _Contexts(threading.local):
    """The context of one thread, and the number of programs that were lowered in it."""

    def __init__(self) -> None:
        self.current = None
        self.count = itertools.count()


def share_contexts() -> None:
    """Lets each thread lower its programs in one context, until it has lowered 100 of them."""
    contexts, new_context = _Contexts(), mlir.make_ir_context

    def make_ir_context():
        if next(contexts.count) % _PROGRAMS_PER_CONTEXT == 0:
            contexts.current = new_context()
        return contexts.current

    mlir.make_ir_context = make_ir_context
