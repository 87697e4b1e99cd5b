"""How many points go side by side: the fastest, remembered, and never at the price of a run."""

import pytest

from landscape import tuning


class Device:
    platform, device_kind = "gpu", "Some GPU"


@pytest.fixture
def on_a_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tuning.jax, "devices", lambda: [Device()])
    return tmp_path / "landscape" / "side_by_side.json"


SECONDS = {1: 8.0, 4: 3.0, 16: 1.0, 64: 0.95}


def test_the_fastest_is_chosen_and_more_only_where_it_is_worth_it():
    assert tuning.fastest(SECONDS.__getitem__, (1, 4, 16, 64)) == 16
    assert tuning.fastest(lambda n: 1.0, (1, 4, 16)) == 1
    assert tuning.fastest(lambda n: 1 / n, (1, 4, 16)) == 16


def test_a_trial_is_made_once_for_a_program_and_a_device(on_a_gpu):
    asked = []

    def seconds_of(width):
        asked.append(width)
        return SECONDS[width]

    assert tuning.Choice("auto", "a program")(seconds_of) == 16
    assert asked == [1, 4, 16, 64]
    assert tuning.Choice("auto", "a program")(seconds_of) == 16
    assert asked == [1, 4, 16, 64]
    assert tuning.Choice("auto", "another")(seconds_of) == 16
    assert len(asked) == 8


def test_what_is_asked_for_is_not_tried(on_a_gpu):
    choice = tuning.Choice(5, "a program")
    assert choice.known == 5 and choice(lambda width: pytest.fail("was tried")) == 5


@pytest.mark.parametrize("content", ["", "{", "[]", '{"Some GPU: x": 3}', '{"a": "b"}'])
def test_a_damaged_file_is_replaced(on_a_gpu, content):
    on_a_gpu.parent.mkdir()
    on_a_gpu.write_text(content)
    assert tuning.Choice("auto", "a program")(SECONDS.__getitem__) == 16
    assert '"Some GPU: ' in on_a_gpu.read_text()


def test_a_folder_that_cannot_be_made_costs_nothing_but_the_memory(on_a_gpu):
    on_a_gpu.parent.write_text("a file where the folder should be")
    assert tuning.Choice("auto", "a program")(SECONDS.__getitem__) == 16


def test_on_a_cpu_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(
        tuning.jax, "devices", lambda: [type("D", (), vars(Device) | {"platform": "cpu"})()]
    )
    assert tuning.Choice("auto", "a program")(lambda width: pytest.fail("was tried")) == 1
    assert tuning.seeds_together("auto") == 1 and tuning.seeds_together(7) == 7
