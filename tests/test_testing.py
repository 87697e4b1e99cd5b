"""`assert_trainable` accepts sound losses and names what is wrong with the others."""

import jax.numpy as jnp
import pytest

from landscape import UserError
from landscape.testing import assert_trainable


def squared(predictions, targets):
    return jnp.square(predictions - targets)


def capped(predictions, targets):
    return jnp.minimum(jnp.square(predictions - targets), 4.0)


def rounded(predictions, targets):
    return jnp.square(jnp.round(predictions) - targets)


def test_a_sound_loss_passes():
    assert assert_trainable(squared, task="regression").properties["convex"].value


def test_a_warning_fails_unless_its_code_or_all_warnings_are_allowed():
    with pytest.raises(AssertionError, match=r"(?s)capped \(regression\) is care.*warning G202"):
        assert_trainable(capped, task="regression")
    assert assert_trainable(capped, task="regression", allow=["G202"]).verdict == "care"
    assert assert_trainable(capped, task="regression", fail_on="untrainable").verdict == "care"


def test_an_error_fails_with_its_source_line():
    with pytest.raises(AssertionError) as raised:
        assert_trainable(rounded, task="regression", fail_on="untrainable", allow=["D101"])
    text = str(raised.value)
    line = rounded.__code__.co_firstlineno + 1
    assert f"{__file__}:{line}: return jnp.square(jnp.round(predictions) - targets)" in text
    assert "error G201" in text and "warning D101" not in text


@pytest.mark.parametrize("options", [{"allow": ["G999"]}, {"fail_on": "warning"}])
def test_an_unknown_code_or_verdict_is_an_error(options):
    with pytest.raises(UserError, match="unknown"):
        assert_trainable(squared, task="regression", **options)
