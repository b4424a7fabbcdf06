"""A residual network: what its blocks do, and from where on the linear map replaces the rest.

A module of one's own needs nothing but a forward that takes samples and returns logits.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import netdyn


class Residual(nn.Module):
    """Blocks of two linear layers, each with a skip connection."""

    def __init__(self, width: int, blocks: int):
        super().__init__()
        self.first, self.last = nn.Linear(64, width), nn.Linear(width, 10)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Linear(width, width)) for _ in range(blocks)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (P, 10) of samples (P, 64)."""
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
torch.manual_seed(0)
model = Residual(width=64, blocks=4)
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
for _ in range(40):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()

network = netdyn.read(model, x[:10])
pruned = network.pruning(x, y)  # row s: activations of sites s … S are the identity
gradients = network.gradients(x, y, errors=False)
pruned["g"] = gradients[gradients["class"] == -1].g.reset_index(drop=True)
print(pruned[["start", "name", "accuracy", "error", "g"]].round(3).to_string(index=False))
