"""PyTorch losses as they are posted: `POSTED` has each with its task and the expected verdict."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


def hard_dice(logits, masks):
    preds = (torch.sigmoid(logits) > 0.5).float()
    inter = (preds * masks).sum()
    return 1 - 2 * inter / (preds.sum() + masks.sum() + 1e-08)


class SigmoidTwice(nn.Module):
    def forward(self, logits, mask):
        return F.binary_cross_entropy_with_logits(torch.sigmoid(logits), mask)


def area(b):
    return (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])


def giou_loss(pred, target, eps=1e-07):
    lt = torch.max(pred[:, :2], target[:, :2])
    rb = torch.min(pred[:, 2:], target[:, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[:, 0] * wh[:, 1]
    union = area(pred) + area(target) - inter
    iou = inter / (union + eps)
    elt = torch.min(pred[:, :2], target[:, :2])
    erb = torch.max(pred[:, 2:], target[:, 2:])
    ewh = (erb - elt).clamp(min=0)
    earea = ewh[:, 0] * ewh[:, 1]
    return (1 - iou + (earea - union) / (earea + eps)).mean()


class IoULoss(nn.Module):
    def __init__(self, mode="linear", eps=1e-06):
        super().__init__()
        self.mode, self.eps = (mode, eps)

    def forward(self, pred, target):
        lt = torch.max(pred[:, :2], target[:, :2])
        rb = torch.min(pred[:, 2:], target[:, 2:])
        wh = (rb - lt).clamp(min=0)
        inter = wh[:, 0] * wh[:, 1]
        ious = (inter / (area(pred) + area(target) - inter + self.eps)).clamp(min=self.eps)
        loss = 1 - ious if self.mode == "linear" else -ious.log()
        return loss.mean()


class DIoULoss(nn.Module):
    def __init__(self, eps=1e-06):
        super().__init__()
        self.eps = eps

    def forward(self, pred, target):
        lt = torch.max(pred[:, :2], target[:, :2])
        rb = torch.min(pred[:, 2:], target[:, 2:])
        wh = (rb - lt).clamp(min=0)
        overlap = wh[:, 0] * wh[:, 1]
        union = area(pred) + area(target) - overlap + self.eps
        ious = overlap / union
        ewh = (torch.max(pred[:, 2:], target[:, 2:]) - torch.min(pred[:, :2], target[:, :2])).clamp(
            min=0
        )
        c2 = ewh[:, 0] ** 2 + ewh[:, 1] ** 2 + self.eps
        left = (target[:, 0] + target[:, 2] - (pred[:, 0] + pred[:, 2])) ** 2 / 4
        right = (target[:, 1] + target[:, 3] - (pred[:, 1] + pred[:, 3])) ** 2 / 4
        return (1 - (ious - (left + right) / c2)).mean()


def rewrapped_iou(pred, target):
    iou_loss = IoULoss()(pred, target)
    return torch.tensor(iou_loss, requires_grad=True)


class CenterLoss(nn.Module):
    def __init__(self, num_classes=3, feat_dim=4):
        super().__init__()
        g = torch.Generator().manual_seed(1)
        self.register_buffer("centers", torch.randn(num_classes, feat_dim, generator=g))

    def forward(self, x, labels):
        count, classes = x.size(0), len(self.centers)
        squares = torch.pow(x, 2).sum(dim=1, keepdim=True).expand(count, classes)
        squares = squares + torch.pow(self.centers, 2).sum(1).expand(count, classes)
        distances = squares.addmm(x, self.centers.t(), beta=1, alpha=-2)
        mask = labels.unsqueeze(1).eq(torch.arange(classes).expand(count, classes))
        return (distances * mask.float()).clamp(min=1e-12, max=1e12).sum() / count


def contrastive_pairs(emb, labels, margin=1.0):
    d = (emb[:, None] - emb[None]).pow(2).sum(-1).clamp_min(1e-12).sqrt()
    same = (labels[:, None] == labels[None]).to(emb.dtype)
    off = 1 - torch.eye(len(emb), dtype=emb.dtype)
    loss = same * d.pow(2) + (1 - same) * F.relu(margin - d).pow(2)
    return (loss * off).sum() / off.sum()


def hinge_of_discriminator(logits, real):
    return torch.where(real > 0.5, F.relu(1.0 - logits), F.relu(1.0 + logits)).mean()


def wasserstein(d_out, target):
    sign = 2 * target - 1
    return -(sign * d_out).mean()


class LeastSquaresGAN(nn.Module):
    def __init__(self, a=0.0, b=1.0):
        super().__init__()
        self.a, self.b = (a, b)

    def forward(self, d_out, is_real):
        goal = is_real * self.b + (1 - is_real) * self.a
        return 0.5 * torch.mean((d_out - goal) ** 2)


def nonsaturating(d_out, is_real):
    return (is_real * F.softplus(-d_out) + (1 - is_real) * F.softplus(d_out)).mean()


def with_gradient_penalty(pred, target):
    inner = (pred**2).sum()
    (grad,) = torch.autograd.grad(inner, pred, create_graph=True)
    return F.mse_loss(pred, target) + 0.1 * grad.pow(2).sum() / len(pred)


def divergence_without_log(student, teacher_probs):
    return F.kl_div(F.softmax(student, dim=-1), teacher_probs, reduction="batchmean")


class UncertaintyWeighted(nn.Module):
    def __init__(self, num=2):
        super().__init__()
        self.log_vars = nn.Parameter(torch.zeros(num))

    def forward(self, pred, target):
        losses = [F.mse_loss(pred, target), F.l1_loss(pred, target)]
        total = 0
        for i, part in enumerate(losses):
            total = total + torch.exp(-self.log_vars[i]) * part + self.log_vars[i]
        return total


def rank_correlation(pred, target):
    rp = pred.argsort().argsort().float()
    rt = target.argsort().argsort().float()
    rp = rp - rp.mean()
    rt = rt - rt.mean()
    return 1 - (rp * rt).sum() / (rp.norm() * rt.norm() + 1e-08)


def softmax_twice(x, y):
    return nn.CrossEntropyLoss()(torch.softmax(x, dim=1), y)


def log_of_softmax(logits, y):
    p = torch.softmax(logits, 1)
    return -torch.log(p[torch.arange(len(y)), y]).mean()


def accuracy(out, y):
    return 1 - (torch.argmax(out, 1) == y).float().mean()


class LogCosh(nn.Module):
    def forward(self, y_t, y_prime_t):
        ey_t = y_t - y_prime_t
        return torch.mean(torch.log(torch.cosh(ey_t + 1e-12)))


class LogCoshStable(nn.Module):
    def forward(self, y_pred, y_true):
        x = y_pred - y_true
        return torch.mean(x + F.softplus(-2.0 * x) - math.log(2.0))


def rounded_prediction(pred, target):
    return F.l1_loss(torch.round(pred), target)


def rewrapped(pred, target):
    return torch.tensor(F.mse_loss(pred, target), requires_grad=True)


def in_inference_mode(pred, target):
    with torch.inference_mode():
        return F.mse_loss(pred, target)


@torch.no_grad()
def decorated_with_no_grad(pred, target):
    return ((pred - target) ** 2).mean()


def clamped_data(pred, target):
    pred.data.clamp_(0, 1)
    return F.mse_loss(pred, target)


def restarted_graph(pred, target):
    pred = pred.detach().requires_grad_()
    return F.smooth_l1_loss(pred, target)


class XTanh(nn.Module):
    def forward(self, y_t, y_prime_t):
        ey_t = y_t - y_prime_t
        return torch.mean(ey_t * torch.tanh(ey_t))


def lovasz_slopes(sorted_targets):
    total = sorted_targets.sum()
    intersection = total - sorted_targets.float().cumsum(0)
    union = total + (1 - sorted_targets).float().cumsum(0)
    jaccard = 1.0 - intersection / union
    jaccard[1:] = jaccard[1:] - jaccard[:-1].clone()
    return jaccard


def lovasz_hinge_in_single(logits, labels):
    logits, labels = logits.flatten(), labels.flatten()
    errors = 1.0 - logits * (2.0 * labels.float() - 1.0)
    ordered, order = torch.sort(errors, dim=0, descending=True)
    return torch.dot(F.relu(ordered), lovasz_slopes(labels[order].float()))


class BatchNormalized(nn.Module):
    def __init__(self, features=4):
        super().__init__()
        self.normalize = nn.BatchNorm1d(features, affine=False)

    def forward(self, pred, target):
        return F.mse_loss(self.normalize(pred), self.normalize(target))


class GaussianHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.likelihood = nn.GaussianNLLLoss()

    def forward(self, output, target):
        return self.likelihood(output[:, 0], target, F.softplus(output[:, 1]))


class Posted(NamedTuple):
    """A loss, its task, the expected verdict, and the codes that must be among the findings."""

    loss: object
    task: str
    verdict: str
    codes: tuple[str, ...] = ()


GOOD, CARE, BAD = "trainable", "care", "untrainable"
POSTED = (
    Posted(F.mse_loss, "regression", GOOD),
    Posted(nn.L1Loss(), "regression", GOOD, ("D102",)),
    Posted(nn.SmoothL1Loss(beta=0.5), "regression", GOOD),
    Posted(nn.HuberLoss(delta=0.3), "regression", GOOD),
    Posted(nn.BCEWithLogitsLoss(), "binary", GOOD),
    Posted(F.binary_cross_entropy_with_logits, "multilabel", GOOD),
    Posted(nn.MultiLabelSoftMarginLoss(), "multilabel", GOOD),
    Posted(F.cross_entropy, "multiclass", GOOD),
    Posted(nn.CrossEntropyLoss(label_smoothing=0.1), "multiclass", GOOD),
    # Bounded below and convex; the slope jumps at the margin.
    Posted(hinge_of_discriminator, "binary", GOOD, ("D102",)),
    # A critic's score grows without bound unless the critic is constrained.
    Posted(wasserstein, "binary", CARE, ("S402",)),
    Posted(LeastSquaresGAN, "binary", GOOD),
    Posted(nonsaturating, "binary", GOOD),
    Posted(with_gradient_penalty, "regression", GOOD),
    # The expected probability of the teacher's class: flat where the student is sure and wrong.
    Posted(divergence_without_log, "multiclass", CARE, ("G205",)),
    Posted(UncertaintyWeighted, "regression", GOOD),
    # cosh overflows in float32 from 89 on.
    Posted(LogCosh, "regression", CARE, ("N301", "N302")),
    Posted(LogCoshStable, "regression", GOOD),
    Posted(XTanh, "regression", GOOD, ("S401",)),
    # Two squashing functions in a row: logits of a confident mistake have no gradient.
    Posted(softmax_twice, "multiclass", CARE, ("G205",)),
    Posted(SigmoidTwice, "segmentation", CARE, ("G205",)),
    Posted(log_of_softmax, "multiclass", CARE, ("N301", "N302")),
    # Decisions: no gradient anywhere.
    Posted(accuracy, "multiclass", BAD, ("G201",)),
    Posted(rounded_prediction, "regression", BAD, ("G201",)),
    Posted(hard_dice, "segmentation", BAD, ("G201",)),
    Posted(rank_correlation, "ranking", BAD, ("G201",)),
    # The graph is cut: torch has no gradient either.
    Posted(rewrapped, "regression", BAD, ("G201",)),
    Posted(rewrapped_iou, "boxes", BAD, ("G201",)),
    Posted(in_inference_mode, "regression", BAD, ("G201",)),
    Posted(decorated_with_no_grad, "regression", BAD, ("G201",)),
    Posted(restarted_graph, "regression", BAD, ("G201",)),
    # The value is that of the clamped prediction, the gradient does not see the clamp.
    Posted(clamped_data, "regression", CARE, ("G207",)),
    # Boxes that do not overlap have no gradient without a term of their distance.
    Posted(IoULoss, "boxes", CARE, ("G202",)),
    Posted(DIoULoss, "boxes", GOOD),
    # Boxes of negative width and height fall to minus infinity; all others are at most 2.
    Posted(giou_loss, "boxes", CARE, ("S402",)),
    Posted(CenterLoss, "embedding", GOOD),
    Posted(contrastive_pairs, "embedding", GOOD),
)
