"""How many points go side by side: the fastest, remembered, and never at the price of a run."""

import pytest

from landscape.numerics import point_width


class Device:
    platform, device_kind = "gpu", "Some GPU"


@pytest.fixture
def on_a_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(point_width.jax, "devices", lambda: [Device()])
    return tmp_path / "landscape" / "side_by_side.json"


SECONDS = {1: 8.0, 4: 3.0, 16: 1.0, 64: 0.95}


def test_the_fastest_is_chosen_and_more_only_where_it_is_worth_it():
    assert point_width.fastest(SECONDS.__getitem__, (1, 4, 16, 64)) == 16
    assert point_width.fastest(lambda n: 1.0, (1, 4, 16)) == 1
    assert point_width.fastest(lambda n: 1 / n, (1, 4, 16)) == 16


def test_a_trial_is_made_once_for_a_program_and_a_device(on_a_gpu):
    asked = []

    def seconds_of(width):
        asked.append(width)
        return SECONDS[width]

    assert point_width.PointWidth("auto", "a program")(seconds_of) == 16
    assert asked == [1, 4, 16, 64]
    assert point_width.PointWidth("auto", "a program")(seconds_of) == 16
    assert asked == [1, 4, 16, 64]
    assert point_width.PointWidth("auto", "another")(seconds_of) == 16
    assert len(asked) == 8


def test_what_is_asked_for_is_not_tried(on_a_gpu):
    choice = point_width.PointWidth(5, "a program")
    assert choice.known == 5 and choice(lambda width: pytest.fail("was tried")) == 5


@pytest.mark.parametrize("content", ["", "{", "[]", '{"Some GPU: x": 3}', '{"a": "b"}'])
def test_a_damaged_file_is_replaced(on_a_gpu, content):
    on_a_gpu.parent.mkdir()
    on_a_gpu.write_text(content)
    assert point_width.PointWidth("auto", "a program")(SECONDS.__getitem__) == 16
    assert '"Some GPU: ' in on_a_gpu.read_text()


def test_a_folder_that_cannot_be_made_costs_nothing_but_the_memory(on_a_gpu):
    on_a_gpu.parent.write_text("a file where the folder should be")
    assert point_width.PointWidth("auto", "a program")(SECONDS.__getitem__) == 16


def test_on_a_cpu_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(
        point_width.jax, "devices", lambda: [type("D", (), vars(Device) | {"platform": "cpu"})()]
    )
    assert point_width.PointWidth("auto", "a program")(lambda width: pytest.fail("was tried")) == 1
    assert point_width.seeds_together("auto") == 1 and point_width.seeds_together(7) == 7
