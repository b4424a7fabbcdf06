"""Small networks that are no Sequential, with the tails behind their sites written by hand."""

import math

import torch
from torch import nn

F = nn.functional


class Wrapped(nn.Module):
    """A Sequential that only the traced reader can read."""

    def __init__(self, stack):
        super().__init__()
        self.stack = stack

    def forward(self, x):
        return self.stack(x)


class Functional(nn.Module):
    """784–style MLP by functions: F.relu in place, a method, and batch norm between."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.out = nn.Linear(6, 9), nn.Linear(9, 8), nn.Linear(8, 4)
        self.norm = nn.BatchNorm1d(9)

    def forward(self, x):
        x = F.relu(self.norm(self.one(x)), inplace=True)
        return self.out(self.two(x).tanh())

    def as_sequential(self):
        return nn.Sequential(self.one, self.norm, nn.ReLU(), self.two, nn.Tanh(), self.out)


class Convolutions(nn.Module):
    """Two convolutions that share one in-place ReLU, a skip past the second, and pooling."""

    def __init__(self, pool="avg"):
        super().__init__()
        self.one, self.norm = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.two = nn.Conv2d(3, 3, 3, padding=1)
        self.relu, self.out = nn.ReLU(inplace=True), nn.Linear(12, 4)
        self.pool = nn.AvgPool2d(2) if pool == "avg" else nn.MaxPool2d(2)

    def forward(self, x):
        first = self.pool(self.relu(self.norm(self.one(x))))
        second = self.relu(self.two(first))
        return self.out(self.pool(first + second).flatten(1))

    def tails(self, x):
        """The logits as functions of x^(1) and x^(2), (P, 3, 8, 8) and (P, 3, 4, 4)."""
        pools = []
        with torch.no_grad():
            first = F.relu(self.norm(self.one(x)))
            pools.append(self._frozen(first))
            first = pools[0](first)
            pools.append(self._frozen(first + F.relu(self.two(first))))

        def from_first(a):
            return from_second(self.two(pools[0](a)), pools[0](a))

        def from_second(a, skip=first):
            return self.out(pools[1](skip + a).flatten(1))

        return from_first, from_second

    def _frozen(self, true):
        """The pooling of `true` as a linear function, place by place."""
        if isinstance(self.pool, nn.AvgPool2d):
            return self.pool
        size = true.shape[-1] // 2
        places = {}
        for p in range(len(true)):
            for c in range(3):
                for i in range(size):
                    for j in range(size):
                        patch = true[p, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
                        row, column = divmod(int(patch.argmax()), 2)
                        places[p, c, i, j] = (p, c, 2 * i + row, 2 * j + column)

        def pooled(a):
            flat = [a[place] for place in places.values()]
            return torch.stack(flat).view(len(true), 3, size, size)

        return pooled


class Residual(nn.Module):
    """Two residual blocks of x + W₂ gelu(W₁ x)."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.Linear(6, 7), nn.Linear(7, 6)]) for _ in range(2)
        )
        self.out = nn.Linear(6, 4)

    def forward(self, x):
        for up, down in self.blocks:
            x = x + down(F.gelu(up(x)))
        return self.out(x)

    def tails(self, x):
        (up, down), (up2, down2) = self.blocks
        with torch.no_grad():
            middle = x + down(F.gelu(up(x)))

        def from_first(a):
            skip = x + down(a)
            return self.out(skip + down2(up2(skip)))

        return from_first, lambda a: self.out(middle + down2(a))


class Transformer(nn.Module):
    """Attention of two heads and a GELU block, each behind a layer norm, twice; then a mean."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(6),
                    "attention": nn.MultiheadAttention(6, 2, batch_first=True),
                    "norm2": nn.LayerNorm(6),
                    "up": nn.Linear(6, 7),
                    "down": nn.Linear(7, 6),
                }
            )
            for _ in range(2)
        )
        self.out = nn.Linear(6, 4)

    def forward(self, x):
        for block in self.blocks:
            h = block["norm1"](x)
            x = x + block["attention"](h, h, h, need_weights=False)[0]
            x = x + block["down"](F.gelu(block["up"](block["norm2"](x))))
        return self.out(x.mean(1))

    def tails(self, x):
        """The logits as functions of x^(1) and x^(2), (1, T, 7), of one sample."""
        with torch.no_grad():
            first, second = self.blocks
            at = attended(first, x, x)
            middle = at + first["down"](F.gelu(first["up"](normed(first["norm2"], at, at))))
            at2 = attended(second, middle, middle)

        def from_first(a):
            start = at + first["down"](a)
            here = attended(second, start, middle)
            up = second["up"](normed(second["norm2"], here, at2))
            return self.out((here + second["down"](up)).mean(1))

        return from_first, lambda a: self.out((at2 + second["down"](a)).mean(1))


def normed(norm, x, true):
    """Layer norm of x with the deviation of `true`."""
    deviation = (true.var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
    return (x - x.mean(-1, keepdim=True)) / deviation * norm.weight + norm.bias


def attended(block, x, true):
    """A block's attention with the shares that queries and keys of `true` give, plus x."""
    attention = block["attention"]
    h, true = normed(block["norm1"], x, true), normed(block["norm1"], true, true)
    size = 6
    q, k, _ = (true @ attention.in_proj_weight.T + attention.in_proj_bias).split(size, dim=-1)
    v = (h @ attention.in_proj_weight.T + attention.in_proj_bias)[..., 2 * size :]
    heads = []
    for head in (slice(0, 3), slice(3, 6)):
        shares = (q[..., head] @ k[..., head].transpose(1, 2) / math.sqrt(3)).softmax(-1)
        heads.append(shares @ v[..., head])
    return x + torch.cat(heads, dim=-1) @ attention.out_proj.weight.T + attention.out_proj.bias


def spread_out(model, stream):
    """Give a network weights of some size, and statistics that are not 0 and 1."""
    with torch.no_grad():
        for parameter in model.parameters():
            size = 0.6 if parameter.ndim > 1 else 0.3
            parameter.add_(size * torch.randn(parameter.shape, generator=stream))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_(generator=stream)
                module.running_var.uniform_(0.5, 2.0, generator=stream)
    return model
