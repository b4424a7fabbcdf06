"""Your own MLP: which of its layers work linearly, and how much noise it bears.

g is the gradient of the rank probability distribution: 0 where a layer's neurons are not aligned
with the classes, 5.4 where they keep ten classes in perfect order. A basin is the noise that brings
the accuracy down to one half.
"""

import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch import nn

import netdyn

digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)  # (1797, 64), in [0, 1]
y = torch.tensor(digits.target)

torch.manual_seed(0)
model = nn.Sequential(
    *(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU()),
    *(nn.Linear(128, 64), nn.Tanh()),
    nn.Linear(64, 10),
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
for _ in range(60):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()

network = netdyn.read(model)
table = network.gradients(x, y)  # a row for each site and class; class −1 is the mean
means = table[table["class"] == -1]
print(means[["site", "function", "units", "g", "error"]].round(2).to_string(index=False))

basins = [
    network.basins(x, y, space=space, trials=3, by_class=False) for space in ("sample", "weight")
]
columns = ["space", "size", "error", "accuracy"]
print(pd.concat(basins)[columns].round(2).to_string(index=False))
