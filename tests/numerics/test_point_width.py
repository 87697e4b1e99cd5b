"""The number of points side by side: the fastest is cached, and an unusable cache is harmless."""

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


def test_a_larger_width_is_selected_only_if_it_is_much_faster():
    assert point_width.fastest(SECONDS.__getitem__, (1, 4, 16, 64)) == 16
    assert point_width.fastest(lambda n: 1.0, (1, 4, 16)) == 1
    assert point_width.fastest(lambda n: 1 / n, (1, 4, 16)) == 16


def test_each_program_is_measured_once_per_device(on_a_gpu):
    measured = []

    def seconds_of(width):
        measured.append(width)
        return SECONDS[width]

    assert point_width.PointWidth("auto", "a program")(seconds_of) == 16
    assert measured == [1, 4, 16, 64]
    assert point_width.PointWidth("auto", "a program")(seconds_of) == 16
    assert measured == [1, 4, 16, 64]
    assert point_width.PointWidth("auto", "another")(seconds_of) == 16
    assert len(measured) == 8


def test_a_configured_width_is_not_measured(on_a_gpu):
    selected = point_width.PointWidth(5, "a program")
    assert selected.known == 5 and selected(lambda width: pytest.fail("was measured")) == 5


@pytest.mark.parametrize("content", ["", "{", "[]", '{"Some GPU: x": 3}', '{"a": "b"}'])
def test_a_damaged_file_is_replaced(on_a_gpu, content):
    on_a_gpu.parent.mkdir()
    on_a_gpu.write_text(content)
    assert point_width.PointWidth("auto", "a program")(SECONDS.__getitem__) == 16
    assert '"Some GPU: ' in on_a_gpu.read_text()


def test_a_cache_that_is_not_writable_is_no_error(on_a_gpu):
    on_a_gpu.parent.write_text("a file where the folder should be")
    assert point_width.PointWidth("auto", "a program")(SECONDS.__getitem__) == 16


def test_nothing_is_measured_on_a_cpu(monkeypatch):
    monkeypatch.setattr(
        point_width.jax, "devices", lambda: [type("D", (), vars(Device) | {"platform": "cpu"})()]
    )
    assert (
        point_width.PointWidth("auto", "a program")(lambda width: pytest.fail("was measured")) == 1
    )
    assert point_width.seeds_together("auto") == 1 and point_width.seeds_together(7) == 7
