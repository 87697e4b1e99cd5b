"""Looks at adapted models: libraries with the same weights give the same slices."""

import numpy as np
import one_cnn
import pytest

from landscape import adapters, look
from landscape.storage import array_files

ONEHOT = np.eye(one_cnn.CLASSES, dtype=np.float32)[one_cnn.LABELS]


def slice_of(model, images, folder, statistics="frozen", **options):
    """Risks along the gradient, which is the same direction in every layout."""
    lines = {"direction": {"name": "gradient", "normalization": "none"}, "points": 3}
    result = look(
        model,
        (images, ONEHOT),
        loss="softmax_cross_entropy",
        task="multiclass",
        slices={"lines": lines, "planes": None, "batch_statistics": statistics},
        out=folder,
        tell=lambda line: None,
        **options,
    )
    arrays = array_files.read_slices(result.folder)
    (risk,) = (arrays[n] for n in arrays if n.startswith("trained/lines/") and n.endswith("/risk"))
    return risk, result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statistics", "libraries"),
    [("frozen", ("flax", "equinox", "keras")), ("recomputed", ("flax", "equinox"))],
)
def test_libraries_give_the_same_slice(tmp_path, statistics, libraries):
    slices = [
        slice_of(
            one_cnn.adapted(library), one_cnn.images_for(library), tmp_path / library, statistics
        )[0]
        for library in libraries
    ]
    assert np.ptp(slices[0]) > 0.1
    for other in slices[1:]:
        np.testing.assert_allclose(other, slices[0], rtol=1e-5)


@pytest.mark.slow
def test_a_look_at_a_module_of_torch_resumes_and_has_the_curvature_of_torch(tmp_path):
    torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")
    torch.manual_seed(0)
    images = torch.randn(5, 2, 6, 6)

    def adapted():
        torch.manual_seed(1)
        layers = torch.nn.Conv2d(2, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU()
        head = torch.nn.Flatten(), torch.nn.Linear(8, 3)
        module = torch.nn.Sequential(*layers, torch.nn.MaxPool2d(2), *head).eval()
        return module, adapters.torch(module, images)

    module, model = adapted()
    curvature = {"eigenvalues": 1}
    _, result = slice_of(model, images.numpy(), tmp_path, curvature=curvature)
    names, tensors = zip(*((n, p.detach()) for n, p in module.named_parameters()), strict=True)

    def risk(*values):
        params = dict(zip(names, values, strict=True))
        predictions = torch.func.functional_call(module, params, (images,))
        return torch.nn.functional.cross_entropy(predictions, torch.from_numpy(ONEHOT))

    rows = torch.autograd.functional.hessian(risk, tensors)
    whole = [
        torch.cat([block.reshape(tensor.numel(), -1) for block in row], 1)
        for row, tensor in zip(rows, tensors, strict=True)
    ]
    eigenvalues = np.linalg.eigvalsh(torch.cat(whole).numpy())
    (hessian,) = result.curvature.to_dict("records")
    np.testing.assert_allclose(hessian["largest"], eigenvalues[-1], rtol=1e-3)
    np.testing.assert_allclose(result.point["risk/evaluation"].iloc[-1], risk(*tensors), rtol=1e-6)
    before = (result.folder / "slices.npz").stat().st_mtime_ns
    _, again = slice_of(adapted()[1], images.numpy(), tmp_path, curvature=curvature)
    assert again.folder == result.folder
    assert (again.folder / "slices.npz").stat().st_mtime_ns == before
