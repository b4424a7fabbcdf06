"""A CNN: any network is traced with a few example samples.

Max pooling is not affine, so `not_affine="freeze"` holds it at what it does to each sample.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import netdyn

digits = load_digits()
x = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)  # (1797, 1, 8, 8)
y = torch.tensor(digits.target)

torch.manual_seed(0)
model = nn.Sequential(
    *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU()),
    *(nn.Flatten(), nn.Linear(256, 10)),
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(40):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()

network = netdyn.read(model, x[:10], not_affine="freeze")
for number, site in enumerate(network.sites, 1):
    print(f"site {number}: {site.function} in module {site.name}, shape {site.shape}")

table = network.gradients(x, y, errors=False, units=200)
by_class = table.pivot(index="class", columns="site", values="g").rename(index={-1: "mean"})
print(by_class.round(2).to_string())
