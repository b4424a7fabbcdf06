"""A monitor in a plain loop: g of every layer, and whether the network groks, as it trains.

Measuring takes a tenth of the training's time, and the training is the same to the bit.
"""

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

torch.manual_seed(0)
model = nn.Sequential(
    *(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.1)),
    *(nn.Linear(256, 128), nn.ReLU()),
    nn.Linear(128, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
monitor = netdyn.Monitor(model, x[:300], y[:300], test=(x[1000:], y[1000:]), share=0.1)
monitor(0)  # the network as it is before training
for _ in range(400):
    batch = torch.randint(0, 1000, (100,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
    optimizer.step()
    monitor()  # measures now and then: about as often as a tenth of the time allows
monitor.measure()  # and the network as it is in the end

table = monitor.table
table["name"] = table.quantity + table.site.map(lambda site: f" {site}" if site else "")
ends = table[table.step.isin([0, 400])]
ends = ends.pivot_table(index="name", columns="step", values="value", sort=False)
print(ends.round(2).to_string())
print(f"grokking: {monitor.grokking.grade}")

with tempfile.TemporaryDirectory() as folder:
    monitor.save(Path(folder) / "course.csv")  # text; monitor.load goes on from it
    saved = pd.read_csv(Path(folder) / "course.csv", comment="#")
assert saved.step.max() == 400
