"""PyTorch losses as people write them, and data for each: `LOSSES` has (loss, kind of data)."""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class DiceLoss(nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, input, target):
        probs = torch.sigmoid(input).view(-1)
        target = target.view(-1)
        intersection = (probs * target).sum()
        return 1 - (2.0 * intersection + self.smooth) / (probs.sum() + target.sum() + self.smooth)


def iou_loss(pred, target, eps=1e-6):
    p = pred.sigmoid()
    inter = (p * target).sum(dim=(1, 2))
    union = (p + target - p * target).sum(dim=(1, 2))
    return (1 - (inter + eps) / (union + eps)).mean()


def tversky_loss(pred, target, alpha=0.3, beta=0.7, smooth=1.0):
    p = torch.sigmoid(pred).flatten(1)
    t = target.flatten(1)
    tp = (p * t).sum(1)
    fp = (p * (1 - t)).sum(1)
    fn = ((1 - p) * t).sum(1)
    return (1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)).mean()


class FocalLoss(nn.Module):
    def __init__(self, alpha=0.25, gamma=2.0):
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, inputs, targets):
        bce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
        pt = torch.exp(-bce)
        at = self.alpha * targets + (1 - self.alpha) * (1 - targets)
        return (at * (1 - pt) ** self.gamma * bce).mean()


def soft_f1(pred, target):
    p = torch.sigmoid(pred)
    tp = (p * target).sum(0)
    fp = (p * (1 - target)).sum(0)
    fn = ((1 - p) * target).sum(0)
    return (1 - 2 * tp / (2 * tp + fp + fn + 1e-16)).mean()


def clipped_bce(pred, target):
    p = torch.clamp(torch.sigmoid(pred), 1e-7, 1 - 1e-7)
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()


def rmse(pred, target):
    return torch.sqrt(F.mse_loss(pred, target))


def zero_one(logits, labels):
    return (logits.argmax(dim=1) != labels).float().mean()


def rounded(pred, target):
    return ((torch.round(pred) - target) ** 2).mean()


def detached_weight(pred, target):
    w = (pred - target).abs().detach()
    return (w * (pred - target) ** 2).mean()


def masked_fill_loss(pred, target):
    err = (pred - target).abs()
    return err.masked_fill(target < 0, 0.0).sum() / (target >= 0).sum().clamp(min=1)


def inplace_loss(pred, target):
    err = pred - target
    err.abs_()
    err.clamp_(max=1.5)
    return err.mean()


class LabelSmoothing(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, x, target):
        logprobs = F.log_softmax(x, dim=-1)
        nll = -logprobs.gather(dim=-1, index=target.unsqueeze(1)).squeeze(1)
        smooth = -logprobs.mean(dim=-1)
        return ((1 - self.smoothing) * nll + self.smoothing * smooth).mean()


class StraightThroughRound(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def straight_through(pred, target):
    return ((StraightThroughRound.apply(pred) - target) ** 2).mean()


def pinball(pred, target, tau=0.9):
    e = target - pred
    return torch.max(tau * e, (tau - 1) * e).mean()


def log_cosh(pred, target):
    return torch.log(torch.cosh(pred - target)).mean()


def wing(pred, target, w=2.0, eps=0.5):
    d = (pred - target).abs()
    c = w * (1 - math.log(1 + w / eps))
    return torch.where(d < w, w * torch.log(1 + d / eps), d - c).mean()


def cosine(pred, target):
    return 1 - F.cosine_similarity(pred, target, dim=-1).mean()


def charbonnier(pred, target, eps=1e-3):
    return torch.sqrt((pred - target).pow(2) + eps**2).mean()


def ranking(pred, target):
    sign = torch.sign(target[:, 0] - target[:, 1])
    return F.margin_ranking_loss(pred[:, 0], pred[:, 1], sign, margin=0.5)


def cosine_embedding(pred, target):
    return F.cosine_embedding_loss(pred, target, torch.ones(len(pred), dtype=pred.dtype))


def sobel_edges(pred, target):
    rows = [[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    k = torch.tensor(rows, dtype=pred.dtype).view(1, 1, 3, 3)
    return F.l1_loss(F.conv2d(pred[:, None], k, padding=1), F.conv2d(target[:, None], k, padding=1))


def total_variation(pred, target):
    rows = (pred[:, 1:] - pred[:, :-1]).abs().mean()
    columns = (pred[..., 1:] - pred[..., :-1]).abs().mean()
    return F.mse_loss(pred, target) + 0.1 * (rows + columns)


def hardest_examples(pred, target):
    loss = F.mse_loss(pred, target, reduction="none").mean(1)
    values, _ = torch.topk(loss, 3)
    return values.mean()


def one_hot_brier(logits, labels):
    p = logits.softmax(-1)
    return ((p - F.one_hot(labels, 4).to(p.dtype)) ** 2).sum(-1).mean()


def margin_by_loop(logits, labels):
    total = 0.0
    for i in range(len(logits)):
        correct = logits[i].gather(0, labels[i : i + 1])
        total = total + F.relu(1 + logits[i] - correct).sum() - 1
    return total / len(logits)


def written_into(pred, target):
    out = torch.zeros_like(pred)
    out[:, 0] = (pred[:, 0] - target[:, 0]) ** 2
    out[:, 1:] += (pred[:, 1:] - target[:, 1:]).abs()
    return out.mean()


def triplet(pred, target):
    return F.triplet_margin_loss(pred, target, pred.roll(1, 0))


def pairwise(pred, target):
    return (F.pairwise_distance(pred, target) ** 2).mean()


def distances(pred, target):
    return (torch.cdist(pred, pred) - torch.cdist(target, target)).pow(2).mean()


def correlation(pred, target):
    x, y = pred - pred.mean(), target - target.mean()
    return 1 - (x * y).sum() / (x.norm() * y.norm() + 1e-8)


def quantile_crps(pred, target):
    ordered, _ = pred.sort(dim=-1)
    spread = (ordered[:, :, None] - ordered[:, None, :]).abs().mean((1, 2))
    return ((pred - target).abs().mean(-1) - 0.5 * spread).mean()


def contrastive(pred, target):
    z = F.normalize(pred, dim=-1)
    logits = z @ F.normalize(target, dim=-1).T / 0.5
    return F.cross_entropy(logits, torch.arange(len(logits)))


def einsum_energy(pred, target):
    e = pred - target
    return torch.einsum("bi,bj->b", e, e).clamp(min=0).mean()


def without_gradient(pred, target):
    with torch.no_grad():
        weight = torch.exp(-((pred - target) ** 2))
    return (weight * (pred - target).abs()).mean()


def data_weight(pred, target):
    weight = (pred.data - target).abs()
    return (weight * (pred - target) ** 2).mean()


def pooled(pred, target):
    return F.mse_loss(F.avg_pool2d(pred[:, None], 2), F.avg_pool2d(target[:, None], 2))


def cumulative(pred, target):
    p, t = pred.softmax(-1).cumsum(-1), target.cumsum(-1)
    return (p - t).pow(2).sum(-1).mean()


def student_t(pred, target, df=3.0):
    return (
        torch.lgamma(torch.tensor(df)) + (df + 1) / 2 * torch.log1p((pred - target) ** 2)
    ).mean()


def multi_margin(pred, target):
    return F.multi_margin_loss(pred, target, p=2)


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.tensor([1.0, 2.0, 0.5, 1.0]))
        self.inner = nn.CrossEntropyLoss(label_smoothing=0.1)

    def forward(self, logits, target):
        return self.inner(logits * self.weight, target)


def elementwise_gaussian(pred, target):
    mean, log_variance = pred.chunk(2, dim=-1)
    t = target[:, :2]
    return 0.5 * (log_variance + (t - mean) ** 2 / log_variance.exp()).mean()


class SupervisedContrastive(nn.Module):
    def forward(self, features, labels):
        z = F.normalize(features, dim=1)
        same = (labels[:, None] == labels[None]).to(z.dtype)
        logits = z @ z.T / 0.5
        logits = logits - logits.max(dim=1, keepdim=True)[0].detach()
        others = 1 - torch.eye(len(z), dtype=z.dtype)
        log_share = logits - torch.log((logits.exp() * others).sum(1, keepdim=True))
        same = same * others
        return -((same * log_share).sum(1) / same.sum(1).clamp(min=1)).mean()


class Perceptual(nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2))
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)

    def forward(self, pred, target):
        return F.l1_loss(self.features(pred[:, None]), self.features(target[:, None]))


def spectrum(pred, target):
    return (torch.fft.rfft(pred) - torch.fft.rfft(target)).abs().mean()


def resized(pred, target):
    up = F.interpolate(pred[:, None], scale_factor=2, mode="bilinear")
    return F.mse_loss(up, F.interpolate(target[:, None], size=8, mode="bicubic"))


def transposed_convolution(pred, target):
    kernel = torch.arange(4.0, dtype=pred.dtype).view(1, 1, 2, 2)
    up = F.conv_transpose2d(pred[:, None], kernel, stride=2)
    return up.square().mean() - target.mean()


def mahalanobis(pred, target):
    e = pred - target
    covariance = e.T @ e / len(e) + 0.1 * torch.eye(4, dtype=pred.dtype)
    distances = (e @ torch.inverse(covariance) * e).sum(1)
    return distances.mean() + torch.logdet(covariance)


def normal_likelihood(pred, target):
    return -torch.distributions.Normal(pred, 1.5).log_prob(target).mean()


def lovasz_hinge(pred, target):
    signs = 2 * target.flatten() - 1
    errors, order = torch.sort(1 - pred.flatten() * signs, descending=True)
    truth = target.flatten()[order]
    inter = truth.sum() - truth.cumsum(0)
    jaccard = 1 - inter / (truth.sum() + (1 - truth).cumsum(0))
    jaccard[1:] = jaccard[1:] - jaccard[:-1].clone()
    return torch.dot(F.relu(errors), jaccard)


NUMBERS, BINARY, SHARES, LABELS = "numbers", "binary", "shares", "labels"
MASKS, PROBABILITIES, SIGNS = "masks", "probabilities", "signs"
LOSSES = [
    (F.mse_loss, NUMBERS),
    (F.l1_loss, NUMBERS),
    (F.smooth_l1_loss, NUMBERS),
    (F.huber_loss, NUMBERS),
    (F.binary_cross_entropy_with_logits, BINARY),
    (F.binary_cross_entropy, PROBABILITIES),
    (F.cross_entropy, LABELS),
    (F.cross_entropy, SHARES),
    (F.nll_loss, LABELS),
    (F.kl_div, SHARES),
    (F.hinge_embedding_loss, SIGNS),
    (F.poisson_nll_loss, NUMBERS),
    (F.soft_margin_loss, SIGNS),
    (F.multilabel_soft_margin_loss, BINARY),
    (F.multi_margin_loss, LABELS),
    (multi_margin, LABELS),
    (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0, 4.0])), LABELS),
    (nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0])), BINARY),
    (nn.HuberLoss(delta=0.3), NUMBERS),
    (nn.KLDivLoss(reduction="batchmean"), SHARES),
    (nn.SmoothL1Loss(beta=0.5, reduction="sum"), NUMBERS),
    (nn.CosineSimilarity(), NUMBERS),
    (DiceLoss(), MASKS),
    (iou_loss, MASKS),
    (tversky_loss, MASKS),
    (FocalLoss(), BINARY),
    (soft_f1, BINARY),
    (clipped_bce, BINARY),
    (rmse, NUMBERS),
    (zero_one, LABELS),
    (rounded, NUMBERS),
    (detached_weight, NUMBERS),
    (masked_fill_loss, NUMBERS),
    (inplace_loss, NUMBERS),
    (LabelSmoothing(), LABELS),
    (straight_through, NUMBERS),
    (pinball, NUMBERS),
    (log_cosh, NUMBERS),
    (wing, NUMBERS),
    (cosine, NUMBERS),
    (charbonnier, NUMBERS),
    (ranking, NUMBERS),
    (cosine_embedding, NUMBERS),
    (sobel_edges, MASKS),
    (total_variation, MASKS),
    (hardest_examples, NUMBERS),
    (one_hot_brier, LABELS),
    (margin_by_loop, LABELS),
    (written_into, NUMBERS),
    (triplet, NUMBERS),
    (pairwise, NUMBERS),
    (distances, NUMBERS),
    (correlation, NUMBERS),
    (quantile_crps, NUMBERS),
    (contrastive, NUMBERS),
    (einsum_energy, NUMBERS),
    (without_gradient, NUMBERS),
    (data_weight, NUMBERS),
    (pooled, MASKS),
    (cumulative, SHARES),
    (student_t, NUMBERS),
    (Weighted(), LABELS),
    (elementwise_gaussian, NUMBERS),
    (SupervisedContrastive(), LABELS),
    (Perceptual(), MASKS),
    (spectrum, NUMBERS),
    (resized, MASKS),
    (transposed_convolution, MASKS),
    (mahalanobis, NUMBERS),
    (normal_likelihood, NUMBERS),
    (lovasz_hinge, BINARY),
]


def name(loss):
    return getattr(loss, "__name__", type(loss).__name__)


def data(kind):
    """Returns predictions and targets in float64."""
    generator = torch.Generator().manual_seed(0)
    shape = (6, 4, 4) if kind == MASKS else (6, 4)
    predictions = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
    if kind == PROBABILITIES:
        predictions = predictions.sigmoid()
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
    if kind == NUMBERS:
        targets = torch.randn(shape, generator=generator, dtype=torch.float64)
    elif kind == LABELS:
        targets = torch.randint(0, 4, (6,), generator=generator)
    elif kind == SHARES:
        targets = uniform / uniform.sum(1, keepdim=True)
    else:
        targets = (uniform > 0.5).double()
    return predictions, 2 * targets - 1 if kind == SIGNS else targets
