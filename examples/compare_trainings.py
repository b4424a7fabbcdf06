"""Two trainings side by side: what small and large initial weights do to g and to the basins.

Every pair starts from the same seed; the table has means over seeds and their spread.
"""

import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch import nn

import netdyn

digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)


def trained(scale: float, seed: int) -> nn.Module:
    """Return a network whose initial weights are `scale` times as large as PyTorch's."""
    torch.manual_seed(seed)
    model = nn.Sequential(*(nn.Linear(64, 100), nn.ReLU()), *(nn.Linear(100, 100), nn.ReLU()),
                          nn.Linear(100, 10))  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[:1000]), y[:1000]).backward()
        optimizer.step()
    return model


rows = []
for scale in (1.0, 4.0):
    for seed in range(3):
        network = netdyn.read(trained(scale, seed))
        correct = network.logits(x[1000:]).argmax(1) == y[1000:]
        table = network.gradients(x[:1000], y[:1000], errors=False)
        first, second = table[table["class"] == -1].g
        basin = network.basins(x[:300], y[:300], trials=2, by_class=False)["size"][0]
        rows.append((scale, correct.float().mean().item(), first, second, basin))
names = ["scale", "test_accuracy", "g_1", "g_2", "sample_basin"]
compared = pd.DataFrame(rows, columns=names).groupby("scale").agg(["mean", "std"])
print(compared.round(3).to_string())
