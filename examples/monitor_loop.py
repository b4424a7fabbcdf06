"""A monitor in a plain loop: a deep network with batch norm groks, and the monitor says so.

It learns the training samples in eight steps. Running statistics lag behind, and with them the test
accuracy; meanwhile g rises in every layer. Measuring changes no bit of the training.
"""

import math
import tempfile
from pathlib import Path

import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch import nn

import netdyn

digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
train, test = (x[:1000], y[:1000]), (x[1000:], y[1000:])

torch.manual_seed(0)
hidden = [layer for _ in range(8) for layer in (nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU())]
model = nn.Sequential(*hidden, nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

# So short a training is measured at every step; without `share` a tenth of its time is spent.
quantities = ["accuracy", "rpd_gradient"]
monitor = netdyn.Monitor(model, *train, test, share=math.inf, quantities=quantities)
for _ in range(60):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(train[0]), train[1]).backward()
    optimizer.step()
    monitor()

table = monitor.table
table["name"] = table.quantity + table.site.map(lambda site: f" {site}" if site else "")
shown = table[table.step.isin([1, 10, 20, 30, 40, 60]) & table.site.isin([0, 1, 8])]
shown = shown.pivot_table(index="name", columns="step", values="value", sort=False)
print(shown.round(2).to_string())
print(monitor.grokking)

with tempfile.TemporaryDirectory() as folder:
    monitor.save(Path(folder) / "course.csv")  # text; monitor.load goes on from it
    saved = pd.read_csv(Path(folder) / "course.csv", comment="#")
assert saved.step.max() == 60
