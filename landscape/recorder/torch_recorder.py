"""Records a training loop in PyTorch: gradients and predictions of the steps that are taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from landscape.errors import UserError
from landscape.recorder import torch_rows
from landscape.recorder.recorded_loop import RecordedLoop, Source
from landscape.recorder.torch_rows import Parameter

_NORM = "gradient_norm/global"
_ORDER = "call recorder.step(predictions, targets) after backward() and before optimizer.step()"


class _Pending(NamedTuple):
    """A row whose step has not been taken yet, and the parameters before it."""

    row: dict[str, Any]
    parameters: list[Parameter]
    before: list[Tensor]


class Recorder(RecordedLoop):
    """Records gradient health: call `recorder.step(predictions, targets)` once per step.

    Call it after `backward()` and before `optimizer.step()` and gradient clipping, with what the
    loss of the step was computed from: `loss(predictions, targets)`, in this order. Every 20th step
    becomes a row of `trace`: risk of the batch, norm of the gradient (also per layer), ratio of
    update to parameters, and dead fractions of the batch. Other steps cost nothing. The gradients
    are those that `backward()` left in the parameters; nothing is differentiated again but the loss
    with respect to the predictions. `docs/own_loop.md` describes gradient accumulation, mixed
    precision, wrapped modules and several optimizers.

    Files are in `OUT/NAME/runs/LABEL/`; `landscape report OUT/NAME` shows all labels side by side.
    Raises UserError if the label is taken and not `fresh`.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        loss: Callable[..., Tensor],
        every: int = 20,
        *,
        name: str = "recorded",
        label: str = "mine",
        out: Path | str = "runs",
        fresh: bool = False,
    ) -> None:
        if not isinstance(module, torch.nn.Module):
            raise UserError(
                f"`module`: found {type(module).__name__}, expected a torch.nn.Module",
                hint="pass the module, then the loss: Recorder(module, loss)",
            )
        if next(module.parameters(), None) is None:
            raise UserError(
                f"the module {type(module).__name__} has no parameters",
                hint="pass the module, then the loss: Recorder(module, loss)",
            )
        if not callable(loss):
            raise UserError(
                f"`loss`: found {type(loss).__name__}, expected a function or a module",
                hint="pass what computes the loss from predictions and targets",
            )
        self._module, self._loss = module, loss
        self._pending: _Pending | None = None
        device = next((p.device for p in module.parameters()), torch.device("cpu"))
        source = Source(
            framework="torch",
            loss=getattr(loss, "__name__", type(loss).__name__),
            every=every,
            dead_on="batch",
            device=_device_name(device),
            packages=("torch", "numpy"),
        )
        super().__init__(source, name=name, label=label, out=out, fresh=fresh)

    @torch.no_grad()
    def step(
        self, predictions: Tensor, targets: Any, *, scaler: "torch.amp.GradScaler | None" = None
    ) -> None:
        """Records the step that is about to be taken with the gradients of the module.

        `scaler`: a GradScaler whose gradients are still scaled; omit it after `unscale_`. Raises
        UserError if no parameter has a gradient, or if the recorder is closed.
        """
        self._require_open()
        if self._pending is not None:
            self._complete()
        if self._steps % self._source.every == 0:
            scale = 1.0 if scaler is None else float(scaler.get_scale())
            self._pending = self._measured(predictions, targets, scale)
        self._steps += 1

    def _measured(self, predictions: Tensor, targets: Any, scale: float) -> _Pending:
        parameters = torch_rows.parameters_of(self._module)
        if all(parameter.tensor.grad is None for parameter in parameters):
            raise UserError("no parameter of the module has a gradient", hint=_ORDER)
        if not isinstance(predictions, Tensor):
            raise UserError(
                f"`predictions`: found {type(predictions).__name__}, expected a tensor",
                hint="pass what the loss receives, such as `output.logits`",
            )
        self._parameters = sum(parameter.tensor.numel() for parameter in parameters)
        row: dict[str, Any] = {"step": self._steps}
        row |= torch_rows.predictions_row(self._loss, predictions, targets)
        row |= torch_rows.gradient_norms(parameters, scale)
        row |= torch_rows.dead_parameters(parameters)
        before = [parameter.tensor.detach().clone() for parameter in parameters]
        return _Pending(row, parameters, before)

    @torch.no_grad()
    def _complete(self) -> None:
        """Appends the pending row with the update that the optimizer has made since then."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        row = pending.row | torch_rows.update_ratios(pending.parameters, pending.before)
        finite = all(abs(row[name]) < float("inf") for name in ("risk/batch", _NORM))
        if finite:
            self._diverged_step = None
        elif self._diverged_step is None:
            self._diverged_step = int(row["step"])
        self._append(row)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return device.type
