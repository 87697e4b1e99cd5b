"""The equations of a traced program, numbered through all programs that it calls."""

from collections.abc import Iterator

import jax.extend.core as jex

from landscape.numerics.primitives import called_program

Calls = tuple[jex.JaxprEqn, ...]


def equations(closed: jex.ClosedJaxpr) -> Iterator[tuple[int, jex.JaxprEqn, Calls]]:
    """Yields every equation with its number and the calls around it, outermost first."""
    yield from _walk(closed.jaxpr, 0, ())


def _walk(jaxpr: jex.Jaxpr, number: int, calls: Calls) -> Iterator[tuple[int, jex.JaxprEqn, Calls]]:
    for eqn in jaxpr.eqns:
        yield number, eqn, calls
        number += 1
        for body in bodies(eqn):
            yield from _walk(body.jaxpr, number, (*calls, eqn))
            number += count(body)


def bodies(eqn: jex.JaxprEqn) -> list[jex.ClosedJaxpr]:
    """Returns the programs inside an equation, such as both programs of a while loop."""
    called = called_program(eqn)
    if called is not None:
        return [called]
    name, params = eqn.primitive.name, eqn.params
    if name == "scan":
        return [params["jaxpr"]]
    if name == "while":
        return [params["cond_jaxpr"], params["body_jaxpr"]]
    return list(params["branches"]) if name == "cond" else []


def count(closed: jex.ClosedJaxpr) -> int:
    """Returns the number of equations of a program, including those of the programs it calls."""
    return sum(map(extent, closed.jaxpr.eqns))


def extent(eqn: jex.JaxprEqn) -> int:
    """Returns how many numbers an equation takes up: its own and those of its bodies."""
    return 1 + sum(map(count, bodies(eqn)))
